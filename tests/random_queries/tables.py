"""Tables and what happens to them, as values; and DuckDB's rows of them.

Where a case is about late rows, DuckDB's tables say of each row what the watermark was before it came, worked out here
from its definition.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import polars as pl
from tests.random_queries.dialects import Column, Kind, Sql

__all__ = [
    "ARRIVAL",
    "CAME",
    "EPOCH",
    "PASSED",
    "PLAIN_ZONE",
    "SPLITS",
    "VALUES",
    "ZONES",
    "Arrival",
    "Changes",
    "Table",
    "Zone",
    "duckdb_frame",
]

ARRIVAL = "arrival"
"""DuckDB's column of the order in which the rows of all tables came."""
CAME = "came"
"""DuckDB's column of the clock's time at which a row came."""
PASSED = "passed"
"""DuckDB's column of the table's watermark before a row came, in ms; NULL: there was none."""
SPLITS = ("s0", "s1", "s2")
EPOCH = dt.datetime(1970, 1, 1)
_BEGINNING = dt.datetime(2024, 1, 1)
VALUES: dict[Kind, tuple[object, ...]] = {
    Kind.INT: (1, 2, None, 0, -3, 100),
    Kind.BIGINT: (1, 2, None, -7, 40),
    Kind.DOUBLE: (0.5, 1.0, None, -2.25, 96.75, 0.0, -0.0),
    Kind.DECIMAL: (Decimal("1.50"), Decimal("0.00"), None, Decimal("-0.25"), Decimal("12.34")),
    Kind.STRING: ("a", "b", None, "", "Ab", "a key longer than twelve bytes", "é日 😀", "long " * 100),
    Kind.BOOLEAN: (True, False, None),
    Kind.DATE: (dt.date(2024, 1, 1), dt.date(2024, 2, 29), None, dt.date(1969, 12, 31)),
    Kind.TIMESTAMP: (_BEGINNING, dt.datetime(2024, 1, 1, 0, 1, 0, 500_000), None),
    Kind.LTZ: (_BEGINNING, dt.datetime(2024, 3, 31, 1, 0, 5), None, dt.datetime(2024, 10, 27, 0, 30)),
    Kind.ARRAY: ([1, 2], [], None, [2, None, 2]),
    Kind.ROW: ({"f": 1, "g": "a"}, {"f": None, "g": "b"}, None, {"f": 2, "g": None}),
    Kind.MAP: ({"a": 1, "b": 2}, {}, None, {"a": None}, {"c": 3}),
    Kind.ROWS: ([{"f": 1, "g": "a"}, {"f": 2, "g": None}], [], None, [{"f": None, "g": "b"}]),
    Kind.TINYINT: (1, -128, None, 127),
    Kind.FLOAT: (0.5, -2.25, None, 0.0, -0.0, float("nan"), float("inf"), float("-inf")),
    Kind.WIDE: (Decimal("1.5"), Decimal("12345678901234567890.123456789012345678"), None, Decimal("-1e-18")),
    Kind.BYTES: (b"a", b"", None, b"\x00\xff"),
    Kind.TIME: (dt.time(10, 11, 12), dt.time(0), None, dt.time(23, 59, 59)),
    Kind.SECONDS: (_BEGINNING, dt.datetime(1969, 12, 31, 23, 59, 59), None),
    Kind.MICROSECONDS: (_BEGINNING, dt.datetime(2024, 1, 1, 0, 0, 0, 1), None, dt.datetime(1900, 1, 1)),
    Kind.NANOSECONDS: (_BEGINNING, dt.datetime(2024, 1, 1, 0, 0, 0, 1), None, dt.datetime(1969, 12, 31, 23, 59)),
    Kind.SMALLINT: (1, -300, None, 32_000),
    Kind.LTZ_SECONDS: (_BEGINNING, dt.datetime(2024, 3, 31, 1, 0, 5), None, dt.datetime(1969, 12, 31, 23, 59, 59)),
    Kind.LTZ_NANOSECONDS: (_BEGINNING, dt.datetime(2024, 10, 27, 0, 30, 0, 1), None, dt.datetime(1969, 12, 31, 23, 59)),
    Kind.DEEP: (
        {"d": Decimal("1.50"), "n": {"x": [1, None], "t": _BEGINNING}},
        {"d": None, "n": None},
        None,
        {"d": Decimal("-0.25"), "n": {"x": None, "t": dt.datetime(1969, 12, 31, 23, 59, 59, 999_000)}},
    ),
}
_ROW = pl.Struct({"f": pl.Int32(), "g": pl.String()})
_DEEP = pl.Struct({"d": pl.Decimal(10, 2), "n": pl.Struct({"x": pl.List(pl.Int64()), "t": pl.Datetime("ms")})})
_DTYPES: dict[Kind, pl.DataType] = {
    Kind.INT: pl.Int32(),
    Kind.BIGINT: pl.Int64(),
    Kind.DOUBLE: pl.Float64(),
    Kind.DECIMAL: pl.Decimal(10, 2),
    Kind.STRING: pl.String(),
    Kind.BOOLEAN: pl.Boolean(),
    Kind.DATE: pl.Date(),
    Kind.TIMESTAMP: pl.Datetime("ms"),
    Kind.LTZ: pl.Datetime("ms", "UTC"),
    Kind.ARRAY: pl.List(pl.Int32()),
    Kind.ROW: _ROW,
    Kind.MAP: pl.List(pl.Struct({"key": pl.String(), "value": pl.Int32()})),
    Kind.ROWS: pl.List(_ROW),
    Kind.TINYINT: pl.Int8(),
    Kind.FLOAT: pl.Float32(),
    Kind.WIDE: pl.Decimal(38, 18),
    Kind.BYTES: pl.Binary(),
    Kind.TIME: pl.Time(),
    Kind.SECONDS: pl.Datetime("ms"),
    Kind.MICROSECONDS: pl.Datetime("us"),
    Kind.NANOSECONDS: pl.Datetime("ns"),
    Kind.SMALLINT: pl.Int16(),
    Kind.LTZ_SECONDS: pl.Datetime("ms", "UTC"),
    Kind.LTZ_NANOSECONDS: pl.Datetime("ns", "UTC"),
    Kind.DEEP: _DEEP,
}


@dataclass(frozen=True, slots=True)
class Zone:
    """A session's time zone, and when the rows of a case begin.

    Attributes:
        name: IANA's.
        beginning: An instant.
        has_jumps: Whether clocks are changed soon after it.
    """

    name: str = "UTC"
    beginning: dt.datetime = _BEGINNING
    has_jumps: bool = False


PLAIN_ZONE = Zone()
ZONES = (
    PLAIN_ZONE,
    Zone(beginning=EPOCH - dt.timedelta(seconds=20)),
    Zone("Asia/Kolkata"),
    Zone("Europe/Berlin", dt.datetime(2024, 3, 31, 0, 59, 30), has_jumps=True),
    Zone("America/New_York", dt.datetime(2024, 11, 3, 5, 59, 30), has_jumps=True),
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table: a unique number, a row time, and other columns.

    Attributes:
        name: Its name.
        number: The unique column.
        time: The row time; None: the table has none.
        others: The other columns, NULL at times.
        delay_s: How far rows may be behind.
        has_unique_times: Whether no two rows have the same time.
        key: The primary key, never NULL, of a table of versions or upserts.
        use: "rows"; "versions": by key and row time; "outside": to be looked up; "changes": rows come and go;
            "upserts": a row takes the place of its key's row, or ends it.
        is_sparse: Whether most values of other columns are NULL.
        required: Names of columns that are never NULL.
        computed: Columns that are computed of the others.
        changes_passed: Whether rows change that the watermark has passed: its row time tells versions only.
        many: Of how many keys rows come at once where one would.
        is_csv: Whether a job reads its rows as CSV, not as JSON.
    """

    name: str
    number: Column
    time: Column | None
    others: tuple[Column, ...]
    delay_s: int = 0
    has_unique_times: bool = False
    key: Column | None = None
    use: str = "rows"
    is_sparse: bool = False
    required: frozenset[str] = frozenset()
    computed: tuple[tuple[Column, Sql], ...] = ()
    changes_passed: bool = False
    many: int = 1
    is_csv: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        parts = [self.number, self.time, self.key, *self.others]
        return tuple(one for one in parts if one is not None)

    @property
    def declaration(self) -> str:
        parts = [
            f"{one.name} {one.kind.value}{' NOT NULL' if one.name in self.required else ''}" for one in self.columns
        ]
        parts += [f"{one.name} AS {sql.flink}" for one, sql in self.computed]
        if self.time is not None:
            parts.append(f"WATERMARK FOR {self.time.name} AS {self.time.name} - INTERVAL '{self.delay_s}' SECOND")
        if self.key is not None:
            parts.append(f"PRIMARY KEY ({self.key.name}) NOT ENFORCED")
        return f"CREATE TABLE {self.name} ({', '.join(parts)})"

    @property
    def ever(self) -> str:
        """DuckDB's table of all versions that a table of upserts with a row time ever had, with `since` and `until`."""
        return f"{self.name}_ever"

    @property
    def key_place(self) -> int:
        """The place of the key in a row."""
        return 1 if self.time is None else 2

    @property
    def is_changing(self) -> bool:
        """Whether its rows come and go."""
        return self.use in ("changes", "upserts")

    def frame(self, rows: Sequence[tuple[object, ...]]) -> pl.DataFrame:
        """Returns rows as the engine has them; a map's entries are a list, an instant is in UTC."""
        columns = []
        for place, one in enumerate(self.columns):
            values = [_entries(row[place]) if one.kind is Kind.MAP else row[place] for row in rows]
            dtype = _DTYPES[one.kind]
            if isinstance(dtype, pl.Datetime) and one.kind.is_instant:
                naive = pl.Series(one.name, values, dtype=pl.Datetime(dtype.time_unit))
                columns.append(naive.dt.replace_time_zone("UTC"))
            else:
                columns.append(pl.Series(one.name, values, dtype=dtype, strict=False))
        return pl.DataFrame(columns)


def _entries(value: object) -> object:
    return [{"key": key, "value": one} for key, one in value.items()] if isinstance(value, dict) else value


@dataclass(frozen=True, slots=True)
class Arrival:
    """A row that comes, or one that goes.

    Attributes:
        table: Where to.
        split: By which way.
        row: Its values.
        weight: +1, or -1 of a row that was there.
        pause_ms: How much time passes before it comes.
    """

    table: str
    split: str
    row: tuple[object, ...]
    weight: int = 1
    pause_ms: int = 0


@dataclass(frozen=True, slots=True)
class Changes:
    """What happens to the tables of a case.

    Attributes:
        tables: The tables.
        arrivals: Their rows in the order in which they come; those of tables outside are there from the beginning.
        splits: The splits that every table has.
        has_late_rows: Whether rows may be late.
        zone: The session's.
        arrives: Whether the rows of all tables come in one known order.
        forgets: Whether now and then so much time passes that state is forgotten.
    """

    tables: list[Table]
    arrivals: list[Arrival]
    splits: tuple[str, ...]
    has_late_rows: bool
    zone: Zone
    arrives: bool = True
    forgets: bool = False

    @property
    def is_wide(self) -> bool:
        """Whether there are many keys."""
        return any(one.many > 1 for one in self.tables)

    @property
    def timed(self) -> list[Table]:
        """Those with a row time that windows may be made of."""
        return [one for one in self.tables if one.time is not None and not one.changes_passed]

    @property
    def versioned(self) -> list[Table]:
        """Those that have versions."""
        return [one for one in self.tables if one.time is not None and one.key is not None]

    def listed_first_split(self, table: Table) -> str:
        """Returns DuckDB's list of the arrivals that came by the first split of a table, which never is empty."""
        there = [
            number for number, one in enumerate(self.arrivals) if (one.table, one.split) == (table.name, SPLITS[0])
        ]
        return ", ".join(map(str, [-1, *there]))

    def of(self, use: str) -> list[Table]:
        return [one for one in self.tables if one.use == use]


def duckdb_frame(table: Table, changes: Changes, beginning_ms: int) -> pl.DataFrame:
    """Returns a table's rows as they are in the end, with DuckDB's columns besides."""
    marks: dict[str, int | None] = dict.fromkeys(changes.splits)
    rows: list[tuple[object, ...]] = []
    beside: list[tuple[int, int, int | None]] = []
    now_ms = beginning_ms
    for number, one in enumerate(changes.arrivals):
        now_ms += one.pause_ms
        if one.table != table.name:
            continue
        if table.use == "upserts":
            at = table.key_place
            kept = [place for place, row in enumerate(rows) if row[at] != one.row[at]]
            rows, beside = [rows[place] for place in kept], [beside[place] for place in kept]
            if one.weight < 0:
                continue
        elif one.weight < 0:
            place = rows.index(one.row)
            del rows[place], beside[place]
            continue
        known = [mark for mark in marks.values() if mark is not None]
        rows.append(one.row)
        beside.append((number, now_ms, min(known) if len(known) == len(marks) else None))
        if table.time is not None:
            time = one.row[1]
            assert isinstance(time, dt.datetime)
            mark = (time - EPOCH) // dt.timedelta(milliseconds=1) - table.delay_s * 1000
            before = marks[one.split]
            marks[one.split] = mark if before is None else max(mark, before)
    schema = {ARRIVAL: pl.Int64(), CAME: pl.Int64(), PASSED: pl.Int64()}
    columns = pl.DataFrame(beside, schema=schema, orient="row").with_columns(pl.col(CAME).cast(pl.Datetime("ms")))
    return table.frame(rows).hstack(columns)
