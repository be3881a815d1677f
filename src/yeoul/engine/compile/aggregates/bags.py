"""Bags: the values of a group one by one, for aggregates from which no value can be subtracted.

MIN of rows that may be taken back has to know the next least value; so it keeps them all. A bag is a list of (value,
+1 or -1) in the order of arrival. Merging puts lists behind each other; `settled` then strikes out each value with the
first that takes it back. What it costs is in proportion to the bags that a batch touches.
"""

from __future__ import annotations

import numpy as np
import polars as pl

__all__ = ["BAG", "bagged", "settled", "values_of"]

BAG = "bag"
_VALUE, _SIGN, _GROUP, _TURN = "v", "n", "$group", "$turn"


def bagged(value: pl.Expr, weight: pl.Expr, keep: pl.Expr | None, *, keeps_nulls: bool) -> pl.Expr:
    """Returns a group's values with their signs.

    Args:
        value: The argument, NULL where the filter leaves a row out.
        weight: +1 or -1 a row.
        keep: The filter.
        keeps_nulls: Whether a NULL of a row that the filter leaves in is a value.
    """
    entries = pl.struct(value.alias(_VALUE), weight.alias(_SIGN))
    if not keeps_nulls:
        return entries.filter(value.is_not_null())
    return entries if keep is None else entries.filter(keep)


def values_of(bag: pl.Expr) -> pl.Expr:
    """Returns the values in a settled bag, as a list in the order of arrival.

    One that was taken back before it came is none; it stays in the bag until it comes.

    Example:
        >>> bags = pl.DataFrame({"bag": [[{"v": 1, "n": 1}, {"v": 2, "n": -1}]]})
        >>> bags.select(values_of(pl.col("bag")))["bag"].to_list()
        [[1]]
    """
    entry = pl.element()
    return bag.list.eval(entry.filter(entry.struct.field(_SIGN) > 0).struct.field(_VALUE))


def settled(bags: pl.Series) -> pl.Series:
    """Returns bags without the values that were taken back.

    Example:
        >>> entries = [{"v": 1, "n": 1}, {"v": 2, "n": 1}, {"v": 1, "n": -1}]
        >>> settled(pl.Series([entries])).to_list()
        [[{'v': 2, 'n': 1}]]
    """
    count = len(bags)
    groups = pl.Series(_GROUP, np.arange(count))
    entries = pl.DataFrame([groups, bags.alias(BAG)]).explode(BAG).filter(pl.col(BAG).is_not_null()).unnest(BAG)
    if not (entries[_SIGN] < 0).any():
        return bags
    turns = entries.with_columns(pl.int_range(pl.len()).over(_GROUP, _VALUE, _SIGN).alias(_TURN))
    left = (
        turns.group_by(_GROUP, _VALUE, _TURN, maintain_order=True)
        .agg(pl.col(_SIGN).sum())
        .filter(pl.col(_SIGN) != 0)
        .group_by(_GROUP, maintain_order=True)
        .agg(pl.struct(_VALUE, _SIGN).alias(BAG))
    )
    found = groups.to_frame().join(left, on=_GROUP, how="left", maintain_order="left")[BAG]
    nothing = pl.Series([[]], dtype=bags.dtype)
    return found.cast(bags.dtype).zip_with(found.is_not_null(), nothing.new_from_index(0, count)).alias(bags.name)
