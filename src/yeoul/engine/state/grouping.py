"""A batch grouped by the fingerprints of its keys: as keyed state will look for them.

What a key is made of matters once, for its fingerprint; grouping itself and finding the groups in keyed state go by
that. Whoever groups a batch can hand the fingerprints on beside the groups, in the columns `LANES`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from yeoul.engine.columnwise import selected
from yeoul.engine.state.fingerprints import Lanes
from yeoul.engine.state.keyed import key_lanes
from yeoul.kernels.grouping import group_rows

__all__ = ["LANES", "grouped", "lanes_of"]

LANES = ("$low", "$high")
"""The columns of fingerprints."""
_GROUP = "$group"


def grouped(batch: pl.DataFrame, keys: Sequence[pl.Expr], aggregates: Sequence[pl.Expr]) -> pl.DataFrame:
    """Returns the keys' columns, those of the aggregates and `LANES`, a row for each group.

    Groups stand in the order of their first rows; an aggregate sees the rows of a group in their order.

    Args:
        batch: At least one row.
        keys: Each with a name of its own.
        aggregates: Over the batch's columns.

    Example:
        >>> batch = pl.DataFrame({"k": ["b", "a", "b"], "v": [1, 2, 3]})
        >>> grouped(batch, [pl.col("k").alias("key")], [pl.col("v").sum()]).drop(LANES).rows()
        [('b', 4), ('a', 2)]
    """
    by = _keys_of(batch, keys)
    low, high = key_lanes(by)
    groups = group_rows(low, high)
    used = {name for one in aggregates for name in one.meta.root_names()}
    rows = [batch[name] for name in batch.columns if name in used]
    ids = pl.Series(_GROUP, np.repeat(np.arange(len(groups.sizes), dtype=np.uint32), groups.sizes)).set_sorted()
    if groups.order is not None:
        firsts = groups.firsts
        rows = [column[groups.order] for column in rows]
        by, low, high = by[firsts], low[firsts], high[firsts]
    totals = pl.DataFrame([ids, *rows]).group_by(_GROUP, maintain_order=True).agg(aggregates)
    lanes = (pl.Series(name, lane) for name, lane in zip(LANES, (low, high), strict=True))
    return pl.DataFrame([*by.get_columns(), *totals.get_columns()[1:], *lanes])


def _keys_of(batch: pl.DataFrame, keys: Sequence[pl.Expr]) -> pl.DataFrame:
    by = selected(batch, keys)
    if by.height == batch.height:
        return by
    # Keys that are all constants are one row.
    return batch.with_columns(keys).select(key.meta.output_name() for key in keys)


def lanes_of(rows: pl.DataFrame) -> Lanes | None:
    """Returns the fingerprints that stand beside rows; None if there are none."""
    if LANES[0] not in rows.columns:
        return None
    low, high = (rows[name].to_numpy() for name in LANES)
    return low, high
