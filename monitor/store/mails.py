"""Rows of the outbox and the mails they stand for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from monitor.model import Attachment, Mail, MailKind, NoticeKey, OutboxMail, OutboxState
from monitor.store.attachments import insert_attachments, read_attachments
from monitor.store.links import insert_links
from monitor.store.tables import NOTICE, OUTBOX
from monitor.store.text import address_key, dump, load

_CHUNK = 500


def insert_mails(
    connection: Connection, mails: Sequence[OutboxMail], alarm_id: int | None = None
) -> None:
    """Add mails and their notices, in the order given."""
    if not mails:
        return
    connection.execute(insert(OUTBOX), [_row(mail, alarm_id) for mail in mails])
    insert_attachments(connection, mails)
    insert_links(connection, mails)
    notices = [row for mail in mails for row in _notice_rows(mail)]
    if notices:
        connection.execute(insert(NOTICE), notices)


def read_mails(connection: Connection, rows: Sequence[Row[Any]]) -> list[OutboxMail]:
    """The mails of some rows, with their notices, in the same order."""
    ids = [row.mail_id for row in rows]
    notices, files = read_notices(connection, ids), read_attachments(connection, ids)
    return [_mail(row, notices.get(row.mail_id, ()), files.get(row.mail_id, ())) for row in rows]


def read_notices(
    connection: Connection, mail_ids: Sequence[str]
) -> dict[str, tuple[NoticeKey, ...]]:
    """The notices of some mails, by the mail's id."""
    found: dict[str, list[NoticeKey]] = defaultdict(list)
    for start in range(0, len(mail_ids), _CHUNK):
        query = select(NOTICE).where(NOTICE.c.mail_id.in_(mail_ids[start : start + _CHUNK]))
        for row in connection.execute(query.order_by(NOTICE.c.mail_id, NOTICE.c.place)):
            found[row.mail_id].append(_notice(row))
    return {mail_id: tuple(notices) for mail_id, notices in found.items()}


def _row(mail: OutboxMail, alarm_id: int | None) -> dict[str, Any]:
    return {
        "mail_id": mail.id,
        "kind": mail.mail.kind.value,
        "subject": mail.mail.subject,
        "body_text": mail.mail.text,
        "body_html": mail.mail.html,
        "thread": dump(mail.mail.references),
        "urgent": mail.mail.urgent,
        "recipient": mail.recipient,
        "recipient_key": address_key(mail.recipient),
        "tenants": dump(mail.tenants),
        "path": mail.path,
        "message_id": mail.message_id,
        "dated": mail.date,
        "state": mail.state.value,
        "scope": mail.scope,
        "alarm_id": alarm_id,
        "run_key": mail.run_key,
        "attempt": mail.attempt,
        "not_before": mail.not_before,
        "lease_token": mail.lease_token,
        "lease_owner": None,
        "lease_until": mail.lease_until,
        "last_error": mail.last_error,
        "last_cause": mail.last_cause,
        "gate": None,
        "sent_at": mail.sent_at,
        "reply": mail.reply,
        "possible_duplicate": mail.possible_duplicate,
    }


def _notice_rows(mail: OutboxMail) -> list[dict[str, Any]]:
    told_at: datetime | None = mail.sent_at if mail.state is OutboxState.SENT else None
    return [
        {
            "mail_id": mail.id,
            "place": place,
            "tenant": notice.tenant,
            "uid": notice.uid,
            "life": notice.life,
            "recipient": notice.recipient,
            "recipient_key": address_key(notice.recipient),
            "stage": notice.stage,
            "level": notice.level,
            "kind": notice.kind.value,
            "told_at": told_at,
        }
        for place, notice in enumerate(mail.notices)
    ]


def _notice(row: Row[Any]) -> NoticeKey:
    return NoticeKey(
        tenant=row.tenant,
        uid=row.uid,
        life=row.life,
        recipient=row.recipient,
        stage=row.stage,
        level=row.level,
        kind=MailKind(row.kind),
    )


def _mail(
    row: Row[Any], notices: tuple[NoticeKey, ...], files: tuple[Attachment, ...]
) -> OutboxMail:
    return OutboxMail(
        id=row.mail_id,
        mail=Mail(
            kind=MailKind(row.kind),
            subject=row.subject,
            text=row.body_text,
            html=row.body_html,
            references=load(row.thread, tuple[str, ...]),
            urgent=row.urgent,
            attachments=files,
        ),
        recipient=row.recipient,
        tenants=load(row.tenants, tuple[str, ...]),
        path=row.path,
        message_id=row.message_id,
        date=row.dated,
        state=OutboxState(row.state),
        notices=notices,
        scope=row.scope,
        run_key=row.run_key,
        attempt=row.attempt,
        not_before=row.not_before,
        lease_token=row.lease_token,
        lease_until=row.lease_until,
        last_error=row.last_error,
        last_cause=row.last_cause,
        sent_at=row.sent_at,
        reply=row.reply,
        possible_duplicate=row.possible_duplicate,
    )
