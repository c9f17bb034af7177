"""The inbox page: every mail that the simulated Exchange accepted, for a browser."""

from __future__ import annotations

import re
from html import escape

from starlette.requests import Request

from .clock import SandboxClock
from .faults import Fault
from .mailroom import Inbox, InboxMessage
from .replies import HttpRoom, Reply

# Mails bring inline styles; scripts, forms and anything from another host stay out.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_STYLE = """
:root { color-scheme: light dark; --edge: #8884; --soft: #8881; --link: #0b57d0; }
@media (prefers-color-scheme: dark) { :root { --link: #8ab4f8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: .5rem 0; overflow-wrap: anywhere; }
a { color: var(--link); }
ol { list-style: none; margin: 1rem 0; padding: 0; border-top: 1px solid var(--edge); }
li { border-bottom: 1px solid var(--edge); }
li a { display: block; padding: .6rem .5rem; text-decoration: none; color: inherit; }
li a:hover, li a:focus-visible { background: var(--soft); }
.subject { font-weight: 600; color: var(--link); overflow-wrap: anywhere; }
.facts { display: block; font-size: .875rem; opacity: .8; overflow-wrap: anywhere; margin: 0; }
summary { padding: .6rem 0; cursor: pointer; font-weight: 600; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; font-size: .9rem; }
th { width: 9rem; text-align: left; vertical-align: top; font-weight: 600; }
th, td { padding: .3rem .5rem; border-bottom: 1px solid var(--edge); overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: .75rem; background: var(--soft); }
iframe { width: 100%; height: 46rem; margin-top: .75rem; border: 1px solid var(--edge); }
iframe { background: #fff; }
@media (max-width: 30rem) { th, td { display: block; width: auto; } th { border: 0; } }
"""
_MAIL = re.compile(r"/inbox/(\d+)")


class InboxRoom(HttpRoom):
    """Serves the list and one page a mail; it works without JavaScript."""

    def __init__(self, inbox: Inbox, clock: SandboxClock) -> None:
        super().__init__(clock)
        self.inbox = inbox

    async def answer(self, request: Request) -> tuple[Reply, Fault | None]:
        """The list, a mail, or a page that says it is not there."""
        messages = self.inbox.messages
        path = request.url.path
        found = _MAIL.fullmatch(path.rstrip("/"))
        number = int(found[1]) if found else 0
        if path.rstrip("/") in ("", "/inbox"):
            return _page("Inbox", _list(messages)), None
        if 1 <= number <= len(messages):
            message = messages[number - 1]
            return _page(message.subject or "(no subject)", _mail(message)), None
        back = '<h1>No such mail</h1><p><a href="/inbox">Back to the inbox</a></p>'
        return _page("No such mail", back, 404), None


def _list(messages: list[InboxMessage]) -> str:
    count = "1 mail" if len(messages) == 1 else f"{len(messages)} mails"
    head = (
        f"<h1>Sandbox inbox</h1><p>{count} accepted by the simulated Exchange, newest first. "
        "Nothing left this machine.</p>"
    )
    if not messages:
        return head + "<p>No mail yet.</p>"
    rows = [_row(n, message) for n, message in enumerate(messages, start=1)]
    return head + f"<ol>{''.join(reversed(rows))}</ol>"


def _row(number: int, message: InboxMessage) -> str:
    return (
        f'<li><a href="/inbox/{number}">'
        f'<span class="subject">{escape(message.subject or "(no subject)")}</span>'
        f"{_facts(message)}</a></li>"
    )


def _mail(message: InboxMessage) -> str:
    facts = {
        "Received": f"{message.received_at:%Y-%m-%d %H:%M:%S} UTC",
        "Sent by mailbox": message.auth_user or "(not authenticated)",
        "Envelope from": message.mail_from,
        "Envelope to": ", ".join(message.rcpt_to),
    }
    rows = [*facts.items(), *((name, str(value)) for name, value in message.parsed.items())]
    table = "".join(
        f'<tr><th scope="row">{escape(n)}</th><td>{escape(v)}</td></tr>' for n, v in rows
    )
    html, text = message.body("html"), message.body("plain")
    parts = ['<p><a href="/inbox">Back to the inbox</a></p>']
    parts.append(f"<h1>{escape(message.subject or '(no subject)')}</h1>{_facts(message)}")
    if html is not None:
        # An empty sandbox attribute forbids everything; the text cannot leave srcdoc.
        parts.append(f'<iframe title="HTML part" sandbox srcdoc="{escape(html)}"></iframe>')
    if text is not None:
        fold = "" if html is not None else " open"
        words = f"<pre>{escape(text)}</pre>"
        parts.append(f"<details{fold}><summary>Text part</summary>{words}</details>")
    parts.append(f"<details><summary>Headers</summary><table>{table}</table></details>")
    return "".join(parts)


def _facts(message: InboxMessage) -> str:
    """When, to whom and by whom, in one line."""
    to = ", ".join(message.rcpt_to)
    sent_by = message.auth_user or message.mail_from or "(nobody)"
    return f'<span class="facts">{_time(message)} · to {escape(to)} · by {escape(sent_by)}</span>'


def _time(message: InboxMessage) -> str:
    instant = message.received_at
    return f'<time datetime="{instant.isoformat()}">{instant:%Y-%m-%d %H:%M} UTC</time>'


def _page(title: str, body: str, status: int = 200) -> Reply:
    text = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>"
    )
    headers = {
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    return Reply(status, text.encode("utf-8", "replace"), headers, "text/html; charset=utf-8")
