"""Grouping a window aggregate's rows again by their window: GROUP BY window_start, window_end over such a query.

The rows carry their window in columns, no window function is called. A window is known by its end, and ends lie a whole
slide apart: so the rows of one window are those whose `window_time` (end - 1 ms) falls into one tumble of a slide's
length. That makes the second aggregate an ordinary window aggregate, with the first's window columns as keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from yeoul.plan.expressions import ColumnRef
from yeoul.plan.nodes import (
    Field,
    Filter,
    Node,
    Project,
    Projection,
    Schema,
    Window,
    WindowAggregate,
    WindowAssign,
    WindowKind,
)
from yeoul.plan.nodes import WindowProperty as Property
from yeoul.planner.binding.context import unique_name
from yeoul.planner.binding.windows import property_field

__all__ = ["Regrouped", "regroup"]


@dataclass(frozen=True, slots=True)
class Regrouped:
    """The rows of a window aggregate, their `window_time` among the columns.

    Attributes:
        node: The rows, with all the columns that they had.
        window: The tumble that holds the rows of one of the aggregate's windows.
        properties: Which columns are the aggregate's window properties.
    """

    node: Node
    window: Window
    properties: Mapping[str, Property]

    @property
    def time(self) -> Field:
        return self.node.schema[self.window.time_column]


def regroup(node: Node) -> Regrouped | None:
    """Follows projections and filters down to a window aggregate, or to sessions; None if they do not lead there."""
    match node:
        case WindowAggregate():
            return _from_aggregate(node)
        case WindowAssign() if node.window.kind is WindowKind.SESSION:
            *_, start, end, time = node.schema.names
            properties = {start: Property.START, end: Property.END, time: Property.TIME}
            return Regrouped(node, _tumble(time, node.window), properties)
        case Filter():
            below = regroup(node.input)
            return None if below is None else replace(below, node=Filter(below.node, node.predicate))
        case Project():
            below = regroup(node.input)
            return None if below is None else _through_project(node, below)
        case _:
            return None


def _from_aggregate(node: WindowAggregate) -> Regrouped:
    name = next((name for name, value in node.properties if value is Property.TIME), None)
    if name is None:
        name = unique_name("window_time", node.schema.names)
        time = property_field(name, Property.TIME, node.input.schema[node.window.time_column])
        schema = Schema((*node.schema.fields, time))
        node = replace(node, properties=(*node.properties, (name, Property.TIME)), schema=schema)
    return Regrouped(node, _tumble(name, node.window), dict(node.properties))


def _tumble(column: str, window: Window) -> Window:
    """Returns the tumble that holds the rows of one window; sessions end anywhere, so each end is one of its own."""
    slide_ms = 1 if window.kind is WindowKind.SESSION else window.slide_ms
    return Window(WindowKind.TUMBLE, column, slide_ms, slide_ms, window.offset_ms, window.by_clock)


def _through_project(node: Project, below: Regrouped) -> Regrouped:
    properties: dict[str, Property] = {}
    time_column = None
    for projection in node.projections:
        if isinstance(projection.expression, ColumnRef) and projection.expression.name in below.properties:
            properties[projection.name] = below.properties[projection.expression.name]
            if projection.expression.name == below.window.time_column:
                time_column = projection.name
    if time_column is None:
        time_column = unique_name(below.window.time_column, node.schema.names)
        time = replace(below.time, name=time_column)
        added = Projection(time_column, ColumnRef(below.window.time_column, time.type))
        node = replace(node, projections=(*node.projections, added), schema=Schema((*node.schema.fields, time)))
    rows = replace(node, input=below.node)
    return Regrouped(rows, replace(below.window, time_column=time_column), properties)
