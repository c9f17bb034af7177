"""Verify now: one app read at once, what was seen said in words, and the item closed when over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monitor.cli.root import run
from monitor.model import Credential
from monitor.sandbox.faults import Fault
from tests.acceptance.act_room import Reader, Room, act_room
from tests.acceptance.command_line import own_log
from tests.acceptance.setup_room import words

__all__ = ["own_log"]  # a fixture

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A room of its own for each test."""
    with act_room(tmp_path) as made:
        yield made


@pytest.fixture
def reader(room: Room) -> Iterator[Reader]:
    """Somebody at the page."""
    with Reader(room.address) as made:
        yield made


def of_invoices(room: Room) -> dict[str | None, Credential]:
    """What is known of the app's secrets, by name."""
    known = room.app.store.credentials("contoso", include_removed=True)
    return {one.name: one for one in known if one.app_name == "Invoice mail"}


def of_others(room: Room) -> list[Credential]:
    """What is known of all other apps."""
    return [one for one in room.app.store.credentials() if one.app_name != "Invoice mail"]


def test_a_new_secret_is_seen_at_once_and_closes_the_item(room: Room, reader: Reader) -> None:
    """The answer names it, everybody hears, and only this app was read."""
    path, before, others = room.link("verify"), len(room.mails()), of_others(room)
    room.new_secret()
    room.cloud.calls.clear()
    told = words(reader.press(path).text)
    assert 'Seen: new secret "second", valid to' in told
    assert "The old one is still there" in told
    assert set(of_invoices(room)) == {"first", "second"}
    assert room.cloud.calls.count("contoso", "GET *") == 1
    assert of_others(room) == others
    room.app.deliverer().run()
    heard = room.mails()[before:]
    assert len(heard) == 2
    assert all("Invoice mail" in body for body in heard)
    assert reader.http.get(path).status_code == 404
    assert [entry.what for entry in room.app.store.audit()] == ["verify"]


def test_nothing_new_is_said_and_the_link_stays_good(room: Room, reader: Reader) -> None:
    """Entra may take minutes; a quarter of a minute later one may look again."""
    path = room.link("verify")
    assert "Nothing new yet" in words(reader.press(path).text)
    assert "just now" in words(reader.press(path).text)
    room.clock.advance(timedelta(seconds=16))
    room.new_secret()
    assert "Seen: new secret" in words(reader.press(path).text)


def test_what_is_gone_counts_for_that_app_alone(room: Room, reader: Reader) -> None:
    """The deleted app's secret is removed; what hangs on other apps stays as it was."""
    others, path = of_others(room), room.link("verify")
    room.draft.tenant.apps.remove(room.invoices)
    assert "is gone from Entra" in words(reader.press(path).text)
    assert of_invoices(room)["first"].removed_at is not None
    assert of_others(room) == others


def test_a_deleted_secret_is_gone_and_its_successor_is_named(room: Room, reader: Reader) -> None:
    """The old one deleted, the new one in place: that is the end of the work."""
    path = room.link("verify")
    room.new_secret()
    del room.invoices.secrets[0]
    told = words(reader.press(path).text)
    assert 'is gone from Entra. In its place is secret "second", valid to' in told


def test_what_cannot_be_read_is_said_with_its_cause(room: Room, reader: Reader) -> None:
    """Nothing is concluded from a refusal, and the facts stay."""
    path, before = room.link("verify"), of_invoices(room)
    fault = Fault("/applications/*", status=403, code="Authorization_RequestDenied")
    room.draft.tenant.faults.append(fault)
    told = words(reader.press(path).text)
    assert "cannot be read" in told
    assert of_invoices(room) == before
    assert [entry.how for entry in room.app.store.audit()] == ["mail link"]


def test_an_answer_that_does_not_come_is_not_waited_for(room: Room) -> None:
    """Ten seconds are for a person in front of a page; a test may have less."""
    one = of_invoices(room)["first"]
    room.draft.tenant.faults.append(Fault("/applications/*", delay=30))
    tenant = room.app.store.tenant("contoso")
    assert tenant is not None

    async def look() -> str:
        async with room.app.graph() as reader:
            found = await reader.read_object(
                tenant, room.app.cloud(tenant), room.app.credential(tenant.credential),
                object_type=one.object_type, object_id=one.object_id, now=room.app.clock,
                seconds=1.5,
            )  # fmt: skip
        assert found.error is not None
        return found.error.cause

    assert asyncio.run(look()) == "reply_timeout"


def test_the_mail_path_is_tested_where_the_app_sends_and_counts_for_no_day(room: Room) -> None:
    """A test mail goes out; the day's own is still due, and keeps its number."""
    sender = next(one for one in room.app.carriers.senders() if one.tenant == "contoso")
    one = next(c for c in room.app.store.credentials() if c.app_id == sender.client_id)
    seen = room.app.verifications.verify(one, life=one.life, zone=BERLIN)
    assert f"Mail path: a test mail from {sender.mailbox} was accepted." in seen.words
    assert len(room.mails("canary")) == 1
    assert room.app.store.probes() == []
    assert room.app.store.next_canary_number("contoso", sender.mailbox) == 1


def test_what_lapsewatch_signs_in_with_is_not_over_by_a_new_secret_in_entra(room: Room) -> None:
    """Half the work: the new value has to be given to Lapsewatch as well."""
    app = next(one for one in room.draft.tenant.apps if one.name == "Lapsewatch monitor")
    app.secrets.append(room.draft.secret("Lapsewatch monitor", 700, name="newer"))
    one = next(c for c in room.app.store.credentials() if c.app_id == app.app_id)
    seen = room.app.verifications.verify(one, life=one.life, zone=BERLIN)
    assert not seen.over
    assert "give Lapsewatch the new value" in " ".join(seen.words)


def test_a_scan_that_began_later_knows_better(room: Room) -> None:
    """A slow answer never overwrites what a newer scan has proven."""
    one, tenant = of_invoices(room)["first"], room.app.store.tenant("contoso")
    health = room.app.store.tenant_health("contoso")
    assert tenant is not None
    assert health is not None
    assert health.last_complete is not None
    write = room.app.store.record_object
    old, now = health.last_complete - timedelta(minutes=5), room.app.clock()
    assert not write(tenant, one.object_id, None, started_at=old, at=now)
    assert of_invoices(room)["first"].removed_at is None
    assert write(tenant, one.object_id, None, started_at=now, at=now)  # known-bad: a look of now
    assert of_invoices(room)["first"].removed_at is not None


def test_the_command_does_the_same_and_tells_everybody(
    room: Room, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 3 while there is nothing new, 0 once it is over; the mails have gone by then."""
    key = of_invoices(room)["first"].key_id or ""
    settings = str(tmp_path / "lapsewatch.toml")
    assert run(("--config", settings, "verify", key, "--by", "Ann")) == 3
    assert "Nothing new yet" in capsys.readouterr().out
    room.new_secret()
    before = len(room.mails())
    assert run(("--config", settings, "verify", key)) == 0
    assert 'Seen: new secret "second"' in capsys.readouterr().out
    assert len(room.mails()) == before + 2
    assert [entry.who for entry in room.app.store.audit()][-1] == "Ann"
