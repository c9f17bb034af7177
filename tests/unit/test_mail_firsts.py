"""The first lines of a digest: what is most urgent, how many, when, and what stands at the end."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from monitor.mail.digests import gravest_first
from monitor.mail.firsts import by_number
from monitor.model import TenantHealth
from monitor.render import DigestItem
from tests import mail_samples as sample
from tests.acceptance.test_mail_rules import MAILS, Page


def several(*days: int) -> list[DigestItem]:
    """An item for each of these days."""
    return [sample.item(day, app_name=f"App {n}", uid=str(n)) for n, day in enumerate(days)]


@pytest.mark.parametrize(
    ("days", "subject", "sentence"),
    [
        ((0, 0, 5), "3 secrets need renewal, 2 today at 09:00", "2 of them expire today at 09:00."),
        ((0, 5), "2 secrets need renewal, first today at 09:00", "first expires today at 09:00."),
        ((1, 1), "2 secrets need renewal, all tomorrow", "All of them expire tomorrow."),
        ((4, 4, 9), "3 secrets need renewal, first in 4 days", "2 of them expire in 4 days."),
        ((0,), "secret expires today at 09:00 (23 Nov)", "in Contoso expires today at 09:00."),
        ((-1,), "secret expired yesterday (22 Nov)", "in Contoso expired yesterday (22 Nov)."),
        ((-1, -1), "2 secrets expired yesterday (22 Nov)", "expired yesterday (22 Nov)."),
        ((-1, -9), "2 secrets expired, 1 yesterday", "expired, the last one yesterday (22 Nov)."),
        ((0, -1, -1, -9), "3 secrets expired, 2 yesterday, 1 ends today at 09:00",
         "the last 2 of them yesterday (22 Nov). 1 more expires today at 09:00."),
        ((0, 0, 5, -5, -9), "2 secrets expired, the last on 18 Nov, 2 end today at 09:00",
         "the last one 5 days ago (18 Nov). 3 more need renewal, 2 of them today at 09:00."),
        ((5, -5), "secret expired 5 days ago (18 Nov), 1 more needs renewal",
         "expired 5 days ago (18 Nov). 1 more needs renewal."),
    ],
)  # fmt: skip
def test_subject_and_first_line_tell_how_many_are_most_urgent_and_when(
    days: tuple[int, ...], subject: str, sentence: str
) -> None:
    """ "First today" would hide that 25 end within the hour."""
    mail = sample.digest(*several(*days))
    assert mail.subject.endswith(f"{subject} - Contoso")
    for told in (mail.text.splitlines()[0], Page(mail.html).text):
        assert sentence in told


def test_ends_at_several_hours_of_today_are_told_from_the_first_on() -> None:
    """The first of them counts."""
    late = sample.item(0, end=sample.NOW + timedelta(hours=9), app_name="Late")
    assert "2 secrets need renewal, all today from 09:00 on - " in (
        sample.digest(sample.item(0), late).subject
    )


def test_the_first_line_names_the_tenants_of_what_has_lapsed_and_no_others() -> None:
    """What is due elsewhere is counted beside it; the subject's end is about all."""
    gone = [sample.item(-1, app_name=f"App {n}", uid=str(n)) for n in range(2)]
    due = sample.item(9, app_name="Other", uid="9", who=sample.tenant("Tailspin"))
    mail = sample.digest(*gone, due)
    assert "LAPSED. 2 secrets in Contoso expired yesterday (22 Nov). 1 more needs" in mail.text
    assert mail.subject.endswith(" - 2 tenants")


def test_a_welcome_says_what_ends_today() -> None:
    """No reminder of it comes before its end."""
    mail = sample.welcome(*several(0, 0, 20))
    assert mail.subject.endswith("3 secrets need renewal, 2 end today at 09:00 - Contoso")
    assert mail.text.splitlines()[0].endswith("3 secrets need renewal. 2 expire today at 09:00.")
    assert (
        sample.welcome(*several(-9, 0))
        .text.splitlines()[0]
        .endswith("1 secret expired, 1 secret needs renewal. 1 expires today at 09:00.")
    )
    assert "today" not in sample.welcome(*several(20, 30)).text.splitlines()[0]


def test_what_is_covered_says_how_many_old_ones_end_today() -> None:
    """They may be in use."""
    mail = MAILS["covered-200"]
    assert "200 secrets end, 25 today at 09:00, newer ones" in mail.subject
    assert "200 secrets in Tailspin end soon, 25 of them today at 09:00." in mail.text


def test_what_lapsed_last_comes_first_then_what_ends_soonest() -> None:
    """What broke yesterday is news; the sentence before the list says so."""
    items = several(9, -80, -1, 2, -30)
    assert [item.notice.days_left for item in gravest_first(items)] == [-1, -30, -80, 2, 9]
    told = "Begin at the top: the most urgent come first; of what has lapsed, the newest."
    for text in (MAILS["lapsed-200"].text, Page(MAILS["lapsed-200"].html).text):
        assert told in text
    assert "1. LAPSED: expired yesterday" in MAILS["lapsed-200"].text
    assert "of what has lapsed" not in MAILS["reminder-200-links"].text


def test_names_with_numbers_stand_in_the_order_of_their_numbers() -> None:
    """App 9 before app 10; hostile digits break nothing."""
    names = ["App 112", "App 16", "App 8", "app 9", "App " + "9" * 9000, "App \u0663"]
    assert sorted(names[:4], key=by_number) == ["App 8", "app 9", "App 16", "App 112"]
    assert len(sorted(names, key=by_number)) == len(names)
    days = [sample.item(1, app_name=name) for name in names[:4]]
    assert [one.notice.credential.app_name for one in gravest_first(days)] == [
        "App 8", "app 9", "App 16", "App 112",
    ]  # fmt: skip


def test_the_heading_of_a_list_promises_only_what_is_in_it() -> None:
    """Nothing ends soon where all has lapsed."""
    lapsed, due = several(-1, -2, -3, -4, -5), several(5, 6, 7, 8, 9)
    for make, only, soon, both in (
        (sample.digest, "What has lapsed", "What needs renewal", "What has lapsed or ends soon"),
        (sample.welcome, "What has lapsed", "What is due now", "What is lapsed or due now"),
    ):
        for items, title in ((lapsed, only), (due, soon), (lapsed + due, both)):
            mail = make(*items)
            assert f"\n{title}\n---" in mail.text
            assert f"<b>{title}</b>" in mail.html or f">{title}</h2>" in mail.html


@pytest.mark.parametrize(
    ("lapsed", "unread", "line"),
    [
        (1, 1, "1 other is still lapsed and Fabrikam could not be read: see the end of this mail."),
        (3, 0, "3 others are still lapsed: see the end of this mail."),
        (0, 2, "2 tenants could not be read: see the end of this mail."),
    ],
)
def test_the_first_lines_say_what_stands_at_the_end(lapsed: int, unread: int, line: str) -> None:
    """Nobody reads so far who does not know of it."""
    old = [(sample.tenant(), sample.credential(-50 - n)) for n in range(lapsed)]
    who = [sample.tenant(name) for name in ("Fabrikam", "Tailspin")[:unread]]
    blind = [(one, TenantHealth(one.name, problem="x")) for one in who]
    mail = sample.digest(sample.item(), still_lapsed=old, blind=blind)
    assert mail.text.splitlines()[2] == line
    page = Page(mail.html).text
    assert page.index(line) < page.index("CRITICAL")
    assert "the end of this mail" not in sample.digest(sample.item()).text


def test_facts_are_as_old_beside_an_item_as_they_are_where_its_tenant_could_not_be_read() -> None:
    """The samples are to agree with themselves."""
    for name in ("reminder-three", "reminder-many", "renewed-many", "welcome-many"):
        text = MAILS[name].text
        beside = re.findall(
            r"(?<!watched date) in Fabrikam\n(?:   .*\n)*?   Facts as of: (.*CET)", text
        )
        assert beside
        assert set(beside) == set(re.findall(r"- Fabrikam: facts as of (.*)", text))
