"""The national clouds of Microsoft: where to sign in, to read and to send."""

from __future__ import annotations

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
