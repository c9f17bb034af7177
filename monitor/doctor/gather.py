"""Gathers the evidence about one target: every call outside that the doctor makes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from monitor.carriers import Carriers, Diagnose
from monitor.clouds import PRESETS
from monitor.doctor.evidence import MailSeen, Role, SignInSeen, TargetSeen, roles_of
from monitor.errors import LapsewatchError, RemoteError
from monitor.fields import beside, looks_like_guid
from monitor.model import Cloud, Credential, CredentialRef, Kind, Probe, Sender, Tenant
from monitor.model.evidence import AuthoritySeen, DirectorySeen, Held, Reached
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


@dataclass(frozen=True, slots=True)
class Target:
    """What is examined: a tenant with its sender, or the operator's sender.

    Args:
        name: of the tenant, or "(operator)".
        cloud: it lives in; None for a plain relay.
        tenant: that is read; None where nothing is.
        sender: that sends by OAuth.
        relay: the operator's sender that is a plain relay.
        changed_at: when the entry last changed.
        facts: credentials that a scan has found for the sending and the reading app.
    """

    name: str
    cloud: Cloud | None
    tenant: Tenant | None = None
    sender: OAuthSender | None = None
    relay: Sender | None = None
    changed_at: datetime | None = None
    facts: Sequence[Credential] = ()


@dataclass(slots=True)
class _SignIn:
    """One app's sign-in on its way: the value stays here and goes no further."""

    role: Role
    directory_id: str
    client_id: str
    reference: CredentialRef
    cloud: Cloud
    value: ResolvedCredential | None = None
    problem: RemoteError | None = None
    token: AccessToken | None = None
    error: RemoteError | None = None

    def give(self) -> str:
        """The token for the mail's way.

        Raises:
            RemoteError: there is none.
        """
        if self.token is None:
            raise self.error or self.problem or RemoteError("There is no token.", cause="unknown")
        return self.token.value


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


_NO_SUCH_DIRECTORY = ("tenant_not_found", "bad_tenant_id", "wrong_cloud")


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
        seen = TargetSeen(target.name, self._ways.clock(), cloud, target.changed_at)
        if cloud is None:
            return replace(seen, mail=await self._aside(self._relay))
        reading, sending = self._sign_ins(cloud)
        apps = [one for one in (reading, sending) if one is not None]
        asking = self._aside(self._authority, cloud)
        reaching = [self._aside(self._reach, url) for url in (cloud.authority, cloud.graph)]
        await asyncio.gather(*(self._aside(self._sign_in, one) for one in apps))
        authority, hosts = await asking, await asyncio.gather(*reaching)
        directory = await self._directory(reading, sending)
        return replace(
            seen,
            authority=authority,
            authority_host=hosts[0],
            graph_host=hosts[1],
            other_cloud=await self._aside(self._elsewhere, cloud, authority, apps),
            reader=_seen_of(reading, self._target, directory),
            directory=directory,
            mail_in=_seen_of(sending, self._target, directory),
            mail=await self._aside(self._mail, sending) if sending else None,
        )

    def _aside(self, call: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        """A call that blocks, in a thread."""
        return asyncio.get_running_loop().run_in_executor(self._pool, call, *arguments)

    def _sign_ins(self, cloud: Cloud) -> tuple[_SignIn | None, _SignIn | None]:
        tenant, sender = self._target.tenant, self._target.sender
        reading = sending = None
        if tenant is not None:
            reading = _SignIn(
                "graph", tenant.directory_id, tenant.client_id, tenant.credential, cloud
            )
        if sender is not None:
            sending = _SignIn(
                "smtp", sender.directory_id, sender.client_id, sender.credential, sender.cloud
            )
        return reading, sending

    def _sign_in(self, one: _SignIn) -> None:
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
            one.token = self._token(one, None if one.role == "smtp" else one.cloud.graph_scope)
        except RemoteError as error:
            one.error = error

    def _token(self, one: _SignIn, scope: str | None) -> AccessToken:
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

        tenant, sender = self._target.tenant, self._target.sender
        directory = tenant.directory_id if tenant else sender.directory_id if sender else ""
        return ask_authority(
            cloud, directory, timeout_s=self._seconds("token"), diagnose=self._ways.diagnose,
            now=self._ways.clock,
        )  # fmt: skip

    def _elsewhere(
        self, cloud: Cloud, authority: AuthoritySeen, apps: Sequence[_SignIn]
    ) -> str | None:
        """Another cloud that knows the directory, where this one does not.

        Microsoft's clouds are asked about a directory of Microsoft's, and private ones about one
        of theirs: nobody hears of a directory that is no business of theirs.
        """
        errors = [authority.error, *(one.error for one in apps)]
        if not any(error and error.cause in _NO_SUCH_DIRECTORY for error in errors):
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

    async def _directory(self, reading: _SignIn | None, sending: _SignIn | None) -> DirectorySeen:
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

    def _mail(self, sending: _SignIn) -> MailSeen | None:
        sender = self._target.sender
        if sender is None:
            return None
        path = self._ways.carriers.smtp_path(sender)
        will_send = self._send and sending.token is not None
        probe = self._ways.send(sender) if will_send else self._rehearse(
            path, sending.give, sender.canary_to[0]
        )  # fmt: skip
        return MailSeen(
            mailbox=sender.mailbox,
            host=sender.host,
            port=sender.port,
            reached=self._mail_host(path),
            probe=probe,
            sent=will_send,
            configured_object_id=sender.enterprise_object_id,
            graph_roles=self._graph_roles(sending),
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

    def _graph_roles(self, sending: _SignIn) -> tuple[str, ...] | None:
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
            mailbox=sender.mailbox, host=relay.host, port=relay.port, relay=True,
            reached=self._mail_host(path), probe=self._rehearse(path, token, to, sender.mailbox),
        )  # fmt: skip

    def _seconds(self, name: str) -> float:
        return self._ways.carriers.seconds(name)


def _seen_of(one: _SignIn | None, target: Target, directory: DirectorySeen) -> SignInSeen | None:
    """A sign-in as evidence, without its value."""
    if one is None:
        return None
    value = one.value
    secret = value.secret if value is not None and value.form == "secret" else ""
    file, mode = _file_of(one.reference)
    return SignInSeen(
        role=one.role,
        client_id=one.client_id,
        directory_id=one.directory_id,
        form=one.reference.form,
        reference=one.reference.reference,
        problem=one.problem,
        file=file,
        readable_by=mode,
        is_guid=looks_like_guid(secret),
        held=_held(one, target, directory, value.hint if value is not None else None),
        ends=value.certificate_end if value is not None else None,
        error=one.error,
        claims=one.token.claims if one.token is not None else None,
        expires_at=one.token.expires_at if one.token is not None else None,
        shared=bool(target.tenant and target.tenant.app and one.role == "graph"),
    )


def _held(
    one: _SignIn, target: Target, directory: DirectorySeen, hint: str | None
) -> tuple[Held, ...]:
    """What Entra holds that may be this secret: by Graph now, else by the last scan."""
    app = directory.apps.get(one.client_id)
    found = tuple(held for held in app.secrets if held.hint in (hint, None)) if app else ()
    return found or tuple(
        Held(known.hint, known.start, known.end)
        for known in target.facts
        if known.own and known.app_id == one.client_id and known.kind is Kind.SECRET
    )


def _file_of(reference: CredentialRef) -> tuple[str | None, str | None]:
    """The file behind a reference, and its permissions where others may read it."""
    scheme, _, name = reference.reference.partition(":")
    if reference.form == "managed_identity" or scheme != "file":
        return None, None
    path = beside(Path.cwd(), name)
    try:
        mode = path.stat().st_mode & 0o777
    except OSError:
        return str(path), None
    return str(path), f"{mode:04o}" if mode & 0o077 else None
