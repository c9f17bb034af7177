"""`tenant add`, `update` and `remove` without a terminal, when what is said cannot be right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from monitor.config import load
from monitor.model import CredentialRef, Draft
from monitor.store import Store
from monitor.wiring import App
from tests.acceptance.command_line import Command, command, folder, own_log
from tests.acceptance.newcomer import Newcomer
from tests.acceptance.test_cli_refusals import with_input
from tests.acceptance.test_tenant_said import added, new, options, pipe, ready

__all__ = ["command", "folder", "new", "own_log", "pipe", "ready"]  # fixtures


def test_a_bad_row_costs_no_good_one_and_is_told_with_its_line(
    ready: Newcomer, command: Command, folder: Path
) -> None:
    """C04, L11: `tenant add --file`, as `tenant import`."""
    (folder / "secret").write_text(ready.secret)
    (folder / "secret").chmod(0o600)
    good = (
        f'[[tenant]]\nname = "fabrikam"\ndirectory_id = "{ready.tenant.directory_id}"\n'
        f'cloud = "sandbox"\nclient_id = "{ready.registration.app_id}"\n'
        'credential = "file:secret"\n'
    )
    (folder / "t.toml").write_text(f'[[tenant]]\nname = "bad"\ntheshold = 1\n\n{good}')
    said = command("tenant", "add", "--file", "t.toml", "--json")
    assert said.code == 1
    assert [(one["tenant"], one["stored"]) for one in said.json] == [("fabrikam", True)]
    errors = [line for line in said.err.splitlines() if line.startswith("Error: ")]
    assert (
        'Error: t.toml: line 3, bad: unknown key "theshold"; did you mean "thresholds"?' in errors
    )
    assert all(line.startswith("Error: t.toml: line ") for line in errors)


def test_a_set_up_that_was_left_can_be_forgotten(new: Newcomer, command: Command, pipe) -> None:
    """L04: with the secret that was typed for it; a misspelt name is not for ever."""
    said = added(command, new, pipe)
    assert (said.code, said.json[0]["stored"]) == (1, False)
    kept = Path("secrets")
    assert [one.name for one in kept.glob("fabrikam*")] == ["fabrikam+1"]
    said = command("tenant", "remove", "fabrikam", "--yes")
    assert (said.code, said.out) == (0, "The set-up of fabrikam is forgotten.\n")
    assert list(kept.glob("fabrikam*")) == []
    assert "tenant remove fabrikam (command): a set-up that was left" in command("audit").out
    assert command("tenant", "remove", "fabrikam", "--yes").code == 1


def test_a_set_up_whose_key_is_lost_names_the_key_and_goes_on_without_it(
    new: Newcomer, command: Command, folder: Path, pipe
) -> None:
    """C21: the sealed secret of a set-up under a key that is not there any more."""
    settings = folder / "lapsewatch.toml"
    plain = settings.read_text()
    ids = []
    for name in ("first", "second"):
        ids.append(command("secrets", "new-key", name).out.split()[3])
        settings.write_text(f'{plain}\n[vault]\nkey = "file:{folder}/{name}"\n')
        said = added(command, new, pipe)
        assert said.code == 1
    assert f"Values are sealed under the key {ids[0]}, and [vault] names {ids[1]}." in said.err
    assert "secrets list" in said.err
    assert new.secret not in said.out + said.err
    assert command("secrets", "remove", "fabrikam", "secret").code == 0
    assert added(command, new, pipe).json[0]["checks"]


def test_nobody_can_be_made_to_be_warned_of_a_tenant_by_no_one(
    ready: Newcomer, command: Command, folder: Path, pipe
) -> None:
    """C14: `tenant update --recipient ""` without an operator; nothing is changed."""
    assert added(command, ready, pipe).code == 0
    settings = folder / "lapsewatch.toml"
    settings.write_text(settings.read_text().replace('recipients = ["noc@msp.example"]', ""))
    said = command("tenant", "update", "fabrikam", "--recipient", "")
    assert (said.code, said.out) == (1, "")
    assert "Then nobody would be warned." in said.err
    said = command("tenant", "update", "fabrikam", "--object-id", ready.registration.app_id)
    assert (said.code, "Enterprise applications" in said.err) == (1, True)
    (shown,) = command("tenant", "list", "--json").json
    assert shown["recipients"] == ["it@fabrikam.example"]
    assert shown["sender"]["enterprise_object_id"] == ready.principal.object_id


def test_a_slip_beside_a_new_secret_changes_neither(
    ready: Newcomer, command: Command, pipe
) -> None:
    """C14: the secret that is in use stays, and is not left without its file."""
    assert added(command, ready, pipe).code == 0
    pipe(f"{ready.second_secret}\n")
    said = command("tenant", "update", "fabrikam", "--secret-stdin", "--time-zone", "CET+1")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("Error: --time-zone: It is not a time zone of the IANA list")
    assert [one.name for one in Path("secrets").glob("fabrikam*")] == ["fabrikam+1"]


def test_a_second_set_up_of_the_same_directory_is_refused(
    ready: Newcomer, command: Command, pipe
) -> None:
    """C06: under another name; what is watched stays as it is."""
    assert added(command, ready, pipe).code == 0
    pipe("")
    again = [word if word != "fabrikam" else "again" for word in options(ready)]
    said = command(*again, "--credential", "env:X")
    assert said.code == 1
    assert 'is already watched as tenant "fabrikam"' in said.err
    assert [one["name"] for one in command("tenant", "list", "--json").json] == ["fabrikam"]


def test_what_changed_while_a_secret_was_tried_stays(
    ready: Newcomer, command: Command, folder: Path, pipe
) -> None:
    """L08: looking takes seconds, and another window may have changed who is warned."""
    assert added(command, ready, pipe).code == 0
    (folder / "second").write_text(ready.second_secret)
    with App(load(folder / "lapsewatch.toml"), clock=ready.cloud.clock.now) as app:
        stale = app.store.tenant("fabrikam")
        assert stale is not None
        changed = replace(stale, time_zone="Asia/Tokyo")
        app.store.put_tenant(changed, now=app.clock())
        new_one = CredentialRef("secret", f"file:{folder}/second")
        done = app.wizard.renewals.renew(stale, new_one, sending=False, now=app.clock())
        assert done.proven
        assert app.store.tenant("fabrikam") == replace(changed, credential=new_one)


def test_a_set_up_of_another_version_goes_on(
    ready: Newcomer, command: Command, folder: Path, pipe
) -> None:
    """L09: steps and answers that this version does not know are left out."""
    odd = Draft("fabrikam", {"shoe_size": "42"}, ("shoes", "directory"))
    with Store.open(f"sqlite:///{folder / 'lapsewatch.db'}") as store:
        store.upgrade()
        store.put_draft(odd, now=ready.cloud.clock.now())
    said = added(command, ready, pipe)
    assert (said.code, said.json[0]["stored"]) == (0, True)


def test_a_reader_that_goes_away_stops_nothing_half_way(ready: Newcomer, folder: Path) -> None:
    """L03: `tenant add … | head`, with a secret on standard input; no traceback."""
    (folder / "typed").write_text(ready.secret)
    words = " ".join(f"'{word}'" for word in options(ready, "--secret-stdin"))
    done = with_input(folder, f"{{}} {words} < typed | head -c 1")
    assert done.stderr == ""
    with Store.open(f"sqlite:///{folder / 'lapsewatch.db'}") as store:
        assert [entry.name for entry in store.tenants()] == ["fabrikam"]
        assert store.drafts() == []
