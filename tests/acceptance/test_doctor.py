"""The doctor against the sandbox: every planted mistake is named on the first try."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from monitor.config import load
from monitor.doctor.checks import Check, Report
from monitor.model import Sender, Tenant
from monitor.roster import read
from monitor.sandbox import Cloud, SandboxClock, World
from monitor.sandbox.draft import Draft, guid
from monitor.sandbox.exchange import NO_SEND_AS
from monitor.sandbox.faults import Fault, SmtpFault
from monitor.sandbox.stories import demo_world
from monitor.sandbox.world import Operator
from monitor.sandbox.world import Tenant as WorldTenant
from monitor.wiring import App

EXCHANGE = "00000002-0000-0ff1-ce00-000000000000"
GRAPH = "00000003-0000-0000-c000-000000000000"
TWO_DAYS_AGO = timedelta(days=2)


@dataclass
class Plant:
    """One tenant with one mistake: in the cloud, in the settings or in its files."""

    check: str
    cause: str
    cloud: Callable[[Draft], None] = lambda _: None
    entry: Callable[[Tenant], Tenant] = lambda tenant: tenant
    files: Callable[[Path, str, WorldTenant], None] = lambda *_: None
    send: bool = False
    sender_days: int = 310


def _principal(draft: Draft, app: str = "Lapsewatch mail"):
    return next(one for one in draft.tenant.principals if one.name == app)


def _app(draft: Draft, name: str = "Lapsewatch mail"):
    return next(one for one in draft.tenant.apps if one.name == name)


def _no_consent_to_read(draft: Draft) -> None:
    _principal(draft, "Lapsewatch monitor").graph_roles = ()


def _no_consent_to_send(draft: Draft) -> None:
    _principal(draft).exchange_roles = ()


def _delegated(draft: Draft) -> None:
    _principal(draft).exchange_roles = ()
    _app(draft).asks = ((EXCHANGE, "Scope"),)


def _graph_permission(draft: Draft) -> None:
    _principal(draft).exchange_roles = ()
    _principal(draft).graph_roles = ("Mail.Send",)
    _app(draft).asks = ((GRAPH, "Role"),)


def _object_of_the_registration(draft: Draft) -> None:
    wrong = _app(draft).object_id
    draft.tenant.registered = {wrong}
    assert draft.tenant.sender is not None
    draft.tenant.sender = replace(draft.tenant.sender, object_id=wrong)


def _nothing_registered(draft: Draft) -> None:
    draft.tenant.registered.clear()


def _no_full_access(draft: Draft) -> None:
    draft.tenant.mailboxes[0].full_access.clear()


def _smtp_auth_off(draft: Draft) -> None:
    draft.tenant.mailboxes[0].smtp_auth_disabled = True


def _smtp_auth_off_for_all(draft: Draft) -> None:
    draft.tenant.smtp_auth_disabled = True


def _blocked(draft: Draft) -> None:
    _principal(draft).blocked_by_policy = True


def _no_enterprise_app(draft: Draft) -> None:
    draft.tenant.principals.remove(_principal(draft))


def _says(stage: str, reply: str) -> Callable[[Draft], None]:
    return lambda draft: draft.tenant.mailboxes[0].faults.append(SmtpFault(stage, reply))


def _writes(name: str, value: Callable[[WorldTenant], str]):
    def write(folder: Path, tenant: str, world: WorldTenant) -> None:
        (folder / "secrets" / name.format(tenant)).write_text(value(world))

    return write


def _secret_id(world: WorldTenant) -> str:
    assert world.monitor is not None
    return world.monitor.key_id


_SEND_AS = NO_SEND_AS.format("a@x.example", "b@x.example", "host.example")
_535 = "535 5.7.139 Authentication unsuccessful, "
PLANTS = {
    "consent-read": Plant("graph.permissions", "consent_missing", _no_consent_to_read),
    "consent-send": Plant("smtp.permissions", "consent_missing", _no_consent_to_send),
    "wrong-tenant": Plant(
        "authority", "tenant_not_found", entry=lambda t: replace(t, directory_id=guid("nobody"))
    ),
    "other-tenant": Plant(
        "graph.token", "app_not_found",
        entry=lambda t: replace(t, directory_id=guid("healthy", "directory")),
    ),
    "wrong-client": Plant(
        "graph.token", "app_not_found", entry=lambda t: replace(t, client_id=guid("no app"))
    ),
    "wrong-secret": Plant(
        "graph.token", "wrong_secret", files=_writes("{}", lambda _: "abc8Q~of-another-app")
    ),
    "wrong-sender-secret": Plant(
        "smtp.token", "wrong_secret", files=_writes("{}-sender", lambda _: "abc8Q~of-another-app")
    ),
    "secret-id": Plant("graph.credential", "wrong_secret", files=_writes("{}", _secret_id)),
    "no-file": Plant(
        "graph.credential", "secret_missing",
        files=lambda folder, name, _: (folder / "secrets" / name).unlink(),
    ),
    "object-id": Plant("object_id", "object_id_mismatch", _object_of_the_registration),
    "expired": Plant("smtp.token", "expired_secret", sender_days=-3),
    "off-mailbox": Plant("smtp.auth", "smtp_auth_disabled_mailbox", _smtp_auth_off),
    "off-tenant": Plant("smtp.auth", "smtp_auth_disabled_tenant", _smtp_auth_off_for_all),
    "not-in-exchange": Plant("smtp.auth", "sp_not_in_exchange", _nothing_registered),
    "no-enterprise-app": Plant("smtp.token", "missing_service_principal", _no_enterprise_app),
    "graph-permission": Plant("smtp.permissions", "wrong_api_permission", _graph_permission),
    "delegated": Plant("smtp.permissions", "delegated_permission", _delegated),
    "no-full-access": Plant("smtp.data", "no_mailbox_permission", _no_full_access, send=True),
    "send-as": Plant("smtp.data", "send_as_denied", _says("END", _SEND_AS), send=True),
    "concurrent": Plant(
        "smtp.data", "concurrent_limit",
        _says("END", "432 4.3.2 Concurrent connections limit exceeded."), send=True,
    ),
    "conditional-access": Plant("smtp.token", "ca_blocked", _blocked),
    "security-defaults": Plant(
        "smtp.auth", "security_defaults",
        _says("AUTH", f"{_535}user is locked by your organization's security defaults policy."),
    ),
    "basic": Plant(
        "smtp.auth", "basic_auth_off", _says("AUTH", f"{_535}basic authentication is disabled.")
    ),
    "wrong-cloud": Plant("authority", "wrong_cloud", entry=lambda t: replace(t, cloud="elsewhere")),
}  # fmt: skip


@dataclass
class Ward:
    """The product over the planted world, and what the doctor said."""

    app: App
    secrets: list[str]
    reports: dict[str, Report] = field(default_factory=dict)

    def examine(self, only: str | None = None, *, send: bool = False) -> dict[str, Report]:
        """Let the doctor look."""
        found = asyncio.run(self.app.doctor.examine(only=only, send=send))
        return {report.target: report for report in found}


def draft_of(name: str, clock: SandboxClock, days: int = 310) -> Draft:
    """A tenant without a mistake."""
    draft = Draft(name, name.title(), clock.now())
    draft.monitor()
    draft.sender(days=days)
    return draft


def _world(clock: SandboxClock) -> World:
    tenants = [draft_of("healthy", clock).tenant]
    for name, plant in PLANTS.items():
        draft = draft_of(name, clock, plant.sender_days)
        plant.cloud(draft)
        tenants.append(draft.tenant)
    rbac = next(one for one in demo_world(clock.now()).tenants if one.name == "woodgrove")
    msp = Draft("msp", "MSP", clock.now())
    msp.sender("noc")
    operator = Operator("MSP", ("noc@msp.example",), "UTC", 8, msp.tenant)
    return World([*tenants, rbac], operator=operator)


def _secrets(world: World) -> list[str]:
    signs = [one for each in world.every_tenant() for one in (each.monitor, each.sender)]
    found = [getattr(one, "sign_in", one) for one in signs if one is not None]
    return [one.secret for one in found if one.secret]


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """All plants, examined once."""
    folder, clock = tmp_path_factory.mktemp("ward"), SandboxClock()
    world = _world(clock)
    with Cloud(world, clock) as cloud, Cloud(World([]), clock) as elsewhere:
        settings = cloud.write_settings(folder)
        text = settings.read_text()
        other = text[text.index("[clouds.sandbox]") :].replace("clouds.sandbox", "clouds.elsewhere")
        (folder / "other.pem").write_bytes(elsewhere.ca_file.read_bytes())
        other = other.replace(cloud.entra_url, elsewhere.entra_url).replace("ca.pem", "other.pem")
        settings.write_text(f"{text}\n{other.replace(cloud.graph_url, elsewhere.graph_url)}")
        configuration = load(settings)
        with App(configuration, clock=clock.now) as app:
            app.make_database()
            for tenant in read(folder / "tenants.toml", configuration).tenants:
                _put(app, folder, tenant, world)
            ward = Ward(app, _secrets(world))
            ward.reports = ward.examine()
            yield ward


def _put(app: App, folder: Path, tenant: Tenant, world: World) -> None:
    plant = PLANTS.get(tenant.name)
    if plant is not None:
        plant.files(folder, tenant.name, world.tenant(tenant.name))
        tenant = plant.entry(tenant)
    app.store.put_tenant(tenant, now=app.clock() - TWO_DAYS_AGO)


def check(report: Report, name: str) -> Check:
    """One check of a report."""
    return next(one for one in report.checks if one.name == name)


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
