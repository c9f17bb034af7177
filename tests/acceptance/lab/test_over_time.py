"""Lapsewatch against other servers, from run to run: what waits, fails, recovers and goes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.lab import world_time
from tests.acceptance.lab.product import one_line
from tests.acceptance.lab.world_time import Alone, Life


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """Tenants and servers that change from run to run."""
    world = world_time.build(tmp_path_factory.mktemp("life"))
    yield world
    world.lab.close()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    """Tenants without an operator."""
    world = world_time.build_alone(tmp_path_factory.mktemp("alone"))
    yield world
    world.lab.close()


# --- from run to run ------------------------------------------------------------------------


def test_a_server_that_was_down_gets_the_mail_at_the_next_run(life: Life) -> None:
    """A warning is never lost: what could not be sent waits, and is sent once."""
    assert life.mails("first", "it@late.example") == []
    (mail,) = life.mails("up", "it@late.example")
    assert mail.kind == "reminder"
    assert life.mails("failing", "it@late.example") == []


def test_a_refused_recipient_does_not_stop_the_others(life: Life) -> None:
    """One SMTP envelope per recipient: a 550 for one is nothing to the others."""
    for address in ("first@two.example", "last@two.example"):
        assert len(life.mails("first", address)) == 1
    assert all(not life.mails(step, "gone@two.example") for step in life.steps)


def test_a_mail_cut_off_after_the_final_dot_comes_again_unchanged(life: Life) -> None:
    """At most one extra copy, with the same Message-ID and Date."""
    (lost,) = [m for m in life.steps["first"].dropped if m.recipient == "it@cut.example"]
    (again,) = life.mails("up", "it@cut.example")
    for header in ("Message-ID", "Date"):
        assert lost.message[header] == again.message[header]
    assert lost.part("plain") == again.part("plain")


def test_a_tenants_sender_never_carries_another_tenants_names(life: Life) -> None:
    """One address in two tenants gets a mail of each sender, with that tenant's name only."""
    mails = {mail.user: mail.part("plain") for mail in life.mails("first", "own@msp.example")}
    assert set(mails) == {"noreply@own-a.example", "noreply@own-b.example"}
    assert "own-b" not in mails["noreply@own-a.example"]
    assert "own-a" not in mails["noreply@own-b.example"]


def test_the_operators_path_combines_tenants_but_not_zones(life: Life) -> None:
    """The operator's path may combine tenants; one address with two zones gets two digests."""
    texts = [mail.part("plain") for mail in life.mails("first", "all@msp.example")]
    assert len(texts) == 2
    (both,) = [text for text in texts if "utc-a" in text]
    (tokyo,) = [text for text in texts if "tokyo" in text]
    assert "utc-b" in both
    assert "tokyo" not in both
    assert "JST" in tokyo


def test_one_passing_failure_changes_no_fresh_state_and_sends_no_mail(life: Life) -> None:
    """CANNOT CHECK goes after the second failure; ok goes by the age of the last whole scan."""
    failing = life.steps["failing"]
    assert failing.report.state("flaky") in {"ok", "stale"}
    assert failing.report.tenant("flaky")["problem"]
    assert [m for m in failing.inbox if "flaky" in str(m.message["subject"])] == []


def test_the_second_failure_is_told_and_the_recovery_too(life: Life) -> None:
    """CANNOT CHECK after the second failure, RECOVERED afterwards, both to the operator."""
    for step, word in (("failing again", "cannot_check"), ("recovered", "recovered")):
        texts = [m for m in life.mails(step, "noc@msp.example") if "flaky" in m.part("plain")]
        assert [mail.kind for mail in texts] == [word]


def test_a_definite_cause_is_told_at_once(life: Life) -> None:
    """Unknown at once and CANNOT CHECK at once when the cause needs a fix; told once."""
    assert life.steps["failing"].report.state("locked") == "unknown"
    told = [
        [m.kind for m in life.mails(step, "noc@msp.example") if "locked" in m.part("plain")]
        for step in ("failing", "failing again", "recovered")
    ]
    assert told == [["cannot_check"], [], ["recovered"]]


def test_an_incomplete_scan_is_unknown_at_once_and_changes_no_facts(life: Life) -> None:
    """Facts are removed only as a complete scan proves; an attempt that broke off is unknown."""
    report = life.steps["failing"].report
    assert report.state("half") == "unknown"
    assert {"c0", "c1", "c2"} <= {
        row["name"] for row in report.credentials("half") if row["state"] == "ok"
    }
    last = report.tenant("half")["last_complete_scan"]
    assert last == life.steps["up"].report.tenant("half")["last_complete_scan"]


def test_what_a_complete_scan_no_longer_shows_is_removed(life: Life) -> None:
    """Removed after a complete scan only; what is new there is listed."""
    kept = {c["name"]: c["state"] for c in life.steps["failing again"].report.credentials("flaky")}
    assert kept == {"dying": "critical", "leaving": "warning"}
    states = {c["name"]: c["state"] for c in life.steps["recovered"].report.credentials("flaky")}
    assert states == {"dying": "critical", "leaving": "removed", "arriving": "critical"}
    halves = {c["name"]: c["state"] for c in life.steps["recovered"].report.credentials("half")}
    assert halves == {"c0": "removed", "c1": "ok", "c2": "ok", "new": "ok"}


def test_a_renewed_credential_that_was_warned_about_is_told_as_renewed_once(life: Life) -> None:
    """`renewed`, to everyone who was told; in the last week of the old one it is said once only."""
    kinds = [[mail.kind for mail in life.mails(step, "it@renewing.example")] for step in life.steps]
    assert kinds == [["reminder"], [], ["renewed"], [], []]


def test_who_has_nothing_due_gets_no_mail(life: Life) -> None:
    """Every silence has a reason: 300 days are none of the thresholds."""
    assert all(not life.mails(step, "it@idle.example") for step in life.steps)


# --- without an operator --------------------------------------------------------------------


def test_without_an_operator_the_tenants_recipients_hear_that_it_cannot_be_checked(
    alone: Alone,
) -> None:
    """cannot_check without an operator: to the tenant's recipients, by the tenant's sender."""
    for name in ("unread", "html"):
        (mail,) = [m for m in alone.inbox if m.recipient == f"it@{name}.example"]
        assert mail.kind == "cannot_check"
        assert mail.user == f"noreply@{name}.example"


def test_without_an_operator_an_alarm_with_no_path_waits_and_is_said(alone: Alone) -> None:
    """Where no path is left the row waits, and page, status and exit code say so."""
    silent = [m for m in alone.inbox if m.recipient in {"it@mute.example", "it@senderless.example"}]
    assert silent == []
    assert "no path" in alone.product.page() or "no sender" in alone.product.page().lower()
    assert alone.report.body["deliveries"]["without_path"] >= 2
    assert alone.report.body["exit_code"] == 6


def test_a_warning_that_nobody_can_get_is_said(alone: Alone) -> None:
    """A warning is never lost: a tenant without recipients and operator is refused or reported."""
    said = one_line("".join(alone.product.said))
    assert "nobody" in said
    assert "recipient" in said
