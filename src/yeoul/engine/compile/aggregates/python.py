"""Python aggregate functions: how a group is kept and what becomes of it.

Groups are kept as pickled accumulators where the function can merge them (and, over changes, take rows back), else as
the values that went in, which it then goes through whenever the group's result is asked for.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from yeoul.engine.compile.aggregates.bags import BAG, bagged
from yeoul.engine.compile.aggregates.bags import values_of as values_of_bag
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.faults import EvaluationError, checked
from yeoul.engine.compile.python_columns import handed_over
from yeoul.engine.compile.python_functions import failure, named, ready
from yeoul.engine.compile.python_values import WrongValue, column_of, values_of
from yeoul.functions import AggregateFunction, PythonFunction, find_function
from yeoul.functions.coroutines import FAILURES
from yeoul.plan.expressions import AggregateCall
from yeoul.plan.functions.python import python_key
from yeoul.plan.types import DataType

__all__ = ["Parts", "python_over_nothing", "python_parts"]


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
    time_zone: str,
) -> Parts:
    """Returns how a Python aggregate is computed.

    Args:
        call: Its function is a Python function.
        args: Its arguments, a value a row.
        keep: The rows that its filter leaves.
        weight: +1 or -1 a row; None: no row is taken back.
        column: Makes a partial column of its name.
        time_zone: The session's.
    """
    function = find_function(python_key(call.function))
    aggregate = _Aggregate(function, call.type, [one.type for one in call.args], time_zone)
    if call.distinct or not _can_merge(function, weighted=weight is not None):
        return _over_rows(call, aggregate, args, keep, weight, column)
    inputs = [*args, pl.lit(True) if keep is None else keep, pl.lit(1) if weight is None else weight]
    state = column("state")
    return Parts(
        "state",
        pl.map_groups(inputs, aggregate.accumulated, return_dtype=pl.Binary, returns_scalar=True),
        pl.map_groups([state], aggregate.merged, return_dtype=pl.Binary, returns_scalar=True),
        checked([state], aggregate.results_of_states, polars_dtype(call.type)),
    )


def python_over_nothing(call: AggregateCall, time_zone: str) -> pl.Series:
    """Returns what a Python aggregate is over no rows: of its new accumulator; NULL of a function of columns."""
    function = find_function(python_key(call.function))
    if not isinstance(function.function, AggregateFunction):
        return pl.Series([None], dtype=polars_dtype(call.type))
    return _Aggregate(function, call.type, (), time_zone).results_of_states(pl.Series([None], dtype=pl.Binary))


def _over_rows(
    call: AggregateCall,
    aggregate: _Aggregate,
    args: Sequence[pl.Expr],
    keep: pl.Expr | None,
    weight: pl.Expr | None,
    column: Callable[[str], pl.Expr],
) -> Parts:
    value = pl.struct(arg.alias(f"a{index}") for index, arg in enumerate(args))
    dtype, compute = polars_dtype(call.type), aggregate.results_of_rows
    if weight is not None:
        bag = column(BAG)
        left = values_of_bag(bag)
        left = left.list.unique(maintain_order=True) if call.distinct else left
        partial = bagged(value, weight, keep, keeps_nulls=True)
        return Parts(BAG, partial, bag.explode().drop_nulls(), checked([left], compute, dtype))
    values, kept = value if keep is None else value.filter(keep), column("list").explode().drop_nulls()
    if call.distinct:
        values, kept = values.unique(maintain_order=True), kept.unique(maintain_order=True)
    return Parts("list", values, kept, checked([column("list")], compute, dtype))


def _can_merge(function: PythonFunction, *, weighted: bool) -> bool:
    given = function.function
    needed = ["merge", "retract"] if weighted else ["merge"]
    return isinstance(given, AggregateFunction) and all(hasattr(given, each) for each in needed)


class _Aggregate:
    """One function over groups: of an AggregateFunction what it keeps is an accumulator, pickled."""

    def __init__(self, function: PythonFunction, type: DataType, arguments: Sequence[DataType], time_zone: str) -> None:
        self._function = function
        self._name = function.name
        self._type = type
        self._arguments = arguments
        self._time_zone = time_zone

    def accumulated(self, columns: Sequence[pl.Series]) -> bytes:
        """The accumulator of a group's rows: of its arguments, of what the filter keeps, and of the weights."""
        *args, keep, weight = columns
        length = len(args[0]) if args else max(len(keep), len(weight))
        keep, weight = (one if len(one) == length else one.new_from_index(0, length) for one in (keep, weight))
        if not keep.all():
            args, weight = [one.filter(keep) for one in args], weight.filter(keep)
        return self._pickled(self._accumulate(args, weight.to_list()))

    def merged(self, states: Sequence[pl.Series]) -> bytes:
        """One accumulator for several."""
        parts = [one for one in states[0] if one is not None]
        if len(parts) == 1:
            return bytes(parts[0])
        accumulator = self._called("create_accumulator")
        self._called("merge", accumulator, [_unpickled(one) for one in parts])
        return self._pickled(accumulator)

    def results_of_states(self, states: pl.Series) -> pl.Series:
        """The result column of the column that keeps the groups' accumulators."""
        ready(self._function)
        return self._column(
            [
                self._called("get_value", self._called("create_accumulator") if one is None else _unpickled(one))
                for one in states
            ]
        )

    def results_of_rows(self, groups: pl.Series) -> pl.Series:
        """The result column of the column that keeps the groups' values, a list of structs each."""
        ready(self._function)
        return self._column([self._value_of_rows(one) for one in groups])

    def _value_of_rows(self, rows: object) -> object:
        empty = {f"a{at}": polars_dtype(type) for at, type in enumerate(self._arguments)}
        kept = rows if isinstance(rows, pl.Series) else pl.Series([], dtype=pl.Struct(empty))
        columns = [kept.struct.field(name) for name in kept.struct.fields]
        function = self._function
        if isinstance(function.function, AggregateFunction):
            return self._called("get_value", self._accumulate(columns, [1] * len(kept)))
        try:
            given = function(*(handed_over(column, function.func_type) for column in columns))
        except FAILURES as error:
            raise EvaluationError(
                f"The function {function.name} failed over a group of {len(kept)} rows: {named(error)}"
            ) from error
        given = given.as_py() if hasattr(given, "as_py") else given
        is_nothing = function.func_type == "pandas" and isinstance(given, float) and math.isnan(given)
        return None if is_nothing else given

    def _accumulate(self, args: Sequence[pl.Series], weights: Sequence[int]) -> object:
        ready(self._function)
        given = self._function.function
        accumulator = self._called("create_accumulator")
        add: Callable[..., object] = getattr(given, "accumulate")  # noqa: B009 - part of PyFlink's protocol
        take: Callable[..., object] = getattr(given, "retract", add)
        types = self._arguments
        columns = [values_of(one, type, self._time_zone) for one, type in zip(args, types, strict=True)]
        rows = zip(*columns, strict=True) if columns else iter([()] * len(weights))
        for index, (row, sign) in enumerate(zip(rows, weights, strict=True)):
            try:
                (add if sign > 0 else take)(accumulator, *row)
            except FAILURES as error:
                raise failure(self._name, index, row, error, of="its group") from error
        return accumulator

    def _called(self, method: str, *args: object) -> object:
        try:
            call: Callable[..., object] = getattr(self._function.function, method)
            return call(*args)
        except FAILURES as error:
            raise EvaluationError(f"{method} of {self._name} failed: {named(error)}") from error

    def _pickled(self, accumulator: object) -> bytes:
        try:
            return pickle.dumps(accumulator)
        except FAILURES as error:
            hint = "Lists, dicts and plain values are kept; a function without merge keeps the values that went in."
            raise EvaluationError(
                f"The accumulator of {self._name} cannot be kept: {named(error)}", hint=hint
            ) from error

    def _column(self, values: Sequence[object]) -> pl.Series:
        try:
            return column_of(values, self._type, self._time_zone)
        except WrongValue as wrong:
            raise EvaluationError(f"The function {self._name} failed: {wrong}") from None


def _unpickled(state: bytes) -> object:
    return pickle.loads(state)  # noqa: S301 - written by this job, into its own state
