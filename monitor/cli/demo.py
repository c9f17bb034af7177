"""`demo`: the whole product against the simulated Microsoft cloud on this machine."""

from __future__ import annotations

import sys
import webbrowser
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from monitor.cli.terminal import print_json
from monitor.errors import UsageError
from monitor.fields.problems import printable

if TYPE_CHECKING:
    from monitor.demo import Demo


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("demo")(demo)


def demo(
    context: typer.Context,
    once: Annotated[
        bool, typer.Option("--once", help="One full cycle, without a browser.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    days: Annotated[
        int, typer.Option(help="Live through this many days; print what was sent on which.")
    ] = 0,
    port: Annotated[
        int, typer.Option(help="Port of the status page (0: any).", min=0, max=65535)
    ] = 8080,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
) -> None:
    """Watch fictional tenants. Nothing leaves this machine.

    Exit code with --once and --days: as `lapsewatch status`.
    """
    from monitor import log

    try:
        from monitor import demo as stage
        from monitor import sandbox
    except ImportError as error:
        raise UsageError(
            f"The demo needs the extra [sandbox] ({error.name} is missing).",
            remedy='Install it with: pip install "lapsewatch[sandbox]"',
        ) from None
    del sandbox
    log.set_up(level=context.obj["log_level"] or "error", form="auto")
    with stage.demo() as show:
        print(stage.SAYS_SO, file=sys.stderr)
        if days > 0:
            raise typer.Exit(_days(show, days, as_json=as_json))
        stage.one_cycle(show)
        summary = _summary(show)
        if once:
            _tell(summary, as_json=as_json)
            raise typer.Exit(int(summary["exit_code"]))
        _tell(summary, as_json=False)
        _serve(show, port, browser=browser)


def _summary(show: Demo) -> dict[str, Any]:
    """The shape scripts rely on: counts by state, the mails, the exit code of `status`."""
    report = show.app.report()
    return {
        "tenants": report.tenant_counts(),
        "credentials": report.credential_counts(),
        "canaries": report.canary_counts(),
        "mails": _mails(show),
        "exit_code": report.exit_code,
        "verdict": report.verdict,
        "problems": {row.tenant.name: row.problem for row in report.tenants if row.problem},
        "sandbox": "nothing left this machine",
    }


def _mails(show: Demo) -> list[dict[str, Any]]:
    """What really arrived in the inbox, oldest first, with the tenants each mail is about."""
    about = {row.message_id: row.tenants for row in show.app.store.outbox(limit=100_000)}
    about |= {
        probe.message_id: (probe.tenant,)
        for probe in show.app.store.probes(limit=100_000)
        if probe.message_id
    }
    mails = []
    for message in show.cloud.inbox.messages:
        tenants = about.get(message.message_id, ())
        mails.append(
            {
                "kind": message.header("X-Lapsewatch-Kind"),
                "to": ", ".join(message.rcpt_to),
                "subject": message.subject,
                "tenant": tenants[0] if len(tenants) == 1 else None,
                "tenants": list(tenants),
                "sent_as": message.auth_user,
            }
        )
    return mails


def _tell(summary: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(summary)
        return
    print(summary["verdict"])
    for word in ("tenants", "credentials", "canaries"):
        counts = ", ".join(f"{number} {state}" for state, number in sorted(summary[word].items()))
        print(f"  {word:12} {counts}")
    for name, problem in summary["problems"].items():
        print(f"  {name}: {printable(problem, 300)}")
    print(f"  {len(summary['mails'])} mails were sent:")
    for mail in summary["mails"]:
        print(f"    {mail['kind']:14} {mail['to']:34} {printable(mail['subject'], 110)}")


def _days(show: Demo, days: int, *, as_json: bool) -> int:
    """Print what arrived on each day, then how the world stands."""
    from monitor.demo import day_by_day

    zone = ZoneInfo(show.app.configuration.operator_zone)
    diary = []
    for now, messages in day_by_day(show, days):
        sent = [(m.header("X-Lapsewatch-Kind"), ", ".join(m.rcpt_to), m.subject) for m in messages]
        day = f"{now.astimezone(zone):%a %Y-%m-%d}"
        diary.append(
            {
                "day": day,
                "mails": [dict(zip(("kind", "to", "subject"), mail, strict=True)) for mail in sent],
            }
        )
        if not as_json:
            canaries = Counter(kind for kind, _, _ in sent)["canary"]
            print(f"{day}: {len(sent)} mails, {canaries} of them canaries")
            for kind, to, subject in sent:
                if kind != "canary":
                    print(f"    {kind or '':14} {to:34} {printable(subject, 110)}")
    report = show.app.report()
    if as_json:
        print_json({"days": diary, "verdict": report.verdict, "exit_code": report.exit_code})
    else:
        print(report.verdict)
    return report.exit_code


def _serve(show: Demo, port: int, *, browser: bool) -> None:
    """Run the service against the sandbox and open the page."""
    from jobs.scheduler import Service
    from monitor.demo import SAYS_SO

    def ready(url: str) -> None:
        print(f"\nStatus page: {url}\nInbox:       {show.cloud.inbox_url}\nCtrl+C stops it.")
        if browser and sys.stdout.isatty():
            webbrowser.open(url)

    Service(
        show.app,
        host="127.0.0.1",
        port=port,
        banner=SAYS_SO,
        inbox_url=show.cloud.inbox_url,
        on_ready=ready,
        setup=False,  # its tenants are all there, and go with it
    ).run()
