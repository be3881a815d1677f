"""Columns by position: the same rows under other names, as UNION ALL and INSERT INTO match them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from yeoul.engine.columnwise import selected
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

    def transform(self, batch: pl.DataFrame) -> pl.DataFrame:
        given = [name for name in batch.columns if name not in RESERVED]
        reserved = [name for name in batch.columns if name in RESERVED]
        if not reserved and all(have == dtype for have, (_, dtype) in zip(batch.dtypes, self._columns, strict=True)):
            return _renamed(batch, [name for name, _ in self._columns])
        renamed = [
            pl.col(source).cast(dtype).alias(name) for source, (name, dtype) in zip(given, self._columns, strict=True)
        ]
        return selected(batch, [*renamed, *reserved])


def _renamed(batch: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Returns the same columns under other names, without asking the query engine for it."""
    if batch.columns == list(names):
        return batch
    other = batch.clone()
    other.columns = names
    return other
