"""Every mistake of the vendor's page: planted, and what doctor and alarm mail say on the first try.

`python -m tests.acceptance.planted` prints the table.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from jobs.scan_tenants import scan_tenants
from jobs.send_canaries import send_canaries
from jobs.send_warnings import deliver
from monitor import log
from monitor.cli.root import run
from monitor.sandbox.world import Tenant as WorldTenant
from tests.acceptance.ward import PLANTS, Ward, planted

# What the vendor's page and the issue list, in their words, and the tenant in which it is planted.
LINES = {
    "consent for SMTP.SendAsApp is not granted": "consent-send",
    "consent for reading is not granted": "consent-read",
    "a directory (tenant) id that does not exist": "wrong-tenant",
    "the directory (tenant) id of somebody else": "other-tenant",
    "a wrong client id": "wrong-client",
    "a wrong client secret (to read)": "wrong-secret",
    "a wrong client secret (to send)": "wrong-sender-secret",
    "the app registration's object id, also registered in Exchange": "object-id",
    "an expired secret (to send)": "expired",
    "an expired secret (to read)": "expired-read",
    "535: SMTP AUTH is off for the mailbox": "off-mailbox",
    "535: SMTP AUTH is off for the tenant": "off-tenant",
    "535 5.7.3: New-ServicePrincipal never ran": "not-in-exchange",
    "535 5.7.3: registered with the wrong object id, the settings are right": "registered-wrong",
    "the Enterprise application does not exist": "no-enterprise-app",
    "the secret's ID pasted as its value (to read)": "secret-id",
    "the secret's ID pasted as its value (to send)": "sender-secret-id",
    "a delegated permission instead of an application's": "delegated",
    "a permission of Graph instead of Exchange": "graph-permission",
    "430 4.2.0 after a good AUTH: no permission to the mailbox": "no-full-access",
    "SendAs denied": "send-as",
    "concurrent connections limit": "concurrent",
    "Security defaults": "security-defaults",
    "Conditional Access": "conditional-access",
    "the wrong cloud": "wrong-cloud",
    "Basic authentication where OAuth is meant": "basic",
}
LATER = timedelta(hours=2)
TRIES = 3  # what may pass by itself alarms at the third failure


@dataclass
class Told:
    """What was said of one tenant.

    Args:
        said: the doctor's JSON of it.
        scans: texts of its CANNOT CHECK mails.
        canaries: texts of its CANARY FAILED mails.
        subjects: of all of them.
    """

    said: dict[str, Any]
    scans: list[str] = field(default_factory=list)
    canaries: list[str] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)

    @property
    def first(self) -> dict[str, Any]:
        """The first check that had failed."""
        return next(row for row in self.said["checks"] if row["status"] == "failed")

    @property
    def mail(self) -> str:
        """The alarm that is about the mistake: the scan's where reading had failed."""
        reading = self.first["name"].startswith(("graph.", "authority"))
        return (self.scans if reading else self.canaries)[0]


@contextmanager
def told() -> Iterator[tuple[Ward, dict[str, Told]]]:
    """Plant all of them, let the clock do its work, and ask the doctor by its command."""
    with tempfile.TemporaryDirectory(prefix="planted-") as name, planted(Path(name)) as ward:
        _work(ward)
        found = {tenant: Told(_doctor(ward, tenant)) for tenant in LINES.values()}
        for message in ward.cloud.inbox.messages:
            _file(found, message)
        yield ward, found


def _work(ward: Ward) -> None:
    """What the clock does until every alarm stands; only the first tries of the rest count."""
    asyncio.run(scan_tenants(ward.app))
    send_canaries(ward.app)
    for _ in range(TRIES - 1):
        ward.clock.advance(LATER)
        send_canaries(ward.app, only="concurrent")
    deliver(ward.app)
    ward.clock.advance(-(TRIES - 1) * LATER)  # the command goes by the clock of this machine


def _doctor(ward: Ward, tenant: str) -> dict[str, Any]:
    """`lapsewatch doctor --tenant NAME --json`, with a test mail where only that tells."""
    send = ["--send"] if PLANTS[tenant].send else []
    said = json.loads(run_doctor(ward, "--tenant", tenant, "--json", *send, code=6))
    (found,) = said["tenants"]
    return dict(found)


def run_doctor(ward: Ward, *arguments: str, code: int) -> str:
    """What `lapsewatch doctor …` prints, in this process."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        ended = run(["--config", str(ward.folder / "lapsewatch.toml"), "doctor", *arguments])
    assert ended == code, (arguments, ended, printed.getvalue())
    return printed.getvalue()


def exchange_line(tenant: WorldTenant, registered: str) -> str:
    """What the Exchange check script prints where another object id is registered."""
    assert tenant.sender is not None
    sender = tenant.sender
    told = f"Registered with the object ID {registered} instead of {sender.object_id}, the one"
    return json.dumps(
        {
            "lapsewatch": "exchange-check", "version": 1, "tenant": tenant.name,
            "directory_id": tenant.directory_id, "client_id": sender.sign_in.client_id,
            "object_id": sender.object_id, "mailbox": sender.mailbox, "model": "mailbox",
            "ok": False,
            "checks": [
                {"check": "mailbox", "ok": True, "found": f"{sender.mailbox} (SharedMailbox)"},
                {"check": "service_principal", "ok": False, "found": told},
                {"check": "full_access", "ok": True, "found": "the app has FullAccess"},
                {"check": "smtp_auth", "ok": True, "found": "switched on for this mailbox"},
            ],
        },
        separators=(",", ":"),
    )  # fmt: skip


def _file(found: dict[str, Told], message: Any) -> None:
    kind, text = message.header("X-Lapsewatch-Kind"), message.body("plain") or ""
    subject = str(message.header("Subject"))
    for tenant, row in found.items():
        # Names are whole words: "expired" is no part of "expired-read".
        if not any(word == tenant for word in subject.replace(",", " ").split()):
            continue
        row.subjects.append(subject)
        if kind == "cannot_check":
            row.scans.append(text)
        elif kind == "canary_failed":
            row.canaries.append(text)


def table(found: dict[str, Told]) -> str:
    """The table in Markdown: planted, diagnosed, the words of doctor and mail."""
    rows = ["| planted | diagnosed | the doctor's words | the mail's words |", "|---|---|---|---|"]
    for line, tenant in LINES.items():
        row = found[tenant]
        first = row.first
        words = [first["evidence"], f"**Fix:** {first['fix']}"]
        if first["command"]:
            words.append(f"`{first['command']}`")
        mail = " ".join(row.mail.split("What to do")[0].split())
        cells = (line, f"`{first['name']}`: `{first['cause']}`", " ".join(words), mail)
        rows.append(
            "| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in cells) + " |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    log.set_up(level="error", form="console")
    with told() as (_, everything):
        sys.stdout.write(table(everything) + "\n")
