"""The doctor against the sandbox: every planted mistake is named on the first try."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from monitor.config import load
from monitor.model import Sender
from monitor.roster import read
from monitor.sandbox import Cloud, SandboxClock, World
from monitor.sandbox.draft import Draft, guid
from monitor.sandbox.faults import Fault
from monitor.wiring import App
from tests.acceptance.ward import PLANTS, TWO_DAYS_AGO, Ward, check, draft_of, ward

__all__ = ["ward"]  # a fixture


# --- the planted mistakes ---------------------------------------------------------------------


@pytest.mark.parametrize("name", PLANTS)
def test_each_planted_mistake_is_named_at_the_first_failed_check(ward: Ward, name: str) -> None:
    """Vendor page and point 4: the first thing that is red is the mistake, with its fix."""
    plant = PLANTS[name]
    report = ward.examine(name, send=True)[name] if plant.send else ward.reports[name]
    failed = [one for one in report.checks if one.status == "failed"]
    assert failed, report
    assert (failed[0].name, failed[0].cause) == (plant.check, plant.cause), failed[0]
    assert report.cause == plant.cause
    assert failed[0].evidence
    assert failed[0].fix


def test_nothing_fails_where_nothing_is_wrong(ward: Ward) -> None:
    """The known-bad variant of them all: a doctor that finds something in everybody."""
    for name in ("healthy", "woodgrove", "(operator)"):
        failed = [one for one in ward.reports[name].checks if one.status == "failed"]
        assert not failed, (name, failed)
    skipped = [one.name for one in ward.reports["healthy"].checks if one.status == "skipped"]
    assert "smtp.data" in skipped


def test_a_sender_by_app_rbac_needs_no_role_in_its_token(ward: Ward) -> None:
    """A token without roles is no mistake where Exchange takes it."""
    found = check(ward.reports["woodgrove"], "smtp.permissions")
    assert (found.status, found.evidence) == (
        "ok", "Exchange accepts the app by its own roles (App RBAC).",
    )  # fmt: skip


def test_the_right_object_id_is_shown_with_the_command_that_registers_it(ward: Ward) -> None:
    """Whose id was given by mistake is said, too."""
    found = check(ward.reports["object-id"], "object_id")
    tenant = ward.app.store.tenant("object-id")
    assert tenant is not None
    assert tenant.sender is not None
    claims = check(ward.reports["object-id"], "service_principal").evidence
    right = claims.removeprefix("Its object id is ").rstrip(".")
    assert right in found.evidence
    assert "app registration's" in found.evidence
    assert found.command == (
        f"Remove-ServicePrincipal -Identity '{tenant.sender.enterprise_object_id}'; "
        f"New-ServicePrincipal -AppId '{tenant.sender.client_id}' -ObjectId '{right}'"
    )


def test_a_wrong_object_id_only_warns_where_mail_goes_out(ward: Ward) -> None:
    """Exchange knows the right one, so that only the settings are to be corrected."""
    tenant = ward.app.store.tenant("healthy")
    assert tenant is not None
    assert isinstance(tenant.sender, Sender)
    wrong = replace(tenant.sender, enterprise_object_id=guid("healthy", "Lapsewatch mail", "x"))
    ward.app.store.put_tenant(replace(tenant, sender=wrong), now=ward.app.clock())
    try:
        report = ward.examine("healthy")["healthy"]
    finally:
        ward.app.store.put_tenant(tenant, now=ward.app.clock() - TWO_DAYS_AGO)
    assert check(report, "object_id").status == "warning"
    assert report.cause is None


def test_what_rests_on_a_failed_check_is_skipped_with_the_reason(ward: Ward) -> None:
    """No check is red only because the one before it is."""
    report = ward.reports["expired"]
    for name in ("smtp.claims", "smtp.permissions", "smtp.auth", "smtp.mail", "smtp.rcpt"):
        found = check(report, name)
        assert (found.status, bool(found.evidence)) == ("skipped", True)
    assert check(report, "smtp.ehlo").status == "ok"


def test_a_set_up_of_less_than_two_hours_is_told_to_wait_first(ward: Ward) -> None:
    """Propagation: the cause stays, and waiting comes before changing anything."""
    tenant = ward.app.store.tenant("not-in-exchange")
    assert tenant is not None
    before = check(ward.reports["not-in-exchange"], "smtp.auth")
    fresh = replace(tenant, tags=("changed",))
    ward.app.store.put_tenant(fresh, now=ward.app.clock() - timedelta(minutes=30))
    now = check(ward.examine("not-in-exchange")["not-in-exchange"], "smtp.auth")
    assert "propagating" not in before.also
    assert "propagating" in now.also
    assert now.cause == before.cause
    assert "two hours" in now.fix


def test_no_test_mail_goes_out_unless_it_is_asked_for(ward: Ward) -> None:
    """Without --send the walk ends at RCPT; with it the mailbox's rights are proven."""
    assert check(ward.reports["no-full-access"], "smtp.rcpt").status == "ok"
    assert check(ward.reports["no-full-access"], "smtp.data").status == "skipped"
    sent = ward.examine("healthy", send=True)["healthy"]
    assert check(sent, "smtp.data").status == "ok"


def test_a_tenant_whose_cloud_is_gone_stops_no_other(ward: Ward) -> None:
    """One tenant never stops the others, and nothing raises."""
    tenant = ward.app.store.tenant("healthy")
    assert tenant is not None
    stray = replace(tenant, name="stray", cloud="gone", directory_id=guid("stray"))
    ward.app.store.put_tenant(stray, now=ward.app.clock())
    try:
        found = ward.examine()
    finally:
        ward.app.store.remove_tenant("stray")
    assert found["stray"].status == "failed"
    assert 'no cloud "gone"' in found["stray"].checks[0].evidence
    assert found["healthy"].cause is None


def test_no_secret_is_in_any_report(ward: Ward) -> None:
    """A value never reaches an error or a page; nor does a token."""
    said = repr(ward.reports)
    assert ward.secrets
    assert [value for value in ward.secrets if value in said] == []
    assert "eyJ" not in said


# --- what works but could be better -----------------------------------------------------------


def test_habits_that_will_hurt_are_warnings_with_their_fix(tmp_path: Path) -> None:
    """Person's mailbox, readable file, long life, multi-tenant app, rights beyond need."""
    clock = SandboxClock()
    draft = Draft("habits", "Habits", clock.now())
    reader = draft.monitor(20)
    draft.sender("kim.akers")
    reader.audience = "AzureADMultipleOrgs"
    draft.tenant.principal_of(reader.app_id).graph_roles = (
        "Application.Read.All", "Policy.Read.All", "Mail.ReadWrite",
    )  # fmt: skip
    draft.tenant.secret_lifetime = "P180D"
    with Cloud(World([draft.tenant]), clock) as cloud:
        configuration = load(cloud.write_settings(tmp_path))
        (tmp_path / "secrets" / "habits").chmod(0o644)
        with App(configuration, clock=clock.now) as app:
            app.make_database()
            for tenant in read(tmp_path / "tenants.toml", configuration).tenants:
                app.store.put_tenant(tenant, now=clock.now())
            report = asyncio.run(app.doctor.examine(only="habits"))[1]
    warned = {one.name: one for one in report.checks if one.status == "warning"}
    assert set(warned) == {
        "mailbox.dedicated", "graph.file", "graph.expiry", "graph.lifetime", "graph.audience",
        "graph.rights", "smtp.lifetime",
    }  # fmt: skip
    assert warned["graph.file"].command == f"chmod 600 {tmp_path}/secrets/habits"
    assert "Mail.ReadWrite" in warned["graph.rights"].evidence
    assert "180" in warned["graph.lifetime"].evidence
    assert all(one.fix for one in warned.values())


@pytest.mark.parametrize(
    ("right", "premium", "told"),
    [
        (True, True, ("ok", "Mails say when a credential was last used.")),
        (False, True, ("skipped", "lacks the permission AuditLog.Read.All")),
        (True, False, ("skipped", "no Entra ID P1 or P2")),
    ],
)
def test_whether_last_sign_ins_can_be_read_takes_one_line_and_costs_nothing(
    tmp_path: Path, right: bool, premium: bool, told: tuple[str, str]
) -> None:
    """Without the right or the licence the tenant is as green as with them."""
    clock = SandboxClock()
    draft = draft_of("uses", clock)
    draft.tenant.premium = premium
    assert draft.tenant.monitor is not None
    if right:
        principal = draft.tenant.principal_of(draft.tenant.monitor.client_id)
        principal.graph_roles += ("AuditLog.Read.All",)
    with Cloud(World([draft.tenant]), clock) as cloud:
        configuration = load(cloud.write_settings(tmp_path))
        with App(configuration, clock=clock.now) as app:
            app.make_database()
            for tenant in read(tmp_path / "tenants.toml", configuration).tenants:
                app.store.put_tenant(tenant, now=clock.now())
            report = asyncio.run(app.doctor.examine(only="uses"))[1]
    (check,) = [one for one in report.checks if one.name == "graph.usage"]
    assert (check.status, told[1] in check.evidence) == (told[0], True), check.evidence
    assert not [one for one in report.checks if one.status in ("failed", "warning")]


def test_a_clock_that_is_off_is_told_by_the_servers_own(tmp_path: Path) -> None:
    """Skew against the Date header, with the direction."""
    clock = SandboxClock()
    draft = draft_of("late", clock)
    with Cloud(World([draft.tenant]), clock) as cloud:
        configuration = load(cloud.write_settings(tmp_path))
        with App(configuration, clock=lambda: clock.now() - timedelta(minutes=9)) as app:
            app.make_database()
            for tenant in read(tmp_path / "tenants.toml", configuration).tenants:
                app.store.put_tenant(tenant, now=clock.now())
            report = asyncio.run(app.doctor.examine(only="late"))[1]
    found = check(report, "clock")
    assert (found.status, found.cause) == ("failed", "clock_skew")
    assert "behind" in found.evidence
    assert report.cause == "clock_skew"


def test_a_server_that_hangs_costs_its_deadline_and_no_more(tmp_path: Path) -> None:
    """Deadlines of the settings hold: what runs out is named, and the others go on."""
    clock = SandboxClock()
    slow, quick = draft_of("slow", clock), draft_of("quick", clock)
    slow.tenant.token_faults.append(Fault("*", delay=60))
    with Cloud(World([slow.tenant, quick.tenant]), clock) as cloud:
        settings = cloud.write_settings(tmp_path)
        settings.write_text(f'{settings.read_text()}\n[deadlines]\ntoken = "1s"\n')
        configuration = load(settings)
        with App(configuration, clock=clock.now) as app:
            app.make_database()
            for tenant in read(tmp_path / "tenants.toml", configuration).tenants:
                app.store.put_tenant(tenant, now=clock.now())
            began = monotonic()
            reports = {one.target: one for one in asyncio.run(app.doctor.examine())}
    assert monotonic() - began < 20
    assert check(reports["slow"], "graph.token").cause == "reply_timeout"
    assert check(reports["slow"], "smtp.ehlo").status == "ok"
    assert reports["quick"].cause is None


def test_a_tenant_whose_time_runs_out_is_told_so(tmp_path: Path) -> None:
    """The tenant's own deadline bounds all that is done for it."""
    clock = SandboxClock()
    slow = draft_of("slow", clock)
    slow.tenant.token_faults.append(Fault("*", delay=60))
    with Cloud(World([slow.tenant]), clock) as cloud:
        settings = cloud.write_settings(tmp_path)
        text = f'{settings.read_text()}\n[deadlines]\ntoken = "3s"\ntenant = "1s"\n'
        settings.write_text(text)
        configuration = load(settings)
        with App(configuration, clock=clock.now) as app:
            app.make_database()
            for tenant in read(tmp_path / "tenants.toml", configuration).tenants:
                app.store.put_tenant(tenant, now=clock.now())
            report = asyncio.run(app.doctor.examine(only="slow"))[1]
    assert (report.status, report.cause) == ("failed", "reply_timeout")
