"""When each slot was last in use, for the time to live of state.

A time a slot, eight bytes in `Blocks`, from the first touch on that any slot gets; nothing before.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.blocks import Blocks
from yeoul.kernels.row_blocks import gathered, scattered

__all__ = ["Touches"]

Slots = NDArray[np.int64]
Times = NDArray[np.int64]
_WIDTH = 8


class Touches:
    """Times by slot, 0 where there was no touch.

    Example:
        >>> touches = Touches()
        >>> touches.put(np.array([2, 2]), 5)
        >>> touches.at(np.array([0, 2])).tolist()
        [0, 5]
    """

    def __init__(self) -> None:
        self._times = Blocks(_WIDTH)

    @property
    def size_bytes(self) -> int:
        """What it takes."""
        return self._times.size_bytes

    def put(self, slots: Slots, times: int | Times) -> None:
        """Says when slots were in use, all at one time or each at its own; a slot may stand twice."""
        if len(slots):
            self._times.reserve(int(slots.max()) + 1)
            self._write(slots, times)

    def forget(self, slots: Slots) -> None:
        """Says that slots are given to others."""
        self._write(slots[slots < self._known], 0)

    def at(self, slots: Slots) -> Times:
        """Returns the last times of slots."""
        times, known = np.zeros(len(slots), np.int64), slots < self._known
        times[known] = gathered(self._times, slots[known], 0, np.int64)
        return times

    @property
    def _known(self) -> int:
        """Below what number slots have a time."""
        return self._times.size_bytes // _WIDTH

    def _write(self, slots: Slots, times: int | Times) -> None:
        if len(slots):
            scattered(self._times, slots, [(0, np.broadcast_to(np.asarray(times, np.int64), len(slots)))])
