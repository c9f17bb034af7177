"""Where new values go, kept on the page."""

from __future__ import annotations

import html

from tests.acceptance.setup_room import NAME, PAGE, Browser, Newcomer, mine, new, watched, words

__all__ = ["mine", "new"]  # fixtures

NOTES = f"{PAGE}/notes"


def test_a_note_is_kept_changed_and_removed_on_the_page(new: Newcomer, mine: Browser) -> None:
    """As by the command; each step leaves a line in the audit log, and the mails show it."""
    watched(new, mine)
    assert f'href="{NOTES}"' in mine.get("/setup").text
    app = new.app.store.credentials(NAME)[0].app_name
    said = words(
        mine.send(
            NOTES, action="keep", app=app, where="KeePass, entry Mail\r\n\r\nScanner, 2nd floor ",
            used_by="Backup", owner="Kim", runbook="https://wiki.newcomer.example/renew",
        ).text
    )  # fmt: skip
    assert f"Kept: the note about {app}." in said
    assert "about 1 credential now" in said
    [note] = new.app.store.notes(NAME)
    assert note.where == ("KeePass, entry Mail", "Scanner, 2nd floor")
    assert (note.used_by, note.owner, note.by_hand) == (("Backup",), "Kim", True)

    opened = mine.get(f"{NOTES}?note={note.slot}").text
    assert "KeePass, entry Mail\nScanner, 2nd floor\n</textarea>" in html.unescape(opened)
    mine.send(NOTES, action="keep", slot=note.slot, app="*", where="The vault")
    [changed] = new.app.store.notes(NAME)  # not a second one beside it
    assert (changed.app, changed.where, changed.owner) == ("*", ("The vault",), None)

    assert "Removed: the note about *." in words(
        mine.send(NOTES, action="forget", slot=changed.slot).text
    )
    assert new.app.store.notes(NAME) == []
    assert "Removed" not in mine.send(NOTES, action="forget", slot=changed.slot).text
    told = [one.what for one in new.app.store.audit(limit=100) if one.what.startswith("note")]
    assert sorted(told) == ["note remove", "note set", "note set"]


def test_what_cannot_be_kept_is_said_beside_its_field_and_nothing_is_lost(
    new: Newcomer, mine: Browser
) -> None:
    """Whoever typed much types it once."""
    watched(new, mine)
    wrong = {
        "app": "", "where": "The vault", "runbook": "http://wiki", "key_id": "12", "kind": "nail",
    }  # fmt: skip
    answer = mine.send(NOTES, action="keep", **wrong)
    assert answer.status_code == 422
    for key in ("app", "runbook", "key_id", "kind"):
        assert f'id="{key}-error"' in answer.text
    assert "The vault\n</textarea>" in answer.text
    assert "Please fill this in." in words(answer.text)
    assert "Must be an https address" in words(answer.text)
    empty = mine.send(NOTES, action="keep", app="Mailer")
    assert "Say at least where the new value is entered." in words(empty.text)
    assert new.app.store.notes(NAME) == []


def test_a_hostile_note_is_text_and_a_stranger_keeps_none(new: Newcomer, mine: Browser) -> None:
    """No element comes of it; without a session, a token or a tenant nothing is kept."""
    watched(new, mine)
    hostile = "<b onclick=x>&amp;'\"</textarea><script>"
    page = mine.send(NOTES, action="keep", app=hostile, where=hostile, remark=hostile).text
    assert "<script" not in page
    assert "<b onclick" not in page
    assert hostile in html.unescape(page)
    assert "<script" not in mine.get(f"{NOTES}?note={new.app.store.notes(NAME)[0].slot}").text
    assert mine.get(f"{NOTES}?note=unknown").status_code == 404
    assert mine.get("/setup/nobody/notes").status_code == 404
    assert mine.send("/setup/nobody/notes", action="keep", app="x", where="y").status_code == 404
    assert mine.send(NOTES, action="dance").status_code == 400
    kept = len(new.app.store.notes(NAME))
    forged = mine.http.post(NOTES, data={"csrf": "0", "action": "keep", "app": "x", "where": "y"})
    assert forged.status_code == 403
    mine.http.cookies.clear()
    assert mine.http.get(NOTES).status_code == 403
    assert len(new.app.store.notes(NAME)) == kept
