"""Who carries what: the whole table, and what must never happen."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import OPERATOR, MailKind
from monitor.routes import NO_PATH, OPERATOR_PATH, Paths, choose, tenant_path

WARNINGS = [
    kind
    for kind in MailKind
    if kind
    not in (
        MailKind.CANNOT_CHECK, MailKind.RECOVERED, MailKind.CANARY_FAILED,
        MailKind.MAIL_PATH_BROKEN,
    )
]  # fmt: skip
ALARMS = [MailKind.CANNOT_CHECK, MailKind.RECOVERED, MailKind.MAIL_PATH_BROKEN]
CONTOSO, FABRIKAM = "tenant:contoso", "tenant:fabrikam"


def paths(*names: str, broken: Sequence[str] = (), same: Sequence[str] = ()) -> Paths:
    """Paths of those names; those in `same` are one and the same mailbox."""
    identity = {name: ("shared",) if name in same else (name,) for name in names}
    return Paths(identity, frozenset(broken))


def test_the_operators_path_is_told_from_the_tenants() -> None:
    """Even by a tenant named operator."""
    assert tenant_path("contoso") == CONTOSO
    assert tenant_path(OPERATOR) == OPERATOR_PATH == "operator"
    assert tenant_path("operator") != OPERATOR_PATH


@pytest.mark.parametrize("kind", WARNINGS)
@pytest.mark.parametrize(
    ("there", "taken"),
    [
        (paths(CONTOSO, "operator"), CONTOSO),
        (paths(CONTOSO), CONTOSO),
        (paths("operator"), "operator"),
        (paths(FABRIKAM, "operator"), "operator"),
        (paths(FABRIKAM), NO_PATH),
        (paths(), NO_PATH),
        (paths(CONTOSO, "operator", broken=[CONTOSO]), "operator"),
        (paths(CONTOSO, "operator", broken=["operator"]), CONTOSO),
        (paths(CONTOSO, "operator", broken=[CONTOSO, "operator"]), CONTOSO),
        (paths(CONTOSO, broken=[CONTOSO]), CONTOSO),
        (paths(CONTOSO, FABRIKAM, broken=[CONTOSO]), CONTOSO),
    ],
)
def test_a_warning_goes_by_its_tenants_sender_or_else_the_operators(
    kind: MailKind, there: Paths, taken: str
) -> None:
    """A broken path is passed over; where all are broken it waits at the first, which may heal."""
    assert choose(kind, ["contoso"], there) == taken


@pytest.mark.parametrize("kind", ALARMS)
@pytest.mark.parametrize(
    ("there", "taken"),
    [
        (paths(CONTOSO, "operator"), "operator"),
        (paths(CONTOSO), CONTOSO),
        (paths("operator"), "operator"),
        (paths(FABRIKAM), NO_PATH),
        (paths(CONTOSO, "operator", broken=["operator"]), CONTOSO),
        (paths(CONTOSO, "operator", broken=[CONTOSO, "operator"]), "operator"),
    ],
)
def test_an_alarm_goes_by_the_operators_path_or_else_the_tenants(
    kind: MailKind, there: Paths, taken: str
) -> None:
    """The other way round than a warning."""
    assert choose(kind, ["contoso"], there) == taken


@pytest.mark.parametrize(
    ("about", "tenant", "there", "taken"),
    [
        (CONTOSO, "contoso", paths(CONTOSO, "operator"), "operator"),
        (CONTOSO, "contoso", paths(CONTOSO), NO_PATH),
        (CONTOSO, "contoso", paths(CONTOSO, "operator", same=[CONTOSO, "operator"]), NO_PATH),
        (CONTOSO, "contoso", paths(CONTOSO, "operator", broken=["operator"]), "operator"),
        (CONTOSO, "contoso", paths(FABRIKAM, CONTOSO), NO_PATH),
        ("operator", OPERATOR, paths(CONTOSO, "operator"), NO_PATH),
        (CONTOSO, "contoso", paths("operator"), "operator"),
    ],
)
def test_a_failed_canary_is_never_told_by_the_path_that_failed(
    about: str, tenant: str, there: Paths, taken: str
) -> None:
    """Under none of its names; rather it waits, and page and exit code say so."""
    assert choose(MailKind.CANARY_FAILED, [tenant], there, about_sender=about) == taken


def test_a_mail_about_several_tenants_goes_by_the_operator_only() -> None:
    """No customer's mailbox carries another customer's name."""
    there = paths(CONTOSO, FABRIKAM, "operator")
    assert choose(MailKind.REMINDER, ["contoso", "fabrikam"], there) == "operator"
    assert choose(MailKind.REMINDER, ["contoso", "fabrikam"], paths(CONTOSO, FABRIKAM)) == NO_PATH
    assert choose(MailKind.REMINDER, ["contoso", "contoso"], there) == CONTOSO


def test_a_path_that_just_failed_is_passed_over_under_all_its_names() -> None:
    """Two names of one mailbox break together."""
    there = paths(CONTOSO, "operator", same=[CONTOSO, "operator"])
    assert choose(MailKind.REMINDER, ["contoso"], there, avoid=["operator"]) == CONTOSO
    assert there.is_broken(CONTOSO, ["operator"])
    apart = paths(CONTOSO, "operator")
    assert choose(MailKind.REMINDER, ["contoso"], apart, avoid=[CONTOSO]) == "operator"


def test_a_broken_path_that_is_gone_breaks_nothing() -> None:
    """Its canary failed before it was taken out of the settings."""
    there = paths(CONTOSO, broken=["operator", FABRIKAM])
    assert not there.is_broken(CONTOSO)
    assert choose(MailKind.CANARY_FAILED, ["contoso"], there, about_sender=FABRIKAM) == CONTOSO


NAMES = st.sampled_from(["contoso", "fabrikam", "adatum"])
EVERY_PATH = [CONTOSO, FABRIKAM, "tenant:adatum", OPERATOR_PATH]
SOME_PATHS = st.lists(st.sampled_from(EVERY_PATH), unique=True)


@st.composite
def worlds(draw: st.DrawFn) -> Paths:
    """Any set of paths, some of them one and the same, some of them broken."""
    names = draw(SOME_PATHS)
    identity = {name: (draw(st.sampled_from(["a", "b", name])),) for name in names}
    return Paths(identity, frozenset(draw(SOME_PATHS)))


@given(
    kind=st.sampled_from(list(MailKind)),
    tenants=st.lists(NAMES, min_size=1, max_size=3),
    there=worlds(),
    about=st.none() | st.sampled_from(EVERY_PATH),
    avoid=SOME_PATHS,
)
def test_whatever_exists_and_whatever_is_broken_nothing_leaks(
    kind: MailKind, tenants: list[str], there: Paths, about: str | None, avoid: list[str]
) -> None:
    """The path exists; a tenant's carries that tenant only; an alarm never takes its subject."""
    taken = choose(kind, tenants, there, about_sender=about, avoid=avoid)
    if taken == NO_PATH:
        allowed = {OPERATOR_PATH} | ({tenant_path(tenants[0])} if len(set(tenants)) == 1 else set())
        subject = there.identity.get(about) if about else None
        assert all(there.identity[name] == subject for name in allowed & there.identity.keys())
        return
    assert taken in there.identity
    assert taken in (OPERATOR_PATH, *(tenant_path(name) for name in set(tenants)))
    if taken != OPERATOR_PATH:
        assert {tenant_path(name) for name in tenants} == {taken}
    if about in there.identity:
        assert there.identity[taken] != there.identity[about]
