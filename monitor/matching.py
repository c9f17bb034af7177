"""Whether a rule of the operator fits a credential, and in words why it does not. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from monitor.model import SEVERITIES, Credential, Ignore, Route, Severity, Tenant


@dataclass(frozen=True, slots=True)
class Subject:
    """A credential as rules see it."""

    credential: Credential
    tenant: Tenant
    severity: Severity | None


def why_not(rule: Route, subject: Subject) -> list[str]:
    """Every reason for which a rule does not fit; empty where it does."""
    one, tenant = subject.credential, subject.tenant
    why = []
    if not fits(rule.tenant, tenant.name):
        why.append(f"the tenant is {tenant.name}, not {rule.tenant}")
    if not fits_any(rule.tag, tenant.tags):
        why.append(f"the tenant has no tag {rule.tag}")
    if not fits_any(rule.app, (one.app_id or "", one.app_name)):
        why.append(f"the application is no {rule.app}")
    if rule.owner is not None:
        names = [text for each in one.people or () for text in (each.name, each.mail or "")]
        if not fits_any(rule.owner, names):
            unknown = one.people is None
            why.append("the owners are not known" if unknown else f"no owner is {rule.owner}")
    if rule.kind not in (None, one.kind):
        why.append(f"it is a {one.kind}, no {rule.kind}")
    if rule.severity is not None and not _at_least(subject.severity, rule.severity):
        why.append(f"it is {subject.severity or 'not near'}, not yet {rule.severity}")
    return why


def _at_least(severity: Severity | None, wanted: Severity) -> bool:
    return severity is not None and SEVERITIES.index(severity) >= SEVERITIES.index(wanted)


def ignores(rule: Ignore, one: Credential, tenant: Tenant) -> bool:
    """Whether a rule silences a credential, whatever its review says."""
    return (
        fits(rule.tenant, tenant.name)
        and fits_any(rule.tag, tenant.tags)
        and fits(rule.app, one.app_id or "")
        and fits(rule.name, one.app_name)
        and rule.kind in (None, one.kind)
    )


def fits_any(pattern: str | None, texts: Iterable[str]) -> bool:
    """Whether a pattern fits one of the texts; None fits everything."""
    return pattern is None or any(fits(pattern, text) for text in texts)


def fits(pattern: str | None, text: str) -> bool:
    """Whether a pattern (* stands for anything) is the whole text, in any case."""
    return pattern is None or _compiled(pattern).fullmatch(text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (re.escape(part) for part in re.split(r"\*+", pattern))
    return re.compile(".*".join(parts), re.IGNORECASE | re.DOTALL)
