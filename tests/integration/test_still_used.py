"""A renewal that nobody moved to, from the report of sign-ins to the inbox, over real sockets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from jobs.send_warnings import JOB
from monitor.forecast import forecast
from monitor.sandbox import Fault
from monitor.sandbox.draft import Draft
from monitor.sandbox.world import AppPolicy, Tenant
from monitor.severity import IN_USE_WITHIN
from tests.integration.stage import HOUR, MINUTE, SIX, Stage, stage, story

DAY = timedelta(days=1)
REPORT = "GET /reports/*"
POLICY = "GET /policies/defaultAppManagementPolicy"
RIGHTS = ("AuditLog.Read.All", "Policy.Read.ApplicationConfiguration")


def renewed(left: int = 16, *, used: timedelta | None = DAY) -> Tenant:
    """A tenant with a secret that was renewed nine days ago, while the old one is used."""
    draft = Draft("contoso", "Contoso", SIX)
    app = draft.monitor()
    draft.tenant.principal_of(app.app_id).graph_roles += RIGHTS
    draft.sender()
    old = draft.secret("Parcels", left, name="2024")
    draft.app("Parcels", secrets=[old, draft.secret("Parcels", 721, name="2026")])
    if used is not None:
        draft.tenant.sign_ins = {old.key_id: used}
    return draft.tenant


def live(show: Stage, days: int) -> list[tuple[int, str]]:
    """Live through so many days with one scan and one run each: what came, on which day."""
    found = []
    for day in range(days):
        show.at(SIX + day * DAY)
        show.scan()
        show.at(SIX + day * DAY + 2 * HOUR + MINUTE)
        found += [(day, kind) for _, kind in show.warn()]
    return found


def test_one_that_is_still_used_is_warned_about_until_its_end(tmp_path: Path) -> None:
    """At 14, 7, 3, 1 and 0 days, as foreseen on the first day; after the end there is silence."""
    with stage(tmp_path, renewed(16)) as show:
        show.scan()
        known = show.app.runs.outlook(show.app.store.last_slots(JOB))
        coming = forecast(known, now=show.clock.now(), until=SIX + 30 * DAY)
        came = live(show, 25)
        assert came == [(day, "reminder") for day in (2, 9, 13, 15, 16)]
        assert [(one.at - SIX).days for one in coming] == [day for day, _ in came]
        mails = [row.mail for row in reversed(show.app.store.outbox())]
        texts = [mail.text for mail in mails if "still used" in mail.subject]
        assert len(texts) == 5
        assert "Last sign-in yesterday" in texts[0]
        assert 'Newer one: "2026"' in texts[0]
        (row,) = [one for one in show.app.report().credentials if one.credential.name == "2024"]
        assert str(row.state) == "superseded"


def test_the_oracle_expects_what_the_first_run_says(tmp_path: Path) -> None:
    """With and without use, and where the app may not see it."""
    for number, (left, used, rights, mail) in enumerate(
        [
            (13, DAY, True, ("reminder", "14")),
            (6, DAY, True, ("reminder", "7")),
            (6, DAY, False, ("covered", None)),
            (6, None, True, ("covered", None)),
            (6, timedelta(days=8, hours=12), True, ("covered", None)),  # part of the move
            (13, DAY, False, None),
            (20, DAY, True, None),
        ]
    ):
        tenant = renewed(left, used=used)
        if not rights:
            for principal in tenant.principals:
                principal.graph_roles = ("Application.Read.All",) if principal.graph_roles else ()
        folder = tmp_path / str(number)
        folder.mkdir()
        with stage(folder, tenant) as show:
            expected = [
                (one.kind, one.stage)
                for one in show.cloud.world.oracle(SIX).mails
                if one.tenant == "contoso" and one.kind != "canary"
            ]
            assert expected == ([mail] if mail else []), number
            assert [kind for _, kind in live(show, 1)] == ([mail[0]] if mail else []), number


def test_what_has_moved_since_falls_silent(tmp_path: Path) -> None:
    """The last sign-in stays where it is; a month later it is no use any more."""
    tenant = renewed(40)
    old = next(key for key in tenant.sign_ins)
    tenant.sign_ins[old] = SIX - DAY
    with stage(tmp_path, tenant) as show:
        came = live(show, 41)
    assert timedelta(days=31) == IN_USE_WITHIN
    assert came == [(26, "reminder"), (30, "renewed"), (33, "covered")]


def lose_right(tenant: Tenant) -> None:
    """Somebody takes the permission away."""
    for principal in tenant.principals:
        principal.graph_roles = tuple(one for one in principal.graph_roles if one not in RIGHTS)


def lose_licence(tenant: Tenant) -> None:
    """The tenant has no Entra ID P1."""
    tenant.premium = False


def lose_report(tenant: Tenant) -> None:
    """The cloud has no such report."""
    tenant.has_reports = False


def throttle(tenant: Tenant) -> None:
    """All requests for reports are used up."""
    tenant.report_requests = 0


def break_down(tenant: Tenant) -> None:
    """Graph fails, at this address alone."""
    tenant.faults.append(Fault("/reports/*", status=500))


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        (lose_right, "lacks the permission AuditLog.Read.All"),
        (lose_licence, "no Entra ID P1 or P2"),
        (lose_report, "this cloud has no report"),
        (throttle, "429"),
        (break_down, "500"),
    ],
)
def test_when_use_is_unknown_the_scan_is_complete_and_rule_six_holds(
    tmp_path: Path, trouble: Callable[[Tenant], None], why: str
) -> None:
    """The reason stands in the ledger's notes; one hint in the last week, as ever."""
    tenant = renewed(8)
    trouble(tenant)
    with stage(tmp_path, tenant) as show:
        record = show.scan()["contoso"]
        assert record.complete
        assert any("last use" in note and why in note for note in record.notes), record.notes
        tenant.report_requests = 0 if trouble is throttle else None
        assert live(show, 3) == [(1, "covered")]
        assert why in (show.app.store.insight("contoso").usage_problem or "")
        (row,) = [one for one in show.app.report().credentials if one.credential.name == "2024"]
        assert row.credential.usage_at is None


def test_both_questions_are_asked_once_a_day_and_the_answers_last(tmp_path: Path) -> None:
    """Four scans a day, one of them asks; what it was told is known after the others."""
    tenant = renewed(16)
    tenant.secret_lifetime = "P180D"
    with stage(tmp_path, tenant) as show:
        for quarter in range(8):
            show.at(SIX + quarter * (6 * HOUR + MINUTE))  # a scan is due 6 h after the last
            show.scan()
            assert show.cloud.calls.count("contoso", REPORT) == 1 + quarter // 4
            assert show.cloud.calls.count("contoso", POLICY) == 1 + quarter // 4
        (old,) = [one for one in show.app.store.credentials("contoso") if one.name == "2024"]
        assert old.usage_at is not None
        assert old.longest == timedelta(days=180)


def test_nobody_asks_for_sign_ins_where_that_is_switched_off(tmp_path: Path) -> None:
    """And what was known before grows old and is forgotten."""
    with stage(tmp_path, renewed(40)) as show:
        show.scan()
        settings = tmp_path / "lapsewatch.toml"
        text = settings.read_text("utf-8")
        assert "[defaults]" in text
        settings.write_text(text.replace("[defaults]", "[defaults]\nusage = false"), "utf-8")
        from monitor.config import load
        from monitor.wiring import App

        with App(load(settings), clock=show.clock.now) as app:
            quiet = Stage(app, show.cloud, show.clock, app.configuration)
            for day in (1, 9):
                show.at(SIX + day * DAY)
                assert quiet.scan()["contoso"].complete
            assert show.cloud.calls.count("contoso", REPORT) == 1
            assert app.store.insight("contoso").usage_at is None


def test_commands_of_a_mail_keep_to_the_policy_that_an_app_has_for_itself(tmp_path: Path) -> None:
    """The tenant allows half a year, that app's own policy three weeks."""
    tenant = story("contoso", SIX, 8)
    monitor = tenant.principal_of(tenant.monitor.client_id if tenant.monitor else "")
    monitor.graph_roles = ("Application.Read.All", "Policy.Read.All")
    tenant.secret_lifetime = "P180D"
    own = AppPolicy("p-1", "Short lived", (tenant.apps[-1].object_id,), secret_lifetime="P21D")
    tenant.app_policies = [own]
    with stage(tmp_path, tenant) as show:
        show.scan()
        lives = {one.app_name: one.longest for one in show.app.store.credentials("contoso")}
        assert lives["App 8"] == timedelta(days=21)
        assert set(lives.values()) == {timedelta(days=21), timedelta(days=180)}
        show.at(SIX + 3 * HOUR)
        show.warn()
        (mail,) = [m for m in show.cloud.inbox.messages if m.rcpt_to[0] == "it@contoso.example"]
        assert f"{SIX + timedelta(days=21):%Y-%m-%d}" in (mail.body("plain") or "")
