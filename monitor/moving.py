"""Whether an old credential that is still used needs somebody to move what uses it. Pure.

The status asks this; `decide` asks the same of each recipient's run, so that page and mail agree.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.lifecycle import current_stage, is_silenced
from monitor.model import Credential, Snooze, Tenant
from monitor.severity import STILL_USED_DAYS, warns_still_used


def needs_moving(
    old: Credential, newer: Credential | None, snooze: Snooze | None, tenant: Tenant, now: datetime
) -> bool:
    """Return whether a superseded credential is warned about, because it is still used.

    So it is from the last stages before its end on, up to the end; not while it is silenced.

    Args:
        old: the superseded one.
        newer: what supersedes it.
        snooze: what stands for the old one.
        tenant: whose thresholds and zone count.
        now: the instant, aware UTC.
    """
    if newer is None or old.own or not warns_still_used(old, newer, now):
        return False
    zone = ZoneInfo(tenant.time_zone)
    if is_silenced(snooze, old, current_stage(old.end, tenant.thresholds, 0, now, zone), now):
        return False
    near = [threshold for threshold in tenant.thresholds if threshold <= STILL_USED_DAYS]
    stage = current_stage(old.end, near, 0, now, zone)
    return stage is not None and not stage.after_end
