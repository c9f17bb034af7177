"""A simulated Microsoft cloud on loopback: Entra, Graph, Exchange and an inbox."""

from .clock import SandboxClock
from .cloud import Cloud
from .faults import Fault, SmtpFault, Twist
from .mailroom import Inbox, InboxMessage
from .oracle import Expected, ExpectedCredential, ExpectedMail
from .partner_stories import partner_world
from .stories import crowd, demo_world
from .world import Relay, World

__all__ = [
    "Cloud",
    "Expected",
    "ExpectedCredential",
    "ExpectedMail",
    "Fault",
    "Inbox",
    "InboxMessage",
    "Relay",
    "SandboxClock",
    "SmtpFault",
    "Twist",
    "World",
    "crowd",
    "demo_world",
    "partner_world",
]
