"""What is written anew in the place of what waits: no more than that, and what is over. Pure.

A digest that still waits may be untrue in part, or stand in the way of a word that is not to wait.
What it said is then decided anew and told at once. Whatever else is due keeps to its hour.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.decide import Decision
from monitor.model import (
    CLOSINGS,
    MailKind,
    NoticeKey,
    OutboxMail,
    OutboxState,
    Tenant,
    WaitingMail,
)
from monitor.recipients import RecipientRun
from monitor.routes import Paths, choose
from monitor.routing import RunRules


@dataclass(frozen=True, slots=True)
class Rest:
    """One run, narrowed to what is said anew.

    `spoken` are the credentials of which a mail that waits or was just taken back speaks, by
    tenant and uid. `mails` are the ids of those that it may take the place of: what was written
    after this was decided stays.
    """

    run: RecipientRun
    mails: frozenset[str]
    spoken: frozenset[tuple[str, str]]

    def rules(self, rules: RunRules, now: datetime) -> RunRules:
        """The rules of the run, with everything left out that keeps to its hour.

        Of a tenant in shadow all is told together: a welcome that leaves something out would
        promise a silence about it.
        """
        told = {tenant for tenant, _ in self.spoken}

        def goes(one: Decision, tenant: Tenant) -> bool:
            return (
                one.notice is None
                or one.notice.kind in CLOSINGS
                or (tenant.name, one.credential.uid) in self.spoken
                or (tenant.in_shadow(now) and tenant.name in told)
            )

        def mask(tenant: Tenant, made: list[Decision]) -> list[Decision]:
            found = rules.mask(tenant, made) if rules.mask else made
            return [one for one in found if goes(one, tenant)]

        return replace(rules, mask=mask)


def beside(
    run: RecipientRun,
    waiting: Iterable[WaitingMail],
    lost: Iterable[WaitingMail] = (),
    about: Collection[str] = (),
) -> list[WaitingMail]:
    """The waiting and the lost digests of a run that have to be written anew together.

    Those that speak of the same tenants as what was lost or as `about`, and so on: a tenant is
    never in two mails.

    Args:
        run: whose they are.
        waiting: mails that no server accepted.
        lost: mails that were just taken back, or are to be.
        about: the tenants about which something is to be said.
    """
    mine = {mail.id: mail for mail in waiting if _is_of(mail, run)}
    found = {mail.id: mail for mail in lost if mail.recipient.casefold() == run.address.casefold()}
    names = {name for mail in found.values() for name in mail.tenants} | set(about)
    grown = True
    while grown:
        more = [
            mail for mail in mine.values() if mail.id not in found and names & set(mail.tenants)
        ]
        found |= {mail.id: mail for mail in more}
        names |= {name for mail in more for name in mail.tenants}
        grown = bool(more)
    return list(found.values())


def joining(
    run: RecipientRun, waiting: Iterable[WaitingMail], mails: Iterable[OutboxMail], paths: Paths
) -> frozenset[str]:
    """The ids of the waiting digests that become part of what a run says anyway.

    They may have been accepted, so they never give way to other words alone. But where the path
    of their tenants brings something new all the same, one digest with the current state says it
    all: theirs would come after it, with the days of when they were written. What has a mail of
    its own, or is only told as over, joins nothing.

    Args:
        run: whose run it is.
        waiting: mails that no server accepted.
        mails: what is to be said beside them.
        paths: the sending paths; one that waits may have been tried by another one meanwhile.
    """
    due = {(mail.path, mail.mail.kind is MailKind.WELCOME) for mail in mails}

    def joins(mail: WaitingMail) -> bool:
        named = {choose(MailKind.REMINDER, [name], paths) for name in mail.tenants}
        return any((path, mail.kind is MailKind.WELCOME) in due for path in named)

    return frozenset(
        mail.id
        for mail in waiting
        if mail.possible_duplicate
        and mail.state is OutboxState.PENDING
        and _is_of(mail, run)
        and (run.alone | run.ends).isdisjoint(mail.tenants)
        and joins(mail)
    )


def told_as_over(mails: Iterable[OutboxMail]) -> set[tuple[str, str]]:
    """Of what these mails say that it is over, by tenant and uid."""
    return {(one.tenant, one.uid) for mail in mails for one in mail.notices if one.kind in CLOSINGS}


def rest_of(
    run: RecipientRun,
    mails: Iterable[WaitingMail],
    notices: Mapping[str, Iterable[NoticeKey]],
    about: Collection[str] = (),
) -> Rest:
    """What is said anew of some mails; of `about`, where none of them speaks of it, only ends.

    Args:
        run: whose they are.
        mails: what `beside` found.
        notices: what they say, by the mail's id.
        about: the tenants about which something is to be said at once.
    """
    every = list(mails)
    named = {name for mail in every for name in mail.tenants}
    chosen = run.without(run.names - named - set(about))
    return Rest(
        replace(chosen, ends=chosen.ends | (set(about) - named)),
        frozenset(mail.id for mail in every),
        frozenset((one.tenant, one.uid) for each in notices.values() for one in each),
    )


def _is_of(mail: WaitingMail, run: RecipientRun) -> bool:
    """Whether it is a digest of this very run; one about more tenants is another run's."""
    return (
        mail.digest
        and mail.recipient.casefold() == run.address.casefold()
        and set(mail.tenants) <= run.names
    )
