"""What waits in the outbox is true when it goes: silences, rules, routes and looks meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.send_warnings import deliver
from monitor.model import OutboxState, Recipient
from tests.faults.house import House, short
from tests.faults.office import BUSY, OPEN, Office
from tests.faults.promises import Thing

EIGHT = datetime(2026, 3, 2, 8, 1, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
ME, NEW = "it@msp.example", "new@msp.example"
SENT, PENDING, WITHDRAWN = OutboxState.SENT, OutboxState.PENDING, OutboxState.WITHDRAWN
K, OTHER = ("alfa", "k:1"), ("alfa", "o:1")
IGNORE = '\n[[ignore]]\nname = "App k"\nreason = "x"\nauthor = "kim"\nreview = 2026-06-01\n'
ROUTE = f'\n[[route]]\nto = ["{NEW}"]\napp = "App k"\n'


@pytest.fixture
def house(tmp_path: Path, store_url: str) -> Iterator[House]:
    """Two tenants of one recipient, whose mails share the operator's path; two secrets in alfa."""
    with Office() as office:
        made = House(tmp_path, store_url, office, EIGHT)
        made.app.make_database()
        for name in ("alfa", "beta"):
            made.put(name, "UTC", 8, {ME: None})
        yield made
        made.close()


def secrets(house: House, *also: tuple[str, str], days: float = 20, gone: bool = False) -> None:
    """A scan of alfa and beta; K ends in so many days from the beginning, or is gone."""
    uids = (*also, *(() if gone else (K,)))
    things = {uid: Thing(uid[1][0], "s", EIGHT + days * DAY) for uid in uids}
    for name in ("alfa", "beta"):
        house.read(name, {uid: thing for uid, thing in things.items() if uid[0] == name})


def waiting(house: House, *also: tuple[str, str], days: float = 20) -> None:
    """The digest about K, and more, waits for the server."""
    house.office.mood = BUSY
    secrets(house, *also, days=days)
    assert house.tick()
    assert [state for state, _ in said(house)] == [PENDING]


def said(house: House) -> list[tuple[OutboxState, list[str]]]:
    """The state of every digest, and about which keys it is, oldest first."""
    return [
        (mail.state, sorted(short(notice.uid) for notice in mail.notices))
        for mail in reversed(house.mails())
    ]


def rules(house: House, text: str) -> None:
    """The operator changes the settings, and starts the service anew."""
    with (house.folder / "lapsewatch.toml").open("a") as settings:
        settings.write(text)
    house.app.close()
    house.start()


def mail_is_back(house: House) -> None:
    """What waits goes, by the tick that only delivers."""
    house.office.mood = OPEN
    house.now += 31 * MINUTE
    deliver(house.app)


def told(house: House) -> bool:
    """Whether the recipient counts as told about K."""
    return any(short(uid) == K[1] for _, uid, _ in house.app.store.told(ME, ["alfa"]))


@pytest.mark.parametrize("how", ["snooze", "acknowledge", "ignore", "route"])
def test_what_is_kept_from_its_reader_meanwhile_is_not_sent(house: House, how: str) -> None:
    """All of the digest is untrue: it is taken back, and nobody counts as told."""
    waiting(house)
    match how:
        case "snooze":
            house.silence(K, 10)
        case "acknowledge":
            house.silence(K, None)
        case "ignore":
            rules(house, IGNORE)
        case "route":
            rules(house, ROUTE)
    mail_is_back(house)
    assert house.office.letters == []
    assert said(house)[0] == (WITHDRAWN, [K[1]])
    assert not told(house)


@pytest.mark.parametrize("how", ["snooze", "ignore", "route"])
def test_the_rest_of_a_digest_is_told_in_the_same_tick(house: House, how: str) -> None:
    """Without what is kept from its reader; the next tick changes nothing."""
    waiting(house, OTHER, ("beta", "m:1"))
    if how == "snooze":
        house.silence(K, 10)
    else:
        rules(house, IGNORE if how == "ignore" else ROUTE)
    mail_is_back(house)
    assert said(house) == [(WITHDRAWN, ["k:1", "m:1", "o:1"]), (SENT, ["m:1", "o:1"])]
    before = house.dump()
    deliver(house.app)
    assert house.dump() == before


def test_when_the_silence_ends_it_is_told(house: House) -> None:
    """Rule 7: as if after an outage."""
    waiting(house)
    house.silence(K, 2)
    mail_is_back(house)
    house.now = EIGHT + DAY
    assert house.tick()
    assert house.office.letters == []
    house.now = EIGHT + 3 * DAY
    assert house.tick()
    assert [letter.to for letter in house.office.letters] == [ME]


def test_who_is_told_instead_hears_it_at_their_next_run(house: House) -> None:
    """Another route: the warning is taken from the one, and not lost for the other."""
    waiting(house, OTHER)
    rules(house, ROUTE)
    house.office.mood = OPEN
    house.now += 31 * MINUTE
    assert house.tick()
    assert sorted(letter.to for letter in house.office.letters) == [ME, NEW]
    assert said(house)[1:] == [(SENT, ["o:1"]), (SENT, ["k:1"])]


def test_an_acknowledged_stage_gives_way_to_a_more_urgent_one(house: House) -> None:
    """An acknowledgement of the stage before takes no later one back."""
    waiting(house)
    house.silence(K, None)
    house.now = EIGHT + 6 * DAY
    assert house.tick()
    assert said(house) == [(WITHDRAWN, ["k:1"]), (PENDING, ["k:1"])]
    mail_is_back(house)
    assert said(house)[1:] == [(SENT, ["k:1"])]


def test_what_lapsed_while_its_reminder_waited_is_told_as_lapsed(house: House) -> None:
    """At once where mail is back, at night too: "expires today" would be untrue by then."""
    waiting(house, OTHER, days=0.5)
    house.now = EIGHT + DAY - 5 * HOUR
    mail_is_back(house)
    assert said(house) == [(WITHDRAWN, ["k:1", "o:1"]), (SENT, ["k:1", "o:1"])]
    [letter] = house.office.letters
    assert letter.kind == "lapsed"
    house.now = EIGHT + DAY
    assert house.tick()
    assert len(house.office.letters) == 1


def test_a_tenant_that_goes_into_shadow_is_told_in_a_welcome(house: House) -> None:
    """It promises silence; the reminder that waited would have been the first of more."""
    waiting(house)
    entry = replace(house.tenant("alfa"), shadow_until=EIGHT + 14 * DAY)
    house.app.store.put_tenant(entry, now=house.now)
    mail_is_back(house)
    assert said(house) == [(WITHDRAWN, ["k:1"]), (SENT, ["k:1"])]
    assert [letter.kind for letter in house.office.letters] == ["welcome"]


@pytest.mark.parametrize("how", ["gone", "snooze"])
def test_before_the_hour_what_waits_is_made_true_and_the_rest_keeps_to_it(
    house: House, how: str
) -> None:
    """At three in the night; another one reached its stage at midnight, and goes at eight."""
    waiting(house, OTHER)
    late = ("alfa", "z:1")
    house.now = EIGHT + DAY - 5 * HOUR
    uids = {OTHER: 20, late: 31} | ({} if how == "gone" else {K: 20})
    things = {uid: Thing(uid[1][0], "s", EIGHT + days * DAY) for uid, days in uids.items()}
    house.read("alfa", things)
    if how == "snooze":
        house.silence(K, 10)
    mail_is_back(house)
    assert said(house) == [(WITHDRAWN, ["k:1", "o:1"]), (SENT, ["o:1"])]
    house.now = EIGHT + DAY
    assert house.tick()
    assert said(house)[2:] == [(SENT, ["z:1"])]


def test_before_the_hour_of_a_day_off_nothing_is_lost_with_another_tenant(house: House) -> None:
    """A paused tenant takes the digest with it; the other was due on Friday, and Monday is late."""
    for name in ("alfa", "beta"):
        entry = replace(house.tenant(name), recipients=(Recipient(ME, working_days=(0, 1)),))
        house.app.store.put_tenant(entry, now=house.now)
    house.now = EIGHT + DAY
    waiting(house, ("beta", "m:1"), days=4)
    house.now = EIGHT + 2 * DAY - 5 * HOUR
    house.app.store.put_tenant(replace(house.tenant("alfa"), paused=True), now=house.now)
    mail_is_back(house)
    assert said(house) == [(WITHDRAWN, ["k:1", "m:1"]), (SENT, ["m:1"])]


def test_a_look_closes_one_item_of_a_waiting_digest_about_several_tenants(house: House) -> None:
    """The end is told with the rest of that digest, at night too, and nothing else with it."""
    late = ("beta", "z:1")
    secrets(house, ("beta", "m:1"))
    assert house.tick()
    house.now = EIGHT + 6 * DAY
    house.office.mood = BUSY
    secrets(house, ("beta", "m:1"))
    assert house.tick()
    house.now = EIGHT + 7 * DAY - 5 * HOUR
    house.read("beta", {
        ("beta", "m:1"): Thing("m", "s", EIGHT + 20 * DAY), late: Thing("z", "s", EIGHT + 37 * DAY)
    })  # fmt: skip
    house.read("alfa", {})
    standing = house.app.runs.standing()
    (run,) = standing.runs
    house.app.runs.write_over(run, standing, "alfa")
    rows = list(reversed(house.mails()))[1:]
    assert [row.state for row in rows] == [WITHDRAWN, PENDING]
    kinds = {(short(notice.uid), str(notice.kind)) for notice in rows[1].notices}
    assert kinds == {("k:1", "removed"), ("m:1", "reminder")}
    mail_is_back(house)
    assert [(letter.kind, letter.to) for letter in house.office.letters[1:]] == [("reminder", ME)]
    house.now = EIGHT + 7 * DAY
    assert house.tick()
    assert said(house)[3:] == [(SENT, ["z:1"])]
