"""Purging a tenant: afterwards no table holds its name or its directory's id."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import inspect, select, text

from monitor.model import (
    Acceptance,
    AlarmChange,
    Arrival,
    Attachment,
    CanaryResult,
    Confirmation,
    Copy,
    Draft,
    Item,
    Kind,
    Limit,
    Limits,
    MailKind,
    Note,
    ObjectType,
    ObservedCredential,
    ObservedObject,
    OutboxState,
    Owner,
    PolicyFound,
    Probe,
    Receipt,
    SealedValue,
    Sender,
    Snooze,
    UsageFound,
)
from monitor.model.acts import Action, AuditEntry, HandOver, Link
from monitor.routes import sender_scope
from monitor.store import AlarmWrite, Store
from monitor.store.links import digest_of
from monitor.store.purge import REDACTED
from monitor.store.tables import EXAMINATION, EXCHANGE_RESULT, LOST_ACCESS, METADATA, OBJECT, SLOT
from monitor.store.text import dump

GONE, STAYS = "go_ne", "goXne"  # LIKE would take the one for the other
IDS = {GONE: "9e9e0000-0000-4000-8000-00000000dead", STAYS: "9e9e0000-0000-4000-8000-00000000beef"}
DAY = "2026-03-02"
RUN = "ann@contoso.example|Europe/Berlin"


def traces(store: Store, *words: str) -> set[tuple[str, str]]:
    """Every table and column, by the database's own catalogue, in which one of the words stands."""
    found = set()
    with store._database.read() as connection:
        looked_at = 0
        for table in inspect(connection).get_table_names():
            for row in connection.execute(text(f'SELECT * FROM "{table}"')).mappings():
                looked_at += 1
                found |= {
                    (table, column)
                    for column, value in row.items()
                    if any(word.lower() in _shown(value).lower() for word in words)
                }
        assert looked_at > 20
    return found


def _shown(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


@pytest.fixture
def full(store: Store, make) -> Store:
    """Two tenants with a trace in every table, and a partner that names the one to go."""
    for name in (GONE, STAYS):
        _fill(store, make, name)
    partner = make.tenant("partner", directory_id="9e9e0000-0000-4000-8000-0000000000aa")
    store.put_tenant(replace(partner, partner=True), now=make.now)
    store.record_scan(make.scan(*_facts_of_the_partner(make), tenant="partner"), zone=make.zone)
    return store


def test_after_a_purge_no_table_holds_the_name_or_the_directory_id(full: Store, make) -> None:
    """Of the other tenant every trace stays."""
    before = traces(full, STAYS, IDS[STAYS])
    held = {table for table, _ in traces(full, GONE, IDS[GONE])}
    # A new table must be filled here, unless it holds nothing about tenants.
    assert set(METADATA.tables) - held == {
        "shared_app", "beat", "setup_link", "web_session", "heartbeat",
    }  # fmt: skip
    done = full.purge_tenant(GONE, now=make.now)
    assert traces(full, GONE, IDS[GONE]) == set()
    assert traces(full, STAYS, IDS[STAYS]) == before
    assert done is not None
    assert done.directory_id == IDS[GONE]
    assert done.counts == {
        "objects": 3, "credentials": 2, "scans": 2, "test mails": 1, "mails": 4, "notices": 3,
        "alarms": 2, "snoozes": 1, "runs": 2, "notes": 1, "items": 1,
        "sealed values": 1,
    }  # fmt: skip
    assert done.stripped == 1


def test_removing_alone_leaves_traces(full: Store) -> None:
    """The known-bad variant: what `tenant remove` keeps is found by the same look."""
    full.remove_tenant(GONE)
    found = traces(full, GONE, IDS[GONE])
    assert {
        ("outbox", "tenants"),
        ("outbox", "body_text"),
        ("directory_object", "home_tenant"),
    } <= (found)


def test_who_shared_a_sent_digest_is_not_told_again(full: Store, make) -> None:
    """The mail loses its words and its notice of the purged tenant, not the others'."""
    full.purge_tenant(GONE, now=make.now)
    told = full.told("ann@contoso.example", [STAYS])
    assert (STAYS, "shared", 1) in told
    [mail] = [one for one in full.outbox() if one.mail.subject == REDACTED]
    assert mail.state is OutboxState.SENT
    assert mail.tenants == (STAYS,)
    assert {notice.tenant for notice in mail.notices} == {STAYS}


def test_who_shared_a_waiting_digest_is_told_anew(full: Store, make) -> None:
    """It is deleted, nothing of it counts as told, and its recipient's run of the day is open."""
    assert _slots(full)[RUN] == [make.now - timedelta(days=1), make.now]
    full.purge_tenant(GONE, now=make.now)
    assert (STAYS, "waiting", 1) not in full.told("ann@contoso.example", [STAYS])
    assert _slots(full)[RUN] == [make.now - timedelta(days=1)]


def test_a_digest_shared_with_the_partner_counts_once(full: Store, make) -> None:
    """It names the tenant itself, and the partner's relationship with it."""
    notice = make.notice("r-1/gdap/r", tenant="partner")
    mail = make.mail(notice, tenants=(GONE, "partner"), state=OutboxState.SENT, sent_at=make.now)
    full.enqueue([_worded(mail, f"{GONE} r-1")])
    done = full.purge_tenant(GONE, now=make.now)
    assert done is not None
    assert done.stripped == 2
    assert traces(full, GONE, IDS[GONE]) == set()


def test_a_mail_in_flight_is_not_recorded_after_the_purge(full: Store, make) -> None:
    """Whoever was sending it finds its claim void, as after a lease that ran out."""
    [taken, *_] = full.claim(
        make.now, owner="me", lease=timedelta(minutes=5), owner_is_dead=lambda _: False, limit=50
    )
    full.purge_tenant(GONE, now=make.now)
    assert taken.lease_token is not None
    assert not full.mark_sent(taken.id, taken.lease_token, Receipt("250 ok", make.now))


def test_purging_the_partner_takes_its_name_out_of_its_customers(full: Store, make) -> None:
    """They stay watched, and whoever sends from its directory is named."""
    customer = make.tenant("customer", discovered_from=GONE, directory_id="x")
    user = make.tenant(
        "user", directory_id="y", sender=Sender("a@b.example", directory_id=IDS[GONE].upper())
    )
    for one in (customer, user):
        full.put_tenant(one, now=make.now)
    done = full.purge_tenant(GONE, now=make.now)
    assert full.tenant("customer") == replace(customer, discovered_from=None)
    assert done is not None
    assert done.named_by == ("user",)


def test_a_partners_mails_about_the_relationship_lose_their_words_too(full: Store, make) -> None:
    """Each mail counts once, also one that names the tenant as well."""
    [gdap] = full.credentials("partner")
    about = make.notice(gdap.uid, tenant="partner")
    for tenants in (("partner",), ("partner", GONE)):
        mail = make.mail(about, tenants=tenants, path="operator")
        sent = replace(_worded(mail, f"Customer {IDS[GONE]}"), state=OutboxState.SENT)
        full.enqueue([replace(sent, sent_at=make.now)])
    done = full.purge_tenant(GONE, now=make.now)
    assert traces(full, GONE, IDS[GONE]) == set()
    assert done is not None
    assert done.stripped == 3  # those two, and the digest that it shared with another tenant


def test_whom_only_rules_led_to_is_forgotten_too(full: Store, make) -> None:
    """An owner, its daily run and the mails at once; who hears of others as well stays."""
    owner, other, noc = f"kim@{GONE}.example", f"old@{GONE}.example", "noc@msp.example"
    people = (Owner("Kim", owner),)
    with full._database.write() as connection:
        led_to = {"people": dump(people), "notify": dump((f"team@{GONE}.example",))}
        connection.execute(OBJECT.update().where(OBJECT.c.tenant == GONE).values(**led_to))
    sent = {"state": OutboxState.SENT, "sent_at": make.now}
    for who, tenant in ((other, GONE), (noc, GONE), (noc, STAYS)):
        notice = make.notice(tenant=tenant, recipient=who)
        full.enqueue([make.mail(notice, recipient=who, tenants=(tenant,), **sent)])
    for who in (owner, other, noc, f"team@{GONE}.example"):
        for job in ("warn", "at_once"):
            _take(full, make, job, f"{who}|Europe/Berlin")
        full.reserve(f"alarms:{who}", now=make.now, limit=9, period=timedelta(hours=1))
    full.purge_tenant(GONE, now=make.now)
    assert traces(full, GONE) == set()
    assert f"{noc}|Europe/Berlin" in _slots(full)


def test_purging_nobody_changes_nothing(full: Store, make) -> None:
    """None says that there is no such tenant."""
    before = traces(full, GONE, STAYS)
    assert full.purge_tenant("nobody", now=make.now) is None
    assert traces(full, GONE, STAYS) == before


def _facts_of_the_partner(make) -> list[ObservedObject]:
    end = make.now + timedelta(days=30)
    gdap = ObservedCredential(Kind.GDAP, "r", None, "Customer", make.now, end)
    relationship = ObservedObject(
        ObjectType.RELATIONSHIP, "r-1", None, "Access", (gdap,), home_tenant=IDS[GONE]
    )
    vendor = ObservedObject(
        ObjectType.SERVICE_PRINCIPAL, "sp-1", "c", "Vendor", home_tenant=IDS[GONE]
    )
    return [relationship, vendor]


def _fill(store: Store, make, name: str) -> None:
    _fill_scans(store, make, name)
    _fill_canaries(store, make, name)
    _fill_rest(store, make, name)
    if name != GONE:
        _fill_shared(store, make, name)


def _fill_scans(store: Store, make, name: str) -> None:
    mailbox, one = Sender(f"noreply@{name}.example"), timedelta(hours=1)
    store.put_tenant(make.tenant(name, directory_id=IDS[name], sender=mailbox), now=make.now)
    store.reserve(f"mailbox:{mailbox.mailbox}", now=make.now, limit=9, period=one)
    read = make.scan(make.app("app-1", make.secret()), tenant=name)
    usage = UsageFound(make.now, {"key-1": make.now})
    policy = PolicyFound(make.now, own={"app-1": Limits(Limit(timedelta(days=30)))})
    store.record_scan(replace(read, usage=usage, policy=policy), zone=make.zone)
    store.put_note(Note(name, "App*", where=(f"KeePass of {name}",)))
    contract = Item(name, "Contract", end=make.now + timedelta(days=40))
    store.put_item(contract, zone=make.zone, now=make.now)
    scope = f"tenant:{name}"
    failed = make.scan(tenant=name, complete=False, hours=1, problem=f"{name} {IDS[name]}")
    store.record_scan(
        failed, zone=make.zone, alarm=_alarm(make, MailKind.CANNOT_CHECK, scope, name)
    )
    store.put_snooze(Snooze(name, "app-1/secret/key-1", 1, "ann", f"about {name}", make.now))
    store.put_acceptance(Acceptance(name, "ann", f"about {name}", make.now))


def _fill_canaries(store: Store, make, name: str) -> None:
    sender = sender_scope(name, "m@x.example")
    probe = Probe(
        name, "m@x.example", make.now, make.now, CanaryResult.OK, "data", "ok", f"250 {IDS[name]}"
    )
    copy = Copy(f"canary-of-{name}", f"it@{name}.example", f"<c@{name}.example>", make.now)
    until = make.now + timedelta(minutes=30)
    looked_for = [Arrival(copy, name, "m@x.example", "graph", until, evidence=IDS[name])]
    alarm = _alarm(make, MailKind.CANARY_FAILED, sender, name)
    store.record_probe(probe, alarm, arrivals=looked_for)
    _take(store, make, "scan", name)
    _take(store, make, "canary", sender)
    store.put_sealed(SealedValue(name, "secret", "k", b"w", b"v", make.now), tenant=name)


def _fill_rest(store: Store, make, name: str) -> None:
    with store._database.write() as connection:
        row = {"tenant": name, "since": make.now, "problem": f"{name} is gone"}
        connection.execute(LOST_ACCESS.insert().values(**row))
        for table in (EXAMINATION, EXCHANGE_RESULT):
            found = {"tenant": name, "at": make.now, "document": IDS[name]}
            connection.execute(table.insert().values(**found))
    store.put_confirmation(Confirmation(name, "m@x.example", make.now, f"it@{name}.example"))
    drafted = Draft(name, {"directory_id": IDS[name]})
    store.put_draft(drafted, now=make.now)
    store.put_draft(replace(drafted, name=f"draft-of-{len(name)}-{IDS[name][-2:]}"), now=make.now)
    alone = make.mail(make.notice(tenant=name), tenants=(name,))
    store.enqueue([_acted_upon(_worded(alone, f"{name} {IDS[name]}"), make, name)])
    _hand_over(store, make, name, alone.id)
    store.put_audit(AuditEntry(make.now, "ann", "snooze", name, f"of {name}", "", "command"))


def _fill_shared(store: Store, make, name: str) -> None:
    both = tuple(sorted((name, GONE)))
    words = " ".join([*both, IDS[GONE]])
    for uid, state in (("shared", OutboxState.SENT), ("waiting", OutboxState.PENDING)):
        notices = [make.notice(uid, tenant=one) for one in both]
        mail = make.mail(*notices, tenants=both, path="operator", run_key=f"{RUN}|{DAY}")
        sent = make.now if state is OutboxState.SENT else None
        mail = _acted_upon(replace(_worded(mail, words), state=state, sent_at=sent), make, STAYS)
        store.enqueue([mail])
    for day in (make.now - timedelta(days=1), make.now):
        _take(store, make, "warn", RUN, day)
        store.finish_slot("warn", RUN, day, day)


def _acted_upon(mail: Any, make, name: str) -> Any:
    """With a file that says the same, and a link that somebody has handed a credential over by."""
    file = Attachment("all.csv", "text/csv", mail.mail.text.encode())
    link = Link(
        digest_of(mail.id), name, mail.id, 1, Action.HAND_OVER, f"it@{name}.example", make.now,
        make.now + timedelta(days=30),
    )  # fmt: skip
    return replace(mail, mail=replace(mail.mail, attachments=(file,)), links=(link,))


def _hand_over(store: Store, make, name: str, mail_id: str) -> None:
    link = store.link(digest_of(mail_id))
    assert link is not None
    entry = AuditEntry(make.now, "ann", "hand over", name, "", "", "mail link")
    given = HandOver(name, "app-1/secret/key-1", 1, f"bob@{name}.example", "", "ann", make.now)
    assert store.use_link(link, entry, hand_over=given)


def _worded(mail: Any, words: str) -> Any:
    return replace(mail, mail=replace(mail.mail, subject=words, text=words, html=words))


def _alarm(make, kind: MailKind, scope: str, name: str) -> AlarmWrite:
    mail = _worded(make.mail(kind=kind, scope=scope, tenants=(name,)), name)
    return AlarmWrite(AlarmChange.OPEN, scope, make.now, (mail,))


def _take(store: Store, make, job: str, scope: str, at: datetime | None = None) -> None:
    store.take_slot(
        job, scope, at or make.now, now=make.now, owner="me", lease=timedelta(minutes=5),
        owner_is_dead=lambda _: False,
    )  # fmt: skip


def _slots(store: Store) -> dict[str, list[datetime]]:
    with store._database.read() as connection:
        rows = connection.execute(select(SLOT).order_by(SLOT.c.slot_at)).all()
    found: dict[str, list[datetime]] = {}
    for row in rows:
        found.setdefault(row.scope, []).append(row.slot_at.astimezone(UTC))
    return found
