"""Bound expressions to Polars expressions, once per job.

The result is for eager use: `frame.select`, `frame.with_columns`, `frame.filter`, `group_by(...).agg`. What can fail at
run time raises `EvaluationError` out of that call. SQL evaluates only the branch that is taken: where a part that can
fail stands behind a condition (CASE, IF, COALESCE, AND, OR), its first argument is NULL wherever the condition keeps it
from counting, so `CASE WHEN x <> 0 THEN 1 / x END` never fails.

A projection made of constants alone is one row long in Polars; `compile_projections` stretches it to the frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from yeoul.engine.compile.arithmetic import ARITHMETIC
from yeoul.engine.compile.casts import lower_cast
from yeoul.engine.compile.comparison import COMPARISON
from yeoul.engine.compile.dtypes import literal, polars_dtype
from yeoul.engine.compile.encodings import ENCODINGS
from yeoul.engine.compile.json_paths import JSON_PATHS
from yeoul.engine.compile.lowering import EvaluationContext, Lowering, Site
from yeoul.engine.compile.numbers import NUMBERS
from yeoul.engine.compile.rendering import render
from yeoul.engine.compile.structures import STRUCTURES
from yeoul.engine.compile.temporal import TEMPORAL
from yeoul.engine.compile.text import TEXT
from yeoul.errors import UserError
from yeoul.plan.expressions import Call, Case, Cast, ColumnRef, Expression, Literal, children_of, columns_of
from yeoul.plan.types import Kind

__all__ = ["EvaluationContext", "compile_expression", "compile_projections", "lowered_functions"]

_LOWERINGS: Mapping[str, Lowering] = {
    **ARITHMETIC,
    **COMPARISON,
    **NUMBERS,
    **TEXT,
    **ENCODINGS,
    **TEMPORAL,
    **STRUCTURES,
    **JSON_PATHS,
}
_FALLIBLE = frozenset({*ARITHMETIC, "abs", "element", "rand_integer"})
_DEFERRING = frozenset({"and", "or", "if", "coalesce", "ifnull"})


def lowered_functions() -> frozenset[str]:
    """Returns the ids of the functions that can be compiled."""
    return frozenset(_LOWERINGS)


def compile_expression(expression: Expression, context: EvaluationContext | None = None) -> pl.Expr:
    """Lowers one expression.

    Args:
        expression: Bound: every implicit cast is a `Cast` node already.
        context: The clock and the session's time zone.

    Returns:
        An expression whose columns are the input frame's, with exactly the type `polars_dtype(expression.type)`.

    Raises:
        UserError: The expression cannot be computed here; the message says which part.

    Example:
        >>> from yeoul.plan.types import BIGINT
        >>> doubled = Call("multiply", (ColumnRef("x", BIGINT), Literal(2, BIGINT)), BIGINT)
        >>> pl.DataFrame({"x": [1, None]}).select(compile_expression(doubled).alias("y")).to_series().to_list()
        [2, None]
    """
    return _lower(expression, context or EvaluationContext(), None)


def compile_projections(
    projections: Iterable[tuple[str, Expression]], context: EvaluationContext | None = None
) -> list[pl.Expr]:
    """Lowers named expressions for one `frame.select`, as long as the frame even if all are constants."""
    context = context or EvaluationContext()
    pairs = list(projections)
    lowered = [compile_expression(expression, context).alias(name) for name, expression in pairs]
    if pairs and not any(any(columns_of(expression)) for _, expression in pairs):
        name, expression = pairs[0]
        stretched = pl.repeat(0, pl.len(), dtype=pl.Int8).is_not_null()
        lowered[0] = pl.when(stretched).then(compile_expression(expression, context)).alias(name)
    return lowered


def _can_fail(expression: Expression) -> bool:
    if isinstance(expression, Cast) or (isinstance(expression, Call) and expression.function in _FALLIBLE):
        return True
    return any(_can_fail(child) for child in children_of(expression))


def _lower(expression: Expression, context: EvaluationContext, guard: pl.Expr | None) -> pl.Expr:
    """Lowers an expression of which only the rows where `guard` is true will count; None is all rows."""
    match expression:
        case Literal():
            return literal(expression)
        case ColumnRef(name=name):
            return pl.col(name)
        case Cast():
            return _cast(expression, context, guard)
        case Case():
            return _case(expression, context, guard)
        case Call():
            return _call(expression, context, guard)


def _guarded(operand: pl.Expr, guard: pl.Expr | None) -> pl.Expr:
    return operand if guard is None else pl.when(guard).then(operand)


def _cast(cast: Cast, context: EvaluationContext, guard: pl.Expr | None) -> pl.Expr:
    return lower_cast(
        _guarded(_lower(cast.operand, context, guard), guard),
        cast.operand.type,
        cast.type,
        null_on_error=cast.null_on_error,
        text=render(cast),
        zone=context.time_zone,
    )


def _both(a: pl.Expr | None, b: pl.Expr) -> pl.Expr:
    return b if a is None else a & b


def _case(case: Case, context: EvaluationContext, guard: pl.Expr | None) -> pl.Expr:
    dtype = polars_dtype(case.type)
    guarded = any(_can_fail(each) for each in children_of(case))
    remaining = guard
    arms: list[tuple[pl.Expr, pl.Expr]] = []
    for condition, value in case.branches:
        test = _lower(condition, context, remaining)
        taken = _both(remaining, test.fill_null(False)) if guarded else None
        arms.append((test, _typed(value, dtype, context, taken)))
        remaining = _both(remaining, test.fill_null(False).not_()) if guarded else None
    result = _typed(case.otherwise, dtype, context, remaining)
    for test, then in reversed(arms):
        result = pl.when(test).then(then).otherwise(result)
    return result


def _typed(value: Expression, dtype: pl.DataType, context: EvaluationContext, guard: pl.Expr | None) -> pl.Expr:
    lowered = _lower(value, context, guard)
    return lowered.cast(dtype) if value.type.kind is Kind.NULL else lowered


def _call(call: Call, context: EvaluationContext, guard: pl.Expr | None) -> pl.Expr:
    lowering = _LOWERINGS.get(call.function)
    if lowering is None:
        raise UserError(f"{render(call)} cannot be computed: {call.function!r} has no implementation", span=call.span)
    if call.function in _DEFERRING and any(_can_fail(each) for each in call.args[1:]):
        args = _deferred(call, context, guard)
    else:
        args = tuple(_lower(each, context, guard) for each in call.args)
        if guard is not None and args and _can_fail(call):
            args = (_guarded(args[0], guard), *args[1:])
    return lowering(Site(call, args, context))


def _deferred(call: Call, context: EvaluationContext, guard: pl.Expr | None) -> tuple[pl.Expr, ...]:
    """The arguments of a function that stops at the first that decides it."""
    args: list[pl.Expr] = []
    for index, each in enumerate(call.args):
        args.append(_lower(each, context, guard))
        if call.function == "and":
            guard = _both(guard, args[-1].fill_null(True))
        elif call.function == "or":
            guard = _both(guard, args[-1].fill_null(False).not_())
        elif call.function in ("coalesce", "ifnull"):
            guard = _both(guard, args[-1].is_null())
        elif index == 0:
            outer, taken = guard, args[0].fill_null(False)
            guard = _both(outer, taken)
        else:
            guard = _both(outer, taken.not_())
    return tuple(args)
