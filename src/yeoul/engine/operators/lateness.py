"""Rows that came too late for an order: the watermark had passed them before they came.

Each row is judged by `$watermark`, the watermark as it stood before that very row, so that it does not matter how
batches were cut.
"""

from __future__ import annotations

import polars as pl

from yeoul.engine.contract import ROW, WATERMARK
from yeoul.engine.operators.contract import LateRows
from yeoul.engine.operators.time_axis import epoch_ms
from yeoul.errors import UserError

__all__ = ["in_time", "may_be_late"]


def may_be_late(batch: pl.DataFrame, column: str) -> pl.Series:
    """Tells which rows, all with `$watermark`, that had passed before they came."""
    return epoch_ms(batch[column]).fill_null(0) <= batch[WATERMARK]


def in_time(batch: pl.DataFrame, column: str, watermark_ms: int) -> tuple[pl.DataFrame, LateRows | None]:
    """Returns the rows of a batch that the watermark had not passed, and the others.

    Args:
        batch: Rows, with `$watermark` where one of them may make another late.
        column: The row time.
        watermark_ms: The watermark before the batch.

    Raises:
        UserError: A row time is NULL.
    """
    if batch[column].null_count():
        raise UserError(f"Row time {column!r} is NULL in {batch[column].null_count()} rows that have to be in order")
    times = epoch_ms(batch[column])
    if WATERMARK in batch.columns:
        passed = batch[WATERMARK].clip(lower_bound=watermark_ms)
    else:
        passed = pl.Series([watermark_ms], dtype=pl.Int64).new_from_index(0, batch.height)
    is_late = times <= passed
    if not is_late.any():
        return batch, None
    late = batch.filter(is_late)
    number = late[ROW] if ROW in late.columns else pl.Series([None], dtype=pl.UInt32).new_from_index(0, late.height)
    nothing = pl.Series([None], dtype=pl.Datetime("ms")).new_from_index(0, late.height)
    frame = pl.DataFrame(
        [
            number.alias(ROW),
            nothing.alias("window_start"),
            nothing.alias("window_end"),
            passed.filter(is_late).cast(pl.Datetime("ms")).alias("watermark"),
        ]
    )
    return batch.filter(~is_late), LateRows(frame)
