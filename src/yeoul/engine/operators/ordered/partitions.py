"""Partitions of a batch: which there are, and each row's, by number."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

__all__ = ["PARTITION", "numbered", "partitions_of"]

PARTITION = "$partition"


def partitions_of(rows: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Returns the different partitions of rows, numbered by `$partition`; without keys there is one.

    Example:
        >>> partitions_of(pl.DataFrame({"k": ["a", "b", "a"]}), ["k"]).rows()
        [('a', 0), ('b', 1)]
    """
    if not keys:
        return pl.DataFrame({PARTITION: [0]}, schema={PARTITION: pl.Int64})
    different = rows.select(keys).unique(maintain_order=True)
    return different.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(PARTITION))


def numbered(rows: pl.DataFrame, keys: Sequence[str], partitions: pl.DataFrame) -> pl.Series:
    """Returns the number of each row's partition."""
    if not keys:
        return pl.zeros(rows.height, pl.Int64, eager=True).alias(PARTITION)
    found = rows.select(keys).join(partitions, on=list(keys), how="left", nulls_equal=True, maintain_order="left")
    return found[PARTITION]
