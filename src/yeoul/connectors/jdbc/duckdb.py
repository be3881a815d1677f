"""Looks up rows in a DuckDB file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from yeoul.connectors.jdbc.databases import Find, quoted
from yeoul.errors import EnvironmentFailure, UserError

__all__ = ["duckdb_rows"]


def duckdb_rows(path: str, table: str, schema: Mapping[str, pl.DataType], keys: Sequence[str]) -> Find:
    """Returns what finds rows of a table by keys.

    Raises:
        UserError: The file cannot be opened.
        EnvironmentFailure: DuckDB's package is not installed.
    """
    try:
        import duckdb
    except ImportError:
        raise EnvironmentFailure("DuckDB files need the package 'duckdb'", hint="pip install duckdb") from None
    try:
        connection = duckdb.connect(path, read_only=True)
    except duckdb.Error as error:
        raise UserError(f"DuckDB cannot open {path!r}: {error}") from error
    columns = ", ".join(f"t.{quoted(name)}" for name in schema)
    same = " AND ".join(f"t.{quoted(name)} = k.{quoted(name)}" for name in keys)
    query = f"SELECT {columns} FROM {quoted(table)} AS t SEMI JOIN wanted_keys AS k ON {same}"

    def find(found: pl.DataFrame) -> pl.DataFrame:
        connection.register("wanted_keys", found.to_arrow())
        return pl.DataFrame(pl.from_arrow(connection.sql(query).to_arrow_table()))

    return find
