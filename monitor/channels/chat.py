"""Teams, Slack, PagerDuty and a hundred others, through the library apprise (an optional extra)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from monitor.channels.network import resolve
from monitor.channels.outside import Resolve, checked_addresses
from monitor.channels.unheld import Unheld
from monitor.errors import DeliveryError
from monitor.model import MailKind, OutboxMail, Receipt
from monitor.model.channels import AppriseWay

SECONDS = 20.0
_LINES = 12  # of a mail's text; a chat is for the verdict, the mail for the rest
# What acts on this machine instead of on a service, or sends mail by itself.
DENIED = frozenset(
    {
        "file", "exec", "script", "syslog", "rsyslog", "dbus", "kde", "qt", "glib", "gnome",
        "windows", "macosx", "mailto", "mailtos", "include",
    }
)  # fmt: skip


def short_form(mail: OutboxMail, link: str | None = None) -> str:
    """What a chat is told: the first lines of the text, and where to see all of it."""
    lines = [line for line in mail.mail.text.splitlines() if line.strip()][:_LINES]
    return "\n".join([*lines, *([link] if link else [])])


class ChatChannel(Unheld):
    """Hands mails to a service that apprise knows.

    Args:
        way: where its URL is found, and whether private hosts are allowed.
        url: gives the URL; it is a secret, and stands in no error.
        clock: the current instant, aware UTC.
        link: the status page, if people can reach one.
        seconds: for all of one notification.
        lookup: resolves a host's name.
    """

    def __init__(
        self,
        way: AppriseWay,
        *,
        url: Callable[[], str],
        clock: Callable[[], datetime],
        link: str | None = None,
        seconds: float = SECONDS,
        lookup: Resolve = resolve,
    ) -> None:
        self._way = way
        self._url = url
        self._clock = clock
        self._link = link
        self._seconds = seconds
        self._lookup = lookup

    def send(self, mail: OutboxMail) -> Receipt:
        """Hand over one mail, in short.

        Raises:
            DeliveryError: it was not taken, not in time, or the URL may not be used.
            SecretError: there is no URL.
        """
        service = self._service(self._url().strip())
        # A service with alerts closes its own one where the type says that all is well.
        over = mail.mail.kind is MailKind.RECOVERED
        kind = "success" if over else ("failure" if mail.mail.urgent else "info")
        done: list[object] = []

        def tell() -> None:
            try:
                body = short_form(mail, self._link)
                done.append(service.notify(body=body, title=mail.mail.subject, notify_type=kind))
            except Exception as error:  # whatever a plug-in raises; its text may quote the URL
                done.append(error)

        thread = threading.Thread(target=tell, daemon=True, name="apprise")
        thread.start()
        thread.join(self._seconds)
        return self._receipt(done)

    def _receipt(self, done: list[object]) -> Receipt:
        if not done:
            raise DeliveryError(
                f"The service gave no answer within {self._seconds:.0f} seconds.",
                cause="reply_timeout", stage="data", uncertain=True,
            )  # fmt: skip
        if isinstance(done[0], Exception):
            raise DeliveryError(
                f"The plug-in for this service stopped ({type(done[0]).__name__}).",
                cause="unknown", stage="data",
            )  # fmt: skip
        if not done[0]:
            raise DeliveryError(
                "The service did not take the message.",
                cause="unknown",
                stage="data",
                remedy="Try the URL with the command `apprise` on this machine; it says why.",
            )
        return Receipt("accepted by the service", self._clock())

    def _service(self, url: str) -> Any:
        scheme = urlsplit(url).scheme.lower() if "://" in url else ""
        if not scheme or scheme in DENIED:
            raise _unusable(
                f"apprise URLs that begin with {scheme}:// are not used here."
                if scheme
                else "The value is not an apprise URL."
            )
        try:
            import apprise
        except ModuleNotFoundError:
            raise _unusable(
                "The library apprise is not installed.",
                remedy='Run pip install "lapsewatch[apprise]".',
            ) from None
        logging.getLogger("apprise").disabled = True  # its lines quote URLs
        asset = apprise.AppriseAsset(async_mode=False, plugin_paths=[])
        service = apprise.Apprise.instantiate(url, asset=asset)
        if service is None:
            raise _unusable("apprise does not know this kind of URL, or a part of it is missing.")
        host, port = getattr(service, "host", None), getattr(service, "port", None)
        # Where the URL names no host, the plug-in knows it; what stands there is a token.
        named = any("{host}" in form for form in getattr(service, "templates", ()))
        if named and isinstance(host, str) and host:
            secure = bool(getattr(service, "secure", True))
            checked_addresses(
                host,
                port if isinstance(port, int) else (443 if secure else 80),
                allow_private=self._way.allow_private,
                lookup=self._lookup,
            )
        return service


def _unusable(message: str, *, remedy: str = "") -> DeliveryError:
    return DeliveryError(message, cause="unknown", stage="token", permanent=True, remedy=remedy)
