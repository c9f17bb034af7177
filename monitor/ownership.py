"""What Lapsewatch itself signs in with, as far as it may be told without any value."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from monitor.errors import SecretError
from monitor.lifecycle import OwnCredential
from monitor.log import get
from monitor.model import CredentialRef, Sender
from monitor.store import Store

if TYPE_CHECKING:
    from monitor.entra.secrets import ResolvedCredential

READERS = 8  # secret values that are read at the same time

log = get("lapsewatch.own")


class OwnValues:
    """Knows what Lapsewatch signs in with.

    Args:
        store: the tenants and shared apps.
        operator: the operator's sender, if there is one.
        credential: resolves a credential reference.
    """

    def __init__(
        self,
        store: Store,
        operator: Sender | None,
        credential: Callable[[CredentialRef], ResolvedCredential],
    ) -> None:
        self._store = store
        self._operator = operator
        self._credential = credential

    def read(self, client_id: str | None = None) -> list[OwnCredential]:
        """All that is signed in with anywhere, or to one app, each value read once (rule 6a).

        A shared app's credential lives in one directory and is used for all of them. So what is
        found in a tenant is compared with all, whichever tenant it is used for. Managed and
        workload identities have no value in Entra and are left out.
        """
        tenants = self._store.tenants()
        pairs = [(tenant.client_id, tenant.credential) for tenant in tenants]
        pairs += [(app.client_id, app.credential) for app in self._store.shared_apps()]
        pairs += [
            (sender.client_id or tenant.client_id, sender.credential or tenant.credential)
            for tenant in tenants
            if (sender := tenant.sender) is not None and sender.relay is None
        ]
        operator = self._operator
        if operator is not None and operator.client_id and operator.credential:
            pairs.append((operator.client_id, operator.credential))
        looking = [one.arrival for one in (*(t.sender for t in tenants), operator) if one]
        pairs += [
            (one.client_id, one.credential)
            for one in looking
            if one and one.client_id and one.credential
        ]
        used_by: dict[CredentialRef, set[str]] = {}
        for used, reference in pairs:
            if client_id is None or used.lower() == client_id.lower():
                used_by.setdefault(reference, set()).add(used.lower())
        # Side by side, because a vault's answers take their time.
        with ThreadPoolExecutor(READERS) as pool:
            found = pool.map(lambda each: self._own(each[0], sorted(each[1])), used_by.items())
            return [own for each in found for own in each]

    def _own(self, reference: CredentialRef, client_ids: list[str]) -> list[OwnCredential]:
        """What may be known of one value; where it cannot be read, only its form is."""
        if reference.form not in ("secret", "certificate"):
            return []
        hint, thumbprints = None, frozenset[str]()
        try:
            value = self._credential(reference)
            hint, thumbprints = value.hint, frozenset(value.thumbprints)
        except SecretError:
            pass  # told where it is signed in with
        except Exception as error:
            # One odd file must not stop the scans of all. Its text may quote the file.
            log.warning(
                "own_credential_unreadable", form=reference.form, error=type(error).__name__
            )
        return [OwnCredential(one, hint, thumbprints, reference.form) for one in client_ids]
