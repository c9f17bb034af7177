"""Unmodified msal, azure-identity and msgraph-sdk against the sandbox."""

# ruff: noqa: D103 (the names tell)

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator

import httpx
import jwt
import msal
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity.aio import CertificateCredential, ClientSecretCredential
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.native_response_handler import NativeResponseHandler
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from kiota_http.middleware.options import ResponseHandlerOption
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph_core import GraphClientFactory

from monitor.sandbox import Cloud, SandboxClock, World, demo_world
from monitor.sandbox.world import SignIn, Tenant

GRAPH_SCOPE = "https://graph.microsoft.com/.default"
SMTP_SCOPE = "https://outlook.office365.com/.default"

# The SDK warns about its own classes when a request builder is imported, which is on first use.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def clock() -> SandboxClock:
    return SandboxClock()


@pytest.fixture(scope="module")
def world(clock: SandboxClock) -> World:
    return demo_world(clock.now())


@pytest.fixture(scope="module")
def cloud(world: World, clock: SandboxClock) -> Iterator[Cloud]:
    with Cloud(world, clock) as running:
        yield running


def monitor_of(tenant: Tenant) -> SignIn:
    assert tenant.monitor is not None
    return tenant.monitor


def msal_token(cloud: Cloud, tenant: Tenant, credential: object, scope: str) -> dict[str, object]:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(cloud.ca_file)
        app = msal.ConfidentialClientApplication(
            monitor_of(tenant).client_id,
            client_credential=credential,
            authority=f"{cloud.entra_url}/{tenant.directory_id}",
            instance_discovery=False,
            http_client=session,
        )
        answer: dict[str, object] = app.acquire_token_for_client([scope])
        return answer


def test_msal_gets_a_token_with_the_documented_claims(cloud: Cloud, world: World) -> None:
    tenant = world.tenant("contoso")
    answer = msal_token(cloud, tenant, monitor_of(tenant).secret, GRAPH_SCOPE)
    claims = jwt.decode(str(answer["access_token"]), options={"verify_signature": False})
    principal = tenant.principal(monitor_of(tenant).client_id)
    assert principal is not None
    assert claims["aud"] == "https://graph.microsoft.com"
    assert claims["iss"] == f"https://sts.windows.net/{tenant.directory_id}/"
    assert (claims["tid"], claims["appid"]) == (tenant.directory_id, principal.app_id)
    assert (claims["oid"], claims["sub"]) == (principal.object_id, principal.object_id)
    assert (claims["idtyp"], claims["ver"]) == ("app", "1.0")
    assert "Application.Read.All" in claims["roles"]
    assert not {"upn", "scp"} & set(claims)


def test_the_published_key_verifies_a_token(cloud: Cloud, world: World) -> None:
    tenant = world.tenant("contoso")
    answer = msal_token(cloud, tenant, monitor_of(tenant).secret, SMTP_SCOPE)
    context = ssl.create_default_context(cafile=str(cloud.ca_file))
    url = f"{cloud.entra_url}/{tenant.directory_id}/discovery/v2.0/keys"
    key = jwt.PyJWKClient(url, ssl_context=context).get_signing_key_from_jwt(
        str(answer["access_token"])
    )
    audience = "https://outlook.office365.com"
    claims = jwt.decode(str(answer["access_token"]), key, ["RS256"], audience=audience)
    assert "roles" not in claims  # the monitor's app has no consent on Exchange


def test_msal_tells_an_expired_secret(cloud: Cloud, world: World) -> None:
    tenant = world.tenant("proseware")
    answer = msal_token(cloud, tenant, monitor_of(tenant).secret, GRAPH_SCOPE)
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [7000222])
    assert "are expired" in str(answer["error_description"])


@pytest.mark.parametrize("thumbprint", [True, False], ids=["RS256 and x5t", "PS256 and x5t#S256"])
def test_msal_signs_in_with_a_certificate(cloud: Cloud, world: World, thumbprint: bool) -> None:
    tenant = world.tenant("margies")
    pem = (monitor_of(tenant).pem or b"").decode()
    app = next(a for a in tenant.apps if a.app_id == monitor_of(tenant).client_id)
    credential = {"private_key": pem, "public_certificate": pem[pem.index("-----BEGIN CERT") :]}
    if thumbprint:
        credential = {"private_key": pem, "thumbprint": app.certificates[0].thumbprint}
    assert "access_token" in msal_token(cloud, tenant, credential, GRAPH_SCOPE)


async def test_azure_identity_signs_in_with_a_certificate(cloud: Cloud, world: World) -> None:
    tenant = world.tenant("margies")
    async with CertificateCredential(
        tenant.directory_id,
        monitor_of(tenant).client_id,
        certificate_data=monitor_of(tenant).pem,
        authority=cloud.entra_url,
        disable_instance_discovery=True,
        connection_verify=str(cloud.ca_file),
    ) as credential:
        assert (await credential.get_token(GRAPH_SCOPE)).token


async def test_azure_identity_shows_the_error_body(cloud: Cloud, world: World) -> None:
    tenant = world.tenant("contoso")
    wrong = "6a1f1f3c-9c0f-4f0e-9a51-6f0c6f4f2b11"
    async with credential_of(cloud, tenant, wrong) as credential:
        with pytest.raises(ClientAuthenticationError, match="AADSTS7000215") as caught:
            await credential.get_token(GRAPH_SCOPE)
    assert caught.value.response is not None
    body = json.loads(caught.value.response.text())
    assert body["error_codes"] == [7000215]
    assert "client secret value, not the client secret ID" in body["error_description"]


def credential_of(
    cloud: Cloud, tenant: Tenant, secret: str | None = None
) -> ClientSecretCredential:
    sign_in = monitor_of(tenant)
    return ClientSecretCredential(
        tenant.directory_id,
        sign_in.client_id,
        secret or str(sign_in.secret),
        authority=cloud.entra_url,
        disable_instance_discovery=True,
        connection_verify=str(cloud.ca_file),
    )


async def read_applications(cloud: Cloud, tenant: Tenant, top: int) -> list[dict[str, object]]:
    """All applications by msgraph-sdk, page after page, as raw JSON."""
    from msgraph.generated.applications.applications_request_builder import (
        ApplicationsRequestBuilder,
    )

    # The SDK's middleware does not close the transport that it wraps, so the test does.
    wire = httpx.AsyncHTTPTransport()
    async with (
        credential_of(cloud, tenant) as credential,
        wire,
        httpx.AsyncClient(transport=wire) as http,
    ):
        auth = AzureIdentityAuthenticationProvider(
            credential, scopes=[GRAPH_SCOPE], allowed_hosts=["127.0.0.1"]
        )
        client = GraphClientFactory.create_with_default_middleware(client=http)
        adapter = GraphRequestAdapter(auth, client=client)
        adapter.base_url = f"{cloud.graph_url}/v1.0/"
        graph = GraphServiceClient(request_adapter=adapter)
        options = [ResponseHandlerOption(NativeResponseHandler())]
        wanted = ApplicationsRequestBuilder.ApplicationsRequestBuilderGetQueryParameters(
            select=["id", "appId", "displayName", "passwordCredentials"], top=top
        )
        first = RequestConfiguration(query_parameters=wanted, options=options)
        response = await graph.applications.get(request_configuration=first)
        found: list[dict[str, object]] = []
        while True:
            page = response.json()  # type: ignore[union-attr]
            found += page["value"]
            link = page.get("@odata.nextLink")
            if link is None:
                return found
            following = RequestConfiguration(options=options)
            response = await graph.applications.with_url(link).get(request_configuration=following)


async def test_msgraph_sdk_reads_all_pages(cloud: Cloud, world: World) -> None:
    tenant = world.tenant("relecloud")
    before = cloud.calls.count("relecloud", "GET /applications")
    found = await read_applications(cloud, tenant, top=4)
    assert [a["id"] for a in found] == [a.object_id for a in tenant.apps]
    assert set(found[0]) == {"id", "appId", "displayName", "passwordCredentials"}
    assert cloud.calls.count("relecloud", "GET /applications") - before == -(-len(found) // 4)


async def test_msgraph_sdk_waits_when_it_is_throttled(cloud: Cloud, world: World) -> None:
    tenant = world.tenant("lucerne")
    for fault in tenant.faults:
        fault.times = 1  # each one costs the client a second
    found = await read_applications(cloud, tenant, top=999)
    assert len(found) == len(tenant.apps)
    assert cloud.calls.count("lucerne", "GET /applications") == 2
