"""The vocabulary: the same words on the page, in mails, in the CLI, in JSON and in metrics."""

from __future__ import annotations

from enum import StrEnum


class ObjectType(StrEnum):
    """What a credential hangs on (Microsoft Graph resource types)."""

    APPLICATION = "application"
    SERVICE_PRINCIPAL = "service_principal"
    ITEM = "item"  # none at all: a date that people keep
    RELATIONSHIP = "relationship"  # delegatedAdminRelationship: a partner's access to a customer


class Kind(StrEnum):
    """What sort of credential it is."""

    SECRET = "secret"  # noqa: S105 (a kind, not a password)
    CERTIFICATE = "certificate"
    SAML_SIGNING = "saml_signing"
    TOKEN_ENCRYPTION = "token_encryption"  # noqa: S105
    SYMMETRIC_KEY = "symmetric_key"
    ITEM = "item"  # no credential either: a date that people keep
    GDAP = "gdap"  # no credential, but it ends like one: a partner's access to a customer


class CredentialState(StrEnum):
    """States of a credential; the first that fits, in this order, holds."""

    REMOVED = "removed"
    SUPERSEDED = "superseded"
    LAPSED = "lapsed"
    SNOOZED = "snoozed"
    CRITICAL = "critical"
    WARNING = "warning"
    UPCOMING = "upcoming"
    OK = "ok"


class TenantState(StrEnum):
    """How far the facts about a tenant can be trusted."""

    OK = "ok"
    STALE = "stale"
    UNKNOWN = "unknown"
    PENDING = "pending"
    PAUSED = "paused"


class CanaryResult(StrEnum):
    """What the last daily test mail of a sender proved."""

    OK = "ok"
    FAILED = "failed"
    UNCONFIRMED = "unconfirmed"
    NEVER = "never"


class MailKind(StrEnum):
    """Kinds of mail; one folder each in templates/email/."""

    REMINDER = "reminder"
    LAPSED = "lapsed"
    COVERED = "covered"
    RENEWED = "renewed"
    REMOVED = "removed"
    UNEXPECTED = "unexpected"
    CANNOT_CHECK = "cannot_check"
    RECOVERED = "recovered"
    CANARY = "canary"
    CANARY_FAILED = "canary_failed"
    MAIL_PATH_BROKEN = "mail_path_broken"
    REPORT = "report"
    WELCOME = "welcome"


class OutboxState(StrEnum):
    """Life of a row in the outbox. Only a server's acceptance leads to `sent`."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"
    WITHDRAWN = "withdrawn"


class AlarmChange(StrEnum):
    """What an attempt does to the alarm about its tenant or sender."""

    NONE = "none"
    OPEN = "open"
    KEEP = "keep"  # it stands: whoever should hear of it and has not is told
    CLOSE = "close"
