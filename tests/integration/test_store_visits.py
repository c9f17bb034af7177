"""Links to the set-up pages and their sessions, as both databases keep them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from monitor.model import WebSession
from monitor.store import Store
from tests.integration.conftest import Make

NOW = Make.now
MINUTE = timedelta(minutes=1)
SESSION = WebSession(NOW, NOW, NOW + timedelta(hours=8))


def test_a_link_opens_once_also_for_eight_at_the_same_time(store: Store) -> None:
    """Whoever is second gets nothing; asking whether it opens uses nothing up."""
    store.put_setup_link("link", expires_at=NOW + MINUTE, now=NOW)
    assert store.has_setup_link("link", now=NOW)
    assert store.has_setup_link("link", now=NOW)
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: store.open_setup_link("link", f"s{n}", SESSION), range(8)))
    assert sum(won) == 1
    held = [store.web_session(f"s{n}", now=NOW) is not None for n in range(8)]
    assert held == won
    assert not store.has_setup_link("link", now=NOW)


def test_a_link_that_is_out_of_date_opens_nothing_and_goes(store: Store) -> None:
    """To the second; the next link sweeps it away."""
    store.put_setup_link("old", expires_at=NOW, now=NOW - MINUTE)
    assert store.has_setup_link("old", now=NOW - timedelta(seconds=1))
    assert not store.has_setup_link("old", now=NOW)
    assert not store.open_setup_link("old", "s", SESSION)
    store.put_setup_link("new", expires_at=NOW + MINUTE, now=NOW)
    assert not store.has_setup_link("old", now=NOW - MINUTE)


def test_a_session_ends_when_it_is_left_alone_and_after_its_time(store: Store) -> None:
    """30 minutes idle, or its end; what has slept is not woken."""
    store.put_setup_link("link", expires_at=NOW + MINUTE, now=NOW)
    assert store.open_setup_link("link", "s", SESSION)
    store.see_web_session("s", now=NOW + 29 * MINUTE)
    assert store.web_session("s", now=NOW + 58 * MINUTE)
    assert store.web_session("s", now=NOW + 59 * MINUTE) is None
    store.see_web_session("s", now=NOW + 60 * MINUTE)
    assert store.web_session("s", now=NOW + 60 * MINUTE) is None
    assert store.web_session("s", now=NOW + timedelta(hours=8)) is None


def test_a_session_that_is_ended_is_gone(store: Store) -> None:
    """Signing out cannot be undone by an old cookie."""
    store.put_setup_link("link", expires_at=NOW + MINUTE, now=NOW)
    store.open_setup_link("link", "s", SESSION)
    store.drop_web_session("s")
    assert store.web_session("s", now=NOW) is None
    store.drop_web_session("s")
