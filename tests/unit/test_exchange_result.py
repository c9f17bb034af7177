"""The Exchange check script's line, pasted back: read, compared, judged."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.clouds import PRESETS
from monitor.doctor.exchange import fits, read_result
from monitor.doctor.judge import judge
from monitor.errors import UsageError
from monitor.model import OPERATOR, CredentialRef, ExchangeResult
from monitor.senders import OAuthSender
from tests.unit.test_doctor import CLIENT, RIGHT, RULES, TENANT, mail, probe, seen, signed

AT = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)
SENDER = OAuthSender(
    "contoso", "noreply@contoso.example", TENANT, CLIENT, CredentialRef("secret", "env:X"),
    PRESETS["global"], "smtp.office365.com", 587, ("noreply@contoso.example",), "UTC",
)  # fmt: skip
GOOD = {
    "mailbox": "noreply@contoso.example (SharedMailbox)",
    "service_principal": f"registered with the object ID {RIGHT}",
    "full_access": "the app has FullAccess to the mailbox",
    "smtp_auth": "switched on for this mailbox",
}


def line(bad: dict[str, str] | None = None, **changes: Any) -> str:
    """What the script prints, with what was not right."""
    bad = bad or {}
    points = [
        {"check": name, "ok": name not in bad, "found": bad.get(name, found)}
        for name, found in GOOD.items()
    ]
    told = {
        "lapsewatch": "exchange-check", "version": 1, "tenant": "contoso", "directory_id": TENANT,
        "client_id": CLIENT, "object_id": RIGHT, "mailbox": SENDER.mailbox, "model": "mailbox",
        "ok": not bad, "checks": points,
    }  # fmt: skip
    return json.dumps(told | changes, separators=(",", ":"))


def result(bad: dict[str, str] | None = None, **changes: Any) -> ExchangeResult:
    """The line, read."""
    return read_result(line(bad, **changes), SENDER, at=AT)


def checks(found: ExchangeResult, **how: Any) -> dict[str, Any]:
    """The doctor's checks with this result, after a bare refusal at AUTH."""
    target = seen(mail_in=signed(), mail=mail(**how), exchange=found)
    return {one.name: one for one in judge(target, RULES).checks}


def test_the_line_is_found_in_whatever_was_pasted() -> None:
    """The whole output, a terminal's line breaks, the escapes of Windows PowerShell."""
    plain = result()
    assert plain.points[1].found == GOOD["service_principal"]
    around = f"[OK] mailbox: {{x}}\r\n\r\nThe result as one line, to paste back:\r\n{line()}\r\nPS>"
    assert read_result(around, SENDER, at=AT) == plain
    cut = "\r\n".join(line()[start : start + 80] for start in range(0, len(line()), 80))
    assert read_result(cut, SENDER, at=AT) == plain
    quoted = line({"service_principal": "Exchange doesn't"}).replace("'", "\\u0027")
    assert read_result(quoted, SENDER, at=AT).points[1].found == "Exchange doesn't"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no result of the Exchange check script: no such line"),
        ("535 5.7.3 Authentication unsuccessful", "no such line"),
        ("{}", "no such line"),
        (line()[:-40], "damaged"),
        (line(checks="x"), "damaged"),
        (line(mailbox=None), "damaged"),
        (line(version=2), "another version"),
        (line(lapsewatch="other"), "another version"),
        (line(checks=[{"check": "mailbox", "ok": True, "found": "x" * 30_000}]), "another version"),
        (line(tenant="fabrikam"), "another tenant: fabrikam, and contoso has contoso"),
        (line(directory_id=CLIENT), f"another directory: {CLIENT}"),
        (line(client_id=TENANT), "another app"),
        (line(mailbox="it@contoso.example\x1b[2J"), r"another mailbox: it@contoso.example\?\[2J"),
        ("\ud800" + line().replace("contoso.example", "\ud800"), "damaged"),
    ],
)
def test_what_is_no_such_line_is_one_clear_message(text: str, message: str) -> None:
    """Garbage, damage, another version, another sender: what is wrong, and what to do next."""
    with pytest.raises(UsageError, match=message) as told:
        read_result(text, SENDER, at=AT)
    assert told.value.remedy
    assert "\x1b" not in told.value.message


def test_letters_case_makes_no_other_sender() -> None:
    """Exchange writes addresses and ids as it likes."""
    other = line(mailbox="NoReply@Contoso.example", directory_id=TENANT.upper())
    found = read_result(other, SENDER, at=AT)
    assert fits(found, SENDER)
    assert not fits(found, replace(SENDER, mailbox="it@contoso.example"))
    assert not fits(found, replace(SENDER, client_id=TENANT))
    assert not fits(None, SENDER)


def test_the_operators_line_is_the_operators() -> None:
    """Its sender has no tenant."""
    own = replace(SENDER, tenant=OPERATOR)
    assert read_result(line(tenant=OPERATOR), own, at=AT).tenant == OPERATOR
    with pytest.raises(UsageError, match="another tenant") as told:
        read_result(line(), own, at=AT)
    assert told.value.remedy
    with pytest.raises(UsageError) as told:
        read_result("", own, at=AT)
    assert "tenant script --operator --check" in told.value.remedy


@pytest.mark.parametrize(
    ("bad", "check", "cause"),
    [
        ({"service_principal": "Exchange does not know the app."}, "exchange.service_principal",
         "sp_not_in_exchange"),
        ({"service_principal": f"Registered with the object ID {CLIENT} instead of {RIGHT}, x"},
         "exchange.service_principal", "object_id_mismatch"),
        ({"full_access": "The app has no FullAccess to the mailbox."}, "exchange.permission",
         "no_mailbox_permission"),
        ({"smtp_auth": "SMTP AUTH is switched off for this mailbox."}, "exchange.smtp_auth",
         "smtp_auth_disabled_mailbox"),
        ({"smtp_auth": "The mailbox follows the organisation, where SMTP AUTH is off."},
         "exchange.smtp_auth", "smtp_auth_disabled_tenant"),
        ({"mailbox": "The object could not be found."}, "mailbox", "recipient_unknown"),
    ],
)  # fmt: skip
def test_what_exchange_said_explains_a_bare_refusal(
    bad: dict[str, str], check: str, cause: str
) -> None:
    """The check has its age, and AUTH takes its cause from it."""
    found = checks(result(bad))
    assert (found[check].status, found[check].cause) == ("failed", cause)
    assert "as of 2026-11-22 15:30 UTC" in found[check].evidence
    assert found[check].fix
    assert found["smtp.auth"].cause == cause


def test_a_set_up_that_exchange_found_right_is_not_blamed_again() -> None:
    """What is left is time, or the mailbox's permission; not a service principal that is there."""
    found = checks(result())
    assert [found[name].status for name in found if name.startswith("exchange.")] == ["ok"] * 3
    assert found["smtp.auth"].cause == "generic_oauth_failure"
    assert "propagating" in found["smtp.auth"].also
    assert "sp_not_in_exchange" not in found["smtp.auth"].also


def test_what_works_now_goes_before_what_was_found_then() -> None:
    """An old result fails nothing that has been proven since."""
    old = result({"smtp_auth": "SMTP AUTH is switched off for this mailbox."})
    found = checks(old, probe=probe("mail", "451 4.7.500 Server busy"))
    assert found["exchange.smtp_auth"].status == "ok"
    assert "Works now" in found["exchange.smtp_auth"].evidence
    unreached = checks(old, probe=probe("tcp", "Connection refused"))
    assert unreached["exchange.smtp_auth"].status == "warning"


def test_a_switch_that_only_the_organisation_holds_open_is_advice() -> None:
    """It works today."""
    text = (
        "The mailbox follows the organisation, where SMTP AUTH is on today. Switch it on for the "
        "mailbox itself."
    )
    assert checks(result({"smtp_auth": text}))["exchange.smtp_auth"].status == "warning"


def test_an_app_that_is_registered_under_what_the_token_denies_is_told() -> None:
    """The script looked for the object id that it was made with."""
    found = checks(result(object_id=CLIENT))["exchange.service_principal"]
    assert (found.status, found.cause) == ("warning", "object_id_mismatch")
