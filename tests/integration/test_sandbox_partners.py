"""The sandbox's lists of a partner's customers, as Graph's documentation shows them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests

from monitor.config import load
from monitor.roster import read
from monitor.sandbox import Cloud, Fault, SandboxClock, World, partner_world
from monitor.sandbox.partner_stories import PARTNER_READS, READS, consent
from monitor.sandbox.world import Tenant
from tests.integration.test_sandbox_graph import clock, cloud, http

__all__ = ["clock", "cloud", "http"]  # fixtures

CONTRACTS = "/contracts"
CUSTOMERS = "/tenantRelationships/delegatedAdminCustomers"
RELATIONSHIPS = "/tenantRelationships/delegatedAdminRelationships"
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z")
Get = Callable[[str], requests.Response]


@pytest.fixture
def world(clock: SandboxClock) -> World:
    """An MSP, and 403 customers."""
    return partner_world(clock.now(), more=400)


def token(http: requests.Session, cloud: Cloud, tenant: Tenant) -> dict[str, Any]:
    """The token endpoint's answer to the MSP's app in a tenant."""
    monitor = cloud.world.tenant("northwind").monitor
    assert monitor is not None
    form = {
        "grant_type": "client_credentials", "client_id": monitor.client_id,
        "client_secret": monitor.secret, "scope": "https://graph.microsoft.com/.default",
    }  # fmt: skip
    url = f"{cloud.entra_url}/{tenant.directory_id}/oauth2/v2.0/token"
    answer: dict[str, Any] = http.post(url, data=form, verify=str(cloud.ca_file), timeout=10).json()
    return answer


@pytest.fixture
def get(http: requests.Session, cloud: Cloud, world: World) -> Get:
    """GET as the MSP's app; the path may be a whole address."""

    def asks(path: str) -> requests.Response:
        bearer = token(http, cloud, world.tenant("northwind"))["access_token"]
        url = path if path.startswith("http") else f"{cloud.graph_url}/v1.0{path}"
        return http.get(url, headers={"Authorization": f"Bearer {bearer}"}, timeout=10)

    return asks


def pages(get: Get, path: str) -> list[list[dict[str, Any]]]:
    """All pages of a list."""
    found, link = [], path
    while link:
        body = get(link).json()
        found.append(body["value"])
        link = body.get("@odata.nextLink", "")
    return found


def test_the_lists_have_the_documented_shapes(get: Get) -> None:
    """Names and types of the published examples; a date has seven digits."""
    contract = get(CONTRACTS).json()["value"][0]
    assert set(contract) == {
        "id", "deletedDateTime", "contractType", "customerId", "defaultDomainName", "displayName",
    }  # fmt: skip
    customer = get(CUSTOMERS).json()["value"][0]
    assert customer["id"] == customer["tenantId"]
    assert customer["displayName"] == "Contoso"
    relationship = get(RELATIONSHIPS).json()["value"][0]
    assert set(relationship["customer"]) == {"tenantId", "displayName"}
    assert relationship["status"] == "active"
    assert relationship["duration"] == "P730D"
    assert relationship["autoExtendDuration"] == "PT0S"
    assert DATE.fullmatch(relationship["endDateTime"])


def test_long_lists_come_in_pages(get: Get) -> None:
    """100 by default; delegated lists have at most 300 a page."""
    assert [len(page) for page in pages(get, CONTRACTS)] == [100, 100, 100, 100, 3]
    assert [len(page) for page in pages(get, f"{RELATIONSHIPS}?$top=3")] == [3, 1]
    link = get(f"{RELATIONSHIPS}?$top=3").json()["@odata.nextLink"]
    assert "/v1.0/tenantRelationships/delegatedAdminRelationships?" in link
    for path in (CUSTOMERS, RELATIONSHIPS):
        assert get(f"{path}?$top=300").status_code == 200
        assert get(f"{path}?$top=301").status_code == 400
    assert get(f"{CONTRACTS}?$top=999").status_code == 200


@pytest.mark.parametrize(
    ("roles", "answers"),
    [(PARTNER_READS, (200, 200, 200)), (READS, (403, 403, 403)),
     ((*READS, "Directory.Read.All"), (200, 403, 403)),
     (("DelegatedAdminRelationship.Read.All",), (403, 200, 200))],
)  # fmt: skip
def test_each_list_needs_its_own_permission(
    get: Get, world: World, roles: tuple[str, ...], answers: tuple[int, ...]
) -> None:
    """Directory.Read.All opens the contracts, DelegatedAdminRelationship.Read.All the others."""
    msp = world.tenant("northwind")
    assert msp.monitor is not None
    msp.principal_of(msp.monitor.client_id).graph_roles = roles
    paths = (CONTRACTS, CUSTOMERS, RELATIONSHIPS)
    assert tuple(get(path).status_code for path in paths) == answers


def test_the_lists_can_be_throttled_and_can_fail(get: Get, world: World) -> None:
    """By resource units (a contract costs 3) and by a fault."""
    msp = world.tenant("northwind")
    msp.faults.append(Fault(RELATIONSHIPS, times=1, status=503))
    assert [get(RELATIONSHIPS).status_code for _ in range(2)] == [503, 200]
    assert get(CONTRACTS).headers["x-ms-resource-unit"] == "3"
    msp.resource_units = 4
    assert [get(CONTRACTS).status_code for _ in range(2)] == [200, 429]


def test_consent_is_what_lets_the_app_into_a_customer(
    http: requests.Session, cloud: Cloud, world: World
) -> None:
    """Before it Entra does not know the app there."""
    fabrikam = world.tenant("fabrikam")
    assert token(http, cloud, fabrikam)["error_codes"] == [700016]
    consent(fabrikam, world.tenant("northwind"))
    assert "access_token" in token(http, cloud, fabrikam)


def test_the_partner_is_written_as_a_partner_with_a_shared_app(cloud: Cloud, tmp_path: Any) -> None:
    """And its customers are written nowhere."""
    found = read(tmp_path / "tenants.toml", load(cloud.write_settings(tmp_path)))
    assert found.errors == ()
    assert [(one.name, one.partner, one.app) for one in found.tenants] == [
        ("northwind", True, "msp")
    ]
    assert [app.name for app in found.apps] == ["msp"]
