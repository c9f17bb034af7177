"""The steps of the guided set-up, and the answers that people type."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time

import pytest

from monitor.clouds import PRESETS
from monitor.doctor.checks import Check, Report
from monitor.model import CredentialRef, Draft, Policy, Recipient, Route, Sender, Tenant
from monitor.recipients import Audience
from monitor.senders import of_tenant
from monitor.wizard.answers import AnswerError, check_name, checked, plain_secret, reference_of, row
from monitor.wizard.questions import applies, label_of, page
from monitor.wizard.schedule import next_runs
from monitor.wizard.steps import Question, Step, Surroundings, is_told, next_step, way
from monitor.wizard.told import here, mailbox_check

ID = "7b1c0000-0000-4000-8000-000000000001"
APP = "1f3e0000-0000-4000-8000-000000000001"
AROUND = Surroundings(dict(PRESETS), {"msp": APP}, "Europe/Berlin", True, False)
ALONE = replace(AROUND, apps={}, operator_hears=False, sealing=True)


def draft(**answers: str) -> Draft:
    """A set-up with answers."""
    return Draft("contoso", answers)


def test_without_a_mailbox_there_is_no_mail_path_to_set_up() -> None:
    """Neither Enterprise application nor Exchange nor a test mail."""
    assert way(draft()) == tuple(Step)
    assert way(draft(mailbox="a@x.example")) == tuple(Step)
    gone = set(Step) - set(way(draft(mailbox="")))
    assert gone == {Step.ENTERPRISE, Step.EXCHANGE, Step.TEST}


def test_the_next_step_is_the_first_that_is_not_done() -> None:
    """Also where a later one is."""
    assert next_step(draft()) is Step.DIRECTORY
    done = Draft("contoso", {"mailbox": ""}, ("directory", "mailbox", "people"))
    assert next_step(done) is Step.APP
    assert next_step(Draft("contoso", {"mailbox": ""}, tuple(way(done)))) is None


@pytest.mark.parametrize("step", list(Step))
def test_every_step_says_something_in_every_cloud(step: Step) -> None:
    """Titles, places and links of that cloud alone."""
    for name, cloud in PRESETS.items():
        answers = draft(cloud=name, directory_id=ID, client_id=APP, mailbox="a@x.example")
        shown = page(step, answers, ALONE)
        assert shown.title
        assert shown.where or shown.questions or step is Step.TEST
        assert not shown.link or shown.link.startswith((cloud.portal, cloud.authority))
        assert 1 <= shown.number <= shown.total


def test_permissions_depend_on_how_exchange_lets_the_app_send() -> None:
    """A role in Exchange wants no permission in Entra; reading alone neither."""
    both = page(Step.PERMISSIONS, draft(mailbox="a@x.example"), AROUND).where
    role = page(Step.PERMISSIONS, draft(mailbox="a@x.example", model="rbac"), AROUND).where
    read = page(Step.PERMISSIONS, draft(mailbox=""), AROUND).where
    assert "SMTP.SendAsApp" in " ".join(both)
    assert "SMTP.SendAsApp" not in " ".join((*role, *read))
    assert all("Application.Read.All" in " ".join(one) for one in (both, role, read))


def test_a_shared_app_is_consented_to_and_has_its_credential() -> None:
    """One link for the tenant's administrator; nothing to sign in with is asked for."""
    answers = draft(cloud="global", directory_id=ID, app="msp")
    consent = page(Step.PERMISSIONS, answers, AROUND)
    assert consent.link == (f"https://login.microsoftonline.com/{ID}/adminconsent?client_id={APP}")
    assert page(Step.CREDENTIAL, answers, AROUND).questions == ()


def test_questions_follow_from_what_was_said() -> None:
    """A password belongs to a certificate, a model to a mailbox, a client id to an own app."""
    assert not applies("model", {"mailbox": ""})
    assert applies("model", {"mailbox": "a@x.example"})
    assert applies("client_id", {})
    assert applies("client_id", {"app": "own"})
    assert not applies("client_id", {"app": "msp"})
    assert applies("password", {"form": "certificate"})
    assert not applies("password", {"form": "secret"})
    asked = page(Step.CREDENTIAL, draft(), ALONE).questions[1]
    assert asked.hidden
    assert "sealed" in asked.why
    assert not label_of(asked, "certificate").hidden
    assert "Client ID" in label_of(asked, "managed_identity").label


@pytest.mark.parametrize(
    ("key", "text", "kept"),
    [
        ("cloud", "gcc-high", "gcc-high"),
        ("directory_id", ID.upper(), ID),
        ("directory_id", "Contoso.OnMicrosoft.com", "contoso.onmicrosoft.com"),
        ("client_id", f" {APP} ", APP),
        ("recipients", "a@x.example; b@x.example", "a@x.example, b@x.example"),
        ("time_zone", "Asia/Tokyo", "Asia/Tokyo"),
        ("app", "own", ""),
        ("app", "msp", "msp"),
        ("credential", "env:NAME", "env:NAME"),
        ("credential", APP, APP),
        ("mailbox", "", ""),
    ],
)
def test_an_answer_is_kept_in_its_usual_form(key: str, text: str, kept: str) -> None:
    """As a tenants file would hold it."""
    assert checked(key, text, AROUND) == kept


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("cloud", "gcc", "gcc-high"),
        ("directory_id", "common", "any directory"),
        ("directory_id", "consumers", "any directory"),
        ("directory_id", "contoso", "GUID"),
        ("client_id", "contoso.com", "GUID"),
        ("enterprise_object_id", "5", "GUID"),
        ("mailbox", "Contoso <a@x.example>", "mail address"),
        ("recipients", "a@x.example, b", "mail address"),
        ("time_zone", "CET+1", "time zone"),
        ("form", "password", "It is one of"),
        ("app", "mspp", 'mean "msp"'),
        ("model", "role", "rbac"),
        ("credential", "hunter2", "must be a reference"),
        ("shoe_size", "42", "not asked for"),
    ],
)
def test_an_answer_that_cannot_be_right_says_what_is_wanted(
    key: str, text: str, words: str
) -> None:
    """And belongs to its question."""
    with pytest.raises(AnswerError) as raised:
        checked(key, text, AROUND)
    assert raised.value.key == key
    assert words in raised.value.message


@pytest.mark.parametrize(
    "text", ["abc8Q~x", ' "abc8Q~x"\n', "“abc8Q~x”", "\ufeffabc8Q~x", "'abc8Q~x'"]
)
def test_what_copying_adds_to_a_secret_is_taken_off(text: str) -> None:
    """Blanks, line ends, quotes and the mark of a file."""
    assert plain_secret(text) == "abc8Q~x"


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "no value"), (ID, "secret's ID"), ("a\nb", "one line"), ('""', "no value")],
)
def test_what_is_no_secret_is_refused_without_being_shown(text: str, words: str) -> None:
    """Its ID most of all."""
    with pytest.raises(AnswerError) as raised:
        plain_secret(text)
    assert words in raised.value.message
    assert not text or text not in raised.value.message


def test_a_path_is_a_file_only_where_one_is_meant() -> None:
    """A client secret that begins with a slash is still one."""
    assert reference_of("certificate", "/etc/a.pem") == "file:/etc/a.pem"
    assert reference_of("federated", "token") == "file:token"
    assert reference_of("secret", "/abc8Q~") is None
    assert reference_of("secret", "keyvault:v/n") == "keyvault:v/n"
    assert reference_of("managed_identity", ID) == ID


@pytest.mark.parametrize("name", ["", "-x", "a b", "x" * 65, "ü", "a/b", "a+1"])
def test_a_name_that_no_tenant_can_have_is_refused(name: str) -> None:
    """A plus sign too: it marks the files of kept secrets."""
    with pytest.raises(AnswerError):
        check_name(name)


def test_the_answers_make_a_row_of_a_tenants_file() -> None:
    """With nothing in it that was not said."""
    full = draft(
        cloud="dod", directory_id=ID, client_id=APP, form="certificate", credential="file:/a.pfx",
        password="env:P", mailbox="a@x.example", model="rbac", enterprise_object_id=ID,
        canary_to="b@x.example", recipients="c@x.example, d@x.example", time_zone="UTC",
    )  # fmt: skip
    assert row(full) == {
        "name": "contoso", "cloud": "dod", "directory_id": ID, "client_id": APP,
        "time_zone": "UTC", "recipients": ["c@x.example", "d@x.example"],
        "credential": {"certificate": "file:/a.pfx", "password": "env:P"},
        "sender": {
            "mailbox": "a@x.example", "enterprise_object_id": ID, "canary_to": ["b@x.example"],
        },
    }  # fmt: skip
    shared = row(draft(app="msp", client_id=APP, directory_id=ID, mailbox=""))
    assert shared == {"name": "contoso", "app": "msp", "directory_id": ID}


def test_arrival_is_asked_for_with_a_mailbox_and_kept_where_it_is_wished() -> None:
    """One choice, each with what it needs; the default keeps the accepted reply as evidence."""

    def people(mailbox: str) -> dict[str, Question]:
        put = page(Step.PEOPLE, draft(mailbox=mailbox), AROUND).questions
        return {one.key: one for one in put}

    asked = people("a@x.example")
    meant = dict(asked["arrival"].choices)
    assert asked["arrival"].default == "no"
    assert "Mail.Read" in meant["graph"]
    assert "ExchangeMessageTrace.Read.All" in meant["trace"]
    assert "arrival" not in people("")
    for said, kept in (("graph", "graph"), ("trace", "trace"), ("no", None), ("", None)):
        sender = row(draft(mailbox="a@x.example", arrival=said))["sender"]
        assert sender.get("arrival") == kept
    assert checked("arrival", " Graph ", AROUND) == "graph"
    with pytest.raises(AnswerError, match="There is no"):
        checked("arrival", "grph", AROUND)


def test_a_check_is_told_at_the_step_that_it_concerns() -> None:
    """A role in Exchange makes the permission in Entra nobody's business."""
    assert is_told("graph.token", Step.CREDENTIAL, "")
    assert not is_told("smtp.auth", Step.ENTERPRISE, "")
    assert is_told("smtp.permissions", Step.ENTERPRISE, "mailbox")
    assert not is_told("smtp.permissions", Step.ENTERPRISE, "rbac")
    assert not is_told("authority_x", Step.DIRECTORY, "")


def test_the_first_runs_are_in_the_zone_of_who_reads_them() -> None:
    """The test mail in the tenant's, a mail in its reader's."""
    entry = Tenant(
        "contoso", ID, "global", APP, CredentialRef("secret", "env:X"),
        recipients=(Recipient("a@x.example", "Asia/Tokyo"),), time_zone="Europe/Berlin",
        sender=Sender("noreply@x.example"),
    )  # fmt: skip
    now = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
    runs = next_runs(
        entry, sender=of_tenant(entry, PRESETS), audience=Audience(), canary_at=time(7),
        beats={"scheduler": now}, now=now,
        written={"a@x.example|Asia/Tokyo": datetime(2026, 11, 22, 23, tzinfo=UTC)},
    )  # fmt: skip
    assert runs.canary == (datetime(2026, 11, 24, 6, tzinfo=UTC), "Europe/Berlin")
    assert runs.mails == (("a@x.example", datetime(2026, 11, 23, 23, tzinfo=UTC), "Asia/Tokyo"),)
    assert runs.running
    silent = next_runs(
        entry, sender=None, audience=Audience(), canary_at=time(7), beats={}, written={}, now=now
    )
    assert (silent.canary, silent.running) == (None, False)


def first_mails(policy: Policy, *others: Tenant) -> list[tuple[str, datetime | None]]:
    """When a new tenant of a@x.example is written about first, on a Saturday at noon."""
    entry = replace(others[0], name="new") if others else Tenant(
        "new", ID, "global", APP, CredentialRef("secret", "env:X"),
        recipients=(Recipient("a@x.example"),), time_zone="UTC",
    )  # fmt: skip
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    runs = next_runs(
        entry, sender=None, audience=Audience(policy=policy), canary_at=time(7), beats={},
        written={}, now=now, others=others,
    )  # fmt: skip
    return [(to, at) for to, at, _ in runs.mails]


def test_what_the_settings_say_of_a_recipient_holds_for_a_new_tenant() -> None:
    """Zone, hour and working days; another address's wishes are its own."""
    weekdays = (0, 1, 2, 3, 4)
    mine = Recipient("A@x.example", "Asia/Tokyo", send_hour=9, working_days=weekdays)
    other = Recipient("b@x.example", send_hour=3)
    assert first_mails(Policy(recipients=(mine, other))) == [
        ("a@x.example", datetime(2026, 11, 23, 0, tzinfo=UTC))
    ]
    assert first_mails(Policy()) == [("a@x.example", None)]


def test_whom_rules_may_tell_of_a_new_tenant_is_named_as_well() -> None:
    """An address of a rule that fits; a rule about another tenant tells nobody of this one."""
    rules = (Route(("tickets@x.example",), severity="critical"), Route(("c@x.example",), "other"))
    told = [to for to, _ in first_mails(Policy(routes=rules))]
    assert told == ["a@x.example", "tickets@x.example"]


def test_who_reads_about_others_already_has_one_mail_a_day() -> None:
    """At the earlier hour of the two tenants."""
    known = Tenant(
        "known", APP, "global", APP, CredentialRef("secret", "env:X"),
        recipients=(Recipient("a@x.example", send_hour=17),), time_zone="UTC",
    )  # fmt: skip
    late = datetime(2026, 11, 21, 17, tzinfo=UTC)
    assert first_mails(Policy(), known) == [("a@x.example", late)]
    early = replace(known, recipients=(Recipient("a@x.example", send_hour=6),))
    entry = first_mails(Policy(), known, replace(early, name="early"))
    assert entry == [("a@x.example", None)]


def test_a_mail_that_is_due_today_goes_at_once() -> None:
    """Unless today's is written already: then the next morning's is the first."""
    entry = Tenant(
        "contoso", ID, "global", APP, CredentialRef("secret", "env:X"),
        recipients=(Recipient("a@x.example"),), time_zone="UTC",
    )  # fmt: skip
    now, today = datetime(2026, 11, 23, 9, tzinfo=UTC), datetime(2026, 11, 23, 8, tzinfo=UTC)

    def first(written: dict[str, datetime]) -> datetime | None:
        runs = next_runs(
            entry, sender=None, audience=Audience(), canary_at=time(7), beats={}, written=written,
            now=now,
        )  # fmt: skip
        return runs.mails[0][1]

    assert first({}) is None
    assert first({"a@x.example|UTC": today}) == datetime(2026, 11, 24, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (Report("x", (), directory_id=ID), "ok"),
        (Report("x", (), directory_id=APP), "failed"),
        (Report("x", (Check("authority", "failed", cause="tenant_not_found"),)), "failed"),
        (Report("x", (Check("authority.tcp", "failed", cause="connection_refused"),)), "skipped"),
    ],
)
def test_a_mailbox_of_another_domain_is_told_before_exchange_refuses_it(
    told: Report, status: str
) -> None:
    """Whoever mistypes it hears so at once; no answer of the cloud is no verdict."""
    check = mailbox_check("noreply@fabrikm.example", ID, told)
    assert check.status == status
    assert status != "failed" or "noreply@fabrikm.example is spelled right" in check.fix


def test_a_refused_sign_in_during_the_set_up_is_no_riddle() -> None:
    """The script first, then the time that Exchange takes, then the address."""
    refused = Check("smtp.auth", "failed", "535 5.7.3", cause="sp_not_in_exchange", command="New-…")
    shown = here(refused, Report("x", (refused,)), draft(mailbox="a@x.example"))
    assert "script has not run for this mailbox" in shown.explanation
    assert "a@x.example" in shown.fix
    assert shown.command is None
    other = Check("smtp.auth", "failed", "454 4.7.0", cause="throttled", fix="Wait.")
    assert here(other, Report("x", (other,)), draft()) == other


def test_who_is_warned_by_default_is_offered_and_not_hidden_behind_an_empty_answer() -> None:
    """[defaults] recipients step in for nobody, so "leave it empty" would not tell the operator."""
    usual = replace(AROUND, default_recipients=("it@msp.example", "noc@msp.example"))
    [asked, *_] = page(Step.PEOPLE, draft(), usual).questions
    assert (asked.default, asked.optional, asked.why) == (
        "it@msp.example, noc@msp.example",
        False,
        "",
    )
    [empty, *_] = page(Step.PEOPLE, draft(), AROUND).questions
    assert (empty.default, empty.optional) == ("", True)
    assert "operator" in empty.why
