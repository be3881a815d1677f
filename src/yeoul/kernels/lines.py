"""Where the lines of a text are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import SLACK_BYTES, first_set, load_u8, newline_bytes, store_u64

__all__ = ["split_lines"]


@kernel("int64(int64, int64, int64, int64)")
def _find_lines(data, size, starts, room):
    """Writes where each line starts, one more than there are; returns how many, or -1 if there is no room."""
    count = 0
    store_u64(starts, 0)
    p = 0
    while p < size:
        if p + 32 <= size:
            bits = newline_bytes(data + p)
            while bits != 0:
                if count + 1 >= room:
                    return -1
                count += 1
                store_u64(starts + count * 8, p + first_set(bits) + 1)
                bits &= bits - 1
            p += 32
        else:
            if load_u8(data + p) == 10:
                if count + 1 >= room:
                    return -1
                count += 1
                store_u64(starts + count * 8, p + 1)
            p += 1
    return count


def split_lines(data: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    r"""Returns the offsets and lengths of the lines of a text, their line feeds not counted.

    What follows the last line feed is a line, too, unless it is empty. A carriage return stays part of its line.

    Example:
        >>> split_lines(np.frombuffer(b"a\n\nbcd", np.uint8))
        (array([0, 2, 3]), array([1, 0, 3]))
    """
    data = np.ascontiguousarray(data)
    size = len(data)
    room = size // 64 + SLACK_BYTES
    while True:
        starts = np.empty(room + 1, np.int64)
        count = _find_lines(address_of(data), size, address_of(starts), room)
        if count >= 0:
            break
        room = min(room * 4, size + 2)
    if starts[count] < size:
        count += 1
        starts[count] = size + 1
    starts = starts[: count + 1]
    return starts[:-1], np.diff(starts) - 1
