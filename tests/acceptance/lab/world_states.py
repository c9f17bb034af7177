"""A world of tenants that are read without trouble: every state a credential can have."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from typing import Any

from tests.acceptance.lab.authority import client_certificate
from tests.acceptance.lab.cloud import Lab
from tests.acceptance.lab.objects import (
    START,
    Cred,
    Thing,
    app,
    guid,
    in_days,
    key,
    local_day,
    principal,
    saml_app,
    thumbprint,
)
from tests.acceptance.lab.product import Done, Product, Report

ZONES = {
    "kiritimati": "Pacific/Kiritimati",
    "midway": "Pacific/Midway",
    "berlin": "Europe/Berlin",
    "chatham": "Pacific/Chatham",
    "newfoundland": "America/St_Johns",
}
EDGE_DAYS = (-400, -30, -8, -7, -1, 0, 1, 6, 7, 8, 29, 30, 31, 59, 60, 61, 90, 91)
LAST, FIRST = time(23, 59, 59), time(0, 0, 0)


def _edges(zone: str) -> list[Thing]:
    """Each on an object of its own, so that nothing is superseded."""
    things: list[Thing] = []
    for days in EDGE_DAYS:
        ends = {
            "first": local_day(zone, days, FIRST, "0000001"),
            "last": local_day(zone, days, LAST, "9999999"),
            "noon": local_day(zone, days, time(12)),
        }
        for moment, end in ends.items():
            name = f"{moment} of day {days}"
            kind = "certificate" if moment == "noon" else "secret"
            made = principal if moment == "first" else app
            things.append(made(f"app {name}", Cred(name, end, kind=kind)))
    odd = {
        "no end": None,
        "never": "2299-12-31T00:00:00Z",
        "end of the calendar": "9999-12-31T23:59:59.9999999Z",
        "start of the calendar": "0001-01-01T00:00:00Z",
        "five minutes ago": in_days(-5 / 1440),
        "in an hour": in_days(1 / 24),
    }
    return things + [app(f"app {name}", Cred(name, end)) for name, end in odd.items()]


def _successors() -> list[Thing]:
    """Pairs on one object, with the state that rule 6 gives to each."""
    later, soon, gone = in_days(300), in_days(5), in_days(-3)
    equal = in_days(12)
    return [
        app("renewed", Cred("old", soon, "superseded"), Cred("new", later, "ok")),
        app("renewed late", Cred("old", gone, "superseded"), Cred("new", later, "ok")),
        app("both soon", Cred("old", soon, "superseded"), Cred("new", in_days(20), "warning")),
        app("equal ends", Cred("one", equal, "warning"), Cred("two", equal, "warning")),
        app("successor without end", Cred("old", soon, "superseded"), Cred("new", None, "ok")),
        app("both without end", Cred("one", None, "ok"), Cred("two", None, "ok")),
        app("calendar against none", Cred("old", "9999-12-31T23:59:59Z", "superseded"),
            Cred("new", None, "ok")),
        app("not started", Cred("old", soon, "critical"),
            Cred("new", later, "ok", start=in_days(2))),
        app("start of null", Cred("old", soon, "superseded"), Cred("new", later, "ok", start=None)),
        app("another kind", Cred("old", soon, "critical"),
            Cred("new", later, "ok", kind="certificate")),
        app("lapsed successor", Cred("old", in_days(-9), "lapsed"), Cred("new", gone, "lapsed")),
        app("chain", Cred("one", gone, "superseded"), Cred("two", soon, "superseded"),
            Cred("three", later, "ok")),
        app("encryption", Cred("enc", soon, "critical", kind="token_encryption"),
            Cred("ver", later, "ok", kind="certificate")),
        principal("only on the principal", Cred("sp secret", soon, "critical")),
        app("half", Cred("on the application", later, "ok")),
        principal("half", Cred("on the principal", soon, "critical")),
    ]  # fmt: skip


def _saml() -> list[Thing]:
    old, new = Cred("CN=old", in_days(11), "warning"), Cred("CN=new", in_days(900), "ok")
    fresh = [Cred("CN=a", in_days(11)), Cred("CN=b", in_days(900))]
    again = [Cred("CN=a", in_days(11)), Cred("CN=b", in_days(900))]
    return [
        saml_app("inactive successor", old, old, new),
        saml_app("active successor", fresh[1], _as(fresh[0], "superseded"), _as(fresh[1], "ok")),
        saml_app("unknown active", None, _as(again[0], "warning"), _as(again[1], "ok")),
    ]


def _as(cred: Cred, state: str) -> Cred:
    return Cred(cred.name, cred.end, state, cred.start, key_id=cred.key_id)


def _shapes() -> list[Thing]:
    """What the wire looks like in old and odd directories."""
    pair, hexed, lone = guid(), thumbprint("hexed").hex().upper(), "old description"
    soon, later = in_days(5), in_days(300)
    cert = Cred("pair", soon, "critical", kind="certificate", key_id=pair)
    both = (key(cert, "Sign", type="X509CertAndPassword"), key(cert, "Verify", keyId=guid()))
    hexes = tuple(
        key(cert, usage, customKeyIdentifier=hexed, keyId=guid()) for usage in ("Sign", "Verify")
    )
    named = {"customKeyIdentifier": b64encode(lone.encode("utf-16-le")).decode()}
    legacy = _Renamed("legacy", [Cred(lone, soon, "critical", "2019-09-17T19:10:35.2742618Z")])
    legacy.changes = {"displayName": None} | named
    nameless = Cred("twin", soon, "critical", key_id=None, count=2)
    managed = principal(
        "managed", Cred("rotated", in_days(3), "superseded", kind="certificate"),
        Cred("rotated next", in_days(40), "upcoming", kind="certificate"),
        servicePrincipalType="ManagedIdentity",
    )  # fmt: skip
    return [
        app("pair", Cred("pair", soon, "critical", kind="certificate", key_id=pair, raw=both)),
        app("hexed", Cred("pair", soon, "critical", kind="certificate", raw=hexes)),
        app("twins", nameless),
        app("symmetric", Cred("sym", later, "ok", kind="symmetric_key")),
        legacy,
        managed,
        principal("first party", appOwnerOrganizationId="f8cdef31-a31e-4b4a-93e4-5f571e91255a"),
        app("federated", federatedIdentityCredentials=[
            {"id": guid(), "name": "gh", "issuer": "https://token.actions.example",
             "subject": "repo:a/b", "audiences": ["api://AzureADTokenExchange"]}
        ]),
    ]  # fmt: skip


@dataclass
class _Renamed(Thing):
    """An object whose secrets have their name where old tools put it."""

    changes: dict[str, Any] = field(default_factory=dict)

    def wire(self) -> dict[str, Any]:
        made = super().wire()
        made["passwordCredentials"] = [p | self.changes for p in made["passwordCredentials"]]
        return made


@dataclass
class States:
    """The world, and what the product said of it."""

    lab: Lab
    product: Product
    report: Report
    table: list[dict[str, str]]
    page: str
    warned: list[Done]
    mails_after: list[int]


def own_secret(lab: Lab) -> None:
    """A tenant whose own secret has 5 days left and a successor in Entra."""
    tenant = lab.tenant("own-secret", zone="UTC", sender=True)
    assert tenant.app.secret is not None
    hint = tenant.app.secret[:3]
    own = app("lapsewatch", Cred("in use", in_days(5), "critical", hint=hint),
              Cred("next", in_days(400), "ok", hint="zz~"))  # fmt: skip
    own.app_id = tenant.app.client_id
    other = app("stranger with the hint", Cred("in use", in_days(5), "superseded", hint=hint),
                Cred("next", in_days(400), "ok", hint="zz~"))  # fmt: skip
    assert tenant.sender_app is not None
    assert tenant.sender_app.secret is not None
    mail = app("mail sender", Cred("mail", in_days(6), "critical",
                                   hint=tenant.sender_app.secret[:3]),
               Cred("next", in_days(400), "ok", hint="zz~"))  # fmt: skip
    mail.app_id = tenant.sender_app.client_id
    tenant.things = [own, other, mail]
    tenant.refresh()


def own_certificate(lab: Lab) -> None:
    """A tenant that is read with a certificate which has a successor in Entra."""
    certificate = client_certificate()
    tenant = lab.tenant("own-certificate", certificate=certificate, zone="UTC", sender=True)
    tenant.app.opaque = True
    mine = Cred("in use", in_days(5), "critical", kind="certificate")
    raw = key(mine, customKeyIdentifier=b64encode(certificate.thumbprint).decode())
    mine = Cred("in use", mine.end, "critical", kind="certificate", key_id=mine.key_id, raw=(raw,))
    own = app("lapsewatch", mine, Cred("next", in_days(400), "ok", START, "certificate"))
    own.app_id = tenant.app.client_id
    tenant.things = [own]
    tenant.refresh()


def build(folder: Path) -> States:
    """Start the servers, import, scan, look, and warn twice."""
    lab, product = Lab(folder), Product(folder)
    for name, zone in ZONES.items():
        lab.tenant(name, *_edges(zone), zone=zone, sender=True)
    narrow = lab.tenant("thresholds", *_edges("Asia/Tokyo"), zone="Asia/Tokyo", sender=True,
                        thresholds=[90, 10, 10])  # fmt: skip
    narrow.directory.page_size = 10
    lab.tenant("silent", *_edges("UTC"), zone="UTC", sender=True, thresholds=[])
    lab.tenant("successors", *_successors(), zone="UTC", sender=True)
    lab.tenant("saml", *_saml(), zone="UTC", sender=True).directory.empty_page_before = 1
    lab.tenant("shapes", *_shapes(), zone="UTC", sender=True)
    own_secret(lab)
    own_certificate(lab)
    product.write("lapsewatch.toml", lab.settings())
    product.write("tenants.toml", lab.rows())
    product.run("init", code=0)
    product.run("tenant", "import", "tenants.toml", "--live", code=0)
    product.run("run", "scan", code=0)
    report, table, page = product.status(), product.csv(), product.page()
    warned, counts = [], []
    for _ in range(2):
        warned.append(product.run("run", "warn", code=0))
        counts.append(len(lab.submission.inbox))
    return States(lab, product, report, table, page, warned, counts)
