"""Rows by key and time: the versions of a table, and how it stood at a moment.

Each version counts from its time until that of the next one of its key; a version that came when the watermark had
passed its time counts from then on only, so that no answer depends on how the input was cut. `forget_before` drops the
versions that no later moment finds: the last one of each key stays.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.state.columns import SlotColumns, Slots, distinct
from yeoul.engine.state.giving_back import GivesBack
from yeoul.engine.state.keyed import KeyedState
from yeoul.engine.state.timers import Timers
from yeoul.kernels.timelines import Timelines

__all__ = ["Versions"]

_TIME, _START, _COMING, _TOUCHED = "$time", "$start", "$coming", "$touched"
_BUCKET_MS = 1_000
_LAST_MOMENT = 2**63 - 2


class Versions(GivesBack):
    """Versions by key.

    Args:
        columns: Name and type of the rows' columns, the key's left out.
        keys: Those of the key.

    Example:
        >>> from yeoul.kernels.timelines import Coming
        >>> rates = Versions({"rate": pl.Int64()}, {"k": pl.String()})
        >>> rows = pl.DataFrame({"k": ["a", "a", "b"], "rate": [1, 2, 3]})
        >>> times = np.array([10, 20, 15])
        >>> rates.add(rows, times, times, np.full(3, Coming.VERSION))
        >>> found = rates.as_of(pl.DataFrame({"k": ["a", "b", "a"]}), np.array([12, 12, 25]))
        >>> found.tolist(), rates.read(found[found >= 0])["rate"].to_list()
        ([0, -1, 1], [1, 2])
        >>> rates.forget_before(20)
        >>> len(rates)
        2
    """

    def __init__(self, columns: Mapping[str, pl.DataType], keys: Mapping[str, pl.DataType]) -> None:
        self._dtypes = (dict(columns), dict(keys))
        self._begin()

    def _begin(self) -> None:
        columns, keys = self._dtypes
        self._columns = SlotColumns(columns)
        self._keys = KeyedState(keys, {})
        self._timelines = Timelines()
        self._due = Timers(_BUCKET_MS)
        self._free, self._used = np.zeros(0, np.int64), 0

    @property
    def slot_count(self) -> int:
        """How many slots there are, free ones included."""
        return self._used

    def __len__(self) -> int:
        """How many versions there are."""
        return self._used - len(self._free)

    @property
    def size_bytes(self) -> int:
        """What they take in memory, about."""
        return self._columns.size_bytes + self._keys.size_bytes + self._timelines.size_bytes + self._free.nbytes

    def add(
        self,
        rows: pl.DataFrame,
        times: NDArray[np.int64],
        starts: NDArray[np.int64],
        comings: NDArray[np.integer],
        now_ms: int | None = None,
    ) -> None:
        """Adds versions, one after the other; of two with the same start the later one stands.

        Args:
            rows: With all columns and the key's.
            times: The time of each.
            starts: From when each counts; not before its time.
            comings: Whether it is a version, as `Coming`.
            now_ms: What their keys are noted to be in use at; None: nothing is noted.
        """
        if not rows.height:
            return
        slots = self._taken(rows.height)
        self._columns.write(slots, rows)
        keys = self._keys.upsert(rows).slots
        if now_ms is not None:
            self._keys.touch(keys, now_ms)
        gone = self._timelines.insert(keys, slots, starts, times, comings)
        self._columns.forget(gone)
        self._free = np.concatenate([self._free, gone])
        self._due.set(slots, starts)

    def as_of(self, keys: pl.DataFrame, moments: NDArray[np.int64], now_ms: int | None = None) -> Slots:
        """Returns the version of each key that counts at a moment, -1 where there is none; quick if moments ascend.

        Args:
            keys: With the key's columns.
            moments: One for each.
            now_ms: What the keys are noted to be in use at; None: nothing is noted.
        """
        slots = self._keys.find(keys)
        if now_ms is not None:
            self._keys.touch(slots[slots >= 0], now_ms)
        return self._timelines.as_of(slots, moments)

    def times(self, slots: Slots) -> NDArray[np.int64]:
        """Returns the versions' own times."""
        return self._timelines.times(slots)

    def read(self, slots: Slots) -> pl.DataFrame:
        """Returns versions, without the key's columns."""
        if not self._columns.names:
            return pl.DataFrame(height=len(slots))
        return self._columns.read(slots)

    def forget_before(self, moment: int) -> None:
        """Drops the versions that neither this moment nor a later one finds; it never goes back."""
        due, _ = self._due.take(min(moment, _LAST_MOMENT))
        if len(due):
            self._forget(self._timelines.cut(due, min(moment, _LAST_MOMENT)))

    def untouched_since(self, before_ms: int) -> Slots:
        """Returns the slots of keys whose last touch was before a time."""
        return self._keys.untouched_since(before_ms)

    def remove(self, keys: Slots) -> None:
        """Drops keys, given by `untouched_since`, with all their versions."""
        if len(keys):
            rows = self._timelines.rows_of(keys)[1]
            self._timelines.remove(rows)
            self._columns.forget(rows)
            self._free = np.concatenate([self._free, rows])
            self._keys.remove(keys)

    def snapshot(self) -> pl.DataFrame:
        """Returns every version with its key, its times and when its key was last in use."""
        keys = self._keys.living()
        places, slots = self._timelines.rows_of(keys)
        notes = pl.DataFrame(
            {
                _TIME: self._timelines.times(slots),
                _START: self._timelines.starts(slots),
                _COMING: self._timelines.are_ends(slots).astype(np.uint8),
            }
        )
        known = self._keys.snapshot()[places]
        frames = [known.select(self._keys.key_names), self.read(slots), notes, known.select(_TOUCHED)]
        return pl.concat([frame for frame in frames if frame.width], how="horizontal")

    def restore(self, rows: pl.DataFrame) -> None:
        """Takes what an equal state's `snapshot` gave; to be called on an empty one."""
        if not rows.height:
            return
        keys = rows.unique(self._keys.key_names, keep="first", maintain_order=True)
        self._keys.restore(keys.select(*self._keys.key_names, _TOUCHED))
        times, starts, comings = (rows[name].to_numpy() for name in (_TIME, _START, _COMING))
        self.add(rows, times, starts, comings)

    def _forget(self, slots: Slots) -> None:
        if not len(slots):
            return
        keys = distinct(self._timelines.owners(slots))
        self._columns.forget(slots)
        self._free = np.concatenate([self._free, slots])
        self._keys.remove(keys[self._timelines.is_empty(keys)])

    def _taken(self, count: int) -> Slots:
        """Returns free slots, the oldest ones first."""
        again, self._free = self._free[:count], self._free[count:]
        fresh = np.arange(self._used, self._used + count - len(again))
        self._used += len(fresh)
        return np.concatenate([again, fresh])
