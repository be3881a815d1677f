"""The options of `jdbc`: Flink's names, for SQLite and DuckDB files, and for PostgreSQL."""

from __future__ import annotations

from yeoul.connectors.options import Option, text
from yeoul.errors import UserError, did_you_mean

__all__ = ["DRIVER", "PASSWORD", "TABLE_NAME", "URL", "USERNAME", "place_of"]

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
