"""The welcome: who is new, what is lapsed and due, until when it is quiet, and what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.mail.views import DigestItem, Frame, next_day
from monitor.model import MailKind, TenantHealth
from tests import mail_samples as sample
from tests.acceptance.test_mail_rules import MAILS, Page
from tests.mail_samples import CLOUDS, NOW

DAY = timedelta(days=1)
WELCOMED = "What this mail says there is"
LAPSED, SOON = sample.item(-45, app_name="Old"), sample.item(20, app_name="New")


def test_the_subject_counts_what_is_lapsed_and_what_is_due() -> None:
    """Each by its kind where it is one, in one tenant or in several; and when the first ends."""
    assert sample.welcome(LAPSED, SOON).subject == (
        "[Lapsewatch] WELCOME: 1 secret expired, 1 secret ends in 20 days - Contoso"
    )
    other = sample.item(3, who=sample.tenant("Fabrikam"))
    assert sample.welcome(SOON, other).subject == (
        "[Lapsewatch] WELCOME: 2 secrets need renewal, first in 3 days - 2 tenants"
    )
    assert sample.welcome(LAPSED, SOON, other).subject == (
        "[Lapsewatch] WELCOME: 1 secret expired, 2 secrets need renewal, first in 3 days - "
        "2 tenants"
    )
    assert sample.welcome(LAPSED).subject == "[Lapsewatch] WELCOME: 1 secret expired - Contoso"
    assert sample.welcome(LAPSED).kind is MailKind.WELCOME


def test_the_first_lines_say_what_is_new_and_until_when_it_is_quiet() -> None:
    """In the recipient's zone."""
    first, second, *_ = sample.welcome(LAPSED, SOON).text.splitlines()
    assert first == (
        "WELCOME. Contoso is newly watched: 1 secret expired, 1 secret needs renewal. "
        "1 expires in 20 days."
    )
    assert second == (
        "No further reminders about them come until Mon 7 Dec 2026, 07:20 CET. Then they start by "
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
    one = sample.welcome(sample.item(7)).text
    assert "1 secret needs renewal. It expires in 7 days.\n" in one
    assert "reminders about it come until Mon 7 Dec 2026" in one
    assert "by themselves. It ends before that.\n" in one
    assert "1 credential ends before that." in sample.welcome(sample.item(7), LAPSED).text
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


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        ((7,), "It expires in 7 days."),
        ((7, 9), "The first expires in 7 days."),
        ((-3, 7, 9), "The first expires in 7 days."),
        ((7, 7, 9), "The first 2 expire in 7 days."),
        ((7, 7), "2 expire in 7 days."),
        ((0,), "It expires today at 09:00."),
        ((-3, 0, 9), "1 expires today at 09:00."),
    ],
)
def test_the_first_line_says_how_many_end_first_and_when(
    days: tuple[int, ...], sentence: str
) -> None:
    """No reminder comes before; both parts say so at once."""
    mail = sample.welcome(*(sample.item(day, app_name=f"App {n}") for n, day in enumerate(days)))
    assert mail.text.splitlines()[0].endswith(f" {sentence}")
    assert sentence in Page(mail.html).text
    assert "expires" not in sample.welcome(LAPSED).text.splitlines()[0]


@pytest.mark.parametrize("name", [name for name in MAILS if name.startswith("welcome-")])
def test_what_keeps_it_quiet_stands_below_the_list_and_its_steps(name: str) -> None:
    """Whoever begins at the top sees first what ends, and how it is renewed."""
    mail = MAILS[name]
    for told in (mail.text, Page(mail.html).text):
        quiet = told.index("Keep it quiet, or start the reminders")
        assert told.index("1. " if told is mail.text else "What breaks") < quiet
        assert told.rindex("Microsoft Graph PowerShell") < quiet
        assert told.rindex("What to do") < quiet
        assert told.find("Could not be read", quiet) == told.find("Could not be read")


def test_a_reminder_on_the_day_of_the_end_is_not_waited_for() -> None:
    """A run at 08:00 leaves an hour and forty minutes, or none."""
    told = "   Next reminder: Mon 7 Dec 2026, and it ends that day at 09:40. Renew it before, or "
    assert f"{told}start the reminders now\n" in MAILS["welcome-late"].text
    for minutes, late in ((0, True), (1, False), (16 * 60 - 1, False)):
        one = sample.item(14, end=NOW + 14 * DAY + timedelta(minutes=minutes))
        text = sample.welcome(one).text
        assert ("which is after its end. Renew it before" in text) is late
        assert ("and it ends that day at " in text) is not late
    tomorrow = sample.item(15, end=NOW + 14 * DAY + timedelta(hours=16))
    assert "   Next reminder: Mon 7 Dec 2026\n" in sample.welcome(tomorrow).text


def test_what_lapsed_long_ago_is_in_no_digest_before_the_reminders_start() -> None:
    """Until then there is none."""
    told = "none of its own; {}it stays in every digest until it is renewed or deleted\n"
    assert told.format("once the reminders have started ") in sample.welcome(LAPSED).text
    assert told.format("") in sample.digest(LAPSED).text


def test_what_could_not_be_read_has_its_step() -> None:
    """The doctor knows the cause; a customer asks who can run it."""
    blind = [(sample.tenant(name), TenantHealth(name, problem="x")) for name in ("Fabrikam", "a b")]
    see = "To see what is wrong and how to mend it: "
    for shown, people, step in (
        (blind[:1], (), "`lapsewatch doctor --tenant Fabrikam`"),
        (blind[1:], (), "`lapsewatch doctor --tenant NAME`, with its name"),
        (blind, (), "`lapsewatch doctor --tenant NAME`, with the name of each"),
        (blind, sample.MSP, "ask Example MSP, who run Lapsewatch."),
    ):
        for make, lead in ((sample.welcome, WELCOMED), (sample.digest, "Reminders go on")):
            mail = make(SOON, blind=shown, people=people)
            assert f"\n{see}{step}\n" in mail.text
            end = mail.text[mail.text.index("\nCould not be read\n") :]
            assert end.splitlines()[3] == f"{lead} from the last facts."
            page = Page(mail.html).text.replace(" , ", ", ")
            assert f"{see}{step.replace('`', '')}" in page
            assert f"{lead} from the last facts." in page
