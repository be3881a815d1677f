"""Rows of fixed width in blocks of memory: some fields of any rows, read into columns or written from them.

A block has a power of two of rows, so that a row is found by its number; one is put behind the others without moving
them. The fields of a row stand beside each other, so that a row that is met by chance costs one miss of the caches and
not one for each field; and rows are asked for some way ahead. Where a field of a row lies, and where its column is,
says a `FieldTable` of five words for each field. The memory is `Blocks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.blocks import Blocks, Layout
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import (
    inlined,
    load_u8,
    load_u16,
    load_u32,
    load_u64,
    prefetch,
    store_u8,
    store_u16,
    store_u32,
    store_u64,
)

__all__ = ["FieldTable", "Layout", "ask_for_rows", "gather_rows", "gathered", "row_at", "scatter_rows", "scattered"]

FieldTable = NDArray[np.int64]
"""For each field: where it begins in a row, its bytes (1, 2, 4, 8 or 16), the address of its column, where its flag for
NULL begins in a row, and the address of its column of flags (0: there is none)."""

_Kind = TypeVar("_Kind", bound=np.generic)
_WORDS = 5
_SOME = 32
"""So many rows are asked for while the ones before them are copied, field by field."""
_LINE_BYTES = 64


@inlined
def row_at(blocks, bits, width, slot):
    """Returns the address of a row."""
    return load_u64(blocks + (slot >> bits) * 8) + (slot & ((1 << bits) - 1)) * width


@inlined
def ask_for_rows(blocks, bits, width, slots, begin, end):
    """Asks for rows further on."""
    for row in range(begin, end):
        at = row_at(blocks, bits, width, load_u64(slots + row * 8))
        for line in range(0, width, _LINE_BYTES):
            prefetch(at + line)
        prefetch(at + width - 1)


@inlined
def _take(blocks, bits, width, slots, begin, end, field, column, size):
    """Copies a field of some rows into its column."""
    for row in range(begin, end):
        at = row_at(blocks, bits, width, load_u64(slots + row * 8)) + field
        if size == 8:
            store_u64(column + row * 8, load_u64(at))
        elif size == 16:
            store_u64(column + row * 16, load_u64(at))
            store_u64(column + row * 16 + 8, load_u64(at + 8))
        elif size == 4:
            store_u32(column + row * 4, load_u32(at))
        elif size == 1:
            store_u8(column + row, load_u8(at))
        else:
            store_u16(column + row * 2, load_u16(at))


@inlined
def _put(blocks, bits, width, slots, begin, end, field, column, size):
    """Copies a column into a field of some rows."""
    for row in range(begin, end):
        at = row_at(blocks, bits, width, load_u64(slots + row * 8)) + field
        if size == 8:
            store_u64(at, load_u64(column + row * 8))
        elif size == 16:
            store_u64(at, load_u64(column + row * 16))
            store_u64(at + 8, load_u64(column + row * 16 + 8))
        elif size == 4:
            store_u32(at, load_u32(column + row * 4))
        elif size == 1:
            store_u8(at, load_u8(column + row))
        else:
            store_u16(at, load_u16(column + row * 2))


@kernel("int64(int64, int64, int64, int64, int64, int64, int64)")
def _gather(blocks, bits, width, slots, count, table, fields):
    """Copies fields of rows into columns."""
    ask_for_rows(blocks, bits, width, slots, 0, min(_SOME, count))
    for begin in range(0, count, _SOME):
        end = min(begin + _SOME, count)
        ask_for_rows(blocks, bits, width, slots, end, min(end + _SOME, count))
        for field in range(fields):
            entry = table + field * _WORDS * 8
            _take(blocks, bits, width, slots, begin, end, load_u64(entry), load_u64(entry + 16), load_u64(entry + 8))
            flags = load_u64(entry + 32)
            if flags != 0:
                _take(blocks, bits, width, slots, begin, end, load_u64(entry + 24), flags, 1)
    return 0


@kernel("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def _scatter(blocks, bits, width, slots, count, table, fields, flagged):
    """Copies columns into fields of rows; where rows have flags, a field without a column of them has no NULL."""
    ask_for_rows(blocks, bits, width, slots, 0, min(_SOME, count))
    for begin in range(0, count, _SOME):
        end = min(begin + _SOME, count)
        ask_for_rows(blocks, bits, width, slots, end, min(end + _SOME, count))
        for field in range(fields):
            entry = table + field * _WORDS * 8
            _put(blocks, bits, width, slots, begin, end, load_u64(entry), load_u64(entry + 16), load_u64(entry + 8))
            flag, flags = load_u64(entry + 24), load_u64(entry + 32)
            if flagged == 0:
                continue
            if flags != 0:
                _put(blocks, bits, width, slots, begin, end, flag, flags, 1)
            else:
                for row in range(begin, end):
                    store_u8(row_at(blocks, bits, width, load_u64(slots + row * 8)) + flag, 0)
    return 0


def gather_rows(layout: Layout, slots: NDArray[np.int64], table: FieldTable) -> None:
    """Copies fields of rows into the columns that the table names.

    Args:
        layout: The blocks, which the caller holds.
        slots: Which rows, one for each row of the columns.
        table: The fields; whoever made it holds the columns.
    """
    _gather(*layout, address_of(slots), len(slots), address_of(table), len(table))


def scatter_rows(layout: Layout, slots: NDArray[np.int64], table: FieldTable, *, flagged: bool) -> None:
    """Copies the columns that the table names into fields of rows; `flagged`: rows have flags for NULL."""
    _scatter(*layout, address_of(slots), len(slots), address_of(table), len(table), int(flagged))


def gathered(blocks: Blocks, rows: NDArray[np.int64], field: int, kind: type[_Kind]) -> NDArray[_Kind]:
    """Returns one field of rows.

    Args:
        blocks: Have room for the rows.
        rows: Their numbers.
        field: Where it begins in a row.
        kind: What it is.

    Example:
        >>> blocks = Blocks(8)
        >>> blocks.reserve(3)
        >>> scattered(blocks, np.array([2, 0]), [(4, np.array([7, 8], np.int32))])
        >>> gathered(blocks, np.array([0, 1, 2]), 4, np.int32).tolist()
        [8, 0, 7]
    """
    found = np.empty(len(rows), kind)
    table = np.array([(field, found.itemsize, address_of(found), 0, 0)], np.int64)
    gather_rows(blocks.layout, np.ascontiguousarray(rows, np.int64), table)
    return found


def scattered(blocks: Blocks, rows: NDArray[np.int64], fields: Sequence[tuple[int, NDArray[np.generic]]]) -> None:
    """Writes fields of rows: where each begins in a row, and its values."""
    columns = [np.ascontiguousarray(values) for _, values in fields]
    table = [(at, column.itemsize, address_of(column), 0, 0) for (at, _), column in zip(fields, columns, strict=True)]
    scatter_rows(blocks.layout, np.ascontiguousarray(rows, np.int64), np.array(table, np.int64), flagged=False)
