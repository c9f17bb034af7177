"""Links in mails: looking changes nothing, one button acts once, and wrong tokens open nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from monitor.model.acts import Action
from monitor.store.links import digest_of
from monitor.web.headers import shown
from tests.acceptance.act_room import LABELS, Reader, Room, act_room
from tests.acceptance.setup_room import words
from tests.mail_samples import every_mail

NOTHING = "This link does nothing any more"


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A room of its own for each test: links work once."""
    with act_room(tmp_path) as made:
        yield made


@pytest.fixture
def reader(room: Room) -> Iterator[Reader]:
    """Somebody at the page."""
    with Reader(room.address) as made:
        yield made


def token_of(path: str) -> str:
    """The token in a link's path."""
    return path.removeprefix("/a/")


def same_page(answer: httpx.Response) -> tuple[int, str]:
    """What a page says, and its status."""
    return answer.status_code, words(answer.text)


def test_following_every_link_of_every_mail_changes_nothing(room: Room, reader: Reader) -> None:
    """GET and HEAD a hundred times, OPTIONS and prefetch: no row of any table is another one."""
    paths = {path for body in room.mails() for path in re.findall(rf"{room.address}(/\S*)", body)}
    assert len([path for path in paths if path.startswith("/a/")]) == 16
    before = room.state()
    for path in sorted(paths):
        for _ in range(100):
            assert reader.http.get(path).status_code == 200
            assert reader.http.head(path).status_code == 200
    for path in sorted(paths):
        reader.http.options(path)
        reader.http.get(path, headers={"Sec-Purpose": "prefetch", "Purpose": "prefetch"})
        assert reader.http.put(path).status_code == 405
    assert room.state() == before
    reader.press(room.link("acknowledge"))  # known-bad: what acts is seen by the same look
    assert room.state() != before


OURS = re.compile(r'https://lapsewatch\.msp\.example(/[^\s"<>]*)')
ACTING = {"reminder", "lapsed", "welcome"}  # the kinds of mail whose links act
FORBID = '\n[[forbid]]\nreason = "no certificates here"\nkind = "certificate"\n'


def test_mails_lead_to_the_page_and_to_actions_and_nowhere_else_with_us() -> None:
    """Every sample of every kind: the test below follows both sorts of link, of all such kinds."""
    led = {path for mail in every_mail().values() for path in OURS.findall(mail.text + mail.html)}
    assert {path.partition("/a/")[1] or path for path in led} == {"/", "/a/"}
    acts = {str(mail.kind) for mail in every_mail().values() if "/a/" in mail.text}
    assert acts <= ACTING


def test_following_the_links_of_every_kind_of_mail_changes_nothing(tmp_path: Path) -> None:
    """Every address in text and HTML, GET and HEAD: of all kinds that act, and of two ends."""
    with act_room(tmp_path, rules=FORBID, shadow=True) as room, Reader(room.address) as reader:
        room.app.store.end_shadow("contoso", now=room.clock.now())
        room.draft.app(
            "Old", secrets=[room.draft.secret("Old", days, name=f"{days}") for days in (4, 700)]
        )
        room.draft.app("Other", secrets=[room.draft.secret("Other", 14)])
        room.cycle()
        website = next(one for one in room.draft.tenant.apps if one.name == "Website")
        website.certificates.clear()
        room.cycle()
        room.clock.advance(timedelta(days=6))
        room.cycle()
        room.new_secret()
        room.cycle()
        mails = [one for one in room.cloud.inbox.messages if one.header("X-Lapsewatch-Kind")]
        acting = {
            one.header("X-Lapsewatch-Kind") for one in mails if "/a/" in (one.body("plain") or "")
        }
        assert acting == ACTING
        kinds = {one.header("X-Lapsewatch-Kind") for one in mails}
        assert kinds >= {"removed", "renewed", "unexpected"}
        texts = [one.body(part) or "" for one in mails for part in ("plain", "html")]
        led = {path for text in texts for path in re.findall(rf'{room.address}(/[^\s"<>]*)', text)}
        before = room.state()
        for path in sorted(led):
            assert reader.http.get(path).status_code in (200, 404, 410)
            assert reader.http.head(path).status_code in (200, 404, 410)
        assert room.state() == before


def test_a_page_keeps_its_address_to_itself(room: Room, reader: Reader) -> None:
    """Nothing is fetched from elsewhere, nothing runs, nothing is kept."""
    answer = reader.http.get(room.link("snooze"))
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<script|onload|http-equiv|https?://", answer.text)
    assert token_of(room.link("snooze")) not in answer.text
    assert {"Invoice mail", "contoso", "it@contoso.example"} <= set(
        re.findall(r"Invoice mail|contoso|it@contoso\.example", answer.text)
    ) or "bob@contoso.example" in answer.text


def test_acknowledging_by_the_link_is_what_the_command_does(room: Room, reader: Reader) -> None:
    """Quiet until the next stage, with the reader's name, the reason and a line in the log."""
    path = room.link("acknowledge")
    answer = reader.press(path, reason="Ticket 4711")
    assert answer.status_code == 200
    assert "Acknowledged" in words(answer.text)
    [kept] = room.app.store.snoozes().values()
    assert kept.acked_urgency == -7
    assert kept.author in ("it@contoso.example", "bob@contoso.example")
    assert kept.reason == "Ticket 4711"
    [entry] = room.app.store.audit()
    assert (entry.what, entry.who, entry.why, entry.how) == (
        "acknowledge", kept.author, "Ticket 4711", "mail link",
    )  # fmt: skip
    other = reader.http.get(room.link("snooze")).text
    assert f"by {kept.author}" in words(other)


def test_acting_twice_is_acting_once(room: Room, reader: Reader) -> None:
    """A double click is told that it is done; the link itself opens nothing any more (W4)."""
    path = room.link("acknowledge")
    nonce = reader.nonce(path)
    first = reader.send(path, nonce=nonce)
    before = room.state()
    second = reader.send(path, nonce=nonce)
    assert (first.status_code, second.status_code) == (200, 200)
    assert "Done already" in words(second.text)
    assert NOTHING in reader.http.get(path).text
    assert reader.send(path, nonce="").status_code == 404
    assert room.state() == before


def test_every_token_that_opens_nothing_gets_the_same_page(room: Room, reader: Reader) -> None:
    """W1: nobody learns whether a token was used, is out of date, or never was one."""
    used, revoked = room.link("acknowledge"), room.link("hand over")
    reader.press(used)
    right = token_of(room.link("snooze"))
    links = [room.app.store.link(digest_of(token_of(revoked)))]
    assert links[0] is not None
    room.app.store.revoke_links("contoso", links[0].uid, now=room.app.clock())
    flipped = right[:-1] + chr(ord(right[-1]) ^ 1)
    wrong = [
        "", right[:-1], flipped, right + "A", "A" * 10_000, right.replace(right[0], "%00", 1),
        "%D0%90" + right[1:], f"{right}%2F", "..%2f..", token_of(used), token_of(revoked), right,
    ]  # fmt: skip
    before = room.state()
    seen = set()
    for token in wrong:
        room.clock.advance(timedelta(seconds=10))
        seen.add(same_page(reader.http.get(f"/a/{token}")))
    assert {code for code, _ in seen} == {404}
    assert len(seen) == 1
    assert NOTHING in next(iter(seen))[1]
    assert room.state() == before


def test_a_link_that_is_out_of_date_opens_nothing(room: Room, reader: Reader) -> None:
    """After thirty days the page is the same as for any wrong token."""
    path = room.link("acknowledge")
    nonce = reader.nonce(path)
    room.clock.advance(timedelta(days=30, minutes=1))
    assert reader.http.get(path).status_code == 404
    assert reader.send(path, nonce=nonce).status_code == 404


def test_a_token_is_good_for_its_own_purpose_only(room: Room, reader: Reader) -> None:
    """Another action's form, or its nonce, does nothing with it."""
    snooze, ack = room.link("snooze"), room.link("acknowledge")
    assert reader.send(snooze, nonce=reader.nonce(ack), days="7").status_code == 403
    reader.press(ack, days="30", to="eve@evil.example", past_lapse="yes")
    [kept] = room.app.store.snoozes().values()
    assert kept.until is None
    assert room.app.store.hand_overs() == {}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "javascript:alert(1)"},
    ],
)
def test_a_form_from_elsewhere_does_nothing(
    room: Room, reader: Reader, headers: dict[str, str]
) -> None:
    """W3: not even with the right token and nonce."""
    path = room.link("acknowledge")
    nonce, before = reader.nonce(path), room.state()
    answer = reader.http.post(path, data={"nonce": nonce}, headers=headers)
    assert answer.status_code == 403
    assert room.state() == before


def test_a_form_without_its_nonce_or_with_an_old_one_does_nothing(
    room: Room, reader: Reader
) -> None:
    """W3: a scanner that posts to what it finds changes nothing."""
    path, before = room.link("acknowledge"), room.state()
    nonce = reader.nonce(path)
    assert nonce != reader.nonce(path)
    for wrong in ("", "x", "..", nonce[:-1], f"f{nonce}", "é"):
        assert reader.send(path, nonce=wrong).status_code == 403
    assert reader.http.post(path, content=b"nonce", headers=reader.ours).status_code == 415
    room.clock.advance(timedelta(hours=13))
    assert reader.send(path, nonce=nonce).status_code == 403
    assert room.state() == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2020-01-01", "is over"),
        ("9999-12-31", "too far ahead"),
        ("2027-02-30", "no date of the calendar"),
        ("2026-W53-1", "no date of the calendar"),
        ("2027-01-01T00:00:00+14:00", "no date of the calendar"),
        ("<script>alert(1)</script>", "no date of the calendar"),
        ("\u0662\u0660\u0662\u0667-01-01", "no date of the calendar"),
        ("", "Choose a date"),
    ],
)
def test_a_date_that_cannot_be_meant_is_refused_in_words(
    room: Room, reader: Reader, text: str, said: str
) -> None:
    """W15: nothing is changed, and the page says what to write."""
    before = room.state()
    answer = reader.press(room.link("snooze"), days="own", until=text)
    assert answer.status_code == 422
    assert said in words(answer.text)
    assert "<script" not in answer.text
    assert room.state() == before


def test_a_snooze_past_the_lapse_asks_again(room: Room, reader: Reader) -> None:
    """The first press changes nothing; the second with the box ticked is kept as meant."""
    path = room.link("snooze")
    first = reader.press(path, days="30")
    assert first.status_code == 422
    assert "nobody is told of the lapse" in words(first.text)
    assert room.app.store.snoozes() == {}
    second = reader.press(path, days="30", past_lapse="yes")
    assert "Quiet for everybody until" in words(second.text)
    [kept] = room.app.store.snoozes().values()
    assert kept.confirmed
    assert kept.until is not None


def test_what_was_handed_over_is_said_in_the_next_mail(room: Room, reader: Reader) -> None:
    """To whom, by whom and when; the warnings go on."""
    path = room.link("hand over")
    assert reader.press(path, to=" ").status_code == 422
    answer = reader.press(path, to="eve@contoso.example", reason="She runs it")
    assert "Handed over" in words(answer.text)
    room.clock.advance(timedelta(days=2))
    room.cycle()
    told = [body for body in room.mails()[2:] if "Handed over: to eve@contoso.example by" in body]
    assert len(told) == 2
    assert "She runs it" in told[0]
    to = [one.rcpt_to[0] for one in room.cloud.inbox.messages][-2:]
    assert "eve@contoso.example" in to
    [given] = room.app.store.hand_overs().values()
    assert given.author not in to
    assert room.app.store.audit()[0].about.endswith(" to eve@contoso.example")


@pytest.mark.parametrize(
    "to", ["eve@evil.example", "eve@@contoso.example", "eve@contoso.example.evil"]
)
def test_a_link_aims_no_mails_at_the_rest_of_the_world(room: Room, reader: Reader, to: str) -> None:
    """The refusal says which domains are meant, and who can allow more; nothing was used up."""
    path = room.link("hand over")
    answer = reader.press(path, to=to)
    assert answer.status_code == 422
    if "evil" in to:
        assert "name somebody at contoso.example" in words(answer.text)
        assert "hand_over_domains" in words(answer.text)
    assert room.app.store.hand_overs() == {}
    assert reader.press(path, to="eve@contoso.example").status_code == 200


def test_links_are_listed_without_their_tokens_and_taken_back(room: Room, reader: Reader) -> None:
    """By reader, by credential, or all; a link that was taken back opens nothing."""
    from typer.testing import CliRunner

    from monitor.cli.root import app as command

    def run(*words: str) -> str:
        file = str(room.app.configuration.path)
        done = CliRunner().invoke(command, ["--config", file, "links", *words])
        assert done.exit_code == 0, done.output
        return done.output

    paths = [room.link("acknowledge", mail) for mail in (0, 1)]
    listed = run("list", "--json")
    assert not [path for path in paths if path.rpartition("/")[2] in listed]
    rows = json.loads(listed)
    people = {row["recipient"] for row in rows}
    assert people == {"it@contoso.example", "bob@contoso.example"}
    mine = [row for row in rows if row["recipient"].startswith("bob")]
    gone = json.loads(run("revoke", "--recipient", "BOB@contoso.example", "--json"))
    assert gone == {"revoked": len(mine)}
    assert sorted(reader.http.get(path).status_code for path in paths) == [200, 404]
    assert room.app.store.audit()[0].about == "to BOB@contoso.example"
    assert json.loads(run("revoke", "--all", "--json"))["revoked"] == len(rows) - len(mine)
    assert json.loads(run("list", "--json")) == []
    assert {reader.http.get(path).status_code for path in paths} == {404}


def test_a_name_is_a_note_and_the_mails_go_where_they_went(room: Room, reader: Reader) -> None:
    """Nothing can be sent to it."""
    assert reader.press(room.link("hand over"), to="the web team").status_code == 200
    room.clock.advance(timedelta(days=2))
    room.cycle()
    to = {one.rcpt_to[0] for one in room.cloud.inbox.messages[2:]}
    assert to == {"it@contoso.example", "bob@contoso.example"}


def test_wrong_tokens_are_slowed_down_and_right_ones_are_not(room: Room, reader: Reader) -> None:
    """Whoever is behind the same proxy as a guesser gets in all the same."""
    codes = [reader.http.get(f"/a/{'x' * 32}").status_code for _ in range(15)]
    assert (codes[0], codes[-1]) == (404, 429)
    assert reader.http.get(room.link("acknowledge")).status_code == 200


def test_no_log_shows_a_token(
    room: Room, reader: Reader, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither where it acts, nor where it is refused, nor where the program fails."""
    path = room.link("acknowledge")
    reader.press(path)
    reader.http.get(path)
    with room.app.store._database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE link")
    assert reader.http.get(room.link("snooze")).status_code == 503
    said = "".join(capfd.readouterr())
    assert "link_refused" in said
    tokens = {found for body in room.mails() for found in re.findall(r"/a/(\S+)", body)}
    assert len(tokens) == 16
    assert not [token for token in tokens if token in said]
    assert shown(path) == "/a/…"  # what a crash is logged with
    assert shown("/setup/open/abc") == "/setup/open/…"


def test_what_was_renewed_since_the_mail_is_not_silenced(room: Room, reader: Reader) -> None:
    """An old mail's link says so, and changes nothing."""
    path, link = room.link("acknowledge"), None
    room.invoices.secrets.clear()
    room.clock.advance(timedelta(minutes=1))
    room.cycle()
    link = room.app.store.link(digest_of(token_of(path)))
    assert link is not None
    assert replace(link, used_at=None).action is Action.ACKNOWLEDGE
    answer = reader.press(path)
    assert answer.status_code == 422
    assert "renewed or removed" in words(answer.text)
    assert set(LABELS) == {str(action) for action in Action}
