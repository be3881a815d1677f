"""Python functions over columns: value by value, a column at a time, rows of a table function, and aggregates.

A function that fails, or gives what is no value of its type, fails the job with its name, the row within the batch and
the arguments. In rows whose result does not count (a branch of CASE that is not taken) it is not called at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import polars as pl

from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.faults import EvaluationError, checked
from yeoul.functions import FunctionKind, PythonFunction, find_function
from yeoul.plan.expressions import Call
from yeoul.plan.functions.python import python_key
from yeoul.plan.types import DataType, Kind

__all__ = ["failure", "handed_over", "lower_python", "named", "stored"]

_SHOWN_CHARACTERS = 80


def lower_python(call: Call, args: Sequence[pl.Expr], guard: pl.Expr | None, *, strict: bool) -> pl.Expr:
    """Returns the call as an expression.

    Args:
        call: Its function is a Python function.
        args: Its lowered arguments.
        guard: Where the result counts; None: everywhere.
        strict: Whether a failing call fails the job; if not, it gives NULL.
    """
    function = find_function(python_key(call.function))
    runner = _Runner(function, call.type, strict)
    counted = pl.lit(True) if guard is None else guard.fill_null(False)
    if guard is None and not function.deterministic:
        counted = pl.int_range(pl.len()) >= 0  # called once a row, though no argument is a column
    return checked([counted, *args], runner.run, polars_dtype(call.type))


class _Runner:
    """One function over the columns of a batch."""

    def __init__(self, function: PythonFunction, type: DataType, strict: bool) -> None:
        self._function = function
        self._call: Callable[..., object] = function
        self._type = type
        self._dtype = polars_dtype(type)
        self._strict = strict

    def run(self, counted: pl.Series, *args: pl.Series) -> pl.Series:
        columns = [counted, *args]
        length = max(map(len, columns)) if min(map(len, columns)) else 0
        fitted = [one if len(one) == length else one.new_from_index(0, length) for one in columns]
        if self._function.func_type != "general":
            return self._whole_columns(fitted[0], fitted[1:])
        return self._values(fitted[0], [_plain(column) for column in fitted[1:]])

    def _values(self, counted: pl.Series, columns: list[list[object]]) -> pl.Series:
        rows = zip(*columns, strict=True) if columns else iter([()] * len(counted))
        skips_nulls = self._function.null_on_null
        results: list[object] = []
        for index, (counts, row) in enumerate(zip(counted, rows, strict=True)):
            if not counts or (skips_nulls and any(value is None for value in row)):
                results.append(None)
            else:
                results.append(self._one(index, row))
        return self._column(results, columns)

    def _one(self, index: int, row: tuple[object, ...]) -> object:
        try:
            result = self._call(*row)
            return result if self._function.kind is not FunctionKind.TABLE else self._table_rows(result)
        except Exception as error:
            if not self._strict:
                return None
            raise failure(self._function.name, index, row, error) from error

    def _table_rows(self, result: object) -> list[object]:
        """Returns the rows of what a table function gave: an iterable, one row alone, or None for no row."""
        if result is None:
            return []
        is_one = not isinstance(result, Iterable) or isinstance(result, str | bytes | tuple | dict)
        rows: Iterable[object] = [result] if is_one else result  # type: ignore[assignment]
        return [self._table_row(one) for one in rows]

    def _table_row(self, value: object) -> object:
        assert self._type.element is not None
        names = [field.name for field in self._type.element.fields]
        if isinstance(value, dict):
            return value
        given = value if isinstance(value, tuple | list) else (value,)
        return dict(zip(names, given, strict=True))

    def _column(self, results: list[object], columns: list[list[object]]) -> pl.Series:
        try:
            return pl.Series("f", [stored(one, self._type) for one in results], dtype=self._dtype, strict=True)
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
            return self._one_by_one(results, columns)

    def _one_by_one(self, results: list[object], columns: list[list[object]]) -> pl.Series:
        """Finds the value that is not of the type."""
        for index, one in enumerate(results):
            try:
                pl.Series("f", [stored(one, self._type)], dtype=self._dtype, strict=True)
            except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
                if self._strict:
                    row = tuple(column[index] for column in columns)
                    problem = TypeError(f"it returned {one!r}, which is no {self._type.or_null()}")
                    raise failure(self._function.name, index, row, problem) from None
                results[index] = None
        return pl.Series("f", [stored(one, self._type) for one in results], dtype=self._dtype, strict=True)

    def _whole_columns(self, counted: pl.Series, columns: list[pl.Series]) -> pl.Series:
        everywhere = bool(counted.all())
        kept = columns if everywhere else [column.filter(counted) for column in columns]
        size = len(counted) if everywhere else int(counted.sum())
        if size == 0:
            return pl.Series("f", [None] * len(counted), dtype=self._dtype)
        result = self._called(kept, size)
        if everywhere:
            return result
        empty = pl.Series("f", [None] * len(counted), dtype=self._dtype)
        return empty.scatter(counted.arg_true(), result)

    def _called(self, columns: list[pl.Series], size: int) -> pl.Series:
        name = self._function.name
        try:
            given = self._call(*(handed_over(column, self._function.func_type) for column in columns))
            result = pl.Series("f", given).cast(self._dtype, strict=True)  # type: ignore[arg-type]
        except Exception as error:
            if not self._strict:
                return pl.Series("f", [None] * size, dtype=self._dtype)
            raise EvaluationError(f"The function {name} failed over {size} rows: {named(error)}") from error
        if len(result) == 1 and size != 1 and not columns:
            return result.new_from_index(0, size)
        if len(result) != size:
            raise EvaluationError(f"The function {name} got columns of {size} rows and returned {len(result)}")
        return result


def _plain(column: pl.Series) -> list[object]:
    return column.to_list()


def handed_over(column: pl.Series, func_type: str) -> object:
    if func_type == "arrow":
        return column.to_arrow()
    return column.to_pandas() if func_type == "pandas" else column


def stored(value: object, type: DataType) -> object:
    """A Python value as Polars takes it: a dict for a map becomes its pairs, a tuple for a row its fields."""
    if value is None:
        return None
    if type.kind is Kind.MAP and isinstance(value, dict) and type.key is not None and type.element is not None:
        return [{"key": stored(k, type.key), "value": stored(v, type.element)} for k, v in value.items()]
    if type.kind is Kind.ARRAY and type.element is not None:
        return [stored(one, type.element) for one in value]  # type: ignore[attr-defined]
    if type.kind is Kind.ROW:
        parts = list(value.values()) if isinstance(value, dict) else list(value)  # type: ignore[call-overload]
        return {field.name: stored(one, field.type) for field, one in zip(type.fields, parts, strict=True)}
    if type.is_integer and isinstance(value, bool | float):
        raise TypeError(f"{value!r} is no whole number")
    return value


def failure(name: str, index: int, row: tuple[object, ...], error: Exception) -> EvaluationError:
    shown = ", ".join(_shortened(repr(value)) for value in row)
    return EvaluationError(
        f"The function {name} failed in row {index + 1} of the batch, for ({shown}): {named(error)}",
        hint="TRY_CAST and CASE WHEN keep values away from it that it does not take.",
    )


def named(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."
