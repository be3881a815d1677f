"""A record that is an array of objects: where each element lies, so that they can be read as records of their own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.compilation import kernel
from yeoul.kernels.json.leaf import leaf_reader, read_leaf
from yeoul.kernels.json.skip import skip_space
from yeoul.kernels.json.state import CALL_READER, CALL_STACK, CALL_WORDS, MAX_DEPTH
from yeoul.kernels.machine import SLACK_BYTES, load_u8, store_u64

__all__ = ["array_elements"]


@kernel("int64(int64, int64, int64, int64, int64)")
def _find_elements(call, p, end, offsets, lengths):
    """Writes offset and length of each element of the valid array at p; returns how many there are."""
    first = p
    count = 0
    p = skip_space(p, end) + 1
    while p < end:
        p = skip_space(p, end)
        if load_u8(p) == 93:
            break
        start = p
        p = read_leaf(call, 0, -1, p, end, 0)
        if p < 0:
            break
        store_u64(offsets + count * 8, start - first)
        store_u64(lengths + count * 8, p - start)
        count += 1
        p = skip_space(p, end) + 1
        if load_u8(p - 1) == 93:
            break
    return count


def array_elements(record: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns offsets and lengths of the elements of an array that `read_json` found to be valid JSON.

    Example:
        >>> array_elements(np.frombuffer(b'[{"a":1}, 2]', np.uint8))
        (array([ 1, 10]), array([7, 1]))
    """
    text = np.concatenate([record, np.zeros(SLACK_BYTES, np.uint8)])
    room = len(record) // 2 + 1
    offsets, lengths = np.empty(room, np.int64), np.empty(room, np.int64)
    stack = np.empty(2 * MAX_DEPTH, np.uint8)
    call = np.zeros(CALL_WORDS, np.int64)
    call[CALL_STACK] = stack.ctypes.data
    call[CALL_READER] = leaf_reader.address
    start = text.ctypes.data
    count = _find_elements(call.ctypes.data, start, start + len(record), offsets.ctypes.data, lengths.ctypes.data)
    return offsets[:count].copy(), lengths[:count].copy()
