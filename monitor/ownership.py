"""What Lapsewatch itself signs in with anywhere (rule 6a)."""

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

Resolve = Callable[[CredentialRef], "ResolvedCredential"]

log = get("lapsewatch.ownership")


def own_credentials(store: Store, operator: Sender | None, resolve: Resolve) -> list[OwnCredential]:
    """All that Lapsewatch signs in with anywhere, each value read once.

    A shared app's credential lives in one directory and is used for all of them. So what is
    found in a tenant is compared with all, whichever tenant it is used for. Managed and
    workload identities have no value in Entra and are left out.

    Args:
        store: the tenants and the shared apps.
        operator: the operator's sender, if there is one.
        resolve: the value behind a reference.

    Raises:
        StoreError: the database cannot be used.
    """
    tenants = store.tenants()
    pairs = [(tenant.client_id, tenant.credential) for tenant in tenants]
    pairs += [(app.client_id, app.credential) for app in store.shared_apps()]
    pairs += [
        (sender.client_id or tenant.client_id, sender.credential or tenant.credential)
        for tenant in tenants
        if (sender := tenant.sender) is not None and sender.relay is None
    ]
    if operator is not None and operator.client_id and operator.credential:
        pairs.append((operator.client_id, operator.credential))
    used_by: dict[CredentialRef, set[str]] = {}
    for client_id, reference in pairs:
        used_by.setdefault(reference, set()).add(client_id.lower())
    # Side by side, because a vault's answers take their time.
    with ThreadPoolExecutor(READERS) as pool:
        found = pool.map(lambda used: _own(used[0], sorted(used[1]), resolve), used_by.items())
        return [own for each in found for own in each]


def _own(reference: CredentialRef, client_ids: list[str], resolve: Resolve) -> list[OwnCredential]:
    """What may be known of one value; where it cannot be read, only its form is."""
    if reference.form not in ("secret", "certificate"):
        return []
    hint, thumbprints = None, frozenset[str]()
    try:
        value = resolve(reference)
        hint, thumbprints = value.hint, frozenset(value.thumbprints)
    except SecretError:
        pass  # told where it is signed in with
    except Exception as error:
        # One odd file must not stop the scans of all. Its text may quote the file.
        log.warning("own_credential_unreadable", form=reference.form, error=type(error).__name__)
    return [OwnCredential(one, hint, thumbprints, reference.form) for one in client_ids]
