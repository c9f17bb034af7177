"""Judges what lies between here and the servers: clock, names, connections, TLS. Pure."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from monitor.clouds import PRESETS
from monitor.doctor.checks import Notebook
from monitor.doctor.evidence import NO_SUCH_DIRECTORY, TargetSeen
from monitor.model.evidence import Certificate, Reached

TOO_FAR = timedelta(minutes=5)  # what Entra allows an assertion to be off
NOTABLE = timedelta(minutes=1)
STEPS = ("dns", "tcp", "tls")
_FALLBACK = {"dns": "name_not_found", "tcp": "connect_timeout", "tls": "tls_untrusted"}
MICROSOFT_HOSTS = frozenset(
    urlsplit(address).hostname or address
    for cloud in PRESETS.values()
    for address in (cloud.authority, cloud.graph, cloud.smtp_host)
)
# Who issues the certificates of Microsoft's hosts, as far as known; another one only warns.
_ISSUERS = ("digicert", "microsoft")


def judge_clock(seen: TargetSeen, notes: Notebook) -> None:
    """Compare this machine's clock with those of the servers."""
    asked, found = seen.authority, seen.directory
    times = [
        (
            "the sign-in host",
            asked.asked_at if asked else None,
            asked.server_time if asked else None,
        ),
        ("Graph", found.asked_at, found.server_time),
    ]
    told = [(where, ours - theirs) for where, ours, theirs in times if ours and theirs]
    if not told:
        notes.skipped("clock", "No server told its time.")
        return
    where, skew = max(told, key=lambda one: abs(one[1]))
    size = abs(skew)
    way = "ahead of" if skew > timedelta(0) else "behind"
    evidence = f"This machine's clock is {size.total_seconds():.0f} s {way} {where}."
    command = "sudo timedatectl set-ntp true"
    if size > TOO_FAR:
        notes.found("clock", "clock_skew", evidence, command=command)
    elif size > NOTABLE:
        notes.found("clock", "clock_skew", evidence, status="warning", command=command)
    else:
        notes.ok("clock", f"Within {max(size.total_seconds(), 1):.0f} s of {where}.")


def judge_host(prefix: str, reached: Reached | None, notes: Notebook, *, works: bool) -> None:
    """Judge name, connection and TLS of an HTTPS host.

    Args:
        prefix: of the checks' names.
        reached: how far it went; None where nobody tried.
        notes: gets the checks.
        works: whether requests to it were answered, by a proxy perhaps.
    """
    if reached is None:
        for step in STEPS:
            notes.skipped(f"{prefix}.{step}", "It was not tried.")
        return
    evidence = {
        "dns": f"{reached.host} is {', '.join(reached.addresses[:4])}",
        "tcp": f"connected to {reached.address}, port {reached.port}",
        "tls": f"{reached.tls}; {certificate_words(reached.certificate)}",
    }
    for place, step in enumerate(STEPS):
        name = f"{prefix}.{step}"
        failed_at = STEPS.index(reached.failed) if reached.failed else len(STEPS)
        if place > failed_at:
            notes.skipped(name, f"The step before it ({reached.failed}) failed.")
        elif place == failed_at and works:
            notes.ok(name, "Not reached directly, but its answers come, through a proxy.")
        elif place == failed_at:
            failed_step(name, reached, notes)
        elif step == "tls" and not reached.tls:
            notes.skipped(name, "The address is http, on this machine.")
        elif step == "tls" and foreign_issuer(reached):
            notes.found(name, "tls_intercepted", evidence[step], status="warning")
        else:
            notes.ok(name, evidence[step])


def failed_step(name: str, reached: Reached, notes: Notebook) -> None:
    """Note the step that failed, with the command that shows it again."""
    step = reached.failed or "tcp"
    stage = "starttls" if step == "tls" else step
    told = notes.rules.diagnose(reached.problem, stage=stage)
    cause = told.cause if told.cause != "unknown" else _FALLBACK[step]
    evidence = f"{reached.host}:{reached.port}: {reached.problem}"
    also = list(told.also)
    if step == "tls" and reached.certificate is not None:
        evidence += f"; what answers shows a {certificate_words(reached.certificate)}"
        if cause == "tls_untrusted" and reached.host in MICROSOFT_HOSTS:
            cause, also = "tls_intercepted", [*also, "tls_untrusted"]
    notes.found(name, cause, evidence, also=also, command=_command(step, reached))


def _command(step: str, reached: Reached) -> str | None:
    """Shows the same again by other tools; None for a name that a shell would take otherwise."""
    host, port = reached.host, reached.port
    if not host or not all((c.isalnum() and c.isascii()) or c in ".-:" for c in host):
        return None
    by = " -starttls smtp" if port in (25, 587) else ""
    return {
        "dns": f"getent hosts {host}",
        "tcp": f"nc -vz {host} {port}",
        "tls": f"openssl s_client -connect {host}:{port} -servername {host}{by} </dev/null",
    }[step]


def foreign_issuer(reached: Reached) -> bool:
    """Whether a host of Microsoft's shows a certificate that somebody else issued."""
    if reached.host not in MICROSOFT_HOSTS or reached.certificate is None:
        return False
    issuer = reached.certificate.issuer.lower()
    return not any(known in issuer for known in _ISSUERS)


def certificate_words(found: Certificate | None) -> str:
    """A certificate for people."""
    if found is None:
        return "certificate that could not be read"
    return (
        f"certificate of {found.subject or 'no name'}, issued by {found.issuer or 'nobody'}, "
        f"until {found.ends:%Y-%m-%d}"
    )


def judge_authority(seen: TargetSeen, notes: Notebook) -> None:
    """Judge whether the cloud knows the directory at all."""
    found, name = seen.authority, "authority"
    if found is None or seen.cloud is None:
        notes.skipped(name, "It was not asked.")
        return
    host = urlsplit(seen.cloud.authority).hostname
    reached = seen.authority_host
    if found.error is None:
        other = found.token_host != host
        if other and not seen.signed_in:
            told = f"{host} refers to {found.token_host} for tokens: that is another cloud."
            notes.found(name, "wrong_cloud", told)
        else:
            notes.ok(name, f"{host} knows the directory {found.directory or ''}".strip())
    elif seen.signed_in:
        notes.ok(name, "It gives tokens for the directory.")
    elif seen.other_cloud and found.error.cause in NO_SUCH_DIRECTORY:
        notes.found(name, "wrong_cloud", elsewhere(seen), fix=cloud_fix(seen))
    elif reached is not None and reached.failed:
        notes.skipped(name, f"The host was not reached (step {reached.failed}).")
    else:
        notes.found(name, found.error.cause, found.error.message, fix=found.error.remedy)


def elsewhere(seen: TargetSeen) -> str:
    """The evidence that a directory lives in another cloud."""
    here = seen.cloud.name if seen.cloud else ""
    return f"The cloud {here} does not know this directory, but the cloud {seen.other_cloud} does."


def cloud_fix(seen: TargetSeen) -> str:
    """What to do about it."""
    return (
        f'Set cloud = "{seen.other_cloud}" for {seen.name} in the tenants file, and import it '
        "again with `lapsewatch tenant import`."
    )
