"""The options by which a set-up is described, and done; `tenant add` and `update` share them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.terminal import ask_secret
from monitor.errors import UsageError

if TYPE_CHECKING:
    from monitor.wizard.answers import AnswerError

_LARGEST = 20_000  # bytes of a secret on standard input

Cloud = Annotated[str | None, typer.Option(help="global, gcc-high, dod, china, or your own.")]
Directory = Annotated[str | None, typer.Option(help="Directory (tenant) ID, or a domain of it.")]
Client = Annotated[str | None, typer.Option(help="Application (client) ID.")]
SharedApp = Annotated[str | None, typer.Option("--app", help="A shared [[app]], by its name.")]
Credential = Annotated[
    str | None,
    typer.Option(
        "--credential",
        help="Where the client secret is: file:PATH, env:NAME, keyvault:VAULT/NAME or "
        "sealed:TENANT/FIELD. Never the value itself: other users see a command's arguments.",
    ),
]
SecretStdin = Annotated[
    bool, typer.Option("--secret-stdin", help="Read the client secret's value from standard input.")
]
Certificate = Annotated[
    str | None, typer.Option(help="Certificate with its key: a PEM or PFX file.")
]
Password = Annotated[
    str | None, typer.Option(help="Where the certificate's password is: file:PATH or env:NAME.")
]
Federated = Annotated[str | None, typer.Option(help="File with a workload identity's token.")]
ManagedIdentity = Annotated[str | None, typer.Option(help="Client ID of a managed identity.")]
Mailbox = Annotated[str | None, typer.Option(help='Sender mailbox; "" for none.')]
NewMailbox = Annotated[str | None, typer.Option("--mailbox", help="Another sender mailbox.")]
ModelOption = Annotated[str | None, typer.Option(help="mailbox or rbac; see tenant script.")]
ObjectId = Annotated[str | None, typer.Option(help="Object ID under Enterprise applications.")]
Recipients = Annotated[
    list[str] | None, typer.Option("--recipient", help="Who is warned; may be said again.")
]
TimeZone = Annotated[str | None, typer.Option(help="Time zone of their mornings.")]
CanaryTo = Annotated[str | None, typer.Option(help="Where the daily test mail goes.")]
Arrival = Annotated[
    str | None,
    typer.Option(help="Whether the test mail is looked for where it goes: no, graph or trace."),
]
SendersOwn = Annotated[bool, typer.Option("--sender", help="The credential is the sender's own.")]
TenantsFile = Annotated[
    Path | None,
    typer.Option(
        "--file", help="Take the tenants of this tenants file instead, each proven first."
    ),
]
Anyway = Annotated[bool, typer.Option("--anyway", help="Watch it even if something is wrong.")]
NoTest = Annotated[bool, typer.Option("--no-test", help="Send no test mail.")]
NoInput = Annotated[bool, typer.Option("--no-input", help="Ask nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON; asks nothing.")]


_OPTION_OF = {
    "enterprise_object_id": "--object-id", "recipients": "--recipient", "credential": "credential",
}  # fmt: skip


def blamed(error: AnswerError) -> UsageError:
    """What is wrong with an answer, with the option that gave it."""
    option = _OPTION_OF.get(error.key) or f"--{error.key.replace('_', '-')}"
    return UsageError(f"{option}: {error.message}", remedy=error.remedy)


def answers(**said: str | None) -> dict[str, str]:
    """What the options say, by the answer's key."""
    return {key: text for key, text in said.items() if text is not None}


def refuse_two_apps(shared: str | None, client_id: str | None) -> None:
    """Refuse a tenant with an app of its own and a shared one.

    Raises:
        UsageError: both are named.
    """
    if shared and client_id:
        raise UsageError("Say --app or --client-id.", remedy="A shared app has a client id.")


def sign_in(
    credential: str | None,
    secret_stdin: bool,
    certificate: str | None,
    password: str | None,
    federated: str | None,
    managed_identity: str | None,
) -> dict[str, str | None]:
    """What the options say about the credential, as answers.

    Raises:
        UsageError: they say two things, or a secret's value stands among them.
    """
    from monitor.references import REFERENCE_FORMS

    forms = {
        "secret": credential or ("-" if secret_stdin else None),
        "certificate": certificate,
        "federated": federated,
        "managed_identity": managed_identity,
    }
    said = [form for form, text in forms.items() if text is not None]
    if len(said) > 1 or (credential and secret_stdin):
        raise UsageError("Say one credential only.", remedy="A tenant signs in with one.")
    for option, text in (("--credential", credential), ("--password", password)):
        if text is not None and not text.startswith(REFERENCE_FORMS):
            raise _no_reference(option, text)
    if password is not None and certificate is None:
        raise UsageError("--password opens a certificate's file.", remedy="Say --certificate too.")
    if not said:
        return {}
    text = _from_stdin() if secret_stdin else forms[said[0]]
    return {"form": said[0], "credential": text, "password": password}


def _no_reference(option: str, text: str) -> UsageError:
    if not text.strip():
        return UsageError(f"{option} is empty.", remedy="Is the variable set that it comes from?")
    stdin = " or give it on standard input with --secret-stdin" if option == "--credential" else ""
    return UsageError(
        f"{option} takes a reference, never the secret itself: other users of this machine see a "
        "command's arguments. If that was the real value, make a new one.",
        remedy=f"Put it into a file that only you can read and say {option} file:PATH,{stdin}."
        if stdin
        else f"Put it into a file that only you can read and say {option} file:PATH.",
    )


def _from_stdin() -> str:
    """A secret's value, from a pipe or from a prompt without echo.

    Raises:
        UsageError: there is none, or too much.
    """
    if sys.stdin.isatty():
        return ask_secret("Client secret (the Value, not shown)")
    text = sys.stdin.buffer.read(_LARGEST + 1)
    if not text.strip() or len(text) > _LARGEST:
        raise UsageError("Standard input holds no secret's value.", remedy="One line of text.")
    return text.decode("utf-8-sig", "replace")
