"""References to secrets: how each is written in settings and tenants files, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator

from monitor.model import CredentialRef

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CONTROL = re.compile("[\x00-\x1f\x7f]")
# https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates (object names)
_KEYVAULT = re.compile(
    r"(?://)?([A-Za-z0-9-]{1,64})/([A-Za-z0-9-]{1,127})(?:/([A-Za-z0-9]{1,64}))?"
)
_SEALED = re.compile(
    r"((?:app:)?[A-Za-z0-9][A-Za-z0-9._-]{0,63}|@operator)/([a-z0-9][a-z0-9._-]{0,63})"
)
REFERENCE_FORMS = ("env:", "file:", "keyvault:", "sealed:")
OPERATOR_OWNER = "@operator"  # whose sealed values belong to no tenant and no app
APP_OWNER = "app:"

_Form = Literal["secret", "certificate", "managed_identity", "federated"]
_FORMS: tuple[_Form, ...] = ("secret", "certificate", "managed_identity", "federated")


def looks_like_guid(text: str) -> bool:
    """Whether `text` has the form of a GUID, as a secret's ID does and its value does not."""
    return bool(_GUID.fullmatch(text.strip()))


def guid(value: Any) -> str:
    """A GUID in its usual form.

    Raises:
        ValueError: it is none; says where Entra shows it.
    """
    text = str(value).strip()
    if not _GUID.fullmatch(text):
        raise ValueError(
            "must be a GUID like 7b1c0000-0000-4000-8000-000000000000 "
            "(in Entra: Overview, Directory (tenant) ID or Application (client) ID)"
        )
    if not UUID(text).int:
        raise ValueError("is a GUID of zeros, which only stands for one; put the real one here")
    return str(UUID(text))


def reference(value: Any) -> str:
    """Check a secret's reference without ever repeating a value that was put there by mistake.

    Raises:
        ValueError: it is no reference; says how one is written.
    """
    text = str(value).strip()
    scheme, _, rest = text.partition(":")
    usable = text.startswith(REFERENCE_FORMS) and rest.strip() and len(text) < 1000
    if usable and not _CONTROL.search(text):
        _check_name(scheme, rest.strip())
        return text
    looks = " What stands there looks like a secret's ID." if looks_like_guid(text) else ""
    raise ValueError(
        "must be a reference: env:NAME, file:PATH, keyvault:VAULT/NAME or sealed:TENANT/FIELD."
        f"{looks} Put the value into a file that only you can read, and name that file here"
    )


def _check_name(scheme: str, rest: str) -> None:
    if scheme == "keyvault" and not _KEYVAULT.fullmatch(rest):
        raise ValueError(
            "must be keyvault:VAULT/NAME or keyvault:VAULT/NAME/VERSION, with the names of the "
            "vault and of the secret in it"
        )
    if scheme == "sealed" and not _SEALED.fullmatch(rest):
        raise ValueError(
            "must be sealed:TENANT/FIELD, where TENANT is a tenant's name, app:NAME or @operator, "
            "and FIELD is a short word in small letters, like secret"
        )


def keyvault_name(rest: str) -> tuple[str, str, str | None]:
    """Vault, secret and version of what follows `keyvault:`.

    Raises:
        ValueError: it is not written so.
    """
    match = _KEYVAULT.fullmatch(rest.strip())
    if match is None:
        raise ValueError("not VAULT/NAME or VAULT/NAME/VERSION")
    return match[1], match[2], match[3]


def sealed_name(rest: str) -> tuple[str, str]:
    """Owner and field of what follows `sealed:`.

    Raises:
        ValueError: it is not written so.
    """
    match = _SEALED.fullmatch(rest.strip())
    if match is None:
        raise ValueError("not TENANT/FIELD")
    return match[1], match[2]


def foreign_owner(credential: CredentialRef | None, tenant: str) -> str | None:
    """The other tenant whose sealed value a tenant's credential names, or None.

    That value goes when its tenant goes, and it is nobody else's to sign in with.
    """
    for text in (credential.reference, credential.password or "") if credential else ():
        if text.startswith("sealed:"):
            owner = sealed_name(text.removeprefix("sealed:"))[0]
            if owner not in (tenant, OPERATOR_OWNER) and not owner.startswith(APP_OWNER):
                return owner
    return None


def credential(value: Any) -> CredentialRef:
    """A credential as it stands in a file: a table with one form, or a plain reference.

    Raises:
        ValueError: it is neither; never repeats what stands there.
    """
    if isinstance(value, CredentialRef):
        return value
    if isinstance(value, str):
        return CredentialRef("secret", reference(value))
    table = dict(value) if isinstance(value, dict) else {}
    password = table.pop("password", None)
    form = next((known for known in _FORMS if known in table), None)
    if form is None or len(table) != 1:
        raise ValueError(
            'must be one of { secret = "file:…" }, { certificate = "file:….pem" }, '
            '{ certificate = "file:….pfx", password = "env:…" }, { federated = "file:…" }, '
            '{ managed_identity = "client-id" }'
        )
    if password is not None and form != "certificate":
        raise ValueError("must name a password only beside a certificate, whose file it opens")
    if form == "managed_identity":
        return CredentialRef(form, guid(table[form]))
    opened = reference(password) if password is not None else None
    return CredentialRef(form, reference(table[form]), opened)


def located(found: CredentialRef, place: Callable[[str], str]) -> CredentialRef:
    """The credential with its file references made absolute.

    Args:
        found: the credential.
        place: the absolute path of a file that a reference names.
    """

    def moved(text: str) -> str:
        if found.form == "managed_identity" or not text.startswith("file:"):
            return text
        return f"file:{place(text.removeprefix('file:'))}"

    password = moved(found.password) if found.password is not None else None
    return replace(found, reference=moved(found.reference), password=password)


def key_reference(value: Any) -> str:
    """Check the reference of a sealing key: it lies outside of what it opens.

    Raises:
        ValueError: it is neither env: nor file:; never repeats what stands there.
    """
    text = reference(value)
    if not text.startswith(("env:", "file:")):
        raise ValueError("must be env:NAME or file:PATH: a key is kept apart from the database")
    return text


KeyReference = Annotated[str, BeforeValidator(key_reference)]
CredentialField = Annotated[CredentialRef, BeforeValidator(credential)]
