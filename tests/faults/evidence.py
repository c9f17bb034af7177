"""What was written, sent and received in a life, held against what had to be said."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from monitor.model import OutboxMail, OutboxState
from tests.faults.house import House, said_in, was_refused, was_unsure
from tests.faults.office import MUTE, Letter
from tests.faults.promises import Promises
from tests.faults.sayings import DEAF, OVER, Ears, Heard, Run, Say

OPEN_STATES = (OutboxState.PENDING, OutboxState.DEAD)
UNSENT_STATES = (*OPEN_STATES, OutboxState.SENDING)


def _sort(say: Say) -> tuple[Heard, str]:
    """What makes two words the same but for how urgent they are."""
    return say.heard, "stage" if say.kind in ("reminder", "lapsed") else say.kind


class Evidence:
    """The rows of the outbox, the letters in the office, and who has heard what."""

    it: Promises

    def begin(self, house: House) -> None:
        """Nothing has happened yet."""
        self.house = house
        self.office = house.office
        self.expected: dict[datetime, set[Say]] = {}
        self.copies = self.lost_answers = self.kills = 0
        self.letters: dict[str, Letter] = {}
        self.again: set[Heard] = set()  # what a digest took over from one that may have been taken
        self.refused: set[str] = set()  # Message-IDs of letters whose next copy was refused
        self.numbered: dict[str, int] = {}  # Message-ID -> the place of its row among all
        self.rows: dict[str, OutboxMail] = {}

    def _look_at_the_rows(self) -> None:
        """Every mail that was ever written, and which came after which."""
        rows = self.house.rows()  # newest first
        self.rows = {mail.message_id: mail for mail in rows}
        self.numbered = {mail.message_id: len(rows) - at for at, mail in enumerate(rows)}

    def _row(self, letter: Letter) -> OutboxMail:
        return self.rows[letter.message_id]

    def _state(self, mail: OutboxMail) -> OutboxState:
        return self.rows[mail.message_id].state

    def _due(
        self, now: datetime, waited: Iterable[OutboxMail], lost: Iterable[OutboxMail]
    ) -> Iterator[tuple[Run, set[Say]]]:
        """What each run that is due has to tell.

        Where it has anything to tell, what may have been taken before joins that: one digest with
        the current state, so to who has the first one that is a copy in other words.
        """
        unsaid = self._unsaid(waited)
        it, perhaps = self.it.unheard(unsaid), self._perhaps(before=now, unsaid=unsaid)
        for run in it.due(now, perhaps):
            says = set(it.says(run, now, perhaps))
            warned = set(run.tenants) - run.ends
            joined = {
                (self.numbered[mail.message_id], say.heard)
                for mail in lost
                if says and mail.possible_duplicate and mail.recipient.lower() == run.who
                if set(mail.tenants) <= warned
                for say in said_in(mail)
            }
            if joined:
                less = self.it.unheard(unsaid | joined)
                over = {say for say in says if say.kind in OVER}
                named = {say.about[:2] for say in over}
                ears = self._perhaps(before=now, unsaid=unsaid | joined)
                again = {say for say in less.says(run, now, ears) if say.about[:2] not in named}
                self.again |= {say.heard for say in again - says}
                says = again | over
            yield run, says

    def _sayable(self, now: datetime) -> set[tuple[bool, Say]]:
        """What all runs have to say, and whether their hour of today has come."""
        unsaid = self._unsaid()
        it, perhaps = self.it.unheard(unsaid), self._perhaps(before=now, unsaid=unsaid)
        runs = it.runs(perhaps)
        return {(bool(run.slot(now)), say) for run in runs for say in it.says(run, now, perhaps)}

    def _unsaid(self, waited: Iterable[OutboxMail] = ()) -> set[tuple[int, Heard]]:
        """What was withdrawn for a later mail that waits (or `waited`) and says that or worse.

        Somebody may have it, but until the later one is told it is still to be said. By the
        number of the withdrawn mail.
        """
        gone = {
            (self.numbered[mail.message_id], self._meant(say, mail))
            for mail in self.rows.values()
            if mail.state is OutboxState.WITHDRAWN and mail.possible_duplicate
            for say in said_in(mail)
        }
        if not gone:
            return set()
        later: dict[tuple[Heard, str], list[tuple[int, int]]] = {}
        for mail in (*waited, *self.rows.values()):
            if mail.state in OPEN_STATES and not was_unsure(mail):
                for say in said_in(mail):
                    if not self.expected.get(mail.date):
                        continue  # of this very tick: what it is to say is not known yet
                    meant, number = self._meant(say, mail), self.numbered[mail.message_id]
                    later.setdefault(_sort(meant), []).append((number, meant.level))
        return {
            (number, say.heard)
            for number, say in gone
            if any(n > number and level >= say.level for n, level in later.get(_sort(say), ()))
        }

    def _perhaps(self, *, before: datetime, unsaid: Collection[tuple[int, Heard]]) -> Ears:
        """What may have been told by a copy that nobody answered for, but for what is `unsaid`."""
        found: Ears = {}
        open_states = (OutboxState.PENDING, OutboxState.SENDING, OutboxState.WITHDRAWN)
        for mail in self.rows.values():
            if mail.possible_duplicate and mail.state in open_states and mail.date != before:
                for say in said_in(mail):
                    ear, number = found.get(say.heard, DEAF), self.numbered[mail.message_id]
                    if (number, say.heard) not in unsaid:
                        found[say.heard] = ear.after(self._meant(say, mail), number)
        return found

    def _meant(self, say: Say, mail: OutboxMail) -> Say:
        """The expectation that a mail's sentence fulfils; there must be one for its tick."""
        wanted = self.expected.get(mail.date, set())
        same = [w for w in wanted if (w.heard, w.kind, w.stage) == (say.heard, say.kind, say.stage)]
        assert same, f"nobody had to say {say} on {mail.date}"
        return same[0]

    def _receive(self, letters: list[Letter]) -> None:
        """People read their mail."""
        for letter in letters:
            first = self.letters.setdefault(letter.message_id, letter)
            mail = self._row(letter)
            if first is not letter:
                self.copies += 1
                assert first.raw == letter.raw, "P1: a copy that is another mail"
                continue
            assert letter.to == mail.recipient.lower()
            number = self.numbered[mail.message_id]
            twice = False
            for say in said_in(mail):
                meant, joins = self._meant(say, mail), say.heard in self.again
                twice |= joins and self.it.told.get(say.heard, DEAF).knows(meant)
                again = mail.possible_duplicate or joins
                self.it.hear(meant, number, perhaps_again=again)
                self.again.discard(say.heard)
            self.copies += twice  # in other words
        lost = len(letters) if self.office.mood == MUTE else 0
        self.lost_answers += lost
        assert self.copies <= self.kills + self.lost_answers, "P1: more copies than kills"

    def _refused(self) -> None:
        """What was taken without an answer, and refused when it went again, is to be told anew.

        To its reader that is a copy in other words, so the lost answers pay for it, too.
        """
        for message_id, letter in self.letters.items():
            if letter.to not in self.office.unknown or message_id in self.refused:
                continue
            if was_refused(self._row(letter)):
                self.refused.add(message_id)
                self.copies += 1
                self.it.unhear(self.numbered[message_id])
        assert self.copies <= self.kills + self.lost_answers, "P1: more copies than kills"
