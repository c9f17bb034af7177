"""One report behind page, CLI, JSON, CSV and metrics: states, order, verdict, exit code."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from monitor.model import (
    CanaryResult,
    CredentialState,
    ScanRecord,
    Snooze,
    TenantHealth,
    TenantState,
)
from monitor.model.customers import LostAccess
from monitor.shape import as_json
from tests import status_samples as samples
from tests.status_samples import NOW, credential, health, sender
from tests.unit.contoso_status import broken, report


@pytest.mark.parametrize(
    ("known", "state", "exit_code"),
    [
        (health("contoso", 0), TenantState.OK, 0),
        (health("contoso", 11.9), TenantState.OK, 0),
        (health("contoso", 12), TenantState.STALE, 3),
        (health("contoso", 25.9), TenantState.STALE, 3),
        (health("contoso", 26), TenantState.UNKNOWN, 5),
        (TenantHealth("contoso", last_attempt=NOW, failures=1), TenantState.UNKNOWN, 5),
        (None, TenantState.UNKNOWN, 5),
        (broken(last_failed_definitely=True), TenantState.UNKNOWN, 5),
        (broken(last_incomplete=True), TenantState.UNKNOWN, 5),
        (broken(), TenantState.OK, 0),
    ],
)
def test_a_tenant_is_ok_only_on_a_fresh_complete_scan(
    known: TenantHealth | None, state: TenantState, exit_code: int
) -> None:
    """Otherwise it is stale or unknown, which is a warning of its own."""
    found = report(healths=[known] if known else [])
    assert found.tenants[0].state is state
    assert found.exit_code == exit_code
    assert ("All is well" in found.verdict) == (exit_code == 0)


def test_a_problem_is_said_as_long_as_it_stands() -> None:
    """Its words and its cause; an old tenant says how old; one never read says so."""
    row = report(healths=[broken()]).tenants[0]
    assert (row.problem, row.cause, row.failures) == ("It failed.", "consent_missing", 1)
    healed = report(healths=[health("contoso", 1, problem="It failed.", cause="x")]).tenants[0]
    assert (healed.problem, healed.cause) == (None, None)
    assert report(healths=[health("contoso", 20)]).tenants[0].problem == (
        "Not read in full for 20 hours."
    )
    for untried in ([], [TenantHealth("contoso")]):
        assert report(healths=untried).tenants[0].problem == "Never read."


def test_a_paused_tenant_is_neither_well_nor_an_alarm() -> None:
    """And a report of paused tenants only does not say that all is well."""
    found = report(paused=True, healths=[])
    assert (found.tenants[0].state, found.exit_code) == (TenantState.PAUSED, 0)
    assert "paused" in found.verdict
    assert "All is well" not in found.verdict


def test_a_pending_tenant_waits_and_is_no_alarm() -> None:
    """Nobody has failed: its administrator has not consented yet, and that is said."""
    found = report(pending=True, healths=[])
    assert (found.tenants[0].state, found.exit_code) == (TenantState.PENDING, 0)
    assert "has not consented yet" in str(found.tenants[0].problem)
    assert found.unheard == ()


def test_lost_access_needs_action_and_hides_no_failure() -> None:
    """A tenant that is well is told as lost; one that fails is told as failed, and as lost."""
    lost = {"contoso": LostAccess("contoso", NOW, "It is none of yours.")}
    found = report(healths=[health("contoso", 1)], lost=lost)
    [row] = found.tenants
    assert (row.state, row.problem) == (TenantState.OK, "It is none of yours.")
    assert found.exit_code == 3
    assert found.verdict == "Access to 1 customer lost."
    failed = report(healths=[broken()], lost=lost).tenants[0]
    assert (failed.problem, failed.lost) == ("It failed.", "It is none of yours.")


def test_what_could_not_be_looked_at_is_said_of_a_tenant_that_is_well() -> None:
    """The ends of GDAP relationships need a permission of their own."""
    record = ScanRecord("contoso", NOW, NOW, complete=True, unseen="They cannot be seen.")
    found = report(healths=[health("contoso", 1, record=record)])
    assert (found.tenants[0].state, found.exit_code) == (TenantState.OK, 0)
    assert found.tenants[0].problem == "They cannot be seen."


@pytest.mark.parametrize(
    ("days", "state", "exit_code"),
    [
        (-1, CredentialState.LAPSED, 4),
        (-0.0001, CredentialState.LAPSED, 4),
        (0.1, CredentialState.CRITICAL, 3),
        (7, CredentialState.CRITICAL, 3),
        (8, CredentialState.WARNING, 3),
        (30, CredentialState.WARNING, 3),
        (31, CredentialState.UPCOMING, 0),
        (60, CredentialState.UPCOMING, 0),
        (61, CredentialState.OK, 0),
        (None, CredentialState.OK, 0),
    ],
)
def test_a_credential_has_the_state_of_its_end(
    days: float | None, state: CredentialState, exit_code: int
) -> None:
    """Seven days are critical, thirty a warning, the largest threshold upcoming."""
    found = report([credential("contoso", "App", 1, days)])
    assert found.credentials[0].state is state
    assert found.exit_code == exit_code


def test_what_microsoft_rotates_or_somebody_snoozed_needs_no_action() -> None:
    """It is listed, counted, and moves no exit code."""
    managed = credential("contoso", "vm", 1, 2, managed_identity=True)
    quiet = credential("contoso", "App", 2, 3)
    snooze = Snooze("contoso", quiet.uid, 1, "kim", "soon", NOW, until=NOW + timedelta(days=1))
    found = report([managed, quiet], snoozes=[snooze])
    assert found.exit_code == 0
    assert found.action_rows == ()
    assert found.credential_counts() == {"critical": 1, "snoozed": 1}


def test_a_covered_one_needs_no_action_and_names_its_successor() -> None:
    """Before and after its own end."""
    new = credential("contoso", "App", 2, 300, start=NOW - timedelta(days=1))
    for days in (3, -3):
        old = credential("contoso", "App", 1, days)
        found = report([old, new])
        row = next(row for row in found.credentials if row.credential.uid == old.uid)
        assert (row.state, row.successor, found.exit_code) == (CredentialState.SUPERSEDED, new, 0)


def test_removed_ones_are_shown_for_thirty_days() -> None:
    """Then they are history."""
    gone = [
        credential("contoso", "App", n, 5, removed_at=NOW - timedelta(days=days))
        for n, days in enumerate((1, 30, 31))
    ]
    found = report(gone)
    assert found.credential_counts() == {"removed": 2}
    assert (found.exit_code, found.tenants[0].credentials) == (0, 0)


def test_facts_of_a_tenant_that_is_gone_are_not_reported() -> None:
    """Nobody watches it any more."""
    assert report([credential("gone", "App", 1, 1)]).credentials == ()


def test_old_facts_are_marked_stale_and_still_need_action() -> None:
    """A tenant that turned unknown never stops reminders."""
    found = report([credential("contoso", "App", 1, 3)], [health("contoso", 50)])
    (row,) = found.action_rows
    assert (row.stale, row.as_of) == (True, NOW - timedelta(minutes=42))
    assert "1 credential needs action" in found.verdict
    assert "1 tenant is unknown" in found.verdict


def test_the_highest_exit_code_wins() -> None:
    """6 a canary, 5 unknown, 4 lapsed, 3 action, 0 fine."""
    soon, gone = credential("contoso", "A", 1, 5), credential("contoso", "B", 2, -1)
    old, bad = health("contoso", 99), sender("contoso", CanaryResult.FAILED)
    assert report([soon]).exit_code == 3
    assert report([soon, gone]).exit_code == 4
    assert report([soon, gone], [old]).exit_code == 5
    assert report([soon, gone], [old], [bad]).exit_code == 6


def test_the_order_is_what_people_need() -> None:
    """Unknown tenants first; what needs action first, soonest first; no end last."""
    found = samples.bad_morning()
    states = [row.state for row in found.tenants]
    order = [TenantState.UNKNOWN, TenantState.STALE, TenantState.OK, TenantState.PAUSED]
    assert states == sorted(states, key=order.index)
    needs = [row.needs_action for row in found.credentials]
    assert needs == sorted(needs, reverse=True)
    ends = [row.credential.end for row in found.action_rows]
    assert ends == sorted(ends, key=lambda end: end or NOW)
    assert found.credentials[-1].credential.end is None


def test_the_verdict_names_all_that_is_the_matter() -> None:
    """In words, gravest first."""
    assert samples.bad_morning().verdict == (
        "1 credential lapsed; 5 more need action; 3 tenants are unknown (not fully read); "
        "1 tenant not read recently; the mail path fails for 1 of 6 senders; 1 mail path not "
        "proven for 26 hours; 1 test mail not confirmed to have arrived; 1 mail waiting with no "
        "path to send by; 1 mail could not be delivered."
    )
    assert samples.quiet_morning().verdict == (
        "All is well: 3 tenants read, nothing needs action. 3 mail paths proven."
    )
    assert "tenant add" in samples.empty_store().verdict


def test_the_json_has_the_keys_that_scripts_rely_on() -> None:
    """More are welcome, these stay."""
    shape = as_json(samples.bad_morning())
    assert {"generated_at", "verdict", "exit_code", "tenants", "credentials", "canaries"} <= set(
        shape
    )
    wanted = {
        "tenants": "name directory_id state last_complete_scan problem",
        "credentials": "tenant object_type object_id app_id app_name kind key_id name start end "
        "state days_left",
        "canaries": "tenant mailbox result stage cause at",
    }
    for name, keys in wanted.items():
        rows = shape[name]
        assert isinstance(rows, list)
        for row in rows:
            assert set(keys.split()) <= row.keys()
    assert str(shape["generated_at"]).endswith("Z")


def test_the_json_of_hostile_names_is_json() -> None:
    """Control characters, half surrogates, formulas, ten thousand letters."""
    text = json.dumps(as_json(samples.hostile()), ensure_ascii=True)
    assert json.loads(text)["credentials"]
    assert text.isascii()


def test_dates_at_the_end_of_time_are_no_crash() -> None:
    """2299 and 9999 are what old tools wrote for never; days are in the tenant's zone."""
    row = report([credential("contoso", "App", 1, None, end=samples.NEVER_ENDS)]).credentials[0]
    assert row.state is CredentialState.OK
    assert row.days_left is not None
    assert row.days_left > 2_900_000
    zoned = report([credential("contoso", "App", 1, 0.8)]).credentials[0]
    assert zoned.days_left == 1  # 19 hours on: already tomorrow in Berlin
