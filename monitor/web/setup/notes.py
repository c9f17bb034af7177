"""Where new values go, kept on the page: the notes about one tenant's credentials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.responses import HTMLResponse, RedirectResponse, Response

from monitor.fields.problems import explain_places
from monitor.inventory import Notes
from monitor.model import Note
from monitor.roster import NoteTable
from monitor.web.setup.admission import Visit
from monitor.web.setup.desk import Desk, Gone, NotTaken, Said
from monitor.web.setup.gate import Post, Refused
from monitor.web.setup.pages import Pages, path_of

LISTS = ("where", "used_by")  # one thing a line
TEXTS = ("app", "kind", "key_id", "owner", "runbook", "remark")


@dataclass(frozen=True, slots=True)
class Kept:
    """A note, and how many credentials it is about now."""

    note: Note
    count: int


class Notebook:
    """Keeps notes for the page, by the rules of the tenants file.

    Args:
        desk: of the set-up pages.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def kept(self, name: str) -> Sequence[Kept]:
        """The notes about a tenant; of several about one credential the most exact counts."""
        store = self._desk.app.store
        notes = store.notes(name)
        known, found = store.credentials(name), Notes(notes)
        told = [found.of(one) for one in known]
        return [Kept(one, told.count(one)) for one in notes]

    def form(self, name: str, slot: str) -> Mapping[str, str]:
        """What the form holds: a note that is there, or nothing."""
        note = next((one for one in self._desk.app.store.notes(name) if one.slot == slot), None)
        if note is None:
            return {}
        texts = {key: str(getattr(note, key) or "") for key in TEXTS}
        return texts | {key: "\n".join(getattr(note, key)) for key in LISTS} | {"slot": note.slot}

    def keep(self, name: str, form: Mapping[str, str]) -> None:
        """Keep the note of a form, also in place of the one that was opened.

        Raises:
            NotTaken: something in it cannot be kept; nothing was changed.
        """
        said = {key: form.get(key, "").strip() for key in TEXTS}
        keys: dict[str, Any] = {key: value for key, value in said.items() if value}
        keys |= {key: _lines(form.get(key, "")) for key in LISTS}
        try:
            note = NoteTable.model_validate({"tenant": name, **keys}).noun(by_hand=True)
        except ValidationError as error:
            raise NotTaken(_errors(error)) from None
        if not (note.where or note.used_by or note.owner or note.runbook or note.remark):
            raise NotTaken({"where": "Say at least where the new value is entered."})
        store = self._desk.app.store
        opened = form.get("slot", "")
        store.put_note(note)
        if opened not in ("", note.slot):
            self._remove(name, opened)
        self._desk.record("note set", name, note.app)
        self._desk.board.put(name, Said(f"Kept: the note about {note.app}."))

    def forget(self, name: str, slot: str) -> None:
        """Forget a note; one that is gone already is gone."""
        gone = self._remove(name, slot)
        if gone is not None:
            self._desk.record("note remove", name, gone.app)
            self._desk.board.put(name, Said(f"Removed: the note about {gone.app}."))

    def _remove(self, name: str, slot: str) -> Note | None:
        store = self._desk.app.store
        note = next((one for one in store.notes(name) if one.slot == slot), None)
        return note if note is not None and store.remove_note(note) else None


def add_notes(router: APIRouter, desk: Desk, pages: Pages, visits: Any, posts: Any) -> None:
    """Add the page of notes to the set-up's."""
    notebook = Notebook(desk)

    @router.get("/{name}/notes")
    def look(name: str, note: str = "", visit: Visit = visits) -> HTMLResponse:
        entry = desk.entry(name)
        form = notebook.form(name, note) if note else {}
        if note and not form:
            raise Gone
        return HTMLResponse(pages.notes(visit, entry, notebook.kept(entry.name), form))

    @router.post("/{name}/notes")
    def act(name: str, post: Post = posts) -> Response:
        entry = desk.entry(name)
        try:
            with desk.turns.of(name):
                match post.get("action"):
                    case "keep":
                        notebook.keep(entry.name, post.form)
                    case "forget":
                        notebook.forget(entry.name, post.get("slot"))
                    case _:
                        raise Refused(400, "There is no such button", "Load the page again.")
        except NotTaken as error:
            kept = notebook.kept(entry.name)
            page = pages.notes(post.visit, entry, kept, post.form, error.errors)
            return HTMLResponse(page, 422)
        return RedirectResponse(path_of(entry.name, "notes"), 303)


def _lines(text: str) -> list[str]:
    return [line for line in (part.strip() for part in text.splitlines()) if line]


def _errors(error: ValidationError) -> dict[str, str]:
    """What is wrong, by field of the form; of several things in one field the first."""
    found: dict[str, str] = {}
    for place, words in explain_places(error, NoteTable):
        field = place.partition(".")[0]
        said = words.partition(": ")[2] or words
        asked = "please fill this in" if said == "is missing" else said
        found.setdefault(field, f"{asked[:1].upper()}{asked[1:]}.")
    return found
