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

__all__ = ["FieldTable", "Layout", "gather_rows", "gathered", "row_at", "scatter_rows", "scattered"]

FieldTable = NDArray[np.int64]
"""For each field: where it begins in a row, its bytes (1, 2, 4, 8 or 16), the address of its column, where its flag for
NULL begins in a row, and the address of its column of flags (0: there is none)."""

_Kind = TypeVar("_Kind", bound=np.generic)
_WORDS = 5
_AHEAD = 16
_LINE_BYTES = 64


@inlined
def row_at(blocks, bits, width, slot):
    """Returns the address of a row."""
    return load_u64(blocks + (slot >> bits) * 8) + (slot & ((1 << bits) - 1)) * width


@inlined
def _ask(blocks, bits, width, slots, row, count):
    """Asks for a row further on."""
    if row + _AHEAD < count:
        at = row_at(blocks, bits, width, load_u64(slots + (row + _AHEAD) * 8))
        for line in range(0, width, _LINE_BYTES):
            prefetch(at + line)
        prefetch(at + width - 1)


@inlined
def _move(target, source, size):
    """Moves a value."""
    if size == 8:
        store_u64(target, load_u64(source))
    elif size == 16:
        store_u64(target, load_u64(source))
        store_u64(target + 8, load_u64(source + 8))
    elif size == 4:
        store_u32(target, load_u32(source))
    elif size == 1:
        store_u8(target, load_u8(source))
    else:
        store_u16(target, load_u16(source))


@kernel("int64(int64, int64, int64, int64, int64, int64, int64)")
def _gather(blocks, bits, width, slots, count, table, fields):
    """Copies fields of rows into columns."""
    for row in range(count):
        _ask(blocks, bits, width, slots, row, count)
        at = row_at(blocks, bits, width, load_u64(slots + row * 8))
        for field in range(fields):
            entry = table + field * _WORDS * 8
            size = load_u64(entry + 8)
            _move(load_u64(entry + 16) + row * size, at + load_u64(entry), size)
            flags = load_u64(entry + 32)
            if flags != 0:
                store_u8(flags + row, load_u8(at + load_u64(entry + 24)))
    return 0


@kernel("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def _scatter(blocks, bits, width, slots, count, table, fields, flagged):
    """Copies columns into fields of rows; where rows have flags, a field without a column of them has no NULL."""
    for row in range(count):
        _ask(blocks, bits, width, slots, row, count)
        at = row_at(blocks, bits, width, load_u64(slots + row * 8))
        for field in range(fields):
            entry = table + field * _WORDS * 8
            size = load_u64(entry + 8)
            _move(at + load_u64(entry), load_u64(entry + 16) + row * size, size)
            if flagged != 0:
                flags = load_u64(entry + 32)
                store_u8(at + load_u64(entry + 24), load_u8(flags + row) if flags != 0 else 0)
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
