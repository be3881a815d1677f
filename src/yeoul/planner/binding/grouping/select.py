"""Grouped queries: GROUP BY, over a window or over input that ends, aggregates, HAVING, DISTINCT.

A grouped query becomes WindowAggregate or Aggregate, a Filter for HAVING and a Project for the SELECT list. Aggregates
in the list are collected and stand as columns of the aggregate node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from sqlglot import exp

from yeoul.plan.expressions import ColumnRef, Expression, columns_of
from yeoul.plan.nodes import (
    Aggregate,
    Aggregation,
    Field,
    Filter,
    Node,
    Projection,
    Schema,
    WindowAggregate,
    WindowProperty,
)
from yeoul.planner.binding.boundedness import computes_changes, gives_changes
from yeoul.planner.binding.context import BindContext, Relation, unique_name
from yeoul.planner.binding.expressions import SubqueryBinding
from yeoul.planner.binding.grouping.emission import emission_of
from yeoul.planner.binding.grouping.expressions import GroupedBinder, calls_aggregate
from yeoul.planner.binding.grouping.groups import Groups, add_key, groups_of
from yeoul.planner.binding.ordering import hidden_items, unaliased
from yeoul.planner.binding.overs import OverCalls, refuse_without_over
from yeoul.planner.binding.projections import Item, items_of
from yeoul.planner.binding.rankings import with_top_n
from yeoul.planner.binding.windows import WINDOW_COLUMNS, property_field
from yeoul.planner.dialects.flink.nodes import FunctionCall, OverCall, without_subqueries
from yeoul.planner.rewriting import joined, project, replaced

__all__ = ["bind_grouped", "distinct", "is_grouped"]


def is_grouped(context: BindContext, select: exp.Select) -> bool:
    """Tells whether a SELECT groups: by GROUP BY, or by an aggregate in its list."""
    clauses = [*select.expressions, select.args.get("having")]
    order = select.args.get("order")
    clauses += order.expressions if order is not None else []
    parts = (part for clause in clauses if clause is not None for part in without_subqueries(clause))
    calls = (part for part in parts if isinstance(part, FunctionCall))
    grouping = (call for call in calls if calls_aggregate(context, call) and not isinstance(call.parent, OverCall))
    return select.args.get("group") is not None or any(grouping)


class JoinedSubqueries(SubqueryBinding, Protocol):
    """What makes joins of subqueries, to be made when every expression is bound."""

    def joined_to(self, node: Node) -> Node: ...


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
    groups = groups_of(context, select, source, items)
    groups.subqueries = subqueries
    for key in more_keys:
        add_key(groups, key)
    items = [*items, *hidden_items(context, select, items)]
    overs = OverCalls(context, select, (), [ColumnRef(groups.keys[key], key.type) for key in more_keys])
    outputs: list[tuple[str, Expression]] = [
        (item.name, GroupedBinder(context, groups, item.name, "SELECT", overs).bind_over(item.node)) for item in items
    ]
    having = select.args.get("having")
    kept = None if having is None else GroupedBinder(context, groups, "", "HAVING").condition_over(having.this)
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
    context: BindContext, select: exp.Select, groups: Groups, overs: OverCalls, items: Sequence[Item]
) -> Expression | None:
    """Returns the condition of QUALIFY over the groups and their OVER columns."""
    qualify = select.args.get("qualify")
    if qualify is None:
        return None
    aliased = {item.name: item.node for item in items if item.name not in groups.source.schema}
    tree = qualify.this.transform(lambda node: unaliased(node, aliased))
    refuse_without_over(context, qualify, tree)
    return GroupedBinder(context, groups, "", "QUALIFY", overs).condition_over(tree)


def _refuse_stars(context: BindContext, items: list[Item]) -> None:
    star = next((item for item in items if item.column is not None), None)
    if star is not None:
        raise context.error("'*' cannot be used with GROUP BY or aggregates", star.node, hint="Name the columns")


def _above(groups: Groups) -> list[Expression]:
    """Returns the conditions on the window's columns, over the aggregate's output."""
    found = []
    for condition in groups.conditions:
        names: dict[str, Expression] = {
            name: groups.property_ref(WINDOW_COLUMNS[name], name) for name in columns_of(condition)
        }
        found.append(replaced(condition, names))
    return found


def _aggregate(context: BindContext, groups: Groups) -> Aggregate | WindowAggregate:
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
