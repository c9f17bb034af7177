"""The oracle's view of what works: which tenants can be read, and which senders can send."""

from __future__ import annotations

from datetime import datetime
from fnmatch import fnmatch
from math import ceil
from typing import NamedTuple

from .faults import Fault, Twist
from .world import App, Mailbox, Sender, ServicePrincipal, SignIn, Tenant, World

OPERATOR = "(operator)"
_READERS = {"Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All"}
_HARMLESS = {None, Twist.EMPTY_PAGE, Twist.EXTRA_PAGE, Twist.DUPLICATE}
_RETRIED = {429, 503, 504}


class ExpectedCanary(NamedTuple):
    """The outcome of a sender's test mail; stage and cause are None when it is ok."""

    result: str
    stage: str | None
    cause: str | None
    arrival: str = "not_checked"


def over(end: datetime | None, now: datetime) -> bool:
    """Whether something with that end has ended."""
    return end is not None and end <= now


def readable(tenant: Tenant, world: World, now: datetime) -> bool:
    """Whether a scan reaches the last page of both collections."""
    if tenant.monitor is None or _sign_in_problem(tenant, world, tenant.monitor, now):
        return False
    principal = tenant.principal(tenant.monitor.client_id)
    if principal is None or not _READERS & set(principal.graph_roles):
        return False
    if any(_fatal(f, tenant, None) for f in tenant.token_faults):
        return False
    return not any(_fatal(fault, tenant, fault.path) for fault in tenant.faults)


def _sign_in_problem(tenant: Tenant, world: World, sign_in: SignIn, now: datetime) -> str | None:
    """The cause (by its id) for which Entra gives no token; None if it gives one."""
    app, principal = world.find_app(sign_in.client_id), tenant.principal(sign_in.client_id)
    if app is None or principal is None:
        return "app_not_found"
    if not principal.enabled:
        return "app_disabled"
    proof = _proof_problem(app, principal, sign_in, now)
    return proof or ("ca_blocked" if principal.blocked_by_policy else None)


def _proof_problem(
    app: App, principal: ServicePrincipal, sign_in: SignIn, now: datetime
) -> str | None:
    if sign_in.secret is not None:
        held = [s for s in [*app.secrets, *principal.secrets] if s.value == sign_in.secret]
        if not held:
            return "wrong_secret"
        return None if any(not over(s.end, now) for s in held) else "expired_secret"
    keys = [c for c in [*app.certificates, *principal.certificates] if c.key_id == sign_in.key_id]
    return None if any(not over(c.end, now) for c in keys) else "cert_not_registered"


def _fatal(fault: Fault, tenant: Tenant, path: str | None) -> bool:
    """Whether a fault keeps a scan from being complete, in spite of a client's three retries."""
    if fault.times is not None and fault.times < 1:
        return False
    if path is not None and not _on_the_way(fault, tenant):
        return False
    if fault.status is None:
        return fault.twist not in _HARMLESS
    heals = fault.times is not None and fault.times <= 3 and fault.status in _RETRIED
    return not heals


def _on_the_way(fault: Fault, tenant: Tenant) -> bool:
    """Whether a scan of both collections meets it."""
    sizes = {"/applications": len(tenant.apps), "/servicePrincipals": len(tenant.principals)}
    for path, size in sizes.items():
        pages = max(ceil(size / (tenant.page_size or 999)), 1)
        if fnmatch(path, fault.path) and (fault.page is None or fault.page <= pages):
            return True
    return False


def canaries_of(world: World, now: datetime) -> dict[str, ExpectedCanary]:
    """The outcome of each sender's test mail; a plain relay has none."""
    return {name: _canary(tenant, sender, world, now) for name, tenant, sender in senders_of(world)}


def senders_of(world: World) -> list[tuple[str, Tenant, Sender]]:
    """Everybody who sends by OAuth, the operator last."""
    found = [(t.name, t, t.sender) for t in world.tenants if t.sender is not None]
    operator = world.operator
    if operator and operator.relay is None and operator.tenant.sender is not None:
        found.append((OPERATOR, operator.tenant, operator.tenant.sender))
    return found


def _canary(tenant: Tenant, sender: Sender, world: World, now: datetime) -> ExpectedCanary:
    """Follow the mail's way to the first refusal."""
    problem = _sign_in_problem(tenant, world, sender.sign_in, now)
    if problem is None and not tenant.has_exchange:
        problem = "resource_not_found"
    if problem:
        return ExpectedCanary("failed", "token", problem)
    principal = tenant.principal_of(sender.sign_in.client_id)
    mailbox = tenant.mailbox(sender.mailbox)
    cause = _auth_problem(tenant, principal, mailbox)
    if cause or mailbox is None:
        return ExpectedCanary("failed", "AUTH", cause or "generic_oauth_failure")
    scoped = mailbox.address in tenant.rbac_scope.get(principal.object_id, set())
    if not scoped and principal.object_id not in mailbox.full_access:
        return ExpectedCanary("failed", "DATA", "no_mailbox_permission")
    return _landed(tenant, sender)


def _landed(tenant: Tenant, sender: Sender) -> ExpectedCanary:
    """What becomes of an accepted mail to the sender itself, where somebody may look for it."""
    if sender.arrival is None:
        return ExpectedCanary("ok", None, None)
    if sender.arrival == "graph":
        may = sender.mailbox.lower() in tenant.mail_read.get(sender.object_id, set())
    else:
        roles = tenant.principal_of(sender.sign_in.client_id).graph_roles
        may = "ExchangeMessageTrace.Read.All" in roles
    if not may:
        return ExpectedCanary("ok", None, None, "unknown")
    if tenant.fate.junk:
        return ExpectedCanary("failed", "arrival", "in_junk", "lost")
    if tenant.fate.lost or tenant.fate.quarantined:
        return ExpectedCanary("failed", "arrival", "not_arrived", "lost")
    return ExpectedCanary("ok", None, None, "proven")


def _auth_problem(
    tenant: Tenant, principal: ServicePrincipal, mailbox: Mailbox | None
) -> str | None:
    if mailbox is None or principal.object_id not in tenant.registered:
        return "generic_oauth_failure"
    scoped = mailbox.address in tenant.rbac_scope.get(principal.object_id, set())
    if not scoped and "SMTP.SendAsApp" not in principal.exchange_roles:
        return "generic_oauth_failure"
    if mailbox.smtp_auth_disabled:
        return "smtp_auth_disabled_mailbox"
    if mailbox.smtp_auth_disabled is None and tenant.smtp_auth_disabled:
        return "smtp_auth_disabled_tenant"
    return None
