"""Deduplication: of each key's rows the first or the last, by event time or as they arrive.

First rows stand: by processing time each is given as it comes, by event time when the watermark has passed it, since
until then an earlier one may come; rows that the watermark had passed are late. A last row takes the place of the one
before: a later one, or one of the same instant that came after it. What is given over a number of batches adds up to
the same table however they were cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.columnwise import chosen, taken, together, where
from yeoul.engine.contract import ROW, WATERMARK
from yeoul.engine.operators.changes.rows import as_changes, differing
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, START_OF_TIME, Output, State
from yeoul.engine.operators.forgetting import Forgetting
from yeoul.engine.operators.lateness import in_time, may_be_late
from yeoul.engine.operators.time_axis import epoch_ms
from yeoul.engine.state.fingerprints import Lanes
from yeoul.engine.state.keyed import KeyedState, lanes_by
from yeoul.kernels.grouping import group_rows
from yeoul.plan.ordering import OverTime

__all__ = ["FirstRows", "LastRows"]

_TIME = "$time"


class FirstRows:
    """Gives each key's first row.

    Args:
        columns: Name and type of the columns, in order.
        keys: Those that make the key.
        time_column: The time attribute.
        time: EVENT, PROCESSING, or END: by event time, all at the end of the input.
        clock: The time, for the time to live.
        ttl_ms: How long a key is remembered; None: for ever.
    """

    def __init__(
        self,
        columns: Mapping[str, pl.DataType],
        keys: Sequence[str],
        time_column: str,
        time: OverTime,
        *,
        clock: Clock,
        ttl_ms: int | None = None,
    ) -> None:
        self._columns, self._key_names, self._time_column, self.time = list(columns), list(keys), time_column, time
        key_types = {name: columns[name] for name in keys}
        self._known = KeyedState(key_types, {})
        self._waiting = KeyedState(key_types, {**_beside(columns, keys), _TIME: pl.Int64()})
        self._next_ms = END_OF_TIME
        self._watermark_ms = START_OF_TIME
        self._forgetting = Forgetting(clock, ttl_ms)

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        self._forgetting.forget(self._known)
        if self.time is OverTime.PROCESSING:
            return self._at_once(batch)
        rows, late = (
            (batch, None) if self.time is OverTime.END else in_time(batch, self._time_column, self._watermark_ms)
        )
        unknown = where(rows, self._known.find(rows) < 0)
        if unknown.height:
            self._wait(unknown.select(self._columns))
        return Output(late=late)

    def advance(self, watermark_ms: int) -> Output:
        self._watermark_ms = watermark_ms
        if self.time is OverTime.PROCESSING or (self.time is OverTime.END and watermark_ms < END_OF_TIME):
            return EMPTY
        if self._next_ms > watermark_ms or not len(self._waiting):
            return EMPTY
        slots = self._waiting.living()
        times = self._waiting.read_column(_TIME, slots).to_numpy()
        passed = slots[times <= watermark_ms]
        rows = _rows_at(self._waiting, passed)
        if self.time is OverTime.EVENT:
            self._forgetting.touch(self._known, self._known.upsert(rows).slots)
        self._waiting.remove(passed)
        self._next_ms = int(times[times > watermark_ms].min(initial=END_OF_TIME))
        return Output((rows.sort(_TIME, maintain_order=True).select(self._columns),)) if rows.height else EMPTY

    def snapshot(self) -> State:
        times = pl.DataFrame({"watermark": [self._watermark_ms]}, schema={"watermark": pl.Int64})
        return {"times": times, "known": self._known.snapshot(), "waiting": self._waiting.snapshot()}

    def restore(self, state: State) -> None:
        self._watermark_ms = state["times"].item()
        self._known.restore(state["known"])
        if state["waiting"].height:
            self._wait(state["waiting"].select(self._columns))

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return self._known.size_bytes + self._waiting.size_bytes

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot; empty without keys."""
        return {"known": self._key_names, "waiting": self._key_names} if self._key_names else {}

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the keys of rows."""
        return batch.select(self._key_names)

    @property
    def due_ms(self) -> int | None:
        """The least watermark that completes a row; None if watermarks do not."""
        return self._next_ms if self.time is OverTime.EVENT else None

    def may_be_late(self, port: int, batch: pl.DataFrame) -> pl.Series | None:
        """Tells which rows the watermark had passed before they came; None if none is ever late."""
        return may_be_late(batch, self._time_column) if self.time is OverTime.EVENT else None

    def _at_once(self, batch: pl.DataFrame) -> Output:
        found = self._known.upsert(batch)
        self._forgetting.touch(self._known, found.slots)
        new = where(batch, found.is_new)
        reserved = [name for name in (WATERMARK, ROW) if name in batch.columns]
        return Output((new.select(*self._columns, *reserved),)) if new.height else EMPTY

    def _wait(self, rows: pl.DataFrame) -> None:
        """Takes rows of keys of which none was given: the first one of each that is before what waits."""
        timed = rows.with_columns(epoch_ms(rows[self._time_column]).alias(_TIME))
        first = timed.sort(_TIME, maintain_order=True).unique(
            self._key_names or None, keep="first", maintain_order=True
        )
        if not self._key_names:
            first = first.head(1)
        found = self._waiting.upsert(first)
        earlier = found.is_new.copy()
        old = ~found.is_new
        known = self._waiting.read_column(_TIME, found.slots[old]).to_numpy()
        earlier[old] = first[_TIME].to_numpy()[old] < known
        chosen = where(first, earlier)
        self._waiting.write(found.slots[earlier], chosen)
        if chosen.height:
            self._next_ms = min(self._next_ms, int(chosen[_TIME].to_numpy().min()))


class LastRows:
    """Gives each key's last row, in place of the one before.

    Args:
        columns: Name and type of the columns, in order.
        keys: Those that make the key.
        time_column: The time attribute; None: rows are in order as they arrive.
        updating: Whether changes are given; else each key's row once, at the end of the input.
        clock: The time, for the time to live.
        ttl_ms: How long an untouched key is kept; None: for ever.
    """

    def __init__(
        self,
        columns: Mapping[str, pl.DataType],
        keys: Sequence[str],
        time_column: str | None,
        *,
        updating: bool,
        clock: Clock,
        ttl_ms: int | None = None,
    ) -> None:
        self._columns, self._key_names, self._time_column = list(columns), list(keys), time_column
        self._updating, self._given = updating, False
        self._types = {name: columns[name] for name in keys}, _beside(columns, keys)
        self._rows = KeyedState(*self._types)
        self._forgetting = Forgetting(clock, ttl_ms)

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        self._forgetting.forget(self._rows)
        last, lanes = self._last_of(batch)
        found = self._rows.upsert(last, lanes)
        known = ~found.is_new
        old = self._rows_like(where(last, known), found.slots[known])
        self._forgetting.touch(self._rows, found.slots)
        if self._time_column is None:
            self._rows.write(found.slots, last)
            return self._changes(old, last, found.is_new)
        wins = found.is_new.copy()
        wins[known] = self._later(where(last, known), old)
        new = where(last, wins)
        self._rows.write(found.slots[wins], new)
        return self._changes(where(old, wins[known]), new, found.is_new[wins])

    def advance(self, watermark_ms: int) -> Output:
        if self._updating or watermark_ms < END_OF_TIME or self._given:
            return EMPTY
        self._given = True
        rows = self._rows_at(self._rows.living())
        self._rows = KeyedState(*self._types)
        return Output((rows,)) if rows.height else EMPTY

    def snapshot(self) -> State:
        return {"progress": pl.DataFrame({"given": [self._given]}), "last": self._rows.snapshot()}

    def restore(self, state: State) -> None:
        self._given = state["progress"].item()
        self._rows.restore(state["last"])

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return self._rows.size_bytes

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot; empty without keys."""
        return {"last": self._key_names} if self._key_names else {}

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the keys of rows."""
        return batch.select(self._key_names)

    def _last_of(self, batch: pl.DataFrame) -> tuple[pl.DataFrame, Lanes]:
        """Returns each key's last row of a batch, in their order, and the fingerprints of the keys."""
        rows = chosen(batch, self._columns)
        if self._time_column is not None:
            rows = rows.sort(self._time_column, maintain_order=True)
        lanes = lanes_by(rows, self._key_names)
        groups = group_rows(*lanes)
        if groups.order is None:
            return rows, lanes
        lasts = np.sort(groups.order[np.cumsum(groups.sizes) - 1])
        return taken(rows, lasts), (lanes[0][lasts], lanes[1][lasts])

    def _rows_at(self, slots: NDArray[np.int64]) -> pl.DataFrame:
        return chosen(_rows_at(self._rows, slots), self._columns)

    def _rows_like(self, rows: pl.DataFrame, slots: NDArray[np.int64]) -> pl.DataFrame:
        """Returns the rows at slots, given others of the same keys."""
        if not len(slots):
            return rows
        return chosen(together([*self._rows.keys_like(rows, slots), *self._rows.read(slots)]), self._columns)

    def _later(self, new: pl.DataFrame, old: pl.DataFrame) -> NDArray[np.bool_]:
        assert self._time_column is not None
        return (epoch_ms(new[self._time_column]) >= epoch_ms(old[self._time_column])).fill_null(True).to_numpy()

    def _changes(self, old: pl.DataFrame, new: pl.DataFrame, is_new: NDArray[np.bool_]) -> Output:
        if not self._updating or not new.height:
            return EMPTY
        values = [name for name in self._columns if name not in self._key_names]
        before, differs = np.flatnonzero(~is_new), np.ones(new.height, np.bool_)
        if len(before):
            differs[before] = differing(old, new if len(before) == new.height else where(new, ~is_new), values)
        come = np.flatnonzero(differs)
        if not len(come):
            return EMPTY
        if len(come) < new.height:
            new, old = where(new, differs), where(old, differs[before])
        return Output((as_changes(old, before[differs[before]], new, come),))


def _beside(columns: Mapping[str, pl.DataType], keys: Sequence[str]) -> dict[str, pl.DataType]:
    return {name: dtype for name, dtype in columns.items() if name not in keys}


def _rows_at(state: KeyedState, slots: NDArray[np.int64]) -> pl.DataFrame:
    return together([*state.read_keys(slots).get_columns(), *state.read(slots).get_columns()])
