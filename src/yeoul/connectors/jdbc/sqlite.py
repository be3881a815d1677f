"""Looks up rows in a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

import polars as pl

from yeoul.connectors.jdbc.databases import Find, quoted
from yeoul.errors import UserError

__all__ = ["sqlite_rows"]

_PARAMETERS = 900
"""How many parameters one query of SQLite may have, with room to spare."""


def sqlite_rows(path: str, table: str, schema: Mapping[str, pl.DataType], keys: Sequence[str]) -> Find:
    """Returns what finds rows of a table by keys.

    Raises:
        UserError: The file cannot be opened.
    """
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)
    except sqlite3.Error as error:
        raise UserError(f"SQLite cannot open {path!r}: {error}") from error
    # Of "name" alone, where there is no such column, SQLite would make the text 'name'.
    columns = ", ".join(f"t.{quoted(name)}" for name in schema)
    wanted = ", ".join(f"t.{quoted(name)}" for name in keys)
    one = f"({', '.join('?' for _ in keys)})"
    step = max(1, _PARAMETERS // len(keys))

    def find(found: pl.DataFrame) -> pl.DataFrame:
        rows: list[tuple[object, ...]] = []
        for start in range(0, max(found.height, 1), step):
            chunk = found.slice(start, step)
            values = ", ".join([one] * chunk.height)
            within = f"({wanted}) IN (VALUES {values})" if chunk.height else "1 = 0"
            query = f"SELECT {columns} FROM {quoted(table)} AS t WHERE {within}"
            rows += connection.execute(query, [value for row in chunk.rows() for value in row]).fetchall()
        values_of = list(zip(*rows, strict=True)) or [()] * len(schema)
        return pl.DataFrame(
            [pl.Series(name, column, strict=False) for name, column in zip(schema, values_of, strict=True)]
        )

    return find
