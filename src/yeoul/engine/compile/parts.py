"""SPLIT_INDEX whose separator and index are literals: the part is found where the text lies, nothing is copied."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from yeoul.kernels.parts import view_parts

__all__ = ["part_of"]


def part_of(texts: pl.Series, separator: str, index: int) -> pl.Series:
    """Returns the part of that number of each text, NULL beyond the last one.

    Args:
        texts: Strings.
        separator: One character of ASCII.
        index: From 0.

    Example:
        >>> part_of(pl.Series(["a/b", "c", None]), "/", 1).to_list()
        ['b', None, None]
    """
    column = texts.rechunk()
    nulls = column.is_null().to_numpy() if column.null_count() else None
    array = column.to_arrow(compat_level=pl.CompatLevel.newest())
    _, views, *data = array.buffers()
    if views is None:
        return texts.clear(len(texts))
    buffers = np.array([each.address for each in data] or [0], np.int64)
    at = views.address + array.offset * 16
    slots, valid, found = view_parts(at, buffers, nulls, len(column), ord(separator), index)
    validity = None if found == len(column) else pa.py_buffer(np.packbits(valid, bitorder="little"))
    parts = pa.Array.from_buffers(pa.string_view(), len(column), [validity, pa.py_buffer(slots), *data])
    return pl.Series(texts.name, parts)
