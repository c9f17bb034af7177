"""The step to limits and gates: mails that wait keep waiting, whatever the database."""

from __future__ import annotations

from datetime import timedelta

from alembic import command
from sqlalchemy import text

from monitor.model import MailKind
from monitor.store import Store
from monitor.store.engine import Database
from monitor.store.schema import _config
from tests.integration.conftest import Make


def test_mails_that_wait_are_still_there_after_the_step(empty_url: str, make: Make) -> None:
    """A database of the first schema, with a mail and an alarm in it."""
    database = Database(empty_url)
    database.create_file()
    with database.write(foreign_keys=False) as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        columns = (
            "mail_id, kind, subject, body_text, body_html, thread, urgent, recipient, "
            "recipient_key, tenants, path, message_id, dated, state, attempt, possible_duplicate"
        )
        values = (
            "'m-1', 'cannot_check', 's', 't', 'h', '[]', true, 'noc@x.example', 'noc@x.example', "
            "'[\"contoso\"]', 'operator', '<1@x>', '2026-03-02 07:00:00+00', 'pending', 0, false"
        )
        if empty_url.startswith("sqlite"):
            values = values.replace("+00'", ".000000'")
        connection.execute(text(f"INSERT INTO outbox ({columns}) VALUES ({values})"))
    database.close()
    with Store.open(empty_url) as store:
        store.upgrade()
        store.check()
        [mail] = store.outbox()
        assert (mail.id, mail.mail.kind) == ("m-1", MailKind.CANNOT_CHECK)
        assert store.gather(make.now, per_hour=10) == []
        [taken] = store.claim(
            make.now, owner="me|1", lease=timedelta(minutes=1), owner_is_dead=lambda _: False,
            gated=True,
        )  # fmt: skip
        assert taken.id == "m-1"
