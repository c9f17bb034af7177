"""A step's questions as fields of a form, and the form's fields as answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from monitor.model import Draft
from monitor.references import REFERENCE_FORMS
from monitor.wizard.answers import AnswerError, checked, plain_secret, reference_of
from monitor.wizard.questions import applies
from monitor.wizard.steps import SECRET, Page, Question, Surroundings

# Nothing that may hold a secret is ever put into a page.
NEVER_SHOWN = ("credential", "password", "place")
_MISSING = "Please fill this in."
WRONG_FIELD = "This field is for a client secret only. Say below where the file is."
OPENS = "only for the file of a certificate, if it has one"
PLACE = Question(
    "place", "Or where to find it", optional=True,
    why="for a certificate: the path of its PEM or PFX file. For a workload identity: the path of "
    "the token's file. For a managed identity: its client ID. For a secret that is kept elsewhere: "
    "file:/path, env:NAME or keyvault:VAULT/NAME",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form.

    Args:
        question: what is asked.
        value: what stands in it; always empty for what may be a secret.
        error: what is wrong with what was sent.
        kept: an answer that is kept and not shown.
    """

    question: Question
    value: str = ""
    error: str = ""
    kept: str = ""

    @property
    def described_by(self) -> str:
        """The ids of the texts that belong to it."""
        key = self.question.key
        texts = [(f"{key}-error", self.error), (f"{key}-why", self.question.why)]
        return " ".join(name for name, text in texts if text)


def questions_of(page: Page) -> list[Question]:
    """What a page asks, with a second field beside a hidden one: a path need not be hidden."""
    found = []
    for question in page.questions:
        if question.key == "credential":
            why = question.why.partition(". A reference")[0]
            found += [Question("credential", question.label, hidden=True, why=why), PLACE]
        elif question.key == "password":
            found.append(replace(question, why=OPENS))
        else:
            found.append(question)
    return found


def fields_of(
    page: Page, draft: Draft, said: Mapping[str, str], errors: Mapping[str, str]
) -> list[Field]:
    """The form of a step.

    Args:
        page: the step as it stands.
        draft: the answers so far.
        said: what was sent just now, if it was not taken.
        errors: what is wrong with it, by field.
    """
    return [
        Field(
            question,
            _value(question, draft, said),
            errors.get(question.key, ""),
            _kept(draft) if question.key == "credential" else "",
        )
        for question in questions_of(page)
    ]


def _value(question: Question, draft: Draft, said: Mapping[str, str]) -> str:
    if question.key in NEVER_SHOWN:
        return ""
    if question.key in said:
        return said[question.key]
    return draft.get(question.key) or question.default


def _kept(draft: Draft) -> str:
    """Where the credential is that was given before; a reference is no secret."""
    return draft.get("credential")


def answers_of(
    page: Page, draft: Draft, form: Mapping[str, str], around: Surroundings
) -> tuple[dict[str, str], dict[str, str]]:
    """What was answered, and what is wrong with it, by field.

    Args:
        page: the step as it stands.
        draft: the answers so far.
        form: the fields as they were sent.
        around: what is configured.
    """
    said: dict[str, str] = {}
    errors: dict[str, str] = {}
    for question in page.questions:
        key = question.key
        text = form.get(key, "").strip()
        if key == "credential":
            text = _credential(draft, said, text, form.get("place", "").strip(), errors)
        if not applies(key, said):
            continue
        if not text and not question.optional and key != "credential":
            errors[key] = _MISSING
        elif key not in NEVER_SHOWN:
            try:
                checked(key, text, around)
            except AnswerError as error:
                errors[key] = error.message
        if key not in NEVER_SHOWN or text:  # left empty, what was kept before stays
            said[key] = text
    return said, errors


def _credential(
    draft: Draft, said: Mapping[str, str], value: str, place: str, errors: dict[str, str]
) -> str:
    """One of two fields, or neither where one is kept already."""
    form = said.get("form") or SECRET
    text = value or place
    if value and place:
        errors["place"] = "Fill in one of the two."
    elif value and form != SECRET and not value.startswith(REFERENCE_FORMS):
        errors["credential"] = WRONG_FIELD
        return ""
    elif not text and not (draft.get("credential") and draft.get("form") in ("", form)):
        errors["credential" if form == SECRET else "place"] = _MISSING
    elif text and reference_of(form, text) is None:
        try:
            plain_secret(text)
        except AnswerError as error:
            errors["credential" if value else "place"] = error.message
    return text
