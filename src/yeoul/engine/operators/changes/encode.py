"""Weights become kinds of change, for a sink or a caller.

A row that was taken back and the row right behind it that took its place, with the same key, are an update, -U and +U;
what stands alone is +I or -D.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from yeoul.engine.columnwise import without
from yeoul.engine.contract import CHANGE, WEIGHT
from yeoul.engine.operators.contract import Stateless

__all__ = ["DELETE", "INSERT", "UPDATE_AFTER", "UPDATE_BEFORE", "EncodeChanges"]

INSERT, UPDATE_BEFORE, UPDATE_AFTER, DELETE = range(4)


class EncodeChanges(Stateless):
    """Gives every change, in `$change`.

    Args:
        key: Columns that identify a row, as far as they are known; none: neighbours belong together.
        updates: Whether there are updates; else rows only come and go.
    """

    def __init__(self, key: Collection[str] = (), *, updates: bool = True) -> None:
        self._key, self._updates = list(key), updates

    def transform(self, batch: pl.DataFrame) -> pl.DataFrame:
        if WEIGHT not in batch.columns:
            return batch.with_columns(pl.lit(INSERT, dtype=pl.UInt8).alias(CHANGE))
        weight = pl.col(WEIGHT)
        if not self._updates:
            change = pl.when(weight < 0).then(pl.lit(DELETE, dtype=pl.UInt8)).otherwise(pl.lit(INSERT, dtype=pl.UInt8))
            return _with_kinds(batch, change)
        same = [pl.col(name).eq_missing(pl.col(name).shift(-1)) for name in self._key]
        begins = pl.all_horizontal(weight < 0, (weight.shift(-1) > 0).fill_null(False), *same)
        ends = begins.shift(1, fill_value=False)
        change = (
            pl.when(begins)
            .then(pl.lit(UPDATE_BEFORE, dtype=pl.UInt8))
            .when(ends)
            .then(pl.lit(UPDATE_AFTER, dtype=pl.UInt8))
            .when(weight < 0)
            .then(pl.lit(DELETE, dtype=pl.UInt8))
            .otherwise(pl.lit(INSERT, dtype=pl.UInt8))
        )
        return _with_kinds(batch, change)


def _with_kinds(batch: pl.DataFrame, change: pl.Expr) -> pl.DataFrame:
    kinds = batch.select_seq(change.alias(CHANGE)).to_series()
    return pl.DataFrame([*without(batch, (WEIGHT,)).get_columns(), kinds])
