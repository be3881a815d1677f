"""Windows as operators: by event time as they are, by the clock in a frame that follows it."""

from __future__ import annotations

from yeoul.engine.compile.aggregates import compile_aggregates
from yeoul.engine.compile.expressions import EvaluationContext, compile_expression
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.contract import Operator, Stateless
from yeoul.engine.operators.time_axis import TimeAxis
from yeoul.engine.operators.windows.aggregate import WindowAggregate as WindowOperator
from yeoul.engine.operators.windows.assign import WindowAssign as AssignOperator
from yeoul.engine.operators.windows.by_clock import ByClock, Windowed
from yeoul.engine.operators.windows.emitting import WINDOW_END, EmittingWindows
from yeoul.engine.operators.windows.layout import WindowLayout
from yeoul.engine.operators.windows.sessions import SessionAggregate, SessionAssign
from yeoul.engine.operators.windows.top_n import WindowTopN as WindowTopNOperator
from yeoul.engine.runtime.settings import Settings
from yeoul.plan.changelog import is_updating
from yeoul.plan.expressions import ColumnRef
from yeoul.plan.nodes import (
    Filter,
    Node,
    Project,
    Schema,
    Window,
    WindowAggregate,
    WindowAssign,
    WindowKind,
    WindowProperty,
    WindowTopN,
)
from yeoul.plan.types import Kind

__all__ = ["assign_operator", "session_assign_operator", "window_aggregate_operator", "window_top_n_operator"]


def window_aggregate_operator(node: WindowAggregate, context: EvaluationContext, settings: Settings) -> Operator:
    """Returns what aggregates each window."""
    axis, time_column = _axis(node.input.schema, node.window, settings), node.window.time_column
    keys = [(key.name, compile_expression(key.expression, context)) for key in node.keys]
    retracts = is_updating(node.input)
    weight = WEIGHT if retracts else None
    aggregates = compile_aggregates(node.aggregates, context, weight)
    of_rows = (axis, time_column, keys, aggregates, node.properties, node.schema.names)
    if node.window.kind is WindowKind.SESSION:
        return _paced(node, SessionAggregate(node.window.size_ms, *of_rows), settings)
    layout = WindowLayout.of(node.window)
    if node.emission is None:
        return _paced(node, WindowOperator(layout, *of_rows, retracts), settings)
    properties = (*node.properties, (WINDOW_END, WindowProperty.END))
    names = (*node.schema.names, WINDOW_END)
    inner = WindowOperator(layout, axis, time_column, keys, aggregates, properties, names, retracts)
    return EmittingWindows(inner, [key.name for key in node.keys], node.emission, settings.clock)


def assign_operator(node: WindowAssign, settings: Settings) -> Stateless:
    """Returns what gives each row once for each window that it lies in."""
    start, end, time = node.schema.names[-3:]
    axis = _axis(node.input.schema, node.window, settings)
    return AssignOperator(WindowLayout.of(node.window), axis, node.window.time_column, (start, end, time))


def session_assign_operator(node: WindowAssign, settings: Settings) -> Operator:
    """Returns what gives the rows of each session when it is over."""
    window, below = node.window, node.input.schema
    start, end, time = node.schema.names[-3:]
    axis, columns, names = _axis(below, window, settings), below.names, (start, end, time)
    operator = SessionAssign(window.size_ms, axis, window.time_column, window.partition, columns, names)
    return _paced(node, operator, settings)


def window_top_n_operator(node: WindowTopN, settings: Settings) -> Operator:
    """Returns what gives the first rows of each window."""
    axis = TimeAxis(settings.local_time_zone if node.is_local else None)
    numbers = (node.first, node.last, node.rank)
    operator = WindowTopNOperator(axis, node.bounds, node.partition, node.order, *numbers)
    return ByClock(operator, settings.clock, None) if node.window.by_clock else operator


def _paced(node: WindowAggregate | WindowAssign, operator: Windowed, settings: Settings) -> Operator:
    """Returns an operator that goes by event time as it is, one that goes by the clock in a frame that does."""
    if not node.window.by_clock:
        return operator
    column = node.window.time_column
    return ByClock(operator, settings.clock, None if _has_window_time(node.input, column) else column)


def _axis(schema: Schema, window: Window, settings: Settings) -> TimeAxis:
    is_local = schema[window.time_column].type.kind is Kind.TIMESTAMP_LTZ
    return TimeAxis(settings.local_time_zone if is_local else None)


def _has_window_time(node: Node, column: str) -> bool:
    """Tells whether a column is the time of a window below, not that of a row."""
    match node:
        case WindowAggregate():
            return any(name == column for name, _ in node.properties)
        case WindowAssign():
            return column in node.schema.names[-3:]
        case Project():
            value = next(one.expression for one in node.projections if one.name == column)
            return isinstance(value, ColumnRef) and _has_window_time(node.input, value.name)
        case Filter():
            return _has_window_time(node.input, column)
        case _:
            return False
