"""What the set-up pages do: each call is one thing that somebody pressed a button for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from monitor import log
from monitor.errors import LapsewatchError, StoreError
from monitor.model import Draft, Probe, Tenant
from monitor.model.acts import AuditEntry
from monitor.references import REFERENCE_FORMS
from monitor.web.setup.board import Board, Turns
from monitor.web.setup.fields import WRONG_FIELD, answers_of
from monitor.wiring import App
from monitor.wizard.answers import AnswerError
from monitor.wizard.guided import Findings
from monitor.wizard.renewal import Renewal
from monitor.wizard.steps import SECRET, Page, Step, next_step, way

_T = TypeVar("_T")
BY = "the set-up page"  # who said that a mail arrived; the page knows no names yet

_log = log.get("lapsewatch.setup")


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found at a step, until something else is looked at."""

    step: Step
    findings: Findings


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence for the next page: what went wrong, or what was done."""

    words: str
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Renewed:
    """What came of a new credential, and of the canary after it."""

    renewal: Renewal
    probe: Probe | None
    sending: bool


class NotTaken(Exception):  # noqa: N818 (an answer, not a fault)
    """What was sent cannot be right.

    Args:
        errors: what is wrong, by field; the empty name is the whole form.
    """

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__()
        self.errors = dict(errors)


class Gone(Exception):  # noqa: N818 (an answer, not a fault)
    """There is no set-up, or no tenant, of that name."""


class Desk:
    """Leads set-ups for the page. Everything here blocks, so it belongs in worker threads.

    Args:
        app: the wired product.
        read_once: reads one tenant now and records the outcome.
    """

    def __init__(self, app: App, read_once: Callable[[str], None]) -> None:
        self.app = app
        self._read_once = read_once
        self.board = Board()
        self.turns = Turns()

    # --- set-ups -------------------------------------------------------------------------------

    def begin(self, name: str) -> Draft:
        """Begin a set-up, or go on with it.

        Raises:
            NotTaken: the name cannot be used.
        """
        try:
            draft = self.app.wizard.begin(name, self.app.clock())
        except AnswerError as error:
            raise NotTaken({"name": error.message}) from None
        _log.info("setup_begun", tenant=draft.name)
        return draft

    def draft(self, name: str) -> Draft:
        """A set-up on its way.

        Raises:
            Gone: there is none of that name.
        """
        found = self.app.store.draft(name)
        if found is None:
            raise Gone
        return found

    def answer(self, name: str, step: Step, form: Mapping[str, str]) -> bool:
        """Take the answers of a step and look at them; what is well is done.

        Returns:
            Whether all was well.

        Raises:
            Gone: there is no set-up of that name.
            NotTaken: an answer cannot be right; none was kept.
        """
        draft = self.draft(name)
        page = self._page(draft, step)
        said, errors = answers_of(page, draft, form, self.app.wizard.around())
        if errors:
            raise NotTaken(errors)
        if said:
            draft = _taken(lambda: self.app.wizard.answer(draft, said, self.app.clock()))
        return self._look(draft, step)

    def look_again(self, name: str, step: Step) -> bool:
        """Look at a step once more, with the answers that are kept.

        Returns:
            Whether all was well.

        Raises:
            Gone: there is no set-up of that name.
            NotTaken: it cannot be looked at as it is.
        """
        return self._look(self.draft(name), step)

    def _look(self, draft: Draft, step: Step) -> bool:
        wizard, now = self.app.wizard, self.app.clock()
        found = _taken(lambda: wizard.look(draft, step, now))
        self.board.put(draft.name, Looked(step, found))
        wrong = [check.name for check in found.wrong]
        _log.info("setup_looked", tenant=draft.name, step=str(step), wrong=wrong)
        if not wrong:
            _taken(lambda: wizard.pass_on(found.draft, step, now))
        return not wrong

    def go_on(self, name: str, step: Step) -> None:
        """Count a step as done, whatever was found.

        Raises:
            Gone: there is no set-up of that name.
            NotTaken: something was changed meanwhile.
        """
        draft = self.draft(name)
        self._page(draft, step)
        _taken(lambda: self.app.wizard.pass_on(draft, step, self.app.clock()))
        self.board.take_down(name, Looked)
        _log.info("setup_went_on", tenant=name, step=str(step))

    def forget(self, name: str) -> None:
        """Drop a set-up, with the secret that was typed for it.

        Raises:
            Gone: there is none of that name.
        """
        self.app.wizard.forget(self.draft(name))
        self.board.take_down(name, Looked)
        self.record("tenant remove", name, "a set-up that was left")
        _log.info("setup_dropped", tenant=name)

    def page_of(self, draft: Draft, wanted: str = "") -> Page:
        """The step that is shown: the wanted one, if the way has come so far, else the next."""
        steps, following = way(draft), next_step(draft)
        open_ones = [one for one in steps if one in draft.passed or one is following]
        step = next((one for one in open_ones if one == wanted), following)
        return self.app.wizard.page(draft, step or steps[-1])

    def _page(self, draft: Draft, step: Step) -> Page:
        """A step that is to be answered now.

        Raises:
            Gone: it is not on the way, or an earlier one is to be done first.
        """
        page = self.page_of(draft, step)
        if page.step is not step or step is Step.TEST:
            raise Gone
        return page

    # --- the end of a set-up -------------------------------------------------------------------

    def watch(self, name: str) -> Tenant:
        """Watch the tenant from now on: read it once, and send its first test mail.

        Raises:
            Gone: there is no set-up of that name.
            NotTaken: the answers make no tenant, or one of that name is watched already.
        """
        draft = self.draft(name)
        if next_step(draft) not in (None, Step.TEST):
            raise Gone
        if self.app.store.tenant(name) is not None:
            raise NotTaken({"": f"{name} is watched already; drop this set-up."})
        entry = _taken(lambda: self.app.wizard.finish(draft, self.app.clock()))
        self.board.take_down(name, Looked)
        self.record("tenant add", name)
        _log.info("setup_finished", tenant=name)
        self._try(name, lambda: self._read_once(name))
        if self.app.wizard.sender(entry) is not None:
            self.send_test(name)
        return entry

    def entry(self, name: str) -> Tenant:
        """A watched tenant.

        Raises:
            Gone: there is none of that name.
        """
        found = self.app.store.tenant(name)
        if found is None:
            raise Gone
        return found

    def send_test(self, name: str) -> None:
        """Send a test mail; what came of it is in the sender's health.

        Raises:
            Gone: there is no tenant of that name.
        """
        entry, now = self.entry(name), self.app.clock()
        self._try(name, lambda: self.app.wizard.arrivals.send_test(entry, now))

    def confirm(self, name: str, *, arrived: bool) -> None:
        """Keep the answer whether the test mail arrived.

        Raises:
            Gone: there is no tenant of that name.
        """
        entry, now = self.entry(name), self.app.clock()
        self._try(
            name,
            lambda: self.app.wizard.arrivals.confirm(entry, arrived=arrived, by=BY, now=now),
        )
        self.record("tenant verify", name, "arrived" if arrived else "did not arrive")
        _log.info("test_mail_answered", tenant=name, arrived=arrived)

    def record(self, what: str, name: str, why: str = "") -> None:
        """Keep a line of the audit log; who sits there the page does not know yet."""
        self.app.store.put_audit(AuditEntry(self.app.clock(), BY, what, name, name, why, "page"))

    def _try(self, name: str, work: Callable[[], object]) -> None:
        """Do something whose failure is for the next page to tell."""
        try:
            work()
        except LapsewatchError as error:
            self.board.put(name, Said(str(error), wrong=True))

    # --- a new credential ----------------------------------------------------------------------

    def renew(self, name: str, form: Mapping[str, str]) -> bool:
        """Put a new credential in the place of the old, if a fresh token proves it.

        Returns:
            Whether it was proven, and so is in use.

        Raises:
            Gone: there is no tenant of that name.
            NotTaken: what was sent cannot be right; all is as it was.
        """
        entry, renewals = self.entry(name), self.app.wizard.renewals
        sending = form.get("which") == "sender" and has_own_sender(entry)
        if entry.app and not sending:
            raise NotTaken({"": f"The credential of the app {entry.app} serves several tenants."})
        text = _one_of(form)
        kind, password = form.get("form", "secret"), form.get("password", "")
        new = _taken(lambda: renewals.taken(name, kind, text, password))
        try:
            done = renewals.renew(entry, new, sending=sending, now=self.app.clock())
        except BaseException:
            renewals.let_go(name, new)
            raise
        if not done.proven:
            renewals.let_go(name, new)
        probe = self._prove(done.entry) if done.proven else None
        self.board.put(name, Renewed(done, probe, sending))
        if done.proven:
            whose = "its sender's" if sending else "its"
            self.record("tenant update", name, f"{whose} credential is a new one")
        _log.info("credential_renewed", tenant=name, sending=sending, proven=done.proven)
        return done.proven

    def _prove(self, entry: Tenant) -> Probe | None:
        has_path = self.app.wizard.sender(entry) is not None
        return self.app.wizard.arrivals.prove(entry) if has_path else None


def has_own_sender(entry: Tenant) -> bool:
    """Whether a tenant's sender signs in with a credential of its own, by OAuth."""
    sender = entry.sender
    return sender is not None and sender.relay is None and sender.credential is not None


def _one_of(form: Mapping[str, str]) -> str:
    value, place = form.get("credential", "").strip(), form.get("place", "").strip()
    if value and place:
        raise NotTaken({"place": "Fill in one of the two."})
    if value and form.get("form", SECRET) != SECRET and not value.startswith(REFERENCE_FORMS):
        raise NotTaken({"credential": WRONG_FIELD})
    if not value and not place:
        raise NotTaken({"credential": "Please fill this in."})
    return value or place


def _taken(work: Callable[[], _T]) -> _T:
    """What the wizard makes of it.

    Raises:
        NotTaken: it says what cannot be right.
    """
    try:
        return work()
    except AnswerError as error:
        raise NotTaken({error.key: error.message}) from None
    except LapsewatchError as error:
        if isinstance(error, StoreError):
            raise
        raise NotTaken({"": str(error)}) from None
