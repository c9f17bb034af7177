"""What a mail says to somebody who cannot do what only the operator can."""

from __future__ import annotations

import re

import pytest

from monitor.mail.readers import Operator, lines
from monitor.model import Mail
from tests.mail_samples import (
    MSP,
    digest,
    item,
    many,
    many_turns,
    odd_item,
    tenant,
    watched,
    welcome,
)

ASKED = "Example MSP, who run Lapsewatch"
OURS = re.compile(r"lapsewatch(\.toml| [a-z])|\[\[|\bNAME\b")


def mails(people: tuple[str, ...], recipient: str = "it@contoso.example") -> dict[str, Mail]:
    """Every digest that speaks of commands or files of the operator's."""
    changes = {"people": people, "recipient": recipient}
    return {
        "unexpected": digest(odd_item(app_name="Payroll"), **changes),
        "unexpected, many": digest(*many_turns(7, odd_item), **changes),
        "item": digest(watched(), **changes),
        "own": digest(item(5, app_name="Lapsewatch", own=True), **changes),
        "welcome": welcome(item(), **changes),
        "welcome, many": welcome(*many(27)[1:], **changes),
    }


@pytest.mark.parametrize("name", mails(()))
def test_a_customer_is_told_whom_to_ask_and_no_command_of_the_operator(name: str) -> None:
    """Whoever has neither the settings file nor the machine can only ask."""
    mail = mails(MSP)[name]
    for part in (mail.text, mail.html):
        assert not OURS.search(_body(part)), OURS.search(_body(part))
        assert ASKED in part


@pytest.mark.parametrize("name", mails(()))
@pytest.mark.parametrize("recipient", ["noc@msp.example", "Duty@MSP.example"])
def test_the_operators_own_people_keep_the_commands(name: str, recipient: str) -> None:
    """The same mail to somebody of the operator's domain is the one that names the commands."""
    mail, plain = mails(MSP, recipient)[name], mails((), recipient)[name]
    assert (mail.text, mail.html) == (plain.text, plain.html)
    assert OURS.search(mail.text)
    assert ASKED not in mail.text


def test_without_an_address_of_the_operator_nobody_is_sent_to_them() -> None:
    """Who recipients are relative to an operator that nobody knows cannot be told."""
    assert Operator("Example MSP").asked_by("it@contoso.example") == ""


def test_an_operator_without_a_name_is_asked_all_the_same() -> None:
    """The sentence holds without a name, and a name is made harmless."""
    assert Operator("", MSP).asked_by("it@contoso.example") == "whoever runs Lapsewatch"
    asked = Operator("www.evil.example", MSP).asked_by("it@contoso.example")
    assert asked == "www[.]evil[.]example, who run Lapsewatch"


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("It may stay? Then change the `[[forbid]]` rule in `lapsewatch.toml`.",
         f"It may stay? Ask {ASKED}."),
        ("Give Lapsewatch the new end: change the [[item]], or run `lapsewatch item add`.",
         f"Give Lapsewatch the new end: ask {ASKED}."),
        ("Run `lapsewatch run scan`.", f"Ask {ASKED}."),
        ("Open lapsewatch.toml.", f"Ask {ASKED}."),
        ("Run `Get-Mailbox`. Lapsewatch sees it.", "Run `Get-Mailbox`. Lapsewatch sees it."),
    ],
)  # fmt: skip
def test_of_a_step_what_is_for_everybody_stays(step: str, said: str) -> None:
    """What leads to the command says what it was for."""
    assert lines([step], ASKED) == (said,)


def test_what_explains_a_command_goes_with_it() -> None:
    """A stand-in that no line holds any more needs no explanation, and else it stays."""
    explained = "NAME stands for one of: Contoso, Fabrikam"
    told = lines(["Start now: `lapsewatch tenant live NAME`", explained], ASKED)
    assert told == (f"Start now: ask {ASKED}.",)
    assert lines([explained], ASKED) == (explained,)


def test_a_welcome_asks_once_for_all_its_steps() -> None:
    """Three lines that end alike would bury what is to do."""
    mail = welcome(item(), people=MSP)
    for part in (mail.text, mail.html):
        assert part.count(ASKED) == 1


def test_a_tenants_name_is_no_command() -> None:
    """What a mail is about may be called as it likes."""
    who = tenant("lapsewatch.toml [[forbid]]")
    mail = digest(odd_item(who=who), people=MSP)
    assert "[[forbid]]" in mail.text  # the name, as the facts show it
    assert "Find out who added it" in mail.text


def _body(part: str) -> str:
    """Without the address of the page and what is styled as code."""
    return re.sub(r"https://\S+|<style>.*?</style>", "", part, flags=re.DOTALL)
