"""Where the line of a command may break on a narrow screen."""

from __future__ import annotations

import re

from monitor.mail.breaks import FITS, Run, runs
from tests.alarm_samples import canary_failed
from tests.mail_samples import every_mail


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
