"""What is exported is imported unchanged, in TOML and in CSV, whatever the values are."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.fields import is_address
from monitor.fields.problems import printable
from monitor.model import CredentialRef, Recipient, Sender, SharedApp, Tenant
from monitor.roster import read
from monitor.roster.rows import guarded
from monitor.roster.writing import to_csv, to_toml
from tests.unit.roster_samples import configuration

ODD = "aZ9=+-@'\"\\|;,[]{}#.~$%äß日\u200d "
HOSTILE = ("=HYPERLINK(1)", "'=1", "''@x", "+1", "-1", "@sum", "two words", "a|b;c", "[x", "＝1")


def guids() -> st.SearchStrategy[str]:
    """Directory and client ids, as the import writes them."""
    return st.uuids(version=4).map(str)


def words(extra: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    """Texts that a tag may be."""
    odd = st.text(ODD, min_size=1, max_size=20).map(str.strip)
    return st.one_of(st.sampled_from(extra or ("gold",)), odd).filter(
        lambda text: bool(text) and printable(text) == text
    )


def addresses() -> st.SearchStrategy[str]:
    """Mail addresses, the ugly ones that are allowed too."""
    local = st.text("aZ9=+-'|{}.~$%", min_size=1, max_size=12)
    return local.map(lambda text: f"{text}@contoso.example").filter(is_address)


def references() -> st.SearchStrategy[str]:
    """Where values are; a file's path is absolute, as it is after an import."""
    path = st.text(ODD.replace(" ", ""), min_size=1, max_size=20)
    files = path.map(lambda text: f"file:{os.path.normpath('/srv/' + text)}")
    return st.one_of(files, st.sampled_from(["env:X", "keyvault:v/n", "sealed:@operator/secret"]))


def credentials() -> st.SearchStrategy[CredentialRef]:
    """Every form."""
    plain = st.builds(CredentialRef, st.sampled_from(["secret", "federated"]), references())
    opened = st.builds(
        CredentialRef, st.just("certificate"), references(), st.none() | references()
    )
    return st.one_of(plain, opened, st.builds(CredentialRef, st.just("managed_identity"), guids()))


def recipients() -> st.SearchStrategy[Recipient]:
    """With and without a zone and an hour of their own."""
    zones, hours = st.sampled_from([None, "Asia/Tokyo"]), st.none() | st.integers(0, 23)
    return st.builds(Recipient, addresses(), zones, hours)


def senders() -> st.SearchStrategy[Sender]:
    """Everything that a tenant's sender may have."""
    return st.builds(
        Sender, addresses(), st.none() | guids(), st.none() | guids(), st.none() | credentials(),
        st.lists(addresses(), max_size=2).map(tuple), st.none() | guids(),
        st.sampled_from([None, "dod"]), st.sampled_from([None, "smtp.contoso.example"]),
        st.none() | st.integers(1, 65535),
    )  # fmt: skip


APPS = (SharedApp("msp", "5d0a0000-0000-4000-8000-000000000001",
                  CredentialRef("certificate", "file:/srv/msp.pem", "env:P")),)  # fmt: skip


@st.composite
def tenants(draw: Any) -> Tenant:
    """A tenant as the import makes it, with a shared app or without."""
    days = draw(st.sets(st.integers(0, 3650), max_size=4))
    found = Tenant(
        name=draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,12}", fullmatch=True)),
        directory_id=draw(guids()),
        cloud=draw(st.sampled_from(["global", "dod", "china"])),
        client_id=draw(guids()),
        credential=draw(credentials()),
        recipients=tuple(draw(st.lists(recipients(), max_size=3))),
        time_zone=draw(st.sampled_from(["UTC", "Europe/Berlin"])),
        send_hour=draw(st.integers(0, 23)),
        thresholds=tuple(sorted(days, reverse=True)),
        weekly_after_lapse=draw(st.integers(0, 520)),
        tags=tuple(draw(st.lists(words(HOSTILE), max_size=3))),
        sender=draw(st.none() | senders()),
        paused=draw(st.booleans()),
        partner=draw(st.booleans()),
        pending=draw(st.booleans()),
        discovered_from=draw(st.sampled_from([None, "northwind"])),
    )
    kept = draw(st.sampled_from(["own", "client_id", "credential", "both"]))
    if kept == "own":
        return found
    shared = {"client_id": APPS[0].client_id, "credential": APPS[0].credential}
    return replace(found, app="msp", **(shared if kept == "both" else {kept: shared[kept]}))


MANY = st.lists(
    tenants(), max_size=4, unique_by=(lambda one: one.name, lambda one: one.directory_id)
)


@pytest.mark.parametrize("form", ["toml", "csv"])
@given(chosen=MANY)
@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_exported_is_imported_unchanged(
    form: str, chosen: list[Tenant], tmp_path: Path
) -> None:
    """Every field; under settings whose defaults are other ones."""
    file = tmp_path / f"tenants.{form}"
    file.write_text((to_toml if form == "toml" else to_csv)(chosen, APPS), encoding="utf-8")
    other = configuration(tmp_path, defaults={"thresholds": [9], "send_hour": 3})
    found = read(file, other, known_apps=() if form == "toml" else APPS)
    assert found.errors == ()
    assert list(found.tenants) == chosen
    used = any(one.app for one in chosen)
    assert found.apps == (APPS if form == "toml" and used else ())


@given(cell=st.text(ODD, max_size=10).map(str.strip) | st.sampled_from(HOSTILE))
def test_no_exported_cell_is_a_formula(cell: str) -> None:
    """A tag is what a partner's customer may choose least, and still."""
    assert guarded(cell)[:1] not in tuple("=+-@＝＋－＠")
    one = Tenant("a", "d", "global", "c", CredentialRef("secret", "env:X"), tags=(cell or "x",))
    for line in csv.reader(io.StringIO(to_csv([one], ()))):
        assert not any(shown[:1] in tuple("=+-@＝＋－＠") for shown in line if shown)


def test_without_the_apostrophe_a_cell_would_be_a_formula() -> None:
    """The known-bad variant of the test above, and what the apostrophe does to it."""
    assert "=1"[:1] in tuple("=+-@")
    assert [guarded(cell) for cell in ("=1", "'=1", "it's", "a=1")] == [
        "'=1",
        "''=1",
        "it's",
        "a=1",
    ]


def test_an_export_of_no_tenant_is_a_file_that_holds_none(tmp_path: Path) -> None:
    """In both forms."""
    for form, text in (("toml", to_toml([], APPS)), ("csv", to_csv([], APPS))):
        file = tmp_path / f"none.{form}"
        file.write_text(text)
        found = read(file, configuration(tmp_path))
        assert (found.tenants, found.apps, found.errors) == ((), (), ())
