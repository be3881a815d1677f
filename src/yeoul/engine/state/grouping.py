"""A batch grouped by the fingerprints of its keys: as keyed state will look for them.

What a key is made of matters once, for its fingerprint; grouping itself and finding the groups in keyed state go by
that. Whoever groups a batch can hand the fingerprints on beside the groups, in the columns `LANES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from yeoul.engine.columnwise import Selection, chosen, taken, together
from yeoul.engine.series import series_of
from yeoul.engine.state.fingerprints import Lanes
from yeoul.engine.state.keyed import lanes_by
from yeoul.engine.totals import Totals
from yeoul.kernels.grouping import Groups, group_rows, one_group

__all__ = ["LANES", "GroupedRows", "Grouping", "lanes_of"]

LANES = ("$low", "$high")
"""The columns of fingerprints."""


@dataclass(frozen=True, slots=True)
class GroupedRows:
    """Which rows of a batch belong together.

    Attributes:
        keys: Each row's.
        lanes: Each row's fingerprint.
        groups: The rows by group.
    """

    keys: pl.DataFrame
    lanes: Lanes
    groups: Groups


class Grouping:
    """Batches aggregated by key: a row for each group, with the keys' columns, those of the aggregates and `LANES`.

    Groups stand in the order of their first rows; an aggregate sees the rows of a group in their order.

    Args:
        keys: Each with a name of its own; none: all rows are one group.
        aggregates: Over the batch's columns.

    Example:
        >>> grouping = Grouping([pl.col("k").alias("key")], [pl.col("v").sum()])
        >>> grouping.of(pl.DataFrame({"k": ["b", "a", "b"], "v": [1, 2, 3]})).drop(LANES).rows()
        [('b', 4), ('a', 2)]
    """

    def __init__(self, keys: Sequence[pl.Expr], aggregates: Sequence[pl.Expr]) -> None:
        self._keys, self._totals = list(keys), Totals(aggregates)
        self._names = [key.meta.output_name() for key in self._keys]
        self._selection = Selection(self._keys)

    def of(self, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the groups of a batch that has a row at least."""
        return self.aggregated(batch, self.grouped(batch))

    def grouped(self, batch: pl.DataFrame) -> GroupedRows:
        """Returns which rows of a batch, which has one at least, belong together."""
        by = self._keys_of(batch) if self._keys else batch
        lanes = lanes_by(by, self._names)
        return GroupedRows(by, lanes, group_rows(*lanes) if self._keys else one_group(batch.height))

    def aggregated(self, batch: pl.DataFrame, rows: GroupedRows) -> pl.DataFrame:
        """Returns the groups of a batch, given which rows belong together."""
        groups, firsts = rows.groups, rows.groups.firsts
        by, lanes = rows.keys, rows.lanes
        if by.columns != self._names:
            by = chosen(by, self._names)
        if len(firsts) < batch.height:
            by, lanes = taken(by, firsts), (lanes[0][firsts], lanes[1][firsts])
        totals = self._totals.of(batch, groups)
        named = (series_of(name, lane) for name, lane in zip(LANES, lanes, strict=True))
        return together([*by.get_columns(), *totals, *named])

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
    low, high = (rows.get_column(name).to_numpy() for name in LANES)
    return low, high
