"""Newer values merged into rows where they stand: one pass reads, merges and writes, and tells what was and what is.

To read rows into columns, to merge those and to write them back touches each row twice, and makes columns in between
that nobody else looks at. Which fields are merged how, and where the columns are, says a `FoldTable`.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.blocks import Layout
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import (
    as_f64,
    compiled,
    inlined,
    load_f64,
    load_u8,
    load_u32,
    load_u64,
    store_f64,
    store_u8,
    store_u32,
    store_u64,
)
from yeoul.kernels.row_blocks import ask_for_rows, row_at

__all__ = ["Fold", "FoldTable", "Tell", "fold_rows"]

FoldTable = NDArray[np.int64]
"""For each field: where it begins in a row, its bytes (4 or 8), its `Fold`, whether it is a double, where its flag for
NULL begins in a row (-1: rows have none), its `Tell`, and addresses of columns: the newer values, their flags for NULL,
the values as they are, their flags, the values as they were, their flags (0: there is none, or nobody asks for it)."""


class Fold(IntEnum):
    """What an older and a newer value become; a value takes the place of NULL."""

    SUM = 0
    LEAST = 1
    GREATEST = 2
    FIRST = 3
    LAST = 4


class Tell(IntEnum):
    """What of a value counts when rows are told apart from what they were."""

    NOTHING = 0
    PRESENCE = 1
    """Whether it is above zero, as a count is that anything was counted for."""
    VALUE = 2


_SUM, _LEAST, _GREATEST, _FIRST = (int(each) for each in (Fold.SUM, Fold.LEAST, Fold.GREATEST, Fold.FIRST))
_PRESENCE = int(Tell.PRESENCE)
_WORDS = 12
_SOME = 32
_SIGN = 1 << 31


@inlined
def _differs(tell, is_double, was, was_null, now, now_null):
    """Tells whether a value differs from what it was, in what counts of it; of doubles both zeros are one, NaN too."""
    if tell == _PRESENCE:
        return (was > 0) != (now > 0)
    if was_null != 0 or now_null != 0:
        return was_null != now_null
    if is_double != 0:
        one, other = as_f64(was), as_f64(now)
        return one != other and not (one != one and other != other)
    return was != now


@inlined
def _give(column, nulls, row, size, value, null):
    """Writes a value into a column."""
    if size == 8:
        store_u64(column + row * 8, value)
    else:
        store_u32(column + row * 4, value)
    if nulls != 0:
        store_u8(nulls + row, null)


@compiled
def _fold_field(blocks, bits, width, slots, begin, end, is_new, entry, differs):
    """Merges a column into one field of some rows."""
    offset, size, fold = load_u64(entry), load_u64(entry + 8), load_u64(entry + 16)
    is_double, flag, tell = load_u64(entry + 24), load_u64(entry + 32), load_u64(entry + 40)
    column, nulls = load_u64(entry + 48), load_u64(entry + 56)
    after, after_nulls = load_u64(entry + 64), load_u64(entry + 72)
    before, before_nulls = load_u64(entry + 80), load_u64(entry + 88)
    for row in range(begin, end):
        at = row_at(blocks, bits, width, load_u64(slots + row * 8))
        if size == 8:
            was, now = load_u64(at + offset), load_u64(column + row * 8)
        else:
            was = (load_u32(at + offset) ^ _SIGN) - _SIGN
            now = (load_u32(column + row * 4) ^ _SIGN) - _SIGN
        was_null = load_u8(at + flag) if flag >= 0 else 0
        now_null = load_u8(nulls + row) if nulls != 0 else 0
        merged, merged_null = now, now_null
        if load_u8(is_new + row) == 0 and was_null == 0:
            if now_null != 0:
                merged, merged_null = was, 0
            elif fold == _SUM:
                if is_double != 0:
                    # Through the row itself, where bits become a double.
                    store_f64(at + offset, load_f64(at + offset) + load_f64(column + row * 8))
                    merged = load_u64(at + offset)
                else:
                    merged = was + now
            elif fold == _LEAST:
                merged = min(was, now)
            elif fold == _GREATEST:
                merged = max(was, now)
            elif fold == _FIRST:
                merged = was
        if size == 8:
            store_u64(at + offset, merged)
        else:
            store_u32(at + offset, merged)
        if flag >= 0:
            store_u8(at + flag, merged_null)
        if tell != 0 and _differs(tell, is_double, was, was_null, merged, merged_null):
            store_u8(differs + row, 1)
        if after != 0:
            _give(after, after_nulls, row, size, merged, merged_null)
        if before != 0:
            _give(before, before_nulls, row, size, was, was_null)


@kernel("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def _fold(blocks, bits, width, slots, count, is_new, table, fields, differs):
    """Merges columns into fields of rows; returns the number of rows."""
    ask_for_rows(blocks, bits, width, slots, 0, min(_SOME, count))
    for begin in range(0, count, _SOME):
        end = min(begin + _SOME, count)
        ask_for_rows(blocks, bits, width, slots, end, min(end + _SOME, count))
        for field in range(fields):
            _fold_field(blocks, bits, width, slots, begin, end, is_new, table + field * _WORDS * 8, differs)
    return count


def fold_rows(
    layout: Layout, slots: NDArray[np.int64], is_new: NDArray[np.bool_], table: FoldTable
) -> NDArray[np.bool_]:
    """Merges the columns that the table names into fields of rows; returns which differ, in what is to be told.

    Args:
        layout: The blocks, which the caller holds.
        slots: Which rows, one for each row of the columns; none stands twice.
        is_new: Which of them have nothing to be merged with; these differ.
        table: The fields; whoever made it holds the columns.
    """
    differs = is_new.copy()
    _fold(
        *layout, address_of(slots), len(slots), address_of(is_new), address_of(table), len(table), address_of(differs)
    )
    return differs
