"""The composition root: builds every room once and hands them to jobs, CLI and page."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Self

from monitor import doors, process, status
from monitor.alarms import AlarmNews, AlarmWriter
from monitor.canaries import Canaries
from monitor.carriers import Carriers
from monitor.channels.ping import ping
from monitor.compose import Composer
from monitor.config import Configuration, OperatorTable
from monitor.credentials import Credentials
from monitor.deliver import Deliverer
from monitor.diagnose import Diagnosis, Rulebook
from monitor.discoveries import Discoveries
from monitor.doctor.consult import Consultation
from monitor.doctor.gather import Ways
from monitor.doctor.rounds import Doctor
from monitor.heartbeat import Heartbeat
from monitor.items import Items
from monitor.lifecycle import OwnCredential
from monitor.links import LinkMaker
from monitor.model import Cloud, CredentialRef, Tenant
from monitor.outgoing import Outgoing
from monitor.overview import Overview
from monitor.ownership import OwnValues
from monitor.readbacks import ReadBacks
from monitor.recipients import Audience
from monitor.render import Renderer
from monitor.reports import Reports
from monitor.rulebooks import own_rules, rulebook
from monitor.runs import Runs
from monitor.scans import Scans
from monitor.sealed import SealedValues
from monitor.senders import unknown_cloud
from monitor.store import Store
from monitor.vault import Vault
from monitor.verifications import Verifications
from monitor.weekly import Plan
from monitor.wizard.guided import Wizard
from monitor.wizard.keeping import Keeper

if TYPE_CHECKING:
    from monitor.entra.graph import GraphReader
    from monitor.entra.keyvault import KeyVault
    from monitor.entra.secrets import ResolvedCredential

Clock = Callable[[], datetime]
EXAMINED_FOR = timedelta(minutes=5)  # at most, so that a slot's lease outlasts it


def system_clock() -> datetime:
    """The machine's clock, aware UTC."""
    return datetime.now(UTC)


class App:
    """All rooms, wired. Use as a context manager: it closes the store.

    Args:
        configuration: the settings with everything resolved.
        clock: the current instant; another one lets the demo travel in time.
    """

    def __init__(self, configuration: Configuration, *, clock: Clock = system_clock) -> None:
        self.configuration = configuration
        self.clock = clock
        self.owner = process.identity()
        self.vault = Vault(
            keyvault=lambda name: self.keyvault.read(name),
            sealed=lambda name: self.sealed.read(name),
        )
        self.started_at = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        if "store" in self.__dict__:
            self.store.close()
        if "keyvault" in self.__dict__:
            self.keyvault.close()

    def make_database(self) -> None:
        """Create the database where there is none yet, and bring it to this version."""
        with Store.open(self.configuration.database_url) as store:
            store.upgrade()

    # --- rooms ---------------------------------------------------------------------------------

    @cached_property
    def store(self) -> Store:
        """The database; its schema is checked, not changed."""
        store = Store.open(self.configuration.database_url)
        store.check()
        return store

    @cached_property
    def rulebook(self) -> Rulebook:
        """The rules that name causes: the operator's own before the built-in ones.

        Raises:
            SettingsError: the operator's file cannot be used.
        """
        named = self.configuration.settings.diagnose.rules
        return rulebook(own_rules(self.configuration.folder, named))

    def diagnose(self, text: str, stage: str | None = None) -> Diagnosis:
        """The cause behind a reply or error body."""
        return self.rulebook.diagnose(text, stage=stage)

    @cached_property
    def renderer(self) -> Renderer:
        """Makes the words of every mail."""
        return Renderer(
            clouds=self.configuration.clouds,
            operator_name=self.configuration.operator_name,
            operator_addresses=[one.address for one in self.configuration.operator_recipients],
            base_url=self.configuration.base_url,
        )

    @cached_property
    def alarms(self) -> AlarmWriter:
        """Writes the mails that do not wait for a daily run."""
        return AlarmWriter(renderer=self.renderer, rulebook=self.rulebook, audience=self.audience)

    @cached_property
    def audience(self) -> Audience:
        """The operator, as far as mails care."""
        operator = self.configuration.settings.operator
        hour = operator.send_hour if operator else None
        return Audience(
            recipients=self.configuration.operator_recipients,
            policy=self.configuration.policy,
            time_zone=self.configuration.operator_zone,
            send_hour=self.configuration.default_send_hour if hour is None else hour,
            scan_every=self.scan_every,
        )

    @cached_property
    def outgoing(self) -> Outgoing:
        """The rooms that send."""
        return Outgoing(
            configuration=self.configuration, store=self.store, vault=self.vault,
            credential=self.credential, diagnose=self.diagnose, rulebook=self.rulebook,
            renderer=self.renderer, audience=self.audience, clock=self.clock, owner=self.owner,
        )  # fmt: skip

    @property
    def carriers(self) -> Carriers:
        """Every mail path."""
        return self.outgoing.carriers

    @cached_property
    def scans(self) -> Scans:
        """Reads tenants and writes down what came of it."""
        table = self.configuration.settings.defaults
        return Scans(
            self.store, alarms=self.alarms, news=self.alarm_news, credential=self.credential,
            cloud=self.cloud, clock=self.clock, shadow=table.shadow, guard=table.shrink_guard,
            usage=table.usage,
        )  # fmt: skip

    @cached_property
    def items(self) -> Items:
        """Reads the certificates of watched dates where they are served."""
        limits = self.configuration.settings.deadlines
        return Items(
            self.store, clock=self.clock,
            connect_s=limits.connect.total_seconds(), read_s=limits.read.total_seconds(),
        )  # fmt: skip

    @cached_property
    def discoveries(self) -> Discoveries:
        """Looks for a partner's customers."""
        return Discoveries(
            self.store, self.configuration, self.credential, cloud=self.cloud, clock=self.clock
        )

    @cached_property
    def canaries(self) -> Canaries:
        """Proves mail paths."""
        return Canaries(
            self.store, carriers=self.carriers, alarms=self.alarms, news=self.alarm_news,
            diagnose=self.diagnose, clock=self.clock, pace=self.outgoing.pace,
        )  # fmt: skip

    @cached_property
    def readbacks(self) -> ReadBacks:
        """Finds out whether canaries arrived."""
        return ReadBacks(
            self.store, carriers=self.carriers, canaries=self.canaries, graph=self.graph,
            credential=self.credential, clock=self.clock,
        )  # fmt: skip

    @cached_property
    def doctor(self) -> Doctor:
        """Examines everything that reading and sending rest on."""
        ways = Ways(
            self.carriers,
            credential=self.credential,
            password=self.vault.text,
            send=self.canaries.probe,
            diagnose=self.diagnose,
            clock=self.clock,
            clouds=self.configuration.clouds,
        )
        return Doctor(
            self.store, self.configuration, ways=ways, graph=self.graph, rules=self.rulebook
        )

    def consultation(self) -> Consultation:
        """The doctor's examinations of what fails in one round."""
        limits = self.configuration.settings.deadlines
        return Consultation(
            self.doctor.round(),
            clock=self.clock,
            seconds=min(limits.tenant, EXAMINED_FOR).total_seconds(),
            at_once=limits.tenants_at_once,
        )

    @cached_property
    def wizard(self) -> Wizard:
        """Leads the set-up of a tenant."""
        keys, folder = self.configuration.sealing_keys, self.configuration.folder
        return Wizard(
            self.store,
            self.configuration,
            doctor=self.doctor,
            canaries=self.canaries,
            keeper=Keeper(self.sealed, folder, sealing=bool(keys)),
            audience=self.audience,
        )

    @cached_property
    def runs(self) -> Runs:
        """Decides, composes and writes daily runs."""
        return Runs(
            self.store,
            composer=Composer(
                renderer=self.renderer, audience=self.audience, links=self.link_maker()
            ),
            audience=self.audience,
            operator_sender=self.configuration.operator_sender,
            paths=self.carriers.paths, clock=self.clock, forbids=self.configuration.forbids,
        )  # fmt: skip

    @cached_property
    def verifications(self) -> Verifications:
        """Looks at single credentials at once."""
        return Verifications(
            self.store, graph=self.graph, credential=self.credential, own=self.own.read,
            cloud=self.cloud, carriers=self.carriers, canaries=self.canaries, runs=self.runs,
            clock=self.clock,
        )  # fmt: skip

    def link_maker(self) -> LinkMaker | None:
        """Makes the links in mails; None where readers cannot reach the page."""
        address, lasts = self.configuration.base_url, self.configuration.links_last
        return LinkMaker(address, lasts) if address and lasts else None

    @cached_property
    def reports(self) -> Reports:
        """Writes the report about everything."""
        operator = self.configuration.settings.operator or OperatorTable()
        return Reports(
            self.store,
            renderer=self.renderer,
            audience=self.audience,
            plan=Plan.of(operator.report, operator.report_every),
            status=self.report,
            paths=self.carriers.paths,
            clock=self.clock,
        )

    @cached_property
    def heartbeat(self) -> Heartbeat:
        """Tells something outside that the service does its work."""
        operator = self.configuration.settings.operator or OperatorTable()
        return Heartbeat(
            self.store,
            address=self.configuration.heartbeat,
            every=operator.heartbeat_every,
            tell_failures=operator.heartbeat_fail,
            read=self.vault.text,
            send=ping,
            clock=self.clock,
            owner=self.owner,
        )

    def deliverer(self) -> Deliverer:
        """Empties the outbox."""
        return self.outgoing.deliverer()

    @property
    def scan_every(self) -> timedelta:
        """How often each tenant is read."""
        return self.configuration.settings.defaults.scan_every

    # --- credentials ---------------------------------------------------------------------------

    @cached_property
    def credentials(self) -> Credentials:
        """Turns references into what one can sign in with."""
        return Credentials(self.vault)

    @cached_property
    def sealed(self) -> SealedValues:
        """Values sealed in the store."""
        return SealedValues(self.store, self.configuration.sealing_keys, clock=self.clock)

    @cached_property
    def keyvault(self) -> KeyVault:
        """The door to Azure Key Vault; nothing is asked until a reference needs it."""
        return doors.keyvault(self.configuration)

    def credential(self, reference: CredentialRef) -> ResolvedCredential:
        """The value behind a reference, hidden in an object that does not print it.

        Raises:
            SecretError: it is not there or cannot be used.
        """
        return self.credentials.resolve(reference)

    @cached_property
    def own(self) -> OwnValues:
        """Knows what Lapsewatch signs in with."""
        operator = self.configuration.operator_sender
        return OwnValues(self.store, operator, lambda reference: self.credential(reference))

    def own_credentials(self) -> list[OwnCredential]:
        """All that Lapsewatch signs in with anywhere, each value read once (rule 6a)."""
        return self.own.read()

    # --- reading -------------------------------------------------------------------------------

    def graph(self) -> AbstractAsyncContextManager[GraphReader]:
        """The door to Graph, with one HTTP client for all tenants."""
        return doors.graph(self.configuration, self.diagnose)

    def cloud(self, tenant: Tenant) -> Cloud:
        """The cloud a tenant lives in.

        Raises:
            SettingsError: the settings no longer know it.
        """
        if (found := self.configuration.clouds.get(tenant.cloud)) is None:
            raise unknown_cloud(tenant.cloud, tenant.name)
        return found

    # --- knowing -------------------------------------------------------------------------------

    def alarm_news(self, scope: str) -> AlarmNews:
        """What holds at this moment for an alarm with that scope."""
        return AlarmNews(
            paths=self.carriers.paths(), now=self.clock(), heard=self.store.heard(scope)
        )

    def report(self) -> status.StatusReport:
        """The status at this instant."""
        everything = Overview(
            self.store, carriers=self.carriers, runs=self.runs, heartbeat=self.heartbeat,
            audience=self.audience, scan_every=self.scan_every,
        )  # fmt: skip
        return everything.report(self.clock())
