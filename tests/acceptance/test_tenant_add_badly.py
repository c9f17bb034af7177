"""`tenant add`, `verify` and `update` at a terminal, as a clumsy and a hostile user has them."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest

from tests.acceptance.newcomer import Newcomer
from tests.acceptance.test_tenant_add import Start, Talk, directory, new, people, run

__all__ = ["new", "run"]  # fixtures
BEFORE_THE_SCRIPT = "Press Enter when the script"


def up_to_exchange(talk: Talk, new: Newcomer) -> None:
    """Steps 1 to 6, all answered well."""
    directory(talk, new)
    talk.answer("Sender mailbox", new.mailbox.address)
    talk.answer("How Exchange", "1")
    talk.answer(r"client\) ID", new.registration.app_id)
    talk.answer("Press Enter when it is granted")
    talk.answer("signs in with")
    talk.answer("not shown", new.secret)
    talk.answer("Object ID of the Enterprise")


@pytest.mark.parametrize("key", ["L04-ctrl-c", "L03-ctrl-d"])
def test_whoever_leaves_is_told_what_is_kept_and_how_to_go_on(
    key: str, new: Newcomer, run: Start
) -> None:
    """At every prompt that no other test leaves at: exit code 130, and one sentence."""
    new.consent()
    new.run_script()

    def leave(talk: Talk, at: str, words: str) -> None:
        talk.asked(at)
        (talk.child.sendintr if key.endswith("c") else talk.child.sendeof)()
        assert talk.end() == 130, talk.text
        assert words in talk.text
        assert "Traceback" not in talk.text
        assert "Aborted" not in talk.text

    leave(run("tenant", "add"), "What to call", "Left. Nothing was begun.")
    talk = run("tenant", "add", "fabrikam")
    up_to_exchange(talk, new)
    leave(talk, BEFORE_THE_SCRIPT, "go on with: lapsewatch tenant add fabrikam")
    talk = run("tenant", "add", "fabrikam")
    talk.answer(BEFORE_THE_SCRIPT)
    people(talk)
    leave(talk, "Did it arrive", "Go on with: lapsewatch tenant verify fabrikam")
    leave(run("tenant", "verify", "fabrikam"), "Did it", "tenant verify fabrikam --arrived")
    leave(run("tenant", "update", "fabrikam"), "not shown", "Left. Nothing was changed.")


NO_NAMES = {
    "L13-control": "\x1b[31mred", "L13-bidi": "\u202egnp", "L14-space": "a b",
    "L07-path": "../../etc", "L06-dash": "-x", "L05-long": "x" * 3000,
}  # fmt: skip


def test_a_name_that_cannot_be_one_is_asked_again(new: Newcomer, run: Start) -> None:
    """It costs nothing, and moves no terminal."""
    talk = run("tenant", "add")
    for case, name in NO_NAMES.items():
        talk.answer("What to call the tenant", name)
        talk.asked("What to call the tenant")
        said = str(talk.child.before)
        assert "is no name for a tenant" in " ".join(said.replace("\x1b[0m", "").split()), case
        # Past the echo, which the terminal itself makes.
        assert not set("\x1b\u202e") & set(said.partition("\n")[2].replace("\x1b[0m", "")), case
        talk.child.sendline("")
    talk.answer("What to call the tenant", "fabrikam")
    talk.asked("Cloud")


@pytest.mark.parametrize(
    ("case", "typed", "words"),
    [
        ("C10-not-text", b"abc\xff\xfe", "not UTF-8 text"),
        ("C10-hidden-letter", "abc8Q~a\u200bbcdef".encode(), "character number 8"),
        ("C10-half-a-quote", "“abc8Q~abcdef".encode(), "character number 1"),
        ("L13-escape", b"\x1b[31mabc8Q~abcdef", "one line of text"),
        ("C10-tab", b"abc8Q~\tabcdef", "one line of text"),
    ],
)
def test_a_secret_that_cannot_be_one_is_asked_again(
    case: str, typed: bytes, words: str, new: Newcomer, run: Start
) -> None:
    """Before Entra is asked, and without being shown."""
    talk = run("tenant", "add", "fabrikam")
    talk.child._decoder = codecs.getincrementaldecoder("utf-8")("replace")
    directory(talk, new)
    talk.answer("Sender mailbox")
    talk.answer(r"client\) ID", new.registration.app_id)
    talk.answer("Press Enter when it is granted")
    talk.answer("signs in with")
    talk.asked("not shown")
    os.write(talk.child.child_fd, typed + b"\n")
    talk.asked("not shown")
    assert words in talk.text, case
    assert "abc" not in talk.text.partition("(not shown)")[2]


@pytest.mark.parametrize("what", ["L07-link", "L07-folder", "L07-own-script"])
def test_a_script_never_takes_the_place_of_what_is_there(
    what: str, new: Newcomer, run: Start, tmp_path: Path
) -> None:
    """A link is not followed, and what somebody has changed stays; the way goes on."""
    new.consent()
    place = tmp_path / "fabrikam-exchange.ps1"
    target = tmp_path / "target"
    target.write_text("mine")
    if what.endswith("link"):
        place.symlink_to(target)
    elif what.endswith("folder"):
        place.mkdir()
    else:
        place.write_text("mine")
    talk = run("tenant", "add", "fabrikam")
    up_to_exchange(talk, new)
    talk.asked(BEFORE_THE_SCRIPT)
    assert "fabrikam-exchange-2.ps1" in talk.text
    assert "Requires" in (tmp_path / "fabrikam-exchange-2.ps1").read_text("utf-8-sig")
    assert place.is_dir() or place.read_text() == "mine"
    assert target.read_text() == "mine"


def test_two_windows_do_not_overwrite_each_other(new: Newcomer, run: Start, tmp_path: Path) -> None:
    """Two `tenant add` of one name: the second learns of it, and its secret is not left behind."""
    one, two = run("tenant", "add", "fabrikam"), run("tenant", "add", "fabrikam")
    one.asked("Cloud")
    two.asked("Cloud")
    one.child.sendline("sandbox")
    one.asked("Directory")
    two.child.sendline("global")
    assert two.end() == 1
    assert "The set-up of fabrikam went on in another window meanwhile." in two.text
    assert "Go on from there: lapsewatch tenant add fabrikam" in two.text
    one.child.sendline(new.tenant.directory_id)
    one.asked("Sender mailbox")


def test_a_cloud_that_left_the_settings_is_told_and_another_step_chosen(
    new: Newcomer, run: Start, tmp_path: Path
) -> None:
    """A set-up that is nearly done does not end in the same error for ever."""
    new.consent()
    talk = run("tenant", "add", "fabrikam")
    directory(talk, new)
    talk.answer("Sender mailbox")
    talk.answer(r"client\) ID", new.registration.app_id)
    talk.answer("Press Enter when it is granted")
    talk.answer("signs in with")
    talk.answer("not shown", new.secret)
    talk.asked("Who is warned")
    talk.child.sendintr()
    assert talk.end() == 130
    settings = tmp_path / "lapsewatch.toml"
    settings.write_text(settings.read_text().replace("clouds.sandbox", "clouds.other"))
    settings.write_text(settings.read_text().replace('"sandbox"', '"other"'))
    talk = run("tenant", "add", "fabrikam")
    talk.answer("Who is warned", "it@x.example")
    talk.answer("Time zone")
    talk.answer("Back to step", "1")
    assert 'there is no cloud "sandbox"' in talk.text
    talk.answer("Cloud", "other")
    talk.asked("Directory")


@pytest.mark.parametrize(
    ("case", "environment"),
    [
        ("L05-locale-C", {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}),
        ("L05-one-column", {"COLUMNS": "1"}),
        ("L05-no-colour", {"NO_COLOR": "1"}),
        ("L05-no-such-zone", {"TZ": "Nonsense/Zone"}),
        ("L05-dumb", {"TERM": "dumb"}),
    ],
)
def test_the_surroundings_change_no_question(
    case: str, environment: dict[str, str], new: Newcomer, run: Start
) -> None:
    """The same steps, and an answer with letters beyond ASCII is told apart from a fault."""
    talk = run("tenant", "add", "fabrikam", **environment)
    directory(talk, new)
    talk.answer("Sender mailbox", "büro@fabrikam.example\u202e")
    talk.answer("Sender mailbox", new.mailbox.address)
    talk.answer("How Exchange", "9" * 3000)
    talk.answer("How Exchange", "1")
    talk.asked(r"client\) ID")
    assert "It must be one mail address" in talk.text, case
    assert "fault of the program" not in talk.text
