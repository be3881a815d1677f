"""Rows to a terminal, each as `+I[a, b]`.

Owns the line, not the stream: it is never closed here. Meant for people, so it works value by value.
"""

from __future__ import annotations

from typing import TextIO

import polars as pl

from yeoul.connectors.print.rendering import render_column
from yeoul.plan.tables import ColumnKind, TableDefinition

__all__ = ["PrintSink"]


class PrintSink:
    """Writes one line a row.

    Args:
        table: What is written to; gives the types.
        identifier: Stands before each row as `ID> `; empty for none.
        stream: Where to.
    """

    def __init__(self, table: TableDefinition, identifier: str, stream: TextIO) -> None:
        self._types = {column.name: column.type for column in table.columns if column.kind is not ColumnKind.COMPUTED}
        self._prefix = f"{identifier}> " if identifier else ""
        self._stream = stream

    def write(self, frame: pl.DataFrame) -> None:
        """Prints every row."""
        if frame.height == 0:
            return
        columns = [render_column(column, self._types[column.name]) for column in frame.iter_columns()]
        before = f"{self._prefix}+I["
        self._stream.write("".join(f"{before}{', '.join(row)}]\n" for row in zip(*columns, strict=True)))

    def flush(self) -> None:
        """Flushes the stream."""
        self._stream.flush()

    def close(self) -> None:
        """Leaves the stream open: it is not ours."""
