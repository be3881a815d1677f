"""Rows that carry their window in columns: which window, and in which columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from yeoul.plan.expressions import ColumnRef
from yeoul.plan.nodes import (
    Filter,
    Node,
    Project,
    Window,
    WindowAggregate,
    WindowAssign,
    WindowKind,
    WindowProperty,
    WindowTopN,
)
from yeoul.plan.types import Kind
from yeoul.planner.binding.windows import WINDOW_COLUMNS

__all__ = ["WindowedRows", "windowed_rows"]


@dataclass(frozen=True, slots=True)
class WindowedRows:
    """What is known of a node's rows.

    Attributes:
        window: The window that they lie in.
        is_local: Whether its bounds are readings of the session's local time.
        properties: Which columns hold what of it.
    """

    window: Window
    is_local: bool
    properties: Mapping[str, WindowProperty]

    def column(self, value: WindowProperty, among: tuple[str, ...]) -> str | None:
        """Returns the one of some columns that holds a property."""
        return next((name for name in among if self.properties.get(name) is value), None)


def windowed_rows(node: Node) -> WindowedRows | None:
    """Follows projections, filters and ranks down to a window that is given as a whole; None if there is none.

    Rows of the bare table functions are given as a whole, too, once the watermark has passed their window; by the clock
    only those of SESSION are, for the others get their time before they are handed on.
    """
    match node:
        case WindowAggregate():
            return WindowedRows(node.window, _is_local(node), dict(node.properties))
        case WindowAssign() if node.window.by_clock and node.window.kind is not WindowKind.SESSION:
            return None
        case WindowAssign():
            properties = dict(zip(node.schema.names[-3:], WINDOW_COLUMNS.values(), strict=True))
            return WindowedRows(node.window, _is_local(node), properties)
        case Filter() | WindowTopN():
            return windowed_rows(node.input)
        case Project():
            below = windowed_rows(node.input)
            if below is None:
                return None
            found = ((one.name, one.expression) for one in node.projections)
            properties = {
                name: below.properties[value.name]
                for name, value in found
                if isinstance(value, ColumnRef) and value.name in below.properties
            }
            return replace(below, properties=properties)
        case _:
            return None


def _is_local(node: WindowAggregate | WindowAssign) -> bool:
    return node.input.schema[node.window.time_column].type.kind is Kind.TIMESTAMP_LTZ
