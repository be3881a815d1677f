"""When each slot was last in use, for the time to live of state.

A time a slot, eight bytes, from the first touch on that any slot gets; nothing before.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Touches"]

Slots = NDArray[np.int64]
Times = NDArray[np.int64]


class Touches:
    """Times by slot, 0 where there was no touch.

    Example:
        >>> touches = Touches()
        >>> touches.put(np.array([2, 2]), 5)
        >>> touches.at(np.array([0, 2])).tolist()
        [0, 5]
    """

    def __init__(self) -> None:
        self._times: Times | None = None

    @property
    def size_bytes(self) -> int:
        """What it takes."""
        return 0 if self._times is None else self._times.nbytes

    def put(self, slots: Slots, times: int | Times) -> None:
        """Says when slots were in use, all at one time or each at its own; a slot may stand twice."""
        if not len(slots):
            return
        held = np.zeros(0, np.int64) if self._times is None else self._times
        needed = int(slots.max()) + 1
        if needed > len(held):
            grown = np.zeros(max(needed, len(held) * 3 // 2), np.int64)
            grown[: len(held)] = held
            held = self._times = grown
        held[slots] = times

    def forget(self, slots: Slots) -> None:
        """Says that slots are given to others."""
        if self._times is not None:
            self._times[slots[slots < len(self._times)]] = 0

    def at(self, slots: Slots) -> Times:
        """Returns the last times of slots."""
        times = np.zeros(len(slots), np.int64)
        if self._times is not None:
            known = slots < len(self._times)
            times[known] = self._times[slots[known]]
        return times
