"""The bare window table function: each row once per window that it belongs to.

Nothing is late here: rows are handed on with `window_start`, `window_end` and `window_time`, as Flink does.
"""

from __future__ import annotations

import polars as pl

from yeoul.engine.operators.contract import Stateless
from yeoul.engine.operators.time_axis import TimeAxis
from yeoul.engine.operators.windows.layout import WindowLayout

__all__ = ["WindowAssign"]

_END = "$end"


class WindowAssign(Stateless):
    """Adds the window columns, repeating a row for each of its windows in order of their ends.

    Args:
        layout: Where the windows lie, on `axis`.
        axis: The row time's axis.
        time_column: The row-time column; rows without a row time are in no window.
        names: Of window start, window end and window time.
    """

    def __init__(self, layout: WindowLayout, axis: TimeAxis, time_column: str, names: tuple[str, str, str]) -> None:
        self._layout, self._axis, self._time, self._names = layout, axis, time_column, names

    def transform(self, batch: pl.DataFrame) -> pl.DataFrame:
        layout = self._layout
        timed = batch.filter(pl.col(self._time).is_not_null())
        pane = layout.pane_of(pl.col(_END))
        ends = pl.int_ranges(layout.first_end(pane), layout.last_end(pane) + 1, layout.slide_ms)
        in_windows = timed.with_columns(self._axis.readings(timed[self._time]).alias(_END)).with_columns(
            ends.alias(_END)
        )
        if layout.has_gaps:
            in_windows = in_windows.filter(pl.col(_END).list.len() > 0)
        rows = in_windows.explode(_END)
        start_name, end_name, time_name = self._names
        return rows.with_columns(
            layout.start_of(pl.col(_END)).cast(pl.Datetime("ms")).alias(start_name),
            pl.col(_END).cast(pl.Datetime("ms")).alias(end_name),
            self._axis.row_times(rows[_END] - 1).alias(time_name),
        ).drop(_END)
