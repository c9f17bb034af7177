"""A signed webhook: JSON over HTTPS that the receiver can prove to be ours, and drop if it has it.

The reference for receivers is docs/reference/webhook.md.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime

from monitor.channels.network import resolve
from monitor.channels.outside import LARGEST, Answer, Resolve, post
from monitor.channels.unheld import Unheld
from monitor.errors import DeliveryError
from monitor.model import OutboxMail, Receipt
from monitor.model.channels import WebhookWay

_TEXT = 40_000  # characters; with every one of them escaped the body stays below its limit
_MAY_PASS = (408, 425, 429)


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """The signature of a body that is sent at a time: `v1=` and HMAC-SHA256 as hex digits."""
    signed = timestamp.encode() + b"." + body
    return f"v1={hmac.new(secret, signed, hashlib.sha256).hexdigest()}"


def body_of(mail: OutboxMail) -> bytes:
    """The JSON of a mail: the same for every attempt."""
    text = mail.mail.text
    shape = {
        "version": 1,
        "id": mail.id,
        "kind": str(mail.mail.kind),
        "subject": mail.mail.subject,
        "text": text if len(text) <= _TEXT else f"{text[:_TEXT]}…",
        "urgent": mail.mail.urgent,
        "to": mail.recipient,
        "tenants": list(mail.tenants),
        "at": mail.date.astimezone(UTC).isoformat(),
    }
    body = json.dumps(shape, ensure_ascii=False).encode("utf-8", "replace")
    if len(body) <= LARGEST:
        return body
    shape |= {"text": text[:10_000], "tenants": list(mail.tenants[:200])}
    return json.dumps(shape, ensure_ascii=False).encode("utf-8", "replace")


class WebhookChannel(Unheld):
    """Hands mails to a webhook, one request each.

    Args:
        way: where to, and what is allowed.
        secret: gives what is signed with.
        clock: the current instant, aware UTC.
        lookup: resolves a host's name.
    """

    def __init__(
        self,
        way: WebhookWay,
        *,
        secret: Callable[[], str],
        clock: Callable[[], datetime],
        lookup: Resolve = resolve,
    ) -> None:
        self._way = way
        self._secret = secret
        self._clock = clock
        self._lookup = lookup

    def send(self, mail: OutboxMail) -> Receipt:
        """Hand over one mail.

        Raises:
            DeliveryError: it was not taken.
            SecretError: there is nothing to sign with.
        """
        body = body_of(mail)
        timestamp = str(int(self._clock().timestamp()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Lapsewatch",
            "X-Lapsewatch-Id": mail.id,
            "X-Lapsewatch-Timestamp": timestamp,
            "X-Lapsewatch-Signature": sign(self._secret().encode(), timestamp, body),
        }
        answer = post(
            self._way.url, body, headers,
            allow_private=self._way.allow_private, any_port=self._way.any_port,
            ca_file=self._way.ca_file, lookup=self._lookup,
        )  # fmt: skip
        told = f"{answer.status} {answer.reason}".strip()
        if 200 <= answer.status < 300:
            return Receipt(told, self._clock())
        raise _refused(answer, told)


def _refused(answer: Answer, told: str) -> DeliveryError:
    passing = answer.status >= 500 or answer.status in _MAY_PASS
    redirect = 300 <= answer.status < 400
    return DeliveryError(
        f"The webhook answered {told}.",
        cause="unknown",
        stage="data",
        evidence=told,
        permanent=not passing,
        code=answer.status,
        remedy="No redirect is followed; write the final address." if redirect else "",
    )
