"""What to do when mail is broken: which app, where its new value goes, and what proves it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.clouds import PRESETS
from monitor.mail import repairs
from monitor.mail.outages import WaitingItem
from monitor.mail.repairs import SendingApp
from monitor.model import OPERATOR, Mail
from tests.acceptance.test_mail_rules import Page
from tests.alarm_samples import OPERATORS_APP, broken_path, mail_path_broken
from tests.mail_nouns import BERLIN, NOW, renderer, tenant

APP = OPERATORS_APP
OWN = "tenant:contoso"
NOC = ("noc@msp.example",)


def steps(mail: Mail) -> list[str]:
    """The numbered lines of the text part, which the HTML part says too."""
    part = mail.text.partition("What to do\n")[2].partition("The facts\n")[0]
    found = re.findall(r"^\d\. (.*)$", part, re.MULTILINE)
    said = re.sub(r" (?=[.,])", "", Page(mail.html).text)
    assert all(step.replace("`", "") in said for step in found), said
    return found


def test_it_names_the_app_its_directory_and_the_portal_page() -> None:
    """Whoever reads this in a chat at seven knows no app by heart."""
    mail = mail_path_broken()
    first = steps(mail)[0]
    assert f"the app `{APP.client_id}` > Certificates & secrets" in first
    for fact in (f"The sender's app id: {APP.client_id}", f"Directory id: {APP.directory_id}",
                 "Server: smtp.office365.com:587"):  # fmt: skip
        assert fact in mail.text
        assert fact.partition(": ")[2] in Page(mail.html).text
    for part, opens in ((mail.text, "Portal, Certificates & secrets"), (mail.html, ">Open ")):
        assert part.index("An Entra") < part.index(opens) < part.index("To prove it")


def test_it_ends_with_what_proves_it_and_what_sends_what_waits() -> None:
    """The operator's own sender has a name that the doctor knows."""
    make, proof, send = steps(mail_path_broken())
    assert "its value where `credential` under `[operator.sender]` in `lapsewatch.toml`" in make
    assert "tenants file" not in make
    said = steps(mail_path_broken(cause="wrong_secret", fix="Make a new one."))
    assert said[1].startswith("The new value goes where `credential` under `[operator.sender]`")
    assert proof == 'To prove it: `lapsewatch doctor --tenant "(operator)"`. It sends no mail.'
    assert send.startswith("To send what waits at once: `lapsewatch run warn`.")


@pytest.mark.parametrize(
    ("app", "told"),
    [(APP, "`lapsewatch tenant update contoso`. It asks for the new secret"),
     (replace(APP, senders_own=True), "`lapsewatch tenant update contoso --sender`. It asks"),
     (replace(APP, form="certificate"), "`lapsewatch tenant update contoso --certificate FILE`."),
     (replace(APP, shared="msp"), "the shared app msp: its new value goes where `credential`")],
)  # fmt: skip
def test_a_tenants_new_value_goes_where_its_app_has_it(app: SendingApp, told: str) -> None:
    """`tenant update` refuses what is not the tenant's, and `--sender` what is not the sender's."""
    found = steps(mail_path_broken(path=OWN, app=app))
    assert told in found[1]
    assert "`lapsewatch doctor --tenant contoso`" in found[2]


def test_only_a_refused_credential_asks_for_a_new_one() -> None:
    """A new secret opens no port."""
    for app in (APP, None):
        found = steps(mail_path_broken(path=OWN, app=app, cause="connect_refused", fix="Look."))
        assert [step.partition(":")[0] for step in found] == [
            "Look.", "To prove it", "To send what waits at once",
        ]  # fmt: skip
    assert "app id" not in mail_path_broken(app=None).text


def test_no_portal_page_is_named_for_what_no_portal_mends() -> None:
    """Entra mends the app, Exchange the mailbox, and neither a network."""

    def label(cause: str) -> str:
        return repairs.page(PRESETS["global"], tenant(), APP.client_id, cause)[1]

    assert label("expired_secret") == "Certificates & secrets"
    assert label("smtp_auth_disabled_mailbox") == "the Exchange admin center"
    assert label("connect_timeout") == ""


def test_a_client_id_that_is_none_is_put_into_no_step() -> None:
    """Hostile words stay out of what is pasted."""
    app = replace(APP, client_id="`rm -rf /`")
    assert "rm" not in " ".join(steps(mail_path_broken(app=app)))


def test_a_reader_who_is_not_the_operator_is_told_whom_to_ask() -> None:
    """They can mend their own app; of the operator's they are told nothing they cannot use."""
    theirs = mail_path_broken(own=True, people=NOC)
    assert steps(theirs) == [
        "Ask Example MSP, who run Lapsewatch. The mailbox is theirs, and so is the mending."
    ]
    mine = mail_path_broken(own=True, people=NOC, path=OWN)
    assert steps(mine)[-1] == (
        "Tell Example MSP, who run Lapsewatch. They finish it in Lapsewatch."
    )
    for mail, shown in ((theirs, False), (mine, True)):
        for part in (mail.text, mail.html):
            assert (APP.client_id in part) is shown
            assert ("portal.azure.com" in part) is shown
            assert "lapsewatch doctor" not in part
    assert "lapsewatch doctor" in mail_path_broken(own=True, people=("it@contoso.example",)).text


def test_what_has_ended_is_marked_in_both_parts_and_in_the_long_list() -> None:
    """Beside what is to come one word of a sentence is read over."""
    mail = mail_path_broken()
    assert "- LAPSED: Invoice mail 0 (contoso), ended today, " in mail.text
    assert mail.text.count("LAPSED: ") == Page(mail.html).text.count("LAPSED Invoice mail") == 1
    ended = [WaitingItem("x@contoso.example", f"App {n}", NOW - timedelta(n)) for n in range(40)]
    path = renderer().mail_path_broken
    many = path([broken_path()], ended, mails=40, zone=BERLIN, now=NOW)
    assert many.text.count("- LAPSED: App ") == 40


def test_the_foot_says_why_it_came_this_way_in_words() -> None:
    """The name of a setting alone explains nothing to who did not set it."""
    for mail in (mail_path_broken(), mail_path_broken(own=True)):
        for part in (mail.text, Page(mail.html).text):
            assert "You get this another way than usual because mail is broken: " in part


def test_more_broken_paths_are_not_passed_over() -> None:
    """The steps are about the first one."""
    one = broken_path()
    told = renderer().mail_path_broken(
        [one, replace(one, path=OWN)], [], mails=2, zone=BERLIN, now=NOW
    )
    assert "Other paths are broken too: `lapsewatch doctor` looks at each." in steps(told)
    assert one.whose == OPERATOR
