"""The doctor against servers that know nothing of it: the right stage, and what was seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.acceptance.lab import world_faults
from tests.acceptance.lab.cloud import Lab
from tests.acceptance.lab.http import HttpServer, Reply
from tests.acceptance.lab.product import Product
from tests.acceptance.lab.world_faults import Faults

# Trouble in the middle of a collection does not concern the doctor, which reads one object.
FIRST_PAGE_IS_FINE = {
    "consent-half", "truncated", "foreign-host", "foreign-port", "repeated", "odd-objects",
}  # fmt: skip
PASSES_IN_TIME = {"throttled", "empty-page", "fine", "opaque"}


@dataclass
class Examined:
    """The world, and the doctor's JSON for it."""

    world: Faults
    said: dict[str, Any]

    def target(self, name: str) -> dict[str, Any]:
        """One tenant's report."""
        (found,) = [one for one in self.said["tenants"] if one["tenant"] == name]
        return dict(found)

    def first_failed(self, name: str, part: str) -> dict[str, Any]:
        """The first red check of reading (graph) or of sending (smtp)."""
        rows = self.target(name)["checks"]
        other = "graph." if part == "smtp" else "smtp."
        failed = [row for row in rows if row["status"] == "failed"]
        return next(row for row in failed if not row["name"].startswith(other))


@pytest.fixture(scope="module")
def examined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examined]:
    """All tenants of the lab that fail, examined once, with a test mail."""
    lab = Lab(tmp_path_factory.mktemp("doctor"))
    elsewhere = HttpServer(lambda _: Reply(200, {"value": []}))
    lab.closing.append(elsewhere)
    world = Faults(lab, Product(lab.folder), elsewhere)
    world_faults.unreadable(world)
    world_faults.readable(world)
    world_faults.broken_mail(world)
    product = world.product
    product.write("lapsewatch.toml", lab.settings(world_faults.operator(lab)))
    product.write("tenants.toml", lab.rows())
    product.run("init", code=0)
    product.run("tenant", "import", "tenants.toml", code=0)
    said = product.run("doctor", "--json", "--send", code=6).json()
    yield Examined(world, said)
    lab.close()


@pytest.mark.parametrize("name", sorted(set(world_faults.UNREADABLE) - FIRST_PAGE_IS_FINE))
def test_a_tenant_that_cannot_be_read_fails_with_its_cause(examined: Examined, name: str) -> None:
    """The first red check names what the servers did, and shows it."""
    found = examined.first_failed(name, "graph")
    assert found["cause"] in world_faults.UNREADABLE[name]
    assert found["evidence"]
    assert found["fix"]


@pytest.mark.parametrize("name", world_faults.BROKEN_MAIL)
def test_a_mail_path_that_is_broken_fails_at_its_stage(examined: Examined, name: str) -> None:
    """The stage is the one at which the server stopped, and its words are the evidence."""
    stage, causes = world_faults.BROKEN_MAIL[name]
    found = examined.first_failed(name, "smtp")
    assert found["name"] == f"smtp.{stage}"
    better = {"sp_not_in_exchange"} if "generic_oauth_failure" in causes else set()
    assert found["cause"] in causes | better
    assert found["evidence"]


def test_the_words_of_another_server_are_the_evidence(examined: Examined) -> None:
    """What came is shown as it came, whoever said it."""
    found = examined.first_failed("generic", "smtp")
    assert world_faults.GENERIC in found["evidence"]
    strange = examined.first_failed("strange-ca", "smtp")
    assert "Stranger" in strange["evidence"]


@pytest.mark.parametrize("name", sorted(PASSES_IN_TIME))
def test_nothing_fails_where_other_servers_work(examined: Examined, name: str) -> None:
    """An opaque token is no fault, and look-ups that a server does not know are skipped."""
    rows = examined.target(name)["checks"]
    assert [row for row in rows if row["status"] == "failed"] == []


def test_the_relay_of_the_operator_is_examined_without_a_token(examined: Examined) -> None:
    """A plain relay has stages, but no sign-in."""
    rows = {row["name"]: row for row in examined.target("(operator)")["checks"]}
    assert rows["smtp.rcpt"]["status"] == "ok"
    assert rows["smtp.auth"]["status"] == "skipped"
    assert "graph.token" not in rows


def test_no_secret_and_no_token_is_printed(examined: Examined) -> None:
    """A value never reaches what is printed, nor the log at its most talkative."""
    product = examined.world.product
    assert product.run("--log-level", "debug", "doctor", "--tenant", "fine", code=0).out
    assert product.run("--log-level", "debug", "doctor", "--tenant", "wrong-secret", code=6).out
    everything = examined.world.product.everything()
    lab = examined.world.lab
    for value in [*lab.planted, *lab.entra.tokens]:
        assert value.encode() not in everything


# --- the command ------------------------------------------------------------------------------


def test_a_failure_is_explained_below_its_table(examined: Examined) -> None:
    """What, evidence, fix and a command to paste; the exit code is 6."""
    said = examined.world.product.run("doctor", "--tenant", "off-mailbox", code=6).out
    assert "FAILED: AUTH [smtp_auth_disabled_mailbox]" in said
    assert "SmtpClientAuthentication is disabled for the Mailbox" in said
    assert "Run:  Set-CASMailbox -Identity 'noreply@off-mailbox.example'" in said
    assert said.splitlines()[-1].startswith("Failed: off-mailbox (smtp_auth_disabled_mailbox).")


def test_a_tenant_in_which_nothing_failed_ends_with_zero(examined: Examined) -> None:
    """Warnings do not count; a tenant that nobody knows is an error, not a failure."""
    product = examined.world.product
    assert "Nothing failed." in product.run("doctor", "--tenant", "fine", code=0).out
    assert "no tenant" in product.run("doctor", "--tenant", "nobody", code=1).err.lower()


def test_the_json_has_the_promised_keys(examined: Examined) -> None:
    """Shapes that scripts rely on."""
    assert {"generated_at", "exit_code", "machine", "tenants"} <= examined.said.keys()
    assert examined.said["exit_code"] == 6
    for target in examined.said["tenants"]:
        assert {"tenant", "mailbox", "status", "cause", "checks"} <= target.keys()
        for row in target["checks"]:
            keys = {"name", "status", "evidence", "cause", "also", "fix", "command"}
            assert keys <= row.keys()
            assert row["status"] in {"ok", "warning", "failed", "skipped"}
