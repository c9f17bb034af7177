"""Commands that make a credential's successor, and leave its value in no history. Pure.

Facts: https://learn.microsoft.com/cli/azure/ad/app/credential (az; `ad sp credential` is alike),
https://learn.microsoft.com/powershell/module/microsoft.graph.applications/ (the Mg cmdlets),
https://learn.microsoft.com/graph/api/application-addpassword (the end is in UTC).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor import powershell, shell
from monitor.errors import UsageError
from monitor.mail import words
from monitor.model import Credential, Kind, ObjectType, Tenant

LONGEST = timedelta(days=180)  # how long a new one lasts where no policy says less
NAMED = 64  # characters of a name that the new one takes over
_GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

# https://learn.microsoft.com/cli/azure/manage-clouds-azure-cli (az cloud list) and
# https://learn.microsoft.com/powershell/microsoftgraph/authentication-commands (-Environment)
_AZ_CLOUDS = {
    "gcc-high": "AzureUSGovernment",
    "dod": "AzureUSGovernment",
    "china": "AzureChinaCloud",
}
_MG_CLOUDS = {"gcc-high": "USGov", "dod": "USGovDoD", "china": "China"}

_AZ, _MG = "Azure CLI (bash, zsh)", "Microsoft Graph PowerShell"
_IN_A_FILE = "The value goes into a new file that only you can read; delete the file afterwards."
_IN_CLIPBOARD = (
    "The value goes to the clipboard. Paste it where it belongs, then run Set-Clipboard ' ' and "
    "clear the clipboard's history."
)
_AZ_KEY = (
    "It prints the name of a new file with the private key and the certificate, for you alone."
)
_MG_KEY = "The key stays in your certificate store on Windows; the last line adds its public half."
_INACTIVE = "The new one is not active yet: that is a step of its own."


@dataclass(frozen=True, slots=True)
class Command:
    """Lines to paste into one tool; `note` says where the new value then is."""

    tool: str
    lines: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Target:
    """What the commands are about, each id a value or a placeholder; `end` is a date in UTC.

    `object_id` is what az takes, `expression` what PowerShell makes of it.
    """

    cloud: str
    directory: str
    object_id: str
    expression: str
    kind: Kind
    service: bool
    name: str
    end: str


def commands(
    tenant: Tenant, credential: Credential, now: datetime, longest: timedelta | None = None
) -> tuple[Command, ...]:
    """What makes the successor of exactly this credential on exactly this object.

    Args:
        tenant: its directory.
        credential: the one that ends.
        now: the instant of the mail, aware UTC; the new one is to end `longest` after it.
        longest: the longest lifetime that the tenant's policy allows, where it is known.

    Returns:
        The commands of each tool that can do it; none where no tool can, where an id cannot be
        quoted, or where the policy's lifetime would end before the old one does.
    """
    last = end_date(now, longest)
    if credential.end is not None and credential.end >= last:
        return ()
    if not (_GUID.fullmatch(tenant.directory_id) and _GUID.fullmatch(credential.object_id)):
        return ()
    service = credential.object_type is ObjectType.SERVICE_PRINCIPAL
    which = credential.object_id
    place = (tenant.cloud, tenant.directory_id, which, powershell.literal(which))
    return _of(Target(*place, credential.kind, service, _name(credential, now), f"{last:%Y-%m-%d}"))


def shared_form(
    credentials: Sequence[Credential], now: datetime, longest: timedelta | None = None
) -> tuple[Command, ...]:
    """The same for several of one sort, with words in capitals for what differs.

    Args:
        credentials: of one kind, on one sort of object.
        now: the instant of the mail, aware UTC.
        longest: the shortest of the longest lifetimes that the tenants' policies allow.
    """
    one = credentials[0]
    service = one.object_type is ObjectType.SERVICE_PRINCIPAL
    last = f"{end_date(now, longest):%Y-%m-%d}"
    which, found = "OBJECT_ID", "'OBJECT_ID'"
    if not service:  # rows show its app id, which az takes as well
        which, found = "APP_ID", "(Get-MgApplication -Filter \"appId eq 'APP_ID'\").Id"
    return _of(Target("", "DIRECTORY_ID", which, found, one.kind, service, "NEW_NAME", last))


def end_date(now: datetime, longest: timedelta | None) -> datetime:
    """The last midnight in UTC that is within the lifetime, whoever runs the commands later."""
    lasts = LONGEST if longest is None else longest
    return (now.astimezone(UTC) + lasts).replace(hour=0, minute=0, second=0, microsecond=0)


def _name(credential: Credential, now: datetime) -> str:
    """The old name, if it can stand in a command and be read in a mail as it is."""
    name, saml = credential.name or "", credential.kind is Kind.SAML_SIGNING
    shown = 0 < len(name) <= NAMED and words.defang(name, NAMED) == name
    if shown and (name.startswith("CN=") or not saml):
        try:
            return powershell.checked(name, "a command")
        except UsageError:
            pass  # it gets another one
    return f"{'CN=' if saml else ''}renewed {now.astimezone(UTC):%Y-%m-%d}"


def _of(target: Target) -> tuple[Command, ...]:
    if target.kind is Kind.SECRET:
        return _az_secret(target), _mg_secret(target)
    if target.kind is Kind.CERTIFICATE:
        return _az_certificate(target), _mg_certificate(target)
    if target.kind is Kind.SAML_SIGNING and target.cloud not in _MG_CLOUDS:
        return (_mg_saml(target),)  # Graph has that call in the global service only
    return ()


# --- az ------------------------------------------------------------------------------------------


def _az_secret(target: Target) -> Command:
    reset = f"{_az_reset(target)} --query password --output tsv"
    # mktemp makes the file with the mode 0600, and nothing of the value is on the command line.
    keep = f'f=$(mktemp) && {reset} > "$f" && echo "The new value is in $f"'
    return Command(_AZ, (*_az_login(target), keep), _IN_A_FILE)


def _az_certificate(target: Target) -> Command:
    reset = f"{_az_reset(target)} --create-cert --query fileWithCertAndPrivateKey --output tsv"
    return Command(_AZ, (*_az_login(target), reset), _AZ_KEY)


def _az_login(target: Target) -> tuple[str, ...]:
    return az_login(target.cloud, target.directory)


def az_login(cloud: str, directory: str) -> tuple[str, ...]:
    """What signs the Azure CLI in to a directory: first the cloud, where it is not the global."""
    login = f"az login --tenant {shell.word(directory)} --allow-no-subscriptions"
    named = _AZ_CLOUDS.get(cloud)
    return (f"az cloud set --name {named}", login) if named else (login,)


def _az_reset(target: Target) -> str:
    # Without --append it would delete all that is there.
    return (
        f"az ad {'sp' if target.service else 'app'} credential reset "
        f"--id {shell.word(target.object_id)} --append "
        f"--display-name {shell.word(target.name)} --end-date {target.end} --only-show-errors"
    )


# --- Microsoft Graph PowerShell -------------------------------------------------------------------


def _mg_secret(target: Target) -> Command:
    noun = _noun(target)
    end = f"[datetime]{_text(_instant(target))}"
    new = f"@{{ displayName = {_text(target.name)}; endDateTime = {end} }}"
    add = f"$new = Add-Mg{noun}Password -{noun}Id {target.expression} -PasswordCredential {new}"
    return Command(_MG, (_mg_login(target), add, "$new.SecretText | Set-Clipboard"), _IN_CLIPBOARD)


def _mg_certificate(target: Target) -> Command:
    noun, object_id = _noun(target), target.expression
    subject = "CN=" + re.sub(r"[^A-Za-z0-9 ._-]", "-", target.name.removeprefix("CN="))
    make = (
        f"$new = New-SelfSignedCertificate -Subject {_text(subject)} -CertStoreLocation "
        f"'Cert:\\CurrentUser\\My' -KeyLength 3072 -HashAlgorithm SHA256 "
        f"-NotAfter {_text(_instant(target))}"
    )
    key = (
        "@{ Type = 'AsymmetricX509Cert'; Usage = 'Verify'; Key = $new.RawData; "
        f"DisplayName = {_text(target.name)} }}"
    )
    # The property is replaced as a whole, so what is there goes with it.
    old = f"$old = @((Get-Mg{noun} -{noun}Id {object_id}).KeyCredentials)"
    add = f"Update-Mg{noun} -{noun}Id {object_id} -KeyCredentials ($old + {key})"
    return Command(_MG, (_mg_login(target), make, old, add), _MG_KEY)


def _mg_saml(target: Target) -> Command:
    add = (
        f"Add-MgServicePrincipalTokenSigningCertificate -ServicePrincipalId "
        f"{target.expression} -DisplayName {_text(target.name)} "
        f"-EndDateTime {_text(_instant(target))}"
    )
    return Command(_MG, (_mg_login(target), add), _INACTIVE)


def _mg_login(target: Target) -> str:
    place = _MG_CLOUDS.get(target.cloud)
    login = (
        f"Connect-MgGraph -TenantId {_text(target.directory)} -Scopes 'Application.ReadWrite.All'"
    )
    return f"{login} -Environment {place}" if place else login


def _noun(target: Target) -> str:
    return "ServicePrincipal" if target.service else "Application"


def _instant(target: Target) -> str:
    return f"{target.end}T00:00:00Z"


def _text(value: str) -> str:
    return powershell.literal(value)
