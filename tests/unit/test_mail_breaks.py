"""Where the line of a command may break on a narrow screen."""

from __future__ import annotations

import re

import pytest

from monitor.mail.breaks import FITS, Run, runs
from tests.alarm_samples import canary_failed
from tests.mail_samples import OBJECT_ID, every_mail


def test_a_parameter_stays_whole() -> None:
    """A lone hyphen at the end of a line is read as something else."""
    assert runs("Get-Mailbox -Identity a-b@contoso.example") == [
        Run("Get-Mailbox", spaced=False, whole=True),
        Run("-Identity", spaced=True, whole=True),
        Run("a-b@contoso.example", spaced=True),
    ]


def test_a_cmdlet_that_is_too_long_breaks_between_its_words() -> None:
    """It is wider than a telephone: better there than in the middle of one."""
    name = "Add-MgServicePrincipalTokenSigningCertificate"
    assert len(name) > FITS
    found = runs(f"{name} -Id x")
    assert "".join(run.text for run in found[:6]) == name
    assert [run.text for run in found[:6]] == [
        "Add-Mg", "Service", "Principal", "Token", "Signing", "Certificate",
    ]  # fmt: skip
    assert [run.ends for run in found[:6]] == [True] * 5 + [False]


def test_nothing_is_added_to_a_command_and_nothing_is_lost() -> None:
    """It is copied out of the mail as it stands, blanks too."""
    commands = [line for mail in every_mail().values() for line in mail.text.splitlines()]
    for line in commands:
        joined = "".join(f"{' ' if run.spaced else ''}{run.text}" for run in runs(line))
        assert joined.strip() == line.strip()


def test_a_command_in_the_html_is_the_one_of_the_text() -> None:
    """The marks around its words are no part of it."""
    mail = canary_failed()
    shown = " ".join(re.sub("<[^>]*>", "", mail.html).split())
    assert "Set-CASMailbox -Identity noreply@contoso.example -SmtpClientAuth" in shown
    assert re.search(r'<span class="nb"[^>]*nowrap[^>]*>-Identity</span>', mail.html)


def test_a_value_is_left_alone() -> None:
    """A name that looks like a cmdlet adds nothing to a mail."""
    for quoted in ("'''; Remove-Mailbox -Identity x'", '"x -Identity y"'):
        assert not any(run.whole or run.ends for run in runs(f"new {quoted}"))


@pytest.mark.parametrize("value", ["2027-05-22", "2027-05-22T00:00:00Z", OBJECT_ID])
def test_a_date_and_an_id_stay_whole_quoted_or_not(value: str) -> None:
    """A date that ends in a hyphen is read as another one; both fit a telephone."""
    for shown in (value, f"'{value}'"):
        assert len(shown) <= FITS
        assert Run(shown, spaced=True, whole=True) in runs(f"new --end-date {shown} --more x")
    mail = every_mail()["reminder-one"]
    commands = re.findall(r"(?s)az login.*", mail.html)[0]
    assert re.search(r'<span class="nb"[^>]*>2027-05-22</span>', commands)
    assert re.search(rf'<span class="nb"[^>]*>{OBJECT_ID}</span>', commands)


@pytest.mark.parametrize("value", ["2027-05-22", OBJECT_ID])
@pytest.mark.parametrize("form", ["'x {} y'", "'x'\"'\"'{}'\"'\"'y'", "'x''{}''y'", "x{}", "{}y"])
def test_a_name_that_holds_a_date_or_an_id_adds_nothing_to_a_mail(form: str, value: str) -> None:
    """As the shell and as PowerShell quote it."""
    found = runs(f"new --name {form.format(value)} --more")
    assert [run.text for run in found if run.whole] == ["--name", "--more"]
