"""OVER: each row with what functions say of the rows around it.

By event time rows wait until the watermark has passed them; rows that it had passed before they came are late. By
processing time, rows are in order as they arrive, each batch is answered at once. At the end of the input everything
is.

What is remembered is what later rows look back at, per partition: where frames begin with the first row, one row of
merged partial aggregates; where they reach back so many rows or so long, these rows' own partial aggregates. In each
step a partition's memory stands before its new rows, and all frames are answered at once (see `frames`). The answer
does not depend on where batches were cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.columnwise import taken
from yeoul.engine.compile.aggregates import CompiledAggregate
from yeoul.engine.compile.faults import EvaluationError, checked
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, START_OF_TIME, Output, State
from yeoul.engine.operators.lateness import in_time, may_be_late
from yeoul.engine.operators.ordered.frames import Places, Runs, bounds, merged, sums
from yeoul.engine.operators.ordered.lookback import Lookback, Remembered
from yeoul.engine.operators.ordered.over_functions import GROUPS, ROWS, counts_rows, neighbours, ranked, shares
from yeoul.engine.operators.ordered.partitions import PARTITION, Partitions, partitions_of
from yeoul.engine.operators.ordered.sort import sorted_by
from yeoul.engine.operators.time_axis import epoch_ms
from yeoul.engine.state.compact import compacted
from yeoul.engine.totals import Totals
from yeoul.kernels.grouping import in_groups
from yeoul.kernels.interleaving import Interleaved, interleaved
from yeoul.plan.expressions import AggregateCall
from yeoul.plan.ordering import Frame, FrameUnit, OverTime, SortKey

__all__ = ["Over", "OverFunction", "OverWindow"]

_PLACE, _TIME = "$place", "$time"
_NO_TIME = -(2**62)
_NOWHERE = 2**40
_NONE = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class OverFunction:
    """One function of a window.

    Attributes:
        name: The output column.
        call: As bound: an aggregate, a ranking, `lag` or `lead`.
        dtype: Of the output.
        aggregate: The aggregate, compiled; None if it is none.
        value: What `lag` and `lead` look for.
        offset: How many rows away, or what says so for each row; of `ntile`, how many groups.
        default: What they give where there is no such row, over the row itself.
    """

    name: str
    call: AggregateCall
    dtype: pl.DataType
    aggregate: CompiledAggregate | None = None
    value: pl.Expr | None = None
    offset: int | pl.Expr = 1
    default: pl.Expr | None = None


@dataclass(frozen=True, slots=True)
class OverWindow:
    """What the functions look at.

    Attributes:
        columns: The input's columns, in order.
        partition: Those that make the partition; may be none.
        order: The order within.
        frame: Which rows aggregates see.
        time: When rows are complete.
    """

    columns: Sequence[str]
    partition: Sequence[str]
    order: Sequence[SortKey]
    frame: Frame
    time: OverTime


class Over:
    """Answers functions over one window.

    Args:
        window: What they look at.
        functions: The functions.
        lookback: What is remembered of earlier rows.
    """

    def __init__(self, window: OverWindow, functions: Sequence[OverFunction], lookback: Lookback) -> None:
        frame = window.frame
        if window.time is OverTime.PROCESSING and frame.preceding is None:
            frame = Frame(FrameUnit.ROWS)
        self._window, self._frame, self._functions, self._lookback = window, frame, list(functions), lookback
        partial = [one for function in self._functions if function.aggregate for one in function.aggregate.partial]
        self._own = Totals(partial) if partial else None
        self.time = window.time
        self._has_time = frame.unit is FrameUnit.RANGE and window.time is not OverTime.END
        self._has_time |= bool(frame.unit is FrameUnit.RANGE and (frame.preceding or frame.following))
        self._has_peers = _asks_for_peers(frame, window.time, self._functions)
        self._waiting: list[pl.DataFrame] = []
        self._next_ms = END_OF_TIME
        self._watermark_ms = START_OF_TIME

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        if self.time is OverTime.PROCESSING:
            return Output((self._answered(batch),)) if batch.height else EMPTY
        if self.time is OverTime.END:
            self._waiting.append(batch.select(self._window.columns))
            return EMPTY
        rows, late = in_time(batch, self._window.order[0].column, self._watermark_ms)
        if rows.height:
            self._wait(rows.select(self._window.columns))
        return Output(late=late)

    def advance(self, watermark_ms: int) -> Output:
        self._watermark_ms = watermark_ms
        is_early = watermark_ms < (END_OF_TIME if self.time is OverTime.END else self._next_ms)
        if not self._waiting or is_early:
            if self.time is OverTime.EVENT:
                self._lookback.forget_before(watermark_ms + 1)
            return EMPTY
        rows = pl.concat(self._waiting)
        if self.time is OverTime.END:
            self._waiting = []
            return Output((self._answered(rows),)) if rows.height else EMPTY
        column = self._window.order[0].column
        passed = epoch_ms(rows[column]) <= watermark_ms
        complete = rows.filter(passed)
        self._waiting, self._next_ms = [], END_OF_TIME
        if complete.height < rows.height:
            self._wait(compacted(rows.filter(~passed)))
        answered = self._answered(complete.sort(column, maintain_order=True))
        self._lookback.forget_before(watermark_ms + 1)
        return Output((answered,))

    def snapshot(self) -> State:
        times = pl.DataFrame({"watermark": [self._watermark_ms]}, schema={"watermark": pl.Int64})
        state = {"times": times, **self._lookback.snapshot()}
        return {**state, "waiting": pl.concat(self._waiting)} if self._waiting else state

    def restore(self, state: State) -> None:
        self._watermark_ms = state["times"].item()
        if "waiting" in state and state["waiting"].height:
            self._wait(state["waiting"])
        self._lookback.restore({name: frame for name, frame in state.items() if name not in ("times", "waiting")})

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return self._lookback.size_bytes + sum(int(rows.estimated_size()) for rows in self._waiting)

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot; empty without a partition."""
        partition = self._window.partition
        inner = [f"$key{index}" for index in range(len(partition))]
        return {"waiting": partition, "partitions": inner, "rows": inner} if partition else {}

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the partitions of rows."""
        return batch.select(self._window.partition)

    @property
    def due_ms(self) -> int | None:
        """The least watermark that completes a row; None if watermarks do not."""
        return self._next_ms if self.time is OverTime.EVENT else None

    def may_be_late(self, port: int, batch: pl.DataFrame) -> pl.Series | None:
        """Tells which rows the watermark had passed before they came; None if none is ever late."""
        return may_be_late(batch, self._window.order[0].column) if self.time is OverTime.EVENT else None

    def _wait(self, rows: pl.DataFrame) -> None:
        self._waiting.append(rows)
        if self.time is OverTime.EVENT:
            self._next_ms = min(self._next_ms, int(epoch_ms(rows[self._window.order[0].column]).min()))  # type: ignore[arg-type]

    # --- answering

    def _answered(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns rows with a column for each function, as they stand, and remembers them."""
        window = self._window
        partitions = partitions_of(rows, window.partition)
        asked = rows.with_columns(
            partitions.numbers,
            pl.int_range(rows.height, eager=True, dtype=pl.Int64).alias(_PLACE),
            *([self._times(rows).alias(_TIME)] if self._has_time else []),
        )
        asked = self._sorted(asked, partitions)
        new = self._elements(asked)
        every, stand = _interleaved(self._lookback.find(partitions, new), new, partitions.sizes)
        runs = self._runs(every, stand)
        answers, totals = self._merged(every, runs, stand.places)
        back = np.empty(rows.height, np.int64)
        back[asked[_PLACE].to_numpy()] = np.arange(rows.height)
        self._lookback.keep(partitions, new, totals, back)
        answers = self._with_defaults(asked, answers, every, runs, stand.places)
        return rows.with_columns(answers[back].get_columns())

    def _sorted(self, asked: pl.DataFrame, partitions: Partitions) -> pl.DataFrame:
        """Returns rows partition by partition, each one's in order; by event time they already are in it."""
        order = self._window.order
        is_in_order = self.time is OverTime.PROCESSING or (self.time is OverTime.EVENT and len(order) == 1)
        return taken(asked, partitions.order) if is_in_order else sorted_by(asked, order, [PARTITION])

    def _times(self, rows: pl.DataFrame) -> pl.Series:
        """Returns milliseconds along the order; NULL, which only stands at the end of the input, is far from all."""
        return epoch_ms(rows[self._window.order[0].column]).fill_null(_NO_TIME)

    def _elements(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns what frames are made of: per row its time, its own partial aggregates."""
        columns = [rows[_TIME]] if self._has_time else []
        if self._has_peers:
            columns += [rows[key.column].alias(f"$order{index}") for index, key in enumerate(self._window.order)]
        if self._own is not None:
            columns += self._own.of(rows, in_groups(np.ones(rows.height, np.int64)))
        wanted = [f.value.alias(f"$value{at}") for at, f in enumerate(self._functions) if f.value is not None]
        wanted += [
            checked([f.offset], partial(_offsets, f.name), pl.Int64()).alias(f"$offset{at}")
            for at, f in enumerate(self._functions)
            if isinstance(f.offset, pl.Expr)
        ]
        if wanted:
            columns += [
                one if len(one) == rows.height else one.new_from_index(0, rows.height)
                for one in rows.select(wanted).get_columns()
            ]
        if any(counts_rows(function.call.function) for function in self._functions):
            ones = pl.repeat(1, rows.height, dtype=pl.Int64, eager=True)
            columns += [ones.alias(ROWS), ones.alias(GROUPS)]
        return pl.DataFrame(columns)

    def _runs(self, every: pl.DataFrame, stand: Interleaved) -> Runs:
        times = every[_TIME].to_numpy() if self._has_time and not self._lookback.is_merged else None
        if not self._has_peers:
            own = np.arange(every.height)
            return Runs(stand.starts, stand.ends, own, own, times)
        begins = np.zeros(every.height, np.bool_)
        begins[stand.starts] = True
        # What is remembered is no peer of what is new.
        begins[stand.places[:1]] = True
        begins[stand.places[1:][np.diff(stand.places) > 1]] = True
        for index in range(len(self._window.order)):
            begins |= _changes(every[f"$order{index}"])
        return Runs(stand.starts, stand.ends, *bounds(begins), times)

    def _merged(self, every: pl.DataFrame, runs: Runs, asked: NDArray[np.int64]) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Returns each function's answer for the rows at some places, and the partial aggregates of whole partitions.

        The latter are left out where nobody remembers them.
        """
        places, count = runs.frames(self._frame, asked), len(asked)
        firsts = np.flatnonzero(runs.starts == np.arange(every.height)) if self._lookback.is_merged else _NONE
        whole = Places(firsts, runs.ends[firsts])
        if len(firsts):
            places = Places(np.concatenate([places.starts, whole.starts]), np.concatenate([places.ends, whole.ends]))
        answers: list[pl.Series] = []
        totals: list[pl.Series] = []
        for at, function in enumerate(self._functions):
            if function.aggregate is not None:
                columns = merged(every, function.call, function.aggregate, places, runs.starts)
                said = pl.DataFrame([one.head(count) for one in columns]).select(function.aggregate.final).to_series()
                totals += [one.slice(count) for one in columns]
            elif function.value is not None:
                said = self._neighbour(function, every, at, runs, asked)
            else:
                name = function.call.function
                counts = counts_rows(name)
                buckets = function.offset if isinstance(function.offset, int) else 1
                said = ranked(name, every, runs, asked) if counts else shares(name, runs, buckets)
            answers.append(said.alias(function.name).cast(function.dtype))
        if ROWS in every.columns:
            groups = every[GROUPS].to_numpy() * (runs.peer_starts == np.arange(every.height))
            totals += [sums(one, whole) for one in (every[ROWS], pl.Series(GROUPS, groups))]
        return pl.DataFrame(answers), pl.DataFrame(totals)

    def _neighbour(
        self, function: OverFunction, every: pl.DataFrame, at: int, runs: Runs, asked: NDArray[np.int64]
    ) -> pl.Series:
        values = every[f"$value{at}"]
        place, there = neighbours(function.call.function, _offset(function, every, at, asked), values, runs, asked)
        found = values.gather(pl.Series(place))
        return found.set(pl.Series(~there), None)

    def _with_defaults(
        self, rows: pl.DataFrame, answers: pl.DataFrame, every: pl.DataFrame, runs: Runs, asked: NDArray[np.int64]
    ) -> pl.DataFrame:
        """Fills in what LAG and LEAD give where there is no such row."""
        for at, function in enumerate(self._functions):
            if function.default is None:
                continue
            offset = _offset(function, every, at, asked)
            there = neighbours(function.call.function, offset, every[f"$value{at}"], runs, asked)[1]
            default = rows.select(function.default.alias(function.name)).to_series().cast(function.dtype)
            default = default if len(default) == rows.height else default.new_from_index(0, rows.height)
            answers = answers.with_columns(answers[function.name].zip_with(pl.Series(there), default))
        return answers


def _offsets(name: str, given: pl.Series) -> pl.Series:
    """How many rows away, for each row; NULL looks nowhere."""
    if isinstance(least := given.min(), int) and least < 0:
        raise EvaluationError(f"The offset of {name} is negative: {least}")
    return given.cast(pl.Int64).fill_null(_NOWHERE)


def _offset(function: OverFunction, every: pl.DataFrame, at: int, asked: NDArray[np.int64]) -> int | NDArray[np.int64]:
    return function.offset if isinstance(function.offset, int) else every[f"$offset{at}"].to_numpy()[asked]


def _asks_for_peers(frame: Frame, time: OverTime, functions: Sequence[OverFunction]) -> bool:
    """Tells whether it matters which rows are equal in order: to frames by value, and to ranks and shares."""
    if frame.unit is FrameUnit.ROWS and time is OverTime.PROCESSING:
        return False
    return frame.unit is FrameUnit.RANGE or any(one.aggregate is None and one.value is None for one in functions)


def _changes(values: pl.Series) -> NDArray[np.bool_]:
    """Marks where a value differs from the one before."""
    changes = np.ones(len(values), np.bool_)
    if len(values):
        changes[1:] = values.slice(1).ne_missing(values.head(len(values) - 1)).to_numpy()
    return changes


def _interleaved(
    old: Remembered | None, new: pl.DataFrame, sizes: NDArray[np.int64]
) -> tuple[pl.DataFrame, Interleaved]:
    """Returns remembered and new rows together, each partition's remembered ones before its new ones, and where."""
    if old is None:
        return new, interleaved(np.zeros(len(sizes), np.int64), sizes)
    stand = interleaved(old.sizes, sizes)
    both = pl.concat([old.rows.select(new.columns), new], rechunk=True)
    return taken(both, stand.order), stand
