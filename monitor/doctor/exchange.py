"""What an administrator's run of the Exchange check script tells: read back, and judged. Pure."""

from __future__ import annotations

from datetime import datetime

import msgspec

from monitor.doctor.checks import Notebook
from monitor.doctor.evidence import MailSeen, SignInSeen, TargetSeen
from monitor.errors import UsageError
from monitor.model import ExchangePoint, ExchangeResult
from monitor.senders import OAuthSender

LONGEST = 20_000  # a result has about one thousand characters
_FOUND = 600
_START, _MARK = "{", '"lapsewatch"'
_AGAIN = (
    "Paste the whole last line that the check script printed, from {{ to }}. The script: "
    "lapsewatch tenant script {} --check"
)
# By the names in templates/setup/_checks.ps1: the doctor's check, and what it means if not ok.
_CHECKS = {
    "mailbox": ("mailbox", "recipient_unknown"),
    "service_principal": ("exchange.service_principal", "sp_not_in_exchange"),
    "full_access": ("exchange.permission", "no_mailbox_permission"),
    "role": ("exchange.permission", "no_mailbox_permission"),
    "smtp_auth": ("exchange.smtp_auth", "smtp_auth_disabled_mailbox"),
}


class _Point(msgspec.Struct, frozen=True):
    check: str
    ok: bool
    found: str = ""


class _Result(msgspec.Struct, frozen=True):
    lapsewatch: str
    version: int
    tenant: str
    directory_id: str
    client_id: str
    object_id: str
    mailbox: str
    model: str
    checks: tuple[_Point, ...]


def read_result(text: str, sender: OAuthSender, *, at: datetime) -> ExchangeResult:
    """The line of JSON that the check script prints, as it was pasted back.

    What stands around the line does not matter, nor do line breaks of a terminal within it.

    Args:
        text: what was pasted, or the file of the script's output.
        sender: the sender that it has to be about.
        at: when it was read in.

    Raises:
        UsageError: it is no such line, or is about another sender.
    """
    again = _AGAIN.format("--operator" if sender.tenant == "(operator)" else sender.tenant)
    mark = text.rfind(_MARK)
    line = text[text.rfind(_START, 0, mark) : text.rfind("}") + 1] if mark > 0 else ""
    try:
        found = msgspec.json.decode("".join(line.splitlines()), type=_Result)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        why = "no such line is in it" if not line else f"it is damaged ({error})"
        told = f"This is no result of the Exchange check script: {why}."
        raise UsageError(told, remedy=again) from None
    if found.lapsewatch != "exchange-check" or found.version != 1 or len(line) > LONGEST:
        raise UsageError("This result is of another version of the script.", remedy=again)
    _compare(found, sender)
    points = tuple(ExchangePoint(one.check, one.ok, one.found[:_FOUND]) for one in found.checks)
    return ExchangeResult(
        sender.tenant, at, found.directory_id.lower(), found.client_id.lower(),
        found.object_id.lower(), found.mailbox, found.model, points,
    )  # fmt: skip


def _compare(found: _Result, sender: OAuthSender) -> None:
    """Another tenant's result would prove the wrong thing."""
    for what, theirs, ours in (
        ("tenant", found.tenant, sender.tenant),
        ("directory", found.directory_id, sender.directory_id),
        ("app (client id)", found.client_id, sender.client_id),
        ("mailbox", found.mailbox, sender.mailbox),
    ):
        if theirs.lower() != ours.lower():
            shown = "".join(c if c.isprintable() else "?" for c in theirs[:100])
            raise UsageError(
                f"This result is about another {what}: {shown}, and {sender.tenant} has {ours}.",
                remedy="Give it to the tenant that it is about, or make the check script anew.",
            )


def fits(result: ExchangeResult | None, sender: OAuthSender) -> bool:
    """Whether a result that was kept is still about this sender."""
    return result is not None and (
        (result.directory_id, result.client_id, result.mailbox.lower())
        == (sender.directory_id.lower(), sender.client_id.lower(), sender.mailbox.lower())
    )


def judge_exchange(
    seen: TargetSeen, signed: SignInSeen | None, mail: MailSeen, notes: Notebook
) -> None:
    """Judge the mailbox, and what Exchange said of the app when somebody last looked there.

    A run of the script is as old as it is: what the mail's way proves now goes before it.
    """
    result = seen.exchange
    if not mail.relay:
        _mailbox(mail, notes)
    if result is None:
        return
    as_of = f"{result.at:%Y-%m-%d %H:%M} UTC"
    for point in result.points:
        name, cause = _CHECKS.get(point.check, (None, ""))
        if name is None or notes.status(name) in ("ok", "failed"):
            continue
        evidence = f"{point.found} (Exchange check script, as of {as_of})"
        if point.ok:
            _agrees(result, name, evidence, signed, notes)
        elif _proven_since(name, mail):
            notes.ok(name, f"Works now. It did not as of {as_of}: {point.found}")
        elif "organisation, where SMTP AUTH is on" in point.found:
            notes.advised(name, evidence, "Switch it on for the mailbox itself: run the set-up.")
        else:
            status = "failed" if mail.stage in ("auth", "data") else "warning"
            notes.found(name, _cause(point, cause), evidence, status=status)  # type: ignore[arg-type]


def _agrees(
    result: ExchangeResult, name: str, evidence: str, signed: SignInSeen | None, notes: Notebook
) -> None:
    """What the script found right is right only if it looked for the right object id."""
    right = signed.object_id if signed is not None else None
    if name == "exchange.service_principal" and right and right.lower() != result.object_id:
        told = f"{evidence}; but by its token the app's object id is {right}."
        notes.found(name, "object_id_mismatch", told, status="warning")
    else:
        notes.ok(name, evidence)


def _proven_since(name: str, mail: MailSeen) -> bool:
    return mail.stage_ok("data") if name == "exchange.permission" else mail.accepted


def _cause(point: ExchangePoint, otherwise: str) -> str:
    if point.check == "service_principal" and "instead of" in point.found:
        return "object_id_mismatch"
    if point.check == "smtp_auth" and "follows the organisation" in point.found:
        return "smtp_auth_disabled_tenant"
    return otherwise


def _mailbox(mail: MailSeen, notes: Notebook) -> None:
    """Whether the sender's mailbox is there, as far as its own server tells."""
    name = "mailbox"
    own = mail.rcpt_to.lower() == mail.mailbox.lower()
    if mail.stage_ok("data"):
        notes.ok(name, "The server took a mail from it just now.")
    elif own and mail.stage_ok("rcpt"):
        notes.ok(name, f"The server takes mail for {mail.mailbox}.")
    elif own and mail.probe is not None and mail.probe.cause == "recipient_unknown":
        evidence = " ".join(mail.probe.evidence.split())[:600]
        fix = f"Create the mailbox {mail.mailbox}, or correct its address in the tenants file."
        notes.found(name, "recipient_unknown", evidence, fix=fix)
    else:
        why = "AUTH does not tell whether there is such a mailbox; the Exchange check script does."
        notes.skipped(name, why)
