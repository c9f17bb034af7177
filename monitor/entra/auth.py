"""Signing in: credentials for Graph (azure-identity) and fresh tokens for SMTP (msal)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from monitor.entra.claims import claims_of, refuse_other_directory
from monitor.entra.failures import (
    Diagnose,
    connection_words,
    looks_like_html,
    refused_by_status,
    refused_token,
    token_error,
    unusable_ca,
)
from monitor.entra.federated import FederatedIdentity, assertion_now, issuer
from monitor.entra.network import connection_cause, is_loopback
from monitor.entra.secrets import ResolvedCredential
from monitor.errors import TokenError
from monitor.log import hide
from monitor.model import Cloud

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken as AzureToken
    from azure.core.credentials_async import AsyncTokenCredential
    from requests import Response

CONNECT_S = 10.0  # design: connect 10 s


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token for SMTP. `claims` are unverified; {} where the token is opaque."""

    value: str = field(repr=False)
    expires_at: datetime
    claims: Mapping[str, Any] = field(default_factory=dict)


def graph_credential(
    tenant_id: str,
    client_id: str,
    cloud: Cloud,
    value: ResolvedCredential,
    *,
    timeout: float,
) -> GraphSignIn | FederatedIdentity:
    """A new azure-identity credential, with an empty cache, for one tenant's Graph.

    Args:
        tenant_id: the directory's GUID or domain.
        client_id: the app's.
        cloud: whose authority and CA are used, whatever REQUESTS_CA_BUNDLE says.
        value: what the app signs in with.
        timeout: seconds for one answer.

    Raises:
        TokenError: the tenant id or the certificate cannot be used at all.
    """
    from azure.identity.aio import CertificateCredential, ClientSecretCredential

    options = _azure_options(cloud, timeout)
    try:
        if value.form == "secret":
            return GraphSignIn(
                ClientSecretCredential(tenant_id, client_id, value.secret, **options), value.known
            )
        if value.form == "certificate":
            options |= {"certificate_data": value.pem}
            return GraphSignIn(CertificateCredential(tenant_id, client_id, **options), value.known)
        return FederatedIdentity(tenant_id, client_id, issuer(cloud, value), options)
    except ValueError as exc:
        said = hide(str(exc), value.known)
        raise token_error("bad_tenant_id", f"The tenant cannot be signed in to: {said}") from None


class GraphSignIn:
    """An azure-identity credential, with what must not show of it.

    Args:
        credential: gives the tokens.
        known: values that it sends.
    """

    def __init__(self, credential: AsyncTokenCredential, known: Sequence[str]) -> None:
        self.known = tuple(known)
        self._credential = credential

    async def get_token(self, *scopes: str, **options: Any) -> AzureToken:
        """A token (the interface of azure-core's AsyncTokenCredential)."""
        return await self._credential.get_token(*scopes, **options)

    async def close(self) -> None:
        """Close the connections."""
        await self._credential.close()


def smtp_token(
    tenant_id: str,
    client_id: str,
    cloud: Cloud,
    value: ResolvedCredential,
    *,
    timeout_s: float,
    diagnose: Diagnose | None = None,
    scope: str | None = None,
) -> AccessToken:
    """A token for SMTP that was issued just now; blocks, so call it in a thread.

    It is never a cached one: that would hide a dead secret for an hour.

    Args:
        tenant_id: the directory's GUID or domain.
        client_id: of the app that sends.
        cloud: whose authority, scope and CA are used.
        value: what the app signs in with.
        timeout_s: seconds for one answer.
        diagnose: names the cause of a refusal; without it the cause is `unknown` and the
            error's evidence is the answer as it came.
        scope: of another API, in place of the cloud's for SMTP.

    Raises:
        TokenError: no token, for whatever reason.
        SecretError: the file of a federated assertion cannot be read.
    """
    where = urlsplit(cloud.authority).netloc
    if cloud.ca_file is not None and not os.path.isfile(cloud.ca_file):
        raise unusable_ca(cloud.ca_file)
    credential = _msal_credential(cloud, value)
    known = _sent(value, credential)
    http = AuthorityHttp(cloud, timeout_s, known)
    asked_at = datetime.now(UTC)
    try:
        app = _msal_app(client_id, credential, f"{cloud.authority.rstrip('/')}/{tenant_id}", http)
        answer = app.acquire_token_for_client([scope or cloud.smtp_scope])
    except TokenError:
        raise
    except Exception as exc:  # msal passes on whatever requests, json and its own code raise
        # Not `from exc`: that holds the whole answer.
        raise _msal_failure(exc, http.last, where, diagnose, known) from None
    finally:
        http.close()
    return _msal_answer(answer, asked_at, tenant_id, where, diagnose, known)


def _msal_app(client_id: str, credential: Any, authority: str, http: AuthorityHttp) -> Any:
    import msal

    return msal.ConfidentialClientApplication(
        client_id,
        client_credential=credential,
        authority=authority,
        # The authority is ours to trust: it comes from a preset or from the settings.
        instance_discovery=False,
        http_client=http,
    )


class AuthorityHttp:
    """A requests session with a deadline, a CA and a memory of the last answer; msal calls it.

    It follows no redirect: requests would send the client secret along, in clear text too.

    Args:
        cloud: whose CA is trusted; no proxy stands before this machine's own addresses.
        timeout_s: seconds for an answer.
        known: secret values that are taken out of what is kept.
    """

    def __init__(self, cloud: Cloud, timeout_s: float, known: Sequence[str] = ()) -> None:
        import requests

        self.last: Response | None = None
        self._where = urlsplit(cloud.authority).netloc
        self._known = known
        self._timeouts = (min(CONNECT_S, timeout_s), timeout_s)
        self._session = requests.Session()
        if cloud.ca_file is not None:
            # REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE would win over `verify` otherwise.
            self._session.trust_env = False
            self._session.verify = cloud.ca_file
            self._session.proxies.update(requests.utils.get_environ_proxies(cloud.authority))
        if is_loopback(cloud.authority):
            self._session.trust_env = False
            self._session.proxies.clear()

    def post(self, url: str, **options: Any) -> Response:
        """POST (msal's HttpClient interface)."""
        return self._ask("POST", url, options)

    def get(self, url: str, **options: Any) -> Response:
        """GET (msal's HttpClient interface)."""
        return self._ask("GET", url, options)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _ask(self, verb: str, url: str, options: dict[str, Any]) -> Response:
        options |= {"allow_redirects": False, "timeout": self._timeouts}
        self.last = response = self._session.request(verb, url, **options)
        # Here, because msal reads the body of any answer below 500 as if it were a token.
        text = hide(response.text, self._known)
        refused = refused_by_status(response.status_code, text, self._where)
        if refused is not None:
            raise refused
        return response


def _azure_options(cloud: Cloud, timeout: float) -> dict[str, Any]:
    return {
        "authority": cloud.authority,
        "disable_instance_discovery": True,
        "connection_verify": cloud.ca_file or True,
        "connection_timeout": min(CONNECT_S, timeout),
        "read_timeout": timeout,
        "retry_total": 0,  # the scan tries again itself, within the token's deadline
        "use_env_settings": not is_loopback(cloud.authority),
    }


def _msal_credential(cloud: Cloud, value: ResolvedCredential) -> str | dict[str, Any]:
    if value.form == "secret":
        return value.secret
    if value.form == "certificate":
        pem = value.pem.decode("ascii")
        return {"private_key": pem, "public_certificate": pem}
    return {"client_assertion": assertion_now(cloud, value)}


def _sent(value: ResolvedCredential, credential: str | dict[str, Any]) -> tuple[str, ...]:
    """What the token endpoint is told and could repeat."""
    assertion = "" if isinstance(credential, str) else credential.get("client_assertion", "")
    return (*value.known, assertion)


def _msal_failure(
    error: Exception,
    last: Response | None,
    where: str,
    diagnose: Diagnose | None,
    known: Sequence[str],
) -> TokenError:
    """The error for what msal raised: the last answer explains it better than the exception."""
    told = hide(str(error), known)
    if connection_cause(error) is not None:
        cause, message = connection_words(error, where, known=known)
        return token_error(cause, message, evidence=told)
    text = hide(last.text, known) if last is not None else ""
    if last is None or not text.strip():
        return token_error("transient", f"{where} gave no usable answer.", evidence=told)
    if last.status_code >= 500 and not text.lstrip().startswith("{"):
        return token_error("transient", f"{where} answered {last.status_code}.", evidence=text)
    if last.ok and not looks_like_html(text):
        # What was to be a token is not kept, as nobody knows where in it the token is.
        return token_error("malformed_page", f"{where} sent no readable answer.")
    return refused_token(text, where, diagnose, known=known)


def _msal_answer(
    answer: Any,
    asked_at: datetime,
    tenant_id: str,
    where: str,
    diagnose: Diagnose | None,
    known: Sequence[str],
) -> AccessToken:
    import msgspec

    value = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(value, str) or not value:
        if not isinstance(answer, dict) or "error" not in answer:
            raise token_error("malformed_page", f"{where} sent no readable answer.")
        raise refused_token(msgspec.json.encode(answer).decode(), where, diagnose, known=known)
    claims = claims_of(value)
    refuse_other_directory(claims, tenant_id)
    try:
        lifetime = timedelta(seconds=int(answer.get("expires_in") or 0))
    except (TypeError, ValueError, OverflowError):
        lifetime = timedelta(0)
    return AccessToken(value, asked_at + lifetime, claims)
