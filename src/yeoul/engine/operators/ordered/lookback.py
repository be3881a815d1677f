"""What OVER remembers of the rows that it has answered, per partition, for the rows to come.

Frames that begin with their partition need one row of merged partial aggregates; frames that reach back so many rows
need that many, each with its own; frames that reach back for a time need the rows of that time. At the end of the input
nothing is needed any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.columnwise import together
from yeoul.engine.operators.contract import State
from yeoul.engine.operators.forgetting import Forgetting
from yeoul.engine.operators.ordered.frames import Runs
from yeoul.engine.operators.ordered.partitions import PARTITION, Partitions
from yeoul.engine.state.columns import Slots
from yeoul.engine.state.keyed import KeyedState
from yeoul.engine.state.sequences import KeyedSequences

__all__ = ["LastRows", "LastTime", "Lookback", "Merged", "Nothing"]

_TIME = "$time"


@dataclass(frozen=True, slots=True)
class Answered:
    """Rows that were answered, and those that they looked back at.

    Attributes:
        every: All of them, partition by partition.
        is_new: Which were answered.
        runs: How they stand.
        arrival: The places, among the new ones, of the rows in the order in which they came.
        keys: The partition's columns, `$key...`, of the new ones.
    """

    every: pl.DataFrame
    is_new: NDArray[np.bool_]
    runs: Runs
    arrival: NDArray[np.int64]
    keys: Sequence[pl.Series]

    def new(self, wanted: NDArray[np.bool_] | None = None) -> tuple[pl.DataFrame, NDArray[np.int64]]:
        """Returns new rows with their keys, and the numbers of their partitions; all, or those that are wanted."""
        is_new = self.is_new if wanted is None else self.is_new & wanted
        kept = self.every.filter(pl.Series(is_new))
        keys = self.keys if wanted is None else [key.filter(pl.Series(wanted[self.is_new])) for key in self.keys]
        numbers = kept.get_column(PARTITION).to_numpy()
        return together([*kept.drop(PARTITION).get_columns(), *keys]), numbers


class Lookback(Protocol):
    """What is remembered; rows are the elements that `Over` makes, `$key...` the partition's columns beside them."""

    is_merged: bool
    """Whether a partition is remembered as one merged row."""

    def find(self, partitions: Partitions, new: pl.DataFrame) -> pl.DataFrame | None:
        """Returns what is remembered of partitions, with `$partition`, in order; None if nothing is.

        Args:
            partitions: Of the new rows.
            new: The rows to come, for their columns and types.
        """
        ...

    def keep(self, answered: Answered, totals: pl.DataFrame, partitions: Partitions) -> None:
        """Remembers rows.

        Args:
            answered: What `find` gave and the new rows.
            totals: Each partition's merged partial aggregates; only for who remembers these.
            partitions: As `find` had them.
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

    def find(self, partitions: Partitions, new: pl.DataFrame) -> pl.DataFrame | None:
        return None

    def keep(self, answered: Answered, totals: pl.DataFrame, partitions: Partitions) -> None:
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

    def find(self, partitions: Partitions, new: pl.DataFrame) -> pl.DataFrame | None:
        state = self._state
        if state is None:
            return None
        self._forgetting.forget(state)
        slots = state.find(partitions.keys, partitions.lanes)
        known = np.flatnonzero(slots >= 0)
        if not len(known):
            return None
        rows = state.read(slots[known]).with_columns(pl.Series(PARTITION, known))
        missing = [pl.lit(None, dtype=new.schema[name]).alias(name) for name in new.columns if name not in rows.columns]
        return rows.with_columns(missing)

    def keep(self, answered: Answered, totals: pl.DataFrame, partitions: Partitions) -> None:
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
        self._rows: KeyedSequences | None = None
        self._found: Slots = np.empty(0, np.int64)

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, about."""
        return 0 if self._rows is None else self._rows.size_bytes

    def find(self, partitions: Partitions, new: pl.DataFrame) -> pl.DataFrame | None:
        if self._rows is None:
            return None
        found = self._rows.find(partitions.keys, partitions.lanes)
        self._found = found.slots
        names = [name for name in new.columns if name != PARTITION]
        return self._rows.read(found.slots, names).with_columns(pl.Series(PARTITION, found.places))

    def snapshot(self) -> State:
        return {} if self._rows is None else {"rows": self._rows.snapshot()}

    def restore(self, state: State) -> None:
        if "rows" in state:
            self._made(state["rows"].drop("$touched")).restore(state["rows"])

    def _made(self, rows: pl.DataFrame) -> KeyedSequences:
        if self._rows is None:
            keys = [name for name in rows.columns if name.startswith("$key")]
            self._rows = KeyedSequences(dict(rows.schema), keys)
        return self._rows


class LastRows(_Kept):
    """Remembers so many rows of each partition.

    Args:
        count: How many.
        clock: The time, for the time to live.
        ttl_ms: How long an untouched partition is kept; None: for ever.
    """

    def __init__(self, count: int, *, clock: Clock, ttl_ms: int | None = None) -> None:
        super().__init__()
        self._count = count
        self._clock, self._ttl_ms, self._forgetting = clock, ttl_ms, Forgetting(clock, ttl_ms)

    def keep(self, answered: Answered, totals: pl.DataFrame, partitions: Partitions) -> None:
        stays = np.arange(answered.every.height) > answered.runs.ends - self._count
        rows, numbers = answered.new(stays)
        kept = self._made(rows)
        kept.remove(self._found[~stays[~answered.is_new]])
        now_ms = None if self._ttl_ms is None else self._clock.now_ms()
        kept.add(rows, now_ms, partitions.lanes_of(numbers))
        self._forgetting.forget(kept)

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
        self._queue: list[tuple[Slots, NDArray[np.int64]]] = []

    def keep(self, answered: Answered, totals: pl.DataFrame, partitions: Partitions) -> None:
        rows, numbers = answered.new()
        slots = self._made(rows).add(rows, lanes=partitions.lanes_of(numbers))[answered.arrival]
        times = rows[_TIME].to_numpy()[answered.arrival]
        if (times[1:] < times[:-1]).any():
            # Only a clock that was set back does this.
            order = np.argsort(times, kind="stable")
            slots, times = slots[order], times[order]
        self._queue.append((slots, times))
        if self._by_arrival:
            self.forget_before(int(times[-1]))

    def forget_before(self, next_ms: int) -> None:
        bound = next_ms - self._length_ms
        while self._queue and self._queue[0][1][0] < bound:
            slots, times = self._queue[0]
            cut = int(np.searchsorted(times, bound))
            assert self._rows is not None
            self._rows.remove(slots[:cut])
            if cut == len(slots):
                self._queue.pop(0)
            else:
                self._queue[0] = (slots[cut:], times[cut:])
        if self._rows is not None and self._rows.is_sparse:
            state = self.snapshot()
            self._rows, self._queue = None, []
            self.restore(state)

    def restore(self, state: State) -> None:
        super().restore(state)
        if "rows" in state and state["rows"].height:
            times = state["rows"][_TIME].to_numpy()
            order = np.argsort(times, kind="stable")
            self._queue = [(order, times[order])]
