"""The sandbox's token endpoint: each refusal in its documented shape, by the sandbox's clock."""

# ruff: noqa: D103 (the names tell)

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from monitor.sandbox import Cloud, Fault, SandboxClock, Twist, World, demo_world
from monitor.sandbox.world import FederatedCredential, SignIn, Tenant

GRAPH = "https://graph.microsoft.com/.default"
BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


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


@pytest.fixture(scope="module")
def steady() -> Iterator[Cloud]:
    """A cloud whose world no test changes."""
    clock = SandboxClock()
    with Cloud(demo_world(clock.now()), clock) as running:
        yield running


@pytest.fixture
def http(cloud: Cloud) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(cloud.ca_file)
        yield session


def monitor_of(tenant: Tenant) -> SignIn:
    assert tenant.monitor is not None
    return tenant.monitor


def ask(
    http: requests.Session, cloud: Cloud, tenant: Tenant, directory: str = "", **fields: str
) -> requests.Response:
    """A token request as it should be, but for the fields given; an empty one is left out."""
    sign_in = monitor_of(tenant)
    form = {
        "grant_type": "client_credentials",
        "client_id": sign_in.client_id,
        "client_secret": sign_in.secret or "",
        "scope": GRAPH,
        **fields,
    }
    url = f"{cloud.entra_url}/{directory or tenant.directory_id}/oauth2/v2.0/token"
    return http.post(url, data={k: v for k, v in form.items() if v}, timeout=10)


@pytest.mark.parametrize(
    ("fields", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": ""}, 401, "invalid_client", 7000216),
        ({"client_id": str(uuid.UUID(int=5))}, 400, "unauthorized_client", 700016),
        ({"client_id": ""}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"scope": "https://outlook.office.com/SMTP.SendAsApp"}, 400, "invalid_scope", 1002012),
        ({"scope": f"{GRAPH} https://ps.outlook.com/.default"}, 400, "invalid_scope", 70011),
        ({"scope": "https://nothing.example/.default"}, 400, "invalid_resource", 500011),
        ({"directory": str(uuid.UUID(int=7))}, 400, "invalid_request", 90002),
        ({"directory": "fabrikam-no.example"}, 400, "invalid_request", 90002),
        ({"directory": "no_tenant"}, 400, "invalid_request", 900023),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else None,
)
def test_refusals(
    steady: Cloud,
    fields: dict[str, str],
    status: int,
    error: str,
    code: int,
) -> None:
    with requests.Session() as http:
        http.trust_env = False
        http.verify = str(steady.ca_file)
        answer = ask(http, steady, steady.world.tenant("contoso"), **fields)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    assert f"Trace ID: {body['trace_id']} " in body["error_description"]
    assert body["error_uri"].endswith(f"/error?code={code}")
    assert set(body) == {
        "error",
        "error_description",
        "error_codes",
        "timestamp",
        "trace_id",
        "correlation_id",
        "error_uri",
    }


def code_of(answer: requests.Response) -> int:
    body: dict[str, Any] = answer.json()
    return int(body["error_codes"][0]) if "error_codes" in body else 0


def test_a_secret_lapses_by_the_sandbox_clock(
    http: requests.Session, cloud: Cloud, world: World, clock: SandboxClock
) -> None:
    tenant = world.tenant("contoso")
    assert ask(http, cloud, tenant).status_code == 200
    clock.advance(timedelta(days=400))
    answer = ask(http, cloud, tenant)
    assert code_of(answer) == 7000222
    assert answer.json()["timestamp"].startswith(f"{clock.now():%Y-%m-%d}")
    clock.set(datetime.now(UTC))
    assert ask(http, cloud, tenant, directory=tenant.domain).status_code == 200


def test_states_of_the_app(http: requests.Session, cloud: Cloud, world: World) -> None:
    tenant = world.tenant("contoso")
    principal = tenant.principal_of(monitor_of(tenant).client_id)
    principal.blocked_by_policy = True
    assert code_of(ask(http, cloud, tenant)) == 53003
    principal.enabled = False
    assert code_of(ask(http, cloud, tenant)) == 7000112
    tenant.principals.remove(principal)
    assert code_of(ask(http, cloud, tenant)) == 7000229
    litware = world.tenant("litware")
    token = ask(http, cloud, litware).json()["access_token"]
    assert "roles" not in jwt.decode(token, options={"verify_signature": False})
    litware.has_exchange = False
    scope = "https://outlook.office365.com/.default"
    assert code_of(ask(http, cloud, litware, scope=scope)) == 500011


def test_http_basic(http: requests.Session, cloud: Cloud, world: World) -> None:
    tenant = world.tenant("contoso")
    sign_in = monitor_of(tenant)
    url = f"{cloud.entra_url}/{tenant.directory_id}/oauth2/v2.0/token"
    form = {"grant_type": "client_credentials", "scope": GRAPH}
    login = (sign_in.client_id, sign_in.secret or "")
    assert http.post(url, data=form, auth=login, timeout=10).status_code == 200


def test_discovery(http: requests.Session, cloud: Cloud, world: World) -> None:
    tenant = world.tenant("contoso")
    base = f"{cloud.entra_url}/{tenant.directory_id}"
    found = http.get(f"{base}/v2.0/.well-known/openid-configuration", timeout=10).json()
    assert found["token_endpoint"] == f"{base}/oauth2/v2.0/token"
    assert found["issuer"] == f"{base}/v2.0"
    unknown = f"{cloud.entra_url}/{uuid.UUID(int=9)}/v2.0/.well-known/openid-configuration"
    answer = http.get(unknown, timeout=10)
    assert (answer.status_code, code_of(answer)) == (400, 90002)
    metadata = http.get(f"{cloud.entra_url}/common/discovery/instance", timeout=10).json()
    assert metadata["metadata"][0]["preferred_network"] in cloud.entra_url


def signed(key: rsa.RSAPrivateKey, claims: dict[str, Any], **headers: str) -> dict[str, str]:
    token = jwt.encode(claims, key, algorithm="RS256", headers=headers)
    return {"client_secret": "", "client_assertion_type": BEARER, "client_assertion": token}


def margies_claims(tenant: Tenant, audience: str, minutes: int = 10) -> dict[str, Any]:
    now = datetime.now(UTC)
    client_id = monitor_of(tenant).client_id
    return {
        "aud": audience,
        "iss": client_id,
        "sub": client_id,
        "nbf": now,
        "exp": now + timedelta(minutes=minutes),
    }


def test_certificate_assertions(
    http: requests.Session, cloud: Cloud, world: World, clock: SandboxClock
) -> None:
    tenant = world.tenant("margies")
    pem = monitor_of(tenant).pem or b""
    key = serialization.load_pem_private_key(pem, password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    app = world.find_app(monitor_of(tenant).client_id)
    assert app is not None
    der = app.certificates[0].der or b""
    thumb = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")
    endpoint = f"{cloud.entra_url}/{tenant.directory_id}/oauth2/v2.0/token"
    good = margies_claims(tenant, endpoint)
    header = {"x5t#S256": thumb}
    assert ask(http, cloud, tenant, **signed(key, good, **header)).status_code == 200

    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    stale = margies_claims(tenant, endpoint, minutes=-20)
    elsewhere = margies_claims(tenant, "https://elsewhere.example")
    broken = {**signed(key, good, **header), "client_assertion": "no-jwt"}
    assert code_of(ask(http, cloud, tenant, **signed(other, good, **header))) == 700027
    assert code_of(ask(http, cloud, tenant, **signed(key, good, x5t="AAAA"))) == 700027
    assert code_of(ask(http, cloud, tenant, **signed(key, stale, **header))) == 700024
    assert code_of(ask(http, cloud, tenant, **signed(key, elsewhere, **header))) == 700023
    assert code_of(ask(http, cloud, tenant, **broken)) == 50027
    clock.advance(timedelta(days=500))
    late = ask(http, cloud, tenant, **signed(key, good, **header))
    assert code_of(late) == 700027
    assert "The key was expired." in late.json()["error_description"]


def test_federated_assertions(http: requests.Session, cloud: Cloud, world: World) -> None:
    tenant = world.tenant("contoso")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    app = world.find_app(monitor_of(tenant).client_id)
    assert app is not None
    trust = FederatedCredential("1", "ci", "https://ci.example", "job:1", issuer_key_pem=public)
    app.federated.append(trust)
    good = {
        "iss": trust.issuer,
        "sub": trust.subject,
        "aud": trust.audience,
        "iat": datetime.now(UTC),
        "exp": datetime.now(UTC) + timedelta(minutes=5),
    }
    assert ask(http, cloud, tenant, **signed(key, good)).status_code == 200
    for field, code in {"iss": 700211, "sub": 700213, "aud": 700212}.items():
        assert code_of(ask(http, cloud, tenant, **signed(key, {**good, field: "x"}))) == code


def test_faults_of_the_token_endpoint(http: requests.Session, cloud: Cloud, world: World) -> None:
    tenant = world.tenant("contoso")
    tenant.token_faults += [
        Fault("*/token", times=1, status=503, headers={"Retry-After": "3"}),
        Fault("*/token", times=1, twist=Twist.HTML),
        Fault("*/token", times=1, status=400, code="50076", message="MFA."),
        Fault("*/token", times=1, twist=Twist.DROP),
    ]
    busy = ask(http, cloud, tenant)
    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "3")
    assert busy.json()["error"] == "temporarily_unavailable"
    assert ask(http, cloud, tenant).headers["Content-Type"] == "text/html"
    assert code_of(ask(http, cloud, tenant)) == 50076
    with pytest.raises(requests.ConnectionError):
        ask(http, cloud, tenant)
    assert ask(http, cloud, tenant).status_code == 200
    assert cloud.calls.count("contoso", "POST */token") == 5
