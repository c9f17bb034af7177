"""What each kind of credential means for an admin: portal links, what breaks, renewal steps."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from monitor.mail import notes, words
from monitor.mail.renewals import Command
from monitor.mail.words import defang, kind_word, plain
from monitor.model import Cloud, Credential, Kind, Note, ObjectType, Sort, Tenant

# Blades as they stand in the address bar of the portal.
_APPS = "#view/Microsoft_AAD_RegisteredApps"
_ENTERPRISE = "#view/Microsoft_AAD_IAM/ManagedAppMenuBlade/~"


@dataclass(frozen=True, slots=True)
class Guide:
    """How to renew one sort of credential; `key` groups those that share the steps.

    `commands` do it for several, with words in capitals that `legend` explains.
    """

    key: str
    title: str
    steps: tuple[str, ...]
    commands: tuple[Command, ...] = ()
    legend: str = ""


def portal_link(cloud: Cloud, tenant: Tenant, credential: Credential) -> str:
    """The portal page, in the right tenant, where this credential is seen or renewed."""
    if credential.kind is Kind.GDAP:
        return cloud.partner_center
    if credential.kind is Kind.ITEM:
        return ""
    return f"{_tenant_base(cloud, tenant)}/{_blade(credential)}"


def _tenant_base(cloud: Cloud, tenant: Tenant) -> str:
    base = cloud.portal if "://" in cloud.portal else f"https://{cloud.portal}"
    return f"{base.rstrip('/')}/{_part(tenant.directory_id)}"


def _blade(credential: Credential) -> str:
    app = _part(credential.app_id or "")
    if credential.object_type is ObjectType.SERVICE_PRINCIPAL:
        saml = credential.kind is Kind.SAML_SIGNING
        blade = f"{_ENTERPRISE}/{'SignOn' if saml else 'Overview'}"
        link = f"{blade}/objectId/{_part(credential.object_id)}/appId/{app}"
        return f"{link}/preferredSingleSignOnMode/saml" if saml else link
    if not app:
        return f"{_APPS}/ApplicationsListBlade"
    page = "Manifest" if credential.kind is Kind.TOKEN_ENCRYPTION else "Credentials"
    return f"{_APPS}/ApplicationMenuBlade/~/{page}/appId/{app}/isMSAApp~/false"


def _part(value: str) -> str:
    return quote(plain(value), safe="")


_PERMISSIONS = frozenset(
    {"consent_missing", "permission_missing", "wrong_api_permission", "delegated_permission"}
)
_IDENTITY = frozenset({"object_id_mismatch", "sp_not_in_exchange"})  # Exchange has no page for it
_CREDENTIALS = frozenset({"wrong_secret", "expired_secret", "cert_not_registered"})
_EXCHANGE_STAGES = frozenset({"auth", "mail", "rcpt", "data"})


def alarm_link(
    cloud: Cloud, tenant: Tenant, client_id: str, cause: str | None, stage: str | None
) -> tuple[str, str]:
    """Where an alarm is most likely mended: the address, and what that page is called."""
    in_entra = cause in _PERMISSIONS | _IDENTITY
    if stage in _EXCHANGE_STAGES and cloud.name == "global" and not in_entra:
        return "https://admin.exchange.microsoft.com/#/mailboxes", "the Exchange admin center"
    base = _tenant_base(cloud, tenant)
    if cause in _IDENTITY or (tenant.app and client_id == tenant.client_id):
        # A shared app is registered elsewhere; here it is an enterprise application only.
        blade = "StartboardApplicationsMenuBlade/~/AppAppsPreview"
        return f"{base}/#view/Microsoft_AAD_IAM/{blade}", "Enterprise applications"
    page, label = "Overview", "the app registration"
    if cause in _PERMISSIONS:
        page, label = "CallAnAPI", "API permissions"
    elif cause in _CREDENTIALS:
        page, label = "Credentials", "Certificates & secrets"
    link = f"{base}/{_APPS}/ApplicationMenuBlade/~/{page}/appId/{_part(client_id)}/isMSAApp~/false"
    return link, label


def link_label(credential: Credential) -> str:
    """What the page behind `portal_link` is called in the portal."""
    if credential.kind is Kind.GDAP:
        return "Partner Center"
    if credential.object_type is ObjectType.SERVICE_PRINCIPAL:
        saml = credential.kind is Kind.SAML_SIGNING
        return "Single sign-on" if saml else "the enterprise application"
    if not credential.app_id:
        return "App registrations"
    token = credential.kind is Kind.TOKEN_ENCRYPTION
    return "the app's manifest" if token else "Certificates & secrets"


def what_breaks(credential: Credential, lapsed: bool, note: Note | None = None) -> str:
    """What the end of this credential does, in one sentence or two."""
    word = kind_word(credential.kind)
    if credential.kind is Kind.ITEM:
        return notes.breaks(note)
    if credential.kind is Kind.SAML_SIGNING:
        when = "Users cannot" if lapsed else "From then on users cannot"
        return f"{when} sign in to this app by single sign-on."
    if credential.kind is Kind.GDAP:
        when = "Your people have" if lapsed else "From then on your people have"
        return f"{when} no delegated admin rights at this customer by this relationship."
    if credential.kind is Kind.TOKEN_ENCRYPTION:
        return "The app may refuse the tokens that Entra encrypts with this certificate."
    code = {Kind.SECRET: "AADSTS7000222", Kind.CERTIFICATE: "AADSTS700027"}.get(credential.kind)
    how = f"token requests fail with {code}." if code else "token requests fail."
    still = "still signs in with this" if lapsed else "signs in with this"
    return f"Whatever {still} {word} {'fails' if lapsed else 'stops'}: {how}"


OWN = (
    "Lapsewatch itself signs in with this. After renewal put the new value into Lapsewatch, "
    "or this tenant goes dark."
)


# https://learn.microsoft.com/partner-center/customers/gdap-introduction
_GDAP = Guide(
    key="gdap",
    title="GDAP relationship with a customer",
    steps=(
        "Open Partner Center. Choose Customers, the customer, Admin relationships.",
        "Open the relationship. If it offers Auto extend, turn it on: it then goes on by six "
        "months each time.",
        "If it does not, request a new admin relationship with the same roles. The customer's "
        "administrator approves it by the link that you send.",
        "Assign your security groups to the new one, and sign in to the customer once to test it.",
    ),
)


def guide(tenant: Tenant | None, credential: Credential, note: Note | None = None) -> Guide:
    """The renewal steps for this credential; no tenant where the mail is about several.

    With a note, where the new value is entered is a step of its own.
    """
    if credential.kind is Kind.GDAP:
        return _GDAP
    if credential.kind is Kind.ITEM:
        return _item_guide(credential, note)
    service = credential.object_type is ObjectType.SERVICE_PRINCIPAL
    word = kind_word(credential.kind)
    place = "a service principal" if service else "an app registration"
    own = " that Lapsewatch signs in with" if credential.own else ""
    use = _use_own(tenant) if credential.own else _use(credential.kind)
    enter = notes.enter(note, words.NEW.get(credential.kind, "one"))
    if enter and credential.own:
        use = (use[0], enter, *use[1:])
    elif enter:
        use = (enter, *use[1:])
    return Guide(
        key=f"{credential.kind}/{credential.object_type}/{credential.own}/{enter}",
        title=f"{word[0].upper()}{word[1:]} of {place}{own}{_of(credential, enter)}",
        steps=(*_create(credential.kind, service), *use, _delete(word)),
    )


def _of(credential: Credential, enter: str) -> str:
    """Which one the steps are about, where they are about this one."""
    return f', "{defang(credential.app_name, 60)}"' if enter else ""


def _item_guide(credential: Credential, note: Note | None) -> Guide:
    """A date that people keep: what is renewed is theirs to know."""
    word, host = words.thing(credential), (credential.name or "").partition(" ")[2]
    enter = notes.enter(note, "one")
    renew = f"Renew the {word} with whoever issued it."
    if word == words.SORT_WORDS[Sort.CONTRACT]:
        renew = "Renew the contract, or prepare its end."
    told = (
        "The next scan of the tenant reads the new end from the server."
        if host
        else "Give Lapsewatch the new end: change the [[item]] and import the file again, or run "
        "`lapsewatch item add` with the same name."
    )
    key = f"{credential.kind}/{word}/{bool(host)}/{enter}"
    title = f"{word[0].upper()}{word[1:]}{_of(credential, enter)}"
    return Guide(key=key, title=title, steps=tuple(filter(None, (renew, enter, told))))


def _create(kind: Kind, service: bool) -> tuple[str, ...]:
    if kind is Kind.SAML_SIGNING:
        return (
            "Open Single sign-on in the portal. Under SAML Certificates choose Edit.",
            "Add a new certificate and save it. Leave the old one active for now.",
        )
    if kind is Kind.TOKEN_ENCRYPTION:
        return (
            "Ask whoever runs the app for its new certificate.",
            "Open the app in the portal. Import the certificate under Token encryption.",
        )
    if kind is Kind.SECRET and not service:
        return (
            "Open Certificates & secrets in the portal. Add a new client secret.",
            "Copy its value at once. The portal shows it only this one time.",
        )
    if kind is Kind.SECRET:
        return (
            "The portal does not show this secret. Open PowerShell with Microsoft Graph.",
            "Run `Add-MgServicePrincipalPassword -ServicePrincipalId` with its object id. "
            "Copy the secretText at once.",
        )
    if kind is Kind.CERTIFICATE and not service:
        return (
            "Create a new key and its certificate.",
            "Open Certificates & secrets in the portal. Upload the certificate.",
        )
    return (
        f"Create a new {'key' if kind is Kind.SYMMETRIC_KEY else 'key and its certificate'}.",
        "The portal does not manage this one. Add the new one with Microsoft Graph, "
        "beside the old one.",
    )


def _use_own(tenant: Tenant | None) -> tuple[str, ...]:
    name = plain(tenant.name) if tenant else "NAME"
    return (
        "Put the new value where Lapsewatch reads it.",
        f"Check it: `lapsewatch run scan --tenant {name}`" + ("" if tenant else ", with its name"),
    )


def _use(kind: Kind) -> tuple[str, ...]:
    if kind is Kind.SAML_SIGNING:
        return (
            "Give the new certificate to whoever runs the app.",
            "Agree on a time, make the new certificate active, and test a sign-in.",
        )
    if kind is Kind.TOKEN_ENCRYPTION:
        return (
            "When the app holds the new private key, activate the new certificate.",
            "Test a sign-in to the app.",
        )
    return (
        "Put the new one where the old one is used.",
        "Check that it signs in. The app's sign-in log shows the key id in use.",
    )


def _delete(word: str) -> str:
    return f"Delete the old {word}. This mail shows how its key id begins."


def unexpected_steps(word: str) -> tuple[str, ...]:
    """What is to do about a credential that should not be there."""
    return (
        "Find out who added it: look at the audit log of Entra (Monitoring, Audit logs), "
        "activity Certificates and secrets management.",
        f"Nobody knows about it? Delete the {word}, look at the app's sign-ins, and treat it as "
        "an attack until you know better.",
        "It may stay? Then change the `[[forbid]]` rule in `lapsewatch.toml`.",
    )


def moving(credential: Credential) -> Guide:
    """What is left to do when a newer one is there and something still uses the old one."""
    word = kind_word(credential.kind)
    return Guide(
        key=f"moving/{credential.kind}",
        title=f"Old {word} that is still used after its renewal",
        steps=(
            "Find what uses it: open the app's sign-in log in Entra and look for the old key id.",
            "Give it the newer one. Check that the log then shows the key id of the newer one.",
            f"Delete the old {word}.",
        ),
    )


def covered_steps(word: str) -> tuple[str, ...]:
    """What is left to do when a newer credential is already there."""
    return (
        "Make sure that everything uses the newer one. The app's sign-in log shows the key id "
        "in use.",
        f"Delete the old {word}.",
    )
