"""The AUTH dialogues (RFC 4954): XOAUTH2 with a token, PLAIN or LOGIN with a password."""

from __future__ import annotations

import base64
import binascii
import re

from monitor.channels.path import Path
from monitor.channels.wire import Reply, Wire

_MAX_CHALLENGES = 3
_SHOWN_CHALLENGE = 1_000
_UNSEEN = re.compile(r"[^\x20-\x7e]+")


def mechanisms(wire: Wire) -> set[str]:
    """The AUTH mechanisms that the last EHLO offered, in capitals."""
    return set(wire.esmtp_features.get("auth", "").upper().split())


def sign_in(wire: Wire, path: Path, value: str) -> tuple[Reply, str]:
    """Sign in as the path says.

    Args:
        wire: after TLS and EHLO.
        path: as whom, and how.
        value: the access token, or the password.

    Returns:
        The final reply, of which only 235 is success, and the challenge in the clear.

    Raises:
        WireError: no usable reply came.
    """
    if path.auth == "xoauth2":
        return xoauth2(wire, path.mailbox, value)
    by = plain if "PLAIN" in mechanisms(wire) else login
    return by(wire, path.mailbox, value), ""


def xoauth2(wire: Wire, user: str, token: str) -> tuple[Reply, str]:
    """Sign in with an access token.

    The blob goes with the command (initial response); a server that asks for it with an empty
    334 gets it again. A 334 with content is Google's way to say why not: an empty line lets it
    give its final reply.

    Args:
        wire: after TLS and EHLO.
        user: the mailbox address; the token says which app it is.
        token: the access token.

    Returns:
        The final reply, of which only 235 is success, and the challenge in the clear.

    Raises:
        WireError: no usable reply came.
    """
    blob = _base64(f"user={user}\x01auth=Bearer {token}\x01\x01")
    wire.hide(token, blob)
    reply = wire.ask(f"AUTH XOAUTH2 {blob}", shown="AUTH XOAUTH2 (token)")
    challenge = ""
    asked_for = False
    for _ in range(_MAX_CHALLENGES):
        if reply.code != 334:
            break
        if reply.last_word or asked_for:
            challenge = _decoded(wire, reply.last_word) or challenge
            reply = wire.ask("", shown="(an empty line)")
        else:
            asked_for = True
            reply = wire.ask(blob, shown="(token)")
    return reply, challenge


def plain(wire: Wire, user: str, password: str) -> Reply:
    """Sign in by PLAIN (RFC 4616): one line with user and password.

    Raises:
        WireError: no usable reply came.
    """
    blob = _base64(f"\0{user}\0{password}")
    wire.hide(password, blob, _base64(password))
    reply = wire.ask(f"AUTH PLAIN {blob}", shown="AUTH PLAIN (password)")
    if reply.code == 334:
        reply = wire.ask(blob, shown="(password)")
    return reply


def login(wire: Wire, user: str, password: str) -> Reply:
    """Sign in by LOGIN: the server asks for the user, then for the password.

    Raises:
        WireError: no usable reply came.
    """
    wire.hide(password, _base64(password))
    reply = wire.ask("AUTH LOGIN")
    if reply.code == 334:
        reply = wire.ask(_base64(user), shown="(user)")
    if reply.code == 334:
        reply = wire.ask(_base64(password), shown="(password)")
    return reply


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _decoded(wire: Wire, challenge: str) -> str:
    """A challenge as text, without the token that some servers repeat in it."""
    try:
        text = base64.b64decode(challenge).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        text = challenge
    # First the secrets: what cannot be shown may be a part of one.
    return _UNSEEN.sub(" ", wire.redacted(text))[:_SHOWN_CHALLENGE].strip()
