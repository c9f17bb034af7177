"""Where to click: what each step asks an administrator to do in Microsoft's portals. Pure."""

from __future__ import annotations

from monitor.model import Draft
from monitor.onboard import Model, consent_url
from monitor.references import looks_like_guid
from monitor.wizard.steps import Step, Surroundings


def where(step: Step, draft: Draft, around: Surroundings) -> tuple[tuple[str, ...], str]:
    """What to do in the portals, and a link to it."""
    cloud = around.clouds.get(draft.get("cloud"))
    base = f"{cloud.portal.rstrip('/')}/{draft.get('directory_id')}" if cloud else ""
    match step:
        case Step.DIRECTORY:
            return ("In Entra: Overview. Copy the Tenant ID.",), ""
        case Step.APP:
            return _REGISTER, f"{base}/{_APPS}/ApplicationsListBlade" if base else ""
        case Step.PERMISSIONS:
            return _permissions(draft, around), _consent(draft, around)
        case Step.CREDENTIAL if draft.get("app"):
            return (f"The shared app {draft.get('app')} has its credential already.",), ""
        case Step.CREDENTIAL:
            return _SECRET, _blade(base, "Credentials", draft) if base else ""
        case Step.ENTERPRISE:
            return _ENTERPRISE, ""
        case Step.EXCHANGE:
            return _EXCHANGE, ""
        case _:
            return (), ""


_APPS = "#view/Microsoft_AAD_RegisteredApps"
_REGISTER = (
    'In Entra: App registrations, New registration. A telling name, like "Lapsewatch"; single '
    "tenant; no redirect URI.",
    "On its Overview: copy the Application (client) ID.",
)
_SECRET = (
    "In the app registration: Certificates & secrets, New client secret. Choose an end that fits "
    "your policy.",
    "Copy the Value at once: it is shown only now. (The Secret ID is not it.)",
)
_ENTERPRISE = (
    "In Entra: Enterprise applications (not App registrations), the same app, Overview. Copy the "
    "Object ID.",
)
_EXCHANGE = (
    "An Exchange administrator runs the script below once, in PowerShell. It holds no secret.",
    "It registers the app in Exchange, lets it send as this one mailbox and switches SMTP AUTH on "
    "for it. It may be run again.",
)
_GRAPH = (
    "In the app registration: API permissions, Add a permission, Microsoft Graph, Application "
    "permissions: Application.Read.All."
)
_SEND = (
    "Add a permission, APIs my organization uses, Office 365 Exchange Online, Application "
    "permissions: SMTP.SendAsApp."
)
_GRANT = "Grant admin consent. Both must then show Granted."


def _permissions(draft: Draft, around: Surroundings) -> tuple[str, ...]:
    if draft.get("app") in around.apps:
        return ("An administrator of the tenant opens the page below, and accepts.",)
    if draft.get("mailbox") and draft.get("model") != Model.RBAC:
        return (_GRAPH, _SEND, _GRANT)
    return (_GRAPH, "Grant admin consent. It must then show Granted.")


def _consent(draft: Draft, around: Surroundings) -> str:
    cloud = around.clouds.get(draft.get("cloud"))
    client_id = client_id_of(draft, around)
    if cloud is None or not looks_like_guid(client_id):
        return ""
    return consent_url(cloud, draft.get("directory_id"), client_id)


def client_id_of(draft: Draft, around: Surroundings) -> str:
    """The app's client id, also where the app is a shared one."""
    return around.apps.get(draft.get("app")) or draft.get("client_id")


def _blade(base: str, name: str, draft: Draft) -> str:
    app = draft.get("client_id")
    return f"{base}/{_APPS}/ApplicationMenuBlade/~/{name}/appId/{app}/isMSAApp~/false"
