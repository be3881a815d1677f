"""The window join: rows of two inputs that belong to the same window, joined once, when the window closes.

Rows only wait, in one frame a window and side, until the watermark passes the window's end - 1 ms; then all windows
that close are joined at once. A row of a window that has closed, by the watermark before that very row, is late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from yeoul.engine.contract import ROW, WATERMARK
from yeoul.engine.operators.contract import EMPTY, START_OF_TIME, LateRows, Output, State
from yeoul.engine.operators.joins.sides import JoinSides
from yeoul.engine.operators.time_axis import TimeAxis, epoch_ms
from yeoul.engine.state.compact import compacted
from yeoul.engine.state.panes import PANE, PaneStore
from yeoul.plan.join_bounds import SameWindow
from yeoul.plan.nodes import JoinKind

__all__ = ["WindowJoin"]

_NAMES = ("left", "right")
_NUMBERS = ("$left", "$right")


class WindowJoin:
    """Joins two inputs of rows that stand, window by window; all kinds.

    Args:
        sides: The inputs and what is given.
        bound: Their columns of window start and end.
        axis: The axis on which the windows lie.
    """

    def __init__(self, sides: JoinSides, bound: SameWindow, axis: TimeAxis) -> None:
        self._sides, self._windows, self._axis = sides, (bound.left, bound.right), axis
        self._stores = (PaneStore(_as_they_are), PaneStore(_as_they_are))
        self._empty: list[pl.DataFrame | None] = [None, None]
        self._watermark_ms = START_OF_TIME

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        ends = epoch_ms(batch[self._windows[port][1]]).alias(PANE)
        is_late, late = self.may_be_late(port, batch), None
        if is_late.any():
            late = self._late(port, batch.filter(is_late))
            batch, ends = batch.filter(~is_late), ends.filter(~is_late)
        if batch.height:
            rows = self._sides.keyed(port, batch).with_columns(ends)
            self._empty[port] = rows.clear()
            self._stores[port].add(compacted(rows))
        return Output((), late)

    def advance(self, watermark_ms: int) -> Output:
        self._watermark_ms = watermark_ms
        passed = self._axis.passed(watermark_ms)
        closing = sorted({end for store in self._stores for end in store.starts() if end - 1 <= passed})
        if not closing:
            return EMPTY
        left, right = (self._taken(port, closing) for port in (0, 1))
        joined = self._joined(left, right)
        return Output((joined,)) if joined is not None and joined.height else EMPTY

    def snapshot(self) -> State:
        frames = {name: store.snapshot() for name, store in zip(_NAMES, self._stores, strict=True)}
        kept = {name: rows for name, rows in frames.items() if rows is not None}
        return {**kept, "watermark": pl.DataFrame({"ms": [self._watermark_ms]}, schema={"ms": pl.Int64})}

    def restore(self, state: State) -> None:
        self._watermark_ms = state["watermark"]["ms"].item()
        for port, name in enumerate(_NAMES):
            if name in state:
                self._empty[port] = state[name].clear()
                if state[name].height:
                    self._stores[port].add(state[name])

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return sum(store.size_bytes for store in self._stores)

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
        """The least watermark that closes a window of a row; None if no row waits for one."""
        earliest = min((end for store in self._stores for end in store.starts()), default=None)
        return None if earliest is None else self._axis.instant(earliest - 1)

    def may_be_late(self, port: int, batch: pl.DataFrame) -> pl.Series:
        """Tells which rows' windows had closed before they came."""
        ends = epoch_ms(batch[self._windows[port][1]])
        if WATERMARK in batch.columns:
            return ends - 1 <= self._axis.passed_each(batch[WATERMARK])
        return ends - 1 <= self._axis.passed(self._watermark_ms)

    def _taken(self, port: int, ends: list[int]) -> pl.DataFrame | None:
        store = self._stores[port]
        held = set(store.starts())
        mine = [end for end in ends if end in held]
        if not mine:
            return self._empty[port]
        rows, _ = store.take(mine)
        store.drop(mine)
        return rows

    def _joined(self, left: pl.DataFrame | None, right: pl.DataFrame | None) -> pl.DataFrame | None:
        sides, kind = self._sides, self._sides.kind
        if left is None or right is None:
            return self._one_sided(left, right)
        numbered = [rows.with_row_index(number) for number, rows in zip(_NUMBERS, (left, right), strict=True)]
        keyed = [rows if (has := sides.has_key(rows)) is None else rows.filter(has) for rows in numbered]
        on = [PANE, *sides.key_names]
        pairs = keyed[0].join(keyed[1], on=on, how="inner", nulls_equal=True, maintain_order="left_right")
        holds = sides.holding(pairs)
        if holds is not None:
            pairs = pairs.filter(holds)
        if not kind.gives_right:
            has = numbered[0][_NUMBERS[0]].is_in(pairs[_NUMBERS[0]].implode())
            return left.filter(has if kind is JoinKind.SEMI else ~has).select(list(sides.output))
        given = [pairs.select(list(sides.output))]
        for port, rows in enumerate(numbered):
            if sides.keeps(port):
                number = _NUMBERS[port]
                given.append(sides.alone(port, rows.join(pairs.select(number), on=number, how="anti")))
        return pl.concat(given)

    def _one_sided(self, left: pl.DataFrame | None, right: pl.DataFrame | None) -> pl.DataFrame | None:
        """Nothing has ever come on one side."""
        sides = self._sides
        if left is not None and sides.kind is JoinKind.ANTI:
            return left.select(list(sides.output))
        for port, rows in enumerate((left, right)):
            if rows is not None and sides.keeps(port):
                return sides.alone(port, rows)
        return None

    def _late(self, port: int, late: pl.DataFrame) -> LateRows:
        start, end = self._windows[port]
        number = pl.col(ROW) if ROW in late.columns else pl.lit(None, dtype=pl.UInt32).alias(ROW)
        watermark = pl.col(WATERMARK) if WATERMARK in late.columns else pl.lit(self._watermark_ms)
        columns = [pl.col(start).cast(pl.Datetime("ms")).alias("window_start")]
        columns += [pl.col(end).cast(pl.Datetime("ms")).alias("window_end")]
        return LateRows(late.select(number, *columns, watermark.cast(pl.Datetime("ms")).alias("watermark")))


def _as_they_are(rows: pl.DataFrame) -> pl.DataFrame:
    return rows
