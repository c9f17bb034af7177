"""The operator's sender in the settings: its secret, its relay, and what each needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.settings_samples import GUID, PLANTED, plain_environment, problems, read

__all__ = ["plain_environment"]  # a fixture


@pytest.mark.parametrize(
    "credential",
    [
        f'"{PLANTED}"',
        f'{{ secret = "{PLANTED}" }}',
        f'{{ certificate = "{PLANTED}" }}',
        f'{{ managed_identity = "{PLANTED}" }}',
        f'{{ password = "{PLANTED}" }}',
        f'["{PLANTED}"]',
        f'{{ secret = "file:" , certificate = "{PLANTED}" }}',
        f'{{ secret = ["{PLANTED}"] }}',
        '{ secret = "file:" }',
        '{ secret = "env: " }',
        f'{{ secret = "file:a\\n{PLANTED}" }}',
    ],
)
@pytest.mark.parametrize(
    "where", ["[operator.sender]\ncredential", "[operator.sender.smtp]\nhost='h'\ncredential"]
)
def test_a_secret_in_the_settings_is_refused_without_being_repeated(
    where: str, credential: str, tmp_path: Path
) -> None:
    """The message says which forms there are, and never the value."""
    mailbox = "[operator.sender]\nmailbox='a@b.example'\n" if "smtp" in where else ""
    found = "\n".join(problems(f"{mailbox}{where} = {credential}\n", tmp_path))
    assert "must be" in found
    assert PLANTED not in found


def test_a_guid_in_place_of_a_secret_is_called_a_secrets_id(tmp_path: Path) -> None:
    """The commonest slip: Entra shows both in one row."""
    text = f'[operator.sender]\nmailbox="a@b.example"\ncredential = {{ secret = "{GUID}" }}'
    (found,) = problems(text, tmp_path)
    assert "looks like a secret's ID" in found
    assert GUID not in found


def test_an_operators_sender_needs_a_way_to_send(tmp_path: Path) -> None:
    """An app and a credential, or a plain server; a mailbox in either case; a known cloud."""
    (found,) = problems('[operator.sender]\nmailbox="a@b.example"', tmp_path)
    assert "needs client_id and credential, or smtp" in found
    (found,) = problems('[operator.sender]\nsmtp = { host = "h" }', tmp_path)
    assert found.endswith("operator.sender.mailbox: is missing: the address to send as")
    (found,) = problems(
        f'[operator.sender]\nmailbox="a@b.example"\nclient_id="{GUID}"\n'
        'credential={secret="env:X"}\ncloud="globl"',
        tmp_path,
    )
    assert 'there is no cloud "globl"; did you mean "global"?' in found


@pytest.mark.parametrize("key", ["host", "port", "tls"])
def test_a_relay_that_cannot_be_one_is_refused(key: str, tmp_path: Path) -> None:
    """A host with a port in it, a port out of range, TLS by another name."""
    smtp = {"host": '"h"', "port": "25", "tls": '"starttls"'}
    smtp[key] = {"host": '"h:25"', "port": "0", "tls": '"ssl"'}[key]
    inner = ", ".join(f"{name} = {value}" for name, value in smtp.items())
    (found,) = problems(f'[operator.sender]\nmailbox="a@b.example"\nsmtp = {{ {inner} }}', tmp_path)
    assert f"operator.sender.smtp.{key}: " in found


RELAY = """
[operator.sender]
mailbox = "a@b.example"
smtp = {{ host = "{host}", tls = "{tls}", user = "u"{credential} }}
"""
CREDENTIAL = ', credential = { secret = "env:RELAY" }'


@pytest.mark.parametrize(
    "host", ["mx.example", "192.0.2.1", "0.0.0.0", "localhost.evil.example", "2001:db8::1", "127"]
)
def test_a_password_is_not_to_travel_in_clear_text(host: str, tmp_path: Path) -> None:
    """The message says where it stands and which two ways there are."""
    text = RELAY.format(host=host, tls="none", credential=CREDENTIAL)
    (found,) = problems(text, tmp_path)
    assert f'operator.sender.smtp: tls = "none" would send the password to {host}' in found
    assert 'set tls = "starttls" (mostly port 587) or "tls" (port 465)' in found
    assert "leave the credential out" in found


@pytest.mark.parametrize(
    ("host", "tls", "credential"),
    [
        *[(host, "none", CREDENTIAL) for host in ("127.0.0.1", "127.0.0.2", "Localhost", "::1")],
        ("mx.example", "starttls", CREDENTIAL),
        ("mx.example", "tls", CREDENTIAL),
        ("mx.example", "none", ""),
    ],
)
def test_a_relay_on_this_machine_or_without_a_password_may_do_without_tls(
    host: str, tls: str, credential: str, tmp_path: Path
) -> None:
    """Nobody else hears it, or there is nothing to hear."""
    found = read(RELAY.format(host=host, tls=tls, credential=credential), tmp_path)
    assert found.operator_sender is not None
    assert found.operator_sender.relay is not None
    assert found.operator_sender.relay.tls == tls


def test_a_relays_mailbox_may_be_its_user_or_of_the_first_recipients_domain(tmp_path: Path) -> None:
    """The least that people have to write."""
    by_user = read('[operator.sender]\nsmtp = {host="h", user="noc@msp.example"}', tmp_path)
    assert by_user.operator_sender is not None
    assert by_user.operator_sender.mailbox == "noc@msp.example"
    text = '[operator]\nrecipients=["a@msp.example"]\n[operator.sender]\nsmtp = {host="h"}'
    by_domain = read(text, tmp_path)
    assert by_domain.operator_sender is not None
    assert by_domain.operator_sender.mailbox == "lapsewatch@msp.example"


def test_a_relay_with_a_password_and_no_user_signs_in_as_its_mailbox(tmp_path: Path) -> None:
    """Leaving the password unused would end in a refusal that nobody understands."""
    smtp = 'smtp = {host="h", credential={secret="env:RELAY"}}'
    found = read(f'[operator.sender]\nmailbox="noc@msp.example"\n{smtp}', tmp_path)
    assert found.operator_sender is not None
    assert found.operator_sender.relay is not None
    assert found.operator_sender.relay.user == "noc@msp.example"
    plain = read('[operator.sender]\nmailbox="noc@msp.example"\nsmtp = {host="h"}', tmp_path)
    assert plain.operator_sender is not None
    assert plain.operator_sender.relay is not None
    assert plain.operator_sender.relay.user is None
