"""What a refusal or a silence of Microsoft's servers means, as an error with a cause."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from monitor.entra.network import connection_cause
from monitor.errors import GraphError, TokenError
from monitor.log import hide, redact

EVIDENCE_LENGTH = 600  # characters of a reply that are kept
READ_LENGTH = 100_000  # bytes of a refusal that are looked at

# What a token endpoint's error body has (RFC 6749, 5.2, and Entra's own); nothing else is kept.
_ERROR_FIELDS = (
    "error", "error_description", "error_codes", "error_uri", "suberror", "timestamp",
    "trace_id", "correlation_id",
)  # fmt: skip


class Diagnosis(Protocol):
    """What a diagnosis has to say: a cause of the vocabulary, and what to do."""

    @property
    def cause(self) -> str:
        """An id of the vocabulary; `unknown` where nothing fits."""

    @property
    def retry(self) -> str:
        """`later`, `after_fix` or `never`."""

    @property
    def explanation(self) -> str:
        """What it means."""

    @property
    def fix(self) -> str:
        """What to do."""


Diagnose = Callable[[str, str | None], Diagnosis]

# What only this door can know. True: trying again cannot help until somebody changes something.
_KNOWN: dict[str, tuple[bool, str]] = {
    "connect_timeout": (False, "Check that this machine may reach it (firewall, proxy)."),
    "reply_timeout": (False, "It is tried again; if it lasts, look for a proxy on the way."),
    "name_not_found": (False, "Check the address in the settings, and this machine's DNS."),
    "connect_refused": (False, "Check the address and port in the settings, and the firewall."),
    "tls_untrusted": (
        True,
        "Name the right CA as ca_file of the cloud, or take the intercepting proxy away.",
    ),
    "html_instead_of_json": (
        True,
        "A proxy, a portal or an error page answered: let this machine reach it directly.",
    ),
    "malformed_page": (False, "It is tried again; if it lasts, look for a proxy on the way."),
    "scan_incomplete": (False, "What was read before is kept, and nothing is taken as removed."),
    "permission_missing": (
        True,
        "Grant the application permission Application.Read.All of Microsoft Graph to the app, "
        "with admin consent.",
    ),
    "mail_read_missing": (
        True,
        "Let the app that looks read the canary's mailbox: the application permission Mail.Read of "
        'Microsoft Graph, or better the Exchange role "Application Mail.Read" for that mailbox '
        "only.",
    ),
    "trace_read_missing": (
        True,
        "Grant the application permission ExchangeMessageTrace.Read.All of Microsoft Graph to the "
        "app, with admin consent.",
    ),
    "canary_mailbox_missing": (
        True,
        "Correct canary_to, or name an app of that mailbox's directory in arrival_app.",
    ),
    "throttled": (False, "It is tried again at the next scan."),
    "transient": (False, "It is tried again."),
    "bad_tenant_id": (True, "Correct directory_id or the credential of the tenant."),
    "managed_identity_missing": (
        True,
        "Assign the managed identity to this machine, and let the app trust it.",
    ),
    "unknown": (False, ""),
}

_BY_STATUS = {
    401: "unknown",
    403: "permission_missing",
    404: "resource_not_found",
    429: "throttled",
}


def graph_error(cause: str, message: str, *, evidence: str = "") -> GraphError:
    """A Graph failure whose cause is known without looking at an error body."""
    permanent, remedy = _KNOWN.get(cause, (False, ""))
    return GraphError(
        message, cause=cause, stage="graph", evidence=brief(evidence), permanent=permanent,
        remedy=remedy,
    )  # fmt: skip


def token_error(cause: str, message: str, *, evidence: str = "") -> TokenError:
    """A token failure whose cause is known without looking at an error body."""
    permanent, remedy = _KNOWN.get(cause, (False, ""))
    return TokenError(
        message, cause=cause, stage="token", evidence=brief(evidence), permanent=permanent,
        remedy=remedy,
    )  # fmt: skip


def unusable_ca(file: str) -> TokenError:
    """The error for a CA file that is missing or holds no certificate."""
    return token_error("tls_untrusted", f"The CA file {file} is missing or holds no certificate.")


def refused_by_graph(
    status: int, body: bytes, what: str, diagnose: Diagnose, *, known: Iterable[str] = ()
) -> GraphError:
    """The error for any HTTP status but 200.

    Args:
        status: of the response.
        body: its bytes: JSON, HTML or nothing.
        what: was asked for, for the message.
        diagnose: turns the body into a cause.
        known: values that must not show, such as the bearer token.
    """
    evidence = hide(body[:READ_LENGTH].decode("utf-8", "replace"), known)
    code, words = _error_of(evidence)
    said = " ".join(filter(None, (f"HTTP {status}", code, words)))
    message = _sentence(f"Graph refused {what}: {said}")
    if code == "Authorization_RequestDenied":
        return graph_error("permission_missing", message, evidence=evidence)
    if status == 429:
        return graph_error("throttled", message, evidence=evidence)
    found = diagnose(evidence, "graph") if code else None
    if found is not None and found.cause != "unknown":
        return GraphError(
            message, cause=found.cause, stage="graph", evidence=brief(evidence),
            permanent=found.retry != "later", remedy=found.fix,
        )  # fmt: skip
    if 200 <= status < 300:
        return graph_error("malformed_page", f"{message} It is no whole answer.", evidence=evidence)
    if 300 <= status < 400:
        return graph_error(
            "html_instead_of_json", f"{message} It is a redirect.", evidence=evidence
        )
    fallback = "transient" if status >= 500 else _BY_STATUS.get(status, "unknown")
    return graph_error(fallback, message, evidence=evidence)


def refused_by_status(status: int, text: str, where: str) -> TokenError | None:
    """The error for a token endpoint's answer whose HTTP status alone says it; else None.

    Args:
        status: of the answer.
        text: its body, without what must not show.
        where: the endpoint's host, for the message.
    """
    if 300 <= status < 400:
        return token_error(
            "html_instead_of_json", f"{where} answered {status}. It is a redirect.", evidence=text
        )
    if status == 429:
        return token_error("throttled", f"{where} answered 429.", evidence=text)
    return None


def refused_token(
    text: str, where: str, diagnose: Diagnose | None, *, known: Iterable[str] = ()
) -> TokenError:
    """The error for what a token endpoint said instead of giving a token.

    Args:
        text: its answer, JSON or words.
        where: the endpoint's host, for the message.
        diagnose: turns the text into a cause; without it the cause is `unknown`, and the
            evidence is there to be diagnosed.
        known: values that must not show, such as the client secret.
    """
    text = _error_fields(hide(text[:READ_LENGTH], known))
    if looks_like_html(text):
        return token_error(
            "html_instead_of_json", f"{where} answered with a web page, not a token.", evidence=text
        )
    message = _sentence(
        f"{where} gave no token: {brief(_without_trace(_description_of(text)), 300)}"
    )
    found = diagnose(text, "token") if diagnose is not None else None
    if found is None or found.cause == "unknown":
        return token_error("unknown", message, evidence=text)
    return TokenError(
        message, cause=found.cause, stage="token", evidence=brief(text),
        permanent=found.retry != "later", remedy=found.fix,
    )  # fmt: skip


def connection_words(
    error: BaseException, where: str, *, known: Iterable[str] = ()
) -> tuple[str, str]:
    """The cause id and the message for a connection that failed.

    Args:
        error: what the HTTP library raised.
        where: the host that was asked.
        known: values that must not show.
    """
    cause = connection_cause(error) or "unknown"
    said = brief(hide(str(error), known) or type(error).__name__, 200)
    words = {
        "connect_timeout": f"{where} could not be reached in time.",
        "reply_timeout": f"{where} did not answer in time.",
        "name_not_found": f"The name {where} was not found in DNS.",
        "connect_refused": f"{where} refused the connection.",
        "tls_untrusted": _sentence(f"The TLS certificate of {where} was not accepted: {said}"),
        "malformed_page": f"The answer of {where} broke off in the middle.",
        "transient": f"{where} closed the connection without an answer.",
    }
    return cause, words.get(cause) or _sentence(f"The call to {where} failed: {said}")


def looks_like_html(text: str) -> bool:
    """Whether an answer is a web page instead of JSON."""
    return text.lstrip("\ufeff \t\r\n").startswith("<")


def brief(text: str, length: int = EVIDENCE_LENGTH) -> str:
    """Remote words on one line, without secrets and control characters, cut to a length."""
    flat = redact(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text).strip())
    return flat if len(flat) <= length else flat[: length - 1] + "…"


def _without_trace(text: str) -> str:
    """An AADSTS description without the ids at its end; the evidence keeps them."""
    return re.split(r"\s+Trace ID:", text, maxsplit=1)[0]


def _sentence(text: str) -> str:
    """The text with a full stop, so that the remedy can follow it."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _error_of(body: str) -> tuple[str | None, str]:
    """Code and message of a Graph error body; the code is None where it is not one."""
    try:
        content = msgspec.json.decode(body.encode())
    except (ValueError, RecursionError):
        return None, "(a web page)" if looks_like_html(body) else ""
    error = content.get("error") if isinstance(content, dict) else None
    if not isinstance(error, dict):
        return None, ""
    return str(error.get("code") or "") or None, brief(str(error.get("message") or ""), 300)


def _error_fields(text: str) -> str:
    """An OAuth error without the fields that are none of one: a token may be among them."""
    try:
        content = msgspec.json.decode(text.encode())
    except (ValueError, RecursionError):
        return text
    if not isinstance(content, dict) or "error" not in content:
        return text
    kept = {name: content[name] for name in _ERROR_FIELDS if name in content}
    return msgspec.json.encode(kept).decode()


def _description_of(text: str) -> str:
    try:
        content = msgspec.json.decode(text.encode())
    except (ValueError, RecursionError):
        return text
    if not isinstance(content, dict):
        return text
    return str(content.get("error_description") or content.get("error") or text)
