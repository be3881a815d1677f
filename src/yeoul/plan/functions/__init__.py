"""The one table of what functions exist, what they take and what they return.

The planner resolves every call here; `engine.compile` has a lowering for every id; docs/functions.md lists the table.
Names are matched without regard to case; operators are asked for by their id (`add`, `equals`, ...).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from yeoul.errors import Span, UserError, did_you_mean
from yeoul.plan.expressions import LiteralValue
from yeoul.plan.functions.aggregates import AGGREGATES
from yeoul.plan.functions.bitmaps import BITMAPS
from yeoul.plan.functions.coercion import can_cast, common_type, comparable_type, may_lose_digits, numeric_type
from yeoul.plan.functions.collections import COLLECTIONS
from yeoul.plan.functions.groupings import GROUPINGS
from yeoul.plan.functions.json import JSON
from yeoul.plan.functions.numeric import NUMERIC
from yeoul.plan.functions.operators import OPERATORS
from yeoul.plan.functions.rankings import RANKINGS
from yeoul.plan.functions.refused import REFUSED
from yeoul.plan.functions.signatures import Function, Resolved
from yeoul.plan.functions.structures import STRUCTURES
from yeoul.plan.functions.temporal import TEMPORAL
from yeoul.plan.functions.text import TEXTUAL
from yeoul.plan.functions.watermarks import WATERMARKS
from yeoul.plan.types import DataType

__all__ = [
    "AGGREGATES",
    "GROUPINGS",
    "RANKINGS",
    "SCALARS",
    "WATERMARKS",
    "Function",
    "Resolved",
    "can_cast",
    "common_type",
    "comparable_type",
    "is_aggregate",
    "is_ranking",
    "is_scalar",
    "is_watermark",
    "may_lose_digits",
    "numeric_type",
    "resolve_aggregate",
    "resolve_grouping",
    "resolve_ranking",
    "resolve_scalar",
    "resolve_watermark",
    "usage_of",
]

SCALARS: tuple[Function, ...] = (
    *OPERATORS,
    *NUMERIC,
    *TEXTUAL,
    *TEMPORAL,
    *STRUCTURES,
    *COLLECTIONS,
    *BITMAPS,
    *JSON,
)


def _by_name(functions: Sequence[Function]) -> Mapping[str, Function]:
    return {name.upper(): function for function in functions for name in (function.id, *function.names)}


_SCALARS = _by_name(SCALARS)
_AGGREGATES = _by_name(AGGREGATES)
_RANKINGS = _by_name(RANKINGS)
_GROUPINGS = _by_name(GROUPINGS)
_WATERMARKS = _by_name(WATERMARKS)


def usage_of(name: str) -> str | None:
    """Returns how a scalar or aggregate function is written, None if there is none of that name.

    Example:
        >>> usage_of("ceiling"), usage_of("nonsense")
        ('CEILING(x)', None)
    """
    function = _SCALARS.get(name.upper()) or _AGGREGATES.get(name.upper())
    return None if function is None else _written(function, name.upper())


def _written(function: Function, name: str) -> str:
    """A function's usage under one of its names."""
    if name not in function.names:
        return function.usage
    return function.usage.replace(f"{function.names[0]}(", f"{name}(")


def is_watermark(name: str) -> bool:
    """Tells whether a function of that name asks for the watermark."""
    return name.upper() in _WATERMARKS


def is_scalar(name: str) -> bool:
    """Tells whether a scalar function of that name exists.

    Example:
        >>> is_scalar("upper"), is_scalar("SUM")
        (True, False)
    """
    return name.upper() in _SCALARS


def is_aggregate(name: str) -> bool:
    """Tells whether an aggregate function of that name exists."""
    return name.upper() in _AGGREGATES


def is_ranking(name: str) -> bool:
    """Tells whether a function of that name exists that stands before OVER only."""
    return name.upper() in _RANKINGS


def resolve_scalar(
    name: str,
    args: Sequence[DataType],
    span: Span | None = None,
    literals: Sequence[LiteralValue] = (),
) -> Resolved:
    """Finds a scalar function for argument types.

    Args:
        name: Its SQL name, in any case, or an operator's id.
        args: The types of the arguments.
        span: Where the call stands, for messages.
        literals: The values of the arguments that are literals, None for the others; needed by `field`, by EXTRACT and
            its like, and by ROUND and TRUNCATE of decimals to find the scale of the result.

    Raises:
        UserError: No such function, or it does not take such arguments.

    Example:
        >>> from yeoul.plan.types import BIGINT, INT
        >>> resolved = resolve_scalar("add", [INT.not_null(), BIGINT.not_null()])
        >>> resolved.function, [str(each) for each in resolved.args], str(resolved.type)
        ('add', ['BIGINT NOT NULL', 'BIGINT NOT NULL'], 'BIGINT NOT NULL')
    """
    return _resolve(_SCALARS, name, args, span, tuple(literals))


def resolve_aggregate(
    name: str, args: Sequence[DataType], span: Span | None = None, literals: Sequence[LiteralValue] = ()
) -> Resolved:
    """Finds an aggregate function for argument types; COUNT(*) is `count_star`, or `count` without arguments.

    Raises:
        UserError: No such function, or it does not take such arguments.

    Example:
        >>> from yeoul.plan.types import INT
        >>> str(resolve_aggregate("avg", [INT]).type), resolve_aggregate("COUNT", []).function
        ('INT', 'count_star')
    """
    wanted = "count_star" if name.upper() == "COUNT" and not args else name
    return _resolve(_AGGREGATES, wanted, args, span, tuple(literals))


def resolve_ranking(name: str, args: Sequence[DataType], span: Span | None = None) -> Resolved:
    """Finds a function that stands before OVER only.

    Raises:
        UserError: It does not take such arguments.

    Example:
        >>> str(resolve_ranking("row_number", []).type)
        'BIGINT NOT NULL'
    """
    return _resolve(_RANKINGS, name, args, span, ())


def resolve_grouping(name: str, args: Sequence[DataType], span: Span | None = None) -> Resolved:
    """Finds a function of a grouped query that asks for its sets of keys.

    Raises:
        UserError: It does not take such arguments.

    Example:
        >>> from yeoul.plan.types import INT
        >>> str(resolve_grouping("GROUPING", [INT, INT]).type)
        'BIGINT NOT NULL'
    """
    return _resolve(_GROUPINGS, name, args, span, ())


def resolve_watermark(name: str, args: Sequence[DataType], span: Span | None = None) -> Resolved:
    """Finds a function that asks for the watermark.

    Raises:
        UserError: It does not take such arguments.

    Example:
        >>> from yeoul.plan.types import timestamp
        >>> str(resolve_watermark("CURRENT_WATERMARK", [timestamp(3).not_null()]).type)
        'TIMESTAMP(3)'
    """
    return _resolve(_WATERMARKS, name, args, span, ())


def _resolve(
    table: Mapping[str, Function],
    name: str,
    args: Sequence[DataType],
    span: Span | None,
    literals: tuple[LiteralValue, ...],
) -> Resolved:
    function = table.get(name.upper())
    if function is None:
        raise _unknown(name, table, span)
    given = tuple(args)
    typing = function.rule(given) if function.literal_rule is None else function.literal_rule(given, literals)
    if typing is None:
        raise _mismatch(function, name.upper(), given, literals, span)
    return Resolved(function.id, *typing)


def _unknown(name: str, table: Mapping[str, Function], span: Span | None) -> UserError:
    reason = REFUSED.get(name.upper())
    if reason is not None:
        return UserError(f"The function {name.upper()} of Flink is not supported", hint=reason, span=span)
    named = [each for function in table.values() for each in function.names if each.isidentifier()]
    return UserError(f"Unknown function {name!r}", hint=did_you_mean(name.upper(), named), span=span)


def _mismatch(
    function: Function, name: str, args: tuple[DataType, ...], literals: tuple[LiteralValue, ...], span: Span | None
) -> UserError:
    if function.id == "field" and len(args) == 2 and len(literals) == 2 and args[0].fields:
        hint = did_you_mean(str(literals[1]), [each.name for each in args[0].fields])
        return UserError(f"Unknown field {literals[1]!r} in {args[0]}", hint=hint, span=span)
    given = ", ".join(str(each.or_null()) for each in args)
    called = name if name in function.names else function.names[0] if function.names else function.usage
    return UserError(
        f"{called} does not take ({given}); expected {_written(function, called)}", hint=function.hint, span=span
    )
