"""References become values only here, and no message ever holds one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitor.errors import SecretError
from monitor.model import CredentialRef
from monitor.vault import Vault

PLANTED = "Hunter2-8Q~planted-value"


def text(reference: str, environment: dict[str, str] | None = None, **more: object) -> str:
    """The client secret behind a reference."""
    vault = Vault(environment or {}, **more)  # type: ignore[arg-type]
    return vault.text(CredentialRef("secret", reference))


def refusal(reference: str, environment: dict[str, str] | None = None) -> str:
    """What is said about a reference that gives nothing."""
    with pytest.raises(SecretError) as refused:
        text(reference, environment)
    assert (refused.value.cause, refused.value.permanent) == ("secret_missing", True)
    return str(refused.value)


def test_a_value_may_come_from_the_environment() -> None:
    """Spaces around the name do not matter."""
    assert text("env:NAME", {"NAME": PLANTED}) == PLANTED
    assert text("env: NAME ", {"NAME": PLANTED}) == PLANTED


def test_without_an_environment_of_its_own_it_reads_the_process_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the service does."""
    monkeypatch.setenv("VAULT_TEST_NAME", PLANTED)
    assert Vault().text(CredentialRef("secret", "env:VAULT_TEST_NAME")) == PLANTED


@pytest.mark.parametrize(
    "content", [PLANTED, f"{PLANTED}\n", f"{PLANTED}\r\n", f" {PLANTED} \n\n", f"\ufeff{PLANTED}"]
)
def test_what_editors_add_around_a_value_is_left_out(content: str, tmp_path: Path) -> None:
    """Line ends, spaces, a byte order mark."""
    file = tmp_path / "a secret ä"
    file.write_text(content, encoding="utf-8")
    assert text(f"file:{file}") == PLANTED


def test_a_file_is_read_anew_each_time(tmp_path: Path) -> None:
    """A rotated secret takes effect at once, also through a link, as Kubernetes does it."""
    (tmp_path / "one").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "one")
    vault, reference = Vault({}), CredentialRef("secret", f"file:{tmp_path / 'link'}")
    assert vault.text(reference) == "old"
    (tmp_path / "two").write_text("new")
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to(tmp_path / "two")
    assert vault.text(reference) == "new"


def test_bytes_come_as_they_are(tmp_path: Path) -> None:
    """A PEM or PFX file is not text to be tidied."""
    (tmp_path / "pem").write_bytes(b"\xff\x00 pem \n")
    assert Vault({}).read(f"file:{tmp_path / 'pem'}") == b"\xff\x00 pem \n"


def test_a_key_vault_is_asked_by_vault_and_name() -> None:
    """Both spellings of the reference."""
    asked: list[str] = []

    def read(name: str) -> str:
        asked.append(name)
        return PLANTED

    assert text("keyvault:vault/name", keyvault=read) == PLANTED
    assert text("keyvault://vault/name", keyvault=read) == PLANTED
    assert asked == ["vault/name", "vault/name"]


def test_what_is_missing_is_named_with_what_to_do() -> None:
    """The variable, the file, the part that is not set up."""
    assert "environment variable NAME is not set" in refusal("env:NAME")
    assert "There is no file /nowhere/x" in refusal("file:/nowhere/x")
    assert "Key Vault is not set up" in refusal("keyvault:v/n")


def test_what_is_no_secret_is_told_without_showing_it(tmp_path: Path) -> None:
    """Empty, not text, too large, a folder."""
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe" + PLANTED.encode())
    (tmp_path / "large").write_text(PLANTED + "x" * 1_000_001)
    (tmp_path / "folder").mkdir()
    assert "is empty" in refusal(f"file:{tmp_path}/empty")
    for name, said in (
        ("binary", "does not hold text"), ("large", "too large"), ("folder", "not a regular file"),
    ):  # fmt: skip
        told = refusal(f"file:{tmp_path}/{name}")
        assert said in told
        assert PLANTED not in told
    assert "is empty" in refusal("env:NAME", {"NAME": " "})


def test_a_device_without_an_end_is_not_read_for_ever() -> None:
    """Its size says 0, its bytes never stop."""
    assert "not a regular file" in refusal("file:/dev/zero")


def test_a_named_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path: Path) -> None:
    """The scans of all tenants would stand still, for no deadline covers it."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    assert "not a regular file" in refusal(f"file:{tmp_path}/pipe")
    assert "not a regular file" in refusal(f"file:{tmp_path}/link")


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "~nobody-here/x", ""])
def test_a_name_that_no_file_can_have_is_a_missing_secret(name: str) -> None:
    """One tenant's odd reference must not stop the scan of the others."""
    assert refusal(f"file:{name}")


def test_an_environment_that_is_not_utf8_is_no_crash() -> None:
    """Python marks such bytes with half surrogates."""
    assert "does not hold text" in refusal("env:NAME", {"NAME": os.fsdecode(b"\xff\xfe")})


def test_a_value_in_place_of_a_reference_is_not_repeated() -> None:
    """Whatever stands there may be the secret itself."""
    assert PLANTED not in refusal(PLANTED)
    assert PLANTED not in refusal(f"secret:{PLANTED}")
