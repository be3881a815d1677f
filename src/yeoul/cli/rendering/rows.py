"""Writers of a SELECT's rows: `table`, `json`, `csv`.

A writer gets batches as they come and then the end. `json` and `csv` write each batch at once. `table` writes at once
when the rows never end; otherwise it looks at the first rows to find out how wide its columns have to be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TextIO

import polars as pl
from rich.cells import cell_len

from yeoul.cli.rendering.cells import exchange_columns, json_rows, table_columns
from yeoul.engine.contract import CHANGE_MARKS
from yeoul.plan.nodes import Field, Schema
from yeoul.plan.types import Kind

__all__ = ["WRITERS", "CsvWriter", "JsonWriter", "RowWriter", "TableWriter"]

_SAMPLE_ROWS = 1_000
_WIDEST = 80
_STREAMED_WIDTHS = {Kind.STRING: 20, Kind.BIGINT: 20, Kind.INT: 11, Kind.DOUBLE: 20, Kind.TIMESTAMP: 23}
_RIGHT = frozenset(
    {Kind.TINYINT, Kind.SMALLINT, Kind.INT, Kind.BIGINT, Kind.FLOAT, Kind.DOUBLE, Kind.DECIMAL, Kind.INTERVAL_DAY_TIME}
)


class RowWriter(Protocol):
    """Where rows are shown."""

    def write(self, batch: pl.DataFrame) -> None:
        """Shows some rows."""
        ...

    def finish(self, *, stopped: bool = False) -> None:
        """Shows that there are no more, or that what would give more was stopped."""
        ...


class JsonWriter:
    """One JSON object a line."""

    def __init__(self, schema: Schema, output: TextIO, *, is_bounded: bool, zone: str) -> None:
        self._schema = schema
        self._output = output

    def write(self, batch: pl.DataFrame) -> None:
        self._output.write(json_rows(batch, self._schema).decode())
        self._output.flush()

    def finish(self, *, stopped: bool = False) -> None:
        """JSON lines have no end mark."""


class CsvWriter:
    """A header, then one line a row (more where a string holds line ends); NULL is an empty field."""

    def __init__(self, schema: Schema, output: TextIO, *, is_bounded: bool, zone: str) -> None:
        self._schema = schema
        self._output = output
        self._output.write(pl.DataFrame({name: [] for name in schema.names}).write_csv())

    def write(self, batch: pl.DataFrame) -> None:
        frame = exchange_columns(batch, self._schema, nested_as_text=True)
        self._output.write(frame.write_csv(include_header=False))
        self._output.flush()

    def finish(self, *, stopped: bool = False) -> None:
        self._output.flush()


class TableWriter:
    """A table with borders; a cell longer than 80 characters is cut."""

    def __init__(self, schema: Schema, output: TextIO, *, is_bounded: bool, zone: str) -> None:
        self._schema = schema
        self._output = output
        self._zone = zone
        self._sample_rows = _SAMPLE_ROWS if is_bounded else 1
        self._least_widths = [0 if is_bounded else _STREAMED_WIDTHS.get(one.type.kind, 0) for one in schema.fields]
        self._waiting: list[pl.DataFrame] = []
        self._widths: list[int] = []
        self._rows = 0

    def write(self, batch: pl.DataFrame) -> None:
        self._rows += batch.height
        cells = table_columns(batch, self._schema, self._zone)
        if self._widths:
            self._write_rows(cells)
            return
        self._waiting.append(cells)
        if self._rows >= self._sample_rows:
            self._begin()

    def finish(self, *, stopped: bool = False) -> None:
        if self._rows:
            if not self._widths:
                self._begin()
            count = f"{self._rows} row{'s' if self._rows != 1 else ''}"
            self._write(f"{self._rule()}\n{count} {'so far' if stopped else 'in set'}\n")
        elif not stopped:
            self._write("Empty set\n")

    def _begin(self) -> None:
        """Settles the widths by the rows that wait, and writes the header and these rows."""
        sample = pl.concat(self._waiting)
        self._waiting.clear()
        widths = [max(cell_len(name), _width(sample[name])) for name in self._schema.names]
        least_widths = [
            0 if sample[name].is_in(CHANGE_MARKS).all() else least
            for name, least in zip(self._schema.names, self._least_widths, strict=True)
        ]
        self._widths = [max(least, min(width, _WIDEST)) for least, width in zip(least_widths, widths, strict=True)]
        header = [_fit(one.name, width, one) for one, width in zip(self._schema.fields, self._widths, strict=True)]
        self._write(f"{self._rule()}\n| {' | '.join(header)} |\n{self._rule()}\n")
        self._write_rows(sample)

    def _rule(self) -> str:
        return "+" + "+".join("-" * (width + 2) for width in self._widths) + "+"

    def _write_rows(self, cells: pl.DataFrame) -> None:
        columns = [
            [_fit(text, width, field) for text in cells[field.name]]
            for field, width in zip(self._schema.fields, self._widths, strict=True)
        ]
        self._write("".join(f"| {' | '.join(row)} |\n" for row in zip(*columns, strict=True)))

    def _write(self, text: str) -> None:
        self._output.write(text)
        self._output.flush()


def _width(texts: pl.Series) -> int:
    if (texts.str.len_bytes() == texts.str.len_chars()).all():
        longest = texts.str.len_chars().max()
        return int(longest) if isinstance(longest, int) else 0
    return max(cell_len(text) for text in texts)


def _fit(text: str, width: int, field: Field) -> str:
    """A cell's text on one line, padded to its column's width; one that is far too wide is cut."""
    if not text.isprintable():
        text = "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
    length = len(text) if text.isascii() else cell_len(text)
    if length > max(width, _WIDEST):
        text = _cut(text, _WIDEST)
        length = cell_len(text)
    padding = " " * (width - length)
    return padding + text if field.type.kind in _RIGHT else text + padding


def _cut(text: str, width: int) -> str:
    while text and cell_len(text) > width - 1:
        text = text[: -max(1, (cell_len(text) - width + 1) // 2)]
    return text + "…" if width else ""


WRITERS: Mapping[str, Callable[..., RowWriter]] = {"table": TableWriter, "json": JsonWriter, "csv": CsvWriter}
