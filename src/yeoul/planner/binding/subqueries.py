"""Subqueries in expressions become joins: IN, EXISTS, and a query as a value.

As a condition of WHERE, `x IN (...)` and `EXISTS (...)` keep or drop whole rows: a semi join, negated an anti join.
Everywhere else a subquery stands for a value of the row: a left join looks it up, by the pairs that tie it to the row,
and the expression goes on with what was found. NOT IN has SQL's three-valued logic: a NULL on the right, or on the left
with anything on the right, is neither in nor out; where no side can be NULL nothing is spent on that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from sqlglot import exp

from yeoul.errors import Span, UserError
from yeoul.plan import types
from yeoul.plan.expressions import Call, Case, ColumnRef, Expression, Literal
from yeoul.plan.nodes import Aggregate, Field, Filter, Join, JoinKey, JoinKind, Node, Project, Projection, Schema
from yeoul.planner.binding.boundedness import computes_changes
from yeoul.planner.binding.context import BindContext, Relation, unique_name
from yeoul.planner.binding.expressions import ExpressionBinder, call
from yeoul.planner.binding.inner_queries import Inner, QueryReader, bind_inner, is_outer
from yeoul.planner.binding.joins import meeting_rows
from yeoul.planner.binding.quantifiers import by_extremes
from yeoul.planner.rewriting import conjuncts, project

__all__ = ["Subqueries", "ands_of", "has_subquery"]

_Named = tuple[str, JoinKey]
_TRUE = Literal(True, types.BOOLEAN.not_null())
Pairs = Sequence[JoinKey]


def has_subquery(node: exp.Expr) -> bool:
    """Tells whether an expression has a subquery in it."""
    return any(isinstance(part, exp.Subquery | exp.Exists) for part in node.walk())


def ands_of(node: exp.Expr) -> list[exp.Expr]:
    """Returns the conditions that AND joins, as written."""
    if isinstance(node, exp.And):
        return [*ands_of(node.this), *ands_of(node.args["expression"])]
    return [node]


@dataclass(frozen=True, slots=True)
class _Lookup:
    """A left join that has to be made: rows of `right` for which the pairs are equal; at most one for each row."""

    right: Node
    pairs: tuple[JoinKey, ...]


class _Over(Protocol):
    """The binder of the expression around a subquery."""

    relation: Relation | None

    def bind(self, node: exp.Expr) -> Expression: ...

    def lifted(self, expression: Expression) -> Expression: ...

    def placed(self, column: ColumnRef) -> ColumnRef: ...


@dataclass(slots=True)
class Subqueries:
    """The subqueries of one clause, and the joins that they need.

    Args:
        context: What the clause is bound with.
        reader: How whole queries are bound.
    """

    context: BindContext
    reader: QueryReader
    _lookups: list[_Lookup] = field(default_factory=list)

    # --- as values

    def value(self, binder: _Over, node: exp.Expr, span: Span | None) -> Expression:
        """Returns what a query with one column and at most one row gives, NULL if it gives no row.

        Raises:
            UserError: It has more columns, or may give more rows.
        """
        inner = self._inner(binder, node.this, 1, span)
        if inner.is_one_row:
            return self._found_value(binder, inner)
        raise UserError(
            "A subquery as a value may give one row at most, this one may give more",
            hint="Aggregate it: (SELECT MAX(x) FROM ...)",
            span=span,
        )

    def exists(self, binder: _Over, node: exp.Expr, span: Span | None) -> Expression:
        """Returns whether a query has a row for the outer row."""
        inner = self._inner(binder, node.this, None, span)
        self._refuse_rest(inner, "EXISTS")
        if inner.is_one_row and inner.over_nothing is not None:
            return _TRUE
        return _is_found(self._mark(binder, inner.node, inner.pairs))

    def contained(self, binder: _Over, node: exp.Expr, span: Span | None) -> Expression:
        """Returns whether a value is among a query's rows: TRUE, FALSE, or NULL if that cannot be told."""
        asked, inner = self._asked(binder, node, span)
        self._refuse_rest(inner, "IN")
        pairs = self._equal(asked, inner, span)
        found = _is_found(self._mark(binder, inner.node, [*inner.pairs, *pairs]))
        unknown = [_is_found(self._mark(binder, *one)) for one in self._unknowns(inner, pairs, span)]
        null = Literal(None, types.BOOLEAN)
        branches = ((found, _TRUE), *((one, null) for one in unknown))
        if not unknown:
            return found
        return Case(branches, Literal(False, types.BOOLEAN.not_null()), types.BOOLEAN, span)

    def quantified(self, binder: _Over, node: exp.Expr, span: Span | None) -> Expression:
        """Returns whether a comparison holds with all of a query's rows, or with any; NULL if that cannot be told."""
        tree: exp.Expr = node.args["query"].this
        if isinstance(tree, exp.Select) and len(tree.expressions) > 1:
            raise UserError(f"Expected a subquery of one column, got {len(tree.expressions)}", span=span)
        return binder.bind(by_extremes(node, lambda query: self.reader.is_grouped(self.context, query)))

    def joined_to(self, node: Node) -> Node:
        """Returns the rows with what was looked up for them; to be called once, when all expressions are bound."""
        for lookup in self._lookups:
            node = _join(node, lookup.right, JoinKind.LEFT, lookup.pairs)
        self._lookups.clear()
        return node

    # --- as conditions of WHERE

    def kept(self, binder: ExpressionBinder, rows: Node, condition: exp.Expr) -> Node | None:
        """Returns the rows for which `[NOT] IN (...)` or `[NOT] EXISTS (...)` holds; None for any other condition."""
        negated = isinstance(condition, exp.Not)
        node = condition.this if negated else condition
        span = self.context.span(node)
        if isinstance(node, exp.Exists):
            inner = self._inner(binder, node.this, None, span)
            if inner.is_one_row and inner.over_nothing is not None:
                return Filter(rows, replace(_TRUE, value=not negated))
            return self._half_joined(rows, inner, [], negated)
        if not (isinstance(node, exp.In) and node.args.get("query") is not None):
            return None
        asked, inner = self._asked(binder, node, span)
        pairs = self._equal(asked, inner, span)
        unknowns = self._unknowns(inner, pairs, span) if negated else []
        rows = self._half_joined(rows, inner, pairs, negated)
        for those, tied in unknowns:
            rows = self._half_joined(rows, self._reduced(replace(inner, node=those, pairs=tuple(tied))), [], negated)
        return rows

    def _reduced(self, inner: Inner) -> Inner:
        """Returns a subquery of which only matters whether it has a row, as one with a row for each different key."""
        if inner.rest or not inner.pairs:
            return inner
        keys = [(f"$tied{index}", pair) for index, pair in enumerate(inner.pairs)]
        return replace(inner, node=self._different(inner.node, keys), pairs=_pairs(keys))

    def _half_joined(self, rows: Node, inner: Inner, pairs: Pairs, negated: bool) -> Node:
        kind = JoinKind.ANTI if negated else JoinKind.SEMI
        pairs = [*inner.pairs, *pairs]
        if not pairs and not inner.rest:
            return _join(rows, self._different(inner.node, []), kind, [])
        return _join(rows, inner.node, kind, pairs, inner.rest)

    # --- parts

    def _inner(self, binder: _Over, tree: exp.Expr, width: int | None, span: Span | None) -> Inner:
        inner = bind_inner(self.context, tree, binder.relation, self.reader)
        if width is not None and len(inner.outputs) != width:
            wanted = "one column" if width == 1 else f"{width} columns"
            raise UserError(f"Expected a subquery of {wanted}, got {len(inner.outputs)}", span=span)
        return replace(inner, pairs=tuple(replace(pair, left=binder.lifted(pair.left)) for pair in inner.pairs))

    def _asked(self, binder: _Over, node: exp.Expr, span: Span | None) -> tuple[list[Expression], Inner]:
        """Returns what stands before IN, and the query behind it."""
        trees = node.this.expressions if isinstance(node.this, exp.Tuple) else [node.this]
        asked = [binder.lifted(binder.bind(tree)) for tree in trees]
        if any(is_outer(one) for one in asked):
            hint = "Write the names of their tables before the outer query's columns: t.a IN (...)"
            raise UserError("IN within a subquery cannot ask for a column of the outer query so", hint=hint, span=span)
        return asked, self._inner(binder, node.args["query"], len(asked), span)

    def _equal(self, asked: Sequence[Expression], inner: Inner, span: Span | None) -> list[JoinKey]:
        pairs = []
        for mine, own in zip(asked, inner.outputs, strict=True):
            try:
                same = call("equals", (mine, own), span)
            except UserError:
                shown = " and ".join(str(one.type.or_null()) for one in (mine, own))
                raise UserError(f"IN does not take {shown}", hint="CAST one side", span=span) from None
            assert isinstance(same, Call)
            pairs.append(JoinKey(same.args[0], same.args[1]))
        return pairs

    def _unknowns(self, inner: Inner, pairs: Pairs, span: Span | None) -> list[tuple[Node, Pairs]]:
        """Returns the rows, and their pairs, that make it unknown whether a value that was not found is in."""
        nullable = [one for one in pairs if one.left.type.nullable or one.right.type.nullable]
        if len(pairs) > 1 and nullable:
            raise UserError(
                "Whether several columns are not in a subquery is supported only if none of them can be NULL",
                hint="NOT EXISTS (SELECT ... WHERE a = x AND b = y)",
                span=span,
            )
        found: list[tuple[Node, Pairs]] = []
        for mine, own in (one.sides for one in nullable):
            if own.type.nullable and not _is_never_null(inner.node, own):
                found.append((Filter(inner.node, Call("is_null", (own,), types.BOOLEAN.not_null())), inner.pairs))
            if mine.type.nullable:
                is_null = Call("is_null", (mine,), types.BOOLEAN.not_null())
                key = Case(((is_null, _TRUE),), Literal(None, types.BOOLEAN), types.BOOLEAN)
                found.append((inner.node, (*inner.pairs, JoinKey(key, _TRUE))))
        return found

    def _refuse_rest(self, inner: Inner, word: str) -> None:
        if inner.rest:
            raise UserError(
                f"Within a longer expression {word} can name the outer query in conditions of the form"
                " inner = outer only",
                hint=f"{word} on its own, or after AND, takes any condition",
                span=inner.rest[0].span,
            )

    def _found_value(self, binder: _Over, inner: Inner) -> Expression:
        (output,) = inner.outputs
        value, mark = self._name(binder, "value"), self._name(binder, "found")
        keys = self._keys(binder, inner.pairs)
        columns = [*((name, pair.right) for name, pair in keys), (value, output), (mark, _TRUE)]
        self._lookups.append(_Lookup(project(inner.node, columns), _pairs(keys)))
        found = binder.placed(ColumnRef(value, output.type.or_null(), written="(SELECT ...)"))
        if inner.over_nothing is None:
            return found
        marked = binder.placed(ColumnRef(mark, types.BOOLEAN))
        return Case(((_is_found(marked), found),), inner.over_nothing, found.type)

    def _mark(self, binder: _Over, rows: Node, pairs: Pairs) -> ColumnRef:
        """Returns a column that is TRUE where there is a row for which the pairs are equal, else NULL."""
        mark = self._name(binder, "found")
        keys = self._keys(binder, pairs)
        different = self._different(rows, keys)
        columns: list[tuple[str, Expression]] = [
            (name, ColumnRef(name, different.schema[name].type)) for name, _ in keys
        ]
        self._lookups.append(_Lookup(project(different, [*columns, (mark, _TRUE)]), _pairs(keys)))
        return binder.placed(ColumnRef(mark, types.BOOLEAN))

    def _different(self, rows: Node, keys: Sequence[_Named]) -> Aggregate:
        """Returns a row for each different value of the pairs' inner sides; without pairs one row, if there is any."""
        values = [(name, pair.right) for name, pair in keys] or [("$one", _TRUE)]
        schema = Schema(tuple(Field(name, value.type) for name, value in values))
        projections = tuple(Projection(name, value) for name, value in values)
        return Aggregate(rows, projections, (), schema, computes_changes(rows, self.context.settings))

    def _keys(self, binder: _Over, pairs: Pairs) -> list[_Named]:
        """Returns a name for each pair's inner side, and the pair."""
        return [(self._name(binder, f"tied{index}"), pair) for index, pair in enumerate(pairs)]

    def _name(self, binder: _Over, what: str) -> str:
        taken = binder.relation.schema.names if binder.relation is not None else ()
        return unique_name(f"${what}_{len(self._lookups)}", taken)


def _is_never_null(rows: Node, value: Expression) -> bool:
    """Whether a filter right below the rows' columns keeps a value from being NULL."""
    if not (isinstance(rows, Project) and isinstance(value, ColumnRef) and isinstance(rows.input, Filter)):
        return False
    source = next(one.expression for one in rows.projections if one.name == value.name)
    parts = [part for part in conjuncts(rows.input.predicate) if isinstance(part, Call)]
    return any(part.function == "is_not_null" and _is_same(part.args[0], source) for part in parts)


def _is_same(one: Expression, other: Expression) -> bool:
    return isinstance(one, ColumnRef) and isinstance(other, ColumnRef) and one.name == other.name


def _pairs(keys: Sequence[_Named]) -> tuple[JoinKey, ...]:
    return tuple(replace(pair, right=ColumnRef(name, pair.right.type)) for name, pair in keys)


def _is_found(mark: ColumnRef) -> Expression:
    return Call("is_not_null", (mark,), types.BOOLEAN.not_null())


def _join(left: Node, right: Node, kind: JoinKind, pairs: Pairs, rest: Sequence[Expression] = ()) -> Join:
    """Returns a join whose right side has names of its own; the pairs' and the rest's names are those before."""
    inner = Inner(right, (), tuple(pairs), tuple(rest)).apart_from(left.schema.names)
    return meeting_rows(left, inner.node, kind, inner.meeting())
