"""Renders a StatusReport as one whole HTML page that works without a script."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from monitor.arrival import words
from monitor.export import visible
from monitor.findings import first_failed
from monitor.model import OPERATOR, Credential, Kind
from monitor.severity import policy_words
from monitor.status import CredentialRow, StatusReport
from monitor.web import advice, times, view

SHOWN_OWNERS = 3
EVIDENCE_LINES = 6

_PACKAGE = Path(__file__).resolve().parents[1]
_ICONS = {
    "lapsed": "cross", "failed": "cross", "bad": "cross", "undeliverable": "cross",
    "critical": "alert", "warning": "alert", "attention": "alert", "no path": "alert",
    "overdue": "alert", "unfinished": "alert", "late": "clock",
    "upcoming": "clock", "stale": "clock", "waiting": "clock",
    "ok": "check",
    "unknown": "question", "blind": "question", "unconfirmed": "question",
    "never tested": "question",
    "superseded": "arrow", "managed": "arrow",
    "snoozed": "pause", "ignored": "pause", "paused": "pause", "pending": "pause",
    "removed": "dash", "neutral": "dash",
}  # fmt: skip
_KINDS = {
    "secret": "client secret",
    "certificate": "certificate",
    "saml_signing": "SAML signing certificate",
    "token_encryption": "token encryption certificate",
    "symmetric_key": "symmetric key",
    "item": "watched date",
    "gdap": "GDAP relationship",
}


def render_page(
    report: StatusReport,
    *,
    zone: ZoneInfo,
    operator_name: str | None = None,
    banner: str | None = None,
    inbox_url: str | None = None,
    version: str,
    standalone: bool = False,
    setup: bool = False,
) -> str:
    """Render the whole page.

    Args:
        report: what to show; it is not judged again.
        zone: the zone of all dates on the page.
        operator_name: who runs this Lapsewatch.
        banner: a sentence above everything, such as the demo's "nothing leaves this machine".
        inbox_url: where the demo's mails can be read; anything but http(s) is left out.
        version: of Lapsewatch, for the footer.
        setup: whether there are set-up pages to link to.
        standalone: put the style sheet into the page, for a file that is opened by itself.
    """
    return (
        environment()
        .get_template("page.html")
        .render(
            report=report,
            view=view.arrange(report),
            now=report.generated_at,
            zone=zone,
            operator_name=operator_name,
            banner=banner,
            inbox_url=inbox_url if (inbox_url or "").startswith(("http://", "https://")) else None,
            version=version,
            standalone=standalone,
            setup=setup,
        )
    )


def render_problem(title: str, advice_text: str, request_id: str) -> str:
    """Render the plain page for a request that has no other answer."""
    template = environment().get_template("problem.html")
    return template.render(title=title, advice=advice_text, request_id=request_id)


def template_folder() -> Path:
    """Where the templates are: inside an installed package, or beside it in a checkout."""
    installed = _PACKAGE / "_templates" / "web"
    return installed if installed.is_dir() else _PACKAGE.parent / "templates" / "web"


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates of all pages: escaped, strict, and with nothing that hides or moves text."""
    made = Environment(
        loader=FileSystemLoader(template_folder()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
        auto_reload=False,
    )
    made.filters.update(
        long_date=times.long_date,
        short_date=times.short_date,
        iso=times.iso,
        ago=times.ago,
        cut=cut,
        kind_words=lambda kind: _KINDS.get(str(kind), str(kind)),
        icon=lambda state: _ICONS.get(str(state), "dash"),
        mail_word=view.mail_word,
        run_word=view.run_word,
        canary_word=view.canary_word,
        arrival_words=words,
        known_cause=advice.known_cause,
        first_failed=first_failed,
        rescan_command=advice.rescan_command,
        code_parts=lambda text: text.split("`"),
        evidence_lines=lambda text: text.splitlines()[:EVIDENCE_LINES],
        owners=owners,
        time_left=_time_left,
        key_label=_key_label,
        policy_words=policy_words,
    )
    made.globals["OPERATOR"] = OPERATOR
    return made


def _shown(value: object) -> object:
    # Every text on the page passes here, so no template can forget it.
    return visible(value) if type(value) is str else value


def cut(text: str, limit: int) -> str:
    """Shorten a text in the middle: the start and the end tell names apart."""
    shown = visible(text)
    if len(shown) <= limit:
        return shown
    head = limit * 2 // 3
    return f"{shown[:head]} … {shown[len(shown) - (limit - head) :]}"


def owners(credential: Credential) -> str:
    """Say who can renew it; that nobody can is worth a word, and so is not knowing."""
    if credential.owners is None:
        return "owners not read"
    if not credential.owners:
        return "nobody owns this app"
    named = ", ".join(cut(owner, 60) for owner in credential.owners[:SHOWN_OWNERS])
    more = len(credential.owners) - SHOWN_OWNERS
    return f"{named} and {more} more" if more > 0 else named


def _time_left(row: CredentialRow, report: StatusReport) -> str:
    return times.time_left(row.credential.end, row.days_left, report.generated_at)


def _key_label(credential: Credential | None) -> str:
    """The start of the key's (or relationship's) id; of the thumbprint where there is none."""
    if credential is None:
        return "another one"
    if credential.kind is Kind.ITEM:
        return credential.object_id
    if credential.key_id:
        return credential.key_id[:8]
    if credential.kind is Kind.GDAP:
        return credential.object_id[:8]
    return credential.thumbprint[:8] if credential.thumbprint else "no key id"
