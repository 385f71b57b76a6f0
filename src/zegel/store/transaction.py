"""One transaction, and the count of changes that running daemons look at.

The rooms of the store are functions that take a :class:`Transaction`; whoever opens it decides what happens together. The count grows in
the same transaction as the change itself, so that a daemon that sees the new number also sees the new rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from zegel.store import schema
from zegel.store.errors import StoreError
from zegel.store.vault import Vault
from zegel.words import N_


@dataclass(frozen=True, slots=True)
class Transaction:
    """What happens together, all or nothing. Made by ``Store.reading`` and ``Store.writing``. ``who`` acts, for the audit log."""

    connection: Connection
    unlocked: Vault | None
    who: str = "zegel"

    @property
    def vault(self) -> Vault:
        """The vault of the private keys. Raises StoreError when the store was opened for reading only."""
        if self.unlocked is None:
            raise StoreError(N_("the store is open for reading only, without its master key; open it as the user that runs Zegel"))
        return self.unlocked


def generation(tx: Transaction) -> int:
    """Return the number of changes of domains and keys so far."""
    number = tx.connection.execute(select(schema.generation.c.number)).scalar_one()
    return int(number)


def count_change(tx: Transaction) -> None:
    """Count one change of domains or keys, in the transaction that makes it."""
    number = schema.generation.c.number
    tx.connection.execute(update(schema.generation).values(number=number + 1))
