"""Which note is about which credential."""

from __future__ import annotations

import pytest

from monitor.inventory import Notes
from monitor.model import Kind, Note
from tests import mail_samples as sample


def about(app: str, **changes: object) -> Note:
    """A note of Contoso whose remark says what it is about."""
    return Note("Contoso", app, remark=" ".join([app, *map(str, changes.values())]), **changes)


@pytest.mark.parametrize(
    ("app", "fits"),
    [
        (sample.APP_ID, True),
        (sample.APP_ID.upper(), True),
        ("Backup SMTP", True),
        ("backup smtp", True),
        ("Backup*", True),
        ("*smtp", True),
        ("*", True),
        ("B*up*TP", True),
        ("Backup", False),
        ("Backup?SMTP", False),
        ("[B]ackup*", False),
        ("Backup SMTP*x", False),
    ],
)
def test_an_app_is_named_by_its_id_or_its_name_with_stars(app: str, fits: bool) -> None:
    """Capitals do not matter, and only the star means more than itself."""
    assert (Notes([about(app)]).of(sample.credential()) is not None) is fits


def test_a_note_is_about_its_own_tenant_alone() -> None:
    """Two customers may have apps of one name."""
    assert Notes([about("*")]).of(sample.credential(tenant="Fabrikam")) is None


def test_a_note_about_a_kind_or_a_key_is_about_nothing_else() -> None:
    """An app may have a secret here and a certificate there."""
    notes = Notes([about("*", kind=Kind.CERTIFICATE), about("*", key_id="other")])
    assert notes.of(sample.credential()) is None
    assert notes.of(sample.credential(kind=Kind.CERTIFICATE)) is not None
    assert notes.of(sample.credential(key_id="OTHER")) is not None


def test_the_most_exact_note_wins() -> None:
    """The key, then the client id, then the name, then the longest pattern; in any order."""
    ranked = [
        about("*", key_id=sample.KEY_ID),
        about(sample.APP_ID, kind=Kind.SECRET),
        about(sample.APP_ID),
        about("Backup SMTP"),
        about("*", kind=Kind.SECRET),
        about("Backup*"),
        about("*"),
    ]
    for start in range(len(ranked)):
        for order in (ranked[start:], ranked[:start:-1] + ranked[start : start + 1]):
            assert Notes(order).of(sample.credential()) == ranked[start]
