"""Python functions as plans see them: a name, a key and SQL types. What runs is found by the key, elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from yeoul.errors import Span, UserError
from yeoul.plan.functions.coercion import can_cast
from yeoul.plan.functions.signatures import Resolved
from yeoul.plan.types import DataType

__all__ = ["FunctionDefinition", "is_python", "is_volatile", "python_key", "resolve_python", "written_name"]

_SURE, _VOLATILE = "python:", "python?:"


@dataclass(frozen=True, slots=True)
class FunctionDefinition:
    """A function that a user has declared.

    Attributes:
        name: What SQL calls it, in any case.
        key: Under which its object is found; `module.name` where it can be imported.
        kind: `scalar`, `table` or `aggregate`.
        arguments: The types its arguments are cast to; None: any, as they come.
        result: What it gives; of a table function the ARRAY of its rows.
        deterministic: Whether equal arguments give equal results.
    """

    name: str
    key: str
    kind: str
    arguments: tuple[DataType, ...] | None
    result: DataType
    deterministic: bool = True

    @property
    def id(self) -> str:
        """What `Call.function` or `AggregateCall.function` holds."""
        return (_SURE if self.deterministic else _VOLATILE) + self.key


def is_python(function: str) -> bool:
    """Tells whether a call's function is a Python function.

    Example:
        >>> is_python("python:shop.rules.discount"), is_python("upper")
        (True, False)
    """
    return function.startswith((_SURE, _VOLATILE))


def is_volatile(function: str) -> bool:
    """Tells whether a call's function is a Python function that may give another result each time."""
    return function.startswith(_VOLATILE)


def python_key(function: str) -> str:
    """Returns the key that a call's function holds."""
    return function.partition(":")[2]


def written_name(function: str) -> str:
    """Returns how a call of a function is written: a built-in one in upper case, a Python one by its own name.

    Example:
        >>> written_name("upper"), written_name("python:shop.rules.discount")
        ('UPPER', 'discount')
    """
    return python_key(function).rpartition(".")[2].partition("#")[0] if is_python(function) else function.upper()


def resolve_python(definition: FunctionDefinition, args: Sequence[DataType], span: Span | None) -> Resolved:
    """Applies a Python function to argument types.

    Raises:
        UserError: It takes another number of arguments, or one cannot be cast.
    """
    wanted = tuple(args) if definition.arguments is None else definition.arguments
    fits = len(wanted) == len(args) and all(can_cast(have, want) for have, want in zip(args, wanted, strict=True))
    if not fits:
        given = ", ".join(str(each.or_null()) for each in args)
        expected = ", ".join(str(each) for each in wanted)
        raise UserError(f"{definition.name} does not take ({given}); expected {definition.name}({expected})", span=span)
    cast = tuple(want.or_null(have.nullable) for have, want in zip(args, wanted, strict=True))
    return Resolved(definition.id, cast, definition.result)
