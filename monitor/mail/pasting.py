"""The doctor's command as a mail shows it: where it belongs, and how to be signed in there."""

from __future__ import annotations

import re

from monitor.mail import words
from monitor.mail.renewals import az_login
from monitor.model import OPERATOR, Finding, Tenant
from monitor.onboard import ENVIRONMENTS

_CMDLET = re.compile(r"[A-Z][a-z]+-[A-Z]")
_APART = re.compile(r"; (?=New-ServicePrincipal )")  # the first of the two is only for some
_NEXT = re.compile(r"(?<=\.) (?=Then )")
# Letters that a mail program makes no link of, and a shell no sense.
_TYPED = re.compile(r"(?!www\.)[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.IGNORECASE)


def title(finding: Finding | None) -> str:
    """Where a command belongs: the mail may be read far from any of these places."""
    command = (finding.command if finding else None) or ""
    if _CMDLET.match(command):
        return "To paste into Exchange Online PowerShell"
    return "Or paste this into a shell with the Azure CLI" if command.startswith("az ") else (
        "To paste on the machine that runs Lapsewatch"
    )  # fmt: skip


def block(finding: Finding | None, tenant: Tenant | None) -> tuple[str, ...]:
    """What to paste, a line each, from the sign-in on; nothing where there is no command.

    The doctor makes no command of a value that a shell reads otherwise. A shared app is
    registered elsewhere, so no command finds its registration in the customer's directory.
    """
    command = (finding.command if finding else None) or ""
    if not command or (tenant and tenant.app and command.startswith("az ad app ")):
        return ()
    rows = _APART.split(words.plain(command, 2 * words.EVIDENCE_CAP))
    return (*_signed_in(command, tenant), *rows)


def _signed_in(command: str, tenant: Tenant | None) -> tuple[str, ...]:
    if _CMDLET.match(command):
        environment = ENVIRONMENTS.get(tenant.cloud) if tenant else ""
        named = f" -ExchangeEnvironmentName {environment}" if environment else ""
        return (f"Connect-ExchangeOnline{named}",)
    if command.startswith("az ") and tenant:
        return az_login(tenant.cloud, tenant.directory_id)
    return ()


def option(name: str) -> str:
    """`--tenant` with a name as it is typed; a stand-in where a shell or a mail reads it otherwise.

    The operator's own sender has a name of its own among the tenants'.
    """
    if name == OPERATOR:
        return f'--tenant "{OPERATOR}"'
    return f"--tenant {name if _TYPED.fullmatch(name) else 'NAME'}"


def steps(fix: str) -> tuple[str, ...]:
    """A fix step by step: a line each, and what comes after another is one of its own."""
    shown = fix.replace("the command here", "the command below")  # the doctor's words at a prompt
    return tuple(words.lines(_NEXT.sub("\n", shown)))


def again(what: str, name: str) -> str:
    """The step that tries it again, after whatever was done; `what` is a scan or a canary."""
    # `run` knows tenants only: the operator's own sender is tried with all others.
    chosen = "" if name == OPERATOR else f" {option(name)}"
    return f"To try it at once: `lapsewatch run {what}{chosen}`"
