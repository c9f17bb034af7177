"""Which credentials of a directory are those that Lapsewatch itself signs in with (rule 6a)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from monitor.lifecycle import OwnCredential, own_uids
from monitor.model import Kind, ObjectType, ObservedCredential, ObservedObject

NOW = datetime(2026, 3, 2, 7, tzinfo=UTC)
DAY = timedelta(days=1)


def secret(slot: str, hint: str | None = "abc", days: int = 10) -> ObservedCredential:
    """A client secret that ends in so many days."""
    return ObservedCredential(
        Kind.SECRET, slot, slot, None, NOW - 90 * DAY, NOW + days * DAY, hint=hint
    )


def certificate(slot: str, thumbprint: str | None = "AB", days: int = 10) -> ObservedCredential:
    """A certificate that ends in so many days."""
    return replace(
        secret(slot, None, days), kind=Kind.CERTIFICATE, hint=None, thumbprint=thumbprint
    )


def holder(app_id: str, *held: ObservedCredential) -> ObservedObject:
    """An app that holds these."""
    return ObservedObject(ObjectType.APPLICATION, f"object-{app_id}", app_id, "App", held)


def slots(held: list[ObservedCredential], *own: OwnCredential) -> set[str]:
    """Which of the credentials of the app `app` are ours."""
    found = own_uids([holder("app", *held)], own, NOW)
    return {uid.rpartition("/")[2] for uid in found}


def test_a_certificate_that_cannot_be_read_may_be_any_certificate_of_its_app() -> None:
    """But never a secret: that one may be renewed as it likes."""
    held = [certificate("1", "AB"), certificate("2", None), certificate("3", days=-1), secret("4")]
    assert slots(held, OwnCredential("app", form="certificate")) == {"1", "2"}
    assert slots(held[2:], OwnCredential("app", form="certificate")) == {"3"}
    assert slots([secret("4")], OwnCredential("app", form="certificate")) == set()


def test_a_secret_that_cannot_be_read_may_be_any_secret_of_its_app() -> None:
    """But never a certificate."""
    held = [secret("1", "abc"), secret("2", None), secret("3", days=-1), certificate("4")]
    assert slots(held, OwnCredential("app")) == {"1", "2"}
    assert slots([certificate("4")], OwnCredential("app")) == set()


def test_several_own_credentials_of_one_app_are_told_apart() -> None:
    """Each is looked for on its own: one that is found hides no other."""
    held = [secret("1", "abc"), secret("2", "xyz"), secret("3", "old"), certificate("4", "AB")]
    own = [OwnCredential("app", "abc"), OwnCredential("APP", "xyz")]
    assert slots(held, *own) == {"1", "2"}
    assert slots(held, *own, OwnCredential("app", None, frozenset({"ab"}), "certificate")) == {
        "1", "2", "4",
    }  # fmt: skip
    assert slots([*held, secret("5", None)], *own, OwnCredential("app", "new")) == {"1", "2", "5"}


def test_own_credentials_of_other_apps_match_nothing() -> None:
    """All tenants' are given at once; most are of no app in this directory."""
    own = [OwnCredential(f"other-{number}", "abc") for number in range(50)]
    assert slots([secret("1")], *own) == set()


@dataclass(frozen=True)
class Counted(ObservedObject):
    """An object that counts how often its credentials are looked at."""

    looks: Counter[str] = field(default_factory=Counter)

    def __getattribute__(self, name: str) -> object:
        """The attribute, counted."""
        found = super().__getattribute__(name)
        if name == "credentials":
            super().__getattribute__("looks")[name] += 1
        return found


class Once(list[OwnCredential]):
    """Own credentials that count how often they are gone through."""

    rounds = 0

    def __iter__(self) -> Iterator[OwnCredential]:
        """Another round."""
        self.rounds += 1
        return super().__iter__()


def test_the_work_is_the_objects_plus_what_is_ours() -> None:
    """Each object and each own credential is looked at once, however many of both there are."""
    looks: Counter[str] = Counter()
    objects = [
        Counted(ObjectType.APPLICATION, f"o{n}", f"app-{n}", "App", (secret(str(n)),), looks=looks)
        for n in range(1_000)
    ]
    own = Once(OwnCredential(f"app-{number}", "abc") for number in range(1_000))
    assert len(own_uids(objects, own, NOW)) == 1_000
    assert (looks["credentials"], own.rounds) == (1_000, 1)


class Held(tuple[ObservedCredential, ...]):
    """Credentials that count how often they are gone through."""

    rounds = 0

    def __iter__(self) -> Iterator[ObservedCredential]:
        """Another round."""
        type(self).rounds += 1
        return super().__iter__()


def test_many_own_secrets_of_one_app_cost_no_more_rounds() -> None:
    """A thousand tenants may each name their own file for the one shared app."""
    Held.rounds = 0
    held = Held(secret(str(number), f"{number:03}") for number in range(1_000))
    own = [OwnCredential("app", f"{number:03}") for number in range(1_000)]
    thing = ObservedObject(ObjectType.APPLICATION, "o", "app", "App", held)
    assert len(own_uids([thing], own, NOW)) == 1_000
    assert Held.rounds == 1
