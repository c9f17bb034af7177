"""Discovering a partner's customers: found, added as pending, consented, lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.model import CredentialRef, MailKind, TenantState
from monitor.model.customers import Source
from monitor.sandbox import partner_world
from monitor.sandbox.partner_stories import READS, consent
from tests.integration.msp_room import BREAKS, Msp, msp
from tests.integration.stage import SIX

__all__ = ["msp"]  # a fixture

# --- discovering ---------------------------------------------------------------------------------


def test_customers_are_merged_added_as_pending_and_get_their_link(msp: Msp) -> None:
    """Of three lists, each once; wingtip, whose access ended long ago, is nobody's customer."""
    found = msp.discover()
    assert [part.error for part in found.lists] == [None, None, None]
    assert [one.name for one in found.customers] == [
        "Adatum", "Contoso", "Fabrikam", "Tailspin", "Wingtip",
    ]  # fmt: skip
    assert [new.name for new, _ in found.added] == ["adatum", "contoso", "fabrikam", "tailspin"]
    world = msp.cloud.world
    for new, link in found.added:
        there = world.tenant(new.name)
        assert new == msp.app.store.tenant(new.name)
        assert (new.pending, new.discovered_from, new.app) == (True, "northwind", "msp")
        assert new.cloud == "sandbox"
        assert link == (
            f"{msp.cloud.entra_url}/{there.directory_id}/adminconsent?client_id={new.client_id}"
        )


def test_discovering_again_changes_nothing(msp: Msp) -> None:
    """Watched customers are known by their directory, whatever they are called."""
    contoso = msp.cloud.world.tenant("contoso")
    own = msp.app.store.tenants()[0]
    byhand = replace(own, name="byhand", directory_id=contoso.directory_id, partner=False)
    msp.app.store.put_tenant(byhand, now=SIX)
    assert [new.name for new, _ in msp.discover().added] == ["adatum", "fabrikam", "tailspin"]
    before = msp.app.store.tenants(), msp.app.store.known_since()
    assert msp.discover().added == ()
    assert (msp.app.store.tenants(), msp.app.store.known_since()) == before


def test_a_dry_run_adds_nobody(msp: Msp) -> None:
    """And tells the same."""
    planned = [new.name for new, _ in msp.discover(dry_run=True).added]
    assert [one.name for one in msp.app.store.tenants()] == ["northwind"]
    assert [new.name for new, _ in msp.discover().added] == planned


def test_the_lists_are_read_to_their_last_page(msp: Msp) -> None:
    """250 customers more, 40 a page."""
    msp.partner.contracts += partner_world(SIX, more=250).tenant("northwind").contracts[3:]
    msp.partner.page_size = 40
    found = msp.discover()
    assert [part.source for part in found.lists] == list(Source)
    assert len(found.added) == 254
    assert len({new.name for new, _ in found.added}) == 254


@pytest.mark.parametrize("cause", BREAKS)
def test_a_list_that_fails_is_told_and_stops_neither_the_others_nor_takes_anybody_for_lost(
    msp: Msp, cause: str
) -> None:
    """Its cause is named; those of the contracts are added; adatum, seen before, is not lost."""
    assert len(msp.discover().added) == 4
    msp.app.store.remove_tenant("tailspin")
    BREAKS[cause](msp)
    found = msp.discover()
    assert [part.error.cause if part.error else None for part in found.lists] == [
        None, cause, cause,
    ]  # fmt: skip
    assert [new.name for new, _ in found.added] == ["tailspin"]
    assert found.lost == {}
    assert msp.app.store.lost_access() == {}


def test_a_refused_list_names_the_permission_that_it_needs(msp: Msp) -> None:
    """Not the one for reading applications."""
    msp.may(*READS)
    errors = [part.error for part in msp.discover().lists]
    assert all(error is not None for error in errors)
    said = [error.remedy for error in errors if error]
    assert "Directory.Read.All" in said[0]
    assert all("DelegatedAdminRelationship.Read.All" in one for one in said[1:])


def test_a_dead_sign_in_is_told_of_each_list(msp: Msp) -> None:
    """And is no crash."""
    msp.partner.apps[0].secrets = []
    lists = msp.discover().lists
    assert {part.error.cause for part in lists if part.error} == {"wrong_secret"}


# --- consent -------------------------------------------------------------------------------------


def test_a_pending_tenant_is_no_failure_and_is_read_once_its_consent_is_there(msp: Msp) -> None:
    """contoso had consented before; the others raise no alarm and hold back no digest."""
    msp.discover()
    assert set(msp.scan()) == {"northwind", "contoso"}
    assert msp.states() == {
        "adatum": "pending", "contoso": "ok", "fabrikam": "pending", "northwind": "ok",
        "tailspin": "pending",
    }  # fmt: skip
    assert {row.mail.kind for row in msp.app.store.outbox()} & {MailKind.CANNOT_CHECK} == set()
    [row] = [row for row in msp.report().tenants if row.tenant.name == "fabrikam"]
    assert "has not consented yet" in str(row.problem)
    assert row.state is TenantState.PENDING


def test_a_token_is_tried_once_per_scan_interval(msp: Msp) -> None:
    """Not at every tick; the consent that comes meanwhile is found at the next interval."""
    msp.discover()
    msp.scan()
    tokens = "POST /oauth2/v2.0/token"
    assert msp.cloud.calls.count("fabrikam", tokens) == 1
    for _ in range(3):
        msp.clock.advance(timedelta(minutes=30))
        msp.scan()
    assert msp.cloud.calls.count("fabrikam", tokens) == 1
    consent(msp.cloud.world.tenant("fabrikam"), msp.partner)
    msp.clock.advance(timedelta(hours=5))
    assert "fabrikam" in msp.scan()
    assert msp.states()["fabrikam"] == "ok"
    assert msp.cloud.calls.count("tailspin", tokens) == 2


def test_a_scan_of_a_pending_tenant_by_hand_looks_at_once(msp: Msp) -> None:
    """Whatever the interval says."""
    msp.discover()
    msp.scan()
    consent(msp.cloud.world.tenant("tailspin"), msp.partner)
    assert set(msp.scan(only="tailspin")) == {"tailspin"}
    assert msp.scan(only="adatum") == {}


def test_a_consent_without_the_permission_is_a_failure_from_then_on(msp: Msp) -> None:
    """It was given, so it is no longer pending: what is wrong now needs a fix."""
    msp.discover()
    consent(msp.cloud.world.tenant("fabrikam"), msp.partner, roles=())
    records = msp.scan()
    assert records["fabrikam"].cause == "permission_missing"
    assert msp.states()["fabrikam"] == "unknown"


# --- lost access ---------------------------------------------------------------------------------


def test_a_customer_who_is_none_any_more_is_told_and_never_removed(msp: Msp) -> None:
    """Out of all lists, or with all relationships ended; a new one takes the warning back."""
    msp.discover()
    msp.scan()
    partner, contoso = msp.partner, msp.cloud.world.tenant("contoso")
    ids = {contoso.directory_id, msp.cloud.world.tenant("tailspin").directory_id}
    kept = partner.contracts, partner.customers, partner.relationships
    partner.contracts = [one for one in kept[0] if one.customer_id not in ids]
    partner.customers = [one for one in kept[1] if one.customer_id not in ids]
    partner.relationships = [
        replace(one, status="terminated") if one.customer_name == "Adatum" else one
        for one in kept[2]
        if one.customer_id not in ids
    ]

    lost = msp.discover().lost

    assert set(lost) == {"adatum", "contoso", "tailspin"}
    assert "none of the partner's lists" in lost["contoso"]
    assert "have ended" in lost["adatum"]
    report = msp.report()
    [row] = [row for row in report.tenants if row.tenant.name == "contoso"]
    assert (row.state, row.problem) == (TenantState.OK, lost["contoso"])
    assert "access to 3 customers lost" in report.verdict.lower()
    assert len(msp.app.store.tenants()) == 5
    since = msp.app.store.lost_access()["contoso"].since

    msp.clock.advance(timedelta(hours=1))
    msp.discover()
    assert msp.app.store.lost_access()["contoso"].since == since
    partner.contracts, partner.customers, partner.relationships = kept
    assert msp.discover().lost == {}
    assert msp.app.store.lost_access() == {}


def test_what_of_ours_keeps_a_customer_waiting_is_said(msp: Msp) -> None:
    """Not that nobody has consented, when the shared app cannot sign in at all."""
    msp.discover()
    [app] = msp.app.store.shared_apps()
    consent(msp.cloud.world.tenant("fabrikam"), msp.partner)
    lost = replace(app, credential=CredentialRef("secret", "env:NOT_SET_AT_ALL"))
    msp.app.store.put_shared_app(lost, now=SIX)
    msp.scan()
    report = msp.report()
    [row] = [row for row in report.tenants if row.tenant.name == "fabrikam"]
    assert row.state is TenantState.PENDING
    assert "NOT_SET_AT_ALL is not set" in str(row.problem)
    assert "cannot be looked for" in report.verdict
    assert not [mail for mail in msp.app.store.outbox() if mail.tenants == ("fabrikam",)]
    msp.app.store.put_shared_app(app, now=SIX)
    msp.clock.advance(timedelta(hours=7))
    assert msp.scan()["fabrikam"].complete
    assert "cannot be looked for" not in msp.report().verdict


@pytest.mark.parametrize("status", ["expired", "terminated"])
def test_a_request_that_nobody_accepted_spoils_no_list(msp: Msp, status: str) -> None:
    """It has neither a beginning nor an end; what else is in the list is read and judged."""
    whole = [(one.source, one.error) for one in msp.discover().lists]
    first = msp.partner.relationships[0]
    never = replace(first, id="never-accepted", status=status, activated=None, end=None)
    msp.partner.relationships.append(never)
    assert [(one.source, one.error) for one in msp.discover().lists] == whole
    assert not any(record.unseen for record in msp.scan().values())
