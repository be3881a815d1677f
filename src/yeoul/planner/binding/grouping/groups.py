"""What a query groups by: GROUP BY read, its window found in the text or in the rows, its sets of keys."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeGuard

from sqlglot import exp

from yeoul.errors import Span, UserError
from yeoul.plan.expressions import AggregateCall, ColumnRef, Expression, Literal, columns_of
from yeoul.plan.nodes import Field, Node, Window, WindowKind, WindowProperty
from yeoul.planner.binding.boundedness import computes_changes
from yeoul.planner.binding.context import BindContext, Relation, unique_name
from yeoul.planner.binding.expressions import ExpressionBinder, SubqueryBinding
from yeoul.planner.binding.grouping.absorption import absorb, is_of_sessions, window_columns
from yeoul.planner.binding.grouping.regrouping import regroup
from yeoul.planner.binding.grouping.sets import SetsOfKeys, repeated, sets_of_keys
from yeoul.planner.binding.projections import Item
from yeoul.planner.binding.windows import GROUP_WINDOWS, group_window, property_field
from yeoul.planner.dialects.flink.nodes import FunctionCall

__all__ = ["Groups", "add_key", "groups_of"]

_BOUNDARIES = frozenset({WindowProperty.START, WindowProperty.END})


@dataclass(slots=True)
class Groups:
    """What a grouped query's SELECT and HAVING may refer to; filled while they are bound.

    Attributes:
        source: The rows as FROM and WHERE give them; names refer to these.
        rows: The rows that are aggregated: the source, without a window table function.
        window: The window over `rows`; None: all of them are one.
        subqueries: What becomes of subqueries.
        keys: Expression over the source, and the name it has in the aggregate's output.
        columns: Columns of the source that are grouped window properties.
        by_function: Whether TUMBLE_START and its like ask for the window's properties.
        conditions: Predicates over `WINDOW_COLUMNS` that go above the aggregate.
        updating: Whether groups without a window are given as changes.
        sets: The sets of keys, if there are several.
    """

    source: Relation
    rows: Node
    window: Window | None = None
    subqueries: SubqueryBinding | None = None
    keys: dict[Expression, str] = field(default_factory=dict)
    columns: Mapping[str, WindowProperty] = field(default_factory=dict)
    by_function: bool = False
    conditions: tuple[Expression, ...] = ()
    updating: bool = False
    aggregates: dict[AggregateCall, str] = field(default_factory=dict)
    properties: dict[WindowProperty, str] = field(default_factory=dict)
    sets: SetsOfKeys | None = None

    @property
    def time(self) -> Field:
        """The window's time."""
        assert self.window is not None
        return self.rows.schema[self.window.time_column]

    def key(self, key: Expression) -> Expression:
        """A key as the rows are grouped by it."""
        return key if self.sets is None else self.sets.key(key)

    def taken(self) -> list[str]:
        return [*self.keys.values(), *self.aggregates.values(), *self.properties.values()]

    def property_ref(self, value: WindowProperty, wanted: str, span: Span | None = None) -> ColumnRef:
        """Returns the column that holds a property of the window, asking for it if nobody has yet."""
        if value not in self.properties:
            self.properties[value] = unique_name(wanted, self.taken())
        name = self.properties[value]
        return ColumnRef(name, property_field(name, value, self.time).type, span)


def groups_of(context: BindContext, select: exp.Select, source: Relation, items: list[Item]) -> Groups:
    group = select.args.get("group")
    nodes: list[exp.Expr] = [] if group is None else group.expressions
    windows = [node for node in nodes if _is_group_window(node)]
    if len(windows) > 1:
        raise context.error("A query has one window in GROUP BY", windows[1])
    others = [node for node in nodes if not any(node is window for window in windows)]
    sets = sets_of_keys(context, others)
    if sets is not None:
        others = list({id(node): node for one in sets for node in one}.values())
    bound = {id(node): _key(context, node, source, items) for node in others}
    keys = list(bound.values())
    by_set = [frozenset(bound[id(node)] for node in one) for one in sets or ()]
    if windows:
        node = windows[0]
        assert isinstance(node, FunctionCall)
        window = group_window(context, node, source)
        groups = Groups(source, source.node, window, by_function=True)
    else:
        of_all_sets = [key for key in keys if all(key in one for one in by_set)]
        groups = _windowed(source, of_all_sets) or _unwindowed(context, source)
    if sets is not None:
        _repeat_rows(groups, by_set)
    for key in keys:
        if not (isinstance(key, ColumnRef) and key.name in groups.columns):
            add_key(groups, key)
    return groups


def _repeat_rows(groups: Groups, sets: list[frozenset[Expression]]) -> None:
    groups.rows, groups.sets = repeated(groups.rows, sets)
    groups.keys[groups.sets.number_ref] = groups.sets.number


def _is_group_window(node: exp.Expr) -> bool:
    return isinstance(node, FunctionCall) and node.this.upper() in (*GROUP_WINDOWS, "CUMULATE")


def _key(context: BindContext, node: exp.Expr, source: Relation, items: list[Item]) -> Expression:
    if isinstance(node, exp.Column) and node.this.name not in source.schema:
        aliased = next((item for item in items if item.name == node.this.name), None)
        if aliased is not None:
            raise context.error(
                f"GROUP BY cannot use {node.this.name!r}, an alias of SELECT",
                node,
                hint="Repeat the expression in GROUP BY, or name it in a subquery",
            )
    bound = ExpressionBinder(context, source, "GROUP BY").bind(node)
    if isinstance(bound, Literal):
        raise context.error(
            f"GROUP BY expects columns or expressions over them, got the constant {bound.value!r}",
            node,
            hint="Positions in the SELECT list are not taken: name the column",
        )
    return bound


def _windowed(source: Relation, keys: list[Expression]) -> Groups | None:
    """Returns the groups of rows that carry their window and are grouped by it; None if they do or are not.

    Args:
        source: The rows.
        keys: What every group is told by: keys that a set of keys leaves out tell no window.
    """
    columns = window_columns(source.node)
    if not columns:
        return _regrouped(source, keys)
    grouped = {key.name: columns[key.name] for key in keys if _is_one_of(key, columns)}
    if not set(grouped.values()) >= _BOUNDARIES:
        return None
    absorbed = absorb(source.node)
    assert absorbed is not None
    if absorbed.window.kind is WindowKind.SESSION:
        others = [key for key in keys if not _is_one_of(key, columns)]
        if not is_of_sessions(absorbed, others):
            return _regrouped(source, keys)
        window = replace(absorbed.window, partition=())
        return Groups(source, absorbed.node, window, columns=grouped, conditions=absorbed.conditions)
    return Groups(source, absorbed.node, absorbed.window, columns=grouped, conditions=absorbed.conditions)


def _unwindowed(context: BindContext, source: Relation) -> Groups:
    """Returns the groups of all rows."""
    return Groups(source, source.node, updating=computes_changes(source.node, context.settings))


def _regrouped(source: Relation, keys: list[Expression]) -> Groups | None:
    """Returns the groups of rows that are a window aggregate's and grouped by its window; None if they are not."""
    found = regroup(source.node)
    if found is None:
        return None
    grouped = {key.name: found.properties[key.name] for key in keys if _is_one_of(key, found.properties)}
    if not set(grouped.values()) >= _BOUNDARIES:
        return None
    time = {name: value for name, value in grouped.items() if value is WindowProperty.TIME}
    return Groups(source, found.node, found.window, columns=time)


def _is_one_of(key: Expression, names: Container[str]) -> TypeGuard[ColumnRef]:
    return isinstance(key, ColumnRef) and key.name in names


def add_key(groups: Groups, key: Expression) -> None:
    gone = [name for name in columns_of(key) if name not in groups.rows.schema]
    if gone:
        raise UserError(
            f"GROUP BY cannot compute with the window's column {gone[0]!r}",
            hint="Group by window_start and window_end as they are, and compute in SELECT",
            span=key.span,
        )
    if key not in groups.keys:
        wanted = key.name if isinstance(key, ColumnRef) else f"key${len(groups.keys)}"
        groups.keys[key] = unique_name(wanted, groups.taken())
