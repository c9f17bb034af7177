"""The doctor's reports: as long as something fails, and no longer than the tenant itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.errors import StoreError
from monitor.model import OPERATOR, CanaryResult, Examination, Finding, Probe
from monitor.store import Store

FOUND = Finding(
    "object_id", "Enterprise application object id", "failed", "1 is configured, 2 is right",
    "object_id_mismatch", ("propagating",), "why", "fix", "New-ServicePrincipal",
)  # fmt: skip


def report(make, target: str = "contoso") -> Examination:
    """What the doctor found."""
    return Examination(target, make.now, ("reading",), (FOUND,))


def scan(store: Store, make, *, complete: bool, hours: int = 0, **more) -> None:
    """Record an attempt to read contoso."""
    store.record_scan(make.scan(complete=complete, hours=hours), zone=make.zone, **more)


def canary(store: Store, make, result: CanaryResult, tenant: str = "contoso", **more) -> None:
    """Record a test mail."""
    mailbox = f"m@{tenant.strip('()')}.example"
    probe = Probe(tenant, mailbox, make.now, make.now, result, "auth", "x", "535")
    store.record_probe(probe, **more)


def test_a_report_comes_back_as_it_was_and_goes_with_the_next_success(store: Store, make) -> None:
    """Written with the attempt, on both databases."""
    store.put_tenant(make.tenant(), now=make.now)
    scan(store, make, complete=False, examination=report(make))
    assert store.examinations() == {"contoso": report(make)}
    scan(store, make, complete=True, hours=1)
    assert store.examinations() == {}


def test_what_still_fails_keeps_its_report(store: Store, make) -> None:
    """A scan that works again ends what was said of scans, and nothing of test mails."""
    store.put_tenant(make.tenant(), now=make.now)
    scan(store, make, complete=False, examination=report(make))
    canary(store, make, CanaryResult.FAILED, examination=report(make))
    assert store.examinations()["contoso"].sides == ("reading", "sending")
    scan(store, make, complete=True, hours=1)
    assert store.examinations() == {"contoso": replace(report(make), sides=("sending",))}
    canary(store, make, CanaryResult.OK)
    assert store.examinations() == {}


def test_a_failure_that_was_not_examined_leaves_no_report_of_an_older_one(
    store: Store, make
) -> None:
    """What is shown is about the failure that is shown."""
    store.put_tenant(make.tenant(), now=make.now)
    scan(store, make, complete=False, examination=report(make))
    scan(store, make, complete=False, hours=1)
    assert store.examinations() == {}


def test_an_attempt_that_was_overtaken_changes_no_report(store: Store, make) -> None:
    """A slow failure is recorded after a newer complete scan, and says nothing of today."""
    store.put_tenant(make.tenant(), now=make.now)
    scan(store, make, complete=True, hours=6)
    scan(store, make, complete=False, hours=1, examination=report(make))
    assert store.examinations() == {}


def test_a_report_goes_with_its_tenant_and_none_is_kept_for_one_that_is_gone(
    store: Store, make
) -> None:
    """The operator has no row of its own, and keeps its report."""
    store.put_tenant(make.tenant(), now=make.now)
    canary(store, make, CanaryResult.FAILED, examination=report(make))
    canary(store, make, CanaryResult.FAILED, OPERATOR, examination=report(make, OPERATOR))
    store.remove_tenant("contoso")
    assert set(store.examinations()) == {OPERATOR}
    canary(store, make, CanaryResult.FAILED, examination=report(make))
    assert set(store.examinations()) == {OPERATOR}


def test_a_report_is_not_written_without_its_attempt(store: Store, make) -> None:
    """One transaction: a tenant that is gone takes neither."""
    with pytest.raises(StoreError):
        scan(store, make, complete=False, examination=report(make))
    assert store.examinations() == {}
