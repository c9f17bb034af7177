"""A new credential for a tenant: proven by a fresh token before the old one is let go."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from monitor import references
from monitor.config import Configuration
from monitor.doctor.checks import Check
from monitor.doctor.rounds import Doctor
from monitor.errors import UsageError
from monitor.fields import beside
from monitor.model import CredentialRef, Recipient, Sender, Tenant
from monitor.references import looks_like_guid
from monitor.store import Store
from monitor.wizard.answers import (
    AnswerError,
    checked,
    listed,
    plain_secret,
    reference_of,
    refuse_content,
)
from monitor.wizard.keeping import Keeper
from monitor.wizard.steps import CERTIFICATE, MANAGED, SECRET, Surroundings


@dataclass(frozen=True, slots=True)
class Renewal:
    """What came of a new credential.

    Args:
        entry: the tenant as it is now.
        checks: what was looked at.
        proven: whether a fresh token was given, so that the new credential is in use.
    """

    entry: Tenant
    checks: tuple[Check, ...]
    proven: bool


class Renewals:
    """Takes new credentials for watched tenants.

    Args:
        store: the tenants.
        configuration: what else refers to kept values.
        doctor: proves a credential.
        keeper: keeps typed secrets.
    """

    def __init__(
        self, store: Store, configuration: Configuration, *, doctor: Doctor, keeper: Keeper
    ) -> None:
        self._store = store
        self._configuration = configuration
        self._doctor = doctor
        self._keeper = keeper

    def renew(
        self, entry: Tenant, credential: CredentialRef, *, sending: bool, now: datetime
    ) -> Renewal:
        """Take a new credential, once a fresh token proves it; else all stays as it was.

        Args:
            entry: the tenant.
            credential: the new one, kept beside the old.
            sending: it is the sender's own; otherwise the tenant's.
            now: the instant.

        Returns:
            What came of it.

        Raises:
            StoreError: the database cannot be used.
        """
        new = _with_credential(entry, credential, sending=sending)
        report = asyncio.run(self._doctor.look_at(new))
        names = _proofs(new, sending=sending)
        statuses = {check.status for check in report.checks if check.name in names}
        told = names | {"graph.expiry", "smtp.expiry"}
        checks = tuple(check for check in report.checks if check.name in told)
        if "failed" in statuses or "ok" not in statuses:
            self.let_go(entry.name, credential)
            return Renewal(entry, checks, proven=False)

        def change(stored: Tenant) -> Tenant:
            # As it is by now: looking took seconds, in which somebody may have changed the rest.
            if _signs_in(stored) != _signs_in(entry):
                raise UsageError(
                    f"{entry.name} was changed meanwhile: it signs in elsewhere now. The new "
                    "credential was let go."
                )
            return _with_credential(stored, credential, sending=sending)

        try:
            changed = self._store.change_tenant(entry.name, change, now=now)
        except UsageError:
            self.let_go(entry.name, credential)
            raise
        if changed is None:
            self.let_go(entry.name, credential)
            raise UsageError(f"{entry.name} was removed meanwhile; the new credential was let go.")
        new = changed
        old = entry.sender.credential if sending and entry.sender else entry.credential
        if old is not None:
            self.let_go(entry.name, old)
        return Renewal(new, checks, proven=True)

    def change(
        self, entry: Tenant, said: Mapping[str, str], around: Surroundings, now: datetime
    ) -> Tenant:
        """Change who is warned, when, and where the test mail goes; see `changed`.

        Raises:
            AnswerError: an answer cannot be right; nothing was changed.
            StoreError: the database cannot be used.
        """
        done = self._store.change_tenant(
            entry.name, lambda stored: self.changed(stored, said, around), now=now
        )
        if done is None:
            raise UsageError(f"There is no tenant {entry.name} any more.")
        return done

    def changed(self, entry: Tenant, said: Mapping[str, str], around: Surroundings) -> Tenant:
        """The tenant with other answers; nothing is kept yet.

        Args:
            entry: the tenant.
            said: the answers recipients, time_zone, mailbox, canary_to and
                enterprise_object_id.
            around: what is configured.

        Raises:
            AnswerError: one cannot be right.
        """
        sure = {key: checked(key, text, around) for key, text in said.items()}
        if sure.get("recipients") == "" and not around.operator_hears:
            raise AnswerError("recipients", "Then nobody would be warned. Name somebody.")
        taken = (entry.client_id, entry.directory_id, entry.sender and entry.sender.client_id)
        if sure.get("enterprise_object_id") and sure["enterprise_object_id"] in taken:
            wrong = "That is the app's client id or the directory's id. It must be the Object ID "
            raise AnswerError(
                "enterprise_object_id", f"{wrong}that Entra shows under Enterprise applications."
            )
        new, sender = entry, entry.sender
        for key in ("canary_to", "enterprise_object_id"):
            if sure.get(key) and sender is None and not sure.get("mailbox"):
                raise AnswerError(key, f"{entry.name} has no sender mailbox. Say --mailbox too.")
        if "recipients" in sure:
            # Who is told already keeps a zone and an hour of their own.
            known = {one.address.lower(): one for one in entry.recipients}
            told = [known.get(one.lower(), Recipient(one)) for one in listed(sure["recipients"])]
            new = replace(new, recipients=tuple(told))
        if sure.get("time_zone"):
            new = replace(new, time_zone=sure["time_zone"])
        if sure.get("mailbox"):
            # What was registered for the app in Exchange stays; the mailbox is another one.
            sender = replace(sender or Sender(""), mailbox=sure["mailbox"])
        if sender is not None and "canary_to" in sure:
            sender = replace(sender, canary_to=tuple(listed(sure["canary_to"])))
        if sender is not None and "enterprise_object_id" in sure:
            sender = replace(sender, enterprise_object_id=sure["enterprise_object_id"] or None)
        return replace(new, sender=sender)

    def taken(
        self, name: str, form: str, text: str, password: str = "", *, folder: Path | None = None
    ) -> CredentialRef:
        """A credential as somebody types it: a secret's value is kept, anything else is found.

        Args:
            name: the tenant's.
            form: secret, certificate, federated or managed_identity.
            text: a secret's value, or where to find the credential.
            password: of a certificate's file, or where to find it.
            folder: where relative paths begin; None means the settings' folder.

        Raises:
            AnswerError: it can be neither.
            SecretError: the value cannot be kept.
        """
        kept: list[str] = []
        try:
            held = {form: self._reference(name, form, text)}
            kept.append(held[form])
            if form == CERTIFICATE and password.strip():
                opener = reference_of(SECRET, password)
                held["password"] = opener or self._keeper.keep(name, password.strip())
                kept.append(held["password"])
            found = references.credential(held)
        except ValueError as error:
            self.let_go_of(name, kept)
            raise AnswerError("credential", f"It {error}.") from None
        if owner := references.foreign_owner(found, name):
            raise AnswerError("credential", f"That is a secret of {owner}, not of {name}.")
        start = folder or self._configuration.folder
        return references.located(found, lambda path: str(beside(start, path)))

    def _reference(self, name: str, form: str, text: str) -> str:
        if looks_like_guid(text) and form != MANAGED:
            plain_secret(text)  # a secret's ID: it says so
        refuse_content(form, text)
        found = reference_of(form, text)
        return self._keeper.keep(name, plain_secret(text)) if found is None else found

    def let_go(self, name: str, credential: CredentialRef) -> None:
        """Delete a kept credential that nothing refers to any more."""
        self.let_go_of(name, (credential.reference, credential.password or ""))

    def let_go_all(self, entry: Tenant) -> None:
        """Delete what was typed for a tenant that is watched no longer."""
        own = entry.sender.credential if entry.sender else None
        for one in (entry.credential, own):
            if one is not None:
                self.let_go(entry.name, one)

    def let_go_of(self, name: str, references: Iterable[str]) -> None:
        """Delete kept values, but none that something refers to."""
        used = self._used()
        for reference in references:
            if reference and reference not in used:
                self._keeper.let_go(name, reference)

    def _used(self) -> set[str]:
        """Every reference that something signs in with, or that a set-up on its way holds."""
        drafts = self._store.drafts()
        held = {draft.get(key) for draft in drafts for key in ("credential", "password")}
        for one in self._credentials():
            held |= {one.reference, one.password or ""}
        return held

    def _credentials(self) -> Iterable[CredentialRef]:
        for entry in self._store.tenants():
            yield entry.credential
            if entry.sender is not None and entry.sender.credential is not None:
                yield entry.sender.credential
        for app in self._store.shared_apps():
            yield app.credential
        operator = self._configuration.operator_sender
        if operator is not None and operator.credential is not None:
            yield operator.credential


def _signs_in(entry: Tenant) -> tuple[object, ...]:
    """Where and as whom a tenant and its sender sign in."""
    sender = entry.sender
    own = (sender.client_id, sender.directory_id, sender.cloud) if sender else None
    return entry.directory_id.lower(), entry.cloud, entry.client_id, entry.app, own


def _with_credential(entry: Tenant, credential: CredentialRef, *, sending: bool) -> Tenant:
    if sending and entry.sender is not None:
        return replace(entry, sender=replace(entry.sender, credential=credential))
    return replace(entry, credential=credential)


def _proofs(entry: Tenant, *, sending: bool) -> set[str]:
    """The checks that prove a credential: where it is signed in with, a fresh token is given."""
    both = entry.sender is not None and entry.sender.credential is None
    roles = ["smtp"] if sending else ["graph", *(["smtp"] if both else [])]
    return {f"{role}.{what}" for role in roles for what in ("credential", "token", "claims")}
