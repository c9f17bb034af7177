"""Notes and watched dates from the file or a command, to the status, the mails and a silence."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.cli.root import run
from monitor.sandbox.tls import Authority
from tests.acceptance.command_line import own_log
from tests.acceptance.test_import_again import APP_ONE, ONE, import_, settings, tenant

__all__ = ["own_log", "settings"]  # fixtures

CONTOSO = tenant("contoso", ONE, f'client_id = "{APP_ONE}"\ncredential = {{secret="env:X"}}\n')
SOON = datetime.now(UTC).date() + timedelta(days=5)
NOTE = '[[note]]\ntenant = "contoso"\napp = "*"\nkind = "item"\nwhere = ["CRM"]\n'
PUSH = (
    f'[[item]]\ntenant = "contoso"\nname = "Push"\nsort = "apple_push"\nend = {SOON}\n'
    'where = ["Intune"]\nowner = "Kim"\nrunbook = "https://wiki.contoso.example/push"\n'
)
Said = pytest.CaptureFixture[str]


def said(settings: Path, capsys: Said, *arguments: str) -> str:
    """What a command prints."""
    capsys.readouterr()
    run(["-c", str(settings), *arguments])
    return capsys.readouterr().out


def credentials(settings: Path, capsys: Said) -> list[dict[str, object]]:
    """The credentials that the status has."""
    found: list[dict[str, object]] = json.loads(said(settings, capsys, "status", "--json"))[
        "credentials"
    ]
    return found


def test_a_watched_date_is_in_the_status_with_where_its_new_value_goes(
    settings: Path, capsys: Said
) -> None:
    """From the import on, although no scan was made yet."""
    assert import_(settings, CONTOSO + NOTE + PUSH) == 0
    (one,) = credentials(settings, capsys)
    assert (one["kind"], one["object_type"], one["app_name"]) == ("item", "item", "Push")
    assert (one["state"], one["days_left"]) == ("critical", 5)
    assert one["note"] == {
        "used_by": [], "where": ["Intune"], "owner": "Kim",
        "runbook": "https://wiki.contoso.example/push", "remark": None,
    }  # fmt: skip
    page = settings.with_name("page.html")
    said(settings, capsys, "status", "--html", str(page))
    text = page.read_text()
    assert "Enter the new value at: 1. <bdi>Intune</bdi>" in text
    assert "<code>https://wiki.contoso.example/push</code>" in text
    assert 'href="https://wiki' not in text


def test_a_watched_date_can_be_acknowledged_and_forecast(settings: Path, capsys: Said) -> None:
    """Like a credential, by the id that the status shows."""
    file = settings.read_text()
    settings.write_text(file + '[operator]\nrecipients = ["noc@msp.example"]\n')
    assert import_(settings, CONTOSO + PUSH, "--live") == 0
    (one,) = credentials(settings, capsys)
    lines = json.loads(said(settings, capsys, "forecast", "--days", "10", "--json"))
    assert {line["key_id"] for line in lines} == {one["key_id"]}
    told = said(settings, capsys, "ack", str(one["key_id"]), "--reason", "ordered")
    assert "acknowledged at stage 7" in told
    assert credentials(settings, capsys)[0]["state"] == "snoozed"


def test_an_import_without_the_item_removes_it_and_an_export_holds_it(
    settings: Path, capsys: Said
) -> None:
    """The file is what counts, unless it says nothing about the tenant's dates."""
    other = PUSH.replace("Push", "Other").replace("apple_push", "contract")
    assert import_(settings, CONTOSO + PUSH + other) == 0
    text = said(settings, capsys, "tenant", "export")
    assert import_(settings, text) == 0
    assert said(settings, capsys, "tenant", "export") == text
    assert import_(settings, CONTOSO + other) == 0
    states = {row["app_name"]: row["state"] for row in credentials(settings, capsys)}
    assert states == {"Push": "removed", "Other": "critical"}
    assert import_(settings, CONTOSO) == 0
    assert {row["app_name"]: row["state"] for row in credentials(settings, capsys)} == states


def test_a_dry_run_keeps_nothing_and_a_bad_row_is_told(settings: Path, capsys: Said) -> None:
    """With its line; the other rows are kept."""
    assert import_(settings, CONTOSO) == 0
    assert import_(settings, CONTOSO + PUSH, "--dry-run") == 0
    assert credentials(settings, capsys) == []
    assert import_(settings, CONTOSO + PUSH, "--dry-run") == 0
    assert "0 notes and 1 item would be kept." in capsys.readouterr().out
    bad = PUSH.replace(str(SOON), '"soon"').replace("Push", "Bad")
    assert import_(settings, CONTOSO + bad + PUSH) == 1
    shown = capsys.readouterr()
    assert "0 notes and 1 item kept." in shown.out
    assert "line 11, Bad: end: must be a date" in shown.err


def test_a_note_is_set_listed_and_removed_by_commands(settings: Path, capsys: Said) -> None:
    """For those who keep no file."""
    assert import_(settings, CONTOSO + PUSH) == 0
    command = ["note", "set", "contoso", "Pu*", "--where", "KeePass", "--where", "Intune"]
    assert "about 1 credential of contoso" in said(settings, capsys, *command, "--owner", "Ada")
    (one,) = json.loads(said(settings, capsys, "note", "list", "contoso", "--json"))
    assert (one["app"], one["where"], one["by_hand"]) == ("Pu*", ["KeePass", "Intune"], True)
    assert "KeePass" in said(settings, capsys, "note", "list")
    assert said(settings, capsys, "note", "remove", "contoso", "pu*") == "Removed.\n"
    assert run(["-c", str(settings), "note", "remove", "contoso", "Pu*"]) == 1
    assert run(["-c", str(settings), *command, "--runbook", "http://x.example"]) == 1
    assert "must be an https address" in capsys.readouterr().err


@contextmanager
def mail_server(folder: Path) -> Iterator[int]:
    """A server that shows its certificate to whoever comes; yields the port."""
    context: ssl.SSLContext = Authority(folder).server_context()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                with sock, suppress(OSError):
                    context.wrap_socket(sock, server_side=True).close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=10)


def test_a_servers_certificate_is_read_at_once_and_at_each_scan(
    settings: Path, tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gone, it keeps its end, and the status says that this is old."""
    monkeypatch.setenv("X", "secret-value")
    cloud = '[clouds.lab]\nauthority = "https://127.0.0.1:9"\ngraph = "http://127.0.0.1:9"\n'
    more = 'graph_scope = "x/.default"\nsmtp_host = "127.0.0.1"\nsmtp_port = 9\nsmtp_scope = "y"\n'
    settings.write_text(settings.read_text() + cloud + more)
    entry = CONTOSO.replace("client_id", 'cloud = "lab"\nclient_id')
    assert import_(settings, entry) == 0
    with mail_server(tmp_path) as port:
        command = ["item", "add", "contoso", "Mail", "--host", f"127.0.0.1:{port}"]
        assert "Mail is watched: it ends " in said(settings, capsys, *command)
        (before,) = credentials(settings, capsys)
    said(settings, capsys, "run", "scan")  # the directory cannot be read, nor can the server
    (after,) = credentials(settings, capsys)
    assert (after["end"], after["as_of"]) == (before["end"], before["as_of"])
    assert after["stale"]
    status = json.loads(said(settings, capsys, "status", "--json"))
    assert "1 watched date cannot be read" in status["verdict"]
    assert "127.0.0.1" in status["tenants"][0]["unread_dates"][0]
    listed = json.loads(said(settings, capsys, "item", "list", "--json"))
    assert listed[0]["problem"]
    assert listed[0]["end"] == before["end"]
    assert "no longer watched" in said(settings, capsys, "item", "remove", "contoso", "Mail")
    assert credentials(settings, capsys)[0]["state"] == "removed"


def test_an_item_that_makes_no_sense_is_refused(settings: Path, capsys: Said) -> None:
    """By the rules of the file."""
    assert import_(settings, CONTOSO) == 0
    for bad in (
        ["item", "add", "contoso", "X"],
        ["item", "add", "contoso", "X", "--end", "soon"],
        ["item", "add", "contoso", "X", "--end", "2030-01-01", "--sort", "pfx"],
        ["item", "add", "nobody", "X", "--end", "2030-01-01"],
        ["item", "remove", "contoso", "X"],
    ):
        assert run(["-c", str(settings), *bad]) == 1
