"""What one mail says in place of many: each cause once, with everybody whom it is about."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from monitor.mail.words import SUBJECT_CAP
from monitor.model import Mail, MailKind
from monitor.render import StormLine
from tests.alarm_samples import calm, storm
from tests.mail_nouns import BERLIN, NOW, renderer


def repeated(told: str) -> list[str]:
    """Long lines that a mail says twice, whoever they are about."""
    lines = (re.sub(r"customer-\d+", "NAME", line.strip()) for line in told.splitlines())
    return [line for line, count in Counter(lines).items() if count > 1 and len(line) > 60]


def test_each_cause_is_said_once_with_its_remedy() -> None:
    """Whoever reads 37 equal sentences reads none of them."""
    text = storm().text
    assert repeated(text.replace("-" * 60, "")) == []
    assert text.count("Check host and port") == 1
    assert text.count("out to the host that was seen, port 443") == 1
    assert text.count("Grant admin consent") == 1


def test_a_sentence_for_each_tenant_is_caught() -> None:
    """The known-bad variant."""
    lines = [f"customer-{n:03}: cannot be read since Mon 23 Nov 2026, 07:12 CET: connect refused"
             for n in range(3)]  # fmt: skip
    assert repeated("\n".join(lines)) != []


def test_every_tenant_is_named_once() -> None:
    """In both parts: nobody is told again."""
    mail = storm(200)
    for part in (mail.text, mail.html):
        assert sorted(re.findall(r"customer-\d+", part)) == [f"customer-{n:03}" for n in range(200)]


def test_a_sender_is_not_counted_as_a_tenant() -> None:
    """Both can fail for the same cause."""
    mail = storm(7)
    assert mail.subject.endswith("CANNOT CHECK: 7 tenants and 1 sender fail since 07:12")
    assert "7 tenants cannot be read since 07:12" in mail.text.splitlines()[0]
    assert "and 1 sender cannot send mail." in mail.text.splitlines()[0]
    assert (
        "connect refused (5 tenants and 1 sender), admin consent missing (2 tenants)" in mail.text
    )
    assert "Senders: noreply@contoso.example (Contoso)" in mail.text


def test_senders_that_work_again_are_senders() -> None:
    """An end has a mailbox as well."""
    lines = [
        StormLine(MailKind.RECOVERED, "a"),
        StormLine(MailKind.RECOVERED, "b", mailbox="b@b.x"),
    ]
    mail = renderer().storm(lines, zone=BERLIN, now=NOW)
    assert "1 tenant and 1 sender work again" in mail.subject
    assert "RECOVERED: 1 tenant works again" in calm(1).subject


def test_the_html_counts_what_it_has_no_room_for_and_the_text_has_all() -> None:
    """Nothing is lost."""
    mail = storm(4000)
    assert len(mail.html.encode()) < 95_000
    assert len(set(re.findall(r"customer-\d+", mail.text))) == 4000
    counted = sum(int(n) for n in re.findall(r"And (\d+) more. The text part", mail.html))
    assert counted + len(re.findall(r"customer-\d+", mail.html)) == 4000
    assert "noreply@contoso.example" in mail.html


def test_different_answers_are_counted() -> None:
    """The most common first; many are not all named."""
    lines = [
        StormLine(MailKind.CANNOT_CHECK, f"t{n}", "transient", NOW, f"answer {n % 5}")
        for n in range(9)
    ]
    text = renderer().storm(lines, zone=BERLIN, now=NOW).text
    assert "What was seen: answer 0 (2); answer 1 (2); answer 2 (2); and 2 other answers" in text


def group(text: str, title: str) -> str:
    """What stands under a title, to the next one."""
    rest = text.partition(f"{title}\n{'-' * 60}\n")[2]
    return rest.partition("\n\n")[0]


def test_reading_and_sending_have_a_remedy_each_for_the_host_that_was_seen() -> None:
    """The one is refused by Entra at 443, the other by Exchange at 587."""
    text = storm(200).text
    reading = group(text, "Connect refused: 160 tenants")
    sending = group(text, "Connect refused: 1 sender")
    assert "port 443" in reading
    assert "login.microsoftonline[.]com:443" in reading
    assert "587" not in reading
    assert "smtp.office365.com:587" in sending
    assert "smtp.office365[.]com:587: 52.97.201.242" in sending
    assert "443" not in sending


def test_senders_that_fail_at_other_hosts_have_other_remedies() -> None:
    """A token is refused by Entra, whoever asks for it."""
    lines = [
        StormLine(MailKind.CANARY_FAILED, name, "connect_refused", NOW, "no", f"a@{name}.x", fix)
        for name, fix in [("a", "Open port 587."), ("b", "Open port 443."), ("c", "Open port 587.")]
    ]
    text = renderer().storm(lines, zone=BERLIN, now=NOW).text
    assert "Senders: a@a.x (a), a@c.x (c)" in group(text, "Connect refused: 2 senders")
    assert "Open port 443." in group(text, "Connect refused: 1 sender")


def test_an_end_says_what_had_failed_from_when_until_when_and_how_long() -> None:
    """In both parts, and the length in subject and first line."""
    mail = calm(200)
    told = group(mail.text, "Work again: 200 tenants")
    assert mail.subject == "[Lapsewatch] RECOVERED: 200 tenants work again after up to 3 h"
    assert mail.text.startswith("RECOVERED. 200 tenants work again, after 2 h 53 min to 3 h.\n")
    for fact in (
        "connect refused (160); admin consent missing (40)",
        "Mon 23 Nov 2026, 05:00 CET",
        "Mon 23 Nov 2026, 07:53 CET, the last Mon 23 Nov 2026, 08:00 CET",
        "2 h 53 min to 3 h",
    ):
        assert fact in told
        assert fact in mail.html


def test_an_end_of_which_nothing_is_known_is_told_without_times() -> None:
    """No empty fact, and no remedy for what is over."""
    lines = [StormLine(MailKind.RECOVERED, name, fix="Do it.") for name in ("a", "b")]
    mail = renderer().storm(lines, zone=BERLIN, now=NOW)
    assert mail.subject == "[Lapsewatch] RECOVERED: 2 tenants work again"
    assert group(mail.text, "Work again: 2 tenants") == "Tenants: a, b"


def test_a_subject_tells_what_works_again_where_there_is_room() -> None:
    """Whoever fails comes first, tenants and senders."""
    over = [StormLine(MailKind.RECOVERED, "x", mailbox="x@x.x")]
    bad = [StormLine(MailKind.CANNOT_CHECK, f"t{n}", None, NOW - timedelta(days=9 * (n > 7)))
           for n in range(1000)]  # fmt: skip
    send = [StormLine(MailKind.CANARY_FAILED, "s", None, NOW, mailbox="s@s.x")]
    said = [renderer().storm(lines, zone=BERLIN, now=NOW).subject.partition(": ")[2]
            for lines in (bad[:7] + over, bad + send + over)]  # fmt: skip
    assert said[0] == "7 tenants cannot be read since 08:00, 1 works again"
    assert said[1] == "1000 tenants and 1 sender fail since 14 Nov"
    assert all(len(f"[Lapsewatch] CANNOT CHECK: {each}") <= SUBJECT_CAP for each in said)


def run_together(text: str) -> Iterator[str]:
    """Names between which nothing stands but a line's end."""
    yield from re.findall(r"(?:\w|\))\n(?:customer-\d|noreply@)\S*", text)


@pytest.mark.parametrize("mail", [storm(200), calm(200), storm(0, senders=200), storm(4000)])
def test_names_are_parted_by_commas_at_the_ends_of_lines_too(mail: Mail) -> None:
    """Also where the HTML part has no room for more."""
    assert list(run_together(mail.text)) == []
    assert not re.search(r",\s*(</td>|<br>)", mail.html)
    assert ",\n\n" not in mail.text


def test_a_lost_comma_is_caught() -> None:
    """The known-bad variant."""
    assert list(run_together(calm(200).text.replace(",\n", "\n"))) != []


def test_names_stand_in_the_order_in_which_people_count() -> None:
    """2 before 10, whatever else is in the name."""
    names = ["Contoso 10", "contoso 2", "Contoso", "2 Fabrikam", "Contoso 1", "9" * 40]
    lines = [StormLine(MailKind.CANNOT_CHECK, name) for name in names]
    text = renderer().storm(lines, zone=BERLIN, now=NOW).text
    order = ", ".join(["2 Fabrikam", "9" * 40, "Contoso", "Contoso 1", "contoso 2", "Contoso 10"])
    assert f"Tenants: {order}\n" in text


@pytest.mark.parametrize("mail", [storm(200), calm(200)])
def test_no_number_is_compared_with_what_the_reader_cannot_see(mail: Mail) -> None:
    """Not "200 more": the foot says that what was told before is not counted."""
    assert not re.search(r"\d more (tenant|sender)", mail.subject + mail.text)
    assert "no separate mails follow" in mail.text
    assert "Alarms that had a mail of their own before are not counted here." in mail.text
