"""A tenant that loses many credentials at once is held and asked about (P20)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.errors import StoreError
from monitor.model import Acceptance, MailKind, TenantState
from monitor.sandbox.draft import Draft
from monitor.sandbox.faults import Fault
from monitor.sandbox.world import Tenant as WorldTenant
from monitor.store import Store
from tests.integration.stage import HOUR, SIX, Stage, stage

DAY = timedelta(days=1)
NOC = "noc@msp.example"


def world(count: int = 12) -> WorldTenant:
    """Contoso with so many apps, each with a secret that ends in 30 days."""
    draft = Draft("contoso", "Contoso", SIX)
    draft.monitor()
    draft.sender()
    for number in range(count):
        draft.app(f"App {number}", secrets=[draft.secret(f"App {number}", 30)])
    draft.app("Empty")
    return draft.tenant


@contextmanager
def read_once(folder: Path, tenant: WorldTenant) -> Iterator[Stage]:
    """The product after its first scan and its first warnings."""
    with stage(folder, tenant) as show:
        assert show.scan()["contoso"].complete
        show.at(SIX + 2 * HOUR)
        assert show.warn() == [("it@contoso.example", "reminder")]
        yield show


def lose(tenant: WorldTenant, count: int) -> None:
    """So many of the apps lose their secrets."""
    for app in [app for app in tenant.apps if app.name.startswith("App ")][:count]:
        app.secrets.clear()


def present(show: Stage) -> int:
    """How many credentials are known and not removed."""
    return len(show.app.store.credentials("contoso"))


def asked(show: Stage) -> list[str]:
    """The subjects of the questions, the oldest first."""
    return [
        row.mail.subject
        for row in reversed(show.app.store.outbox())
        if row.mail.kind is MailKind.CANNOT_CHECK
    ]


def test_a_scan_without_much_of_what_was_there_is_held_and_asked_about_once(
    tmp_path: Path,
) -> None:
    """Nothing is removed or closed; the tenant is not proven, and the ledger says why."""
    tenant = world()
    with read_once(tmp_path, tenant) as show:
        before = present(show)
        lose(tenant, 8)
        for hours in (8, 15, 22):
            show.at(SIX + hours * HOUR)
            record = show.scan()["contoso"]
            assert (record.complete, record.cause) == (False, "scan_shrunk")
        assert present(show) == before
        assert asked(show) == [
            f"[Lapsewatch] CANNOT CHECK: 8 of {before} credentials are gone, "
            "was that meant? - contoso"
        ]
        (mail,) = [r for r in show.app.store.outbox() if r.mail.kind is MailKind.CANNOT_CHECK]
        assert mail.recipient == NOC
        assert "lapsewatch tenant accept contoso" in mail.mail.text
        assert "Conditional" not in mail.mail.text, "nothing is broken, so nothing is examined"
        (row,) = show.app.report().tenants
        assert row.state is TenantState.UNKNOWN
        assert row.problem is not None
        assert "credentials are gone" in row.problem
        show.at(SIX + DAY + 2 * HOUR)
        assert show.warn() == [], "nobody hears that anything is removed"


def test_what_is_new_in_a_held_scan_is_warned_about(tmp_path: Path) -> None:
    """Facts are added; only absence proves nothing."""
    tenant = world()
    with read_once(tmp_path, tenant) as show:
        before = present(show)
        lose(tenant, 8)
        draft = Draft("contoso", "Contoso", SIX)
        empty = next(app for app in tenant.apps if app.name == "Empty")
        empty.secrets.append(draft.secret("Fresh", 5, age=30))
        show.at(SIX + DAY + HOUR)
        assert not show.scan()["contoso"].complete
        assert present(show) == before + 1
        show.at(SIX + DAY + 2 * HOUR)
        assert show.warn() == [("it@contoso.example", "reminder")]


def test_an_acceptance_lets_one_scan_through(tmp_path: Path) -> None:
    """Then what is gone is gone, people hear it, and the next loss is asked about again."""
    tenant = world(20)
    with read_once(tmp_path, tenant) as show:
        before = present(show)
        lose(tenant, 10)
        show.at(SIX + 8 * HOUR)
        assert not show.scan()["contoso"].complete
        yes = Acceptance("contoso", "kim", "cleaned up", show.clock.now())
        show.app.store.put_acceptance(yes)
        show.clock.advance(HOUR)
        assert show.scan(due_only=False)["contoso"].complete
        assert present(show) == before - 10
        (used,) = show.app.store.acceptances("contoso")
        assert (used.author, used.reason, used.used_at is None) == ("kim", "cleaned up", False)
        show.at(SIX + DAY + 2 * HOUR)
        assert ("it@contoso.example", "removed") in show.warn()
        lose(tenant, 20)
        show.at(SIX + DAY + 9 * HOUR)
        assert show.scan()["contoso"].cause == "scan_shrunk"
        assert len(asked(show)) == 2


def test_an_acceptance_is_good_for_a_day(tmp_path: Path) -> None:
    """Who said yes last week did not mean what is gone today."""
    tenant = world()
    with read_once(tmp_path, tenant) as show:
        show.app.store.put_acceptance(Acceptance("contoso", "kim", "", show.clock.now()))
        lose(tenant, 8)
        show.at(SIX + 2 * DAY)
        assert show.scan()["contoso"].cause == "scan_shrunk"


def test_when_the_credentials_are_back_the_question_is_over(tmp_path: Path) -> None:
    """A complete scan; the operator hears that it is."""
    tenant = world()
    with read_once(tmp_path, tenant) as show:
        kept = {app.name: list(app.secrets) for app in tenant.apps}
        lose(tenant, 8)
        show.at(SIX + 8 * HOUR)
        show.scan()
        show.warn()
        for app in tenant.apps:
            app.secrets[:] = kept[app.name]
        show.at(SIX + 15 * HOUR)
        assert show.scan()["contoso"].complete
        show.warn()
        assert show.inbox("recovered") == [NOC]
        (over,) = [r for r in show.app.store.outbox() if r.mail.kind is MailKind.RECOVERED]
        assert "What had failed: many credentials are gone at once" in over.mail.text


def test_renewing_everything_is_no_loss(tmp_path: Path) -> None:
    """A morning of work: each old secret is gone, and a newer one is in its place."""
    tenant = world()
    with read_once(tmp_path, tenant) as show:
        draft = Draft("contoso", "Contoso", SIX)
        for app in tenant.apps:
            if app.name.startswith("App "):
                app.secrets[:] = [draft.secret(app.name, 400, age=405)]
        show.at(SIX + 8 * HOUR)
        assert show.scan()["contoso"].complete


def test_a_question_is_asked_although_another_alarm_stands(tmp_path: Path) -> None:
    """The tenant could not be read; now it can, and much of it is gone: that is other news."""
    tenant = world()
    with read_once(tmp_path, tenant) as show:
        tenant.faults.append(Fault("/applications", status=403, code="Authorization_RequestDenied"))
        show.at(SIX + 8 * HOUR)
        assert not show.scan()["contoso"].complete
        show.warn()
        tenant.faults.clear()
        lose(tenant, 8)
        show.at(SIX + 15 * HOUR)
        assert show.scan()["contoso"].cause == "scan_shrunk"
        assert len(asked(show)) == 2
        assert "was that meant?" in asked(show)[1]


def test_the_guard_can_be_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`shrink_guard = 0`: what is gone is gone. This is what the guard prevents."""
    monkeypatch.setenv("LAPSEWATCH_DEFAULTS__SHRINK_GUARD", "0")
    tenant = world()
    with read_once(tmp_path, tenant) as show:
        before = present(show)
        lose(tenant, 8)
        show.at(SIX + 8 * HOUR)
        assert show.scan()["contoso"].complete
        assert present(show) == before - 8


def test_an_acceptance_of_a_tenant_that_is_not_there_is_refused(store: Store, make) -> None:
    """And one of a tenant that is removed goes with it; on both databases."""
    yes = Acceptance("contoso", "kim", "why not", make.now)
    with pytest.raises(StoreError):
        store.put_acceptance(yes)
    store.put_tenant(make.tenant(), now=make.now)
    store.put_acceptance(yes)
    assert store.is_accepted("contoso", make.now + DAY, DAY)
    assert not store.is_accepted("contoso", make.now + DAY + HOUR, DAY)
    store.record_scan(make.scan(complete=False), zone=make.zone)
    assert store.is_accepted("contoso", make.now, DAY), "only a complete scan uses it"
    store.record_scan(make.scan(hours=1), zone=make.zone)
    assert not store.is_accepted("contoso", make.now, DAY)
    assert store.remove_tenant("contoso")
    store.put_tenant(make.tenant(), now=make.now)
    assert store.acceptances("contoso") == []
