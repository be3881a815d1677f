"""Functions that stand before OVER only: rankings, and the rows before and after."""

from __future__ import annotations

from yeoul.plan.functions.coercion import common_type
from yeoul.plan.functions.signatures import Function, Typing
from yeoul.plan.types import BIGINT, DataType

__all__ = ["RANKINGS"]


def _nothing(given: tuple[DataType, ...]) -> Typing | None:
    return None if given else ((), BIGINT.not_null())


def _neighbour(given: tuple[DataType, ...]) -> Typing | None:
    """`LAG(x, offset, default)`: x and the default meet, the offset is a whole number."""
    if not 1 <= len(given) <= 3 or (len(given) > 1 and not given[1].is_integer):
        return None
    if len(given) < 3:
        return given, given[0].or_null()
    meeting = common_type([given[0], given[2]])
    if meeting is None:
        return None
    return (meeting.or_null(), given[1], meeting.or_null()), meeting.or_null(given[2].nullable or given[0].nullable)


def _ranking(name: str, summary: str) -> Function:
    return Function(name.lower(), (name,), "over", f"{name}() OVER (...)", summary, _nothing)


RANKINGS: tuple[Function, ...] = (
    _ranking("ROW_NUMBER", "The row's number in its partition, from 1; equal rows in order of arrival."),
    _ranking("RANK", "As ROW_NUMBER, but equal rows have the number of the first of them."),
    _ranking("DENSE_RANK", "As RANK, but without gaps."),
    Function(
        "lag",
        ("LAG",),
        "over",
        "LAG(x[, offset[, default]]) OVER (...)",
        "The value that many rows before, by default 1; the default, or NULL, where there is no such row.",
        _neighbour,
    ),
    Function(
        "lead",
        ("LEAD",),
        "over",
        "LEAD(x[, offset[, default]]) OVER (...)",
        "The same of rows behind; over input that ends.",
        _neighbour,
    ),
)
