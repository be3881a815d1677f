"""Windows on processing time: any windowed operator, with the clock in place of row times and watermarks.

A row's time is when it is handed to the operator, so none is ever late; rows that come out of another window by the
clock keep that window's time. A window ends when the clock says so: whoever runs the operator asks it when to wake it.
The end of the input gives out what is open, where Flink drops it.

State that lies on disk is divided below this frame: rows get their times as they come, however long they wait then, and
what was ended by the clock is given when its round is over. Windows over such windows are not told of a time before
those below have given all of it.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import polars as pl

from yeoul.clock import Clock
from yeoul.engine.contract import WATERMARK
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, START_OF_TIME, Operator, Output, State
from yeoul.engine.operators.key_groups.divided import KeyGroups

__all__ = ["ByClock", "Windowed"]


@runtime_checkable
class Windowed(Operator, Protocol):
    """An operator that gives something out when a watermark has passed a time that it knows."""

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        ...

    @property
    def due_ms(self) -> int | None:
        """The least watermark, in ms, that may give something out; None if there is nothing to wait for."""
        ...


class ByClock:
    """Runs a windowed operator on processing time.

    Args:
        inner: The operator, or its key groups; it never sees the `$watermark` of event time.
        clock: Processing time.
        time_column: The column that gets the time at which a row is handed over; None: rows have their times.

    Attributes:
        inner: As given.
    """

    def __init__(self, inner: Windowed, clock: Clock, time_column: str | None) -> None:
        self.inner, self._clock, self._time = inner, clock, time_column
        self._now_ms = START_OF_TIME
        self._below: list[ByClock] = []

    def around(self, inner: Windowed) -> ByClock:
        """Returns the same frame around another operator: its key groups."""
        return ByClock(inner, self._clock, self._time)

    def follow(self, below: ByClock) -> None:
        """Says that rows come from windows by the clock, too."""
        self._below.append(below)

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return self.inner.size_bytes

    @property
    def spilled_bytes(self) -> int:
        """What of its state lies on disk."""
        return self.inner.spilled_bytes if isinstance(self.inner, KeyGroups) else 0

    @property
    def held_ms(self) -> int | None:
        """The time of which all is given, if that is behind the clock because state lies on disk; None: it is not."""
        times = [self._held_below_ms]
        if isinstance(self.inner, KeyGroups) and self.inner.holds:
            times.append(self.inner.passed_ms + 1)
        return _least(times)

    @property
    def _held_below_ms(self) -> int | None:
        return _least([below.held_ms for below in self._below])

    @property
    def wake_at_ms(self) -> int | None:
        """The time at which `wake` has something to do; None if there is nothing to wait for."""
        due_ms, held_ms = self.inner.due_ms, self._held_below_ms
        if due_ms is not None and held_ms is not None and due_ms >= held_ms:
            due_ms = None
        round_at_ms = self.inner.wake_at_ms if isinstance(self.inner, KeyGroups) else None
        return _least([None if due_ms is None else due_ms + 1, round_at_ms])

    def wake(self, now_ms: int) -> Output:
        """Gives out what has ended by a time."""
        held_ms = self._held_below_ms
        self._now_ms = max(self._now_ms, now_ms if held_ms is None else min(now_ms, held_ms))
        ended = self.inner.advance(self._now_ms - 1)
        return _both(ended, self.inner.wake(now_ms)) if isinstance(self.inner, KeyGroups) else ended

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        if WATERMARK in batch.columns:
            batch = batch.drop(WATERMARK)
        if self._time is None:
            return self.inner.process(port, batch)
        ended = self.wake(self._clock.now_ms())
        now = pl.lit(self._now_ms, dtype=pl.Int64).cast(pl.Datetime("ms", "UTC"))
        return _both(ended, self.inner.process(port, batch.with_columns(now.alias(self._time))))

    def advance(self, watermark_ms: int) -> Output:
        return self.inner.advance(watermark_ms) if watermark_ms == END_OF_TIME else EMPTY

    def snapshot(self) -> State:
        return self.inner.snapshot()

    def restore(self, state: State) -> None:
        self.inner.restore(state)


def _least(times: list[int | None]) -> int | None:
    return min((time for time in times if time is not None), default=None)


def _both(one: Output, other: Output) -> Output:
    """Returns what two calls gave, of which the clock lets only one find late rows."""
    return Output((*one.batches, *other.batches), one.late or other.late)
