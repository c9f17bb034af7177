"""Every error the product raises on purpose, each with what to do about it.

LapsewatchError
├── SettingsError        lapsewatch.toml or the environment is wrong (all problems at once)
├── ImportRowError       one row of a tenants file is wrong
├── SecretError          a reference to a secret (env:, file:, …) cannot be read
├── StoreError           the database cannot be used
├── RemoteError          Microsoft, or what stands between, did not answer as needed
│   ├── TokenError       the token endpoint refused
│   ├── GraphError       Graph refused, or its answer cannot be read
│   └── DeliveryError    a mail was not accepted
└── UsageError           a command was called with something that does not exist
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal


class LapsewatchError(Exception):
    """The root: a message for people and, where one is known, the next step.

    Args:
        message: what happened and where, without any secret value.
        remedy: what to do next; empty when the message says it all.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class SettingsError(LapsewatchError):
    """The settings cannot be used; `problems` lists every one of them."""

    def __init__(self, problems: Sequence[str], *, remedy: str = "") -> None:
        super().__init__("\n".join(problems), remedy=remedy)
        self.problems = tuple(problems)


class ImportRowError(LapsewatchError):
    """One row of a tenants file cannot be used; the other rows are not affected."""

    def __init__(self, message: str, *, line: int, row: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.line = line
        self.row = row


class StoreError(LapsewatchError):
    """The database is missing, locked, of another version or not writable."""


class UsageError(LapsewatchError):
    """A command names something that is not there."""


class RemoteError(LapsewatchError):
    """Something outside did not answer as needed.

    Args:
        message: what happened, in words, with the evidence.
        cause: an id of the vocabulary in `diagnose_rules.toml`.
        stage: where it happened (dns, tcp, …, token, graph), if known.
        evidence: the reply as it came, redacted.
        permanent: True when trying again cannot help until somebody changes something.
    """

    def __init__(
        self,
        message: str,
        *,
        cause: str,
        stage: str | None = None,
        evidence: str = "",
        permanent: bool = False,
        remedy: str = "",
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.cause = cause
        self.stage = stage
        self.evidence = evidence
        self.permanent = permanent


class SecretError(RemoteError):
    """A reference to a secret value cannot be resolved, or what is there cannot be used.

    Args:
        message: what is wrong and where; never the value.
        cause: another id of the vocabulary where the place could not be asked.
        permanent: False when trying again may help.
    """

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        cause: str = "secret_missing",
        evidence: str = "",
        permanent: bool = True,
    ) -> None:
        super().__init__(
            message, cause=cause, stage="token", evidence=evidence, permanent=permanent,
            remedy=remedy,
        )  # fmt: skip


class TokenError(RemoteError):
    """The token endpoint refused, or could not be reached."""


class GraphError(RemoteError):
    """Graph refused, could not be reached, or sent something that cannot be read."""


class DeliveryError(RemoteError):
    """A mail was not accepted.

    Args:
        code: the basic SMTP reply code, if there was a reply.
        bad_recipient: True when the reply is about this recipient only (the path works).
        uncertain: True when the server may have accepted the mail (the answer was lost).
        retry: the diagnosis behind `permanent`; without one it is told from `permanent`.
    """

    def __init__(
        self,
        message: str,
        *,
        cause: str,
        stage: str | None = None,
        evidence: str = "",
        permanent: bool = False,
        remedy: str = "",
        code: int | None = None,
        bad_recipient: bool = False,
        uncertain: bool = False,
        retry: Literal["never", "later", "after_fix"] | None = None,
    ) -> None:
        super().__init__(
            message, cause=cause, stage=stage, evidence=evidence, permanent=permanent, remedy=remedy
        )
        self.code = code
        self.bad_recipient = bad_recipient
        self.uncertain = uncertain
        self.retry = retry or ("after_fix" if permanent else "later")
