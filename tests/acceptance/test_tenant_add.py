"""`tenant add` at a terminal: driven through a pseudo-terminal, from nothing to a green canary."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from tests.acceptance.command_line import ROOT
from tests.acceptance.newcomer import Newcomer, newcomer

WAIT = 60  # seconds at most for anything to be said
Start = Callable[..., "Talk"]


def hears_ctrl_c() -> None:
    """As in a shell in the foreground: what runs in the background is born deaf to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Talk:
    """A person at a terminal who runs one command."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        env = {k: v for k, v in os.environ.items() if not k.startswith("LAPSEWATCH_")}
        env |= {"PYTHONPATH": str(ROOT), **environment}
        self.child: pexpect.spawn[str] = pexpect.spawn(
            sys.executable, ["-m", "monitor", *arguments], cwd=str(folder), env=env,
            encoding="utf-8", timeout=WAIT, dimensions=(50, 100), preexec_fn=hears_ctrl_c,
        )  # fmt: skip
        self.shown = ""

    def asked(self, words: str) -> None:
        """Wait for a question."""
        self.child.expect(f"{words}[^\r\n]*: $")
        self.shown += f"{self.child.before}{self.child.after}"

    def answer(self, words: str, text: str = "") -> None:
        """Wait for a question and answer it."""
        self.asked(words)
        self.child.sendline(text)

    def end(self) -> int:
        """Wait for the command's end; its exit code."""
        self.child.expect(pexpect.EOF)
        self.shown += str(self.child.before)
        self.child.close()
        return int(self.child.exitstatus or 0)

    @property
    def text(self) -> str:
        """All that was shown, in one line."""
        return re.sub(r"\s+", " ", re.sub(r"\x1b\[[0-9;]*m", "", self.shown))


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Newcomer]:
    """The tenant that nobody has set up."""
    with newcomer(tmp_path) as found:
        yield found


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Start]:
    """Starts commands in the folder, and ends what a test has left."""
    talks: list[Talk] = []

    def start(*arguments: str, **environment: str) -> Talk:
        talks.append(Talk(tmp_path, *arguments, **environment))
        return talks[-1]

    yield start
    for talk in talks:
        talk.child.close(force=True)


def directory(talk: Talk, new: Newcomer) -> None:
    """Step 1."""
    talk.answer("Cloud", "sandbox")
    talk.answer("Directory", new.tenant.directory_id)


def up_to_the_secret(talk: Talk, new: Newcomer) -> None:
    """Steps 1 to 4."""
    directory(talk, new)
    talk.answer("Sender mailbox", new.mailbox.address)
    talk.answer("How Exchange", "1")
    talk.answer(r"client\) ID", new.registration.app_id)
    talk.answer("Press Enter when it is granted")


def people(talk: Talk) -> None:
    """Step 8."""
    talk.answer("Who is warned", "it@fabrikam.example")
    talk.answer("Time zone", "Europe/Berlin")
    talk.answer("daily test mail goes")
    talk.answer("arrival is looked for")


def test_from_nothing_to_a_confirmed_mail_path(new: Newcomer, run: Start, tmp_path: Path) -> None:
    """With every mistake that the vendor's page warns of, each named, and no secret shown."""
    talk = run("tenant", "add")
    talk.answer("What to call the tenant", "fabrikam")
    up_to_the_secret(talk, new)
    talk.answer("signs in with")
    talk.answer("not shown", new.registration.secrets[0].key_id)
    talk.answer("not shown", f'"{new.secret}" ')
    talk.asked("What now")
    assert "That is a GUID, so it is the secret's ID." in talk.text
    assert "WRONG Permissions for reading" in talk.text
    assert "Grant admin consent" in talk.text
    new.consent()
    talk.child.sendline("t")
    talk.answer("Object ID of the Enterprise", new.registration.object_id)
    talk.asked("What now")
    assert "The configured one is the app registration's." in talk.text
    assert f"Answer with {new.principal.object_id}." in talk.text
    talk.child.sendline("c")
    talk.answer("Object ID of the Enterprise")
    talk.answer("Press Enter when the script has run")
    talk.asked("What now")
    assert "535 5.7.3" in talk.text
    assert "the script has not run for this mailbox" in talk.text
    new.run_script()
    talk.child.sendline("t")
    people(talk)
    talk.asked("Did it arrive")
    assert new.inbox() == ["[Lapsewatch] CANARY OK - fabrikam - " + new.inbox()[0][-16:]]
    talk.child.sendline("y")
    assert talk.end() == 0
    assert "Confirmed: this mail path works from end to end." in talk.text
    assert re.search(
        r"Test mail: daily, first \w+ \d+ \w+ \d{4}, 07:00 \(Europe/Berlin\)", talk.text
    )
    assert "The service is not running" in talk.text
    assert new.secret not in talk.shown
    kept = tmp_path / "secrets" / "fabrikam+1"
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == (f"{new.secret}\n", 0o600)
    assert new.secret.encode() not in (tmp_path / "lapsewatch.db").read_bytes()
    script = (tmp_path / "fabrikam-exchange.ps1").read_text("utf-8-sig")
    assert new.principal.object_id in script
    assert new.secret not in script


def leave(run: Start, at: str, *answers: tuple[str, str]) -> Talk:
    """Go on with the set-up, answer, and press Ctrl-C at a question."""
    talk = run("tenant", "add", "fabrikam")
    for words, text in answers:
        talk.answer(words, text)
    talk.asked(at)
    talk.child.sendintr()
    assert talk.end() == 130
    assert "Traceback" not in talk.text
    return talk


def test_it_is_left_and_gone_on_with(new: Newcomer, run: Start, tmp_path: Path) -> None:
    """Ctrl-C at any question keeps the steps that are done, and asks them no second time."""
    leave(run, "Cloud")
    leave(run, "Directory", ("Cloud", "sandbox"))
    first = leave(run, "Sender", ("Cloud", "sandbox"), ("Directory", new.tenant.directory_id))
    assert "go on with: lapsewatch tenant add fabrikam" in first.text
    leave(run, "How Exchange", ("Sender mailbox", new.mailbox.address))
    talk = leave(
        run,
        "Press Enter",
        ("Sender", ""),
        ("How Ex", ""),
        (r"client\) ID", new.registration.app_id),
    )
    assert "going on where you left, at step 2" in talk.text
    leave(run, "signs in with", ("Press Enter", ""))
    leave(run, "not shown", ("signs in with", ""))
    talk = leave(run, "What now", ("signs in with", ""), ("not shown", new.secret))
    assert new.secret not in talk.shown
    new.consent()
    talk = leave(run, "Object ID", ("signs in with", ""), ("Enter keeps the one you gave", ""))
    with sqlite3.connect(tmp_path / "lapsewatch.db") as database:
        assert database.execute("SELECT count(*) FROM tenant").fetchone() == (0,)
    assert len(list((tmp_path / "secrets").glob("fabrikam*"))) == 1


def test_the_step_to_mend_may_be_an_earlier_one(new: Newcomer, run: Start) -> None:
    """A wrong client id shows only where it is signed in with."""
    new.consent()
    talk = run("tenant", "add", "fabrikam")
    directory(talk, new)
    talk.answer("Sender mailbox")
    talk.answer(r"client\) ID", new.tenant.directory_id)
    talk.answer(r"client\) ID", new.registration.object_id)
    talk.answer("Press Enter when it is granted")
    talk.answer("signs in with")
    talk.answer("not shown", new.secret)
    talk.asked("What now")
    assert "That is the directory's id." in talk.text
    assert "AADSTS700016" in talk.text
    talk.child.sendline("b")
    talk.answer("Back to step", "3")
    talk.answer(r"client\) ID", new.registration.app_id)
    talk.answer("Press Enter when it is granted")
    talk.answer("signs in with")
    talk.answer("Enter keeps the one you gave")
    talk.answer("Who is warned")
    talk.answer("Time zone")
    assert talk.end() == 0
    assert "Step 6 of 6: Who is warned" in talk.text
    assert "Warnings to noc@msp.example" in talk.text


def test_an_unseen_test_mail_leaves_the_sender_unconfirmed(new: Newcomer, run: Start) -> None:
    """Until somebody says that it arrived; then all is well."""
    new.consent()
    new.run_script()
    talk = run("tenant", "add", "fabrikam")
    up_to_the_secret(talk, new)
    talk.answer("signs in with")
    talk.answer("not shown", new.secret)
    talk.answer("Object ID of the Enterprise")
    talk.answer("Press Enter when the script has run")
    people(talk)
    talk.answer("Did it arrive", "l")
    assert talk.end() == 0
    status = run("status")
    assert status.end() == 3
    assert "1 test mail not confirmed to have arrived" in status.text
    assert run("tenant", "verify", "fabrikam", "--arrived").end() == 0
    again = run("status")
    again.end()
    assert "not confirmed" not in again.text


def test_a_mistyped_mailbox_is_told_at_once_and_any_question_leads_back(
    new: Newcomer, run: Start
) -> None:
    """Not only when Exchange refuses it with a reply that says nothing."""
    talk = run("tenant", "add", "fabrikam")
    directory(talk, new)
    talk.answer("Sender mailbox", "noreply@fabrikm.example")
    talk.answer("How Exchange", "1")
    talk.asked("What now")
    assert "fabrikm.example belongs to no directory of this cloud" in talk.text
    talk.child.sendline("c")
    talk.answer("Sender mailbox", new.mailbox.address)
    talk.answer("How Exchange", "2")
    talk.answer(r"client\) ID", "back")
    talk.answer("Back to step", "2")
    talk.answer("Sender mailbox")
    talk.answer("How Exchange", "1")
    talk.answer(r"client\) ID", new.registration.app_id)
    talk.answer("Press Enter when it is granted", "yes, I think")
    talk.answer("Press Enter when it is granted")
    talk.asked("signs in with")
    assert "SMTP.SendAsApp" in talk.text


def test_the_file_of_a_secret_is_not_offered_as_a_certificate(new: Newcomer, run: Start) -> None:
    """What was given for one form of credential is let go when another is chosen."""
    talk = run("tenant", "add", "fabrikam")
    up_to_the_secret(talk, new)
    talk.answer("signs in with")
    talk.answer("not shown", new.secret)
    talk.answer("What now", "c")
    talk.answer("signs in with", "certificate")
    talk.asked(r"Certificate file \(PEM or PFX\)")
    assert "secrets/fabrikam" not in talk.text.rpartition("Certificate file")[2]
