"""Memory for rows of fixed width that are found by number: blocks of a power of two of rows each.

The first block grows until it is as large as blocks are; from then on one is put behind the others, and nothing is ever
moved: memory that was touched once is not copied to memory that nobody touched yet, which costs more than whatever is
done with it. Rows hold zeros until they are written.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of

__all__ = ["Blocks", "Layout"]

Layout = tuple[int, int, int]
"""The address of the blocks' addresses, the bits of a row's number within its block, and the bytes of a row."""

_LEAST_ROWS = 1_024
_BLOCK_BYTES = 1 << 24


class Blocks:
    """Rows by number.

    Args:
        width: The bytes of a row; may be 0.
        bits: Of a row's number within its block; None: as fits the width.

    Example:
        >>> blocks = Blocks(8)
        >>> blocks.reserve(3)
        >>> len(blocks.arrays), blocks.size_bytes
        (1, 8192)
    """

    def __init__(self, width: int, bits: int | None = None) -> None:
        self.width = width
        least = _LEAST_ROWS.bit_length() - 1
        self._bits = bits or max((_BLOCK_BYTES // max(width, 1)).bit_length() - 1, least)
        self._set([])

    def _set(self, arrays: Sequence[NDArray[np.uint8]]) -> None:
        self.arrays: Sequence[NDArray[np.uint8]] = arrays
        self.size_bytes = sum(len(array) for array in arrays)
        self._addresses = np.array([address_of(array) for array in arrays] or [0], np.int64)

    @property
    def layout(self) -> Layout:
        """Where the rows are, for kernels; holds until the next `reserve`."""
        return address_of(self._addresses), self._bits, self.width

    def reserve(self, rows: int) -> None:
        """Makes room for rows below a number."""
        if rows * self.width <= self.size_bytes:
            return
        whole, held = 1 << self._bits, list(self.arrays)
        growing = held.pop() if held and len(held[-1]) < whole * self.width else None
        if not held and rows <= whole // 2:
            room = min(max(rows, self.size_bytes // self.width * 3 // 2, _LEAST_ROWS), whole)
            return self._set([_grown(growing, room * self.width)])
        # New arrays, never resized: NumPy asks for huge pages for them.
        if growing is not None:
            held.append(_grown(growing, whole * self.width))
        held += [np.zeros(whole * self.width, np.uint8) for _ in range(len(held), -(-rows // whole))]
        return self._set(held)

    def widened(self, width: int, used: int) -> Blocks:
        """Returns wider rows that begin with the first `used` bytes of these."""
        wider, arrays = Blocks(width, self._bits), []
        for array in self.arrays:
            rows = np.zeros((len(array) // self.width, width), np.uint8)
            rows[:, :used] = array.reshape(-1, self.width)[:, :used]
            arrays.append(rows.reshape(-1))
        wider._set(arrays)
        return wider


def _grown(array: NDArray[np.uint8] | None, size_bytes: int) -> NDArray[np.uint8]:
    """Returns an array that begins with another one, if there is one."""
    grown = np.zeros(size_bytes, np.uint8)
    if array is not None:
        grown[: len(array)] = array
    return grown
