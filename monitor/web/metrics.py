"""The status report as Prometheus metrics; reads nothing and asks nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from monitor.cycle import CYCLE, STARTED
from monitor.export import visible
from monitor.model import ArrivalState, BlindKind, CanaryResult, CredentialState, TenantState
from monitor.status import CanaryRow, StatusReport

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_NOT_WATCHED = (TenantState.PAUSED, TenantState.PENDING)


def to_metrics(report: StatusReport, *, version: str, per_credential: bool = False) -> bytes:
    """Write the report in Prometheus' text format.

    Args:
        report: what to count.
        version: of Lapsewatch.
        per_credential: add the end of every credential, one series each.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Report(report, version, per_credential))
    return generate_latest(registry)


class _Report(Collector):
    """Hands one report to a registry of its own, so that no scrape sees another's numbers."""

    def __init__(self, report: StatusReport, version: str, per_credential: bool) -> None:
        self._report = report
        self._version = version
        self._per_credential = per_credential

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family."""
        yield _credentials(self._report)
        yield _need_action(self._report)
        yield from _tenants(self._report)
        yield from _canaries(self._report)
        yield from _notifications(self._report)
        yield _unfinished(self._report)
        yield _blind_spots(self._report)
        yield _gauge(
            "job_last_success_timestamp_seconds",
            "When a job last did its work.",
            ("job",),
            (
                ((name,), at.timestamp())
                for name, at in self._report.beats.items()
                if name not in (CYCLE, STARTED)
            ),
        )
        yield from _cycles(self._report)
        if self._per_credential:
            yield _ends(self._report)
        yield InfoMetricFamily(
            "lapsewatch_build", "What runs here.", value={"version": self._version}
        )


def _gauge(
    name: str,
    about: str,
    labels: tuple[str, ...],
    samples: Iterable[tuple[tuple[str, ...], float]],
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"lapsewatch_{name}", about, labels=labels)
    for values, number in samples:
        family.add_metric([visible(value) for value in values], number)
    return family


def _credentials(report: StatusReport) -> GaugeMetricFamily:
    # Alerts stand on these, and Microsoft rotates managed identities itself.
    counts = Counter(
        (row.tenant.name, row.state)
        for row in report.credentials
        if not row.credential.managed_identity
    )
    # Zeros are said as well: an alert on a series that vanishes never resolves.
    return _gauge(
        "credentials",
        "Credentials by state, without those of managed identities.",
        ("tenant", "state"),
        (
            ((row.tenant.name, str(state)), counts[row.tenant.name, state])
            for row in report.tenants
            for state in CredentialState
        ),
    )


def _need_action(report: StatusReport) -> GaugeMetricFamily:
    return _gauge(
        "credentials_need_action",
        "Credentials that somebody has to renew.",
        ("tenant",),
        (((row.tenant.name,), row.needs_action) for row in report.tenants),
    )


def _tenants(report: StatusReport) -> Iterator[Metric]:
    yield _gauge(
        "tenant_up",
        "1 when the tenant was read completely and recently; paused and pending ones are absent.",
        ("tenant",),
        (
            ((row.tenant.name,), row.state is TenantState.OK)
            for row in report.tenants
            if row.state not in _NOT_WATCHED
        ),
    )
    yield _gauge(
        "tenant_last_success_timestamp_seconds",
        "When the tenant was last read completely; absent when it never was.",
        ("tenant",),
        (
            ((row.tenant.name,), row.last_complete.timestamp())
            for row in report.tenants
            if row.last_complete
        ),
    )


def _canaries(report: StatusReport) -> Iterator[Metric]:
    def key(row: CanaryRow) -> tuple[str, str]:
        return row.tenant, row.mailbox

    labels = ("tenant", "mailbox")
    rows = report.canaries
    yield _gauge(
        "canary_up",
        "1 when the last test mail went through and is recent; a sender never tested has 0.",
        labels,
        ((key(row), row.result is CanaryResult.OK and not row.stale) for row in rows),
    )
    yield _gauge(
        "canary_last_success_timestamp_seconds",
        "When a test mail last went through; absent when none ever did.",
        labels,
        ((key(row), row.last_ok.timestamp()) for row in rows if row.last_ok),
    )
    yield _gauge(
        "canary_duration_seconds",
        "How long the last test took, whatever its result.",
        labels,
        ((key(row), row.seconds) for row in rows if row.seconds is not None),
    )
    yield _gauge(
        "canary_arrival_seconds",
        "How long the last test mail took to arrive; absent where nobody looks, or found none.",
        labels,
        (
            (key(row), row.arrival.latency_s)
            for row in rows
            if row.arrival.state is ArrivalState.PROVEN and row.arrival.latency_s is not None
        ),
    )


def _notifications(report: StatusReport) -> Iterator[Metric]:
    mails = report.outbox
    counts = {
        "pending": mails.pending,
        "sending": mails.sending,
        "no_path": mails.without_path,
        "dead": mails.dead,
    }
    yield _gauge(
        "notifications",
        "Mails that have not gone out, by state; no_path: waiting with no sender to go by.",
        ("state",),
        (((state,), number) for state, number in counts.items()),
    )
    yield _gauge(
        "notifications_overdue",
        "Those pending or sending that have waited for over an hour or were tried 3 times.",
        (),
        (((), mails.overdue),),
    )


def _unfinished(report: StatusReport) -> GaugeMetricFamily:
    counts = Counter(run.job for run in report.unfinished)
    return _gauge(
        "runs_unfinished",
        "Scheduled runs that were begun and not finished in time; warn: daily mails.",
        ("job",),
        (((job,), counts[job]) for job in ("scan", "canary", "warn")),
    )


def _blind_spots(report: StatusReport) -> GaugeMetricFamily:
    counts = Counter(spot.kind for spot in report.blind_spots)
    return _gauge(
        "blind_spots",
        "What could not have been warned about, by kind; silence is proof only while all are 0.",
        ("kind",),
        (((str(kind),), counts[kind]) for kind in BlindKind),
    )


def _cycles(report: StatusReport) -> Iterator[Metric]:
    yield _gauge(
        "last_cycle_timestamp_seconds",
        "When every tenant had been tried in time and every job done; absent until it first was.",
        (),
        [((), report.last_cycle.timestamp())] if report.last_cycle else (),
    )
    started = report.beats.get(STARTED)
    yield _gauge(
        "service_started_timestamp_seconds",
        "When the service was last started.",
        (),
        [((), started.timestamp())] if started else (),
    )
    pulse = report.pulse
    yield _gauge(
        "heartbeat_up",
        "1 when the last heartbeat to the outside was accepted; absent where none is set.",
        (),
        [((), pulse.failing_since is None)] if pulse.configured else (),
    )
    yield _gauge(
        "heartbeat_last_success_timestamp_seconds",
        "When a heartbeat was last accepted; absent when none ever was.",
        (),
        [((), pulse.last_ok.timestamp())] if pulse.configured and pulse.last_ok else (),
    )


def _ends(report: StatusReport) -> GaugeMetricFamily:
    # Two credentials may share all labels (no key id): Prometheus refuses a page that says a
    # series twice, so the sooner end stands for both.
    ends: dict[tuple[str, ...], float] = {}
    for row in report.credentials:
        one = row.credential
        if one.end is None or row.state is CredentialState.REMOVED:
            continue
        labels = (row.tenant.name, one.app_id or "", one.app_name, str(one.kind), one.key_id or "")
        ends[labels] = min(one.end.timestamp(), ends.get(labels, float("inf")))
    return _gauge(
        "credential_not_after_timestamp_seconds",
        "When the credential ends.",
        ("tenant", "app_id", "app", "kind", "key_id"),
        ends.items(),
    )
