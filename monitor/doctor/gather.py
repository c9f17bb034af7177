"""Gathers the evidence about one target: every call outside that the doctor makes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from monitor.carriers import Carriers, Diagnose
from monitor.clouds import PRESETS
from monitor.doctor.evidence import (
    NO_SUCH_DIRECTORY,
    MailSeen,
    TargetSeen,
    roles_of,
)
from monitor.doctor.read_back import try_read_back
from monitor.doctor.signins import SignIn, Target, seen_of
from monitor.errors import LapsewatchError, RemoteError
from monitor.model import Cloud, CredentialRef, Probe
from monitor.model.evidence import AuthoritySeen, DirectorySeen, Reached
from monitor.senders import OAuthSender

if TYPE_CHECKING:
    from monitor.channels.path import Path as SmtpPath
    from monitor.entra.auth import AccessToken
    from monitor.entra.graph import GraphReader
    from monitor.entra.secrets import ResolvedCredential

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ways:
    """The doors that gathering needs.

    Args:
        carriers: deadlines, and where a sender submits.
        credential: resolves a credential reference.
        password: resolves a relay's password.
        send: sends one canary and gives its evidence.
        diagnose: names the cause behind a reply.
        clock: the current instant, aware UTC.
        clouds: every cloud that the settings know.
    """

    carriers: Carriers
    credential: Callable[[CredentialRef], ResolvedCredential]
    password: Callable[[CredentialRef], str]
    send: Callable[[OAuthSender], Probe]
    diagnose: Diagnose
    clock: Callable[[], datetime]
    clouds: Mapping[str, Cloud]


async def gather(
    target: Target, ways: Ways, reader: GraphReader, pool: Executor, *, send: bool
) -> TargetSeen:
    """Look at everything that a target's reading and sending rest on.

    Args:
        target: is examined.
        ways: the doors.
        reader: the door to Graph.
        pool: threads for the calls that block.
        send: send a test mail, too.
    """
    return await _Round(target, ways, reader, pool, send).run()


class _Round:
    """The gathering of one target. Each call outside has its own deadline."""

    def __init__(
        self, target: Target, ways: Ways, reader: GraphReader, pool: Executor, send: bool
    ) -> None:
        self._target = target
        self._ways = ways
        self._reader = reader
        self._pool = pool
        self._send = send

    async def run(self) -> TargetSeen:
        """Gather in the order in which one thing rests on another."""
        target, cloud = self._target, self._target.cloud
        seen = TargetSeen(
            target.name, self._ways.clock(), cloud, self._directory_id, target.changed_at,
            soon=target.soon, daily_mails=target.daily_mails, exchange=target.exchange,
        )  # fmt: skip
        if cloud is None:
            return replace(seen, mail=await self._aside(self._relay))
        reading, sending = self._sign_ins(cloud)
        apps = [one for one in (reading, sending) if one is not None]
        asking = self._aside(self._authority, cloud)
        reaching = [self._aside(self._reach, url) for url in (cloud.authority, cloud.graph)]
        await asyncio.gather(*(self._aside(self._sign_in, one) for one in apps))
        authority, hosts = await asking, await asyncio.gather(*reaching)
        directory = await self._directory(reading, sending)
        mail = await self._aside(self._mail, sending) if sending else None
        if mail is not None and (sender := target.sender) and sender.arrival:
            problem = await try_read_back(self._reader, sender, self._ways)
            mail = replace(mail, read_back=sender.arrival, read_back_problem=problem)
        return replace(
            seen,
            authority=authority,
            authority_host=hosts[0],
            graph_host=hosts[1],
            other_cloud=await self._aside(self._elsewhere, cloud, authority, apps),
            reader=seen_of(reading, self._target, directory),
            directory=directory,
            mail_in=seen_of(sending, self._target, directory),
            mail=mail,
        )

    @property
    def _directory_id(self) -> str:
        owner = self._target.tenant or self._target.sender
        return owner.directory_id if owner is not None else self._target.directory_id

    def _aside(self, call: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        """A call that blocks, in a thread."""
        return asyncio.get_running_loop().run_in_executor(self._pool, call, *arguments)

    def _sign_ins(self, cloud: Cloud) -> tuple[SignIn | None, SignIn | None]:
        tenant, sender = self._target.tenant, self._target.sender
        reading = sending = None
        if tenant is not None:
            reading = SignIn(
                "graph", tenant.directory_id, tenant.client_id, tenant.credential, cloud
            )
        if sender is not None:
            sending = SignIn(
                "smtp", sender.directory_id, sender.client_id, sender.credential, sender.cloud
            )
        return reading, sending

    def _sign_in(self, one: SignIn) -> None:
        """Read the value, and ask for a fresh token with it."""
        try:
            one.value = self._ways.credential(one.reference)
        except RemoteError as error:
            one.problem = error
            return
        except LapsewatchError as error:
            one.problem = RemoteError(error.message, cause="secret_missing", remedy=error.remedy)
            return
        try:
            one.token = self._token(one, one.scope)
        except RemoteError as error:
            one.error = error

    def _token(self, one: SignIn, scope: str) -> AccessToken:
        from monitor.entra.auth import smtp_token

        if one.value is None:
            raise RemoteError("There is no value to sign in with.", cause="secret_missing")
        return smtp_token(
            one.directory_id, one.client_id, one.cloud, one.value,
            timeout_s=self._seconds("token"), diagnose=self._ways.diagnose, scope=scope,
        )  # fmt: skip

    def _reach(self, address: str) -> Reached:
        from monitor.channels.reach import reach

        url = urlsplit(address)
        return reach(
            url.hostname or "",
            url.port or (443 if url.scheme == "https" else 80),
            tls="tls" if url.scheme == "https" else "none",
            ca_file=self._target.cloud.ca_file if self._target.cloud else None,
            connect_s=self._seconds("connect"),
            reply_s=self._seconds("read"),
        )

    def _authority(self, cloud: Cloud) -> AuthoritySeen:
        from monitor.entra.authority import ask_authority

        return ask_authority(
            cloud, self._directory_id, timeout_s=self._seconds("token"),
            diagnose=self._ways.diagnose, now=self._ways.clock,
        )  # fmt: skip

    def _elsewhere(
        self, cloud: Cloud, authority: AuthoritySeen, apps: Sequence[SignIn]
    ) -> str | None:
        """Another cloud that knows the directory, where this one does not.

        Microsoft's clouds are asked about a directory of Microsoft's, and private ones about one
        of theirs: nobody hears of a directory that is no business of theirs.
        """
        here = [one for one in apps if one.directory_id == self._directory_id]
        errors = [authority.error, *(one.error for one in here)]
        if not any(error and error.cause in NO_SUCH_DIRECTORY for error in errors):
            return None
        asked = {cloud.authority}
        for other in self._ways.clouds.values():
            same_world = (other.name in PRESETS) == (cloud.name in PRESETS)
            if not same_world or other.authority in asked:
                continue
            asked.add(other.authority)
            if self._authority(other).error is None:
                return other.name
        return None

    async def _directory(self, reading: SignIn | None, sending: SignIn | None) -> DirectorySeen:
        """What Graph tells the reading app of both apps; nothing without a token."""
        tenant = self._target.tenant
        if tenant is None or reading is None or reading.value is None or reading.token is None:
            return DirectorySeen()
        apps, objects = [reading.client_id], []
        sender = self._target.sender
        if sending is not None and sending.directory_id == reading.directory_id:
            apps.append(sending.client_id)
            objects += [sender.enterprise_object_id] if sender else []
        return await self._reader.look(
            tenant, reading.cloud, reading.value, now=self._ways.clock,
            client_ids=dict.fromkeys(apps), object_ids=filter(None, objects),
        )  # fmt: skip

    def _mail(self, sending: SignIn) -> MailSeen | None:
        sender = self._target.sender
        if sender is None:
            return None
        path = self._ways.carriers.smtp_path(sender)
        will_send = self._send and sending.token is not None
        probe = self._target.probe
        if probe is None and will_send:
            probe = self._ways.send(sender)
        elif probe is None:
            probe = self._rehearse(path, sending.give, sender.canary_to[0])
        return MailSeen(
            mailbox=sender.mailbox,
            host=sender.host,
            port=sender.port,
            reached=self._mail_host(path),
            probe=probe,
            sent=will_send or self._target.probe is not None,
            configured_object_id=sender.enterprise_object_id,
            graph_roles=self._graph_roles(sending),
            rcpt_to=sender.canary_to[0],
        )

    def _rehearse(
        self, path: SmtpPath, token: Callable[[], str] | None, rcpt_to: str, sender: str = ""
    ) -> Probe:
        from monitor.channels.probe import run_probe

        return run_probe(
            path, token=token, message=None, rcpt_to=rcpt_to, mail_from=sender or None,
            diagnose=self._ways.diagnose, now=self._ways.clock,
            connect_s=self._seconds("connect"), reply_s=self._seconds("read"),
        )  # fmt: skip

    def _mail_host(self, path: SmtpPath) -> Reached | None:
        from monitor.channels.reach import reach

        return reach(
            path.host, path.port, tls=path.tls, ca_file=path.ca_file,
            connect_s=self._seconds("connect"), reply_s=self._seconds("read"),
        )  # fmt: skip

    def _graph_roles(self, sending: SignIn) -> tuple[str, ...] | None:
        """What the sending app may do at Graph: its own token for Graph says so."""
        if sending.token is None:
            return None
        try:
            return roles_of(self._token(sending, sending.cloud.graph_scope).claims)
        except RemoteError:
            return None

    def _relay(self) -> MailSeen | None:
        from monitor.channels.relay import relay_path

        sender = self._target.relay
        relay = sender.relay if sender else None
        if sender is None or relay is None:
            return None
        signs_in = relay.user is not None and relay.credential is not None
        path = relay_path(
            relay, sender.mailbox, self._ways.carriers.relay_ca(relay), signs_in=signs_in
        )
        reference = relay.credential
        token = (lambda: self._ways.password(reference)) if signs_in and reference else None
        to = sender.canary_to[0] if sender.canary_to else sender.mailbox
        return MailSeen(
            mailbox=sender.mailbox, host=relay.host, port=relay.port, relay=True, rcpt_to=to,
            password=signs_in,
            reached=self._mail_host(path), probe=self._rehearse(path, token, to, sender.mailbox),
        )  # fmt: skip

    def _seconds(self, name: str) -> float:
        return self._ways.carriers.seconds(name)
