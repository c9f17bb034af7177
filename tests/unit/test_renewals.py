"""Commands that renew a credential: the right object, a safe end, and no value in a history."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor import shell
from monitor.errors import UsageError
from monitor.mail.renewals import LONGEST, NAMED, Command, commands, end_date, shared_form
from monitor.model import Kind, ObjectType
from tests import mail_samples as sample
from tests.mail_samples import NOW, OBJECT_ID
from tests.powershell_tokens import tokens

APP, SERVICE = ObjectType.APPLICATION, ObjectType.SERVICE_PRINCIPAL
HOSTILE = [
    "'; rm -rf ~; '",
    "$(touch /tmp/owned)",
    "`touch owned`",
    'x" & calc & "',
    "\u2019; iex (iwr evil.example)",
    "two\nlines",
    "-x",
    "nul\0byte",
    "pay\u202eslip",
    "evil.example",
    "!!",
    "a  b",
]


def made(kind: Kind = Kind.SECRET, where: ObjectType = APP, **changes: object) -> Sequence[Command]:
    """The commands for a credential of the sample."""
    return commands(
        sample.tenant(), sample.credential(kind=kind, object_type=where, **changes), NOW
    )


def words(command: Command) -> list[str]:
    """The words that a POSIX shell sees."""
    return [word for line in command.lines for word in shlex.split(line)]


def after(command: Command, option: str) -> str:
    """The word that follows an option."""
    seen = words(command)
    return seen[seen.index(option) + 1]


@pytest.mark.parametrize(("where", "noun"), [(APP, "app"), (SERVICE, "sp")])
def test_az_adds_a_secret_to_exactly_this_object_and_keeps_what_is_there(
    where: ObjectType, noun: str
) -> None:
    """Without --append all the secrets that there are would be deleted."""
    az, _ = made(where=where)
    assert f"az ad {noun} credential reset" in az.lines[-1]
    assert after(az, "--tenant") == sample.tenant().directory_id
    assert after(az, "--id") == OBJECT_ID
    assert after(az, "--display-name") == "smtp-2024 to 22 May 2027"
    assert "--append" in words(az)


@pytest.mark.parametrize(("where", "noun"), [(APP, "Application"), (SERVICE, "ServicePrincipal")])
def test_powershell_adds_a_secret_to_exactly_this_object(where: ObjectType, noun: str) -> None:
    """The cmdlet's own parameter names, each with its value as a literal."""
    _, mg = made(where=where)
    seen = [token.value for token in tokens("\n".join(mg.lines))]
    assert f"Add-Mg{noun}Password" in seen
    assert seen[seen.index(f"-{noun}Id") + 1] == OBJECT_ID
    assert seen[seen.index("-TenantId") + 1] == sample.tenant().directory_id
    assert "smtp-2024 to 22 May 2027" in seen
    assert "2027-05-22T00:00:00Z" in seen


FAKE_AZ = """#!/bin/sh
[ "$1" = login ] && exit 0
printf 's3cret-value\\n'
"""


def test_the_value_is_in_a_file_of_its_owner_and_nowhere_else(tmp_path: Path) -> None:
    """The lines are run by a real shell, with an az that prints a secret as the real one does."""
    (tmp_path / "az").write_text(FAKE_AZ)
    (tmp_path / "az").chmod(0o700)
    az, _ = made()
    place = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    script = "umask 000\n" + "\n".join(az.lines)
    done = subprocess.run(
        ["/bin/sh", "-c", script], env=place, capture_output=True, text=True, check=True
    )
    assert "s3cret-value" not in done.stdout + done.stderr + script
    kept = Path(done.stdout.split()[-1])
    assert kept.read_text().strip() == "s3cret-value"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_the_known_bad_form_would_show_the_value(tmp_path: Path) -> None:
    """What the test above guards: without the file, the value is on the screen."""
    (tmp_path / "az").write_text(FAKE_AZ)
    (tmp_path / "az").chmod(0o700)
    bad = made()[0].lines[-1].split("> ")[0].removeprefix("f=$(mktemp) && ")
    place = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["/bin/sh", "-c", bad], env=place, capture_output=True, text=True)
    assert "s3cret-value" in done.stdout


def test_powershell_never_prints_what_it_assigns() -> None:
    """The answer with the secret goes into a variable, and from there to the clipboard."""
    _, mg = made()
    assert mg.lines[1].startswith("$new = ")
    assert mg.lines[2] == "$new.SecretText | Set-Clipboard"
    assert len(mg.lines) == 3


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
@pytest.mark.parametrize("kind", [Kind.SECRET, Kind.CERTIFICATE])
def test_no_name_from_a_directory_runs_anything(name: str, kind: Kind) -> None:
    """Whoever may name a credential must not write what an administrator pastes."""
    az, mg = made(kind, name=name)
    shown = after(az, "--display-name")
    assert shown in (f"{name} to 22 May 2027", "renewed 2026-11-23")
    calm_az, calm_mg = made(kind, name="harmless")
    assert len(words(az)) == len(words(calm_az))
    kinds = [[token.kind for token in tokens("\n".join(each.lines))] for each in (mg, calm_mg)]
    assert kinds[0] == kinds[1]
    assert all("\n" not in line for line in (*az.lines, *mg.lines))


@pytest.mark.parametrize("bad", ["two\nlines", "-x", "nul\0byte", "pay\u202eslip"])
def test_a_shell_word_refuses_what_cannot_be_quoted(bad: str) -> None:
    """It says what and where, and what to do."""
    with pytest.raises(UsageError, match="cannot stand in a shell command"):
        shell.word(bad)


@pytest.mark.parametrize("text", ["a b", "'", "$HOME", "!!", "*", "", "\u2019"])
def test_a_shell_word_is_read_back_by_a_real_shell(text: str) -> None:
    """printf shows what the shell took it for."""
    done = subprocess.run(
        ["/bin/sh", "-c", f"printf %s {shell.word(text)}"], capture_output=True, text=True
    )
    assert done.stdout == text


@pytest.mark.parametrize("where", [APP, SERVICE])
def test_a_certificate_is_added_beside_those_that_are_there(where: ObjectType) -> None:
    """az appends by itself; in PowerShell the property is replaced as a whole."""
    az, mg = made(Kind.CERTIFICATE, where)
    assert {"--append", "--create-cert"} <= set(words(az))
    noun = "Application" if where is APP else "ServicePrincipal"
    assert mg.lines[2].startswith(f"$old = @((Get-Mg{noun}")
    assert "-KeyCredentials ($old + @{" in mg.lines[3]


def test_a_saml_certificate_is_made_by_the_one_cmdlet_for_it() -> None:
    """Its name begins with CN=, as Graph wants it."""
    (mg,) = made(Kind.SAML_SIGNING, SERVICE)
    assert "Add-MgServicePrincipalTokenSigningCertificate" in mg.lines[1]
    assert "-DisplayName 'CN=renewed 2026-11-23'" in mg.lines[1]


def name_of(command: Command) -> str:
    """The name that the new one gets."""
    if command.tool.startswith("Azure"):
        return after(command, "--display-name")
    [name] = re.findall(r"isplayName (?:= )?'([^']*)'", "\n".join(command.lines))
    return str(name)


SORTS = [(Kind.SECRET, APP), (Kind.CERTIFICATE, APP), (Kind.SAML_SIGNING, SERVICE)]


@pytest.mark.parametrize(("kind", "where"), SORTS)
@pytest.mark.parametrize(
    "name", ["CN=Fax", "CN=" + "x" * 61, "CN=" + "x" * 90, "CN=a b c", "", None]
)
def test_the_new_one_never_bears_the_old_ones_name(
    kind: Kind, where: ObjectType, name: str | None
) -> None:
    """Of two of one name nobody knows which is to be deleted; what a name may be long is kept."""
    for command in made(kind, where, name=name):
        new = name_of(command)
        assert new != name
        assert len(new) <= NAMED
        assert not name or new.startswith(name[: NAMED - len(" to 22 May 2027")].rstrip())


def test_a_name_does_not_grow_with_each_renewal() -> None:
    """The end that an earlier renewal put there gives way, however soon the next one comes."""
    names = ["smtp"]
    for day in (0, 1, 40, 400):
        now = NOW + timedelta(days=day)
        az, _ = commands(sample.tenant(), sample.credential(3, name=names[-1]), now)
        names.append(name_of(az))
    assert names[1:] == [
        "smtp to 22 May 2027", "smtp to 23 May 2027", "smtp to 1 Jul 2027", "smtp to 25 Jun 2028",
    ]  # fmt: skip


def test_the_shared_saml_command_has_its_cn_as_the_single_one_has() -> None:
    """Graph refuses a name without it."""
    saml = sample.credential(kind=Kind.SAML_SIGNING, object_type=SERVICE)
    (mg,) = shared_form([saml], NOW)
    assert name_of(mg) == "CN=NEW_NAME"
    rows = sample.digest(
        *(sample.item(day, kind=Kind.SAML_SIGNING, object_type=SERVICE) for day in range(1, 7))
    )
    assert "-DisplayName 'CN=NEW_NAME'" in rows.text
    assert "NEW_NAME: a name that the old one does not have." in rows.text


@pytest.mark.parametrize("kind", [Kind.GDAP, Kind.TOKEN_ENCRYPTION, Kind.SYMMETRIC_KEY])
def test_what_no_command_can_renew_has_none(kind: Kind) -> None:
    """Its steps alone say what to do."""
    assert made(kind) == ()


@pytest.mark.parametrize(
    ("longest", "end"), [(None, "2027-05-22"), (timedelta(days=90), "2027-02-21")]
)
def test_the_new_one_ends_within_the_longest_lifetime(longest: timedelta | None, end: str) -> None:
    """A policy refuses an end beyond it; a date is read as midnight in UTC."""
    az, mg = commands(sample.tenant(), sample.credential(), NOW, longest)
    assert after(az, "--end-date") == end
    assert f"{end}T00:00:00Z" in "\n".join(mg.lines)
    assert end_date(NOW, longest) <= NOW + (longest or LONGEST)


def test_there_are_no_commands_where_the_new_one_would_end_first() -> None:
    """It would be no successor: who renews later gets an end that is."""
    soon = sample.credential(60)
    assert commands(sample.tenant(), soon, NOW, timedelta(days=60)) == ()
    assert commands(sample.tenant(), soon, NOW, timedelta(days=90))


@pytest.mark.parametrize("cloud", ["gcc-high", "dod", "china"])
def test_another_cloud_is_named_to_both_tools(cloud: str) -> None:
    """They would ask the global one otherwise."""
    az, mg = commands(sample.tenant(cloud=cloud), sample.credential(), NOW)
    assert az.lines[0].startswith("az cloud set --name Azure")
    assert "-Environment " in mg.lines[0]


def test_an_id_that_is_none_makes_no_command() -> None:
    """Ids come from outside too."""
    assert made(object_id="x'; y") == ()
    assert commands(sample.tenant(directory_id="$(x)"), sample.credential(), NOW) == ()


def test_a_shared_form_has_a_word_for_each_thing_that_differs() -> None:
    """More than a few items have no room for commands of their own."""
    mail = sample.digest(*(sample.item(day, app_name=f"App {day}") for day in range(1, 7)))
    for part in (mail.text, re.sub(r"</?span[^>]*>|<wbr>", "", mail.html)):
        assert part.count("az ad app credential reset --id APP_ID --append") == 1
        assert "DIRECTORY_ID: 7b1c9d2e-3f40-4152-a364-b576c788d99a (Contoso)." in part
    az, mg = shared_form([sample.credential(object_type=SERVICE)], NOW)
    assert "--id OBJECT_ID " in az.lines[-1]
    assert "-ServicePrincipalId 'OBJECT_ID'" in mg.lines[1]


def test_a_mail_about_one_has_its_commands_in_both_parts() -> None:
    """Some people read only the one, some only the other."""
    mail = sample.digest(sample.item())
    for line in ("az ad app credential reset", "Add-MgApplicationPassword", "Set-Clipboard"):
        assert line in mail.text
        assert line in mail.html


def test_the_end_is_counted_in_utc() -> None:
    """Late in the evening west of Greenwich it is the next day there."""
    late = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    assert end_date(late, timedelta(days=1)) == datetime(2027, 1, 1, tzinfo=UTC)
