"""Apps that trust another issuer: a managed identity, or a workload's token in a file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from monitor.entra.failures import token_error
from monitor.entra.secrets import ResolvedCredential
from monitor.errors import TokenError
from monitor.model import Cloud

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken as AzureToken


class FederatedIdentity:
    """An app that trusts another issuer, whose token is the app's assertion.

    Fact: https://learn.microsoft.com/entra/workload-id/workload-identity-federation

    Args:
        tenant_id: the directory.
        client_id: the app's.
        issuer: gives the assertions, a new one for each token.
        options: of azure-identity's credential.
    """

    def __init__(
        self, tenant_id: str, client_id: str, issuer: Issuer, options: dict[str, Any]
    ) -> None:
        from azure.identity.aio import ClientAssertionCredential

        self._assertion = ""
        self._issuer = issuer
        # azure-identity asks for the assertion on the event loop, so it is fetched before.
        self._app = ClientAssertionCredential(
            tenant_id, client_id, lambda: self._assertion, **options
        )

    @property
    def known(self) -> tuple[str, ...]:
        """What must not show: the assertion, once there is one."""
        return (self._assertion,)

    async def get_token(self, *scopes: str, **options: Any) -> AzureToken:
        """A token for the app (the interface of azure-core's AsyncTokenCredential).

        Raises:
            TokenError: the managed identity gives no assertion.
            SecretError: the file of the assertion cannot be read.
        """
        self._assertion = await self._issuer.assertion()
        return await self._app.get_token(*scopes, **options)

    async def close(self) -> None:
        """Close the connections."""
        await self._issuer.close()
        await self._app.close()


class Issuer(Protocol):
    """Gives an app's assertions."""

    async def assertion(self) -> str:
        """A token that the app trusts."""

    async def close(self) -> None:
        """Close the connections."""


class _ManagedIdentity:
    """This machine's identity in Azure.

    Fact: https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity
    """

    def __init__(self, cloud: Cloud, client_id: str) -> None:
        from azure.identity.aio import ManagedIdentityCredential

        self._audience = exchange_audience(cloud)
        self._identity = ManagedIdentityCredential(client_id=client_id, retry_total=1)

    async def assertion(self) -> str:
        from azure.core.exceptions import AzureError

        try:
            return str((await self._identity.get_token(self._audience)).token)
        except AzureError as exc:
            raise _no_managed_identity(exc) from None

    async def close(self) -> None:
        await self._identity.close()


class _TokenFile:
    """A workload's token, which its platform renews in a file.

    Fact: https://learn.microsoft.com/entra/workload-id/workload-identity-federation
    """

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read

    async def assertion(self) -> str:
        return await asyncio.to_thread(self._read)

    async def close(self) -> None:
        pass


def issuer(cloud: Cloud, value: ResolvedCredential) -> Issuer:
    """Who gives the assertions of a federated credential or a managed identity."""
    if value.assertion is not None:
        return _TokenFile(value.assertion)
    return _ManagedIdentity(cloud, value.client_id)


def assertion_now(cloud: Cloud, value: ResolvedCredential) -> str:
    """An assertion of this moment; blocks, so call it in a thread.

    Raises:
        TokenError: the managed identity gives none.
        SecretError: the file of the token cannot be read.
    """
    if value.assertion is not None:
        return value.assertion()
    return _identity_assertion(cloud, value.client_id)


def exchange_audience(cloud: Cloud) -> str:
    """What a managed identity's token must be for, to be exchanged in this cloud.

    Fact: https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity
    """
    host = urlsplit(cloud.authority).hostname or ""
    suffix = "USGov" if host.endswith(".us") else "China" if host.endswith(".cn") else ""
    return f"api://AzureADTokenExchange{suffix}/.default"


def _identity_assertion(cloud: Cloud, identity: str) -> str:
    from azure.core.exceptions import AzureError
    from azure.identity import ManagedIdentityCredential

    try:
        with ManagedIdentityCredential(client_id=identity, retry_total=1) as credential:
            return str(credential.get_token(exchange_audience(cloud)).token)
    except AzureError as exc:
        raise _no_managed_identity(exc) from None


def _no_managed_identity(error: Exception) -> TokenError:
    # Not str(error): azure-core appends the answer to it, which may be a token.
    said = str(getattr(error, "message", "")) or type(error).__name__
    return token_error(
        "managed_identity_missing",
        "The managed identity gave no token on this machine.",
        evidence=said,
    )
