"""What the doctor says: checks with their verdicts, and how a verdict gets its words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from monitor.diagnose import Rulebook
from monitor.model import Finding

Status = Literal["ok", "warning", "failed", "skipped"]
MACHINE = "(machine)"

# In the order in which they are told: what a check rests on comes before it.
TITLES = {
    "python": "Python of this machine",
    "program": "The doctor itself",
    "clock": "Clock of this machine",
    "authority.dns": "Sign-in host: name",
    "authority.tcp": "Sign-in host: connection",
    "authority.tls": "Sign-in host: TLS",
    "authority": "Directory known to the cloud",
    "graph.dns": "Graph host: name",
    "graph.tcp": "Graph host: connection",
    "graph.tls": "Graph host: TLS",
    "graph.credential": "Credential for reading",
    "graph.token": "Token for Graph",
    "graph.claims": "Claims of the token for Graph",
    "graph.permissions": "Permissions for reading",
    "graph.read": "First page read from Graph",
    "smtp.credential": "Credential for sending",
    "smtp.token": "Token for SMTP",
    "smtp.claims": "Claims of the token for SMTP",
    "service_principal": "Enterprise application present",
    "object_id": "Enterprise application object id",
    "smtp.permissions": "Permissions for sending",
    "exchange.service_principal": "Service principal, as Exchange has it",
    "exchange.permission": "Right to the mailbox, as Exchange has it",
    "exchange.smtp_auth": "SMTP AUTH switch, as Exchange has it",
    "mailbox": "The sender's mailbox",
    "smtp.dns": "Mail host: name",
    "smtp.tcp": "Mail host: connection",
    "smtp.greeting": "Mail host: greeting",
    "smtp.starttls": "Mail host: TLS",
    "smtp.ehlo": "EHLO",
    "smtp.auth": "AUTH",
    "smtp.mail": "MAIL",
    "smtp.rcpt": "RCPT",
    "smtp.data": "DATA",
    "arrival": "Right to look for the canary",
    "mailbox.directory": "The mailbox's domain",
    "mailbox.dedicated": "A mailbox of its own",
    "mailbox.domain": "A domain of its own",
    "mailbox.sent_items": "Copies in Sent Items",
    "graph.file": "Secret file for reading",
    "graph.expiry": "End of the credential for reading",
    "graph.lifetime": "Lifetime by the policy (reading)",
    "graph.usage": "Last sign-ins of credentials",
    "graph.audience": "Single-tenant app (reading)",
    "graph.rights": "No more rights than needed (reading)",
    "smtp.file": "Secret file for sending",
    "smtp.expiry": "End of the credential for sending",
    "smtp.lifetime": "Lifetime by the policy (sending)",
    "smtp.audience": "Single-tenant app (sending)",
    "smtp.rights": "No more rights than needed (sending)",
}
_PLACES = {name: place for place, name in enumerate(TITLES)}


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Args:
        name: stable id; a key of `TITLES`.
        status: `skipped` where it could not be done; `evidence` then says why.
        evidence: what was seen, without any secret.
        cause: an id of the vocabulary; None where there is none.
        also: other causes that fit as well.
        explanation: what the cause means.
        fix: what to do next.
        command: to copy and paste, where one exists.
    """

    name: str
    status: Status
    evidence: str = ""
    cause: str | None = None
    also: tuple[str, ...] = ()
    explanation: str = ""
    fix: str = ""
    command: str | None = None

    @property
    def title(self) -> str:
        """The check's name for people."""
        return TITLES[self.name]

    @property
    def finding(self) -> Finding | None:
        """The check as it is kept; None where it was fine, or could not be done."""
        if self.status not in ("failed", "warning"):
            return None
        status: Literal["failed", "warning"] = "failed" if self.status == "failed" else "warning"
        return Finding(
            self.name, self.title, status, self.evidence, self.cause, self.also,
            self.explanation, self.fix, self.command,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one target: a tenant, "(operator)" or "(machine)".

    Args:
        target: its name.
        checks: in the order of the way.
        mailbox: that sends, if one does.
        directory_id: as the authority tells it.
        object_id: of the sending app under Enterprise applications, as its token or Graph tells.
    """

    target: str
    checks: tuple[Check, ...]
    mailbox: str | None = None
    directory_id: str | None = None
    object_id: str | None = None

    @property
    def status(self) -> Status:
        """The worst that was found."""
        found = {check.status for check in self.checks}
        return next((one for one in ("failed", "warning", "ok") if one in found), "skipped")

    @property
    def cause(self) -> str | None:
        """The first cause: what comes later often only follows from it."""
        failed = (check for check in self.checks if check.status == "failed")
        return next((check.cause for check in failed if check.cause), None)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was not fine, in the order in which it is told."""
        return tuple(found for check in self.checks if (found := check.finding) is not None)


class Notebook:
    """Collects checks; takes the words for a cause from the rules.

    Args:
        rules: the vocabulary.
    """

    def __init__(self, rules: Rulebook) -> None:
        self.rules = rules
        self._checks: dict[str, Check] = {}

    def ok(
        self, name: str, evidence: str = "", *, fix: str = "", command: str | None = None
    ) -> None:
        """All is well; `fix` and `command` are for who wants it better still."""
        self._add(Check(name, "ok", evidence, fix=fix, command=command))

    def skipped(self, name: str, why: str) -> None:
        """It could not be done."""
        self._add(Check(name, "skipped", why))

    def advised(self, name: str, evidence: str, fix: str, *, command: str | None = None) -> None:
        """It works, but there is a better way."""
        self._add(Check(name, "warning", evidence, fix=fix, command=command))

    def found(
        self,
        name: str,
        cause: str,
        evidence: str,
        *,
        status: Status = "failed",
        also: Sequence[str] = (),
        fix: str = "",
        command: str | None = None,
    ) -> None:
        """Something is wrong, and this is the cause."""
        known = self.rules.causes.get(cause) or self.rules.describe("unknown")
        self._add(
            Check(
                name,
                status,
                evidence,
                cause=known.id,
                also=tuple(one for one in dict.fromkeys(also) if one != known.id),
                explanation=known.explanation,
                fix=fix or known.remedy(name.partition(".")[0]),
                command=command,
            )
        )

    def status(self, name: str) -> Status | None:
        """What was said of a check; None where nothing was yet."""
        return self._checks[name].status if name in self._checks else None

    def cause(self, name: str) -> str | None:
        """The cause that a check has, if it has one."""
        return self._checks[name].cause if name in self._checks else None

    def checks(self) -> tuple[Check, ...]:
        """All checks, in the order in which they are told."""
        return tuple(sorted(self._checks.values(), key=lambda check: _PLACES[check.name]))

    def _add(self, check: Check) -> None:
        self._checks[check.name] = check
