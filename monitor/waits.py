"""What waits in the outbox, held against what its reader would be told now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.compose import Standing
from monitor.decide import Decision, decide_run
from monitor.endings import Hush, hushed, untrue
from monitor.model import Credential, Forbid, OutboxState, WaitingMail
from monitor.recipients import Audience
from monitor.routing import Router, rules_of
from monitor.store import Store


class Waits:
    """Judges digests that no server accepted.

    Args:
        store: facts, and what waits.
        audience: the operator and its rules.
        forbids: the operator's rules about what should not be there.
    """

    def __init__(self, store: Store, *, audience: Audience, forbids: Sequence[Forbid]) -> None:
        self._store = store
        self._audience = audience
        self._forbids = forbids

    def untrue(
        self, waiting: Sequence[WaitingMail], standing: Standing, now: datetime
    ) -> dict[str, bool]:
        """The digests that say what would not be said now; by id, whether all of it is so.

        What may have been accepted is never among them: it goes again as it is.

        Args:
            waiting: mails that no server accepted.
            standing: what holds for this tick.
            now: the instant, aware UTC.

        Raises:
            StoreError: the database cannot be used.
        """
        open_ = [
            mail
            for mail in waiting
            if mail.digest and mail.state is OutboxState.PENDING and not mail.possible_duplicate
        ]
        notices = self._store.notices_of([mail.id for mail in open_])
        names = {notice.tenant for each in notices.values() for notice in each}
        facts = {
            name: self._store.credentials(name, include_removed=True) for name in sorted(names)
        }
        return untrue(
            open_, notices, facts, now,
            hushes=self._hushes(open_, facts, standing, now),
            in_shadow={tenant.name for tenant in standing.tenants if tenant.in_shadow(now)},
        )  # fmt: skip

    def _hushes(
        self,
        waiting: Sequence[WaitingMail],
        facts: Mapping[str, Sequence[Credential]],
        standing: Standing,
        now: datetime,
    ) -> dict[str, Hush]:
        """What is kept now from those to whom something waits, by address."""
        policy = self._audience.policy
        asked = {name for name, _, _ in (*standing.snoozes, *standing.handed_over)}
        if not (asked & facts.keys() or policy.routes or policy.ignores):
            return {}
        about: dict[str, set[str]] = {}
        for mail in waiting:
            about.setdefault(mail.recipient.casefold(), set()).update(mail.tenants)
        router = Router(standing.tenants, self._audience, standing.handed_over)
        made: dict[str, list[Decision]] = {}
        for run in standing.runs:
            names = about.get(run.address.casefold(), set()) & run.names & facts.keys()
            if not names:
                continue
            rules = rules_of(run, router, now)
            found = decide_run(
                run.without(run.names - names).tenants, facts, zone=ZoneInfo(run.zone), told={},
                snoozes=standing.snoozes, now=now, forbids=self._forbids, ends=run.ends,
                stage_of=rules.stage_of, mask=rules.mask,
            )  # fmt: skip
            for each in found.values():
                made.setdefault(run.address.casefold(), []).extend(each)
        return {address: hushed(each) for address, each in made.items()}
