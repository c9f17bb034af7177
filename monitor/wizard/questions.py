"""What each step of the set-up asks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from monitor.model import Draft
from monitor.onboard import Model
from monitor.wizard.portal import where
from monitor.wizard.steps import (
    ARRIVALS,
    CERTIFICATE,
    FORMS,
    FOUND,
    MANAGED,
    MODELS,
    NO_LOOK,
    OWN,
    SECRET,
    Page,
    Question,
    Step,
    Surroundings,
    way,
)


def page(step: Step, draft: Draft, around: Surroundings) -> Page:
    """What a step says and asks now.

    Args:
        step: which.
        draft: the answers so far.
        around: what is configured.
    """
    steps = way(draft)
    told, link = where(step, draft, around)
    return Page(
        step,
        steps.index(step) + 1,
        len(steps),
        told,
        tuple(_questions(step, draft, around)),
        link,
    )


def _questions(step: Step, draft: Draft, around: Surroundings) -> list[Question]:
    match step:
        case Step.DIRECTORY:
            return _directory(around)
        case Step.MAILBOX:
            return _mailbox()
        case Step.APP:
            return _app(around)
        case Step.CREDENTIAL:
            return [] if draft.get("app") else _credential(around)
        case Step.ENTERPRISE:
            found = draft.get(FOUND)
            return [
                Question(
                    "enterprise_object_id", "Object ID of the Enterprise application",
                    default=found, why="your app's own token tells it: take it" if found else "",
                )
            ]  # fmt: skip
        case Step.PEOPLE:
            return _people(draft, around)
        case _:
            return []


def _directory(around: Surroundings) -> list[Question]:
    clouds = [(name, urlsplit(cloud.authority).netloc) for name, cloud in around.clouds.items()]
    return [
        Question("cloud", "Cloud", default="global", choices=clouds),
        Question(
            "directory_id", "Directory (tenant) ID",
            why="or one of its domains, for example contoso.com",
        ),
    ]  # fmt: skip


def _mailbox() -> list[Question]:
    return [
        Question(
            "mailbox", "Sender mailbox", optional=True,
            why="a mailbox of its own, like noreply@contoso.com; leave it empty to watch no mail "
            "path here",
        ),
        Question(
            "model", "How Exchange lets the app send", default=str(Model.MAILBOX),
            choices=[(str(model), words) for model, words in MODELS.items()],
        ),
    ]  # fmt: skip


def _app(around: Surroundings) -> list[Question]:
    own = Question("client_id", "Application (client) ID")
    if not around.apps:
        return [own]
    shared = [(OWN, "an app of its own"), *((name, id_) for name, id_ in around.apps.items())]
    return [Question("app", "Which app", default=shared[1][0], choices=shared), own]


def _credential(around: Surroundings) -> list[Question]:
    kept = "sealed in the database" if around.sealing else "kept in a file that only you can read"
    return [
        Question("form", "What the app signs in with", default=SECRET, choices=[*FORMS.items()]),
        Question(
            "credential", "Client secret, its Value", hidden=True,
            why=f"what you paste is {kept}. A reference does as well: file:/path, env:NAME, "
            "keyvault:VAULT/NAME",
        ),
        Question("password", "Password of the certificate's file", optional=True, hidden=True),
    ]  # fmt: skip


def applies(key: str, said: Mapping[str, str]) -> bool:
    """Whether a question is to be put, after what was said at the same step.

    Args:
        key: of the question.
        said: the answers before it, by question.
    """
    match key:
        case "model":
            return bool(said.get("mailbox"))
        case "client_id":
            return said.get("app") in (None, "", OWN)
        case "password":
            return said.get("form") == CERTIFICATE
        case _:
            return True


def label_of(question: Question, form: str) -> Question:
    """The question about a credential as it is put for one form of it."""
    if question.key != "credential" or form == SECRET:
        return question
    if form == MANAGED:
        return Question("credential", "Client ID of the managed identity")
    what = "Certificate file (PEM or PFX)" if form == CERTIFICATE else "File with the token"
    return Question("credential", what, why="its path, or keyvault:VAULT/NAME")


def _people(draft: Draft, around: Surroundings) -> list[Question]:
    known = around.default_recipients  # they step in wherever nobody is named
    nobody = around.operator_hears and not known
    asked = [
        Question(
            "recipients", "Who is warned (mail addresses, with commas)",
            default=", ".join(known), optional=nobody,
            why="leave it empty to tell the operator" if nobody else "",
        ),
        Question(
            "time_zone", "Time zone of their mornings", default=around.time_zone,
            why="like Europe/Berlin",
        ),
    ]  # fmt: skip
    if draft.get("mailbox"):
        asked.append(
            Question("canary_to", "Where the daily test mail goes", default=draft.get("mailbox"))
        )
        asked.append(
            Question(
                "arrival",
                "Whether its arrival is looked for",
                default=NO_LOOK,
                optional=True,
                choices=[*ARRIVALS.items()],
                why="it can be set later; the right is then tried by: lapsewatch doctor",
            )
        )
    return asked
