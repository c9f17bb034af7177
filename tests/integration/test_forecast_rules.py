"""The forecast and `explain` with rules say what the real runs then say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.forecast import Outlook
from monitor.model import Ignore, Kind, Policy, Recipient, Route
from monitor.store import Store
from tests.integration.forecast_worlds import NOW
from tests.integration.test_forecast import (
    EVENTFUL,
    check,
    explained,
    foreseen,
    scene,
    without_silence,
)

RULES = Policy(
    routes=(
        Route(("tickets@msp.example",), severity="critical", also=True),
        Route(("owners",), tenant="*o*"),
        Route(("notes",), kind=Kind.SECRET),
    ),
    ignores=(
        Ignore("x", "kim", (NOW + timedelta(days=9)).date(), tenant="fabrikam", name="App 0"),
    ),
    recipients=(
        Recipient("tickets@msp.example", "UTC", 7, (0, 1, 2, 3, 4), "ticket", at_once=True),
        Recipient("ann@m.example", stages=(50, 12)),
    ),
)
RULED = [
    replace(place, held=tuple(replace(one, people=2, notes=1) for one in place.held))
    for place in EVENTFUL
]


def without_rules(known: Outlook) -> Outlook:
    """Sends everything to everybody who may be told."""
    return replace(known, router=None)


def without_scans(known: Outlook) -> Outlook:
    """Tells nothing before its hour."""
    return replace(known, scanned={})


def on_all_days(known: Outlook) -> Outlook:
    """Knows of no days off."""
    return replace(known, runs=[replace(run, working_days=()) for run in known.runs])


def test_a_month_with_rules_is_foreseen(store: Store) -> None:
    """Owners, tickets on working days, and what is urgent at once."""
    check(store, RULED, RULES)
    told = {to for _, to, *_ in foreseen(scene(store, RULED, RULES).runs.outlook({}))}
    assert {"tickets@msp.example", "ann@m.example", "b@m.example"} <= told


@pytest.mark.parametrize(
    "bad",
    [without_silence, without_rules, without_scans, on_all_days],
    ids=lambda bad: bad.__name__,
)
def test_a_forecast_that_forgets_a_rule_is_wrong(
    store: Store, bad: Callable[[Outlook], Outlook]
) -> None:
    """Each of these is a fault that the comparison above must notice."""
    known = scene(store, RULED, RULES).runs.outlook({})
    assert foreseen(bad(known)) != foreseen(known)


def test_an_explanation_that_forgets_the_rules_is_wrong(store: Store) -> None:
    """It would name people who are not told."""
    show = scene(store, RULED, RULES)
    assert explained(show, without_rules) != explained(show)
