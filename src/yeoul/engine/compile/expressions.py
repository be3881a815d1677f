"""Bound expressions to Polars expressions, once per job.

The result is for eager use: `frame.select`, `frame.with_columns`, `frame.filter`, `group_by(...).agg`. What can fail at
run time raises `EvaluationError` out of that call. SQL evaluates only the branch that is taken: where a part that can
fail stands behind a condition (CASE, IF, COALESCE, AND, OR), its first argument is NULL wherever the condition keeps it
from counting, so `CASE WHEN x <> 0 THEN 1 / x END` never fails. The conditions are compiled once more for that, in a
lenient way in which nothing fails. What needs no column is computed when the job is compiled.

A projection made of constants alone is one row long in Polars; `compile_projections` stretches it to the frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import polars as pl

from yeoul.engine.compile.arithmetic import ARITHMETIC
from yeoul.engine.compile.bitmaps import BITMAPS
from yeoul.engine.compile.casts import cast_can_fail, lower_cast
from yeoul.engine.compile.collections import COLLECTIONS
from yeoul.engine.compile.comparison import COMPARISON
from yeoul.engine.compile.dtypes import literal, polars_dtype
from yeoul.engine.compile.encodings import ENCODINGS
from yeoul.engine.compile.faults import EvaluationError, checked
from yeoul.engine.compile.json_paths import JSON_PATHS
from yeoul.engine.compile.json_writing import JSON_WRITING
from yeoul.engine.compile.lowering import EvaluationContext, Lowering, Site, constant_of
from yeoul.engine.compile.numbers import NUMBERS
from yeoul.engine.compile.python_functions import lower_python
from yeoul.engine.compile.regular_expressions import REGULAR_EXPRESSIONS
from yeoul.engine.compile.structures import STRUCTURES
from yeoul.engine.compile.temporal import TEMPORAL
from yeoul.engine.compile.text import TEXT
from yeoul.engine.compile.variants import VARIANTS
from yeoul.engine.compile.varying import is_null, varies, varying
from yeoul.errors import UserError
from yeoul.plan.expressions import Call, Case, Cast, ColumnRef, Expression, Literal, children_of, columns_of
from yeoul.plan.functions.python import is_python, is_volatile
from yeoul.plan.rendering import render
from yeoul.plan.types import Kind

__all__ = ["EvaluationContext", "compile_expression", "compile_projections", "lowered_functions"]

_LOWERINGS: Mapping[str, Lowering] = {
    **ARITHMETIC,
    **COMPARISON,
    **NUMBERS,
    **TEXT,
    **REGULAR_EXPRESSIONS,
    **ENCODINGS,
    **TEMPORAL,
    **STRUCTURES,
    **COLLECTIONS,
    **BITMAPS,
    **VARIANTS,
    **JSON_PATHS,
    **JSON_WRITING,
}
_FALLIBLE = frozenset(
    {
        "divide",
        "modulo",
        "bitmap_from_bytes",
        "element",
        "rand_integer",
        "map_from_arrays",
        "json_value",
        "json_query",
        "json_exists",
    }
)
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
    return _lower(expression, _Scope(context or EvaluationContext()))


def compile_projections(
    projections: Iterable[tuple[str, Expression]], context: EvaluationContext | None = None
) -> list[pl.Expr]:
    """Lowers named expressions for one `frame.select`, as long as the frame even if all are constants."""
    context = context or EvaluationContext()
    pairs = list(projections)
    lowered = [compile_expression(expression, context).alias(name) for name, expression in pairs]
    if pairs and not any(each.meta.root_names() for each in lowered):
        name, expression = pairs[0]
        stretched = pl.repeat(0, pl.len(), dtype=pl.Int8).is_not_null()
        lowered[0] = pl.when(stretched).then(compile_expression(expression, context)).alias(name)
    return lowered


_CHANGING = frozenset(
    {"rand", "rand_integer", "uuid", "current_timestamp", "proctime", "localtimestamp", "current_date", "localtime"}
)


@dataclass(frozen=True, slots=True)
class _Scope:
    """Under what conditions a part of an expression counts.

    Attributes:
        guard: The rows in which it counts; None is all.
        strict: Whether what cannot be computed fails; a guard itself is lenient, so that it can be evaluated freely
            wherever it is needed.
    """

    context: EvaluationContext
    guard: pl.Expr | None = None
    strict: bool = True

    def within(self, guard: pl.Expr) -> _Scope:
        return replace(self, guard=guard if self.guard is None else self.guard & guard)

    def counted(self, operand: pl.Expr) -> pl.Expr:
        """The operand, NULL in the rows that do not count."""
        return operand if self.guard is None else pl.when(self.guard).then(operand)

    @property
    def lenient(self) -> _Scope:
        return _Scope(self.context, None, False)


def _can_fail(expression: Expression) -> bool:
    """Tells whether evaluating it can raise."""
    match expression:
        case Literal() | ColumnRef():
            return False
        case Cast(operand=Literal()):
            return not isinstance(_constant(expression, EvaluationContext()), pl.Expr)
        case Cast(null_on_error=lenient, operand=operand, type=type):
            return (not lenient and cast_can_fail(operand.type, type)) or _can_fail(operand)
        case Call(function=function) if is_python(function) or varies(expression):
            return True
        case Call(function=function, type=type) if function in _FALLIBLE and not type.is_float:
            if function not in ("divide", "modulo") or not type.is_integer:
                return True
            divisor = constant_of(expression.args[1])
            return not isinstance(divisor, int) or divisor in (0, -1) or _can_fail(expression.args[0])
        case _:
            return any(_can_fail(child) for child in children_of(expression))


def _changes(expression: Expression) -> bool:
    """Tells whether its value is another in each batch or row, whatever the columns."""
    own = isinstance(expression, Call) and (expression.function in _CHANGING or is_volatile(expression.function))
    return own or any(_changes(child) for child in children_of(expression))


_ONE_ROW = pl.DataFrame({"row": [True]})


def _constant(expression: Expression, context: EvaluationContext) -> pl.Expr | EvaluationError | None:
    """The value of an expression without columns, computed now, or why it has none; None: it has columns, or parts."""
    if any(True for _ in columns_of(expression)) or _changes(expression):
        return None
    dtype = polars_dtype(expression.type)
    if dtype.is_nested() or dtype == pl.Null or (isinstance(dtype, pl.Datetime) and dtype.time_unit == "ns"):
        return None
    try:
        value = _ONE_ROW.select(_lowered(expression, _Scope(context))).to_series()
        return pl.lit(value[0], dtype=dtype)
    except EvaluationError as error:
        return error
    except (OverflowError, ValueError):
        return None  # Python has no such value, as of the year 0


def _lower(expression: Expression, scope: _Scope) -> pl.Expr:
    constant = None if isinstance(expression, Literal | ColumnRef) else _constant(expression, scope.context)
    if isinstance(constant, EvaluationError):
        return _failing(constant, expression, scope) if scope.strict else _lowered(expression, scope)
    return _lowered(expression, scope) if constant is None else constant


def _failing(error: EvaluationError, expression: Expression, scope: _Scope) -> pl.Expr:
    """A constant that cannot be computed: it fails at the first row in which it counts; over no rows it does not."""
    dtype = polars_dtype(expression.type)

    def compute(rows: pl.Series) -> pl.Series:
        if rows.null_count() < len(rows):
            raise EvaluationError(error.message, hint=error.hint)
        return pl.Series("", [None], dtype=dtype).new_from_index(0, len(rows))

    return checked([scope.counted(pl.int_range(pl.len()))], compute, dtype)


def _lowered(expression: Expression, scope: _Scope) -> pl.Expr:
    match expression:
        case Literal():
            return literal(expression)
        case ColumnRef(name=name):
            return pl.col(name)
        case Cast():
            return _cast(expression, scope)
        case Case():
            return _case(expression, scope)
        case Call():
            return _call(expression, scope)


def _cast(cast: Cast, scope: _Scope) -> pl.Expr:
    operand = _lower(cast.operand, scope)
    return lower_cast(
        scope.counted(operand) if cast_can_fail(cast.operand.type, cast.type) else operand,
        cast.operand.type,
        cast.type,
        null_on_error=cast.null_on_error or not scope.strict,
        text=render(cast),
        zone=scope.context.time_zone,
        span=cast.span,
    )


def _case(case: Case, scope: _Scope) -> pl.Expr:
    guarded = scope.strict and any(_can_fail(each) for each in children_of(case))
    arms: list[tuple[pl.Expr, pl.Expr]] = []
    remaining = scope
    for condition, value in case.branches:
        test = _lower(condition, remaining)
        if guarded:
            true = _lower(condition, scope.lenient).fill_null(False)
            arms.append((test, _typed(value, case, remaining.within(true))))
            remaining = remaining.within(true.not_())
        else:
            arms.append((test, _typed(value, case, scope)))
    result = _typed(case.otherwise, case, remaining)
    for test, then in reversed(arms):
        result = pl.when(test).then(then).otherwise(result)
    return result


def _typed(value: Expression, case: Case, scope: _Scope) -> pl.Expr:
    lowered = _lower(value, scope)
    return lowered.cast(polars_dtype(case.type)) if value.type.kind is Kind.NULL else lowered


def _call(call: Call, scope: _Scope) -> pl.Expr:
    if is_python(call.function):
        args = tuple(_lower(each, scope) for each in call.args)
        return lower_python(call, args, scope.guard, strict=scope.strict, time_zone=scope.context.time_zone)
    lowering = _LOWERINGS.get(call.function)
    if lowering is None:
        raise UserError(f"{render(call)} cannot be computed: {call.function!r} has no implementation", span=call.span)
    if is_null(call):
        return pl.lit(None, dtype=polars_dtype(call.type))
    if scope.strict and call.function in _DEFERRING and any(_can_fail(each) for each in call.args[1:]):
        args = _deferred(call, scope)
    else:
        args = tuple(_lower(each, scope) for each in call.args)
        if args and (call.function in _FALLIBLE or varies(call)) and _can_fail(call):
            args = (scope.counted(args[0]), *args[1:])
    site = Site(call, args, scope.context, scope.strict)
    return varying(lowering, site) if varies(call) else lowering(site)


def _deferred(call: Call, scope: _Scope) -> tuple[pl.Expr, ...]:
    """The arguments of a function that stops at the first that decides it."""
    args: list[pl.Expr] = []
    outer = scope
    for index, each in enumerate(call.args):
        args.append(_lower(each, scope))
        decided = _lower(each, outer.lenient)
        if call.function == "and":
            scope = scope.within(decided.fill_null(True))
        elif call.function == "or":
            scope = scope.within(decided.fill_null(False).not_())
        elif call.function in ("coalesce", "ifnull"):
            scope = scope.within(decided.is_null())
        elif index == 0:
            condition = decided.fill_null(False)
            scope = outer.within(condition)
        else:
            scope = outer.within(condition.not_())
    return tuple(args)
