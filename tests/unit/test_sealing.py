"""Sealed values: only the right key opens them, in the place they were sealed for."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from monitor.errors import SecretError
from monitor.model import SealedValue
from monitor.sealing import KEY_BYTES, KeyRing, SealingKey, new_key

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
PLANTED = b"planted-Secret~value"
FIRST, SECOND = (SealingKey.parse(new_key().encode(), "file:key") for _ in range(2))


def sealed(ring: KeyRing | None = None, value: bytes = PLANTED) -> SealedValue:
    """contoso's secret, sealed under the first key."""
    return (ring or KeyRing([FIRST])).seal("contoso", "secret", value, now=NOW)


@pytest.mark.parametrize("value", [PLANTED, b"\x30\x82\x00" * 100_000, b"x"])
def test_what_was_sealed_opens(value: bytes) -> None:
    """Text, a PFX, one byte; and nothing of it can be read in what is kept."""
    kept = sealed(value=value)
    assert KeyRing([FIRST]).open(kept) == value
    assert kept.key_id == FIRST.id
    assert len(value) < 4 or value not in kept.value + kept.wrapped_key


def test_equal_values_look_different() -> None:
    """Each has a data key and a nonce of its own."""
    one, other = sealed(), sealed()
    assert one.value != other.value
    assert one.wrapped_key != other.wrapped_key


@pytest.mark.parametrize("moved", [{"owner": "fabrikam"}, {"field": "other"}])
def test_a_row_that_was_moved_does_not_open(moved: dict[str, str]) -> None:
    """The owner and the field are part of the seal: nobody signs in with another's value."""
    with pytest.raises(SecretError, match="changed or moved") as raised:
        KeyRing([FIRST]).open(replace(sealed(), **moved))
    assert FIRST.id in str(raised.value)


def test_without_additional_data_a_moved_row_would_open() -> None:
    """The known-bad variant of the test above: AES-GCM alone does not know whose value it is."""
    nonce = bytes(12)
    row = {"owner": "contoso", "value": AESGCM(FIRST.key).encrypt(nonce, PLANTED, None)}
    moved = row | {"owner": "fabrikam"}
    assert AESGCM(FIRST.key).decrypt(nonce, bytes(moved["value"]), None) == PLANTED  # type: ignore[arg-type]


def test_a_moved_row_is_not_rewrapped_either() -> None:
    """A rotation must not make a seal out of a broken one."""
    with pytest.raises(SecretError, match="changed or moved"):
        KeyRing([SECOND, FIRST]).rewrap(replace(sealed(), owner="fabrikam"))


def test_what_this_version_sealed_opens_in_every_later_one() -> None:
    """The bytes of a seal are a promise: algorithm, order, and what is authenticated."""
    key = SealingKey.parse(base64.b64encode(bytes(range(32))), "x")
    wrapped = bytes.fromhex(
        "2a26ea8889d955cbff898159a7d7e45233ee9230e5101bde42fb0606f79d0a7df8c06f1285e2366e"
        "c5a10618eec480aa4ae6b87e90a07e15ee59aeef"
    )
    value = bytes.fromhex(
        "ca6837b8b1236e7ab25cf523c746d065fe9d9744420dbc4356f363ed55659b6af3d43bf7901f7b9b"
        "9e8cde890265c434"
    )
    kept = SealedValue("contoso", "secret", "eb9b71fb6492", wrapped, value, NOW)
    assert key.id == kept.key_id
    assert KeyRing([key]).open(kept) == b"a value of version 1"


def test_parts_of_two_values_do_not_go_together() -> None:
    """One's data key does not open the other's value."""
    with pytest.raises(SecretError, match="changed or moved"):
        KeyRing([FIRST]).open(replace(sealed(), value=sealed().value))


@pytest.mark.parametrize("part", ["wrapped_key", "value"])
def test_no_flipped_bit_and_no_cut_passes(part: str) -> None:
    """At every byte, and at every length."""
    kept = sealed()
    raw: bytes = getattr(kept, part)
    for at in range(len(raw)):
        for broken in (raw[:at], raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]):
            with pytest.raises(SecretError) as raised:
                KeyRing([FIRST]).open(replace(kept, **{part: broken}))
            assert PLANTED.decode() not in str(raised.value)


def test_a_key_that_is_not_at_hand_is_named_by_its_id() -> None:
    """Not by its value; and the settings that name it."""
    with pytest.raises(SecretError) as raised:
        KeyRing([SECOND]).open(sealed())
    assert f"is under the key {FIRST.id}, which [vault] does not name" in raised.value.message


def test_another_keys_bytes_under_the_same_id_open_nothing() -> None:
    """The id only says which key to take."""
    with pytest.raises(SecretError, match="does not open"):
        KeyRing([SealingKey(FIRST.id, SECOND.key)]).open(sealed())


def test_rewrapping_changes_the_key_and_not_the_value() -> None:
    """Both keys are needed for it, afterwards the new one alone."""
    old = sealed()
    new = KeyRing([SECOND, FIRST]).rewrap(old)
    assert (new.key_id, new.value, new.set_at) == (SECOND.id, old.value, old.set_at)
    assert KeyRing([SECOND]).open(new) == PLANTED
    with pytest.raises(SecretError):
        KeyRing([FIRST]).open(new)


def test_a_ring_seals_with_its_first_key_and_opens_with_all() -> None:
    """So the service works on while values are re-wrapped."""
    ring = KeyRing([SECOND, FIRST])
    assert ring.open(sealed()) == PLANTED
    assert sealed(ring).key_id == SECOND.id
    assert ring.ids == (SECOND.id, FIRST.id)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:-3], "was cut off"),
        (lambda text: text[:20], "has 15 bytes"),
        (lambda text: b"", "has 0 bytes"),
        (lambda text: text + text, "was cut off"),
        (lambda text: b"not a key at all!", "not in base64"),
        (lambda text: base64.b64encode(bytes(31)), "has 31 bytes"),
        (lambda text: base64.b64encode(bytes(64)), "has 64 bytes"),
        (lambda text: b"\xff" + text, "not in base64"),
    ],
)
def test_what_is_no_key_is_refused_and_not_shown(change: object, said: str) -> None:
    """Where it stands and how long it is, not what it is."""
    text = new_key().encode()
    broken = change(text)  # type: ignore[operator]
    with pytest.raises(SecretError) as raised:
        SealingKey.parse(broken, "file:/etc/key")
    assert said in raised.value.message
    assert "file:/etc/key" in raised.value.message
    for start in range(0, len(text) - 8, 4):
        assert text[start : start + 8].decode() not in str(raised.value)


def test_a_key_is_taken_in_either_alphabet_and_never_printed() -> None:
    """Line ends do no harm; the id is the same, and says nothing of the key."""
    raw = b"\xfb\xff" * (KEY_BYTES // 2)
    plain = SealingKey.parse(base64.b64encode(raw) + b"\r\n", "x")
    assert plain == SealingKey.parse(base64.urlsafe_b64encode(raw), "x")
    assert raw.hex()[:8] not in repr(plain)
    assert len(plain.id) == 12
    assert len({new_key() for _ in range(50)}) == 50
