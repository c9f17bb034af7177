"""What the mails about renewed, removed and unexpected credentials say, in both parts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.model import Kind, MailKind
from tests.mail_samples import (
    digest,
    item,
    many_turns,
    odd_item,
    over_item,
    shrunk,
)

STILL = "Delete it after everything uses the new one."


def test_one_renewal_names_the_new_one_and_the_old_one() -> None:
    """Subject, both by name, key id and end, and what is left to do with which."""
    mail = digest(over_item())
    assert mail.kind is MailKind.RENEWED
    assert mail.subject == (
        '[Lapsewatch] RENEWED: "Backup SMTP" secret now valid to 30 Nov 2027 - Contoso'
    )
    for part in (mail.text, mail.html):
        for words in (
            'secret "smtp-2026" (key id ffee0011) in Contoso', "Tue 30 Nov 2027, 09:00 CET",
            '"smtp-2024" (key id ab12cd34) is still there until Sat 5 Dec 2026, 09:00 CET.', STILL,
        ):  # fmt: skip
            assert words in part.replace("&#34;", '"')
    assert not mail.urgent


def test_a_renewal_whose_old_one_is_gone_leaves_nothing_to_do() -> None:
    """And says so."""
    mail = digest(over_item(gone=True))
    assert STILL not in mail.text
    assert 'The old one: "smtp-2024" (key id ab12cd34) is gone.' in mail.text
    assert "Nothing is left to do in Entra." in mail.text
    assert "What to do" not in mail.text


def test_a_newer_life_of_the_same_key_says_that_it_is_the_same_key() -> None:
    """There is no old one to remove."""
    mail = digest(over_item(life=True))
    assert "What changed: It is the same key: its end is later than before." in mail.text
    assert "new one" not in mail.text
    assert "old one" not in mail.text
    assert STILL not in mail.text


def test_a_new_one_without_an_end_is_said_to_have_none() -> None:
    """No date is made up."""
    made = over_item()
    assert made.notice.successor is not None
    endless = replace(made.notice, successor=replace(made.notice.successor, end=None))
    mail = digest(replace(made, notice=endless))
    assert "renewed, without an end date - Contoso" in mail.subject


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (Kind.SECRET, "Whatever still signs in with this secret fails."),
        (Kind.SAML_SIGNING, "Users cannot sign in"),
        (Kind.GDAP, "no delegated admin rights"),
    ],
)
def test_a_removal_says_what_it_means(kind: Kind, says: str) -> None:
    """In both parts, with where to look who did it."""
    mail = digest(over_item(new=False, kind=kind))
    assert mail.kind is MailKind.REMOVED
    assert " is gone - Contoso" in mail.subject
    for part in (mail.text, mail.html):
        assert says in part
        assert "audit log" in part


def test_a_mixed_digest_is_about_what_is_due_and_lists_what_is_done() -> None:
    """The subject speaks of what needs somebody."""
    mail = digest(item(), over_item(app_name="Report mailer"))
    assert mail.kind is MailKind.REMINDER
    assert "Backup SMTP" in mail.subject
    for part in (mail.text, mail.html):
        assert part.index("Backup SMTP") < part.index("Done since the last mail")
        assert "Report mailer" in part


def test_many_ends_are_counted_and_all_of_them_are_in_the_text_part() -> None:
    """With 200 the HTML part stays small enough to be shown."""
    mail = digest(*many_turns(200))
    assert mail.subject == "[Lapsewatch] RENEWED: 150 credentials, 50 removed - 3 tenants"
    assert len(mail.html.encode()) < 100_000
    assert all(f"app {n}," in mail.text or f"app {n}\n" in mail.text for n in (0, 55, 198))
    assert "And 175 more:" in mail.text


def test_only_removals_are_a_removed_mail() -> None:
    """One renewal makes it a renewed one."""
    gone = [over_item(day, new=False, app_name=f"App {day}") for day in (2, 4)]
    assert digest(*gone).subject == "[Lapsewatch] REMOVED: 2 secrets are gone - Contoso"
    assert digest(*gone, over_item()).kind is MailKind.RENEWED


def test_an_unexpected_one_says_why_since_when_and_where_to_look() -> None:
    """In both parts, with the portal's page; it is marked as important."""
    mail = digest(odd_item(app_name="Payroll"))
    assert mail.subject == (
        '[Lapsewatch] UNEXPECTED: secret on "Payroll" should not be there - Contoso'
    )
    assert mail.urgent
    for part in (mail.text, mail.html):
        assert "Payroll signs in with certificates only." in part
        assert "First seen" in part
        assert "look at the audit log of Entra" in part
        assert "portal.azure.com" in part


def test_many_unexpected_ones_fit_in_a_mail() -> None:
    """200 of them."""
    mail = digest(*many_turns(200, odd_item))
    assert mail.subject.startswith("[Lapsewatch] UNEXPECTED: 200 credentials should not be there")
    assert len(mail.html.encode()) < 100_000


def test_a_lapsed_one_that_is_renewed_says_when_it_ended() -> None:
    """The old one is still there, and useless."""
    mail = digest(over_item(-9))
    assert "is still there, and ended Sat 14 Nov 2026, 09:00 CET. " in mail.text


def test_the_question_about_a_shrunken_tenant_has_its_own_words() -> None:
    """The tenant can be read: nobody is told that it cannot."""
    mail = shrunk()
    assert mail.subject == (
        "[Lapsewatch] CANNOT CHECK: 212 of 240 credentials are gone, was that meant? - Contoso"
    )
    for part in (mail.text, mail.html):
        assert part.count("tenant accept") == 1  # to be pasted, in a block of its own
        assert "lapsewatch tenant accept Contoso" in part
        assert "run the command below" in part
        assert "Lapsewatch has marked nothing as removed." in part
        assert "Nothing was removed" not in part  # beside "are gone" it reads as a contradiction
        assert "cannot be read" not in part
    assert mail.urgent
