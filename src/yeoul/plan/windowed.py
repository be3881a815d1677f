"""Which columns of a node tell the window that its rows belong to, followed down to the window function."""

from __future__ import annotations

from dataclasses import dataclass, replace

from yeoul.plan.expressions import ColumnRef
from yeoul.plan.join_bounds import SameWindow
from yeoul.plan.nodes import (
    Filter,
    Join,
    Node,
    Project,
    Projection,
    Window,
    WindowAggregate,
    WindowAssign,
    WindowProperty,
)
from yeoul.plan.types import Kind

__all__ = ["Windowed", "windowed"]


@dataclass(frozen=True, slots=True)
class Windowed:
    """A node whose rows each belong to one window.

    Attributes:
        window: How windows lie; its time column is that of the window function's input.
        is_local: Whether they are cut in local time.
        starts: Columns that hold the window's start.
        ends: Columns that hold its end.
    """

    window: Window
    is_local: bool
    starts: frozenset[str]
    ends: frozenset[str]

    def has_windows_of(self, other: Windowed) -> bool:
        """Tells whether both are cut into the same windows."""
        same = replace(self.window, time_column="") == replace(other.window, time_column="")
        return same and self.is_local == other.is_local


def windowed(node: Node) -> Windowed | None:
    """Returns how a node's rows belong to windows; None if they do not, or no column says how."""
    match node:
        case WindowAssign():
            start, end, _ = node.schema.names[-3:]
            is_local = _is_local(node.input, node.window)
            return Windowed(node.window, is_local, frozenset({start}), frozenset({end}))
        case WindowAggregate():
            return _of_aggregate(node)
        case Filter():
            return windowed(node.input)
        case Project():
            return _renamed(windowed(node.input), node.projections)
        case Join() if isinstance(node.bound, SameWindow) and not node.kind.keeps_right:
            left = windowed(node.left)
            names = node.schema.names
            return (
                None if left is None else _named(left, left.starts.intersection(names), left.ends.intersection(names))
            )
        case _:
            return None


def _of_aggregate(node: WindowAggregate) -> Windowed | None:
    starts = frozenset(name for name, value in node.properties if value is WindowProperty.START)
    ends = frozenset(name for name, value in node.properties if value is WindowProperty.END)
    if starts and ends:
        return Windowed(node.window, _is_local(node.input, node.window), starts, ends)
    return _renamed(windowed(node.input), node.keys)


def _is_local(below: Node, window: Window) -> bool:
    return below.schema[window.time_column].type.kind is Kind.TIMESTAMP_LTZ


def _renamed(below: Windowed | None, projections: tuple[Projection, ...]) -> Windowed | None:
    if below is None:
        return None
    refs = [(one.name, one.expression.name) for one in projections if isinstance(one.expression, ColumnRef)]
    starts = frozenset(name for name, source in refs if source in below.starts)
    return _named(below, starts, frozenset(name for name, source in refs if source in below.ends))


def _named(below: Windowed, starts: frozenset[str], ends: frozenset[str]) -> Windowed | None:
    return replace(below, starts=starts, ends=ends) if starts and ends else None
