"""What a session needs to know: where a mail goes in, as whom, and who names its failures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

Retry = Literal["never", "later", "after_fix"]


class Finding(Protocol):
    """What a diagnosis says; `monitor.diagnose.Diagnosis` is one."""

    @property
    def cause(self) -> str:
        """An id of the vocabulary; `unknown` where no rule knows the text."""
        ...

    @property
    def retry(self) -> Retry:
        """What heals it."""
        ...

    @property
    def certain(self) -> bool:
        """Whether it can be nothing else."""
        ...

    @property
    def explanation(self) -> str:
        """What it means, for people."""
        ...

    @property
    def fix(self) -> str:
        """What to do next."""
        ...


# Names the cause behind a text (a reply, or an error in words) that came at a stage.
Diagnose = Callable[[str, str | None], Finding]


@dataclass(frozen=True, slots=True)
class Path:
    """Where a mail goes in, and as whom.

    Args:
        host: the submission server; its certificate must carry this name.
        port: 587 for STARTTLS, 465 for TLS from the start.
        mailbox: who signs in (`user=` of XOAUTH2).
        tls: what is demanded; there is no way down from it.
        auth: how to sign in; `login` takes PLAIN or LOGIN, whichever is offered.
        ca_file: PEM file of the only CAs to trust; None is the system's store.
        ehlo_name: how we call ourselves; empty is this machine's name.

    Raises:
        ValueError: a token would travel without TLS.
    """

    host: str
    port: int
    mailbox: str
    tls: Literal["starttls", "tls", "none"] = "starttls"
    auth: Literal["xoauth2", "login", "none"] = "xoauth2"
    ca_file: str | None = None
    ehlo_name: str = ""

    def __post_init__(self) -> None:
        """Refuse to be a path on which everybody can read the token."""
        if self.tls == "none" and self.auth == "xoauth2":
            raise ValueError("XOAUTH2 needs TLS: the token would travel in the clear")
