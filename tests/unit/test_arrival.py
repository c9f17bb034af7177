"""When a canary is looked for, and what the looking comes to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.arrival import (
    GIVES_UP_AFTER,
    expected,
    is_slow,
    news,
    next_look,
    promise,
    seen,
    settled,
    subject_mark,
    unseen,
    words,
)
from monitor.config import PRESETS
from monitor.diagnose import Rulebook
from monitor.model import (
    Arrival,
    ArrivalNews,
    ArrivalState,
    CanaryResult,
    Copy,
    CredentialRef,
    Looking,
    Probe,
    ReadBack,
    Sender,
    Sighting,
    Tenant,
)
from monitor.rulebooks import rulebook
from monitor.senders import of_tenant

SENT = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
OWN = CredentialRef("secret", "env:OWN")
READ_BACK = ReadBack("graph", timedelta(minutes=30), "d", "c", OWN, PRESETS["global"])
COPY = Copy("0123456789abcdef", "it@x.example", "<c@x.example>", SENT)
PROBE = Probe("contoso", "m@x.example", SENT, SENT, CanaryResult.UNCONFIRMED, "data", "ok", "250")
WAITS = expected(PROBE, COPY, READ_BACK)
LATE = SENT + timedelta(minutes=30)


def found(**about: object) -> Sighting:
    """It lies in the inbox after four seconds."""
    plain: dict[str, object] = {"received_at": SENT + timedelta(seconds=4), "folder": "inbox"}
    return Sighting(**{**plain, "mark": "header", **about})  # type: ignore[arg-type]


def test_a_canary_is_looked_for_at_the_promised_instants_and_when_its_time_is_up() -> None:
    """15 s, 1, 2, 5, 10, 15 minutes after it was accepted, and at 30."""
    at, looks = WAITS.next_at, []
    while at is not None and at < LATE:
        looks.append((at - SENT).total_seconds())
        at = next_look(WAITS, at)
    assert looks == [15, 60, 120, 300, 600, 900]
    assert at == LATE
    assert next_look(WAITS, LATE) > LATE


def test_a_short_patience_makes_the_last_look_earlier() -> None:
    """One minute: at 15 s, and at the minute."""
    short = expected(PROBE, COPY, replace(READ_BACK, within=timedelta(minutes=1)))
    assert next_look(short, SENT + timedelta(seconds=15)) == SENT + timedelta(minutes=1)


def test_one_that_is_there_is_proven_with_its_latency() -> None:
    """Received minus accepted; a clock that is behind makes no negative one."""
    proven = seen(WAITS, found(), LATE)
    assert (proven.state, proven.latency_s, proven.next_at) == (ArrivalState.PROVEN, 4.0, None)
    early = seen(WAITS, found(received_at=SENT - timedelta(seconds=2)), LATE)
    assert early.latency_s == 0.0


def test_one_that_is_not_there_waits_until_its_time_is_up_and_is_then_lost() -> None:
    """Not a second earlier."""
    assert seen(WAITS, None, LATE - timedelta(seconds=1)) == WAITS
    lost = seen(WAITS, None, LATE)
    assert (lost.state, lost.cause, lost.lost_at) == (ArrivalState.LOST, "not_arrived", LATE)


def test_one_in_junk_or_in_quarantine_is_lost_at_once() -> None:
    """Nobody reads it there, however quickly it came."""
    junk = seen(WAITS, found(folder="junk"), SENT + timedelta(minutes=1))
    assert (junk.state, junk.cause, junk.folder) == (ArrivalState.LOST, "in_junk", "junk")
    held = seen(WAITS, found(refused=True, words="The message trace says: quarantined."), LATE)
    assert (held.state, held.cause) == (ArrivalState.LOST, "not_arrived")
    assert "quarantined" in held.evidence


def test_who_may_not_look_leaves_it_unknown_and_never_lost() -> None:
    """At once where waiting does not help; else when patience ends, and not before."""
    denied = unseen(WAITS, "mail_read_missing", "403", SENT, permanent=True)
    assert (denied.state, denied.cause) == (ArrivalState.UNKNOWN, "mail_read_missing")
    busy = unseen(WAITS, "transient", "503", LATE, permanent=False)
    assert busy.state is ArrivalState.PENDING
    late = unseen(WAITS, "transient", "503", LATE + GIVES_UP_AFTER, permanent=False)
    assert late.state is ArrivalState.UNKNOWN


def _settled(*arrivals: Arrival, failed_at: str | None = None) -> Probe | None:
    return settled(PROBE, arrivals, LATE, failed_at=failed_at)


def test_a_canary_is_judged_when_all_its_copies_are_and_a_lost_one_is_enough() -> None:
    """Open, good and failed; the failure is at the stage `arrival`."""
    proven = seen(WAITS, found(), LATE)
    assert _settled(proven, WAITS) is None
    good = _settled(proven, proven)
    assert good is not None
    assert (good.result, good.timings[-1].stage, good.timings[-1].seconds) == (
        CanaryResult.OK, "arrival", 4.0,
    )  # fmt: skip
    bad = _settled(proven, WAITS, seen(WAITS, None, LATE))
    assert bad is not None
    assert (bad.result, bad.stage, bad.cause, bad.retry, bad.finished_at) == (
        CanaryResult.FAILED, "arrival", "not_arrived", "later", LATE,
    )  # fmt: skip
    junk = _settled(seen(WAITS, found(folder="junk"), LATE))
    assert junk is not None
    assert (junk.cause, junk.retry) == ("in_junk", "after_fix")


def test_where_nobody_can_look_acceptance_is_the_evidence_but_ends_no_loss() -> None:
    """A path that lost mail is only proven by one that is seen."""
    unknown = unseen(WAITS, "mail_read_missing", "403", SENT, permanent=True)
    plain, after_auth = _settled(unknown), _settled(unknown, failed_at="auth")
    assert plain is not None
    assert after_auth is not None
    assert plain.result is after_auth.result is CanaryResult.OK
    after_loss = _settled(unknown, failed_at="arrival")
    assert after_loss is not None
    assert after_loss.result is CanaryResult.UNCONFIRMED


@pytest.mark.parametrize(
    ("arrival", "cause"),
    [
        (seen(WAITS, None, LATE), "not_arrived"),
        (seen(WAITS, found(refused=True, words="x"), LATE), "not_arrived"),
        (seen(WAITS, found(folder="junk"), LATE), "in_junk"),
    ],
)
def test_the_rules_know_what_a_lost_canary_says(arrival: Arrival, cause: str) -> None:
    """So that mails and page explain it and say what to do."""
    rules: Rulebook = rulebook(None)
    told = rules.diagnose(arrival.evidence, stage="arrival")
    assert (told.cause, told.retry) == (cause, rules.describe(cause).retry)


def test_the_usual_latency_is_the_median_and_five_times_that_is_slow() -> None:
    """A slow one is said in words; the first has nothing to be compared with."""
    slow = seen(WAITS, found(received_at=SENT + timedelta(seconds=40)), LATE)
    told = news([slow], [3.0, 8.0, 5.0])
    assert (told.usual_s, told.latency_s) == (5.0, 40.0)
    assert is_slow(told)
    assert words(told) == (
        "Arrival is proven through Graph, after 40 s, usually 5 s. That is much slower than usual."
    )
    assert not is_slow(news([slow], []))
    assert not is_slow(news([slow], [8.5]))


def test_without_a_read_back_the_words_say_that_nobody_looks() -> None:
    """In the mail, on the page and in the status."""
    assert (
        promise(None) == words(ArrivalNews()) == ("Accepted by the server; arrival is not checked.")
    )
    assert subject_mark(COPY.id) == "[01234567]"


def test_the_app_that_looks_is_the_senders_unless_another_is_named() -> None:
    """With its directory and cloud; and a cloud without a message trace is said."""
    tenant = Tenant("contoso", "d-1", "global", "c-1", OWN)
    own = Sender("m@x.example", arrival=Looking("graph", timedelta(minutes=5)))
    mine = of_tenant(replace(tenant, sender=own), PRESETS)
    assert mine is not None
    assert mine.arrival == ReadBack(
        "graph", timedelta(minutes=5), "d-1", "c-1", OWN, PRESETS["global"]
    )
    other = CredentialRef("secret", "env:OTHER")
    looking = Looking("trace", client_id="c-2", credential=other, directory_id="d-2", cloud="china")
    found_ = of_tenant(replace(tenant, sender=replace(own, arrival=looking)), PRESETS)
    assert found_ is not None
    assert found_.arrival is not None
    assert (found_.arrival.client_id, found_.arrival.directory_id) == ("c-2", "d-2")
    assert "no message trace" in found_.arrival.problem
