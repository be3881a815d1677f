"""Partitions of a batch: which there are, each row's, by number, and the rows partition by partition.

Rows are put together by the fingerprints of their keys, as keyed state knows them, so that whoever remembers something
of partitions need not hash them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.columnwise import chosen, taken
from yeoul.engine.series import series_of
from yeoul.engine.state.fingerprints import Lanes
from yeoul.engine.state.keyed import lanes_by
from yeoul.kernels.grouping import group_rows, one_group

__all__ = ["PARTITION", "Partitions", "partitions_of"]

PARTITION = "$partition"


@dataclass(frozen=True, slots=True)
class Partitions:
    """The different partitions of a batch's rows, in the order in which they first come; without keys there is one.

    Attributes:
        keys: The columns of each; without keys no column.
        lanes: The fingerprint of each.
        of_rows: The number of each row's.
        sizes: How many rows each has.
        order: The rows partition by partition, each one's as they stand.
    """

    keys: pl.DataFrame
    lanes: Lanes
    of_rows: NDArray[np.int64]
    sizes: NDArray[np.int64]
    order: NDArray[np.integer]

    @property
    def numbers(self) -> pl.Series:
        """The number of each row's, as the column `$partition`."""
        return series_of(PARTITION, self.of_rows)


def partitions_of(rows: pl.DataFrame, keys: Sequence[str]) -> Partitions:
    """Returns the different partitions of rows.

    Example:
        >>> found = partitions_of(pl.DataFrame({"k": ["a", "b", "a"]}), ["k"])
        >>> found.keys.rows(), found.of_rows.tolist(), found.order.tolist()
        ([('a',), ('b',)], [0, 1, 0], [0, 2, 1])
    """
    if not rows.height:
        nothing = np.zeros(0, np.int64)
        return Partitions(rows.select(keys), (nothing, nothing), nothing, nothing, nothing)
    low, high = lanes_by(rows, keys)
    groups = group_rows(low, high) if keys else one_group(rows.height)
    firsts = groups.firsts
    order = np.arange(rows.height) if groups.order is None else groups.order
    different = taken(chosen(rows, keys), firsts) if keys else rows.select().head(1)
    return Partitions(different, (low[firsts], high[firsts]), groups.ids.astype(np.int64), groups.sizes, order)
