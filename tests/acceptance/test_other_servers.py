"""Lapsewatch against servers that know nothing of it: what the specification promises holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.acceptance.lab import world_faults, world_states
from tests.acceptance.lab.objects import expected_state
from tests.acceptance.lab.product import one_line
from tests.acceptance.lab.smtp import Mail
from tests.acceptance.lab.world_faults import Faults
from tests.acceptance.lab.world_states import States

STATUS_KEYS = {
    "tenants": {"name", "directory_id", "state", "last_complete_scan", "problem"},
    "credentials": {
        "tenant", "object_type", "object_id", "app_id", "app_name", "kind", "key_id", "name",
        "start", "end", "state", "days_left",
    },
    "canaries": {"tenant", "mailbox", "result", "stage", "cause", "at"},
}  # fmt: skip


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[States]:
    """Tenants that are read without trouble."""
    world = world_states.build(tmp_path_factory.mktemp("states"))
    yield world
    world.lab.close()


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    """Tenants that cannot be read, and mailboxes that cannot send."""
    world = world_faults.build(tmp_path_factory.mktemp("faults"))
    yield world
    world.lab.close()


# --- states ---------------------------------------------------------------------------------


def test_every_credential_is_listed_once_with_the_state_of_its_day(states: States) -> None:
    """Terms: the first state that fits, in the tenant's zone; null, 2299 and 9999 are ok."""
    now = datetime.fromisoformat(states.report.body["generated_at"])
    wrong = []
    for tenant in states.lab.tenants.values():
        listed = states.report.credentials(tenant.name)
        wanted = [(thing, cred) for thing in tenant.things for cred in thing.creds]
        assert len(listed) == sum(cred.count for _, cred in wanted), tenant.name
        thresholds = tenant.row.get("thresholds", (60,))
        for thing, cred in wanted:
            state, days = expected_state(cred.end, tenant.zone, now, thresholds)
            right = (cred.state or state, days, cred.kind)
            found = [
                (row["state"], row["days_left"], row["kind"])
                for row in listed
                if row["object_id"] == thing.object_id and row["name"] == cred.name
            ]
            if found != [right] * cred.count:
                wrong.append((tenant.name, thing.name, cred.name, right, found))
    assert not wrong


def test_every_tenant_that_was_read_whole_is_ok(states: States) -> None:
    """Tenant states: ok is a complete scan; short, empty and many pages make no difference."""
    assert {row["state"] for row in states.report.body["tenants"]} == {"ok"}
    assert len(states.report.body["tenants"]) == len(states.lab.tenants)


def test_status_json_has_the_promised_shape(states: States, faults: Faults) -> None:
    """Shapes that scripts rely on: these keys stay."""
    for report in (states.report, faults.report):
        assert {"generated_at", "verdict", "exit_code"} | STATUS_KEYS.keys() <= report.body.keys()
        for part, keys in STATUS_KEYS.items():
            assert report.body[part]
            for row in report.body[part]:
                assert keys <= row.keys()
    kinds = {row["kind"] for row in states.report.body["credentials"]}
    assert kinds == {"secret", "certificate", "saml_signing", "token_encryption", "symmetric_key"}


def test_the_exit_code_is_the_highest_that_applies(states: States, faults: Faults) -> None:
    """Exit codes: 4 something lapsed; 6 a canary fails, though tenants are unknown as well."""
    assert states.report.body["exit_code"] == 4
    assert faults.report.body["exit_code"] == 6


def test_csv_and_page_tell_of_the_same_credentials_as_json(states: States) -> None:
    """Status: one report behind JSON, CSV and the page."""
    rows = states.report.body["credentials"]
    told = {(row["object_id"], row["key_id"] or "", row["state"]) for row in rows}
    assert {(r["object_id"], r["key_id"], r["state"]) for r in states.table} == told
    assert len(states.table) == len(rows)
    for row in rows:
        if row["state"] in {"lapsed", "critical", "warning"} and not row.get("managed_identity"):
            assert row["app_name"] in states.page


def test_one_digest_goes_to_each_recipient_and_none_on_the_second_run(states: States) -> None:
    """Deliver: one digest per recipient, sending path and run; told once is told."""
    inbox = states.lab.submission.inbox
    assert sorted(mail.recipient for mail in inbox) == sorted(
        f"it@{name}.example" for name in states.lab.tenants
    )
    assert states.mails_after[0] == states.mails_after[1] == len(inbox)
    assert all(mail.user == mail.sender == f"noreply@{_tenant(mail)}.example" for mail in inbox)


def _tenant(mail: Mail) -> str:
    return mail.recipient.partition("@")[2].removesuffix(".example")


def test_a_digest_names_every_credential_it_tells_of(states: States) -> None:
    """A warning is never lost: what counts as told stands in the mail, in both its parts."""
    missing = []
    for mail in states.lab.submission.inbox:
        rows = states.report.credentials(_tenant(mail))
        far = max(states.lab.tenants[_tenant(mail)].row.get("thresholds", [60]), default=-1)
        due = [
            row
            for row in rows
            if row["state"] == "lapsed"
            or (row["state"] in {"critical", "warning", "upcoming"} and row["days_left"] <= far)
            if not row.get("managed_identity")
        ]
        for part in ("plain", "html"):
            text = mail.part(part)
            unnamed = [row["name"] for row in due if not _named(row, text)]
            if unnamed:
                missing.append((mail.recipient, part, len(unnamed), unnamed[:3]))
    assert not missing


def _named(row: dict[str, object], text: str) -> bool:
    short = str(row["key_id"] or "")[:8]
    return str(row["name"]) in text or (bool(short) and short in text)


def test_superseded_and_managed_certificates_are_never_in_a_warning(states: States) -> None:
    """Rule 6: superseded ones are silent; managed identities are listed and never warned about."""
    (mail,) = states.lab.submission.to("it@shapes.example")
    assert "rotated" not in mail.part("plain")
    (mail,) = states.lab.submission.to("it@silent.example")
    assert "ends in" not in one_line(mail.part("plain"))
    assert "noon of day 7" not in mail.part("plain")


def test_the_own_credential_is_warned_about_though_a_successor_exists(states: States) -> None:
    """Rule 6 (a): renewing in Entra is half the work; a stranger's with the same hint is not."""
    for name in ("own-secret", "own-certificate"):
        (mail,) = states.lab.submission.to(f"it@{name}.example")
        assert "in use" in mail.part("plain")


# --- what cannot be read --------------------------------------------------------------------


@pytest.mark.parametrize("name", world_faults.UNREADABLE)
def test_a_tenant_that_was_not_read_is_unknown_with_its_cause(faults: Faults, name: str) -> None:
    """Never an ok tenant that was not read; what runs out or breaks is unknown with its cause."""
    row = faults.report.tenant(name)
    assert row["state"] == "unknown"
    assert row["last_complete_scan"] is None
    assert row["problem"]
    assert row["cause"] in world_faults.UNREADABLE[name]


@pytest.mark.parametrize("name", sorted(world_faults.READABLE))
def test_trouble_that_passes_costs_nothing(faults: Faults, name: str) -> None:
    """Retry-After is honoured; an empty page with a nextLink is not the end."""
    assert faults.report.state(name) == "ok"
    things = faults.lab.tenants[name].things
    assert len(faults.report.credentials(name)) == len(things)


def test_retry_after_is_waited_for(faults: Faults) -> None:
    """Scan: Retry-After honoured."""
    first, second, *_ = faults.throttled_at
    assert second - first >= 2


def test_no_request_goes_to_a_foreign_host(faults: Faults) -> None:
    """A nextLink to a foreign host ends that scan as incomplete; no bearer leaves the cloud."""
    assert faults.elsewhere.log == []


def test_one_malformed_object_costs_neither_its_page_nor_its_directory(faults: Faults) -> None:
    """One malformed object is reported and the rest kept: its neighbour is listed."""
    assert [row["name"] for row in faults.report.credentials("odd-objects")] == ["dying"]


def test_a_pasted_secret_id_is_called_by_its_name(faults: Faults) -> None:
    """Bad input: a secret that is a GUID gets a message that says where and what to do."""
    said = one_line("".join(faults.product.said))
    assert "secret-id" in said
    assert "looks like the secret's ID" in said


def test_the_operator_hears_at_once_of_a_tenant_that_was_never_read(faults: Faults) -> None:
    """CANNOT CHECK goes at once when the tenant was never read: to the operator, by its relay."""
    heard = [mail for mail in faults.scan_mails if mail.kind == "cannot_check"]
    assert {mail.recipient for mail in heard} == {"noc@msp.example"}
    assert {mail.user for mail in heard} == {""}
    texts = " ".join(mail.part("plain") for mail in heard)
    assert [name for name in world_faults.UNREADABLE if name not in texts] == []


def test_a_tenant_without_a_sender_is_warned_by_the_operators(faults: Faults) -> None:
    """A tenant's warnings go by that tenant's sender, else by the operator's."""
    by = {mail.recipient: mail.user for mail in faults.scan_mails if mail.kind == "reminder"}
    assert by["it@throttled.example"] == ""
    assert by["it@fine.example"] == "noreply@fine.example"
    assert by["it@generic.example"] == ""  # its own path is broken


# --- canaries -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", world_faults.BROKEN_MAIL)
def test_a_canary_says_the_stage_and_the_cause(faults: Faults, name: str) -> None:
    """Canary: staged; the innermost reply decides the cause."""
    row = faults.report.canary(name)
    stage, causes = world_faults.BROKEN_MAIL[name]
    assert (row["result"], row["stage"].casefold()) == ("failed", stage)
    assert row["cause"] in causes


def test_a_definite_cause_alarms_at_once_by_another_path_and_a_passing_one_waits(
    faults: Faults,
) -> None:
    """Canary: a definite cause alarms at once; the alarm takes another path than the broken one."""
    alarms = [mail for mail in faults.canary_mails if mail.kind == "canary_failed"]
    assert {(mail.user, mail.recipient) for mail in alarms} == {("", "noc@msp.example")}
    subjects = " ".join(str(mail.message["subject"]) for mail in alarms)
    for name in world_faults.BROKEN_MAIL:
        assert (f"- {name}" in subjects) == (name not in world_faults.PASSING), name


def test_a_canary_that_arrives_is_ok_even_with_a_token_nobody_can_read(faults: Faults) -> None:
    """An undecodable token is unknown, never a failure; the canary goes to the mailbox itself."""
    for name in world_faults.GOOD_MAIL:
        assert faults.report.canary(name)["result"] == "ok"
        (mail,) = [m for m in faults.canary_mails if m.recipient == f"noreply@{name}.example"]
        assert mail.kind == "canary"


def test_the_subject_of_an_alarm_says_what_failed(faults: Faults) -> None:
    """Each mail says what: an accepting reply (250) is no reason for a failure."""
    alarms = [str(m.message["subject"]) for m in faults.canary_mails if m.kind == "canary_failed"]
    assert [subject for subject in alarms if "FAILED: 250" in subject] == []


def test_no_secret_and_no_token_is_printed_stored_or_mailed(faults: Faults, states: States) -> None:
    """A value never reaches a log, an error, a page or a mail."""
    for world in (faults, states):
        everything = world.product.everything()
        everything += b"".join(mail.raw for mail in world.lab.submission.inbox)
        for value in [*world.lab.planted, *world.lab.entra.tokens]:
            assert value.encode() not in everything
