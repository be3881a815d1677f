"""Whole records as text: proved to be UTF-8, then viewed where they lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.compilation import kernel
from yeoul.kernels.json.strings import utf8_sequence_end, write_view
from yeoul.kernels.machine import SLACK_BYTES, compiled, first_set, high_bytes, load_u8, load_u64, store_u8

__all__ = ["view_records"]


@compiled
def is_utf8(p, end):
    """Whether the bytes from p to end are valid UTF-8; SLACK_BYTES must be readable behind them."""
    while p < end:
        high = high_bytes(p)
        if high == 0:
            p += 32
            continue
        p += first_set(high)
        while p < end and load_u8(p) >= 0x80:
            p = utf8_sequence_end(p)
            if p == 0 or p > end:
                return False
    return True


@kernel("int64(int64, int64, int64, int64, int64, int64, int64)")
def _view_records(data, offsets, lengths, count, views, bad, check):
    """Writes a view for each record and marks those that are not UTF-8; returns how many are not."""
    faults = 0
    for index in range(count):
        start = data + load_u64(offsets + index * 8)
        length = max(load_u64(lengths + index * 8), 0)
        valid = not check or is_utf8(start, start + length)
        store_u8(bad + index, not valid)
        faults += not valid
        write_view(views + index * 16, start, length if valid else 0, data, 0)
    return faults


def view_records(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], lengths: NDArray[np.int64], *, check: bool
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Returns an Arrow view for each record and, for those that are not UTF-8, a 1.

    Args:
        data: The buffer that the views refer to.
        offsets: Where records start.
        lengths: Their bytes; null records (-1) come out empty.
        check: Whether they have to be UTF-8; views of those that are not are empty.

    Raises:
        ValueError: A record lies outside the buffer.
    """
    count = len(offsets)
    kept = np.maximum(lengths, 0)
    if len(data) >= 1 << 31:
        raise ValueError(f"a buffer of records must be under 2 GiB, got {len(data)} bytes")
    if len(lengths) != count or ((kept > 0) & ((offsets < 0) | (offsets + kept > len(data)))).any():
        raise ValueError("a record lies outside its buffer")
    padded = np.concatenate([data, np.zeros(SLACK_BYTES, np.uint8)])
    offsets, lengths = np.ascontiguousarray(np.where(kept > 0, offsets, 0)), np.ascontiguousarray(kept)
    views, bad = np.empty((count, 2), np.int64), np.empty(count, np.uint8)
    addresses = (address_of(array) for array in (padded, offsets, lengths))
    _view_records(*addresses, count, address_of(views), address_of(bad), check)
    return views, bad
