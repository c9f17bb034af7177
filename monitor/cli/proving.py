"""`tenant verify` and `tenant update`: prove a mail path, and give a tenant its next secret."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli import options
from monitor.cli.auditing import record
from monitor.cli.telling import ask_arrival, keep_arrival, look_for, say, tell_checks, tell_probe
from monitor.cli.tenants import named, tenant
from monitor.cli.terminal import EXIT_LEFT, ask_secret, print_json, wired
from monitor.errors import UsageError

if TYPE_CHECKING:
    from monitor.model import CredentialRef, Probe, Tenant
    from monitor.wiring import App
    from monitor.wizard.renewal import Renewal

EXIT_NOT_PROVEN, EXIT_CANARY = 1, 6


def register(app: typer.Typer) -> None:
    """Add the commands of this module; `tenant` itself is in the tree already."""
    del app
    tenant.command("verify")(verify)
    tenant.command("update")(update)


def verify(
    context: typer.Context,
    name: str,
    arrived: Annotated[bool, typer.Option("--arrived", help="The test mail was seen.")] = False,
    lost: Annotated[bool, typer.Option("--lost", help="It did not arrive.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Send a test mail by a tenant's sender, and ask whether it arrived.

    With --arrived or --lost nothing is sent: that is the answer about the last one. Exit code: 0
    accepted or confirmed, 6 the test mail failed.
    """
    from monitor.model import CanaryResult

    if arrived and lost:
        raise typer.BadParameter("says the contrary of --lost", param_hint="--arrived")
    with wired(context, works=True) as app:
        entry = named(app, name)
        probe = None
        if arrived or lost:
            keep_arrival(app, entry, arrived=arrived, quiet=as_json)
        else:
            probe = app.wizard.arrivals.send_test(entry, app.clock())
            _tell_test(app, entry, probe, quiet=as_json)
            if as_json and probe.result is CanaryResult.OK:
                look_for(app, entry, quiet=True)
        doubt = _doubt(app, entry)
    failed = probe is not None and probe.result is CanaryResult.FAILED
    if as_json:
        result = "failed" if failed else "unconfirmed" if doubt else "ok"
        print_json({"tenant": name, "result": result, **_told(probe)})
    raise typer.Exit(EXIT_CANARY if failed else 0)


def _told(probe: Probe | None) -> dict[str, Any]:
    if probe is None:
        return {}
    return {"stage": probe.stage, "cause": probe.cause, "reply": probe.evidence}


def _tell_test(app: App, entry: Tenant, probe: Probe, *, quiet: bool) -> None:
    from monitor.model import CanaryResult

    if quiet:
        return
    tell_probe(probe)
    sender = app.wizard.sender(entry)
    if probe.result is CanaryResult.OK and sender is not None:
        if sys.stdin.isatty():
            _ask_arrival(app, entry, probe, ", ".join(sender.canary_to))
        elif not look_for(app, entry):
            say(f"If it arrived: lapsewatch tenant verify {entry.name} --arrived", indent=2)
        return
    told = app.diagnose(probe.evidence, probe.stage)
    say(f"{told.explanation} [{probe.cause}]", indent=4)
    say(f"Fix: {told.fix}", indent=4)


def _ask_arrival(app: App, entry: Tenant, probe: Probe, where: str) -> None:
    try:
        ask_arrival(app, entry, probe, where)
    except (typer.Abort, KeyboardInterrupt, EOFError):
        print()
        say("Left. The mail was sent, and nobody has said yet whether it arrived. Then: "
            f"lapsewatch tenant verify {entry.name} --arrived")  # fmt: skip
        raise typer.Exit(EXIT_LEFT) from None


def _doubt(app: App, entry: Tenant) -> str:
    sender = app.wizard.sender(entry)
    return app.store.health_of_sender(entry.name, sender.mailbox).doubt if sender else ""


def update(
    context: typer.Context,
    name: str,
    credential: options.Credential = None,
    secret_stdin: options.SecretStdin = False,
    certificate: options.Certificate = None,
    password: options.Password = None,
    federated: options.Federated = None,
    managed_identity: options.ManagedIdentity = None,
    sending: options.SendersOwn = False,
    mailbox: options.NewMailbox = None,
    object_id: options.ObjectId = None,
    recipient: options.Recipients = None,
    time_zone: options.TimeZone = None,
    canary_to: options.CanaryTo = None,
    no_test: options.NoTest = False,
) -> None:
    """Give a tenant a new secret, or change its mailbox and who is warned.

    A new secret is tried first: only when a fresh token was given with it does it take the place
    of the old one, and then the test mail goes out. Without any option it asks for the new
    secret. Exit code: 0 done, 1 not proven (the old one stays), 6 the test mail failed.
    """
    with wired(context, works=True) as app:
        entry = named(app, name)
        said = options.sign_in(
            credential, secret_stdin, certificate, password, federated, managed_identity
        )
        given = options.answers(
            mailbox=mailbox, enterprise_object_id=object_id, time_zone=time_zone,
            recipients=", ".join(recipient) if recipient is not None else None,
            canary_to=canary_to,
        )  # fmt: skip
        if not said and not given:
            said = _ask_secret(name)
        if said:
            _changed(app, entry, given, keep=False)  # a slip there must not come half-way
            entry = _renewed(app, entry, said, sending=sending)
        if mailbox is not None or object_id is not None:
            _compare(app, entry, given)
        if given:
            entry = _changed(app, entry, given)
        if mailbox is not None:
            say(f"Exchange must let the app send as {mailbox}: lapsewatch tenant script {name}")
        if no_test or app.wizard.sender(entry) is None:
            return
        elsewhere = bool({"mailbox", "canary_to"} & given.keys())
        result = _test(app, entry, renewed=bool(said), elsewhere=elsewhere)
    raise typer.Exit(result)


def _test(app: App, entry: Tenant, *, renewed: bool, elsewhere: bool) -> int:
    """Send the test mail after a change; the exit code that its outcome is worth.

    Args:
        app: the parts.
        entry: the tenant as it is now.
        renewed: its credential is a new one.
        elsewhere: the mail goes to another place or from another mailbox than before.
    """
    from monitor.model import CanaryResult

    arrivals = app.wizard.arrivals
    probe = arrivals.send_test(entry, app.clock()) if elsewhere else arrivals.prove(entry)
    tell_probe(probe)
    if elsewhere and probe.result is CanaryResult.OK:
        say(f"If it arrived: lapsewatch tenant verify {entry.name} --arrived")
    if renewed and probe.result is CanaryResult.OK:
        print("The old credential can be deleted in Entra now.")
    return EXIT_CANARY if probe.result is CanaryResult.FAILED else 0


def _changed(app: App, entry: Tenant, given: dict[str, str], *, keep: bool = True) -> Tenant:
    from monitor.wizard.answers import AnswerError

    try:
        if not keep:
            return app.wizard.renewals.changed(entry, given, app.wizard.around())
        entry = app.wizard.renewals.change(entry, given, app.wizard.around(), app.clock())
    except AnswerError as error:
        raise options.blamed(error) from None
    changed = ", ".join(key for key in given)
    record(app, "tenant update", entry.name, entry.name, why=f"changed: {changed}")
    print(f"{entry.name} is updated.")
    return entry


def _compare(app: App, entry: Tenant, given: dict[str, str]) -> None:
    """Refuse an object id or a mailbox that cannot be right, before anything is changed."""
    wanted = _changed(app, entry, given, keep=False)
    wrong = [
        check
        for check in app.wizard.compare(wanted)
        if check.cause == "object_id_mismatch" or check.status == "failed"
    ]
    if wrong:
        tell_checks(wrong)
        say("Nothing was changed.")
        raise typer.Exit(EXIT_NOT_PROVEN)


def _ask_secret(name: str) -> dict[str, str | None]:
    from monitor.references import REFERENCE_FORMS
    from monitor.wizard.answers import plain_secret

    if not sys.stdin.isatty():
        raise UsageError(
            "What is to be changed?", remedy="Say --secret-stdin, --credential or another option."
        )
    while True:
        typed = ask_secret(f"New client secret of {name} (the Value, not shown)")
        try:
            if not typed.startswith(REFERENCE_FORMS):
                plain_secret(typed)
            return {"form": "secret", "credential": typed, "password": None}
        except UsageError as error:  # an ID in place of the value, mostly
            say(f"{error.message} {error.remedy}".strip(), indent=2)


def _renewed(app: App, entry: Tenant, said: dict[str, str | None], *, sending: bool) -> Tenant:
    """The tenant with its new credential; ends the command where that is not proven."""
    _refuse_what_is_not_there(entry, sending=sending)
    renewals = app.wizard.renewals
    new = renewals.taken(
        entry.name,
        said["form"] or "secret",
        said["credential"] or "",
        said["password"] or "",
        folder=Path.cwd(),
    )
    print("Trying the new credential …")
    try:
        done: Renewal = renewals.renew(entry, new, sending=sending, now=app.clock())
    except BaseException:  # Ctrl-C too: what is in use by now is not let go
        renewals.let_go(entry.name, new)
        raise
    tell_checks(done.checks)
    if not done.proven:
        say("The old credential stays in use; the new one was let go.")
        raise typer.Exit(EXIT_NOT_PROVEN)
    whose = "its sender's" if sending else "its"
    record(app, "tenant update", entry.name, entry.name, why=f"{whose} credential is a new one")
    print(f"{entry.name} signs in with the new credential from now on.")
    return done.entry


def _refuse_what_is_not_there(entry: Tenant, *, sending: bool) -> None:
    own: CredentialRef | None = entry.sender.credential if entry.sender else None
    if sending and own is None:
        raise UsageError(
            f"The sender of {entry.name} has no credential of its own; it uses the tenant's.",
            remedy="Leave --sender out.",
        )
    if not sending and entry.app is not None:
        raise UsageError(
            f"{entry.name} signs in with the shared app {entry.app}.",
            remedy="Change that app's credential in the tenants file, and import it: it is then "
            "used for all its tenants.",
        )
