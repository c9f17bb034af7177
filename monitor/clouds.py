"""The national clouds of Microsoft: where to sign in, to read and to send."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from monitor.model import Cloud

# Hosts of the national clouds: https://learn.microsoft.com/graph/deployments. The SMTP rows of
# DoD and China come from third parties, so [clouds.NAME] can name others.
PRESETS = {
    cloud.name: cloud
    for cloud in (
        Cloud(
            name="global",
            authority="https://login.microsoftonline.com",
            graph="https://graph.microsoft.com",
            graph_scope="https://graph.microsoft.com/.default",
            smtp_host="smtp.office365.com",
            smtp_port=587,
            smtp_scope="https://outlook.office365.com/.default",
            portal="https://portal.azure.com",
        ),
        Cloud(
            name="gcc-high",
            authority="https://login.microsoftonline.us",
            graph="https://graph.microsoft.us",
            graph_scope="https://graph.microsoft.us/.default",
            smtp_host="smtp.office365.us",
            smtp_port=587,
            smtp_scope="https://outlook.office365.us/.default",
            portal="https://portal.azure.us",
            keyvault="https://{vault}.vault.usgovcloudapi.net",
        ),
        Cloud(
            name="dod",
            authority="https://login.microsoftonline.us",
            graph="https://dod-graph.microsoft.us",
            graph_scope="https://dod-graph.microsoft.us/.default",
            smtp_host="outlook-dod.office365.us",
            smtp_port=587,
            smtp_scope="https://outlook.office365.us/.default",
            portal="https://portal.azure.us",
            keyvault="https://{vault}.vault.usgovcloudapi.net",
        ),
        Cloud(
            name="china",
            authority="https://login.partner.microsoftonline.cn",
            graph="https://microsoftgraph.chinacloudapi.cn",
            graph_scope="https://microsoftgraph.chinacloudapi.cn/.default",
            smtp_host="smtp.partner.outlook.cn",
            smtp_port=587,
            smtp_scope="https://partner.outlook.cn/.default",
            portal="https://portal.azure.cn",
            keyvault="https://{vault}.vault.azure.cn",
        ),
    )
}


def completed(clouds: Any) -> Any:
    """The tables of clouds as they stand in a file, those of presets with what they leave out.

    Args:
        clouds: the tables by name; what is no table is left for the checks to refuse.
    """
    if not isinstance(clouds, dict):
        return clouds
    return {
        name: {**_keys(PRESETS[name]), **table}
        if name in PRESETS and isinstance(table, dict)
        else table
        for name, table in clouds.items()
    }


def _keys(cloud: Cloud) -> dict[str, Any]:
    return {key: value for key, value in asdict(cloud).items() if key != "name"}
