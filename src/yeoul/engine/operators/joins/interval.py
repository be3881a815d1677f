"""The interval join: rows of two inputs whose times are near, as they come; each is dropped once none can follow.

A left row at l and a right row at r meet if `lower <= l - r <= upper`. A left row waits until the watermark reaches
l - lower, a right one until r + upper: from then on no partner comes that is not late. A row without a partner is given
at that time, with NULLs, for kinds that keep it; one whose key is NULL at once.

A late row still meets those that waited when it came, by the watermark before that very row: rows that are in state but
whose time had passed count as gone. So the answer is the same however the inputs were cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.columnwise import taken, where
from yeoul.engine.contract import WATERMARK
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, START_OF_TIME, Output, State
from yeoul.engine.operators.joins.sides import JoinSides
from yeoul.engine.operators.time_axis import epoch_ms
from yeoul.engine.state.columns import Slots
from yeoul.engine.state.keyed import lanes_by
from yeoul.engine.state.timed_rows import TimedRows
from yeoul.kernels.grouping import group_rows
from yeoul.kernels.stretches import stretches
from yeoul.plan.join_bounds import Interval

__all__ = ["IntervalJoin"]

_NAMES = ("left", "right")


@dataclass(frozen=True, slots=True)
class _Arrived:
    """Rows that came, with their times and the watermark before each."""

    rows: pl.DataFrame
    times: NDArray[np.int64]
    watermarks: NDArray[np.int64]

    def filter(self, wanted: NDArray[np.bool_]) -> _Arrived:
        return _Arrived(where(self.rows, wanted), self.times[wanted], self.watermarks[wanted])


class IntervalJoin:
    """Joins two inputs of rows that stand; kinds INNER, LEFT, RIGHT and FULL.

    Args:
        sides: The inputs and what is given.
        interval: How far apart the times may be.
        clock: The time, for intervals by the clock.
        judged: Whether an operator above asks for `$watermark`.
    """

    def __init__(self, sides: JoinSides, interval: Interval, clock: Clock, *, judged: bool = False) -> None:
        self._sides, self._interval, self._clock, self._judged = sides, interval, clock, judged
        self._waits_ms = (-interval.lower_ms, interval.upper_ms)
        self._times = (interval.left_time, interval.right_time)
        self._rows: list[TimedRows | None] = [None, None]
        self._watermark_ms = START_OF_TIME

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        given = self._expired(self._clock.now_ms() - 1) if self._interval.by_clock else []
        arrived = self._arrived(port, batch)
        has_key = self._sides.has_key(arrived.rows)
        if has_key is not None:
            with_key = has_key.to_numpy()
            without, arrived = arrived.filter(~with_key), arrived.filter(with_key)
            if self._sides.keeps(port):
                given.append(self._judging(self._sides.alone(port, without.rows), without.watermarks, batch))
        if arrived.rows.height:
            given += self._joined(port, arrived, batch)
        return Output(tuple(frame for frame in given if frame.height))

    def advance(self, watermark_ms: int) -> Output:
        self._watermark_ms = watermark_ms
        until_ms = self._clock.now_ms() - 1 if self._interval.by_clock and watermark_ms < END_OF_TIME else watermark_ms
        return Output(tuple(frame for frame in self._expired(until_ms) if frame.height))

    @property
    def wake_at_ms(self) -> int | None:
        """When, by the clock, the next row's interval has passed; None if nothing waits for that."""
        next_ms = self._next_ms if self._interval.by_clock else None
        return None if next_ms is None else next_ms + 1

    def wake(self, now_ms: int) -> Output:
        """Gives, by the clock, what is without a partner and whose interval has passed; nothing by event time."""
        if not self._interval.by_clock:
            return EMPTY
        return Output(tuple(frame for frame in self._expired(now_ms - 1) if frame.height))

    def snapshot(self) -> State:
        kept = {name: rows.snapshot() for name, rows in zip(_NAMES, self._rows, strict=True) if rows is not None}
        return {**kept, "watermark": pl.DataFrame({"ms": [self._watermark_ms]}, schema={"ms": pl.Int64})}

    def restore(self, state: State) -> None:
        self._watermark_ms = state["watermark"]["ms"].item()
        for port, name in enumerate(_NAMES):
            if name in state:
                self._rows[port] = self._made(port, state[name])
                self._rows_of(port).restore(state[name])

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return sum(rows.size_bytes for rows in self._rows if rows is not None)

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot; empty without keys."""
        names = self._sides.key_names
        return dict.fromkeys(_NAMES, names) if names else {}

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the keys of an input's rows."""
        return self._sides.keyed(port, batch).select(self._sides.key_names)

    @property
    def due_ms(self) -> int | None:
        """The least watermark that gives a row without a partner; None if none is, or the clock says when."""
        keeps = self._sides.keeps(0) or self._sides.keeps(1)
        return self._next_ms if keeps and not self._interval.by_clock else None

    def may_be_late(self, port: int, batch: pl.DataFrame) -> None:
        """No row is set aside."""
        return None

    @property
    def _next_ms(self) -> int | None:
        """The earliest time at which a row's interval has passed."""
        earliest = [(rows.earliest, wait) for rows, wait in zip(self._rows, self._waits_ms, strict=True) if rows]
        return min((time + wait for time, wait in earliest if time is not None), default=None)

    def _arrived(self, port: int, batch: pl.DataFrame) -> _Arrived:
        rows = self._sides.keyed(port, batch)
        if self._interval.by_clock:
            now_ms = self._clock.now_ms()
            return _Arrived(rows, np.full(batch.height, now_ms), np.full(batch.height, now_ms - 1))
        times = epoch_ms(batch[self._times[port]]).to_numpy()
        if WATERMARK in batch.columns:
            return _Arrived(rows, times, batch[WATERMARK].to_numpy())
        return _Arrived(rows, times, np.full(batch.height, self._watermark_ms))

    def _joined(self, port: int, arrived: _Arrived, batch: pl.DataFrame) -> list[pl.DataFrame]:
        sides, rows = self._sides, arrived.rows
        places, slots = self._partners(port, arrived)
        given = []
        if len(places):
            both = sides.together(port, taken(rows, places), self._rows_of(1 - port).read(slots))
            holds = sides.holding(both)
            if holds is not None:
                both, chosen = where(both, holds), holds.to_numpy()
                places, slots = places[chosen], slots[chosen]
            given.append(self._judging(both[list(sides.output)], arrived.watermarks[places], batch))
            if sides.keeps(1 - port):
                self._rows_of(1 - port).meet(slots)
        met = np.zeros(rows.height, np.bool_)
        met[places] = True
        waits = arrived.watermarks < arrived.times + self._waits_ms[port]
        if sides.keeps(port) and not (waits | met).all():
            alone = arrived.filter(~(waits | met))
            given.append(self._judging(sides.alone(port, alone.rows), alone.watermarks, batch))
        self._keep(port, arrived.filter(waits), met[waits])
        return given

    def _partners(self, port: int, arrived: _Arrived) -> tuple[NDArray[np.int64], Slots]:
        """Returns which rows that came meet which rows that wait, by their times.

        The waiting rows of each key that came stand by time, so that a row that came looks at those it meets alone.
        """
        none = np.zeros(0, np.int64)
        other = self._rows[1 - port]
        if other is None or not len(other):
            return none, none
        lanes = lanes_by(arrived.rows, self._sides.key_names)
        groups = group_rows(*lanes)
        found = other.find(arrived.rows, (lanes[0][groups.firsts], lanes[1][groups.firsts]))
        if not len(found.slots):
            return none, none
        slots, times, owners = found.slots, other.times(found.slots), found.places
        if ((times[1:] < times[:-1]) & (owners[1:] == owners[:-1])).any():
            order = np.lexsort((times, owners))
            slots, times, owners = slots[order], times[order], owners[order]
        bounds = np.append(0, np.cumsum(np.bincount(owners, minlength=len(groups.sizes))))
        least_ms, most_ms = self._interval.lower_ms, self._interval.upper_ms
        if port == 0:
            least_ms, most_ms = -most_ms, -least_ms
        # A row that waits may not have passed by the watermark before the one that came, which bounds its time as well.
        gone = np.maximum(arrived.watermarks, START_OF_TIME + abs(self._waits_ms[1 - port])) - self._waits_ms[1 - port]
        lowest = np.maximum(arrived.times + least_ms, gone + 1)
        begins, counts = stretches(bounds, times, groups.ids, lowest, arrived.times + most_ms)
        firsts = np.cumsum(counts) - counts
        met = np.arange(int(counts.sum())) + np.repeat(begins - firsts, counts)
        return np.repeat(np.arange(len(counts)), counts), slots[met]

    def _keep(self, port: int, arrived: _Arrived, met: NDArray[np.bool_]) -> None:
        if not arrived.rows.height:
            return
        if self._rows[port] is None:
            self._rows[port] = self._made(port, arrived.rows)
        self._rows_of(port).add(arrived.rows, arrived.times, met)

    def _expired(self, watermark_ms: int) -> list[pl.DataFrame]:
        """Drops rows that no other can meet any more; returns those that were without a partner and are kept."""
        given = []
        for port, rows in enumerate(self._rows):
            if rows is None:
                continue
            until = END_OF_TIME if watermark_ms == END_OF_TIME else watermark_ms - self._waits_ms[port]
            slots = rows.due(min(max(until, START_OF_TIME), END_OF_TIME))
            if not len(slots):
                continue
            if self._sides.keeps(port):
                given.append(self._sides.alone(port, rows.read(slots[~rows.met(slots)])))
            rows.remove(slots)
            rows.give_back()
        return given

    def _judging(self, rows: pl.DataFrame, watermarks: NDArray[np.int64], batch: pl.DataFrame) -> pl.DataFrame:
        """Adds the watermark that stood above this operator before each row, if it is asked for."""
        if not self._judged or WATERMARK not in batch.columns:
            return rows
        lowest = START_OF_TIME + self._interval.delay_ms
        delayed = np.maximum(watermarks, lowest) - self._interval.delay_ms
        return rows.with_columns(pl.Series(WATERMARK, delayed, dtype=pl.Int64))

    def _made(self, port: int, rows: pl.DataFrame) -> TimedRows:
        keys = {name: rows.schema[name] for name in self._sides.key_names}
        return TimedRows(self._sides[port].columns, keys)

    def _rows_of(self, port: int) -> TimedRows:
        rows = self._rows[port]
        assert rows is not None
        return rows
