"""Columns by position: the same rows under other names, as UNION ALL and INSERT INTO match them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from yeoul.engine.columnwise import together
from yeoul.engine.contract import ROW, WATERMARK, WEIGHT
from yeoul.engine.operators.contract import Stateless

__all__ = ["RESERVED", "Relabel"]

RESERVED = frozenset((WATERMARK, ROW, WEIGHT))


class Relabel(Stateless):
    """Renames columns by position and casts them to the given types; reserved columns stay.

    Args:
        columns: Output name and data type, in order.
    """

    def __init__(self, columns: Sequence[tuple[str, pl.DataType]]) -> None:
        self._columns = columns
        self._names, self._dtypes = [name for name, _ in columns], [dtype for _, dtype in columns]

    def transform(self, batch: pl.DataFrame) -> pl.DataFrame:
        if batch.dtypes == self._dtypes:
            # As mostly: names are all there is to change.
            given = batch.clone()
            given.columns = self._names
            return given
        columns = batch.get_columns()
        own = [column for column in columns if column.name not in RESERVED]
        reserved = [column for column in columns if column.name in RESERVED]
        renamed = [_as(column, name, dtype) for column, (name, dtype) in zip(own, self._columns, strict=True)]
        return together([*renamed, *reserved])


def _as(column: pl.Series, name: str, dtype: pl.DataType) -> pl.Series:
    typed = column if column.dtype == dtype else column.cast(dtype)
    return typed if typed.name == name else typed.alias(name)
