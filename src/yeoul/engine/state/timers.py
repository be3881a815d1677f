"""Times at which slots want to be looked at: set, and taken once the time has come.

Times are kept by buckets of equal width, unsorted, so setting many costs little and nothing is searched until a bucket
is due. A timer cannot be cleared: whoever sets it knows, when it is due, whether it still means anything.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Timers"]

_NEVER = 2**63 - 1


class Timers:
    """Slots by time.

    Args:
        width_ms: The width of a bucket; what is due is found among at most this much more.

    Example:
        >>> timers = Timers(width_ms=10)
        >>> timers.set(np.array([1, 2]), np.array([5, 25]))
        >>> slots, times = timers.take(20)
        >>> slots.tolist(), times.tolist(), timers.next_ms
        ([1], [5], 25)
    """

    def __init__(self, width_ms: int) -> None:
        self._width_ms = max(1, width_ms)
        self._buckets: dict[int, list[tuple[NDArray[np.int64], NDArray[np.int64]]]] = {}
        self.next_ms = _NEVER

    def set(self, slots: NDArray[np.int64], times: NDArray[np.int64]) -> None:
        """Sets a timer for each slot."""
        if not len(slots):
            return
        self.next_ms = min(self.next_ms, int(times.min()))
        buckets = times // self._width_ms
        first, last = int(buckets.min()), int(buckets.max())
        if first == last:
            self._buckets.setdefault(first, []).append((slots, times))
            return
        order = np.argsort(buckets, kind="stable")
        slots, times, buckets = slots[order], times[order], buckets[order]
        cuts = np.flatnonzero(buckets[1:] != buckets[:-1]) + 1
        for bucket, some, theirs in zip(
            buckets[[0, *cuts]].tolist(), np.split(slots, cuts), np.split(times, cuts), strict=True
        ):
            self._buckets.setdefault(bucket, []).append((some, theirs))

    def take(self, until_ms: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns, and forgets, the timers up to a time, that one included: slots and times."""
        nothing = np.zeros(0, np.int64)
        if self.next_ms > until_ms:
            return nothing, nothing
        due = [bucket for bucket in self._buckets if bucket <= until_ms // self._width_ms]
        found = [each for bucket in due for each in self._buckets.pop(bucket)]
        self.next_ms = min((int(times.min()) for bucket in self._soonest() for _, times in bucket), default=_NEVER)
        if not found:
            return nothing, nothing
        slots, times = (np.concatenate([each[part] for each in found]) for part in (0, 1))
        early = times > until_ms
        if not early.any():
            return slots, times
        self.set(slots[early], times[early])
        return slots[~early], times[~early]

    def _soonest(self) -> list[list[tuple[NDArray[np.int64], NDArray[np.int64]]]]:
        return [self._buckets[min(self._buckets)]] if self._buckets else []
