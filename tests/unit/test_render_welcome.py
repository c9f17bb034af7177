"""The welcome: who is new, what is lapsed and due, until when it is quiet, and what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.mail.views import DigestItem, Frame, next_day
from monitor.model import MailKind
from tests import mail_samples as sample
from tests.mail_samples import CLOUDS, NOW

DAY = timedelta(days=1)
LAPSED, SOON = sample.item(-45, app_name="Old"), sample.item(20, app_name="New")


def test_the_subject_counts_what_is_lapsed_and_what_is_due() -> None:
    """Each by its kind where it is one, and in one tenant or in several."""
    assert sample.welcome(LAPSED, SOON).subject == (
        "[Lapsewatch] WELCOME: 1 secret expired, 1 secret needs renewal - Contoso"
    )
    other = sample.item(3, who=sample.tenant("Fabrikam"))
    assert sample.welcome(SOON, other).subject == (
        "[Lapsewatch] WELCOME: 2 secrets need renewal - 2 tenants"
    )
    assert sample.welcome(LAPSED).kind is MailKind.WELCOME


def test_the_first_lines_say_what_is_new_and_until_when_it_is_quiet() -> None:
    """In the recipient's zone."""
    first, second, *_ = sample.welcome(LAPSED, SOON).text.splitlines()
    assert first == ("WELCOME. Contoso is newly watched: 1 secret expired, 1 secret needs renewal.")
    assert second == (
        "No further reminders about it come until Mon 7 Dec 2026, 07:20 CET. Then they start by "
        "themselves."
    )
    tokyo = sample.welcome(SOON, zone=ZoneInfo("Asia/Tokyo")).text
    assert "until Mon 7 Dec 2026, 15:20 JST" in tokyo


def test_each_thing_to_do_has_its_command() -> None:
    """To acknowledge, to look ahead, and to start the reminders."""
    text = sample.welcome(SOON).text
    for line in (
        "lapsewatch ack --tenant Contoso",
        "lapsewatch forecast --days 60 --tenant Contoso",
        "lapsewatch tenant live Contoso",
    ):
        assert f"`{line}`\n" in text


def test_of_several_tenants_the_commands_have_a_stand_in_and_the_names_follow() -> None:
    """So many are named one by one, the rest is counted; so are different ends."""
    items = [sample.item(9, who=sample.tenant(f"Customer-{number}")) for number in range(7)]
    text = sample.welcome(*items).text
    assert "`lapsewatch tenant live NAME`\n" in text
    assert "NAME stands for one of: Customer-0, Customer-1, Customer-2, Customer-3, " in text
    assert "Customer-4 and 2 more\n" in text
    later = [
        DigestItem(replace(one.tenant, shadow_until=NOW + (3 + number) * DAY), one.notice)
        for number, one in enumerate(items[:2])
    ]
    second = sample.digest(*later, welcome=True).text.splitlines()[1]
    assert "until Thu 26 Nov 2026, 08:00 CET (the last of them: Fri 27 Nov 2026, 08:00 CET)" in (
        second
    )


@pytest.mark.parametrize("name", ["www.evil.example", "a b", "x; rm -rf ~", "http://x", ""])
def test_a_name_that_is_no_plain_word_does_not_stand_in_a_command(name: str) -> None:
    """Nothing in the mail is pasted that does more than it says."""
    text = sample.welcome(sample.item(9, who=sample.tenant(name))).text
    assert "`lapsewatch tenant live NAME`\n" in text


def test_lapsed_comes_first_and_each_item_is_told_as_in_a_digest() -> None:
    """With its facts, its link and its steps."""
    text = sample.welcome(SOON, LAPSED).text
    assert text.index("1. LAPSED: expired 6 weeks ago") < text.index("2. WARNING: expires in 20")
    digest = sample.digest(SOON).text
    card = digest[digest.index("App id:") : digest.index("Next reminder")]
    assert card in text
    assert "What to do\n" in text


@pytest.mark.parametrize(
    ("days", "shadow", "day"),
    [
        (20, 14 * DAY, "2026-12-07"),  # stage 14 is on 29 Nov, so the first run after the shadow
        (20, 14 * DAY + timedelta(minutes=1), "2026-12-08"),  # that day's run is still in shadow
        (20, 2 * DAY, "2026-11-29"),
        (20, timedelta(0), "2026-11-29"),
        (-400, 14 * DAY, "None"),
    ],
)
def test_the_next_reminder_of_an_item_comes_after_the_shadow(
    days: int, shadow: timedelta, day: str
) -> None:
    """Whoever reads the date must be able to count on it."""
    frame = Frame("it@x.example", sample.BERLIN, NOW, CLOUDS, {}, next_run=NOW + DAY)
    item = sample.item(days, who=sample.tenant(shadow_until=NOW + shadow))
    assert str(next_day(item, frame)) == day


def test_the_foot_does_not_announce_a_mail_for_tomorrow() -> None:
    """A digest does; after a welcome none comes."""
    assert "The next mail can come on" in sample.digest(SOON).text
    assert "The next mail can come on" not in sample.welcome(SOON).text


def test_what_ends_while_it_is_quiet_is_said_to() -> None:
    """Nobody may think that a reminder comes before the end."""
    assert "1 credential ends before that." in sample.welcome(sample.item(7)).text
    assert "before that." not in sample.welcome(sample.item(30), LAPSED).text
    told = "which is after its end. Renew it before, or start the reminders now"
    assert told in sample.welcome(sample.item(7)).text
    assert told not in sample.welcome(sample.item(30), LAPSED).text


def test_what_ends_in_a_longer_shadow_counts_too() -> None:
    """Each credential by the shadow of its own tenant, where they end on different days."""
    alpha = sample.tenant("Alpha", shadow_until=NOW + 2 * DAY)
    beta = sample.tenant("Beta", shadow_until=NOW + 14 * DAY)
    items = [sample.item(days, who=who) for days, who in ((5, alpha), (7, beta), (30, beta))]
    text = sample.digest(*items, welcome=True).text
    assert "1 credential ends before their reminders start." in text
