"""Single values as Graph writes them: dates, thumbprints, and the names of old secrets."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.entra.decode import Report, decode_application, read_page
from monitor.entra.values import legacy_name, parse_date, thumbprint
from tests.unit.graph_samples import SHA1, SHA256, application, encoded, secret


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-01-01T00:00:00Z", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2027-01-01T00:00:00.5Z", datetime(2027, 1, 1, 0, 0, 0, 500_000, UTC)),
        ("2027-01-01T00:00:00.3086381Z", datetime(2027, 1, 1, 0, 0, 0, 308_638, UTC)),
        ("2027-01-01T01:30:00+01:30", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-12-31T19:00:00-05:00", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2027-01-01T00:00:00", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2299-12-30T23:00:00Z", datetime(2299, 12, 30, 23, tzinfo=UTC)),
        (
            "9999-12-31T23:59:59.9999999Z",
            datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC),
        ),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        (None, None),
    ],
)
def test_dates_are_read_as_graph_writes_them(text: str | None, expected: datetime | None) -> None:
    """Any number of digits, either way to say the zone, and years out of the ordinary."""
    assert parse_date(text) == expected


@pytest.mark.parametrize(
    "value",
    [
        "", "soon", "2027-02-30T00:00:00Z", "10000-01-01T00:00:00Z", "9999-12-31T23:59:59-05:00",
        "0001-01-01T00:00:00+01:00", "2027-01-01", "2027-01-01T25:00:00Z",
        "2027-01-01T00:00:00+15:00", 1798761600, True, {"a": 1}, ["2027-01-01T00:00:00Z"],
        " 2027-01-01T00:00:00Z", "２027-01-01T00:00:00Z",
    ],
)  # fmt: skip
def test_what_is_no_date_is_refused(value: object) -> None:
    """It is never taken for no date, which would mean: never ends."""
    with pytest.raises(ValueError, match=r"date|range|day|hour|offset|literal"):
        parse_date(value)


@pytest.mark.parametrize(
    ("identifier", "digest"),
    [
        (SHA1.hex(), SHA1),
        (SHA1.hex().upper(), SHA1),
        (SHA256.hex(), SHA256),
        (encoded(SHA1), SHA1),
        (encoded(SHA1).rstrip("="), SHA1),
        (encoded(SHA256), SHA256),
        (encoded(SHA1.hex().encode()), SHA1),
        (encoded(encoded(SHA1).encode()), SHA1),
        (encoded(encoded(SHA256).encode()), SHA256),
        (encoded(b"\xff" * 20), b"\xff" * 20),
    ],
)
def test_every_recorded_form_of_a_thumbprint_is_one(identifier: str, digest: bytes) -> None:
    """Hex, base64, hex inside base64, base64 inside base64."""
    assert thumbprint(identifier) == digest.hex().upper()


@pytest.mark.parametrize("identifier", [None, "", "F77E9B42", "not base64!", 7, encoded(b"rbac")])
def test_other_identifiers_are_no_thumbprint(identifier: object) -> None:
    """Nothing is made up from bytes that are no digest."""
    assert thumbprint(identifier) is None


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("SMTP relay".encode("utf-16-le"), "SMTP relay"),
        ("Schlüssel für Büro".encode("utf-16-le"), "Schlüssel für Büro"),
        ("ten letter".encode("utf-16-le"), "ten letter"),
        ("секретключ".encode("utf-16-le"), "секретключ"),
        (b"rbac", "rbac"),
        (b"twenty characters ab", "twenty characters ab"),
    ],
)
def test_names_of_old_secrets_are_decoded(raw: bytes, name: str) -> None:
    """Old portals kept them as ASCII or UTF-16 in the identifier, of whatever length."""
    found, _ = application(
        passwordCredentials=[secret(displayName=" ", customKeyIdentifier=encoded(raw))]
    )
    assert found.credentials[0].name == name


@pytest.mark.parametrize(
    "identifier",
    [
        SHA1.hex(), encoded(hashlib.sha1(b"a").digest()), encoded(hashlib.sha256(b"a").digest()),
        encoded(SHA1.hex().encode()), encoded(encoded(b"\x9f" * 20).encode()), "!", None,
        encoded(b"\x00\xd8\x00\xd8"),
    ],
)  # fmt: skip
def test_a_thumbprint_is_not_taken_for_a_name(identifier: str | None) -> None:
    """Then the secret has no name."""
    assert legacy_name(identifier) is None


def test_a_name_is_kept_as_it_is_but_for_what_cannot_be_stored() -> None:
    """Escaping is for those who show it; a lone surrogate has no UTF-8."""
    lists = rb'"passwordCredentials":[],"keyCredentials":[]'
    body = rb'{"value":[{"id":"1",%s,"displayName":"<b>=1\n\u0000\u202e\ud800x"}]}' % lists
    report = Report()
    found = decode_application(read_page(body, "applications").value[0], report)
    assert found is not None
    assert found.name == "<b>=1\n\0\u202e\ufffdx"
    assert report.malformed == 0


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_instant_is_read_back_as_it_was_written(instant: datetime) -> None:
    """Python's own way to write an instant is one of Graph's."""
    assert parse_date(instant.isoformat()) == instant
