"""Judges whether canaries arrived: when to look again, and what the looking came to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import median

from monitor.model import (
    ARRIVAL_STAGE,
    Arrival,
    ArrivalNews,
    ArrivalState,
    CanaryResult,
    Copy,
    Probe,
    Sighting,
    StageTiming,
)
from monitor.model.arrivals import ReadBack

LOOKED_FOR = tuple(timedelta(seconds=s) for s in (15, 60, 120, 300, 600, 900))
# Where nobody can look at the end, somebody may be able to a little later.
GIVES_UP_AFTER = timedelta(minutes=30)
AGAIN = timedelta(minutes=5)
SLOW = 5  # times the median
SUBJECT_MARK = 8  # hexadecimal digits of the canary's id in its subject


def expected(probe: Probe, copy: Copy, read_back: ReadBack) -> Arrival:
    """What is to be looked for after a copy of a canary was accepted."""
    until = copy.accepted_at + read_back.within
    first = min(copy.accepted_at + LOOKED_FOR[0], until)
    return Arrival(copy, probe.tenant, probe.mailbox, read_back.way, until, next_at=first)


def next_look(arrival: Arrival, now: datetime) -> datetime:
    """When to look for a canary after a look at `now`: at the latest when its time is up."""
    steps = [arrival.copy.accepted_at + step for step in LOOKED_FOR]
    after = min((at for at in steps if at > now), default=arrival.until)
    return min(after, arrival.until) if now < arrival.until else now + AGAIN


def seen(arrival: Arrival, sighting: Sighting | None, now: datetime) -> Arrival:
    """An arrival after a look that worked.

    Args:
        arrival: that still waits.
        sighting: where the canary is; None where it is not (yet).
        now: when was looked.
    """
    if sighting is None:
        if now < arrival.until:
            return arrival
        minutes = round((now - arrival.copy.accepted_at).total_seconds() / 60)
        told = f"The test mail was not found at {arrival.copy.recipient} after {minutes} minutes."
        return _lost(arrival, "not_arrived", told, now)
    if sighting.refused:
        told = f"The test mail was not found at {arrival.copy.recipient}. {sighting.words}"
        return _lost(arrival, "not_arrived", told.strip(), now)
    late = (sighting.received_at - arrival.copy.accepted_at).total_seconds()
    found = replace(
        arrival,
        found_at=sighting.received_at,
        # Two clocks may differ by a little; nothing arrives before it is sent.
        latency_s=None if arrival.way == "trace" else max(0.0, late),
        folder=sighting.folder,
    )
    if sighting.folder == "junk":
        told = f"The test mail lies in the Junk Email folder of {arrival.copy.recipient}."
        return _lost(found, "in_junk", told, now)
    return replace(found, state=ArrivalState.PROVEN, next_at=None, cause=None,
                   evidence=sighting.words)  # fmt: skip


def unseen(
    arrival: Arrival, cause: str, evidence: str, now: datetime, *, permanent: bool
) -> Arrival:
    """An arrival after a look that did not work: that is never a canary lost.

    Args:
        arrival: that still waits.
        cause: of the failure.
        evidence: what was seen.
        now: when it was tried.
        permanent: waiting does not help.
    """
    told = replace(arrival, cause=cause, evidence=evidence)
    if permanent or now >= arrival.until + GIVES_UP_AFTER:
        return replace(told, state=ArrivalState.UNKNOWN, next_at=None)
    return told


def _lost(arrival: Arrival, cause: str, evidence: str, now: datetime) -> Arrival:
    return replace(arrival, state=ArrivalState.LOST, next_at=None, lost_at=now, cause=cause,
                   evidence=evidence)  # fmt: skip


def settled(
    probe: Probe, arrivals: Sequence[Arrival], now: datetime, *, failed_at: str | None
) -> Probe | None:
    """The probe with what is known of all its copies; None while that is still open.

    One lost copy is enough for a failure. Where nobody can look, the accepted reply is the
    evidence; but what failed because a canary did not arrive is not mended by one that nobody
    looked for.

    Args:
        probe: that was accepted.
        arrivals: of its copies.
        now: the instant.
        failed_at: the stage at which the sender failed the last time, as long as it does.
    """
    lost = next((one for one in arrivals if one.state is ArrivalState.LOST), None)
    if lost is not None:
        seconds = (now - lost.copy.accepted_at).total_seconds()
        timing = StageTiming(ARRIVAL_STAGE, seconds, ok=False, reply=lost.evidence)
        return replace(
            probe, result=CanaryResult.FAILED, stage=ARRIVAL_STAGE, finished_at=now,
            cause=lost.cause or "not_arrived", evidence=lost.evidence,
            timings=(*probe.timings, timing),
            # A mail may be late for once; a rule that files it as junk will do so again.
            retry="after_fix" if lost.cause == "in_junk" else "later",
        )  # fmt: skip
    if not arrivals or any(one.state is ArrivalState.PENDING for one in arrivals):
        return None
    proven = all(one.state is ArrivalState.PROVEN for one in arrivals)
    if not proven and failed_at == ARRIVAL_STAGE:
        return probe
    timings = probe.timings
    if proven:
        slowest = max((one.latency_s or 0.0 for one in arrivals), default=0.0)
        timings = (*timings, StageTiming(ARRIVAL_STAGE, slowest, ok=True, reply="found"))
    return replace(probe, result=CanaryResult.OK, timings=timings)


def news(arrivals: Sequence[Arrival], earlier: Iterable[float]) -> ArrivalNews:
    """What is known of a sender's last canary.

    Args:
        arrivals: of its copies.
        earlier: the latencies of the seven days before it, in seconds.
    """
    usual = list(earlier)
    worst = (ArrivalState.LOST, ArrivalState.PENDING, ArrivalState.UNKNOWN, ArrivalState.PROVEN)
    found = next((one for state in worst for one in arrivals if one.state is state), None)
    if found is None:
        return ArrivalNews(usual_s=median(usual) if usual else None)
    known = [one.latency_s for one in arrivals if one.latency_s is not None]
    return ArrivalNews(
        state=found.state,
        way=found.way,
        latency_s=max(known, default=None),
        usual_s=median(usual) if usual else None,
        folder=found.folder,
        cause=found.cause,
        evidence=found.evidence,
    )


def promise(read_back: ReadBack | None) -> str:
    """What a canary says itself of how its arrival is proven."""
    if read_back is None:
        return "Accepted by the server; arrival is not checked."
    if read_back.way == "trace":
        return "Arrival is proven through a message trace in Graph."
    return "Arrival is proven through Graph: Lapsewatch looks for this mail in its mailbox."


def words(found: ArrivalNews) -> str:
    """What is known of the arrival, in one sentence for people."""
    how = "a message trace" if found.way == "trace" else "Graph"
    if found.state is ArrivalState.PROVEN:
        if found.latency_s is None:
            return f"Arrival is proven through {how}."
        usual = f", usually {span(found.usual_s)}" if found.usual_s is not None else ""
        slow = " That is much slower than usual." if is_slow(found) else ""
        took = "less than a second" if found.latency_s < 1 else span(found.latency_s)
        return f"Arrival is proven through {how}, after {took}{usual}.{slow}"
    if found.state is ArrivalState.PENDING:
        return f"Accepted by the server; its arrival is being looked for through {how}."
    if found.state is ArrivalState.UNKNOWN:
        return f"Accepted by the server; whether it arrived is not known: {found.evidence}"
    if found.state is ArrivalState.LOST:
        return found.evidence
    return "Accepted by the server; arrival is not checked."


def is_slow(found: ArrivalNews) -> bool:
    """Whether a canary took five times as long as is usual; below a second nobody cares."""
    if found.latency_s is None or found.usual_s is None:
        return False
    return found.latency_s >= 1 and found.latency_s >= SLOW * found.usual_s


def span(seconds: float | None) -> str:
    """A latency for people."""
    if seconds is None:
        return "not known"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"


def subject_mark(canary_id: str) -> str:
    """What the subject of a canary ends with, so that it is found where all else is rewritten."""
    return f"[{canary_id[:SUBJECT_MARK]}]"
