"""Worlds for the forecast: tenants with credentials, rules and wishes, made by hypothesis."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from monitor.model import (
    SEVERITIES,
    TARGETS,
    Ignore,
    Kind,
    Owner,
    Policy,
    Recipient,
    Route,
)

NOW = datetime(2026, 3, 10, 6, 7, tzinfo=UTC)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia")


@dataclass(frozen=True)
class Held:
    """A credential: on which object, when it ends (hours from NOW), and what was said of it."""

    place: int
    kind: Kind
    hours: int | None
    started: bool = True
    own: bool = False
    silence: tuple[int | None, int | None] | None = None  # snoozed for hours, or acknowledged
    told: tuple[int, int] | None = None  # which recipient, up to which level
    people: int = 0  # the owners of its application
    notes: int = 0  # the addresses that its notes name


@dataclass(frozen=True)
class Place:
    """A tenant as far as it matters here."""

    zone: str
    hour: int
    thresholds: tuple[int, ...]
    weeks: int
    shadow: int | None
    recipients: tuple[Recipient, ...]
    held: tuple[Held, ...]


hours = st.integers(-30 * 24, 60 * 24)
recipients = st.builds(
    Recipient,
    st.sampled_from(["a@m.example", "A@m.example", "b@m.example"]),
    st.sampled_from([None, *ZONES]),
    st.sampled_from([None, 0, 7]),
    working_days=st.sampled_from([(), (), (0, 1, 2, 3, 4), (2,)]),
    mode=st.sampled_from(["digest", "digest", "single", "ticket"]),
    stages=st.sampled_from([None, None, (45, 7), ()]),
    at_once=st.sampled_from([False, False, True]),
)
PEOPLE = (
    None,
    (),
    (Owner("Ann", "ann@m.example", enabled=True),),
    (Owner("Bob", "bob@else.example"), Owner("Robot", None, "service_principal")),
)
NOTES = ((), ("b@m.example",), ("team@m.example", "x@else.example"))
held = st.builds(
    Held,
    place=st.integers(0, 1),
    kind=st.sampled_from([Kind.SECRET, Kind.CERTIFICATE]),
    hours=st.one_of(st.none(), hours, hours, hours),
    started=st.booleans(),
    own=st.sampled_from([False, False, False, True]),
    silence=st.one_of(
        st.none(),
        st.none(),
        st.tuples(st.one_of(st.none(), st.integers(-48, 20 * 24)), st.none()),
        st.tuples(st.none(), st.sampled_from([-30, -7, 0, 1, 2])),
    ),
    told=st.one_of(st.none(), st.tuples(st.integers(0, 1), st.sampled_from([-30, -7, 0, 1, 3]))),
    people=st.integers(0, 3),
    notes=st.integers(0, 2),
)
rules = st.builds(
    Route,
    st.lists(
        st.sampled_from([*TARGETS, "lead@msp.example", "b@m.example"]), min_size=1, max_size=2
    ).map(tuple),
    tenant=st.sampled_from([None, None, "contoso", "*a*"]),
    kind=st.sampled_from([None, None, Kind.SECRET]),
    owner=st.sampled_from([None, None, "ann*"]),
    severity=st.sampled_from([None, *SEVERITIES]),
    also=st.booleans(),
)
wishes = st.builds(  # what a [[recipient]] may say
    Recipient,
    st.sampled_from(["a@m.example", "b@m.example", "ann@m.example", "lead@msp.example"]),
    st.sampled_from([None, *ZONES]),
    st.sampled_from([None, 5, 22]),
    working_days=st.sampled_from([(), (0, 1, 2, 3, 4), (6,)]),
    mode=st.sampled_from(["digest", "single", "ticket"]),
    stages=st.sampled_from([None, (50, 12, 1), ()]),
    at_once=st.booleans(),
)
ignores = st.builds(
    Ignore,
    st.just("x"),
    st.just("kim"),
    st.integers(-1, 15).map(lambda days: (NOW + timedelta(days=days)).date()),
    tenant=st.sampled_from([None, "contoso", "*a*"]),
    name=st.sampled_from(["App 1", "App *"]),
)
policies = st.builds(
    Policy,
    routes=st.lists(rules, max_size=3).map(tuple),
    ignores=st.lists(ignores, max_size=2).map(tuple),
    recipients=st.lists(wishes, max_size=3, unique_by=lambda one: one.address).map(tuple),
)
places = st.builds(
    Place,
    zone=st.sampled_from(ZONES),
    hour=st.sampled_from([0, 6, 8, 23]),
    thresholds=st.sampled_from([(60, 30, 14, 7, 3, 1, 0), (20, 5), ()]),
    weeks=st.integers(0, 3),
    shadow=st.one_of(st.none(), st.integers(-24, 18 * 24)),
    recipients=st.lists(recipients, max_size=2).map(tuple),
    held=st.lists(held, max_size=4).map(tuple),
)
worlds = st.lists(places, min_size=1, max_size=3)
