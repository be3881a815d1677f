"""Looks up rows of a table in a database: all keys of a batch at once, in few queries.

Invariants: keys are parameters, never text of the query; one that fails is asked again a bounded number of times.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from yeoul.connectors.jdbc.databases import Find
from yeoul.connectors.jdbc.options import PASSWORD, TABLE_NAME, URL, USERNAME, place_of
from yeoul.connectors.lookups import MAX_RETRIES
from yeoul.connectors.spec import ConnectorContext
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.contract import Lookup
from yeoul.errors import EnvironmentFailure, UserError
from yeoul.plan.nodes import Scan

__all__ = ["open_database_lookup"]

_PAUSE_S, _LONGER = 0.1, 5
"""How long to wait before a query is asked again, and how many times as long before each later one: a database that
starts anew takes a few seconds, a connection that was cut none."""
_USERS_MISTAKES = (
    "no such",
    "does not exist",
    "does not have a column",
    "not found",
    "no password supplied",
    "password authentication failed",
)


def open_database_lookup(scan: Scan, keys: Sequence[str], context: ConnectorContext) -> Lookup:
    """Returns the table of a scan, to be looked up by the given columns.

    Raises:
        UserError: There is no such database, table or column.
        EnvironmentFailure: The database's package is not installed, or it does not answer.
    """
    schema = {one.name: polars_dtype(one.type) for one in scan.schema.fields}
    find = _rows_of(scan, schema, keys)
    lookup = _DatabaseLookup(find, schema, MAX_RETRIES.read(scan.options), context, scan.table.name)
    lookup.find(pl.DataFrame(schema={name: schema[name] for name in keys}))
    return lookup


def _rows_of(scan: Scan, schema: dict[str, pl.DataType], keys: Sequence[str]) -> Find:
    kind, path = place_of(URL.read(scan.options))
    table = TABLE_NAME.read(scan.options)
    if kind == "postgresql":
        from yeoul.connectors.jdbc.postgresql import postgresql_rows

        login = (USERNAME.read(scan.options), PASSWORD.read(scan.options))
        return postgresql_rows(path, login, table, schema, keys)
    if kind == "duckdb":
        from yeoul.connectors.jdbc.duckdb import duckdb_rows

        return duckdb_rows(path, table, schema, keys)
    from yeoul.connectors.jdbc.sqlite import sqlite_rows

    return sqlite_rows(path, table, schema, keys)


class _DatabaseLookup:
    def __init__(
        self,
        find: Find,
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
                if any(words in str(error) for words in _USERS_MISTAKES):
                    raise UserError(f"Table {self._table!r}: {error}") from error
                if attempt == self._retries or self._context.stopping.wait(_PAUSE_S * _LONGER**attempt):
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
