"""Windowed aggregation: TUMBLE, HOP and CUMULATE over event time, each window given out once.

Two phases. `prepare` aggregates a batch by pane and key, on any thread; `process` merges that small frame into the
panes (`PaneStore`). `advance` gives out every window whose end - 1 ms the watermark has passed, in order of their
ends, merged from its panes, and drops panes that no open window needs.

Late is judged per window, as Flink does: a row is late for a window that had fired before the row came, by `$watermark`
of that very row. It still counts in later windows of HOP and CUMULATE. Panes are shared, so such a row may enter its
pane only after the windows it missed have fired: within a batch, these rows go in fired-window by fired-window.

Rows that may be taken back carry a weight: their windows count how many rows are left of a key, and give out the keys
of which there are any.
"""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from yeoul.engine.columnwise import without
from yeoul.engine.compile.aggregates import CompiledAggregate, folds_of, settled_rows
from yeoul.engine.contract import ROW, WATERMARK, WEIGHT
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, START_OF_TIME, LateRows, Output, State
from yeoul.engine.operators.time_axis import TimeAxis
from yeoul.engine.operators.windows.layout import WindowLayout
from yeoul.engine.state.compact import compacted
from yeoul.engine.state.fingerprints import extended
from yeoul.engine.state.grouping import LANES, Grouping
from yeoul.engine.state.keyed_pane import KeyedMerge
from yeoul.engine.state.merging import Merging
from yeoul.engine.state.panes import PANE, PaneStore
from yeoul.errors import UserError
from yeoul.kernels.folding import Fold
from yeoul.kernels.grouping import group_rows
from yeoul.plan.nodes import WindowKind, WindowProperty

__all__ = ["PreparedPanes", "WindowAggregate"]

ROWS = "$rows"
"""The partial column that counts the rows of a key, where rows may be taken back."""
_END = "$end"
_PASSED = "$passed"
_FIRST = "$first_end"
_LAST = "$last_end"
_SMALL = 64
"""Up to how many rows a batch's buffers may be kept alive by what is aggregated from it, until panes are merged."""
_FIRE_ROWS = 1 << 20
"""How many pane rows are spread over windows at a time when many windows fire at once."""


@dataclass(frozen=True, slots=True)
class PreparedPanes:
    """A batch aggregated by pane and key, but for the rows that another row of the batch may make late.

    Attributes:
        partial: `$pane`, the keys, the partial columns.
        first_end: The end of the first window that any aggregated row belongs to: while the watermark has not passed
            it, none of them is late.
        doubtful: The rows left out, to be judged one by one; None if there are none.
    """

    partial: pl.DataFrame
    first_end: int
    doubtful: pl.DataFrame | None = None


class WindowAggregate:
    """Aggregates each window's rows by key.

    Args:
        layout: Where the windows lie, on `axis`.
        axis: The row time's axis: local time for TIMESTAMP_LTZ.
        time_column: The row-time column.
        keys: Output name and expression over the input; may be empty.
        aggregates: The aggregates, each naming its output.
        properties: Output name and window property.
        output: Output names, in order.
        retracts: Whether rows of the input may be taken back; then the aggregates are compiled with the weight.
    """

    def __init__(
        self,
        layout: WindowLayout,
        axis: TimeAxis,
        time_column: str,
        keys: Sequence[tuple[str, pl.Expr]],
        aggregates: Sequence[CompiledAggregate],
        properties: Sequence[tuple[str, WindowProperty]],
        output: Sequence[str],
        retracts: bool = False,
    ) -> None:
        self._layout, self._axis, self.time_column = layout, axis, time_column
        self._inner_keys = [f"$key{index}" for index in range(len(keys))]
        self._keys = [expression.alias(inner) for inner, (_, expression) in zip(self._inner_keys, keys, strict=True)]
        outer_keys = {name: pl.col(inner).alias(name) for inner, (name, _) in zip(self._inner_keys, keys, strict=True)}
        self._partial = [expression for one in aggregates for expression in one.partial]
        self._merge = [expression for one in aggregates for expression in one.merge]
        self._retracts, self._settling = retracts, [one for one in aggregates if one.bag is not None]
        if retracts:
            self._partial.insert(0, pl.col(WEIGHT).sum().alias(ROWS))
            self._merge.insert(0, pl.col(ROWS).sum())
        self._grouping = Grouping(self._keys, self._partial)
        self._columns = {**outer_keys, **{one.name: one.final for one in aggregates}}
        self._properties, self._output = dict(properties), list(output)
        self._by_key = self._merge_by_key(aggregates)
        merge = functools.partial(_merged_panes, self._inner_keys, self._merge, self._settling)
        self._panes = PaneStore(merge, self._by_key)
        self._closed = self._watermark_ms = START_OF_TIME
        self._next_end = END_OF_TIME

    def _merge_by_key(self, aggregates: Sequence[CompiledAggregate]) -> KeyedMerge | None:
        """Returns how a pane of many groups merges them; None if it cannot: without keys, or by the aggregates."""
        folds = folds_of(aggregates, {ROWS: Fold.SUM} if self._retracts else {})
        if folds is None or not self._inner_keys:
            return None
        within = Grouping([pl.col(name) for name in self._inner_keys], self._merge)
        return KeyedMerge(self._inner_keys, within, Merging(folds))

    @property
    def due_ms(self) -> int | None:
        """The least watermark that gives a window out; None if no row waits for one."""
        return None if self._next_end == END_OF_TIME else self._axis.instant(self._next_end - 1)

    @property
    def closed(self) -> int:
        """The end up to which windows have been given out."""
        return self._closed

    def closed_by(self, watermark_ms: int) -> int:
        """Returns the end of the last window that a watermark closes, or later."""
        return min(self._axis.passed(watermark_ms), END_OF_TIME - 1) + 1

    def due_at(self, end: int) -> int:
        """Returns the least watermark that passes the end of a window."""
        return self._axis.instant(end - 1)

    def ends_of(self, batch: pl.DataFrame) -> set[int]:
        """Returns the ends of all windows that rows belong to."""
        layout = self._layout
        panes = _each(self._readings(batch), layout.pane_of).unique().to_list()
        spans = (range(layout.first_end(pane), layout.last_end(pane) + 1, layout.slide_ms) for pane in panes)
        return {end for span in spans for end in span}

    def look(self, ends: Iterable[int]) -> pl.DataFrame | None:
        """Returns the rows of open windows as they stand, None if there are none; nothing changes."""
        starts = self._panes.starts()
        windows = []
        for end in sorted(ends):
            panes = starts[bisect_left(starts, self._layout.start_of(end)) : bisect_left(starts, end)]
            if panes:
                windows.append((end, panes))
        return self._give_out(windows, closes=False) if windows else None

    def prepare(self, batch: pl.DataFrame) -> PreparedPanes | None:
        """Aggregates a batch, None if nothing of it can be; pure, callable from any thread."""
        if not batch.height or self._layout.has_gaps:
            return None
        layout, readings, doubtful = self._layout, self._readings(batch), None
        if WATERMARK in batch.columns:
            is_doubtful = self.may_be_late(0, batch)
            if is_doubtful.any():
                doubtful, batch = batch.filter(is_doubtful), batch.filter(~is_doubtful)
                readings = readings.filter(~is_doubtful)
        low, high = readings.min(), readings.max()
        if not isinstance(low, int) or not isinstance(high, int):
            return None
        first, last = layout.pane_of(low), layout.pane_of(high)
        if self._panes.is_keyed:
            panes = None if first == last else _each(readings, layout.pane_of)
            return PreparedPanes(self._by_fingerprint(batch, first, panes), layout.first_end(first), doubtful)
        if first == last and self._keys:
            grouped = batch.group_by(self._keys, maintain_order=True).agg(self._partial)
            partial = grouped.insert_column(0, _constant(first, grouped.height))
        else:
            panes = _each(readings, layout.pane_of).alias(PANE)
            partial = batch.with_columns(panes).group_by(PANE, *self._keys, maintain_order=True).agg(self._partial)
        partial = settled_rows(partial, self._settling)
        if batch.height > _SMALL:
            partial = compacted(partial)
        return PreparedPanes(partial, layout.first_end(first), doubtful)

    def _by_fingerprint(self, batch: pl.DataFrame, pane: int, panes: pl.Series | None) -> pl.DataFrame:
        """Returns a batch aggregated by pane and key, with the keys' fingerprints; `panes`: if they are several."""
        rows = self._grouping.grouped(batch)
        if panes is None:
            groups = self._grouping.aggregated(batch, rows)
            return groups.insert_column(0, _constant(pane, groups.height))
        apart = replace(rows, groups=group_rows(*extended(rows.lanes, panes)))
        groups = self._grouping.aggregated(batch, apart)
        return groups.insert_column(0, panes.gather(apart.groups.firsts).alias(PANE))

    def may_close(self, watermark_ms: int, earliest_ms: int, latest_ms: int) -> bool:
        """Tells whether a watermark may close a window of rows between two row times; pure. Never wrongly False."""
        if watermark_ms < earliest_ms:
            return False
        shift = self._axis.shift_between(earliest_ms, latest_ms)
        if shift is None:
            return True
        return self._axis.passed(watermark_ms) >= self._layout.first_end(self._layout.pane_of(earliest_ms + shift)) - 1

    def process_prepared(self, prepared: PreparedPanes) -> bool:
        """Takes the aggregated rows, unless some may be late after all: then False, and the batch has to be judged.

        If True, the doubtful rows are to be handed to `process` next.
        """
        if prepared.first_end <= self._closed:
            return False
        self._add(prepared.partial)
        return True

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        if not batch.height:
            return EMPTY
        prepared = self.prepare(batch)
        if prepared is None or not self.process_prepared(prepared):
            return self._judge(batch)
        return EMPTY if prepared.doubtful is None else self._judge(prepared.doubtful)

    def advance(self, watermark_ms: int) -> Output:
        self._watermark_ms = watermark_ms
        fired = self._fire(self.closed_by(watermark_ms))
        return Output(tuple(fired)) if fired else EMPTY

    def snapshot(self) -> State:
        times = {"closed": [self._closed], "watermark": [self._watermark_ms]}
        state = {"times": pl.DataFrame(times, schema={"closed": pl.Int64, "watermark": pl.Int64})}
        panes = self._panes.snapshot()
        if panes is not None:
            state["panes"] = panes
        return state

    def restore(self, state: State) -> None:
        self._closed, self._watermark_ms = state["times"].row(0)
        if "panes" in state and state["panes"].height:
            self._add(state["panes"])

    # What is told of it to who divides it by key

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return self._panes.size_bytes

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot; empty without keys."""
        return {"panes": self._inner_keys} if self._inner_keys else {}

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the keys of rows."""
        return batch.with_columns(self._keys).select(self._inner_keys)

    def may_be_late(self, port: int, batch: pl.DataFrame) -> pl.Series:
        """Tells for which rows a window has closed, by the watermark before them."""
        layout = self._layout
        first_ends = _each(self._readings(batch), lambda time: layout.first_end(layout.pane_of(time)))
        return self._axis.passed_each(batch[WATERMARK]) >= first_ends - 1

    def _readings(self, batch: pl.DataFrame) -> pl.Series:
        times = batch[self.time_column]
        if times.null_count():
            raise UserError(f"Row time {self.time_column!r} is NULL in {times.null_count()} rows that reached a window")
        return self._axis.readings(times)

    def _add(self, partial: pl.DataFrame) -> None:
        """Takes partial aggregates of which every pane has a window still open."""
        first = partial[PANE].min()
        assert isinstance(first, int)
        end = self._layout.next_end(first, self._closed)
        self._next_end = self._next_end if end is None else min(self._next_end, end)
        self._panes.add(partial)

    # Lateness

    def _judge(self, batch: pl.DataFrame) -> Output:
        """Adds the rows that are not late, sets aside the ones that are, and fires between rows where it matters."""
        judged = self._with_ends(batch)
        is_late = pl.col(_FIRST) <= pl.col(_PASSED)
        late = judged.filter(is_late)
        if not late.height:
            self._add_rows(judged)
            return EMPTY
        self._add_rows(judged.filter(~is_late))
        still_open = late.filter(pl.col(_LAST) > pl.col(_PASSED))
        fired: list[pl.DataFrame] = []
        if still_open.height:
            missed = self._layout.end_at_or_before(pl.col(_PASSED)).alias(_END)
            for rows in still_open.with_columns(missed).partition_by(_END, maintain_order=True):
                fired += self._fire(int(rows[_END][0]))
                self._add_rows(rows.drop(_END))
        return Output(tuple(fired), self._late_rows(late))

    def _with_ends(self, batch: pl.DataFrame) -> pl.DataFrame:
        """Adds each row's pane, first and last end, and how far windows had closed before it."""
        layout = self._layout
        readings = self._readings(batch).alias(PANE)
        if WATERMARK in batch.columns:
            passed = self._axis.passed_each(batch[WATERMARK])
            closed = (passed.clip(upper_bound=END_OF_TIME - 1) + 1).clip(lower_bound=self._closed)
        else:
            closed = pl.Series([self._closed], dtype=pl.Int64).new_from_index(0, batch.height)
        with_pane = batch.with_columns(readings, closed.alias(_PASSED)).with_columns(layout.pane_of(pl.col(PANE)))
        judged = with_pane.with_columns(
            layout.first_end(pl.col(PANE)).alias(_FIRST), layout.last_end(pl.col(PANE)).alias(_LAST)
        )
        return judged.filter(pl.col(_FIRST) <= pl.col(_LAST)) if layout.has_gaps else judged

    def _add_rows(self, judged: pl.DataFrame) -> None:
        if judged.height:
            grouped = judged.group_by(PANE, *self._keys, maintain_order=True)
            self._add(compacted(settled_rows(grouped.agg(self._partial), self._settling)))

    def _late_rows(self, late: pl.DataFrame) -> LateRows:
        last = pl.min_horizontal(pl.col(_LAST), self._layout.end_at_or_before(pl.col(_PASSED)))
        number = pl.col(ROW) if ROW in late.columns else pl.lit(None, dtype=pl.UInt32).alias(ROW)
        watermark = pl.col(WATERMARK) if WATERMARK in late.columns else pl.lit(self._watermark_ms)
        missed = late.select(
            number,
            pl.int_ranges(pl.col(_FIRST), last + 1, self._layout.slide_ms).alias(_END),
            watermark.cast(pl.Datetime("ms")).alias("watermark"),
        ).explode(_END)
        end = pl.col(_END)
        return LateRows(
            missed.select(
                ROW,
                self._layout.start_of(end).cast(pl.Datetime("ms")).alias("window_start"),
                end.cast(pl.Datetime("ms")).alias("window_end"),
                "watermark",
            )
        )

    # Firing

    def _fire(self, closed: int) -> list[pl.DataFrame]:
        """Gives out the windows that end after those already closed and not after `closed`."""
        before = self._closed
        if closed <= before:
            return []
        self._closed = closed
        if self._next_end > closed:
            return []
        fired = [self._give_out(ends) for ends in self._firing(before, closed)]
        self._forget(closed)
        return fired

    def _firing(self, before: int, closed: int) -> Iterator[list[tuple[int, list[int]]]]:
        """Yields the windows to give out, as end and panes, so many at a time as is good for memory."""
        chunk: list[tuple[int, list[int]]] = []
        starts, index, rows = self._panes.starts(), 0, 0
        while index < len(starts):
            end = self._layout.next_end(starts[index], before)
            if end is None:
                index += 1
                continue
            if end > closed:
                break
            first = bisect_left(starts, self._layout.start_of(end))
            panes = starts[first : bisect_left(starts, end)]
            chunk.append((end, panes))
            rows += sum(self._panes.rows(pane) for pane in panes)
            before = end
            if rows >= _FIRE_ROWS or (self._panes.is_keyed and self._layout.kind is not WindowKind.TUMBLE):
                yield chunk
                chunk, starts, index, rows = [], self._panes.starts(), 0, 0
        if chunk:
            yield chunk

    def _give_out(self, ends: list[tuple[int, list[int]]], closes: bool = True) -> pl.DataFrame:
        is_cumulate = self._layout.kind is WindowKind.CUMULATE
        if is_cumulate and closes and len(ends) == 1:
            ends = [self._folded(*ends[0])]
        panes = list(dict.fromkeys(pane for _, panes in ends for pane in panes))
        rows, merged = self._panes.take(panes)
        single = all(len(panes) == 1 for _, panes in ends)
        if self._layout.kind is WindowKind.TUMBLE:
            spread = rows.with_columns((pl.col(PANE) + self._layout.size_ms).alias(_END))
        elif len(ends) == 1:
            spread = rows.with_columns(pl.lit(ends[0][0], dtype=pl.Int64).alias(_END))
        else:
            pairs = [(pane, end) for end, panes in ends for pane in panes]
            windows = pl.DataFrame(pairs, schema={PANE: pl.Int64, _END: pl.Int64}, orient="row")
            spread = windows.join(rows, on=PANE, maintain_order="left_right")
        if not (merged and single):
            spread = self._merged_windows(spread, [end for end, _ in ends])
        if is_cumulate and closes and not single:
            self._fold(ends[-1], spread)
        return self._finish(spread)

    def _merged_windows(self, spread: pl.DataFrame, ends: Sequence[int]) -> pl.DataFrame:
        """Merges the rows that panes have of each window."""
        if len(ends) == 1 and self._by_key is not None and self._panes.is_keyed:
            merged = without(self._by_key.within.of(spread), LANES)
            return merged.with_columns(pl.lit(ends[0], dtype=pl.Int64).alias(_END))
        merged = spread.group_by(_END, *self._inner_keys, maintain_order=True).agg(self._merge)
        return settled_rows(merged, self._settling)

    def _folded(self, end: int, panes: list[int]) -> tuple[int, list[int]]:
        """Returns a window with its panes, which are one if the first is large enough to take in the others."""
        cycle = self._layout.start_of(end)
        return end, [cycle] if self._panes.fold(panes, cycle) else panes

    def _fold(self, last: tuple[int, list[int]], merged: pl.DataFrame) -> None:
        """Keeps a cycle's panes, once merged for a window, as one: the cycle's next window needs them all again."""
        end, panes = last
        cycle = self._layout.start_of(end)
        if len(panes) > 1:
            folded = merged.filter(pl.col(_END) == end).drop(_END)
            self._panes.replace(panes, folded.select(pl.lit(cycle, dtype=pl.Int64).alias(PANE), pl.all()), cycle)

    def _finish(self, merged: pl.DataFrame) -> pl.DataFrame:
        if self._retracts:
            merged = merged.filter(pl.col(ROWS) > 0)
        return merged.select(
            self._columns[name] if name in self._columns else self._window_column(name, merged[_END])
            for name in self._output
        )

    def _window_column(self, name: str, ends: pl.Series) -> pl.Series:
        match self._properties[name]:
            case WindowProperty.START:
                return _each(ends, self._layout.start_of).cast(pl.Datetime("ms")).alias(name)
            case WindowProperty.END:
                return ends.cast(pl.Datetime("ms")).alias(name)
            case WindowProperty.TIME:
                return self._axis.row_times(ends - 1).alias(name)

    def _forget(self, closed: int) -> None:
        starts = self._panes.starts()
        self._panes.drop([pane for pane in starts if self._layout.last_end(pane) <= closed])
        open_ends = (self._layout.next_end(pane, closed) for pane in self._panes.starts())
        self._next_end = min((end for end in open_ends if end is not None), default=END_OF_TIME)


def _each(times: pl.Series, function: Callable[[pl.Expr], pl.Expr]) -> pl.Series:
    return times.to_frame().select(function(pl.col(times.name))).to_series()


def _constant(pane: int, count: int) -> pl.Series:
    return pl.Series(PANE, [pane], dtype=pl.Int64).new_from_index(0, count)


def _merged_panes(
    keys: Sequence[str], merge: Sequence[pl.Expr], settling: Sequence[CompiledAggregate], frame: pl.DataFrame
) -> pl.DataFrame:
    """Returns every group of a pane once."""
    return settled_rows(frame.group_by(PANE, *keys, maintain_order=True).agg(merge), settling)
