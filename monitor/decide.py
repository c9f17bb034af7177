"""Who is told what, and why not: notices, digests, tenant states and CANNOT CHECK alarms."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from monitor.lifecycle import (
    current_stage,
    days_left,
    has_lapsed,
    is_silenced,
    weeks_lapsed,
)
from monitor.model import (
    CLOCK_SLACK,
    CLOSINGS,
    COVERED_DAYS,
    UNKNOWN_AFTER,
    AlarmChange,
    Credential,
    Forbid,
    MailKind,
    Notice,
    ScanRecord,
    Snooze,
    Stage,
    Tenant,
    TenantHealth,
    TenantState,
    Told,
)
from monitor.severity import STILL_USED_DAYS, warns_still_used
from monitor.turns import NO_LEVEL, Key, closing, in_its_place, last_told, unexpected

__all__ = [
    "COVERED_DAYS", "Decision", "Key", "Reason", "StageOf", "Told", "decide", "decide_run",
    "needs_action", "scan_alarm", "tenant_state",
]  # fmt: skip

# End, thresholds, weeks after the lapse, now and zone -> the stage that holds (rule 3).
StageOf = Callable[[datetime | None, Sequence[int], int, datetime, ZoneInfo], Stage | None]


class Reason(StrEnum):
    """Why something is said, or why it is not."""

    # said
    STAGE_REACHED = "stage_reached"  # a threshold was reached that was not told
    JUST_LAPSED = "just_lapsed"  # the first notice after the end, however late
    STILL_LAPSED = "still_lapsed"  # a further week after the end
    OWN_CREDENTIAL = "own_credential"  # told although a newer one exists: we sign in with it
    COVERED_SOON = "covered_soon"  # superseded, and ends within a week
    OVER = "over"  # a stage was told, and it is superseded, of a newer life, or gone
    FORBIDDEN = "forbidden"  # a rule says that it should not be there
    STILL_USED = "still_used"  # superseded, and something signs in with it all the same
    # not said
    REMOVED = "removed"  # no longer in the directory
    MANAGED_IDENTITY = "managed_identity"  # Microsoft rotates it
    NO_END = "no_end"  # it never ends
    NOT_NEAR = "not_near"  # no stage yet
    SUPERSEDED = "superseded"  # a valid newer one exists
    COVERED_TOLD = "covered_told"  # superseded, and that was told
    SNOOZED = "snoozed"
    ACKNOWLEDGED = "acknowledged"
    ALREADY_TOLD = "already_told"  # this very stage was told
    TOLD_MORE_URGENT = "told_more_urgent"  # a more urgent stage was told
    AFTER_LAST_STAGE = "after_last_stage"  # the last weekly notice was told
    NO_RECIPIENT = "no_recipient"  # to be told only that what they heard of is over
    IGNORED = "ignored"  # a rule of the operator's, until its review
    NOT_ROUTED = "not_routed"  # a rule sends it to others
    AT_SEND_HOUR = "at_send_hour"  # not urgent enough to be told at once
    IN_SHADOW = "in_shadow"  # held back until the tenant's shadow ends, or its welcome goes
    # alarms about a tenant
    NEEDS_FIX = "needs_fix"  # waiting will not mend the cause
    NEVER_READ = "never_read"  # nothing is known about the tenant at all
    FAILED_AGAIN = "failed_again"  # the second failure in a row
    FIRST_FAILURE = "first_failure"  # may mend itself
    ALARM_STANDS = "alarm_stands"  # this outage was told
    READ_AGAIN = "read_again"  # a complete scan ends the outage
    ALL_WELL = "all_well"  # a complete scan, and no alarm stood


@dataclass(frozen=True, slots=True)
class Decision:
    """What a run does about one credential for one recipient, and why.

    `stage` is the current one. The notice may name another: L0 where the lapse is told late.
    `over` is the word that an earlier life has ended, where the notice makes it needless.
    """

    credential: Credential
    notice: Notice | None
    reason: Reason
    stage: Stage | None
    over: Notice | None = None

    @property
    def silenced(self) -> bool:
        """Whether somebody asked for this silence, by a snooze or an acknowledgement (rule 7)."""
        return self.reason in (Reason.SNOOZED, Reason.ACKNOWLEDGED)

    @property
    def withheld(self) -> bool:
        """Whether a rule of the operator's keeps the credential out of this recipient's mails."""
        return self.reason in (Reason.IGNORED, Reason.NOT_ROUTED)

    def held_back(self, reason: Reason) -> Decision:
        """The same without what it would say, unless that is that something is over."""
        if self.notice is not None and self.notice.kind in CLOSINGS:
            return self
        if self.over is not None:
            return replace(self, notice=self.over, reason=Reason.OVER, over=None)
        return self if self.notice is None else replace(self, notice=None, reason=reason)


# A tenant and its decisions -> the same without what is not for the recipient.
Mask = Callable[[Tenant, list[Decision]], list[Decision]]


@dataclass(frozen=True, slots=True)
class _Run:
    """What stays the same for all credentials of one run."""

    tenant: Tenant
    zone: ZoneInfo
    told: Mapping[Key, Told]
    snoozes: Mapping[Key, Snooze]
    now: datetime
    stage_of: StageOf


def decide(
    credentials: Sequence[Credential],
    *,
    tenant: Tenant,
    zone: ZoneInfo,
    told: Mapping[Key, Told],
    snoozes: Mapping[Key, Snooze],
    now: datetime,
    stage_of: StageOf = current_stage,
) -> list[Decision]:
    """Return one Decision per credential of a tenant, for one recipient, the soonest end first.

    `zone` is the recipient's, `now` the run's instant (aware, UTC). `told` holds what this
    recipient was told, `snoozes` what stands for all recipients; both are keyed by tenant, uid
    and life. `stage_of` is rule 3. Rules 2 to 7.
    """
    run = _Run(tenant, zone, told, snoozes, now, stage_of)
    newer = in_its_place(credentials, now)
    decisions = [_judge(one, newer.get((one.tenant, one.uid)), run) for one in credentials]
    return sorted(decisions, key=_soonest_first)


def decide_run(
    tenants: Iterable[Tenant],
    credentials: Mapping[str, Sequence[Credential]],
    *,
    zone: ZoneInfo,
    told: Mapping[Key, Told],
    snoozes: Mapping[Key, Snooze],
    now: datetime,
    forbids: Sequence[Forbid] = (),
    ends: Collection[str] = (),
    stage_of: StageOf = current_stage,
    mask: Mask | None = None,
) -> dict[str, list[Decision]]:
    """Return the Decisions of one run of a recipient, by tenant; see `decide`.

    `mask` takes out of a tenant's decisions what is not for this recipient.

    Of a tenant in shadow everything that is lapsed or due is told once, in a `welcome`, to a
    recipient who was never told anything about it. After that, and for the mere hint that a newer
    credential covers an old one, there is silence until the shadow ends. What is over is said all
    the same, and what should not be there: `forbids` are the rules for that.

    Of the tenants in `ends` the recipient hears only what is over.
    """
    welcomed = {name for (name, _, _), known in told.items() if known.warned}

    def of(tenant: Tenant) -> list[Decision]:
        held = credentials.get(tenant.name, ())
        made = decide(
            held,
            tenant=tenant,
            zone=zone,
            told=told,
            snoozes=snoozes,
            now=now,
            stage_of=stage_of,
        )
        if tenant.name in ends:
            return _held_back(made, Reason.NO_RECIPIENT)
        odd = unexpected(held, tenant, forbids, told, now, zone)
        found = [Decision(one.credential, one, Reason.FORBIDDEN, None) for one in odd]
        if mask is not None:
            made, found = mask(tenant, made), mask(tenant, found)
        if tenant.in_shadow(now):
            made = _in_shadow(made, welcomed=tenant.name in welcomed)
        return [*made, *found]

    return {tenant.name: of(tenant) for tenant in tenants}


def _in_shadow(decisions: list[Decision], *, welcomed: bool) -> list[Decision]:
    if not welcomed and any(needs_action(one.notice) for one in decisions):
        return decisions
    return _held_back(decisions, Reason.IN_SHADOW)


def _held_back(decisions: list[Decision], reason: Reason) -> list[Decision]:
    """The same, but of all that would be said only what is over."""
    return [one.held_back(reason) for one in decisions]


def needs_action(notice: Notice | None) -> bool:
    """Return whether a notice says that something is lapsed or due."""
    return notice is not None and notice.kind in (MailKind.REMINDER, MailKind.LAPSED)


def _soonest_first(decision: Decision) -> tuple[bool, datetime, str, str]:
    one = decision.credential
    return one.end is None, one.end or datetime.max.replace(tzinfo=UTC), one.tenant, one.uid


def _judge(one: Credential, newer: Credential | None, run: _Run) -> Decision:
    stage = run.stage_of(
        one.end, run.tenant.thresholds, run.tenant.weekly_after_lapse, run.now, run.zone
    )
    days = days_left(one.end, run.now, run.zone)
    if over := closing(one, newer, run.told, run.now, run.zone):
        return _judge_over(one, newer, over, stage, days, run)
    if one.removed_at is not None:
        return Decision(one, None, Reason.REMOVED, stage)
    if one.managed_identity:
        return Decision(one, None, Reason.MANAGED_IDENTITY, stage)
    if days is None:
        return Decision(one, None, Reason.NO_END, None)
    if newer is not None and not one.own:
        return _judge_superseded(one, newer, stage, days, run)
    return _judge_stage(one, newer, stage, days, run)


def _judge_over(
    one: Credential,
    newer: Credential | None,
    over: Notice,
    stage: Stage | None,
    days: int | None,
    run: _Run,
) -> Decision:
    """That it is over, unless its new life is due already: one word about it is enough."""
    began_anew = over.credential.life < one.life and one.removed_at is None
    if began_anew and over.successor == one and days is not None:
        fresh = _judge_stage(one, newer, stage, days, run)
        if fresh.notice is not None:
            return replace(fresh, over=over)
    return Decision(one, over, Reason.OVER, stage)


def _judge_superseded(
    one: Credential, newer: Credential, stage: Stage | None, days: int, run: _Run
) -> Decision:
    """Rule 6: silent, but for one hint in the last week, or warnings while it is still used."""
    if silence := _silence(one, stage, run):
        return Decision(one, None, silence, stage)
    if warns_still_used(one, newer, run.now) and (used := _judge_still_used(one, newer, days, run)):
        return used
    if days > COVERED_DAYS or has_lapsed(one.end, run.now):
        return Decision(one, None, Reason.SUPERSEDED, stage)
    if _heard_of_the_newer(one, run):
        return Decision(one, None, Reason.COVERED_TOLD, stage)
    notice = Notice(one, MailKind.COVERED, Stage.threshold(days), NO_LEVEL, days, newer)
    return Decision(one, notice, Reason.COVERED_SOON, stage)


def _heard_of_the_newer(one: Credential, run: _Run) -> bool:
    """By the hint itself, or by the word that ended an earlier life of the same key."""
    told = last_told(one, run.told)
    lives = {one.life} if told is None else {one.life, told}
    return any(_told(replace(one, life=life), run).covered for life in lives)


def _judge_still_used(one: Credential, newer: Credential, days: int, run: _Run) -> Decision | None:
    """What uses the old one stops at its end: the last stages before that are told."""
    near = [threshold for threshold in run.tenant.thresholds if threshold <= STILL_USED_DAYS]
    stage = run.stage_of(one.end, near, 0, run.now, run.zone)
    if stage is None or stage.after_end:
        return None
    level = _told(one, run).level
    if level is not None and level >= stage.urgency:
        return Decision(one, None, _why_told(stage, level, days, run), stage)
    notice = Notice(one, MailKind.REMINDER, stage, stage.urgency, days, newer)
    return Decision(one, notice, Reason.STILL_USED, stage)


def _judge_stage(
    one: Credential, newer: Credential | None, stage: Stage | None, days: int, run: _Run
) -> Decision:
    """Rules 4, 5 and 7. `newer` is the newer one beside our own credential (rule 6a)."""
    if silence := _silence(one, stage, run):
        return Decision(one, None, silence, stage)
    if stage is None:
        return Decision(one, None, Reason.NOT_NEAR, None)
    level = _told(one, run).level
    if level is not None and level >= stage.urgency:
        return Decision(one, None, _why_told(stage, level, days, run), stage)
    kind = MailKind.LAPSED if stage.after_end else MailKind.REMINDER
    # Rule 5: the lapse itself is told first, however late; its level skips what it came late for.
    first_after_end = stage.after_end and (level is None or level < Stage.lapsed(0).urgency)
    shown = Stage.lapsed(0) if first_after_end else stage
    notice = Notice(one, kind, shown, stage.urgency, days, newer)
    reason = Reason.OWN_CREDENTIAL if newer is not None else _why_now(shown)
    return Decision(one, notice, reason, stage)


def _told(one: Credential, run: _Run) -> Told:
    return run.told.get((one.tenant, one.uid, one.life), Told())


def _silence(one: Credential, stage: Stage | None, run: _Run) -> Reason | None:
    snooze = run.snoozes.get((one.tenant, one.uid, one.life))
    if snooze is None or not is_silenced(snooze, one, stage, run.now):
        return None
    return Reason.SNOOZED if snooze.acked_urgency is None else Reason.ACKNOWLEDGED


def _why_told(stage: Stage, level: int, days: int, run: _Run) -> Reason:
    if stage.after_end and weeks_lapsed(days) > run.tenant.weekly_after_lapse:
        return Reason.AFTER_LAST_STAGE
    return Reason.ALREADY_TOLD if level == stage.urgency else Reason.TOLD_MORE_URGENT


def _why_now(shown: Stage) -> Reason:
    if not shown.after_end:
        return Reason.STAGE_REACHED
    return Reason.JUST_LAPSED if shown == Stage.lapsed(0) else Reason.STILL_LAPSED


# --- tenants --------------------------------------------------------------------------------------


def tenant_state(
    tenant: Tenant, health: TenantHealth | None, scan_every: timedelta, now: datetime
) -> TenantState:
    """Return how far the facts about a tenant can be trusted, by the age of the last whole scan.

    `health` is None before the first attempt. A definite failure or an incomplete scan is
    `unknown` at once; one that may mend itself leaves the state to the age.
    """
    if tenant.paused:
        return TenantState.PAUSED
    if tenant.pending:
        return TenantState.PENDING
    if health is None or health.last_complete is None:
        return TenantState.UNKNOWN
    if health.last_failed_definitely or health.last_incomplete:
        return TenantState.UNKNOWN
    age = now - health.last_complete
    if age < -CLOCK_SLACK:  # recorded while the clock was wrong: it proves nothing about today
        return TenantState.UNKNOWN
    if age < 2 * scan_every:
        return TenantState.OK
    return TenantState.STALE if age < UNKNOWN_AFTER else TenantState.UNKNOWN


def scan_alarm(before: TenantHealth | None, record: ScanRecord) -> tuple[AlarmChange, Reason]:
    """Return whether one attempt opens, keeps or closes the CANNOT CHECK of its tenant, and why.

    `before` is the health before this attempt. The alarm opens at the second failure in a row,
    or at once when the cause needs a fix or the tenant was never read; once per outage. A
    complete scan closes it.
    """
    stands = before is not None and before.alarm_opened_at is not None
    if record.complete:
        return (AlarmChange.CLOSE, Reason.READ_AGAIN) if stands else _quiet(Reason.ALL_WELL)
    if stands:
        return AlarmChange.KEEP, Reason.ALARM_STANDS
    if record.retry != "later":
        return AlarmChange.OPEN, Reason.NEEDS_FIX
    if before is None or before.last_complete is None:
        return AlarmChange.OPEN, Reason.NEVER_READ
    if before.failures >= 1:
        return AlarmChange.OPEN, Reason.FAILED_AGAIN
    return _quiet(Reason.FIRST_FAILURE)


def _quiet(reason: Reason) -> tuple[AlarmChange, Reason]:
    return AlarmChange.NONE, reason
