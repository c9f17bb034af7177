"""A bad address never delays another: the whole way, over a real socket."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import DeliveryError
from monitor.model import OutboxMail, OutboxState, Receipt
from tests.faults.house import House
from tests.faults.office import Office
from tests.faults.sayings import Thing

TEN = datetime(2026, 3, 20, 10, tzinfo=UTC)
BAD, GOOD = "aaa@a.example", {f"{name}@a.example": None for name in ("ann", "ben", "cem")}


class BlamesThePath(House):
    """Takes the refusal of one address for a failure of the whole path."""

    def start(self) -> None:
        """With channels that say so."""
        super().start()
        connect = self.app.carriers.connect

        class Blames:
            def __init__(self, path: str) -> None:
                self.channel: Any = connect(path)

            def __enter__(self) -> Blames:
                self.channel.__enter__()
                return self

            def __exit__(self, *exc: object) -> None:
                self.channel.__exit__(*exc)

            def send(self, mail: OutboxMail) -> Receipt:
                try:
                    return self.channel.send(mail)  # type: ignore[no-any-return]
                except DeliveryError as error:
                    raise DeliveryError(str(error), cause="smtp_busy", stage="mail") from error

        self.app.carriers.connect = Blames  # type: ignore[method-assign, assignment]


def told(folder: Path, office: Office, kind: type[House]) -> set[str]:
    """Who has a mail after one tick; the bad address is the first in every order."""
    office.anew()
    office.unknown = {BAD}
    house = kind(folder, f"sqlite:///{folder / 'lapsewatch.db'}", office, TEN)
    house.put("contoso", "UTC", 8, {BAD: None, **GOOD})
    end = TEN + timedelta(days=5)
    house.read("contoso", {("contoso", "mail:1"): Thing("mail", "x", end)})
    house.tick()
    states = {mail.recipient: mail.state for mail in house.mails()}
    house.close()
    assert kind is not House or states.pop(BAD) is OutboxState.DEAD
    return {letter.to for letter in office.letters}


@pytest.fixture
def folder(tmp_path: Path, migrated_sqlite: Path) -> Callable[[], Path]:
    """Makes folders with a database."""

    def made() -> Path:
        new = tmp_path / str(len(list(tmp_path.iterdir())))
        new.mkdir()
        shutil.copy(migrated_sqlite, new / "lapsewatch.db")
        return new

    return made


def test_a_bad_address_delays_no_other_in_the_same_tick(folder: Callable[[], Path]) -> None:
    """It is refused for good; the others have their mail at once. The known fault is seen."""
    with Office() as office:
        assert told(folder(), office, House) == set(GOOD)
        assert told(folder(), office, BlamesThePath) != set(GOOD)
