"""The sandbox's Graph, as its documentation and recorded traffic show the real one."""

# ruff: noqa: D103 (the names tell)

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from monitor.sandbox import Cloud, Fault, SandboxClock, Twist, World, crowd, demo_world
from monitor.sandbox.world import Owner, Tenant

Get = Callable[..., requests.Response]


@pytest.fixture
def clock() -> SandboxClock:
    return SandboxClock()


@pytest.fixture
def world(clock: SandboxClock) -> World:
    return demo_world(clock.now())


@pytest.fixture
def cloud(world: World, clock: SandboxClock) -> Iterator[Cloud]:
    with Cloud(world, clock) as running:
        yield running


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def token(http: requests.Session, cloud: Cloud, tenant: Tenant, scope: str = "") -> str:
    assert tenant.monitor is not None
    answer = http.post(
        f"{cloud.entra_url}/{tenant.directory_id}/oauth2/v2.0/token",
        data={
            "grant_type": "client_credentials",
            "client_id": tenant.monitor.client_id,
            "client_secret": tenant.monitor.secret,
            "scope": scope or "https://graph.microsoft.com/.default",
        },
        verify=str(cloud.ca_file),
        timeout=10,
    )
    return str(answer.json()["access_token"])


@pytest.fixture
def get(http: requests.Session, cloud: Cloud, world: World) -> Get:
    """GET as a tenant's monitor; the path may be a whole address."""
    tokens: dict[str, str] = {}

    def asks(name: str, path: str, **headers: str) -> requests.Response:
        if name not in tokens:
            tokens[name] = token(http, cloud, world.tenant(name))
        url = path if path.startswith("http") else f"{cloud.graph_url}/v1.0{path}"
        bearer = {"Authorization": f"Bearer {tokens[name]}", **headers}
        return http.get(url, headers=bearer, timeout=10)

    return asks


def walk(get: Get, name: str, path: str) -> list[list[dict[str, Any]]]:
    """All pages of a collection."""
    pages = []
    link: str | None = path
    while link:
        body = get(name, link).json()
        pages.append(body["value"])
        link = body.get("@odata.nextLink")
    return pages


def test_headers_and_context(get: Get, clock: SandboxClock) -> None:
    clock.advance(timedelta(minutes=30))
    answer = get(
        "contoso", "//applications?$select=id,appId&$top=999", **{"client-request-id": "me"}
    )
    assert answer.headers["OData-Version"] == "4.0"
    assert answer.headers["client-request-id"] == "me"
    assert answer.headers["x-ms-resource-unit"] == "1"
    assert answer.headers["request-id"]
    said = parsedate_to_datetime(answer.headers["Date"])
    assert abs(said - clock.now()) < timedelta(seconds=5)
    body = answer.json()
    assert body["@odata.context"].endswith("/v1.0/$metadata#applications(id,appId)")
    assert all(set(item) == {"id", "appId"} for item in body["value"])
    assert get("contoso", "/applications").headers["x-ms-resource-unit"] == "2"


def test_who_may_read(
    http: requests.Session, cloud: Cloud, world: World, clock: SandboxClock, get: Get
) -> None:
    denied = get("litware", "/applications")
    assert denied.status_code == 403
    error = denied.json()["error"]
    assert error["code"] == "Authorization_RequestDenied"
    assert error["message"] == "Insufficient privileges to complete the operation."
    assert set(error["innerError"]) == {"date", "request-id", "client-request-id"}
    tenant = world.tenant("contoso")
    mail = token(http, cloud, tenant, "https://outlook.office365.com/.default")
    good = token(http, cloud, tenant)
    url = f"{cloud.graph_url}/v1.0/applications"
    for bearer in ("", "Bearer", "Bearer x.y", "Bearer a.b.c", f"Bearer {mail}", f"Bearer {good}x"):
        answer = http.get(url, headers={"Authorization": bearer}, timeout=10)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "InvalidAuthenticationToken"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    clock.advance(timedelta(hours=2))
    late = http.get(url, headers={"Authorization": f"Bearer {good}"}, timeout=10)
    assert "Lifetime validation failed" in late.json()["error"]["message"]


def test_pages(get: Get, world: World, clock: SandboxClock) -> None:
    tenant = world.tenant("contoso")
    crowd(tenant, 210, clock.now())
    pages = walk(get, "contoso", "/applications?$select=id")
    assert [len(page) for page in pages] == [100, 100, len(tenant.apps) - 200]
    assert [item["id"] for page in pages for item in page] == [a.object_id for a in tenant.apps]
    assert len(walk(get, "contoso", "/applications?$top=999")) == 1
    link = get("contoso", "/applications?$top=5&$select=id").json()["@odata.nextLink"]
    assert get("fabrikam", link).json()["error"]["code"] == "Directory_ExpiredPageToken"
    for bad in ("$top=1000", "$top=0", "$select=wrong", "$skiptoken=x", "$filter=x gt 1"):
        assert get("contoso", f"/applications?{bad}").status_code == 400


def test_single_objects_and_their_children(get: Get, world: World) -> None:
    tenant = world.tenant("relecloud")
    app = next(a for a in tenant.apps if a.federated)
    by_id = get("relecloud", f"/applications/{app.object_id}").json()
    assert by_id == get("relecloud", f"/applications(appId='{app.app_id}')").json()
    assert by_id["displayName"] == app.name
    found = get("relecloud", f"/applications?$filter=appId eq '{app.app_id}'").json()["value"]
    assert [item["id"] for item in found] == [app.object_id]
    owners = get("relecloud", f"/applications/{app.object_id}/owners").json()["value"]
    assert owners[0]["@odata.type"] == "#microsoft.graph.user"
    trusts = get("relecloud", f"/applications/{app.object_id}/federatedIdentityCredentials").json()
    assert trusts["value"][0]["subject"].startswith("repo:")
    app.owners = [Owner(str(n), f"Owner {n}", None) for n in range(30)]
    path = "/applications?$expand=owners,federatedIdentityCredentials&$select=id"
    item = next(i for i in get("relecloud", path).json()["value"] if i["id"] == app.object_id)
    assert len(item["owners"]) == 20
    assert item["federatedIdentityCredentials"] == trusts["value"]
    missing = get("relecloud", "/applications/00000000-0000-0000-0000-000000000001")
    assert missing.json()["error"]["code"] == "Request_ResourceNotFound"
    assert get("relecloud", "/nothing").status_code == 404
    organization = get("relecloud", "/organization").json()["value"]
    assert organization[0]["id"] == tenant.directory_id


def test_credentials_look_like_the_real_ones(get: Get) -> None:
    apps = walk(get, "relecloud", "/applications?$top=999")[0]
    secrets = [s for app in apps for s in app["passwordCredentials"]]
    ends = [s["endDateTime"] for s in secrets]
    assert {"2299-12-31T00:00:00Z", "9999-12-31T23:59:59Z", None} <= set(ends)
    assert any(re.fullmatch(r"[\d-]+T[\d:]+\.\d{7}Z", end or "") for end in ends)
    assert all(s["secretText"] is None for s in secrets)
    legacy = [s for s in secrets if s["displayName"] is None]
    names = {base64.b64decode(s["customKeyIdentifier"]).decode("utf-16-le") for s in legacy}
    assert names == {"SMTP replay", "Schlüssel für Büro", "no end", "Lager"}
    assert {s["hint"] for s in legacy} == {None}
    keys = [k for app in apps for k in app["keyCredentials"]]
    assert {k["usage"] for k in keys} == {"Verify", "Sign", "Encrypt"}
    pair = [k for k in keys if k["displayName"] == "CN=Backup to tape"]
    assert len({k["customKeyIdentifier"] for k in pair}) == 1
    assert {k["usage"] for k in pair} == {"Sign", "Verify"}
    names = {app["displayName"] for app in apps}
    assert any("<img" in n for n in names)
    assert any("\r\n" in n for n in names)
    assert any(n.startswith("=HYPERLINK") for n in names)
    assert any("\u202e" in n for n in names)


def test_service_principals_of_every_sort(get: Get, world: World) -> None:
    principals = walk(get, "relecloud", "/servicePrincipals?$top=999")[0]
    by_name = {p["displayName"]: p for p in principals}
    saml = by_name["Expense reports"]
    sign, verify = saml["keyCredentials"]
    password = saml["passwordCredentials"][0]
    assert (sign["usage"], verify["usage"]) == ("Sign", "Verify")
    assert sign["keyId"] == password["keyId"] != verify["keyId"]
    identifier = base64.b64decode(sign["customKeyIdentifier"]).hex().upper()
    assert identifier == saml["preferredTokenSigningKeyThumbprint"]
    assert password["endDateTime"] > sign["endDateTime"]
    machine = by_name["vm-invoice-archive"]
    assert machine["servicePrincipalType"] == "ManagedIdentity"
    assert machine["appOwnerOrganizationId"] is None
    assert len(machine["keyCredentials"]) == 2
    microsoft = [p for p in principals if str(p["appOwnerOrganizationId"]).startswith("f8cdef31")]
    assert len(microsoft) == 4
    assert sum(bool(p["keyCredentials"]) for p in microsoft) == 1
    assert len(by_name["Shipping labels (vendor)"]["passwordCredentials"]) == 1


def test_own_secrets_show_their_first_letters(get: Get, world: World) -> None:
    sign_in = world.tenant("contoso").monitor
    assert sign_in is not None
    app = get("contoso", f"/applications(appId='{sign_in.client_id}')").json()
    assert app["passwordCredentials"][0]["hint"] == (sign_in.secret or "")[:3]


def test_faults_on_the_way(get: Get, world: World, cloud: Cloud) -> None:
    tenant = world.tenant("fabrikam")
    path = "/applications?$top=3&$select=id"
    plain = [i["id"] for page in walk(get, "fabrikam", path) for i in page]

    def broken(**fields: Any) -> requests.Response:
        tenant.faults[:] = [Fault("/applications", times=1, **fields)]
        return get("fabrikam", path)

    busy = broken(status=429, code="TooManyRequests", headers={"Retry-After": "7"})
    assert (busy.status_code, busy.headers["Retry-After"]) == (429, "7")
    assert "Retry-After" not in broken(status=429).headers
    assert broken(status=503, body=b"<html>busy</html>").text == "<html>busy</html>"
    assert broken(twist=Twist.HTML).headers["Content-Type"] == "text/html"
    with pytest.raises(requests.JSONDecodeError):
        broken(twist=Twist.TRUNCATE).json()
    for twist in (Twist.CLOSE, Twist.DROP):
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            broken(twist=twist)
    assert "collector.example" in broken(twist=Twist.FOREIGN_NEXT).json()["@odata.nextLink"]
    again = broken(twist=Twist.REPEAT_NEXT).json()["@odata.nextLink"]
    assert again == f"{cloud.graph_url}/v1.0{path}"
    assert broken(twist=Twist.MALFORMED).json()["value"][0]["id"] == "not-a-guid"
    for twist in (Twist.EMPTY_PAGE, Twist.EXTRA_PAGE, Twist.DUPLICATE):
        page = None if twist is Twist.EXTRA_PAGE else 1
        times = None if twist is Twist.EXTRA_PAGE else 1
        tenant.faults[:] = [Fault("/applications", page=page, times=times, twist=twist)]
        pages = walk(get, "fabrikam", path)
        assert list(dict.fromkeys(i["id"] for page in pages for i in page)) == plain
        assert len(pages) == len(plain) // 3 + 1 + (twist is not Twist.DUPLICATE)


def test_the_stories_break_as_told(get: Get) -> None:
    assert get("lucerne", "/applications").status_code == 429
    assert get("lucerne", "/applications").headers["Retry-After"] == "1"
    assert get("lucerne", "/applications").status_code == 200
    first = get("alpine", "/applications?$top=999").json()
    assert len(first["value"]) == 7
    for _ in range(3):
        with pytest.raises(requests.JSONDecodeError):
            get("alpine", first["@odata.nextLink"]).json()


def test_resource_units(get: Get, world: World) -> None:
    world.tenant("contoso").resource_units = 3
    assert get("contoso", "/applications").status_code == 200
    busy = get("contoso", "/applications")
    assert (busy.status_code, busy.json()["error"]["code"]) == (429, "TooManyRequests")
    assert int(busy.headers["Retry-After"]) > 0
    assert busy.headers["x-ms-throttle-information"] == "ResourceUnitLimitExceeded"


def test_a_new_secret_needs_its_time(http: requests.Session, cloud: Cloud, world: World) -> None:
    tenant = world.tenant("contoso")
    assert tenant.monitor is not None
    principal = tenant.principal_of(tenant.monitor.client_id)
    url = f"{cloud.graph_url}/v1.0/applications(appId='{tenant.monitor.client_id}')"
    bearer = {"Authorization": f"Bearer {token(http, cloud, tenant)}"}
    wish = {"passwordCredential": {"displayName": "new", "endDateTime": "2050-01-01T00:00:00Z"}}
    assert http.post(f"{url}/addPassword", json=wish, headers=bearer).status_code == 403
    principal.graph_roles = (*principal.graph_roles, "Application.ReadWrite.All")
    bearer = {"Authorization": f"Bearer {token(http, cloud, tenant)}"}
    tenant.refusals_after_add = 2
    made = http.post(f"{url}/addPassword", json=wish, headers=bearer).json()
    assert made["secretText"][:3] == made["hint"]
    assert made["endDateTime"].startswith("2050-01-01T00:00:00")
    form = {
        "grant_type": "client_credentials",
        "client_id": tenant.monitor.client_id,
        "client_secret": made["secretText"],
        "scope": "https://graph.microsoft.com/.default",
    }
    entra = f"{cloud.entra_url}/{tenant.directory_id}/oauth2/v2.0/token"
    ca = str(cloud.ca_file)
    tries = [http.post(entra, data=form, verify=ca).status_code for _ in range(3)]
    assert tries == [401, 401, 200]
    shown = http.get(url, headers=bearer).json()["passwordCredentials"]
    assert [s["secretText"] for s in shown] == [None, None]
    gone = {"keyId": made["keyId"]}
    assert http.post(f"{url}/removePassword", json=gone, headers=bearer).status_code == 204
    again = http.post(f"{url}/removePassword", json=gone, headers=bearer).json()
    assert again["error"]["message"].startswith("No password credential found with keyId")
