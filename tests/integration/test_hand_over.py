"""Handed over: somebody else is told, until it is renewed; and nobody ends up untold."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from jobs.send_warnings import JOB
from monitor.forecast import forecast
from monitor.handing import given
from monitor.model import Credential
from monitor.model.acts import AuditEntry, HandOver
from monitor.sandbox import SmtpFault
from monitor.silences import Asked
from monitor.store import Store
from monitor.store.engine import Database
from monitor.store.schema import _config
from tests.integration.stage import SIX, Stage, stage, story
from tests.integration.test_routed_runs import CRITICAL, TICKET, days

IT, EVE = "it@contoso.example", "eve@contoso.example"
DAY = timedelta(days=1)


def one(show: Stage, name: str) -> Credential:
    """Contoso's credential on an application."""
    found = show.app.store.credentials("contoso")
    return next(each for each in found if each.app_name == name)


def hand(show: Stage, name: str, to: str = EVE, by: str = IT) -> HandOver:
    """Somebody hands it over."""
    about, asked = one(show, name), Asked(by, "she runs it", show.clock.now())
    before = show.app.store.hand_overs().get((about.tenant, about.uid, about.life))
    made = given(about, to, asked, before)
    show.app.store.put_hand_over(made, line(show))
    return made


def line(show: Stage) -> AuditEntry:
    """A line of the audit log."""
    return AuditEntry(show.clock.now(), IT, "hand over", "contoso", "", "", "command")


def test_whom_it_was_handed_to_is_told_of_it_and_who_gave_it_is_not(tmp_path: Path) -> None:
    """Of nothing else; what was not handed over stays where it was."""
    with stage(tmp_path, story("contoso", SIX, 8, 9)) as show:
        assert days(show, 1) == [(0, IT, "reminder")]
        hand(show, "App 8")
        said = days(show, 2, 1)
        assert said == [(1, EVE, "reminder"), (2, IT, "reminder")]
        bodies = [m.body("plain") or "" for m in show.cloud.inbox.messages if m.rcpt_to[0] == EVE]
        assert "App 8" in bodies[0]
        assert "App 9" not in bodies[0]


def test_what_was_handed_over_twice_goes_to_the_last_alone(tmp_path: Path) -> None:
    """Who gave it away first does not hear of it again."""
    with stage(tmp_path, story("contoso", SIX, 8)) as show:
        days(show, 1)
        hand(show, "App 8")
        hand(show, "App 8", to="kim@contoso.example", by=EVE)
        assert days(show, 2, 1) == [(1, "kim@contoso.example", "reminder")]
        hand(show, "App 8", to=IT, by="kim@contoso.example")
        assert days(show, 4, 4) == [(day, IT, "reminder") for day in (4, 5, 7)]


def test_a_name_is_a_note_and_an_earlier_note_takes_nobody_away(tmp_path: Path) -> None:
    """Only an address can be told."""
    with stage(tmp_path, story("contoso", SIX, 8)) as show:
        days(show, 1)
        assert not hand(show, "App 8", to="the web team").holds
        assert days(show, 1, 1) == [(1, IT, "reminder")]


def test_an_address_that_is_refused_for_good_swallows_nothing(tmp_path: Path) -> None:
    """The next run tells whoever was told before."""
    with stage(tmp_path, story("contoso", SIX, 8)) as show:
        days(show, 1)
        hand(show, "App 8", to="gone@contoso.example")
        faults = show.cloud.world.exchange.faults
        faults.append(SmtpFault("RCPT", reply="550 5.1.1 User unknown"))
        assert days(show, 1, 1) == [(1, "gone@contoso.example", "reminder")]
        faults.clear()
        [kept] = show.app.store.hand_overs().values()
        assert (kept.refused, kept.holds) == (True, False)
        assert days(show, 2, 2) == [(2, IT, "reminder")]
        assert days(show, 1, 5) == [(5, IT, "reminder")]


def test_the_ticket_queue_of_a_route_still_hears(tmp_path: Path) -> None:
    """Its ticket is not closed by a change of hands."""
    with stage(tmp_path, story("contoso", SIX, 5), rules=CRITICAL + TICKET) as show:
        queue = "tickets@msp.example"
        assert days(show, 1) == [(0, queue, "reminder")]
        hand(show, "App 5", by=queue)
        assert sorted(days(show, 2, 1)) == [
            (1, EVE, "reminder"), (2, EVE, "reminder"), (2, queue, "reminder"),
        ]  # fmt: skip


def test_taken_back_it_is_as_it_was(tmp_path: Path) -> None:
    """Once; the second time says that there is nothing."""
    with stage(tmp_path, story("contoso", SIX, 8)) as show:
        days(show, 1)
        made = hand(show, "App 8")
        key = (made.tenant, made.uid, made.life)
        assert show.app.store.remove_hand_over(*key, line(show))
        assert not show.app.store.remove_hand_over(*key, line(show))
        assert days(show, 1, 1) == [(1, IT, "reminder")]
        assert len(show.app.store.audit()) == 2


def test_when_it_is_over_both_hear_it(tmp_path: Path) -> None:
    """Whoever was warned about it."""
    tenant = story("contoso", SIX, 8, *range(200, 210))  # one of so many may go unasked
    with stage(tmp_path, tenant) as show:
        days(show, 1)
        hand(show, "App 8")
        days(show, 1, 1)
        next(app for app in tenant.apps if app.name == "App 8").secrets = []
        assert sorted(days(show, 1, 2)) == [(2, EVE, "removed"), (2, IT, "removed")]


def test_the_forecast_knows_it(tmp_path: Path) -> None:
    """What it says is what is then sent."""
    with stage(tmp_path, story("contoso", SIX, 8)) as show:
        days(show, 1)
        hand(show, "App 8")
        known = show.app.runs.outlook(show.app.store.last_slots(JOB))
        coming = forecast(known, now=show.clock.now(), until=show.clock.now() + 9 * DAY)
        foreseen = [(str(each.kind), each.to) for each in coming]
        sent = [(kind, to) for to, kind in show.warn()]  # today's run of the new one is made up
        sent += [(kind, to) for _, to, kind in days(show, 9, 1)]
        assert foreseen == sent
        assert {to for _, to in sent} == {EVE}


def test_a_hand_over_of_an_earlier_version_stays_a_note(empty_url: str) -> None:
    """Nobody looked at its address then."""
    database = Database(empty_url)
    database.create_file()
    with database.write(foreign_keys=False) as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0010")
        at = {"at": "2026-03-02 07:00:00.000000" if "sqlite" in empty_url else SIX}
        names = "INSERT INTO tenant (name, document, changed_at)"
        connection.execute(text(f"{names} VALUES ('contoso', '{{}}', :at)"), at)
        names = "INSERT INTO hand_over (tenant, uid, life, handed_to, remark, author, at)"
        kept = f"'contoso', 'u', 1, '{EVE}', 'why', '{IT}', :at"
        connection.execute(text(f"{names} VALUES ({kept})"), at)
    database.close()
    with Store.open(empty_url) as store:
        store.upgrade()
        store.check()
        [found] = store.hand_overs().values()
        assert (found.to, found.givers, found.holds) == (EVE, (), False)


@pytest.mark.parametrize("spelling", [IT.upper(), IT])
def test_the_spelling_of_who_gave_it_does_not_matter(tmp_path: Path, spelling: str) -> None:
    """Two spellings of one address are one person."""
    with stage(tmp_path, story("contoso", SIX, 8)) as show:
        days(show, 1)
        hand(show, "App 8", by=spelling)
        assert days(show, 1, 1) == [(1, EVE, "reminder")]
