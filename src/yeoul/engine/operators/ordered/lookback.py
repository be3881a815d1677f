"""What OVER remembers of the rows that it has answered, per partition, for the rows to come.

Frames that begin with their partition need one row of merged partial aggregates; frames that reach back so many rows
need that many, each with its own; frames that reach back for a time need the rows of that time. At the end of the input
nothing is needed any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.columnwise import where
from yeoul.engine.operators.contract import State
from yeoul.engine.operators.forgetting import Forgetting
from yeoul.engine.operators.ordered.partitions import Partitions
from yeoul.engine.state.columns import Slots
from yeoul.engine.state.keyed import TOUCHED, KeyedState
from yeoul.engine.state.queues import KeyedQueues

__all__ = ["LastRows", "LastTime", "Lookback", "Merged", "Nothing", "Remembered"]

Ints = NDArray[np.int64]
Counts = NDArray[np.int64]
_TIME = "$time"


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is remembered of a batch's partitions.

    Attributes:
        rows: Partition by partition, each one's in order.
        sizes: How many each partition has.
    """

    rows: pl.DataFrame
    sizes: Counts


class Lookback(Protocol):
    """What is remembered; rows are the elements that `Over` makes, `$key...` the partition's columns beside them."""

    is_merged: bool
    """Whether a partition is remembered as one merged row."""

    def find(self, partitions: Partitions, new: pl.DataFrame) -> Remembered | None:
        """Returns what is remembered of partitions; None if nothing is. `keep` is to follow.

        Args:
            partitions: Of the new rows.
            new: The rows to come, partition by partition, for their columns and types.
        """
        ...

    def keep(self, partitions: Partitions, new: pl.DataFrame, totals: pl.DataFrame, arrival: Ints) -> None:
        """Remembers rows.

        Args:
            partitions: As `find` had them.
            new: The same.
            totals: Each partition's merged partial aggregates; only for who remembers these.
            arrival: The places of the new rows in the order in which they came.
        """
        ...

    def forget_before(self, next_ms: int) -> None:
        """Says that no row comes any more before a time."""
        ...

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, about."""
        ...

    def snapshot(self) -> State: ...

    def restore(self, state: State) -> None: ...


class Nothing:
    """Remembers nothing."""

    is_merged = False
    size_bytes = 0

    def find(self, partitions: Partitions, new: pl.DataFrame) -> Remembered | None:
        return None

    def keep(self, partitions: Partitions, new: pl.DataFrame, totals: pl.DataFrame, arrival: Ints) -> None:
        return None

    def forget_before(self, next_ms: int) -> None:
        return None

    def snapshot(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        return None


class Merged:
    """Remembers one row of merged partial aggregates for each partition.

    Args:
        clock: The time, for the time to live.
        ttl_ms: How long an untouched partition is kept; None: for ever.
    """

    is_merged = True

    def __init__(self, *, clock: Clock, ttl_ms: int | None = None) -> None:
        self._state: KeyedState | None = None
        self._forgetting = Forgetting(clock, ttl_ms)

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, about."""
        return 0 if self._state is None else self._state.size_bytes

    def find(self, partitions: Partitions, new: pl.DataFrame) -> Remembered | None:
        state = self._state
        if state is None:
            return None
        self._forgetting.forget(state)
        slots = state.find(partitions.keys, partitions.lanes)
        is_known = slots >= 0
        rows = state.read(slots[is_known])
        if not rows.height:
            return None
        missing = [pl.lit(None, dtype=new.schema[name]).alias(name) for name in new.columns if name not in rows.columns]
        return Remembered(rows.with_columns(missing), is_known.astype(np.int64))

    def keep(self, partitions: Partitions, new: pl.DataFrame, totals: pl.DataFrame, arrival: Ints) -> None:
        # Every partition has a new row, so its total stands at its number.
        keys = _as_keys(partitions.keys)
        if self._state is None:
            self._state = _merged_state(keys, totals)
        slots = self._state.upsert(keys, partitions.lanes).slots
        self._state.write(slots, totals)
        self._forgetting.touch(self._state, slots)

    def forget_before(self, next_ms: int) -> None:
        return None

    def snapshot(self) -> State:
        return {} if self._state is None else {"partitions": self._state.snapshot()}

    def restore(self, state: State) -> None:
        if "partitions" in state:
            rows = state["partitions"]
            keys = [name for name in rows.columns if name.startswith("$key")]
            self._state = _merged_state(rows.select(keys), rows.drop(*keys, "$touched"))
            self._state.restore(rows)


def _merged_state(keys: pl.DataFrame, totals: pl.DataFrame) -> KeyedState:
    return KeyedState(dict(keys.schema), dict(totals.schema))


def _as_keys(partitions: pl.DataFrame) -> pl.DataFrame:
    """Names the partitions' columns as in elements."""
    return partitions.rename({name: f"$key{index}" for index, name in enumerate(partitions.columns)})


class _Kept:
    """The base of those that remember rows as they are."""

    is_merged = False

    def __init__(self) -> None:
        self._rows: KeyedQueues | None = None
        self._keys: Slots = np.empty(0, np.int64)
        self._sizes: Counts = np.empty(0, np.int64)

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, about."""
        return 0 if self._rows is None else self._rows.size_bytes

    def find(self, partitions: Partitions, new: pl.DataFrame) -> Remembered | None:
        keys = _as_keys(partitions.keys)
        if self._rows is None:
            self._rows = KeyedQueues(dict(new.schema), dict(keys.schema))
        self._keys = self._rows.enter(keys, partitions.lanes)
        rows, self._sizes = self._rows.read(self._keys)
        return Remembered(rows, self._sizes) if rows.height else None

    def snapshot(self) -> State:
        return {} if self._rows is None else {"rows": self._rows.snapshot()}

    def restore(self, state: State) -> None:
        if "rows" in state:
            self._restored(state["rows"])

    def _restored(self, rows: pl.DataFrame) -> Slots:
        """Begins with what a snapshot holds; returns the key of each row."""
        keys = {name: dtype for name, dtype in rows.schema.items() if name.startswith("$key")}
        columns = {name: dtype for name, dtype in rows.schema.items() if name not in keys and name != TOUCHED}
        self._rows = KeyedQueues(columns, keys)
        return self._rows.restore(rows)


class LastRows(_Kept):
    """Remembers so many rows of each partition.

    Args:
        count: How many.
        clock: The time, for the time to live.
        ttl_ms: How long an untouched partition is kept; None: for ever.
    """

    def __init__(self, count: int, *, clock: Clock, ttl_ms: int | None = None) -> None:
        super().__init__()
        self._count, self._forgetting = count, Forgetting(clock, ttl_ms)

    def keep(self, partitions: Partitions, new: pl.DataFrame, totals: pl.DataFrame, arrival: Ints) -> None:
        assert self._rows is not None
        sizes = partitions.sizes
        coming = np.minimum(sizes, self._count)
        if (coming < sizes).any():
            new = where(new, np.arange(new.height) >= np.repeat(np.cumsum(sizes) - coming, sizes))
        going = np.maximum(self._sizes + coming - self._count, 0)
        if going.any():
            self._rows.take(np.repeat(self._keys, going))
        self._rows.add(self._keys, coming, new)
        self._forgetting.touch(self._rows, self._keys)
        self._forgetting.forget(self._rows)

    def forget_before(self, next_ms: int) -> None:
        return None


class LastTime(_Kept):
    """Remembers the rows of the last so many milliseconds.

    Args:
        length_ms: How long.
        by_arrival: Whether the newest row tells the time; else whoever calls `forget_before`.
    """

    def __init__(self, length_ms: int, *, by_arrival: bool = False) -> None:
        super().__init__()
        self._length_ms, self._by_arrival = length_ms, by_arrival
        self._queue: list[tuple[Slots, Ints]] = []

    def keep(self, partitions: Partitions, new: pl.DataFrame, totals: pl.DataFrame, arrival: Ints) -> None:
        assert self._rows is not None
        self._rows.add(self._keys, partitions.sizes, new)
        # A clock may be set back: no row goes before those that came before it.
        times = np.maximum.accumulate(new[_TIME].to_numpy()[arrival])
        self._queue.append((self._keys[partitions.of_rows], times))
        if self._by_arrival:
            self.forget_before(int(times[-1]))

    def forget_before(self, next_ms: int) -> None:
        if self._rows is None:
            return
        bound, gone = next_ms - self._length_ms, []
        if self._queue and self._queue[-1][1][-1] < bound:
            self._rows.clear()
            self._queue = []
        while self._queue and self._queue[0][1][0] < bound:
            keys, times = self._queue[0]
            cut = int(np.searchsorted(times, bound))
            gone.append(keys[:cut])
            self._queue[:1] = [(keys[cut:], times[cut:])] if cut < len(keys) else []
        if gone:
            self._rows.remove(self._rows.take(np.concatenate(gone)))
        if self._rows.is_sparse:
            self.restore(self.snapshot())

    def restore(self, state: State) -> None:
        self._queue = []
        if "rows" in state and state["rows"].height:
            keys, times = self._restored(state["rows"]), state["rows"][_TIME].to_numpy()
            order = np.argsort(times, kind="stable")
            self._queue.append((keys[order], times[order]))
