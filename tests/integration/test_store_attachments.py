"""Files of mails in the outbox: the same bytes on every try, and gone with what they are about."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from monitor.channels.message import build
from monitor.model import Attachment, OutboxState, Receipt
from monitor.store import Store

FILES = (
    Attachment("lapsewatch.csv", "text/csv; charset=utf-8", bytes(range(256)) * 40),
    Attachment("lapsewatch.ics", "text/calendar; method=PUBLISH", b"BEGIN:VCALENDAR\r\n"),
)


def with_files(make, **changes):
    """A digest with two files."""
    mail = make.mail(make.notice(), **changes)
    return replace(mail, mail=replace(mail.mail, attachments=FILES))


def claim(store: Store, make, hours: float = 0):
    """Take what is due."""
    return store.claim(
        make.now + timedelta(hours=hours), owner="me", lease=timedelta(minutes=15),
        owner_is_dead=lambda _: False,
    )  # fmt: skip


def test_a_mail_that_is_sent_again_after_a_crash_is_the_same_to_the_byte(
    store: Store, make
) -> None:
    """Files, their order, their names: a copy is a copy."""
    store.put_tenant(make.tenant(), now=make.now)
    written = with_files(make)
    store.enqueue([written])
    [first] = claim(store, make)
    [second] = claim(store, make, hours=1)
    assert second.possible_duplicate
    assert first.mail.attachments == FILES
    sender = "noreply@contoso.example"
    first_bytes = build(first, sender=sender)
    assert first_bytes == build(second, sender=sender) == build(written, sender=sender)
    assert second.lease_token is not None
    assert store.mark_sent(second.id, second.lease_token, Receipt("250 ok", make.now))
    assert store.outbox()[0].mail.attachments == FILES


def test_a_run_that_says_the_same_again_keeps_the_waiting_mail_and_its_files(
    store: Store, make
) -> None:
    """What takes the place of a waiting digest brings its own files."""
    store.put_tenant(make.tenant(), now=make.now)

    first = with_files(make)
    for mail in (first, with_files(make)):
        store.write_run([mail], recipient=mail.recipient, tenants=["contoso"], at=make.now)
    [waiting] = store.outbox(states=[OutboxState.PENDING])
    assert (waiting.id, waiting.mail.attachments) == (first.id, FILES)
