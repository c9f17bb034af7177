"""The words of the mails: dates, spans, names made harmless, and what each kind is called."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.model import Credential, CredentialState, Kind, Sort, Stage

NAME_CAP = 80
EVIDENCE_CAP = 400
LAST_WORDS = 24  # letters of the end of a name that is shortened in its middle
SUBJECT_CAP = 78  # lists show about 70, and a header line ends there
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

KIND_WORDS = {
    Kind.SECRET: ("secret", "secrets"),
    Kind.CERTIFICATE: ("certificate", "certificates"),
    Kind.SAML_SIGNING: ("SAML certificate", "SAML certificates"),
    Kind.TOKEN_ENCRYPTION: ("token-encryption certificate", "token-encryption certificates"),
    Kind.SYMMETRIC_KEY: ("symmetric key", "symmetric keys"),
    Kind.ITEM: ("watched date", "watched dates"),
    Kind.GDAP: ("GDAP relationship", "GDAP relationships"),
}

SORT_WORDS: dict[str, str] = {
    Sort.CERTIFICATE: "certificate",
    Sort.APPLE_PUSH: "Apple push certificate",
    Sort.CONTRACT: "contract",
    Sort.DOMAIN: "domain",
}

# What the successor of a kind is called where it is entered somewhere.
NEW = {
    Kind.SECRET: "value",
    Kind.CERTIFICATE: "certificate",
    Kind.SAML_SIGNING: "certificate",
    Kind.TOKEN_ENCRYPTION: "certificate",
    Kind.SYMMETRIC_KEY: "key",
}

# Only where the id of a cause does not read as words by itself.
CAUSE_WORDS = {
    "consent_missing": "admin consent missing",
    "expired_secret": "the app's own secret has expired",
    "wrong_secret": "wrong client secret",
    "permission_missing": "a permission is missing",
    "app_not_found": "the app is not in this tenant",
    "app_disabled": "the app is disabled",
    "ca_blocked": "blocked by Conditional Access",
    "generic_oauth_failure": "token refused without a reason",
    "smtp_auth_disabled_tenant": "SMTP AUTH is off for the organisation",
    "smtp_auth_disabled_mailbox": "SMTP AUTH is off for the mailbox",
    "sp_not_in_exchange": "Exchange does not know the service principal",
    "object_id_mismatch": "wrong Enterprise application object id",
    "cert_not_registered": "certificate not registered",
    "tls_untrusted": "TLS certificate not trusted",
    "scan_incomplete": "the scan did not reach its end",
    "scan_shrunk": "many credentials are gone at once",
    "html_instead_of_json": "a web page answered instead of Microsoft",
}

# Letters that show as nothing although Unicode counts them as letters or marks.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_DOMAIN = re.compile(r"(?<=[^\W_])\.(?=[^\W\d_]{2,24}(?![\w.]))")
_ADDRESS = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


def plain(text: str, cap: int = NAME_CAP) -> str:
    """One line that shows what it holds: no control, bidi or zero-width characters, capped."""
    shown = []
    for char in text[: cap * 8]:
        category = unicodedata.category(char)
        if category in ("Cc", "Zl", "Zp", "Zs"):
            shown.append(" ")
        elif category in ("Cs", "Cn"):
            shown.append("\ufffd")
        elif category != "Cf" and char not in _BLANKS:
            shown.append(char)
    return shorten(" ".join("".join(shown).split()), cap)


def defang(text: str, cap: int = NAME_CAP) -> str:
    """`plain`, and no mail program makes a link of it: http[:]//evil[.]example."""
    line = plain(text, cap).replace("://", "[:]//")
    line = re.sub(r"(?i)\bwww\.", "www[.]", line)
    line = re.sub(r"(?i)\b(mailto|javascript|data|file|tel):", r"\1[:]", line)
    return _DOMAIN.sub("[.]", line)


def address(text: str) -> str:
    """An owner or recipient: a mail address stays as it is, anything else is defanged."""
    return text if len(text) <= NAME_CAP and _ADDRESS.fullmatch(text) else defang(text)


def lines(text: str) -> list[str]:
    """Our own explanations line by line, with their links and commands intact."""
    return [shown for line in text.splitlines() if (shown := plain(line, EVIDENCE_CAP * 2))]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line; `code` is to be typed as it stands, `spaced` has a blank before it."""

    text: str
    code: bool
    spaced: bool


def pieces(line: str) -> list[Piece]:
    """A line of ours taken apart at its backticks: a template's output is trimmed at its ends."""
    if line.count("`") % 2:  # a name may hold one
        return [Piece(line, code=False, spaced=False)]
    found, spaced = [], False
    for number, part in enumerate(line.split("`")):
        code = number % 2 == 1
        if part.strip():
            found.append(Piece(part.strip(), code, spaced or part[0] == " "))
        spaced = part[-1:] == " " if part else spaced
    return found


def shorten(text: str, cap: int) -> str:
    """The text, or its beginning and its last words: names that begin alike differ at the end.

    Cut at words; what has none is cut at its end.
    """
    if len(text) <= cap:
        return text
    last = text[-min(cap // 3, LAST_WORDS) - 1 :]
    gap = next((mark for mark in " -_" if mark in last), "")
    end = last.partition(gap)[2].strip() if gap else ""
    gap = gap if end else ""
    dots = f" ... {end}" if gap == " " else f"{gap}...{gap}{end}"
    return _begin(text, gap or " ", max(cap - len(dots), 1)) + dots


def _begin(text: str, gap: str, room: int) -> str:
    """Whole words, unless a long one, such as an id, would take too much with it."""
    whole = text[: room + 1].rpartition(gap)[0].strip()
    return whole if len(whole) * 2 > room else text[:room].rstrip()


def local(instant: datetime, zone: ZoneInfo) -> datetime:
    """The instant in the zone; in UTC where the zone's date would leave the calendar."""
    try:
        return instant.astimezone(zone)
    except OverflowError:
        return instant.astimezone(UTC)


def long_date(instant: datetime, zone: ZoneInfo) -> str:
    """An instant for people: "Mon 30 Nov 2026, 09:00 CET"."""
    there = local(instant, zone)
    name = there.tzname() or "UTC"
    label = f"UTC{name}" if name[0] in "+-" else name
    return f"{day(there.date())}, {there:%H:%M} {label}"


def day(value: date) -> str:
    """A date for people: "Mon 30 Nov 2026"."""
    return f"{DAYS[value.weekday()]} {value.day} {MONTHS[value.month - 1]} {value.year:04d}"


def short_day(value: date, today: date) -> str:
    """A date for a subject: "30 Nov", with the year where it would be missed."""
    shown = f"{value.day} {MONTHS[value.month - 1]}"
    return shown if abs((value - today).days) < 300 else f"{shown} {value.year:04d}"


def short_date(instant: datetime, zone: ZoneInfo) -> str:
    """A date with its year and no more: "30 Nov 2027"."""
    there = local(instant, zone).date()
    return f"{there.day} {MONTHS[there.month - 1]} {there.year:04d}"


def days_between(instant: datetime, now: datetime, zone: ZoneInfo) -> int:
    """Whole local days from now to the instant; negative when it has passed."""
    return (local(instant, zone).date() - local(now, zone).date()).days


def relative_days(days_left: int | None) -> str:
    """Days in words: "in 7 days", "tomorrow", "today", "yesterday", "3 weeks ago"."""
    if days_left is None:
        return "never"
    words = {1: "tomorrow", 0: "today", -1: "yesterday"}
    if days_left in words:
        return words[days_left]
    count = abs(days_left)
    amount = f"{count // 365} years" if count >= 730 else f"{count} days"
    if days_left > 0:
        return f"in {amount}"
    return f"{count // 7} weeks ago" if 14 <= count < 70 else f"{amount} ago"


def span(length: timedelta) -> str:
    """How long something lasted: "12 min", "3 h 12 min", "26 h", "4 days"."""
    minutes = max(int(length.total_seconds() // 60), 0)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours >= 72:
        return f"{hours // 24} days"
    return f"{hours} h" if hours >= 24 or rest == 0 else f"{hours} h {rest} min"


def ending(days_left: int | None, lapsed: bool) -> str:
    """What the end does and when: "expires in 7 days", "expired yesterday"."""
    return f"{'expired' if lapsed else 'expires'} {relative_days(days_left)}"


def kind_word(kind: Kind) -> str:
    """What one credential of this kind is called in a sentence."""
    return KIND_WORDS[kind][0]


def thing(credential: Credential) -> str:
    """What a credential is called in a sentence; a watched date by what it is the end of."""
    if credential.kind is Kind.ITEM:
        sort = (credential.name or "").partition(" ")[0]
        return SORT_WORDS.get(sort, kind_word(Kind.ITEM))
    return kind_word(credential.kind)


def counted(kinds: list[Kind]) -> str:
    """How many of what: "1 secret", "4 secrets", "4 credentials" where the kinds differ."""
    singular, plural = (
        KIND_WORDS[kinds[0]] if len(set(kinds)) == 1 else ("credential", "credentials")
    )
    return f"{len(kinds)} {singular if len(kinds) == 1 else plural}"


def cause_words(cause: str | None) -> str:
    """The id of a cause as words; empty for None."""
    return CAUSE_WORDS.get(cause, plain(cause.replace("_", " "))) if cause else ""


def state_word(stage: Stage, days_left: int) -> CredentialState:
    """The state of the shared vocabulary that a warning stands for."""
    if stage.after_end:
        return CredentialState.LAPSED
    if days_left <= 7:
        return CredentialState.CRITICAL
    return CredentialState.WARNING if days_left <= 30 else CredentialState.UPCOMING
