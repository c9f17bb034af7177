"""The question about a tenant of which many credentials are gone at once."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.mail import pasting, words
from monitor.mail.alarms import WHY, AlarmView
from monitor.mail.views import Fact
from monitor.model import Tenant, TenantHealth

CAUSE = "scan_shrunk"
_STEP = re.compile(r"(?<=\.) (?=[A-Z][a-z ]+\? )")  # each of them begins with its question
_HELD = "Lapsewatch has marked nothing as removed. Reminders go on from the last facts."
_IN_THE_TEXT = "`lapsewatch tenant accept NAME`"  # the mail shows it in a block of its own


def shrunk_view(
    tenant: Tenant,
    health: TenantHealth,
    explanation: str,
    fix: str,
    *,
    zone: ZoneInfo,
    now: datetime,
) -> AlarmView:
    """Asks whether it was meant; the tenant can be read, but the scan is held."""
    name, problem = words.plain(tenant.name, 40), words.plain(health.problem or "", 400)
    gone = problem.partition(" since ")[0] or "many credentials are gone"
    seen = problem.partition(". ")[0].rstrip(".")  # the rest is said above
    last = health.last_complete
    facts = [
        Fact("Last scan that counts", "none" if last is None else words.long_date(last, zone)),
        Fact("Asked at", words.long_date(now, zone)),
        Fact("Directory id", words.plain(tenant.directory_id), code=True),
        Fact("What was seen", words.defang(seen, words.EVIDENCE_CAP)),
    ]
    return AlarmView(
        word="CANNOT CHECK",
        tone="lapsed",
        subject=f"{gone}, was that meant?",
        apart=True,
        where=name,
        verdict=f"{gone} in {words.defang(name)}. Was that meant?",
        action=_HELD,
        facts=tuple(facts),
        explanation=tuple(words.lines(explanation)),
        steps=_steps(fix, name),
        foot=("It is asked once. A mail says RECOVERED when a scan counts again.", WHY),
        commands=(f"lapsewatch tenant accept {name}",),
        command_title="To say yes, on the machine that runs Lapsewatch (it holds for one day)",
    )


def _steps(fix: str, name: str) -> tuple[str, ...]:
    shown = fix.replace(_IN_THE_TEXT, "the command below")
    shown = shown.replace("--tenant NAME", pasting.option(name))
    return tuple(words.lines(_STEP.sub("\n", shown)))
