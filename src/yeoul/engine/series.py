"""NumPy arrays as columns and back, by way of Arrow: a third of what Polars takes to look at an array, nothing copied.

For arrays that the caller has made and leaves alone from then on. Columns with NULLs, of which Polars would ask its
query engine, are taken apart into values and flags. Used where columns are made for every batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["frame_of", "nulls_in", "series_of", "validity", "values_in"]

_KINDS: Final = {
    np.dtype(each): pa.from_numpy_dtype(each)
    for each in (
        np.int8,
        np.int16,
        np.int32,
        np.int64,
        np.uint8,
        np.uint16,
        np.uint32,
        np.uint64,
        np.float32,
        np.float64,
    )
}


def series_of(name: str, values: NDArray[Any], nulls: NDArray[np.bool_] | None = None) -> pl.Series:
    """Returns numbers or truths as a column, which shares their memory; where `nulls` is true there is none.

    Example:
        >>> series_of("a", np.array([1, 2])).to_list(), series_of("b", np.array([True, False])).to_list()
        ([1, 2], [True, False])
        >>> series_of("a", np.array([1, 2]), np.array([True, False])).to_list()
        [None, 2]
    """
    if values.dtype == np.bool_:
        kind, data = pa.bool_(), np.packbits(values, bitorder="little")
    else:
        kind, data = _KINDS[values.dtype], np.ascontiguousarray(values)
    return pl.Series(name, pa.Array.from_buffers(kind, len(values), [validity(nulls), pa.py_buffer(data)]))


def frame_of(kind: pa.StructType, columns: Sequence[tuple[NDArray[Any], NDArray[np.bool_] | None]]) -> pl.DataFrame:
    """Returns columns as one frame, which shares their memory: what takes time is each hand-over, so there is one.

    Args:
        kind: Names and types of the columns, one at least; types as wide as the arrays' own.
        columns: Contiguous values, and where there is none.

    Example:
        >>> kind = pa.struct([("a", pa.int64()), ("b", pa.date32())])
        >>> frame_of(kind, [(np.array([1]), None), (np.array([0], np.int32), np.array([True]))]).rows()
        [(1, None)]
    """
    rows = len(columns[0][0])
    arrays = [
        pa.Array.from_buffers(kind.field(at).type, rows, [validity(nulls), pa.py_buffer(values)])
        for at, (values, nulls) in enumerate(columns)
    ]
    return pl.Series(pa.Array.from_buffers(kind, rows, [None], children=arrays)).struct.unnest()


def validity(nulls: NDArray[np.bool_] | None) -> pa.Buffer | None:
    """Returns what an Arrow array has to say where it has no value; None if it has all."""
    if nulls is None or not nulls.any():
        return None
    return pa.py_buffer(np.packbits(~nulls, bitorder="little"))


def nulls_in(column: pl.Series) -> NDArray[np.bool_] | None:
    """Returns where a column has no value; None if it has all.

    Example:
        >>> nulls_in(pl.Series([1, None])).tolist(), nulls_in(pl.Series([1, 2]))
        ([False, True], None)
    """
    if not column.null_count():
        return None
    array = _arrow(column)
    bits = array.buffers()[0]
    return np.ones(len(column), np.bool_) if bits is None else ~_unpacked(bits, array.offset, len(column))


def values_in(column: pl.Series) -> NDArray[Any]:
    """Returns a column of numbers or truths as an array, with anything where there is no value.

    Example:
        >>> values_in(pl.Series([1, None, 3]))[[0, 2]].tolist()
        [1, 3]
    """
    if not column.null_count():
        return column.to_numpy()
    array = _arrow(column)
    data = array.buffers()[1]
    if pa.types.is_boolean(array.type):
        return _unpacked(data, array.offset, len(column))
    whole = np.frombuffer(data, array.type.to_pandas_dtype())
    return whole[array.offset : array.offset + len(array)]


def _arrow(column: pl.Series) -> pa.Array:
    return column.rechunk().to_arrow(compat_level=pl.CompatLevel.newest())


def _unpacked(bits: pa.Buffer, offset: int, count: int) -> NDArray[np.bool_]:
    begin, end = offset >> 3, (offset + count + 7) >> 3
    each = np.unpackbits(np.frombuffer(bits, np.uint8)[begin:end], bitorder="little")
    return each[offset & 7 :][:count].view(np.bool_)
