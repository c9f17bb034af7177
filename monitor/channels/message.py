"""An outbox row becomes the bytes of a mail: the same row gives the same bytes, always."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import UTC
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime

from monitor.errors import DeliveryError
from monitor.model import OutboxMail

SUBJECT_LENGTH = 200
NAME_LENGTH = 80
REFERENCES = 10

# The start of an RFC 2047 encoded word. EmailMessage decodes one wherever it meets it, the line
# ends in it too, and writes those out: `=?utf-8?q?=0D=0ABcc=3A…?=` in a name would be a header.
_ENCODED = "=?"
_DOT_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LOCAL_PART = re.compile(_DOT_ATOM)
# RFC 5322 3.6.4 without its obsolete and quoted forms, which mail programs read differently.
_MESSAGE_ID = re.compile(rf"(?=.{{3,200}}$){_DOT_ATOM}@{_DOT_ATOM}")
_DOMAIN = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9-]{1,63})*")
_LOCAL_LENGTH = 64
_LINE_BREAKS = re.compile(r"\r\n|[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")
_MEDIA_TYPE = re.compile(r"([a-z]+)/([a-z0-9.+-]+)((?:; [a-z]+=[A-Za-z0-9-]+)*)")
_PARAMETER = re.compile(r"; ([a-z]+)=([A-Za-z0-9-]+)")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]")  # for the name of a file in a header
# Cc control, Cf bidi marks and zero-width, Cs lone surrogates, Co private, Cn unassigned.
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn")


class _PlainHeaders(EmailPolicy):
    """Folds References between the ids, and leaves Subject on its line.

    The standard library breaks long ids into pieces, and puts a whole long subject on a second
    line, which readers show with a blank in front. A subject has at most SUBJECT_LENGTH
    characters; RFC 5322 2.1.1 wants 78 in a line and allows 998.
    """

    def fold_binary(self, name: str, value: str) -> bytes:
        """Write one header line; `value` holds checked ASCII ids where it is References."""
        if name == "References":
            return b"References: " + b"\r\n ".join(value.encode("ascii").split()) + b"\r\n"
        if name == "Subject" and value.isascii():
            return f"Subject: {value}\r\n".encode("ascii")
        return super().fold_binary(name, value)


# 7bit: smtplib does not announce BODY=8BITMIME, so nothing else may be on the wire.
_POLICY = _PlainHeaders(
    linesep=SMTP.linesep,
    max_line_length=SMTP.max_line_length,
    cte_type="7bit",
    raise_on_defect=False,
)


def build(
    mail: OutboxMail,
    *,
    sender: str,
    sender_name: str = "Lapsewatch",
    canary_id: str | None = None,
) -> bytes:
    """Write a mail in full (RFC 5322, MIME), with CRLF and in pure ASCII.

    Args:
        mail: the row; its Message-ID and date were fixed when it was written.
        sender: the mailbox that signs in. From is this address and no other, because Exchange
            refuses any other (SendAsDenied).
        sender_name: the name shown beside it.
        canary_id: marks a test mail, so that it can be found where Message-IDs are rewritten.

    Returns:
        The whole message, the same for every attempt.

    Raises:
        DeliveryError: an address cannot be written; `bad_recipient` when it is the recipient's.
    """
    message = EmailMessage(policy=_POLICY)
    message["From"] = Address(clean(sender_name, NAME_LENGTH), addr_spec=_sender(sender))
    message["To"] = Address(addr_spec=_recipient(mail.recipient))
    message["Subject"] = clean(mail.mail.subject, SUBJECT_LENGTH) or "Lapsewatch"
    message["Date"] = format_datetime(mail.date.astimezone(UTC))
    message["Message-ID"] = _message_id(mail.message_id)
    if references := _references(mail):
        message["References"] = references
    _add_marks(message, mail, canary_id)
    _add_bodies(message, mail)
    _add_attachments(message, mail)
    return message.as_bytes()


def clean(text: str, limit: int) -> str:
    """Make a text fit for one header line: no line ends, nothing invisible, not too long.

    Names of applications come from other people, and some try to add headers or to turn the
    reading direction round.
    """
    one_line = _LINE_BREAKS.sub(" ", text)
    # A tab is a space to the reader; everything else unseen goes.
    seen = (c for c in one_line.replace("\t", " ") if unicodedata.category(c) not in _UNSEEN)
    words = " ".join("".join(seen).split()).replace(_ENCODED, "= ?")
    return words if len(words) <= limit else f"{words[: limit - 1].rstrip()}…"


def ascii_address(address: str) -> str:
    """Write an address as plain RFC 5321 ASCII; an international domain as its A-labels.

    Raises:
        ValueError: it is no such address, or its local part needs SMTPUTF8.
    """
    local, at, domain = address.rpartition("@")
    try:
        plain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        plain = ""
    fits = len(local) <= _LOCAL_LENGTH and _LOCAL_PART.fullmatch(local)
    if not at or not fits or _ENCODED in local or not _DOMAIN.fullmatch(plain):
        raise ValueError(f"{clean(address, NAME_LENGTH)!r} is not an address that mail can go to")
    return f"{local}@{plain}"


def _sender(address: str) -> str:
    try:
        return ascii_address(address)
    except ValueError as problem:
        raise DeliveryError(
            f"The sender's mailbox is wrong: {problem}.",
            cause="send_as_denied",
            stage="mail",
            permanent=True,
            remedy="Correct `mailbox` in the settings.",
        ) from problem


def _recipient(address: str) -> str:
    try:
        return ascii_address(address)
    except ValueError as problem:
        raise DeliveryError(
            f"The recipient is wrong: {problem}.",
            cause="recipient_unknown",
            stage="rcpt",
            permanent=True,
            bad_recipient=True,
            retry="never",
            remedy="Correct the recipient in the settings.",
        ) from problem


def _message_id(text: str) -> str:
    """Give an id its angle brackets; what could not be one is replaced by a stable stand-in."""
    bare = text.strip().removeprefix("<").removesuffix(">")
    if not _MESSAGE_ID.fullmatch(bare) or _ENCODED in bare:
        bare = f"{_digest(text)}@lapsewatch.invalid"
    return f"<{bare}>"


def _references(mail: OutboxMail) -> str:
    """The ids this mail belongs to, the root first and then the newest (RFC 5322, 3.6.4)."""
    ids = list(dict.fromkeys(_message_id(one) for one in mail.mail.references))
    if len(ids) > REFERENCES:
        ids = [ids[0], *ids[1 - REFERENCES :]]
    return " ".join(ids)


def _add_marks(message: EmailMessage, mail: OutboxMail, canary_id: str | None) -> None:
    """Headers that keep out-of-office replies away (RFC 3834) and let rules sort the mail."""
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    if mail.mail.urgent:
        message["Importance"] = "high"
        message["X-Priority"] = "1"
    message["X-Lapsewatch-Kind"] = mail.mail.kind.value
    if canary_id is not None:
        message["X-Lapsewatch-Canary-Id"] = clean(canary_id, NAME_LENGTH)


def _add_bodies(message: EmailMessage, mail: OutboxMail) -> None:
    """Text first and complete, then the HTML: the last alternative is the one preferred."""
    message.set_content(_body(mail.mail.text), cte="quoted-printable")
    message.add_alternative(_body(mail.mail.html), subtype="html", cte="quoted-printable")
    # `=_` cannot occur in quoted-printable, so this can never be a line of a body.
    message.set_boundary(f"=_{_digest(mail.id)}")


def _add_attachments(message: EmailMessage, mail: OutboxMail) -> None:
    """Files after the bodies, in base64: always the same bytes, whatever is in them."""
    for file in mail.mail.attachments:
        kind = _MEDIA_TYPE.fullmatch(file.media_type)
        main, sub, rest = kind.groups() if kind else ("application", "octet-stream", "")
        message.add_attachment(
            file.content,
            maintype=main,
            subtype=sub,
            params=dict(_PARAMETER.findall(rest)),
            filename=_UNFIT.sub("-", file.name)[:NAME_LENGTH],
        )
    if mail.mail.attachments:  # the bodies are a part by now, with their own boundary
        message.set_boundary(f"=_{_digest(f'{mail.id} and files')}")


def _body(text: str) -> str:
    """Drop what no mail may hold: control characters (but not line ends) and surrogates."""
    lines = _LINE_BREAKS.sub("\n", text)
    return "".join(c for c in lines if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]
