"""Storm guard: hundreds of alarms at once are a handful of mails, and none of them is lost."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from monitor.deliver import Deliverer, Outcome
from monitor.model import AlarmChange, CanaryResult, MailKind, OutboxMail, OutboxState, Probe
from monitor.recipients import Audience
from monitor.routes import Paths, sender_scope
from monitor.rulebooks import rulebook
from monitor.store import AlarmWrite, Store
from monitor.store.storms import MANY, distance, singles
from monitor.storms import StormGuard
from tests.integration.conftest import Make
from tests.integration.post_room import LOST_ANSWER, OPERATOR, PASSING, Post, Room, room, there
from tests.mail_samples import renderer

__all__ = ["room"]  # a fixture
NOC = "noc@msp.example"
PER_HOUR = 10
BERLIN = Audience(time_zone="Europe/Berlin")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@dataclass
class Weather:
    """A store, a post, and tenants that fail and come back."""

    store: Store
    post: Post
    make: Make
    now: datetime = Make.now
    guarded: bool = True
    ways: Paths = field(default_factory=lambda: there(OPERATOR))

    def watch(self, count: int) -> list[str]:
        """So many tenants."""
        names = [f"t{number:03d}" for number in range(count)]
        for name in names:
            self.store.put_tenant(self.make.tenant(name), now=self.now)
        return names

    def fails(
        self, *names: str, to: str = NOC, cause: str = "tcp_refused", alarm: bool = True
    ) -> None:
        """A scan of each fails, and opens its alarm."""
        for name in names:
            hours = (self.now - Make.now) / HOUR
            failed = self.make.scan(
                tenant=name, complete=False, hours=hours, cause=cause, problem="refused"
            )
            opened = self.alarm(AlarmChange.OPEN, name, to) if alarm else None
            self.store.record_scan(failed, zone=self.make.zone, alarm=opened)

    def refuses(self, name: str, *, stage: str, evidence: str) -> None:
        """A tenant's sender fails, and opens its alarm."""
        box = f"a@{name}.example"
        probe = Probe(
            name, box, self.now, self.now, CanaryResult.FAILED, stage, "connect_refused", evidence
        )
        scope = sender_scope(name, box)
        mail = self.make.mail(
            kind=MailKind.CANARY_FAILED, recipient=NOC, tenants=(name,), path=OPERATOR,
            scope=scope, date=self.now,
        )  # fmt: skip
        self.store.record_probe(probe, AlarmWrite(AlarmChange.OPEN, scope, self.now, (mail,)))

    def heals(self, *names: str) -> None:
        """A scan of each is complete, and closes its alarm."""
        for name in names:
            self.store.write_alarm(self.alarm(AlarmChange.CLOSE, name, NOC))

    def alarm(self, change: AlarmChange, name: str, to: str) -> AlarmWrite:
        """What a scan job would write."""
        over = change is AlarmChange.CLOSE
        kind = MailKind.RECOVERED if over else MailKind.CANNOT_CHECK
        scope = f"tenant:{name}"
        mail = self.make.mail(
            kind=kind, recipient=to, tenants=(name,), path=OPERATOR, scope=scope, date=self.now
        )
        return AlarmWrite(change, scope, self.now, (mail,))

    def deliver(self) -> Outcome:
        """One round."""
        guard = StormGuard(
            self.store, renderer=renderer(), rulebook=rulebook(None), audience=BERLIN,
            paths=lambda: self.ways, clock=lambda: self.now, per_hour=PER_HOUR,
        )  # fmt: skip
        return Deliverer(
            self.store, paths=lambda: self.ways, connect=self.post.connect,
            clock=lambda: self.now, owner="me|1", guard=guard.run if self.guarded else None,
        ).run()  # fmt: skip

    def live(self, length: timedelta, step: timedelta = MINUTE) -> None:
        """Rounds until so much time has passed."""
        end = self.now + length
        while self.now < end:
            self.deliver()
            self.now += step

    def told(self) -> list[str]:
        """The tenants that were told of, once for each time."""
        return [name for _, mail in self.post.accepted for name in mail.tenants]

    def heard(self, names: list[str]) -> bool:
        """Whether the recipient counts as told of each."""
        return all(self.store.heard(f"tenant:{name}") == (NOC,) for name in names)


@pytest.fixture
def weather(room: Room, make: Make) -> Weather:
    """On SQLite."""
    return Weather(room.store, Post(), make)


def test_both_databases_gather_alike(store: Store, make: Make) -> None:
    """Some by themselves, the rest in one, and the end of all of them in one."""
    weather = Weather(store, Post(), make)
    names = weather.watch(20)
    weather.fails(*names)
    weather.deliver()
    assert len(weather.post.accepted) == singles(PER_HOUR) + 1
    assert weather.heard(names)
    weather.now += 15 * MINUTE
    weather.heals(*names)
    weather.deliver()
    assert sorted(weather.told()) == sorted(names * 2)


def test_a_dead_uplink_at_500_tenants_is_a_handful_of_mails(weather: Weather) -> None:
    """Some by themselves, the rest in one; each tenant is told of once and counts as told."""
    names = weather.watch(500)
    weather.fails(*names)
    weather.deliver()
    mails = [mail for _, mail in weather.post.accepted]
    assert len(mails) == singles(PER_HOUR) + 1 == 7
    assert sorted(weather.told()) == names
    assert weather.heard(names)
    last = mails[-1]
    said = "494 tenants cannot be read since 08:00"
    assert last.mail.subject == f"[Lapsewatch] CANNOT CHECK: {said}"
    assert all(name in last.mail.text for name in last.tenants)
    assert len(last.mail.html.encode()) < 95_000


def test_the_recoveries_are_one_mail_as_well(weather: Weather) -> None:
    """They come in the same hour, so that nothing is left but a turn."""
    names = weather.watch(100)
    weather.fails(*names)
    weather.live(20 * MINUTE)
    before = len(weather.post.accepted)
    weather.heals(*names)
    weather.deliver()
    after = [mail for _, mail in weather.post.accepted[before:]]
    assert [mail.mail.kind for mail in after] == [MailKind.RECOVERED]
    assert sorted(after[0].tenants) == names
    said = "100 tenants work again after 20 min"
    assert after[0].mail.subject == f"[Lapsewatch] RECOVERED: {said}"


def test_the_end_is_told_with_the_times_of_what_ended(weather: Weather) -> None:
    """Also where a tenant fails anew before the mail about its end is written."""
    names = weather.watch(20)
    weather.fails(*names, cause="connect_refused")
    weather.live(20 * MINUTE)
    weather.heals(*names)
    weather.now += MINUTE
    weather.fails(names[0], alarm=False)
    weather.deliver()
    text = weather.post.accepted[-1][1].mail.text
    assert "What had failed: connect refused\n" in text
    assert "Failed since: Mon 2 Mar 2026, 08:00 CET\n" in text
    assert "Working again since: Mon 2 Mar 2026, 08:20 CET\n" in text


def test_tenants_and_senders_are_told_which_host_refuses(weather: Weather) -> None:
    """Entra refuses the tenants and one sender's token, Exchange the other senders."""
    weather.ways = Paths(
        {OPERATOR: ("op",), "tenant:t001": ("mail.example", "587", "a@t001.example")}
    )
    names = weather.watch(20)
    weather.fails(*names, cause="connect_refused")
    weather.refuses("t000", stage="token", evidence="login.x refused the connection.")
    weather.refuses("t001", stage="tcp", evidence="192.0.2.1: Connection refused")
    weather.deliver()
    text = weather.post.accepted[-1][1].mail.text
    reading, of_token, sending = text.split("Connect refused: ")[1:]
    assert "port 443" in reading
    assert "port 443" in of_token
    assert "smtp.office365.com:587" in sending
    assert "What was seen: mail[.]example:587: 192.0.2.1: Connection refused" in sending
    assert "587" not in reading + of_token


def test_without_the_guard_it_would_be_a_mail_each(weather: Weather) -> None:
    """The known-bad variant."""
    weather.guarded = False
    weather.fails(*weather.watch(40))
    weather.deliver()
    assert len(weather.post.accepted) == 40


def test_a_storm_that_grows_slowly_stays_within_the_hours_mails(weather: Weather) -> None:
    """Two more each second minute: never more than ten mails in any hour."""
    names = weather.watch(60)
    sent: list[datetime] = []
    for step in range(45):
        weather.fails(*names[step * 2 : step * 2 + 2])
        sent += [weather.now] * len(weather.deliver().sent)
        weather.now += 2 * MINUTE
    assert max(sum(at <= other < at + HOUR for other in sent) for at in sent) <= PER_HOUR
    assert sorted(weather.told()) == names
    assert weather.heard(names)


def test_nobody_waits_longer_than_the_distance_of_two_gathered_mails(weather: Weather) -> None:
    """With ten mails an hour a quarter of one."""
    names = weather.watch(60)
    weather.fails(*names[:50])
    weather.deliver()
    weather.now += MINUTE
    weather.fails(*names[50:])
    weather.live(distance(PER_HOUR))
    assert distance(PER_HOUR) == 15 * MINUTE
    assert sorted(weather.told()) == names


def test_an_alarm_by_itself_is_told_by_itself(weather: Weather) -> None:
    """Ten alarms through a day are ten mails, each with all of its words."""
    names = weather.watch(10)
    for name in names:
        weather.fails(name)
        weather.deliver()
        weather.now += HOUR
    assert [mail.tenants for _, mail in weather.post.accepted] == [(name,) for name in names]
    assert all(mail.scope != MANY for _, mail in weather.post.accepted)


def test_each_recipient_has_an_hour_of_their_own(weather: Weather) -> None:
    """A storm for one is no silence for another."""
    names = weather.watch(51)
    weather.fails(*names[:50])
    weather.fails(names[50], to="ann@contoso.example")
    weather.deliver()
    assert [m.tenants for _, m in weather.post.accepted if m.recipient != NOC] == [(names[50],)]


def test_what_is_over_while_it_waits_is_not_told(weather: Weather) -> None:
    """The path is down: the gathered mail is written anew without the one that heals."""
    names = weather.watch(20)
    weather.post.answer = lambda path, mail: PASSING
    weather.fails(*names)
    weather.deliver()
    weather.heals(*names[:15])
    weather.post.answer = lambda path, mail: None
    weather.live(HOUR, 5 * MINUTE)
    assert sorted(weather.told()) == names[15:]
    assert all(mail.mail.kind is MailKind.CANNOT_CHECK for _, mail in weather.post.accepted)


def test_one_that_may_have_been_accepted_goes_again_as_it_is(weather: Weather) -> None:
    """The answer was lost: the same mail, with the same Message-ID, and nobody twice in others."""
    names = weather.watch(30)
    lose = {MANY}

    def answer(path: str, mail: OutboxMail) -> Exception | None:
        return LOST_ANSWER if mail.scope in lose else None

    weather.post.answer = answer
    weather.fails(*names)
    weather.deliver()
    assert weather.heard(names)
    lose.clear()
    weather.heals(names[-1])
    weather.live(HOUR, 5 * MINUTE)
    [many] = [mail for _, mail in weather.post.accepted if mail.scope == MANY]
    assert many.possible_duplicate
    assert names[-1] in many.tenants
    ends = [m.tenants for _, m in weather.post.accepted if m.mail.kind is MailKind.RECOVERED]
    assert ends == [(names[-1],)]


def test_a_sender_that_dies_with_the_gathered_mail_sends_it_again(weather: Weather) -> None:
    """Whoever claims it next has the same bytes; its alarms are not gathered a second time."""
    names = weather.watch(30)
    weather.fails(*names)
    heaps = weather.store.gather(weather.now, per_hour=PER_HOUR)
    guard = StormGuard(
        weather.store, renderer=renderer(), rulebook=rulebook(None), audience=BERLIN,
        paths=lambda: weather.ways, clock=lambda: weather.now, per_hour=PER_HOUR,
    )  # fmt: skip
    assert len(heaps) == 1
    weather.now += 15 * MINUTE  # the process died before it wrote: the next turn tells it
    guard.run()
    taken = weather.store.claim(
        weather.now, owner="gone|1", lease=MINUTE, owner_is_dead=lambda _: False, gated=True
    )
    assert MANY in {mail.scope for mail in taken}
    weather.now += HOUR
    weather.deliver()
    assert sorted(weather.told()) == names
    assert weather.heard(names)


def test_daily_digests_are_never_held_back(weather: Weather) -> None:
    """A hundred warnings to one address are its hundred warnings."""
    mails = [weather.make.mail(recipient=NOC, path=OPERATOR) for _ in range(100)]
    weather.store.enqueue(mails)
    weather.fails(*weather.watch(100))
    weather.deliver()
    sent = {mail.id for _, mail in weather.post.accepted}
    assert {mail.id for mail in mails} <= sent


def test_a_gathered_mail_whose_tenant_is_removed_is_written_anew(weather: Weather) -> None:
    """Its alarm goes with the tenant; the others are still told."""
    names = weather.watch(20)
    weather.post.answer = lambda path, mail: PASSING
    weather.fails(*names)
    weather.deliver()
    weather.store.purge_tenant(names[-1], now=weather.now)
    weather.post.answer = lambda path, mail: None
    weather.live(HOUR, 5 * MINUTE)
    assert sorted(weather.told()) == names[:-1]


def test_a_tenants_own_path_is_never_gathered(weather: Weather, make: Make) -> None:
    """It may not carry another tenant's name, so each of its alarms goes by itself."""
    names = weather.watch(20)
    weather.ways = there(*(f"tenant:{name}" for name in names))
    for name in names:
        write = weather.alarm(AlarmChange.OPEN, name, NOC)
        own = tuple(replace(mail, path=f"tenant:{name}") for mail in write.mails)
        weather.store.write_alarm(replace(write, mails=own))
    weather.deliver()
    assert all(len(mail.tenants) == 1 for _, mail in weather.post.accepted)
    assert len(weather.post.accepted) == 20


def test_the_rows_of_a_told_heap_are_sent(weather: Weather) -> None:
    """So the page counts nothing that waits."""
    names = weather.watch(30)
    weather.fails(*names)
    weather.deliver()
    states = {row.state for row in weather.store.outbox(limit=200)}
    assert states == {OutboxState.SENT}
