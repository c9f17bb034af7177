"""What is said by a channel when mail is broken: all that waits, in whichever part is read."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

from monitor.mail.outages import LINES, LISTED, WaitingItem, most_urgent_first
from tests.alarm_samples import canary_failed, mail_path_broken
from tests.mail_nouns import NOW, tenant

WAITING = "lapsewatch-waiting.csv"


def test_all_that_waits_is_in_the_text_and_in_a_file() -> None:
    """A chat takes no file, and a spreadsheet sorts better."""
    mail = mail_path_broken(200)
    assert all(f"Invoice mail {n} (contoso)" in mail.text for n in range(200))
    said = " ".join(mail.text.split())
    assert "- [Lapsewatch] CANNOT CHECK: litware for noc@msp.example" in said
    assert "- Invoice mail 199 (contoso), ends in 199 days, " in said
    [file] = mail.attachments
    rows = list(csv.DictReader(io.StringIO(file.content.decode("utf-8-sig"))))
    assert len(rows) == 201
    assert rows[4] == {
        "recipient": "it@contoso.example", "what": "Invoice mail 3 (contoso)",
        "end": "2026-11-26T07:00:00Z", "days_left": "3",
    }  # fmt: skip


def test_the_html_shows_the_first_and_counts_the_rest() -> None:
    """The most urgent are read; nobody reads two hundred."""
    html = mail_path_broken(200).html
    assert html.count("Invoice mail") == LISTED - 1  # the other one is an alarm
    assert f"And {201 - LISTED} more. All of it is in the attached {WAITING}." in html
    assert [file.name for file in mail_path_broken(200).attachments] == [WAITING]


def test_what_fits_brings_no_file() -> None:
    """It would say nothing more."""
    assert mail_path_broken(4).attachments == ()


def test_a_text_without_end_is_read_by_nobody() -> None:
    """So it has a bound, and says how many are beyond it; the file has them all."""
    mail = mail_path_broken(2000)
    assert mail.text.count("Invoice mail") == LISTED + LINES - 1  # the other one is an alarm
    assert f"and {2001 - LISTED - LINES} more, which the status page shows" in mail.text
    assert mail.attachments[0].content.count(b"Invoice mail") == 2000


def test_a_command_in_an_alarm_is_set_apart_and_names_the_mailbox() -> None:
    """It is pasted as it stands."""
    mail = canary_failed()
    command = (
        "Set-CASMailbox -Identity noreply@contoso.example -SmtpClientAuthenticationDisabled $false"
    )
    assert f"`{command}`." in mail.text
    assert f"{command}. The organisation" in " ".join(re.sub("<[^>]*>", "", mail.html).split())
    assert "`" not in mail.html


def test_an_address_that_a_shell_reads_otherwise_is_not_put_into_a_command() -> None:
    """The place stays open then."""
    for bad in ("o'brien@contoso.example", "-x@contoso.example", "$(x)@contoso.example", "x"):
        assert "-Identity <mailbox> " in canary_failed(mailbox=bad, tenant=tenant()).text


def test_an_alarm_that_waits_stands_before_a_crowd_of_ends() -> None:
    """Behind it is what nobody can see at all; and what is shown in full has an end."""
    ends = [WaitingItem("x", f"App {n}", NOW + timedelta(days=n)) for n in (9, 1, -3, *range(200))]
    calm, alarm = WaitingItem("x", "WEEKLY REPORT"), WaitingItem("x", "CANNOT CHECK", alarm=True)
    found = most_urgent_first([calm, *ends, alarm])
    assert found[0] is alarm
    assert found[-1] is calm
    assert found[1].end == NOW - timedelta(days=3)
    html = mail_path_broken(200).html
    assert "CANNOT CHECK: litware" in html


def test_the_answer_of_a_failed_canary_is_told_once() -> None:
    """The stage points at it, and the facts have it whole."""
    mail = canary_failed()
    for part in (mail.text, mail.html):
        assert part.count("SmtpClientAuthentication is disabled") == 1
        assert "see the answer above" in part
