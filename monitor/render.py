"""Turns what must be said into mails (templates/email/) and Exchange scripts (templates/setup/)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from zoneinfo import ZoneInfo

from css_inline import CSSInliner
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from monitor.mail import alarms, breaks, digests, outages, readers, reports, shrunk, storms, words
from monitor.mail.alarms import AlarmView, CanaryFacts
from monitor.mail.calendars import calendar
from monitor.mail.digests import DigestView
from monitor.mail.guides import alarm_link, portal_link
from monitor.mail.outages import BrokenPath, WaitingItem
from monitor.mail.reports import ReportView
from monitor.mail.sheets import sheet
from monitor.mail.storms import StormLine
from monitor.mail.threads import reference, references
from monitor.mail.views import ActionView, DigestItem, Frame
from monitor.mail.words import long_date, relative_days
from monitor.model import (
    OPERATOR,
    Attachment,
    Cloud,
    Credential,
    Finding,
    Mail,
    MailKind,
    Probe,
    Tenant,
    TenantHealth,
)
from monitor.model.acts import HandOver
from monitor.onboard import ExchangeSetup, Form, Model
from monitor.powershell import literal
from monitor.weekly import Weekly

__all__ = [
    "BrokenPath", "DigestItem", "Renderer", "StormLine", "WaitingItem", "exchange_script",
    "long_date", "portal_link", "relative_days",
]  # fmt: skip

SIZE = 95_000  # bytes of HTML; some mail programs cut at 100 kB
MIN_NAME = 20  # a shorter name in a subject would say nothing


class Renderer:
    """Renders every kind of mail; the same input gives the same mail.

    Args:
        clouds: where the portal of each cloud is, by the cloud's name.
        operator_name: who runs this Lapsewatch, for the foot of the mails.
        operator_addresses: by which their people are known; others are told to ask them.
        base_url: the status page, if people can reach one.
    """

    def __init__(
        self,
        *,
        clouds: Mapping[str, Cloud],
        operator_name: str | None = None,
        operator_addresses: Collection[str] = (),
        base_url: str | None = None,
    ) -> None:
        self._clouds = clouds
        self._operator = words.defang(operator_name) if operator_name else ""
        self._reader = readers.Operator(operator_name or "", tuple(operator_addresses))
        self._base_url = base_url.rstrip("/") if base_url else ""
        self._html = _environment(autoescape=True)
        self._text = _environment(autoescape=False)
        # @media carries dark mode and narrow screens; nothing is ever fetched.
        self._inliner = CSSInliner(
            keep_at_rules=True, minify_css=True, load_remote_stylesheets=False
        )

    def digest(
        self,
        items: Sequence[DigestItem],
        *,
        recipient: str,
        zone: ZoneInfo,
        now: datetime,
        as_of: Mapping[str, datetime],
        covered: Sequence[tuple[Tenant, Credential, Credential]] = (),
        still_lapsed: Sequence[tuple[Tenant, Credential]] = (),
        blind: Sequence[tuple[Tenant, TenantHealth]] = (),
        next_run: datetime | None = None,
        welcome: bool = False,
        actions: Mapping[tuple[str, str], tuple[ActionView, ...]] | None = None,
        handed_over: Mapping[tuple[str, str, int], HandOver] | None = None,
        ignored: int = 0,
        working_days: tuple[int, ...] = (),
        token: str = "",
    ) -> Mail:
        """One recipient's mail of one run: `reminder`, `lapsed` or `covered`.

        With `welcome` it is a `welcome`: all its tenants are in shadow, and what is lapsed or due
        there is told this once. `ignored` is how many credentials a rule keeps quiet,
        `working_days` are the recipient's, `token` is what a ticket system knows the mail by.
        """
        if not items:
            raise ValueError("a digest needs at least one notice")
        frame = Frame(
            recipient, zone, now, self._clouds, as_of, next_run, actions or {}, handed_over or {},
            ignored, working_days,
        )  # fmt: skip
        ordered = digests.gravest_first(items)
        kind = MailKind.WELCOME if welcome else digests.digest_kind(ordered)
        older = [(tenant, old) for tenant, old, _ in covered]
        whole = sheet(ordered, frame, covered=older, still_lapsed=still_lapsed)
        lay_out = partial(
            digests.digest_view, kind, ordered, frame,
            covered=covered, still_lapsed=still_lapsed, blind=blind, left=whole.left,
        )  # fmt: skip
        asked = self._reader.asked_by(recipient)
        for shown, lines in digests.SHOWN:
            view = readers.told(lay_out(shown=shown, lines=lines), asked)
            mail = self._mail(kind, view, app=view.head.app, token=token)
            if len(mail.html.encode()) < SIZE:
                break
        return replace(
            mail,
            references=references(ordered),
            urgent=digests.is_urgent(ordered),
            attachments=_attachments(whole.file if view.cut else None, calendar(ordered, frame)),
        )

    def cannot_check(
        self,
        tenant: Tenant,
        *,
        health: TenantHealth,
        explanation: str,
        fix: str,
        zone: ZoneInfo,
        now: datetime,
        finding: Finding | None = None,
    ) -> Mail:
        """The alarm that a tenant cannot be read; `finding` is the doctor's, where it has one."""
        cause = finding.cause if finding else health.cause
        if cause == shrunk.CAUSE:
            asked = shrunk.shrunk_view(tenant, health, explanation, fix, zone=zone, now=now)
            thread = ("scan", tenant.name)
            return self._alarm(MailKind.CANNOT_CHECK, asked, thread=thread, urgent=True)
        view = alarms.cannot_check_view(
            tenant, health, explanation, fix, zone=zone, now=now, finding=finding
        )
        view = self._linked(view, tenant, tenant.client_id, cause, None)
        return self._alarm(MailKind.CANNOT_CHECK, view, thread=("scan", tenant.name), urgent=True)

    def recovered_tenant(
        self,
        tenant: Tenant,
        *,
        blind_since: datetime,
        zone: ZoneInfo,
        now: datetime,
        cause: str | None = None,
    ) -> Mail:
        """The end of a `cannot_check`; `cause` is what had failed last."""
        view = alarms.recovered_view(
            tenant.name, None, blind_since, zone=zone, now=now, cause=cause
        )
        return self._alarm(MailKind.RECOVERED, view, thread=("scan", tenant.name))

    def canary(
        self,
        *,
        tenant_name: str,
        mailbox: str,
        host: str,
        port: int,
        number: int,
        canary_id: str,
        token_expires: datetime | None,
        credential_ends: datetime | None,
        zone: ZoneInfo,
        now: datetime,
        mark: str = "",
        proof: str = "",
    ) -> Mail:
        """The daily test mail of a sender."""
        facts = CanaryFacts(
            tenant_name, mailbox, host, port, number, canary_id, token_expires, credential_ends,
            mark, proof,
        )  # fmt: skip
        view = alarms.canary_view(facts, zone=zone, now=now)
        return self._alarm(MailKind.CANARY, view, thread=("canary", tenant_name, mailbox))

    def canary_failed(
        self,
        *,
        tenant_name: str,
        mailbox: str,
        probe: Probe,
        title: str,
        explanation: str,
        fix: str,
        also: Sequence[str],
        last_ok: datetime | None,
        zone: ZoneInfo,
        now: datetime,
        path_note: str = "",
        since: datetime | None = None,
        tenant: Tenant | None = None,
        finding: Finding | None = None,
    ) -> Mail:
        """The alarm that a sender's mail path is broken; it goes by another path.

        `since` is the first failure in a row (else this one); `tenant` adds the portal link;
        `finding` is the doctor's, where it has one.
        """
        view = alarms.canary_failed_view(
            tenant_name, mailbox, probe, title, explanation, fix,
            also=also, last_ok=last_ok, since=since, zone=zone, now=now,
            path_note=path_note, finding=finding, tenant=tenant,
        )  # fmt: skip
        if tenant is not None:
            client_id = (tenant.sender and tenant.sender.client_id) or tenant.client_id
            cause = finding.cause if finding else probe.cause
            view = self._linked(view, tenant, client_id, cause, probe.stage)
        thread = ("canary", tenant_name, mailbox)
        return self._alarm(MailKind.CANARY_FAILED, view, thread=thread, urgent=True)

    def recovered_sender(
        self,
        *,
        tenant_name: str,
        mailbox: str,
        broken_since: datetime,
        zone: ZoneInfo,
        now: datetime,
        cause: str | None = None,
    ) -> Mail:
        """The end of a `canary_failed`; `cause` is what had failed last."""
        view = alarms.recovered_view(
            tenant_name, mailbox, broken_since, zone=zone, now=now, cause=cause
        )
        return self._alarm(MailKind.RECOVERED, view, thread=("canary", tenant_name, mailbox))

    def storm(
        self,
        lines: Sequence[StormLine],
        *,
        fixes: Mapping[str, str],
        zone: ZoneInfo,
        now: datetime,
    ) -> Mail:
        """One mail in place of one for each of these alarms; `fixes` says what to do, by cause."""
        kind = storms.leading_kind(lines)
        urgent = kind is not MailKind.RECOVERED
        for shown in storms.SHOWN:
            view = storms.storm_view(lines, fixes, zone=zone, now=now, shown=shown)
            mail = self._alarm(kind, view, thread=("storm", str(kind)), urgent=urgent)
            if len(mail.html.encode()) < SIZE:
                break
        return mail

    def mail_path_broken(
        self,
        broken: Sequence[BrokenPath],
        waiting: Sequence[WaitingItem],
        *,
        mails: int,
        zone: ZoneInfo,
        now: datetime,
        own: bool = False,
    ) -> Mail:
        """What goes by another way when mail is broken: the paths, the fix, and all that waits.

        `own`: it is for one recipient, by its own channels.
        """
        view = outages.outage_view(broken, waiting, mails, zone=zone, now=now, own=own)
        mail = self._alarm(MailKind.MAIL_PATH_BROKEN, view, thread=("mail",), urgent=True)
        return replace(mail, attachments=outages.waiting_sheet(waiting, zone=zone, now=now))

    def mended(
        self, *, since: datetime, sent: int, zone: ZoneInfo, now: datetime, own: bool = False
    ) -> Mail:
        """The end of a `mail_path_broken`; `own`: to one recipient, by its own channels."""
        view = outages.mended_view(since, sent, zone=zone, now=now, own=own)
        return self._alarm(MailKind.RECOVERED, view, thread=("mail",))

    def report(self, told: Weekly, *, recipient: str, zone: ZoneInfo) -> Mail:
        """The report about everything, to one of the operator's recipients."""
        for shown, lines in reports.SHOWN:
            view = reports.report_view(told, recipient, zone, shown=shown, lines=lines)
            mail = self._mail(MailKind.REPORT, view, app="")
            if len(mail.html.encode()) < SIZE:
                break
        return replace(mail, references=(reference("report"),))

    def _linked(
        self, view: AlarmView, tenant: Tenant, client_id: str, cause: str | None, stage: str | None
    ) -> AlarmView:
        cloud = self._clouds.get(tenant.cloud)
        if cloud is None:
            return view
        link, label = alarm_link(cloud, tenant, client_id, cause, stage)
        return replace(view, link=link, link_label=label)

    def _alarm(
        self, kind: MailKind, view: AlarmView, *, thread: tuple[str, ...], urgent: bool = False
    ) -> Mail:
        mail = self._mail(kind, view, app="")
        return replace(mail, references=(reference(*thread),), urgent=urgent)

    def _mail(
        self,
        kind: MailKind,
        view: DigestView | AlarmView | ReportView,
        *,
        app: str,
        token: str = "",
    ) -> Mail:
        facts = {"v": view, "operator": self._operator, "base_url": self._base_url}
        subject = self._subject(kind, facts, app, f"[{token}] " if token else "")
        page = self._html.get_template(f"{kind}/body.html").render(facts, subject=subject)
        text = self._text.get_template(f"{kind}/body.txt").render(facts, subject=subject)
        return Mail(kind, subject, text.strip() + "\n", self._inliner.inline(page))

    def _subject(self, kind: MailKind, facts: Mapping[str, object], app: str, mark: str) -> str:
        template = self._text.get_template(f"{kind}/subject.txt")
        subject = mark + words.plain(template.render(facts, app=app), 200)
        over = len(subject) - words.SUBJECT_CAP
        if not app or over <= 0:
            return subject
        short = words.shorten(app, max(len(app) - over, MIN_NAME))
        return mark + words.plain(template.render(facts, app=short), 200)


def _attachments(*files: Attachment | None) -> tuple[Attachment, ...]:
    """The whole list where the mail shows only a part in full, and the ends for the calendar."""
    return tuple(file for file in files if file is not None)


def _environment(*, autoescape: bool) -> Environment:
    found = Environment(
        loader=FileSystemLoader(_templates("email")),
        autoescape=autoescape,  # noqa: S701 (off for the text part only, which is not HTML)
        undefined=StrictUndefined,
        finalize=_last_look,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["pieces"] = words.pieces
    found.filters["runs"] = breaks.runs
    return found


def exchange_script(setup: ExchangeSetup, form: Form) -> str:
    """The PowerShell script that makes, checks or undoes a sender's set-up in Exchange Online.

    Raises:
        UsageError: a value holds what cannot stand in a script.
    """
    facts = {
        "s": setup,
        "form": str(form),
        "rbac": setup.model is Model.RBAC,
        "environment": setup.environment or "",
        "own_cloud": setup.environment is None,
        "operator": setup.tenant == OPERATOR,
    }
    return _scripts().get_template(f"{form}.ps1").render(facts)


@cache
def _scripts() -> Environment:
    return Environment(
        loader=FileSystemLoader(_templates("setup")),
        autoescape=False,  # noqa: S701 (a script is not HTML)
        undefined=StrictUndefined,
        # Whatever a template prints is one literal: no template can forget to quote.
        finalize=literal,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _templates(kind: str) -> Path:
    """The folder of a checkout, or the one that the wheel carries."""
    here = Path(__file__).resolve().parent
    packed = here / "_templates" / kind
    return packed if packed.is_dir() else here.parent / "templates" / kind


def _last_look(value: object) -> object:
    """Whatever a template prints is one harmless line, even if a view forgot to see to it."""
    return value if hasattr(value, "__html__") else words.plain(str(value), 2000)
