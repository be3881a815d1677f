"""Texts of rows that are kept: their bytes copied into buffers of our own, their Arrow views written anew.

A view has 16 bytes: a length, then either up to twelve bytes or the first four, the number of a buffer and a place in
it. Buffers are only ever written behind what is in them, so whoever has read a view may keep it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.blocks import Layout
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import copy_bytes, inlined, load_u8, load_u32, load_u64, prefetch, store_u64
from yeoul.kernels.row_blocks import row_at

__all__ = ["copy_texts", "long_bytes", "long_bytes_at", "move_texts"]

_INLINE_BYTES = 12
_AHEAD = 16


@inlined
def _copy(view, target, sources, buffer, at, number):
    """Copies what a view shows behind `at` of a buffer and writes its new view; returns where the next may begin."""
    first, second = load_u64(view), load_u64(view + 8)
    size = first & 0xFFFFFFFF
    if size <= _INLINE_BYTES:
        store_u64(target, first)
        store_u64(target + 8, second)
        return at
    start = load_u64(sources + (second & 0xFFFFFFFF) * 8) + load_u32(view + 12)
    copy_bytes(buffer + at, start, size)
    store_u64(target, first)
    store_u64(target + 8, number | (at << 32))
    return at + size


@kernel("int64(int64, int64, int64)")
def _long_bytes(views, nulls, count):
    """Adds up the lengths of texts that do not lie in their views."""
    total = 0
    for row in range(count):
        if nulls != 0 and load_u8(nulls + row) != 0:
            continue
        size = load_u32(views + row * 16)
        if size > _INLINE_BYTES:
            total += size
    return total


@kernel("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def _copy_texts(views, sources, nulls, count, targets, buffer, at, number):
    """Copies texts; returns where the next one may begin."""
    for row in range(count):
        if nulls != 0 and load_u8(nulls + row) != 0:
            store_u64(targets + row * 16, 0)
            store_u64(targets + row * 16 + 8, 0)
            continue
        at = _copy(views + row * 16, targets + row * 16, sources, buffer, at, number)
    return at


@kernel("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def _move_texts(views, width, begin, count, sources, buffer, used, room, number):
    """Moves the texts of rows into a buffer until one does not fit; returns the row of that one."""
    at = load_u64(used)
    row = begin
    while row < count:
        view = views + row * width
        size = load_u32(view)
        if size > _INLINE_BYTES:
            if at + size > room:
                break
            at = _copy(view, view, sources, buffer, at, number)
        row += 1
    store_u64(used, at)
    return row


@kernel("int64(int64, int64, int64, int64, int64, int64)")
def _long_bytes_at(blocks, bits, width, offset, slots, count):
    """The same of a field of rows in blocks."""
    total = 0
    for row in range(count):
        if row + _AHEAD < count:
            prefetch(row_at(blocks, bits, width, load_u64(slots + (row + _AHEAD) * 8)) + offset)
        size = load_u32(row_at(blocks, bits, width, load_u64(slots + row * 8)) + offset)
        if size > _INLINE_BYTES:
            total += size
    return total


def long_bytes(views: int, nulls: NDArray[np.bool_] | None, count: int) -> int:
    """Returns how many bytes of texts lie outside of their views.

    Args:
        views: The address of the first; whose owner the caller holds.
        nulls: Which of them count for nothing.
        count: How many there are.
    """
    return int(_long_bytes(views, _address(nulls), count))


def long_bytes_at(layout: Layout, offset: int, slots: NDArray[np.int64]) -> int:
    """Returns the same of rows in blocks whose views stand at `offset`."""
    return int(_long_bytes_at(*layout, offset, address_of(slots), len(slots)))


def copy_texts(
    views: int,
    sources: NDArray[np.int64],
    nulls: NDArray[np.bool_] | None,
    targets: NDArray[np.generic],
    buffer: NDArray[np.uint8],
    at: int,
    number: int,
) -> int:
    """Copies texts into a buffer; returns where the next one may begin.

    Args:
        views: The address of the first view; the caller holds it and what it shows.
        sources: The addresses of the buffers that they are in.
        nulls: Which of them are none: their views become zeros.
        targets: Get the new views.
        buffer: Has room behind `at` for all that `long_bytes` counts.
        at: Where the first may begin.
        number: The buffer's number in the new views.
    """
    if len(buffer) >= 1 << 31:
        raise ValueError(f"a buffer of texts must be under 2 GiB, got {len(buffer)} bytes")
    addresses = (views, address_of(sources), _address(nulls))
    return int(_copy_texts(*addresses, len(targets), address_of(targets), address_of(buffer), at, number))


def move_texts(
    views: int, width: int, rows: range, sources: NDArray[np.int64], buffer: NDArray[np.uint8], used: int, number: int
) -> tuple[int, int]:
    """Moves texts of a block's rows into a buffer, one after the other, as long as they fit.

    Returns:
        The first row whose text did not fit, and where the next text may begin.
    """
    end = np.array([used], np.int64)
    addresses = (address_of(sources), address_of(buffer), address_of(end))
    row = _move_texts(views, width, rows.start, rows.stop, *addresses, len(buffer), number)
    return int(row), int(end[0])


def _address(array: NDArray[np.bool_] | None) -> int:
    return 0 if array is None else address_of(array)
