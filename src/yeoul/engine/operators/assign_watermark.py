"""Event time: each row's watermark, from its split's rows before it and from the other splits.

Lateness is a property of the data: a row is judged against the watermark as it stood before that row, never against
where a batch happened to begin. The work is cut in two. `measure` looks at a batch alone, on any thread: the running
maximum of the watermark expression before each row. `settle` sees batches in the order of arrival and knows the rest:
the merged watermark before the batch and the other splits' minimum; `Bounds.clamp` joins both into `$watermark`.

Most batches need no column: if no watermark of the batch closes a window of one of its rows, none of its rows can be
late by another row of it, and `$watermark` and `$row` are left out (see `Operator.process`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.columnwise import Selection
from yeoul.engine.contract import ROW, WATERMARK, WEIGHT, Omitted
from yeoul.engine.operators.contract import END_OF_TIME, START_OF_TIME, State
from yeoul.engine.operators.time_axis import epoch_ms
from yeoul.engine.operators.watermarks import Bounds, WatermarkMerge

__all__ = ["AssignWatermark", "MayClose", "Measured", "Times", "TimesInOrder"]


MayClose = Callable[[int, int, int], bool]


@dataclass(frozen=True, slots=True)
class Measured:
    """A batch of one split, measured by itself.

    Attributes:
        frame: Its rows with a row time; `$watermark` (running maximum within the batch, before each row) and `$row`
            where they may be needed.
        dead: `$row` (UInt32) of rows whose row time is NULL, if any.
        watermark_ms: The greatest watermark of the batch; None if it has none.
        latest_ms: The greatest row time of the batch.
    """

    frame: pl.DataFrame
    dead: pl.Series | None
    watermark_ms: int | None
    latest_ms: int | None


@dataclass(frozen=True, slots=True)
class Times:
    """What event time a batch tells, whoever reads it.

    Attributes:
        watermarks: Of each row, in ms.
        highest: The greatest of them; None if there is none.
        earliest: The least row time.
        latest: The greatest.
    """

    watermarks: pl.Series
    highest: int | None
    earliest: int | None
    latest: int | None


@dataclass(frozen=True, slots=True)
class TimesInOrder:
    """The row times of a batch, in ms, each with the watermark before it that the batch itself tells."""

    times: NDArray[np.int64]
    before: NDArray[np.int64]

    def cuts(self, floor_ms: int = START_OF_TIME, *, each: bool = False) -> list[tuple[int, int]]:
        """Returns where to cut the batch so that no row is late by another of its piece.

        Args:
            floor_ms: The watermark before the batch.
            each: Whether each late row is to be a piece by itself.

        Returns:
            The rows before which to cut, ascending, each with the greatest watermark that the batch told up to there.
        """
        late = np.flatnonzero(self.times <= (np.maximum(self.before, floor_ms) if each else self.before))
        if each:
            found = np.union1d(late, late + 1)
            found = found[(found > 0) & (found < len(self.times))]
        else:
            found = late[np.unique(self.before[late], return_index=True)[1]]
        return list(zip(found.tolist(), self.before[found].tolist(), strict=True))


class AssignWatermark:
    """Follows event time over the splits of one scan.

    Args:
        column: The row-time column.
        expression: The watermark, of the same type.
        judges: Whether an operator above judges lateness; otherwise no column is ever added.
        told_by_key: Whether a row that is taken back is no more than its key: it needs no row time.
    """

    def __init__(self, column: str, expression: pl.Expr, judges: bool, told_by_key: bool = False) -> None:
        self.column, self._told_by_key = column, told_by_key
        self._expression = expression.alias(WATERMARK)
        self._watermark = Selection([self._expression])
        self._judges = judges
        self.splits = WatermarkMerge()

    def measure(
        self,
        batch: pl.DataFrame,
        full: bool = False,
        may_close: MayClose | None = None,
        omitted: Omitted | None = None,
        times: Times | None = None,
    ) -> Measured:
        """Measures a batch; pure, callable from any thread.

        Args:
            batch: The rows, in the order of arrival.
            full: Whether to add the columns even if no row can be late within the batch.
            may_close: Given a watermark and the earliest and latest row time, all in ms, whether that watermark may
                close a window of such rows; by default, whether it reaches the earliest row time.
            omitted: Where rows were left out: the row time and what the watermark is computed from, of all rows.
            times: What `times` gives, if it is known.
        """
        is_dead = self._dead(batch)
        if is_dead is not None:
            return self._measure_without_dead(batch, is_dead, omitted)
        times = times or self.times(batch, omitted)
        if times is None:
            return Measured(batch, None, None, None)
        highest, earliest, latest = times.highest, times.earliest, times.latest
        may_be_late = full
        if not full and highest is not None and earliest is not None and latest is not None:
            may_be_late = highest >= earliest if may_close is None else may_close(highest, earliest, latest)
        if self._judges and may_be_late:
            before = _before_each(times.watermarks)
            own = before if omitted is None else before.gather(omitted.kept)
            batch = batch.with_columns(own, _row_numbers(batch.height))
        return Measured(batch, None, highest, latest)

    def times(self, batch: pl.DataFrame, omitted: Omitted | None = None) -> Times | None:
        """Returns what times the rows of a batch and those left out tell; None if there is no row."""
        whole = batch if omitted is None else omitted.times
        if not whole.height:
            return None
        watermarks = epoch_ms(self._watermark.of(whole).to_series())
        if len(watermarks) != whole.height:
            watermarks = watermarks.new_from_index(0, whole.height)
        highest, latest = watermarks.max(), epoch_ms(whole[self.column]).max()
        earliest = epoch_ms(batch[self.column]).min()
        assert isinstance(earliest, int | None)
        assert isinstance(latest, int | None)
        assert isinstance(highest, int | None)
        return Times(watermarks, highest, earliest, latest)

    def order(
        self, batch: pl.DataFrame, omitted: Omitted | None = None, times: Times | None = None
    ) -> TimesInOrder | None:
        """Returns the times of a batch as they came; None if there is no row. The arguments are those of `measure`."""
        times = times or self.times(batch, omitted)
        if times is None:
            return None
        before = _before_each(times.watermarks).to_numpy()
        own = epoch_ms(batch[self.column]).fill_null(END_OF_TIME).to_numpy()
        return TimesInOrder(own, before if omitted is None else before[omitted.kept])

    def tells_as(self, other: AssignWatermark) -> bool:
        """Whether another tells the same times of equal batches."""
        return self.column == other.column and self._expression.meta.eq(other._expression)

    def settle(self, split: str, watermark_ms: int | None) -> Bounds:
        """Takes what was measured of a split's next batch; returns what to judge that batch's rows by."""
        self.splits.add(split)
        bounds = self.splits.bounds(split)
        self.splits.observe(split, watermark_ms)
        return bounds

    def snapshot(self) -> State:
        return {"splits": self.splits.snapshot()}

    def restore(self, state: State) -> None:
        self.splits.restore(state["splits"])

    def _dead(self, batch: pl.DataFrame) -> pl.Series | None:
        """Tells which rows lack a row time that they need; None if all have theirs."""
        if not batch[self.column].null_count():
            return None
        is_dead = batch[self.column].is_null()
        if self._told_by_key and WEIGHT in batch.columns:
            is_dead &= batch[WEIGHT] > 0
        return is_dead if is_dead.any() else None

    def _measure_without_dead(self, batch: pl.DataFrame, is_dead: pl.Series, omitted: Omitted | None) -> Measured:
        numbered = batch.with_columns(_row_numbers(batch.height))
        living = None if omitted is None else _without_dead(omitted, is_dead)
        alive = self.measure(numbered.filter(~is_dead).drop(ROW), full=True, omitted=living)
        frame = alive.frame
        if self._judges and frame.height:
            frame = frame.with_columns(numbered.filter(~is_dead)[ROW])
        return Measured(frame, numbered.filter(is_dead)[ROW], alive.watermark_ms, alive.latest_ms)


def _without_dead(omitted: Omitted, is_dead: pl.Series) -> Omitted:
    """Returns the times without those of some rows of the frame."""
    dead = is_dead.to_numpy()
    lives = np.ones(omitted.times.height, np.bool_)
    lives[omitted.kept[dead]] = False
    places = np.cumsum(lives) - 1
    return Omitted(omitted.times.filter(pl.Series(lives)), places[omitted.kept[~dead]])


def _before_each(watermarks: pl.Series) -> pl.Series:
    """Returns the running maximum before each row."""
    known = watermarks.fill_null(START_OF_TIME) if watermarks.null_count() else watermarks
    before = np.empty(len(known), np.int64)
    before[0] = START_OF_TIME
    np.maximum.accumulate(known.to_numpy()[:-1], out=before[1:])
    return pl.Series(WATERMARK, before)


def _row_numbers(height: int) -> pl.Series:
    return pl.int_range(height, dtype=pl.UInt32, eager=True).alias(ROW)
