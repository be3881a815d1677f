"""Windows on processing time: any windowed operator, with the clock in place of row times and watermarks.

A row's time is when it is handed to the operator, so none is ever late; rows that come out of another window by the
clock keep that window's time. A window ends when the clock says so: whoever runs the operator asks it when to wake it.
The end of the input gives out what is open, where Flink drops it.
"""

from __future__ import annotations

from typing import Protocol

import polars as pl

from yeoul.clock import Clock
from yeoul.engine.contract import WATERMARK
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, START_OF_TIME, Operator, Output, State

__all__ = ["ByClock", "Windowed"]


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
        inner: The operator, which never sees `$watermark`.
        clock: Processing time.
        time_column: The column that gets the time at which a row is handed over; None: rows have their times.
    """

    def __init__(self, inner: Windowed, clock: Clock, time_column: str | None) -> None:
        self._inner, self._clock, self._time = inner, clock, time_column
        self._now_ms = START_OF_TIME

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return self._inner.size_bytes

    @property
    def wake_at_ms(self) -> int | None:
        """The time at which `wake` has something to do; None if there is nothing to wait for."""
        due_ms = self._inner.due_ms
        return None if due_ms is None else due_ms + 1

    def wake(self, now_ms: int) -> Output:
        """Gives out what has ended by a time."""
        self._now_ms = max(self._now_ms, now_ms)
        return self._inner.advance(self._now_ms - 1)

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        if WATERMARK in batch.columns:
            batch = batch.drop(WATERMARK)
        if self._time is None:
            return self._inner.process(port, batch)
        ended = self.wake(self._clock.now_ms())
        now = pl.lit(self._now_ms, dtype=pl.Int64).cast(pl.Datetime("ms", "UTC"))
        taken = self._inner.process(port, batch.with_columns(now.alias(self._time)))
        return Output((*ended.batches, *taken.batches), taken.late)

    def advance(self, watermark_ms: int) -> Output:
        return self._inner.advance(watermark_ms) if watermark_ms == END_OF_TIME else EMPTY

    def snapshot(self) -> State:
        return self._inner.snapshot()

    def restore(self, state: State) -> None:
        self._inner.restore(state)
