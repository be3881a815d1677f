"""Python aggregate functions: how a group is kept and what becomes of it.

Groups are kept as pickled accumulators where the function can merge them (and, over changes, take rows back), else as
the values that went in, which it then goes through whenever the group's result is asked for.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from yeoul.engine.compile.aggregates.bags import BAG, bagged, values_of
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.faults import EvaluationError, checked
from yeoul.engine.compile.python_functions import failure, handed_over, named, stored
from yeoul.functions import AggregateFunction, PythonFunction, find_function
from yeoul.plan.expressions import AggregateCall
from yeoul.plan.functions.python import python_key
from yeoul.plan.types import DataType

__all__ = ["Parts", "python_parts"]


@dataclass(frozen=True, slots=True)
class Parts:
    """One partial column: its name, how batches make it, how it is merged, and what the result is."""

    name: str
    partial: pl.Expr
    merge: pl.Expr
    final: pl.Expr


def python_parts(
    call: AggregateCall,
    args: Sequence[pl.Expr],
    keep: pl.Expr | None,
    weight: pl.Expr | None,
    column: Callable[[str], pl.Expr],
) -> Parts:
    """Returns how a Python aggregate is computed.

    Args:
        call: Its function is a Python function.
        args: Its arguments, a value a row.
        keep: The rows that its filter leaves.
        weight: +1 or -1 a row; None: no row is taken back.
        column: Makes a partial column of its name.
    """
    function = find_function(python_key(call.function))
    type = call.type
    if call.distinct or not _can_merge(function, weighted=weight is not None):
        return _over_rows(call, function, args, keep, weight, column)
    inputs = [*args, pl.lit(True) if keep is None else keep, pl.lit(1) if weight is None else weight]
    state = column("state")
    return Parts(
        "state",
        pl.map_groups(inputs, _accumulated(function), return_dtype=pl.Binary, returns_scalar=True),
        pl.map_groups([state], lambda parts: _merged(function, parts[0]), return_dtype=pl.Binary, returns_scalar=True),
        checked([state], _results(function, type, _value), polars_dtype(type)),
    )


def _over_rows(
    call: AggregateCall,
    function: PythonFunction,
    args: Sequence[pl.Expr],
    keep: pl.Expr | None,
    weight: pl.Expr | None,
    column: Callable[[str], pl.Expr],
) -> Parts:
    value = pl.struct(arg.alias(f"a{index}") for index, arg in enumerate(args))
    compute = _results(function, call.type, _value_of_rows)
    if weight is not None:
        bag = column(BAG)
        left = values_of(bag)
        left = left.list.unique(maintain_order=True) if call.distinct else left
        partial = bagged(value, weight, keep, keeps_nulls=True)
        return Parts(BAG, partial, bag.explode().drop_nulls(), checked([left], compute, polars_dtype(call.type)))
    values, kept = value if keep is None else value.filter(keep), column("list").explode().drop_nulls()
    if call.distinct:
        values, kept = values.unique(maintain_order=True), kept.unique(maintain_order=True)
    return Parts("list", values, kept, checked([column("list")], compute, polars_dtype(call.type)))


def _can_merge(function: PythonFunction, *, weighted: bool) -> bool:
    given = function.function
    needed = ["merge", "retract"] if weighted else ["merge"]
    return isinstance(given, AggregateFunction) and all(hasattr(given, each) for each in needed)


def _merged(function: PythonFunction, pickles: pl.Series) -> bytes:
    """One accumulator for several."""
    parts = [one for one in pickles if one is not None]
    if len(parts) == 1:
        return bytes(parts[0])
    merge = getattr(function.function, "merge")  # noqa: B009 - `_can_merge` has seen it
    accumulator = _create(function)
    merge(accumulator, [_unpickled(one) for one in parts])
    return pickle.dumps(accumulator)


def _unpickled(state: bytes) -> object:
    return pickle.loads(state)  # noqa: S301 - written by this job, into its own state


def _value(function: PythonFunction, pickled: object) -> object:
    return _result(function, _unpickled(pickled) if isinstance(pickled, bytes) else _create(function))


def _value_of_rows(function: PythonFunction, rows: object) -> object:
    """The result over values that were kept, as a series of structs."""
    kept = rows if isinstance(rows, pl.Series) else pl.Series([], dtype=pl.Struct({}))
    columns = [kept.struct.field(name) for name in kept.struct.fields]
    if isinstance(function.function, AggregateFunction):
        return _result(function, _accumulate(function, [column.to_list() for column in columns], None))
    try:
        given = function(*(handed_over(column, function.func_type) for column in columns))
    except Exception as error:
        raise EvaluationError(
            f"The function {function.name} failed over a group of {len(kept)} rows: {named(error)}"
        ) from error
    return given.as_py() if hasattr(given, "as_py") else given


def _create(function: PythonFunction) -> object:
    assert isinstance(function.function, AggregateFunction)
    return function.function.create_accumulator()


def _result(function: PythonFunction, accumulator: object) -> object:
    assert isinstance(function.function, AggregateFunction)
    try:
        return function.function.get_value(accumulator)
    except Exception as error:
        raise EvaluationError(f"get_value of {function.name} failed: {named(error)}") from error


def _accumulate(function: PythonFunction, columns: list[list[object]], weight: pl.Series | None) -> object:
    given = function.function
    accumulator = _create(function)
    add: Callable[..., object] = getattr(given, "accumulate")  # noqa: B009 - part of PyFlink's protocol
    take: Callable[..., object] = getattr(given, "retract", add)
    weights = [1] * (len(columns[0]) if columns else 0) if weight is None else weight.to_list()
    for index, (row, sign) in enumerate(zip(zip(*columns, strict=True), weights, strict=True)):
        try:
            (add if sign > 0 else take)(accumulator, *row)
        except Exception as error:
            raise failure(function.name, index, row, error) from error
    return accumulator


def _accumulated(function: PythonFunction) -> Callable[[Sequence[pl.Series]], bytes]:
    """Returns what makes an accumulator of a group: of its arguments, of what the filter keeps, and of the weights."""

    def compute(columns: Sequence[pl.Series]) -> bytes:
        *args, keep, weight = columns
        length = len(args[0]) if args else max(len(keep), len(weight))
        keep, weight = (one if len(one) == length else one.new_from_index(0, length) for one in (keep, weight))
        if not keep.all():
            args, weight = [one.filter(keep) for one in args], weight.filter(keep)
        return pickle.dumps(_accumulate(function, [one.to_list() for one in args], weight))

    return compute


def _results(
    function: PythonFunction, type: DataType, result: Callable[[PythonFunction, object], object]
) -> Callable[[pl.Series], pl.Series]:
    """Returns what makes the output column of the column that keeps the groups."""
    dtype = polars_dtype(type)

    def compute(groups: pl.Series) -> pl.Series:
        values = [result(function, one) for one in groups]
        try:
            return pl.Series("f", [stored(one, type) for one in values], dtype=dtype, strict=True)
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
            raise EvaluationError(f"The function {function.name} gave what is no {type.or_null()}: {error}") from error

    return compute
