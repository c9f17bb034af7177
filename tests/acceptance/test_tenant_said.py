"""`tenant add`, `verify` and `update` without a terminal: by options, files and pipes."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.command_line import Command, Said, command, folder, own_log
from tests.acceptance.newcomer import Newcomer, newcomer

__all__ = ["command", "folder", "own_log"]  # fixtures


@pytest.fixture
def new(folder: Path) -> Iterator[Newcomer]:
    """The tenant that nobody has set up."""
    with newcomer(folder) as found:
        yield found


@pytest.fixture
def ready(new: Newcomer) -> Newcomer:
    """All is done in the portals."""
    new.consent()
    new.run_script()
    return new


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch):
    """Puts text on standard input."""

    def put(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return put


def options(new: Newcomer, *more: str) -> list[str]:
    """All that is needed but the credential."""
    return [
        "tenant", "add", "fabrikam", "--no-input", "--cloud", "sandbox",
        "--directory-id", new.tenant.directory_id, "--client-id", new.registration.app_id,
        "--mailbox", new.mailbox.address, "--recipient", "it@fabrikam.example", *more,
    ]  # fmt: skip


def added(command: Command, new: Newcomer, pipe) -> Said:
    """The tenant, set up with its secret on standard input."""
    pipe(f"{new.secret}\n")
    return command(*options(new, "--secret-stdin", "--json"))


def test_a_tenant_is_added_by_options(ready: Newcomer, command: Command, pipe) -> None:
    """Looked at, watched, read and proven; nothing is asked."""
    said = added(command, ready, pipe)
    assert said.code == 0, said.err
    (outcome,) = said.json
    assert (outcome["stored"], outcome["test"]["result"]) == (True, "unconfirmed")
    assert {"graph.read", "object_id", "smtp.auth"} <= {one["name"] for one in outcome["checks"]}
    (shown,) = command("tenant", "list", "--json").json
    assert shown["sender"]["enterprise_object_id"] == ready.principal.object_id
    assert shown["credential"]["reference"].endswith("secrets/fabrikam+1")
    (canary,) = [
        one for one in command("status", "--json").json["canaries"] if one["tenant"] == "fabrikam"
    ]
    assert canary["result"] == "unconfirmed"
    assert command("tenant", "verify", "fabrikam", "--arrived").code == 0
    assert command("tenant", "verify", "fabrikam", "--arrived", "--json").json["result"] == "ok"


def test_what_is_wrong_is_said_and_nothing_is_watched(
    new: Newcomer, command: Command, pipe
) -> None:
    """Consent is missing: the cause, the fix, exit code 1; --anyway watches it all the same."""
    said = added(command, new, pipe)
    (outcome,) = said.json
    assert (said.code, outcome["stored"], outcome["test"]) == (1, False, None)
    wrong = [one for one in outcome["checks"] if one["status"] == "failed"]
    assert wrong[0]["cause"] == "consent_missing"
    assert "consent" in wrong[0]["fix"]
    assert command("tenant", "list", "--json").json == []
    pipe("")
    said = command(*options(new, "--anyway", "--json"))  # the secret was kept with the answers
    assert said.code == 6
    assert said.json[0]["test"]["result"] == "failed"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), "--credential, --secret-stdin"),
        (("--credential", "abc8Q~the-real-value"), "never the secret itself"),
        (("--credential", "env:A", "--certificate", "b.pem"), "one credential only"),
        (("--credential", "env:A", "--time-zone", "Mars"), "time zone"),
        (("--credential", "env:A", "--cloud", "globl"), 'mean "global"'),
        (("--credential", "env:A", "--directory-id", "common"), "any directory"),
        (("--credential", "env:A", "--mailbox", "noreply"), "mail address"),
        (("--credential", "env:A", "--model", "mailbx"), 'mean "mailbox"'),
    ],
)
def test_what_cannot_be_right_is_one_clear_message(
    new: Newcomer, command: Command, pipe, more: tuple[str, ...], words: str
) -> None:
    """And what may be a secret is not repeated."""
    pipe("")
    said = command(*options(new, *more))
    assert said.code == 1
    assert words in said.err
    assert said.err.count("Error:") == 1
    assert "the-real-value" not in said.out + said.err


def test_a_file_of_tenants_is_proven_before_it_is_stored(
    ready: Newcomer, command: Command, folder: Path
) -> None:
    """The same by file."""
    (folder / "secret").write_text(ready.secret)
    (folder / "new.toml").write_text(
        f"""[[tenant]]
name = "fabrikam"
directory_id = "{ready.tenant.directory_id}"
cloud = "sandbox"
client_id = "{ready.registration.app_id}"
credential = {{ secret = "file:secret" }}
[tenant.sender]
mailbox = "{ready.mailbox.address}"

[[tenant]]
name = "typo"
directory_id = "7b1c0000-0000-4000-8000-000000000001"
cloud = "sandbox"
client_id = "{ready.registration.app_id}"
credential = {{ secret = "file:secret" }}
"""
    )
    said = command("tenant", "add", "--file", "new.toml", "--json")
    assert [(one["tenant"], one["stored"]) for one in said.json] == [
        ("fabrikam", True),
        ("typo", False),
    ]
    assert said.code == 1
    failed = [one["cause"] for one in said.json[1]["checks"] if one["status"] == "failed"]
    assert failed[0] == "tenant_not_found"


def test_a_new_secret_is_proven_before_the_old_one_is_let_go(
    ready: Newcomer, command: Command, folder: Path, pipe
) -> None:
    """A wrong one changes nothing; a good one takes its place, and the test mail goes out."""
    added(command, ready, pipe)
    kept = folder / "secrets"
    pipe("abc8Q~of-another-app\n")
    said = command("tenant", "update", "fabrikam", "--secret-stdin")
    assert said.code == 1
    assert "AADSTS7000215" in said.out
    assert "The old credential stays in use" in said.out
    assert [one.name for one in kept.glob("fabrikam*")] == ["fabrikam+1"]
    pipe(f"{ready.second_secret}\n")
    said = command("tenant", "update", "fabrikam", "--secret-stdin")
    assert said.code == 0, said.out + said.err
    assert [one.name for one in kept.glob("fabrikam*")] == ["fabrikam+2"]
    assert (kept / "fabrikam+2").read_text().strip() == ready.second_secret
    assert len(ready.inbox()) == 2
    assert command("run", "scan").code == 0


def test_a_file_of_the_users_own_is_never_deleted(
    ready: Newcomer, command: Command, folder: Path, pipe
) -> None:
    """Only what was typed here is kept here."""
    own = folder / "secrets" / "mine"
    own.write_text(ready.secret)
    pipe("")
    assert command(*options(ready, "--credential", f"file:{own}")).code == 0
    pipe(f"{ready.second_secret}\n")
    assert command("tenant", "update", "fabrikam", "--secret-stdin").code == 0
    assert own.exists()


def test_who_is_warned_may_be_changed(ready: Newcomer, command: Command, pipe) -> None:
    """Addresses, zone and where the test mail goes; a bad one changes nothing."""
    added(command, ready, pipe)
    assert command(
        "tenant", "update", "fabrikam", "--recipient", "a@x.example", "--recipient", "b@x.example",
        "--time-zone", "Asia/Tokyo", "--canary-to", "noc@msp.example", "--no-test",
    ).code == 0  # fmt: skip
    (shown,) = command("tenant", "list", "--json").json
    assert shown["recipients"] == ["a@x.example", "b@x.example"]
    assert (shown["time_zone"], shown["sender"]["canary_to"]) == ("Asia/Tokyo", ["noc@msp.example"])
    assert command("tenant", "update", "fabrikam", "--recipient", "nobody").code == 1
    assert command("tenant", "list", "--json").json[0]["recipients"] == [
        "a@x.example",
        "b@x.example",
    ]


def test_with_a_key_a_typed_secret_is_sealed(
    ready: Newcomer, command: Command, folder: Path, pipe
) -> None:
    """And neither lies in a file, nor in the database as it is; the old one goes with its use."""
    assert command("secrets", "new-key", "k").code == 0
    settings = folder / "lapsewatch.toml"
    settings.write_text(f'{settings.read_text()}\n[vault]\nkey = "file:{folder}/k"\n')
    assert added(command, ready, pipe).code == 0
    assert [one["field"] for one in command("secrets", "list", "--json").json] == ["secret"]
    pipe(f"{ready.second_secret}\n")
    assert command("tenant", "update", "fabrikam", "--secret-stdin").code == 0
    (sealed,) = command("secrets", "list", "--json").json
    assert (sealed["field"], sealed["problem"]) == ("secret-2", None)
    assert not list((folder / "secrets").glob("fabrikam*"))
    assert ready.second_secret.encode() not in (folder / "lapsewatch.db").read_bytes()


def test_a_wrong_object_id_or_mailbox_changes_nothing(
    ready: Newcomer, command: Command, pipe
) -> None:
    """What the set-up calls wrong is wrong afterwards too; the right ones are taken."""
    added(command, ready, pipe)
    before = command("tenant", "list", "--json").json
    said = command("tenant", "update", "fabrikam", "--object-id", ready.registration.object_id)
    assert said.code == 1
    assert f"Answer with {ready.principal.object_id}." in " ".join(said.out.split())
    said = command("tenant", "update", "fabrikam", "--mailbox", "noreply@fabrikm.example")
    assert said.code == 1
    assert "belongs to no directory" in said.out
    assert command("tenant", "list", "--json").json == before
    good = ("--object-id", ready.principal.object_id, "--mailbox", "info@fabrikam.example")
    assert command("tenant", "update", "fabrikam", *good, "--no-test").code == 0
    (shown,) = command("tenant", "list", "--json").json
    assert shown["sender"]["mailbox"] == "info@fabrikam.example"


def test_a_set_up_on_its_way_is_named_in_the_status(new: Newcomer, command: Command, pipe) -> None:
    """So that nobody takes it for watched."""
    added(command, new, pipe)
    assert "Begun and not finished" in command("status").out


@pytest.mark.parametrize("verb", ["remove", "purge"])
def test_what_was_typed_goes_with_its_tenant(
    ready: Newcomer, command: Command, folder: Path, pipe, verb: str
) -> None:
    """A live secret that nobody uses is not left in a file; other files stay."""
    added(command, ready, pipe)
    (folder / "secrets" / "fabrikam").write_text("somebody's own")
    pipe("y\n")
    assert command("tenant", verb, "fabrikam", "--yes").code == 0
    assert [one.name for one in (folder / "secrets").glob("fabrikam*")] == ["fabrikam"]


def test_a_mail_that_goes_elsewhere_is_to_be_seen_there(
    ready: Newcomer, command: Command, folder: Path, pipe
) -> None:
    """What was confirmed for one mailbox says nothing about another, however it was changed."""
    added(command, ready, pipe)
    assert command("tenant", "verify", "fabrikam", "--arrived").code == 0
    assert command("tenant", "export", "all.toml").code == 0
    file = folder / "all.toml"
    text = file.read_text()
    assert "not confirmed" not in command("status").out
    mailbox = f'mailbox = "{ready.mailbox.address}"'
    assert mailbox in text
    file.write_text(text.replace(mailbox, f'{mailbox}\ncanary_to = ["noc@msp.example"]'))
    assert command("tenant", "import", "all.toml").code == 0
    said = command("status").out
    assert "1 test mail not confirmed" in said
    assert "noc@msp.example got it" in " ".join(said.split())
    assert command("tenant", "verify", "fabrikam", "--arrived").code == 0
    assert "not confirmed" not in command("status").out


def test_a_tenant_that_names_nobody_is_exported_so(
    ready: Newcomer, command: Command, folder: Path, pipe
) -> None:
    """The operator is told; a default of another installation is not to step in."""
    added(command, ready, pipe)
    assert command("tenant", "update", "fabrikam", "--recipient", "", "--no-test").code == 0
    assert command("tenant", "export", "all.toml").code == 0
    settings = folder / "lapsewatch.toml"
    text = settings.read_text().replace("[defaults]", '[defaults]\nrecipients = ["x@x.example"]')
    settings.write_text(text)
    assert command("tenant", "import", "all.toml", "--json").json["tenants"] == [
        {"name": "fabrikam", "outcome": "unchanged"}
    ]


def test_what_is_said_later_goes_before_what_was_answered_earlier(
    new: Newcomer, command: Command, folder: Path, pipe
) -> None:
    """An attempt that failed leaves its answers; an empty option or another app replaces them."""
    new.consent()  # and no script has run, so there is no mail path yet
    file = folder / "msp.secret"
    file.write_text("another~value")
    file.chmod(0o600)
    app = f'client_id = "{new.tenant.directory_id[:-4]}0000"\ncredential = "file:{file}"'
    (folder / "apps.toml").write_text(f'[[app]]\nname = "msp"\n{app}\n')
    assert command("tenant", "import", "apps.toml").code == 0
    first = options(new)
    at = first.index("--client-id")
    assert command(*first[:at], "--app", "msp", *first[at + 2 :]).code == 1
    pipe(new.secret)
    assert "535 5.7.3" in command(*first, "--secret-stdin").out
    emptied = (new.mailbox.address, "it@fabrikam.example")
    said = command(*("" if word in emptied else word for word in first))
    assert said.code == 0, said.out
    (shown,) = command("tenant", "list", "--json").json
    assert (shown["app"], shown["sender"], shown["recipients"]) == (None, None, [])


def test_a_shared_app_that_is_in_use_is_changed_only_by_what_is_proven(
    ready: Newcomer, command: Command, folder: Path
) -> None:
    """A new customer's file with a wrong secret must not cost those who are watched theirs."""
    for name, value in (("right", ready.secret), ("wrong", "another~value")):
        (folder / name).write_text(value)
        (folder / name).chmod(0o600)

    def add(tenant: str, secret: str, directory: str) -> int:
        (folder / "msp.toml").write_text(
            f'[[app]]\nname = "msp"\nclient_id = "{ready.registration.app_id}"\n'
            f'credential = "file:{secret}"\n[[tenant]]\nname = "{tenant}"\napp = "msp"\n'
            f'cloud = "sandbox"\ndirectory_id = "{directory}"\n'
        )
        return command("tenant", "add", "--file", "msp.toml").code

    def used() -> str:
        return str(command("tenant", "show", "fabrikam", "--json").json["credential"]["reference"])

    assert add("fabrikam", "right", ready.tenant.directory_id) == 0
    assert used().endswith("/right")
    assert add("second", "wrong", ready.registration.app_id) == 1
    assert used().endswith("/right")


@pytest.mark.parametrize("option", ["--certificate", "--federated"])
def test_a_secret_is_not_kept_as_the_name_of_a_file(
    ready: Newcomer, command: Command, folder: Path, pipe, option: str
) -> None:
    """As a path it would stand in the database, and in every error about it."""
    for value in (ready.secret, "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhIn0.c2lnbmF0dXJl"):
        said = command(*options(ready, option, value))
        assert (said.code, "Name the file that holds it" in said.err) == (1, True)
        assert value not in said.out + said.err
        held = [file.read_bytes() for file in folder.glob("lapsewatch.db*")]
        assert held
        assert value.encode() not in b"".join(held)
    added(command, ready, pipe)
    said = command("tenant", "update", "fabrikam", option, ready.secret)
    assert (said.code, "Name the file that holds it" in said.err) == (1, True)
