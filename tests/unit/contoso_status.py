"""The status report about one tenant, contoso, for the tests of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from monitor.model import Credential, OutboxCounts, OutboxMail, SenderHealth, Snooze, TenantHealth
from monitor.status import StatusReport, build_report
from tests.status_samples import NOW, facts, health, tenant

WELL = health("contoso", 1)


def report(
    credentials: Sequence[Credential] = (),
    healths: Sequence[TenantHealth] = (WELL,),
    senders: Sequence[SenderHealth] = (),
    snoozes: Sequence[Snooze] = (),
    outbox: Sequence[OutboxMail] = (),
    paused: bool = False,
    pending: bool = False,
    counted: OutboxCounts | None = None,
    **more: object,
) -> StatusReport:
    """The report about one tenant, contoso; keywords replace the facts."""
    owner = tenant("contoso", paused=paused, pending=pending)
    known = facts([owner], credentials, healths, senders, snoozes, outbox, **more)
    known = replace(known, outbox=counted or known.outbox)
    return build_report(known, now=NOW)


def broken(name: str = "contoso", **more: object) -> TenantHealth:
    """A tenant whose last attempt failed, though it was read an hour ago."""
    return health(name, 1, failures=1, problem="It failed.", cause="consent_missing", **more)
