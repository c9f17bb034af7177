"""What mends a broken mail path: where its app is, where a new value goes, and what proves it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from monitor.mail import pasting, words
from monitor.mail.alarms import filled
from monitor.mail.guides import alarm_link
from monitor.mail.views import Fact
from monitor.model import OPERATOR, Cloud, Tenant

# The credential is refused, or is not there: a new value mends it.
_VALUES = frozenset(
    {"wrong_secret", "expired_secret", "cert_not_registered", "bad_assertion_signature",
     "secret_missing", "no_credential_sent"}
)  # fmt: skip
_IN_ENTRA = _VALUES | {
    "consent_missing", "permission_missing", "wrong_api_permission", "delegated_permission",
    "object_id_mismatch", "sp_not_in_exchange", "app_not_found",
}  # fmt: skip
_IN_EXCHANGE = frozenset(
    {"smtp_auth_disabled_tenant", "smtp_auth_disabled_mailbox", "no_mailbox_permission",
     "send_as_denied", "generic_oauth_failure"}
)  # fmt: skip
_FILED = re.compile(r"where the tenants file says(?: \(file: or env:\))?")
_OPERATORS = (
    "where `credential` under `[operator.sender]` in `lapsewatch.toml` says (a file, a variable "
    "or a vault)"
)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class SendingApp:
    """The app that a path signs in with, and where a new value for it goes.

    `form` is that of its credential; `senders_own`: a tenant's sender has it for itself alone;
    `shared` is the name of the shared app whose credential it is.
    """

    client_id: str
    directory_id: str
    form: Literal["secret", "certificate", "managed_identity", "federated"] = "secret"
    senders_own: bool = False
    shared: str = ""
    link: str = ""
    link_label: str = ""


def page(cloud: Cloud, tenant: Tenant, client_id: str, cause: str) -> tuple[str, str]:
    """Where a cause is mended, and what that page is called; empty where no portal mends it.

    A server that does not answer is no app's fault.
    """
    if cause in _IN_EXCHANGE:
        return alarm_link(cloud, tenant, client_id, cause, "auth")
    return alarm_link(cloud, tenant, client_id, cause, None) if cause in _IN_ENTRA else ("", "")


def steps(
    fix: str, cause: str, mailbox: str, whose: str | None, app: SendingApp | None, *, others: bool
) -> tuple[str, ...]:
    """What to do, up to the command that proves it and the one that sends what waits.

    Args:
        fix: what mends the cause.
        cause: its id.
        mailbox: of the path.
        whose: the tenant's name, or "(operator)"; None where the path is no sender's.
        app: what the path signs in with, where it does.
        others: more paths are broken than this one.
    """
    chosen = f" {pasting.option(whose)}" if whose else ""
    return (
        *(_operators(line) if whose == OPERATOR else line for line in mending(fix, mailbox, app)),
        *_value(fix, cause, whose, app),
        f"To prove it: `lapsewatch doctor{chosen}`. It sends no mail.",
        *(("Other paths are broken too: `lapsewatch doctor` looks at each.",) if others else ()),
        "To send what waits at once: `lapsewatch run warn`. Else it goes at the next try.",
    )


def asking(
    fix: str, mailbox: str, whose: str | None, app: SendingApp | None, asked: str
) -> tuple[str, ...]:
    """The same for a reader who is not the operator: their own app they mend, and tell `asked`."""
    if whose in (None, OPERATOR):
        return (f"Ask {asked}. The mailbox is theirs, and so is the mending.",)
    return (*mending(fix, mailbox, app), f"Tell {asked}. They finish it in Lapsewatch.")


def mending(fix: str, mailbox: str, app: SendingApp | None) -> tuple[str, ...]:
    """The fix step by step, about this mailbox and this app."""
    shown = filled(fix, mailbox)
    if app and _GUID.fullmatch(app.client_id):
        shown = shown.replace("> the app >", f"> the app `{app.client_id}` >")
        shown = shown.replace("<client id>", app.client_id)
    return pasting.steps(shown)


def _operators(step: str) -> str:
    """No tenants file names the operator's sender."""
    return _FILED.sub(_OPERATORS, step)


def _value(fix: str, cause: str, whose: str | None, app: SendingApp | None) -> tuple[str, ...]:
    """Where a new value goes: the step that gives it to Lapsewatch."""
    if app is None or whose is None or cause not in _VALUES:
        return ()
    if whose == OPERATOR:
        return () if _FILED.search(fix) else (f"The new value goes {_OPERATORS}.",)
    if app.shared:
        return (
            f"It is the shared app {words.defang(app.shared, 40)}: its new value goes where "
            "`credential` under its `[[app]]` in the tenants file says. Import that file again.",
        )
    how = {"secret": "", "certificate": " --certificate FILE"}.get(app.form)
    if how is None:
        return ()
    sender = " --sender" if app.senders_own else ""
    command = f"lapsewatch tenant update {pasting.option(whose).partition(' ')[2]}{sender}{how}"
    asks = "It asks for the new secret, tries" if not how else "It tries"
    return (f"Or give it to Lapsewatch: `{command}`. {asks} it, and then uses it.",)


def facts(app: SendingApp | None, server: str) -> tuple[Fact, ...]:
    """Which app it is, in which directory, and which server."""
    found = []
    if app is not None:
        found.append(Fact("The sender's app id", words.plain(app.client_id), code=True))
        found.append(Fact("Directory id", words.plain(app.directory_id), code=True))
    if server:
        found.append(Fact("Server", words.plain(server)))
    return tuple(found)
