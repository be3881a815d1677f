"""`udf`, `udtf` and `udaf`: what makes a function of Python one of SQL, as PyFlink's decorators do."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import overload

from yeoul.errors import UserError
from yeoul.functions.bases import AggregateFunction, AsyncScalarFunction, ScalarFunction, TableFunction

__all__ = ["FunctionKind", "PythonFunction", "udaf", "udf", "udtf"]


class FunctionKind(enum.Enum):
    """What a Python function makes out of its arguments."""

    SCALAR = "scalar"
    TABLE = "table"
    AGGREGATE = "aggregate"


@dataclass(frozen=True, slots=True, eq=False)
class PythonFunction:
    """A declared function; also callable as what it declares.

    Attributes:
        function: The callable, or the aggregate function's object.
        kind: Scalar, table or aggregate.
        result_type: A SQL type, `ROW<...>` for several columns of a table function.
        input_types: The SQL types that arguments are cast to; None: they come as they are.
        func_type: `general` (a value at a time), `polars`, `arrow` or `pandas` (a column at a time).
        deterministic: Whether equal arguments give equal results.
        null_on_null: Whether a NULL argument gives NULL without a call.
        name: How messages call it.
        given: What was declared: the function, or the object with `eval`, `open` and `close`.
    """

    function: Callable[..., object] | AggregateFunction
    kind: FunctionKind
    result_type: str
    input_types: tuple[str, ...] | None
    func_type: str
    deterministic: bool
    null_on_null: bool
    name: str
    given: object = None

    @property
    def is_async(self) -> bool:
        """Whether calling it gives something to be awaited."""
        return inspect.iscoroutinefunction(self.function)

    def __call__(self, *args: object) -> object:
        if isinstance(self.function, AggregateFunction):
            raise UserError(f"The aggregate function {self.name} cannot be called by itself")
        return self.function(*args)


_FUNC_TYPES = ("general", "polars", "arrow", "pandas")

_OF_AGGREGATES = ("create_accumulator", "accumulate", "get_value")

Declarable = Callable[..., object] | ScalarFunction | AsyncScalarFunction | TableFunction | AggregateFunction


@overload
def udf(
    f: Declarable,
    *,
    result_type: str = ...,
    input_types: str | Sequence[str] | None = ...,
    func_type: str = ...,
    deterministic: bool = ...,
    null_on_null: bool = ...,
    name: str = ...,
) -> PythonFunction: ...
@overload
def udf(
    f: None = None,
    *,
    result_type: str = ...,
    input_types: str | Sequence[str] | None = ...,
    func_type: str = ...,
    deterministic: bool = ...,
    null_on_null: bool = ...,
    name: str = ...,
) -> Callable[[Declarable], PythonFunction]: ...


def udf(
    f: Declarable | None = None,
    *,
    result_type: str = "",
    input_types: str | Sequence[str] | None = None,
    func_type: str = "general",
    deterministic: bool = True,
    null_on_null: bool = False,
    name: str = "",
) -> PythonFunction | Callable[[Declarable], PythonFunction]:
    """Declares a scalar function; as a decorator, or applied to a function, a lambda or a `ScalarFunction`.

    Args:
        f: The function; without it, the decorator.
        result_type: The SQL type of what it returns.
        input_types: The SQL types of its arguments, to which they are cast; without, they come as they are.
        func_type: `general`: called with plain values, once a row. `polars`, `arrow`, `pandas`: called with columns of
            a whole batch, and returns such a column of the same length.
        deterministic: Whether equal arguments give equal results.
        null_on_null: Whether a NULL among the arguments gives NULL, without a call.
        name: How messages call it; by default its own name.

    Raises:
        UserError: There is no result type, or the kind is none.

    Example:
        >>> @udf(result_type="BIGINT", input_types=["BIGINT"])
        ... def doubled(x):
        ...     return None if x is None else 2 * x
        >>> doubled(21), doubled.result_type
        (42, 'BIGINT')
    """

    def declare(given: Declarable) -> PythonFunction:
        return _declared(
            given, FunctionKind.SCALAR, result_type, input_types, func_type, deterministic, null_on_null, name
        )

    return declare if f is None else declare(f)


@overload
def udtf(
    f: Declarable,
    *,
    result_types: str | Sequence[str] = ...,
    input_types: str | Sequence[str] | None = ...,
    deterministic: bool = ...,
    name: str = ...,
) -> PythonFunction: ...
@overload
def udtf(
    f: None = None,
    *,
    result_types: str | Sequence[str] = ...,
    input_types: str | Sequence[str] | None = ...,
    deterministic: bool = ...,
    name: str = ...,
) -> Callable[[Declarable], PythonFunction]: ...


def udtf(
    f: Declarable | None = None,
    *,
    result_types: str | Sequence[str] = (),
    input_types: str | Sequence[str] | None = None,
    deterministic: bool = True,
    name: str = "",
) -> PythonFunction | Callable[[Declarable], PythonFunction]:
    """Declares a table function: it yields tuples, or plain values if it has one column.

    Args:
        f: The function; without it, the decorator.
        result_types: The SQL types of its columns, or one `ROW<name type, ...>`.
        input_types: The SQL types of its arguments; without, they come as they are.
        deterministic: Whether equal arguments give equal rows.
        name: How messages call it.

    Example:
        >>> words = udtf(lambda text: text.split(), result_types=["STRING"], input_types=["STRING"])
        >>> words.result_type
        'ROW<f0 STRING>'
    """
    types = [result_types] if isinstance(result_types, str) else list(result_types)
    single = len(types) == 1 and types[0].upper().lstrip().startswith("ROW")
    row = types[0] if single else f"ROW<{', '.join(f'f{index} {type}' for index, type in enumerate(types))}>"

    def declare(given: Declarable) -> PythonFunction:
        kind = FunctionKind.TABLE
        return _declared(given, kind, row if types else "", input_types, "general", deterministic, False, name)

    return declare if f is None else declare(f)


@overload
def udaf(
    f: Declarable,
    *,
    result_type: str = ...,
    input_types: str | Sequence[str] | None = ...,
    accumulator_type: str = ...,
    func_type: str = ...,
    deterministic: bool = ...,
    name: str = ...,
) -> PythonFunction: ...
@overload
def udaf(
    f: None = None,
    *,
    result_type: str = ...,
    input_types: str | Sequence[str] | None = ...,
    accumulator_type: str = ...,
    func_type: str = ...,
    deterministic: bool = ...,
    name: str = ...,
) -> Callable[[Declarable], PythonFunction]: ...


def udaf(
    f: Declarable | None = None,
    *,
    result_type: str = "",
    input_types: str | Sequence[str] | None = None,
    accumulator_type: str = "",
    func_type: str = "general",
    deterministic: bool = True,
    name: str = "",
) -> PythonFunction | Callable[[Declarable], PythonFunction]:
    """Declares an aggregate function: an `AggregateFunction`, or with a column `func_type` a function of columns.

    Args:
        f: The function; without it, the decorator.
        result_type: The SQL type of what it gives.
        input_types: The SQL types of its arguments; without, they come as they are.
        accumulator_type: Taken for PyFlink's sake; accumulators are Python values here.
        func_type: `general` for an `AggregateFunction`; `polars`, `arrow` or `pandas` for a function that gets the
            group's columns and returns a value.
        deterministic: Whether equal rows give an equal result.
        name: How messages call it.
    """

    def declare(given: Declarable) -> PythonFunction:
        return _declared(given, FunctionKind.AGGREGATE, result_type, input_types, func_type, deterministic, False, name)

    return declare if f is None else declare(f)


def _declared(
    given: Declarable,
    kind: FunctionKind,
    result_type: str,
    input_types: str | Sequence[str] | None,
    func_type: str,
    deterministic: bool,
    null_on_null: bool,
    name: str,
) -> PythonFunction:
    called = name or getattr(given, "__name__", type(given).__name__)
    if inspect.isclass(given):
        raise UserError(
            f"Expected a function or an object, got the class {called}", hint=f"{called}() makes an object."
        )
    if not result_type:
        raise UserError(f"The function {called} needs a result type", hint="@udf(result_type='BIGINT')")
    if func_type not in _FUNC_TYPES:
        raise UserError(f"Unknown func_type {func_type!r} of {called}", hint=f"Known: {', '.join(_FUNC_TYPES)}")
    function = given if isinstance(given, AggregateFunction) else getattr(given, "eval", given)
    if kind is FunctionKind.AGGREGATE and func_type == "general" and not isinstance(given, AggregateFunction):
        raise UserError(
            f"The aggregate function {called} has to be an AggregateFunction",
            hint="A function of whole columns is declared with func_type='polars'",
        )
    if not (callable(function) or isinstance(function, AggregateFunction)):
        raise UserError(f"The function {called} cannot be called: {given!r}")
    if isinstance(given, AggregateFunction):
        _refuse_if_incomplete(given, called)
    if inspect.iscoroutinefunction(function) and (kind is not FunctionKind.SCALAR or func_type != "general"):
        raise UserError(f"The function {called} cannot be async", hint="A scalar function of plain values can.")
    types = (input_types,) if isinstance(input_types, str) else None if input_types is None else tuple(input_types)
    return PythonFunction(function, kind, result_type, types, func_type, deterministic, null_on_null, called, given)


def _refuse_if_incomplete(given: AggregateFunction, called: str) -> None:
    own = [
        name
        for name in _OF_AGGREGATES
        if getattr(type(given), name, None) is not getattr(AggregateFunction, name, None)
    ]
    missing = [name for name in _OF_AGGREGATES if name not in own]
    if missing:
        raise UserError(f"The aggregate function {called} has no {' and no '.join(missing)}")
