"""What comes before what: order codes, and rows compared; pure functions.

Order codes are integers that stand in the order of a column's values, whatever their type. Where rows of many
partitions are sorted at once, integers are compared and not values; where they are small enough, those of a row and its
place are one integer, so that sorting moves nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.kernels.grouping import Groups
from yeoul.plan.ordering import SortKey

__all__ = ["comes_before", "first_places", "order_codes", "places_in_order"]

_BITS = 63


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
        codes = values.cast(pl.Int64).to_numpy()
        return ~codes if key.descending else codes
    ranks = values.rank("dense", descending=key.descending).cast(pl.Int64)
    return ranks.fill_null(len(values) if key.nulls_last else 0).to_numpy()


def places_in_order(codes: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Returns the places of rows in the order of their codes, the first ones first; equal ones as they stand.

    Example:
        >>> places_in_order([np.array([1, 0, 1, 0]), np.array([-5, 7, -6, 7])]).tolist()
        [1, 3, 2, 0]
    """
    count = len(codes[0])
    if not count:
        return np.empty(0, np.int64)
    bounds = [(int(each.min()), int(each.max())) for each in codes]
    widths = [(most - least).bit_length() for least, most in bounds]
    place_bits = (count - 1).bit_length()
    if sum(widths) + place_bits > _BITS:
        return np.lexsort(tuple(codes)[::-1])
    packed = np.zeros(count, np.int64)
    for each, (least, _), width in zip(codes, bounds, widths, strict=True):
        packed <<= width
        packed |= each - least
    packed <<= place_bits
    packed |= np.arange(count)
    packed.sort()
    packed &= (1 << place_bits) - 1
    return packed


def first_places(groups: Groups, codes: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Returns the place of each group's first row in the order of codes; of equal ones the one that stands first.

    Args:
        groups: Some of which have several rows.
        codes: A code for each row, the most important ones first; none: all rows are equal.

    Example:
        >>> from yeoul.kernels.grouping import group_rows
        >>> groups = group_rows(np.array([7, 8, 7, 7]), np.zeros(4, np.int64))
        >>> first_places(groups, [np.array([5, 9, 4, 4])]).tolist()
        [2, 1]
    """
    assert groups.order is not None
    order = groups.order.astype(np.int64)
    begins = np.cumsum(groups.sizes) - groups.sizes
    last, leads = np.iinfo(np.int64).max, np.ones(len(order), np.bool_)
    for code in codes:
        own = np.where(leads, code[order], last)
        leads &= own == np.repeat(np.minimum.reduceat(own, begins), groups.sizes)
    return np.minimum.reduceat(np.where(leads, order, last), begins)


def comes_before(rows: pl.DataFrame, others: pl.DataFrame, order: Sequence[SortKey]) -> NDArray[np.bool_]:
    """Tells which rows come before others, place by place; an equal one does not.

    Example:
        >>> rows, others = pl.DataFrame({"v": [1, 5, None]}), pl.DataFrame({"v": [2, 5, 4]})
        >>> comes_before(rows, others, [SortKey("v", nulls_last=True)]).tolist()
        [True, False, False]
    """
    before: NDArray[np.bool_] | None = None
    for key in reversed(order):
        own, other = rows.get_column(key.column), others.get_column(key.column)
        better = (own > other) if key.descending else (own < other)
        if own.null_count() or other.null_count():
            better = better.fill_null(False)
            better |= (own.is_not_null() & other.is_null()) if key.nulls_last else (own.is_null() & other.is_not_null())
        behind, before = before, better.to_numpy()
        if behind is not None:
            before = before | (own.eq_missing(other).to_numpy() & behind)
    return np.zeros(rows.height, np.bool_) if before is None else before
