"""`secrets`: values that are kept sealed in the store, and the key that opens them."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.auditing import record
from monitor.cli.tenants import named
from monitor.cli.terminal import ask_secret, many, print_json, print_table, settings, wired
from monitor.errors import UsageError
from monitor.fields import looks_like_guid
from monitor.fields.problems import nearest, printable
from monitor.references import APP_OWNER, OPERATOR_OWNER, sealed_name

if TYPE_CHECKING:
    from monitor.wiring import App

secrets = typer.Typer(
    name="secrets", help="Secret values, sealed in the database.", no_args_is_help=True
)
Owner = Annotated[
    str,
    typer.Argument(help="A tenant's name, app:NAME, or @operator."),
]
Field = Annotated[str, typer.Argument(help="A word of your own, like secret or password.")]
_LARGEST = 1_000_000  # bytes


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(secrets)


@secrets.command("set")
def set_(context: typer.Context, tenant: Owner, field: Field) -> None:
    """Seal a value. It comes from a prompt without echo, or from standard input."""
    with wired(context) as app:
        _check_name(app, tenant, field)
        app.sealed.check()
        key_id = app.sealed.key_id  # before anybody types a value that could not be kept
        value = _value(tenant, field)
        app.sealed.put(tenant, field, value)
        record(app, "secrets set", _tenant_of(tenant), f"sealed:{tenant}/{field}")
    print(f"Sealed as sealed:{tenant}/{field} under the key {key_id}.")
    if looks_like_guid(value[:200].decode("utf-8", "replace")):
        print(
            "Warning: it looks like a secret's ID (a GUID). Entra wants the secret's Value, which "
            "is shown only once, right after it was made.",
            file=sys.stderr,
        )
    print(f'Refer to it with: credential = {{ secret = "sealed:{tenant}/{field}" }}')


@secrets.command("list")
def list_(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List what is sealed, under which key, and whether it opens; never a value."""
    with wired(context) as app:
        found = app.sealed.listed()
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = [
        (f"sealed:{one.owner}/{one.field}", one.key_id, f"{one.set_at:%Y-%m-%d %H:%M} UTC",
         one.problem or "opens")
        for one in found
    ]  # fmt: skip
    print_table(many(len(found), "sealed value"), ("Reference", "Key", "Set", "State"), rows)


@secrets.command("remove")
def remove(context: typer.Context, tenant: Owner, field: Field) -> None:
    """Delete a sealed value."""
    with wired(context) as app:
        if not app.sealed.remove(tenant, field):
            raise UsageError(
                f"No value is sealed as sealed:{printable(tenant)}/{printable(field)}.",
                remedy="See: lapsewatch secrets list",
            )
        record(app, "secrets remove", _tenant_of(tenant), f"sealed:{tenant}/{field}")
    print(f"sealed:{tenant}/{field} is gone. What refers to it can no longer sign in.")


@secrets.command("new-key")
def new_key(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("lapsewatch.key"),
) -> None:
    """Make a sealing key in a new file that only you can read, and say where to put it."""
    from monitor.sealing import SealingKey
    from monitor.sealing import new_key as make

    configuration = settings(context)
    text = make()
    _write_new(file, text)
    key_id = SealingKey.parse(text.encode(), str(file)).id
    place = file.absolute()
    print(f"Wrote the key {key_id} to {place}. Keep a copy apart from the database's backups.")
    old = configuration.settings.vault
    print("Put into the settings:\n\n[vault]")
    print(f'key = "file:{place}"')
    if old.key is not None:
        kept = ", ".join(f'"{text}"' for text in (old.key, *old.old_keys))
        print(f"old_keys = [{kept}]\n\nThen: lapsewatch secrets rotate-key")


@secrets.command("rotate-key")
def rotate_key(context: typer.Context) -> None:
    """Put every sealed value under the current key; a rotation that was stopped goes on."""
    with wired(context) as app:
        app.sealed.check()
        key_id = app.sealed.key_id
        number = sum(1 for _ in app.sealed.rotate())
        left = sum(app.store.sealed_under().values())
        record(app, "secrets rotate-key", None, many(number, "value"), why=f"to the key {key_id}")
    print(f"{many(number, 'value')} re-wrapped; all {left} are under the key {key_id} now.")
    if app.configuration.settings.vault.old_keys:
        print("Next: take old_keys out of [vault] and restart the service.")


def _tenant_of(owner: str) -> str | None:
    """The tenant that a sealed value belongs to; None for the operator's and for shared apps."""
    return None if owner == OPERATOR_OWNER or owner.startswith(APP_OWNER) else owner


def _check_name(app: App, owner: str, field: str) -> None:
    """Refuse a name that nothing could refer to.

    Raises:
        UsageError: it is no owner, or no word.
    """
    try:
        sealed_name(f"{owner}/{field}")
    except ValueError:
        raise UsageError(
            f"{printable(owner)}/{printable(field)} is no name for a sealed value.",
            remedy="TENANT is a tenant's name, app:NAME or @operator; FIELD is a short word in "
            "small letters, like secret.",
        ) from None
    if owner.startswith(APP_OWNER):
        known = [f"{APP_OWNER}{shared.name}" for shared in app.store.shared_apps()]
        if owner not in known:
            near = nearest(owner, known)
            hint = f'Did you mean "{near}"?' if near else "Import it first: tenant import"
            raise UsageError(f'There is no app "{owner}".', remedy=hint)
    elif owner != OPERATOR_OWNER:
        named(app, owner)


def _value(owner: str, field: str) -> bytes:
    """The value, from a person or from a pipe.

    Raises:
        UsageError: there is none, or too much.
    """
    if sys.stdin.isatty():
        typed = ask_secret(f"Value of sealed:{owner}/{field} (not shown)")
        value = typed.strip().encode("utf-8", "surrogateescape")
    else:
        value = sys.stdin.buffer.read(_LARGEST + 1)
    if not value.strip():
        raise UsageError("There is no value.", remedy="Type it, or give it on standard input.")
    if len(value) > _LARGEST:
        raise UsageError(f"The value has more than {_LARGEST} bytes; that is no credential.")
    return value


def _write_new(file: Path, text: str) -> None:
    """Write a file that nobody else can read, and none that is there already.

    Raises:
        UsageError: it is there, or cannot be written.
    """
    try:
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "w", encoding="ascii") as out:
            out.write(f"{text}\n")
    except FileExistsError:
        raise UsageError(
            f"{file} exists; a key that values are sealed under is never overwritten.",
            remedy="Name another file.",
        ) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{file} cannot be written: {why}.") from None
