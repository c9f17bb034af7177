"""Canaries that are looked for: proven, lost, in junk, or unknown; and who is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from jobs.find_canaries import find_canaries
from jobs.send_canaries import send_canaries
from jobs.send_warnings import deliver
from monitor.model import ArrivalState, CanaryResult, Confirmation
from monitor.sandbox import Fault
from monitor.sandbox.draft import Draft
from monitor.sandbox.world import Sender
from monitor.sandbox.world import Tenant as WorldTenant
from monitor.shape import as_json
from monitor.status import CanaryRow
from tests.integration.stage import HOUR, MINUTE, SIX, Stage, stage

SECONDS = timedelta(seconds=1)
SEVEN = SIX + HOUR


def looked_for(way: str = "graph", *, within: str | None = None) -> WorldTenant:
    """A tenant whose sender's canaries are looked for."""
    draft = Draft("contoso", "Contoso", SIX)
    draft.monitor()
    draft.sender()
    draft.read_back(way, within)
    return draft.tenant


def look(show: Stage, *, after: timedelta = 16 * SECONDS) -> CanaryRow:
    """One tick of the looking, some time later; what the status says then."""
    show.clock.advance(after)
    find_canaries(show.app, due_only=True)
    return row(show)


def row(show: Stage) -> CanaryRow:
    """What the status says of the tenant's sender."""
    return next(one for one in show.app.report().canaries if one.tenant == "contoso")


def send(show: Stage) -> None:
    """One canary of the tenant."""
    (probe,) = send_canaries(show.app, only="contoso")
    assert probe.result is CanaryResult.OK


def told(show: Stage, kind: str) -> list[str]:
    """Deliver, and say who got mails of a kind so far."""
    deliver(show.app)
    return show.inbox(kind)


@pytest.mark.parametrize("way", ["graph", "trace"])
def test_a_canary_that_is_found_is_proven(tmp_path: Path, way: str) -> None:
    """Until then it is pending, which is neither bad news nor a proof."""
    with stage(tmp_path, looked_for(way), at=SEVEN) as show:
        send(show)
        waits = row(show)
        assert (waits.result, waits.arrival.state) == (CanaryResult.OK, ArrivalState.PENDING)
        assert waits.last_ok is None
        assert not waits.stale
        proven = look(show)
        assert (proven.result, proven.arrival.state) == (CanaryResult.OK, ArrivalState.PROVEN)
        assert proven.last_ok is not None
        assert (proven.arrival.latency_s is None) == (way == "trace")
        shown = as_json(show.app.report())["canaries"]
        assert isinstance(shown, list)
        mine = next(one for one in shown if one["tenant"] == "contoso")
        assert mine["arrival"] == "proven"
        assert {"latency_s", "usual_latency_s", "arrival_words"} <= mine.keys()
        others = [one["arrival"] for one in shown if one["tenant"] != "contoso"]
        assert others == ["not_checked"]


def test_its_mail_says_how_it_is_proven_and_can_be_recognised(tmp_path: Path) -> None:
    """Header, subject and words; that of a sender that nobody looks for says so."""
    with stage(tmp_path, looked_for(), at=SEVEN) as show:
        send_canaries(show.app)
        mails = {mail.auth_user: mail for mail in show.cloud.inbox.messages}
        mine, other = mails["noreply@contoso.example"], mails["noc@msp.example"]
        mark = mine.header("X-Lapsewatch-Canary-Id")
        assert mark is not None
        assert mine.subject.endswith(f"[{mark[:8]}]")
        assert "proven through Graph" in (mine.body("plain") or "")
        assert not other.subject.endswith("]")
        assert "arrival is not checked" in (other.body("plain") or "")


def test_a_rewritten_message_id_hides_nothing(tmp_path: Path) -> None:
    """The canary's own header is what it is recognised by."""
    tenant = looked_for()
    tenant.fate.rewritten = True
    with stage(tmp_path, tenant, at=SEVEN) as show:
        send(show)
        assert look(show).arrival.state is ArrivalState.PROVEN


def test_a_slow_one_is_looked_for_until_it_is_there_and_its_latency_told(tmp_path: Path) -> None:
    """By the server's own time of receipt, whenever the look was."""
    tenant = looked_for()
    tenant.fate.delay = timedelta(minutes=4)
    with stage(tmp_path, tenant, at=SEVEN) as show:
        send(show)
        for step in (16 * SECONDS, MINUTE, MINUTE):
            assert look(show, after=step).arrival.state is ArrivalState.PENDING
        found = look(show, after=3 * MINUTE).arrival
        assert found.state is ArrivalState.PROVEN
        assert found.latency_s == pytest.approx(240, abs=3)


def test_one_that_does_not_come_fails_and_the_second_in_a_row_alarms(tmp_path: Path) -> None:
    """Each canary was accepted; an acceptance ends neither the count nor the alarm."""
    tenant = looked_for()
    tenant.fate.lost = True
    with stage(tmp_path, tenant, at=SEVEN) as show:
        for number in (1, 2):
            if number == 1:
                send(show)
            else:
                show.clock.advance(HOUR)
                assert "contoso" in show.canaries()
            assert look(show, after=29 * MINUTE).result is not CanaryResult.OK or number == 1
            lost = look(show, after=2 * MINUTE)
            assert (lost.result, lost.stage, lost.cause) == (
                CanaryResult.FAILED, "arrival", "not_arrived",
            )  # fmt: skip
            assert lost.arrival.state is ArrivalState.LOST
            assert told(show, "canary_failed") == (["noc@msp.example"] if number == 2 else [])
        assert "tenant:contoso" in show.app.carriers.paths().broken
        (alarm,) = [m for m in show.cloud.inbox.messages if "CANARY FAILED" in m.subject]
        assert "was accepted and did not arrive" in (alarm.body("plain") or "")
        # Accepted again is not arrived again.
        tenant.fate.lost = False
        show.clock.advance(HOUR)
        show.canaries()
        assert row(show).result is CanaryResult.FAILED
        assert told(show, "recovered") == []
        assert "tenant:contoso" in show.app.carriers.paths().broken
        assert look(show).result is CanaryResult.OK
        assert told(show, "recovered") == ["noc@msp.example"]


def test_one_in_junk_alarms_at_once_and_says_so(tmp_path: Path) -> None:
    """It is no matter of waiting."""
    tenant = looked_for()
    tenant.fate.junk = True
    with stage(tmp_path, tenant, at=SEVEN) as show:
        send(show)
        found = look(show)
        assert (found.result, found.cause, found.arrival.folder) == (
            CanaryResult.FAILED, "in_junk", "junk",
        )  # fmt: skip
        assert told(show, "canary_failed") == ["noc@msp.example"]


@pytest.mark.parametrize("way", ["graph", "trace"])
def test_without_the_right_to_look_the_canary_is_good_and_its_arrival_unknown(
    tmp_path: Path, way: str
) -> None:
    """With the cause, which says what to grant; nobody is alarmed."""
    tenant = looked_for(way)
    tenant.mail_read.clear()
    assert tenant.sender is not None
    tenant.principal_of(tenant.sender.sign_in.client_id).graph_roles = ()
    with stage(tmp_path, tenant, at=SEVEN) as show:
        send(show)
        found = look(show)
        assert (found.result, found.arrival.state) == (CanaryResult.OK, ArrivalState.UNKNOWN)
        cause = "mail_read_missing" if way == "graph" else "trace_read_missing"
        assert found.arrival.cause == cause
        assert cause in show.app.rulebook.causes
        assert found.last_ok is not None
        assert told(show, "canary_failed") == []


def test_a_graph_that_is_ill_loses_nothing(tmp_path: Path) -> None:
    """Even when the time is up: what nobody could look for is not lost."""
    tenant = looked_for()
    tenant.faults.append(Fault("/users/*", status=500, code="generalException"))
    with stage(tmp_path, tenant, at=SEVEN) as show:
        send(show)
        assert look(show, after=31 * MINUTE).arrival.state is ArrivalState.PENDING
        tenant.faults.clear()
        assert look(show, after=6 * MINUTE).arrival.state is ArrivalState.PROVEN


def test_a_page_that_is_none_is_no_empty_mailbox(tmp_path: Path) -> None:
    """A proxy's answer must not be taken for a lost canary."""
    tenant = looked_for()
    tenant.faults.append(Fault("/users/*", status=200, body=b'{"error": "portal"}'))
    with stage(tmp_path, tenant, at=SEVEN) as show:
        send(show)
        assert look(show, after=31 * MINUTE).arrival.state is ArrivalState.PENDING


def test_after_a_long_stop_a_canary_that_came_in_time_is_proven(tmp_path: Path) -> None:
    """A new process looks, once, and takes the server's time of receipt."""
    with stage(tmp_path, looked_for(), at=SEVEN) as show:
        send(show)
        show.clock.advance(timedelta(hours=9))
        with (again := show.restarted()).app:
            find_canaries(again.app, due_only=True)
            found = row(again).arrival
            assert found.state is ArrivalState.PROVEN
            assert found.latency_s is not None
            assert found.latency_s < 5


def test_two_replicas_look_once(tmp_path: Path) -> None:
    """Who moves the next look's time has it; and one that is settled stays so."""
    with stage(tmp_path, looked_for(), at=SEVEN) as show:
        send(show)
        show.clock.advance(MINUTE)
        (waits,) = show.app.store.waiting_arrivals(show.clock.now())
        until = show.clock.now() + MINUTE
        assert show.app.store.take_look(waits, until=until)
        assert not show.app.store.take_look(waits, until=until)
        find_canaries(show.app, due_only=True)
        assert show.app.store.waiting_arrivals()  # another has it
        assert look(show, after=2 * MINUTE).arrival.state is ArrivalState.PROVEN
        find_canaries(show.app)
        assert show.app.store.waiting_arrivals() == []


def test_a_look_that_was_seen_and_not_judged_is_judged_by_the_next(tmp_path: Path) -> None:
    """A crash between both loses nothing."""
    with stage(tmp_path, looked_for(), at=SEVEN) as show:
        send(show)
        show.clock.advance(MINUTE)
        (waits,) = show.app.store.waiting_arrivals()
        show.app.store.keep_arrival(
            replace(waits, state=ArrivalState.PROVEN, latency_s=1.0, next_at=None)
        )
        assert row(show).last_ok is None
        assert look(show).last_ok is not None


def test_a_sender_that_was_asked_about_is_confirmed_by_the_read_back(tmp_path: Path) -> None:
    """Nobody needs to say that the test mail arrived."""
    with stage(tmp_path, looked_for(), at=SEVEN) as show:
        asked = Confirmation(
            "contoso", "noreply@contoso.example", show.clock.now(), "noreply@contoso.example"
        )
        show.app.store.put_confirmation(asked)
        send(show)
        assert row(show).result is CanaryResult.UNCONFIRMED
        assert look(show).result is CanaryResult.OK
        health = show.app.store.health_of_sender("contoso", "noreply@contoso.example")
        assert health.confirmation is not None
        assert (health.confirmation.answer, health.confirmation.answered_by) == (
            "arrived", "the read-back",
        )  # fmt: skip


def test_canaries_by_hand_do_not_hide_that_none_arrives(tmp_path: Path) -> None:
    """Each new one would make the one before it look settled."""
    tenant = looked_for()
    tenant.fate.lost = True
    with stage(tmp_path, tenant, at=SEVEN) as show:
        for _ in range(7):
            send(show)
            look(show, after=20 * MINUTE)
        assert row(show).result is CanaryResult.FAILED
        assert told(show, "canary_failed") == ["noc@msp.example"]


def test_a_canary_to_another_directory_is_looked_for_by_that_ones_app(tmp_path: Path) -> None:
    """`arrival_app`: its own id, secret and directory."""
    tenant = looked_for()
    with_mailbox = Draft("msp", "MSP", SIX)
    box = with_mailbox.sender("noc")
    theirs = with_mailbox.tenant.sender
    assert theirs is not None
    assert tenant.sender is not None
    sender: Sender = replace(
        tenant.sender, canary_to=(box.address,), arrival_app=theirs.sign_in,
        arrival_directory=with_mailbox.tenant.directory_id,
    )  # fmt: skip
    tenant.sender = sender
    with stage(tmp_path, tenant, at=SEVEN) as show:
        assert show.cloud.world.operator is not None
        show.cloud.world.operator.tenant.mail_read[theirs.object_id] = {box.address}
        send(show)
        assert look(show).arrival.state is ArrivalState.PROVEN


def test_an_address_without_a_mailbox_there_is_unknown_with_what_to_do(tmp_path: Path) -> None:
    """A group or a mailbox elsewhere cannot be looked into."""
    tenant = looked_for()
    assert tenant.sender is not None
    tenant.sender = replace(tenant.sender, canary_to=("canary@elsewhere.example",))
    with stage(tmp_path, tenant, at=SEVEN) as show:
        send(show)
        found = look(show)
        assert (found.result, found.arrival.cause) == (CanaryResult.OK, "canary_mailbox_missing")
