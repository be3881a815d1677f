"""Order codes: integers that stand in the order of a column's values, whatever their type; pure functions.

Where rows of many partitions are sorted at once, integers are compared and not values.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.plan.ordering import SortKey

__all__ = ["order_codes"]


def order_codes(values: pl.Series, key: SortKey) -> NDArray[np.int64]:
    """Returns an integer for each value: lesser ones come first, equal ones are equal; they mean nothing elsewhere.

    Example:
        >>> order_codes(pl.Series(["b", None, "a", "b"]), SortKey("v", nulls_last=True)).tolist()
        [2, 4, 1, 2]
        >>> order_codes(pl.Series([5, 7]), SortKey("v", descending=True)).tolist()
        [-6, -8]
    """
    is_plain = values.dtype.is_integer() and values.dtype not in (pl.UInt64, pl.Int128, pl.UInt128)
    if (is_plain or values.dtype.is_temporal()) and not values.null_count():
        codes = values.to_physical().cast(pl.Int64).to_numpy()
        return ~codes if key.descending else codes
    ranks = values.rank("dense", descending=key.descending).cast(pl.Int64)
    return ranks.fill_null(len(values) if key.nulls_last else 0).to_numpy()
