"""The connector `jdbc`: rows of a database, looked up by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from yeoul.connectors.jdbc.options import DRIVER, PASSWORD, TABLE_NAME, URL, USERNAME, place_of
from yeoul.connectors.lookups import LOOKUP_OPTIONS
from yeoul.connectors.spec import ConnectorContext, ConnectorSpec
from yeoul.errors import UserError
from yeoul.plan.tables import Column, ColumnKind

if TYPE_CHECKING:
    from yeoul.engine.contract import Lookup
    from yeoul.plan.nodes import Scan

__all__ = ["JDBC"]


def _check(options: Mapping[str, str], columns: Sequence[Column], primary_key: Sequence[str]) -> None:
    place_of(URL.read(options))
    odd = next((one for one in columns if one.kind is not ColumnKind.PHYSICAL), None)
    if odd is not None:
        raise UserError(f"Column {odd.name!r}: a table of connector 'jdbc' has physical columns only")


def _make_lookup(scan: Scan, keys: Sequence[str], context: ConnectorContext) -> Lookup:
    from yeoul.connectors.jdbc.lookup import open_database_lookup

    return open_database_lookup(scan, keys, context)


JDBC = ConnectorSpec(
    name="jdbc",
    options=(URL, TABLE_NAME, USERNAME, PASSWORD, DRIVER, *LOOKUP_OPTIONS),
    doc="Looks up rows of a SQLite file, a DuckDB file or a PostgreSQL database by key.",
    make_lookup=_make_lookup,
    check=_check,
)
