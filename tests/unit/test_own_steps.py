"""What Lapsewatch itself signs in with: the new value is proven, then the old one deleted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from monitor.mail.own_steps import Role, role
from monitor.model import CredentialRef, Kind, Relay, Sender, Tenant
from tests import mail_samples as sample
from tests.mail_samples import APP_ID

OWN = CredentialRef("secret", "env:CONTOSO_SMTP")
RELAY = Relay("mail.example", 587)
SENDER = Sender("noreply@contoso.example", client_id=APP_ID, credential=OWN)


def who(**changes: Any) -> Tenant:
    """A tenant that reads with the sample's app."""
    return sample.tenant(**{"client_id": APP_ID, **changes})


def told(tenant: Tenant, days: int = 5, **changes: Any) -> str:
    """The text of a mail about a credential of that app."""
    return sample.digest(sample.item(days, who=tenant, own=True, **changes)).text


@pytest.mark.parametrize(
    ("tenant", "what", "command"),
    [
        (who(), Role.READS, "tenant update Contoso`; type the new value"),
        (who(client_id=APP_ID.upper()), Role.READS, "tenant update Contoso`; type"),
        (who(sender=replace(SENDER, credential=None)), Role.READS, "tenant update Contoso`; type"),
        (who(client_id="x", sender=SENDER), Role.SENDS, "tenant update Contoso --sender`; type"),
        (who(app="msp", sender=SENDER), Role.SENDS, "tenant update Contoso --sender`; type"),
        (who(sender=replace(SENDER, client_id=None)), Role.EITHER,
         "tenant update Contoso`, with `--sender` where it is the sender's own; type"),
        (who(client_id="x"), Role.ELSEWHERE, "run scan --tenant Contoso`. Go on only when"),
        (who(app="msp"), Role.ELSEWHERE, "run scan --tenant Contoso`. Go on only when"),
        (who(client_id="x", sender=replace(SENDER, relay=RELAY)), Role.ELSEWHERE,
         "status --all` calls the old one superseded"),
    ],
)  # fmt: skip
def test_the_command_is_the_one_that_takes_this_value(
    tenant: Tenant, what: Role, command: str
) -> None:
    """`tenant update` refuses a shared app's, and takes a sender's only when it is told so."""
    assert role(tenant, sample.credential()) is what
    assert f"lapsewatch {command}" in told(tenant)


@pytest.mark.parametrize("tenant", [who(), who(client_id="x", sender=SENDER), who(app="msp")])
@pytest.mark.parametrize("days", [5, -1])
def test_the_new_value_is_proven_before_the_old_one_is_deleted(tenant: Tenant, days: int) -> None:
    """A scan that succeeds proves nothing while the old one is still valid."""
    text = told(tenant, days)
    proof = text.index("Go on only when")
    assert text.index("Add a new client secret") < proof < text.index("Delete the old secret")
    assert "Check it:" not in text


def test_a_certificate_comes_with_its_key() -> None:
    """There is no value to type."""
    text = told(who(), kind=Kind.CERTIFICATE)
    assert "`lapsewatch tenant update Contoso --certificate FILE`; FILE holds it with" in text


def test_in_a_mail_about_several_tenants_each_role_has_its_steps() -> None:
    """With a word for the name; equal ones are said once."""
    names = ("Contoso", "Fabrikam", "Tailspin")
    items = [sample.item(5, who=who(name=name), own=True, app_name=name) for name in names]
    items.append(sample.item(5, who=who(client_id="x", sender=SENDER), own=True))
    for beside in ([], [sample.item(9, app_name=f"A{n}") for n in range(4)]):
        text = sample.digest(*items, *beside).text
        assert text.count("`lapsewatch tenant update NAME`, with the tenant's name;") == 1
        assert text.count("`lapsewatch tenant update NAME --sender`, with the tenant's name;") == 1


def test_after_the_end_nobody_is_told_that_it_will_go_dark() -> None:
    """It may be so already."""
    assert "or this tenant goes dark" in told(who())
    assert "or this tenant goes dark" not in told(who(), -1)
    assert "Until the new value is in Lapsewatch, this tenant may stay dark." in told(who(), -1)
