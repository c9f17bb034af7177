"""The blind spots that rules, rights and settings leave, from the simulated cloud to the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jobs.send_canaries import send_canaries
from monitor.model import BlindKind
from tests.integration.stage import SIX, stage, story

RULES = (
    '\n[[route]]\nto = ["owners"]\n'
    '\n[[ignore]]\nname = "App 9"\nreason = "scrap"\nauthor = "kim"\nreview = 2099-01-01\n'
)
GAPS = {
    BlindKind.OWNER_UNREACHED, BlindKind.IGNORED, BlindKind.USAGE_UNREADABLE,
    BlindKind.NO_FALLBACK, BlindKind.ARRIVAL_UNPROVEN,
}  # fmt: skip


def test_what_rules_rights_and_settings_leave_unseen_is_in_the_report(tmp_path: Path) -> None:
    """A disabled owner, an ignored app, a missing right, no channel, no look for arrival."""
    tenant = story("contoso", SIX, 8, 9)
    for app in tenant.apps:
        app.owners = [replace(owner, enabled=False) for owner in app.owners]
    with stage(tmp_path, tenant, rules=RULES) as show:
        show.scan()
        send_canaries(show.app)
        found = {one.kind: one for one in show.app.report().blind_spots if one.kind in GAPS}
        assert set(found) == GAPS
        assert "App 8" in found[BlindKind.OWNER_UNREACHED].words
        assert "App 9" not in found[BlindKind.OWNER_UNREACHED].words
        assert "AuditLog.Read.All" in found[BlindKind.USAGE_UNREADABLE].words
        assert "noreply@contoso.example" in found[BlindKind.ARRIVAL_UNPROVEN].words


def test_where_owners_are_reached_and_use_is_read_nothing_of_it_is_blind(tmp_path: Path) -> None:
    """The same story with owners who read mail, the right, and no rule that hides anything."""
    tenant = story("contoso", SIX, 8, 9)
    monitor = tenant.principal_of(tenant.monitor.client_id if tenant.monitor else "")
    monitor.graph_roles += ("AuditLog.Read.All",)
    with stage(tmp_path, tenant, rules='\n[[route]]\nto = ["owners"]\n') as show:
        show.scan()
        kinds = {one.kind for one in show.app.report().blind_spots}
        assert not kinds & {
            BlindKind.OWNER_UNREACHED, BlindKind.IGNORED, BlindKind.USAGE_UNREADABLE,
        }  # fmt: skip
