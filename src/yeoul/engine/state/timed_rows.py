"""Rows by key that only come and, once their time has passed, go: what joins over a stretch of time remember.

Each row has a time and a deadline a fixed way after it. Deadlines stand sorted in runs, merged when they have grown as
long as the run before, so that what has passed is found at the front of few runs.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.state.chained_rows import ChainedRows
from yeoul.engine.state.columns import Slots
from yeoul.engine.state.fingerprints import Lanes
from yeoul.kernels.blocks import Blocks
from yeoul.kernels.row_blocks import gathered, scattered

__all__ = ["TimedRows"]

_TIME = "$time"
_MET = "$met"
_RATIO = 4
_NOTE_BYTES, _TIME_AT, _MET_AT = 16, 0, 8
"""What stands beside each row, so that it is one miss of the caches."""
_Run = tuple[NDArray[np.int64], Slots]


class TimedRows(ChainedRows):
    """Rows by key, each with a time.

    Args:
        columns: Name and type of the rows' columns, the key's left out.
        keys: Those of the key; they may be none: all rows are of one key.

    Example:
        >>> rows = TimedRows({"v": pl.String()}, {"k": pl.Int64()})
        >>> batch = pl.DataFrame({"k": [1, 2, 1], "v": ["a", "b", "c"]})
        >>> slots = rows.add(batch, np.array([10, 20, 30]), np.array([False, True, False]))
        >>> found = rows.find(pl.DataFrame({"k": [1, 3]}))
        >>> found.places.tolist(), rows.read(found.slots)["v"].to_list(), rows.times(found.slots).tolist()
        ([0, 0], ['a', 'c'], [10, 30])
        >>> gone = rows.due(20)
        >>> rows.read(gone)["v"].to_list(), rows.met(gone).tolist()
        (['a', 'b'], [False, True])
        >>> rows.remove(gone)
        >>> len(rows)
        1
    """

    def _begin(self) -> None:
        super()._begin()
        self._notes = Blocks(_NOTE_BYTES)
        self._runs: list[_Run] = []

    @property
    def size_bytes(self) -> int:
        """What they take in memory, about."""
        return super().size_bytes + self._notes.size_bytes + 16 * len(self)

    def add(
        self, rows: pl.DataFrame, times: NDArray[np.int64], met: NDArray[np.bool_], lanes: Lanes | None = None
    ) -> Slots:
        """Adds rows; returns their slots.

        Args:
            rows: With all columns and the key's.
            times: The time of each.
            met: Whether each has met a row of the other side.
            lanes: The fingerprints of their keys, if they are known.
        """
        slots = self._put(rows, lanes)[0]
        self._notes.reserve(self._used)
        scattered(self._notes, slots, [(_TIME_AT, times), (_MET_AT, met)])
        order = np.argsort(times, kind="stable")
        self._runs.append((times[order], slots[order]))
        while len(self._runs) > 1 and len(self._runs[-1][0]) * _RATIO > len(self._runs[-2][0]):
            last, before = self._runs.pop(), self._runs.pop()
            self._runs.append(_merged(before, last))
        return slots

    def times(self, slots: Slots) -> NDArray[np.int64]:
        """Returns the rows' times."""
        return gathered(self._notes, slots, _TIME_AT, np.int64)

    def met(self, slots: Slots) -> NDArray[np.bool_]:
        """Returns which rows have met one of the other side."""
        return gathered(self._notes, slots, _MET_AT, np.bool_)

    def meet(self, slots: Slots) -> None:
        """Notes that rows have met one of the other side."""
        scattered(self._notes, slots, [(_MET_AT, np.ones(len(slots), np.bool_))])

    @property
    def earliest(self) -> int | None:
        """The earliest time of any row; None if there is none."""
        return min((int(times[0]) for times, _ in self._runs if len(times)), default=None)

    def due(self, until: int) -> Slots:
        """Returns the rows whose time is not after `until`, by time; they are to be removed next."""
        found, left = [], []
        for times, slots in self._runs:
            count = int(np.searchsorted(times, until, side="right"))
            found.append((times[:count], slots[:count]))
            if count < len(times):
                left.append((times[count:], slots[count:]))
        self._runs = left
        times, slots = (np.concatenate([each[part] for each in found] or [np.zeros(0, np.int64)]) for part in (0, 1))
        return slots if len(found) < 2 else slots[np.argsort(times, kind="stable")]

    def snapshot(self) -> pl.DataFrame:
        """Returns every row with its key, its time and whether it has met another; each key's rows in their order."""
        keys, places, slots = self._living()
        notes = pl.DataFrame({_TIME: self.times(slots), _MET: self.met(slots)})
        frames = [self._keys.read_keys(keys[places]), self.read(slots), notes]
        return pl.concat([frame for frame in frames if frame.width], how="horizontal")

    def restore(self, rows: pl.DataFrame) -> None:
        """Takes what an equal state's `snapshot` gave; to be called on an empty one."""
        if rows.height:
            self.add(rows, rows[_TIME].to_numpy(), rows[_MET].to_numpy())


def _merged(one: _Run, other: _Run) -> _Run:
    times, slots = np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]])
    order = np.argsort(times, kind="stable")
    return times[order], slots[order]
