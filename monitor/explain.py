"""Why one credential is told to some and not to others: its state, the rules, what comes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.decide import Decision, Reason, decide_run
from monitor.forecast import Coming, Outlook, forecast
from monitor.lifecycle import credential_state, days_left, successors
from monitor.model import Credential, CredentialState, Ignore, Severity, Tenant
from monitor.recipients import RecipientRun
from monitor.routing import Router, Step, rules_of, severity_at

HORIZON = timedelta(days=400)  # what comes later is not looked for

WORDS = {
    Reason.STAGE_REACHED: "it has reached a stage that was not told yet",
    Reason.JUST_LAPSED: "it has lapsed, and that was not told yet",
    Reason.STILL_LAPSED: "it is lapsed for a further week",
    Reason.OWN_CREDENTIAL: "there is a newer one, but Lapsewatch still signs in with this one",
    Reason.COVERED_SOON: "a newer one is in place, and this one ends within a week",
    Reason.STILL_USED: "a newer one is valid, but something still signs in with this one",
    Reason.OVER: "it was warned about, and it is over now",
    Reason.FORBIDDEN: "a rule says that it should not be there",
    Reason.NO_RECIPIENT: "this address is no recipient any more; it hears only of ends",
    Reason.REMOVED: "it is gone from the directory",
    Reason.MANAGED_IDENTITY: "Microsoft rotates it, and nobody is ever warned about it",
    Reason.NO_END: "it has no end",
    Reason.NOT_NEAR: "its end is further away than every stage of this recipient",
    Reason.SUPERSEDED: "a newer one is valid",
    Reason.COVERED_TOLD: "a newer one is valid, and that was told",
    Reason.SNOOZED: "somebody has snoozed it",
    Reason.ACKNOWLEDGED: "somebody has acknowledged this stage",
    Reason.ALREADY_TOLD: "this stage was told already",
    Reason.TOLD_MORE_URGENT: "a more urgent stage was told already",
    Reason.AFTER_LAST_STAGE: "the last weekly mail was sent; it stays in every digest",
    Reason.IGNORED: "a rule ignores it",
    Reason.NOT_ROUTED: "a rule sends it to others",
    Reason.IN_SHADOW: "the tenant is in shadow: its reminders have not started",
}
_STATES = {
    CredentialState.REMOVED: "a complete scan no longer saw it",
    CredentialState.SUPERSEDED: "a newer one on the same object is valid",
    CredentialState.LAPSED: "its end is over",
    CredentialState.SNOOZED: "somebody has asked for silence",
    CredentialState.CRITICAL: "it ends within 7 days",
    CredentialState.WARNING: "it ends within 30 days",
    CredentialState.UPCOMING: "it ends within the tenant's largest threshold",
    CredentialState.OK: "its end is further away than every threshold, or it has none",
}


@dataclass(frozen=True, slots=True)
class Hearer:
    """One who may be told about the credential: what today's mail would say, and what comes next.

    `decision` is what a run at this moment comes to; `next` is None where nothing comes.
    """

    run: RecipientRun
    decision: Decision
    next: Coming | None

    @property
    def why(self) -> str:
        """The reason in words."""
        return WORDS.get(self.decision.reason, str(self.decision.reason))


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that decides about one credential; `ignored` is the rule that keeps it quiet."""

    credential: Credential
    tenant: Tenant
    state: CredentialState
    days_left: int | None
    severity: Severity | None
    ignored: Ignore | None
    steps: tuple[Step, ...]
    hearers: tuple[Hearer, ...]

    @property
    def why(self) -> str:
        """Why the state is what it is."""
        return _STATES[self.state]

    @property
    def nobody(self) -> bool:
        """Whether no rule and no recipient leads to anybody."""
        return not any(step.to for step in self.steps)


def explain(one: Credential, tenant: Tenant, known: Outlook, now: datetime) -> Explanation:
    """Return why a credential is told to whom.

    Args:
        one: the credential.
        tenant: its tenant, as the roster has it.
        known: what the runs about this tenant depend on.
        now: the instant, aware UTC.
    """
    router = known.router
    held = known.credentials.get(one.tenant, (one,))
    newer = successors(held, now).get((one.tenant, one.uid))
    snooze = known.snoozes.get((one.tenant, one.uid, one.life))
    zone = ZoneInfo(tenant.time_zone)
    severity = None if newer else severity_at(one.end, tenant, now)
    coming = forecast(known, now=now, until=now + HORIZON)
    mine = [each for each in coming if each.credential.uid == one.uid]
    return Explanation(
        credential=one,
        tenant=tenant,
        state=credential_state(one, newer, snooze, tenant.thresholds, now, zone),
        days_left=days_left(one.end, now, zone),
        severity=severity,
        ignored=router.ignored_by(one, now) if router else None,
        steps=router.route(one, severity).steps if router else (),
        hearers=tuple(_hearer(one, run, known, router, mine, now) for run in known.runs),
    )


def _hearer(
    one: Credential,
    run: RecipientRun,
    known: Outlook,
    router: Router | None,
    coming: Sequence[Coming],
    now: datetime,
) -> Hearer:
    rules = rules_of(run, router, now)
    made = decide_run(
        run.tenants, known.credentials, zone=ZoneInfo(run.zone), told=known.told[run.scope],
        snoozes=known.snoozes, now=now, stage_of=rules.stage_of, mask=rules.mask,
    )  # fmt: skip
    mine = next(each for each in made[one.tenant] if each.credential.uid == one.uid)
    address = run.address.casefold()
    following = next((each for each in coming if each.to.casefold() == address), None)
    return Hearer(run, mine, following)
