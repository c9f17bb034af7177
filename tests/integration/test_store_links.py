"""Links in mails: the store keeps hashes of what was sent, and each link works once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.links import LinkMaker
from monitor.model import OutboxState, Receipt, Snooze
from monitor.model.acts import Action, AuditEntry
from monitor.store import Store
from monitor.store.links import digest_of
from tests.mail_samples import NOW, covered_item, digest, item

ADDRESS = "https://lapsewatch.msp.example"
MAKER = LinkMaker(ADDRESS, timedelta(days=30))


def written(make, *, recipient: str = "ann@contoso.example"):
    """A digest with links, as a run writes it; and the tokens in it."""
    items = [item(7)]
    offer = MAKER.offer(items, recipient, make.now)
    mail = digest(*items, recipient=recipient, actions=offer.views)
    links = tuple(replace(link, tenant="contoso") for link in offer.shown_in(mail.text))
    row = make.mail(make.notice(), recipient=recipient, links=links)
    return replace(row, mail=mail), sorted(offer.links)


def claim(store: Store, make, hours: float = 0):
    """Take what is due."""
    return store.claim(
        make.now + timedelta(hours=hours), owner="me", lease=timedelta(minutes=15),
        owner_is_dead=lambda _: False,
    )  # fmt: skip


def body_of(store: Store) -> str:
    """Every word that the outbox holds."""
    return "".join(mail.mail.text + mail.mail.html for mail in store.outbox())


def test_each_item_of_a_mail_has_four_links_in_both_parts() -> None:
    """One for each thing that can be done, below the page's address and nowhere else."""
    offer = MAKER.offer([item(7), item(-3)], "it@contoso.example", NOW)
    mail = digest(item(7), item(-3), actions=offer.views)
    assert len(offer.links) == 8
    assert len(offer.shown_in(mail.text)) == len(offer.shown_in(mail.html)) == 8
    assert {len(token) for token in offer.links} == {32}
    for token in offer.links:
        assert f"{ADDRESS}/a/{token}" in mail.text
    assert MAKER.offer([covered_item(6)], "it@contoso.example", NOW).links == {}


def test_two_hundred_items_stay_below_the_size_that_mail_programs_cut_at() -> None:
    """The links of the first 25 come with them; the store keeps those that are shown."""
    items = [item(7 + n % 40, app_name=f"App {n} " + "long name " * 6) for n in range(200)]
    items.sort(key=lambda one: one.notice.days_left)
    offer = MAKER.offer(items, "it@contoso.example", NOW)
    mail = digest(*items, actions=offer.views)
    assert len(mail.html.encode()) < 95_000
    assert 0 < len(offer.shown_in(mail.text)) <= len(offer.links) == 100


def test_two_recipients_of_one_credential_get_different_tokens() -> None:
    """So that it is known whose mail somebody acted from."""
    one, other = (MAKER.offer([item(7)], name, NOW) for name in ("a@x.example", "b@x.example"))
    assert not set(one.links) & set(other.links)


def test_tokens_leave_the_store_when_the_mail_was_accepted_and_not_before(
    store: Store, make
) -> None:
    """A mail that waits, or is sent again, keeps its bytes; afterwards there are only hashes."""
    store.put_tenant(make.tenant(), now=make.now)
    mail, tokens = written(make)
    store.enqueue([mail])
    [first] = claim(store, make)
    assert first.mail == mail.mail
    store.mark_retry(first.id, first.lease_token, not_before=make.now, error="451", cause="x")
    [again] = claim(store, make, hours=1)
    assert again.mail == mail.mail
    assert store.mark_sent(again.id, again.lease_token, Receipt("250 ok", make.now))
    body = body_of(store)
    assert not [token for token in tokens if token in body]
    assert body.count("/a/taken-out") == 8
    assert all(store.link(digest_of(token)) is not None for token in tokens)


def test_a_mail_in_flight_keeps_its_tokens_when_somebody_takes_it_back(store: Store, make) -> None:
    """Only what was taken back loses them."""
    store.put_tenant(make.tenant(), now=make.now)
    (flying, flying_tokens), (waiting, waiting_tokens) = written(make), written(make)
    store.enqueue([flying])
    claim(store, make)
    store.enqueue([waiting])
    assert store.withdraw([flying.id, waiting.id]) == 1
    body = body_of(store)
    assert all(token in body for token in flying_tokens)
    assert not [token for token in waiting_tokens if token in body]
    assert {mail.state for mail in store.outbox()} == {OutboxState.SENDING, OutboxState.WITHDRAWN}


@pytest.mark.parametrize("spoiled", ["used", "revoked", "expired", "unknown"])
def test_a_link_that_does_not_hold_changes_nothing(store: Store, make, spoiled: str) -> None:
    """Neither a silence nor a line of the log comes of it."""
    store.put_tenant(make.tenant(), now=make.now)
    mail, _ = written(make)
    store.enqueue([mail])
    [link] = [one for one in mail.links if one.action is Action.SNOOZE]
    entry = AuditEntry(make.now, "ann", "snooze", "contoso", "x", "y", "mail link")
    quiet = Snooze("contoso", link.uid, 1, "ann", "y", make.now)
    if spoiled == "used":
        assert store.use_link(link, entry, snooze=quiet)
    if spoiled == "revoked":
        assert store.revoke_links("contoso", link.uid, now=make.now) == 4
    if spoiled == "expired":
        entry = replace(entry, at=make.now + timedelta(days=31))
    before = len(store.audit())
    unknown = replace(link, digest="0" * 64) if spoiled == "unknown" else link
    assert not store.use_link(unknown, entry, snooze=quiet)
    assert len(store.audit()) == before == len(store.snoozes())


def test_a_mail_about_a_tenant_that_is_gone_is_written_without_its_links(
    store: Store, make
) -> None:
    """A removal while the mail was made costs nobody their warning."""
    mail, tokens = written(make)
    store.enqueue([mail])
    assert store.link(digest_of(tokens[0])) is None
    assert len(store.outbox()) == 1
