"""How a new value gets into Lapsewatch, and what proves it before the old one is deleted. Pure.

That a scan succeeds proves nothing while the old value is still valid: it may be the one in use.
"""

from __future__ import annotations

import shlex
from enum import StrEnum

from monitor.mail.words import plain
from monitor.model import Credential, Kind, Tenant

CARE = (
    "Lapsewatch itself signs in with this. After renewal put the new value into Lapsewatch, "
    "or this tenant goes dark."
)
CARE_LAPSED = (
    "Lapsewatch itself signs in with this. Until the new value is in Lapsewatch, this tenant may "
    "stay dark."
)


class Role(StrEnum):
    """What Lapsewatch uses one of its own credentials for, as far as this tenant shows."""

    READS = "reads"
    SENDS = "sends"
    EITHER = "either"  # one app for both, with a credential for each
    ELSEWHERE = "elsewhere"  # a shared app, the operator's sender, a reader of arrivals


def role(tenant: Tenant, credential: Credential) -> Role:
    """Which of the tenant's entries signs in with this."""
    app, sender = (credential.app_id or "").lower(), tenant.sender
    reads = tenant.app is None and app == tenant.client_id.lower()
    sends = (
        sender is not None
        and sender.relay is None
        and sender.credential is not None
        and app == (sender.client_id or tenant.client_id).lower()
    )
    if reads:
        return Role.EITHER if sends else Role.READS
    return Role.SENDS if sends else Role.ELSEWHERE


def steps(tenant: Tenant, credential: Credential, *, named: bool) -> tuple[str, ...]:
    """What to do with the new one, once Entra has it.

    Args:
        tenant: whose credential it is.
        credential: the one that Lapsewatch signs in with.
        named: the steps are for this tenant alone; else the reader fills its name in.
    """
    what = role(tenant, credential)
    name = shlex.quote(plain(tenant.name)) if named else "NAME"
    whose = "" if named else ", with the tenant's name"
    if what is Role.ELSEWHERE:
        return _elsewhere(name, whose)
    options = " --sender" if what is Role.SENDS else ""
    give = "type the new value"
    if credential.kind is Kind.CERTIFICATE:
        options, give = f"{options} --certificate FILE", "FILE holds it with its key"
    either = ", with `--sender` where it is the sender's own" if what is Role.EITHER else ""
    return (
        f"Run `lapsewatch tenant update {name}{options}`{whose}{either}; {give}. It takes the old "
        "one's place only once Entra has given a fresh token for it.",
        "Go on only when it says that the tenant signs in with the new credential. Else the old "
        "one is still in use.",
    )


def _elsewhere(name: str, whose: str) -> tuple[str, ...]:
    return (
        "Put the new value where Lapsewatch reads it: at the `[[app]]` in the tenants file, which "
        "you then import again, or at the sender in the settings file.",
        f"Run `lapsewatch run scan --tenant {name}`{whose}. Go on only when `lapsewatch status "
        "--all` calls the old one superseded: before that it is still in use.",
    )
