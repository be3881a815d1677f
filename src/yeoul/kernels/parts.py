"""The parts of texts between separators, as views into the bytes that the texts lie in: nothing is copied."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import compiled, copy_bytes, first_set, load_u8, load_u32, load_u64, store_u8, store_u64

__all__ = ["view_parts"]

_INLINE_BYTES = 12
_ONES = 0x0101010101010101
_HIGHS = -0x7F7F7F7F7F7F7F80


@compiled
def _find(p, end, byte):
    """Returns where the byte is between p and end; end if it is not."""
    pattern = byte * _ONES
    while p + 8 <= end:
        other = load_u64(p) ^ pattern
        # Of the bytes marked as zero the lowest one is.
        zeros = (other - _ONES) & ~other & _HIGHS
        if zeros != 0:
            return p + (first_set(zeros) >> 3)
        p += 8
    while p < end and load_u8(p) != byte:
        p += 1
    return p


@kernel("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def _view_parts(views, buffers, nulls, count, byte, wanted, parts, valid):
    """Writes the view of each text's part of that number, and whether it has one; returns how many have."""
    found = 0
    for row in range(count):
        target = parts + row * 16
        store_u64(target, 0)
        store_u64(target + 8, 0)
        store_u8(valid + row, 0)
        if nulls != 0 and load_u8(nulls + row) != 0:
            continue
        view = views + row * 16
        size = load_u32(view)
        buffer = load_u32(view + 8)
        text = view + 4 if size <= _INLINE_BYTES else load_u64(buffers + buffer * 8) + load_u32(view + 12)
        start, end = text, text + size
        stop = _find(start, end, byte)
        skipped = 0
        while skipped < wanted and stop < end:
            start = stop + 1
            stop = _find(start, end, byte)
            skipped += 1
        if skipped < wanted:
            continue
        found += 1
        store_u8(valid + row, 1)
        length = stop - start
        if length <= _INLINE_BYTES:
            store_u64(target, length)
            copy_bytes(target + 4, start, length)
        else:
            store_u64(target, length | (load_u32(start) << 32))
            store_u64(target + 8, buffer | ((load_u32(view + 12) + start - text) << 32))
    return found


def view_parts(
    views: int, buffers: NDArray[np.int64], nulls: NDArray[np.bool_] | None, count: int, separator: int, index: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_], int]:
    """Returns an Arrow view of one part of each text, which texts have that part, and how many have.

    Args:
        views: Where the texts' views are.
        buffers: Where the buffers begin that these refer to; the parts' views refer to the same.
        nulls: Which texts are null, if any.
        count: How many texts there are.
        separator: The byte between parts, below 0x80.
        index: Which part, from 0.
    """
    parts, valid = np.empty((count, 2), np.int64), np.empty(count, np.bool_)
    marks = 0 if nulls is None else address_of(nulls)
    addresses = (address_of(parts), address_of(valid))
    found = _view_parts(views, address_of(buffers), marks, count, separator, index, *addresses)
    return parts, valid, found
