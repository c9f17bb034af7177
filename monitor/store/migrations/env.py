"""Run by alembic: migrates over the connection that the caller passes in."""

from alembic import context

from monitor.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite cannot alter columns; alembic rebuilds the table instead
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
