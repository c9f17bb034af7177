"""The forecast says what the real runs then say, day by day, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from monitor.compose import Composer
from monitor.config import PRESETS
from monitor.explain import explain
from monitor.forecast import Outlook, forecast
from monitor.model import (
    NO_RULES,
    HeldSlot,
    Kind,
    Mail,
    MailKind,
    NoticeKey,
    ObjectType,
    ObservedCredential,
    ObservedObject,
    OutboxMail,
    Policy,
    Receipt,
    Recipient,
    Scan,
    ScanRecord,
    Snooze,
    Stage,
    Tenant,
    credential_uid,
)
from monitor.recipients import Audience, RecipientRun
from monitor.render import Renderer
from monitor.routes import Paths
from monitor.runs import Runs
from monitor.store import Store
from tests.integration.conftest import Make
from tests.integration.forecast_worlds import NOTES, NOW, PEOPLE, Held, Place, policies, worlds

SCANNED, EVERY = NOW.replace(minute=0), timedelta(hours=6)  # on the quarters that tick
NUMBERS = count()
DAYS = 24  # the clocks of America and Europe change in these weeks
QUARTER = timedelta(minutes=15)
NAMES = ("adatum", "contoso", "fabrikam")
Said = tuple[datetime, str, str, str, str, str]  # at, to, kind, stage, tenant, uid
First = dict[tuple[str, str, str], tuple[datetime, str, str]]  # tenant, uid, to -> at, kind, stage


@dataclass
class Scene:
    """A store, the runs over it, and a clock."""

    store: Store
    audience: Audience
    now: datetime = NOW
    done: dict[str, datetime] = field(default_factory=dict)
    known: tuple[RecipientRun, ...] = ()
    job: str = field(default_factory=lambda: f"at_once {next(NUMBERS)}")  # slots outlive a scene

    @cached_property
    def runs(self) -> Runs:
        """The product's own runs; the operator has the one path there is."""
        return Runs(
            self.store,
            composer=Composer(renderer=Renderer(clouds=PRESETS), audience=self.audience),
            audience=self.audience,
            operator_sender=None,
            paths=lambda *_: Paths({"operator": ("noc@msp.example",)}),
            clock=lambda: self.now,
        )

    def send(self) -> list[OutboxMail]:
        """Everything that waits is accepted by a server."""
        claimed = self.store.claim(
            self.now, owner="me", lease=QUARTER, owner_is_dead=lambda _: False, limit=500
        )
        for mail in claimed:
            assert self.store.mark_sent(mail.id, mail.lease_token or "", Receipt("250", self.now))
        return claimed

    def tick(self) -> Iterator[Said]:
        """What the job does each minute: every run that is due and not done."""
        if not self.is_due():
            return
        standing = self.runs.standing()
        for run in standing.runs:
            slot = run.slot(self.now)
            if slot is None or self.done.get(run.scope) == slot:
                continue
            self.runs.write(run, standing)
            self.done[run.scope] = slot
            yield from self.said()

    def at_once(self) -> Iterator[Said]:
        """What the job does after a scan, for those who wish to be told at once."""
        standing = self.runs.standing()
        for each in standing.runs:
            if (run := each.urgent(self.now)).tenants:
                slot = HeldSlot(self.job, run.scope, self.now, "me")
                assert self.store.take_slot(
                    slot.job, slot.scope, slot.slot_at, now=self.now, owner="me", lease=QUARTER,
                    owner_is_dead=lambda _: False,
                )  # fmt: skip
                self.runs.write_urgent(run, standing, slot)
                yield from self.said()

    def said(self) -> Iterator[Said]:
        """What the mails that go now say."""
        for mail in self.send():
            for one in mail.notices:
                welcome = mail.mail.kind is MailKind.WELCOME
                kind = MailKind.WELCOME if welcome else one.kind
                yield self.now, mail.recipient, kind, one.stage, one.tenant, one.uid

    def is_due(self) -> bool:
        """Whether any run is; asked of the roster alone, because it is asked often."""
        slots = {run.scope: run.slot(self.now) for run in self.known}
        return any(slot is not None and self.done.get(key) != slot for key, slot in slots.items())

    def lived(self) -> list[Said]:
        """All that is said until the end, tick by tick."""
        self.known = tuple(self.runs.standing().runs)
        said = list(self.tick())
        end, self.now = NOW + timedelta(days=DAYS), NOW.replace(minute=15)
        urgent = any(run.at_once for run in self.known)
        scans = {SCANNED + step * EVERY for step in range(DAYS * 4)}
        while self.now <= end:
            said += self.tick()
            if urgent and self.now in scans:
                said += self.at_once()
            self.now += QUARTER
        return sorted(said)


NOC = Audience(recipients=(Recipient("noc@msp.example"),), time_zone="Europe/Berlin")


def scene(store: Store, world: list[Place], policy: Policy = NO_RULES) -> Scene:
    """The world in the store, in place of what was there."""
    found = Scene(store, replace(NOC, policy=policy))
    for tenant in store.tenants():
        store.remove_tenant(tenant.name)
    for name, place in zip(NAMES, world, strict=False):
        _put(store, name, place)
    found.send()
    return found


def _put(store: Store, name: str, place: Place) -> None:
    shadow = None if place.shadow is None else NOW + timedelta(hours=place.shadow)
    tenant = replace(
        Make().tenant(name), directory_id=name, time_zone=place.zone, send_hour=place.hour,
        thresholds=place.thresholds, weekly_after_lapse=place.weeks, shadow_until=shadow,
        recipients=place.recipients,
    )  # fmt: skip
    store.put_tenant(tenant, now=NOW)
    objects = [_app(at, place) for at in (0, 1)]
    own = frozenset(_uid(number, one) for number, one in enumerate(place.held) if one.own)
    scan = Scan(ScanRecord(name, SCANNED, SCANNED, complete=True), tuple(objects))
    store.record_scan(scan, zone=ZoneInfo(place.zone), own=own)
    for number, one in enumerate(place.held):
        if one.silence is not None:
            store.put_snooze(_snooze(tenant, _uid(number, one), *one.silence))
        if one.told is not None and place.recipients:
            store.enqueue([_told(tenant, _uid(number, one), *one.told)])


def _app(at: int, place: Place) -> ObservedObject:
    mine = [(number, one) for number, one in enumerate(place.held) if one.place == at]
    about = mine[0][1] if mine else Held(at, Kind.SECRET, None)
    return ObservedObject(
        ObjectType.APPLICATION, f"app-{at}", f"client-{at}", f"App {at}",
        tuple(_observed(number, one) for number, one in mine),
        people=PEOPLE[about.people], notify=NOTES[about.notes],
    )  # fmt: skip


def _observed(number: int, one: Held) -> ObservedCredential:
    start = NOW + timedelta(days=-400 if one.started else 9)
    end = None if one.hours is None else NOW + timedelta(hours=one.hours)
    return ObservedCredential(one.kind, f"key-{number}", f"key-{number}", "x", start, end)


def _uid(number: int, one: Held) -> str:
    return credential_uid(f"app-{one.place}", one.kind, f"key-{number}")


def _snooze(tenant: Tenant, uid: str, last: int | None, acked: int | None) -> Snooze:
    until = None if last is None else NOW + timedelta(hours=last)
    sure = last is not None and last % 2 == 0
    return Snooze(tenant.name, uid, 1, "kim", "on it", NOW, until, acked, confirmed=sure)


def _told(tenant: Tenant, uid: str, who: int, level: int) -> OutboxMail:
    to = tenant.recipients[who % len(tenant.recipients)].address
    stage = str(Stage(level))
    notice = NoticeKey(tenant.name, uid, 1, to, stage, level, MailKind.REMINDER)
    mail = Mail(MailKind.REMINDER, "x", "x", "x")
    row = f"{tenant.name}{uid}"
    return OutboxMail(row, mail, to, (tenant.name,), "operator", row, NOW, notices=(notice,))


def foreseen(known: Outlook) -> list[Said]:
    """The forecast in the shape of what is lived."""
    coming = forecast(known, now=NOW, until=NOW + timedelta(days=DAYS))
    rows = [(c.at, c.to, c.kind, str(c.stage), c.tenant, c.credential.uid) for c in coming]
    assert [row[:2] for row in rows] == [row[:2] for row in sorted(rows)]
    return sorted(rows)


def explained(found: Scene, bad: Callable[[Outlook], Outlook] = lambda known: known) -> First:
    """What `explain` says of every credential: who hears of it next, when and as what."""
    first: First = {}
    for tenant in found.store.tenants():
        known = bad(found.runs.outlook({}, only=tenant.name))
        for one in known.credentials[tenant.name]:
            for hearer in explain(one, tenant, known, NOW).hearers:
                come = hearer.next
                if come and come.at <= NOW + timedelta(days=DAYS):
                    key = (tenant.name, one.uid, come.to.casefold())
                    first[key] = (come.at, str(come.kind), str(come.stage))
    return first


def first_of(said: Iterable[Said]) -> First:
    """The first word to each about each credential, in the shape of `explained`."""
    first: First = {}
    for at, to, kind, stage, tenant, uid in sorted(said):
        first.setdefault((tenant, uid, to.casefold()), (at, str(kind), stage))
    return first


def check(store: Store, world: list[Place], policy: Policy = NO_RULES) -> None:
    """What is foreseen and what is explained is what is lived."""
    found = scene(store, world, policy)
    expected, reasons = foreseen(found.runs.outlook({})), explained(found)
    lived = found.lived()
    assert lived == expected
    assert first_of(lived) == reasons


@given(world=worlds, policy=policies)
@settings(
    max_examples=10, deadline=None, derandomize=True, database=None,
    phases=[Phase.generate],  # the search for the smallest example takes minutes here
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
def test_what_is_foreseen_is_what_the_runs_then_say(
    store: Store, world: list[Place], policy: Policy
) -> None:
    """Whatever the facts, stages, snoozes, zones, shadows, rules, wishes and what was told."""
    check(store, world, policy)


# --- the check can fail ---------------------------------------------------------------------------

BOTH = (Recipient("a@m.example"), Recipient("b@m.example", "Pacific/Apia"))
EVENTFUL = [
    Place(
        "Europe/Berlin", 8, (60, 30, 14, 7, 3, 1, 0), 4, 10 * 24, BOTH,
        (
            Held(0, Kind.SECRET, 9 * 24, told=(0, -30)),
            Held(1, Kind.SECRET, 16 * 24 + 3),
            Held(0, Kind.CERTIFICATE, -40 * 24),
            Held(1, Kind.CERTIFICATE, 5 * 24, silence=(4 * 24, None)),
        ),
    ),
    Place("UTC", 6, (30, 14, 7, 1, 0), 1, None, BOTH[:1], (
        Held(0, Kind.SECRET, 13 * 24), Held(0, Kind.CERTIFICATE, 8 * 24, silence=(None, -14)),
    )),
    Place("America/New_York", 8, (60, 30, 14), 2, None, (Recipient("A@m.example"),), (
        Held(0, Kind.SECRET, 40 * 24),  # due, although it ends after all that is foreseen
        Held(1, Kind.SECRET, 20 * 24, own=True), Held(1, Kind.SECRET, 300 * 24),
        Held(0, Kind.CERTIFICATE, 6 * 24), Held(0, Kind.CERTIFICATE, 300 * 24),
    )),
]  # fmt: skip


def without_ledger(known: Outlook) -> Outlook:
    """Forgets what was told before."""
    return replace(known, told={})


def without_silence(known: Outlook) -> Outlook:
    """Knows nothing of snoozes and acknowledgements."""
    return replace(known, snoozes={})


def by_utc(known: Outlook) -> Outlook:
    """Every recipient in one zone."""
    return replace(known, runs=[replace(run, zone="UTC") for run in known.runs])


def done_today(known: Outlook) -> Outlook:
    """Takes a run of today for done that is not."""
    slots = {run.scope: slot for run in known.runs if (slot := run.slot(NOW))}
    return replace(known, done=slots)


BAD = [Outlook.live, without_ledger, without_silence, by_utc, done_today]


def test_an_eventful_month_is_foreseen(store: Store) -> None:
    """Two welcomes and a dozen reminders, so that the check has something to find."""
    check(store, EVENTFUL)
    kinds = [kind for _, _, kind, *_ in foreseen(scene(store, EVENTFUL).runs.outlook({}))]
    assert kinds.count("welcome") >= 3
    assert len(kinds) > 15


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_a_forecast_from_other_premises_is_wrong(
    store: Store, bad: Callable[[Outlook], Outlook]
) -> None:
    """Each of these is a fault that the comparison above must notice."""
    known = scene(store, EVENTFUL).runs.outlook({})
    assert foreseen(bad(known)) != foreseen(known)


@pytest.mark.parametrize("bad", [Outlook.live, without_silence], ids=lambda bad: bad.__name__)
def test_an_explanation_from_other_premises_is_wrong(
    store: Store, bad: Callable[[Outlook], Outlook]
) -> None:
    """The first word to each differs, so the comparison above notices it."""
    show = scene(store, EVENTFUL)
    assert explained(show, bad) != explained(show)


def test_a_run_that_was_done_today_is_not_foreseen_again(store: Store) -> None:
    """And one that is due and was not done is made up at once."""
    known = scene(store, EVENTFUL).runs.outlook({})
    assert next(said[0] for said in foreseen(known)) == NOW
    assert next(said[0] for said in foreseen(done_today(known))) > NOW


def test_live_foresees_the_reminders_of_a_tenant_as_if_its_shadow_ended_now(store: Store) -> None:
    """Nothing is a welcome then; the other tenants are as they were."""
    runs = scene(store, EVENTFUL).runs
    live = foreseen(runs.outlook({}).live())
    assert not [kind for _, _, kind, *_ in live if kind == "welcome"]
    other = [said for said in foreseen(runs.outlook({})) if said[4] == "contoso"]
    assert [said for said in live if said[4] == "contoso"] == other
    assert foreseen(runs.outlook({}, only="contoso")) == other
