"""A batch grouped by the fingerprints of its keys: as keyed state will look for them.

What a key is made of matters once, for its fingerprint; grouping itself and finding the groups in keyed state go by
that. Whoever groups a batch can hand the fingerprints on beside the groups, in the columns `LANES`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from yeoul.engine.columnwise import Selection, Totals
from yeoul.engine.state.fingerprints import Lanes
from yeoul.engine.state.keyed import key_lanes
from yeoul.kernels.grouping import group_rows

__all__ = ["LANES", "Grouping", "lanes_of"]

LANES = ("$low", "$high")
"""The columns of fingerprints."""


class Grouping:
    """Batches aggregated by key: a row for each group, with the keys' columns, those of the aggregates and `LANES`.

    Groups stand in the order of their first rows; an aggregate sees the rows of a group in their order.

    Args:
        keys: At least one, each with a name of its own.
        aggregates: Over the batch's columns.

    Example:
        >>> grouping = Grouping([pl.col("k").alias("key")], [pl.col("v").sum()])
        >>> grouping.of(pl.DataFrame({"k": ["b", "a", "b"], "v": [1, 2, 3]})).drop(LANES).rows()
        [('b', 4), ('a', 2)]
    """

    def __init__(self, keys: Sequence[pl.Expr], aggregates: Sequence[pl.Expr]) -> None:
        self._keys, self._totals = list(keys), Totals(aggregates)
        self._selection = Selection(self._keys)
        self._used = {name for one in aggregates for name in one.meta.root_names()}

    def of(self, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the groups of a batch that has a row at least."""
        by = self._keys_of(batch)
        low, high = key_lanes(by)
        groups = group_rows(low, high)
        rows = [batch[name] for name in batch.columns if name in self._used]
        if groups.order is not None:
            firsts = groups.firsts
            rows = [column[groups.order] for column in rows]
            by, low, high = by[firsts], low[firsts], high[firsts]
        totals = self._totals.of(pl.DataFrame(rows), groups.sizes.astype(np.int64, copy=False))
        lanes = (pl.Series(name, lane) for name, lane in zip(LANES, (low, high), strict=True))
        return pl.DataFrame([*by.get_columns(), *totals, *lanes])

    def _keys_of(self, batch: pl.DataFrame) -> pl.DataFrame:
        by = self._selection.of(batch)
        if by.height == batch.height:
            return by
        # Keys that are all constants are one row.
        return batch.with_columns(self._keys).select(key.meta.output_name() for key in self._keys)


def lanes_of(rows: pl.DataFrame) -> Lanes | None:
    """Returns the fingerprints that stand beside rows; None if there are none."""
    if LANES[0] not in rows.columns:
        return None
    low, high = (rows[name].to_numpy() for name in LANES)
    return low, high
