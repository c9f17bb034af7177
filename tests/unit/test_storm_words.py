"""What one mail says in place of many: each cause once, with everybody whom it is about."""

from __future__ import annotations

import re
from collections import Counter

from monitor.model import MailKind
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
    assert mail.subject.endswith("CANNOT CHECK: 7 more tenants cannot be read since 07:12")
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
    mail = renderer().storm(lines, fixes={}, zone=BERLIN, now=NOW)
    assert "1 more tenant and 1 sender work again" in mail.subject
    assert "1 more tenant works again" in calm(1).subject


def test_the_html_counts_what_it_has_no_room_for_and_the_text_has_all() -> None:
    """Nothing is lost."""
    mail = storm(4000)
    assert len(mail.html.encode()) < 95_000
    assert len(set(re.findall(r"customer-\d+", mail.text))) == 4000
    counted = sum(int(n) for n in re.findall(r"And (\d+) more. The text part", mail.html))
    assert counted + len(re.findall(r"customer-\d+", mail.html)) == 4001  # and the sender


def test_different_answers_are_counted() -> None:
    """The most common first; many are not all named."""
    lines = [
        StormLine(MailKind.CANNOT_CHECK, f"t{n}", "transient", NOW, f"answer {n % 5}")
        for n in range(9)
    ]
    text = renderer().storm(lines, fixes={}, zone=BERLIN, now=NOW).text
    assert "What was seen: answer 0 (2); answer 1 (2); answer 2 (2); and 2 other answers" in text
