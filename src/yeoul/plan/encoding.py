"""How a table tells of changes, read or written, and what becomes of rows that want the same key."""

from __future__ import annotations

import enum

__all__ = ["Conflict", "Encoding"]


class Encoding(enum.Enum):
    """What one record of a table means; the value is what EXPLAIN shows."""

    APPEND = "append"
    """A new row."""
    UPSERT = "upsert"
    """By primary key: the key's row from now on, or that the key has none any more."""
    RETRACT = "retract"
    """A row that comes, or one that is taken back; an update is both."""


class Conflict(enum.Enum):
    """What a table with a primary key keeps when a query gives several rows for one key: ON CONFLICT DO ..."""

    DEDUPLICATE = "DEDUPLICATE"
    """The latest of the rows that stand; when it is taken back, the one before it."""
    NOTHING = "NOTHING"
    """The first one; the others are dropped, and are not remembered."""
    ERROR = "ERROR"
    """None: the job fails."""
