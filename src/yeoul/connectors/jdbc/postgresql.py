"""Looks up rows in a PostgreSQL database: the keys go over as one array for each column, rows come back as Arrow.

Invariants: one connection, opened when it is first needed and anew after it failed; a key is a parameter, never text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import polars as pl

from yeoul.connectors.jdbc.databases import Find, quoted
from yeoul.errors import EnvironmentFailure, UserError

__all__ = ["postgresql_rows"]

_HINT = "pip install adbc-driver-postgresql"


def postgresql_rows(
    path: str, login: tuple[str, str], table: str, schema: Mapping[str, pl.DataType], keys: Sequence[str]
) -> Find:
    """Returns what finds rows of a table by keys.

    Args:
        path: What follows `jdbc:postgresql:` in the URL.
        login: User and password; empty where the URL or the environment says them.
        table: The table's name, perhaps with its schema's in front.
        schema: The columns to read.
        keys: Those to look up by.

    Raises:
        UserError: A key's type has no array in PostgreSQL.
        EnvironmentFailure: The driver's package is not installed.
    """
    try:
        from adbc_driver_postgresql import dbapi
    except ImportError:
        raise EnvironmentFailure("PostgreSQL needs the package 'adbc-driver-postgresql'", hint=_HINT) from None
    uri, query = _uri(path, *login), _query(table, schema, keys)
    open_one: list[Any] = []

    def find(found: pl.DataFrame) -> pl.DataFrame:
        if not open_one:
            open_one.append(dbapi.connect(uri, autocommit=True))
        try:
            with closing(open_one[0].cursor()) as cursor:
                cursor.execute(query, _arrays(found).to_arrow(compat_level=pl.CompatLevel.oldest()))
                return pl.DataFrame(pl.from_arrow(cursor.fetch_arrow_table()))
        except Exception:
            with suppress(Exception):
                open_one.pop().close()
            raise

    return find


def _query(table: str, schema: Mapping[str, pl.DataType], keys: Sequence[str]) -> str:
    columns = ", ".join(f"t.{quoted(name)}{_reading(dtype)}" for name, dtype in schema.items())
    arrays = ", ".join(f"${place}::{_array_type(name, schema[name])}[]" for place, name in enumerate(keys, start=1))
    wanted = ", ".join(f"t.{quoted(name)}" for name in keys)
    named = ".".join(quoted(part) for part in table.split("."))
    return f"SELECT {columns} FROM {named} AS t WHERE ({wanted}) IN (SELECT * FROM unnest({arrays}))"


def _reading(dtype: pl.DataType) -> str:
    """Returns how a column is read whose type here is not one of Arrow's there: as text."""
    return "::text" if isinstance(dtype, pl.String | pl.Decimal) else ""


def _array_type(name: str, dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Datetime):
        return "timestamptz" if dtype.time_zone else "timestamp"
    known = _TYPES.get(dtype.base_type())
    if known is None:
        raise UserError(f"Column {name!r}: PostgreSQL cannot be asked by {dtype}", hint="Look up by another column")
    return known


_TYPES: Mapping[type[pl.DataType], str] = {
    pl.Boolean: "boolean",
    pl.Int8: "smallint",
    pl.Int16: "smallint",
    pl.Int32: "integer",
    pl.Int64: "bigint",
    pl.Float32: "real",
    pl.Float64: "double precision",
    pl.String: "text",
    pl.Date: "date",
}


def _arrays(keys: pl.DataFrame) -> pl.DataFrame:
    """Returns one row that holds each column whole."""
    wide = keys.cast({pl.Int8: pl.Int16, pl.Datetime: pl.Datetime("us")})
    return wide.select(pl.all().implode())


def _uri(path: str, user: str, password: str) -> str:
    """Returns the driver's URI.

    Example:
        >>> _uri("//localhost:5432/shop", "ann", "p@ss")
        'postgresql://ann:p%40ss@localhost:5432/shop'
        >>> _uri("shop", "", "")
        'postgresql:///shop'
    """
    parts = urlsplit(f"postgresql:{path}" if path.startswith("//") else f"postgresql:///{path}")
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    uri = urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}" if login else parts.netloc))
    return uri if parts.netloc or login else f"postgresql://{uri.removeprefix('postgresql:').removeprefix('//')}"
