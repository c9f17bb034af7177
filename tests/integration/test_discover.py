"""Discovering a partner's customers: found, added as pending, consented, lost; GDAP ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs.scan_tenants import scan_tenants
from jobs.send_warnings import send_warnings
from monitor.config import load
from monitor.discoveries import Discovered
from monitor.model import (
    CredentialRef,
    CredentialState,
    Kind,
    MailKind,
    ObjectType,
    ScanRecord,
    TenantState,
)
from monitor.model.customers import Source
from monitor.roster import read
from monitor.sandbox import Cloud, Fault, SandboxClock, Twist, World, partner_world
from monitor.sandbox.partner_stories import PARTNER_READS, READS, consent
from monitor.sandbox.world import Tenant as WorldTenant
from monitor.status import StatusReport
from monitor.wiring import App
from tests.integration.stage import SIX, operator

CUSTOMERS = "/tenantRelationships/delegatedAdminCustomers"
RELATIONSHIPS = "/tenantRelationships/delegatedAdminRelationships"


class Msp:
    """The product over a partner's world, and ways to move it on."""

    def __init__(self, app: App, cloud: Cloud, clock: SandboxClock) -> None:
        self.app, self.cloud, self.clock = app, cloud, clock

    @property
    def partner(self) -> WorldTenant:
        """The MSP in the world."""
        return self.cloud.world.tenant("northwind")

    def may(self, *roles: str) -> None:
        """Let the MSP's app have these permissions at home from now on."""
        assert self.partner.monitor is not None
        self.partner.principal_of(self.partner.monitor.client_id).graph_roles = roles

    def discover(self, **how: Any) -> Discovered:
        """One discovery."""
        entry = self.app.store.tenant("northwind")
        assert entry is not None
        [shared] = self.app.store.shared_apps()

        async def run() -> Discovered:
            async with self.app.graph() as reader:
                return await self.app.discoveries.run(reader, entry, shared, **how)

        return asyncio.run(run())

    def scan(self, **how: Any) -> dict[str, ScanRecord]:
        """One tick of the scan, or one tenant's."""
        how = how or {"due_only": True}
        return {one.tenant: one for one in asyncio.run(scan_tenants(self.app, **how))}

    def report(self) -> StatusReport:
        """The status now."""
        return self.app.report()

    def states(self) -> dict[str, str]:
        """The state of each tenant."""
        return {row.tenant.name: str(row.state) for row in self.report().tenants}

    def gdap(self) -> dict[str, CredentialState]:
        """The state of each GDAP relationship, by the customer's name."""
        rows = self.report().credentials
        return {str(r.credential.name): r.state for r in rows if r.credential.kind is Kind.GDAP}


@pytest.fixture
def msp(tmp_path: Path) -> Iterator[Msp]:
    """An MSP that watches itself, and nobody else yet."""
    clock = SandboxClock()
    clock.set(SIX)
    world = partner_world(SIX)
    world.operator = operator(SIX)
    with Cloud(world, clock) as cloud:
        configuration = load(cloud.write_settings(tmp_path))
        found = read(tmp_path / "tenants.toml", configuration)
        with App(configuration, clock=clock.now) as app:
            app.make_database()
            app.store.put_roster(found.apps, found.tenants, now=clock.now())
            yield Msp(app, cloud, clock)


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


BREAKS: dict[str, Callable[[Msp], None]] = {
    "permission_missing": lambda msp: msp.may(*READS, "Directory.Read.All"),
    "throttled": lambda msp: _fault(msp, status=429, headers={"Retry-After": "9999"}),
    "malformed_page": lambda msp: _fault(msp, twist=Twist.TRUNCATE),
    "scan_incomplete": lambda msp: _fault(msp, twist=Twist.FOREIGN_NEXT),
    "html_instead_of_json": lambda msp: _fault(msp, twist=Twist.HTML),
}


def _fault(msp: Msp, **how: Any) -> None:
    msp.partner.faults += [Fault(RELATIONSHIPS, **how), Fault(CUSTOMERS, **how)]


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


def test_a_relationship_that_was_terminated_has_ended_by_then(msp: Msp) -> None:
    """Graph keeps the date that was agreed on; the access is gone all the same, and is told."""
    msp.scan()
    now = msp.clock.now()
    msp.partner.relationships = [
        replace(one, status="terminated", modified=now) if one.customer_name == "Adatum" else one
        for one in msp.partner.relationships
    ]
    msp.clock.advance(timedelta(hours=7))
    msp.scan()
    [row] = [
        row
        for row in msp.report().credentials
        if row.credential.kind is Kind.GDAP and row.credential.name == "Adatum"
    ]
    assert (row.state, row.credential.end) == (CredentialState.LAPSED, now)


@pytest.mark.parametrize("status", ["expired", "terminated"])
def test_a_request_that_nobody_accepted_spoils_no_list(msp: Msp, status: str) -> None:
    """It has neither a beginning nor an end; what else is in the list is read and judged."""
    whole = [(one.source, one.error) for one in msp.discover().lists]
    first = msp.partner.relationships[0]
    never = replace(first, id="never-accepted", status=status, activated=None, end=None)
    msp.partner.relationships.append(never)
    assert [(one.source, one.error) for one in msp.discover().lists] == whole
    assert not any(record.unseen for record in msp.scan().values())


# --- GDAP ends -----------------------------------------------------------------------------------


def test_the_ends_of_gdap_relationships_are_watched_like_those_of_credentials(msp: Msp) -> None:
    """States, the object's own type, and a warning in the digest, with what to do."""
    msp.scan()
    assert msp.gdap() == {
        "Contoso": CredentialState.OK, "Fabrikam": CredentialState.CRITICAL,
        "Adatum": CredentialState.OK, "Wingtip": CredentialState.LAPSED,
    }  # fmt: skip
    assert {one.object_type for _, one in msp.app.store.objects("northwind") if not one.app_id} == {
        ObjectType.RELATIONSHIP
    }
    msp.clock.set(SIX + timedelta(hours=2, minutes=5))
    msp.scan()
    sent = send_warnings(msp.app, due_only=True)[0]
    [digest] = [row for row in sent if "Fabrikam" in row.mail.text]
    assert 'GDAP relationship with "Fabrikam"' in digest.mail.text
    assert "Auto extend" in digest.mail.text
    assert "https://partner.microsoft.com/" in digest.mail.text


def test_an_extended_relationship_begins_a_new_life_and_a_new_one_ends_the_lapse(msp: Msp) -> None:
    """autoExtend moves the end; another relationship with the customer is access again."""
    msp.scan()
    world, partner = msp.cloud.world, msp.partner
    fabrikam, wingtip = world.tenant("fabrikam"), world.tenant("wingtip")
    partner.relationships = [
        replace(one, end=one.end + timedelta(days=180), status="active")
        if one.customer_id == fabrikam.directory_id and one.end else one
        for one in partner.relationships
    ]  # fmt: skip
    [old] = [one for one in partner.relationships if one.customer_id == wingtip.directory_id]
    later = SIX + timedelta(days=700)
    partner.relationships.append(replace(old, id="new-one", end=later, status="active"))
    msp.scan(only="northwind")
    [renewed] = [one for one in msp.app.store.credentials("northwind") if one.name == "Fabrikam"]
    assert renewed.life == 2
    held = {one.object_id: one for one in msp.app.store.credentials("northwind")}
    assert "new-one" in held
    assert old.id not in held


@pytest.mark.parametrize("cause", [cause for cause in BREAKS if cause != "scan_incomplete"])
def test_relationships_that_cannot_be_read_cost_nothing_else_and_are_not_taken_for_removed(
    msp: Msp, cause: str
) -> None:
    """The scan of the applications is complete; the ends stay as of when they were last seen."""
    msp.scan()
    before = {one.uid: one for one in msp.app.store.credentials("northwind")}
    seen_at = msp.app.store.health()["northwind"].last_complete
    BREAKS[cause](msp)
    msp.clock.advance(timedelta(hours=7))

    [record] = msp.scan(only="northwind").values()

    assert record.complete
    assert str(record.unseen).startswith("The ends of the GDAP relationships cannot be seen")
    after = {one.uid: one for one in msp.app.store.credentials("northwind")}
    assert after.keys() == before.keys()
    ends = [one for one in after.values() if one.kind is Kind.GDAP]
    assert {one.observed_at for one in ends} == {seen_at}
    assert not any(one.proven for one in ends)
    assert {one.observed_at for one in after.values() if one.kind is not Kind.GDAP} == {
        record.finished_at
    }
    [row] = msp.report().tenants
    assert (row.state, row.problem) == (TenantState.OK, record.unseen)

    msp.may(*PARTNER_READS)
    msp.partner.faults.clear()
    [record] = msp.scan(only="northwind").values()
    assert record.unseen is None
    assert all(one.proven for one in msp.app.store.credentials("northwind"))


def test_of_a_list_that_breaks_off_what_was_seen_counts_and_the_rest_stays(msp: Msp) -> None:
    """Nor does an ended relationship count as lost access: a live one may come on a later page."""
    msp.scan()
    partner = msp.partner
    [wingtip] = [one for one in partner.relationships if one.customer_name == "Wingtip"]
    rest = [one for one in partner.relationships if one is not wingtip]
    ended = replace(wingtip, id="another", customer_id=rest[0].customer_id)
    partner.relationships = [ended, rest[1], rest[0], rest[2], wingtip]
    partner.page_size = 2
    partner.faults.append(Fault(RELATIONSHIPS, page=2, twist=Twist.HTML))
    msp.clock.advance(timedelta(hours=7))
    [record] = msp.scan(only="northwind").values()
    assert record.unseen
    held = {one.object_id: one.proven for one in msp.app.store.credentials("northwind")}
    expected = {rest[1].id: True, rest[0].id: False, rest[2].id: False, wingtip.id: False}
    assert {one: held.get(one) for one in [*expected, "another"]} == expected | {"another": None}


def test_a_tenant_that_is_no_partner_is_not_asked_for_relationships(msp: Msp) -> None:
    """Nor is a permission asked of it that it has no use for."""
    own = msp.app.store.tenants()[0]
    msp.app.store.put_tenant(replace(own, partner=False), now=SIX)
    [record] = msp.scan().values()
    assert record.unseen is None
    assert msp.cloud.calls.count("northwind", f"GET {RELATIONSHIPS}") == 0


def test_the_lists_are_read_to_their_last_page(tmp_path: Path, msp: Msp) -> None:
    """250 customers more, 40 a page."""
    msp.partner.contracts += partner_world(SIX, more=250).tenant("northwind").contracts[3:]
    msp.partner.page_size = 40
    found = msp.discover()
    assert [part.source for part in found.lists] == list(Source)
    assert len(found.added) == 254
    assert len({new.name for new, _ in found.added}) == 254
    assert isinstance(msp.cloud.world, World)
