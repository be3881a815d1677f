"""One text in two dialects: what the grammar draws is written as Flink SQL and as DuckDB SQL at once."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["IN_STREAMING", "ZONE", "Column", "Kind", "Sql", "both", "instant", "listed", "local", "same"]

IN_STREAMING = "/*rows*/"
"""Stands in DuckDB's HAVING of an aggregate without keys: a stream without rows gives no row, a batch gives one."""
ZONE = "/*zone*/"
"""Stands in DuckDB's text for the session's time zone."""


class Kind(enum.Enum):
    """The types of columns and expressions; the value is Flink's name."""

    INT = "INT"
    BIGINT = "BIGINT"
    DOUBLE = "DOUBLE"
    DECIMAL = "DECIMAL(10, 2)"
    STRING = "STRING"
    BOOLEAN = "BOOLEAN"
    DATE = "DATE"
    TIMESTAMP = "TIMESTAMP(3)"
    LTZ = "TIMESTAMP_LTZ(3)"
    ARRAY = "ARRAY<INT>"
    ROW = "ROW<f INT, g STRING>"
    MAP = "MAP<STRING, INT>"
    ROWS = "ARRAY<ROW<f INT, g STRING>>"
    TINYINT = "TINYINT"
    FLOAT = "FLOAT"
    WIDE = "DECIMAL(38, 18)"
    BYTES = "BYTES"
    TIME = "TIME(0)"
    SECONDS = "TIMESTAMP(0)"
    MICROSECONDS = "TIMESTAMP(6)"
    NANOSECONDS = "TIMESTAMP(9)"
    SMALLINT = "SMALLINT"
    LTZ_SECONDS = "TIMESTAMP_LTZ(0)"
    LTZ_NANOSECONDS = "TIMESTAMP_LTZ(9)"
    DEEP = "ROW<d DECIMAL(10, 2), n ROW<x ARRAY<BIGINT>, t TIMESTAMP(3)>>"

    @property
    def duckdb(self) -> str:
        """DuckDB's name; an instant is a TIMESTAMP in UTC."""
        return _IN_DUCKDB.get(self, self.value)

    @property
    def is_instant(self) -> bool:
        """Whether its values are instants: in DuckDB, and without a zone in Python, in UTC."""
        return self in (Kind.LTZ, Kind.LTZ_SECONDS, Kind.LTZ_NANOSECONDS)

    @property
    def is_nested(self) -> bool:
        """Whether its values have parts: it is in no order."""
        return self in (Kind.ARRAY, Kind.ROW, Kind.MAP, Kind.ROWS, Kind.DEEP)

    @property
    def is_compared(self) -> bool:
        """Whether one of its values may be asked to equal another."""
        return self is not Kind.MAP

    @property
    def is_usual(self) -> bool:
        """Whether it is neither nested nor of a rare size or precision."""
        return self in _USUAL


_USUAL = (Kind.INT, Kind.BIGINT, Kind.DOUBLE, Kind.DECIMAL, Kind.STRING, Kind.BOOLEAN, Kind.DATE, Kind.TIMESTAMP)
_IN_DUCKDB = {
    Kind.STRING: "VARCHAR",
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.LTZ: "TIMESTAMP",
    Kind.ARRAY: "INTEGER[]",
    Kind.ROW: "STRUCT(f INTEGER, g VARCHAR)",
    Kind.MAP: "MAP(VARCHAR, INTEGER)",
    Kind.ROWS: "STRUCT(f INTEGER, g VARCHAR)[]",
    Kind.BYTES: "BLOB",
    Kind.TIME: "TIME",
    Kind.SECONDS: "TIMESTAMP",
    Kind.MICROSECONDS: "TIMESTAMP",
    Kind.NANOSECONDS: "TIMESTAMP_NS",
    Kind.LTZ_SECONDS: "TIMESTAMP",
    Kind.LTZ_NANOSECONDS: "TIMESTAMP_NS",
    Kind.DEEP: "STRUCT(d DECIMAL(10, 2), n STRUCT(x BIGINT[], t TIMESTAMP))",
}


@dataclass(frozen=True, slots=True)
class Sql:
    """The same text in two dialects."""

    flink: str
    duckdb: str

    def asked_of_duckdb(self, mode: str, zone: str) -> str:
        """Returns DuckDB's text of what a job in this runtime mode, and this session time zone, should come to."""
        whole = self.duckdb.replace(IN_STREAMING, " AND count(*) > 0" if mode == "streaming" else "")
        return whole.replace(ZONE, zone)


def same(text: str) -> Sql:
    """Returns a text that both dialects share."""
    return Sql(text, text)


def both(template: str, *parts: Sql, duckdb: str | None = None) -> Sql:
    """Returns a template filled with parts; DuckDB's may differ.

    Example:
        >>> both("MOD({}, {})", same("a"), same("2"), duckdb="{} % {}")
        Sql(flink='MOD(a, 2)', duckdb='a % 2')
    """
    return Sql(
        template.format(*(part.flink for part in parts)),
        (template if duckdb is None else duckdb).format(*(part.duckdb for part in parts)),
    )


def local(instant: str) -> str:
    """Returns DuckDB's text of what the session's clock reads at an instant."""
    return f"timezone('{ZONE}', timezone('UTC', {instant}))"


def instant(reading: str) -> str:
    """Returns DuckDB's text of the instant at which the session's clock reads so; there must be just one."""
    return f"timezone('UTC', timezone('{ZONE}', {reading}))"


def listed(parts: list[Sql], separator: str = ", ") -> Sql:
    """Returns parts one behind the other."""
    return Sql(separator.join(part.flink for part in parts), separator.join(part.duckdb for part in parts))


@dataclass(frozen=True, slots=True)
class Column:
    """A column of rows.

    Attributes:
        name: Unique within a case.
        kind: Its type.
        is_opaque: Whether only its value counts, up to rounding or order: nothing is computed with it.
    """

    name: str
    kind: Kind
    is_opaque: bool = False
