"""Cuts rows loose from the buffers that they were read from.

Strings and bytes are views: a frame of ten rows can keep four megabytes of input alive. Whatever is kept longer than
its batch goes through here first.
"""

from __future__ import annotations

import polars as pl

from yeoul.engine.columnwise import together

__all__ = ["compacted"]


def compacted(frame: pl.DataFrame) -> pl.DataFrame:
    """Returns the same rows, with strings and bytes copied into buffers of their own."""
    columns = frame.get_columns()
    if not any(_holds_views(column.dtype) for column in columns):
        return frame
    return together([_copied(column) if _holds_views(column.dtype) else column for column in columns])


def _copied(column: pl.Series) -> pl.Series:
    """Copies a column; by itself, for a frame of Arrow goes through Polars' thread pool."""
    return pl.Series(column.name, column.to_arrow(compat_level=pl.CompatLevel.oldest()))


def _holds_views(dtype: pl.DataType) -> bool:
    if isinstance(dtype, pl.List | pl.Array):
        return _holds_views(dtype.inner)  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return any(_holds_views(field.dtype) for field in dtype.fields)  # type: ignore[arg-type]
    return isinstance(dtype, pl.String | pl.Binary)
