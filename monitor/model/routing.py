"""The operator's rules: who hears of which credentials, how, and which nobody hears of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Literal

from monitor.model.watched import Recipient
from monitor.model.words import Kind

Severity = Literal["upcoming", "warning", "critical", "lapsed"]
SEVERITIES: tuple[Severity, ...] = ("upcoming", "warning", "critical", "lapsed")
TARGETS = ("owners", "notes", "contact", "tenant", "operator")


@dataclass(frozen=True, slots=True)
class Owner:
    """A directory object that owns an application, as far as Graph lets us see it.

    `enabled` is None where it may not be read. `mail` is the mailbox of a user; the sign-in name
    is none.
    """

    name: str
    mail: str | None = None
    kind: Literal["user", "service_principal", "other"] = "user"
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """A rule: of the credentials that fit, `to` is told.

    What is None fits any. Texts may hold * for any letters, and their case does not count.
    `severity` is the least: "critical" fits what is critical or lapsed. `to` holds addresses and
    the words of `TARGETS`. `also`: the rules below are asked as well.
    """

    to: tuple[str, ...]
    tenant: str | None = None
    tag: str | None = None
    app: str | None = None
    owner: str | None = None
    kind: Kind | None = None
    severity: Severity | None = None
    also: bool = False


@dataclass(frozen=True, slots=True)
class Ignore:
    """A rule: of the credentials that fit, nobody is told, up to and including the review day.

    `name` is the application's, `app` its id.
    """

    reason: str
    author: str
    review: date
    tenant: str | None = None
    tag: str | None = None
    app: str | None = None
    name: str | None = None
    kind: Kind | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator's settings say about who is told.

    `recipients` hold how an address wants to be told, wherever it is named. `owner_domains` are
    those to which addresses that were found in Entra may belong (None: each tenant's own).
    `hand_over_domains` are further ones to which a link's holder may hand over ("*": any).
    """

    routes: tuple[Route, ...] = ()
    ignores: tuple[Ignore, ...] = ()
    recipients: tuple[Recipient, ...] = ()
    owner_domains: frozenset[str] | None = None
    hand_over_domains: frozenset[str] = frozenset()

    def wishes(self, recipient: Recipient) -> Recipient:
        """The recipient with what the settings say of its address and it does not say itself."""
        return filled(recipient, self.recipients)


NO_RULES = Policy()


def filled(recipient: Recipient, known: Sequence[Recipient]) -> Recipient:
    """The recipient with each field that it leaves at its default as the known one has it."""
    address = recipient.address.casefold()
    own = next((one for one in known if one.address.casefold() == address), None)
    if own is None:
        return recipient
    missing = {
        field.name: getattr(own, field.name)
        for field in fields(Recipient)
        if field.name != "address" and getattr(recipient, field.name) == field.default
    }
    return replace(recipient, **missing)
