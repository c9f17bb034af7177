"""Judges the mail path: who the app is for Exchange, and how far a mail came. Pure."""

from __future__ import annotations

import re

from monitor.doctor.apps import consent_command, consent_fix, is_delegated
from monitor.doctor.checks import Notebook
from monitor.doctor.evidence import (
    EXCHANGE_API,
    GRAPH_API,
    SEND_ROLE,
    MailSeen,
    SignInSeen,
    TargetSeen,
)
from monitor.doctor.network import certificate_words, failed_step, foreign_issuer
from monitor.model import STAGES, CanaryResult

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# Only what PowerShell takes literally between single quotes, whichever quotes it knows.
_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,255}")
# What an administrator of Exchange changes, and what takes its time to be known everywhere.
_SET_UP = frozenset(
    {
        "generic_oauth_failure",
        "sp_not_in_exchange",
        "object_id_mismatch",
        "consent_missing",
        "no_mailbox_permission",
        "smtp_auth_disabled_mailbox",
        "smtp_auth_disabled_tenant",
    }
)
_IN_EXCHANGE = (
    "mailbox", "exchange.service_principal", "exchange.permission", "exchange.smtp_auth",
)  # fmt: skip
_IF_KNOWN = (
    "Where `Get-ServicePrincipal` lists it already: compare the ObjectId there, and check that "
    "{mailbox} is a mailbox of this tenant and spelled right."
)
_ONLY_HERE = (
    "Exchange accepts the app, so only Lapsewatch's own setting is wrong. Correct it by the "
    "command here, or in the tenants file if the tenant stands in one. Change nothing in Exchange."
)
_WAIT = (
    "This entry changed less than two hours ago. If the set-up did too, wait up to two hours and "
    "run the doctor again before changing anything. Otherwise: "
)


def right_object_id(seen: TargetSeen) -> str | None:
    """The sending app's object id under Enterprise applications, by its token or by Graph."""
    signed = seen.mail_in
    if signed is None:
        return None
    return signed.object_id or seen.directory.principals.get(signed.client_id)


def judge_identity(seen: TargetSeen, signed: SignInSeen, mail: MailSeen, notes: Notebook) -> None:
    """Judge the Enterprise application, its object id and its permissions."""
    right = right_object_id(seen)
    if signed.error is not None and signed.error.cause == "missing_service_principal":
        notes.found(
            "service_principal", "missing_service_principal", signed.error.message,
            fix=consent_fix(signed, notes, "missing_service_principal"),
            command=consent_command(signed),
        )  # fmt: skip
    elif right:
        notes.ok("service_principal", f"Its object id is {right}.")
    else:
        notes.skipped("service_principal", "Neither a token nor Graph tells.")
    _object_id(seen, signed, mail, right, notes)
    _permissions(seen, signed, mail, notes)


def _object_id(
    seen: TargetSeen, signed: SignInSeen, mail: MailSeen, right: str | None, notes: Notebook
) -> None:
    name, configured = "object_id", mail.configured_object_id
    if configured is None:
        told = f"Not configured; it is {right}." if right else "It is not configured."
        notes.skipped(name, told)
    elif right is None:
        notes.skipped(name, "Neither a token nor Graph tells the right one.")
    elif configured.lower() == right.lower():
        notes.ok(name, right)
    else:
        command = _register(signed, right, before=configured)
        notes.found(
            name,
            "object_id_mismatch",
            f"{configured} is configured, but the Enterprise application's is {right}."
            + _whose(seen, signed, configured),
            status="warning" if mail.accepted else "failed",
            fix=_ONLY_HERE if mail.accepted else _right_object_id(mail, right, command, notes),
            command=_take_over(seen, right) if mail.accepted else command,
        )


def _take_over(seen: TargetSeen, right: str) -> str | None:
    """Corrects our own setting; a name that a shell would read otherwise is not for pasting."""
    name = seen.name
    typed = name.replace("-", "").replace(".", "").replace("_", "").isalnum() and name.isascii()
    return f"lapsewatch tenant update {name} --object-id {right}" if typed else None


def _right_object_id(mail: MailSeen, right: str, command: str | None, notes: Notebook) -> str:
    wrong = mail.configured_object_id
    first = (
        f'Set `enterprise_object_id = "{right}"` (it is "{wrong}") under `[tenant.sender]` in '
        "the tenants file, and import it. "
    )
    if command is None:
        return first + notes.rules.describe("object_id_mismatch").fix
    return first + (
        "Then an Exchange administrator registers the app under that id by the command here. "
        "Remove-ServicePrincipal is only for an app that `Get-ServicePrincipal` lists with the "
        "wrong ObjectId. "
        "Then the new entry gets the mailbox again, as the permission belonged to the old one: "
        f"`Add-MailboxPermission -Identity <mailbox> -User {right} -AccessRights FullAccess`, or "
        "its role where Exchange gives it by App RBAC."
    )


def _whose(seen: TargetSeen, signed: SignInSeen, configured: str) -> str:
    """Whose object id was given by mistake, as far as Graph tells."""
    app = seen.directory.apps.get(signed.client_id)
    own = app is not None and app.object_id.lower() == configured.lower()
    if own or seen.directory.app_object.get(configured):
        return " The configured one is the app registration's."
    if configured.lower() == signed.client_id.lower():
        return " The configured one is the client id."
    return ""


def _permissions(seen: TargetSeen, signed: SignInSeen, mail: MailSeen, notes: Notebook) -> None:
    name = "smtp.permissions"
    if signed.claims is None:
        notes.skipped(name, "There is no token for SMTP.")
    elif not signed.claims:
        notes.skipped(name, "The token cannot be read.")
    elif SEND_ROLE in signed.roles:
        notes.ok(name, ", ".join(signed.roles))
    elif mail.accepted:
        notes.ok(name, "Exchange accepts the app by its own roles (App RBAC).")
    else:
        cause, evidence, also = _missing_role(seen, signed, mail)
        reached = mail.probe is not None and mail.probe.stage == "auth"
        notes.found(
            name, cause, evidence, also=also, status="failed" if reached else "warning",
            fix=consent_fix(signed, notes) if cause == "consent_missing" else "",
            command=consent_command(signed) if cause == "consent_missing" else None,
        )  # fmt: skip


def _missing_role(
    seen: TargetSeen, signed: SignInSeen, mail: MailSeen
) -> tuple[str, str, tuple[str, ...]]:
    """Why a token lacks SMTP.SendAsApp: the cause, what tells it, and what it may be as well.

    Without the role Exchange takes a token only by App RBAC, which is why it is no mistake of
    its own (https://learn.microsoft.com/exchange/client-developer/legacy-protocols).
    """
    told = f"The token for SMTP carries no {SEND_ROLE} (application permission of Exchange)."
    app = seen.directory.apps.get(signed.client_id)
    asks = app.asks if app is not None else None
    of_exchange = asks.get(EXCHANGE_API, frozenset()) if asks is not None else frozenset()
    graph = mail.graph_roles or ()
    if is_delegated(signed):
        return "delegated_permission", told + " It stands for a user (scp).", ()
    if "Role" in of_exchange:
        return "consent_missing", told + " The app asks for it, so consent is missing.", ()
    if "Scope" in of_exchange:
        more = " The app asks Exchange only for delegated permissions."
        return "delegated_permission", told + more, ("consent_missing",)
    if graph or (asks is not None and "Role" in asks.get(GRAPH_API, frozenset())):
        named = f" ({', '.join(graph)})" if graph else ""
        more = f" The app has permissions of Microsoft Graph{named} instead."
        return "wrong_api_permission", told + more, ("consent_missing", "sp_not_in_exchange")
    return "consent_missing", told, ("sp_not_in_exchange", "delegated_permission")


def judge_stages(
    seen: TargetSeen, signed: SignInSeen | None, mail: MailSeen, notes: Notebook
) -> None:
    """Judge each stage of the mail's way, up to where it ended."""
    probe = mail.probe
    timings = {one.stage: one for one in probe.timings} if probe else {}
    for stage in STAGES:
        name = f"smtp.{stage}"
        if stage == "token":
            continue
        if stage == "data" and not mail.sent:
            notes.skipped(name, "No test mail is sent without --send.")
        elif stage == "auth" and mail.relay and stage not in timings and mail.stage_ok("ehlo"):
            notes.skipped(name, "The relay asks for no sign-in.")
        elif stage not in timings:
            notes.skipped(name, _why_not_reached(mail))
        elif timings[stage].ok:
            _passed(name, stage, timings[stage].reply, mail, notes)
        else:
            _stopped(seen, signed, mail, name, stage, notes)


def _why_not_reached(mail: MailSeen) -> str:
    stage = mail.probe.stage if mail.probe else None
    if stage == "token":
        return "There is no token."
    return f"The stage {stage} failed." if stage else "It was not tried."


def _passed(name: str, stage: str, reply: str, mail: MailSeen, notes: Notebook) -> None:
    evidence = " ".join(reply.split())[:300]
    found = mail.reached
    if stage == "starttls" and found is not None and found.tls:
        evidence = f"{found.tls}; {certificate_words(found.certificate)}"
        if foreign_issuer(found):
            notes.found(name, "tls_intercepted", evidence, status="warning")
            return
    notes.ok(name, evidence)


def _stopped(
    seen: TargetSeen,
    signed: SignInSeen | None,
    mail: MailSeen,
    name: str,
    stage: str,
    notes: Notebook,
) -> None:
    """The stage at which the mail's way ended."""
    probe = mail.probe
    if probe is None or probe.result is not CanaryResult.FAILED:
        return
    if stage == "starttls" and mail.reached is not None and mail.reached.failed == "tls":
        failed_step(name, mail.reached, notes)
        return
    told = notes.rules.diagnose(probe.evidence, stage=stage)
    cause, also = probe.cause, list(told.also) if told.cause == probe.cause else []
    if stage == "auth" and cause == "generic_oauth_failure" and signed is not None:
        cause, also = _behind_generic(signed, notes)
    fix = notes.rules.describe(cause).fix if cause in notes.rules.causes else ""
    if cause == "consent_missing" and signed is not None:
        fix = consent_fix(signed, notes)
    if cause == "sp_not_in_exchange":
        fix += f" {_IF_KNOWN.format(mailbox=mail.mailbox)}"
    if seen.fresh and cause in _SET_UP:
        also.append("propagating")
        fix = _WAIT + fix
    evidence = f"{mail.host}:{mail.port}: {' '.join(probe.evidence.split())[:600]}"
    command = _command(cause, signed, mail)
    notes.found(name, cause, evidence, also=also, fix=fix, command=command)


def _behind_generic(signed: SignInSeen, notes: Notebook) -> tuple[str, list[str]]:
    """The cause behind Exchange's bare 5.7.3, by what the token and Graph have shown.

    What can be seen from here is looked at first. Where all of that is right, the app is not
    known to Exchange, or not under this object id: nothing else is left that AUTH depends on but
    the mailbox itself.
    """
    for name in ("smtp.claims", "smtp.permissions", "object_id", *_IN_EXCHANGE):
        cause = notes.cause(name)
        if notes.status(name) == "failed" and cause is not None:
            return cause, []
    if notes.status("exchange.service_principal") == "ok":
        return "generic_oauth_failure", ["propagating", "no_mailbox_permission"]
    if not signed.claims:
        return "generic_oauth_failure", ["sp_not_in_exchange", "consent_missing", "propagating"]
    also = ["object_id_mismatch", "no_mailbox_permission", "generic_oauth_failure"]
    return "sp_not_in_exchange", also


def _command(cause: str, signed: SignInSeen | None, mail: MailSeen) -> str | None:
    """What to paste into PowerShell, where every value in it is plain."""
    mailbox = mail.mailbox if _PLAIN_ADDRESS.fullmatch(mail.mailbox) else None
    object_id = signed.object_id if signed and _is_guid(signed.object_id) else None
    if cause in ("smtp_auth_disabled_mailbox", "smtp_auth_disabled_tenant") and mailbox:
        return f"Set-CASMailbox -Identity '{mailbox}' -SmtpClientAuthenticationDisabled $false"
    if cause == "no_mailbox_permission" and mailbox and object_id:
        return (
            f"Add-MailboxPermission -Identity '{mailbox}' -User '{object_id}' "
            "-AccessRights FullAccess -AutoMapping $false"
        )
    if cause in ("sp_not_in_exchange", "object_id_mismatch") and signed:
        return _register(signed, signed.object_id, before=mail.configured_object_id)
    return consent_command(signed) if cause == "consent_missing" and signed else None


def _register(signed: SignInSeen, right: str | None, *, before: str | None) -> str | None:
    """Registers the app in Exchange under the right object id."""
    if not _is_guid(right) or not _is_guid(signed.client_id):
        return None
    known = f"New-ServicePrincipal -AppId '{signed.client_id}' -ObjectId '{right}'"
    if before is None or not _is_guid(before) or before.lower() == str(right).lower():
        return known
    return f"Remove-ServicePrincipal -Identity '{before}'; {known}"


def _is_guid(text: str | None) -> bool:
    return bool(text and _GUID.fullmatch(text))
