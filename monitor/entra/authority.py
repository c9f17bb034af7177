"""What the authority says of a directory before anybody signs in: its OpenID configuration."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit

from monitor.entra.auth import AuthorityHttp
from monitor.entra.failures import (
    Diagnose,
    connection_words,
    looks_like_html,
    refused_token,
    token_error,
    unusable_ca,
)
from monitor.model import Cloud
from monitor.model.evidence import AuthoritySeen


def ask_authority(
    cloud: Cloud,
    directory_id: str,
    *,
    timeout_s: float,
    diagnose: Diagnose,
    now: Callable[[], datetime],
) -> AuthoritySeen:
    """Ask for a directory's OpenID configuration; blocks, and never raises for trouble outside.

    Fact: it answers AADSTS90002 for a directory that this cloud does not know, without a sign-in
    (https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc).

    Args:
        cloud: whose authority is asked.
        directory_id: the directory's GUID or domain.
        timeout_s: seconds for the answer.
        diagnose: names the cause of a refusal.
        now: the clock.
    """
    before = now()
    if cloud.ca_file is not None and not os.path.isfile(cloud.ca_file):
        return AuthoritySeen(before, error=unusable_ca(cloud.ca_file))
    where = urlsplit(cloud.authority).netloc
    http = AuthorityHttp(cloud, timeout_s)
    address = f"{cloud.authority.rstrip('/')}/{quote(directory_id, safe='')}"
    try:
        response = http.get(f"{address}/v2.0/.well-known/openid-configuration")
    except Exception as error:  # requests passes on what its layers raise
        cause, message = connection_words(error, where)
        return AuthoritySeen(before, error=token_error(cause, message, evidence=str(error)))
    finally:
        http.close()
    at = before + (now() - before) / 2
    date = _date(response.headers.get("Date"))
    if not response.ok or looks_like_html(response.text):
        refused = refused_token(response.text or f"HTTP {response.status_code}", where, diagnose)
        return AuthoritySeen(at, server_time=date, error=refused)
    return _seen(response, at, date)


def _seen(response: Any, at: datetime, date: datetime | None) -> AuthoritySeen:
    try:
        said = response.json()
        issuer, endpoint = str(said["issuer"]), str(said["token_endpoint"])
    except (ValueError, KeyError, TypeError, RecursionError):
        told = token_error("malformed_page", "The OpenID configuration could not be read.")
        return AuthoritySeen(at, server_time=date, error=told)
    parts = [part for part in urlsplit(issuer).path.split("/") if part]
    return AuthoritySeen(at, parts[0] if parts else None, urlsplit(endpoint).hostname, date)


def _date(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return found if found.tzinfo is not None else None
