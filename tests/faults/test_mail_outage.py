"""Three days without mail, in every form: nothing is lost, nobody gets the pile, and it is told.

`make outages` runs all of them in steps of half an hour; the tests run four in larger ones.
"""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import cycle
from pathlib import Path

import pytest

from jobs.send_warnings import deliver, send_warnings
from monitor.config import load
from monitor.model import OutboxState
from monitor.sandbox import SmtpFault
from monitor.wiring import App
from tests.integration.hook_server import HookServer
from tests.integration.stage import HOUR, MINUTE, SIX, Stage, stage, story

FORMS: dict[str, SmtpFault | None] = {
    "refused": None,
    "dropped-at-connect": SmtpFault("CONNECT", drop=True),
    "dropped-at-auth": SmtpFault("AUTH", drop=True),
    "dropped-after-data": SmtpFault("DATA", drop=True),
    "dropped-at-end": SmtpFault("END", drop=True),
    "hang": SmtpFault("MAIL", delay=1.5),
    "421": SmtpFault("CONNECT", reply="421 4.3.2 Service not available"),
    "451": SmtpFault("MAIL", reply="451 4.7.500 Server busy. Please try again later"),
    "535": SmtpFault("AUTH", reply="535 5.7.3 Authentication unsuccessful"),
    "550": SmtpFault("MAIL", reply="550 5.7.60 SMTP; Client does not have permissions to send"),
    "no-starttls": SmtpFault("STARTTLS", reply="502 5.3.3 Command not implemented"),
}
SHORT = ("refused", "451", "535", "dropped-at-end")
ZONES = ("Europe/Berlin", "UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe",
    "Pacific/Apia")  # fmt: skip
DAYS = 3
DIGESTS = ("reminder", "lapsed", "covered")


@contextmanager
def broken(show: Stage, folder: Path, form: str) -> Iterator[Stage]:
    """Mail breaks in that form; what it was before comes back afterwards."""
    fault = FORMS[form]
    file = folder / "lapsewatch.toml"
    before = file.read_text("utf-8")
    if fault is None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            closed = free.getsockname()[1]
        port = next(
            cloud.smtp_port
            for cloud in show.configuration.clouds.values()
            if cloud.smtp_host in ("127.0.0.1", "localhost")
        )
        file.write_text(before.replace(str(port), str(closed)), "utf-8")
    else:
        show.cloud.world.exchange.faults = [fault]
    try:
        with App(load(file), clock=show.clock.now) as app:
            yield replace(show, app=app)
    finally:
        file.write_text(before, "utf-8")
        show.cloud.world.exchange.faults = []


def tick(show: Stage) -> None:
    """What the service does: read, warn, send."""
    show.scan()
    send_warnings(show.app, due_only=True)
    deliver(show.app)


def live(show: Stage, hours: float, step: timedelta) -> None:
    """So many hours of it."""
    end = show.clock.now() + hours * HOUR
    while show.clock.now() < end:
        tick(show)
        show.at(show.clock.now() + step)


def with_fallback(folder: Path, hook: HookServer) -> None:
    """Name the receiver as the way to take where mail is broken."""
    (folder / "hook-secret").write_text("a-signing-secret")
    file = folder / "lapsewatch.toml"
    text = file.read_text("utf-8").replace("[operator]\n", '[operator]\nfallback = ["hook"]\n', 1)
    text += (
        f'\n[[channel]]\nname = "hook"\n[channel.webhook]\nurl = "https://127.0.0.1:{hook.port}/"\n'
        f'secret = "file:hook-secret"\nallow_private = true\nany_port = true\n'
        f'ca_file = "{hook.ca_file}"\n[deadlines]\nread = "1s"\n'
    )
    file.write_text(text, "utf-8")


def told(hook: HookServer) -> list[tuple[str, str, str]]:
    """What the channel was told: kind, id and day."""
    bodies = [json.loads(body) for _, body in hook.seen]
    return [(body["kind"], body["id"], body["at"][:10]) for body in bodies]


def outage(
    folder: Path, form: str, step: timedelta, zone: str = ZONES[0]
) -> tuple[Stage, HookServer]:
    """Three days in that form, and one more with mail; the hook's and the inbox's evidence."""
    hooks = folder / "hooks"
    hooks.mkdir()
    # Stages are reached while mail is broken, and none on the day after, in no zone.
    tenants = [story("contoso", SIX, 9, 40, zone=zone), story("fabrikam", SIX, 20)]
    with HookServer(hooks) as hook, stage(folder, *tenants) as show:
        with_fallback(folder, hook)
        with broken(show, folder, form) as down:
            live(down, DAYS * 24, step)
        with App(load(folder / "lapsewatch.toml"), clock=show.clock.now) as app:
            up = replace(show, app=app)
            live(up, 20, step)
            rows = app.store.outbox(limit=1000)
            assert {row.state for row in rows} <= {OutboxState.SENT, OutboxState.WITHDRAWN}
            check(up, hook)
    return show, hook


def check(show: Stage, hook: HookServer) -> None:
    """One digest for each recipient, and one message a day by the channel."""
    digests = [
        (message.rcpt_to[0], message.header("X-Lapsewatch-Kind"))
        for message in show.cloud.inbox.messages
        if message.header("X-Lapsewatch-Kind") in DIGESTS
    ]
    people = Counter(recipient for recipient, _ in digests)
    assert len(people) == 2, digests
    assert set(people.values()) == {1}, digests
    said = told(hook)
    broken_days = Counter(day for kind, _, day in said if kind == "mail_path_broken")
    assert len(broken_days) == DAYS, said
    assert set(broken_days.values()) == {1}, said
    ends = [kind for kind, *_ in said if kind == "recovered"]
    assert len(ends) == 1, said


@pytest.mark.parametrize(("form", "zone"), list(zip(SHORT, ZONES[1:], strict=False)))
def test_three_days_without_mail_end_with_one_digest_each(
    tmp_path: Path, form: str, zone: str
) -> None:
    """Nothing is lost, and exactly one message a day says that mail is broken."""
    outage(tmp_path, form, 3 * HOUR, zone)


def test_a_process_that_dies_with_the_message_sends_it_once_more_under_its_id(
    tmp_path: Path,
) -> None:
    """At least once, at most one extra; the receiver drops it by its id. A restart adds none."""
    (tmp_path / "hooks").mkdir()
    with HookServer(tmp_path / "hooks") as hook, stage(tmp_path, story("contoso", SIX, 7)) as show:
        with_fallback(tmp_path, hook)
        with broken(show, tmp_path, "535") as down:
            live(down, 3, HOUR)
            watch = down.app.outgoing.outage_watch
            assert [kind for kind, *_ in told(hook)] == ["mail_path_broken"]
            down.at(down.clock.now() + 25 * HOUR)
            assert watch.run()  # a day later it is said again …
            taken = down.app.store.claim(
                down.clock.now(), owner="gone|1", lease=MINUTE, owner_is_dead=lambda _: False
            )
            [row] = [one for one in taken if one.path == "channel:hook"]
            with down.app.carriers.connect(row.path) as opened:
                opened.send(row)  # … and the process dies before it can write that down
            down.at(down.clock.now() + 10 * MINUTE)
            with App(load(tmp_path / "lapsewatch.toml"), clock=show.clock.now) as anew:
                deliver(anew)
                deliver(anew)
            last = [one for kind, one, _ in told(hook) if kind == "mail_path_broken"]
    assert last[1:] == [row.id, row.id]
    assert hook.seen[-1][1] == hook.seen[-2][1]


def test_the_next_fallback_takes_what_the_first_refuses(tmp_path: Path) -> None:
    """In the same round: mail is broken already, so nothing is waited for."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with (
        HookServer(tmp_path / "one", status=500) as first,
        HookServer(tmp_path / "two") as second,
        stage(tmp_path, story("contoso", SIX, 7)) as show,
    ):
        with_fallback(tmp_path, second)
        file = tmp_path / "lapsewatch.toml"
        text = file.read_text("utf-8").replace('["hook"]', '["bad", "hook"]')
        start = text.index("[[channel]]")
        bad = text[start : text.index("[deadlines]")].replace('"hook"\n', '"bad"\n')
        bad = bad.replace(str(second.port), str(first.port)).replace("/two/", "/one/")
        file.write_text(text[:start] + bad + text[start:], "utf-8")
        with broken(show, tmp_path, "535") as down:
            live(down, 3, HOUR)
        assert len(first.seen) == 1
        assert [kind for kind, *_ in told(second)] == ["mail_path_broken"]
        assert "MAIL PATH BROKEN" in json.loads(second.seen[0][1])["subject"]


def test_without_a_fallback_nothing_is_written_and_all_of_it_waits(tmp_path: Path) -> None:
    """The page, the status and the exit code say so, as before."""
    with stage(tmp_path, story("contoso", SIX, 7)) as show, broken(show, tmp_path, "535") as down:
        live(down, 5, HOUR)
        kinds = {str(row.mail.kind) for row in down.app.store.outbox()}
        assert "mail_path_broken" not in kinds
        assert down.app.report().exit_code != 0


@pytest.mark.outages
@pytest.mark.parametrize(("form", "zone"), list(zip(FORMS, cycle(ZONES), strict=False)))
def test_three_days_without_mail_in_every_form(tmp_path: Path, form: str, zone: str) -> None:
    """The same in steps of half an hour."""
    outage(tmp_path, form, 30 * MINUTE, zone)


@pytest.mark.outages
@pytest.mark.parametrize("zone", ZONES)
def test_three_days_without_mail_in_every_zone(tmp_path: Path, zone: str) -> None:
    """Each has its own hour at which mail comes back, and its own date."""
    outage(tmp_path, "451", 30 * MINUTE, zone)
