"""How Microsoft Graph writes the world's nouns as JSON, with its old habits."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from .world import (
    App,
    AppPolicy,
    Certificate,
    FederatedCredential,
    Owner,
    SamlCertificate,
    Secret,
    ServicePrincipal,
    Tenant,
)

Json = dict[str, Any]

# Properties that exist beside those served, so that `$select` may name them (v1.0 metadata).
MORE_APPLICATION = frozenset(
    {
        "api",
        "authenticationBehaviors",
        "certification",
        "createdByAppId",
        "createdOnBehalfOf",
        "defaultRedirectUri",
        "description",
        "disabledByMicrosoftStatus",
        "isDeviceOnlyAuthSupported",
        "isFallbackPublicClient",
        "logo",
        "managerApplications",
        "nativeAuthenticationApisEnabled",
        "oauth2RequirePostResponse",
        "optionalClaims",
        "requestSignatureVerification",
        "samlMetadataUrl",
        "serviceManagementReference",
        "servicePrincipalLockConfiguration",
        "spa",
        "uniqueName",
    }
)
MORE_PRINCIPAL = frozenset(
    {
        "appDescription",
        "applicationTemplateId",
        "createdByAppId",
        "customSecurityAttributes",
        "description",
        "disabledByMicrosoftStatus",
        "homepage",
        "isDisabled",
        "loginUrl",
        "logoutUrl",
        "notes",
        "remoteDesktopSecurityConfiguration",
        "resourceSpecificApplicationPermissions",
        "samlSingleSignOnSettings",
        "verifiedPublisher",
    }
)


def stamp(instant: datetime | None, digits: int = 7) -> str | None:
    """An Edm.DateTimeOffset: seven digits of a fraction, or none at all."""
    if instant is None:
        return None
    text = instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{instant.microsecond:06d}1Z" if digits else f"{text}Z"


def password_json(secret: Secret) -> Json:
    """A passwordCredential; the value is never in it."""
    return {
        "customKeyIdentifier": _legacy(secret.legacy_name),
        "displayName": secret.name,
        "endDateTime": stamp(secret.end, secret.digits),
        "hint": secret.hint,
        "keyId": secret.key_id,
        "secretText": None,
        "startDateTime": stamp(secret.start, secret.digits),
    }


def certificate_json(certificate: Certificate) -> list[Json]:
    """The keyCredentials of a certificate: one, or a Verify and Sign pair."""
    usage, form = "Verify", "AsymmetricX509Cert"
    if certificate.kind == "token_encryption":
        usage = "Encrypt"
    elif certificate.kind == "symmetric_key":
        form = "Symmetric"
    first = _key(certificate, certificate.key_id, usage, form)
    if certificate.twin_key_id is None:
        return [first]
    return [first, _key(certificate, certificate.twin_key_id, "Sign", form)]


def saml_json(saml: SamlCertificate) -> tuple[list[Json], Json]:
    """The two keyCredentials and the passwordCredential of a SAML signing certificate."""
    identifier = base64.b64encode(bytes.fromhex(saml.thumbprint)).decode()
    common = {
        "customKeyIdentifier": identifier,
        "displayName": saml.name,
        "endDateTime": stamp(saml.end, 0),
        "key": None,
        "startDateTime": stamp(saml.start, 0),
    }
    sign = {"keyId": saml.sign_key_id, "type": "X509CertAndPassword", "usage": "Sign"}
    verify = {"keyId": saml.verify_key_id, "type": "AsymmetricX509Cert", "usage": "Verify"}
    password = {
        "customKeyIdentifier": identifier,
        "displayName": saml.name,
        "endDateTime": stamp(saml.password_end, 0),
        "hint": None,
        "keyId": saml.sign_key_id,
        "secretText": None,
        "startDateTime": stamp(saml.start, 0),
    }
    return [{**common, **sign}, {**common, **verify}], password


def federated_json(federated: FederatedCredential) -> Json:
    """A federatedIdentityCredential."""
    return {
        "id": federated.id,
        "name": federated.name,
        "issuer": federated.issuer,
        "subject": federated.subject,
        "description": federated.description,
        "audiences": [federated.audience],
    }


def owner_json(owner: Owner) -> Json:
    """A directoryObject of an owners collection."""
    name = None if owner.hidden else owner.name
    payload: Json = {"@odata.type": owner.type, "id": owner.id, "displayName": name}
    if owner.type == "#microsoft.graph.user":
        payload |= {"accountEnabled": None if owner.hidden else owner.enabled}
    if owner.hidden:
        return payload | {"userPrincipalName": None, "mail": None}
    if owner.upn is not None:
        mail = None if owner.mailless else owner.upn
        payload |= {"userPrincipalName": owner.upn, "mail": mail}
    return payload


def application_json(app: App, tenant: Tenant) -> Json:
    """The default property set of an application."""
    return {
        "id": app.object_id,
        "deletedDateTime": None,
        "appId": app.app_id,
        "applicationTemplateId": None,
        "identifierUris": [],
        "createdDateTime": stamp(app.created),
        "disabledByMicrosoftStatus": None,
        "displayName": app.name,
        "isDisabled": None,
        "notes": app.notes,
        "publisherDomain": tenant.domain,
        "signInAudience": app.audience,
        "tags": list(app.tags),
        "tokenEncryptionKeyId": app.token_encryption_key_id,
        "addIns": [],
        "appRoles": [],
        "groupMembershipClaims": None,
        "info": _INFO,
        "keyCredentials": [k for c in app.certificates for k in certificate_json(c)],
        "parentalControlSettings": {
            "countriesBlockedForMinors": [],
            "legalAgeGroupRule": "Allow",
        },
        "passwordCredentials": [password_json(s) for s in app.secrets],
        "publicClient": {"redirectUris": []},
        "requiredResourceAccess": [_asked(app, api) for api in dict(app.asks)],
        "verifiedPublisher": {
            "displayName": None,
            "verifiedPublisherId": None,
            "addedDateTime": None,
        },
        "web": {
            "homePageUrl": None,
            "logoutUrl": None,
            "redirectUris": [],
            "implicitGrantSettings": {
                "enableAccessTokenIssuance": False,
                "enableIdTokenIssuance": False,
            },
        },
    }


def _asked(app: App, api: str) -> Json:
    """What an app asks of one API; the rights' own ids are made up."""
    kinds = [kind for asked, kind in app.asks if asked == api]
    rights = [{"id": str(uuid5(NAMESPACE_URL, f"{api}/{kind}")), "type": kind} for kind in kinds]
    return {"resourceAppId": api, "resourceAccess": rights}


def policy_json(tenant: Tenant) -> Json:
    """The app management policy: how long a client secret or a certificate may live."""
    longest = (tenant.secret_lifetime, tenant.certificate_lifetime)
    other = tenant.principal_secret_lifetime
    return {
        "id": "00000000-0000-0000-0000-000000000000",
        "displayName": "Default app management tenant policy",
        "description": "Default tenant policy that enforces app management restrictions.",
        "isEnabled": any((*longest, other)),
        "applicationRestrictions": {
            "passwordCredentials": [_rule(tenant, "passwordLifetime", longest[0])],
            "keyCredentials": [_rule(tenant, "asymmetricKeyLifetime", longest[1])],
        },
        "servicePrincipalRestrictions": {
            "passwordCredentials": [_rule(tenant, "passwordLifetime", other)] if other else [],
            "keyCredentials": [],
        },
    }


def own_policy_json(policy: AppPolicy, tenant: Tenant) -> Json:
    """An app management policy that single objects have."""
    kinds = (
        ("passwordCredentials", "passwordLifetime", policy.secret_lifetime),
        ("keyCredentials", "asymmetricKeyLifetime", policy.certificate_lifetime),
    )
    return {
        "id": policy.id,
        "displayName": policy.name,
        "description": "Custom policy.",
        "isEnabled": policy.enabled,
        "restrictions": {
            name: [_rule(tenant, restriction, life)] if life else []
            for name, restriction, life in kinds
        },
    }


def policy_holder_json(object_id: str, tenant: Tenant) -> Json:
    """One of the objects that a policy applies to, as far as `$select=id` shows it."""
    app = any(one.object_id == object_id for one in tenant.apps)
    sort = "application" if app else "servicePrincipal"
    return {"@odata.type": f"#microsoft.graph.{sort}", "id": object_id}


def _rule(tenant: Tenant, restriction: str, longest: str | None) -> Json:
    since = tenant.lifetime_since
    return {
        "restrictionType": restriction,
        "state": "enabled" if longest else "disabled",
        "maxLifetime": longest,
        "restrictForAppsCreatedAfterDateTime": stamp(since, 0) if since else None,
    }


def principal_json(principal: ServicePrincipal, _tenant: Tenant) -> Json:
    """The default property set of a service principal."""
    keys = [k for c in principal.certificates for k in certificate_json(c)]
    passwords = [password_json(s) for s in principal.secrets]
    for saml in principal.saml:
        pair, password = saml_json(saml)
        keys += pair
        passwords.append(password)
    managed = principal.type == "ManagedIdentity"
    return {
        "id": principal.object_id,
        "deletedDateTime": None,
        "accountEnabled": principal.enabled,
        "alternativeNames": [],
        "appDisplayName": None if managed else principal.name,
        "appId": principal.app_id,
        "appOwnerOrganizationId": principal.owner_tenant,
        "appRoleAssignmentRequired": False,
        "createdDateTime": stamp(principal.created, 0),
        "disabledByMicrosoftStatus": None,
        "displayName": principal.name,
        "notificationEmailAddresses": list(principal.notification_emails),
        "preferredSingleSignOnMode": principal.sso_mode,
        "preferredTokenSigningKeyThumbprint": principal.preferred_thumbprint,
        "replyUrls": [],
        "servicePrincipalNames": [principal.app_id],
        "servicePrincipalType": principal.type,
        "signInAudience": None if managed else "AzureADMyOrg",
        "tags": list(principal.tags),
        "tokenEncryptionKeyId": None,
        "addIns": [],
        "appRoles": [],
        "info": _INFO,
        "keyCredentials": keys,
        "oauth2PermissionScopes": [],
        "passwordCredentials": passwords,
    }


def organization_json(tenant: Tenant) -> Json:
    """The organization object of a tenant."""
    return {
        "id": tenant.directory_id,
        "deletedDateTime": None,
        "countryLetterCode": "DE",
        "createdDateTime": stamp(tenant.created, 0),
        "displayName": tenant.display_name,
        "preferredLanguage": "en",
        "tenantType": "AAD",
        "technicalNotificationMails": list(tenant.recipients[:1]),
        "verifiedDomains": [
            {
                "capabilities": "Email, OfficeCommunicationsOnline",
                "isDefault": True,
                "isInitial": False,
                "name": tenant.domain,
                "type": "Managed",
            }
        ],
    }


_INFO = {
    "logoUrl": None,
    "marketingUrl": None,
    "privacyStatementUrl": None,
    "supportUrl": None,
    "termsOfServiceUrl": None,
}


def _legacy(name: str | None) -> str | None:
    """What the old portal and PowerShell did with a description: UTF-16 in a binary field."""
    return None if name is None else base64.b64encode(name.encode("utf-16-le")).decode()


def _key(certificate: Certificate, key_id: str, usage: str, form: str) -> Json:
    identifier: str | None = certificate.thumbprint
    if certificate.identifier == "base64":
        identifier = base64.b64encode(bytes.fromhex(certificate.thumbprint)).decode()
    elif certificate.identifier == "none":
        identifier = None
    return {
        "customKeyIdentifier": identifier,
        "displayName": certificate.name,
        "endDateTime": stamp(certificate.end, 0),
        "key": None,
        "keyId": key_id,
        "startDateTime": stamp(certificate.start, 0),
        "type": form,
        "usage": usage,
    }
