"""The first rows of each partition of a window, given once, when the window is over; deduplication is the first one.

Rows wait by the end of their window (`PaneStore`); whenever they are merged, those that cannot be among the first any
more are dropped, so that no partition holds much more than is asked for. Equal rows are in order of arrival.

A row whose window was over before it came, by `$watermark` of that very row, is late.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import polars as pl

from yeoul.engine.contract import ROW, WATERMARK
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, START_OF_TIME, LateRows, Output, State
from yeoul.engine.operators.rows.relabel import RESERVED
from yeoul.engine.operators.time_axis import TimeAxis, epoch_ms
from yeoul.engine.state.compact import compacted
from yeoul.engine.state.panes import PANE, PaneStore
from yeoul.plan.ordering import SortKey

__all__ = ["WindowTopN"]

_CLOSED = "$closed"


class WindowTopN:
    """Keeps so many rows of each partition.

    Args:
        axis: The axis that the windows' bounds are readings of.
        bounds: The columns that hold a window's start and end.
        partition: Columns of the input, the bounds among them.
        order: What the rank goes by; may be empty: order of arrival.
        first: The least rank that is given, from 1 on.
        last: The greatest.
        rank: The output column of the rank; None if it is not asked for.
    """

    def __init__(
        self,
        axis: TimeAxis,
        bounds: tuple[str, str],
        partition: Sequence[str],
        order: Sequence[SortKey],
        first: int,
        last: int,
        rank: str | None,
    ) -> None:
        self._axis, (self._start, self._end) = axis, bounds
        self._partition = list(partition)
        self._keys = [name for name in self._partition if name not in bounds]
        self._first, self._rank = first, rank
        self._pruned = functools.partial(_pruned, self._partition, order, last)
        self._panes = PaneStore(self._pruned)
        self._closed = self._watermark_ms = START_OF_TIME
        self._next_end = END_OF_TIME

    @property
    def due_ms(self) -> int | None:
        """The least watermark that gives a window out; None if no row waits for one."""
        return None if self._next_end == END_OF_TIME else self._axis.instant(self._next_end - 1)

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        if not batch.height:
            return EMPTY
        ends = epoch_ms(batch[self._end])
        is_late = self.may_be_late(port, batch)
        late = None
        if is_late.any():
            late = self._late_rows(batch.filter(is_late))
            batch, ends = batch.filter(~is_late), ends.filter(~is_late)
        if batch.height:
            rows = batch.drop([name for name in batch.columns if name in RESERVED])
            self._panes.add(compacted(self._pruned(rows.insert_column(0, ends.alias(PANE)))))
            self._next_end = min(self._next_end, int(ends.min()))  # type: ignore[arg-type]
        return Output(late=late)

    def advance(self, watermark_ms: int) -> Output:
        self._watermark_ms = watermark_ms
        closed = min(self._axis.passed(watermark_ms), END_OF_TIME - 1) + 1
        if closed <= self._closed:
            return EMPTY
        self._closed = closed
        if self._next_end > closed:
            return EMPTY
        due = [end for end in self._panes.starts() if end <= closed]
        if not due:
            return EMPTY
        rows, _ = self._panes.take(due)
        self._panes.drop(due)
        self._next_end = min(self._panes.starts(), default=END_OF_TIME)
        return Output((self._ranked(rows.sort(PANE, maintain_order=True)),))

    def snapshot(self) -> State:
        times = {"closed": [self._closed], "watermark": [self._watermark_ms]}
        state = {"times": pl.DataFrame(times, schema={"closed": pl.Int64, "watermark": pl.Int64})}
        rows = self._panes.snapshot()
        if rows is not None:
            state["rows"] = rows
        return state

    def restore(self, state: State) -> None:
        self._closed, self._watermark_ms = state["times"].row(0)
        if "rows" in state and state["rows"].height:
            self._panes.add(state["rows"])
            self._next_end = min(self._panes.starts())

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return self._panes.size_bytes

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot; empty if only windows tell partitions apart."""
        return {"rows": self._keys} if self._keys else {}

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns what tells partitions of one window apart."""
        return batch.select(self._keys)

    def may_be_late(self, port: int, batch: pl.DataFrame) -> pl.Series:
        """Tells which rows' windows were over before they came."""
        return epoch_ms(batch[self._end]) <= self._closed_before(batch)

    def _closed_before(self, batch: pl.DataFrame) -> pl.Series:
        if WATERMARK not in batch.columns:
            return pl.Series([self._closed], dtype=pl.Int64).new_from_index(0, batch.height)
        passed = self._axis.passed_each(batch[WATERMARK])
        return (passed.clip(upper_bound=END_OF_TIME - 1) + 1).clip(lower_bound=self._closed)

    def _ranked(self, rows: pl.DataFrame) -> pl.DataFrame:
        place = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over(PANE, *self._partition)
        name = self._rank or _CLOSED
        ranked = self._pruned(rows).with_columns(place.alias(name))
        ranked = ranked.filter(pl.col(name) >= self._first) if self._first > 1 else ranked
        return ranked.drop(PANE) if self._rank else ranked.drop(PANE, name)

    def _late_rows(self, late: pl.DataFrame) -> LateRows:
        number = pl.col(ROW) if ROW in late.columns else pl.lit(None, dtype=pl.UInt32).alias(ROW)
        watermark = pl.col(WATERMARK) if WATERMARK in late.columns else pl.lit(self._watermark_ms)
        stamp = pl.Datetime("ms")
        return LateRows(
            late.select(
                number,
                pl.col(self._start).cast(stamp).alias("window_start"),
                pl.col(self._end).cast(stamp).alias("window_end"),
                watermark.cast(stamp).alias("watermark"),
            )
        )


def _pruned(partition: Sequence[str], order: Sequence[SortKey], last: int, rows: pl.DataFrame) -> pl.DataFrame:
    """Returns what may still be among the first, each partition in order, partitions as they first came."""
    if order:
        ordered = rows.with_row_index(_CLOSED).sort(
            [one.column for one in order],
            descending=[one.descending for one in order],
            nulls_last=[one.nulls_last for one in order],
            maintain_order=True,
        )
        least = pl.col(_CLOSED).min().over(PANE, *partition)
        rows = ordered.sort(least, maintain_order=True).drop(_CLOSED)
    # Numbered, so that a group has something to take the head of where every column is one of its keys.
    kept = rows.with_row_index(_CLOSED).group_by(PANE, *partition, maintain_order=True).head(last)
    return kept.select(rows.columns)
