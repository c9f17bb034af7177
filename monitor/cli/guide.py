"""The guided set-up at a terminal: asks, looks, says what was found and what to do next."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from monitor.cli.telling import ask_arrival, say, tell_checks, tell_probe
from monitor.cli.terminal import ask, write_new_file
from monitor.errors import LapsewatchError, UsageError
from monitor.fields.problems import printable
from monitor.model import CanaryResult, Draft, Probe, Tenant
from monitor.wizard.answers import AnswerError, BusyError
from monitor.wizard.questions import applies, label_of
from monitor.wizard.steps import CHECKS, SECRET, TITLES, Page, Question, Step, next_step, way

if TYPE_CHECKING:
    from monitor.doctor.checks import Check
    from monitor.wiring import App


# What is wrong with an answer of the same step, and not with what was done in a portal.
_ANSWERS = frozenset({
    "answers", "wrong_secret", "secret_missing", "expired_secret", "object_id_mismatch",
    "wrong_cloud", "tenant_not_found", "cert_not_registered",
})  # fmt: skip
# What goes without saying while it is well.
BACK = "back"  # typed in place of an answer
_QUIET = (".dns", ".tcp", ".tls", ".claims", ".file", ".audience", ".rights", ".greeting",
          ".starttls", ".ehlo", ".lifetime", "clock")  # fmt: skip


class BackError(Exception):
    """Whoever answers wants to go to an earlier step."""


class LeftError(Exception):
    """Whoever answers has left; the answers are kept."""


class Guide:
    """Leads one tenant's set-up at a terminal.

    Args:
        app: the wired product.
        name: of the tenant.
        given: answers that need not be asked, by question.
    """

    def __init__(self, app: App, name: str, given: dict[str, str]) -> None:
        self._app = app
        self._wizard = app.wizard
        self._given = given
        self._name = name

    def lead(self) -> Tenant:
        """Walk through the steps that are not done; the tenant is watched afterwards.

        Returns:
            The tenant.

        Raises:
            LeftError: somebody has left on the way.
            LapsewatchError: the answers make no tenant, or the database cannot be used.
        """
        draft = self._wizard.begin(self._name, self._now())
        if draft.passed:
            say(f"{draft.name}: going on where you left, at step {len(draft.passed) + 1}.")
        else:
            say(f"{draft.name}: this takes about ten minutes. Ctrl-C leaves; what you answered is "
                f"kept, and `lapsewatch tenant add {draft.name}` goes on from there. `{BACK}` goes "
                "to an earlier step.")  # fmt: skip
        while True:
            while (step := next_step(draft)) is not None and step is not Step.TEST:
                draft = self._take(draft, step)
            try:
                return self._wizard.finish(draft, self._now())
            except BusyError:
                raise
            except UsageError as error:  # what it depends on, a cloud say, is gone meanwhile
                say(f"{error.message} {error.remedy}".strip(), indent=2)
                draft = self._wizard.back(draft, self._which(draft, Step.TEST), self._now())

    def _now(self) -> datetime:
        return self._app.clock()

    def _take(self, draft: Draft, step: Step) -> Draft:
        """One step: tell, ask, look."""
        page = self._wizard.page(draft, step)
        self._head(page)
        if step is Step.EXCHANGE:
            self._script(draft)
        try:
            draft = self._ask(draft, page)
            if step in (Step.PERMISSIONS, Step.EXCHANGE):
                self._pause(step)
            return self._settle(draft, step, page)
        except BackError:
            # As it is stored: some of the step's questions may have been answered.
            stored = self._wizard.begin(draft.name, self._now())
            return self._wizard.back(stored, self._which(stored, step), self._now())

    def _settle(self, draft: Draft, step: Step, page: Page) -> Draft:
        """Look at the answers until nothing is wrong, or somebody wants to go on."""
        while True:
            draft, causes = self._look(draft, step)
            choice = _what_now(page, causes) if causes else "on"
            if choice == "on":
                return self._wizard.pass_on(draft, step, self._now())
            if choice == "back":
                return self._wizard.back(draft, self._which(draft, step), self._now())
            if choice == "answers":
                draft = self._ask(draft, self._wizard.page(draft, step), again=True)

    def _which(self, draft: Draft, step: Step) -> Step:
        """Ask for the step to go back to."""
        steps = way(draft)  # without a mailbox there is no step for a test mail
        before = steps[: steps.index(step)] if step in steps else steps
        if not before:
            say("This is the first step.", indent=4)
            return step
        for number, one in enumerate(before, 1):
            say(f"{number} {TITLES[one]}", indent=4)
        while True:
            said: str = typer.prompt("  Back to step", default=str(len(before)))
            if number := _number(said, len(before)):
                return before[number - 1]

    def _head(self, page: Page) -> None:
        print()
        say(f"Step {page.number} of {page.total}: {page.title}", bold=True)
        for number, line in enumerate(page.where, 1):
            say(f"{number}. {line}" if len(page.where) > 1 else line, indent=2)
        if page.link:
            print(f"  {page.link}")

    def _pause(self, step: Step) -> None:
        done = "it is granted" if step is Step.PERMISSIONS else "the script has run"
        while said := ask(f"  Press Enter when {done}", default="", shown=False).strip():
            if said.lower() == BACK:
                raise BackError
            say("Only Enter goes on; `back` goes to an earlier step, Ctrl-C leaves.", indent=4)

    # --- asking --------------------------------------------------------------------------------

    def _ask(self, draft: Draft, page: Page, *, again: bool = False) -> Draft:
        """Ask all questions of a page; an answer that cannot be right is asked again."""
        said: dict[str, str] = {}
        for question in page.questions:
            if not applies(question.key, said):
                continue
            question = label_of(question, said.get("form", SECRET))
            given = None if again else self._given.pop(question.key, None)
            draft = self._until_right(draft, question, said, given)
        return draft

    def _until_right(
        self, draft: Draft, question: Question, said: dict[str, str], given: str | None
    ) -> Draft:
        while True:
            text = _prompt(question, draft) if given is None else given
            given = None
            if not text and question.hidden and draft.get(question.key):
                return draft  # the one that was given before is kept
            try:
                if not text and not question.optional:
                    raise AnswerError(question.key, "It is needed here.")
                # With what was said before it, on which its meaning may depend.
                draft = self._wizard.answer(draft, {**said, question.key: text}, self._now())
            except BusyError:
                raise
            except LapsewatchError as error:
                say(f"{error.message} {error.remedy}".strip(), indent=4)
                continue
            said[question.key] = "" if question.hidden else text
            return draft

    # --- looking -------------------------------------------------------------------------------

    def _look(self, draft: Draft, step: Step) -> tuple[Draft, list[str]]:
        """Look at what was answered; the set-up with what was learned, and what is wrong."""
        if step not in CHECKS:
            return draft, []
        print("  Looking …")
        try:
            found = self._wizard.look(draft, step, self._now())
        except UsageError as error:
            say(f"{error.message} {error.remedy}".strip(), indent=2)
            return draft, ["answers"]
        tell_checks([check for check in found.checks if _is_worth_a_line(check)])
        return found.draft, [check.cause or "answers" for check in found.wrong]

    def _script(self, draft: Draft) -> None:
        """Write the Exchange script beside, for somebody to run."""
        try:
            text = self._wizard.script(self._wizard.tenant(draft), draft.get("model"))
        except UsageError as error:
            say(f"{error.message} {error.remedy}".strip(), indent=2)
            return
        # Windows PowerShell 5.1 reads a file without the mark as ANSI.
        data = text.replace("\n", "\r\n").encode("utf-8-sig")
        try:
            file, another = _written(draft.name, data)
        except UsageError as error:
            say(f"The script is not written. {error.message} Leave, go to a folder of your own, "
                f"and go on there: lapsewatch tenant add {draft.name}", indent=2)  # fmt: skip
            return
        if another:
            say("The answers have changed since an earlier script: run this one.", indent=2)
        print(f"  The script: {printable(str(file.absolute()), 1000)}")
        say("To run it, on any Windows computer:", indent=2)
        print(f"  powershell -ExecutionPolicy Bypass -File .\\{printable(file.name)}")

    # --- the end -------------------------------------------------------------------------------

    def prove(self, entry: Tenant) -> bool:
        """Send the test mail, and ask whether it arrived; whether the sender is confirmed.

        Raises:
            LeftError: somebody has left; the sender stays unconfirmed.
            LapsewatchError: the outcome could not be recorded.
        """
        sender = self._wizard.sender(entry)
        if sender is None:
            return True
        steps = len(way(Draft(entry.name, {"mailbox": sender.mailbox})))
        print()
        say(f"Step {steps} of {steps}: The test mail", bold=True)
        while True:
            print(f"  Sending to {', '.join(sender.canary_to)} …")
            probe = self._wizard.arrivals.send_test(entry, self._now())
            tell_probe(probe)
            if probe.result is CanaryResult.OK:
                return ask_arrival(self._app, entry, probe, ", ".join(sender.canary_to))
            self._explain(probe)
            if _what_now(None, [probe.cause]) == "on":
                return False

    def _explain(self, probe: Probe) -> None:
        told = self._app.diagnose(probe.evidence, probe.stage)
        say(f"{told.explanation} [{probe.cause}]", indent=4)
        say(f"Fix: {told.fix}", indent=4)
        say(f"More: lapsewatch doctor --tenant {probe.tenant}", indent=4)


def _written(name: str, data: bytes) -> tuple[Path, bool]:
    """A file that holds the script, and whether an earlier one holds another.

    Raises:
        UsageError: none can be written here.
    """
    names = [f"{name}-exchange.ps1", *(f"{name}-exchange-{n}.ps1" for n in range(2, 100))]
    for file in map(Path, names):
        if file.is_file() and file.read_bytes() == data:
            return file, file.name != names[0]
        if not os.path.lexists(file):
            write_new_file(file, data)
            return file, file.name != names[0]
    raise UsageError(f"There are too many files like {names[0]} here.")


def _is_worth_a_line(check: Check) -> bool:
    return check.status != "ok" or not check.name.endswith(_QUIET)


def _prompt(question: Question, draft: Draft) -> str:
    """One answer from the terminal; a choice may be given by its number."""
    for number, (word, meaning) in enumerate(question.choices, 1):
        say(f"{number} {word}: {meaning}", indent=4)
    if question.why:
        say(question.why, indent=4)
    kept = draft.get(question.key)
    # What the token says about itself goes before what somebody typed.
    first = question.default if question.key == "enterprise_object_id" else ""
    default = "" if question.hidden else first or kept or question.default
    hidden = " (not shown; Enter keeps the one you gave)" if kept else " (not shown)"
    label = f"  {question.label}" + (hidden if question.hidden else "")
    said = ask(label, default=default, hidden=question.hidden, shown=bool(default))
    if said.strip().lower() == BACK and not question.hidden:
        raise BackError
    words = [word for word, _ in question.choices]
    number = _number(said, len(words))
    return words[number - 1] if number else said.strip()


def _number(said: str, largest: int) -> int:
    """The number that was answered; 0 where it is none of those that were offered."""
    text = said.strip()
    number = int(text) if text.isdecimal() and len(text) < 4 else 0
    return number if number <= largest else 0


def _what_now(page: Page | None, causes: Sequence[str]) -> str:
    """What to do about what is wrong."""
    asks, back = bool(page and page.questions), page is not None and page.number > 1
    change = "[c]hange the answers, " if asks else ""
    earlier = "go [b]ack, " if back else ""
    while True:
        said: str = typer.prompt(
            f"  What now? [t]ry again, {change}{earlier}[g]o on anyway, [l]eave",
            default="c" if asks and _ANSWERS & set(causes) else "t",
        )
        match said.strip().lower()[:1]:
            case "c" if asks:
                return "answers"
            case "b" if back:
                return "back"
            case "t":
                return "again"
            case "g":
                return "on"
            case "l":
                raise LeftError
