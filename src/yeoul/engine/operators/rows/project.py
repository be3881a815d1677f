"""SELECT expressions: computes the output columns from the input's, row by row."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from yeoul.engine.columnwise import Selection
from yeoul.engine.operators.contract import Stateless
from yeoul.engine.operators.rows.relabel import RESERVED

__all__ = ["Project"]


class Project(Stateless):
    """Replaces the columns by the values of expressions; reserved columns stay.

    Args:
        columns: Output name and expression over the input, in order.
    """

    def __init__(self, columns: Sequence[tuple[str, pl.Expr]]) -> None:
        self._names = [name for name, _ in columns]
        self._columns = [expression.alias(name) for name, expression in columns]
        self._selection = Selection(self._columns)
        self._reads_input = any(expression.meta.root_names() for _, expression in columns)

    @property
    def names(self) -> tuple[str, ...]:
        """What it gives."""
        return tuple(self._names)

    def joined(self, other: Project) -> Project | None:
        """Returns a projection that gives what either does; None if they mean different things by a name."""
        columns = dict(zip(self._names, self._columns, strict=True))
        for name, expression in zip(other._names, other._columns, strict=True):
            if not columns.setdefault(name, expression).meta.eq(expression):
                return None
        return Project(list(columns.items()))

    def transform(self, batch: pl.DataFrame) -> pl.DataFrame:
        reserved = [name for name in batch.columns if name in RESERVED]
        if self._reads_input:
            return self._selection.of(batch, reserved)
        # Constants alone would select as a single row, whatever the height of the batch.
        return batch.with_columns(self._columns).select(*self._names, *reserved)
