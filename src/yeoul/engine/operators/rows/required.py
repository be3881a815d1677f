"""What a table's NOT NULL columns require of the rows that INSERT gives: a value."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from yeoul.engine.operators.contract import Stateless
from yeoul.errors import UserError

__all__ = ["RequireValues"]


class RequireValues(Stateless):
    """Fails on a NULL in columns that are NOT NULL in the table written to; passes rows on as they are.

    Args:
        table: The table, for the message.
        columns: The columns that the query does not know to be without NULL.
    """

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        self._table, self._columns = table, columns

    def transform(self, batch: pl.DataFrame) -> pl.DataFrame:
        for name in self._columns:
            if batch.get_column(name).null_count():
                raise UserError(
                    f"Column {name!r} of table {self._table!r} is NOT NULL, and the query gave it a NULL",
                    hint="SET 'table.exec.sink.not-null-enforcer' = 'DROP' leaves such rows out.",
                )
        return batch
