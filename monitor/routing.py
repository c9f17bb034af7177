"""Which rule holds for a credential, who is told by it, and why those before it do not. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import sha256
from typing import Literal
from zoneinfo import ZoneInfo

from monitor.addresses import domain_of, domains_of, is_address
from monitor.decide import Decision, Key, Mask, Reason, StageOf
from monitor.lifecycle import current_stage, local_date, stage_until
from monitor.matching import Subject, fits, fits_any, ignores, why_not
from monitor.model import (
    CLOSINGS,
    Credential,
    Ignore,
    Owner,
    Policy,
    Recipient,
    Route,
    Severity,
    Tenant,
)
from monitor.model.acts import HandOver
from monitor.recipients import Audience, Listener, RecipientRun, defaults, listener
from monitor.urgency import is_urgent as is_urgent
from monitor.urgency import only_urgent, severity_of
from monitor.urgency import severity_at as severity_at

_TOKEN = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # noqa: S105 (an alphabet without 0, O, 1 and I)
_NEVER_TOLD = (Reason.REMOVED, Reason.MANAGED_IDENTITY, Reason.NO_END)
_GROUPS = {"tenant": "the tenant's recipients", "operator": "the operator", "contact": "contact"}


@dataclass(frozen=True, slots=True)
class Contacts:
    """The addresses that one directory object leads to; `people` is None where not known."""

    people: tuple[Owner, ...] | None = None
    notify: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one rule: it holds, it does not fit, or it fits and yields nobody.

    `rule` counts from 1 in the settings' order; 0 stands for what holds without any rule.
    `why` are the reasons in words, `to` who is told by it.
    """

    rule: int
    outcome: Literal["holds", "does_not_fit", "yields_nobody", "not_asked", "handed_over"]
    why: tuple[str, ...] = ()
    to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Routed:
    """Who is told about one credential at one instant, and the rules that led there."""

    listeners: tuple[Listener, ...]
    steps: tuple[Step, ...]

    def hears(self, address: str) -> bool:
        """Whether an address is among them."""
        folded = address.casefold()
        return any(one.recipient.address.casefold() == folded for one in self.listeners)


class Router:
    """Asks the operator's rules.

    Args:
        tenants: as the roster has them, whatever stages a recipient wishes.
        audience: the operator and its policy.
        handed_over: what was given to somebody else, by tenant, uid and life.
    """

    def __init__(
        self,
        tenants: Iterable[Tenant],
        audience: Audience,
        handed_over: Mapping[Key, HandOver] | None = None,
    ) -> None:
        self._given = {
            key: one for key, one in (handed_over or {}).items() if one.holds and is_address(one.to)
        }
        self._tenants = {tenant.name: tenant for tenant in tenants}
        self._audience = audience

    @property
    def policy(self) -> Policy:
        """The rules."""
        return self._audience.policy

    def reads_entra(self) -> bool:
        """Whether some rule sends to addresses that are found in the directories."""
        return any({"owners", "notes"} & set(rule.to) for rule in self.policy.routes)

    def given(self, tenant: str) -> list[HandOver]:
        """What holds of the hand-overs of a tenant."""
        return [one for (name, _, _), one in self._given.items() if name == tenant]

    def possible(self, tenant: Tenant, known: Iterable[Contacts] = ()) -> list[Listener]:
        """Everybody who may be told about some credential of a tenant at some time.

        Args:
            tenant: which one.
            known: whom its directory objects lead to.
        """
        found = []
        people = list(known)
        for rule in self.policy.routes:
            if not (fits(rule.tenant, tenant.name) and fits_any(rule.tag, tenant.tags)):
                continue
            found += self._yield(rule, tenant, people)[0]
        taken = [self._of_tenant(one.to, tenant) for one in self.given(tenant.name)]
        return _each_once([*found, *defaults(tenant, self._audience), *taken])

    def route(self, credential: Credential, severity: Severity | None) -> Routed:
        """Who is told about a credential of that severity.

        The first rule that fits and yields somebody holds, and those after it where it says
        `also`. Where none does: the tenant's recipients, else the operator's.
        """
        tenant = self._tenants[credential.tenant]
        subject = Subject(credential, tenant, severity)
        contacts = [Contacts(credential.people, credential.notify)]
        found: list[Listener] = []
        steps: list[Step] = []
        open_ = True
        for number, rule in enumerate(self.policy.routes, start=1):
            if not open_:
                steps.append(Step(number, "not_asked", ("an earlier rule holds",)))
            elif unfit := why_not(rule, subject):
                steps.append(Step(number, "does_not_fit", tuple(unfit)))
            else:
                told, why = self._yield(rule, tenant, contacts)
                outcome: Literal["holds", "yields_nobody"] = "holds" if told else "yields_nobody"
                steps.append(Step(number, outcome, tuple(why), _addresses(told)))
                found += told
                open_ = not told or rule.also
        if not found:
            found = defaults(tenant, self._audience)
            steps.append(_default_step(tenant, found))
        given = self._given.get((credential.tenant, credential.uid, credential.life))
        if given is not None:
            found = [one for one in found if not _gave(given, one)]
            found.append(self._of_tenant(given.to, tenant))
            steps.append(_handed_step(given))
        return Routed(tuple(_each_once(found)), tuple(steps))

    def ignored_by(self, credential: Credential, now: datetime) -> Ignore | None:
        """The first rule in force that silences a credential; never our own (rule 6a)."""
        if credential.own:
            return None
        for rule in self.rules_in_force(now):
            if ignores(rule, credential, self._tenants[credential.tenant]):
                return rule
        return None

    def rules_in_force(self, now: datetime) -> list[Ignore]:
        """The ignore rules whose review is not due yet, by the operator's calendar."""
        day = self.today(now)
        return [rule for rule in self.policy.ignores if day <= rule.review]

    def today(self, now: datetime) -> date:
        """The operator's date."""
        return local_date(now, ZoneInfo(self._audience.time_zone))

    def mask(self, run: RecipientRun, now: datetime, ahead: datetime) -> Mask | None:
        """What holds back from a run what is ignored or not for its address; None without rules.

        `ahead` is until when the run speaks.
        """
        if not (self.policy.routes or self.policy.ignores or self._given):
            return None
        return lambda tenant, decisions: [
            self._masked(one, self._tenants.get(tenant.name, tenant), run, (now, ahead))
            for one in decisions
        ]

    def _masked(
        self,
        one: Decision,
        tenant: Tenant,
        run: RecipientRun,
        times: tuple[datetime, datetime],
    ) -> Decision:
        over = one.notice is not None and one.notice.kind in CLOSINGS
        if over or one.reason in _NEVER_TOLD:  # that it is over is for whoever heard of it
            return one
        if self.ignored_by(one.credential, times[0]):
            return _quiet(one, Reason.IGNORED)
        asked = self.policy.routes or self.given(tenant.name)
        if not asked or one.reason is Reason.NOT_NEAR:
            return one
        routed = self.route(one.credential, severity_of(one, tenant, *times))
        if routed.hears(run.address):
            return one
        return _quiet(one, Reason.NOT_ROUTED)

    def _yield(
        self, rule: Route, tenant: Tenant, known: Sequence[Contacts]
    ) -> tuple[list[Listener], list[str]]:
        """Whom a rule's targets come to, and why others of them are not told."""
        found: list[Listener] = []
        why: list[str] = []
        for target in rule.to:
            told, unusable = self._target(target, tenant, known)
            found += told
            why += unusable
        return _each_once(found), list(dict.fromkeys(why))

    def _target(
        self, target: str, tenant: Tenant, known: Sequence[Contacts]
    ) -> tuple[list[Listener], list[str]]:
        audience = self._audience
        if target == "tenant":
            told = [listener(one, tenant, audience) for one in tenant.recipients]
        elif target == "operator":
            told = [listener(one, None, audience) for one in audience.recipients]
        elif target == "contact":
            told = [self._of_tenant(tenant.contact, tenant)] if tenant.contact else []
        elif target in ("owners", "notes"):
            return self._found_in_entra(target, tenant, known)
        else:
            own = next((r for r in tenant.recipients if _same(r.address, target)), None)
            told = [
                listener(own, tenant, audience)
                if own
                else listener(Recipient(target), None, audience)
            ]
        return told, [] if told else [f"{_GROUPS[target]}: there is none"]

    def _found_in_entra(
        self, target: str, tenant: Tenant, known: Sequence[Contacts]
    ) -> tuple[list[Listener], list[str]]:
        """Addresses that others wrote: usable only in a domain that is the tenant's own."""
        found: list[str] = []
        why: list[str] = []
        for contacts in known:
            mails, unusable = _owners(contacts) if target == "owners" else _notes(contacts)
            found += mails
            why += unusable
        allowed = self.policy.owner_domains
        if allowed is None:
            allowed = own_domains(tenant)
        told = []
        for mail in dict.fromkeys(found):
            if not is_address(mail):
                why.append(f"{target}: {mail!r} is no mail address")
            elif domain_of(mail) not in allowed:
                why.append(f"{target}: the domain of {mail} is not allowed (owner_domains)")
            else:
                told.append(self._of_tenant(mail, tenant))
        return told, why

    def _of_tenant(self, address: str, tenant: Tenant) -> Listener:
        own = next((r for r in tenant.recipients if _same(r.address, address)), None)
        return listener(own or Recipient(address), tenant, self._audience)


@dataclass(frozen=True, slots=True)
class RunRules:
    """What a run asks of each decision: which stage holds by then, and what is not for it."""

    stage_of: StageOf = current_stage
    mask: Mask | None = None


def rules_of(
    run: RecipientRun, router: Router | None, now: datetime, *, urgent: bool = False
) -> RunRules:
    """The rules of a run at `now` (aware UTC).

    Args:
        run: which one.
        router: the operator's rules; None without any.
        now: the instant.
        urgent: only what does not wait for the hour, so no stage is reached before its day.
    """
    if urgent:
        inner = router.mask(run, now, now) if router else None
        return RunRules(mask=lambda tenant, made: only_urgent(
            inner(tenant, made) if inner else made, told=tenant.name in run.at_once
        ))  # fmt: skip
    ahead = run.ahead(now) if run.working_days else now
    stage_of = stage_until(ahead) if ahead > now else current_stage
    return RunRules(stage_of, router.mask(run, now, ahead) if router else None)


def own_domains(tenant: Tenant) -> frozenset[str]:
    """The domains of a tenant's own recipients, contact and mailbox."""
    mailbox = tenant.sender.mailbox if tenant.sender else None
    return domains_of([*(one.address for one in tenant.recipients), tenant.contact, mailbox])


def ticket(credential: Credential) -> str:
    """The token of a credential's ticket: the same for all stages of one life."""
    name = "\0".join((credential.tenant, credential.uid, str(credential.life)))
    number = int.from_bytes(sha256(name.encode("utf-8", "replace")).digest()[:5])
    return "LW-" + "".join(_TOKEN[number >> 5 * place & 31] for place in range(8))


# --- addresses ------------------------------------------------------------------------------------


def _owners(contacts: Contacts) -> tuple[list[str], list[str]]:
    if contacts.people is None:
        return [], ["owners: they are not known"]
    if not contacts.people:
        return [], ["owners: nobody owns this application"]
    found, why = [], []
    for one in contacts.people:
        if one.kind == "service_principal":
            why.append(f"owners: {one.name} is an application, and reads no mail")
        elif one.enabled is False:
            why.append(f"owners: the account of {one.name} is disabled")
        elif one.mail is None:
            why.append(f"owners: {one.name} has no mail address that can be read")
        else:
            found.append(one.mail)
    return found, why


def _notes(contacts: Contacts) -> tuple[list[str], list[str]]:
    found = list(contacts.notify)
    return found, [] if found else ["notes: there is no NotifyEmail="]


def _default_step(tenant: Tenant, told: Sequence[Listener]) -> Step:
    if not told:
        return Step(0, "yields_nobody", ("neither the tenant nor the operator has recipients",))
    who = "tenant's" if tenant.recipients else "operator's"
    why = f"no rule holds, so the {who} recipients are told"
    return Step(0, "holds", (why,), _addresses(told))


def _quiet(one: Decision, reason: Reason) -> Decision:
    """The same without its notice; who was warned of an earlier life hears that this is over."""
    return one.held_back(reason) if one.over else replace(one, notice=None, reason=reason)


def _gave(given: HandOver, one: Listener) -> bool:
    """Whether somebody gave it away; the queue of a route keeps its ticket."""
    mine = one.recipient.address
    return one.recipient.mode != "ticket" and any(_same(mine, giver) for giver in given.givers)


def _handed_step(given: HandOver) -> Step:
    why = f"handed over by {given.author} on {given.at.date()}"
    return Step(0, "handed_over", (f"{why}: {given.remark}" if given.remark else why,), (given.to,))


def _addresses(told: Iterable[Listener]) -> tuple[str, ...]:
    return tuple(one.recipient.address for one in told)


def _each_once(told: Iterable[Listener]) -> list[Listener]:
    found: dict[tuple[str, str], Listener] = {}
    for one in told:
        found.setdefault((one.recipient.address.casefold(), one.zone), one)
    return list(found.values())


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()
