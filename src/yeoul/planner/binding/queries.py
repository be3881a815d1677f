"""Queries: SELECT, VALUES, set operations, WITH, and what stands in FROM become plan nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlglot import exp

from yeoul.errors import Span, UserError, did_you_mean
from yeoul.plan import types
from yeoul.plan.expressions import ColumnRef, Expression, Literal
from yeoul.plan.functions import common_type
from yeoul.plan.nodes import Field, Filter, Node, Schema, Union, Values
from yeoul.plan.tables import DATABASE, ViewDefinition
from yeoul.plan.types import DataType
from yeoul.planner.binding.context import BindContext, Relation, unique_name
from yeoul.planner.binding.domains import outer_names, together
from yeoul.planner.binding.expressions import ExpressionBinder
from yeoul.planner.binding.grouping import bind_grouped, distinct, is_grouped
from yeoul.planner.binding.hints import check_hinted_tables, state_ttl_of, state_ttls, with_group_ttl
from yeoul.planner.binding.inner_queries import QueryReader, is_outer
from yeoul.planner.binding.joins import bind_join, filtered
from yeoul.planner.binding.laterals import bind_lateral
from yeoul.planner.binding.ordering import hidden_items, ordered, unaliased
from yeoul.planner.binding.overs import OverCalls, refuse_without_over
from yeoul.planner.binding.projections import Item, items_of, unnamed
from yeoul.planner.binding.rankings import with_top_n
from yeoul.planner.binding.scans import merged_options, scan
from yeoul.planner.binding.set_operations import combined, united
from yeoul.planner.binding.subqueries import Subqueries, ands_of, has_subquery
from yeoul.planner.binding.unnesting import bind_unnest
from yeoul.planner.binding.windows import assign_windows, window_arguments
from yeoul.planner.casts import coerced
from yeoul.planner.dialects.flink.dialect import read_script
from yeoul.planner.dialects.flink.nodes import (
    JoinedTables,
    LateralQuery,
    OverCall,
    SetOperation,
    TableFunction,
    UnionAll,
    UnnestedRows,
)
from yeoul.planner.folding import folded
from yeoul.planner.positions import Positions
from yeoul.planner.rewriting import conjuncts, joined, project

__all__ = ["bind_query", "bind_view", "renamed", "unknown_table"]

_MAX_VIEW_DEPTH = 16
_ONE_ROW = Values(((True,),), Schema((Field("row", types.BOOLEAN.not_null()),)))
"""What SELECT without FROM reads."""


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
    _refuse_time_travel(context, select.args["from_"].this)
    relation = _relation(hinted, select.args["from_"].this, beside)
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
    rows = subqueries.joined_to(_ONE_ROW)
    return _row(outputs) if rows is _ONE_ROW else project(rows, outputs)


def _refuse_without_from(context: BindContext, select: exp.Expr) -> None:
    for key in ("where", "group", "having", "qualify"):
        if select.args.get(key) is not None:
            raise context.error(f"{key.upper()} needs a FROM", select.args[key])


def _row(outputs: Sequence[tuple[str, Expression]]) -> Node:
    """Returns one row of expressions over nothing."""
    literals = [value for _, value in outputs if isinstance(value, Literal)]
    if len(literals) < len(outputs):
        return project(_ONE_ROW, outputs)
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
    nodes = tuple(project(_ONE_ROW, list(zip(names, row, strict=True))) for row in cast)
    return nodes[0] if len(nodes) == 1 else Union(nodes, schema)


def _meeting_of_values(context: BindContext, values: list[Expression], index: int) -> DataType:
    meeting = common_type([value.type for value in values])
    if meeting is None:
        shown = ", ".join(dict.fromkeys(str(value.type.or_null()) for value in values))
        odd = next(value for value in values if not value.type.same_as(values[0].type))
        raise UserError(f"Column {index + 1} of VALUES has types that do not meet: {shown}", span=odd.span)
    return meeting


# --- FROM


def _refuse_time_travel(context: BindContext, first: exp.Expr) -> None:
    """Refuses FOR SYSTEM_TIME AS OF behind the first table of FROM: there is no row yet whose time it could be of."""
    while isinstance(first, JoinedTables):
        first = first.this
    if first.args.get("when") is not None:
        hint = "It stands behind JOIN: each row of the left side meets what the table says at its time"
        raise context.error("A table as it was at one time (time travel) is not supported", first, hint)


def _relation(context: BindContext, node: exp.Expr, beside: Relation | None = None) -> Relation:
    """Returns what stands in FROM; `beside`: behind rows of the query around it, which it may name anywhere."""
    if beside is not None:
        return _relation_beside(context, node, beside)
    if isinstance(node, JoinedTables):
        if isinstance(node.args["expression"], UnnestedRows):
            return bind_unnest(context, node.args["expression"], _relation(context, node.this), node)
        if isinstance(node.args["expression"], LateralQuery):
            return bind_lateral(context, node.args["expression"], _relation(context, node.this), node, _READER)
        return bind_join(context, node, _relation(context, node.this), _relation(context, node.args["expression"]))
    if isinstance(node, LateralQuery):
        raise context.error("LATERAL stands behind a table that its query names", node, "FROM t, LATERAL (SELECT ...)")
    if isinstance(node, UnnestedRows):
        return bind_unnest(context, node, Relation(_ONE_ROW, "", "nothing"))
    alias = node.args.get("alias")
    found = _source(context, node)
    if alias is None:
        return found
    rows = found.node
    if alias.args.get("columns"):
        rows = renamed(context, rows, alias.args["columns"])
    return Relation(
        rows, alias.this.name, found.title if isinstance(node, exp.Table) else f"subquery {alias.this.name!r}"
    )


def _relation_beside(context: BindContext, node: exp.Expr, beside: Relation) -> Relation:
    if not isinstance(node, JoinedTables):
        return _joined_to(context, beside, node, JoinedTables(this=node, expression=node, kind="CROSS"))
    if node.args["kind"] in ("RIGHT", "FULL"):
        hint = "Name it in the WHERE of the subquery, or turn the join round"
        raise context.error(f"A subquery with a {node.args['kind']} JOIN cannot name the outer query so", node, hint)
    return _joined_to(context, _relation_beside(context, node.this, beside), node.args["expression"], node)


def _joined_to(context: BindContext, left: Relation, node: exp.Expr, join: JoinedTables) -> Relation:
    """Returns rows joined to what stands behind them in FROM, which may name those of an outer query among them."""
    if isinstance(node, UnnestedRows):
        return bind_unnest(context, node, left, join)
    outer = replace(left, joined=tuple(one for one in left.scopes if one.is_outer))
    if isinstance(node, exp.Subquery) and outer_names(node.this, outer, qualified=True):
        node = LateralQuery(this=node.this, alias=node.args.get("alias"))
    if isinstance(node, LateralQuery):
        return bind_lateral(context, node, left, join, _READER)
    return bind_join(context, join, left, _relation(context, node))


def _source(context: BindContext, node: exp.Expr) -> Relation:
    match node:
        case exp.Table():
            return _table(context, node)
        case exp.Subquery():
            return Relation(bind_query(context, node.this), "", "the subquery")
        case TableFunction():
            arguments = window_arguments(context, node)
            data = _data(context, arguments.data, arguments.kind.value)
            rows = assign_windows(context, arguments, data)
            return Relation(rows, data.alias, data.title)
        case _:
            raise context.error(f"{type(node).__name__} is not supported in FROM", node)


def _data(context: BindContext, node: exp.Expr, function: str) -> Relation:
    if isinstance(node, exp.Table | exp.Subquery):
        return _relation(context, node)
    raise context.error(
        f"{function} expects TABLE and a name as its first argument",
        node,
        hint=f"{function}(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)",
    )


def renamed(context: BindContext, rows: Node, columns: Sequence[exp.Expr]) -> Node:
    """Returns the rows with their columns named anew, by position.

    Raises:
        UserError: There are more or fewer names than columns, or one stands twice.
    """
    if len(columns) != len(rows.schema.fields):
        raise context.error(
            f"Expected {len(rows.schema.fields)} names, one for each column of the query, got {len(columns)}",
            columns[0],
        )
    names = [column.name for column in columns]
    double = next((column for index, column in enumerate(columns) if column.name in names[:index]), None)
    if double is not None:
        raise context.error(f"Column {double.name!r} is named twice", double)
    return project(
        rows, [(name, ColumnRef(field.name, field.type)) for name, field in zip(names, rows.schema.fields, strict=True)]
    )


def _table(context: BindContext, node: exp.Table) -> Relation:
    name = node.name
    if name in context.common_tables and not node.args.get("db"):
        return Relation(context.common_tables[name], name, f"table {name!r}")
    found = context.find(node)
    if found is None:
        raise unknown_table(context, node)
    if isinstance(found, ViewDefinition):
        if node.args.get("hints"):
            raise context.error(f"OPTIONS cannot be given for a view, {name!r} is one", node, "Give them to its tables")
        return Relation(bind_view(context, found, node), name, f"view {found.name!r}")
    return Relation(scan(context, found, merged_options(context, found, node)), name, f"table {found.name!r}")


def unknown_table(context: BindContext, node: exp.Table) -> UserError:
    """Returns the error for a name that neither WITH nor the catalog knows."""
    known = [*_names_from_here(context), *context.common_tables]
    name = context.name_of(node)
    hint = did_you_mean(name, known) or "There are no tables yet: CREATE TABLE makes one"
    return context.error(f"Unknown table or view {name!r}", node, hint)


def _names_from_here(context: BindContext) -> Iterator[str]:
    """Yields the names of all tables as they can be written in the current database."""
    databases = () if context.database == DATABASE else context.tables.databases()
    for name in context.tables.names():
        yield name if not databases or name.partition(".")[0] in databases else f"{DATABASE}.{name}"


def bind_view(context: BindContext, view: ViewDefinition, node: exp.Expr) -> Node:
    """Returns the plan of a view's query, bound anew.

    Raises:
        UserError: The query does not bind (any more), or the view leads back to itself.
    """
    if view.name in context.views or len(context.views) >= _MAX_VIEW_DEPTH:
        chain = " -> ".join([*context.views, view.name])
        raise context.error(f"View {view.name!r} leads back to itself, or too deep: {chain}", node)
    inner = BindContext(
        context.tables,
        context.settings,
        Positions(view.query),
        (*context.views, view.name),
        functions=context.functions,
        database=view.database,
    )
    try:
        tree = next(iter(read_script(view.query)))[0]
        rows = bind_query(inner, tree)
        names = [exp.to_identifier(name) for name in view.column_names]
        return renamed(inner, rows, list(names)) if names else rows
    except UserError as error:
        message = error.message
        if error.span is not None:
            message = f"{message.removesuffix(f' ({error.span})')} at {error.span} of its query"
        raise context.error(f"In view {view.name!r}: {message}", node, error.hint) from None


_READER = QueryReader(bind_query, _filtered, _outputs, _body_beside, is_grouped)
"""What subqueries are bound with."""
