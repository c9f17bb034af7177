"""What happened lately, over all tenants: for the blind spots and the weekly report."""

from __future__ import annotations

from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import and_, exists, func, or_, select, update

from monitor.model import (
    CanaryResult,
    HeldSlot,
    MailKind,
    OutboxMail,
    OutboxState,
    RefusedAddress,
    Week,
)
from monitor.store.engine import Database, hold_name
from monitor.store.mails import insert_mails
from monitor.store.slots import finish, is_held
from monitor.store.tables import NOTICE, OUTBOX, PROBE
from monitor.store.text import address_key, load


class Weeks:
    """The part of the store that looks back."""

    _database: Database

    def refused_addresses(self) -> list[RefusedAddress]:
        """Recipients whose mails were refused for good, and who accepted none since, by address.

        Raises:
            StoreError: the database cannot be used.
        """
        later = OUTBOX.alias("later")
        accepted = exists().where(
            later.c.recipient_key == OUTBOX.c.recipient_key,
            later.c.state == OutboxState.SENT.value,
            later.c.id > OUTBOX.c.id,
        )
        query = (
            select(OUTBOX.c.recipient, OUTBOX.c.dated, OUTBOX.c.last_error, OUTBOX.c.tenants)
            .where(OUTBOX.c.state == OutboxState.DEAD.value, ~accepted)
            .order_by(OUTBOX.c.id)
        )
        found: dict[str, RefusedAddress] = {}
        with self._database.read() as connection:
            for row in connection.execute(query):
                key = row.recipient.casefold()
                before = found.get(key)
                since = min(before.since, row.dated) if before else row.dated
                named = dict.fromkeys(before.tenants if before else ())
                names = (*named, *load(row.tenants, tuple[str, ...]))
                error = row.last_error or "no reason is known"
                found[key] = RefusedAddress(
                    row.recipient, since, error, tuple(dict.fromkeys(names))
                )
        return [found[key] for key in sorted(found)]

    def write_report(self, mail: OutboxMail, *, at: datetime, slot: HeldSlot | None = None) -> bool:
        """Write a report in place of an older one that still waits, and finish its slot.

        Args:
            mail: the report.
            at: when the run happened.
            slot: the report's slot, which is finished; None outside slots.

        Returns:
            False when another process has the slot: nothing was written.

        Raises:
            StoreError: the database cannot be used; nothing was written.
        """
        older = (
            OUTBOX.c.recipient_key == address_key(mail.recipient),
            OUTBOX.c.kind == MailKind.REPORT.value,
            OUTBOX.c.state == OutboxState.PENDING.value,
            OUTBOX.c.possible_duplicate.is_(False),
        )
        with self._database.write() as connection:
            hold_name(connection, f"report:{address_key(mail.recipient)}")
            if slot is not None and not is_held(connection, slot):
                return False
            withdrawn = update(OUTBOX).where(*older).values(state=OutboxState.WITHDRAWN.value)
            connection.execute(withdrawn)
            insert_mails(connection, [mail])
            if slot is not None:
                finish(connection, slot.job, slot.scope, slot.slot_at, at)
            return True

    def week(self, since: datetime, until: datetime, *, slow: timedelta) -> Week:
        """What was tested and sent after `since` and up to `until`.

        Args:
            since: the beginning.
            until: the end.
            slow: a mail that took longer from its writing to its acceptance has waited.

        Raises:
            StoreError: the database cannot be used.
        """
        probes = select(PROBE.c.result, PROBE.c.started_at, PROBE.c.finished_at).where(
            PROBE.c.finished_at > since, PROBE.c.finished_at <= until
        )
        sent = and_(OUTBOX.c.sent_at > since, OUTBOX.c.sent_at <= until)
        mails = select(OUTBOX.c.kind, OUTBOX.c.dated, OUTBOX.c.sent_at).where(sent)
        told = select(func.count()).where(
            NOTICE.c.told_at > since, NOTICE.c.told_at <= until,
            or_(NOTICE.c.kind == MailKind.REMINDER.value, NOTICE.c.kind == MailKind.LAPSED.value),
        )  # fmt: skip
        kinds: dict[str, int] = {}
        waited, longest = 0, timedelta(0)
        with self._database.read() as connection:
            rows = connection.execute(probes).all()
            for row in connection.execute(mails):
                kinds[row.kind] = kinds.get(row.kind, 0) + 1
                took = row.sent_at - row.dated
                waited += took > slow
                longest = max(longest, took)
            warnings = connection.execute(told).scalar_one()
        good = [row for row in rows if row.result == CanaryResult.OK.value]
        took = [(row.finished_at - row.started_at).total_seconds() for row in good]
        return Week(
            since=since,
            canaries=len(rows),
            canaries_failed=sum(row.result == CanaryResult.FAILED.value for row in rows),
            canary_seconds=median(took) if took else None,
            mails=kinds,
            warnings=warnings,
            waited=waited,
            longest_wait=longest if waited else None,
        )
