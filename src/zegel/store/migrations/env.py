"""Run by Alembic, which loads it by its path; the connection and its transaction are the caller's."""

from __future__ import annotations

from alembic import context

from zegel.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
