"""A world of tenants that cannot be read and of mailboxes that cannot send, each for a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from tests.acceptance.lab.cloud import Lab, Tenant
from tests.acceptance.lab.entra import refusal
from tests.acceptance.lab.graph import DENIED, graph_error
from tests.acceptance.lab.http import HTML, HttpServer, Reply, Request
from tests.acceptance.lab.objects import Cred, Thing, app, guid, in_days
from tests.acceptance.lab.product import Product, Report
from tests.acceptance.lab.smtp import GENERIC, Mail, Manners

Fault = Callable[[Request, str, int], Reply | None]
HOST = "[LO2P123CA0001.GBRP123.PROD.OUTLOOK.COM 2024-03-20T10:27:56.998Z 08DC48BEE95C08E5]"
OFF = (
    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the {}. "
    f"Visit https://aka.ms/smtp_auth_disabled for more information. {HOST}"
)
LOGON = (
    "430 4.2.0 STOREDRV; mailbox logon failure; STOREDRV.Submission.Exception:"
    "ConnectionFailedTransientException.MapiExceptionLogonFailed; Failed to process message due "
    "to a transient exception with message [BeginDiagnosticData]Cannot open mailbox."
)
SEND_AS = (
    "554 5.2.252 SendAsDenied; a@x not allowed to send as b@x; STOREDRV.Submission.Exception:"
    "SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message"
)
GONE = "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"
CUT = Reply(200, b'{"value":[{"id":"x","keyCreden', cut=500)
NOTHING_IS_CERTAIN = {"scan_incomplete", "malformed_page"}

# tenant: the causes that fit what the servers did
UNREADABLE = {
    "consent": {"permission_missing", "consent_missing"},
    "consent-half": {"permission_missing", "consent_missing"},
    "wrong-secret": {"wrong_secret"},
    "secret-id": {"wrong_secret"},
    "expired-secret": {"expired_secret"},
    "no-app": {"app_not_found"},
    "no-tenant": {"tenant_not_found"},
    "entra-down": {"connect_refused"},
    "graph-down": {"connect_refused"},
    "no-name": {"name_not_found"},
    "wrong-ca": {"tls_untrusted", "tls_intercepted"},
    "token-html": {"html_instead_of_json"},
    "token-empty": NOTHING_IS_CERTAIN | {"transient"},
    "token-503": {"transient"},
    "graph-html": {"html_instead_of_json"},
    "graph-502": {"html_instead_of_json", "transient"},
    "graph-503": {"transient"},
    "throttled-long": {"throttled"},
    "truncated": NOTHING_IS_CERTAIN,
    "broken-json": NOTHING_IS_CERTAIN,
    "no-value": NOTHING_IS_CERTAIN,
    "foreign-host": {"scan_incomplete"},
    "foreign-port": {"scan_incomplete"},
    "repeated": {"scan_incomplete"},
    "odd-objects": NOTHING_IS_CERTAIN,
    "no-file": {"secret_missing"},
}
READABLE = {"fine", "throttled", "empty-page"}
# tenant: stage, causes
BROKEN_MAIL = {
    "off-tenant": ("auth", {"smtp_auth_disabled_tenant"}),
    "off-mailbox": ("auth", {"smtp_auth_disabled_mailbox"}),
    "generic": ("auth", {"generic_oauth_failure"}),
    "challenged": ("auth", {"generic_oauth_failure"}),
    "no-permission": ("data", {"no_mailbox_permission"}),
    "send-as": ("data", {"send_as_denied"}),
    "refused": ("tcp", {"connect_refused"}),
    "no-starttls": ("starttls", {"tls_intercepted", "starttls_required"}),
    "strange-ca": ("starttls", {"tls_untrusted", "tls_intercepted"}),
    "other-name": ("starttls", {"tls_untrusted", "tls_intercepted"}),
    "login-only": ("ehlo", {"xoauth2_not_offered"}),
    "no-dns": ("dns", {"name_not_found"}),
    "token-expired": ("token", {"expired_secret"}),
    "token-wrong": ("token", {"wrong_secret"}),
    "no-recipient": ("rcpt", {"recipient_unknown"}),
    "busy": ("greeting", {"transient_backend"}),
    "passing": ("data", {"transient_backend"}),
}
PASSING = {"refused", "no-dns", "busy", "passing"}
GOOD_MAIL = {"fine", "opaque"}


def dying() -> Thing:
    """An app whose secret has five days left."""
    return app("dying app", Cred("dying", in_days(5), "critical"))


@dataclass
class Faults:
    """The world, and what the product said of it."""

    lab: Lab
    product: Product
    elsewhere: HttpServer
    throttled_at: list[float] = field(default_factory=list)
    report: Report = field(default_factory=lambda: Report({}))
    scanned: str = ""
    scan_mails: list[Mail] = field(default_factory=list)
    canary_mails: list[Mail] = field(default_factory=list)


def _only(name: str, page: int, reply: Reply) -> Fault:
    return lambda _, asked, number: reply if (asked, number) == (name, page) else None


def _linked(link: str) -> Reply:
    return Reply(200, {"value": [dying().wire()], "@odata.nextLink": link})


def unreadable(world: Faults) -> None:
    """Add the tenants that cannot be read."""
    lab, five = world.lab, [app(f"a{i}", Cred(f"c{i}", in_days(5))) for i in range(5)]
    made: dict[str, Tenant] = {}
    clouds = {
        "entra-down": lab.cloud(authority=f"https://127.0.0.1:{lab.refusing()}"),
        "graph-down": lab.cloud(graph=f"http://127.0.0.1:{lab.refusing()}"),
        "wrong-ca": lab.cloud(ca_file=str(lab.stranger.ca_file)),
        "no-name": lab.cloud(graph="https://graph.does-not-exist.invalid"),
    }
    lab.clouds |= clouds
    for name in UNREADABLE:
        things = five if name == "truncated" else [dying()]
        cloud = name if name in clouds else "lab"
        made[name] = lab.tenant(name, *things, cloud=cloud)
        made[name].directory.page_size = 2
    graph, port = lab.graph.url, world.elsewhere.port
    faults: dict[str, Fault] = {
        "consent": lambda *_: DENIED,
        "consent-half": _only("servicePrincipals", 1, DENIED),
        "graph-html": lambda *_: HTML,
        "graph-502": lambda *_: Reply(502, b"<html>bad gateway</html>", "text/html"),
        "graph-503": lambda *_: graph_error(503, "serviceNotAvailable", "x", Retry_After="0"),
        "throttled-long": lambda *_: graph_error(429, "TooManyRequests", "x", Retry_After="600"),
        "truncated": _only("applications", 2, CUT),
        "broken-json": _only("applications", 1, Reply(200, CUT.body)),
        "no-value": _only("applications", 1, Reply(200, {})),
        "foreign-host": _only(
            "applications", 1, _linked(f"http://localhost:{port}/v1.0/applications?$skiptoken=2")
        ),
        "foreign-port": _only(
            "applications", 1, _linked(f"http://127.0.0.1:{port}/v1.0/applications?$skiptoken=2")
        ),
        "repeated": lambda _, name, __: (
            _linked(f"{graph}/v1.0/applications?$skiptoken=2") if name == "applications" else None
        ),
    }
    for name, fault in faults.items():
        made[name].directory.fault = fault
    made["odd-objects"].directory.applications += [{"id": 5, "displayName": ["x"]}, "hello"]
    made["wrong-secret"].app.secret = made["secret-id"].app.secret = "another"
    (lab.folder / "secrets" / "secret-id").write_text(guid())
    (lab.folder / "secrets" / "no-file").unlink()
    made["expired-secret"].app.override = lambda _: refusal(7000222)
    made["no-app"].app.override = lambda _: refusal(700016, "unauthorized_client", 400)
    made["no-tenant"].app.override = lambda _: refusal(90002, "invalid_request", 400)
    made["token-html"].app.override = lambda _: HTML
    made["token-empty"].app.override = lambda _: Reply(200, {"token_type": "Bearer"})
    made["token-503"].app.override = lambda _: refusal(90033, "temporarily_unavailable", 503)


def readable(world: Faults) -> None:
    """Add the tenants that are read in spite of something."""
    lab = world.lab
    lab.tenant("fine", dying(), sender=True)
    lab.tenant("opaque", dying(), sender=True)

    def throttle(_: Request, name: str, __: int) -> Reply | None:
        if name != "applications":
            return None
        world.throttled_at.append(monotonic())
        first = len(world.throttled_at) == 1
        return graph_error(429, "TooManyRequests", "x", Retry_After="2") if first else None

    lab.tenant("throttled", dying()).directory.fault = throttle
    five = [app(f"a{i}", Cred(f"c{i}", in_days(5))) for i in range(5)]
    paged = lab.tenant("empty-page", *five).directory
    paged.page_size, paged.empty_page_before = 2, 2
    sender = lab.tenants["opaque"].sender_app
    assert sender is not None
    sender.opaque = True


def broken_mail(world: Faults) -> None:
    """Add the tenants whose mail path is broken."""
    lab = world.lab
    manners = {
        "no-starttls": Manners(None),
        "strange-ca": Manners(lab.stranger.server_context()),
        "other-name": Manners(lab.authority.server_context("mail.example")),
        "login-only": Manners(lab.context, "LOGIN"),
        "busy": Manners(lab.context, greeting="421 4.3.2 Service not available"),
    }
    lab.clouds |= {
        name: lab.cloud(smtp_port=lab.listener(way).port) for name, way in manners.items()
    }
    lab.clouds["refused"] = lab.cloud(smtp_port=lab.refusing())
    lab.clouds["no-dns"] = lab.cloud(smtp_host="smtp.does-not-exist.invalid")
    for name in BROKEN_MAIL:
        lab.tenant(name, dying(), sender=True, cloud=name if name in lab.clouds else "lab")
    boxes = {name: lab.submission.mailboxes[f"noreply@{name}.example"] for name in BROKEN_MAIL}
    boxes["off-tenant"].auth, boxes["off-mailbox"].auth = (
        OFF.format("Tenant"),
        OFF.format("Mailbox"),
    )
    boxes["generic"].auth = boxes["challenged"].auth = GENERIC
    boxes["challenged"].challenge = True
    boxes["no-permission"].data, boxes["send-as"].data = LOGON, SEND_AS
    boxes["passing"].data = "451 4.7.0 Temporary server error. Please try again later. PRX4 [x]"
    boxes["no-recipient"].rcpt["canary@gone.example"] = GONE
    lab.tenants["no-recipient"].row["sender"]["canary_to"] = ["canary@gone.example"]
    for name, code in (("token-expired", 7000222), ("token-wrong", 7000215)):
        sender = lab.tenants[name].sender_app
        assert sender is not None
        sender.override = lambda _, code=code: refusal(code)


def operator(lab: Lab) -> dict[str, object]:
    """An operator with a relay that asks for nothing."""
    relay = lab.listener(Manners(None, open_relay=True))
    smtp = {"host": "127.0.0.1", "port": relay.port, "tls": "none"}
    return {
        "name": "MSP", "recipients": ["noc@msp.example"], "time_zone": "UTC",
        "sender": {"smtp": smtp},
    }  # fmt: skip


def build(folder: Path) -> Faults:
    """Start the servers, scan, warn, and send the canaries."""
    lab = Lab(folder)
    elsewhere = HttpServer(lambda _: Reply(200, {"value": []}))
    lab.closing.append(elsewhere)
    world = Faults(lab, Product(folder), elsewhere)
    unreadable(world)
    readable(world)
    broken_mail(world)
    product, inbox = world.product, lab.submission.inbox
    product.write("lapsewatch.toml", lab.settings(operator(lab)))
    product.write("tenants.toml", lab.rows())
    product.run("init", code=0)
    product.run("tenant", "import", "tenants.toml", "--live", code=0)
    world.scanned = product.run("run", "scan", code=0).text
    product.run("run", "warn", code=0)
    world.scan_mails = list(inbox)
    inbox.clear()
    product.run("run", "canary", code=0)
    world.canary_mails = list(inbox)
    world.report = product.status()
    return world
