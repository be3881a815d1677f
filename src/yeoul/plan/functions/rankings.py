"""Functions that stand before OVER only: rankings, and the rows before and after."""

from __future__ import annotations

from yeoul.plan.functions.coercion import common_type
from yeoul.plan.functions.signatures import Function, Typing
from yeoul.plan.types import BIGINT, DOUBLE, INT, DataType

__all__ = ["NEIGHBOURS", "RANKINGS", "SHARES"]

NEIGHBOURS = frozenset({"lag", "lead", "lag_ignore_nulls", "lead_ignore_nulls"})
"""The ids of those that look at one other row."""
SHARES = frozenset({"ntile", "percent_rank", "cume_dist"})
"""The ids of those that have to know how many rows a partition has."""


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


def _buckets(given: tuple[DataType, ...]) -> Typing | None:
    return (given, INT.not_null()) if len(given) == 1 and given[0].is_integer else None


def _share(given: tuple[DataType, ...]) -> Typing | None:
    return None if given else ((), DOUBLE.not_null())


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
    Function(
        "lag_ignore_nulls",
        ("LAG IGNORE NULLS",),
        "over",
        "LAG(x[, offset[, default]]) IGNORE NULLS OVER (...)",
        "As LAG among the rows whose x is not NULL; also of LEAD. Over input that ends.",
        _neighbour,
    ),
    Function("lead_ignore_nulls", ("LEAD IGNORE NULLS",), "over", "", "", _neighbour),
    Function(
        "ntile",
        ("NTILE",),
        "over",
        "NTILE(n) OVER (...)",
        "Which of n equal groups the row is in, from 1. Over input that ends.",
        _buckets,
    ),
    Function(
        "percent_rank",
        ("PERCENT_RANK",),
        "over",
        "PERCENT_RANK() OVER (...)",
        "(RANK - 1) by (rows of the partition - 1). Over input that ends.",
        _share,
    ),
    Function(
        "cume_dist",
        ("CUME_DIST",),
        "over",
        "CUME_DIST() OVER (...)",
        "The share of rows that are not behind the row. Over input that ends.",
        _share,
    ),
)
