"""Expressions: names to columns of the input, calls to functions of the table, implicit casts put in.

Where an aggregate function stands is for the caller to judge: `aggregate` refuses by default, the binding of grouped
queries overrides it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sqlglot import exp

from yeoul.errors import Span, UserError, did_you_mean
from yeoul.plan import types
from yeoul.plan.expressions import Call, Case, Cast, ColumnRef, Expression, Literal, LiteralValue
from yeoul.plan.functions import (
    AGGREGATES,
    GROUPINGS,
    RANKINGS,
    SCALARS,
    can_cast,
    common_type,
    is_aggregate,
    is_ranking,
    may_lose_digits,
    resolve_scalar,
)
from yeoul.plan.functions.python import FunctionDefinition, resolve_python
from yeoul.plan.types import DataType, Kind
from yeoul.planner.binding.context import OUTER, BindContext, Relation
from yeoul.planner.binding.literals import interval_value, number_value, typed_value
from yeoul.planner.casts import coerced
from yeoul.planner.dialects.flink.nodes import FunctionCall, OverCall, TypedLiteral

__all__ = ["ExpressionBinder", "SubqueryBinding", "call"]

_BINARY: dict[type[exp.Expr], str] = {
    exp.Add: "add",
    exp.Sub: "subtract",
    exp.Mul: "multiply",
    exp.Div: "divide",
    exp.Mod: "modulo",
    exp.DPipe: "concat",
    exp.EQ: "equals",
    exp.NEQ: "not_equals",
    exp.LT: "less",
    exp.LTE: "less_or_equal",
    exp.GT: "greater",
    exp.GTE: "greater_or_equal",
    exp.And: "and",
    exp.Or: "or",
    exp.NullSafeEQ: "is_not_distinct_from",
    exp.NullSafeNEQ: "is_distinct_from",
}
_SIGNS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "modulo": "%",
    "concat": "||",
    "equals": "=",
    "not_equals": "<>",
    "less": "<",
    "less_or_equal": "<=",
    "greater": ">",
    "greater_or_equal": ">=",
    "and": "AND",
    "or": "OR",
    "is_not_distinct_from": "IS NOT DISTINCT FROM",
    "is_distinct_from": "IS DISTINCT FROM",
}
_NEGATED = {
    "in": "not_in",
    "between": "not_between",
    "like": "not_like",
    "similar": "not_similar",
    "is_null": "is_not_null",
    "is_true": "is_not_true",
    "is_false": "is_not_false",
}
_SQL_NAMES = {name for function in SCALARS for name in function.names} | {"FLOOR_TO", "CEIL_TO"}
_GROUPING_NAMES = {name for function in GROUPINGS for name in function.names}
_WINDOWS = frozenset({"TUMBLE", "HOP", "SESSION", "CUMULATE"})
_CALLABLE = sorted(
    {name for function in (*SCALARS, *AGGREGATES, *RANKINGS) for name in function.names if name.isidentifier()}
    | {"TUMBLE_START", "TUMBLE_END", "TUMBLE_ROWTIME", "HOP_START", "HOP_END", "HOP_ROWTIME"}
)


def call(name: str, args: Sequence[Expression], span: Span | None) -> Expression:
    """Returns a scalar function applied, its arguments cast as it wants them.

    Raises:
        UserError: No such function, or not for such arguments.
    """
    values: list[LiteralValue] = [arg.value if isinstance(arg, Literal) else None for arg in args]
    resolved = resolve_scalar(name, [arg.type for arg in args], span, values)
    cast = tuple(coerced(arg, type) for arg, type in zip(args, resolved.args, strict=True))
    return Call(resolved.function, cast, resolved.type, span)


def _operation(operator: str, args: tuple[Expression, Expression], span: Span | None) -> Expression:
    """Returns a binary operator applied; errors name its sign."""
    try:
        return call(operator, args, span)
    except UserError as error:
        left, right = (str(arg.type.or_null()) for arg in args)
        hint = error.hint or _operand_hint(operator)
        raise UserError(f"{_SIGNS[operator]} does not take {left} and {right}", hint=hint, span=span) from None


def _operand_hint(operator: str) -> str:
    if operator in ("and", "or"):
        return "Both sides are conditions: x = 1, x <> '', x IS NOT NULL"
    return "CAST(x AS type) converts one side"


class SubqueryBinding(Protocol):
    """What makes joins of the subqueries in an expression."""

    def value(self, binder: ExpressionBinder, node: exp.Expr, span: Span | None) -> Expression: ...

    def exists(self, binder: ExpressionBinder, node: exp.Expr, span: Span | None) -> Expression: ...

    def contained(self, binder: ExpressionBinder, node: exp.Expr, span: Span | None) -> Expression: ...


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
        operator = _BINARY.get(type(node))
        if operator is not None:
            return _operation(operator, (self.bind(node.this), self.bind(node.args["expression"])), span)
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

    # --- what grouped queries override

    def aggregate(self, node: FunctionCall, span: Span | None) -> Expression:
        """Binds a call of an aggregate function."""
        raise UserError(
            f"The aggregate function {node.this.upper()} cannot stand in {self.place}",
            hint="Aggregates stand in SELECT and HAVING",
            span=span,
        )

    def lifted(self, expression: Expression) -> Expression:
        """Returns a bound expression as one over the rows that subqueries are joined to."""
        return expression

    def placed(self, column: ColumnRef) -> ColumnRef:
        """Marks a column of the rows that subqueries are joined to, which the relation does not have."""
        return column

    def over(self, node: OverCall, span: Span | None) -> Expression:
        """Binds a call over a window of rows."""
        raise UserError(
            f"OVER cannot stand in {self.place}",
            hint="Select it under a name in a subquery, and use the name around it",
            span=span,
        )

    def column(self, name: str, span: Span | None, qualifier: str = "") -> Expression:
        """Resolves a column by its name, and by its table's where that was written."""
        if self._is_of_outer(name, qualifier):
            return self._outer_column(name, span, qualifier)
        if self.relation is None:
            raise UserError(
                f"Unknown column {name!r}: there is no table here to take it from",
                hint=f"A string stands in single quotes: '{name}'",
                span=span,
            )
        found = self.relation.find(name, qualifier)
        if not found:
            where = f"table {qualifier!r}" if qualifier and self.relation.joined else self.relation.title
            raise UserError(f"Unknown column {name!r} in {where}", hint=self._column_hint(name), span=span)
        if len(found) > 1:
            owners = [one.alias for one in self.relation.scopes if name in one.columns and one.alias]
            hint = " or ".join(f"{owner}.{name}" for owner in owners)
            raise UserError(f"Column {name!r} is ambiguous: several tables have it", hint=f"Write {hint}", span=span)
        return ColumnRef(found[0], self.relation.schema[found[0]].type, span)

    def _is_of_outer(self, name: str, qualifier: str) -> bool:
        """Whether a name means a column of the query around this one: it means none of this one's."""
        outer = self.context.outer
        own = self.relation is not None and bool(self.relation.find(name, qualifier))
        return outer is not None and not own and len(outer.find(name, qualifier)) == 1

    def _outer_column(self, name: str, span: Span | None, qualifier: str) -> Expression:
        outer = self.context.outer
        assert outer is not None
        if self.place != "WHERE":
            raise UserError(
                f"Column {name!r} of the outer query cannot stand in {self.place} of a subquery",
                hint="It may stand in the subquery's WHERE: inner = outer",
                span=span,
            )
        (found,) = outer.find(name, qualifier)
        return ColumnRef(OUTER + found, outer.schema[found].type, span)

    def _column_hint(self, name: str) -> str:
        assert self.relation is not None
        return did_you_mean(name, dict.fromkeys(one for scope in self.relation.scopes for one in scope.columns))

    # --- names

    def _name(self, node: Any, span: Span | None) -> Expression:
        return self.column(node.this.name, span)

    def _dotted(self, node: Any, span: Span | None) -> Expression:
        """`alias.column`, `column.field`, `(expression).field`."""
        if isinstance(node.args["expression"], exp.Star):
            raise UserError(f"'.*' stands alone in a SELECT, not in {self.place}", span=span)
        owner, name = node.this, node.args["expression"].name
        if isinstance(owner, exp.Column) and self._is_alias(owner.this.name):
            return self.column(name, self.context.span(owner), owner.this.name)
        if isinstance(owner, exp.Column) and self._is_unknown(owner.this.name):
            assert self.relation is not None
            known = [*(name for scope in self.relation.scopes for name in scope.columns), *self.relation.aliases]
            raise self.context.error(
                f"Unknown table or column {owner.this.name!r} before {('.' + name)!r}",
                owner,
                did_you_mean(owner.this.name, known),
            )
        row = self.bind(owner)
        field = Literal(name, types.STRING.not_null(), self.context.span(node.args["expression"]))
        return call("field", (row, field), span)

    def _is_alias(self, name: str) -> bool:
        found = [one.aliases for one in (self.relation, self.context.outer) if one is not None]
        return any(name in aliases for aliases in found)

    def _is_unknown(self, name: str) -> bool:
        return self.relation is not None and not self.relation.find(name) and not self._is_of_outer(name, "")

    # --- literals

    def _literal(self, node: Any, span: Span | None) -> Expression:
        if node.is_string:
            return Literal(node.this, types.STRING.not_null(), span)
        value, type = number_value(node.this)
        return Literal(value, type, span)

    def _typed_literal(self, node: Any, span: Span | None) -> Expression:
        value, type = typed_value(node.args["kind"], node.this)
        return Literal(value, type, span)

    def _interval(self, node: Any, span: Span | None) -> Expression:
        unit = node.args["unit"]
        if isinstance(unit, exp.IntervalSpan):
            value, type = interval_value(node.this.name, unit.this.name, unit.args["expression"].name)
        else:
            value, type = interval_value(node.this.name, unit.name)
        return Literal(value, type, span)

    def _boolean(self, node: Any, span: Span | None) -> Expression:
        return Literal(bool(node.this), types.BOOLEAN.not_null(), span)

    def _null(self, node: Any, span: Span | None) -> Expression:
        return Literal(None, types.NULL, span)

    # --- operators

    def _negative(self, node: Any, span: Span | None) -> Expression:
        operand = self.bind(node.this)
        if isinstance(operand, Literal) and isinstance(operand.value, (int, float)) and operand.type.is_numeric:
            return Literal(-operand.value, operand.type, span)
        if isinstance(operand, Literal) and operand.type.kind is Kind.DECIMAL and operand.value is not None:
            value, type = number_value(node.this.name)
            small = value == 1 << 63  # the least BIGINT has no positive twin
            return Literal(int(-value) if small else -value, types.BIGINT.not_null() if small else type, span)
        return call("negate", (operand,), span)

    def _not(self, node: Any, span: Span | None) -> Expression:
        inner = self.bind(node.this)
        if isinstance(inner, Call) and inner.function in _NEGATED and not isinstance(node.this, exp.Not):
            return Call(_NEGATED[inner.function], inner.args, inner.type, span)
        return call("not", (inner,), span)

    def _is(self, node: Any, span: Span | None) -> Expression:
        right = node.args["expression"]
        name = "is_null" if isinstance(right, exp.Null) else "is_true" if right.this else "is_false"
        return call(name, (self.bind(node.this),), span)

    def _between(self, node: Any, span: Span | None) -> Expression:
        value, low, high = (self.bind(node.args[key]) for key in ("this", "low", "high"))
        straight = call("between", (value, low, high), span)
        if not node.args.get("symmetric"):
            return straight
        return call("or", (straight, call("between", (value, high, low), span)), span)

    def _in(self, node: Any, span: Span | None) -> Expression:
        if node.args.get("query") is not None:
            return self._subqueries_here(span).contained(self, node, span)
        return call("in", [self.bind(node.this), *(self.bind(item) for item in node.expressions)], span)

    def _like(self, node: Any, span: Span | None) -> Expression:
        escape = node.args["expression"] if isinstance(node, exp.Escape) else None
        pattern = node.this if isinstance(node, exp.Escape) else node
        name = "like" if isinstance(pattern, exp.Like) else "similar"
        operands = [pattern.this, pattern.args["expression"], *([escape] if escape is not None else [])]
        return call(name, [self.bind(one) for one in operands], span)

    def _item(self, node: Any, span: Span | None) -> Expression:
        return call("item", (self.bind(node.this), self.bind(node.expressions[0])), span)

    def _tuple(self, node: Any, span: Span | None) -> Expression:
        return call("row", [self.bind(one) for one in node.expressions], span)

    # --- forms

    def _cast(self, node: Any, span: Span | None) -> Expression:
        operand, target = self.bind(node.this), node.args["to"].this
        if not can_cast(operand.type, target):
            raise UserError(f"CAST from {operand.type.or_null()} to {target.or_null()} does not exist", span=span)
        lenient = isinstance(node, exp.TryCast)
        if operand.type.same_as(target):
            return operand
        loses = lenient or may_lose_digits(operand.type, target)
        type: DataType = target.or_null(loses or operand.type.nullable or operand.type.kind is Kind.NULL)
        return Cast(operand, type, lenient, span)

    def _case(self, node: Any, span: Span | None) -> Expression:
        subject = self.bind(node.this) if node.this is not None else None
        conditions = [self._when(branch.this, subject) for branch in node.args["ifs"]]
        values = [self.bind(branch.args["true"]) for branch in node.args["ifs"]]
        default = node.args.get("default")
        otherwise = self.bind(default) if default is not None else Literal(None, types.NULL, span)
        every = [value.type for value in (*values, otherwise)]
        meeting = common_type(every)
        if meeting is None:
            shown = ", ".join(str(one.or_null()) for one in every)
            raise UserError(
                f"The branches of CASE have types that do not meet: {shown}", hint="CAST them to one type", span=span
            )
        branches = tuple((one, coerced(value, meeting)) for one, value in zip(conditions, values, strict=True))
        return Case(branches, coerced(otherwise, meeting), meeting, span)

    def _when(self, node: exp.Expr, subject: Expression | None) -> Expression:
        if subject is not None:
            return call("equals", (subject, self.bind(node)), self.context.span(node))
        bound = self.bind(node)
        if bound.type.kind not in (Kind.BOOLEAN, Kind.NULL):
            raise self.context.error(
                f"WHEN expects a condition (BOOLEAN), got {bound.type.or_null()}",
                node,
                hint="CASE x WHEN 1 THEN ... compares x; CASE WHEN condition THEN ... does not",
            )
        return coerced(bound, types.BOOLEAN)

    def function(self, node: FunctionCall, span: Span | None) -> Expression:
        """Binds a call by name, scalar or aggregate."""
        name: str = node.this
        if is_aggregate(name) or self.context.function(name, "aggregate"):
            return self.aggregate(node, span)
        declared = self.context.function(name, "scalar", "table")
        if declared is not None:
            return self._python(declared, node, span)
        if is_ranking(name):
            hint = f"{name.upper()}({'' if not node.expressions else 'x'}) OVER (PARTITION BY ... ORDER BY ...)"
            raise UserError(f"{name.upper()} needs OVER", hint=hint, span=span)
        for key, what in (("distinct", "DISTINCT"), ("filter", "FILTER (WHERE ...)"), ("star", "*")):
            if node.args.get(key) and name.upper() in _SQL_NAMES:
                raise UserError(f"{what} belongs to aggregate functions, {name.upper()} is none", span=span)
        if name.upper() not in _SQL_NAMES:
            raise self._unknown_function(name, span)
        return call(name, [self.bind(one) for one in node.expressions], span)

    def _python(self, declared: FunctionDefinition, node: FunctionCall, span: Span | None) -> Expression:
        if declared.kind == "table":
            hint = f"FROM t, LATERAL TABLE({declared.name}(...)) AS u (column, ...)"
            raise UserError(f"{declared.name} is a table function: it stands in FROM", hint=hint, span=span)
        return self._called(declared, node, span)

    def rows(self, node: exp.Expr) -> Expression:
        """Binds what gives rows in FROM: a call of a table function, whose result is an ARRAY, or a collection."""
        declared = self.context.function(node.this, "table") if isinstance(node, FunctionCall) else None
        if declared is None or not isinstance(node, FunctionCall):
            return self.bind(node)
        return self._called(declared, node, self.context.span(node))

    def _called(self, declared: FunctionDefinition, node: FunctionCall, span: Span | None) -> Expression:
        args = [self.bind(one) for one in node.expressions]
        resolved = resolve_python(declared, [arg.type for arg in args], span)
        cast = tuple(coerced(arg, type) for arg, type in zip(args, resolved.args, strict=True))
        return Call(resolved.function, cast, resolved.type, span)

    def _unknown_function(self, name: str, span: Span | None) -> UserError:
        if name.upper() in _GROUPING_NAMES:
            return UserError(f"{name.upper()} belongs to a query with GROUP BY", span=span)
        window = name.upper().partition("_")[0]
        if window in _WINDOWS:
            asks = f"{window}_START and its like belong" if "_" in name else f"{window} belongs"
            hint = f"GROUP BY {window}(ts, ...), or FROM TABLE({window}(TABLE t, DESCRIPTOR(ts), ...))"
            return UserError(f"{asks} to a query that groups by a window", hint=hint, span=span)
        try:
            resolve_scalar(name, (), span)
        except UserError as error:
            if "not supported" in error.message:
                return error
        return UserError(
            f"Unknown function {name!r}",
            hint=did_you_mean(name.upper(), [*_CALLABLE, *self.context.functions]),
            span=span,
        )

    def _subquery(self, node: Any, span: Span | None) -> Expression:
        return self._subqueries_here(span).value(self, node, span)

    def _exists(self, node: Any, span: Span | None) -> Expression:
        return self._subqueries_here(span).exists(self, node, span)

    def _subqueries_here(self, span: Span | None) -> SubqueryBinding:
        if self._subqueries is None:
            raise UserError(
                f"A subquery cannot stand in {self.place}", hint="It may stand in WHERE, HAVING and SELECT", span=span
            )
        return self._subqueries

    def _star(self, node: Any, span: Span | None) -> Expression:
        raise UserError(f"'*' stands alone in a SELECT, not in {self.place}", span=span)


_Reader = Callable[[ExpressionBinder, Any, "Span | None"], Expression]
_READERS: dict[type[exp.Expr], _Reader] = {
    exp.Column: ExpressionBinder._name,
    exp.Dot: ExpressionBinder._dotted,
    exp.Literal: ExpressionBinder._literal,
    TypedLiteral: ExpressionBinder._typed_literal,
    exp.Interval: ExpressionBinder._interval,
    exp.Boolean: ExpressionBinder._boolean,
    exp.Null: ExpressionBinder._null,
    exp.Neg: ExpressionBinder._negative,
    exp.Not: ExpressionBinder._not,
    exp.Is: ExpressionBinder._is,
    exp.Between: ExpressionBinder._between,
    exp.In: ExpressionBinder._in,
    exp.Like: ExpressionBinder._like,
    exp.SimilarTo: ExpressionBinder._like,
    exp.Escape: ExpressionBinder._like,
    exp.Bracket: ExpressionBinder._item,
    exp.Tuple: ExpressionBinder._tuple,
    exp.Cast: ExpressionBinder._cast,
    exp.TryCast: ExpressionBinder._cast,
    exp.Case: ExpressionBinder._case,
    FunctionCall: lambda binder, node, span: binder.function(node, span),
    OverCall: lambda binder, node, span: binder.over(node, span),
    exp.Subquery: ExpressionBinder._subquery,
    exp.Exists: ExpressionBinder._exists,
    exp.Star: ExpressionBinder._star,
}
