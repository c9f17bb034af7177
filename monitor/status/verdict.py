"""The one sentence above everything, and the exit code that goes with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo

from monitor.model import CanaryResult, CredentialState, TenantState
from monitor.status.rows import StatusReport

EXIT_FINE, EXIT_ACTION, EXIT_LAPSED, EXIT_UNKNOWN, EXIT_CANARY = 0, 3, 4, 5, 6
_EMPTY = "No tenant is watched yet. Add one with: lapsewatch tenant add"


def exit_code(report: StatusReport) -> int:
    """The highest code that applies; whatever the verdict has to name needs action."""
    code = EXIT_ACTION if _troubles(report) else EXIT_FINE
    if any(row.state is CredentialState.LAPSED for row in report.action_rows):
        code = EXIT_LAPSED
    if any(row.state is TenantState.UNKNOWN for row in report.tenants):
        code = EXIT_UNKNOWN
    if any(row.result is CanaryResult.FAILED for row in report.canaries):
        code = EXIT_CANARY
    return code


def verdict(report: StatusReport, zone: tzinfo = UTC, *, most: int | None = None) -> str:
    """All that is the matter in words, gravest first; or that nothing is.

    Tenants in shadow are named as well: no mail about them is no proof that all is well there.

    Args:
        report: what is judged.
        zone: of the reader.
        most: so many things are named, and of the others how many there are; None: all.
    """
    troubles, shadow = _troubles(report, zone), _shadow(report, zone)
    if not report.tenants:
        return "; ".join([_EMPTY, *troubles])
    if troubles:
        said = [*troubles, *shadow, *_ignored(report)]
        more = len(said) - most if most is not None and len(said) > most else 0
        rest = [f"and {_count(more, 'more matter')}"] if more else []
        text = "; ".join([*said[: len(said) - more], *rest])
        return f"{text[0].upper()}{text[1:]}."
    read = sum(row.state is TenantState.OK for row in report.tenants)
    if not read:
        return "Nothing is read: every tenant is paused or waits for consent."
    proof = "".join([_proof(report), *(f" {words}." for words in (*shadow, *_ignored(report)))])
    return f"All is well: {_count(read, 'tenant')} read, nothing needs action.{proof}"


def _shadow(report: StatusReport, zone: tzinfo) -> list[str]:
    """How many tenants are in shadow and until when; paused ones are silent anyway."""
    ends = [
        row.shadow_until
        for row in report.tenants
        if row.shadow_until is not None and row.state is not TenantState.PAUSED
    ]
    if not ends:
        return []
    verb = "is" if len(ends) == 1 else "are"
    last = "the last of them " if len(set(ends)) > 1 else ""
    return [
        f"{_count(len(ends), 'tenant')} {verb} in shadow, without reminders, "
        f"{last}until {_at(max(ends), zone)}"
    ]


def _ignored(report: StatusReport) -> list[str]:
    """How much is kept quiet by a rule: no mail about it is no proof either."""
    if not report.ignored:
        return []
    verb = "is" if report.ignored == 1 else "are"
    return [f"{_count(report.ignored, 'credential')} {verb} ignored by rule"]


def _proof(report: StatusReport) -> str:
    """What is known of the mail paths, where none of them is in trouble."""
    results = [row.result for row in report.canaries]
    words = (
        (CanaryResult.OK, "proven"),
        (CanaryResult.NEVER, "not proven yet"),
    )
    said = [(results.count(result), word) for result, word in words if result in results]
    if not said:
        return ""
    (first, word), *others = said
    more = "".join(f", {number} {word}" for number, word in others)
    return f" {_count(first, 'mail path')} {word}{more}."


def _troubles(report: StatusReport, zone: tzinfo = UTC) -> list[str]:
    return [
        *_credential_troubles(report),
        *_tenant_troubles(report),
        *_path_troubles(report),
        *_service_troubles(report, zone),
        *_mail_troubles(report),
        *_review_troubles(report),
    ]


def _review_troubles(report: StatusReport) -> list[str]:
    due = sum(row.due for row in report.ignores)
    verb = "is" if due == 1 else "are"
    return [f"the review of {_count(due, 'ignore rule')} {verb} due"] if due else []


def _credential_troubles(report: StatusReport) -> list[str]:
    rows = report.action_rows
    lapsed = sum(row.state is CredentialState.LAPSED for row in rows)
    soon = len(rows) - lapsed
    parts = [f"{_count(lapsed, 'credential')} lapsed"] if lapsed else []
    if soon:
        more = f"{soon} more" if lapsed else _count(soon, "credential")
        parts.append(f"{more} {'needs' if soon == 1 else 'need'} action")
    return parts


def _tenant_troubles(report: StatusReport) -> list[str]:
    unknown = sum(row.state is TenantState.UNKNOWN for row in report.tenants)
    stale = sum(row.state is TenantState.STALE for row in report.tenants)
    verb = "is" if unknown == 1 else "are"
    lost = sum(row.lost is not None for row in report.tenants)
    parts = [f"{_count(unknown, 'tenant')} {verb} unknown (not fully read)"] if unknown else []
    parts += [f"{_count(stale, 'tenant')} not read recently"] if stale else []
    parts += [f"access to {_count(lost, 'customer')} lost"] if lost else []
    unread = sum(len(row.unread_dates) for row in report.tenants)
    parts += [f"{_count(unread, 'watched date')} cannot be read"] if unread else []
    blocked = sum(row.blocked for row in report.tenants)
    told = f"the consent of {_count(blocked, 'customer')} cannot be looked for"
    return [*parts, told] if blocked else parts


def _path_troubles(report: StatusReport) -> list[str]:
    failed = sum(row.result is CanaryResult.FAILED for row in report.canaries)
    old = sum(row.stale and row.result is not CanaryResult.FAILED for row in report.canaries)
    senders = _count(len(report.canaries), "sender")
    parts = [f"the mail path fails for {failed} of {senders}"] if failed else []
    if old:
        parts.append(f"{_count(old, 'mail path')} not proven for 26 hours")
    asked = sum(row.result is CanaryResult.UNCONFIRMED for row in report.canaries)
    if asked:
        parts.append(f"{_count(asked, 'test mail')} not confirmed to have arrived")
    return parts


def _service_troubles(report: StatusReport, zone: tzinfo) -> list[str]:
    parts = []
    if report.silent_since is not None:
        parts.append(f"the service has not run since {_at(report.silent_since, zone)}")
    for job in report.late_jobs:
        round_ = f"a round since {_at(job.last, zone)}" if job.last else "any round yet"
        parts.append(f"the job {job.name} has not finished {round_}")
    parts += _unfinished(report)
    if report.cycle_late_since is not None and not parts:
        parts.append(f"no cycle was complete since {_at(report.cycle_late_since, zone)}")
    if report.pulse.failing_since is not None:
        parts.append(
            f"the heartbeat could not be sent since {_at(report.pulse.failing_since, zone)}"
        )
    return parts


_UNFINISHED: Sequence[tuple[str, Callable[[int], str]]] = (
    ("warn", lambda n: f"the daily mail of {_count(n, 'recipient')} could not be written"),
    ("scan", lambda n: f"the scan of {_count(n, 'tenant')} was not finished"),
    ("canary", lambda n: f"the test of {_count(n, 'mail path')} was not finished"),
)


def _unfinished(report: StatusReport) -> list[str]:
    parts = []
    for job, words in _UNFINISHED:
        if names := {run.name for run in report.unfinished if run.job == job}:
            parts.append(words(len(names)))
    return parts


def _mail_troubles(report: StatusReport) -> list[str]:
    mails, parts = report.outbox, []
    if mails.without_path:
        parts.append(f"{_count(mails.without_path, 'mail')} waiting with no path to send by")
    if mails.overdue:
        verb = "is" if mails.overdue == 1 else "are"
        parts.append(
            f"{_count(mails.overdue, 'mail')} {verb} overdue (waiting for more than an hour, or "
            "tried 3 times)"
        )
    if mails.dead:
        parts.append(f"{_count(mails.dead, 'mail')} could not be delivered")
    if report.unheard:
        some = ", ".join(report.unheard[:3]) + (" …" if len(report.unheard) > 3 else "")
        parts.append(f"nobody is told about {some} (no recipient is set)")
    return parts


def _at(instant: datetime, zone: tzinfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
