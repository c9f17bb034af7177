"""What the doctor found after a scan or a test mail that had failed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Side = Literal["reading", "sending"]  # a scan, or a test mail


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of the doctor's that was not fine, without any secret.

    Args:
        check: its stable name, such as "smtp.auth".
        title: its name for people.
        status: "failed", or "warning" for advice.
        evidence: what was seen.
        cause: an id of the vocabulary; None where there is none.
        also: other causes that fit as well.
        explanation: what the cause means.
        fix: what to do next.
        command: to copy and paste, where one exists.
    """

    check: str
    title: str
    status: Literal["failed", "warning"]
    evidence: str
    cause: str | None = None
    also: tuple[str, ...] = ()
    explanation: str = ""
    fix: str = ""
    command: str | None = None


@dataclass(frozen=True, slots=True)
class ExchangePoint:
    """One point of the Exchange check script: its name there, whether it is right, what it saw."""

    check: str
    ok: bool
    found: str


@dataclass(frozen=True, slots=True)
class ExchangeResult:
    """What an administrator's run of the check script said of one sender in Exchange.

    Args:
        tenant: the tenant's name, or "(operator)".
        at: when it was read in; the run itself carries no time.
        directory_id: of the directory that was looked at.
        client_id: of the app.
        object_id: that the script was made with.
        mailbox: of the sender.
        model: "mailbox" or "rbac".
        points: what was looked at.
    """

    tenant: str
    at: datetime
    directory_id: str
    client_id: str
    object_id: str
    mailbox: str
    model: str
    points: tuple[ExchangePoint, ...]


@dataclass(frozen=True, slots=True)
class Examination:
    """The doctor's report on a tenant (or "(operator)") whose scan or test mail had failed.

    Args:
        target: the tenant's name, or "(operator)".
        at: when it was made.
        sides: what had failed; what succeeds again is taken out.
        findings: what was not fine, in the order of the way.
        note: why the report is not a whole one of this target; empty where it is.
    """

    target: str
    at: datetime
    sides: tuple[Side, ...]
    findings: tuple[Finding, ...] = ()
    note: str = ""
