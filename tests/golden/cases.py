"""Golden SQL cases: read from files of `=== title` and `--- section`; cells become columns, and columns cells.

The form of a file is told in `tests/golden/sql/README.md`.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import polars as pl

from yeoul.units import parse_duration_ms

__all__ = ["FOLDER", "Batch", "Case", "Grid", "Wait", "column_of", "grid_of", "read_all", "read_cases"]

FOLDER = Path(__file__).parent / "sql"
MODES = ("automatic", "streaming")
_ONCE = ("tables", "query", "changes", "rows", "late", "error", "fails", "duckdb")
_OF_TABLES = ("changes", "rows")


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows as people write them: names, and texts below; None is NULL."""

    names: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]

    def __str__(self) -> str:
        shown = [self.names, *(["NULL" if one is None else one for one in row] for row in self.rows)]
        widths = [max(len(row[place]) for row in shown) for place in range(len(self.names))]
        lines = [" | ".join(one.ljust(width) for one, width in zip(row, widths, strict=True)) for row in shown]
        return "\n".join(line.rstrip() for line in lines)

    def in_any_order(self) -> Grid:
        return Grid(self.names, tuple(sorted(self.rows, key=str)))


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that reach a table together."""

    table: str
    rows: Grid


@dataclass(frozen=True, slots=True)
class Wait:
    """Time that passes between two batches."""

    duration_ms: int


@dataclass(frozen=True, slots=True)
class Case:
    """One case.

    Attributes:
        file: The file's name, without its ending.
        title: What it is about.
        about: The lines under the title, `key: value`.
        sections: Texts by name: `tables`, `query`, `changes`, `rows`, `late`, `error`, `fails`, `duckdb`; of a
            statement set `rows <table>` and `changes <table>`.
        steps: What happens, in order.
    """

    file: str
    title: str
    about: dict[str, str]
    sections: dict[str, str]
    steps: list[Batch | Wait] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.file}: {self.title}"

    @property
    def modes(self) -> Sequence[str]:
        return [self.about["modes"]] if "modes" in self.about else MODES

    @property
    def fails(self) -> str:
        """Why the job fails, with its hint; empty if it does not."""
        return self.sections.get("fails", "")

    def grids(self, kind: str) -> dict[str, Grid]:
        """Returns the sections of a kind by the table that is written, an empty text for what a query gives."""
        parts = {name: name.partition(" ") for name in self.sections}
        return {table: self.grid(name) for name, (first, _, table) in parts.items() if first == kind}

    def grid(self, section: str) -> Grid:
        return _read_grid(self.sections[section])


def read_all() -> list[Case]:
    """Returns every case there is."""
    return [case for path in sorted(FOLDER.glob("*.txt")) for case in read_cases(path)]


def read_cases(path: Path) -> Iterator[Case]:
    """Yields a file's cases; a section of no known name is a ValueError."""
    for chunk in path.read_text().split("=== ")[1:]:
        head, *sections = chunk.strip().split("\n--- ")
        title, *about = head.splitlines()
        case = Case(path.stem, title, dict(_pair(line) for line in about), {})
        for section in sections:
            name, _, body = section.partition("\n")
            kind, _, argument = name.partition(" ")
            if kind == "batch":
                case.steps.append(Batch(argument, _read_grid(body)))
            elif kind == "clock":
                case.steps.append(Wait(parse_duration_ms(argument)))
            elif (name in _ONCE or (kind in _OF_TABLES and argument)) and name not in case.sections:
                case.sections[name] = body.strip("\n")
            else:
                raise ValueError(f"{case}: section {name!r} is unknown, or is there twice")
        yield case


def _pair(line: str) -> tuple[str, str]:
    key, _, value = line.partition(":")
    return key.strip(), value.strip()


def _read_grid(text: str) -> Grid:
    names, *rows = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if line.strip()]
    return Grid(tuple(names), tuple(tuple(None if cell == "NULL" else cell for cell in row) for row in rows))


def column_of(texts: Iterable[str | None], dtype: pl.DataType) -> pl.Series:
    """Returns cells as a column."""
    cells = pl.Series(list(texts), dtype=pl.String)
    match dtype:
        case pl.List(inner=pl.Struct()):
            return pl.Series([_entries(one) for one in cells], dtype=dtype)
        case pl.Struct() | pl.List():
            return cells.str.json_decode(dtype)
        case pl.Boolean():
            return cells == "true"
        case pl.Datetime(time_unit=unit, time_zone=zone):
            times = cells.str.strip_suffix("Z").str.to_datetime(time_unit=unit)
            return times if zone is None else times.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
        case pl.Date():
            return cells.str.to_date()
        case pl.Time():
            return cells.str.to_time()
        case _:
            return cells.cast(dtype)


def _entries(cell: str | None) -> list[object] | None:
    """Returns the rows of an array, or the entries of a map."""
    value = None if cell is None else json.loads(cell)
    return [{"key": key, "value": one} for key, one in value.items()] if isinstance(value, dict) else value


def grid_of(frame: pl.DataFrame) -> Grid:
    """Returns a frame as cells."""
    rows = tuple(tuple(_cell(value) for value in row) for row in frame.rows())
    return Grid(tuple(frame.columns), rows)


def _cell(value: object) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case float():
            return repr(float(f"{value:.9g}"))
        case dt.datetime():
            text = value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value
            return _without_zeros(text.isoformat(" ")) + ("Z" if value.tzinfo else "")
        case Decimal():
            return f"{value:f}"
        case bytes():
            return value.decode(errors="backslashreplace")
        case dict() | list():
            return json.dumps(value, default=_cell, ensure_ascii=False)
        case _:
            return str(value)


def _without_zeros(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
