"""The doctor's judgement, without any call outside."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any

import pytest

from monitor.clouds import PRESETS
from monitor.diagnose import Rulebook
from monitor.doctor.checks import TITLES, Check, Notebook
from monitor.doctor.evidence import MailSeen, SignInSeen, TargetSeen
from monitor.doctor.judge import judge, machine
from monitor.doctor.practice import judge_mailbox
from monitor.errors import RemoteError, TokenError
from monitor.model import STAGES, CanaryResult, Probe, StageTiming
from monitor.model.evidence import AppSeen, AuthoritySeen, Certificate, DirectorySeen, Held, Reached

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
RULES = Rulebook.parse(
    resources.files("monitor").joinpath("diagnose_rules.toml").read_text("utf-8")
)
CLIENT = "9a2b0000-0000-4000-8000-000000000001"
TENANT = "7b1c0000-0000-4000-8000-000000000001"
RIGHT = "c0de0000-0000-4000-8000-000000000001"
GENERIC = "535 5.7.3 Authentication unsuccessful [LO2P123CA0001.GBRP123.PROD.OUTLOOK.COM]"
EXCHANGE = "00000002-0000-0ff1-ce00-000000000000"
GLOBAL = PRESETS["global"]


def signed(role: Any = "smtp", **changes: Any) -> SignInSeen:
    """An app that signed in, with everything right."""
    audience = "https://outlook.office365.com"
    roles = ["SMTP.SendAsApp"]
    if role == "graph":
        audience, roles = "https://graph.microsoft.com", ["Application.Read.All"]
    claims = {"aud": audience, "tid": TENANT, "appid": CLIENT, "oid": RIGHT, "roles": roles}
    claims |= changes.pop("claim", {})
    scope = f"{audience}/.default"
    given = SignInSeen(
        role, CLIENT, TENANT, "secret", "env:X", scope, claims=claims, expires_at=NOW
    )
    return replace(given, **changes)


def probe(stage: str = "auth", evidence: str = GENERIC, cause: str | None = None) -> Probe:
    """A walk that ended at a stage."""
    until = STAGES.index(stage)
    timings = [StageTiming(one, 0.1, True, "250 ok") for one in STAGES[:until]]
    timings.append(StageTiming(stage, 0.1, False, evidence))
    known = cause or RULES.diagnose(evidence, stage=stage).cause
    return Probe(
        "contoso", "m@contoso.example", NOW, NOW, CanaryResult.FAILED, stage, known, evidence,
        tuple(timings),
    )  # fmt: skip


def mail(**changes: Any) -> MailSeen:
    """A mail path that ended at AUTH without a reason."""
    given = MailSeen("noreply@contoso.example", "smtp.office365.com", 587, probe=probe())
    return replace(given, **changes)


def seen(**changes: Any) -> TargetSeen:
    """A tenant of the global cloud."""
    return replace(TargetSeen("contoso", NOW, GLOBAL), **changes)


def check_of(target: TargetSeen, name: str) -> Check:
    """One check of the judgement."""
    return next(one for one in judge(target, RULES).checks if one.name == name)


# --- behind a bare 5.7.3 ----------------------------------------------------------------------


def test_an_opaque_token_leaves_a_bare_refusal_unexplained() -> None:
    """Unknown is never guessed: without claims there is nothing to tell the causes apart by."""
    found = check_of(seen(mail_in=signed(claims={}), mail=mail()), "smtp.auth")
    assert found.cause == "generic_oauth_failure"
    assert "sp_not_in_exchange" in found.also


@pytest.mark.parametrize(
    ("claim", "check", "cause"),
    [
        ({"aud": "https://graph.microsoft.com"}, "smtp.claims", "bad_scope"),
        ({"appid": TENANT}, "smtp.claims", "app_not_found"),
        ({"roles": None, "scp": "SMTP.Send", "upn": "kim@x.example"}, "smtp.claims",
         "delegated_permission"),
        ({"roles": []}, "smtp.permissions", "consent_missing"),
    ],
)  # fmt: skip
def test_a_claim_that_is_wrong_explains_a_bare_refusal(
    claim: dict[str, Any], check: str, cause: str
) -> None:
    """Each claim is compared, and AUTH takes its cause from the first that is wrong."""
    target = seen(mail_in=signed(claim=claim), mail=mail())
    assert (check_of(target, check).status, check_of(target, check).cause) == ("failed", cause)
    assert check_of(target, "smtp.auth").cause == cause


def test_what_the_app_asks_for_tells_consent_from_a_wrong_permission() -> None:
    """Asked for and not granted, asked for as delegated, or asked of another API."""
    asks = {
        "consent_missing": {EXCHANGE: frozenset({"Role"})},
        "delegated_permission": {EXCHANGE: frozenset({"Scope"})},
    }
    for cause, asked in asks.items():
        directory = DirectorySeen(readable=True, apps={CLIENT: AppSeen("x", None, asked)})
        target = seen(mail_in=signed(claim={"roles": []}), mail=mail(), directory=directory)
        assert check_of(target, "smtp.permissions").cause == cause
    target = seen(mail_in=signed(claim={"roles": []}), mail=mail(graph_roles=("Mail.Send",)))
    assert check_of(target, "smtp.permissions").cause == "wrong_api_permission"


def test_a_missing_role_is_no_failure_where_auth_was_never_reached() -> None:
    """App RBAC needs none, so only a refusal makes it one."""
    broken = mail(probe=probe("tcp", "127.0.0.1: Connection refused"))
    target = seen(mail_in=signed(claim={"roles": []}), mail=broken)
    assert check_of(target, "smtp.permissions").status == "warning"
    assert check_of(target, "smtp.tcp").cause == "connect_refused"


def test_each_host_that_refuses_has_the_remedy_of_its_own() -> None:
    """443 for the sign-in host, 587 for the mail server."""
    closed = reached(failed="tcp", problem="192.0.2.1: Connection refused")
    entra = check_of(seen(authority_host=closed), "authority.tcp")
    broken = mail(probe=probe("tcp", "127.0.0.1: Connection refused"))
    exchange = check_of(seen(mail_in=signed(), mail=broken), "smtp.tcp")
    assert entra.cause == exchange.cause == "connect_refused"
    assert "443" in entra.fix
    assert "587" not in entra.fix
    assert "587" in exchange.fix


def test_no_command_is_made_of_a_value_that_a_shell_reads_otherwise() -> None:
    """A mailbox or an id with quotes in it makes no command at all."""
    off = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the "
    for mailbox, expected in (("it@x.example", True), ("it'; Remove-Mailbox 'a@x.example", False)):
        path = mail(mailbox=mailbox, probe=probe(evidence=f"{off}Mailbox."))
        found = check_of(seen(mail_in=signed(), mail=path), "smtp.auth")
        assert (found.command is not None) == expected
    odd = signed(claim={"oid": "x'; evil"})
    assert check_of(seen(mail_in=odd, mail=mail()), "smtp.auth").command is None


# --- the network ------------------------------------------------------------------------------


def reached(**changes: Any) -> Reached:
    """The sign-in host of the global cloud, with a certificate."""
    given = Reached(
        "login.microsoftonline.com", 443, ("20.190.160.1",), "20.190.160.1", "TLSv1.3",
        Certificate("CN=stamp2.login.microsoftonline.com", "CN=DigiCert Global G2", NOW),
    )  # fmt: skip
    return replace(given, **changes)


def test_interception_is_named_with_who_issued_the_certificate() -> None:
    """A host of Microsoft's with a certificate of somebody else's: refused, or even trusted."""
    proxy = Certificate("CN=login.microsoftonline.com", "CN=Contoso Proxy CA", NOW)
    untrusted = reached(
        tls="", failed="tls", certificate=proxy,
        problem="certificate verify failed: unable to get local issuer certificate",
    )  # fmt: skip
    found = check_of(seen(authority_host=untrusted), "authority.tls")
    assert (found.status, found.cause) == ("failed", "tls_intercepted")
    assert "Contoso Proxy CA" in found.evidence
    trusted = check_of(seen(authority_host=reached(certificate=proxy)), "authority.tls")
    assert (trusted.status, trusted.cause) == ("warning", "tls_intercepted")
    assert check_of(seen(authority_host=reached()), "authority.tls").status == "ok"


def test_a_host_behind_a_proxy_is_well_where_its_answers_come() -> None:
    """No direct way out is no mistake while tokens come; without any it is the first red check."""
    closed = reached(failed="tcp", problem="20.190.160.1: timed out", tls="", certificate=None)
    by_proxy = seen(authority_host=closed, reader=signed("graph"))
    assert check_of(by_proxy, "authority.tcp").status == "ok"
    alone = check_of(seen(authority_host=closed), "authority.tcp")
    assert (alone.status, alone.cause) == ("failed", "connect_timeout")
    assert alone.command == "nc -vz login.microsoftonline.com 443"
    assert check_of(seen(authority_host=closed), "authority.tls").status == "skipped"


@pytest.mark.parametrize(
    ("seconds", "status"), [(0, "ok"), (59, "ok"), (-61, "warning"), (301, "failed")]
)
def test_the_clock_is_judged_by_what_entra_allows(seconds: int, status: str) -> None:
    """Five minutes is the limit; one minute is worth a word."""
    told = AuthoritySeen(NOW, TENANT, "login.microsoftonline.com", NOW + timedelta(seconds=seconds))
    assert check_of(seen(authority=told), "clock").status == status


def test_a_directory_whose_tokens_come_from_elsewhere_is_of_another_cloud() -> None:
    """The authority refers to another host for tokens."""
    told = AuthoritySeen(NOW, TENANT, "login.microsoftonline.us")
    refused = signed("graph", claims=None, error=TokenError("no", cause="app_not_found"))
    found = check_of(seen(authority=told, reader=refused), "authority")
    assert (found.status, found.cause) == ("failed", "wrong_cloud")


# --- habits -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "warned"),
    [
        ("noreply@contoso.example", set()),
        ("no.reply@contoso.example", set()),
        ("scan.office@contoso.example", set()),
        ("kim.akers@contoso.example", {"mailbox.dedicated"}),
        ("Administrator@contoso.example", {"mailbox.dedicated"}),
        ("alerts@contoso.onmicrosoft.com", {"mailbox.domain"}),
        ("alerts@notonmicrosoft.com", set()),
    ],
)
def test_a_mailbox_is_judged_by_its_address(address: str, warned: set[str]) -> None:
    """A person's, an admin's and an onmicrosoft.com address are warned about."""
    notes = Notebook(RULES)
    judge_mailbox(mail(mailbox=address), notes)
    assert {one.name for one in notes.checks() if one.status == "warning"} == warned


def test_an_old_python_is_told_half_a_year_ahead() -> None:
    """A version that nobody knows yet is no reason for a warning."""
    for version, now, status in (
        ((3, 11), NOW, "ok"),
        ((3, 11), datetime(2027, 6, 1, tzinfo=UTC), "warning"),
        ((3, 20), NOW, "ok"),
    ):
        assert machine(version, now, RULES).status == status


def test_a_credential_whose_end_nobody_knows_is_a_warning() -> None:
    """The expiry of every configured credential is known, or the doctor says that it is not."""
    unknown = seen(mail_in=signed(), mail=mail())
    assert check_of(unknown, "smtp.expiry").status == "warning"
    held = (Held("abc", NOW, NOW + timedelta(days=90)),)
    known = seen(mail_in=signed(held=held), mail=mail())
    assert check_of(known, "smtp.expiry").status == "ok"
    from_file = signed(form="certificate", ends=NOW + timedelta(days=3))
    found = check_of(seen(mail_in=from_file, mail=mail()), "smtp.expiry")
    assert (found.status, "3 days" in found.evidence) == ("warning", True)


@pytest.mark.parametrize(
    ("days", "soon", "status"), [(45, 60, "warning"), (45, 30, "ok"), (61, 60, "ok")]
)
def test_an_end_within_the_largest_threshold_is_a_warning(
    days: int, soon: int, status: str
) -> None:
    """The doctor's sense of soon is that of the tenant's own warnings."""
    held = (Held("abc", NOW, NOW + timedelta(days=days)),)
    target = seen(mail_in=signed(held=held), mail=mail(), soon=timedelta(days=soon))
    assert check_of(target, "smtp.expiry").status == status


def test_what_has_no_end_says_why() -> None:
    """A workload identity's token is renewed by its platform; a relay's password has no date."""
    for form in ("federated", "managed_identity"):
        found = check_of(seen(mail_in=signed(form=form), mail=mail()), "smtp.expiry")
        assert (found.status, "has no end" in found.evidence) == ("ok", True)
    relay = seen(cloud=None, mail=mail(relay=True, password=True))
    found = check_of(relay, "smtp.expiry")
    assert (found.status, "no date" in found.evidence) == ("skipped", True)
    open_relay = seen(cloud=None, mail=mail(relay=True))
    assert "smtp.expiry" not in [one.name for one in judge(open_relay, RULES).checks]


@pytest.mark.parametrize(
    ("daily", "status"), [(None, "skipped"), (1.1, "ok"), (9.9, "ok"), (10, "warning")]
)
def test_copies_in_sent_items_are_counted_and_their_end_is_shown(
    daily: float | None, status: str
) -> None:
    """Advice, never a failure: the mails a day, and the command that stops the copies."""
    found = check_of(seen(mail_in=signed(), mail=mail(), daily_mails=daily), "mailbox.sent_items")
    assert found.status == status
    if daily is not None:
        assert f"{round(daily)} mails a day" in found.evidence
        assert found.command == (
            "Set-Mailbox -Identity 'noreply@contoso.example' "
            "-MessageCopyForSMTPClientSubmissionEnabled $false"
        )


def test_a_mailbox_is_proven_by_what_takes_mail_for_it() -> None:
    """AUTH does not tell; RCPT does where the mail goes to the mailbox itself."""
    own, refused = "noreply@contoso.example", "550 5.1.10 RESOLVER.ADR.RecipientNotFound"
    late = probe("data", "451 4.7.500 Server busy")
    taken = seen(mail_in=signed(), mail=mail(rcpt_to=own, probe=late))
    assert check_of(taken, "mailbox").status == "ok"
    gone = seen(mail_in=signed(), mail=mail(rcpt_to=own, probe=probe("rcpt", refused)))
    found = check_of(gone, "mailbox")
    assert (found.status, found.cause) == ("failed", "recipient_unknown")
    assert own in found.fix
    other = seen(mail_in=signed(), mail=mail(rcpt_to="it@x.example", probe=probe("rcpt", refused)))
    assert check_of(other, "mailbox").status == "skipped"


def test_a_consent_that_is_missing_shows_the_page_that_grants_it() -> None:
    """For reading and for sending, in the cloud of the directory."""
    url = f"https://login.microsoftonline.us/{TENANT}/adminconsent?client_id={CLIENT}"
    sends = signed(claim={"roles": []}, consent_url=url)
    reads = signed("graph", claim={"roles": []}, consent_url=url)
    target = seen(mail_in=sends, mail=mail(), reader=reads)
    for name in ("smtp.permissions", "smtp.auth", "graph.permissions"):
        found = check_of(target, name)
        assert found.cause == "consent_missing"
        assert found.fix.splitlines()[-1].endswith(url)


# --- the whole --------------------------------------------------------------------------------


def test_every_cause_and_every_name_is_of_the_vocabulary() -> None:
    """Even where an error brings a cause that nobody knows."""
    strange = signed(claims=None, error=RemoteError("odd", cause="not_in_the_book"))
    report = judge(seen(mail_in=strange, mail=mail(probe=None)), RULES)
    assert {one.cause for one in report.checks} <= {None, *RULES.causes}
    assert {one.name for one in report.checks} <= set(TITLES)


def test_checks_are_told_in_the_order_of_the_way() -> None:
    """What a check rests on comes before it."""
    report = judge(seen(reader=signed("graph"), mail_in=signed(), mail=mail()), RULES)
    names = [one.name for one in report.checks]
    assert names == sorted(names, key=list(TITLES).index)
    assert names.index("smtp.token") < names.index("smtp.auth") < names.index("smtp.data")
