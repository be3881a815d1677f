"""Looks up rows of a table in a SQLite or DuckDB file: all keys of a batch at once, in few queries.

Invariants: keys are parameters, never text of the query; a file that is busy is tried again a bounded number of times.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

import polars as pl

from yeoul.connectors.jdbc.spec import MAX_RETRIES, TABLE_NAME, URL, place_of
from yeoul.connectors.spec import ConnectorContext
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.contract import Lookup
from yeoul.errors import EnvironmentFailure, UserError
from yeoul.plan.nodes import Scan

__all__ = ["open_database_lookup"]

_PARAMETERS = 900
"""How many parameters one query of SQLite may have, with room to spare."""
_PAUSE_S = 0.1


def open_database_lookup(scan: Scan, keys: Sequence[str], context: ConnectorContext) -> Lookup:
    """Returns the table of a scan, to be looked up by the given columns.

    Raises:
        UserError: There is no such file, table or column.
        EnvironmentFailure: DuckDB's package is not installed.
    """
    kind, path = place_of(URL.read(scan.options))
    schema = {one.name: polars_dtype(one.type) for one in scan.schema.fields}
    table = TABLE_NAME.read(scan.options)
    find = _sqlite(path, table, schema, keys) if kind == "sqlite" else _duckdb(path, table, schema, keys)
    lookup = _DatabaseLookup(find, schema, MAX_RETRIES.read(scan.options), context, scan.table.name)
    lookup.find(pl.DataFrame(schema={name: schema[name] for name in keys}))
    return lookup


class _DatabaseLookup:
    def __init__(
        self,
        find: Callable[[pl.DataFrame], pl.DataFrame],
        schema: dict[str, pl.DataType],
        retries: int,
        context: ConnectorContext,
        table: str,
    ) -> None:
        self._find, self._schema, self._retries = find, schema, retries
        self._context, self._table = context, table

    def find(self, keys: pl.DataFrame) -> pl.DataFrame:
        for attempt in range(self._retries + 1):
            try:
                return _cast(self._find(keys), self._schema)
            except Exception as error:  # both drivers have error classes of their own
                if "no such" in str(error) or "does not exist" in str(error) or "not found" in str(error):
                    raise UserError(f"Table {self._table!r}: {error}") from error
                if attempt == self._retries or self._context.stopping.wait(_PAUSE_S * (attempt + 1)):
                    raise EnvironmentFailure(f"Table {self._table!r} cannot be looked up: {error}") from error
        raise AssertionError("the last attempt returns or raises")


def _cast(rows: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    columns = []
    for name, dtype in schema.items():
        column = rows[name]
        if isinstance(column.dtype, pl.String) and isinstance(dtype, pl.Datetime | pl.Date):
            column = column.str.strptime(pl.Datetime("us") if isinstance(dtype, pl.Datetime) else pl.Date)
        columns.append(column.cast(dtype))
    return pl.DataFrame(columns)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _sqlite(
    path: str, table: str, schema: dict[str, pl.DataType], keys: Sequence[str]
) -> Callable[[pl.DataFrame], pl.DataFrame]:
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)
    except sqlite3.Error as error:
        raise UserError(f"SQLite cannot open {path!r}: {error}") from error
    columns = ", ".join(_quoted(name) for name in schema)
    wanted = ", ".join(_quoted(name) for name in keys)
    one = f"({', '.join('?' for _ in keys)})"
    step = max(1, _PARAMETERS // len(keys))

    def find(found: pl.DataFrame) -> pl.DataFrame:
        rows: list[tuple[object, ...]] = []
        for start in range(0, max(found.height, 1), step):
            chunk = found.slice(start, step)
            values = ", ".join([one] * chunk.height)
            within = f"({wanted}) IN (VALUES {values})" if chunk.height else "1 = 0"
            query = f"SELECT {columns} FROM {_quoted(table)} WHERE {within}"
            rows += connection.execute(query, [value for row in chunk.rows() for value in row]).fetchall()
        values_of = list(zip(*rows, strict=True)) or [()] * len(schema)
        return pl.DataFrame(
            [pl.Series(name, column, strict=False) for name, column in zip(schema, values_of, strict=True)]
        )

    return find


def _duckdb(
    path: str, table: str, schema: dict[str, pl.DataType], keys: Sequence[str]
) -> Callable[[pl.DataFrame], pl.DataFrame]:
    try:
        import duckdb
    except ImportError:
        raise EnvironmentFailure("DuckDB files need the package 'duckdb'", hint="pip install duckdb") from None
    try:
        connection = duckdb.connect(path, read_only=True)
    except duckdb.Error as error:
        raise UserError(f"DuckDB cannot open {path!r}: {error}") from error
    columns = ", ".join(f"t.{_quoted(name)}" for name in schema)
    same = " AND ".join(f"t.{_quoted(name)} = k.{_quoted(name)}" for name in keys)
    query = f"SELECT {columns} FROM {_quoted(table)} AS t SEMI JOIN wanted_keys AS k ON {same}"

    def find(found: pl.DataFrame) -> pl.DataFrame:
        connection.register("wanted_keys", found.to_arrow())
        return pl.DataFrame(pl.from_arrow(connection.sql(query).to_arrow_table()))

    return find
