"""The binder of expressions: each form of the syntax tree goes to its reader, implicit casts are put in.

What a column, an aggregate function or OVER means depends on where the expression stands: those methods refuse or give
the plain meaning, the binding of grouped queries and of OVER overrides them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from sqlglot import exp

from yeoul.errors import Span, UserError
from yeoul.plan import types
from yeoul.plan.expressions import ColumnRef, Expression
from yeoul.plan.types import Kind
from yeoul.planner.binding.context import BindContext, Relation
from yeoul.planner.binding.expressions import calls, case_and_cast, literals, names, operators
from yeoul.planner.casts import coerced
from yeoul.planner.dialects.flink.nodes import FunctionCall, OverCall, Quantified, TypedLiteral

__all__ = ["ExpressionBinder", "SubqueryBinding"]


class SubqueryBinding(Protocol):
    """What makes joins of the subqueries in an expression."""

    def value(self, binder: ExpressionBinder, node: exp.Expr, span: Span | None) -> Expression: ...

    def exists(self, binder: ExpressionBinder, node: exp.Expr, span: Span | None) -> Expression: ...

    def contained(self, binder: ExpressionBinder, node: exp.Expr, span: Span | None) -> Expression: ...

    def quantified(self, binder: ExpressionBinder, node: exp.Expr, span: Span | None) -> Expression: ...


class ExpressionBinder:
    """Binds expressions over one relation.

    Args:
        context: The catalog, the settings and the text.
        relation: What names refer to; None where there is nothing (VALUES, SELECT without FROM).
        place: Where the expression stands, for messages: `WHERE`, `SELECT`, ...
        subqueries: What becomes of subqueries; None: they are refused.
    """

    def __init__(
        self, context: BindContext, relation: Relation | None, place: str, subqueries: SubqueryBinding | None = None
    ) -> None:
        self.context = context
        self.relation = relation
        self.place = place
        self._subqueries = subqueries

    def bind(self, node: exp.Expr) -> Expression:
        """Binds one expression.

        Raises:
            UserError: A name is unknown, types do not fit, or the form is not supported here.
        """
        span = self.context.span(node)
        reader = _READERS.get(type(node))
        if reader is None:
            raise UserError(f"{type(node).__name__} is not supported in an expression", span=span)
        try:
            return reader(self, node, span)
        except UserError as error:
            if error.span is not None or span is None:
                raise
            raise UserError(error.message, hint=error.hint, span=span) from None

    def condition(self, node: exp.Expr) -> Expression:
        """Binds an expression that must be a BOOLEAN.

        Raises:
            UserError: As `bind`; or it is of another type.
        """
        bound = self.bind(node)
        if bound.type.kind not in (Kind.BOOLEAN, Kind.NULL):
            raise self.context.error(
                f"{self.place} expects a condition (BOOLEAN), got {bound.type.or_null()}",
                node,
                hint="Compare it with something: x = 1, x <> '', x IS NOT NULL",
            )
        return coerced(bound, types.BOOLEAN)

    def rows(self, node: exp.Expr) -> Expression:
        """Binds what gives rows in FROM: a call of a table function, whose result is an ARRAY, or a collection."""
        return calls.rows_of(self, node)

    # --- what grouped queries override

    def column(self, name: str, span: Span | None, qualifier: str = "") -> Expression:
        """Resolves a column by its name, and by its table's where that was written."""
        return names.column(self, name, span, qualifier)

    def column_hint(self, name: str) -> str:
        """Returns what may have been meant by a column that does not exist."""
        return names.near_columns(self, name)

    def function(self, node: FunctionCall, span: Span | None) -> Expression:
        """Binds a call by name, scalar or aggregate."""
        return calls.function_call(self, node, span)

    def aggregate(self, node: FunctionCall, span: Span | None) -> Expression:
        """Binds a call of an aggregate function."""
        raise UserError(
            f"The aggregate function {node.this.upper()} cannot stand in {self.place}",
            hint="Aggregates stand in SELECT and HAVING",
            span=span,
        )

    def over(self, node: OverCall, span: Span | None) -> Expression:
        """Binds a call over a window of rows."""
        raise UserError(
            f"OVER cannot stand in {self.place}",
            hint="Select it under a name in a subquery, and use the name around it",
            span=span,
        )

    def lifted(self, expression: Expression) -> Expression:
        """Returns a bound expression as one over the rows that subqueries are joined to."""
        return expression

    def placed(self, column: ColumnRef) -> ColumnRef:
        """Marks a column of the rows that subqueries are joined to, which the relation does not have."""
        return column

    # --- parts

    def subqueries_here(self, span: Span | None) -> SubqueryBinding:
        """Returns what becomes of subqueries here."""
        if self._subqueries is None:
            raise UserError(
                f"A subquery cannot stand in {self.place}", hint="It may stand in WHERE, HAVING and SELECT", span=span
            )
        return self._subqueries


def _subquery(binder: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    return binder.subqueries_here(span).value(binder, node, span)


def _exists(binder: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    return binder.subqueries_here(span).exists(binder, node, span)


def _quantified(binder: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    return binder.subqueries_here(span).quantified(binder, node, span)


def _star(binder: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    raise UserError(f"'*' stands alone in a SELECT, not in {binder.place}", span=span)


_Reader = Callable[[ExpressionBinder, Any, "Span | None"], Expression]
_READERS: dict[type[exp.Expr], _Reader] = {
    **dict.fromkeys(operators.BINARY, operators.binary),
    exp.Column: names.named,
    exp.Dot: names.dotted,
    exp.Literal: literals.literal,
    TypedLiteral: literals.typed_literal,
    exp.Interval: literals.interval,
    exp.Boolean: literals.boolean,
    exp.Null: literals.null,
    exp.Neg: operators.negative,
    exp.Not: operators.negated,
    exp.Is: operators.is_,
    exp.Between: operators.between,
    exp.In: operators.in_,
    exp.Like: operators.like,
    exp.SimilarTo: operators.like,
    exp.Escape: operators.like,
    exp.Bracket: operators.item,
    exp.Tuple: operators.row,
    exp.Cast: case_and_cast.cast,
    exp.TryCast: case_and_cast.cast,
    exp.Case: case_and_cast.case,
    FunctionCall: lambda binder, node, span: binder.function(node, span),
    OverCall: lambda binder, node, span: binder.over(node, span),
    exp.Subquery: _subquery,
    exp.Exists: _exists,
    Quantified: _quantified,
    exp.Star: _star,
}
