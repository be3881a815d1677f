"""Queries: SELECT, VALUES, set operations, WITH, and the rows of FROM become plan nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from yeoul.errors import Span, UserError
from yeoul.plan.expressions import ColumnRef, Expression, Literal
from yeoul.plan.functions import common_type
from yeoul.plan.nodes import Field, Filter, Node, Schema, Union, Values
from yeoul.plan.tables import ViewDefinition
from yeoul.plan.types import DataType
from yeoul.planner.binding.context import BindContext, Relation, unique_name
from yeoul.planner.binding.domains import together
from yeoul.planner.binding.expressions import ExpressionBinder
from yeoul.planner.binding.grouping import bind_grouped, distinct, is_grouped
from yeoul.planner.binding.hints import check_hinted_tables, state_ttl_of, state_ttls, with_group_ttl
from yeoul.planner.binding.inner_queries import QueryReader, is_outer
from yeoul.planner.binding.joins import filtered
from yeoul.planner.binding.ordering import hidden_items, ordered, unaliased
from yeoul.planner.binding.overs import OverCalls, refuse_without_over
from yeoul.planner.binding.projections import Item, items_of, unnamed
from yeoul.planner.binding.rankings import with_top_n
from yeoul.planner.binding.set_operations import combined, united
from yeoul.planner.binding.sources import ONE_ROW, refuse_time_travel, relation_of, renamed, view_rows
from yeoul.planner.binding.subqueries import Subqueries, ands_of, has_subquery
from yeoul.planner.casts import coerced
from yeoul.planner.dialects.flink.nodes import (
    OverCall,
    SetOperation,
    UnionAll,
)
from yeoul.planner.folding import folded
from yeoul.planner.rewriting import conjuncts, joined, project

__all__ = ["bind_query", "bind_view"]


def bind_query(context: BindContext, node: exp.Expr) -> Node:
    """Returns the plan of a query, as written: no rule has run.

    Raises:
        UserError: A name is unknown, types do not fit, or something is not supported.
    """
    context = _with_common_tables(replace(context, outer=None), node)
    return ordered(context, node, _body(context, node))


def _body(context: BindContext, node: exp.Expr) -> Node:
    match node:
        case exp.Select():
            return _select(context, node)
        case exp.Values():
            return _values(context, node)
        case UnionAll():
            return united(context, [bind_query(context, tree) for tree in node.expressions], node.expressions)
        case SetOperation():
            sides = (bind_query(context, node.this), bind_query(context, node.args["expression"]))
            return combined(context, node, *sides)
        case exp.Subquery():
            return bind_query(context, node.this)
        case _:
            raise context.error(f"{type(node).__name__} is no query", node)


def _with_common_tables(context: BindContext, node: exp.Expr) -> BindContext:
    clause = node.args.get("with_")
    for table in clause.expressions if clause is not None else []:
        name = table.args["alias"].this.name
        rows = bind_query(context, table.this)
        columns = table.args["alias"].args.get("columns")
        if columns:
            rows = renamed(context, rows, columns)
        context = replace(context, common_tables={**context.common_tables, name: rows})
    return context


# --- SELECT


def _select(context: BindContext, select: exp.Select) -> Node:
    if select.args.get("from_") is None:
        rows = _select_without_from(context, select)
        return distinct(context, rows) if select.args.get("distinct") is not None else rows
    relation, _ = _filtered(context, select)
    return _outputs(context, select, relation)


def _body_beside(context: BindContext, node: exp.Expr, outer: Relation) -> Node:
    """Returns a query's rows beside those of the query around it, all of whose columns stand behind its own."""
    context = _with_common_tables(replace(context, outer=None), node)
    keys = [ColumnRef(one.name, one.type) for one in outer.schema.fields]
    match node:
        case exp.Select() if node.args.get("from_") is not None:
            relation, _ = _filtered(context, node, outer)
            return _outputs(context, node, relation, keys)
        case exp.Select():
            return _row_beside(context, node, items_of(context, node, None), outer)
        case exp.Values():
            rows = [[Item(unnamed(at), tree) for at, tree in enumerate(row.expressions)] for row in node.expressions]
            return together(context, node, [_row_beside(context, node, items, outer) for items in rows])
        case UnionAll() | SetOperation():
            trees = node.expressions or [node.this, node.args["expression"]]
            return together(context, node, [_bind_beside(context, tree, outer) for tree in trees])
        case _:
            return _bind_beside(context, node.this, outer)


def _bind_beside(context: BindContext, node: exp.Expr, outer: Relation) -> Node:
    rows = _body_beside(context, node, outer)
    return ordered(context, node, rows, rows.schema.names[-len(outer.schema.names) :])


def _row_beside(context: BindContext, node: exp.Expr, items: Sequence[Item], outer: Relation) -> Node:
    """Returns the row of a SELECT without FROM, or one of VALUES, beside each of the outer rows."""
    _refuse_without_from(context, node)
    subqueries = Subqueries(context, _READER)
    binder = ExpressionBinder(context, outer, "SELECT without FROM", subqueries)
    outputs = [(item.name, binder.bind(item.node)) for item in items]
    names = [name for name, _ in outputs]
    for one in outer.schema.fields:
        names.append(unique_name(one.name, names))
        outputs.append((names[-1], ColumnRef(one.name, one.type)))
    return project(subqueries.joined_to(outer.node), outputs)


def _filtered(
    context: BindContext, select: exp.Select, beside: Relation | None = None
) -> tuple[Relation, list[Expression]]:
    """Returns the rows of FROM that WHERE keeps, and its conditions that name the outer query."""
    hinted = replace(context, outer=None, state_ttls=state_ttls(context, select))
    refuse_time_travel(context, select.args["from_"].this)
    relation = relation_of(hinted, select.args["from_"].this, _READER, beside)
    check_hinted_tables(context, select, relation)
    where = select.args.get("where")
    if where is None:
        return relation, []
    if not has_subquery(where.this):
        predicate = ExpressionBinder(context, relation, "WHERE").condition(where.this)
        return _kept(context, relation, [predicate])
    parts = ands_of(where.this)
    plain = [part for part in parts if not has_subquery(part)]
    binder = ExpressionBinder(context, relation, "WHERE")
    relation, correlated = _kept(context, relation, [binder.condition(part) for part in plain])
    for part in parts:
        if has_subquery(part):
            relation, more = _kept_by_subquery(context, relation, part)
            correlated += more
    return relation, correlated


def _kept(
    context: BindContext, relation: Relation, predicates: Sequence[Expression]
) -> tuple[Relation, list[Expression]]:
    if not any(is_outer(one) for one in predicates):
        return replace(relation, node=_ranked(context, relation.node, predicates)), []
    parts = [part for predicate in predicates for part in conjuncts(predicate)]
    own = [part for part in parts if not is_outer(part)]
    return replace(relation, node=_ranked(context, relation.node, own)), [part for part in parts if is_outer(part)]


def _ranked(context: BindContext, rows: Node, predicates: Sequence[Expression]) -> Node:
    """Returns the rows that are kept; one on a rank makes a Top-N, one on times bounds a join."""
    if not predicates:
        return rows
    kept = filtered(rows, joined(predicates))
    return with_top_n(context, kept) if isinstance(kept, Filter) else kept


def _kept_by_subquery(
    context: BindContext, relation: Relation, condition: exp.Expr
) -> tuple[Relation, list[Expression]]:
    subqueries = Subqueries(context, _READER)
    binder = ExpressionBinder(context, relation, "WHERE", subqueries)
    rows = subqueries.kept(binder, relation.node, condition)
    if rows is not None:
        return replace(relation, node=rows), []
    predicate = binder.condition(condition)
    if is_outer(predicate):
        raise context.error(
            "A condition with a subquery in it cannot name the outer query besides", condition, "Split it at AND"
        )
    columns = [(one.name, ColumnRef(one.name, one.type)) for one in relation.schema.fields]
    looked_up = Filter(subqueries.joined_to(relation.node), predicate)
    return replace(relation, node=project(looked_up, columns)), []


def _outputs(context: BindContext, select: exp.Select, relation: Relation, more: Sequence[Expression] = ()) -> Node:
    """Returns the columns of the SELECT list over the rows of FROM and WHERE, and more columns behind them."""
    rows = _computed(context, select, relation, more)
    return distinct(context, rows) if select.args.get("distinct") is not None else rows


def _computed(context: BindContext, select: exp.Select, relation: Relation, more: Sequence[Expression]) -> Node:
    subqueries = Subqueries(context, _READER)
    if is_grouped(context, select):
        ttl_ms = state_ttl_of(replace(context, state_ttls=state_ttls(context, select)), relation)
        return with_group_ttl(bind_grouped(context, select, relation, subqueries, more), ttl_ms)
    if select.args.get("having") is not None:
        raise context.error("HAVING needs GROUP BY", select.args["having"], hint="WHERE filters rows")
    schema = relation.schema
    overs = OverCalls(context, select, schema.names, more)
    items = items_of(context, select, relation)
    outputs: list[tuple[str, Expression]] = []
    for item in [*items, *hidden_items(context, select, items)]:
        binder = _SelectBinder(context, relation, overs, item, subqueries)
        column = item.column
        outputs.append(
            (item.name, binder.bind(item.node) if column is None else ColumnRef(column, schema[column].type))
        )
    for value in more:
        wanted = value.name if isinstance(value, ColumnRef) else "key"
        outputs.append((unique_name(wanted, (name for name, _ in outputs)), value))
    rows = _qualified(context, select, relation, overs, items)
    return project(subqueries.joined_to(rows), outputs)


def _qualified(
    context: BindContext, select: exp.Select, relation: Relation, overs: OverCalls, items: Sequence[Item]
) -> Node:
    """Returns rows with their OVER columns, those that QUALIFY keeps; one on a rank makes a Top-N."""
    qualify = select.args.get("qualify")
    if qualify is None:
        return overs.applied(relation.node)
    aliased = {item.name: item.node for item in items if item.column is None and item.name not in relation.schema}
    tree = qualify.this.transform(lambda node: unaliased(node, aliased))
    refuse_without_over(context, qualify, tree)
    predicate = _SelectBinder(context, relation, overs, Item("", tree)).condition(tree)
    return _ranked(context, overs.applied(relation.node), [predicate])


class _SelectBinder(ExpressionBinder):
    """Binds an item of a SELECT list; calls over windows become columns of nodes below it."""

    def __init__(
        self,
        context: BindContext,
        relation: Relation,
        overs: OverCalls,
        item: Item,
        subqueries: Subqueries | None = None,
    ) -> None:
        super().__init__(context, relation, "SELECT", subqueries)
        self._overs, self._output = overs, item

    def over(self, node: OverCall, span: Span | None) -> Expression:
        def bind(part: exp.Expr, place: str, *, condition: bool = False) -> Expression:
            binder = ExpressionBinder(self.context, self.relation, place)
            return binder.condition(part) if condition else binder.bind(part)

        return self._overs.bind(node, bind, self._output.name if node is self._output.node else "")


def _select_without_from(context: BindContext, select: exp.Select) -> Node:
    _refuse_without_from(context, select)
    subqueries = Subqueries(context, _READER)
    binder = ExpressionBinder(context, None, "SELECT without FROM", subqueries)
    outputs = [(item.name, folded(binder.bind(item.node))) for item in items_of(context, select, None)]
    rows = subqueries.joined_to(ONE_ROW)
    return _row(outputs) if rows is ONE_ROW else project(rows, outputs)


def _refuse_without_from(context: BindContext, select: exp.Expr) -> None:
    for key in ("where", "group", "having", "qualify"):
        if select.args.get(key) is not None:
            raise context.error(f"{key.upper()} needs a FROM", select.args[key])


def _row(outputs: Sequence[tuple[str, Expression]]) -> Node:
    """Returns one row of expressions over nothing."""
    literals = [value for _, value in outputs if isinstance(value, Literal)]
    if len(literals) < len(outputs):
        return project(ONE_ROW, outputs)
    fields = tuple(Field(name, value.type) for name, value in outputs)
    return Values((tuple(one.value for one in literals),), Schema(fields))


def _values(context: BindContext, node: exp.Values) -> Node:
    binder = ExpressionBinder(context, None, "VALUES")
    rows = [[binder.bind(one) for one in row.expressions] for row in node.expressions]
    width = len(rows[0])
    for row, tree in zip(rows, node.expressions, strict=True):
        if len(row) != width:
            raise context.error(f"Every row of VALUES needs {width} values like the first, got {len(row)}", tree)
    names = [unnamed(index) for index in range(width)]
    meeting = [_meeting_of_values(context, [row[index] for row in rows], index) for index in range(width)]
    cast = [[folded(coerced(value, type)) for value, type in zip(row, meeting, strict=True)] for row in rows]
    schema = Schema(tuple(Field(name, type) for name, type in zip(names, meeting, strict=True)))
    if all(isinstance(value, Literal) for row in cast for value in row):
        return Values(tuple(tuple(one.value for one in row if isinstance(one, Literal)) for row in cast), schema)
    nodes = tuple(project(ONE_ROW, list(zip(names, row, strict=True))) for row in cast)
    return nodes[0] if len(nodes) == 1 else Union(nodes, schema)


def _meeting_of_values(context: BindContext, values: list[Expression], index: int) -> DataType:
    meeting = common_type([value.type for value in values])
    if meeting is None:
        shown = ", ".join(dict.fromkeys(str(value.type.or_null()) for value in values))
        odd = next(value for value in values if not value.type.same_as(values[0].type))
        raise UserError(f"Column {index + 1} of VALUES has types that do not meet: {shown}", span=odd.span)
    return meeting


def bind_view(context: BindContext, view: ViewDefinition, node: exp.Expr) -> Node:
    """Returns the plan of a view's query, bound anew; errors as in `view_rows`."""
    return view_rows(context, view, node, _READER)


_READER = QueryReader(bind_query, _filtered, _outputs, _body_beside, is_grouped)
"""What subqueries are bound with."""
