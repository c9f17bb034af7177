"""What the set-up pages keep, refuse and never show; without a browser's window."""

from __future__ import annotations

import base64
import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import select

from monitor.errors import UsageError
from monitor.sealing import new_key
from monitor.store.engine import Database
from monitor.store.tables import METADATA
from monitor.web.app import create_app
from monitor.web.setup import admission_of
from monitor.web.setup.board import NOTES, Board, Busy, Turns
from monitor.web.setup.desk import Desk, Looked
from monitor.web.setup.gate import Gate
from monitor.web.setup.pages import Pages
from monitor.web.setup.routes import install
from monitor.wizard.guided import Findings
from monitor.wizard.steps import Step
from tests.acceptance.setup_room import (
    NAME,
    PAGE,
    WRONG,
    Browser,
    Newcomer,
    mine,
    new,
    newcomer,
    served,
    watched,
    words,
)
from tests.integration.test_no_secret_shows import logged

__all__ = ["logged", "mine", "new"]  # fixtures

# --- no secret is shown or kept in clear ---------------------------------------------------------


def forms(secret: str) -> list[str]:
    """A secret as it may be written."""
    raw = secret.encode()
    return [secret, quote(secret, safe=""), base64.b64encode(raw).decode(), raw.hex()]


def everything_in(url: str) -> str:
    """All columns of all tables."""
    database = Database(url)
    with database.read() as connection:
        rows = [connection.execute(select(table)).all() for table in METADATA.sorted_tables]
    database.close()
    return repr(rows)


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "in a file"])
def test_no_secret_is_in_a_page_the_log_or_the_database(
    tmp_path: Path, store_url: str, logged: io.StringIO, sealed: bool
) -> None:
    """Right ones, wrong ones, misplaced ones; the link and the cookie as well."""
    (tmp_path / "sealing.key").write_text(new_key())
    more = '\n[vault]\nkey = "file:sealing.key"\n' if sealed else ""
    with newcomer(tmp_path, more=more, database_url=store_url) as new, served(new.web) as address:
        link = new.link()
        with Browser(address, link) as mine:
            cookie = mine.http.cookies["lapsewatch_setup"]
            mine.up_to(new, "credential")
            for where in ("credential", "place", "password"):
                mine.step("credential", form="secret", **{where: WRONG})
            mine.step("credential", form="certificate", place="/no/file.pfx", password=WRONG)
            mine.step("credential", form="secret", credential=WRONG, place=WRONG)
            mine.step("credential", form="nonsense", credential=WRONG)
            mine.get(f"{PAGE}?step=credential&change=1")
            mine.up_to(new, "test")
            mine.step("test", "watch")
            second = new.new_secret()
            mine.send(f"{PAGE}/credential", form="secret", credential=WRONG)
            mine.send(f"{PAGE}/credential", form="secret", credential=second)
            mine.get(f"{PAGE}/credential")
            assert "in use" in " ".join(mine.texts)
            pages = "\n".join(mine.texts)
        files = list((tmp_path / "secrets").glob(f"{NAME}+*"))
        kept = everything_in(store_url)
    assert "setup_finished" in logged.getvalue()
    secrets = [new.secret, second, WRONG, cookie, link.rsplit("/", 1)[1]]
    for secret in secrets:
        for form in forms(secret):
            assert form not in pages
            assert form not in kept
            assert form not in logged.getvalue()
    assert [file.stat().st_mode & 0o777 for file in files] == ([] if sealed else [0o600])


def test_the_search_for_secrets_finds_one_that_is_kept(new: Newcomer) -> None:
    """The known-bad variant of the test above: a secret as the answer to another question."""
    draft = new.app.wizard.begin(NAME, new.app.clock())
    new.app.store.put_draft(replace(draft, answers={"mailbox": WRONG}), now=new.app.clock())
    assert WRONG in everything_in(new.app.configuration.database_url)


def test_a_set_up_that_is_dropped_takes_its_secret_along(new: Newcomer, mine: Browser) -> None:
    """Nothing is left in the folder, and nothing in the list."""
    mine.up_to(new, "enterprise")
    folder = new.folder / "secrets"
    assert [file.name for file in folder.glob(f"{NAME}+*")] == [f"{NAME}+1"]
    answer = mine.step("enterprise", "forget")
    assert NAME not in answer.text
    assert list(folder.glob(f"{NAME}+*")) == []
    assert mine.get(PAGE).status_code == 404
    last = new.app.store.audit()[0]
    assert (last.what, last.about, last.how) == ("tenant remove", NAME, "page")


# --- leaving, resuming, several at once ----------------------------------------------------------


def test_another_session_goes_on_where_the_first_one_left(new: Newcomer) -> None:
    """The browser was closed, the service started anew; the answers are in the forms."""
    with served(new.web) as address:
        with Browser(address, new.link()) as first:
            first.up_to(new, "enterprise")
        with Browser(address, new.link()) as second:
            assert "next: The Enterprise application, step 6 of 9" in words(
                second.get("/setup").text
            )
            assert "step 6 of 9" in words(second.get(PAGE).text)
            back = second.get(f"{PAGE}?step=directory").text
            assert new.tenant.directory_id in back
            kept = words(second.get(f"{PAGE}?step=credential").text)
            assert "One is kept already" in kept


def test_a_later_step_cannot_be_reached_before_its_turn(new: Newcomer, mine: Browser) -> None:
    """Neither by its address nor by its form."""
    mine.send("/setup", name=NAME)
    assert "step 1 of 9" in words(mine.get(f"{PAGE}?step=exchange").text)
    assert mine.step("people", recipients="a@b.example", time_zone="UTC").status_code == 404
    assert mine.step("test", "watch").status_code == 404
    assert mine.step("test", "anyway").status_code == 404
    assert mine.step("nonsense").status_code == 400
    assert mine.step("directory", "nonsense").status_code == 400
    assert new.app.store.tenants() == []


def test_two_requests_at_once_lose_no_answer(new: Newcomer, mine: Browser) -> None:
    """Eight tabs answer different steps at the same time; all of it is kept."""
    mine.up_to(new, "exchange")
    token = mine.form_token
    people = {"recipients": "it@newcomer.example", "time_zone": "UTC", "canary_to": "c@d.example"}
    answers = [("app", new.right_answers()["app"]), ("mailbox", new.right_answers()["mailbox"])]
    new.app.wizard.answer(new.app.store.draft(NAME), people, new.app.clock())

    def post(step: tuple[str, dict[str, str]]) -> int:
        fields = {"csrf": token, "step": step[0], "action": "answer", **step[1]}
        return mine.http.post(PAGE, data=fields).status_code

    with ThreadPoolExecutor(8) as pool:
        codes = set(pool.map(post, answers * 4))
    assert codes <= {200, 404}  # 404: another tab has gone back to an earlier step meanwhile
    draft = new.app.store.draft(NAME)
    for wanted in (*(fields for _, fields in answers), people):
        assert {key: draft.get(key) for key in wanted} == wanted


def test_the_terminal_and_the_page_at_one_set_up_lose_no_answer(new: Newcomer) -> None:
    """Two processes with what each read before; a step that rests on old answers is not done."""
    wizard, now = new.app.wizard, new.app.clock()
    seen = wizard.begin(NAME, now)
    wizard.answer(seen, new.right_answers()["mailbox"], now)
    wizard.answer(seen, new.right_answers()["people"], now)
    draft = new.app.store.draft(NAME)
    assert draft.get("mailbox") == new.mailbox.address
    assert draft.get("recipients") == "it@newcomer.example"
    with pytest.raises(UsageError, match="in another window meanwhile"):
        wizard.pass_on(seen, Step.APP, now)
    assert new.app.store.draft(NAME).passed == ()
    wizard.forget(draft)
    with pytest.raises(UsageError, match="in another window meanwhile"):
        wizard.answer(seen, new.right_answers()["app"], now)
    assert new.app.store.drafts() == []


def test_a_request_waits_for_the_one_before_it_and_not_for_ever(new: Newcomer) -> None:
    """It changes nothing, and says so."""
    desk = Desk(new.app, lambda name: None)
    desk.turns = Turns(patience=0.02)
    gate = Gate(admission_of(new.app), new.app.clock)
    pages = Pages(desk, zone=ZoneInfo("UTC"), operator_name=None)
    web = create_app(
        report=new.app.report, alive=tuple, zone=ZoneInfo("UTC"), allowed_hosts=["127.0.0.1"],
        setup=lambda web: install(web, desk, gate, pages),
    )  # fmt: skip
    with served(web) as address, Browser(address, new.link()) as mine:
        mine.send("/setup", name=NAME)
        before = new.app.store.draft(NAME)
        with desk.turns.of(NAME):
            answer = mine.step("directory", **new.right_answers()["directory"])
            assert answer.status_code == 409
            assert "nothing was changed" in words(answer.text)
            with desk.turns.of("another"):
                pass
            with pytest.raises(Busy), desk.turns.of(NAME):
                pass
        assert new.app.store.draft(NAME) == before
        assert mine.step("directory", **new.right_answers()["directory"]).status_code == 200


def test_the_board_forgets_the_oldest_and_keeps_kinds_apart() -> None:
    """It is a notice board, not a store."""
    board = Board()
    for number in range(NOTES + 1):
        board.put(f"t{number}", Looked(Step.APP, Findings(None)))  # type: ignore[arg-type]
    assert board.get("t0", Looked) is None
    assert board.get("t1", Looked)
    assert board.get("t1", Findings) is None
    board.take_down("t1", Looked)
    assert board.get("t1", Looked) is None


# --- errors and findings -------------------------------------------------------------------------


def test_an_error_stands_beside_its_field_and_values_are_kept(new: Newcomer, mine: Browser) -> None:
    """All of a form's errors at once; what was typed stays, secrets excepted."""
    mine.up_to(new, "people")
    page = mine.step(
        "people", recipients="nonsense", time_zone="Mars/Base", canary_to="a@b.example"
    )
    assert page.status_code == 422
    for key in ("recipients", "time_zone"):
        assert f'id="{key}-error"' in page.text
        assert f'href="#{key}"' in page.text
    assert 'aria-describedby="recipients-error"' in page.text
    assert 'value="nonsense"' in page.text
    assert 'value="a@b.example"' in page.text
    assert new.app.store.draft(NAME).get("recipients") == ""


def test_hostile_text_is_only_text(new: Newcomer, mine: Browser) -> None:
    """Names and answers that would be markup elsewhere."""
    evil = '"><img src=x onerror=alert(1)>\u202e'
    for page in (mine.send("/setup", name=evil), mine.get(f"/setup/{quote(evil)}")):
        assert "<img" not in page.text
        assert "\u202e" not in page.text
    mine.send("/setup", name=NAME)
    page = mine.step("directory", cloud=evil, directory_id=evil)
    assert page.status_code == 422
    assert "<img" not in page.text


def test_who_goes_on_anyway_is_at_the_next_step(new: Newcomer, mine: Browser) -> None:
    """The consent comes tomorrow; the set-up need not wait for it."""
    mine.up_to(new, "credential")
    new.principal.graph_roles = ()
    page = mine.step("credential", **new.right_answers()["credential"])
    assert "not right yet" in words(page.text)
    assert "step 6 of 9" in words(mine.step("credential", "anyway").text)


def test_a_tenant_without_a_mailbox_is_read_only(new: Newcomer, mine: Browser) -> None:
    """Fewer steps, no test mail, and it is said when it is read."""
    mine.up_to(new, "mailbox")
    assert "step 3 of 6" in words(mine.step("mailbox", mailbox="", model="mailbox").text)
    for step in ("app", "permissions", "credential"):
        mine.step(step, **new.right_answers()[step])
    page = mine.step("people", recipients="it@newcomer.example", time_zone="UTC")
    assert "Start watching" in words(page.text)
    page = mine.step("test", "watch")
    assert "Read just now" in words(page.text)
    assert "Did it arrive" not in page.text
    assert new.cloud.inbox.messages == []


def test_a_name_that_is_watched_meanwhile_is_not_overwritten(new: Newcomer, mine: Browser) -> None:
    """Somebody imported it from a file while the set-up lay there."""
    mine.up_to(new, "test")
    other = replace(new.app.wizard.tenant(new.app.store.draft(NAME)), time_zone="Pacific/Auckland")
    new.app.store.put_tenant(other, now=new.app.clock())
    page = mine.step("test", "watch")
    assert (page.status_code, "watched already" in page.text) == (422, True)
    assert new.app.store.tenant(NAME) == other


# --- the script ----------------------------------------------------------------------------------


def test_the_script_is_the_one_of_the_terminal(new: Newcomer, mine: Browser) -> None:
    """Mark and line ends for Windows PowerShell 5.1; the page shows the file's checksum."""
    mine.up_to(new, "exchange")
    page = mine.get(PAGE).text
    entry = new.app.wizard.tenant(new.app.store.draft(NAME))
    for form in ("setup", "check", "undo"):
        answer = mine.http.get(f"{PAGE}/script?form={form}")
        assert answer.headers["Content-Disposition"].startswith("attachment; ")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.content.startswith(b"\xef\xbb\xbf")
        assert answer.content.count(b"\n") == answer.content.count(b"\r\n") > 50
        if form == "setup":
            text = new.app.wizard.script(entry, "mailbox")
            assert answer.content.decode("utf-8-sig").replace("\r\n", "\n") == text
            assert hashlib.sha256(answer.content).hexdigest() in page
    for wrong in ("form=nonsense", "model=nonsense"):
        assert mine.get(f"{PAGE}/script?{wrong}").status_code == 404
    assert mine.get("/setup/nobody/script").status_code == 404


# --- the test mail, and the way here -------------------------------------------------------------


def test_a_test_mail_that_is_refused_is_explained(new: Newcomer, mine: Browser) -> None:
    """Stage, reply, cause and fix; there is nothing to confirm then."""
    watched(new, mine)
    new.mailbox.full_access.clear()
    page = words(mine.send(f"{PAGE}/test", action="send").text)
    assert "It was not accepted" in page
    assert "What to do" in page
    assert "Did it arrive" not in page
    page = words(mine.send(f"{PAGE}/test", action="arrived").text)
    assert "none can have arrived" in page


def test_the_status_page_leads_here(new: Newcomer, mine: Browser) -> None:
    """From the empty page and from the footer."""
    assert "Add a tenant step by step" in mine.get("/").text
    watched(new, mine)
    assert 'href="/setup"' in mine.get("/").text
    with httpx.Client(base_url=mine.http.base_url) as stranger:
        assert stranger.get("/").status_code == 200
