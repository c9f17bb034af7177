"""Everything that goes out, wired: paths, channels, limits, the deliverer and the fallback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from monitor.carriers import Carriers
from monitor.config import Configuration
from monitor.deliver import Deliverer, Outcome
from monitor.diagnose import Rulebook
from monitor.model import CredentialRef
from monitor.outages import OutageWatch
from monitor.outlets import Outlets
from monitor.pace import Pace
from monitor.recipients import Audience
from monitor.render import Renderer
from monitor.store import Store
from monitor.storms import StormGuard
from monitor.vault import Vault

if TYPE_CHECKING:
    from monitor.carriers import Diagnose
    from monitor.entra.secrets import ResolvedCredential


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """The rooms that send, each built once.

    Args:
        configuration: the settings with everything resolved.
        store: the outbox and its limits.
        vault: reads passwords and URLs.
        credential: resolves a credential reference.
        diagnose: names the cause behind a reply.
        rulebook: explains causes.
        renderer: makes the words.
        audience: the operator, as far as mails care.
        clock: the current instant, aware UTC.
        owner: who claims mails; see `monitor.process`.
    """

    configuration: Configuration
    store: Store
    vault: Vault
    credential: Callable[[CredentialRef], ResolvedCredential]
    diagnose: Diagnose
    rulebook: Rulebook
    renderer: Renderer
    audience: Audience
    clock: Callable[[], datetime]
    owner: str

    @cached_property
    def carriers(self) -> Carriers:
        """Every mail path."""
        return Carriers(
            self.configuration,
            self.store,
            vault=self.vault,
            credential=self.credential,
            diagnose=self.diagnose,
            clock=self.clock,
            outlets=self.outlets,
        )

    @cached_property
    def outlets(self) -> Outlets:
        """Every channel of the settings."""
        return Outlets(
            self.configuration,
            vault=self.vault,
            credential=self.credential,
            diagnose=self.diagnose,
            clock=self.clock,
        )

    @cached_property
    def pace(self) -> Pace:
        """Keeps mailboxes within their limits."""
        return Pace(self.store)

    @cached_property
    def storm_guard(self) -> StormGuard:
        """Gathers alarms that are too many to go one by one."""
        return StormGuard(
            self.store,
            renderer=self.renderer,
            rulebook=self.rulebook,
            audience=self.audience,
            paths=self.carriers.paths,
            clock=self.clock,
            per_hour=self.configuration.settings.defaults.mails_per_hour,
        )

    @cached_property
    def outage_watch(self) -> OutageWatch:
        """Says by a channel that mail is broken."""
        first = next(iter(self.configuration.fallback), None)
        return OutageWatch(
            self.store,
            renderer=self.renderer,
            rulebook=self.rulebook,
            audience=self.audience,
            paths=self.carriers.paths,
            senders=self.carriers.senders,
            everyone=first is not None and self.outlets.named(first).carries_mail,
            clock=self.clock,
        )

    def deliver(self, *, force: bool = False, stop: Callable[[], bool] = lambda: False) -> Outcome:
        """Send what is due; where mail is broken, or mended, say so by a channel.

        Raises:
            StoreError: an outcome could not be recorded.
        """
        outcome = self.deliverer().run(force=force, stop=stop)
        if not stop() and self.outage_watch.run():
            outcome = outcome.then(self.deliverer().run(stop=stop))
        return outcome

    def deliverer(self) -> Deliverer:
        """Empties the outbox."""
        return Deliverer(
            self.store,
            paths=self.carriers.paths,
            connect=self.carriers.connect,
            clock=self.clock,
            owner=self.owner,
            pace=self.pace,
            guard=self.storm_guard.run,
        )
