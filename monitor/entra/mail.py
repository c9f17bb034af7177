"""Mail through Microsoft Graph: sendMail takes a whole MIME message (permission Mail.Send).

https://learn.microsoft.com/graph/api/user-sendmail: the body is the message in base64, as
text/plain; the answer is 202 without a body.
"""

from __future__ import annotations

import base64
from urllib.parse import quote, urlsplit

from monitor.entra.network import connection_cause, is_loopback
from monitor.errors import DeliveryError
from monitor.model import Cloud

_MAY_PASS = (408, 429)
_CAUSES = {401: "generic_oauth_failure", 403: "permission_missing", 404: "resource_not_found"}


def send_mail(cloud: Cloud, mailbox: str, token: str, message: bytes, *, timeout_s: float) -> str:
    """Hand a MIME message to a mailbox, which sends it; blocks, so call it in a thread.

    Args:
        cloud: whose Graph, and whose CA is trusted.
        mailbox: the sender.
        token: of an app with Mail.Send, for Graph.
        message: the whole message; its From is the mailbox.
        timeout_s: seconds for the answer.

    Returns:
        The status and the id of the request, as evidence.

    Raises:
        DeliveryError: it was not taken.
    """
    import requests

    url = f"{cloud.graph.rstrip('/')}/v1.0/users/{quote(mailbox)}/sendMail"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"}
    where = urlsplit(url).netloc
    with requests.Session() as session:
        if is_loopback(url):
            session.trust_env = False
        try:
            answer = session.post(
                url, base64.b64encode(message), headers=headers, allow_redirects=False,
                timeout=(min(10.0, timeout_s), timeout_s), verify=cloud.ca_file or True,
            )  # fmt: skip
        except requests.RequestException as error:
            cause = connection_cause(error) or "transient"
            raise DeliveryError(
                f"{where} gave no answer ({type(error).__name__}).",
                cause=cause, stage="data", uncertain=cause in ("reply_timeout", "transient"),
            ) from None  # fmt: skip
    told = f"{answer.status_code} {answer.reason} {answer.headers.get('request-id', '')}".strip()
    if answer.status_code == 202:
        return told
    passing = answer.status_code >= 500 or answer.status_code in _MAY_PASS
    raise DeliveryError(
        f"Graph refused the mail of {mailbox}: {told}.",
        cause=_CAUSES.get(answer.status_code, "unknown"),
        stage="data",
        evidence=answer.text[:400],
        permanent=not passing,
        code=answer.status_code,
        remedy="The app needs the application permission Mail.Send, with admin consent."
        if answer.status_code == 403
        else "",
    )
