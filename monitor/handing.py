"""To whom a credential may be handed over, and what comes of it. Pure."""

from __future__ import annotations

from monitor.addresses import domain_of, domains_of, is_address
from monitor.errors import UsageError
from monitor.model import Credential, Policy, Tenant
from monitor.model.acts import HandOver
from monitor.recipients import Audience
from monitor.routing import own_domains
from monitor.silences import Asked

ANY = "*"  # in `hand_over_domains`: every domain


def known_domains(tenant: Tenant, audience: Audience) -> frozenset[str]:
    """The domains in which the holder of a link may name somebody.

    Those of the tenant and of the operator, of whoever a rule names, and what the operator allows.
    """
    policy: Policy = audience.policy
    named = [
        *(one.address for one in audience.recipients),
        *(target for rule in policy.routes for target in rule.to if "@" in target),
    ]
    allowed = policy.hand_over_domains | (policy.owner_domains or frozenset())
    return own_domains(tenant) | domains_of(named) | allowed


def check(to: str, one: Credential, tenant: Tenant, audience: Audience) -> None:
    """Make sure that the holder of a link may hand a credential over to somebody.

    A name that is no address is a note, and takes no mail anywhere. An owner of the application
    may be named whatever the domain.

    Raises:
        UsageError: it is no address, or in a domain that is not known.
    """
    if "@" not in to:
        return
    if not is_address(to):
        raise UsageError(f"“{to}” is no mail address.")
    known = known_domains(tenant, audience)
    owners = {owner.mail.casefold() for owner in one.people or () if owner.mail}
    if ANY in known or domain_of(to) in known or to.casefold() in owners:
        return
    ours = ", ".join(sorted(own_domains(tenant) | domains_of(_operator(audience))))
    raise UsageError(
        f"“{domain_of(to)}” is not a domain that is known here, and mails go nowhere else"
        f"{f': name somebody at {ours}' if ours else ''}. Whoever runs Lapsewatch can allow it "
        "(hand_over_domains under [operator]), or hand it over with a command."
    )


def given(one: Credential, to: str, asked: Asked, before: HandOver | None) -> HandOver:
    """A credential handed over; whoever gave it away earlier is not told anew either.

    Args:
        one: the credential, in the life that is meant.
        to: an address, or a name: then it is a note alone.
        asked: who hands it over, why and when.
        before: the hand-over that it takes the place of.
    """
    earlier = before.givers if before is not None else ()
    names = dict.fromkeys(name for name in (*earlier, asked.author) if not _same(name, to))
    # Somebody gave it back to the one who gave it away: that is no hand-over by nobody.
    givers = tuple(names) or (asked.author,)
    return HandOver(
        one.tenant, one.uid, one.life, to, asked.reason, asked.author, asked.now,
        givers if is_address(to) else (),
    )  # fmt: skip


def _operator(audience: Audience) -> list[str]:
    return [one.address for one in audience.recipients]


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()
