"""The ends of a partner's GDAP relationships: watched, told, kept while unread, and purged."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from jobs.send_warnings import send_warnings
from monitor.model import CredentialState, Kind, ObjectType, TenantState
from monitor.sandbox import Fault, Twist
from monitor.sandbox.partner_stories import PARTNER_READS
from monitor.store.purge import REDACTED
from tests.integration.msp_room import BREAKS, RELATIONSHIPS, Msp, msp
from tests.integration.stage import SIX
from tests.integration.test_store_purge import traces

__all__ = ["msp"]  # a fixture


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


# --- purging the customer ------------------------------------------------------------------------


def told_of(msp: Msp, days: int) -> None:
    """Scan and warn at the partner's hour, so many days after the first."""
    msp.clock.set(SIX + timedelta(days=days, hours=2, minutes=5))
    msp.scan()
    send_warnings(msp.app, due_only=True)


def test_after_a_purge_no_mail_about_its_relationship_names_the_customer(msp: Msp) -> None:
    """Nor does anything else that is stored; the mail keeps its place, and counts once."""
    msp.discover()
    told_of(msp, 0)
    told_of(msp, 1)
    assert {("outbox", "body_text"), ("outbox", "body_html")} <= traces(msp.app.store, "Fabrikam")
    done = msp.app.store.purge_tenant("fabrikam", now=msp.clock.now())
    assert traces(msp.app.store, "Fabrikam") == set()
    assert done is not None
    assert done.stripped == 1
    [_, first] = msp.app.store.outbox()  # newest first
    assert (first.mail.subject, first.tenants) == (REDACTED, ("northwind",))
    assert ("outbox", "body_text") in traces(msp.app.store, "Wingtip")


def test_a_mail_that_only_repeats_a_lapsed_relationship_loses_its_words_too(msp: Msp) -> None:
    """It has no notice of it: that it still is lapsed stands beside what the mail is about."""
    [(fabrikam, _)] = [found for found in msp.discover().added if found[0].name == "fabrikam"]
    [ended] = [one for one in msp.partner.relationships if one.customer_name == "Wingtip"]
    wingtip = replace(fabrikam, name="wingtip", directory_id=ended.customer_id)
    msp.app.store.put_tenant(wingtip, now=SIX)
    for days in (0, 1, 3):
        told_of(msp, days)
    newest = msp.app.store.outbox()[0]
    assert "Wingtip" in newest.mail.text
    assert not any(notice.uid.startswith(ended.id) for notice in newest.notices)
    done = msp.app.store.purge_tenant("wingtip", now=msp.clock.now())
    assert traces(msp.app.store, "Wingtip") == set()
    assert done is not None
    assert done.stripped == 3
