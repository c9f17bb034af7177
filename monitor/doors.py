"""The doors to Microsoft: what is slow to import or to open, and is opened only when needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from monitor.config import Configuration
    from monitor.diagnose import Diagnosis
    from monitor.entra.graph import GraphReader
    from monitor.entra.keyvault import KeyVault


@asynccontextmanager
async def graph(
    configuration: Configuration, diagnose: Callable[..., Diagnosis]
) -> AsyncIterator[GraphReader]:
    """The door to Graph, with one HTTP client for all tenants.

    Args:
        configuration: for its deadlines.
        diagnose: names the cause behind a reply.
    """
    # In a thread, because importing msgraph takes half a second and would block the loop.
    module = await asyncio.to_thread(import_module, "monitor.entra.graph")
    limits = configuration.settings.deadlines
    reader: GraphReader = module.GraphReader(
        deadlines=module.Deadlines(
            connect=limits.connect.total_seconds(),
            read=limits.read.total_seconds(),
            token=limits.token.total_seconds(),
            tenant=limits.tenant.total_seconds(),
            page=limits.page.total_seconds(),
        ),
        diagnose=diagnose,
        concurrency=limits.tenants_at_once,
    )
    try:
        yield reader
    finally:
        await reader.close()


def keyvault(configuration: Configuration) -> KeyVault:
    """The door to Azure Key Vault; nothing is asked until a reference needs it."""
    from monitor.entra.keyvault import KeyVault

    table, limits = configuration.settings.vault, configuration.settings.deadlines
    return KeyVault(
        configuration.clouds[table.cloud],
        managed_identity=table.managed_identity,
        connect_s=limits.connect.total_seconds(),
        read_s=limits.read.total_seconds(),
    )
