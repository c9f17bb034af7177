"""`ack`, `snooze` and `forecast` as people use them, on a store with facts in it."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from monitor.model import Kind, ObjectType, ObservedCredential, ObservedObject, Scan, ScanRecord
from monitor.store import Store
from tests.acceptance.command_line import (
    APP,
    GUID,
    Command,
    command,
    folder,
    own_log,
    ready,
)

__all__ = ["command", "folder", "own_log", "ready"]  # fixtures
DAY = timedelta(days=1)
KEYS = {"ab12cd34-0001": 20, "ab12cd34-0002": -3, "ff00cd34-0003": 200}


def store(folder: Path) -> Store:
    """The store of the command's folder."""
    return Store.open(f"sqlite:///{folder / 'lapsewatch.db'}")


def read(folder: Path, tenant: str, keys: dict[str, int]) -> None:
    """A complete scan that found secrets which end in so many days."""
    now = datetime.now(UTC).replace(microsecond=0)
    objects = tuple(
        ObservedObject(ObjectType.APPLICATION, f"object-{key}", key, f"App {days}", credentials=(
            ObservedCredential(Kind.SECRET, key, key, "x", now - 500 * DAY, now + days * DAY),
        ))
        for key, days in keys.items()
    )  # fmt: skip
    with store(folder) as opened:
        done = ScanRecord(tenant, now, now, complete=True)
        opened.record_scan(Scan(done, objects), zone=ZoneInfo("UTC"))


@pytest.fixture
def watched(ready: Command, folder: Path) -> Command:
    """Contoso, read and live; fabrikam, in shadow and never read."""
    rows = "".join(
        f'[[tenant]]\nname="{name}"\ndirectory_id="{GUID}{number}"\nclient_id="{APP}"\n'
        f'credential={{secret="env:X"}}\nrecipients=["it@{name}.example"]\n'
        for number, name in enumerate(("contoso", "fabrikam"), start=1)
    )
    (folder / "tenants.toml").write_text(rows)
    assert ready("tenant", "import", "tenants.toml").code == 0
    assert ready("tenant", "live", "contoso").code == 0
    read(folder, "contoso", KEYS)
    return ready


def notices(command: Command, *options: str) -> list[dict[str, Any]]:
    """The forecast of two months."""
    said = command("forecast", "--days", "60", "--json", *options)
    assert said.code == 0
    return list(said.json)


# --- ack ------------------------------------------------------------------------------------------


def test_acknowledging_one_keeps_it_quiet_until_its_next_stage(watched: Command) -> None:
    """By the start of its key id; the forecast and the next run know of it."""
    before = [row["stage"] for row in notices(watched) if row["key_id"] == "ab12cd34-0001"]
    assert before[:2] == ["30", "14"]
    [made] = watched("ack", "ab12cd34-0001", "--reason", "ordered", "--json").json
    assert (made["tenant"], made["new"], made["stage"]) == ("contoso", True, "30")
    assert (made["author"], made["reason"]) == (getpass.getuser(), "ordered")
    after = [row["stage"] for row in notices(watched) if row["key_id"] == "ab12cd34-0001"]
    assert after == before[1:]
    again = watched("ack", "ab12cd34-0001", "--by", "sam")
    assert f"acknowledged at stage 30 already, by {getpass.getuser()}; quiet" in again.out


def test_acknowledging_a_tenant_is_for_all_that_is_lapsed_or_due(watched: Command) -> None:
    """Afterwards nobody is told of it today; what is far off is as it was. Twice is no harm."""
    made = watched("ack", "--tenant", "contoso", "--by", "kim", "--json").json
    assert {row["key_id"]: row["stage"] for row in made} == {
        "ab12cd34-0002": "L0", "ab12cd34-0001": "30",
    }  # fmt: skip
    assert watched("run", "warn", "--dry-run", "--json").json == {"would_be_sent": []}
    again = watched("ack", "--tenant", "contoso", "--json").json
    assert [(row["new"], row["author"]) for row in again] == [(False, "kim")] * 2
    assert "Nothing is lapsed or due" in watched("ack", "--tenant", "fabrikam").out


def test_a_name_that_fits_several_or_none_is_told_with_the_candidates(
    watched: Command, folder: Path
) -> None:
    """In a form that can be typed; a tenant narrows it down, and nothing was silenced."""
    said = watched("ack", "ab12")
    assert said.code == 1
    assert '"ab12" fits 2 credentials: ' in said.err
    assert "ab12cd34-0001 (App 20, secret, contoso)" in said.err
    none = watched("snooze", "zz", "--for", "3d")
    assert none.code == 1
    assert 'There is no credential "zz". Perhaps: ab12cd34-0002 (App -3, secret' in none.err
    assert "Perhaps: ff00cd34-0003 (App 200" in watched("ack", "app 200").err
    read(folder, "fabrikam", {"ab12cd34-0001": 20})
    assert "fits 2 credentials" in watched("ack", "ab12cd34-0001").err
    with store(folder) as opened:
        assert opened.snoozes() == {}
    assert watched("ack", "ab12cd34-0001", "--tenant", "fabrikam").code == 0
    with store(folder) as opened:
        assert [key[0] for key in opened.snoozes()] == ["fabrikam"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["ack"], 2, "say --tenant NAME"),
        (["ack", "ff00"], 1, "is not due yet"),
        (["ack", "--tenant", "contosso"], 1, 'Did you mean "contoso"?'),
        (["snooze", "ff00"], 2, "either --until DATE or --for"),
        (["snooze", "ff00", "--for", "3d", "--until", "2099-01-01"], 2, "either --until"),
        (["snooze", "ff00", "--for", "soon"], 2, "must be a number and a unit"),
        (["snooze", "ff00", "--for", "999999999d"], 2, "too far ahead"),
        (["snooze", "ff00", "--until", "31.12.2026"], 2, "must be a date like 2026-12-31"),
        (["snooze", "ff00", "--until", "2020-01-01"], 1, "is over"),
        (["snooze", "ff00", "--for", "300d"], 1, "say --confirm-past-lapse"),
        (["forecast", "--days", "0"], 2, "greater than or equal to 1"),
        (["forecast", "--tenant", "contosso"], 1, 'Did you mean "contoso"?'),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(
    watched: Command, words: list[str], code: int, told: str
) -> None:
    """With the next step."""
    said = watched(*words)
    assert said.code == code
    assert told in " ".join(said.err.replace("│", " ").split())


# --- snooze ---------------------------------------------------------------------------------------


def test_a_snooze_is_shown_with_its_author_and_ends_when_it_says(
    watched: Command, folder: Path
) -> None:
    """By date in the tenant's zone, or for so long."""
    until = (datetime.now(UTC) + 5 * DAY).date()
    [made] = watched("snooze", "ab12cd34-0001", "--until", str(until), "--by", "kim", "--json").json
    assert (made["silence"], made["until"]) == ("snoozed", f"{until}T00:00:00Z")
    rows = [row for row in notices(watched) if row["key_id"] == "ab12cd34-0001"]
    assert rows[0]["at"] >= made["until"]
    assert (
        "snoozed already, by kim; quiet"
        in watched("snooze", "ab12cd34-0001", "--until", str(until)).out
    )
    assert watched("snooze", "ab12", "--for", "2d", "--tenant", "contoso").code == 1
    assert watched("snooze", "ab12cd34-0001", "--for", "2d").code == 0
    states = {
        row["key_id"]: row["state"] for row in watched("status", "--json").json["credentials"]
    }
    assert states["ab12cd34-0001"] == "snoozed"


def test_a_uid_from_the_status_names_a_credential(watched: Command) -> None:
    """For those that have no key id."""
    rows = watched("status", "--json").json["credentials"]
    uid = next(row["uid"] for row in rows if row["key_id"] == "ab12cd34-0002")
    assert watched("snooze", uid, "--for", "30d", "--confirm-past-lapse").code == 0
    assert not [row for row in notices(watched)[:1] if row["key_id"] == "ab12cd34-0002"]


# --- forecast -------------------------------------------------------------------------------------


def test_the_forecast_has_the_shape_that_scripts_rely_on(watched: Command) -> None:
    """Sorted by instant, recipient and tenant; instants in UTC to the second."""
    rows = notices(watched)
    assert set(rows[0]) == {
        "at", "to", "kind", "stage", "tenant", "app_name", "key_id", "mail",
        "leaves_by", "mailbox", "handed_over",
    }  # fmt: skip
    assert rows == sorted(rows, key=lambda row: (row["at"], row["to"], row["tenant"]))
    assert all(datetime.fromisoformat(row["at"]).microsecond == 0 for row in rows)
    assert {row["kind"] for row in rows} == {"reminder", "lapsed"}
    assert {row["to"] for row in rows} == {"it@contoso.example"}


def test_the_forecast_of_a_tenant_in_shadow_is_a_welcome_and_silence(
    watched: Command, folder: Path
) -> None:
    """And with --live what would come if it went live now."""
    read(folder, "fabrikam", {"cc00cd34-0001": 10})
    [first, *later] = notices(watched, "--tenant", "fabrikam")
    assert (first["kind"], first["stage"]) == ("welcome", "14")
    begins = (datetime.now(UTC) + 13 * DAY).isoformat()
    assert later
    assert all(row["at"] > begins for row in later)
    live = notices(watched, "--tenant", "fabrikam", "--live")
    assert [row["stage"] for row in live][:4] == ["14", "7", "3", "1"]


def test_the_forecast_in_words_says_what_it_cannot_foresee(watched: Command) -> None:
    """A tenant that was never read is not quiet, it is unknown."""
    said = watched("forecast", "--days", "30")
    assert "Not in it, because never read yet: fabrikam." in said.err
    assert "in the next 30 days, if nothing changes." in said.out
    assert "it@contoso.example" in said.out
    only = watched("forecast", "--days", "30", "--tenant", "contoso")
    assert only.err == ""


def test_the_forecast_says_how_long_a_mailboxs_limit_stretches_a_run(
    ready: Command, folder: Path
) -> None:
    """In words and, for each mail, in the JSON; without a limit a mail leaves when it is due."""
    (folder / "tenants.toml").write_text(
        f'[[tenant]]\nname="contoso"\ndirectory_id="{GUID}1"\nclient_id="{APP}"\n'
        'credential={secret="env:X"}\nrecipients=["a@x.example", "b@x.example", "c@x.example"]\n'
        f'[tenant.sender]\nmailbox="noreply@x.example"\nenterprise_object_id="{GUID}2"\n'
        "rate_per_minute=1\n"
    )
    assert ready("tenant", "import", "tenants.toml", "--live").code == 0
    read(folder, "contoso", {"ab12cd34-0001": 20})
    said = ready("forecast", "--days", "15")
    assert "3 mails at " in said.out
    assert "by noreply@x.example: the last leaves about " in said.out
    assert "(1 a minute)." in said.out
    rows = [row for row in notices(ready) if row["kind"] == "reminder"][:3]
    due = datetime.fromisoformat(rows[0]["at"])
    late = [datetime.fromisoformat(row["leaves_by"]) - due for row in rows]
    minute = timedelta(minutes=1)
    assert late == [timedelta(0), 2 * minute, 3 * minute]
    assert {row["mailbox"] for row in rows} == {"noreply@x.example"}


def test_looking_ahead_writes_nothing(watched: Command, folder: Path) -> None:
    """Neither mails nor slots."""
    notices(watched)
    with store(folder) as opened:
        assert opened.outbox() == []
        assert opened.last_slots("warn") == {}


def test_a_command_hands_over_and_takes_back(watched: Command, folder: Path) -> None:
    """Explain and forecast say so; an address that is none is refused."""
    assert watched("hand-over", "ab12cd34-0001").code == 2
    assert "no mail address" in watched("hand-over", "ab12cd34-0001", "--to", "Eve").err
    eve, it = "eve@msp.example", "it@contoso.example"
    said = watched("hand-over", "ab12cd34-0001", "--to", eve, "--by", it, "--reason", "hers")
    assert f"handed over to {eve}" in said.out
    told = watched("explain", "ab12cd34-0001", "--json").json
    [step] = [step for step in told["rules"] if step["outcome"] == "handed_over"]
    assert step["to"] == [eve]
    assert step["why"][0].startswith(f"handed over by {it} on ")
    coming = watched("forecast", "--json").json
    mine = {(row["to"], row["handed_over"]) for row in coming if row["key_id"] == "ab12cd34-0001"}
    assert mine == {(eve, it)}
    assert {row["to"] for row in coming if row["key_id"] == "ab12cd34-0002"} == {it}
    [line] = watched("audit", "--json").json[:1]
    assert (line["who"], line["what"], line["why"]) == (it, "hand over", "hers")
    assert line["about"].endswith(f" to {eve}")
    assert watched("hand-over", "ab12cd34-0001", "--undo").code == 0
    assert watched("hand-over", "ab12cd34-0001", "--undo").code == 1
    again = watched("forecast", "--json").json
    assert {row["to"] for row in again if row["key_id"] == "ab12cd34-0001"} == {it}
    assert watched("audit", "--json").json[0]["what"] == "take a hand-over back"


def test_the_audit_log_says_who_did_what_and_a_purge_takes_its_lines(watched: Command) -> None:
    """By name where one is given, else by the user of this machine; refused asks leave no line."""
    watched("ack", "ab12cd34-0001", "--by", "Ann", "--reason", "Ticket 4711")
    watched("snooze", "ab12cd34-0002", "--for", "30d")  # refused: past its lapse
    watched("snooze", "ff00cd34", "--for", "10d")
    lines = watched("audit", "--json", "--tenant", "contoso").json
    assert [(one["what"], one["how"]) for one in lines] == [
        ("snooze", "command"), ("acknowledge", "command"), ("tenant live", "command"),
        ("tenant import", "command"),
    ]  # fmt: skip
    assert lines[-1]["why"] == "added, from tenants.toml"
    assert (lines[1]["who"], lines[1]["why"]) == ("Ann", "Ticket 4711")
    assert "ab12cd34-0001" in lines[1]["about"]
    assert lines[0]["who"].startswith(f"{getpass.getuser()}@")
    assert "Ann: acknowledge" in watched("audit").out
    assert watched("tenant", "purge", "contoso", "--yes").code == 0
    assert "contoso" not in watched("audit", "--json").out
    assert watched("audit", "--json").json[0]["what"] == "tenant purge"


def test_what_changes_a_tenant_leaves_a_line_and_what_changes_nothing_leaves_none(
    watched: Command,
) -> None:
    """By whom, when and why; a dry run and a file that says the same are nothing to keep."""
    before = watched("audit", "--json").json
    watched("tenant", "import", "tenants.toml")
    watched("tenant", "import", "tenants.toml", "--dry-run")
    assert watched("audit", "--json").json == before
    said = watched("tenant", "accept", "contoso", "--by", "Ann", "--reason", "moved away")
    assert said.code == 0
    zone = ("tenant", "update", "contoso", "--time-zone", "Asia/Tokyo", "--no-test")
    assert watched(*zone).code == 0
    last, first = watched("audit", "--json").json[:2]
    assert (first["who"], first["what"], first["why"]) == ("Ann", "tenant accept", "moved away")
    assert (last["what"], last["why"]) == ("tenant update", "changed: time_zone")
    assert "Asia/Tokyo" not in str(last)


def test_verify_says_what_it_could_not_read(watched: Command) -> None:
    """Without a way into the tenant nothing is concluded, and a line says that somebody looked."""
    said = watched("verify", "ab12cd34-0001", "--json")
    assert said.code == 5
    assert said.json["result"] == "unread"
    assert said.json["over"] is False
    assert "cannot be read" in said.json["words"][0]
    assert watched("audit", "--json").json[0]["what"] == "verify"
    assert watched("verify", "nobody").code == 1
