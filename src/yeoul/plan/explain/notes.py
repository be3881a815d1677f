"""What becomes of rows that come late or do not decode, for each table that a plan reads."""

from __future__ import annotations

from collections.abc import Iterator

from yeoul.plan.nodes import Deduplicate, Node, Over, Scan, Sort, judges_lateness, walk
from yeoul.plan.ordering import OverTime
from yeoul.plan.tables import TableDefinition

__all__ = ["notes_on"]


_SIDE_STREAM = "side-stream"


def notes_on(plan: Node) -> Iterator[str]:
    """Yields a line for each table and each way in which its rows can be set aside."""
    scans = {node.table.name: node.table for node in walk(plan) if isinstance(node, Scan)}
    tables = [table for table in scans.values() if table.options.get("connector") != _SIDE_STREAM]
    has_windows = any(judges_lateness(node) for node in walk(plan))
    has_order = any(_is_ordered_by_time(node) for node in walk(plan))
    for table in tables:
        if has_windows and table.watermark is not None:
            yield f"Late rows of {table.name}: a row whose every window has closed goes to `{table.name}$late`"
        elif has_order and table.watermark is not None:
            yield f"Late rows of {table.name}: a row that the watermark had passed goes to `{table.name}$late`"
        if "format" in table.options or "value.format" in table.options:
            yield f"Dead rows of {table.name}: a record that does not decode {_fate_of_dead(table)}"


def _is_ordered_by_time(node: Node) -> bool:
    """Tells whether a node needs its rows before the watermark passes them."""
    match node:
        case Over() | Sort():
            return node.time is OverTime.EVENT
        case Deduplicate():
            return node.time is OverTime.EVENT and not node.keeps_last and node.updating
        case _:
            return False


def _fate_of_dead(table: TableDefinition) -> str:
    if table.options.get("on-malformed", "dead") == "fail":
        return "ends the job"
    named = table.options.get("format", table.options.get("value.format", ""))
    if table.options.get(f"{named}.ignore-parse-errors", "").lower() == "true":
        return "is skipped; fields that do not parse are NULL"
    return f"goes to `{table.name}$dead`"
