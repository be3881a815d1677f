"""Functions that Polars does not have, computed in Python once per different value of a batch.

Digests, URLs, character sets and radix digits come through here: the cost is per different value, not per row, plus one
pass to put the results back.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from yeoul.engine.compile.faults import checked

__all__ = ["per_value"]


def per_value(operand: pl.Expr, function: Callable[[object], object], dtype: pl.DataType) -> pl.Expr:
    """Returns an expression that applies `function` to each different value; NULL stays NULL."""

    def compute(column: pl.Series) -> pl.Series:
        values = column.drop_nulls().unique()
        results = pl.Series("new", [function(value) for value in values], dtype=dtype)
        if len(values) == 0:
            return pl.Series(column.name, [None] * len(column), dtype=dtype)
        if dtype.is_nested():
            places = column.replace_strict(values, pl.Series(range(len(values)), dtype=pl.UInt32), default=None)
            return results.gather(places)
        return column.replace_strict(values, results, default=None, return_dtype=dtype)

    return checked([operand], compute, dtype)
