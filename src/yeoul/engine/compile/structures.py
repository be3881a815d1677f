"""Arrays, maps and rows. A map is a list of (key, value) structs; of a key that occurs twice the first is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from yeoul.engine.compile.collections import later_pairs
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.faults import EvaluationError, checked, first_true
from yeoul.engine.compile.lowering import Lowering, Missing, Site
from yeoul.engine.compile.text import literal_text
from yeoul.engine.compile.variants import variant_item
from yeoul.errors import UserError
from yeoul.plan.types import Kind

__all__ = ["STRUCTURES"]


def _exploded(lists: pl.Series, others: pl.Series) -> pl.DataFrame:
    """One row an element: `g` the row it came from, `e` the element, `x` the other argument's value there."""
    frame = pl.select(
        *(
            pl.lit(each).first().alias(name) if len(each) == 1 else pl.lit(each).alias(name)
            for name, each in (("e", lists), ("x", others))
        )
    )
    return frame.with_row_index("g").explode("e")


def _item(site: Site) -> pl.Expr:
    container, key = site.args
    if site.types[0].kind is Kind.VARIANT:
        return variant_item(site)
    if site.types[0].kind is Kind.MAP:
        return checked([container, key], _looked_up(site.dtype), site.dtype)
    index = site.constant(1)
    if isinstance(index, int):
        if index < 1:
            raise UserError(f"An array's index starts at 1, got {index} in {site.text}", span=site.call.span)
        return container.list.get(index - 1, null_on_oob=True)
    place = key.cast(pl.Int64)
    return pl.when(place >= 1).then(container.list.get((place - 1).clip(0), null_on_oob=True))


def _looked_up(dtype: pl.DataType) -> Callable[[pl.Series, pl.Series], pl.Series]:
    def compute(maps: pl.Series, keys: pl.Series) -> pl.Series:
        length = max(len(maps), len(keys)) if min(len(maps), len(keys)) else 0
        hits = _exploded(maps, keys).filter(pl.col("e").struct.field("key") == pl.col("x"))
        found = hits.unique("g", keep="first").select("g", pl.col("e").struct.field("value").alias("v"))
        rows = pl.DataFrame({"g": pl.Series(range(length), dtype=pl.UInt32)})
        return rows.join(found, on="g", how="left", maintain_order="left")["v"].cast(dtype)

    return compute


def _field(site: Site) -> pl.Expr:
    name = site.constant(1)
    return site.args[0].struct.field(str(name))


def _element(site: Site) -> pl.Expr:
    text = site.text

    def compute(arrays: pl.Series) -> pl.Series:
        sizes = arrays.list.len()
        many = (sizes > 1).fill_null(False)
        if site.strict and many.any():
            at = first_true(many)
            raise EvaluationError(f"{text} needs an array of one element, got one of {sizes[at]}")
        return arrays.list.get(0, null_on_oob=True)

    return checked(site.args, compute, site.dtype)


def _array_position(site: Site) -> pl.Expr:
    def compute(arrays: pl.Series, items: pl.Series) -> pl.Series:
        length = max(len(arrays), len(items)) if min(len(arrays), len(items)) else 0
        placed = _exploded(arrays, items).with_columns((pl.int_range(pl.len()).over("g") + 1).alias("p"))
        first = placed.filter(pl.col("e") == pl.col("x")).group_by("g").agg(pl.col("p").min())
        rows = (
            pl.select(
                *(
                    pl.lit(each).first().alias(name) if len(each) == 1 else pl.lit(each).alias(name)
                    for name, each in (("a", arrays), ("x", items))
                )
            )
            .head(length)
            .with_row_index("g")
        )
        joined = rows.join(first, on="g", how="left", maintain_order="left")
        known = pl.col("a").is_not_null() & pl.col("x").is_not_null()
        return joined.select(pl.when(known).then(pl.col("p").fill_null(0)).cast(pl.Int32)).to_series()

    return checked(site.args, compute, pl.Int32())


def _single(item: pl.Expr, site: Site) -> pl.Expr:
    """An array of one element; a list would be taken for that array, so it is wrapped meanwhile."""
    if not isinstance(site.dtype, pl.List) or not isinstance(site.dtype.inner, pl.List):
        return pl.concat_list([item])
    return pl.concat_list([pl.struct(item.alias("e"))]).list.eval(pl.element().struct.field("e")).cast(site.dtype)


def _array(site: Site) -> pl.Expr:
    return pl.concat_list([_single(each, site) for each in site.args])


def _with_item(*, front: bool) -> Lowering:
    def lower(site: Site) -> pl.Expr:
        array, item = site.args
        single = _single(item, site)
        joined = pl.concat_list([single, array] if front else [array, single])
        return pl.when(array.is_not_null()).then(joined)

    return lower


def _array_contains(site: Site) -> pl.Expr:
    return site.args[0].list.contains(site.args[1], nulls_equal=True)


def _array_join(site: Site) -> pl.Expr:
    array = site.args[0]
    if len(site.args) > 2:
        replacement = site.constant(2)
        if not isinstance(replacement, str):
            raise UserError(f"What stands for NULL in {site.text} must be a literal", span=site.call.span)
        array = array.list.eval(pl.element().fill_null(replacement))
    return array.list.join(site.args[1], ignore_nulls=True)


def _map(site: Site) -> pl.Expr:
    pairs = [
        pl.struct(key.alias("key"), value.alias("value"))
        for key, value in zip(site.args[::2], site.args[1::2], strict=True)
    ]
    made, dtype = pl.concat_list(pairs).cast(site.dtype), site.dtype
    keys = [site.constant(index) for index in range(0, len(site.args), 2)]
    if not any(isinstance(key, Missing) for key in keys) and len({repr(key) for key in keys}) == len(keys):
        return made
    return checked([made], lambda maps: later_pairs(maps, dtype), dtype)


def _row(site: Site) -> pl.Expr:
    names = [field.name for field in site.call.type.fields]
    return pl.struct(each.alias(name) for each, name in zip(site.args, names, strict=True))


def _object_of(site: Site) -> pl.Expr:
    names = [field.name for field in site.call.type.fields]
    return pl.struct([each.alias(name) for each, name in zip(site.args[2::2], names, strict=True)])


def _object_update(site: Site) -> pl.Expr:
    base, names = site.args[0], [field.name for field in site.call.type.fields]
    new = {literal_text(site, index, "A name"): site.args[index + 1] for index in range(1, len(site.args), 2)}
    fields = [(new[name] if name in new else base.struct.field(name)).alias(name) for name in names]
    return pl.when(base.is_not_null()).then(pl.struct(fields))


def _entry(part: str) -> Lowering:
    return lambda site: site.args[0].list.eval(pl.element().struct.field(part)).cast(polars_dtype(site.call.type))


STRUCTURES: Mapping[str, Lowering] = {
    "array": _array,
    "map": _map,
    "row": _row,
    "object_of": _object_of,
    "object_update": _object_update,
    "item": _item,
    "field": _field,
    "cardinality": lambda site: site.args[0].list.len().cast(pl.Int32),
    "element": _element,
    "array_contains": _array_contains,
    "array_position": _array_position,
    "array_append": _with_item(front=False),
    "array_prepend": _with_item(front=True),
    "array_concat": lambda site: pl.concat_list(site.args),
    "array_union": lambda site: pl.concat_list(site.args).list.unique(maintain_order=True),
    "array_distinct": lambda site: site.args[0].list.unique(maintain_order=True),
    "array_reverse": lambda site: site.args[0].list.reverse(),
    "array_max": lambda site: site.args[0].list.max(),
    "array_min": lambda site: site.args[0].list.min(),
    "array_join": _array_join,
    "map_keys": _entry("key"),
    "map_values": _entry("value"),
    "map_entries": lambda site: site.args[0],
}
