"""A world that changes between runs: mails that wait, tenants that fail and recover, renewals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.lab.cloud import Lab
from tests.acceptance.lab.graph import graph_error
from tests.acceptance.lab.http import Reply
from tests.acceptance.lab.objects import Cred, app, in_days
from tests.acceptance.lab.product import Product, Report
from tests.acceptance.lab.smtp import Mail, Manners, SmtpServer
from tests.acceptance.lab.world_faults import CUT, GONE, HOST, dying, operator

DOWN = graph_error(503, "serviceNotAvailable", "x", Retry_After="0")


@dataclass(frozen=True)
class Step:
    """One scan and one sending run: what arrived, what was cut off, and the status after it."""

    inbox: list[Mail]
    dropped: list[Mail]
    report: Report


@dataclass
class Life:
    """The world, and its steps by name."""

    lab: Lab
    product: Product
    steps: dict[str, Step]

    def mails(self, step: str, address: str) -> list[Mail]:
        """What one address got in one step."""
        return [mail for mail in self.steps[step].inbox if mail.recipient == address]

    def step(self, name: str) -> None:
        """Scan, send, and keep what came of it."""
        shared = self.lab.submission
        self.product.run("run", "scan", code=0)
        self.product.run("run", "warn", code=0)
        self.steps[name] = Step(list(shared.inbox), list(shared.dropped), self.product.status())
        shared.inbox.clear()
        shared.dropped.clear()


def _tenants(lab: Lab) -> SmtpServer:
    """All tenants; returns the submission server that is down at first."""
    late = lab.listener(Manners(lab.context), up=False)
    lab.clouds["late"] = lab.cloud(smtp_port=late.port)
    lab.tenant("late", dying(), cloud="late", sender=True)
    people = ["first@two.example", "gone@two.example", "last@two.example"]
    box = lab.tenant("two", dying(), sender=True, recipients=people).mailbox
    assert box is not None
    box.rcpt["gone@two.example"] = GONE
    box = lab.tenant("cut", dying(), sender=True).mailbox
    assert box is not None
    box.drop_after_dot = 1
    for name in ("own-a", "own-b"):
        lab.tenant(name, dying(), sender=True, recipients=["own@msp.example"])
    for name, zone in (("utc-a", "UTC"), ("utc-b", "UTC"), ("tokyo", "Asia/Tokyo")):
        lab.tenant(name, dying(), zone=zone, recipients=["all@msp.example"])
    lab.tenant("flaky", dying(), app("leaving", Cred("leaving", in_days(20))), sender=True)
    three = [app(f"a{n}", Cred(f"c{n}", in_days(100))) for n in range(3)]
    lab.tenant("half", *three, sender=True).directory.page_size = 2
    lab.tenant("locked", dying(), sender=True)
    lab.tenant("renewing", dying(), sender=True)
    lab.tenant("idle", app("far", Cred("far", in_days(300))), sender=True)
    return late


def build(folder: Path) -> Life:
    """Run the steps."""
    lab, product = Lab(folder), Product(folder)
    late = _tenants(lab)
    product.write("lapsewatch.toml", lab.settings(operator(lab)))
    product.write("tenants.toml", lab.rows())
    product.run("init", code=0)
    product.run("tenant", "import", "tenants.toml", "--live", code=0)
    life = Life(lab, product, {})
    life.step("first")
    late.start()
    life.step("up")
    flaky, half = lab.tenants["flaky"], lab.tenants["half"]
    staying = flaky.things[:1]
    flaky.directory.fault = lambda *_: DOWN
    flaky.things = [*staying, app("arriving", Cred("arriving", in_days(3)))]
    half.directory.fault = lambda _, name, page: (
        CUT if (name, page) == ("applications", 2) else None
    )
    half.things = [*half.things[1:], app("new", Cred("new", in_days(90)))]
    lab.tenants["locked"].app.secret = "changed in Entra"
    renewing = lab.tenants["renewing"]
    renewing.things[0].creds.append(Cred("new", in_days(500), "ok"))
    for tenant in (flaky, half, renewing):
        tenant.refresh()
    life.step("failing")
    life.step("failing again")
    flaky.directory.fault = half.directory.fault = None
    lab.tenants["locked"].app.secret = lab.planted_of("locked")
    life.step("recovered")
    return life


@dataclass
class Alone:
    """A world without an operator: who hears of what."""

    lab: Lab
    product: Product
    inbox: list[Mail]
    report: Report


def build_alone(folder: Path) -> Alone:
    """Tenants that fail at once, with nobody but themselves to tell."""
    lab, product = Lab(folder), Product(folder)
    lab.tenant("unread", dying(), sender=True).app.secret = "changed in Entra"
    box = lab.tenant("mute", dying(), sender=True).mailbox
    assert box is not None
    box.auth = (
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the "
        f"Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information. {HOST}"
    )
    lab.tenant("senderless", dying())
    lab.tenant("nobody", dying(), sender=True, recipients=[])
    lab.tenant("fine", dying(), sender=True)
    html = lab.tenant("html", dying(), sender=True)
    html.directory.fault = lambda *_: Reply(200, b"<html></html>", "text/html")
    product.write("lapsewatch.toml", lab.settings())
    product.write("tenants.toml", lab.rows())
    product.run("init", code=0)
    product.run("tenant", "import", "tenants.toml", "--live")
    product.run("run", "scan", code=0)
    product.run("run", "canary", code=0)
    product.run("run", "warn", code=0)
    return Alone(lab, product, list(lab.submission.inbox), product.status())
