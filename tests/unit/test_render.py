"""What the mails say: subjects, facts, order, links and threads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.model import (
    OPERATOR,
    Kind,
    Limit,
    MailKind,
    Notice,
    ObjectType,
    Stage,
    TenantHealth,
)
from monitor.render import DigestItem, Renderer, portal_link
from tests import mail_samples as sample
from tests.mail_samples import BERLIN, CLOUDS, NOW, READ

# --- subjects ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("reminder-one", 'ACTION: "Backup SMTP" secret expires in 7 days (30 Nov) - Contoso'),
        ("reminder-three", "ACTION: 3 credentials need renewal, first in 3 days - 3 tenants"),
        ("reminder-many", "ACTION: 26 credentials need renewal, first today at 09:00 - 3 tenants"),
        ("lapsed-one", 'LAPSED: "Backup SMTP" secret expired yesterday (22 Nov) - Contoso'),
        ("lapsed-many", "LAPSED: 2 secrets expired, 1 yesterday, 2 more need renewal - 2 tenants"),
        (
            "covered-one",
            'COVERED: old secret of "Report mailer" ends in 6 days, a newer one is in place'
            " - Tailspin",
        ),
        (
            "covered-many",
            "COVERED: 3 secrets end, first in 2 days, newer ones are in place - Tailspin",
        ),
        ("cannot-check", "CANNOT CHECK: Contoso unreadable for 26 h (admin consent missing)"),
        ("recovered-tenant", "RECOVERED: Contoso readable again after 26 h"),
        ("recovered-sender", "RECOVERED: canary OK again after 3 h 12 min - Contoso"),
        ("canary", "CANARY OK - Contoso - 2026-11-23 #0412"),
        ("canary-failed", "CANARY FAILED: SMTP AUTH is off for the organisation - Contoso"),
    ],
)
def test_the_subject_says_what_where_and_when(name: str, subject: str) -> None:
    """Filters and sleepy people rely on the exact words."""
    assert sample.every_mail()[name].subject == f"[Lapsewatch] {subject}"


def test_a_long_app_name_gives_way_to_the_facts_of_the_subject() -> None:
    """The name is shortened; date and tenant stay."""
    subject = sample.digest(sample.item(app_name=sample.LONG_NAME)).subject
    assert subject == (
        '[Lapsewatch] ACTION: "Synchroni ... (2019)" secret expires in 7 days (30 Nov) - Contoso'
    )
    assert len(subject) < 100


def test_one_lapsed_among_others_is_named_and_the_rest_counted() -> None:
    """LAPSED leads, whatever else is in the digest."""
    mail = sample.digest(sample.item(-1), sample.item(2), sample.item(3))
    assert mail.subject == (
        '[Lapsewatch] LAPSED: "Backup SMTP" secret expired yesterday (22 Nov), 2 more need renewal'
        " - Contoso"
    )
    assert mail.kind is MailKind.LAPSED


def test_covered_notices_do_not_count_as_needing_renewal() -> None:
    """They stand in their own section of a reminder."""
    mail = sample.digest(sample.item(), sample.covered_item(app_name="Report mailer"))
    assert mail.kind is MailKind.REMINDER
    assert '"Backup SMTP" secret expires in 7 days' in mail.subject
    assert mail.text.index("Covered by a newer one") < mail.text.index("Report mailer")


def test_a_tenant_that_was_never_read_says_so() -> None:
    """There is no age to tell."""
    health = TenantHealth(tenant="Contoso", cause="app_disabled", failures=1, first_failure_at=NOW)
    mail = sample.cannot_check(health=health)
    assert mail.subject == "[Lapsewatch] CANNOT CHECK: Contoso never read (the app is disabled)"
    assert "Last read in full: never" in mail.text


def test_a_canary_without_a_code_tells_its_cause() -> None:
    """A name that does not resolve has no SMTP reply."""
    probe = replace(
        sample.failed_probe(), stage="dns", cause="name_not_found", evidence="no such host"
    )
    mail = sample.canary_failed(probe=probe, since=NOW - timedelta(hours=2))
    assert mail.subject == "[Lapsewatch] CANARY FAILED: name not found at DNS since 06:00 - Contoso"


def test_the_operators_own_sender_is_called_the_operator() -> None:
    """Its stand-in for a tenant name reads badly in a sentence."""
    assert "The operator cannot send mail" in sample.canary_failed(tenant_name=OPERATOR).text


# --- what a digest says --------------------------------------------------------------------------


def test_a_reminder_says_all_that_ends_the_work() -> None:
    """What, which, when, as of when, what breaks, who, where to click, and what comes next."""
    text = sample.digest(sample.item()).text
    for fact in (
        "Backup SMTP",
        f"App id: {sample.APP_ID}",
        'secret "smtp-2024" (key id ab12cd34) in Contoso',
        "expires in 7 days",
        "Ends: Mon 30 Nov 2026, 09:00 CET",
        "token requests fail with AADSTS7000222",
        "Owner: ada.lovelace@contoso.example",
        "Facts as of: Mon 23 Nov 2026, 06:12 CET",
        "Next reminder: Fri 27 Nov 2026",
        f"/~/Credentials/appId/{sample.APP_ID}",
        "1. Open Certificates & secrets in the portal.",
        "5. Delete the old secret.",
        "because it@contoso.example receives the warnings for Contoso",
        "run by Example MSP",
    ):
        assert fact in text


@pytest.mark.parametrize(
    ("kind", "where", "words"),
    [
        (Kind.CERTIFICATE, ObjectType.APPLICATION, "AADSTS700027"),
        (Kind.SAML_SIGNING, ObjectType.SERVICE_PRINCIPAL, "users cannot sign in to this app"),
        (Kind.TOKEN_ENCRYPTION, ObjectType.APPLICATION, "The app may refuse the tokens"),
        (Kind.SYMMETRIC_KEY, ObjectType.SERVICE_PRINCIPAL, "this symmetric key stops"),
        (Kind.SECRET, ObjectType.SERVICE_PRINCIPAL, "Add-MgServicePrincipalPassword"),
    ],
)
def test_each_kind_says_what_breaks_and_has_its_own_steps(
    kind: Kind, where: ObjectType, words: str
) -> None:
    """A SAML certificate is not renewed like a secret."""
    assert words in sample.digest(sample.item(kind=kind, object_type=where)).text


def test_lapsewatchs_own_credential_asks_for_the_new_value() -> None:
    """Renewing it in Entra is half the work."""
    text = sample.digest(sample.item(own=True)).text
    assert "Lapsewatch itself signs in with this." in text
    assert "lapsewatch run scan --tenant Contoso" in text


@pytest.mark.parametrize(
    ("owners", "words"),
    [((), "nobody owns this app"), (None, "not known"), (tuple("abcde"), "a, b, c and 2 more")],
)
def test_owners_are_named_or_their_absence_is(owners: tuple[str, ...] | None, words: str) -> None:
    """Nobody and not asked are different facts."""
    assert f"Owner: {words}\n" in sample.digest(sample.item(owners=owners)).text


def test_old_facts_say_how_old_they_are() -> None:
    """A reminder from old facts goes out, and says so."""
    item = sample.item()
    mail = sample.digest(item, as_of={"Contoso": NOW - timedelta(days=5)})
    assert "Facts as of: Wed 18 Nov 2026, 08:00 CET (5 days old)" in mail.text


def test_the_soonest_comes_first() -> None:
    """At seven in the morning only the first lines are read."""
    text = sample.digest(*(sample.item(day, app_name=f"App-{day}") for day in (20, 3, 11))).text
    assert text.index("App-3\n") < text.index("App-11\n") < text.index("App-20\n")


def test_our_own_comes_first_and_what_breaks_nothing_last() -> None:
    """Then by end; the words and the colour are those of the one that ends first."""
    mail = sample.digest(
        sample.item(2, app_name="Idle", enabled=False),
        sample.item(20, app_name="Plain"),
        sample.item(11, app_name="Sooner"),
        sample.item(25, app_name="Ours", own=True),
    )
    places = [mail.text.index(f"{name}\n") for name in ("Ours", "Sooner", "Plain", "Idle")]
    assert places == sorted(places)
    assert "need renewal, first in 2 days" in mail.subject
    assert "The first expires in 2 days." in mail.text
    assert "Disabled: the app is disabled in this directory" in mail.text


@pytest.mark.parametrize(
    ("about", "line"),
    [
        ({}, "Last used: not known"),
        ({"usage_at": READ}, "Last used: no sign-in on record (as of Mon 23 Nov 2026, 06:12 CET)"),
        (
            {"usage_at": READ, "last_used": NOW - timedelta(days=2)},
            "Last used: 2 days ago (as of Mon 23 Nov 2026, 06:12 CET)",
        ),
        (
            {"usage_at": READ, "last_used": NOW - timedelta(days=200)},
            "Last used: not used for 200 days: ask whether it can be deleted instead of renewed "
            "(as of Mon 23 Nov 2026, 06:12 CET)",
        ),
        (
            {"limit": Limit(timedelta(days=180))},
            "Policy: lives longer than the policy allows: 707 days, 180 allowed",
        ),
    ],
)
def test_what_is_known_beside_the_date_is_said(about: dict[str, Any], line: str) -> None:
    """The last use with its age, and a life longer than the policy allows; in both parts."""
    mail = sample.digest(sample.item(**about))
    assert f"   {line}\n" in mail.text
    assert line.partition(": ")[2] in mail.html


def test_an_old_one_that_is_still_used_is_told_in_words_of_its_own() -> None:
    """What uses it, until when, what is newer; the steps move what uses it."""
    mail = sample.every_mail()["reminder-still-used"]
    assert mail.subject == (
        '[Lapsewatch] ACTION: "Backup SMTP" old secret expires in 6 days, still used '
        "(29 Nov) - Contoso"
    )
    assert 'The old secret of "Backup SMTP" in Contoso is still used' in mail.text
    assert (
        "Still used: Last sign-in yesterday, 12 days after the newer one started. What uses it "
        "stops at its end on Sun 29 Nov 2026, 09:00 CET."
    ) in mail.text
    assert 'Newer one: "2026" (key id ffee0011), valid to' in mail.text
    assert "Find what uses it" in mail.text
    assert "Once the old one is deleted, the next scan sees it" in mail.text
    assert "Add a new client secret" not in mail.text
    last = sample.digest(sample.still_used_item(0))
    assert "Next reminder: none; a newer one is in place" in last.text


@pytest.mark.parametrize("count", [1, 5, 30])
def test_what_is_still_used_has_its_newer_one_and_gets_no_command_for_another(count: int) -> None:
    """However many there are; and a mail that mixes them with others has both sets of steps."""
    old = [sample.still_used_item(1 + day % 6, app_name=f"App {day}") for day in range(count)]
    mail = sample.digest(*old)
    assert "Or by command" not in mail.text
    assert "need renewal" not in mail.subject
    assert "need renewal" not in mail.text
    mixed = sample.digest(*old[:5], *(sample.item(day, app_name=f"B {day}") for day in range(9)))
    assert "Find what uses it" in mixed.text
    assert "Or by command, Azure CLI" in mixed.text


def test_what_stands_beside_the_main_list_is_told_in_its_sections() -> None:
    """Still lapsed, covered and unread tenants."""
    text = sample.every_mail()["reminder-three"].text
    assert "Still lapsed" in text
    assert 'Newer one: "smtp-2024" (key id 0f1e2d3c), valid to Sun 19 Sep 2027' in text
    assert "Fabrikam: facts as of Sat 21 Nov 2026, 08:00 CET" in text


def test_an_end_in_year_9999_and_no_end_are_shown() -> None:
    """Neither is warned about, and neither may break a digest."""
    far = sample.credential(end=datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))
    old = sample.credential(3, app_name="Old")
    pairs = [
        (sample.tenant(), old, far),
        (sample.tenant(), replace(old, uid="b"), sample.credential(None)),
    ]
    text = sample.digest(sample.item(), covered=pairs).text
    assert "valid to Fri 31 Dec 9999, 23:59 UTC" in text
    assert "without an end date" in text
    never = DigestItem(
        sample.tenant(),
        Notice(sample.credential(None), MailKind.REMINDER, Stage.threshold(60), -60, 60),
    )
    assert "Ends: no end date" in sample.digest(never).text


def test_a_tenant_in_an_unknown_cloud_is_warned_without_a_link() -> None:
    """A warning without its link is better than none."""
    mail = sample.digest(sample.item(who=sample.tenant(cloud="gone")))
    assert "Backup SMTP" in mail.text
    assert "Portal," not in mail.text


def test_without_notices_there_is_no_digest() -> None:
    """Silence is the caller's decision."""
    with pytest.raises(ValueError, match="at least one notice"):
        sample.digest()


# --- the next reminder ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (60, "Wed 23 Dec 2026"),  # at 30 days
        (1, "Tue 24 Nov 2026"),  # at 0 days, the day of the end
        (0, "Tue 24 Nov 2026"),  # ends at 09:00, an hour after today's run
        (-1, "Sun 29 Nov 2026"),  # a week after the end
        (-28, "none of its own; it stays in every digest until it is renewed or deleted"),
    ],
)
def test_the_next_reminder_is_the_next_stage(days: int, words: str) -> None:
    """Thresholds before the end, weeks after it."""
    assert f"Next reminder: {words}\n" in sample.digest(sample.item(days)).text


def test_stages_that_are_skipped_for_good_are_not_announced() -> None:
    """First told on day 15 after the end: L1 and L2 are gone, L3 comes on day 21."""
    item = sample.item(-15)
    notice = replace(item.notice, stage=Stage.lapsed(0), level=Stage.lapsed(2).urgency)
    assert "Next reminder: Sun 29 Nov 2026" in sample.digest(replace(item, notice=notice)).text


# --- links, threads, urgency ---------------------------------------------------------------------


def test_the_portal_link_opens_the_right_blade_in_the_right_tenant() -> None:
    """Credentials of an app registration, single sign-on of an enterprise application."""
    tenant, app = sample.tenant(), sample.credential()
    base = f"https://portal.azure.com/{tenant.directory_id}/#view"
    link = portal_link(CLOUDS["global"], tenant, app)
    blade = "Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/Credentials/appId"
    assert link == f"{base}/{blade}/{sample.APP_ID}/isMSAApp~/false"
    saml = replace(app, kind=Kind.SAML_SIGNING, object_type=ObjectType.SERVICE_PRINCIPAL)
    assert portal_link(CLOUDS["global"], tenant, saml) == (
        f"{base}/Microsoft_AAD_IAM/ManagedAppMenuBlade/~/SignOn/objectId/{sample.OBJECT_ID}"
        f"/appId/{sample.APP_ID}/preferredSingleSignOnMode/saml"
    )


def test_a_hostile_id_cannot_leave_its_place_in_the_link() -> None:
    """Ids come from outside too."""
    link = portal_link(CLOUDS["global"], sample.tenant(), sample.credential(app_id='"/><x&#'))
    assert "appId/%22%2F%3E%3Cx%26%23/isMSAApp" in link


def test_alarms_lead_to_where_they_are_mended() -> None:
    """Consent at API permissions, SMTP AUTH at Exchange, a shared app where it is listed."""
    assert "/~/CallAnAPI/appId/" in sample.cannot_check().text
    assert "StartboardApplicationsMenuBlade" in sample.cannot_check(sample.tenant(app="msp")).text
    assert "https://admin.exchange.microsoft.com/#/mailboxes" in sample.canary_failed().text


def test_reminders_of_one_credential_make_one_thread_and_a_new_life_another() -> None:
    """The id depends on tenant, credential and life, not on the stage."""
    first = sample.digest(sample.item(7, uid="a")).references
    assert first == sample.digest(sample.item(3, uid="a")).references
    assert first != sample.digest(sample.item(7, uid="a", life=2)).references
    assert first != sample.digest(sample.item(7, uid="a", who=sample.tenant("Other"))).references
    assert first[0].startswith("<cred-")
    assert first[0].endswith(".1@lapsewatch>")


def test_an_alarm_and_its_end_make_one_thread() -> None:
    """Per tenant, and per sender."""
    assert sample.cannot_check().references == sample.recovered_tenant().references
    assert sample.canary_failed().references == sample.recovered_sender().references


@pytest.mark.parametrize(
    ("name", "urgent"),
    [("reminder-one", True), ("lapsed-one", True), ("covered-one", False), ("canary", False),
     ("cannot-check", True), ("canary-failed", True), ("recovered-tenant", False)],
)  # fmt: skip
def test_urgent_is_kept_for_what_cannot_wait(name: str, urgent: bool) -> None:
    """If everything is urgent nothing is."""
    assert sample.every_mail()[name].urgent is urgent


def test_a_reminder_with_more_than_a_week_left_is_not_urgent() -> None:
    """Eight days are not seven."""
    assert not sample.digest(sample.item(8)).urgent


def test_the_same_input_gives_the_same_mail() -> None:
    """A mail that is rendered again after a crash is the same mail."""
    assert sample.every_mail() == sample.every_mail()


def test_a_renderer_without_operator_or_page_names_neither() -> None:
    """Both are optional settings."""
    item = sample.item()
    mail = Renderer(clouds=CLOUDS).digest(
        [item], recipient="a@b.example", zone=BERLIN, now=NOW, as_of={}
    )
    assert "run by" not in mail.text
    assert "Status page" not in mail.text + mail.html
