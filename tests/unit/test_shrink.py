"""The shrink guard: what counts as a loss, and how much of it is too much (P20)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.model import (
    Kind,
    ObjectType,
    ObservedCredential,
    ObservedObject,
    Scan,
    ScanRecord,
)
from monitor.shrink import Loss, held, loss
from tests.unit.lives import NOW, credential

DAY = timedelta(days=1)
KNOWN = [credential(f"c{n}", end=NOW + 90 * DAY, object_id=f"o{n}") for n in range(10)]


def scan(*objects: ObservedObject, unread: frozenset[ObjectType] = frozenset()) -> Scan:
    """A complete scan of these objects."""
    return Scan(ScanRecord("contoso", NOW, NOW, complete=True, pages=2), objects, unread)


def app(object_id: str, *credentials: ObservedCredential) -> ObservedObject:
    """An app with credentials."""
    return ObservedObject(ObjectType.APPLICATION, object_id, None, "App", credentials)


def secret(days: int | None, **changes) -> ObservedCredential:
    """A secret that ends in so many days."""
    end = None if days is None else NOW + days * DAY
    plain = ObservedCredential(Kind.SECRET, "k", "k", None, NOW - DAY, end)
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("gone", "before", "percent", "asked"),
    [
        (5, 24, 20, True),
        (5, 25, 20, False),
        (4, 4, 20, False),
        (5, 5, 20, True),
        (212, 240, 20, True),
        (240, 240, 100, False),
        (240, 240, 0, False),
        (5, 1000, 0, False),
    ],
)
def test_more_than_the_percentage_and_at_least_five_is_too_much(gone, before, percent, asked):
    """The border itself is not; 0 percent asks never."""
    assert Loss(gone, before).is_too_much(percent) is asked


def test_what_was_not_seen_is_lost():
    """Compared with what was there."""
    seen = {"c0", "c1", "c2"}
    assert loss(KNOWN, seen, scan(app("o0"), app("o1"), app("o2"))) == Loss(7, 10)


@pytest.mark.parametrize(
    ("new", "renewed"),
    [
        (secret(400), True),
        (secret(None), True),
        (secret(30), False),
        (secret(400, kind=Kind.CERTIFICATE), False),
        (secret(400, start=NOW + DAY), False),
        (secret(-1), False),
    ],
    ids=["later", "no end", "sooner", "another kind", "not started", "lapsed"],
)
def test_a_renewal_is_no_loss(new, renewed):
    """A valid one of its kind on the same object that ends later."""
    assert loss(KNOWN[:1], set(), scan(app("o0", new))) == Loss(0 if renewed else 1, 1)


def test_what_could_not_be_looked_at_is_neither_lost_nor_counted():
    """It stays as it was."""
    unread = frozenset({ObjectType.APPLICATION})
    assert loss(KNOWN, set(), scan(unread=unread)) == Loss(0, 0)


def test_a_watched_date_is_neither_lost_nor_counted():
    """It was written down by people, and no scan sees it."""
    dates = [credential(f"i{n}", end=NOW, kind=Kind.ITEM, object_id=f"i{n}") for n in range(9)]
    assert loss([*KNOWN, *dates], {one.uid for one in KNOWN}, scan()) == Loss(0, len(KNOWN))


def test_a_held_scan_proves_nothing_and_says_why():
    """It counts like an incomplete one that needs somebody."""
    record = held(scan(app("o0")), Loss(212, 240)).record
    assert (record.complete, record.cause, record.retry) == (False, "scan_shrunk", "after_fix")
    assert record.problem is not None
    assert "212 of 240 credentials are gone" in record.problem
