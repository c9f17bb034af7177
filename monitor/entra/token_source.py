"""The Graph token of one scan: its deadline, its tries, and whose directory it is for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from monitor.entra.claims import claims_of, refuse_other_directory
from monitor.entra.failures import (
    Diagnose,
    connection_words,
    looks_like_html,
    refused_by_status,
    refused_token,
    token_error,
)
from monitor.entra.network import connection_cause
from monitor.errors import SecretError, TokenError
from monitor.log import hide

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

    from monitor.entra.auth import GraphSignIn
    from monitor.entra.federated import FederatedIdentity

TRIES = 3
FIRST_WAIT_S = 0.5


class TokenSource:
    """What the SDK asks for tokens, for one tenant and one scan.

    Args:
        make: makes a fresh azure-identity credential; called again after `renew`.
        directory_id: a token of another directory is refused.
        authority: for messages.
        diagnose: names the cause of a refusal.
        deadline_s: seconds for a token, with all tries.
    """

    def __init__(
        self,
        make: Callable[[], GraphSignIn | FederatedIdentity],
        *,
        directory_id: str,
        authority: str,
        diagnose: Diagnose,
        deadline_s: float,
    ) -> None:
        self._make = make
        self._directory_id = directory_id
        self._where = urlsplit(authority).netloc
        self._diagnose = diagnose
        self._deadline_s = deadline_s
        self._credential: GraphSignIn | FederatedIdentity | None = None
        self._known: set[str] = set()
        self._asked_wait = 0.0  # seconds that the last answer's Retry-After asks for

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token (the interface of azure-core's AsyncTokenCredential).

        Raises:
            TokenError: no token, or one for another directory.
            SecretError: the assertion to be exchanged for one cannot be read.
        """
        try:
            async with asyncio.timeout(self._deadline_s):
                token = await self._with_tries(scopes, options)
        except TimeoutError as exc:
            raise token_error(
                "reply_timeout", f"{self._where} gave no token in {self._deadline_s:g} s."
            ) from exc
        refuse_other_directory(claims_of(token.token), self._directory_id)
        return token

    @property
    def known(self) -> frozenset[str]:
        """What must not show of this sign-in: what was sent, and every token that came."""
        return frozenset(self._known)

    async def renew(self) -> None:
        """Forget the token, so that the next one is asked for anew."""
        await self.close()

    async def close(self) -> None:
        """Close the connections to the token endpoint."""
        credential, self._credential = self._credential, None
        if credential is not None:
            await credential.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _with_tries(self, scopes: tuple[str, ...], options: dict[str, Any]) -> AccessToken:
        for attempt in range(1, TRIES + 1):
            self._asked_wait = 0.0
            try:
                return await self._once(scopes, options)
            except TokenError as error:
                if error.permanent or error.cause == "unknown" or attempt == TRIES:
                    raise
                if self._asked_wait >= self._deadline_s:
                    raise token_error(
                        "throttled", f"{self._where} asks to wait {self._asked_wait:.0f} s."
                    ) from error
                await asyncio.sleep(max(FIRST_WAIT_S * attempt, self._asked_wait))
        raise AssertionError("unreachable")  # pragma: no cover

    async def _once(self, scopes: tuple[str, ...], options: dict[str, Any]) -> AccessToken:
        if self._credential is None:
            self._credential = self._make()
        credential = self._credential
        answers: list[Any] = []
        try:
            token = await credential.get_token(*scopes, raw_response_hook=answers.append, **options)
        except (TokenError, SecretError):
            raise
        except Exception as exc:  # azure-core passes on what a strange answer makes it trip over
            self._known.update(credential.known)
            # Not `from exc`: azure-core's error quotes the answer, and so would every traceback.
            raise self._explain(exc, answers) from None
        self._known.update(credential.known)
        if not isinstance(token.token, str):
            raise token_error("malformed_page", f"{self._where} sent no readable token.")
        self._known.add(token.token)
        return token

    def _explain(self, error: Exception, answers: list[Any]) -> TokenError:
        """The error for what azure-core raised; the answer itself explains it better."""
        status, text, self._asked_wait = _last(answers)
        known = self.known
        text, said = hide(text, known), hide(_words_of(error), known)
        if status is None and connection_cause(error) is not None:
            cause, message = connection_words(error, self._where, known=known)
            return token_error(cause, message, evidence=said)
        if status is None:
            return refused_token(said, self._where, self._diagnose, known=known)
        refused = refused_by_status(status, text, self._where)
        if refused is not None:
            return refused
        if status >= 500 and not text.lstrip().startswith("{"):
            return token_error("transient", f"{self._where} answered {status}.", evidence=text)
        if 200 <= status < 300 and not looks_like_html(text):
            # What was to be a token is not kept, as nobody knows where in it the token is.
            return token_error("malformed_page", f"{self._where} sent no readable token.")
        return refused_token(text or f"HTTP {status}", self._where, self._diagnose, known=known)


def _words_of(error: Exception) -> str:
    """What an error says, without the answer that azure-core appends to its own."""
    return str(getattr(error, "message", "") or error)


def _last(answers: list[Any]) -> tuple[int | None, str, float]:
    """Status, text and Retry-After of the last response (azure-core's PipelineResponse)."""
    if not answers:
        return None, "", 0.0
    response = answers[-1].http_response
    text = bytes(response.body()).decode("utf-8", "replace")
    asked = str(response.headers.get("Retry-After") or "")
    wait = float(asked[:9]) if asked.isascii() and asked.isdigit() else 0.0
    return int(response.status_code), text, wait
