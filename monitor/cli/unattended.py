"""`tenant add` without a terminal: from options or a file, each step looked at, nothing asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.cli.auditing import record
from monitor.cli.doctor import check_json
from monitor.cli.options import blamed
from monitor.cli.telling import look_for, say, tell_checks, tell_next, tell_probe
from monitor.errors import UsageError
from monitor.model import CanaryResult, Draft, Probe, SharedApp, Tenant
from monitor.wizard.answers import AnswerError, checked
from monitor.wizard.questions import applies
from monitor.wizard.steps import FOUND, OWN, SECRET, Step, way

if TYPE_CHECKING:
    from monitor.doctor.checks import Check
    from monitor.roster import Roster
    from monitor.wiring import App

EXIT_WRONG, EXIT_CANARY = 1, 6
_OPTIONS = {
    "directory_id": "--directory-id",
    "client_id": "--client-id (or --app)",
    "credential": "--credential, --secret-stdin, --certificate, --federated or --managed-identity",
    "mailbox": '--mailbox ("" for none)',
    "recipients": "--recipient",
    "enterprise_object_id": "--object-id",
}


@dataclass(slots=True)
class Outcome:
    """What came of one tenant.

    Args:
        name: of the tenant.
        stored: whether it is watched now.
        checks: what was looked at.
        probe: the test mail, if one was sent.
        app: to say what comes next.
        entry: the tenant, if it is watched.
    """

    name: str
    app: App
    stored: bool = False
    checks: list[Check] = field(default_factory=list)
    probe: Probe | None = None
    entry: Tenant | None = None

    @property
    def exit_code(self) -> int:
        """0 watched, 1 not watched, 6 watched but its test mail failed."""
        if not self.stored:
            return EXIT_WRONG
        failed = self.probe is not None and self.probe.result is CanaryResult.FAILED
        return EXIT_CANARY if failed else 0

    def as_json(self) -> dict[str, Any]:
        """The outcome for scripts."""
        probe = self.probe
        return {
            "tenant": self.name,
            "stored": self.stored,
            "checks": [check_json(check) for check in self.checks],
            "test": None if probe is None else {
                "result": "failed" if probe.result is CanaryResult.FAILED else "unconfirmed",
                "stage": probe.stage, "cause": probe.cause, "reply": probe.evidence,
            },
        }  # fmt: skip

    def tell(self) -> None:
        """The outcome for people."""
        say(self.name, bold=True)
        tell_checks([check for check in self.checks if check.status != "ok"])
        if not self.stored:
            say(
                "It is not watched, because something is wrong. Mend it and say the same again; "
                "--anyway watches it as it is.",
                indent=2,
            )
            return
        if self.probe is not None:
            tell_probe(self.probe)
            accepted = self.probe.result is CanaryResult.OK
            if accepted and not (self.entry and look_for(self.app, self.entry)):
                say(f"If the test mail arrived: lapsewatch tenant verify {self.name} --arrived",
                    indent=2)  # fmt: skip
        if self.entry is not None:
            tell_next(self.app, self.entry)


def add_from_options(
    app: App, name: str, given: dict[str, str], *, anyway: bool, test: bool
) -> Outcome:
    """Set a tenant up from answers that are all given.

    Raises:
        UsageError: one is missing or cannot be right.
        LapsewatchError: the database cannot be used.
    """
    wizard, outcome = app.wizard, Outcome(name, app)
    begun = wizard.begin(name, app.clock())
    try:
        draft = _answered(app, begun, given)
    except AnswerError as error:
        raise blamed(error) from None
    for step in way(draft):
        found = wizard.look(draft, step, app.clock())
        draft = found.draft
        if step is Step.ENTERPRISE and not draft.get("enterprise_object_id") and draft.get(FOUND):
            draft = wizard.answer(draft, {"enterprise_object_id": draft.get(FOUND)}, app.clock())
        outcome.checks += [one for one in found.checks if one not in outcome.checks]
        if found.wrong and not anyway:
            return outcome
    outcome.entry = wizard.finish(draft, app.clock())
    record(app, "tenant add", name, name)
    outcome.stored = True
    return _end(app, outcome, test=test)


def _answered(app: App, draft: Draft, given: dict[str, str]) -> Draft:
    """The set-up with all answers, defaults filled in where nothing is said.

    Raises:
        UsageError: something is missing or cannot be right.
    """
    wizard, missing = app.wizard, []
    if given.get("client_id") and "app" not in given:
        given = {**given, "app": OWN}  # an earlier answer may have named a shared one
    checked("app", given.get("app", ""), wizard.around())  # asked for only where there is one
    for step in Step:
        if step not in way(draft):
            continue
        page = wizard.page(draft, step)
        said: dict[str, str] = {}
        for question in page.questions:
            key = question.key
            if not applies(key, said):
                continue
            default = SECRET if key == "form" else OWN if key == "app" else question.default
            # What is said empty is not what was answered before: "" takes that back.
            said[key] = (given[key] if key in given else draft.get(key)) or default
            # The object id is told by the token, which is asked for later.
            if not said[key] and not question.optional and key != "enterprise_object_id":
                missing.append(_OPTIONS.get(key, key))
        if said and not missing:
            draft = wizard.answer(draft, said, app.clock())
    if missing:
        raise UsageError(f"Not enough is said: {'; '.join(missing)}.")
    return draft


def add_from_file(
    app: App, file: Path, *, only: str | None, anyway: bool, test: bool
) -> tuple[list[Outcome], Roster]:
    """Prove and store the tenants of a file that are not watched yet.

    A shared app that watched tenants use is changed only together with a tenant that it proved
    itself for.

    Returns:
        What came of each good row, and what was read, with the bad rows.

    Raises:
        SettingsError: the file cannot be read.
        UsageError: nothing in it is new.
    """
    from monitor.roster import read

    known = app.store.tenants()
    found = read(file, app.configuration, known=known, known_apps=app.store.shared_apps())
    watched = {entry.name for entry in known}
    new = [one for one in found.tenants if one.name not in watched and only in (None, one.name)]
    if not new and not found.errors:
        raise UsageError(f"{file.name} holds no tenant that is not watched already.")
    in_use = {one.app for one in known}
    changed = {}
    for shared in found.apps:
        if shared.name in in_use:  # others sign in with it: first it is to be proven
            changed[shared.name] = shared
        else:
            app.store.put_shared_app(shared, now=app.clock())
    told = [_from_entry(app, entry, changed, anyway=anyway, test=test) for entry in new]
    return told, found


def _from_entry(
    app: App, entry: Tenant, changed: Mapping[str, SharedApp], *, anyway: bool, test: bool
) -> Outcome:
    report = asyncio.run(app.doctor.look_at(entry))
    outcome = Outcome(entry.name, app, checks=list(report.checks))
    if report.status == "failed" and not anyway:
        return outcome
    if shared := changed.get(entry.app or ""):
        app.store.put_shared_app(shared, now=app.clock())
    app.store.put_tenant(entry, now=app.clock())
    record(app, "tenant add", entry.name, entry.name)
    outcome.stored, outcome.entry = True, entry
    return _end(app, outcome, test=test)


def _end(app: App, outcome: Outcome, *, test: bool) -> Outcome:
    from jobs.scan_tenants import scan_tenants

    entry = outcome.entry
    if entry is not None:
        asyncio.run(scan_tenants(app, only=entry.name))
        if test and app.wizard.sender(entry) is not None:
            outcome.probe = app.wizard.arrivals.send_test(entry, app.clock())
    return outcome
