"""What each kind of credential means for an admin: portal links, what breaks, renewal steps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from monitor.mail import kept_dates, notes, own_steps, words
from monitor.mail.renewals import Command
from monitor.mail.words import defang, kind_word, plain
from monitor.model import Cloud, Credential, Kind, Note, ObjectType, Tenant

# Blades as they stand in the address bar of the portal.
_APPS = "#view/Microsoft_AAD_RegisteredApps"
_SHOWN = "This mail shows how its key id begins."
_BEGINS = re.compile(r"[0-9A-Za-z]{8}")  # an id comes from outside too
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
# What has ended cannot be extended: https://learn.microsoft.com/partner-center/dap-faq
_GDAP_LAPSED = Guide(
    key="gdap/lapsed",
    title="Lapsed GDAP relationship with a customer",
    steps=(
        "Open Partner Center. Choose Customers, the customer, Admin relationships.",
        "This one has ended and cannot be extended. Request a new admin relationship with the "
        "same roles, with Auto extend turned on where it is offered.",
        "The customer's administrator approves it by the link that you send.",
        "Assign your security groups to the new one, and sign in to the customer once to test it.",
    ),
)


def guide(
    tenant: Tenant,
    credential: Credential,
    note: Note | None = None,
    *,
    lapsed: bool = False,
    alone: bool = False,
) -> Guide:
    """The renewal steps for this credential; `alone`: the mail is about this tenant only.

    With a note, where the new value is entered is a step of its own. What has lapsed has steps of
    its own where those from before its end would mislead.
    """
    if credential.kind is Kind.GDAP:
        return _GDAP_LAPSED if lapsed else _GDAP
    enter = notes.enter(note, words.NEW.get(credential.kind, "one"))
    if credential.kind is Kind.ITEM:
        return _item_guide(credential, enter, lapsed)
    service = credential.object_type is ObjectType.SERVICE_PRINCIPAL
    word, own, ours = kind_word(credential.kind), "", ""
    late = lapsed and credential.kind is Kind.SAML_SIGNING
    use = _use(credential.kind, late)
    if credential.own:
        own = own_steps.role(tenant, credential)
        ours = f" that Lapsewatch {'sends' if own is own_steps.Role.SENDS else 'signs in'} with"
        use = (*own_steps.steps(tenant, credential, named=alone), *((enter,) if enter else ()))
    elif enter:
        use = (enter, *use[1:])
    what = f"Lapsed {word}" if late else f"{word[0].upper()}{word[1:]}"
    place = "a service principal" if service else "an app registration"
    return Guide(
        key=f"{credential.kind}/{credential.object_type}/{own}/{late}/{enter}",
        title=f"{what} of {place}{ours}{_of(credential, enter)}",
        steps=(*_create(credential.kind, service, late), *use, _delete(word)),
    )


def _of(credential: Credential, enter: str) -> str:
    """Which one the steps are about, where they are about this one."""
    return f', "{defang(credential.app_name, 60)}"' if enter else ""


def _item_guide(credential: Credential, enter: str, lapsed: bool) -> Guide:
    """A date that people keep: what is renewed is theirs to know."""
    steps = kept_dates.steps(credential, enter, lapsed=lapsed)
    title = kept_dates.title(credential, lapsed=lapsed) + _of(credential, enter)
    return Guide(key=f"{credential.kind}/{title}/{'/'.join(steps)}", title=title, steps=steps)


def _create(kind: Kind, service: bool, lapsed: bool) -> tuple[str, ...]:
    if kind is Kind.SAML_SIGNING:
        later = "It is not active yet." if lapsed else "Leave the old one active for now."
        return (
            "Open Single sign-on in the portal. Under SAML Certificates choose Edit.",
            f"Add a new certificate and save it. {later}",
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


def _use(kind: Kind, lapsed: bool) -> tuple[str, ...]:
    if kind is Kind.SAML_SIGNING and lapsed:
        # Not before the app has it: some apps do not look at the end, and still work.
        return (
            "Give the new certificate to whoever runs the app, at once.",
            "As soon as the app has it, make it active and test a sign-in. The old one has ended: "
            "there is nothing to wait for.",
        )
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
    return f"Delete the old {word}. {_SHOWN}"


def each_once(
    made: Sequence[tuple[Guide, Credential]], *, named: bool = False
) -> tuple[Guide, ...]:
    """The guides of a list, each once, in its order.

    With `named` a guide for one credential alone says which one is to be deleted.
    """
    often = Counter(guide.key for guide, _ in made)
    found = {
        guide.key: _pointed(guide, credential) if named and often[guide.key] == 1 else guide
        for guide, credential in reversed(made)  # so that the first of equal ones stays
    }
    return tuple(found[key] for key in often)


def _pointed(guide: Guide, credential: Credential) -> Guide:
    which = ""
    for label, value in (("key id", credential.key_id), ("thumbprint", credential.thumbprint)):
        if not which and (begins := _BEGINS.match(value or "")):
            which = f" It is the one whose {label} begins {begins[0]}."
    return replace(guide, steps=tuple(step.replace(f" {_SHOWN}", which) for step in guide.steps))


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
