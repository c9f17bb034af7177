"""A recipient's daily run: what was told before, and what takes the place of what still waits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    exists,
    func,
    not_,
    or_,
    select,
    update,
)

from monitor.model import (
    CLOSINGS,
    COVERED_DAYS,
    DIGESTS,
    HeldSlot,
    MailKind,
    NoticeKey,
    OutboxMail,
    OutboxState,
    Stage,
    Told,
    WaitingMail,
)
from monitor.store.engine import Database, hold_name
from monitor.store.links import take_tokens_out
from monitor.store.mails import insert_mails, read_mails
from monitor.store.slots import finish, is_held
from monitor.store.tables import NOTICE, OUTBOX
from monitor.store.text import address_key, load

Ledger = dict[tuple[str, str, int], Told]  # by tenant, uid and life
_DIGESTS = tuple(kind.value for kind in DIGESTS)
_OPEN = (OutboxState.PENDING.value, OutboxState.DEAD.value)
_STAGES = (MailKind.REMINDER, MailKind.LAPSED)
_CHUNK = 500


class Runs:
    """The part of the store that remembers who was told what."""

    _database: Database

    def told(
        self, recipient: str, tenants: Collection[str], *, instead: Collection[str] = ()
    ) -> Ledger:
        """What a recipient was told, may have been told, or is being told right now.

        Args:
            recipient: an address; upper and lower case are the same.
            tenants: only about credentials of these.
            instead: the ids of mails that count as if they had told nobody while they wait.

        Returns:
            What was told, by tenant, uid and life.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            return _told(connection, recipient, tenants, instead)

    def write_run(
        self,
        mails: Sequence[OutboxMail],
        *,
        recipient: str,
        tenants: Collection[str],
        at: datetime,
        slot: HeldSlot | None = None,
        replaces: Collection[str] | None = None,
        instead: Collection[str] = (),
    ) -> list[OutboxMail] | None:
        """Write a recipient's digests in place of those that still wait, in one transaction.

        A waiting digest that says the same by the same path stays, with its Message-ID; so does one
        about more than `tenants` (see `spoken_for`), and one that may have been accepted, until all
        of it is said at a more urgent stage or it is in `instead`: see `rewriting.joining`.

        Args:
            mails: the digests of this run; none withdraws what waits.
            recipient: whose run it is.
            tenants: the names of those that were decided about.
            at: when the run happened.
            slot: the run's slot, which is finished; None outside slots.
            replaces: the ids of those whose place they may take, where they are not all that is
                due; None: of any.
            instead: of what may have been accepted, what was decided as if it had told nobody.

        Returns:
            The mails that were added. None when the decision is out of date (told meanwhile, in a
            digest about more tenants, not in `replaces`, the slot is another's): decide anew.

        Raises:
            StoreError: the database cannot be used; nothing was written.
        """
        with self._database.write() as connection:
            hold_name(connection, f"run:{address_key(recipient)}")
            if slot and not is_held(connection, slot):
                return None
            waiting = _waiting(connection, recipient)
            heard = _told(connection, recipient, tenants)
            told = _told(connection, recipient, tenants, instead) if instead else heard
            if _is_overtaken(mails, told, heard) or _is_spoken_for(waiting, mails, set(tenants)):
                return None
            gone = _replaced(waiting, mails, set(tenants), told, instead)
            if replaces is not None and not set(gone) <= set(replaces):
                return None
            added = _replace(connection, waiting, mails, gone)
            if slot:
                finish(connection, slot.job, slot.scope, slot.slot_at, at)
        return added

    def waiting(self) -> list[WaitingMail]:
        """Every mail that waits or was given up, without its words.

        Raises:
            StoreError: the database cannot be used.
        """
        columns = (
            OUTBOX.c.mail_id,
            OUTBOX.c.recipient,
            OUTBOX.c.tenants,
            OUTBOX.c.kind,
            OUTBOX.c.state,
            OUTBOX.c.possible_duplicate,
        )
        query = select(*columns).where(OUTBOX.c.state.in_(_OPEN)).order_by(OUTBOX.c.id)
        with self._database.read() as connection:
            return [
                WaitingMail(
                    id=row.mail_id,
                    recipient=row.recipient,
                    tenants=load(row.tenants, tuple[str, ...]),
                    kind=MailKind(row.kind),
                    state=OutboxState(row.state),
                    possible_duplicate=row.possible_duplicate,
                )
                for row in connection.execute(query)
            ]

    def withdraw(self, mail_ids: Sequence[str]) -> int:
        """Take back mails that still wait; what is being sent or was sent is left alone.

        Returns:
            How many were taken back.

        Raises:
            StoreError: the database cannot be used.
        """
        if not mail_ids:
            return 0
        with self._database.write() as connection:
            return _withdraw(connection, mail_ids)


def _told(
    connection: Connection, recipient: str, tenants: Iterable[str], instead: Collection[str] = ()
) -> Ledger:
    kind, soon = NOTICE.c.kind, Stage.threshold(COVERED_DAYS).urgency
    over = kind.in_([one.value for one in CLOSINGS])
    beside = (MailKind.COVERED.value, MailKind.UNEXPECTED.value)
    covered = or_(
        kind == MailKind.COVERED.value,
        and_(kind == MailKind.RENEWED.value, NOTICE.c.level.between(soon, 0)),
    )
    no_stage = or_(over, kind.in_(beside))
    query = (
        select(
            NOTICE.c.tenant,
            NOTICE.c.uid,
            NOTICE.c.life,
            func.max(case((no_stage, None), else_=NOTICE.c.level)).label("level"),
            func.max(case((covered, 1), else_=0)).label("covered"),
            func.max(case((kind == MailKind.UNEXPECTED.value, 1), else_=0)).label("unexpected"),
            func.max(case((no_stage, None), else_=OUTBOX.c.id)).label("staged"),
            func.max(case((over, OUTBOX.c.id), else_=None)).label("closed"),
        )
        .join(OUTBOX, OUTBOX.c.mail_id == NOTICE.c.mail_id)
        .where(
            NOTICE.c.recipient_key == address_key(recipient),
            was_told(),
            not_(_waits_again()),
            not_(and_(OUTBOX.c.mail_id.in_(instead), OUTBOX.c.state == OutboxState.PENDING.value)),
        )
        .group_by(NOTICE.c.tenant, NOTICE.c.uid, NOTICE.c.life)
    )
    names = sorted(tenants)
    told: Ledger = {}
    for start in range(0, len(names), _CHUNK):
        chunk = query.where(NOTICE.c.tenant.in_(names[start : start + _CHUNK]))
        for row in connection.execute(chunk):
            told[row.tenant, row.uid, row.life] = Told(
                level=row.level,
                covered=bool(row.covered),
                closed=(row.closed or 0) > (row.staged or 0),
                unexpected=bool(row.unexpected),
            )
    return told


def was_told() -> ColumnElement[bool]:
    """Whether a notice (joined with its mail) was told, may have been, or is told right now."""
    return or_(
        NOTICE.c.told_at.is_not(None),
        OUTBOX.c.state.in_((OutboxState.SENT.value, OutboxState.SENDING.value)),
        and_(
            OUTBOX.c.state.in_((OutboxState.PENDING.value, OutboxState.WITHDRAWN.value)),
            OUTBOX.c.possible_duplicate.is_(True),
        ),
    )


def _waits_again() -> ColumnElement[bool]:
    """Whether a later mail, which nobody can have, waits to say what a withdrawn one said.

    Or a more urgent stage of it. It took the place of one that may have been accepted. While it
    waits, what that one said is not told: what is written in its place must say it too.
    """
    later, again = OUTBOX.alias(), NOTICE.alias()
    stages = [one.value for one in _STAGES]
    return and_(
        OUTBOX.c.state == OutboxState.WITHDRAWN.value,
        exists()
        .where(
            again.c.mail_id == later.c.mail_id,
            again.c.tenant == NOTICE.c.tenant,
            again.c.uid == NOTICE.c.uid,
            again.c.life == NOTICE.c.life,
            again.c.recipient_key == NOTICE.c.recipient_key,
            or_(
                again.c.kind == NOTICE.c.kind,
                and_(again.c.kind.in_(stages), NOTICE.c.kind.in_(stages)),
            ),
            again.c.level >= NOTICE.c.level,
            later.c.id > OUTBOX.c.id,
            later.c.state.in_(_OPEN),
            or_(later.c.state == OutboxState.DEAD.value, later.c.possible_duplicate.is_(False)),
        )
        .correlate(NOTICE, OUTBOX),
    )


def _waiting(connection: Connection, recipient: str) -> list[OutboxMail]:
    """The recipient's digests that no server accepted; locked, so that no sender takes them."""
    rows = connection.execute(
        select(OUTBOX)
        .where(
            OUTBOX.c.recipient_key == address_key(recipient),
            OUTBOX.c.state.in_(_OPEN),
            OUTBOX.c.kind.in_(_DIGESTS),
            OUTBOX.c.scope.is_(None),
        )
        .order_by(OUTBOX.c.id)
        .with_for_update()
    ).all()
    return read_mails(connection, rows)


def _replaced(
    waiting: Sequence[OutboxMail],
    mails: Sequence[OutboxMail],
    tenants: set[str],
    told: Ledger,
    instead: Collection[str],
) -> list[str]:
    """The ids of what waits about these tenants and gives way to `mails`."""
    wanted = {_gist(mail) for mail in mails}
    return [
        mail.id
        for mail in waiting
        if set(mail.tenants) <= tenants
        and (_gives_way(mail) or mail.id in instead or _is_outdone(mail, mails, told))
        and not (mail.state is OutboxState.PENDING and _gist(mail) in wanted)
    ]


def _replace(
    connection: Connection,
    waiting: Sequence[OutboxMail],
    mails: Sequence[OutboxMail],
    gone: Sequence[str],
) -> list[OutboxMail]:
    """Put `mails` in the place of what is gone; returns what was added."""
    kept = {_gist(mail) for mail in waiting if mail.state is OutboxState.PENDING}
    _withdraw(connection, gone)
    added = [mail for mail in mails if _gist(mail) not in kept]
    insert_mails(connection, added)
    return added


def _is_spoken_for(
    waiting: Sequence[OutboxMail], mails: Sequence[OutboxMail], tenants: set[str]
) -> bool:
    """Whether a waiting digest about more than these tenants speaks of what a mail would say."""
    alive = [mail for mail in waiting if mail.state is OutboxState.PENDING]
    wider = {name for mail in alive if not set(mail.tenants) <= tenants for name in mail.tenants}
    return any(wider & set(mail.tenants) for mail in mails)


def _gives_way(mail: OutboxMail) -> bool:
    """Whether it may be replaced. What may have been accepted is sent again as it is, or never."""
    return mail.state is OutboxState.DEAD or not mail.possible_duplicate


def _is_outdone(old: OutboxMail, mails: Sequence[OutboxMail], told: Ledger) -> bool:
    """Whether all that a digest warns about is said at a more urgent stage, or as over.

    Then it is not sent again, though it may have been accepted: a less urgent warning would
    come after a more urgent one. What it said counts as told, so the next stage still comes.
    """
    said = {key: known.level for key, known in told.items() if known.level is not None}
    over = {key for key, known in told.items() if known.closed}
    for new in (notice for mail in mails for notice in mail.notices):
        key = (new.tenant, new.uid, new.life)
        if new.kind in CLOSINGS:
            over.add(key)
        elif new.kind in _STAGES:
            said[key] = max(new.level, said.get(key, new.level))

    def outdone(one: NoticeKey) -> bool:
        key = (one.tenant, one.uid, one.life)
        return one.kind in _STAGES and (key in over or said.get(key, one.level) > one.level)

    return bool(old.notices) and all(map(outdone, old.notices))


def _withdraw(connection: Connection, mail_ids: Sequence[str]) -> int:
    taken = 0
    for start in range(0, len(mail_ids), _CHUNK):
        taken += connection.execute(
            update(OUTBOX)
            .where(
                OUTBOX.c.mail_id.in_(mail_ids[start : start + _CHUNK]), OUTBOX.c.state.in_(_OPEN)
            )
            .values(
                state=OutboxState.WITHDRAWN.value,
                # What was refused in the end was not told, whatever an earlier try came to.
                possible_duplicate=and_(
                    OUTBOX.c.possible_duplicate, OUTBOX.c.state == OutboxState.PENDING.value
                ),
            )
        ).rowcount
    take_tokens_out(connection, mail_ids)
    return taken


def _gist(mail: OutboxMail) -> tuple[str, bool, frozenset[NoticeKey] | str]:
    """What makes two digests the same. One without notices is only ever itself.

    A welcome promises silence, so it is never the same as a reminder.
    """
    welcome = mail.mail.kind is MailKind.WELCOME
    return mail.path, welcome, frozenset(mail.notices) or mail.id


def _is_overtaken(mails: Sequence[OutboxMail], told: Ledger, heard: Ledger) -> bool:
    """Whether some of it was told meanwhile; a welcome, if anything was about its tenants.

    What gives way is in `heard` and not in `told`: nobody counts as told by it, and whoever may
    have heard of something by it still hears that it is over.
    """
    welcomed = {tenant for (tenant, _, _), known in told.items() if known.warned}
    return any(
        (_is_told(notice, told) and _is_told(notice, heard))
        or (mail.mail.kind is MailKind.WELCOME and notice.tenant in welcomed)
        for mail in mails
        for notice in mail.notices
    )


def _is_told(notice: NoticeKey, told: Ledger) -> bool:
    known = told.get((notice.tenant, notice.uid, notice.life), Told())
    if notice.kind is MailKind.COVERED:
        return known.covered
    if notice.kind is MailKind.UNEXPECTED:
        return known.unexpected
    if notice.kind in CLOSINGS:
        return not known.open
    return known.level is not None and known.level >= notice.level
