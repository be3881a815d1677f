"""Grouped queries: GROUP BY, over a window or over input that ends, aggregates, HAVING, DISTINCT.

A grouped query becomes WindowAggregate or Aggregate, a Filter for HAVING and a Project for the SELECT list. Aggregates
in the list are collected and stand as columns of the aggregate node; what is left must be made of the keys.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeGuard

from sqlglot import exp

from yeoul.errors import Span, UserError, did_you_mean
from yeoul.plan.explain import explain_window
from yeoul.plan.expressions import AggregateCall, ColumnRef, Expression, Literal, columns_of
from yeoul.plan.functions import is_aggregate, resolve_grouping
from yeoul.plan.nodes import (
    Aggregate,
    Aggregation,
    Field,
    Filter,
    Node,
    Projection,
    Schema,
    Window,
    WindowAggregate,
    WindowKind,
    WindowProperty,
)
from yeoul.plan.types import BIGINT
from yeoul.planner.binding.absorption import absorb, is_of_sessions, window_columns
from yeoul.planner.binding.aggregate_calls import aggregate_call
from yeoul.planner.binding.boundedness import computes_changes, gives_changes
from yeoul.planner.binding.context import BindContext, Relation, unique_name
from yeoul.planner.binding.emission import emission_of
from yeoul.planner.binding.expressions import ExpressionBinder, SubqueryBinding
from yeoul.planner.binding.grouping_sets import (
    SetsOfKeys,
    is_grouping_function,
    refuse_partial,
    repeated,
    sets_of_keys,
)
from yeoul.planner.binding.ordering import hidden_items, unaliased
from yeoul.planner.binding.overs import OverCalls, refuse_without_over
from yeoul.planner.binding.projections import Item, items_of
from yeoul.planner.binding.rankings import with_top_n
from yeoul.planner.binding.regrouping import regroup
from yeoul.planner.binding.windows import (
    GROUP_WINDOWS,
    WINDOW_COLUMNS,
    group_window,
    property_field,
    window_property,
)
from yeoul.planner.dialects.flink.nodes import FunctionCall, OverCall, without_subqueries
from yeoul.planner.rewriting import joined, map_children, project, replaced

__all__ = ["bind_grouped", "distinct", "is_grouped"]

_WINDOW_HINT = (
    "Group within a window: FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE))"
    " GROUP BY window_start, window_end, ..."
)
_BOUNDARIES = frozenset({WindowProperty.START, WindowProperty.END})


def _aggregates(context: BindContext, call: FunctionCall) -> bool:
    return is_aggregate(call.this) or context.function(call.this, "aggregate") is not None


def is_grouped(context: BindContext, select: exp.Select) -> bool:
    """Tells whether a SELECT groups: by GROUP BY, or by an aggregate in its list."""
    clauses = [*select.expressions, select.args.get("having")]
    order = select.args.get("order")
    clauses += order.expressions if order is not None else []
    parts = (part for clause in clauses if clause is not None for part in without_subqueries(clause))
    calls = (part for part in parts if isinstance(part, FunctionCall))
    grouping = (call for call in calls if _aggregates(context, call) and not isinstance(call.parent, OverCall))
    return select.args.get("group") is not None or any(grouping)


class JoinedSubqueries(SubqueryBinding, Protocol):
    """What makes joins of subqueries, to be made when every expression is bound."""

    def joined_to(self, node: Node) -> Node: ...


@dataclass(slots=True)
class _Groups:
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


def bind_grouped(
    context: BindContext,
    select: exp.Select,
    source: Relation,
    subqueries: JoinedSubqueries,
    more_keys: Sequence[Expression] = (),
) -> Node:
    """Binds a grouped SELECT over its source (FROM and WHERE are done).

    Args:
        context: The catalog, the settings and the text.
        select: The query.
        source: Its rows.
        subqueries: Makes joins of subqueries in SELECT and HAVING.
        more_keys: What it is grouped by besides, over the source; given behind its own columns.

    Raises:
        UserError: A column is neither grouped nor aggregated.
    """
    items = items_of(context, select, source)
    _refuse_stars(context, items)
    groups = _groups(context, select, source, items)
    groups.subqueries = subqueries
    for key in more_keys:
        _add_key(groups, key)
    items = [*items, *hidden_items(context, select, items)]
    overs = OverCalls(context, select, ())
    outputs: list[tuple[str, Expression]] = [
        (item.name, _GroupedBinder(context, groups, item.name, "SELECT", overs).bind_over(item.node)) for item in items
    ]
    having = select.args.get("having")
    kept = None if having is None else _GroupedBinder(context, groups, "", "HAVING").condition_over(having.this)
    qualified = _qualifying(context, select, groups, overs, items)
    conditions = _above(groups)
    for key in more_keys:
        wanted = unique_name(groups.keys[key], (name for name, _ in outputs))
        outputs.append((wanted, ColumnRef(groups.keys[key], key.type)))
    node: Node = subqueries.joined_to(_aggregate(context, groups))
    if kept is not None:
        conditions.append(kept)
    if conditions:
        node = Filter(node, joined(conditions))
    node = overs.applied(node)
    if qualified is not None:
        node = with_top_n(context, Filter(node, qualified))
    return project(node, outputs)


def _qualifying(
    context: BindContext, select: exp.Select, groups: _Groups, overs: OverCalls, items: Sequence[Item]
) -> Expression | None:
    """Returns the condition of QUALIFY over the groups and their OVER columns."""
    qualify = select.args.get("qualify")
    if qualify is None:
        return None
    aliased = {item.name: item.node for item in items if item.name not in groups.source.schema}
    tree = qualify.this.transform(lambda node: unaliased(node, aliased))
    refuse_without_over(context, qualify, tree)
    return _GroupedBinder(context, groups, "", "QUALIFY", overs).condition_over(tree)


def _refuse_stars(context: BindContext, items: list[Item]) -> None:
    star = next((item for item in items if item.column is not None), None)
    if star is not None:
        raise context.error("'*' cannot be used with GROUP BY or aggregates", star.node, hint="Name the columns")


def _above(groups: _Groups) -> list[Expression]:
    """Returns the conditions on the window's columns, over the aggregate's output."""
    found = []
    for condition in groups.conditions:
        names: dict[str, Expression] = {
            name: groups.property_ref(WINDOW_COLUMNS[name], name) for name in columns_of(condition)
        }
        found.append(replaced(condition, names))
    return found


def _aggregate(context: BindContext, groups: _Groups) -> Aggregate | WindowAggregate:
    if not groups.taken():
        groups.property_ref(WindowProperty.END, "window_end")
    keys = tuple(Projection(name, groups.key(key)) for key, name in groups.keys.items())
    aggregates = tuple(Aggregation(name, call) for call, name in groups.aggregates.items())
    fields = [Field(one.name, one.expression.type) for one in keys]
    fields += [Field(one.name, one.call.type) for one in aggregates]
    if groups.window is None:
        ends = not gives_changes(groups.rows, context.settings)
        return Aggregate(
            groups.rows, keys, aggregates, Schema(tuple(fields)), groups.updating, ends and groups.updating and not keys
        )
    fields += [property_field(name, value, groups.time) for value, name in groups.properties.items()]
    properties = tuple((name, value) for value, name in groups.properties.items())
    emission = emission_of(context.settings, groups.window, groups.rows)
    return WindowAggregate(groups.rows, groups.window, keys, aggregates, properties, Schema(tuple(fields)), emission)


def distinct(context: BindContext, rows: Node) -> Aggregate:
    """Returns the different rows of a SELECT: its rows grouped by every column."""
    keys = tuple(Projection(one.name, ColumnRef(one.name, one.type)) for one in rows.schema.fields)
    fields = tuple(replace(one, is_rowtime=False) for one in rows.schema.fields)
    return Aggregate(rows, keys, (), Schema(fields), computes_changes(rows, context.settings))


# --- GROUP BY


def _groups(context: BindContext, select: exp.Select, source: Relation, items: list[Item]) -> _Groups:
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
    if windows:
        node = windows[0]
        assert isinstance(node, FunctionCall)
        window = group_window(context, node, source)
        groups = _Groups(source, source.node, window, by_function=True)
    else:
        groups = _windowed(source, keys) or _unwindowed(context, source)
    if sets is not None:
        _repeat_rows(groups, [frozenset(bound[id(node)] for node in one) for one in sets])
    for key in keys:
        if not (isinstance(key, ColumnRef) and key.name in groups.columns):
            _add_key(groups, key)
    return groups


def _repeat_rows(groups: _Groups, sets: list[frozenset[Expression]]) -> None:
    of_window = {key for one in sets for key in one if _is_one_of(key, groups.columns)}
    refuse_partial(sets, of_window)
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


def _windowed(source: Relation, keys: list[Expression]) -> _Groups | None:
    """Returns the groups of rows that carry their window and are grouped by it; None if they do or are not."""
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
        return _Groups(source, absorbed.node, window, columns=grouped, conditions=absorbed.conditions)
    return _Groups(source, absorbed.node, absorbed.window, columns=grouped, conditions=absorbed.conditions)


def _unwindowed(context: BindContext, source: Relation) -> _Groups:
    """Returns the groups of all rows."""
    return _Groups(source, source.node, updating=computes_changes(source.node, context.settings))


def _regrouped(source: Relation, keys: list[Expression]) -> _Groups | None:
    """Returns the groups of rows that are a window aggregate's and grouped by its window; None if they are not."""
    found = regroup(source.node)
    if found is None:
        return None
    grouped = {key.name: found.properties[key.name] for key in keys if _is_one_of(key, found.properties)}
    if not set(grouped.values()) >= _BOUNDARIES:
        return None
    time = {name: value for name, value in grouped.items() if value is WindowProperty.TIME}
    return _Groups(source, found.node, found.window, columns=time)


def _is_one_of(key: Expression, names: Container[str]) -> TypeGuard[ColumnRef]:
    return isinstance(key, ColumnRef) and key.name in names


def _add_key(groups: _Groups, key: Expression) -> None:
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


# --- SELECT and HAVING


class _GroupedBinder(ExpressionBinder):
    """Binds expressions over groups: first over the source, aggregates aside, then keys become the output's columns."""

    def __init__(
        self, context: BindContext, groups: _Groups, output: str, place: str, overs: OverCalls | None = None
    ) -> None:
        super().__init__(context, groups.source, place, groups.subqueries)
        self._overs = overs
        self._groups = groups
        self._output = output
        self._placed: set[str] = set()

    def bind_over(self, node: exp.Expr) -> Expression:
        """Binds an expression whose columns are the aggregate's output."""
        if not (isinstance(node, FunctionCall) and _aggregates(self.context, node)):
            self._output = ""
        return self._over_groups(self.bind(node))

    def condition_over(self, node: exp.Expr) -> Expression:
        """Binds a condition whose columns are the aggregate's output."""
        return self._over_groups(self.condition(node))

    def _over_groups(self, expression: Expression) -> Expression:
        groups = self._groups
        if expression in groups.keys:
            return ColumnRef(groups.keys[expression], groups.key(expression).type, expression.span)
        if isinstance(expression, ColumnRef):
            if expression.name in self._placed:
                return ColumnRef(expression.name[len(_PLACED) :], expression.type, expression.span)
            if expression.name in groups.columns:
                return groups.property_ref(groups.columns[expression.name], expression.name, expression.span)
            raise self._ungrouped(expression)
        return map_children(expression, self._over_groups)

    def _ungrouped(self, column: ColumnRef) -> UserError:
        if column.name in WINDOW_COLUMNS and column.name not in self._groups.rows.schema:
            hint = f"Add {column.name} to GROUP BY"
        else:
            hint = f"Add it to GROUP BY, or aggregate it: MAX({column.name})"
        message = f"Column {column.name!r} is neither in GROUP BY nor inside an aggregate"
        return UserError(message, hint=hint, span=column.span)

    def lifted(self, expression: Expression) -> Expression:
        return self._over_groups(expression)

    def placed(self, column: ColumnRef) -> ColumnRef:
        return self._place(column)

    def _place(self, column: ColumnRef) -> ColumnRef:
        """Marks a column of the output, so that it is not taken for one of the source's."""
        marked = _PLACED + column.name
        self._placed.add(marked)
        return ColumnRef(marked, column.type, column.span)

    def aggregate(self, node: FunctionCall, span: Span | None) -> Expression:
        call = self._call(node, span)
        groups = self._groups
        if call not in groups.aggregates:
            wanted = self._output or f"{call.function}${len(groups.aggregates)}"
            groups.aggregates[call] = unique_name(wanted, groups.taken())
        return self._place(ColumnRef(groups.aggregates[call], call.type, span))

    def over(self, node: OverCall, span: Span | None) -> Expression:
        overs = self._overs
        if overs is None:
            return super().over(node, span)

        def bind(part: exp.Expr, place: str, *, condition: bool = False) -> Expression:
            binder = _GroupedBinder(self.context, self._groups, "", place)
            return binder.condition_over(part) if condition else binder.bind_over(part)

        return self._place(overs.bind(node, bind, ""))

    def _call(self, node: FunctionCall, span: Span | None) -> AggregateCall:
        def bind(part: exp.Expr, place: str, *, condition: bool = False) -> Expression:
            binder = ExpressionBinder(self.context, self.relation, place)
            return binder.condition(part) if condition else binder.bind(part)

        call = aggregate_call(node, bind, span, self.context)
        self._refuse_window_columns(call)
        return call

    def _refuse_window_columns(self, call: AggregateCall) -> None:
        for part in (*call.args, *([call.filter] if call.filter else [])):
            gone = [name for name in columns_of(part) if name not in self._groups.rows.schema]
            if gone:
                raise UserError(
                    f"An aggregate cannot take the window's column {gone[0]!r}",
                    hint="It is the same for every row of the group: use it outside the aggregate",
                    span=part.span,
                )

    def function(self, node: FunctionCall, span: Span | None) -> Expression:
        if is_grouping_function(node.this):
            return self._grouping(node, span)
        asked = window_property(node.this)
        if asked is None:
            return super().function(node, span)
        function, value = asked
        groups = self._groups
        if not groups.by_function or groups.window is None:
            hint = f"Use window_{value.value} with the table function" if groups.columns else _WINDOW_HINT
            raise UserError(f"{node.this.upper()} belongs to GROUP BY {function}(...)", hint=hint, span=span)
        window = group_window(self.context, node, groups.source)
        if window != groups.window or window.kind.value != function:
            raise UserError(
                f"{node.this.upper()} names another window than GROUP BY:"
                f" {explain_window(window)}; not {explain_window(groups.window)}",
                span=span,
            )
        return self._place(groups.property_ref(value, f"window_{value.value}", span))

    def _grouping(self, node: FunctionCall, span: Span | None) -> Expression:
        groups, name = self._groups, node.this.upper()
        keys = [ExpressionBinder(self.context, self.relation, name).bind(one) for one in node.expressions]
        resolve_grouping(name, [key.type for key in keys], span)
        strange = next((key for key in keys if key not in groups.keys), None)
        if strange is not None:
            raise UserError(f"{name} takes keys of GROUP BY", span=strange.span or span)
        if groups.sets is None:
            return Literal(0, BIGINT.not_null(), span)
        return groups.sets.answer(name, keys, self._place(groups.sets.number_ref), span)

    def _column_hint(self, name: str) -> str:
        window = self._groups.window
        if name in WINDOW_COLUMNS and self._groups.by_function and window is not None:
            return f"With GROUP BY {window.kind.value}(...), ask {_asking(window, name)}"
        return did_you_mean(name, self._groups.source.schema.names)


def _asking(window: Window, column: str) -> str:
    """Returns the call that gives what a window column would."""
    wanted = {WindowProperty.START: "START", WindowProperty.END: "END", WindowProperty.TIME: "ROWTIME"}
    return f"{window.kind.value}_{wanted[WINDOW_COLUMNS[column]]}(...) with the same arguments"


_PLACED = "\0"
