"""The canary's evidence, and the slots of scheduled runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from monitor.model.arrivals import ARRIVAL_STAGE, Copy
from monitor.model.drafts import Confirmation
from monitor.model.words import CanaryResult

STAGES = (
    "dns", "tcp", "greeting", "starttls", "ehlo", "token", "auth", "mail", "rcpt", "data",
)  # fmt: skip

_STAGE_LABELS = {
    "greeting": "greeting", "token": "token", "graph": "Graph", ARRIVAL_STAGE: ARRIVAL_STAGE,
}  # fmt: skip


def stage_label(stage: str | None) -> str | None:
    """A stage as people and scripts see it: protocol verbs in capitals, as in the RFCs."""
    return None if stage is None else _STAGE_LABELS.get(stage, stage.upper())


@dataclass(frozen=True, slots=True)
class StageTiming:
    """One stage of a probe: how long it took (seconds) and what the server said."""

    stage: str
    seconds: float
    ok: bool
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """One staged test of a sender's mail path, with its evidence.

    `stage` is the last one reached; `cause` is an id of the vocabulary (`ok` on success).
    `unconfirmed`: it was accepted, and whether it arrived is still being looked for. `copies` are
    those that were accepted; the store gives back none.
    """

    tenant: str
    mailbox: str
    started_at: datetime
    finished_at: datetime
    result: CanaryResult
    stage: str | None
    cause: str
    evidence: str
    timings: tuple[StageTiming, ...] = ()
    message_id: str | None = None
    number: int = 0
    attempt: int = 1
    retry: Literal["never", "later", "after_fix"] = "never"
    copies: tuple[Copy, ...] = ()


@dataclass(frozen=True, slots=True)
class SenderHealth:
    """What the probes say about one sender.

    `failures` counts the failures since the last good probe that were far enough apart, and
    `counted_at` is when the last of them ended. `alarm_opened_at` is set while a CANARY FAILED
    stands. `confirmation` is set where somebody was asked whether a test mail arrived.
    """

    tenant: str
    mailbox: str
    last: Probe | None = None
    last_ok: datetime | None = None
    failures: int = 0
    first_failure_at: datetime | None = None
    alarm_opened_at: datetime | None = None
    counted_at: datetime | None = None
    confirmation: Confirmation | None = None

    @property
    def broken(self) -> bool:
        """Whether the path is known to fail, until a later canary is proven to have arrived."""
        if self.last is None or self.last.result is CanaryResult.OK:
            return False
        bad = self.failures > 0 or self.alarm_opened_at is not None
        return self.last.result is CanaryResult.FAILED or bad

    @property
    def doubt(self) -> str:
        """Why an accepted test mail is no proof yet; empty where nothing speaks against it."""
        return self.confirmation.words if self.confirmation else ""


@dataclass(frozen=True, slots=True)
class Slot:
    """One scheduled run: taken by one process, and finished or (after a crash) taken again."""

    job: str
    scope: str
    slot_at: datetime
    owner: str
    taken_at: datetime
    lease_until: datetime
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HeldSlot:
    """A slot that a process has taken, as it names it when the run is written."""

    job: str
    scope: str
    slot_at: datetime
    owner: str
