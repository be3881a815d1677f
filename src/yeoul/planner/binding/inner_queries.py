"""The query inside a subquery: its rows, and by what they belong to a row of the query around it.

The conditions of its WHERE that name columns of the outer query are taken out: those that want an expression over the
outer row equal to one over the inner become pairs, which a join uses as keys; the rest has to be asked of each pair of
rows. An aggregate below the conditions is grouped by the pairs' inner sides, so that there is a row for each outer key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from yeoul.errors import UserError
from yeoul.plan.changelog import changelog_of
from yeoul.plan.expressions import Call, ColumnRef, Expression, Literal, columns_of
from yeoul.plan.functions.aggregates import value_over_nothing
from yeoul.plan.nodes import Aggregate, Filter, JoinKey, Node, Project
from yeoul.planner.binding.context import OUTER, BindContext, Relation, unique_name
from yeoul.planner.binding.domains import different_rows, is_named_further_in, outer_names
from yeoul.planner.binding.meetings import Meeting
from yeoul.planner.binding.ordering import ordered
from yeoul.planner.dialects.flink.nodes import OverCall
from yeoul.planner.folding import folded
from yeoul.planner.rewriting import conjuncts, joined, map_children, project, replaced

__all__ = ["Inner", "QueryReader", "bind_inner", "is_outer", "of_outer"]


@dataclass(frozen=True, slots=True)
class Inner:
    """A subquery's rows and how they belong to the rows around it.

    Attributes:
        node: The rows; the expressions below are over its columns.
        outputs: The subquery's own columns.
        pairs: What has to be equal: over the outer row on the left, over the inner on the right.
        rest: What must hold besides, over both; the outer's columns are marked.
        over_nothing: What the first column is where no row belongs to the outer row; None: NULL.
        nothing: What all columns are there, if it is an aggregate without keys; empty if HAVING then leaves no row.
    """

    node: Node
    outputs: tuple[Expression, ...]
    pairs: tuple[JoinKey, ...] = ()
    rest: tuple[Expression, ...] = ()
    over_nothing: Expression | None = None
    nothing: tuple[Expression, ...] | None = None

    @property
    def is_one_row(self) -> bool:
        """Whether at most one row belongs to any outer row."""
        given = {pair.right.name for pair in self.pairs if isinstance(pair.right, ColumnRef)}
        return not self.rest and any(key <= given for key in changelog_of(self.node).keys)

    def meeting(self) -> Meeting:
        """Returns by what these rows meet those around them."""
        return Meeting(self.pairs, tuple(of_outer(part) for part in self.rest))

    def apart_from(self, taken: Sequence[str]) -> Inner:
        """Returns the same rows with names that are not among those taken."""
        used = list(taken)
        names: dict[str, str] = {}
        for name in self.node.schema.names:
            names[name] = unique_name(name, used)
            used.append(names[name])
        if all(old == new for old, new in names.items()):
            return self
        fields = self.node.schema.fields
        own: dict[str, Expression] = {one.name: ColumnRef(names[one.name], one.type) for one in fields}
        return replace(
            self,
            node=project(self.node, [(names[one.name], ColumnRef(one.name, one.type)) for one in fields]),
            outputs=tuple(_renamed(one, own) for one in self.outputs),
            pairs=tuple(replace(pair, right=_renamed(pair.right, own)) for pair in self.pairs),
            rest=tuple(_renamed(part, own) for part in self.rest),
        )


@dataclass(frozen=True, slots=True)
class QueryReader:
    """The binding of whole queries, handed in from above.

    Attributes:
        query: Binds a query on its own.
        source: Binds FROM and WHERE of a SELECT; gives its rows and the conditions that name the outer row.
        outputs: Binds a SELECT list over a source, grouped or not, and adds so many columns behind it.
        beside: Binds a query but for its ORDER BY and LIMIT beside outer rows, whose columns stand behind its own.
        is_grouped: Tells whether a SELECT groups.
    """

    query: Callable[[BindContext, exp.Expr], Node]
    source: Callable[[BindContext, exp.Select], tuple[Relation, list[Expression]]]
    outputs: Callable[[BindContext, exp.Select, Relation, Sequence[Expression]], Node]
    beside: Callable[[BindContext, exp.Expr, Relation], Node]
    is_grouped: Callable[[BindContext, exp.Select], bool]


def bind_inner(context: BindContext, tree: exp.Expr, outer: Relation | None, reader: QueryReader) -> Inner:
    """Binds a subquery.

    Raises:
        UserError: It does not bind, or it names the outer row where it must not.
    """
    while isinstance(tree, exp.Subquery) and not tree.args.get("limit"):
        tree = tree.this
    tree = _without_needless_distinct(context, tree, reader)
    if outer is not None and is_named_further_in(tree, outer):
        return _beside_different_rows(context, tree, outer, reader)
    stands_alone = tree.args.get("with_") is not None or tree.args.get("from_") is None
    if outer is None or stands_alone or not isinstance(tree, exp.Select):
        return _alone(reader.query(replace(context, outer=None), tree), tree)
    relation, correlated = reader.source(replace(context, outer=outer), tree)
    pairs, rest = _taken_apart(correlated)
    is_cut = any(tree.args.get(key) is not None for key in ("limit", "offset"))
    if is_cut and not correlated:
        return _alone(reader.query(replace(context, outer=None), tree), tree)
    asks_of_all = is_cut or tree.args.get("distinct") is not None or tree.find(OverCall) is not None
    if rest and (asks_of_all or reader.is_grouped(context, tree)):
        return _beside_different_rows(context, tree, outer, reader)
    inner_sides = [pair.right for pair in pairs]
    rows = reader.outputs(replace(context, outer=outer), tree, relation, [*inner_sides, *_columns(relation, rest)])
    behind = len(pairs) + len(_columns(relation, rest))
    nothing = _nothing_of(tree, rows, behind)
    rows = ordered(context, tree, rows, rows.schema.names[len(rows.schema.names) - behind :])
    columns = [ColumnRef(one.name, one.type) for one in rows.schema.fields]
    count = len(columns) - behind
    keys = columns[count : count + len(pairs)]
    names: dict[str, Expression] = {
        old.name: new for old, new in zip(_columns(relation, rest), columns[count + len(pairs) :], strict=True)
    }
    return Inner(
        rows,
        tuple(columns[:count]),
        tuple(replace(pair, left=of_outer(pair.left), right=key) for pair, key in zip(pairs, keys, strict=True)),
        tuple(replaced(part, names) for part in rest),
        _first_value(nothing),
        nothing,
    )


def _without_needless_distinct(context: BindContext, tree: exp.Expr, reader: QueryReader) -> exp.Expr:
    """DISTINCT leaves the one row of an aggregate without keys as it is; without it that is seen."""
    is_aggregate = isinstance(tree, exp.Select) and reader.is_grouped(context, tree) and not tree.args.get("group")
    if not is_aggregate or tree.args.get("distinct") is None:
        return tree
    plain = tree.copy()
    plain.set("distinct", None)
    return plain


def _beside_different_rows(context: BindContext, tree: exp.Expr, outer: Relation, reader: QueryReader) -> Inner:
    """Binds a subquery beside the different values of the outer columns that it names."""
    names = outer_names(tree, outer)
    rows = reader.beside(context, tree, different_rows(context, outer, names))
    nothing = _nothing_of(tree, rows, len(names)) if isinstance(tree, exp.Select) else None
    rows = ordered(context, tree, rows, rows.schema.names[-len(names) :])
    columns = [ColumnRef(one.name, one.type) for one in rows.schema.fields]
    outputs, keys = columns[: -len(names)], columns[-len(names) :]
    mine = (ColumnRef(name, outer.schema[name].type) for name in names)
    pairs = tuple(JoinKey(one, key, key.type.nullable) for one, key in zip(mine, keys, strict=True))
    return Inner(rows, tuple(outputs), pairs, (), _first_value(nothing), nothing)


def _leaves_none(tree: exp.Select) -> bool:
    """Whether LIMIT or OFFSET leave nothing of a single row."""
    numbers = {key: tree.args[key].args["expression"].name for key in ("limit", "offset") if tree.args.get(key)}
    return numbers.get("limit") == "0" or numbers.get("offset", "0") != "0"


def _alone(rows: Node, tree: exp.Expr) -> Inner:
    has_having = tree.args.get("having") is not None
    outputs = tuple(ColumnRef(one.name, one.type) for one in rows.schema.fields)
    nothing = None if has_having else _over_nothing(rows, len(outputs))
    return Inner(rows, outputs, over_nothing=_first_value(nothing), nothing=nothing)


def _taken_apart(parts: Sequence[Expression]) -> tuple[list[JoinKey], list[Expression]]:
    pairs: list[JoinKey] = []
    rest: list[Expression] = []
    for part in parts:
        pair = _pair(part)
        if pair is None:
            rest.append(part)
        else:
            pairs.append(pair)
    return pairs, rest


def _pair(part: Expression) -> JoinKey | None:
    """Returns what `outer = inner`, or IS NOT DISTINCT FROM, wants equal; None if a condition is no such."""
    if not (isinstance(part, Call) and part.function in ("equals", "is_not_distinct_from")):
        return None
    one, other = part.args
    if not _is_of_outer(one):
        one, other = other, one
    nulls_meet = part.function == "is_not_distinct_from" and one.type.nullable and other.type.nullable
    return JoinKey(one, other, nulls_meet) if _is_of_outer(one) and _is_of_inner(other) else None


def _is_of_outer(expression: Expression) -> bool:
    names = list(columns_of(expression))
    return bool(names) and all(name.startswith(OUTER) for name in names)


def _is_of_inner(expression: Expression) -> bool:
    names = list(columns_of(expression))
    return bool(names) and not any(name.startswith(OUTER) for name in names)


def _renamed(expression: Expression, names: dict[str, Expression]) -> Expression:
    if isinstance(expression, ColumnRef):
        return expression if expression.name.startswith(OUTER) else names.get(expression.name, expression)
    return map_children(expression, lambda part: _renamed(part, names))


def is_outer(expression: Expression) -> bool:
    """Tells whether an expression names a column of the outer query."""
    return any(name.startswith(OUTER) for name in columns_of(expression))


def of_outer(expression: Expression) -> Expression:
    """Returns an expression with the outer query's columns under their own names."""
    if isinstance(expression, ColumnRef):
        name = expression.name.removeprefix(OUTER)
        return expression if name == expression.name else replace(expression, name=name)
    return map_children(expression, of_outer)


def _columns(relation: Relation, parts: Sequence[Expression]) -> list[ColumnRef]:
    """Returns the inner columns that conditions use."""
    names = dict.fromkeys(name for part in parts for name in columns_of(part) if not name.startswith(OUTER))
    return [ColumnRef(name, relation.schema[name].type) for name in names]


def _nothing_of(tree: exp.Select, rows: Node, behind: int) -> tuple[Expression, ...] | None:
    """Returns the row that an aggregate without keys gives over no row, empty if HAVING drops it; None: it is no such.

    Args:
        tree: The query.
        rows: Its rows, not yet ordered and cut.
        behind: How many columns are not its own.
    """
    if _leaves_none(tree) or tree.args.get("group"):
        return None
    return _over_nothing(rows, len(rows.schema.names) - behind)


def _over_nothing(rows: Node, count: int) -> tuple[Expression, ...] | None:
    if not isinstance(rows, Project):
        return None
    below: Node = rows.input
    conditions: list[Expression] = []
    while isinstance(below, Filter):
        conditions += conjuncts(below.predicate)
        below = below.input
    if not isinstance(below, Aggregate) or not below.aggregates:
        return None
    empty: dict[str, Expression] = {}
    for one in below.aggregates:
        nothing = value_over_nothing(one.call.function, one.call.type)
        if isinstance(nothing, tuple):
            raise UserError(
                "COLLECT cannot be looked up for each row", hint="Join the grouped query", span=one.call.span
            )
        empty[one.name] = Literal(nothing, one.call.type)
    if conditions:
        holds = folded(replaced(joined(conditions), empty))
        if not isinstance(holds, Literal) or holds.value is True:
            raise UserError(
                "HAVING has to be false over no row in an aggregate without GROUP BY that is asked for each row",
                hint="Add AND COUNT(*) > 0, or put the condition into a query around it",
                span=conditions[0].span,
            )
        return ()
    return tuple(replaced(one.expression, empty) for one in rows.projections[:count])


def _first_value(nothing: tuple[Expression, ...] | None) -> Expression | None:
    """Returns what the first column is over no row; None if that is NULL, or no row."""
    if not nothing or list(columns_of(nothing[0])):
        return None
    value = folded(nothing[0])
    return None if isinstance(value, Literal) and value.value is None else value
