"""The options of `jdbc`: Flink's names, for SQLite and DuckDB files, and for PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from yeoul.connectors.lookups import LOOKUP_OPTIONS
from yeoul.connectors.options import Option, text
from yeoul.connectors.spec import ConnectorContext, ConnectorSpec
from yeoul.errors import UserError, did_you_mean
from yeoul.plan.tables import Column, ColumnKind

if TYPE_CHECKING:
    from yeoul.engine.contract import Lookup
    from yeoul.plan.nodes import Scan

__all__ = ["JDBC", "PASSWORD", "TABLE_NAME", "URL", "USERNAME", "place_of"]

_FORMS = "jdbc:sqlite:<path>, jdbc:duckdb:<path> or jdbc:postgresql://<host>:<port>/<database>"
URL: Option[str] = Option("url", text, "", f"Which database: {_FORMS}.", required=True)
TABLE_NAME: Option[str] = Option("table-name", text, "", "The table's name there.", required=True)
USERNAME: Option[str] = Option("username", text, "", "Who logs in to PostgreSQL.")
PASSWORD: Option[str] = Option("password", text, "", "The user's password.")
DRIVER: Option[str] = Option("driver", text, "", "Accepted for Flink's sake: the URL says which driver is used.")
_DATABASES = ("sqlite", "duckdb", "postgresql")


def place_of(url: str) -> tuple[str, str]:
    """Returns the kind of a database and its path, of PostgreSQL all that follows the kind.

    Raises:
        UserError: It is none that can be looked up here.

    Example:
        >>> place_of("jdbc:sqlite:/tmp/users.db")
        ('sqlite', '/tmp/users.db')
    """
    scheme, _, rest = url.partition(":")
    kind, colon, path = rest.partition(":")
    if scheme != "jdbc" or not colon or not path:
        raise UserError(f"Option 'url': expected {_FORMS}, got {url!r}")
    if kind not in _DATABASES:
        hint = did_you_mean(kind, _DATABASES) or f"Known: {', '.join(_DATABASES)}"
        raise UserError(f"Option 'url': database {kind!r} is not supported", hint=hint)
    return kind, path


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
