"""What Lapsewatch could not have warned about, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class BlindKind(StrEnum):
    """Kinds of blind spots, the gravest first."""

    SERVICE = "service"  # the service does not do its work
    CLOCK = "clock"  # the clock is, or was, wrong
    NO_RECIPIENT = "no_recipient"
    BAD_ADDRESS = "bad_address"  # a recipient whose mails are refused for good
    NO_PATH = "no_path"  # no sender may carry a tenant's warnings
    MAIL_STUCK = "mail_stuck"  # mails that should have gone
    SENDER_FAILING = "sender_failing"
    SENDER_UNCONFIRMED = "sender_unconfirmed"  # accepted, and nobody saw it arrive
    SENDER_UNPROVEN = "sender_unproven"  # no good test mail within 26 hours
    ARRIVAL_UNPROVEN = "arrival_unproven"  # accepted, and nobody looks whether it arrives
    FACTS_UNKNOWN = "facts_unknown"
    SCAN_INCOMPLETE = "scan_incomplete"
    FACTS_STALE = "facts_stale"
    UNSEEN = "unseen"  # what a complete scan cannot look at
    ACCESS_LOST = "access_lost"
    PENDING = "pending"
    PAUSED = "paused"
    SHADOW = "shadow"
    SNOOZED = "snoozed"  # past the lapse, or without end
    IGNORED = "ignored"  # by rule
    NO_END = "no_end"  # credentials without an end date
    OWNER_UNREACHED = "owner_unreached"  # a rule asks for owners, and none can be told
    USAGE_UNREADABLE = "usage_unreadable"  # nobody knows what is still used
    NO_OPERATOR = "no_operator"
    NO_OPERATOR_PATH = "no_operator_path"
    NO_FALLBACK = "no_fallback"  # nothing but mail says that mail is broken
    NO_HEARTBEAT = "no_heartbeat"
    HEARTBEAT_FAILING = "heartbeat_failing"


@dataclass(frozen=True, slots=True)
class BlindSpot:
    """One thing that could lapse, or break, without a warning.

    `tenant` is None where it concerns all of them. `words` say what, `fix` what to do; `since`
    is when it began, where that is known.
    """

    kind: BlindKind
    tenant: str | None
    words: str
    fix: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class RefusedAddress:
    """A recipient whose last mail was refused for good, and none was accepted since."""

    address: str
    since: datetime
    error: str
    tenants: tuple[str, ...] = ()
