"""The steps of the guided set-up: which there are, what each asks, and where to click. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from monitor.model import Cloud, Draft
from monitor.onboard import Model


class Step(StrEnum):
    """One step; in the order of the way."""

    DIRECTORY = "directory"
    MAILBOX = "mailbox"
    APP = "app"
    PERMISSIONS = "permissions"
    CREDENTIAL = "credential"
    ENTERPRISE = "enterprise"
    EXCHANGE = "exchange"
    PEOPLE = "people"
    TEST = "test"


TITLES = {
    Step.DIRECTORY: "The directory",
    Step.MAILBOX: "The mailbox that sends",
    Step.APP: "The app registration",
    Step.PERMISSIONS: "Permissions and consent",
    Step.CREDENTIAL: "The credential",
    Step.ENTERPRISE: "The Enterprise application",
    Step.EXCHANGE: "Exchange",
    Step.PEOPLE: "Who is warned",
    Step.TEST: "The test mail",
}
_NEEDS_MAILBOX = (Step.ENTERPRISE, Step.EXCHANGE, Step.TEST)
# What the doctor's checks come to at each step. What a later step sets up is not asked for yet.
CHECKS = {
    Step.DIRECTORY: ("clock", "authority.", "authority"),
    Step.MAILBOX: ("mailbox.directory",),
    Step.CREDENTIAL: ("graph.", "program"),
    Step.ENTERPRISE: (
        "smtp.credential", "smtp.token", "smtp.claims", "service_principal", "object_id",
        "smtp.permissions", "program",
    ),
    Step.EXCHANGE: (
        "smtp.dns", "smtp.tcp", "smtp.greeting", "smtp.starttls", "smtp.ehlo", "smtp.auth",
        "smtp.mail", "smtp.rcpt", "mailbox.dedicated", "program",
    ),
}  # fmt: skip
FOUND = "object_id_found"  # an answer that nobody gave: a token or Graph told it
OWN = "own"  # not a shared app, but one of the tenant's own
SECRET, CERTIFICATE, FEDERATED, MANAGED = "secret", "certificate", "federated", "managed_identity"
FORMS = {
    SECRET: "a client secret",
    CERTIFICATE: "a certificate with its key, in a PEM or PFX file",
    FEDERATED: "a workload identity: another issuer's token, in a file",
    MANAGED: "a managed identity of this machine in Azure",
}
MODELS = {
    Model.MAILBOX: "the permission SMTP.SendAsApp, and FullAccess to this mailbox (the usual way)",
    Model.RBAC: "an Exchange role for this mailbox only; nothing is granted in Entra",
}
NO_LOOK = "no"
ARRIVALS = {
    NO_LOOK: "no: that the server took it is the evidence",
    "graph": "in the mailbox it goes to; the app needs the right Mail.Read there, by an Exchange "
    "role for this mailbox alone",
    "trace": "in Exchange's message trace; the app needs ExchangeMessageTrace.Read.All",
}


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that is asked.

    Args:
        key: of the answer.
        label: as the field is called where it is found.
        default: what an empty answer stands for; empty where there is nothing to suggest.
        optional: whether it may stay empty.
        hidden: whether what is typed is a secret and never shown.
        choices: the words that may be answered, and what each means.
        why: one line about it.
    """

    key: str
    label: str
    default: str = ""
    optional: bool = False
    hidden: bool = False
    choices: Sequence[tuple[str, str]] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One step as it stands now: where to click, and what is asked.

    Args:
        step: which.
        number: its place on the way, from 1.
        total: how many steps this way has.
        where: what to do in Microsoft's portals, in order.
        questions: what is asked.
        link: a page that does what `where` says.
    """

    step: Step
    number: int
    total: int
    where: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    link: str = ""

    @property
    def title(self) -> str:
        """The step's name for people."""
        return TITLES[self.step]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a page depends on beside the answers.

    Args:
        clouds: the configured clouds.
        apps: shared apps by name, with their client ids.
        time_zone: where nobody says another.
        operator_hears: whether the operator is told where a tenant names nobody.
        sealing: whether a typed secret is sealed in the database (else it goes into a file).
        default_recipients: who is told where a tenant names nobody, before the operator.
    """

    clouds: dict[str, Cloud]
    apps: dict[str, str]
    time_zone: str
    operator_hears: bool
    sealing: bool
    default_recipients: tuple[str, ...] = ()


def way(draft: Draft) -> tuple[Step, ...]:
    """The steps that this set-up takes: without a mailbox there is no mail path to set up."""
    if "mailbox" in draft.answers and not draft.get("mailbox"):
        return tuple(step for step in Step if step not in _NEEDS_MAILBOX)
    return tuple(Step)


def next_step(draft: Draft) -> Step | None:
    """The first step that is not done; None when all are."""
    return next((step for step in way(draft) if step not in draft.passed), None)


def keys_of(step: Step) -> tuple[str, ...]:
    """The answers that a step asks for, whatever was said before."""
    return _KEYS.get(step, ())


_KEYS = {
    Step.DIRECTORY: ("cloud", "directory_id"),
    Step.MAILBOX: ("mailbox", "model"),
    Step.APP: ("app", "client_id"),
    Step.CREDENTIAL: ("form", "credential", "password"),
    Step.ENTERPRISE: ("enterprise_object_id",),
    Step.PEOPLE: ("recipients", "time_zone", "canary_to", "arrival"),
}


def is_told(name: str, step: Step, model: str) -> bool:
    """Whether one of the doctor's checks is to be told at a step.

    Args:
        name: of the check.
        step: which.
        model: how Exchange lets the app send; by role, no permission in Entra is wanted.
    """
    if name == "smtp.permissions" and model == Model.RBAC:
        return False
    names = CHECKS.get(step, ())
    return any(name == one or (one.endswith(".") and name.startswith(one)) for one in names)
