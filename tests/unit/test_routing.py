"""The operator's rules: which one holds for a credential, who is told by it, and why not others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.addresses import domain_of, is_address, noted
from monitor.decide import Reason, decide_run
from monitor.model import (
    Credential,
    CredentialRef,
    Ignore,
    Kind,
    ObjectType,
    Owner,
    Policy,
    Recipient,
    Route,
    Sender,
    Severity,
    Tenant,
)
from monitor.recipients import Audience, recipient_runs
from monitor.routing import Contacts, Router, own_domains, rules_of, severity_at, ticket

NOW = datetime(2026, 11, 27, 7, 0, tzinfo=UTC)  # a Friday
DAY = timedelta(days=1)
NOC = Recipient("noc@msp.example")
TENANT = Tenant(
    "contoso", "d", "global", "c", CredentialRef("secret", "env:X"),
    recipients=(Recipient("it@contoso.example"),), tags=("gold",),
)  # fmt: skip
ANN = Owner("Ann", "ann@contoso.example", enabled=True)
CREDENTIAL = Credential(
    "contoso", "app-1/secret/k", ObjectType.APPLICATION, "app-1", "client-1", "Payroll",
    Kind.SECRET, "k", "x", None, NOW + 5 * DAY,
)  # fmt: skip


def told(
    *rules: Route, one: Credential = CREDENTIAL, tenant: Tenant = TENANT,
    severity: Severity | None = "critical", **policy: object,
) -> tuple[str, ...]:  # fmt: skip
    """Who hears of a credential."""
    known = Policy(routes=rules, **policy)  # type: ignore[arg-type]
    router = Router([tenant], Audience((NOC,), policy=known))
    return tuple(each.recipient.address for each in router.route(one, severity).listeners)


def test_without_rules_the_tenants_recipients_are_told_else_the_operators() -> None:
    """As it always was."""
    assert told() == ("it@contoso.example",)
    assert told(tenant=replace(TENANT, recipients=())) == ("noc@msp.example",)


def test_the_first_rule_that_fits_holds_and_others_only_where_it_says_also() -> None:
    """Not both, unless that is wished."""
    first, second = Route(("a@x.example",)), Route(("b@x.example",))
    assert told(first, second) == ("a@x.example",)
    assert told(replace(first, also=True), second) == ("a@x.example", "b@x.example")
    assert told(replace(first, tenant="fabrikam"), second) == ("b@x.example",)


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ({"tenant": "CONTOSO"}, True), ({"tenant": "cont*"}, True), ({"tenant": "cont"}, False),
        ({"tag": "gold"}, True), ({"tag": "silver"}, False),
        ({"app": "client-1"}, True), ({"app": "pay*"}, True), ({"app": "*roll."}, False),
        ({"kind": Kind.SECRET}, True), ({"kind": Kind.CERTIFICATE}, False),
        ({"severity": "warning"}, True), ({"severity": "lapsed"}, False),
        ({"owner": "ann@*"}, True), ({"owner": "Bob"}, False),
        ({"tenant": "contoso", "tag": "silver"}, False),
    ],
)  # fmt: skip
def test_a_rule_fits_only_where_all_of_it_does(rule: dict[str, object], fits: bool) -> None:
    """With * for any letters, whatever the case."""
    one = replace(CREDENTIAL, people=(ANN,))
    route = Route(("a@x.example",), **rule)  # type: ignore[arg-type]
    assert (told(route, one=one) == ("a@x.example",)) is fits


@pytest.mark.parametrize(
    ("people", "why"),
    [
        (None, "not known"),
        ((), "nobody owns"),
        ((replace(ANN, enabled=False),), "disabled"),
        ((replace(ANN, mail=None),), "no mail address"),
        ((Owner("A robot", None, "service_principal"),), "is an application"),
        ((replace(ANN, mail="ann@evil.example"),), "not allowed"),
        ((replace(ANN, mail="ann@contoso.example\r\nBcc: x@evil.example"),), "no mail address"),
        ((replace(ANN, mail="x@contoso.example.evil.example"),), "not allowed"),
    ],
)
def test_a_rule_that_yields_nobody_falls_through_and_says_why(
    people: tuple[Owner, ...] | None, why: str
) -> None:
    """The next rule is asked; what stands in Entra is written by others."""
    one = replace(CREDENTIAL, people=people)
    rules = (Route(("owners",)), Route(("b@x.example",)))
    assert told(*rules, one=one) == ("b@x.example",)
    router = Router([TENANT], Audience(policy=Policy(routes=rules)))
    first, second = router.route(one, "critical").steps
    assert (first.outcome, second.outcome) == ("yields_nobody", "holds")
    assert why in "; ".join(first.why)


def test_owners_notes_contact_and_the_groups_are_told_where_there_are_some() -> None:
    """Several targets of one rule are told together, each once."""
    one = replace(CREDENTIAL, people=(ANN,), notify=("team@contoso.example",))
    tenant = replace(TENANT, contact="boss@contoso.example")
    targets = ("owners", "notes", "contact", "tenant", "operator", "ANN@contoso.example")
    assert told(Route(targets), one=one, tenant=tenant) == (
        "ann@contoso.example", "team@contoso.example", "boss@contoso.example",
        "it@contoso.example", "noc@msp.example",
    )  # fmt: skip


def test_the_allowed_domains_are_the_tenants_own_unless_the_settings_name_some() -> None:
    """Of its recipients, its contact and its mailbox."""
    tenant = replace(TENANT, contact="a@b.example", sender=Sender("no@C.example"))
    assert own_domains(tenant) == {"contoso.example", "b.example", "c.example"}
    one, rule = replace(CREDENTIAL, people=(ANN,)), Route(("owners",))
    allowed = frozenset({"contoso.onmicrosoft.example"})
    assert told(rule, one=one, owner_domains=allowed) == ("it@contoso.example",)
    other = replace(CREDENTIAL, people=(replace(ANN, mail="a@contoso.onmicrosoft.example"),))
    assert told(rule, one=other, owner_domains=allowed) == ("a@contoso.onmicrosoft.example",)


def test_what_leads_to_nobody_goes_to_the_operator() -> None:
    """Never is a warning told to nobody while somebody could hear it."""
    bare = replace(TENANT, recipients=())
    assert told(Route(("owners", "contact", "tenant")), tenant=bare) == ("noc@msp.example",)


mails = st.sampled_from(
    ["a@contoso.example", "a@evil.example", "x y@contoso.example", "", "a@b@contoso.example",
     "a@contoso.example\u202e", "A@CONTOSO.example", "-f@contoso.example"]
)  # fmt: skip
people = st.one_of(
    st.none(),
    st.lists(
        st.builds(
            Owner, st.just("x"), st.one_of(st.none(), mails),
            st.sampled_from(["user", "service_principal", "other"]),
            st.sampled_from([True, False, None]),
        ), max_size=3,
    ).map(tuple),
)  # fmt: skip
routes = st.builds(
    Route,
    st.lists(
        st.sampled_from(["owners", "notes", "contact", "tenant", "operator", "b@x.example"]),
        min_size=1, max_size=3,
    ).map(tuple),
    severity=st.sampled_from([None, "warning", "critical", "lapsed"]),
    tag=st.sampled_from([None, "gold", "silver"]),
    also=st.booleans(),
)  # fmt: skip


@given(
    rules=st.lists(routes, max_size=4).map(tuple),
    who=people,
    notify=st.lists(mails, max_size=2).map(tuple),
    recipients=st.sampled_from([(), TENANT.recipients]),
    severity=st.sampled_from([None, "upcoming", "warning", "critical", "lapsed"]),
)
def test_whoever_is_told_was_possible_and_somebody_always_is(
    rules: tuple[Route, ...],
    who: tuple[Owner, ...] | None,
    notify: tuple[str, ...],
    recipients: tuple[Recipient, ...],
    severity: Severity | None,
) -> None:
    """An address of Entra is a plain one of an allowed domain, and there is a run for each."""
    tenant = replace(TENANT, recipients=recipients)
    one = replace(CREDENTIAL, people=who, notify=notify)
    router = Router([tenant], Audience((NOC,), policy=Policy(routes=rules)))
    routed = router.route(one, severity)
    assert routed.listeners
    known = router.possible(tenant, [Contacts(who, notify)])
    assert set(routed.listeners) <= set(known)
    named = {"b@x.example", NOC.address, *(r.address for r in recipients)}
    for each in {r.recipient.address for r in routed.listeners} - named:
        assert is_address(each)
        assert domain_of(each) in own_domains(tenant)


# --- ignore ---------------------------------------------------------------------------------------

LAB = Ignore("a lab", "kim", date(2026, 11, 27), tag="gold")


@pytest.mark.parametrize(
    ("rule", "one", "fits"),
    [
        (LAB, CREDENTIAL, True),
        (replace(LAB, review=date(2026, 11, 26)), CREDENTIAL, False),
        (replace(LAB, name="*roll"), CREDENTIAL, True),
        (replace(LAB, app="client-2"), CREDENTIAL, False),
        (replace(LAB, kind=Kind.CERTIFICATE), CREDENTIAL, False),
        (LAB, replace(CREDENTIAL, own=True), False),
    ],
)
def test_an_ignore_rule_holds_until_its_review_and_never_for_our_own(
    rule: Ignore, one: Credential, fits: bool
) -> None:
    """The review day is the last; what Lapsewatch signs in with would silence everything."""
    router = Router([TENANT], Audience(policy=Policy(ignores=(rule,))))
    assert (router.ignored_by(one, NOW) is rule) is fits


def test_the_review_day_is_the_operators() -> None:
    """In Apia it is tomorrow already."""
    late, apia = NOW + timedelta(hours=4), "Pacific/Apia"
    router = Router([TENANT], Audience(time_zone=apia, policy=Policy(ignores=(LAB,))))
    assert router.ignored_by(CREDENTIAL, late) is None


def _reasons(policy: Policy, address: str, **told: object) -> list[tuple[Reason, bool]]:
    audience = Audience((NOC,), policy=policy)
    router = Router([TENANT], audience)
    (run,) = [
        run for run in recipient_runs([TENANT], audience, router.possible) if run.address == address
    ]
    rules = rules_of(run, router, NOW)
    made = decide_run(
        run.tenants, {"contoso": [CREDENTIAL]}, zone=ZoneInfo("UTC"), told={}, snoozes={}, now=NOW,
        stage_of=rules.stage_of, mask=rules.mask,
    )  # fmt: skip
    return [(one.reason, one.notice is not None) for one in made["contoso"]]


def test_a_run_says_nothing_of_what_is_ignored_or_goes_to_others() -> None:
    """Each with its reason."""
    routed = Policy(routes=(Route(("a@x.example",)),))
    assert _reasons(routed, "a@x.example") == [(Reason.STAGE_REACHED, True)]
    assert _reasons(routed, "it@contoso.example") == [(Reason.NOT_ROUTED, False)]
    quiet = Policy(routed.routes, (LAB,))
    assert _reasons(quiet, "a@x.example") == [(Reason.IGNORED, False)]


# --- severity, tokens, addresses ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "severity"),
    [(-1, "lapsed"), (0.2, "critical"), (7, "critical"), (8, "warning"), (31, "upcoming"),
     (61, None), (None, None)],
)  # fmt: skip
def test_severity_is_the_state_of_the_status(days: float | None, severity: str | None) -> None:
    """By the tenant's days and thresholds."""
    assert severity_at(None if days is None else NOW + days * DAY, TENANT, NOW) == severity


def test_before_days_off_what_will_be_critical_is_and_nothing_lapses_early() -> None:
    """So that a rule for the critical ones does not come late because of a weekend."""
    monday = NOW + 3 * DAY
    assert severity_at(NOW + 9 * DAY, TENANT, NOW, monday) == "critical"
    assert severity_at(NOW + DAY, TENANT, NOW, monday) == "critical"


def test_a_ticket_has_one_token_for_each_life_of_a_credential() -> None:
    """Whatever the stage; without letters that look alike."""
    token = ticket(CREDENTIAL)
    assert (
        token
        == ticket(replace(CREDENTIAL, end=None, name="y"))
        != ticket(replace(CREDENTIAL, life=2))
    )
    assert token.startswith("LW-")
    assert not set(token[3:]) & set("01OI")
    others = {ticket(replace(CREDENTIAL, uid=str(n))) for n in range(20_000)}
    assert len(others) == 20_000


MANY = tuple(f"u{n}@b.example" for n in range(9))


@pytest.mark.parametrize(
    ("notes", "found"),
    [
        ("NotifyEmail=a@b.example", ("a@b.example",)),
        (
            "owner: x\nnotifyemail = a@b.example; C@d.example , A@b.example\nmore",
            ("a@b.example", "C@d.example"),
        ),
        ("Notify-Email: a@b.example and nobody@else.example", ("a@b.example",)),
        ("mail a@b.example", ()),
        ("NotifyEmail=<a@b.example>", ()),
        ("", ()),
        ("NotifyEmail=" + ";".join(MANY), MANY[:5]),
    ],
)  # fmt: skip
def test_only_the_addresses_behind_notify_email_are_taken_from_notes(
    notes: str, found: tuple[str, ...]
) -> None:
    """At most five of them."""
    assert noted(notes) == found
