"""Point by point of the vendor's page: doctor and alarm mail name the mistake on the first try."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from monitor.model import OPERATOR
from tests.acceptance.planted import LINES, Told, exchange_line, run_doctor, table, told
from tests.acceptance.ward import PLANTS, Ward

Everything = tuple[Ward, dict[str, Told]]


@pytest.fixture(scope="module")
def everything() -> Iterator[Everything]:
    """All of them, planted and told once."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    with told() as found:
        yield found
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def plain(text: str) -> str:
    """A text without its line breaks and without what keeps a mail program from making links."""
    return " ".join(text.replace("[.]", ".").replace("[:]", ":").split())


def mailbox_of(ward: Ward, tenant: str) -> str:
    """The mailbox that a mail puts into its commands."""
    entry = ward.app.store.tenant(tenant)
    return entry.sender.mailbox if entry and entry.sender else "<mailbox>"


@pytest.mark.parametrize("line", LINES)
def test_the_doctor_names_it_first(everything: Everything, line: str) -> None:
    """`lapsewatch doctor --tenant NAME --json`: the first red check, with evidence and fix."""
    plant = PLANTS[LINES[line]]
    row = everything[1][LINES[line]]
    assert (row.first["name"], row.first["cause"]) == (plant.check, plant.cause)
    assert row.said["cause"] == plant.cause
    assert row.first["evidence"]
    assert row.first["fix"]


@pytest.mark.parametrize("line", LINES)
def test_the_first_alarm_mail_names_it(everything: Everything, line: str) -> None:
    """Whoever gets it reads the cause, its fix and the command, without a second try."""
    ward, found = everything
    row, cause = found[LINES[line]], PLANTS[LINES[line]].cause
    text = plain(row.mail)
    about = ward.app.rulebook.describe(cause)
    assert plain(about.explanation)[:60] in text
    fix = plain(row.first["fix"].replace("<mailbox>", mailbox_of(ward, LINES[line])))
    assert fix[:60] in text
    if row.first["command"]:  # what is only for some apps has a line of its own
        assert row.first["command"].replace("; New-", " New-") in text
    if plan := [one for one in row.subjects if "CANNOT CHECK" in one]:
        assert len(plan) == 1
    assert len(row.canaries) <= 1


def test_what_a_bare_refusal_hides_is_shown_by_the_ids(everything: Everything) -> None:
    """Both object ids, the server's own reply, and the command that registers the right one."""
    ward, found = everything
    tenant = ward.app.store.tenant("object-id")
    assert tenant is not None
    assert tenant.sender is not None
    text = found["object-id"].mail
    assert "The doctor found: Enterprise application object id" in text
    assert str(tenant.sender.enterprise_object_id) in text
    assert "535 5.7.3" in text
    assert "New-ServicePrincipal" in text


def test_a_missing_consent_leads_to_the_page_that_grants_it(everything: Everything) -> None:
    """In the mail as well, whole and to click on."""
    ward, found = everything
    for name in ("consent-read", "consent-send"):
        tenant = ward.app.store.tenant(name)
        assert tenant is not None
        client_id = tenant.client_id if name == "consent-read" else tenant.sender.client_id  # type: ignore[union-attr]
        url = f"{ward.cloud.entra_url}/{tenant.directory_id}/adminconsent?client_id={client_id}"
        assert url in found[name].mail
        assert url in found[name].first["fix"]


def test_nobody_is_alarmed_about_what_is_healthy(everything: Everything) -> None:
    """The known-bad variant of them all: mails about everybody."""
    ward, found = everything
    said = {word for row in found.values() for subject in row.subjects for word in subject.split()}
    assert not said & {"healthy", "woodgrove"}
    assert not ward.app.store.examinations().keys() & {"healthy", "woodgrove", OPERATOR}


def test_no_secret_is_in_any_mail_or_report(everything: Everything) -> None:
    """A value never reaches a mail, nor does a token."""
    ward, found = everything
    kept = repr(ward.app.store.examinations())
    for text in (repr(found), kept):
        assert [value for value in ward.secrets if value in text] == []
        assert "eyJ" not in text


def test_the_table_has_every_line_once(everything: Everything) -> None:
    """It is what the note shows."""
    rows = table(everything[1]).splitlines()
    assert len(rows) == len(LINES) + 2
    assert {LINES[line] for line in LINES} <= set(PLANTS)
    assert all(row.count("|") - 2 * row.count("\\|") >= 0 for row in rows)


# --- what only Exchange can tell ------------------------------------------------------------------


def test_a_line_from_exchange_tells_which_object_id_is_registered(
    everything: Everything, tmp_path: Any
) -> None:
    """From outside it looks as if the app were not there; the check script's line knows more."""
    ward, _ = everything
    tenant = ward.cloud.world.tenant("registered-wrong")
    (registered,) = tenant.registered
    file = tmp_path / "result.txt"
    line = exchange_line(tenant, registered)
    # Windows PowerShell writes UTF-16 when its output goes to a file.
    file.write_text(f"[FAIL] service_principal\r\n\r\n{line}\r\n", encoding="utf-16")
    said = run_doctor(ward, "--tenant", "registered-wrong", "--exchange-result", str(file), code=6)
    assert "FAILED: Service principal, as Exchange has it [object_id_mismatch]" in said
    assert registered in said
    again = run_doctor(ward, "--tenant", "registered-wrong", code=6)
    assert "as of" in again


def test_a_line_about_somebody_else_is_refused(everything: Everything, tmp_path: Any) -> None:
    """And so is a file that is not there, or one without a tenant; nothing is kept."""
    ward, _ = everything
    tenant = ward.cloud.world.tenant("not-in-exchange")
    file = tmp_path / "result.txt"
    file.write_text(exchange_line(tenant, "x"))
    run_doctor(ward, "--tenant", "off-mailbox", "--exchange-result", str(file), code=1)
    run_doctor(ward, "--tenant", "off-mailbox", "--exchange-result", "nothing.txt", code=1)
    run_doctor(ward, "--exchange-result", str(file), code=2)
    assert "off-mailbox" not in ward.app.store.exchange_results()


def test_the_operators_sender_is_examined_by_its_name(everything: Everything) -> None:
    """It is no tenant, but can be asked about like one."""
    assert f"{OPERATOR}, noc@msp.example" in run_doctor(everything[0], "--tenant", OPERATOR, code=0)
