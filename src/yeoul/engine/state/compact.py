"""Cuts rows loose from the buffers that they were read from.

Strings and bytes are views: a frame of ten rows can keep four megabytes of input alive. Whatever is kept longer than
its batch goes through here first.
"""

from __future__ import annotations

import polars as pl

__all__ = ["compacted"]


def compacted(frame: pl.DataFrame) -> pl.DataFrame:
    """Returns the same rows, with strings and bytes copied into buffers of their own."""
    names = [name for name, dtype in frame.schema.items() if _holds_views(dtype)]
    if not names:
        return frame
    copied = pl.from_arrow(frame.select(names).to_arrow(compat_level=pl.CompatLevel.oldest()))
    assert isinstance(copied, pl.DataFrame)
    return frame.with_columns(copied.get_columns())


def _holds_views(dtype: pl.DataType) -> bool:
    if isinstance(dtype, pl.List | pl.Array):
        return _holds_views(dtype.inner)  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return any(_holds_views(field.dtype) for field in dtype.fields)  # type: ignore[arg-type]
    return isinstance(dtype, pl.String | pl.Binary)
