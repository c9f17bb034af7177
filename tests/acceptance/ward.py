"""Tenants with one planted mistake each, and what the doctor says of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.config import load
from monitor.doctor.checks import Check, Report
from monitor.model import Tenant
from monitor.roster import read
from monitor.sandbox import Cloud, SandboxClock, World
from monitor.sandbox.draft import Draft, guid
from monitor.sandbox.exchange import NO_SEND_AS
from monitor.sandbox.faults import SmtpFault
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
    reader_days: int = 320


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


def _registered_under_another_id(draft: Draft) -> None:
    draft.tenant.registered = {_app(draft).object_id}


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


def _sender_secret_id(world: WorldTenant) -> str:
    assert world.sender is not None
    return world.sender.sign_in.key_id


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
    "sender-secret-id": Plant(
        "smtp.credential", "wrong_secret", files=_writes("{}-sender", _sender_secret_id)
    ),
    "no-file": Plant(
        "graph.credential", "secret_missing",
        files=lambda folder, name, _: (folder / "secrets" / name).unlink(),
    ),
    "object-id": Plant("object_id", "object_id_mismatch", _object_of_the_registration),
    "expired": Plant("smtp.token", "expired_secret", sender_days=-3),
    "expired-read": Plant("graph.token", "expired_secret", reader_days=-3),
    "off-mailbox": Plant("smtp.auth", "smtp_auth_disabled_mailbox", _smtp_auth_off),
    "off-tenant": Plant("smtp.auth", "smtp_auth_disabled_tenant", _smtp_auth_off_for_all),
    "not-in-exchange": Plant("smtp.auth", "sp_not_in_exchange", _nothing_registered),
    "registered-wrong": Plant("smtp.auth", "sp_not_in_exchange", _registered_under_another_id),
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
    cloud: Cloud
    clock: SandboxClock
    folder: Path
    reports: dict[str, Report] = field(default_factory=dict)

    def examine(self, only: str | None = None, *, send: bool = False) -> dict[str, Report]:
        """Let the doctor look."""
        found = asyncio.run(self.app.doctor.examine(only=only, send=send))
        return {report.target: report for report in found}


def draft_of(name: str, clock: SandboxClock, days: int = 310, reader_days: int = 320) -> Draft:
    """A tenant without a mistake."""
    draft = Draft(name, name.title(), clock.now())
    draft.monitor(reader_days)
    draft.sender(days=days)
    return draft


def _world(clock: SandboxClock) -> World:
    tenants = [draft_of("healthy", clock).tenant]
    for name, plant in PLANTS.items():
        draft = draft_of(name, clock, plant.sender_days, plant.reader_days)
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
    with planted(tmp_path_factory.mktemp("ward")) as ward:
        ward.reports = ward.examine()
        yield ward


@contextmanager
def planted(folder: Path) -> Iterator[Ward]:
    """The product over a world with all plants, in a folder of its own."""
    clock = SandboxClock()
    world = _world(clock)
    with Cloud(world, clock) as cloud, Cloud(World([]), clock) as elsewhere:
        settings = cloud.write_settings(folder)
        # Each mistake is to alarm in a mail of its own, however many there are in this hour.
        text = settings.read_text().replace("[defaults]\n", "[defaults]\nmails_per_hour = 1000\n")
        other = text[text.index("[clouds.sandbox]") :].replace("clouds.sandbox", "clouds.elsewhere")
        (folder / "other.pem").write_bytes(elsewhere.ca_file.read_bytes())
        other = other.replace(cloud.entra_url, elsewhere.entra_url).replace("ca.pem", "other.pem")
        settings.write_text(f"{text}\n{other.replace(cloud.graph_url, elsewhere.graph_url)}")
        configuration = load(settings)
        with App(configuration, clock=clock.now) as app:
            app.make_database()
            for tenant in read(folder / "tenants.toml", configuration).tenants:
                _put(app, folder, tenant, world)
            yield Ward(app, _secrets(world), cloud=cloud, clock=clock, folder=folder)


def _put(app: App, folder: Path, tenant: Tenant, world: World) -> None:
    plant = PLANTS.get(tenant.name)
    if plant is not None:
        plant.files(folder, tenant.name, world.tenant(tenant.name))
        tenant = plant.entry(tenant)
    app.store.put_tenant(tenant, now=app.clock() - TWO_DAYS_AGO)


def check(report: Report, name: str) -> Check:
    """One check of a report."""
    return next(one for one in report.checks if one.name == name)
