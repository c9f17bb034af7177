"""Judges sign-ins: the value, the token, its claims, and what the app may read. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from monitor.doctor.checks import Notebook
from monitor.doctor.evidence import (
    EXCHANGE_API,
    GRAPH_API,
    NO_SUCH_DIRECTORY,
    READERS,
    SignInSeen,
    TargetSeen,
)
from monitor.doctor.network import cloud_fix, elsewhere

_API_OF = {"graph": GRAPH_API, "smtp": EXCHANGE_API}
_FORMS = {
    "secret": "client secret",
    "certificate": "certificate",
    "managed_identity": "managed identity",
    "federated": "workload identity",
}
# Exchange answers to both; https://learn.microsoft.com/exchange/client-developer/legacy-protocols
_OUTLOOK = ("https://outlook.office365.com", "https://outlook.office.com")


def judge_credential(signed: SignInSeen, notes: Notebook) -> None:
    """Judge whether the value is where the settings say, and is a value at all."""
    name, where = f"{signed.role}.credential", f"{_FORMS[signed.form]} from {signed.reference}"
    if signed.problem is not None:
        notes.found(name, signed.problem.cause, signed.problem.message, fix=signed.problem.remedy)
    elif signed.is_guid and signed.claims is None:
        notes.found(
            name, "wrong_secret",
            f"What {signed.reference} holds is a GUID. That is the secret's ID, not its value.",
        )  # fmt: skip
    else:
        notes.ok(name, where)


def judge_token(seen: TargetSeen, signed: SignInSeen, notes: Notebook) -> None:
    """Judge whether Entra gave a token."""
    name = f"{signed.role}.token"
    if signed.claims is not None:
        until = f", holds until {signed.expires_at:%H:%M} UTC" if signed.expires_at else ""
        notes.ok(name, f"issued just now{until}")
    elif signed.problem is not None or signed.error is None:
        notes.skipped(name, "There is nothing to sign in with.")
    elif signed.error.cause in NO_SUCH_DIRECTORY and _lives_elsewhere(seen, signed):
        notes.found(name, "wrong_cloud", elsewhere(seen), fix=cloud_fix(seen))
    else:
        told = notes.rules.diagnose(signed.error.evidence, stage="token")
        also = told.also if told.cause == signed.error.cause else ()
        fix = "" if signed.error.cause in notes.rules.causes else signed.error.remedy
        if signed.error.cause in ("consent_missing", "missing_service_principal"):
            fix = consent_fix(signed, notes, signed.error.cause)
        notes.found(name, signed.error.cause, _evidence(signed), also=also, fix=fix)


def _lives_elsewhere(seen: TargetSeen, signed: SignInSeen) -> bool:
    return seen.other_cloud is not None and signed.directory_id == seen.directory_id


def _evidence(signed: SignInSeen) -> str:
    error = signed.error
    said = error.message if error else ""
    return f"{said} (directory {signed.directory_id}, client id {signed.client_id})"


def judge_claims(signed: SignInSeen, notes: Notebook) -> None:
    """Compare the token with what was asked for. An opaque token is no fault."""
    name = f"{signed.role}.claims"
    if signed.claims is None:
        notes.skipped(name, "There is no token.")
    elif not signed.claims:
        notes.ok(name, "The token cannot be read. That is no fault: it is meant for the server.")
    elif problem := _wrong_claim(signed):
        cause, evidence = problem
        notes.found(name, cause, evidence)
    else:
        told = [f"{key} {value}" for key in ("aud", "tid", "oid") if (value := signed.claim(key))]
        notes.ok(name, ", ".join(told))


def _wrong_claim(signed: SignInSeen) -> tuple[str, str] | None:
    audience, app = signed.claim("aud"), signed.claim("appid") or signed.claim("azp")
    wanted = _audiences(signed)
    if audience and audience.rstrip("/").lower() not in wanted:
        return "bad_scope", f"The token is for {audience}, and {sorted(wanted)[-1]} is needed."
    if app and app.lower() != signed.client_id.lower():
        told = f"The token is for the app {app}, and {signed.client_id} is configured."
        return "app_not_found", told
    if is_delegated(signed):
        user = signed.claim("upn") or "a user"
        return (
            "delegated_permission",
            f"The token stands for {user} (scp), not for the app (roles).",
        )
    return None


def _audiences(signed: SignInSeen) -> set[str]:
    wanted = signed.scope.removesuffix(".default").rstrip("/").lower()
    known = {wanted, _API_OF[signed.role]}
    return known | set(_OUTLOOK) if wanted in _OUTLOOK else known


def is_delegated(signed: SignInSeen) -> bool:
    """Whether a token stands for a user, who has permissions of its own."""
    return bool(signed.claim("scp") or signed.claim("upn")) and not signed.roles


def judge_reading(seen: TargetSeen, signed: SignInSeen, notes: Notebook) -> None:
    """Judge what the app may read, and whether it could."""
    _permissions(seen, signed, notes)
    name, found = "graph.read", seen.directory
    host = urlsplit(seen.cloud.graph).hostname if seen.cloud else ""
    if found.readable:
        notes.ok(name, f"{host} gave the first page of applications.")
    elif signed.claims is None or found.error is None:
        notes.skipped(name, "There is no token for Graph.")
    else:
        cause = found.error.cause
        if cause == "permission_missing" and notes.status("graph.permissions") == "failed":
            cause = notes.cause("graph.permissions") or cause
        known = cause in notes.rules.causes
        notes.found(
            name, cause, found.error.message, fix=_reading_fix(signed, notes, cause)
            if known else found.error.remedy,
            command=consent_command(signed) if cause == "consent_missing" else None,
        )  # fmt: skip


def _reading_fix(signed: SignInSeen, notes: Notebook, cause: str) -> str:
    return consent_fix(signed, notes) if cause == "consent_missing" else ""


def _permissions(seen: TargetSeen, signed: SignInSeen, notes: Notebook) -> None:
    name = "graph.permissions"
    roles = ", ".join(signed.roles)
    if signed.claims is None:
        notes.skipped(name, "There is no token for Graph.")
    elif READERS & set(signed.roles):
        notes.ok(name, roles)
    elif seen.directory.readable:
        notes.ok(name, "Graph lets the app read.")
    elif not signed.claims:
        notes.skipped(name, "The token cannot be read.")
    elif is_delegated(signed):
        told = "The token carries delegated permissions (scp) and no application permission."
        notes.found(name, "delegated_permission", told)
    elif not signed.roles:
        notes.found(
            name, "consent_missing",
            "The token for Graph carries no application permission (roles) at all.",
            also=("permission_missing", "delegated_permission", "wrong_api_permission"),
            fix=consent_fix(signed, notes), command=consent_command(signed),
        )  # fmt: skip
    else:
        told = f"The token carries {roles}, but not Application.Read.All."
        notes.found(name, "permission_missing", told)


def consent_fix(signed: SignInSeen, notes: Notebook, cause: str = "consent_missing") -> str:
    """What to do about a consent that is missing, with the page that grants it."""
    fix = notes.rules.describe(cause).fix
    if not signed.consent_url:
        return fix
    return f"{fix} An administrator of that directory grants it here: {signed.consent_url}"


def consent_command(signed: SignInSeen) -> str:
    """Grants admin consent by the Azure CLI; ids are GUIDs by the settings."""
    return f"az ad app permission admin-consent --id {signed.client_id}"
