"""The store keeps the policy and the last sign-ins, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from monitor.model import (
    Insight,
    Kind,
    Limit,
    Limits,
    ObjectType,
    PolicyFound,
    Scan,
    Topic,
    UsageFound,
)
from monitor.store import Store
from monitor.store.insights import TRUSTED_FOR
from tests.integration.facts_room import contoso, hour

__all__ = ["contoso"]  # a fixture

LIMIT = Limit(timedelta(days=180))
SHORT = Limit(timedelta(days=30))


def record(store: Store, make, *credentials: Any, **about: Any) -> None:
    """Record a complete scan of one app that was told more than the lists."""
    told = {name: about.pop(name, None) for name in ("policy", "usage")}
    holders = about.pop("holders", None) or [make.app("app-1", *credentials)]
    scan: Scan = replace(make.scan(*holders, **about), **told)
    store.record_scan(scan, zone=make.zone)


def test_what_a_scan_was_told_is_with_each_credential(store: Store, make) -> None:
    """The last sign-in by key id, as of when, and the limit for its kind."""
    certificate = make.secret("key-2", kind=Kind.CERTIFICATE)
    used = hour(make, -5)
    policy = PolicyFound(make.now, LIMIT, Limit(timedelta(days=365), hour(make, -99)))
    usage = UsageFound(make.now, {"key-1": used, "unheard-of": used})
    record(store, make, make.secret(), certificate, policy=policy, usage=usage)
    first, second = sorted(store.credentials(), key=lambda one: one.key_id or "")
    assert (first.last_used, first.usage_at, first.limit) == (used, make.now, LIMIT)
    assert (second.last_used, second.usage_at) == (None, make.now)
    assert second.limit == policy.certificate
    assert first.longest == timedelta(days=180)
    known = store.insight("contoso")
    assert known.policy_asked_at == known.usage_asked_at == known.usage_at == make.now
    assert (known.secret, known.certificate) == (policy.secret, policy.certificate)


def test_a_scan_that_did_not_ask_changes_nothing_that_is_known(store: Store, make) -> None:
    """Three of four scans a day ask for the lists alone."""
    usage = UsageFound(make.now, {"key-1": make.now})
    record(store, make, make.secret(), policy=PolicyFound(make.now, LIMIT), usage=usage)
    before, known = store.credentials(), store.insight("contoso")
    record(store, make, make.secret(), hours=6)
    (after,) = store.credentials()
    assert replace(after, observed_at=before[0].observed_at) == before[0]
    assert store.insight("contoso") == known


def test_without_any_answer_nothing_is_known(store: Store, make) -> None:
    """As before the first question."""
    record(store, make, make.secret())
    (one,) = store.credentials()
    assert (one.last_used, one.usage_at, one.limit) == (None, None, None)
    assert store.insight("contoso") == Insight("contoso")
    assert store.insight("nobody") == Insight("nobody")


def test_a_report_that_forgot_a_sign_in_takes_none_back(store: Store, make) -> None:
    """An earlier date, or none at all, is not later knowledge."""
    record(store, make, make.secret(), usage=UsageFound(make.now, {"key-1": make.now}))
    for hours, last in ((24, {"key-1": hour(make, -99)}), (48, {})):
        usage = UsageFound(hour(make, hours), last)
        record(store, make, make.secret(), hours=hours, usage=usage)
        (one,) = store.credentials()
        assert (one.last_used, one.usage_at) == (make.now, hour(make, hours))


def test_one_failure_keeps_what_is_known_and_a_week_of_them_does_not(store: Store, make) -> None:
    """A throttled day is no reason to forget; a right that was taken away is."""
    record(store, make, make.secret(), usage=UsageFound(make.now, {"key-1": make.now}))
    week = TRUSTED_FOR / timedelta(hours=1)
    for hours, as_of in ((24, make.now), (week + 24, None)):
        usage = UsageFound(hour(make, hours), problem="no right")
        record(store, make, make.secret(), hours=hours, usage=usage)
        (one,) = store.credentials()
        assert (one.last_used, one.usage_at) == (make.now, as_of)
    assert store.insight("contoso").usage_problem == "no right"


def test_a_policy_that_cannot_be_read_any_more_sets_no_limit(store: Store, make) -> None:
    """What it says today is not known, so no mail quotes it."""
    record(store, make, make.secret(), policy=PolicyFound(make.now, LIMIT))
    policy = PolicyFound(hour(make, 24), problem="no right")
    record(store, make, make.secret(), hours=24, policy=policy)
    assert store.credentials()[0].limit is None
    assert store.insight("contoso").policy_problem == "no right"


def test_the_rules_for_app_registrations_are_not_those_of_service_principals(
    store: Store, make
) -> None:
    """The policy has rules of their own for those."""
    holder = make.app("sp-1", make.secret(), object_type=ObjectType.SERVICE_PRINCIPAL)
    record(store, make, holders=[holder], policy=PolicyFound(make.now, LIMIT))
    assert store.credentials()[0].limit is None
    both = PolicyFound(make.now, LIMIT, principals=Limits(SHORT))
    record(store, make, holders=[holder], policy=both, hours=24)
    assert store.credentials()[0].limit == SHORT


def test_a_policy_of_its_own_holds_for_an_app_instead_of_the_default(store: Store, make) -> None:
    """Also one that sets no limit; and nothing of it is left when it is taken away."""
    holders = [make.app(name, make.secret(f"key-{name}")) for name in ("app-1", "app-2", "app-3")]
    own = {"app-1": Limits(SHORT), "app-2": Limits(), "sp-9": Limits(SHORT)}
    record(store, make, holders=holders, policy=PolicyFound(make.now, LIMIT, own=own))
    assert {one.object_id: one.limit for one in store.credentials()} == {
        "app-1": SHORT, "app-2": None, "app-3": LIMIT,
    }  # fmt: skip
    record(store, make, holders=holders, hours=6)
    assert [one.limit for one in store.credentials()].count(LIMIT) == 1
    record(store, make, holders=holders, policy=PolicyFound(hour(make, 24), LIMIT), hours=24)
    assert {one.limit for one in store.credentials()} == {LIMIT}


def test_an_app_whose_service_principal_is_disabled_is_disabled(store: Store, make) -> None:
    """Admins switch sign-ins off on the Enterprise application, not on the registration."""
    app = make.app("app-1", make.secret(), enabled=True)
    off = make.app(
        "sp-1", object_type=ObjectType.SERVICE_PRINCIPAL, app_id=app.app_id, enabled=False
    )
    other = make.app("app-2", make.secret("key-2"), enabled=True)
    record(store, make, holders=[app, off, other])
    assert {one.object_id: one.enabled for one in store.credentials()} == {
        "app-1": False,
        "app-2": True,
    }


@pytest.mark.parametrize("topic", Topic)
def test_what_is_known_of_a_tenant_goes_with_it(store: Store, make, topic: Topic) -> None:
    """By foreign key, in all tables."""
    usage = UsageFound(make.now, {"key-1": make.now})
    policy = PolicyFound(make.now, LIMIT, own={"app-1": Limits(SHORT)})
    record(store, make, make.secret(), policy=policy, usage=usage)
    store.remove_tenant("contoso")
    tables = {Topic.POLICY: ("insight", "policy_limit"), Topic.USAGE: ("key_use",)}[topic]
    with store._database.read() as connection:
        for table in tables:
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0
