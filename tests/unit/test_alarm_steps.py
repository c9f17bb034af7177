"""What alarms tell to do, in which order, and where."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.clouds import PRESETS
from monitor.mail import pasting
from monitor.mail.guides import alarm_link
from monitor.model import OPERATOR, CredentialRef, Mail, Sender
from tests import mail_samples as sample
from tests.alarm_samples import explained
from tests.mail_samples import NOW, canary_failed, finding, no_consent, tenant

AZ = "az ad app permission admin-consent --id 9a2b4c6d-8e0f-4132-9576-b798dab1c3e5"
MAILS = sample.every_mail()


def steps(mail: Mail) -> list[str]:
    """The numbered lines of the text part."""
    part = mail.text.partition("What to do\n")[2]
    return re.findall(r"^\d\. (.*)$", part, re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "count"),
    [("cannot-check", 2), ("cannot-check-examined", 2), ("cannot-check-shrunk", 3),
     ("canary-failed", 2), ("canary-failed-examined", 4)],
)  # fmt: skip
def test_what_to_do_is_numbered_and_both_parts_say_the_same(name: str, count: int) -> None:
    """Steps that run into each other are read as one."""
    mail = MAILS[name]
    found = steps(mail)
    assert len(found) == count
    assert len(re.findall(r"<b>\d\.</b>", mail.html)) == count


@pytest.mark.parametrize("name", ["cannot-check", "cannot-check-examined", "canary-failed"])
def test_the_portal_stands_at_the_first_step(name: str) -> None:
    """Between it and what tries it again, in both parts, once."""
    mail = MAILS[name]
    for part, link in ((mail.text, "Portal, "), (mail.html, ">Open ")):
        assert part.count(link) == 1
        assert part.index("An E") < part.index(link) < part.index("To try it at once")


def test_the_azure_cli_is_signed_in_to_the_right_directory_first() -> None:
    """Else consent is given wherever the admin happens to be signed in."""
    lines = MAILS["cannot-check-examined"].text.splitlines()
    at = lines.index(AZ)
    assert lines[at - 1].startswith(f"az login --tenant {tenant().directory_id}")
    assert "Or paste this into a shell with the Azure CLI" in lines


def test_in_another_cloud_the_sign_in_names_it() -> None:
    """The tools sign in to the global cloud where nothing is said."""
    who = tenant(cloud="gcc-high")
    assert pasting.block(no_consent(), who)[0] == "az cloud set --name AzureUSGovernment"
    first = pasting.block(finding(), who)[0]
    assert first == "Connect-ExchangeOnline -ExchangeEnvironmentName O365USGovGCCHigh"


def test_exchange_is_connected_before_its_commands() -> None:
    """A cmdlet is not known before; what is only for some apps has a line of its own."""
    lines = MAILS["canary-failed-examined"].text.splitlines()
    at = lines.index("Connect-ExchangeOnline")
    assert lines[at + 1].startswith("Remove-ServicePrincipal -Identity '")
    assert lines[at + 2].startswith("New-ServicePrincipal -AppId '")


def test_a_shared_app_gets_no_command_that_finds_no_registration() -> None:
    """It is registered in another directory: there is the consent link only."""
    shared = tenant(app="msp")
    assert pasting.block(no_consent(), shared) == ()
    assert pasting.block(finding(), shared) != ()


def test_the_first_sentence_says_since_when_a_tenant_cannot_be_read() -> None:
    """The subject has only how long."""
    first = MAILS["cannot-check"].text.splitlines()[0]
    assert first.endswith("admin consent missing, since Sun 22 Nov 2026, 06:00 CET (26 h).")


def test_each_possible_cause_of_a_shrunken_tenant_has_its_step() -> None:
    """A clean-up, an accident, or a reader that sees less."""
    one, two, three = steps(MAILS["cannot-check-shrunk"])
    assert one.startswith("Was that meant? Then run the command below")
    assert two.startswith("Was it an accident? Look at the audit log")
    assert three.startswith("Neither? Then Lapsewatch may see less than before")
    assert "`lapsewatch doctor --tenant Contoso`" in three


def test_a_wrong_object_id_names_the_key_both_ids_and_what_exchange_needs() -> None:
    """Entra, Lapsewatch and Exchange each hold the id, and the permission hangs on it."""
    first, second, third, _ = steps(MAILS["canary-failed-examined"])
    assert '`enterprise_object_id = "c0de0000-0000-4000-8000-000000000001"`' in first
    assert 'it is "c0de0000-0000-4000-8000-000000000002"' in first
    assert "by the command below" in second
    assert "Add-MailboxPermission -Identity noreply@contoso.example -User c0de0000" in third
    assert "Open Enterprise applications" in MAILS["canary-failed-examined"].html


@pytest.mark.parametrize(
    ("cause", "page"),
    [("consent_missing", "API permissions"), ("sp_not_in_exchange", "Enterprise applications"),
     ("no_mailbox_permission", "the Exchange admin center")],
)  # fmt: skip
def test_the_portal_page_is_where_the_cause_is_mended(cause: str, page: str) -> None:
    """Exchange refuses at AUTH for what only Entra can mend, too."""
    _, label = alarm_link(PRESETS["global"], tenant(), tenant().client_id, cause, "auth")
    assert label == page


def test_the_mailbox_stands_in_the_first_sentence() -> None:
    """A tenant may have several senders in the course of time, and rules know mailboxes."""
    first = MAILS["canary-failed"].text.splitlines()[0]
    assert "Contoso cannot send mail as noreply@contoso.example: SMTP AUTH is off" in first


def test_a_subject_tells_a_vague_reply_by_its_code_and_the_cause_where_one_is_known() -> None:
    """People search for codes; where the cause is known, they need not."""
    vague = canary_failed(probe=sample.bare_refusal(), tenant=None)
    assert vague.subject == "[Lapsewatch] CANARY FAILED: 535 5.7.3 at AUTH since 08:00 - Contoso"
    found = MAILS["canary-failed-examined"].subject
    assert found == ("[Lapsewatch] CANARY FAILED: wrong Enterprise application object id - Contoso")
    assert len(found) <= 78


def test_what_it_could_also_be_says_how_to_tell() -> None:
    """A bare name tells nobody where to look; where the doctor has looked, it need not again."""
    text = MAILS["canary-failed"].text
    assert f"- {explained('security_defaults')}" in text
    assert "- Which of them it is: `lapsewatch doctor --tenant Contoso` looks at each." in text
    looked = canary_failed(finding=finding()).text
    assert "- Refused by security defaults." in looked
    assert "looks at each" not in looked


def test_the_stage_that_failed_is_marked() -> None:
    """Among eight lines that look alike it is the one that counts."""
    html = MAILS["canary-failed"].html
    assert len(re.findall(r"<b [^>]*>&nbsp;FAILED&nbsp;</b>|<b[^>]*>\xa0FAILED\xa0</b>", html)) == 1
    assert "AUTH: FAILED, 0.42 s" in MAILS["canary-failed"].text


@pytest.mark.parametrize(
    ("name", "failed"),
    [("recovered-tenant", "admin consent missing"),
     ("recovered-sender", "SMTP AUTH is off for the organisation")],
)  # fmt: skip
def test_the_end_of_an_alarm_says_what_had_failed(name: str, failed: str) -> None:
    """Whoever reads it first has not read the beginning."""
    assert f"What had failed: {failed}" in MAILS[name].text
    assert failed in MAILS[name].html


def test_a_name_that_cannot_be_typed_has_a_stand_in_in_the_commands() -> None:
    """And the operator's own sender has the name that the doctor knows it by; `run` has none."""
    assert pasting.option("Contoso; rm -rf /") == "--tenant NAME"
    assert pasting.option("www.evil.example") == "--tenant NAME"
    assert pasting.option(OPERATOR) == '--tenant "(operator)"'
    assert pasting.again("canary", OPERATOR).endswith("`lapsewatch run canary`")
    assert pasting.option("north-2") == "--tenant north-2"


def test_a_sender_that_fails_for_long_says_so_in_the_second_sentence() -> None:
    """The subject has no room for it beside a long cause."""
    mail = canary_failed(since=NOW - timedelta(days=2))
    assert mail.text.splitlines()[1] == (
        "No warning leaves by this mailbox since Sat 21 Nov 2026, 08:00 CET."
    )


def test_the_sample_is_about_the_app_that_its_facts_name() -> None:
    """A command for another app than the one shown would be run without a doubt."""
    who = tenant()
    for name in ("cannot-check-examined", "canary-failed-examined"):
        block = MAILS[name].text.partition("paste")[2].partition("\n\n")[0]
        assert who.client_id in block.splitlines()[-1]


def _sender() -> Sender:  # an own app of the sender is named in the portal's link
    return Sender("noreply@contoso.example", client_id="11111111-2222-4333-8444-555555555555",
                  credential=CredentialRef("secret", "env:X"))  # fmt: skip


def test_the_link_is_to_the_senders_own_app_where_it_has_one() -> None:
    """The tenant's app reads; the sender's app sends."""
    probe = replace(sample.bare_refusal(), cause="expired_secret", stage="token")
    text = canary_failed(probe=probe, tenant=tenant(sender=_sender())).text
    assert "appId/11111111-2222-4333-8444-555555555555" in text
