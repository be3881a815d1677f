"""Python functions over columns: value by value, a column at a time, and the rows of a table function.

A function that fails, or gives what is no value of its type, fails the job with its name, the row within the batch and
the arguments. In rows whose result does not count (a branch of CASE that is not taken) it is not called at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.faults import EvaluationError, checked
from yeoul.engine.compile.python_columns import column_given, handed_over
from yeoul.engine.compile.python_values import WrongValue, column_of, values_of
from yeoul.functions import FunctionKind, PythonFunction, find_function
from yeoul.functions.coroutines import FAILURES, Failed, all_awaited
from yeoul.functions.known import opened
from yeoul.functions.row import Row
from yeoul.plan.expressions import Call
from yeoul.plan.functions.python import python_key
from yeoul.plan.types import DataType, RowField

__all__ = ["failure", "lower_python", "named", "ready"]

_SHOWN_CHARACTERS = 80
_HINT = "CASE WHEN keeps values away from it that it does not take, null_on_null keeps NULLs away."


def lower_python(
    call: Call, args: Sequence[pl.Expr], guard: pl.Expr | None, *, strict: bool, time_zone: str
) -> pl.Expr:
    """Returns the call as an expression.

    Args:
        call: Its function is a Python function.
        args: Its lowered arguments.
        guard: Where the result counts; None: everywhere.
        strict: Whether a failing call fails the job; if not, it gives NULL.
        time_zone: The session's.
    """
    function = find_function(python_key(call.function))
    runner = _Runner(function, call.type, [one.type for one in call.args], strict, time_zone)
    counted = pl.lit(True) if guard is None else guard.fill_null(False)
    if guard is None and not function.deterministic:
        counted = pl.int_range(pl.len()) >= 0  # called once a row, though no argument is a column
    return checked([counted, *args], runner.run, polars_dtype(call.type))


class _Runner:
    """One function over the columns of a batch."""

    def __init__(
        self, function: PythonFunction, type: DataType, arguments: Sequence[DataType], strict: bool, time_zone: str
    ) -> None:
        self._function = function
        self._type = type
        self._arguments = arguments
        self._dtype = polars_dtype(type)
        self._strict = strict
        self._time_zone = time_zone

    def run(self, counted: pl.Series, *args: pl.Series) -> pl.Series:
        columns = [counted, *args]
        length = max(map(len, columns)) if min(map(len, columns)) else 0
        counted, *given = [one if len(one) == length else one.new_from_index(0, length) for one in columns]
        ready(self._function)
        if self._function.func_type == "general":
            return self._values(counted, given)
        if counted.all():
            return self._whole_columns(given, length)
        empty = pl.Series("f", [None] * length, dtype=self._dtype)
        kept = [column.filter(counted) for column in given]
        return empty.scatter(counted.arg_true(), self._whole_columns(kept, int(counted.sum())))

    def _values(self, counted: pl.Series, args: Sequence[pl.Series]) -> pl.Series:
        types = self._arguments
        columns = [values_of(one, type, self._time_zone) for one, type in zip(args, types, strict=True)]
        rows = list(zip(*columns, strict=True)) if columns else [()] * len(counted)
        calls = counted.to_list()
        if self._function.null_on_null:
            calls = [counts and None not in row for counts, row in zip(calls, rows, strict=True)]
        if self._function.is_async:
            results = self._awaited(calls, rows)
        else:
            results = [self._one(at, row) if calls[at] else None for at, row in enumerate(rows)]
        return self._column(results, rows)

    def _awaited(self, calls: Sequence[bool], rows: Sequence[tuple[object, ...]]) -> list[object]:
        called = [at for at, counts in enumerate(calls) if counts]
        results: list[object] = [None] * len(rows)
        for at, result in zip(called, all_awaited(self._function, [rows[at] for at in called]), strict=True):
            if not isinstance(result, Failed):
                results[at] = result
            elif self._strict:
                raise failure(self._function.name, at, rows[at], result.error) from result.error
        return results

    def _one(self, index: int, row: tuple[object, ...]) -> object:
        try:
            result = self._function(*row)
            return result if self._function.kind is not FunctionKind.TABLE else self._table_rows(result)
        except FAILURES as error:
            if not self._strict:
                return None
            raise failure(self._function.name, index, row, error) from error

    def _table_rows(self, result: object) -> list[object]:
        """Returns the rows of what a table function gave: an iterable, one row alone, or None for no row."""
        if result is None:
            return []
        is_one = not isinstance(result, Iterable) or isinstance(result, str | bytes | tuple | dict)
        rows: Iterable[object] = [result] if is_one else result  # type: ignore[assignment]
        assert self._type.element is not None
        return [_table_row(one, self._type.element.fields) for one in rows]

    def _column(self, results: list[object], rows: Sequence[tuple[object, ...]]) -> pl.Series:
        while True:
            try:
                return column_of(results, self._type, self._time_zone)
            except WrongValue as wrong:
                if self._strict:
                    raise failure(self._function.name, wrong.index, rows[wrong.index], wrong) from None
                results[wrong.index] = None

    def _whole_columns(self, columns: list[pl.Series], size: int) -> pl.Series:
        if size == 0:
            return pl.Series("f", [], dtype=self._dtype)
        try:
            return self._called(columns, size)
        except EvaluationError:
            raise
        except FAILURES as error:
            if not self._strict:
                return pl.Series("f", [None] * size, dtype=self._dtype)
            raise self._failed(columns, size, error) from error

    def _called(self, columns: Sequence[pl.Series], size: int) -> pl.Series:
        function = self._function
        given = function(*(handed_over(column, function.func_type) for column in columns))
        result = column_given(given, self._type, self._time_zone)
        if len(result) == 1 and size != 1 and not columns:
            return result.new_from_index(0, size)
        if len(result) != size:
            raise EvaluationError(f"The function {function.name} got columns of {size} rows and returned {len(result)}")
        return result

    def _failed(self, columns: Sequence[pl.Series], size: int, error: BaseException) -> EvaluationError:
        """Names the row: the first half that fails by itself is halved again, until it is one row."""
        low, high = 0, size
        while high - low > 1:
            middle = (low + high) // 2
            for half in ((low, middle), (middle, high)):
                raised = self._raised([one[half[0] : half[1]] for one in columns], half[1] - half[0])
                if raised is not None:
                    (low, high), error = half, raised
                    break
            else:
                rows = f"rows {low + 1} to {high} of the batch together"
                return EvaluationError(f"The function {self._function.name} failed for {rows}: {named(error)}")
        types = self._arguments
        row = [values_of(one[low:high], type, self._time_zone)[0] for one, type in zip(columns, types, strict=True)]
        return failure(self._function.name, low, tuple(row), error)

    def _raised(self, columns: Sequence[pl.Series], size: int) -> BaseException | None:
        try:
            self._called(columns, size)
        except FAILURES as error:
            return error
        return None


def _table_row(value: object, fields: Sequence[RowField]) -> object:
    if isinstance(value, dict | Row):
        return value
    given = value if isinstance(value, tuple | list) else (value,)
    if len(given) != len(fields):
        columns = ", ".join(f"{field.name} {field.type}" for field in fields)
        raise TypeError(f"it gave a row of {len(given)} values, {value!r}, expected {len(fields)} ({columns})")
    return given


def ready(function: PythonFunction) -> PythonFunction:
    """Returns the function, open.

    Raises:
        EvaluationError: Its `open` failed.
    """
    try:
        return opened(function)
    except FAILURES as error:
        raise EvaluationError(f"open of {function.name} failed: {named(error)}") from error


def failure(
    name: str, index: int, row: tuple[object, ...], error: BaseException, *, of: str = "the batch"
) -> EvaluationError:
    shown = ", ".join(_shortened(repr(value)) for value in row)
    hint = "" if isinstance(error, WrongValue) else _HINT
    return EvaluationError(
        f"The function {name} failed in row {index + 1} of {of}, for ({shown}): {named(error)}", hint=hint
    )


def named(error: BaseException) -> str:
    if isinstance(error, WrongValue):
        return str(error)
    text = _said(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # a user's own exception, which cannot tell what it is
        return ""


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."
