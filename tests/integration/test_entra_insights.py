"""What a scan asks beside the lists, over real sockets: it never costs the scan itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.entra.graph import Deadlines
from monitor.entra.insights import MAX_PAGES
from monitor.model import Limit, Limits, Topic
from tests.integration.entra_room import APPS, Room, room
from tests.integration.graph_server import Reply, graph_refusal

__all__ = ["room"]  # a fixture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

POLICY = "/v1.0/policies/defaultAppManagementPolicy"
OWN = "/v1.0/policies/appManagementPolicies"
REPORT = "/beta/reports/appCredentialSignInActivities"
BOTH = frozenset(Topic)
KEY = "11111111-0000-4000-8000-000000000001"
USED = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def entry(key_id: str = KEY, when: str | None = "2026-03-01T09:30:00Z", **more: Any) -> Any:
    """An entry of the report, with the enum and the date of end as the older examples have them."""
    return {
        "keyId": key_id, "keyType": "secret", "expirationDate": "2027-01-01T00:00:00Z",
        "signInActivity": {"lastSignInDateTime": when}, **more,
    }  # fmt: skip


def rule(kind: str, longest: str | None, state: str = "enabled", since: str | None = None) -> Any:
    """One restriction of a policy."""
    return {"restrictionType": kind, "maxLifetime": longest, "state": state,
            "restrictForAppsCreatedAfterDateTime": since}  # fmt: skip


def policy(*secrets: Any, keys: tuple[Any, ...] = (), enabled: bool = True) -> Reply:
    """A policy with these restrictions."""
    rules = {"passwordCredentials": list(secrets), "keyCredentials": list(keys)}
    return Reply({"isEnabled": enabled, "applicationRestrictions": rules})


async def test_a_scan_that_is_not_asked_to_looks_at_no_more_than_the_lists(room: Room) -> None:
    """Each topic is asked for once a day; the other scans make no such request."""
    found = await room.scan()
    assert (found.policy, found.usage) == (None, None)
    assert not room.server.asked(POLICY) + room.server.asked(REPORT)


async def test_the_last_sign_ins_are_read_page_by_page_by_key_id(room: Room) -> None:
    """Upper case, no sign-in yet, two entries of one key: the latest counts."""
    room.server.pages(
        REPORT,
        [entry(KEY.upper()), entry("k2", None)],
        [],
        [entry(when="2025-01-01T00:00:00Z"), entry("k3", signInActivity=None)],
    )
    found = await room.scan(topics=BOTH)
    assert found.record.complete
    assert found.usage is not None
    assert found.usage.problem is None
    assert dict(found.usage.last) == {KEY: USED}
    assert [seen.query.get("$top") for seen in room.server.asked(REPORT)] == ["999", None, None]


async def test_an_entry_that_cannot_be_read_makes_a_note_and_costs_no_other(room: Room) -> None:
    """A list, a number for a key, a date that is none."""
    room.server.pages(REPORT, [[1], entry(7), entry("k", "soon"), entry()])  # type: ignore[arg-type]
    found = await room.scan(topics=BOTH)
    assert found.usage is not None
    assert dict(found.usage.last) == {KEY: USED}
    assert "3 entries of the report of sign-ins could not be read." in found.record.notes


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (graph_refusal(403, "Authentication_MSGraphPermissionMissing"), "AuditLog.Read.All"),
        (
            graph_refusal(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant"),
            "no Entra ID P1 or P2 licence",
        ),
        (graph_refusal(404, "ResourceNotFound"), "this cloud has no report"),
        (graph_refusal(429, "TooManyRequests"), "429"),
        (Reply(b"", 429, {"Retry-After": "3600"}), "asks to wait 3600 s"),
        (Reply(b"", 500), "500"),
        (Reply(b"<html>no</html>", content_type="text/html"), "web page"),
        (Reply({"value": 7}), "not a page"),
        (Reply(act="reset"), ""),
    ],
)
async def test_no_answer_about_sign_ins_is_an_answer_and_the_scan_stays_complete(
    room: Room, reply: Reply, why: str
) -> None:
    """Right, licence, cloud, throttling, trouble: the reason is in the ledger's notes."""
    room.server.script[REPORT] = [reply]
    found = await room.scan(topics=BOTH)
    assert found.record.complete
    assert found.record.cause is None
    assert found.usage is not None
    assert found.usage.problem is not None
    assert why in found.usage.problem
    (note,) = [note for note in found.record.notes if "last use" in note]
    assert found.usage.problem in note


async def test_what_was_read_before_a_report_broke_off_counts(room: Room) -> None:
    """The second page fails: the sign-ins of the first are facts all the same."""
    room.server.pages(REPORT, [entry()], [])
    room.server.script[REPORT][1:] = [Reply(b"", 500)]
    found = await room.scan(topics=BOTH)
    assert found.usage is not None
    assert dict(found.usage.last) == {KEY: USED}
    assert found.usage.problem


async def test_a_page_size_that_the_report_does_not_take_is_left_out(room: Room) -> None:
    """Nobody has written down how long its pages may be."""
    room.server.script[REPORT] = [
        graph_refusal(400, "Request_BadRequest"), Reply({"value": [entry()]}),
    ]  # fmt: skip
    found = await room.scan(topics=BOTH)
    assert found.usage is not None
    assert dict(found.usage.last) == {KEY: USED}


@pytest.mark.parametrize("link", ["https://collector.example/beta/x", "{graph}/v1.0/x", 7])
async def test_a_link_that_leads_elsewhere_is_not_followed(room: Room, link: Any) -> None:
    """The token goes to the beta of this Graph and to nothing else."""
    shown = link.format(graph=room.server.graph) if isinstance(link, str) else link
    room.server.script[REPORT] = [Reply({"value": [entry()], "@odata.nextLink": shown})]
    found = await room.scan(topics=BOTH)
    assert found.record.complete
    assert found.usage is not None
    assert "leads elsewhere" in (found.usage.problem or "")
    assert len(room.server.asked(REPORT)) == 1


async def test_a_report_that_goes_round_in_circles_ends(room: Room) -> None:
    """The same link twice."""
    again = f"{room.server.graph}{REPORT}?$skiptoken=again"
    room.server.script[REPORT] = [Reply({"value": [], "@odata.nextLink": again})]
    found = await room.scan(topics=BOTH)
    assert found.usage is not None
    assert found.usage.problem
    assert len(room.server.asked(REPORT)) == 2 < MAX_PAGES


async def test_a_report_that_never_answers_costs_the_scan_its_facts_of_use_alone(
    room: Room,
) -> None:
    """The tenant's time runs out while it is waited for."""
    room.server.script[REPORT] = [Reply(act="hang")]
    found = await room.scan(topics=BOTH, deadlines=Deadlines(2, 5, 2, 0.6, 0))
    assert found.record.complete
    assert found.usage is not None
    assert found.usage.problem


async def test_a_scan_that_breaks_off_asks_for_nothing_more(room: Room) -> None:
    """What was not asked is asked by the next scan."""
    room.server.script[APPS] = [graph_refusal(403, "Authorization_RequestDenied")]
    found = await room.scan(topics=BOTH)
    assert (found.policy, found.usage) == (None, None)
    assert not room.server.asked(REPORT)


@pytest.mark.parametrize(
    ("reply", "secret", "certificate"),
    [
        (policy(rule("passwordLifetime", "P180D")), 180, None),
        (policy(rule("passwordLifetime", "P180D"), rule("passwordLifetime", "P90D")), 90, None),
        (policy(keys=(rule("asymmetricKeyLifetime", "P365DT4H"),)), None, 365),
        (policy(rule("passwordLifetime", "P180D", "disabled")), None, None),
        (policy(rule("passwordLifetime", "P180D"), enabled=False), None, None),
        (policy(rule("passwordAddition", None)), None, None),
        (policy(rule("passwordLifetime", "six months")), None, None),
        (policy(rule("passwordLifetime", "P" + "9" * 30 + "D")), None, None),
        (policy(7, "x", None), None, None),
        (Reply({"isEnabled": True, "applicationRestrictions": []}), None, None),
    ],
)
async def test_the_policys_longest_lifetimes_are_read(
    room: Room, reply: Reply, secret: int | None, certificate: int | None
) -> None:
    """The strictest enabled rule of each sort; what cannot be read is no rule."""
    room.server.script[POLICY] = [reply]
    found = (await room.scan(topics=BOTH)).policy
    assert found is not None
    assert found.problem is None
    days = [limit and limit.longest.days for limit in (found.secret, found.certificate)]
    assert days == [secret, certificate]


async def test_a_rule_that_spares_older_apps_keeps_its_date(room: Room) -> None:
    """Who made a credential before that broke no rule."""
    since = "2026-03-01T09:30:00Z"
    room.server.script[POLICY] = [policy(rule("passwordLifetime", "P30D", since=since))]
    found = (await room.scan(topics=BOTH)).policy
    assert found is not None
    assert found.secret == Limit(timedelta(days=30), USED)


async def test_a_policy_that_may_not_be_read_is_unknown_and_named_in_the_notes(
    room: Room,
) -> None:
    """The permission that shows it is optional."""
    room.server.script[POLICY] = [graph_refusal(403, "Authorization_RequestDenied")]
    found = await room.scan(topics=BOTH)
    assert found.record.complete
    assert found.policy is not None
    assert "Policy.Read.ApplicationConfiguration" in (found.policy.problem or "")
    assert any("app management policy is unknown" in note for note in found.record.notes)


def own_policy(name: str, *secrets: Any, enabled: bool = True) -> Any:
    """A policy of single apps, in its documented shape."""
    rules = {"passwordCredentials": list(secrets), "keyCredentials": []}
    return {"id": name, "displayName": name, "isEnabled": enabled, "restrictions": rules}


def stateless(longest: str) -> Any:
    """A rule as the documentation shows it for such a policy: without a state."""
    return {"restrictionType": "passwordLifetime", "maxLifetime": longest,
            "restrictForAppsCreatedAfterDateTime": None}  # fmt: skip


async def test_policies_of_single_apps_are_read_with_whom_they_are_for(room: Room) -> None:
    """A page at a time; one that is switched off is not asked about and does not hold."""
    room.server.script[POLICY] = [policy(rule("passwordLifetime", "P180D"))]
    room.server.pages(OWN, [own_policy("a", stateless("P30D"))], [
        own_policy("off", stateless("P9D"), enabled=False), own_policy("none"), own_policy("b"),
    ])  # fmt: skip
    room.server.pages(f"{OWN}/a/appliesTo", [{"id": "APP-1"}], [7, {"id": None}, {"id": "app-2"}])
    room.server.pages(f"{OWN}/b/appliesTo", [{"id": "app-3"}])
    scan = await room.scan(topics=BOTH)
    assert scan.policy is not None
    month = Limits(Limit(timedelta(days=30)))
    assert dict(scan.policy.own) == {"app-1": month, "app-2": month, "app-3": Limits()}
    assert not room.server.asked(f"{OWN}/off/appliesTo")
    assert room.server.asked(f"{OWN}/a/appliesTo")[0].query == {"$select": "id"}


async def test_the_default_policy_has_rules_of_their_own_for_service_principals(
    room: Room,
) -> None:
    """They say nothing about app registrations, and the other way round."""
    rules = {"passwordCredentials": [rule("passwordLifetime", "P60D")], "keyCredentials": []}
    body = {"isEnabled": True, "servicePrincipalRestrictions": rules}
    room.server.script[POLICY] = [Reply(body)]
    found = (await room.scan(topics=BOTH)).policy
    assert found is not None
    assert (found.secret, found.principals) == (None, Limits(Limit(timedelta(days=60))))


@pytest.mark.parametrize("where", [OWN, f"{OWN}/a/appliesTo"])
@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (graph_refusal(403, "Authorization_RequestDenied"), "Policy.Read.All"),
        (Reply(b"", 500), "500"),
        (Reply({"value": [], "@odata.nextLink": "https://collector.example/v1.0/x"}), "elsewhere"),
    ],
)
async def test_where_policies_of_single_apps_stay_unread_the_default_one_holds(
    room: Room, where: str, reply: Reply, why: str
) -> None:
    """A note says so; the scan is complete and the default is known."""
    room.server.script[POLICY] = [policy(rule("passwordLifetime", "P180D"))]
    room.server.script[OWN] = [Reply({"value": [own_policy("a", stateless("P30D"))]})]
    room.server.script[where] = [reply]
    found = await room.scan(topics=BOTH)
    assert found.record.complete
    assert found.policy is not None
    assert (found.policy.problem, dict(found.policy.own)) == (None, {})
    assert found.policy.secret == Limit(timedelta(days=180))
    (note,) = [note for note in found.record.notes if "policy of their own" in note]
    assert why in note
