"""One StatusReport behind the page, the CLI, JSON, CSV and the metrics. Pure: rows and now in."""

from monitor.status.build import build_report
from monitor.status.rows import (
    CanaryRow,
    CredentialRow,
    Facts,
    LateJob,
    StatusReport,
    TenantRow,
    UnfinishedRun,
)
from monitor.status.service import HISTORY, SCHEDULER, SILENT_AFTER, silent_since
from monitor.status.verdict import (
    EXIT_ACTION,
    EXIT_CANARY,
    EXIT_FINE,
    EXIT_LAPSED,
    EXIT_UNKNOWN,
    verdict,
)

__all__ = [
    "EXIT_ACTION",
    "EXIT_CANARY",
    "EXIT_FINE",
    "EXIT_LAPSED",
    "EXIT_UNKNOWN",
    "HISTORY",
    "SCHEDULER",
    "SILENT_AFTER",
    "CanaryRow",
    "CredentialRow",
    "Facts",
    "LateJob",
    "StatusReport",
    "TenantRow",
    "UnfinishedRun",
    "build_report",
    "silent_since",
    "verdict",
]
