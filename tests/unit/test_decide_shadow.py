"""Tenants in shadow: one welcome to each recipient, then silence until the shadow ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.decide import Key, Reason, Told, decide_run
from monitor.model import Credential, CredentialRef, MailKind, Snooze, Tenant
from tests.unit.lifecycle_samples import NOW, credential, days, snooze

TENANT = Tenant("contoso", "directory", "global", "client", CredentialRef("secret", "env:X"))
SHADED = replace(TENANT, shadow_until=NOW + days(14))
SOON, LAPSED, LATER = (credential(uid, object_id=uid, end=NOW + days(left)) for uid, left in
                       (("soon", 20), ("lapsed", -40), ("later", 300)))  # fmt: skip


def said(
    *credentials: Credential,
    tenant: Tenant = SHADED,
    told: Mapping[Key, Told] | None = None,
    snoozes: Mapping[Key, Snooze] | None = None,
    after: timedelta = timedelta(0),
) -> dict[str, tuple[MailKind | None, Reason]]:
    """Of each credential the kind of its notice, and why."""
    made = decide_run(
        [tenant], {"contoso": credentials}, zone=ZoneInfo("UTC"), told=told or {},
        snoozes=snoozes or {}, now=NOW + after,
    )["contoso"]  # fmt: skip
    return {
        one.credential.uid: (one.notice and one.notice.kind, one.reason)  # type: ignore[misc]
        for one in made
    }


def test_the_first_mail_about_a_tenant_in_shadow_holds_all_that_is_lapsed_or_due() -> None:
    """Decided as for a live tenant, so that it counts as told at the same stages."""
    assert said(SOON, LAPSED, LATER) == said(SOON, LAPSED, LATER, tenant=TENANT)
    assert said(SOON, LAPSED, LATER)["lapsed"] == (MailKind.LAPSED, Reason.JUST_LAPSED)


def test_after_the_welcome_nothing_more_is_said_while_in_shadow() -> None:
    """Neither a worse stage nor another credential; only what would be said is held back."""
    told = {("contoso", "soon", 1): Told(-30)}
    found = said(SOON, LAPSED, LATER, told=told, after=days(13))
    assert found == {
        "soon": (None, Reason.IN_SHADOW),
        "lapsed": (None, Reason.IN_SHADOW),
        "later": (None, Reason.NOT_NEAR),
    }


def test_whatever_was_told_about_the_tenant_counts_as_its_welcome() -> None:
    """Also when that credential is gone; but not what was told about another tenant."""
    assert said(SOON, told={("contoso", "gone", 1): Told(None, True)})["soon"][0] is None
    assert said(SOON, told={("fabrikam", "soon", 1): Told(-30)})["soon"][0] is MailKind.REMINDER


def test_when_the_shadow_ends_the_rules_go_on_with_what_was_told() -> None:
    """At the very instant: the stage that was told is not told again, a worse one is."""
    told = {("contoso", "soon", 1): Told(-30)}
    last = days(14) - timedelta(seconds=1)
    assert said(SOON, told=told, after=last)["soon"] == (None, Reason.IN_SHADOW)
    assert said(SOON, told=told, after=days(14))["soon"] == (
        MailKind.REMINDER, Reason.STAGE_REACHED,
    )  # fmt: skip
    worse = {("contoso", "soon", 1): Told(-7)}
    assert said(SOON, told=worse, after=days(14))["soon"] == (None, Reason.ALREADY_TOLD)


def test_without_anything_lapsed_or_due_there_is_no_welcome_yet() -> None:
    """The first thing that becomes due while in shadow makes it."""
    assert said(LATER) == {"later": (None, Reason.NOT_NEAR)}
    first = credential("first", end=NOW + days(65))
    assert said(first)["first"][0] is None
    assert said(first, after=days(5))["first"][0] is MailKind.REMINDER


def test_a_hint_that_a_newer_one_covers_makes_no_welcome_but_goes_along_with_one() -> None:
    """There is nothing to do about it."""
    old, new = credential("old", end=NOW + days(5)), credential("new", end=NOW + days(400))
    assert said(old, new)["old"] == (None, Reason.IN_SHADOW)
    assert said(old, new, SOON)["old"] == (MailKind.COVERED, Reason.COVERED_SOON)


def test_what_was_acknowledged_before_the_welcome_is_not_in_it() -> None:
    """An operator who knows it all by heart spares everybody the mail."""
    known = snooze(uid="soon", acked_urgency=-30)
    found = said(SOON, snoozes={("contoso", "soon", 1): known})
    assert found == {"soon": (None, Reason.ACKNOWLEDGED)}


@pytest.mark.parametrize("until", [None, NOW, NOW - days(1)])
def test_a_tenant_without_a_shadow_or_past_it_is_live(until: object) -> None:
    """It ends by itself, so a warning is never lost."""
    tenant = replace(TENANT, shadow_until=until)  # type: ignore[arg-type]
    told = {("contoso", "other", 1): Told(-30)}
    assert said(SOON, tenant=tenant, told=told)["soon"][0] is MailKind.REMINDER
