"""Aggregates in two phases, as Polars expressions for `group_by(...).agg(...)`.

The seam, for the operator:

1. `frame.group_by(keys).agg(*partial)` over a batch gives the keys and the partial columns, named `<name>$<part>`.
2. `pl.concat(partial_frames).group_by(keys).agg(*merge)` gives the same columns again, with the same types. Any number
   of frames may be merged at once, and merged frames may be merged again; merging rarely (when what waits has grown to
   the size of what is merged) is cheaper than merging after each batch, above all for sets.
3. `merged.select(keys, final)` gives the column `<name>` with exactly the type `polars_dtype(call.type)`.

There is no extra key level: DISTINCT keeps a set per group as a List column (`unique` in step 1, `explode` and `unique`
in step 2), which Polars does as fast as grouping by the extra key, so the operator treats all aggregates alike.
APPROX_COUNT_DISTINCT keeps a sketch that is a set as well (see `sketches`). A set's column costs its values; everything
else is a number or two per group. Partial columns hold standard Arrow types only, so a snapshot can go to Arrow IPC.

FIRST_VALUE, LAST_VALUE, LISTAGG and ARRAY_AGG follow the order of rows within a frame and of frames in the concat.

Over rows with a weight (+1, or -1 for one that is taken back) counts, sums and means add and subtract; every other
aggregate keeps its values in a bag (see `bags`), which whoever merges has to settle after step 2.

FILTER and NULLs: rows that do not count are NULL to the aggregate. Over no row, COUNT is 0 and everything else NULL.
The argument is evaluated inside step 1; an error in it is an EvaluationError out of `agg`.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import polars as pl

from yeoul.engine.compile.bags import BAG, bagged, values_of
from yeoul.engine.compile.casts import lower_cast
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.expressions import EvaluationContext, compile_expression
from yeoul.engine.compile.faults import EvaluationError, checked, first_true
from yeoul.engine.compile.python_aggregates import python_parts
from yeoul.engine.compile.rendering import render_aggregate
from yeoul.engine.compile.sketches import estimate, observations
from yeoul.errors import UserError
from yeoul.plan.expressions import AggregateCall, Literal, columns_of
from yeoul.plan.functions.python import is_python
from yeoul.plan.types import DataType, Kind

__all__ = ["WAS", "CompiledAggregate", "compile_aggregate", "compiled_aggregates"]


@dataclass(frozen=True, slots=True)
class CompiledAggregate:
    """One aggregate, ready to run.

    Attributes:
        name: The output column.
        partial: Over rows: the partial columns.
        merge: Over partial columns: the same partial columns.
        final: Over merged partial columns: the output column.
        bag: The partial column that is a bag, to be settled after each merge; None if there is none.
        pairwise: The partial columns of two rows that stand side by side merged, without grouping: the newer one's
            under their own names, the older one's with `WAS` behind; None if that cannot be said.
    """

    name: str
    partial: tuple[pl.Expr, ...]
    merge: tuple[pl.Expr, ...]
    final: pl.Expr
    bag: str | None = None
    pairwise: tuple[pl.Expr, ...] | None = None


WAS = "$was"
"""Behind the name of a partial column: the older one of two."""
Pair = Callable[[pl.Expr, pl.Expr], pl.Expr]
"""Merges an older and a newer value."""


def _added(was: pl.Expr, now: pl.Expr) -> pl.Expr:
    return was + now


@dataclass(frozen=True, slots=True)
class _Job:
    """One aggregate being compiled."""

    call: AggregateCall
    name: str
    value: pl.Expr
    """The argument, NULL in rows that the filter leaves out."""
    keep: pl.Expr | None
    """The filter."""
    weight: pl.Expr | None = None
    """+1 or -1 a row; None: every row counts once."""

    @property
    def type(self) -> DataType:
        """The argument's type."""
        return self.call.args[0].type

    @property
    def always(self) -> bool:
        """Whether every row of a group has a value."""
        return self.keep is None and not self.type.nullable

    @property
    def dtype(self) -> pl.DataType:
        return polars_dtype(self.call.type)

    def rows(self) -> pl.Expr:
        """How many rows the filter leaves."""
        if self.weight is None:
            rows = pl.len() if self.keep is None else self.keep.sum()
        else:
            rows = (self.weight if self.keep is None else pl.when(self.keep).then(self.weight)).sum()
        return rows.cast(pl.Int64)

    def values(self) -> pl.Expr:
        """How many values there are, NULL left out."""
        if self.weight is None:
            return self.value.count().cast(pl.Int64)
        return pl.when(self.value.is_not_null()).then(self.weight).sum().cast(pl.Int64)

    def signed(self, value: pl.Expr) -> pl.Expr:
        """A value, or its negative where the row is taken back."""
        return value if self.weight is None else value * self.weight

    def part(self, part: str) -> str:
        return f"{self.name}${part}"

    def column(self, part: str) -> pl.Expr:
        return pl.col(self.part(part))

    def done(
        self, partial: Mapping[str, pl.Expr], merge: Mapping[str, pl.Expr], final: pl.Expr, pair: Pair | None = None
    ) -> CompiledAggregate:
        made = CompiledAggregate(
            self.name,
            tuple(expression.alias(self.part(part)) for part, expression in partial.items()),
            tuple(expression.alias(self.part(part)) for part, expression in merge.items()),
            final.alias(self.name),
        )
        if pair is None:
            return made
        names = [self.part(part) for part in partial]
        return replace(made, pairwise=tuple(pair(pl.col(name + WAS), pl.col(name)).alias(name) for name in names))


def compiled_aggregates() -> frozenset[str]:
    """Returns the ids of the aggregates that can be compiled."""
    return frozenset(_COMPILERS)


def compile_aggregate(
    call: AggregateCall, name: str, context: EvaluationContext | None = None, weight: str | None = None
) -> CompiledAggregate:
    """Lowers one aggregate.

    Args:
        call: Bound, its argument cast as `resolve_aggregate` says.
        name: The output column; partial columns are named after it.
        context: The clock and the session's time zone.
        weight: The column that says whether a row counts or is taken back; None: every row counts.

    Raises:
        UserError: It cannot be computed here.

    Example:
        >>> from yeoul.plan.expressions import ColumnRef
        >>> from yeoul.plan.types import INT
        >>> mean = compile_aggregate(AggregateCall("avg", (ColumnRef("x", INT),), INT), "m")
        >>> batches = pl.DataFrame({"k": [1, 1], "x": [3, 4]}), pl.DataFrame({"k": [1, 2], "x": [None, 9]})
        >>> partials = [batch.group_by("k").agg(*mean.partial) for batch in batches]
        >>> pl.concat(partials).group_by("k").agg(*mean.merge).select("k", mean.final).sort("k").rows()
        [(1, 3), (2, 9)]
    """
    context = context or EvaluationContext()
    if is_python(call.function):
        return _python(call, name, context, weight)
    compiler = _COMPILERS.get(call.function)
    if compiler is None:
        raise UserError(f"{render_aggregate(call)} cannot be computed: no such aggregate", span=call.span)
    keep = None if call.filter is None else _per_row(compile_expression(call.filter, context), call.filter)
    value = _argument(call, context)
    if keep is not None and call.args:
        value = pl.when(keep).then(value)
    job = _Job(call, name, value, keep, None if weight is None else pl.col(weight))
    return compiler(job) if weight is None or _subtracts(call) else _over_bag(job)


def _python(call: AggregateCall, name: str, context: EvaluationContext, weight: str | None) -> CompiledAggregate:
    """A Python function, over all its arguments as one struct."""
    args = [_per_row(compile_expression(each, context), each) for each in call.args]
    keep = None if call.filter is None else _per_row(compile_expression(call.filter, context), call.filter)
    job = _Job(call, name, pl.struct(args), keep, None if weight is None else pl.col(weight))
    parts = python_parts(call, args, keep, job.weight, job.column)
    made = job.done({parts.name: parts.partial}, {parts.name: parts.merge}, parts.final)
    return replace(made, bag=job.part(BAG)) if parts.name == BAG else made


def _subtracts(call: AggregateCall) -> bool:
    """Whether a value can be taken out of what an aggregate keeps."""
    return call.function in ("count_star", "count", "sum", "sum0", "avg") and not call.distinct


def _argument(call: AggregateCall, context: EvaluationContext) -> pl.Expr:
    """The argument; several of COUNT become a struct that is NULL where any of them is."""
    args = [_per_row(compile_expression(each, context), each) for each in call.args]
    if not args:
        return pl.lit(0)
    if len(args) == 1 or call.function != "count":
        return args[0]
    nullable = [arg for arg, each in zip(args, call.args, strict=True) if each.type.nullable]
    fields = pl.struct(arg.alias(str(index)) for index, arg in enumerate(args))
    return pl.when(pl.all_horizontal(arg.is_not_null() for arg in nullable)).then(fields) if nullable else fields


def _per_row(lowered: pl.Expr, expression: object) -> pl.Expr:
    """Makes a constant as long as the group, so that it counts once a row."""
    constant = not any(columns_of(expression))  # type: ignore[arg-type]
    return pl.when(pl.int_range(pl.len()) >= 0).then(lowered) if constant else lowered


# ---- counts -----------------------------------------------------------


def _count_star(job: _Job) -> CompiledAggregate:
    return job.done({"count": job.rows()}, {"count": job.column("count").sum()}, job.column("count"), _added)


def _count(job: _Job) -> CompiledAggregate:
    if job.call.distinct:
        return _over_set(job, lambda values: values.list.len().cast(pl.Int64))
    always = job.keep is None and not any(each.type.nullable for each in job.call.args)
    counted = job.rows() if always else job.values()
    return job.done({"count": counted}, {"count": job.column("count").sum()}, job.column("count"), _added)


def _approx_count_distinct(job: _Job) -> CompiledAggregate:
    seen = checked([job.value], observations, pl.UInt32()).drop_nulls().unique()
    final = checked([job.column("sketch")], estimate, pl.Int64())
    return job.done({"sketch": seen}, {"sketch": _united(job.column("sketch"))}, final)


def _united(sets: pl.Expr) -> pl.Expr:
    """The union of sets; an empty one explodes to NULL, which no set holds."""
    return sets.explode().drop_nulls().unique()


def _over_set(job: _Job, final: Callable[[pl.Expr], pl.Expr]) -> CompiledAggregate:
    """Keeps the different values; `final` turns their List column into the answer."""
    partial = job.value.drop_nulls().unique()
    return job.done({"set": partial}, {"set": _united(job.column("set"))}, final(job.column("set")))


# ---- sums and means ------------------------------------------------------


def _widened(value: pl.Expr, type: DataType) -> pl.Expr:
    """The argument in the type that its sum is kept in until the end."""
    if type.kind is Kind.DECIMAL:
        return value.cast(pl.Decimal(38, type.scale or 0))
    if type.is_float:
        return value if type.kind is Kind.DOUBLE else value.cast(pl.Float64)
    return value.cast(pl.Int128) if type.kind is Kind.BIGINT else value.cast(pl.Int64)


def _total(value: pl.Expr, type: DataType, signed: Callable[[pl.Expr], pl.Expr] = lambda each: each) -> pl.Expr:
    """The sum; of BIGINTs as DECIMAL(38, 0), which Arrow can hold where it has no 128-bit integer."""
    total = signed(_widened(value, type)).sum()
    return total.cast(pl.Decimal(38, 0)) if type.kind is Kind.BIGINT else total


def _with_size(job: _Job, partial: dict[str, pl.Expr], merge: dict[str, pl.Expr]) -> pl.Expr:
    """Adds what tells whether a sum of wide decimals left 38 digits (Polars wraps there), and returns the sum.

    Under 29 digits no sum of a stream's length can leave them, so nothing is added.
    """
    total = job.column("sum")
    if job.type.kind is not Kind.DECIMAL or (job.type.precision or 38) <= 28:
        return total
    partial["size"] = job.signed(job.value.cast(pl.Float64)).sum()
    merge["size"] = job.column("size").sum()
    text, span, limit = render_aggregate(job.call), job.call.span, 10.0 ** (38 - (job.type.scale or 0))

    def compute(sums: pl.Series, sizes: pl.Series) -> pl.Series:
        if (sizes.abs() > limit * (1 + 1e-12)).any():
            raise EvaluationError(
                f"Overflow in {text}: the sum has more than 38 digits",
                hint="Cast the argument to DOUBLE, or to fewer digits after the point.",
                span=span,
            )
        return sums

    return checked([total, job.column("size")], compute, pl.Decimal(38, job.type.scale or 0))


def _fitted(total: pl.Expr, job: _Job) -> pl.Expr:
    """The sum in the result's type, or an error where it does not fit."""
    type, dtype, text, span = job.call.type, job.dtype, render_aggregate(job.call), job.call.span
    if not type.is_integer:
        return total.cast(dtype)

    def compute(column: pl.Series) -> pl.Series:
        result = column.cast(dtype, strict=False)
        if result.null_count() > column.null_count():
            at = first_true(result.is_null() & column.is_not_null())
            raise EvaluationError(
                f"Overflow in {text}: {column[at]} does not fit {type.or_null()}",
                hint="Sum a wider type: SUM(CAST(x AS BIGINT)) or SUM(CAST(x AS DECIMAL(38, 0))).",
                span=span,
            )
        return result

    return checked([total], compute, dtype)


def _sum(job: _Job) -> CompiledAggregate:
    type = job.type
    empty = pl.lit(0).cast(job.dtype) if job.call.function == "sum0" else pl.lit(None, dtype=job.dtype)
    if job.call.distinct:

        def of_set(values: pl.Expr) -> pl.Expr:
            total = values.list.agg(_total(pl.element(), type))
            return pl.when(values.list.len() > 0).then(_fitted(total, job)).otherwise(empty)

        return _over_set(job, of_set)
    partial = {"sum": _total(job.value, type, job.signed)}
    merge = {"sum": job.column("sum").sum()}
    final = _fitted(_with_size(job, partial, merge), job)
    if job.always or job.call.function == "sum0":
        return job.done(partial, merge, final, _added)
    partial["count"] = job.values()
    merge["count"] = job.column("count").sum()
    return job.done(partial, merge, pl.when(job.column("count") > 0).then(final).otherwise(empty), _added)


def _avg(job: _Job) -> CompiledAggregate:
    type = job.type
    if job.call.distinct:
        return _over_set(
            job,
            lambda values: _mean(values.list.agg(_total(pl.element(), type)), values.list.len().cast(pl.Int64), job),
        )
    count = job.rows() if job.always else job.values()
    partial = {"sum": _total(job.value, type, job.signed), "count": count}
    merge = {"sum": job.column("sum").sum(), "count": job.column("count").sum()}
    mean = _mean(_with_size(job, partial, merge), job.column("count"), job)
    return job.done(partial, merge, mean, _added)


def _mean(total: pl.Expr, count: pl.Expr, job: _Job) -> pl.Expr:
    """Sum by count, NULL by zero: of integers cut towards zero, of decimals rounded half up, exactly."""
    if job.type.kind is Kind.DECIMAL:
        divisor = pl.when(count > 0).then(count)
        return checked([total, divisor], lambda sums, counts: _decimal_means(sums, counts, job.dtype), job.dtype)
    if job.type.is_float:
        return (total / pl.when(count > 0).then(count)).cast(job.dtype)
    if job.type.kind is Kind.BIGINT:
        return total.cast(pl.Int128).truncdiv(count.cast(pl.Int128)).cast(job.dtype)
    return total.truncdiv(count).cast(job.dtype)


def _decimal_means(sums: pl.Series, counts: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Means in columns; value by value where a step would need more than 38 digits."""
    assert isinstance(dtype, pl.Decimal)
    frame = pl.DataFrame([sums.alias("sum"), counts.alias("count")])
    try:
        return frame.select(_decimal_mean(pl.col("sum"), pl.col("count"), dtype.scale)).to_series()
    except pl.exceptions.PolarsError:
        unit = decimal.Decimal(1).scaleb(-dtype.scale)
        exact = decimal.Context(prec=100, rounding=decimal.ROUND_HALF_UP)
        means = [
            None if total is None or count is None else exact.divide(total, count).quantize(unit, context=exact)
            for total, count in frame.iter_rows()
        ]
        return pl.Series("sum", means, dtype=dtype)


def _decimal_mean(total: pl.Expr, count: pl.Expr, scale: int) -> pl.Expr:
    """Divides to the nearest at `scale`; Polars rounds a tie to even, so ties are found by the remainder and mended."""
    dtype = pl.Decimal(38, scale)
    unit = pl.lit(10.0**-scale).cast(dtype)
    exact, divisor = total.cast(dtype), count.cast(pl.Decimal(38, 0))
    quotient = (exact / divisor.cast(dtype)).cast(dtype)
    rest = exact - (quotient * divisor).cast(dtype)
    tie = ((rest + rest).abs() == (unit * divisor).cast(dtype)) & ((rest > 0) == (exact > 0)) & (rest != 0)
    step = pl.when(exact < 0).then(-unit).otherwise(unit)
    return pl.when(tie).then((quotient + step).cast(dtype)).otherwise(quotient)


# ---- over rows that can be taken back -------------------------------------------


def _over_bag(job: _Job) -> CompiledAggregate:
    """Keeps the values themselves; the answer is what the aggregate says of those that are left."""
    assert job.weight is not None
    keeps_nulls = job.call.function == "array_agg"
    partial = bagged(job.value, job.weight, job.keep, keeps_nulls=keeps_nulls)
    name = job.part(BAG)
    answer = _answer_of_values(job, values_of(pl.col(name)))
    made = job.done({BAG: partial}, {BAG: pl.col(name).explode().drop_nulls()}, answer)
    return replace(made, bag=name)


def _answer_of_values(job: _Job, values: pl.Expr) -> pl.Expr:
    """What an aggregate says of a list of values in the order of their arrival."""
    call = job.call
    wanted = values.list.unique(maintain_order=True) if call.distinct else values
    match call.function:
        case "count" | "approx_count_distinct":
            return values.list.drop_nulls().list.n_unique().cast(pl.Int64)
        case "min" | "max":
            return (values.list.min() if call.function == "min" else values.list.max()).cast(job.dtype)
        case "first_value" | "last_value":
            return (wanted.list.first() if call.function == "first_value" else wanted.list.last()).cast(job.dtype)
        case "sum" | "sum0":
            empty = pl.lit(0).cast(job.dtype) if call.function == "sum0" else pl.lit(None, dtype=job.dtype)
            total = _fitted(wanted.list.agg(_total(pl.element(), job.type)), job)
            return pl.when(wanted.list.len() > 0).then(total).otherwise(empty)
        case "avg":
            return _mean(wanted.list.agg(_total(pl.element(), job.type)), wanted.list.len().cast(pl.Int64), job)
        case "listagg":
            return pl.when(wanted.list.len() > 0).then(wanted.list.join(_separator(job)))
        case "array_agg":
            return pl.when(wanted.list.len() > 0).then(wanted).cast(job.dtype)
        case _:
            return _spread_of_values(job, wanted)


# ---- extremes and order -----------------------------------------------------


def _extreme(job: _Job) -> CompiledAggregate:
    least = job.call.function == "min"
    partial = job.value.min() if least else job.value.max()
    kept = job.column("value")

    def better(was: pl.Expr, now: pl.Expr) -> pl.Expr:
        return pl.when(now.is_null() | (was <= now if least else was >= now)).then(was).otherwise(now)

    # NaN has an order of its own in comparisons.
    pair = None if job.type.is_float else better
    merge = {"value": kept.min() if least else kept.max()}
    return job.done({"value": partial}, merge, kept.cast(job.dtype), pair)


def _at_end(job: _Job) -> CompiledAggregate:
    first = job.call.function == "first_value"
    values, kept = job.value.drop_nulls(), job.column("value").drop_nulls()
    return job.done(
        {"value": values.first() if first else values.last()},
        {"value": kept.first() if first else kept.last()},
        job.column("value").cast(job.dtype),
        (lambda was, now: pl.coalesce(was, now)) if first else (lambda was, now: pl.coalesce(now, was)),
    )


def _separator(job: _Job) -> str:
    if len(job.call.args) < 2:
        return ","
    given = job.call.args[1]
    if not isinstance(given, Literal) or not isinstance(given.value, str):
        raise UserError(f"The separator of {render_aggregate(job.call)} must be a literal", span=job.call.span)
    return given.value


def _listagg(job: _Job) -> CompiledAggregate:
    separator = _separator(job)
    values, kept = job.value.drop_nulls(), job.column("list").explode().drop_nulls()
    if job.call.distinct:
        values, kept = values.unique(maintain_order=True), kept.unique(maintain_order=True)
    strings = job.column("list")
    final = pl.when(strings.list.len() > 0).then(strings.list.join(separator))
    return job.done({"list": values}, {"list": kept}, final)


def _array_agg(job: _Job) -> CompiledAggregate:
    """NULL values stay, rows that the filter leaves out do not: so each value is wrapped in a struct."""
    wrapped = pl.struct(job.value.alias("v"))
    values = wrapped if job.keep is None else wrapped.filter(job.keep)
    kept = job.column("list").explode().drop_nulls()
    if job.call.distinct:
        values, kept = values.unique(maintain_order=True), kept.unique(maintain_order=True)
    rows = job.column("list")
    final = pl.when(rows.list.len() > 0).then(rows.list.eval(pl.element().struct.field("v"))).cast(job.dtype)
    return job.done({"list": values}, {"list": kept}, final)


# ---- spread ---------------------------------------------------------------


def _spread(job: _Job) -> CompiledAggregate:
    """Variances and deviations from count, mean and sum of squared deviations, merged as Chan et al. (1979) do."""
    if job.call.distinct:
        return _over_set(job, lambda values: _spread_of_values(job, values))
    value = job.value.cast(pl.Float64)
    n, mean, squares = job.column("count"), job.column("mean"), job.column("squares")
    whole = n.sum()
    centre = (n * mean).sum() / whole
    return job.done(
        {"count": value.count().cast(pl.Int64), "mean": value.mean(), "squares": value.var(ddof=0) * value.count()},
        {
            "count": whole,
            "mean": pl.when(whole > 0).then(centre),
            "squares": (squares + n * (mean - centre).pow(2)).sum(),
        },
        _spread_of(job, n, squares),
    )


def _spread_of_values(job: _Job, values: pl.Expr) -> pl.Expr:
    numbers = pl.element().cast(pl.Float64)
    return _spread_of(job, values.list.len().cast(pl.Int64), values.list.agg((numbers - numbers.mean()).pow(2).sum()))


def _spread_of(job: _Job, count: pl.Expr, squares: pl.Expr) -> pl.Expr:
    divisor = count - 1 if job.call.function.endswith("_samp") else count
    variance = squares / pl.when(divisor > 0).then(divisor)
    result = variance.sqrt() if job.call.function.startswith("stddev") else variance
    return lower_cast(result, _DOUBLE, job.call.type, null_on_error=False, text=render_aggregate(job.call), zone="UTC")


_DOUBLE = DataType(Kind.DOUBLE)

_COMPILERS: Mapping[str, Callable[[_Job], CompiledAggregate]] = {
    "count_star": _count_star,
    "count": _count,
    "sum": _sum,
    "sum0": _sum,
    "avg": _avg,
    "min": _extreme,
    "max": _extreme,
    "approx_count_distinct": _approx_count_distinct,
    "first_value": _at_end,
    "last_value": _at_end,
    "stddev_pop": _spread,
    "stddev_samp": _spread,
    "var_pop": _spread,
    "var_samp": _spread,
    "listagg": _listagg,
    "array_agg": _array_agg,
}
