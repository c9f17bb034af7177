"""The files that go with mails, kept byte by byte for as long as their mail is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, delete, insert, select
from sqlmodel import Field

from monitor.model import Attachment, OutboxMail
from monitor.store.rows import Row, table_of, text_column
from monitor.store.tables import OUTBOX

_CHUNK = 500


class AttachmentRow(Row, table=True):
    """Files of mails, in their order."""

    __tablename__ = "attachment"
    mail_id: str = text_column(primary_key=True, foreign_key="outbox.mail_id", ondelete="CASCADE")
    place: int = Field(primary_key=True)
    name: str = text_column()
    media_type: str = text_column()
    content: bytes


ATTACHMENT = table_of(AttachmentRow)


def insert_attachments(connection: Connection, mails: Sequence[OutboxMail]) -> None:
    """Add the files of new mails."""
    rows = [
        {
            "mail_id": mail.id,
            "place": place,
            "name": file.name,
            "media_type": file.media_type,
            "content": file.content,
        }
        for mail in mails
        for place, file in enumerate(mail.mail.attachments)
    ]
    if rows:
        connection.execute(insert(ATTACHMENT), rows)


def read_attachments(
    connection: Connection, mail_ids: Sequence[str]
) -> dict[str, tuple[Attachment, ...]]:
    """The files of some mails, by the mail's id."""
    found: dict[str, list[Attachment]] = defaultdict(list)
    for start in range(0, len(mail_ids), _CHUNK):
        these = ATTACHMENT.c.mail_id.in_(mail_ids[start : start + _CHUNK])
        query = select(ATTACHMENT).where(these).order_by(ATTACHMENT.c.mail_id, ATTACHMENT.c.place)
        for row in connection.execute(query):
            found[row.mail_id].append(Attachment(row.name, row.media_type, row.content))
    return {mail_id: tuple(files) for mail_id, files in found.items()}


def strip_attachments(connection: Connection, which: ColumnElement[bool]) -> None:
    """Delete the files of some mails (a condition on the outbox)."""
    these = select(OUTBOX.c.mail_id).where(which)
    connection.execute(delete(ATTACHMENT).where(ATTACHMENT.c.mail_id.in_(these)))
