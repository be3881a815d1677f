"""One text in two dialects: what the grammar draws is written as Flink SQL and as DuckDB SQL at once."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["IN_STREAMING", "Column", "Kind", "Sql", "both", "listed", "same"]

IN_STREAMING = "/*rows*/"
"""Stands in DuckDB's HAVING of an aggregate without keys: a stream without rows gives no row, a batch gives one."""


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
    ARRAY = "ARRAY<INT>"

    @property
    def duckdb(self) -> str:
        """DuckDB's name."""
        return {Kind.STRING: "VARCHAR", Kind.TIMESTAMP: "TIMESTAMP", Kind.ARRAY: "INTEGER[]"}.get(self, self.value)


@dataclass(frozen=True, slots=True)
class Sql:
    """The same text in two dialects."""

    flink: str
    duckdb: str

    def in_mode(self, mode: str) -> str:
        """DuckDB's text of what a job in this runtime mode should come to."""
        return self.duckdb.replace(IN_STREAMING, " AND count(*) > 0" if mode == "streaming" else "")


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
