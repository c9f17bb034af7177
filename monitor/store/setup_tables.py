"""The tables of the guided set-up: what was answered so far, and who may answer."""

from datetime import datetime

from monitor.store.rows import Row, table_of, tenant_column, text_column


class DraftRow(Row, table=True):
    """Guided set-ups on their way, each as one document."""

    __tablename__ = "draft"
    name: str = text_column(primary_key=True)
    document: str = text_column()
    changed_at: datetime


class ConfirmationRow(Row, table=True):
    """Whether somebody saw a sender's test mail arrive; only for senders that were asked about."""

    __tablename__ = "confirmation"
    tenant: str = tenant_column(primary_key=True)
    mailbox: str = text_column(primary_key=True)
    asked_at: datetime
    sent_to: str = text_column()
    answer: str | None = text_column()
    answered_at: datetime | None = None
    answered_by: str | None = text_column()


class SetupLinkRow(Row, table=True):
    """One-time links to the set-up pages, by the SHA-256 of their tokens."""

    __tablename__ = "setup_link"
    digest: str = text_column(primary_key=True)
    expires_at: datetime


class WebSessionRow(Row, table=True):
    """Browsers that may change something, by the SHA-256 of what their cookies hold."""

    __tablename__ = "web_session"
    digest: str = text_column(primary_key=True)
    started_at: datetime
    seen_at: datetime
    expires_at: datetime


DRAFT = table_of(DraftRow)
CONFIRMATION = table_of(ConfirmationRow)
SETUP_LINK = table_of(SetupLinkRow)
WEB_SESSION = table_of(WebSessionRow)
