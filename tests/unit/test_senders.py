"""A sending path in full: what a sender says itself, and what it inherits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.config import PRESETS
from monitor.errors import SettingsError
from monitor.model import OPERATOR, CredentialRef, Relay, Sender, Tenant
from monitor.senders import of_operator, of_tenant, relay_identity

OWN = CredentialRef("secret", "env:OWN")
SENDERS = CredentialRef("certificate", "env:SENDER")
TENANT = Tenant(
    "contoso", "directory-1", "global", "client-1", OWN, time_zone="Asia/Tokyo",
    sender=Sender("noreply@contoso.example"),
)  # fmt: skip
OPERATORS = Sender("noc@msp.example", client_id="client-9", credential=SENDERS)


def test_a_sender_that_says_nothing_is_the_tenants_in_all() -> None:
    """App, credential, directory, cloud, submission host; its canary goes to itself."""
    found = of_tenant(TENANT, PRESETS)
    assert found is not None
    assert (found.tenant, found.mailbox) == ("contoso", "noreply@contoso.example")
    assert (found.directory_id, found.client_id, found.credential) == (
        "directory-1", "client-1", OWN,
    )  # fmt: skip
    assert (found.host, found.port) == ("smtp.office365.com", 587)
    assert (found.canary_to, found.time_zone) == (("noreply@contoso.example",), "Asia/Tokyo")
    assert found.path == "tenant:contoso"


def test_what_a_sender_says_itself_wins() -> None:
    """Every key that it may have."""
    own = Sender(
        "noreply@contoso.example", enterprise_object_id="object", client_id="client-2",
        credential=SENDERS, canary_to=("a@x.example", "b@x.example"), directory_id="directory-2",
        cloud="china", smtp_host="smtp.example", smtp_port=25,
    )  # fmt: skip
    found = of_tenant(replace(TENANT, sender=own), PRESETS)
    assert found is not None
    assert (found.client_id, found.credential, found.directory_id) == (
        "client-2", SENDERS, "directory-2",
    )  # fmt: skip
    assert (found.cloud.name, found.host, found.port) == ("china", "smtp.example", 25)
    assert (found.canary_to, found.enterprise_object_id) == (
        ("a@x.example", "b@x.example"),
        "object",
    )


def test_without_a_sender_there_is_no_path() -> None:
    """Nor with a plain relay, which only the operator may have."""
    assert of_tenant(replace(TENANT, sender=None), PRESETS) is None
    relayed = replace(TENANT, sender=Sender("a@b.example", relay=Relay("h", 25)))
    assert of_tenant(relayed, PRESETS) is None


def test_a_sender_whose_cloud_is_gone_stays_with_its_problem() -> None:
    """Were it left out, a mail path would vanish from the report; and it stops nobody else."""
    elsewhere = replace(TENANT, sender=Sender("a@b.example", cloud="gone"))
    for tenant in (replace(TENANT, cloud="gone"), elsewhere):
        found = of_tenant(tenant, PRESETS)
        assert found is not None
        assert found.problem.startswith('The settings know no cloud "gone", which contoso needs.')
    usable = of_tenant(TENANT, PRESETS)
    assert usable is not None
    assert usable.problem == ""


def test_two_senders_of_one_mailbox_and_app_are_one_path() -> None:
    """They break together, however the address is spelled."""
    one = of_tenant(TENANT, PRESETS)
    two = of_tenant(replace(TENANT, name="b", sender=Sender("NoReply@Contoso.example")), PRESETS)
    other = of_tenant(replace(TENANT, name="c", client_id="client-2"), PRESETS)
    assert one is not None
    assert two is not None
    assert other is not None
    assert one.identity == two.identity != other.identity


def test_the_operators_sender_needs_a_directory() -> None:
    """Its own, or that of the one watched tenant that uses the same app."""
    named = replace(OPERATORS, directory_id="directory-9", cloud="gcc-high")
    found = of_operator(named, [], PRESETS, time_zone="UTC")
    assert found is not None
    assert (found.tenant, found.path, found.directory_id) == (OPERATOR, "operator", "directory-9")
    assert found.host == "smtp.office365.us"
    home = replace(TENANT, client_id="client-9", cloud="china")
    found = of_operator(OPERATORS, [home, replace(TENANT, name="b")], PRESETS, time_zone="UTC")
    assert found is not None
    assert (found.directory_id, found.cloud.name) == ("directory-1", "china")
    with pytest.raises(SettingsError, match="directory_id: is missing"):
        of_operator(OPERATORS, [TENANT], PRESETS, time_zone="UTC")
    with pytest.raises(SettingsError, match="directory_id: is missing"):
        of_operator(OPERATORS, [home, replace(home, name="b")], PRESETS, time_zone="UTC")


def test_an_operators_sender_that_cannot_be_one_says_why() -> None:
    """A cloud that is gone, an app that is missing."""
    named = replace(OPERATORS, directory_id="d", cloud="gone")
    with pytest.raises(SettingsError, match='no cloud "gone"'):
        of_operator(named, [], PRESETS, time_zone="UTC")
    with pytest.raises(SettingsError, match="client_id and credential"):
        of_operator(Sender("a@b.example"), [], PRESETS, time_zone="UTC")


def test_a_plain_relay_is_no_oauth_sender() -> None:
    """It has an identity of its own, to tell paths apart."""
    relay = Sender("Noc@msp.example", relay=Relay("mail.example", 25, user="noc"))
    assert of_operator(relay, [], PRESETS, time_zone="UTC") is None
    assert of_operator(None, [], PRESETS, time_zone="UTC") is None
    assert relay_identity(relay) == ("mail.example", "25", "noc@msp.example", "noc")
    assert relay_identity(OPERATORS) == ()
