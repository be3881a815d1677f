"""Fingerprints of frames: one 128-bit value per row over canonical, typed bytes.

Two rows have the same fingerprint if SQL's GROUP BY would put them together: NULL equals NULL, -0.0 equals 0.0, every
NaN is one NaN, and ("a", "bc") differs from ("ab", "c"). Columns count by position, not by name. The types of both
sides have to be equal: an INT 1 and a BIGINT 1 agree, an INT 1 and a DOUBLE 1.0 do not.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.series import nulls_in, values_in
from yeoul.kernels.fingerprints import add_lists, add_views, add_wide_words, add_words, seeded

__all__ = ["Lanes", "extended", "fingerprints"]

Lanes = tuple[NDArray[np.int64], NDArray[np.int64]]
"""The two halves of each row's fingerprint."""


def fingerprints(columns: Iterable[pl.Series], count: int, seed: int) -> Lanes:
    """Returns the fingerprints of `count` rows.

    Args:
        columns: In order; they may be none: then all rows are the same.
        count: How many rows they have.
        seed: Equal fingerprints come of equal seeds only.

    Example:
        >>> low, high = fingerprints([pl.Series(["a", None, "a"])], 3, seed=1)
        >>> low[0] == low[2] and high[0] == high[2], low[0] == low[1]
        (np.True_, np.False_)
    """
    lanes = seeded(count, seed)
    for column in columns:
        _add(column.rechunk(), lanes)
    return lanes


def extended(lanes: Lanes, column: pl.Series) -> Lanes:
    """Returns the fingerprints of rows with a column behind those that `lanes` are of.

    Example:
        >>> k, v = pl.Series(["a"]), pl.Series([1])
        >>> low, high = extended(fingerprints([k], 1, seed=1), v)
        >>> (low, high) == fingerprints([k, v], 1, seed=1)
        True
    """
    longer = lanes[0].copy(), lanes[1].copy()
    _add(column.rechunk(), longer)
    return longer


def _add(column: pl.Series, lanes: Lanes) -> None:
    flags = nulls_in(column)
    nulls = None if flags is None else flags.view(np.uint8)
    match column.dtype:
        case pl.String() | pl.Binary():
            _add_bytes(column, nulls, lanes)
        case pl.Decimal() | pl.Int128():
            _add_decimals(column, nulls, lanes)
        case pl.Struct():
            _add_struct(column, nulls, lanes)
        case pl.List() | pl.Array():
            _add_list(column, nulls, lanes)
        case pl.Float32() | pl.Float64():
            values = values_in(column.cast(pl.Float64)) + 0.0
            canonical = np.where(np.isnan(values), np.nan, values)
            add_words(canonical.view(np.int64), nulls, *lanes)
        case _:
            whole = column if column.dtype == pl.Int64 else column.cast(pl.Int64, wrap_numerical=True)
            add_words(values_in(whole), nulls, *lanes)


def _add_bytes(column: pl.Series, nulls: NDArray[np.uint8] | None, lanes: Lanes) -> None:
    array = column.to_arrow(compat_level=pl.CompatLevel.newest())
    _, views, *data = array.buffers()
    if views is None:
        add_words(np.zeros(len(column), np.int64), nulls, *lanes)
        return
    buffers = np.array([each.address for each in data] or [0], np.int64)
    add_views(views.address + array.offset * 16, buffers, nulls, *lanes)


def _add_decimals(column: pl.Series, nulls: NDArray[np.uint8] | None, lanes: Lanes) -> None:
    decimals = column if isinstance(column.dtype, pl.Decimal) else column.cast(pl.Decimal(38, 0))
    array = decimals.to_arrow()
    words = np.frombuffer(array.buffers()[1], np.int64)[array.offset * 2 : (array.offset + len(array)) * 2]
    add_wide_words(words, 2, nulls, *lanes)


def _add_struct(column: pl.Series, nulls: NDArray[np.uint8] | None, lanes: Lanes) -> None:
    present = np.zeros(len(column), np.int64) if nulls is None else nulls.astype(np.int64)
    add_words(present, None, *lanes)
    for field in column.struct.unnest().get_columns():
        _add(field.rechunk(), lanes)


def _add_list(column: pl.Series, nulls: NDArray[np.uint8] | None, lanes: Lanes) -> None:
    sizes = column.arr.len() if isinstance(column.dtype, pl.Array) else column.list.len()
    counts = sizes.fill_null(0).to_numpy().astype(np.int64)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    elements = column.filter(pl.Series(counts > 0)).explode()
    inner = fingerprints([elements], len(elements), seed=0)
    add_lists(offsets, inner, nulls, *lanes)
