"""The system tables of a table: `<table>$late` and `<table>$dead`, derived from its declaration.

Rows that came after their window had fired, and records that did not decode, are kept on disk by the engine
(`yeoul.engine.runtime.side_streams`); here is only what they look like to SQL. Both are bounded tables of the
connector `side-stream`: a query sees what is there when it starts.
"""

from __future__ import annotations

from pathlib import Path

from yeoul.plan.tables import Column, ColumnKind, TableDefinition
from yeoul.plan.types import BYTES, STRING, timestamp

__all__ = ["DEAD_COLUMNS", "LATE_COLUMNS", "SIDE_KINDS", "side_table", "split_side_name"]

SIDE_KINDS = ("late", "dead")

LATE_COLUMNS = (
    Column("late_operator", STRING),
    Column("late_window_start", timestamp(3)),
    Column("late_window_end", timestamp(3)),
    Column("late_watermark", timestamp(3)),
    Column("split", STRING),
    Column("position", STRING),
)
"""What `<table>$late` adds to the table's own columns: who judged the row late, and where it was read."""

DEAD_COLUMNS = (
    Column("split", STRING),
    Column("position", STRING),
    Column("reason", STRING),
    Column("raw", BYTES),
    Column("text", STRING),
)
"""The columns of `<table>$dead`: where the record lies, why it did not decode, its bytes, and the same as text."""


def split_side_name(name: str) -> tuple[str, str] | None:
    """Returns the table and the kind that a system table's name asks for, None for any other name.

    Example:
        >>> split_side_name("clicks$late")
        ('clicks', 'late')
        >>> split_side_name("clicks") is None
        True
    """
    base, separator, kind = name.rpartition("$")
    return (base, kind) if separator and base and kind in SIDE_KINDS else None


def side_table(base: TableDefinition, kind: str, directory: Path) -> TableDefinition:
    """Returns the declaration of `<base>$<kind>`, read from the side streams under `directory`."""
    own = _recovered_columns(base) if kind == "late" else ()
    return TableDefinition(
        name=f"{base.name}${kind}",
        columns=own + (LATE_COLUMNS if kind == "late" else DEAD_COLUMNS),
        options={"connector": "side-stream", "path": str(directory), "table": base.name, "kind": kind},
        comment=f"What was set aside from {base.name}",
        database=base.database,
    )


def _recovered_columns(base: TableDefinition) -> tuple[Column, ...]:
    """The columns that a connector gives; nullable, for a late row's record may not be whole any more."""
    return tuple(
        Column(column.name, column.type.or_null()) for column in base.columns if column.kind is not ColumnKind.COMPUTED
    )
