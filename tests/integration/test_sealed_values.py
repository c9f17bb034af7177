"""Sealed values in the store: they go with their owner, and a killed rotation goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.config import load
from monitor.errors import SecretError, StoreError
from monitor.model import CredentialRef, SharedApp
from monitor.sealed import SealedValues
from monitor.sealing import KeyRing, SealingKey, new_key
from monitor.store import Store
from monitor.wiring import App

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
PLANTED = b"planted-Secret~value"
ROTATE = """
import sys
from datetime import UTC, datetime
from monitor.sealed import SealedValues
from monitor.store import Store
with Store.open(sys.argv[1]) as store:
    values = SealedValues(store, sys.argv[2:], clock=lambda: datetime.now(UTC))
    for done in values.rotate():
        print(done, flush=True)
        sys.stdin.readline()
print("end", flush=True)
"""


@pytest.fixture
def keys(tmp_path: Path) -> tuple[str, str]:
    """References of two keys."""
    for name in ("old.key", "new.key"):
        (tmp_path / name).write_text(new_key())
    return f"file:{tmp_path}/old.key", f"file:{tmp_path}/new.key"


def values(store: Store, *keys: str) -> SealedValues:
    """The sealed values of a store, with these keys."""
    return SealedValues(store, keys, clock=lambda: NOW)


def key_id(reference: str) -> str:
    """The id of the key in a file."""
    return SealingKey.parse(Path(reference.removeprefix("file:")).read_bytes(), reference).id


def test_a_value_is_kept_sealed_and_read(store: Store, keys: tuple[str, str], make) -> None:
    """Of a tenant, an app and the operator; set again it is the new one."""
    store.put_tenant(make.tenant(), now=NOW)
    safe = values(store, keys[0])
    for owner in ("contoso", "app:msp", "@operator"):
        safe.put(owner, "secret", b"an older one")
        safe.put(owner, "secret", PLANTED)
        assert safe.read(f"{owner}/secret") == PLANTED
    assert [(one.owner, one.problem) for one in safe.listed()] == [
        ("@operator", None), ("app:msp", None), ("contoso", None),
    ]  # fmt: skip
    assert store.sealed_under() == {key_id(keys[0]): 3}
    assert safe.remove("contoso", "secret")
    assert not safe.remove("contoso", "secret")
    with pytest.raises(SecretError, match="lapsewatch secrets set contoso secret"):
        safe.read("contoso/secret")


def test_a_tenant_takes_its_sealed_values_with_it(
    store: Store, keys: tuple[str, str], make
) -> None:
    """When it is removed and when its name becomes another directory's; others' values stay."""
    safe = values(store, keys[0])
    for name in ("contoso", "fabrikam", "adatum"):
        store.put_tenant(make.tenant(name), now=NOW)
        safe.put(name, "secret", PLANTED)
    store.remove_tenant("contoso")
    other = make.tenant("adatum", directory_id="7b1c0000-0000-0000-0000-00000000000f")
    assert store.put_tenant(other, now=NOW) == "replaced"
    assert [one.owner for one in safe.listed()] == ["fabrikam"]
    with pytest.raises(StoreError, match="no tenant named contoso"):
        safe.put("contoso", "secret", PLANTED)


def test_a_row_moved_to_another_tenant_is_noticed(
    store: Store, keys: tuple[str, str], make
) -> None:
    """Whoever can write the database still cannot lend one tenant's value to another."""
    for name in ("contoso", "fabrikam"):
        store.put_tenant(make.tenant(name), now=NOW)
    safe = values(store, keys[0])
    safe.put("contoso", "secret", PLANTED)
    found = store.sealed("contoso", "secret")
    assert found is not None
    row = {name: getattr(found, name) for name in ("key_id", "wrapped_key", "value", "set_at")}
    store.put_sealed(type(found)(owner="fabrikam", field="secret", **row), tenant="fabrikam")
    with pytest.raises(SecretError, match="changed or moved"):
        safe.read("fabrikam/secret")
    assert [bool(one.problem) for one in safe.listed()] == [False, True]


def test_a_start_needs_the_keys_of_what_is_sealed(
    store: Store, keys: tuple[str, str], tmp_path: Path
) -> None:
    """Missing, another, cut off, or rotated away: the right key's id is told, never a value."""
    old, new = keys
    values(store).check()
    values(store, new).check()
    values(store, old).put("@operator", "secret", PLANTED)
    values(store, old).check()
    values(store, new, old).check()
    cut = tmp_path / "cut.key"
    cut.write_text(Path(old.removeprefix("file:")).read_text()[:-8])
    for named, said in (
        ((), "name no key"),
        ((new,), f"and [vault] names {key_id(new)}"),
        ((f"file:{cut}",), "has 27 bytes, and a key has 32"),
        ((f"file:{tmp_path}/gone.key",), "There is no file"),
    ):
        with pytest.raises(SecretError) as raised:
            values(store, *named).check()
        assert said in str(raised.value)
        assert key_id(old) in str(raised.value)
        assert raised.value.remedy
        for file in tmp_path.glob("*.key"):
            assert file.read_text()[:10] not in str(raised.value)
    for _ in values(store, new, old).rotate():
        pass
    with pytest.raises(SecretError, match=key_id(new)):
        values(store, old).check()
    values(store, new).check()


def test_a_rotation_that_is_killed_goes_on(
    store: Store, store_url: str, keys: tuple[str, str]
) -> None:
    """Killed again and again: every value opens all the time, none is done twice."""
    old, new = keys
    for number in range(7):
        values(store, old).put("@operator", f"value{number}", PLANTED + b"%d" % number)
    done: list[str] = []
    for after in (1, 2, 3, 99):
        done += rotate_until(after, store_url, new, old)
        ring = KeyRing([SealingKey.parse(Path(key[5:]).read_bytes(), key) for key in keys])
        for number, kept in enumerate(store.sealed_values()):
            assert ring.open(kept) == PLANTED + b"%d" % number
    assert len(done) == len(set(done)) == 7
    assert store.sealed_under() == {key_id(new): 7}
    values(store, new).check()


def rotate_until(after: int, url: str, *keys: str) -> list[str]:
    """Rotate in a process of its own that is killed after so many values; what was done."""
    child = subprocess.Popen(
        [sys.executable, "-c", ROTATE, url, *keys],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    done: list[str] = []
    with child:
        for line in child.stdout:
            if line.strip() == "end":
                return done
            done.append(line.strip())
            if len(done) == after:
                child.send_signal(signal.SIGKILL)
                break
            child.stdin.write("\n")
            child.stdin.flush()
    return done


def test_a_value_set_during_a_rotation_stays(store: Store, keys: tuple[str, str]) -> None:
    """The rotation read the old one before; its late write must not bring that back."""
    old, new = keys
    safe = values(store, new, old)
    for name in ("a", "b"):
        values(store, old).put("@operator", name, b"before")
    rotation = safe.rotate()
    next(rotation)
    values(store, old).put("@operator", "b", PLANTED)
    assert list(rotation) == []
    assert safe.read("@operator/b") == PLANTED
    assert [one.field for one in safe.rotate()] == ["b"]
    assert safe.read("@operator/b") == PLANTED


def test_a_tenant_signs_in_with_a_sealed_value(tmp_path: Path, make) -> None:
    """By the reference that its row names, also for a relay's and a PFX's password."""
    (tmp_path / "key").write_text(new_key())
    (tmp_path / "lapsewatch.toml").write_text('[vault]\nkey = "file:key"\n')
    with App(load(tmp_path / "lapsewatch.toml")) as app:
        app.make_database()
        held = CredentialRef("secret", "sealed:contoso/secret")
        app.store.put_tenant(make.tenant(credential=held), now=NOW)
        app.store.put_shared_app(SharedApp("msp", "app-msp", held), now=NOW)
        app.sealed.put("contoso", "secret", PLANTED + b"\n")
        assert app.credential(held).secret == PLANTED.decode()
        assert [own.hint for own in app.own_credentials()][:1] == ["pla"]
        with pytest.raises(SecretError, match="secrets set contoso other"):
            app.credential(CredentialRef("secret", "sealed:contoso/other"))
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("lapsewatch.db*"))
    assert PLANTED not in stored
    assert b"sealed_secret" in stored
