"""When mail is broken, somebody is told by another way; and once more when it is mended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.compose import outbox_row
from monitor.diagnose import UNKNOWN, Rulebook
from monitor.findings import explains
from monitor.log import get
from monitor.mail import repairs
from monitor.mail.outages import BrokenPath, WaitingItem, most_urgent_first
from monitor.model import (
    OPERATOR,
    AlarmChange,
    Mail,
    MailKind,
    OutboxMail,
    OutboxState,
    Tenant,
)
from monitor.recipients import Audience
from monitor.render import Renderer
from monitor.routes import MAIL_SCOPE, OPERATOR_PATH, Paths, channel_path, mail_scope, tenant_of
from monitor.senders import OAuthSender
from monitor.store import AlarmWrite, Store
from monitor.store.outages import REFUSED

AFTER = timedelta(hours=1)
AGAIN = timedelta(days=1)
TRIES = 3  # so many refusals are no passing hitch
CRITICAL = -7  # the urgency of the stage of seven days; see `monitor.model.Stage`
NOBODY = "operator@lapsewatch.invalid"  # stands for whoever reads a channel
# What is about one recipient, and says nothing about the path.
_OF_ONE = ("mailbox_full", "recipient_full", "recipient_unknown", "recipient_restricted",
           "too_large", "content_rejected", "greylisted")  # fmt: skip

_TROUBLE = (MailKind.CANNOT_CHECK, MailKind.CANARY_FAILED)

log = get("lapsewatch.outages")


def broken_since(
    refused: Sequence[OutboxMail], accepted: Mapping[str, datetime]
) -> dict[str, list[OutboxMail]]:
    """The mails that wait for a path which has accepted nothing since, by path.

    Args:
        refused: mails that were tried and wait.
        accepted: when each path last accepted something.
    """
    found: dict[str, list[OutboxMail]] = {}
    for mail in refused:
        last = accepted.get(mail.path)
        if mail.last_cause not in _OF_ONE and (last is None or last < mail.date):
            found.setdefault(mail.path, []).append(mail)
    return found


def is_worth_telling(
    mails: Sequence[OutboxMail], definite: Callable[[str | None], bool], now: datetime
) -> bool:
    """Whether somebody has to hear of it: after an hour, or at once for what is critical.

    At once is after the first refusal that time does not heal, else after the third.
    """
    return any(
        mail.date <= now - AFTER
        or (is_critical(mail) and (definite(mail.last_cause) or mail.attempt >= TRIES))
        for mail in mails
    )


def is_critical(mail: OutboxMail) -> bool:
    """Whether it tells of something that ends within a week, or has ended."""
    return any(notice.level >= CRITICAL for notice in mail.notices)


@dataclass(frozen=True, slots=True)
class Hearer:
    """Who is told by which channels: the operator of all that waits, a recipient of its own."""

    people: tuple[str, ...]
    channels: tuple[str, ...]
    scope: str = MAIL_SCOPE
    own: str | None = None


class OutageWatch:
    """Tells the operator, and recipients that have channels of their own, that mail is broken.

    Args:
        store: what waits, and what was said.
        renderer: makes the words.
        rulebook: explains causes.
        audience: the operator.
        paths: the sending paths, with the fallbacks.
        senders: what is behind the paths that sign in with an app.
        everyone: whether the first channel reaches addresses, so that each person gets it.
        clock: the current instant, aware UTC.
    """

    def __init__(
        self,
        store: Store,
        *,
        renderer: Renderer,
        rulebook: Rulebook,
        audience: Audience,
        paths: Callable[[], Paths],
        senders: Callable[[], Sequence[OAuthSender]],
        everyone: bool,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._renderer = renderer
        self._rulebook = rulebook
        self._audience = audience
        self._paths = paths
        self._senders = senders
        self._everyone = everyone
        self._clock = clock

    def run(self) -> bool:
        """Look whether mail goes out, and write what is to be said of it.

        Returns:
            Whether something was written.

        Raises:
            StoreError: the database cannot be used.
        """
        ways, now = self._paths(), self._clock()
        hearers = self._hearers(ways)
        # Whoever has no channels any more is told no more of it.
        self._store.end_alarms_except([one.scope for one in hearers], f"{MAIL_SCOPE}:", now)
        if not hearers:
            return False
        refused, accepted = self._store.refused_mails(), self._store.last_accepted()
        done = [self._look(one, refused, accepted, ways, now) for one in hearers]
        return any(done)

    def _hearers(self, ways: Paths) -> list[Hearer]:
        people = [one.address for one in self._audience.recipients] or [NOBODY]
        told = tuple(people if self._everyone else people[:1])
        operator = [Hearer(told, ways.fallback)] if ways.fallback else []
        return operator + [
            Hearer((address,), channels, mail_scope(address), address)
            for address, channels in sorted(ways.fallbacks.items())
        ]

    def _look(
        self,
        who: Hearer,
        refused: Sequence[OutboxMail],
        accepted: Mapping[str, datetime],
        ways: Paths,
        now: datetime,
    ) -> bool:
        """Tell one hearer what there is to tell; whether something was written."""
        if who.own is not None:
            refused = [one for one in refused if one.recipient.casefold() == who.own] or (
                # There may be more than were read for all.
                self._store.refused_mails(who.own) if len(refused) >= REFUSED else []
            )
        standing = self._store.outage(who.scope)
        broken = broken_since(refused, accepted)
        mails = [mail for found in broken.values() for mail in found]
        if not mails:
            return standing is not None and self._mended(who, *standing, now)
        if standing is None:
            worth = is_worth_telling(mails, self._definite, now)
            return worth and self._tell(who, broken, ways, now)
        return self._remind(who, standing[1], broken, ways, now)

    def _definite(self, cause: str | None) -> bool:
        known = self._rulebook.causes.get(cause or "")
        return known is not None and known.retry == "after_fix"

    def _tell(
        self,
        who: Hearer,
        broken: Mapping[str, Sequence[OutboxMail]],
        ways: Paths,
        now: datetime,
    ) -> bool:
        rows = self._rows(who, broken, ways, now)
        self._store.write_alarm(AlarmWrite(AlarmChange.OPEN, who.scope, now, tuple(rows)))
        log.warning("mail_path_broken", paths=sorted(broken))
        return True

    def _remind(
        self,
        who: Hearer,
        said: Sequence[OutboxMail],
        broken: Mapping[str, Sequence[OutboxMail]],
        ways: Paths,
        now: datetime,
    ) -> bool:
        """Say it again after a day; what nobody took yet is not said twice."""
        if any(mail.date > now - AGAIN for mail in said):
            return False
        self._store.withdraw([mail.id for mail in said if mail.state is OutboxState.PENDING])
        self._store.say_again(self._rows(who, broken, ways, now), who.scope)
        return True

    def _mended(
        self, who: Hearer, since: datetime, said: Sequence[OutboxMail], now: datetime
    ) -> bool:
        """Say that it is over, by the channel that took the news: an incident is closed there."""
        sent = self._store.accepted_since(since, who.own)
        mail = self._renderer.mended(
            since=since, sent=sent, zone=self._zone, now=now, own=who.own is not None
        )
        took = {one.recipient: one.path for one in said if one.state is OutboxState.SENT}
        first = channel_path(who.channels[0])
        rows = [self._row(mail, who, each, (), took.get(each, first), now) for each in who.people]
        self._store.withdraw([one.id for one in said if one.state is OutboxState.PENDING])
        self._store.write_alarm(AlarmWrite(AlarmChange.CLOSE, who.scope, now, tuple(rows)))
        log.info("mail_works_again", sent=sent)
        return True

    def _rows(
        self,
        who: Hearer,
        broken: Mapping[str, Sequence[OutboxMail]],
        ways: Paths,
        now: datetime,
    ) -> list[OutboxMail]:
        mails = sorted((m for found in broken.values() for m in found), key=lambda m: m.date)
        mail = self._renderer.mail_path_broken(
            [self._broken(path, found, ways) for path, found in broken.items()],
            self._items(mails),
            mails=len(mails),
            zone=self._zone,
            now=now,
            own=who.own is not None,
            recipient=who.own or "",
        )
        names = tuple(dict.fromkeys(name for m in mails for name in m.tenants if name != OPERATOR))
        first = channel_path(who.channels[0])
        return [self._row(mail, who, each, names, first, now) for each in who.people]

    def _broken(self, path: str, mails: Sequence[OutboxMail], ways: Paths) -> BrokenPath:
        last = mails[-1]
        cause = last.last_cause or UNKNOWN
        about = self._rulebook.describe(cause if cause in self._rulebook.causes else UNKNOWN)
        whose = OPERATOR if path == OPERATOR_PATH else tenant_of(path)
        found = self._store.examinations().get(whose or "")
        told = explains(found, "sending", cause)
        cause = (told.cause if told else None) or cause
        real = ways.identity.get(path, ())
        mailbox = next((part for part in real if "@" in part), "")
        return BrokenPath(
            path=path,
            mailbox=mailbox,
            since=min(mail.date for mail in mails),
            cause=cause,
            title=about.title,
            fix=told.fix if told else about.fix,
            said=last.last_error or "",
            app=self._app(path, cause),
            server=":".join(real[:2]) if mailbox else "",
        )

    def _app(self, path: str, cause: str) -> repairs.SendingApp | None:
        """What a path signs in with; None for a plain relay."""
        sender = next((one for one in self._senders() if one.path == path), None)
        if sender is None:
            return None
        tenant = self._store.tenant(sender.tenant)
        own = tenant.sender.credential if tenant and tenant.sender else None
        shared = tenant.app if tenant else None
        # The page is in the directory of the sender's app, which may be another than the tenant's.
        where = Tenant(
            sender.tenant, sender.directory_id, sender.cloud.name, sender.client_id,
            sender.credential,
            app=shared if tenant and sender.client_id == tenant.client_id else None,
        )  # fmt: skip
        link, label = repairs.page(sender.cloud, where, sender.client_id, cause)
        return repairs.SendingApp(
            sender.client_id, sender.directory_id, sender.credential.form,
            senders_own=own is not None, shared=(own is None and shared) or "",
            link=link, link_label=label,
        )  # fmt: skip

    def _items(self, mails: Sequence[OutboxMail]) -> list[WaitingItem]:
        """What waits, the most urgent first."""
        names = {notice.tenant for mail in mails for notice in mail.notices}
        known = {
            (name, one.uid): one for name in sorted(names) for one in self._store.credentials(name)
        }
        found = []
        for mail in mails:
            for notice in mail.notices:
                credential = known.get((notice.tenant, notice.uid))
                what = credential.app_name if credential else notice.uid
                end = credential.end if credential else None
                found.append(WaitingItem(mail.recipient, f"{what} ({notice.tenant})", end))
            if not mail.notices:
                alarm = mail.mail.kind in _TROUBLE
                found.append(WaitingItem(mail.recipient, mail.mail.subject, alarm=alarm))
        return most_urgent_first(found)

    def _row(
        self, mail: Mail, who: Hearer, to: str, names: tuple[str, ...], path: str, now: datetime
    ) -> OutboxMail:
        return outbox_row(mail, to, names, path, now, domain="lapsewatch.invalid", scope=who.scope)

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self._audience.time_zone)
