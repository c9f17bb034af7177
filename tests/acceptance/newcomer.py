"""A tenant that nobody has set up yet, and what its administrator does in Microsoft's portals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from monitor.sandbox import Cloud, SandboxClock, World
from monitor.sandbox.draft import Draft
from monitor.sandbox.world import App, Mailbox, Operator, ServicePrincipal
from monitor.sandbox.world import Tenant as WorldTenant

APP = "Lapsewatch"


@dataclass
class Newcomer:
    """A directory with an app registration and a mailbox, and an administrator who has just begun.

    What is done in the portals is done to the world: `consent`, `run_script`.
    """

    cloud: Cloud
    draft: Draft
    registration: App

    @property
    def tenant(self) -> WorldTenant:
        """The directory."""
        return self.draft.tenant

    @property
    def principal(self) -> ServicePrincipal:
        """The app under Enterprise applications."""
        return self.tenant.principal_of(self.registration.app_id)

    @property
    def mailbox(self) -> Mailbox:
        """The mailbox that is to send."""
        return self.tenant.mailboxes[0]

    @property
    def secret(self) -> str:
        """The value of the app's first secret."""
        return self.registration.secrets[0].value

    @property
    def second_secret(self) -> str:
        """The value of the secret that was made after it."""
        return self.registration.secrets[1].value

    def consent(self) -> None:
        """API permissions, and Grant admin consent."""
        self.principal.graph_roles = ("Application.Read.All",)
        self.principal.exchange_roles = ("SMTP.SendAsApp",)

    def run_script(self) -> None:
        """What the Exchange script does in the tenant."""
        self.tenant.registered.add(self.principal.object_id)
        self.mailbox.full_access.add(self.principal.object_id)
        self.mailbox.smtp_auth_disabled = False

    def inbox(self) -> list[str]:
        """The subjects of the mails that arrived."""
        return [mail.subject for mail in self.cloud.inbox.messages]


@contextmanager
def newcomer(folder: Path, *, operator: bool = True) -> Iterator[Newcomer]:
    """A sandbox with the tenant `fabrikam`, and settings for it in `folder`; nobody is watched."""
    clock = SandboxClock()
    draft = Draft("fabrikam", "Fabrikam Inc.", clock.now())
    secrets = [draft.secret(APP, 180, name=name) for name in ("first", "second")]
    app = draft.app(APP, secrets=secrets)
    draft.app("Invoice mailer", secrets=[draft.secret("Invoice mailer", 5)])
    draft.tenant.mailboxes.append(Mailbox(f"noreply@{draft.tenant.domain}"))
    draft.tenant.smtp_auth_disabled = True
    msp = Draft("msp", "MSP", clock.now())
    msp.sender("noc")
    told = Operator("MSP", ("noc@msp.example",), "UTC", 8, msp.tenant) if operator else None
    with Cloud(World([draft.tenant], operator=told), clock) as cloud:
        settings = cloud.write_settings(folder)
        (settings.parent / "tenants.toml").unlink()
        yield Newcomer(cloud, draft, app)
