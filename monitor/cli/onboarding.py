"""`tenant add`: from nothing to a proven tenant, asked step by step or said at once."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli import options
from monitor.cli.auditing import record
from monitor.cli.tenants import complain_of_rows, tenant
from monitor.cli.terminal import EXIT_LEFT, ask, many, print_json, wired
from monitor.errors import UsageError
from monitor.fields.problems import printable

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.cli.unattended import Outcome
    from monitor.model import Tenant
    from monitor.wiring import App

_Name = Annotated[str | None, typer.Argument(help="What to call the tenant: short, unique.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module; `tenant` itself is in the tree already."""
    del app
    tenant.command("add")(add)


def add(
    context: typer.Context,
    name: _Name = None,
    cloud: options.Cloud = None,
    directory_id: options.Directory = None,
    client_id: options.Client = None,
    shared_app: options.SharedApp = None,
    credential: options.Credential = None,
    secret_stdin: options.SecretStdin = False,
    certificate: options.Certificate = None,
    password: options.Password = None,
    federated: options.Federated = None,
    managed_identity: options.ManagedIdentity = None,
    mailbox: options.Mailbox = None,
    model: options.ModelOption = None,
    object_id: options.ObjectId = None,
    recipient: options.Recipients = None,
    time_zone: options.TimeZone = None,
    canary_to: options.CanaryTo = None,
    arrival: options.Arrival = None,
    file: options.TenantsFile = None,
    anyway: options.Anyway = False,
    no_test: options.NoTest = False,
    no_input: options.NoInput = False,
    as_json: options.AsJson = False,
) -> None:
    """Set up a tenant step by step, from nothing to a proven mail path.

    At a terminal it asks for what no option says. It may be left and gone on with: the answers
    are kept. Without a terminal, or with --no-input, all has to be said; then exit code 1 means
    that something is wrong and the tenant is not watched.
    """
    with wired(context) as app:
        app.make_database()
        app.sealed.check()
        options.refuse_two_apps(shared_app, client_id)
        given = options.answers(
            cloud=cloud, directory_id=directory_id, client_id=client_id, app=shared_app,
            mailbox=mailbox, model=model, enterprise_object_id=object_id, time_zone=time_zone,
            recipients=None if recipient is None else ", ".join(recipient), canary_to=canary_to,
            arrival=arrival,
            **options.sign_in(credential, secret_stdin, certificate, password, federated,
                       managed_identity),
        )  # fmt: skip
        if file is None and not (no_input or as_json or not sys.stdin.isatty()):
            _add_at_terminal(app, name or _ask_name(app), given, test=not no_test)
            return
        told, bad = _add_unasked(app, file, name, given, anyway=anyway, test=not no_test)
    _tell(told, as_json=as_json)
    raise typer.Exit(max((one.exit_code for one in told), default=1) or bad)


def _add_unasked(
    app: App,
    file: Path | None,
    name: str | None,
    given: dict[str, str],
    *,
    anyway: bool,
    test: bool,
) -> tuple[list[Outcome], int]:
    """What came of each tenant, and the exit code that wrong rows of the file are worth."""
    from monitor.cli.unattended import add_from_file, add_from_options

    if file is None:
        return [add_from_options(app, _needed(name), given, anyway=anyway, test=test)], 0
    _only_the_file(given)
    told, found = add_from_file(app, file, only=name, anyway=anyway, test=test)
    return told, complain_of_rows(file, found.warnings, found.errors)


def _tell(told: list[Outcome], *, as_json: bool) -> None:
    if as_json:
        print_json([one.as_json() for one in told])
        return
    for one in told:
        one.tell()


def _only_the_file(given: dict[str, str]) -> None:
    if given:
        raise typer.BadParameter(
            "its rows say all, so leave out what describes one tenant", param_hint="--file"
        )


def _needed(name: str | None) -> str:
    if name is None:
        raise UsageError("What is the tenant called?", remedy="lapsewatch tenant add NAME …")
    return name


def _ask_name(app: App) -> str:
    """The tenant's name; a set-up that was left is offered first."""
    from monitor.cli.telling import say
    from monitor.wizard.answers import check_name

    drafts = [draft.name for draft in app.wizard.drafts()]
    if drafts:
        print(f"Begun and not finished: {', '.join(drafts)}")
    first = drafts[0] if drafts else ""
    while True:
        label = "What to call the tenant (short, unique)"
        try:
            return check_name(ask(label, default=first, shown=bool(first)))
        except UsageError as error:
            say(error.message, indent=2)
        except (typer.Abort, KeyboardInterrupt, EOFError):
            print("\nLeft. Nothing was begun.")
            raise typer.Exit(EXIT_LEFT) from None


def _add_at_terminal(app: App, name: str, given: dict[str, str], *, test: bool) -> None:
    from monitor.cli.guide import Guide, LeftError
    from monitor.cli.telling import tell_next
    from monitor.wizard.answers import check_name

    name = check_name(name)
    entry = app.store.tenant(name)
    guide = Guide(app, name, given)
    try:
        if entry is None:
            entry = guide.lead()
            record(app, "tenant add", entry.name, entry.name)
            read_once(app, entry)
        else:
            _only_unproven(app, entry, given)
        if test:
            guide.prove(entry)
        tell_next(app, entry)
    except (LeftError, typer.Abort, KeyboardInterrupt, EOFError):
        print()
        if entry is None:
            print(f"Left. What you answered is kept; go on with: lapsewatch tenant add {name}")
        else:
            print(f"Left. {entry.name} is watched, and its mail path is not confirmed.")
            print(f"Go on with: lapsewatch tenant verify {entry.name}")
        raise typer.Exit(EXIT_LEFT) from None


def _only_unproven(app: App, entry: Tenant, given: dict[str, str]) -> None:
    """Go on with a tenant whose test mail is all that is missing.

    Raises:
        UsageError: nothing is missing.
    """
    if given:
        raise UsageError(
            f"{entry.name} is watched already, so nothing that you said here would change it.",
            remedy=f"Say it to: lapsewatch tenant update {entry.name}",
        )
    if entry.pending:
        raise UsageError(
            f"{entry.name} was discovered and waits for the consent of its administrator.",
            remedy=f"The link for that: lapsewatch tenant show {entry.name}",
        )
    sender = app.wizard.sender(entry)
    health = app.store.health_of_sender(entry.name, sender.mailbox) if sender else None
    if health is None or (health.last_ok is not None and not health.doubt):
        raise UsageError(
            f"{entry.name} is watched already.",
            remedy=f"See: lapsewatch tenant show {entry.name}. To change it: tenant update.",
        )
    print(f"{entry.name} is watched already; only its mail path is not proven yet.")


def read_once(app: App, entry: Tenant) -> None:
    """Read the tenant now, and say what came of it."""
    from jobs.scan_tenants import scan_tenants

    records = asyncio.run(scan_tenants(app, only=entry.name))
    print(f"\n{entry.name} is watched from now on.", end=" ")
    if not records:
        print("Another process is reading it just now.")
    elif records[0].complete:
        held = many(records[0].credentials, "credential")
        rows = app.report().credentials
        soon = sum(row.needs_action for row in rows if row.credential.tenant == entry.name)
        print(f"Read: {held}, {soon} of them in need of action.")
    else:
        print(f"It could not be read: {printable(str(records[0].problem), 1000)}")
