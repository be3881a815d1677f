"""What a cleaning has to know of transactions while it reads a log from its beginning. Pure.

Records of aborted transactions go. A marker stays as long as a batch of its transaction does, for it tells readers how
that ended, and after that until its delete horizon has passed.

Caller: `cleaning`. Source: KIP-98, KIP-534.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["TransactionsSeen"]

_TRANSACTIONAL_BIT, _CONTROL_BIT = 0x10, 0x20


class TransactionsSeen:
    """The transactions of one partition, met in the order of their batches.

    Args:
        aborted: Producer id, first offset and marker's offset of each aborted transaction.
    """

    __slots__ = ("_aborted", "_with_data")

    def __init__(self, aborted: Sequence[tuple[int, int, int]]) -> None:
        self._aborted: dict[int, list[tuple[int, int]]] = {}
        for producer_id, first_offset, last_offset in sorted(aborted, key=lambda each: each[2]):
            self._aborted.setdefault(producer_id, []).append((last_offset, first_offset))
        self._with_data: set[int] = set()

    def take(
        self, attributes: NDArray[np.int64], producer_ids: NDArray[np.int64], base_offsets: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Returns, for the next batches, which were aborted, and which are markers of nothing that is still there."""
        aborted = np.zeros(len(attributes), np.bool_)
        idle_markers = np.zeros(len(attributes), np.bool_)
        for at in np.flatnonzero(attributes & _TRANSACTIONAL_BIT).tolist():
            producer_id = int(producer_ids[at])
            if attributes[at] & _CONTROL_BIT:
                idle_markers[at] = producer_id not in self._with_data
                self._with_data.discard(producer_id)
            else:
                self._with_data.add(producer_id)
                aborted[at] = self._was_aborted(producer_id, int(base_offsets[at]))
        return aborted, idle_markers

    def _was_aborted(self, producer_id: int, offset: int) -> bool:
        ranges = self._aborted.get(producer_id)
        if ranges is None:
            return False
        at = bisect_left(ranges, (offset, -1))
        return at < len(ranges) and ranges[at][1] <= offset
