"""Rows to a terminal, each as `+I[a, b]`, or `-U`, `+U`, `-D` where it is a change.

Owns the line, not the stream: it is never closed here. Meant for people, so it works value by value.
"""

from __future__ import annotations

from typing import TextIO

import polars as pl

from yeoul.connectors.print.rendering import render_column
from yeoul.engine.contract import CHANGE, CHANGE_MARKS
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
        shown = [column for column in frame.iter_columns() if column.name != CHANGE]
        columns = [render_column(column, self._types[column.name]) for column in shown]
        marks = [CHANGE_MARKS[change] for change in frame[CHANGE]] if CHANGE in frame.columns else ["+I"] * frame.height
        rows = zip(marks, *columns, strict=True)
        self._stream.write("".join(f"{self._prefix}{mark}[{', '.join(row)}]\n" for mark, *row in rows))

    def flush(self) -> None:
        """Flushes the stream."""
        self._stream.flush()

    def close(self) -> None:
        """Leaves the stream open: it is not ours."""
