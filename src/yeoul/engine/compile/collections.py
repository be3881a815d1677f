"""Arrays and maps out of arrays and maps: slices, sorting, set operations, maps put together.

Set operations explode the arrays to one row an element and join: the cost is per element, whatever the types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from yeoul.engine.compile.faults import EvaluationError, checked, first_true
from yeoul.engine.compile.lowering import Lowering, Site

__all__ = ["COLLECTIONS", "later_pairs"]


def _array_slice(site: Site) -> pl.Expr:
    array, start = site.args[0], site.args[1].cast(pl.Int64)
    size = array.list.len().cast(pl.Int64)
    end = site.args[2].cast(pl.Int64) if len(site.args) > 2 else size
    first = pl.when(start > 0).then(start).when(start == 0).then(1).otherwise((size + 1 + start).clip(1))
    last = pl.when(end < 0).then(size + 1 + end).when(end == 0).then(1).otherwise(end)
    cut = array.list.slice(first - 1, (last - first + 1).clip(0))
    known = pl.all_horizontal(each.is_not_null() for each in site.args)
    return pl.when(known).then(cut)


def _array_sort(site: Site) -> pl.Expr:
    array, flags = site.args[0], site.args[1:]
    ascending = flags[0] if flags else pl.lit(True)
    nulls_first = flags[1] if len(flags) > 1 else ascending
    result: pl.Expr = pl.when(False).then(array)
    for up in (True, False):
        for first in (True, False):
            sorted = array.list.sort(descending=not up, nulls_last=not first)
            result = pl.when((ascending == up) & (nulls_first == first)).then(sorted).otherwise(result)
    return result


def _rows(*columns: pl.Series) -> pl.DataFrame:
    """The columns side by side as long as the longest, with their number as `g`."""
    length = max(map(len, columns)) if min(map(len, columns)) else 0
    fitted = [column.head(length) if len(column) >= length else column.new_from_index(0, length) for column in columns]
    named = [column.alias(name) for column, name in zip(fitted, "ab", strict=False)]
    return pl.DataFrame(named).with_row_index("g")


def _regrouped(elements: pl.DataFrame, rows: pl.DataFrame, dtype: pl.DataType, known: pl.Expr) -> pl.Series:
    """Elements `e` of rows `g` as one array a row; empty where a known row has none left."""
    grouped = elements.group_by("g", maintain_order=True).agg(pl.col("e"))
    empty = pl.lit(pl.Series([[]], dtype=dtype)).first()
    joined = rows.join(grouped, on="g", how="left", maintain_order="left")
    return joined.select(pl.when(known).then(pl.col("e").fill_null(empty)).cast(dtype)).to_series()


def _membership(*, keep: bool) -> Lowering:
    """ARRAY_INTERSECT keeps the elements of the other array, ARRAY_EXCEPT the others."""

    def lower(site: Site) -> pl.Expr:
        dtype = site.dtype

        def compute(a: pl.Series, b: pl.Series) -> pl.Series:
            rows = _rows(a, b)
            filled = rows.filter(pl.col("a").list.len() > 0).select("g", pl.col("a").alias("e")).explode("e")
            others = rows.filter(pl.col("b").list.len() > 0).select("g", pl.col("b").alias("e")).explode("e")
            elements = filled.unique(maintain_order=True)
            left = elements.join(
                others,
                on=["g", "e"],
                how="semi" if keep else "anti",
                nulls_equal=True,
                maintain_order="left",
            )
            known = pl.col("a").is_not_null() & pl.col("b").is_not_null()
            return _regrouped(left, rows, dtype, known)

        return checked(site.args, compute, dtype)

    return lower


def later_pairs(maps: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Maps of which a key that occurs twice keeps the place of the first and the value of the last."""
    rows = _rows(maps)
    pairs = rows.filter(pl.col("a").list.len() > 0).explode("a").unnest("a")
    if pairs.height == pairs.select("g", "key").n_unique():
        return maps.cast(dtype)
    kept = pairs.group_by("g", "key", maintain_order=True).agg(pl.col("value").last())
    return _regrouped(kept.select("g", pl.struct("key", "value").alias("e")), rows, dtype, pl.col("a").is_not_null())


def _map_from_arrays(site: Site) -> pl.Expr:
    text, strict, dtype = site.text, site.strict, site.dtype

    def compute(keys: pl.Series, values: pl.Series) -> pl.Series:
        rows = _rows(keys, values)
        sizes = rows.select(a=pl.col("a").list.len(), b=pl.col("b").list.len())
        differ = (sizes["a"] != sizes["b"]).fill_null(False)
        if strict and differ.any():
            at = first_true(differ)
            raise EvaluationError(
                f"{text} needs as many keys as values, got {sizes['a'][at]} keys and {sizes['b'][at]} values"
            )
        rows = rows.filter(~differ) if differ.any() else rows
        paired = rows.filter((pl.col("a").list.len() > 0) & pl.col("b").is_not_null()).explode("a", "b")
        pairs = paired.select("g", pl.struct(key="a", value="b").alias("e"))
        known = pl.col("a").is_not_null() & pl.col("b").is_not_null()
        return later_pairs(_regrouped(pairs, rows, dtype, known), dtype)

    return checked(site.args, compute, dtype)


def _map_union(site: Site) -> pl.Expr:
    dtype = site.dtype
    joined = pl.concat_list(site.args) if len(site.args) > 1 else site.args[0]
    compute: Callable[[pl.Series], pl.Series] = lambda maps: later_pairs(maps, dtype)  # noqa: E731
    return checked([joined], compute, dtype)


def _array_remove(site: Site) -> pl.Expr:
    dtype = site.dtype

    def compute(arrays: pl.Series, items: pl.Series) -> pl.Series:
        rows = _rows(arrays, items)
        elements = rows.filter(pl.col("a").list.len() > 0).select("g", pl.col("a").alias("e"), "b").explode("e")
        kept = elements.filter(pl.col("e").ne_missing(pl.col("b")))
        return _regrouped(kept.select("g", "e"), rows, dtype, pl.col("a").is_not_null())

    return checked(site.args, compute, dtype)


COLLECTIONS: Mapping[str, Lowering] = {
    "array_slice": _array_slice,
    "array_sort": _array_sort,
    "array_remove": _array_remove,
    "array_except": _membership(keep=False),
    "array_intersect": _membership(keep=True),
    "map_from_arrays": _map_from_arrays,
    "map_union": _map_union,
}
