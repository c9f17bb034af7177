"""`[[channel]]` of the settings: the operator's other ways out."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, model_validator

from monitor.fields import Address, CredentialField, Guid, HttpsAddress, RelayTable, Strict, beside
from monitor.fields.problems import nearest, printable
from monitor.model import CredentialRef
from monitor.model.channels import AppriseWay, ChannelSpec, GraphWay, SmtpWay, WebhookWay
from monitor.references import located

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_KINDS = ("webhook", "apprise", "graph", "smtp")


def _name(value: Any) -> str:
    text = str(value).strip()
    if not _NAME.fullmatch(text):
        raise ValueError("must be a short name of small letters, digits, - and _, like pager")
    return text


def _secret(value: Any) -> Any:
    """A reference written as text means a secret value."""
    return {"secret": value} if isinstance(value, str) else value


def _only_text(credential: CredentialRef) -> CredentialRef:
    if credential.form != "secret":
        raise ValueError("must be a reference to a secret: env:…, file:… or keyvault:…")
    return credential


ChannelName = Annotated[str, BeforeValidator(_name)]
SecretText = Annotated[CredentialField, BeforeValidator(_secret), AfterValidator(_only_text)]


class WebhookTable(Strict):
    """`webhook = {…}`"""

    url: HttpsAddress
    secret: SecretText
    allow_private: bool = False
    any_port: bool = False
    ca_file: str | None = None


class GraphTable(Strict):
    """`graph = {…}`"""

    mailbox: Address
    client_id: Guid
    credential: CredentialField
    directory_id: Guid
    cloud: str = "global"


class SmtpChannelTable(RelayTable):
    """`smtp = {…}`: a plain submission server, and who sends by it."""

    mailbox: Address


class ChannelTable(Strict):
    """`[[channel]]`: one way out beside the mail paths."""

    name: ChannelName
    webhook: WebhookTable | None = None
    apprise: SecretText | None = None
    graph: GraphTable | None = None
    smtp: SmtpChannelTable | None = None
    allow_private: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of {', '.join(_KINDS)}")
        if self.allow_private and self.apprise is None:
            raise ValueError("allow_private belongs into webhook = { … }, or to apprise")
        return self

    def spec(self, folder: Path) -> ChannelSpec:
        """The channel as the other rooms know it; files are relative to `folder`."""

        def here(credential: CredentialRef) -> CredentialRef:
            return located(credential, lambda name: str(beside(folder, name)))

        def file(name: str | None) -> str | None:
            return str(beside(folder, name)) if name else None

        if (hook := self.webhook) is not None:
            return ChannelSpec(
                self.name,
                WebhookWay(
                    hook.url, here(hook.secret), hook.allow_private, hook.any_port,
                    file(hook.ca_file),
                ),
            )  # fmt: skip
        if self.apprise is not None:
            return ChannelSpec(self.name, AppriseWay(here(self.apprise), self.allow_private))
        if (graph := self.graph) is not None:
            return ChannelSpec(
                self.name,
                GraphWay(
                    graph.mailbox, graph.client_id, here(graph.credential), graph.directory_id,
                    graph.cloud,
                ),
            )  # fmt: skip
        if (table := self.smtp) is None:  # the check above refuses that
            raise ValueError(f"the channel {self.name} has no way out")
        relay = table.model_copy(
            update={
                "credential": here(table.credential) if table.credential else None,
                "ca_file": file(table.ca_file),
            }
        ).noun(table.mailbox)
        return ChannelSpec(self.name, SmtpWay(table.mailbox, relay))


def problems_of(
    channels: Sequence[ChannelSpec],
    fallbacks: Mapping[str, Sequence[str]],
    clouds: Collection[str],
) -> list[str]:
    """What is wrong with the channels as a whole, each with its place in the settings.

    Args:
        channels: all of them.
        fallbacks: the names of those to fall back to, by the key that holds them.
        clouds: the names of the clouds.
    """
    names = [spec.name for spec in channels]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    problems = [f'channel.name: there are two channels "{name}"' for name in twice]
    for key, wanted in fallbacks.items():
        for name in wanted:
            if name not in names:
                hint = f'; did you mean "{near}"?' if (near := nearest(name, names)) else ""
                problems.append(f'{key}: there is no channel "{name}"{hint}')
    for way in (spec.way for spec in channels):
        if isinstance(way, GraphWay) and way.cloud not in clouds:
            problems.append(f'channel.graph.cloud: there is no cloud "{printable(way.cloud)}"')
    return problems
