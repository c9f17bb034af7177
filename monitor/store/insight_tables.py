"""The tables of what is asked for once a day: the policy, and when credentials were last used."""

from datetime import datetime

from monitor.store.rows import Row, table_of, tenant_column, text_column


class InsightRow(Row, table=True):
    """What each tenant's policy allows, in days, and how far its last sign-ins are known."""

    __tablename__ = "insight"
    tenant: str = tenant_column(primary_key=True)
    policy_asked_at: datetime | None = None
    policy_problem: str | None = text_column()
    secret_days: int | None = None
    secret_since: datetime | None = None
    certificate_days: int | None = None
    certificate_since: datetime | None = None
    usage_asked_at: datetime | None = None
    usage_at: datetime | None = None
    usage_problem: str | None = text_column()


class PolicyLimitRow(Row, table=True):
    """What a policy allows other objects than applications in general, in days.

    `scope` is the id of an object with a policy of its own, or `*` for service principals.
    """

    __tablename__ = "policy_limit"
    tenant: str = tenant_column(primary_key=True)
    scope: str = text_column(primary_key=True)
    secret_days: int | None = None
    secret_since: datetime | None = None
    certificate_days: int | None = None
    certificate_since: datetime | None = None


class KeyUseRow(Row, table=True):
    """The last sign-in with each key. What is known once stays: the report forgets sooner."""

    __tablename__ = "key_use"
    tenant: str = tenant_column(primary_key=True)
    key_id: str = text_column(primary_key=True)
    last_used_at: datetime


INSIGHT = table_of(InsightRow)
POLICY_LIMIT = table_of(PolicyLimitRow)
KEY_USE = table_of(KeyUseRow)
