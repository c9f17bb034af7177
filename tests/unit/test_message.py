"""How a row of the outbox becomes a mail: always the same, plain ASCII, and nobody adds headers."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.channels.message import SUBJECT_LENGTH, ascii_address, build, clean
from monitor.errors import DeliveryError
from monitor.model import Attachment, Mail, MailKind, OutboxMail

SENDER = "noreply@contoso.example"
MAIL = OutboxMail(
    id="row-1",
    mail=Mail(
        MailKind.REMINDER,
        "[Critical] Secret of Payroll ends in 5 days",
        "Renew it by Friday.\n",
        "<p>Renew it by <b>Friday</b>.</p>",
        references=("<cred-1@contoso.example>", "<cred-2@contoso.example>"),
    ),
    recipient="it@contoso.example",
    tenants=("contoso",),
    path="tenant:contoso",
    message_id="<row-1@contoso.example>",
    date=datetime(2026, 11, 23, 7, 0, tzinfo=UTC),
)
HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "References",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "X-Lapsewatch-Kind",
    "MIME-Version",
    "Content-Type",
]


def read(data: bytes) -> EmailMessage:
    """Read a mail as a mail program does."""
    found = message_from_bytes(data, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def written(**changes: object) -> EmailMessage:
    """Build a mail whose content is changed, and read it."""
    return read(build(replace(MAIL, mail=replace(MAIL.mail, **changes)), sender=SENDER))  # type: ignore[arg-type]


def test_the_same_row_gives_the_same_bytes() -> None:
    """A copy after a crash must be recognisable as a copy."""
    assert build(MAIL, sender=SENDER) == build(replace(MAIL, attempt=3), sender=SENDER)
    assert build(MAIL, sender=SENDER) != build(replace(MAIL, id="row-2"), sender=SENDER)


def test_the_headers_are_these_and_no_others() -> None:
    """Every header has a reason."""
    mail = read(build(MAIL, sender=SENDER))
    assert mail.keys() == HEADERS
    assert mail["From"] == "Lapsewatch <noreply@contoso.example>"
    assert mail["To"] == "it@contoso.example"
    assert mail["Message-ID"] == "<row-1@contoso.example>"
    assert mail["Date"] == "Mon, 23 Nov 2026 07:00:00 +0000"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["X-Lapsewatch-Kind"] == "reminder"
    assert mail["References"] == "<cred-1@contoso.example> <cred-2@contoso.example>"


def test_importance_is_only_for_what_is_urgent() -> None:
    """Where everything is important nothing is."""
    urgent = written(urgent=True)
    assert (urgent["Importance"], urgent["X-Priority"]) == ("high", "1")
    assert written()["Importance"] is None


def test_a_test_mail_carries_its_id() -> None:
    """Some servers rewrite the Message-ID."""
    mail = read(build(MAIL, sender=SENDER, canary_id="7f3c"))
    assert mail["X-Lapsewatch-Canary-Id"] == "7f3c"


def test_the_text_comes_first_and_says_all() -> None:
    """The last alternative is the preferred one (RFC 2046 5.1.4)."""
    mail = read(build(MAIL, sender=SENDER))
    parts = [part.get_content_type() for part in mail.iter_parts()]
    assert parts == ["text/plain", "text/html"]
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert plain.get_content() == "Renew it by Friday.\r\n"


def test_the_wire_sees_ascii_in_short_lines_ended_by_crlf() -> None:
    """No server needs 8BITMIME or SMTPUTF8, and no bare line end can smuggle a mail."""
    mail = replace(
        MAIL,
        mail=replace(
            MAIL.mail,
            subject="Geheimnis läuft ab: Löhne 🎉",
            text="ä" * 5_000 + "\r.\rx\n.\n",
            html="<p>" + "x" * 5_000 + "€</p>\r\n",
        ),
    )
    data = build(mail, sender=SENDER, sender_name="Fürsorge")
    assert data.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", data)
    lines = [line for line in data.split(b"\r\n") if not line.startswith(b"Subject: ")]
    assert max(map(len, lines)) <= 78
    assert read(data)["Subject"] == "Geheimnis läuft ab: Löhne 🎉"
    assert read(data)["From"].addresses[0].display_name == "Fürsorge"


def test_the_date_is_in_utc_whatever_the_row_says() -> None:
    """One instant, one text."""
    berlin = timezone(timedelta(hours=1))
    local = replace(MAIL, date=MAIL.date.astimezone(berlin))
    assert build(local, sender=SENDER) == build(MAIL, sender=SENDER)


HOSTILE = [
    "Payroll\r\nBcc: evil@x.example",
    "Payroll\nBcc: evil@x.example\n\nbody",
    "Payroll\rBcc: evil@x.example",
    "Payroll\x00\x0b\x0c\x1b[31m",
    "Payroll\x85Bcc: evil@x.example",
    "Payroll\u2028Bcc: evil@x.example\u2029",
    "Pay\u202eroll\u2066 \u200b\ufeff\u00ad",
    "Payroll \ud800",
    "=?utf-8?q?x=0D=0ABcc=3A_evil=40x=2Eexample?=",
    "Payroll =?utf-8?b?DQpCY2M6IGV2aWxAeC5leGFtcGxl?= x",
    "=\u200b?utf-8?q?x=0D=0ABcc=3A_evil?=",
    "==??utf-8?q?x=0D=0ABcc=3A_evil?=",
    "x" * 100_000,
    "",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_adds_no_header_and_shows_nothing_unseen(text: str) -> None:
    """Names of applications are written by whoever may register one."""
    row = replace(MAIL, mail=replace(MAIL.mail, subject=text, text=text, html=text))
    mail = read(build(row, sender=SENDER, sender_name=text, canary_id=text))
    assert sorted(mail.keys()) == sorted([*HEADERS, "X-Lapsewatch-Canary-Id"])
    assert len(mail["From"].addresses) == 1
    assert mail["From"].addresses[0].addr_spec == SENDER
    subject = str(mail["Subject"])
    assert 0 < len(subject) <= SUBJECT_LENGTH
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f]", subject)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_message_id_or_reference_adds_no_header(text: str) -> None:
    """What is no id gets a stand-in, the same every time."""
    for wrapped in (text, f"<{text}>", f"<{text}@x.example>"):
        row = replace(
            MAIL, mail=replace(MAIL.mail, references=(wrapped, "<b@x>")), message_id=wrapped
        )
        mail = read(build(row, sender=SENDER))
        assert mail.keys() == HEADERS
        assert len(str(mail["References"]).split()) == 2
        assert build(row, sender=SENDER) == build(row, sender=SENDER)


PARTS = st.lists(
    st.one_of(
        st.text(max_size=5),
        st.sampled_from(["=?utf-8?q?", "=0D=0A", "?=", "=?", "?", "=", "Bcc:", "\r\n", "\u200b"]),
    ),
    max_size=12,
).map("".join)


@settings(deadline=None)
@given(PARTS, st.text(), PARTS, PARTS)
def test_whatever_a_row_holds_the_headers_stay_the_same(
    subject: str, body: str, name: str, reference: str
) -> None:
    """For any text at all."""
    row = replace(
        MAIL,
        mail=replace(MAIL.mail, subject=subject, text=body, html=body, references=(reference,)),
        message_id=reference,
    )
    data = build(row, sender=SENDER, sender_name=name, canary_id=None)
    assert data.isascii()
    assert read(data).keys() == HEADERS
    assert read(data)["From"].addresses[0].addr_spec == SENDER
    assert re.fullmatch(r"<[^\s<>]+>", str(read(data)["Message-ID"]))


def test_a_subject_is_one_line_of_200_characters_at_most() -> None:
    """What is cut off is marked."""
    assert clean("a\r\nb\t c\n\n d", 200) == "a b c d"
    assert clean("x" * 300, 200) == "x" * 199 + "…"


def test_long_references_stay_whole_and_are_not_too_many() -> None:
    """The standard library would break a long id; the root and the newest ones matter."""
    ids = tuple(f"<{'a' * 60}-{n}@{'d' * 60}.example>" for n in range(30))
    data = build(replace(MAIL, mail=replace(MAIL.mail, references=ids)), sender=SENDER)
    block = re.search(rb"References:(.*?\r\n)(?! )", data, re.DOTALL)
    assert block is not None
    assert block[1].decode().split() == [ids[0], *ids[-9:]]


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("it@contoso.example", "it@contoso.example"),
        ("O'Brien+x@contoso.example", "O'Brien+x@contoso.example"),
        ("it@müller.example", "it@xn--mller-kva.example"),
        ("it@localhost", "it@localhost"),
    ],
)
def test_an_address_is_written_in_ascii(address: str, plain: str) -> None:
    """International domains have an ASCII form."""
    assert ascii_address(address) == plain


@pytest.mark.parametrize(
    "address",
    [
        "",
        "it",
        "@x.example",
        "it@",
        "it@x..example",
        "=?utf-8?q?x=0D=0ABcc=3A?=@x.example",
        "dörte@x.example",
        "a b@x.example",
        '"a b"@x.example',
        "a@x.example, b@x.example",
        "Name <a@x.example>",
        "a@x.example\r\nBcc: b@x.example",
        ".a@x.example",
        "a@[127.0.0.1]",
        f"{'a' * 65}@x.example",
        f"a@{'b' * 64}.example",
    ],
)
def test_what_is_no_plain_address_is_refused_before_anything_is_sent(address: str) -> None:
    """To the recipient's account, or to the sender's where it is theirs."""
    with pytest.raises(DeliveryError) as of_recipient:
        build(replace(MAIL, recipient=address), sender=SENDER)
    assert (of_recipient.value.bad_recipient, of_recipient.value.permanent) == (True, True)
    with pytest.raises(DeliveryError) as of_sender:
        build(MAIL, sender=address)
    assert (of_sender.value.bad_recipient, of_sender.value.permanent) == (False, True)


@pytest.mark.parametrize("length", range(60, 140, 7))
def test_a_long_subject_begins_on_its_first_line_and_reads_back_unchanged(length: int) -> None:
    """Some readers show a subject that was folded before its first word with a blank in front."""
    subject = ("[Lapsewatch] ACTION: " + "word and another " * 10)[:length].strip()
    data = build(replace(MAIL, mail=replace(MAIL.mail, subject=subject)), sender=SENDER)
    assert b"\r\nSubject: [Lapsewatch] " in data
    assert read(data)["Subject"] == subject


FILES = (
    Attachment("all of it.csv", "text/csv; charset=utf-8", b"\xef\xbb\xbfa,b\r\n\x00\xff\r\n"),
    Attachment("x.ics", "text/calendar; charset=utf-8; method=PUBLISH", b"BEGIN:VCALENDAR\r\n"),
)


def test_files_come_after_the_bodies_byte_by_byte() -> None:
    """A mail program finds both bodies, and each file as it was."""
    found = written(attachments=FILES)
    assert found.get_content_type() == "multipart/mixed"
    html = found.get_body(("html",))
    assert html is not None
    assert "Friday" in html.get_content()
    files = list(found.iter_attachments())
    assert [file.get_payload(decode=True) for file in files] == [f.content for f in FILES]
    assert [file.get_filename() for file in files] == ["all-of-it.csv", "x.ics"]
    assert files[1].get_content_type() == "text/calendar"
    assert files[1]["Content-Type"].params["method"] == "PUBLISH"


def test_a_mail_with_files_is_the_same_bytes_each_time_in_plain_ascii() -> None:
    """Whoever gets the copy of a crash gets the same mail; no boundary is drawn by lot."""
    mail = replace(MAIL, mail=replace(MAIL.mail, attachments=FILES))
    first = build(mail, sender=SENDER)
    assert first == build(mail, sender=SENDER)
    assert first.isascii()
    assert max(map(len, first.split(b"\r\n"))) < 998


@pytest.mark.parametrize("name", ["a\r\nBcc: x@evil.example.csv", 'a"; x=y', "=?utf-8?q?=0D=0A?="])
def test_no_file_adds_a_header(name: str) -> None:
    """Neither its name nor its media type can."""
    found = written(attachments=(Attachment(name, f"text/csv; {name}", b"x"),))
    [file] = found.iter_attachments()
    assert set(found.keys()) == set(HEADERS)
    assert set(file.keys()) == {
        "Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "MIME-Version",
    }  # fmt: skip
    assert file.get_content_type() == "application/octet-stream"
