"""Casts of arrays, maps and rows, and what they look like as text: their parts are cast, and put together again.

Lists are taken apart into one long column of elements, so that nesting of any depth is a few columns, never a loop over
rows. A value of which a part cannot be cast cannot be cast as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from yeoul.engine.compile.collections import later_pairs
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.plan.types import DataType, Kind

__all__ = ["NESTED", "Parted", "nested_cast", "nested_text"]

NESTED = frozenset({Kind.ARRAY, Kind.MAP, Kind.ROW})
Parted = tuple[pl.Series, NDArray[np.bool_] | None]
"""A column cast, and where a value could not be; None: nowhere."""
CastPart = Callable[[pl.Series, DataType, DataType], Parted]
WritePart = Callable[[pl.Series, DataType], pl.Series]
_NULL = "NULL"


def nested_cast(column: pl.Series, source: DataType, target: DataType, cast: CastPart) -> Parted:
    """Returns a column of arrays, maps or rows cast to the same kind.

    Args:
        column: Its values.
        source: Its type.
        target: The type to come, of the same kind; a row of as many fields.
        cast: Casts the parts.
    """
    if source.kind is Kind.ROW:
        fields, failed = _each(column.struct.unnest().get_columns(), _field_types(source), _field_types(target), cast)
        named = [one.alias(field.name) for one, field in zip(fields, target.fields, strict=True)]
        rows = pl.DataFrame(named).to_struct(column.name) if named else column
        return _with_nulls(rows, column), failed
    parts = _elements(column)
    if source.kind is Kind.MAP:
        entries = parts.struct.unnest().get_columns()
        cast_ones, failed = _each(entries, (source.key, source.element), (target.key, target.element), cast)
        named = [one.alias(name) for one, name in zip(cast_ones, ("key", "value"), strict=True)]
        maps = _lists(pl.DataFrame(named).to_struct("e"), column).cast(polars_dtype(target))
        assert source.key is not None
        assert target.key is not None
        if not source.key.same_as(target.key):
            maps = later_pairs(maps, polars_dtype(target))
        return maps, _owners_of(failed, column)
    (elements,), failed = _each([parts], (source.element,), (target.element,), cast)
    return _lists(elements, column), _owners_of(failed, column)


def nested_text(column: pl.Series, type: DataType, write: WritePart) -> pl.Series:
    """Returns arrays as [1, NULL], maps as {k=v} and rows as (1, a).

    Args:
        column: Its values.
        type: Its type.
        write: Writes the parts; NULL stays NULL.
    """
    if type.kind is Kind.ROW:
        fields = [write(one, kind) for one, kind in zip(column.struct.unnest(), _field_types(type), strict=True)]
        joined = pl.concat_str([pl.lit(one).fill_null(_NULL) for one in fields], separator=", ")
        written = pl.select(pl.concat_str(pl.lit("("), joined, pl.lit(")"))).to_series() if fields else None
        rows = pl.Series(["()"]).new_from_index(0, len(column)) if written is None else written
        return _with_nulls(rows, column)
    assert type.element is not None
    parts = _elements(column)
    if type.kind is Kind.MAP:
        assert type.key is not None
        entries = parts.struct.unnest()
        key, value = write(entries["key"], type.key), write(entries["value"], type.element)
        elements = key + pl.Series(["="]) + value.fill_null(_NULL)
    else:
        elements = write(parts, type.element).fill_null(_NULL)
    opening, closing = "{}" if type.kind is Kind.MAP else "[]"
    joined_lists = _lists(elements, column).list.join(", ")
    return pl.Series([opening]) + joined_lists + pl.Series([closing])


def _field_types(type: DataType) -> tuple[DataType, ...]:
    return tuple(field.type for field in type.fields)


def _each(
    columns: Sequence[pl.Series],
    sources: Sequence[DataType | None],
    targets: Sequence[DataType | None],
    cast: CastPart,
) -> tuple[list[pl.Series], NDArray[np.bool_] | None]:
    """Casts columns beside each other; where one cannot be, the row has failed."""
    made, failed = [], None
    for column, source, target in zip(columns, sources, targets, strict=True):
        assert source is not None
        assert target is not None
        result, misses = cast(column, source, target)
        made.append(result)
        failed = misses if failed is None else failed if misses is None else failed | misses
    return made, failed


def _elements(column: pl.Series) -> pl.Series:
    """The elements of all lists, one after the other."""
    return column.filter((column.list.len() > 0).fill_null(False)).explode()


def _sizes(column: pl.Series) -> NDArray[np.int64]:
    return column.list.len().fill_null(0).to_numpy().astype(np.int64)


def _lists(elements: pl.Series, column: pl.Series) -> pl.Series:
    """Elements in lists as long as those of a column, NULL where its are."""
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(_sizes(column))])
    mask = pa.array(column.is_null().to_numpy()) if column.null_count() else None
    lists = pa.LargeListArray.from_arrays(pa.array(offsets), elements.rechunk().to_arrow(), mask=mask)
    return pl.Series(column.name, lists, dtype=pl.List(elements.dtype))


def _owners_of(failed: NDArray[np.bool_] | None, column: pl.Series) -> NDArray[np.bool_] | None:
    """Where a list has an element that failed."""
    if failed is None or not failed.any():
        return None
    owners = np.repeat(np.arange(len(column)), _sizes(column))
    found = np.zeros(len(column), np.bool_)
    found[owners[failed]] = True
    return found


def _with_nulls(rows: pl.Series, column: pl.Series) -> pl.Series:
    """Rows, NULL where a column is."""
    if not column.null_count():
        return rows.alias(column.name)
    return rows.to_frame("a").select(pl.when(column.is_not_null()).then(pl.col("a")).alias(column.name)).to_series()
