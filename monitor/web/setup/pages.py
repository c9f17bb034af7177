"""The set-up pages as HTML: puts what the desk knows into the templates."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote
from zoneinfo import ZoneInfo

from monitor.doctor.checks import Check
from monitor.errors import LapsewatchError
from monitor.model import Draft, Kind, Tenant, stage_label
from monitor.onboard import Form, Model
from monitor.powershell import file_bytes
from monitor.web.page import environment
from monitor.web.setup.admission import Visit
from monitor.web.setup.desk import Desk, Looked, NotTaken, Renewed, Said, has_own_sender
from monitor.web.setup.fields import OPENS, PLACE, Field, fields_of
from monitor.wizard.steps import FORMS, FOUND, TITLES, Question, Step, next_step, way

NO_ERRORS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Script:
    """An Exchange script to look at and to load; or why there is none."""

    text: str = ""
    sha256: str = ""
    problem: str = ""


class Pages:
    """Renders every set-up page.

    Args:
        desk: what is known.
        zone: of all dates.
        operator_name: who runs this.
    """

    def __init__(self, desk: Desk, *, zone: ZoneInfo, operator_name: str | None) -> None:
        self._desk = desk
        self._always = {
            "zone": zone,
            "operator_name": operator_name,
            "path_of": path_of,
            "zone_of": ZoneInfo,
            "stage_label": stage_label,
        }

    def refused(self, title: str, advice: str, request_id: str) -> str:
        """Why there is nothing to see, and how to get in."""
        return self._render("refused", None, title=title, advice=advice, request_id=request_id)

    def opening(self, path: str) -> str:
        """One button: following a link must not use it up."""
        return self._render("open", None, action=path)

    def signed_out(self) -> str:
        """The end of a session."""
        return self._render("out", None)

    def index(self, visit: Visit, error: str = "", name: str = "") -> str:
        """What can be gone on with, who is watched, and a form for a new name."""
        drafts = self._desk.app.wizard.drafts()
        report = self._desk.app.report()
        canaries = {row.tenant: row for row in report.canaries}
        return self._render(
            "index", visit,
            drafts=[(draft, _place(draft)) for draft in drafts],
            tenants=[(row, canaries.get(row.tenant.name)) for row in report.tenants],
            error=error, name=name, now=report.generated_at,
        )  # fmt: skip

    def step(
        self,
        visit: Visit,
        draft: Draft,
        wanted: str = "",
        *,
        change: bool = False,
        said: Mapping[str, str] | None = None,
        errors: Mapping[str, str] = NO_ERRORS,
    ) -> str:
        """One step: what to do, the form, and what was found.

        Args:
            visit: whose forms these are.
            draft: the set-up.
            wanted: the step that is to be shown, if the way has come so far.
            change: show the form although something was found to be wrong.
            said: what was sent and not taken.
            errors: why not, by field.
        """
        page, told = self._desk.page_of(draft, wanted), self._desk.board.get(draft.name, Looked)
        here = told is not None and told.step is page.step
        wrong = told.findings.wrong if told is not None and here else ()
        watch = page.step is Step.TEST or (next_step(draft) is None and not wanted)
        return self._render(
            "final" if watch else "step",
            visit,
            draft=draft,
            page=page,
            way=_way(draft, page.step),
            fields=fields_of(page, draft, said or {}, errors),
            errors=errors,
            told=told,
            told_title=TITLES[told.step] if told is not None else "",
            wrong=wrong,
            failed=bool(wrong) and not change and not errors,
            right_id=_right_id(draft, wrong),
            script=self._script_of(draft) if page.step is Step.EXCHANGE else None,
        )

    def _script_of(self, draft: Draft) -> Script:
        try:
            text = self._desk.app.wizard.script(
                self._desk.app.wizard.tenant(draft), draft.get("model"), Form.SETUP
            )
        except LapsewatchError as error:
            return Script(problem=str(error))
        return Script(text, hashlib.sha256(file_bytes(text)).hexdigest())

    def test(self, visit: Visit, entry: Tenant) -> str:
        """What a watched tenant's reading and its last test mail showed, and what comes next."""
        app = self._desk.app
        report, sender = app.report(), app.wizard.sender(entry)
        health = app.store.health_of_sender(entry.name, sender.mailbox) if sender else None
        notice = self._desk.board.get(entry.name, Said)
        self._desk.board.take_down(entry.name, Said)
        return self._render(
            "test", visit,
            entry=entry, sender=sender, health=health, notice=notice,
            row=next(row for row in report.tenants if row.tenant.name == entry.name),
            runs=app.wizard.next_runs(entry, app.clock()), now=app.clock(),
            models=[str(model) for model in Model],
        )  # fmt: skip

    def credential(
        self, visit: Visit, entry: Tenant, errors: Mapping[str, str] = NO_ERRORS, form: str = ""
    ) -> str:
        """A form for a new credential, or what came of the one that was sent."""
        done = self._desk.board.get(entry.name, Renewed)
        self._desk.board.take_down(entry.name, Renewed)
        return self._render(
            "credential", visit,
            entry=entry, done=done, errors=errors, fields=_renewal_fields(errors, form),
            own_sender=has_own_sender(entry), only_sender=entry.app is not None,
        )  # fmt: skip

    def notes(
        self,
        visit: Visit,
        entry: Tenant,
        kept: Sequence[object],
        said: Mapping[str, str],
        errors: Mapping[str, str] = NO_ERRORS,
    ) -> str:
        """Where a tenant's new values go: the notes there are, and a form for one.

        Args:
            visit: whose forms these are.
            entry: the tenant.
            kept: its notes.
            said: what the form holds: a note that was opened, or what was sent and not taken.
            errors: why not, by field.
        """
        notice = self._desk.board.get(entry.name, Said)
        self._desk.board.take_down(entry.name, Said)
        kinds = [kind for kind in Kind if kind not in (Kind.ITEM, Kind.GDAP)]
        return self._render(
            "notes", visit,
            entry=entry, kept=kept, said=said, errors=errors, notice=notice, kinds=kinds,
        )  # fmt: skip

    def _render(self, template: str, visit: Visit | None, **values: object) -> str:
        found = environment().get_template(f"setup/{template}.html")
        token = visit.form_token if visit is not None else None
        return found.render(**self._always, **values, csrf=token)


def path_of(name: str, *rest: str) -> str:
    """The address of a tenant's or a set-up's page."""
    return "/".join(["/setup", quote(name, safe=""), *rest])


def script_file(desk: Desk, name: str, form: str, model: str) -> tuple[str, bytes]:
    """A script as a file: its name, and its bytes as the terminal writes them.

    Raises:
        NotTaken: there is no such form or model, or it cannot be made.
        Gone: there is neither a set-up nor a tenant of that name.
    """
    wizard, draft = desk.app.wizard, desk.app.store.draft(name)
    try:
        kind, how = (
            Form(form or Form.SETUP),
            Model(model or (draft.get("model") if draft else "") or Model.MAILBOX),
        )
    except ValueError:
        raise NotTaken({"": "There is no such script."}) from None
    try:
        entry = desk.entry(name) if draft is None else wizard.tenant(draft)
        text = wizard.script(entry, how, kind)
    except LapsewatchError as error:
        raise NotTaken({"": str(error)}) from None
    words = {Form.SETUP: "set-up", Form.CHECK: "check", Form.UNDO: "undo"}
    safe = "".join(
        char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in name
    )
    return f"{words[kind]}-{safe}.ps1", file_bytes(text)


def _place(draft: Draft) -> tuple[str, int, int]:
    """The next step's title, its number, and how many there are."""
    steps, following = way(draft), next_step(draft)
    if following is None:
        return "Start watching", len(steps), len(steps)
    return TITLES[following], steps.index(following) + 1, len(steps)


def _way(draft: Draft, here: Step) -> list[tuple[Step, str, str]]:
    """Each step with its title, and whether it is here, done, next or for later."""
    following = next_step(draft)

    def state(step: Step) -> str:
        if step is here:
            return "here"
        return "done" if step in draft.passed else "next" if step is following else "later"

    return [(step, TITLES[step], state(step)) for step in way(draft)]


def _right_id(draft: Draft, wrong: Sequence[Check]) -> str:
    """The object id to use instead, where the given one is another object's."""
    mistaken = any(check.cause == "object_id_mismatch" for check in wrong)
    return draft.get(FOUND) if mistaken else ""


def _renewal_fields(errors: Mapping[str, str], form: str) -> list[Field]:
    asked = [
        Question("form", "What the app signs in with", choices=[*FORMS.items()]),
        Question("credential", "Client secret, its Value", hidden=True),
        PLACE,
        Question("password", "Password of the certificate's file", hidden=True, why=OPENS),
    ]
    return [
        Field(one, (form or "secret") if one.key == "form" else "", errors.get(one.key, ""))
        for one in asked
    ]
