"""The product in a folder of its own, as a series of processes that may be killed.

Nothing of it is replaced: the settings are a file, the database is real, mail goes to a server on
loopback, and a kill is a clock that never comes back from one of its readings.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from jobs.send_warnings import send_warnings
from monitor import process, silences
from monitor.config import load
from monitor.lifecycle import OwnCredential
from monitor.model import (
    CredentialRef,
    Kind,
    MailKind,
    ObjectType,
    ObservedCredential,
    ObservedObject,
    OutboxMail,
    OutboxState,
    Recipient,
    Scan,
    ScanRecord,
    Snooze,
    Tenant,
    UsageFound,
    credential_uid,
)
from monitor.wiring import App
from tests.faults.office import Office
from tests.faults.sayings import OVER, Say, Thing, Uid

SETTINGS = """
[database]
url = "{url}"
[operator]
recipients = ["noc@msp.example"]
time_zone = "UTC"
send_hour = 8
[operator.sender]
mailbox = "noc@msp.example"
smtp = {{ host = "127.0.0.1", port = {port}, tls = "none" }}
"""
SAID = (MailKind.REMINDER, MailKind.LAPSED, MailKind.COVERED, MailKind.RENEWED, MailKind.REMOVED)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
CROWD = 24  # credentials without an end, so that a few that go are no landslide


class Killed(BaseException):
    """The process is gone; nobody in it hears of that."""


@dataclass
class House:
    """The product, the clock on its wall, and the ways people change what it sees."""

    folder: Path
    url: str
    office: Office
    now: datetime
    app: App = field(init=False)
    kill_at: int | None = None  # the reading of the clock that is the process's last
    readings: int = 0
    ours: Uid | None = None  # what the product signs in with

    def __post_init__(self) -> None:
        settings = self.folder / "lapsewatch.toml"
        settings.write_text(SETTINGS.format(url=self.url, port=self.office.port))
        self.start()

    def start(self) -> None:
        """A new process; its owner counts as dead for the next one."""
        self.readings = 0
        self.app = App(load(self.folder / "lapsewatch.toml"), clock=self.clock)
        place, pid, _ = process.identity().split("/")
        self.app.owner = f"{place}/{pid}/1"

    def clock(self) -> datetime:
        """The time, or the end of the process."""
        self.readings += 1
        if self.kill_at is not None and self.readings > self.kill_at:
            raise Killed
        return self.now

    # --- what people and directories do ---------------------------------------------------------

    def put(
        self, name: str, zone: str, hour: int, people: dict[str, str | None],
        shadow: datetime | None = None,
    ) -> None:  # fmt: skip
        """A tenant with these recipients, who may have zones of their own; in shadow until then."""
        recipients = tuple(Recipient(who, at) for who, at in people.items())
        reference = CredentialRef("secret", "env:X")
        tenant = Tenant(
            name, name, "global", "client", reference, recipients, zone, hour, shadow_until=shadow
        )
        self.app.store.put_tenant(tenant, now=self.now)

    def tenant(self, name: str) -> Tenant:
        """The tenant as it is kept."""
        return next(one for one in self.app.store.tenants() if one.name == name)

    def read(
        self, name: str, things: dict[Uid, Thing], *, whole: bool = True,
        uses: Mapping[Uid, datetime] | None = None,
    ) -> None:  # fmt: skip
        """A scan that saw these, and when some last signed in; it found all, or broke off."""
        about = {} if whole else {"cause": "scan_incomplete", "problem": "page 2", "retry": "later"}
        record = ScanRecord(name, self.now, self.now, complete=whole, **about)  # type: ignore[arg-type]
        last = {key: at for (owner, key), at in (uses or {}).items() if owner == name}
        usage = None if uses is None else UsageFound(self.now, last)
        self.record(name, Scan(record, tuple(objects(name, things)), usage=usage))

    def fail(self, name: str) -> None:
        """A scan that found nothing out."""
        bad = ScanRecord(name, self.now, self.now, False, "reply_timeout", "no answer", "later")
        self.record(name, Scan(bad))

    def record(self, name: str, scan: Scan) -> None:
        """What came of a scan is kept."""
        self.app.scans.record(self.tenant(name), scan, self.own(name))

    def own(self, name: str) -> list[OwnCredential]:
        """What the product knows of the secret that it signs in with to that tenant."""
        if self.ours is None or self.ours[0] != name:
            return []
        return [OwnCredential(f"id-{self.place(self.ours)}", hint=self.ours[1])]

    def silence(self, uid: Uid, days: float | None) -> None:
        """Somebody snoozes a credential for so many days, or acknowledges it as it stands."""
        store, asked = self.app.store, silences.Asked("kim", "on it", self.now)
        one = next(c for c in store.credentials(uid[0]) if c.uid == name_of(uid, self.place(uid)))
        if days is None:
            made = silences.acknowledged(one, self.tenant(uid[0]), store.snoozes(), asked)
        else:
            until = self.now + timedelta(days=days)
            past = one.end is not None and until > one.end
            made = silences.snoozed(one, store.snoozes(), asked, until, past_lapse=past)
        self.keep(made.snooze)

    def keep(self, snooze: Snooze) -> None:
        """A silence is kept."""
        self.app.store.put_snooze(snooze)

    def place(self, uid: Uid) -> str:
        """The object that a credential hangs on; it is in its name."""
        return uid[1].partition(":")[0]

    # --- what the product does --------------------------------------------------------------------

    def tick(self, kill_at: int | None = None) -> bool:
        """One minute's work of the warnings; returns whether the process lived through it."""
        self.kill_at, self.readings = kill_at, 0
        try:
            send_warnings(self.app, due_only=True)
        except Killed:
            self.kill_at = None
            self.app.close()
            self.start()
            return False
        finally:
            self.kill_at = None
        return True

    # --- what can be seen of it -------------------------------------------------------------------

    def rows(self) -> list[OutboxMail]:
        """All mails that were ever written, newest first."""
        return self.app.store.outbox(limit=100_000)

    def mails(self) -> list[OutboxMail]:
        """Those of them that say something about credentials."""
        return [mail for mail in self.rows() if mail.notices]

    def waiting(self) -> list[OutboxMail]:
        """Those that no server has accepted yet, and that are still to go."""
        states = [OutboxState.PENDING, OutboxState.SENDING]
        return [m for m in self.app.store.outbox(states=states, limit=1000) if m.notices]

    def known(self) -> dict[tuple[str, str], tuple[int, bool, datetime | None]]:
        """Life, removed, end of every credential, but for the crowd."""
        return {
            (one.tenant, one.uid): (one.life, one.removed_at is not None, one.end)
            for one in self.app.store.credentials(include_removed=True)
            if not one.object_id.startswith("crowd")
        }

    def dump(self) -> dict[str, list[Any]]:
        """Everything in the database."""
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as database:
                names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                return {n: database.execute(f'SELECT * FROM "{n}"').fetchall() for (n,) in names}
        with psycopg.connect(self.url.replace("+psycopg", "")) as database:
            names = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            return {
                n: sorted(database.execute(f'SELECT * FROM "{n}"').fetchall(), key=repr)  # type: ignore[call-overload]
                for (n,) in names.fetchall()
            }

    def close(self) -> None:
        """The last process ends."""
        self.app.close()


def said_in(mail: OutboxMail) -> Iterator[Say]:
    """What a mail says, without the levels: those are for the promises to say."""
    for one in mail.notices:
        if one.kind in SAID:
            life = (one.tenant, short(one.uid), one.life)
            yield Say(one.recipient.lower(), life, str(one.kind), one.stage, 0)


def goes_again(say: Say, lost: Iterable[OutboxMail], dark: Collection[str], *, come: bool) -> bool:
    """Whether it may be said anew, where these mails were taken back.

    Before the hour has `come` only what they spoke of, and what is over; all of a tenant in shadow
    (`dark`), of which everything is told together.
    """
    mine = [mail for mail in lost if mail.notices and mail.recipient.lower() == say.to]
    spoken = {said.about[:2] for mail in mine for said in said_in(mail)}
    whole = {name for name, _ in spoken} & set(dark)
    told = say.kind in OVER or say.about[:2] in spoken or say.about[0] in whole
    return bool(mine) and (come or told)


def was_refused(mail: OutboxMail) -> bool:
    """Whether a server refused a mail for good, by its state or what it was when taken back."""
    taken_back = mail.state is OutboxState.WITHDRAWN and not mail.possible_duplicate
    return mail.state is OutboxState.DEAD or taken_back


def was_unsure(mail: OutboxMail) -> bool:
    """Whether a mail waits that a server may have taken before."""
    return mail.state is OutboxState.PENDING and mail.possible_duplicate


def objects(tenant: str, things: dict[Uid, Thing]) -> Iterator[ObservedObject]:
    """What Graph would have shown of these, and of the crowd."""
    places: dict[str, list[ObservedCredential]] = {}
    for (owner, key), thing in things.items():
        if owner == tenant:
            places.setdefault(thing.place, []).append(_secret(key, thing))
    forever = [_secret(f"{n}", Thing("crowd", "forever", None)) for n in range(CROWD)]
    for place, held in {**places, f"crowd-{tenant}": forever}.items():
        name = f"App {place}"
        yield ObservedObject(ObjectType.APPLICATION, place, f"id-{place}", name, tuple(held))


def _secret(key: str, thing: Thing) -> ObservedCredential:
    start = thing.start or LONG_AGO
    return ObservedCredential(Kind.SECRET, key, key, thing.name, start, thing.end, hint=key)


def name_of(uid: Uid, place: str) -> str:
    """How the product names a credential within its tenant."""
    return credential_uid(place, Kind.SECRET, uid[1])


def short(uid: str) -> str:
    """How the promises do."""
    return uid.rpartition("/")[2]
