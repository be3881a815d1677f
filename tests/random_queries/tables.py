"""Tables and what happens to them: rows out of order, over several splits, in an order of arrival.

No row is late: within its split each is less behind the latest than the watermark allows, so DuckDB may count them all.
Which rows are late, and what becomes of the others, is the subject of the engine's `test_windows_equal_duckdb`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

import polars as pl
from tests.random_queries.dialects import Column, Kind
from tests.random_queries.drawing import Drawing

__all__ = ["ARRIVAL", "SPLITS", "Arrival", "Table", "tables_and_arrivals"]

ARRIVAL = "arrival"
"""DuckDB's column of the order in which the rows of all tables came."""
SPLITS = ("s0", "s1", "s2")
_BEGINNING = dt.datetime(2024, 1, 1)
VALUES: dict[Kind, tuple[object, ...]] = {
    Kind.INT: (1, 2, None, 0, -3, 100),
    Kind.BIGINT: (1, 2, None, -7, 40),
    Kind.DOUBLE: (0.5, 1.0, None, -2.25, 96.75),
    Kind.DECIMAL: (Decimal("1.50"), Decimal("0.00"), None, Decimal("-0.25"), Decimal("12.34")),
    Kind.STRING: ("a", "b", None, "", "Ab", "a key longer than twelve bytes"),
    Kind.BOOLEAN: (True, False, None),
    Kind.DATE: (dt.date(2024, 1, 1), dt.date(2024, 2, 29), None, dt.date(1969, 12, 31)),
    Kind.TIMESTAMP: (_BEGINNING, dt.datetime(2024, 1, 1, 0, 1, 0, 500_000), None),
    Kind.ARRAY: ([1, 2], [], None, [2, None, 2]),
}
_DTYPES: dict[Kind, pl.DataType] = {
    Kind.INT: pl.Int32(),
    Kind.BIGINT: pl.Int64(),
    Kind.DOUBLE: pl.Float64(),
    Kind.DECIMAL: pl.Decimal(10, 2),
    Kind.STRING: pl.String(),
    Kind.BOOLEAN: pl.Boolean(),
    Kind.DATE: pl.Date(),
    Kind.TIMESTAMP: pl.Datetime("ms"),
    Kind.ARRAY: pl.List(pl.Int32()),
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table: a unique number, a row time, and other columns.

    Attributes:
        name: Its name.
        number: The unique column.
        time: The row time.
        others: The other columns, NULL at times.
        delay_s: How far rows may be behind.
        has_unique_times: Whether no two rows have the same time.
    """

    name: str
    number: Column
    time: Column
    others: tuple[Column, ...]
    delay_s: int
    has_unique_times: bool

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.number, self.time, *self.others)

    @property
    def declaration(self) -> str:
        columns = ", ".join(f"{one.name} {one.kind.value}" for one in self.columns)
        watermark = f"WATERMARK FOR {self.time.name} AS {self.time.name} - INTERVAL '{self.delay_s}' SECOND"
        return f"CREATE TABLE {self.name} ({columns}, {watermark})"

    def frame(self, rows: list[tuple[object, ...]]) -> pl.DataFrame:
        return pl.DataFrame(rows, schema={one.name: _DTYPES[one.kind] for one in self.columns}, orient="row")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A row that comes."""

    table: str
    split: str
    row: tuple[object, ...]


def tables_and_arrivals(d: Drawing) -> tuple[list[Table], list[Arrival]]:
    """Returns tables, and their rows in the order in which they come."""
    tables = [_table(d) for _ in range(d.number(1, 2))]
    latest: dict[tuple[str, str], int] = {}
    arrivals = []
    for number in range(d.number(0, 24)):
        table, split = d.one_of(tables), d.one_of(SPLITS)
        seen = latest.get((table.name, split), 0)
        second = max(0, seen + d.one_of((0, 1, 2, 5, 20)) - d.number(0, 1) * d.number(0, table.delay_s - 1))
        latest[table.name, split] = max(seen, second)
        part = number + 1 if table.has_unique_times else 0
        time = _BEGINNING + dt.timedelta(seconds=second, milliseconds=part)
        values = (d.one_of(VALUES[one.kind]) for one in table.others)
        arrivals.append(Arrival(table.name, split, (number, time, *values)))
    return tables, arrivals


def _table(d: Drawing) -> Table:
    kinds = [Kind.INT, Kind.STRING, *d.some_of(list(Kind), 1, 3)]
    others = tuple(Column(d.name(kind.name[0].lower()), kind) for kind in kinds)
    number, time = Column(d.name("id"), Kind.BIGINT), Column(d.name("ts"), Kind.TIMESTAMP)
    return Table(d.name("t"), number, time, others, d.number(2, 12), d.chance(2))
