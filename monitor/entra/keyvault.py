"""The door to Azure Key Vault: reads one secret, as whoever this machine is in Azure.

Facts: https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret,
https://learn.microsoft.com/azure/key-vault/general/rest-error-codes
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from monitor.entra.failures import brief, connection_words
from monitor.entra.network import connection_cause, is_loopback
from monitor.errors import SecretError
from monitor.model import Cloud
from monitor.references import keyvault_name

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError
    from azure.keyvault.secrets import SecretClient

API_VERSION = "7.4"  # old enough for every cloud
REMEMBERED_S = 60.0  # a vault that cannot be reached is not asked again for so long
_INSTALL = 'Install the extra: pip install "lapsewatch[keyvault]"; or use file: or env: instead.'
_GRANT = (
    "Give this machine's identity the role Key Vault Secrets User on the vault (or the access "
    "policy Get on secrets), and let the vault's firewall admit it."
)


class KeyVault:
    """Reads secrets. Safe to use from several threads; one client per vault is kept.

    Args:
        cloud: whose vaults, authority and CA are used.
        managed_identity: the client id of a user-assigned identity; without it the machine's
            DefaultAzureCredential decides: environment, workload identity, managed identity, …
        connect_s: seconds to open a connection.
        read_s: seconds to wait for an answer.
    """

    def __init__(
        self, cloud: Cloud, *, managed_identity: str | None, connect_s: float, read_s: float
    ) -> None:
        self._cloud = cloud
        self._managed_identity = managed_identity
        self._timeouts = {"connection_timeout": connect_s, "read_timeout": read_s}
        self._lock = threading.Lock()
        self._clients: dict[str, SecretClient] = {}
        self._credential: Any = None
        self._down: dict[str, tuple[float, SecretError]] = {}

    def read(self, name: str) -> str:
        """The value of "VAULT/NAME" or "VAULT/NAME/VERSION".

        Raises:
            SecretError: it is not there, not for us, or the vault cannot be asked. What may pass
                by itself is not permanent.
        """
        try:
            vault, secret, version = keyvault_name(name)
        except ValueError:
            raise SecretError("A Key Vault reference is not keyvault:VAULT/NAME.") from None
        until, error = self._down.get(vault, (0.0, None))
        if error is not None and time.monotonic() < until:
            raise SecretError(
                error.message, remedy=error.remedy, cause=error.cause, permanent=error.permanent
            )
        return self._ask(vault, secret, version)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()
            if self._credential is not None:
                self._credential.close()
                self._credential = None

    def _ask(self, vault: str, secret: str, version: str | None) -> str:
        from azure.core.exceptions import (
            AzureError,
            ClientAuthenticationError,
            HttpResponseError,
        )

        client = self._client(vault)
        try:
            return client.get_secret(secret, version).value or ""
        except HttpResponseError as error:
            # The vault's own 401 is of this class, too.
            if isinstance(error, ClientAuthenticationError) and not self._is_from(vault, error):
                raise self._keep_down(vault, self._no_token(vault, error)) from None
            raise _refused(f"keyvault:{vault}/{secret}", vault, error) from None
        except (AzureError, ValueError) as error:  # ValueError: a challenge for another domain
            raise self._keep_down(vault, self._unreachable(vault, error)) from None

    def _client(self, vault: str) -> SecretClient:
        try:
            from azure.keyvault.secrets import SecretClient
        except ImportError:
            raise SecretError(
                "Key Vault references need the package azure-keyvault-secrets.", remedy=_INSTALL
            ) from None
        with self._lock:
            if vault not in self._clients:
                if self._credential is None:
                    self._credential = self._identity()
                url = self._address(vault)
                self._clients[vault] = SecretClient(
                    url,
                    self._credential,
                    api_version=API_VERSION,
                    # A test bench on this machine has no domain that a resource could be part of.
                    verify_challenge_resource=not is_loopback(url),
                    **self._options(url),
                )
            return self._clients[vault]

    def _identity(self) -> Any:
        from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

        options = self._options(self._cloud.authority)
        if self._managed_identity is not None:
            return ManagedIdentityCredential(client_id=self._managed_identity, retry_total=1)
        return DefaultAzureCredential(
            authority=self._cloud.authority, disable_instance_discovery=True, **options
        )

    def _options(self, url: str) -> dict[str, Any]:
        return {
            "connection_verify": self._cloud.ca_file or True,
            "retry_total": 0,
            "use_env_settings": not is_loopback(url),
            **self._timeouts,
        }

    def _address(self, vault: str) -> str:
        return self._cloud.keyvault.replace("{vault}", vault)

    def _is_from(self, vault: str, error: HttpResponseError) -> bool:
        """Whether it is the vault's answer, and not that of whoever gives the tokens."""
        request = getattr(error.response, "request", None)
        return str(getattr(request, "url", "")).startswith(f"{self._address(vault)}/")

    def _no_token(self, vault: str, error: Exception) -> SecretError:
        # Not str(error): azure-core appends the answer to it, which may be a token.
        said = brief(str(getattr(error, "message", "") or type(error).__name__), 300)
        return SecretError(
            f"The Key Vault {vault} could not be read: this machine has no identity that it "
            f"takes. {said}",
            remedy="Give the machine a managed identity (or AZURE_CLIENT_ID and its fellows), "
            "and name it as managed_identity under [vault] where it has several.",
            cause="managed_identity_missing",
            evidence=said,
        )

    def _unreachable(self, vault: str, error: Exception) -> SecretError:
        where = urlsplit(self._address(vault)).netloc
        if connection_cause(error) is not None:
            cause, message = connection_words(error, where)
        else:
            cause, message = (
                "transient",
                f"{where} did not answer as a Key Vault ({brief(str(error), 200)}).",
            )
        return SecretError(
            f"The Key Vault {vault} could not be reached: {message}",
            remedy="Check the vault's name, the cloud under [vault], and the way there.",
            cause=cause,
            permanent=cause == "tls_untrusted",
        )

    def _keep_down(self, vault: str, error: SecretError) -> SecretError:
        """Remember the failure, so that a thousand tenants do not wait for it one by one."""
        self._down[vault] = (time.monotonic() + REMEMBERED_S, error)
        return error


def _refused(shown: str, vault: str, error: HttpResponseError) -> SecretError:
    """The error for what a vault answered instead of a secret."""
    status = error.status_code or 0
    code = _inner_code(error)
    if status == 404:
        return SecretError(
            f"{shown} is not there.",
            remedy=f"Check the name, and set the secret in the Key Vault {vault}.",
        )
    if status == 403 and code in ("SecretDisabled", "SecretNotYetValid", "SecretExpired"):
        return SecretError(
            f"{shown} is disabled or outside its dates ({code}).",
            remedy="Enable it in the vault, or name another version.",
        )
    if status == 403:
        return SecretError(f"{shown} may not be read ({code}).", remedy=_GRANT)
    if status == 401:
        return SecretError(
            f"The Key Vault {vault} did not take this machine's token ({code}).", remedy=_GRANT
        )
    passing = status == 429 or status >= 500 or status < 300
    said = "sent no readable answer" if status < 300 else f"answered {status} ({code})"
    return SecretError(
        f"The Key Vault {vault} {said}.",
        remedy="It is tried again." if passing else "Check the reference.",
        cause="throttled" if status == 429 else "transient" if passing else "secret_missing",
        permanent=not passing,
    )


def _inner_code(error: HttpResponseError) -> str:
    """The innermost error code, such as ForbiddenByRbac; the message may quote names and ids."""
    found = getattr(error, "error", None)
    codes = [str(getattr(found, "code", None) or f"HTTP {error.status_code}")]
    inner = getattr(found, "innererror", None) or {}
    while isinstance(inner, dict) and inner:
        codes.append(str(inner.get("code") or codes[-1]))
        inner = inner.get("innererror")
    return brief(codes[-1], 60)
