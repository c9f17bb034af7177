"""The guided set-up itself: from answers to a watched tenant with a proven mail path."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.canaries import Canaries
from monitor.config import Configuration
from monitor.doctor.checks import Check
from monitor.doctor.rounds import Doctor
from monitor.errors import UsageError
from monitor.model import Draft, Tenant
from monitor.onboard import Form, Model, exchange_setup
from monitor.recipients import Audience
from monitor.render import exchange_script
from monitor.roster import read_row
from monitor.senders import OAuthSender, of_tenant
from monitor.store import Store
from monitor.wizard.answers import (
    AnswerError,
    BusyError,
    check_name,
    checked,
    plain_secret,
    reference_of,
    refuse_content,
    row,
)
from monitor.wizard.arrival import Arrivals
from monitor.wizard.keeping import Keeper
from monitor.wizard.questions import page
from monitor.wizard.renewal import Renewals
from monitor.wizard.schedule import NextRuns, next_runs
from monitor.wizard.steps import (
    CERTIFICATE,
    FOUND,
    SECRET,
    Page,
    Step,
    Surroundings,
    keys_of,
)
from monitor.wizard.told import here, mailbox_check, told_at


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found at a step.

    Args:
        draft: the set-up, with what was learned on the way.
        checks: the doctor's checks that concern the step.
    """

    draft: Draft
    checks: tuple[Check, ...] = ()

    @property
    def wrong(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.status == "failed")

    @property
    def advice(self) -> tuple[Check, ...]:
        """What works, but could be better."""
        return tuple(check for check in self.checks if check.status == "warning")


class Wizard:
    """Leads a tenant's set-up, for the terminal and the page alike.

    Args:
        store: keeps drafts, tenants and confirmations.
        configuration: clouds, defaults and the operator.
        doctor: looks at what was answered.
        canaries: sends the test mail.
        keeper: keeps a typed secret.
        audience: the operator, as far as mails care.
    """

    def __init__(
        self,
        store: Store,
        configuration: Configuration,
        *,
        doctor: Doctor,
        canaries: Canaries,
        keeper: Keeper,
        audience: Audience,
    ) -> None:
        self._store = store
        self._configuration = configuration
        self._doctor = doctor
        self._keeper = keeper
        self._audience = audience
        self.arrivals = Arrivals(store, canaries=canaries, sender=self.sender)
        self.renewals = Renewals(store, configuration, doctor=doctor, keeper=keeper)

    # --- drafts --------------------------------------------------------------------------------

    def drafts(self) -> list[Draft]:
        """The set-ups that were left on their way."""
        return self._store.drafts()

    def begin(self, name: str, now: datetime) -> Draft:
        """The set-up of that name: a new one, or where it was left.

        Raises:
            AnswerError: the name cannot be used.
            StoreError: the database cannot be used.
        """
        name = check_name(name)
        if self._store.tenant(name) is not None:
            raise AnswerError("name", f"{name} is watched already.")
        found = self._store.draft(name)
        if found is None:
            found = Draft(name)
            self._store.put_draft(found, now=now)
        # Another version may have had other steps.
        known = tuple(step for step in found.passed if step in list(Step))
        if known == found.passed:
            return found
        return self._change(found, lambda stored: replace(stored, passed=known), now)

    def forget(self, draft: Draft) -> None:
        """Drop a set-up, and the secret that was typed for it, unless it is in use."""
        self._store.drop_draft(draft.name)  # first: whoever watches the tenant now is seen below
        self._let_go(draft.name, (draft.get("credential"), draft.get("password")))

    def around(self) -> Surroundings:
        """What the pages depend on."""
        return Surroundings(
            clouds=dict(self._configuration.clouds),
            apps={app.name: app.client_id for app in self._store.shared_apps()},
            time_zone=self._configuration.default_zone,
            operator_hears=bool(self._audience.recipients),
            sealing=self._keeper.sealing,
            default_recipients=tuple(
                one.address for one in self._configuration.settings.defaults.recipients
            ),
        )

    def page(self, draft: Draft, step: Step) -> Page:
        """What a step says and asks now."""
        return page(step, draft, self.around())

    def answer(self, draft: Draft, said: Mapping[str, str], now: datetime) -> Draft:
        """Take answers, check each, and keep them. A typed secret is kept apart at once.

        A step that is answered anew is to be looked at anew, and so is what comes after it.

        Raises:
            AnswerError: one cannot be right; none was kept.
            BusyError: somebody else goes on with this set-up; none was kept.
            LapsewatchError: the secret cannot be kept, or the database not be used.
        """
        around = self.around()
        # In this order: what a credential is, decides how its text is read.
        form = checked("form", said.get("form", ""), around) or draft.get("form") or SECRET
        given = {
            key: checked(key, text, around)
            for key, text in said.items()
            if key not in ("credential", "password")
        }
        directory = given.get("directory_id") or draft.get("directory_id")
        if given.get("client_id") and given["client_id"] == directory:
            told = "That is the directory's id. It must be the app's Application (client) ID."
            raise AnswerError("client_id", told)
        kept = self._kept(draft, form, said, around)
        given |= kept
        changed = [step for step in Step if set(keys_of(step)) & set(said)]

        def change(stored: Draft) -> Draft:
            if any(stored.get(key) != draft.get(key) for key in given):
                raise BusyError(draft.name)  # the same was answered in another window
            passed = stored.passed
            if changed:
                passed = tuple(one for one in passed if _place([Step(one)]) < _place(changed))
            return replace(stored, answers={**stored.answers, **given}, passed=passed)

        try:
            new = self._change(draft, change, now)
        except BusyError:
            self._let_go(draft.name, set(kept.values()) - set(draft.answers.values()))
            raise
        # Only now: what is stored must not point nowhere.
        keys = ("credential", "password")
        self._let_go(draft.name, (draft.get(key) for key in keys if draft.get(key) != new.get(key)))
        return new

    def _let_go(self, name: str, references: Iterable[str]) -> None:
        self.renewals.let_go_of(name, references)

    def _kept(
        self, draft: Draft, form: str, said: Mapping[str, str], around: Surroundings
    ) -> dict[str, str]:
        """The references of what was typed as credential or password.

        What was given for another form is let go: a secret's file is no certificate.
        """
        another = form != (draft.get("form") or SECRET)
        dropped = {"credential": another, "password": another or form != CERTIFICATE}
        found = {key: "" for key, gone in dropped.items() if gone and draft.get(key)}
        for key in ("credential", "password"):
            if not said.get(key, "").strip():
                continue
            if key == "password" and form != CERTIFICATE:
                continue
            if key == "credential":
                refuse_content(form, said[key])
            text = reference_of(form if key == "credential" else SECRET, said[key])
            if text is None:
                value = plain_secret(said[key]) if key == "credential" else said[key].strip()
                found[key] = self._keeper.keep(draft.name, value)
            else:
                found[key] = checked(key, text, around)
        return found

    def pass_on(self, draft: Draft, step: Step, now: datetime) -> Draft:
        """Mark a step as done.

        Raises:
            BusyError: what it rests on was changed elsewhere meanwhile.
            StoreError: the database cannot be used.
        """
        keys = [key for one in Step if _place([one]) <= _place([step]) for key in keys_of(one)]

        def change(stored: Draft) -> Draft:
            if any(stored.get(key) != draft.get(key) for key in keys):
                raise BusyError(draft.name)
            return replace(stored, passed=tuple(dict.fromkeys((*stored.passed, step))))

        return self._change(draft, change, now)

    def back(self, draft: Draft, step: Step, now: datetime) -> Draft:
        """Go back to a step: it and all after it are to be done again; the answers stay."""

        def change(stored: Draft) -> Draft:
            still = tuple(one for one in stored.passed if _place([Step(one)]) < _place([step]))
            return replace(stored, passed=still)

        return self._change(draft, change, now)

    def _change(self, draft: Draft, change: Callable[[Draft], Draft], now: datetime) -> Draft:
        """Change what is stored, which the terminal and the page may do at the same time."""
        found = self._store.change_draft(draft.name, change, now=now)
        if found is None:
            raise BusyError(draft.name)
        return found

    def _learn(self, draft: Draft, key: str, value: str, now: datetime) -> Draft:
        """Keep an answer that nobody gave."""
        return self._change(
            draft, lambda stored: replace(stored, answers={**stored.answers, key: value}), now
        )

    # --- looking -------------------------------------------------------------------------------

    def look(self, draft: Draft, step: Step, now: datetime) -> Findings:
        """Ask the outside about what was answered up to a step; blocks for some seconds.

        Raises:
            UsageError: the answers do not make a tenant yet.
            LapsewatchError: the database cannot be used.
        """
        if step is Step.DIRECTORY:
            return self._directory(draft, now)
        if step is Step.MAILBOX:
            return Findings(draft, self._mailbox(draft))
        if step not in (Step.CREDENTIAL, Step.ENTERPRISE, Step.EXCHANGE):
            return Findings(draft)
        report = asyncio.run(self._doctor.look_at(self.tenant(draft)))
        if report.object_id and report.object_id != draft.get(FOUND):
            draft = self._learn(draft, FOUND, report.object_id, now)
        told = told_at(report, step, draft.get("model"))
        return Findings(draft, tuple(here(check, report, draft) for check in told))

    def _directory(self, draft: Draft, now: datetime) -> Findings:
        asked = draft.get("directory_id")
        report = asyncio.run(self._doctor.look_up(asked, draft.get("cloud") or "global"))
        told = told_at(report, Step.DIRECTORY, "")
        checks = tuple(here(check, report, draft) for check in told)
        found = report.directory_id
        if found and "." in asked and not any(check.status == "failed" for check in checks):
            found = checked("directory_id", found, self.around())
            draft = self._learn(draft, "directory_id", found, now)
        return Findings(draft, checks)

    def _mailbox(self, draft: Draft) -> tuple[Check, ...]:
        """Whether the mailbox's domain is one of the directory's; anybody may ask that."""
        mailbox, directory = draft.get("mailbox"), draft.get("directory_id")
        if not mailbox or not directory:
            return ()
        domain = mailbox.rpartition("@")[2].lower()
        report = asyncio.run(self._doctor.look_up(domain, draft.get("cloud") or "global"))
        return (mailbox_check(mailbox, directory, report),)

    def tenant(self, draft: Draft) -> Tenant:
        """The tenant that the answers make, by the rules of a tenants file.

        Raises:
            UsageError: they make none; says what is missing.
        """
        found = read_row(
            row(draft),
            self._configuration,
            known=self._store.tenants(),
            known_apps=self._store.shared_apps(),
        )
        if found.errors:
            raise UsageError(" ".join(str(error) for error in found.errors))
        return found.tenants[0]

    def compare(self, entry: Tenant) -> tuple[Check, ...]:
        """Whether a tenant's object id and mailbox fit what the cloud says; blocks for seconds."""
        draft = Draft(entry.name, {"directory_id": entry.directory_id, "cloud": entry.cloud})
        report = asyncio.run(self._doctor.look_at(entry))
        found = tuple(here(one, report, draft) for one in report.checks if one.name == "object_id")
        if entry.sender is not None:
            answers = {**draft.answers, "mailbox": entry.sender.mailbox}
            found += self._mailbox(replace(draft, answers=answers))
        return found

    def script(self, entry: Tenant, model: str, form: Form = Form.SETUP) -> str:
        """The PowerShell script for a tenant's sender.

        Raises:
            UsageError: a value is missing or cannot be right.
        """
        setup = exchange_setup(
            entry,
            self._configuration.clouds,
            model=Model(model or Model.MAILBOX),
            objects=[found for _, found in self._store.objects(entry.name)],
        )
        return exchange_script(setup, form)

    # --- coming to an end ----------------------------------------------------------------------

    def finish(self, draft: Draft, now: datetime) -> Tenant:
        """Watch the tenant from now on. The set-up is over, but for the test mail.

        Raises:
            UsageError: the answers make no tenant.
            BusyError: the set-up went on elsewhere, or the name is watched by now.
            StoreError: the database cannot be used.
        """
        entry = self.tenant(draft)
        if not self._store.finish_draft(draft, entry, now=now):
            raise BusyError(draft.name)
        return entry

    def sender(self, entry: Tenant) -> OAuthSender | None:
        """The sender of a tenant, if it has one."""
        return of_tenant(entry, self._configuration.clouds)

    def next_runs(self, entry: Tenant, now: datetime) -> NextRuns:
        """When the tenant is read, proven and warned about first."""
        settings = self._configuration.settings
        return next_runs(
            entry,
            sender=self.sender(entry),
            audience=self._audience,
            canary_at=settings.defaults.canary_at,
            beats=self._store.beats(),
            written=self._store.last_slots("warn"),
            now=now,
            others=self._store.tenants(),
        )


def _place(steps: Iterable[Step]) -> int:
    return min(list(Step).index(step) for step in steps)
