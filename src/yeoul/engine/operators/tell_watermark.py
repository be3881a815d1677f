"""CURRENT_WATERMARK: each row is told the watermark as it stood before it.

Stands right above the watermark of a table, on the job's own thread: before a batch's rows came what the splits before
and beside it had told is known only there. Every batch that reaches it has `$watermark`, already merged.
"""

from __future__ import annotations

import polars as pl

from yeoul.engine.contract import ROW, WATERMARK
from yeoul.engine.operators.contract import START_OF_TIME, Stateless

__all__ = ["TellWatermark"]


class TellWatermark(Stateless):
    """Adds a column with each row's watermark, NULL before the first.

    Args:
        column: Its name.
        dtype: Its type, in milliseconds.
        judged: Whether an operator above judges lateness: then `$watermark` and `$row` go on to it.
    """

    def __init__(self, column: str, dtype: pl.DataType, judged: bool) -> None:
        self._column, self._dtype, self._judged = column, dtype, judged

    def transform(self, batch: pl.DataFrame) -> pl.DataFrame:
        before = batch[WATERMARK]
        known = before.set(before == START_OF_TIME, None) if before.min() == START_OF_TIME else before
        told = batch.with_columns(known.cast(self._dtype).alias(self._column))
        return told if self._judged else told.drop(WATERMARK, ROW)
