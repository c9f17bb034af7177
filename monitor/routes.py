"""Which sending path may carry which mail, and which of them to take. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.model import OPERATOR, MailKind

OPERATOR_PATH = "operator"
NO_PATH = ""
MAIL_SCOPE = "mail"  # of the alarm that mail is broken; of one recipient's own: "mail:ADDRESS"
_ALARMS = (
    MailKind.CANNOT_CHECK,
    MailKind.RECOVERED,
    MailKind.CANARY_FAILED,
    MailKind.MAIL_PATH_BROKEN,
)


def tenant_path(tenant: str) -> str:
    """The id of the path through a tenant's own sender; "(operator)" is the operator's."""
    return OPERATOR_PATH if tenant == OPERATOR else f"tenant:{tenant}"


def tenant_of(path: str) -> str | None:
    """The tenant whose own sender a path id names; None for other paths."""
    return path.removeprefix("tenant:") if path.startswith("tenant:") else None


def channel_path(name: str) -> str:
    """The id of the path through a channel of the settings."""
    return f"channel:{name}"


def channel_of(path: str) -> str | None:
    """The channel that a path id names; None for mail paths."""
    return path.removeprefix("channel:") if path.startswith("channel:") else None


def sender_scope(tenant: str, mailbox: str) -> str:
    """The scope of alarms and slots about one sender: another mailbox is another sender."""
    return f"sender:{tenant}|{mailbox.lower()}"


def sender_of(scope: str) -> tuple[str, str] | None:
    """Tenant and mailbox (in lower case) of such a scope; None for other scopes."""
    if not scope.startswith("sender:"):
        return None
    tenant, _, mailbox = scope.removeprefix("sender:").partition("|")
    return tenant, mailbox


def mail_scope(address: str) -> str:
    """The scope of the alarm to one recipient that what waits for it cannot go by mail."""
    return f"{MAIL_SCOPE}:{address.casefold()}"


@dataclass(frozen=True, slots=True)
class Rate:
    """How many mails a minute a mailbox may send, by whatever app and path."""

    mailbox: str
    per_minute: int


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths that exist, and those known to be broken at the moment.

    `identity` says what a path really is (host, port, mailbox, app): two ids with the same
    identity are one path, and break together. `rates` are the limits of those that have one.
    `fallback` are the names of channels to take where mail is broken, the first one first;
    `fallbacks` those of single recipients, by their address in lower case.
    """

    identity: dict[str, tuple[str, ...]]
    broken: frozenset[str] = frozenset()
    rates: Mapping[str, Rate] = field(default_factory=dict)
    fallback: tuple[str, ...] = ()
    fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def channels_for(self, scope: str | None) -> list[str]:
        """The paths of what is said about mail itself; none for every other scope."""
        if scope == MAIL_SCOPE:
            return [channel_path(name) for name in self.fallback]
        own = (scope or "").removeprefix(f"{MAIL_SCOPE}:")
        return [channel_path(name) for name in self.fallbacks.get(own, ()) if own != scope]

    def domain(self, path: str) -> str:
        """The domain of a path's mailbox, for Message-IDs; a reserved one where there is none."""
        mailbox = next((part for part in self.identity.get(path, ()) if "@" in part), "")
        return mailbox.rpartition("@")[2] or "lapsewatch.invalid"

    def is_broken(self, path: str, also: Collection[str] = ()) -> bool:
        """Whether `path`, or another name of the same path, is broken."""
        bad = {self.identity[name] for name in (*self.broken, *also) if name in self.identity}
        return self.identity.get(path) in bad


def candidates(
    kind: MailKind,
    tenants: Sequence[str],
    paths: Paths,
    *,
    about_sender: str | None = None,
    scope: str | None = None,
) -> list[str]:
    """Every path that may carry a mail, the best first, broken or not; see `choose`."""
    if said := paths.channels_for(scope):
        return said  # that mail is broken, and that it works again, is said by the same channels
    own = [tenant_path(tenants[0])] if len(set(tenants)) == 1 else []
    order = [OPERATOR_PATH, *own] if kind in _ALARMS else [*own, OPERATOR_PATH]
    possible = [path for path in dict.fromkeys(order) if path in paths.identity]
    if about_sender is not None:
        subject = paths.identity.get(about_sender)
        possible = [path for path in possible if paths.identity[path] != subject]
    channels = [channel_path(name) for name in paths.fallback]
    if kind is MailKind.MAIL_PATH_BROKEN and channels:
        return channels  # never by what it is about
    return possible or (channels if kind in _ALARMS else [])


def choose(
    kind: MailKind,
    tenants: Sequence[str],
    paths: Paths,
    *,
    about_sender: str | None = None,
    scope: str | None = None,
    avoid: Collection[str] = (),
) -> str:
    """The path a mail takes, or "" when nothing may carry it.

    A tenant's warnings go by that tenant's sender, else by the operator's; alarms the other way
    round. A tenant's sender carries that tenant's name only. What is broken is passed over; if
    all are broken a warning waits at its first path, because that path may heal. An alarm about
    a sender never waits at the very path it is about.

    Args:
        kind: the kind of mail.
        tenants: every tenant whose name the mail holds.
        paths: what exists and what is broken.
        about_sender: for alarms about a sender: the path id of that sender.
        scope: what an alarm is about.
        avoid: paths that have just failed.
    """
    possible = candidates(kind, tenants, paths, about_sender=about_sender, scope=scope)
    working = [path for path in possible if not paths.is_broken(path, avoid)]
    return (working or possible or [NO_PATH])[0]
