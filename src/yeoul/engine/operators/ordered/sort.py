"""ORDER BY: rows in order of event time as the watermark passes them, or all of them at the end of the input."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from yeoul.engine.operators.changes.settle import SettleChanges
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, START_OF_TIME, Output, State
from yeoul.engine.operators.lateness import in_time
from yeoul.engine.operators.time_axis import epoch_ms
from yeoul.engine.state.compact import compacted
from yeoul.plan.ordering import SortKey

__all__ = ["SortAtEnd", "SortByTime", "sorted_by"]

_LEAST_GATHERED = 1 << 16


def sorted_by(rows: pl.DataFrame, order: Sequence[SortKey], first: Sequence[str] = ()) -> pl.DataFrame:
    """Returns rows in order, equal ones as they stood; by the columns of `first`, ascending, before all else.

    Example:
        >>> rows = pl.DataFrame({"a": [1, None, 2]})
        >>> sorted_by(rows, [SortKey("a", descending=True, nulls_last=True)])["a"].to_list()
        [2, 1, None]
    """
    if not order and not first:
        return rows
    return rows.sort(
        [*first, *(key.column for key in order)],
        descending=[*(False for _ in first), *(key.descending for key in order)],
        nulls_last=[*(False for _ in first), *(key.nulls_last for key in order)],
        maintain_order=True,
    )


class SortByTime:
    """Gives rows in order when the watermark has passed them.

    Args:
        columns: The columns, in order.
        order: What to sort by; the row time first, ascending.
    """

    def __init__(self, columns: Sequence[str], order: Sequence[SortKey]) -> None:
        self._columns, self._order = list(columns), list(order)
        self._waiting = _Gathered()
        self._watermark_ms = START_OF_TIME

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        rows, late = in_time(batch, self._order[0].column, self._watermark_ms)
        if rows.height:
            self._waiting.add(rows.select(self._columns))
        return Output(late=late)

    def advance(self, watermark_ms: int) -> Output:
        self._watermark_ms = watermark_ms
        rows = self._waiting.whole()
        if rows is None:
            return EMPTY
        passed = epoch_ms(rows[self._order[0].column]) <= watermark_ms
        given = rows.filter(passed)
        self._waiting = _Gathered(compacted(rows.filter(~passed)) if given.height else rows)
        return Output((sorted_by(given, self._order),)) if given.height else EMPTY

    def snapshot(self) -> State:
        times = pl.DataFrame({"watermark": [self._watermark_ms]}, schema={"watermark": pl.Int64})
        rows = self._waiting.whole()
        return {"times": times} if rows is None else {"times": times, "rows": rows}

    def restore(self, state: State) -> None:
        self._watermark_ms = state["times"].item()
        self._waiting = _Gathered(state.get("rows"))

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return self._waiting.size_bytes


class SortAtEnd:
    """Gives the rows that are left at the end of the input, in order.

    Args:
        columns: The columns, in order.
        order: What to sort by; nothing: order of arrival.
        offset: How many rows to pass over.
        count: How many to give then; None: all.
        retracts: Whether rows of the input may be taken back.
    """

    def __init__(
        self, columns: Sequence[str], order: Sequence[SortKey], offset: int, count: int | None, *, retracts: bool
    ) -> None:
        self._columns, self._order, self._offset, self._count = list(columns), list(order), offset, count
        self._settled = SettleChanges(columns) if retracts else None
        self._rows = _Gathered()
        self._given = False

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        if self._settled is not None:
            return self._settled.process(port, batch)
        self._rows.add(batch.select(self._columns))
        if self._count is not None and self._rows.height > max(_LEAST_GATHERED, 4 * (self._offset + self._count)):
            self._rows = _Gathered(compacted(self._sorted().head(self._offset + self._count)))
        return EMPTY

    def advance(self, watermark_ms: int) -> Output:
        if watermark_ms < END_OF_TIME or self._given:
            return EMPTY
        self._given = True
        if self._settled is not None:
            self._rows = _Gathered(*self._settled.advance(watermark_ms).batches)
        rows = self._sorted().slice(self._offset, self._count)
        self._rows = _Gathered()
        return Output((rows,)) if rows.height else EMPTY

    def snapshot(self) -> State:
        state = {"sort": pl.DataFrame({"finished": [self._given]})}
        if self._settled is not None:
            return {**state, **self._settled.snapshot()}
        rows = self._rows.whole()
        return state if rows is None else {**state, "rows": rows}

    def restore(self, state: State) -> None:
        self._given = state["sort"].item()
        if self._settled is not None:
            self._settled.restore(state)
        elif "rows" in state:
            self._rows = _Gathered(state["rows"])

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return self._rows.size_bytes + (0 if self._settled is None else self._settled.size_bytes)

    def _sorted(self) -> pl.DataFrame:
        rows = self._rows.whole()
        return pl.DataFrame() if rows is None else sorted_by(rows, self._order)


class _Gathered:
    """Frames one behind the other.

    Attributes:
        height: How many rows they have.
        size_bytes: What they take.
    """

    def __init__(self, *frames: pl.DataFrame | None) -> None:
        self._frames: list[pl.DataFrame] = []
        self.height = self.size_bytes = 0
        for frame in frames:
            if frame is not None:
                self.add(frame)

    def add(self, frame: pl.DataFrame) -> None:
        """Puts a frame behind the others."""
        self._frames.append(frame)
        self.height += frame.height
        self.size_bytes += int(frame.estimated_size())

    def whole(self) -> pl.DataFrame | None:
        """Returns all as one frame; None if there is none."""
        return pl.concat(self._frames) if self._frames else None
