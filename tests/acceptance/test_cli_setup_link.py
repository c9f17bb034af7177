"""The way into the set-up pages from the command line: printed to people, never into a log."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic

import httpx

from monitor.config import load
from monitor.web.setup import admission_of
from monitor.wiring import App
from tests.acceptance.command_line import Command, command, folder, own_log

__all__ = ["command", "folder", "own_log"]  # fixtures

LINK = re.compile(r"(http://\S+)/setup/open/([A-Za-z0-9_-]{43})\s")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_the_link_opens_and_only_its_digest_is_kept(command: Command, folder: Path) -> None:
    """It works for the page of the same database; the token is not in it."""
    assert command("init").code == 0
    said = command("setup-link", "--minutes", "5")
    found = LINK.match(said.out)
    assert (said.code, bool(found)) == (0, True), said
    assert found
    assert found[1] == "http://127.0.0.1:8080"
    assert "It works once, within 5 minutes." in said.out
    assert "lapsewatch serve" in said.out  # nothing runs here
    assert found[2] not in said.err
    stored = b"".join(file.read_bytes() for file in folder.glob("lapsewatch.db*"))
    assert found[2].encode() not in stored
    with App(load(folder / "lapsewatch.toml")) as app:
        assert admission_of(app).opens(found[2])


def test_the_address_is_the_one_that_browsers_use(command: Command, folder: Path) -> None:
    """Behind a proxy that is base_url."""
    settings = '[operator]\nrecipients = ["a@b.example"]\nbase_url = "https://watch.b.example/"\n'
    (folder / "lapsewatch.toml").write_text(settings)
    assert command("setup-link").out.startswith("https://watch.b.example/setup/open/")
    for host, shown in (("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::1", "[::1]")):
        (folder / "lapsewatch.toml").write_text(f'[web]\nhost = "{host}"\nport = 9000\n')
        assert command("setup-link").out.startswith(f"http://{shown}:9000/setup/open/")


def test_minutes_are_bounded(command: Command) -> None:
    """Neither none nor for ever."""
    command("init")
    assert [command("setup-link", "--minutes", text).code for text in ("0", "1441", "x")] == [2] * 3


def test_serve_prints_a_link_at_a_terminal_and_into_no_log(folder: Path) -> None:
    """A person at the terminal gets one; a container's log must hold no way in."""
    (folder / "lapsewatch.toml").write_text('[database]\nurl = "sqlite:///lapsewatch.db"\n')
    shown, _ = served(folder, at_terminal=True)
    found = LINK.search(shown)
    assert found, shown
    piped, logged = served(folder, at_terminal=False)
    assert "page_ready" in logged
    assert "/setup/open/" not in piped + logged


def served(folder: Path, *, at_terminal: bool) -> tuple[str, str]:
    """What `serve` writes to standard output and to its log until the page is ready."""
    ours, theirs = pty.openpty() if at_terminal else os.pipe()
    log = folder / "log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "monitor", "serve", "--port", "0"],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=theirs, stderr=errors,
        )  # fmt: skip
    os.close(theirs)
    shown, deadline = b"", monotonic() + 60
    wanted = (lambda: b"/setup/open/" in shown and shown.endswith(b"\n")) if at_terminal else (
        lambda: b"page_ready" in log.read_bytes()
    )  # fmt: skip
    while not wanted() and monotonic() < deadline and process.poll() is None:
        if select.select([ours], [], [], 0.1)[0]:
            shown += os.read(ours, 4096)
    if at_terminal and (found := LINK.search(shown.decode())):
        answer = httpx.post(found[0].strip(), headers=FORM)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/setup")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    while select.select([ours], [], [], 0)[0]:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the terminal's other side is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    return shown.decode(), log.read_text()
