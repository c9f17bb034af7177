"""A superseded credential that is still used: status and mails say the same of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from monitor.decide import decide_run
from monitor.model import Credential, CredentialState, MailKind, Snooze
from monitor.moving import needs_moving
from monitor.status import StatusReport, build_report
from tests.status_samples import NOW, credential, facts, health, tenant

DAY = timedelta(days=1)


def pair(left: float, used: float | None = 1) -> tuple[Credential, Credential]:
    """An old secret that ends in `left` days and was used `used` days ago, and its newer one."""
    known = None if used is None else NOW - used * DAY
    old = credential("contoso", "Parcels", 1, left, name="2024", last_used=known, usage_at=NOW)
    new = credential("contoso", "Parcels", 2, 700, name="2026", start=NOW - 9 * DAY)
    return old, new


def report(left: float, used: float | None = 1, **more: Any) -> StatusReport:
    """The status of a tenant with such a pair, and nothing else the matter."""
    rows = list(pair(left, used))
    return build_report(facts([tenant("contoso")], rows, [health("contoso", 0.7)], **more), now=NOW)


@pytest.mark.parametrize("left", [400, 31, 15.2, 14, 8, 7, 1, 0.1, -0.1, -5])
@pytest.mark.parametrize("used", [1, 40, None])
def test_it_needs_action_exactly_while_a_mail_would_warn_about_it(
    left: float, used: float | None
) -> None:
    """From the last stages before its end on; what moved or ended is nothing to do."""
    who, (old, new) = tenant("contoso"), pair(left, used)
    decided = decide_run(
        [who], {"contoso": [old, new]}, zone=ZoneInfo(who.time_zone), told={}, snoozes={}, now=NOW
    )
    mails = [one.notice.kind for each in decided.values() for one in each if one.notice]
    assert needs_moving(old, new, None, who, NOW) is (MailKind.REMINDER in mails)
    rows = {row.credential.name: row for row in report(left, used).credentials}
    assert rows["2024"].state is CredentialState.SUPERSEDED
    assert rows["2024"].needs_action is (MailKind.REMINDER in mails)
    assert not rows["2026"].needs_action


def test_verdict_exit_code_and_counts_name_it() -> None:
    """The state's word stays as it is."""
    found = report(9)
    assert (found.exit_code, found.verdict[:26]) == (3, "1 credential needs action.")
    assert found.tenants[0].needs_action == 1
    assert found.credential_counts()["superseded"] == 1
    assert report(9, None).exit_code == 0


def test_a_silence_holds_for_it_as_well() -> None:
    """As it does for its mails."""
    old, _ = pair(9)
    quiet = Snooze("contoso", old.uid, old.life, "kim", "moved on Friday", NOW, until=NOW + 5 * DAY)
    assert report(9, snoozes=[quiet]).exit_code == 0
