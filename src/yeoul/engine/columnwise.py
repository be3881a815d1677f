"""Selecting and filtering without the thread pool, for batches that are small.

Polars hands a selection to its pool, whatever the height: for a few rows the hand-over costs more than the work, twice
the processor time, and on a busy machine the wait for another thread. Below `_FEW_ROWS` the same expressions are
computed where they are asked for; the results are equal. Used by the operators that see every batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

__all__ = ["concatenated", "filtered", "selected", "without"]

_FEW_ROWS = 8_192


def selected(batch: pl.DataFrame, columns: Sequence[pl.Expr | str]) -> pl.DataFrame:
    """Returns `batch.select(columns)`.

    Example:
        >>> selected(pl.DataFrame({"a": [1, 2]}), [pl.col("a") * 10]).to_series().to_list()
        [10, 20]
    """
    return batch.select_seq(columns) if batch.height < _FEW_ROWS else batch.select(columns)


def filtered(batch: pl.DataFrame, predicate: pl.Expr) -> pl.DataFrame:
    """Returns `batch.filter(predicate)`: rows for which it is true.

    Example:
        >>> filtered(pl.DataFrame({"a": [1, None, 3]}), pl.col("a") > 1).to_series().to_list()
        [3]
    """
    if batch.height >= _FEW_ROWS or not batch.width:
        return batch.filter(predicate)
    kept = batch.select_seq(predicate).to_series()
    if len(kept) != batch.height:  # a predicate without columns is one value
        return batch.filter(predicate)
    if kept.all(ignore_nulls=False):
        return batch
    return pl.DataFrame([column.filter(kept) for column in batch.get_columns()])


def without(batch: pl.DataFrame, names: Sequence[str] | frozenset[str]) -> pl.DataFrame:
    """Returns a batch without some columns; those that it does not have do not matter.

    Example:
        >>> without(pl.DataFrame({"a": [1], "$row": [0]}), ["$row"]).columns
        ['a']
    """
    left = [name for name in batch.columns if name not in names]
    return batch if len(left) == batch.width else batch[left] if left else batch.drop(batch.columns)


def concatenated(batches: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Returns batches of equal columns as one, in order.

    Example:
        >>> concatenated([pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [2]})])["a"].to_list()
        [1, 2]
    """
    whole = batches[0]
    for batch in batches[1:]:
        whole = whole.vstack(batch)
    return whole
