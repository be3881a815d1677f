"""What a join's condition says about time: whether it bounds one row time by the other, or asks for the same window.

A condition that does makes the join an interval or a window join, whose rows stand and whose state is dropped by the
watermark. All others make it the regular one, which gives the same rows, but as changes and with unbounded state.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from yeoul.plan.changelog import changelog_of
from yeoul.plan.expressions import Call, ColumnRef, Expression, Literal
from yeoul.plan.join_bounds import Interval, JoinBound, SameWindow
from yeoul.plan.nodes import JoinKey, JoinKind, Node
from yeoul.plan.ordering import OverTime
from yeoul.plan.windowed import windowed
from yeoul.planner.binding.time_attributes import time_of
from yeoul.planner.folding import folded

__all__ = ["Meeting", "bounded", "is_time_bound"]

_MILLISECOND = datetime.timedelta(milliseconds=1)
_MIRRORED = {"less": "greater", "less_or_equal": "greater_or_equal", "equals": "equals"}
_MIRRORED |= {value: key for key, value in _MIRRORED.items()}


@dataclass(frozen=True, slots=True)
class Meeting:
    """Which rows of two inputs meet.

    Attributes:
        keys: What has to be equal on the left and on the right.
        rest: What must hold besides.
        bound: What bounds it in time, if anything is known to.
    """

    keys: tuple[JoinKey, ...]
    rest: tuple[Expression, ...]
    bound: JoinBound | None = None


def bounded(left: Node, right: Node, kind: JoinKind, meeting: Meeting) -> Meeting:
    """Returns a meeting with its bound in time taken out of keys and conditions; as it was if there is none."""
    if not (changelog_of(left).is_append_only and changelog_of(right).is_append_only):
        return meeting
    return _in_one_window(left, right, meeting) or _in_interval(left, right, kind, meeting) or meeting


def _in_one_window(left: Node, right: Node, meeting: Meeting) -> Meeting | None:
    one, other = windowed(left), windowed(right)
    if one is None or other is None or not one.has_windows_of(other) or one.window.by_clock:
        return None
    columns = [_columns(key) for key in meeting.keys]
    starts = [pair for pair in columns if pair[0] in one.starts and pair[1] in other.starts]
    ends = [pair for pair in columns if pair[0] in one.ends and pair[1] in other.ends]
    if not (starts and ends):
        return None
    bound = SameWindow((starts[0][0], ends[0][0]), (starts[0][1], ends[0][1]), one.is_local)
    gone = {starts[0], ends[0]}
    keys = tuple(key for key, pair in zip(meeting.keys, columns, strict=True) if pair not in gone)
    return Meeting(keys, meeting.rest, bound)


def _columns(key: JoinKey) -> tuple[str, str]:
    """Returns the names of two columns that are equal and not NULL; of anything else none."""
    if isinstance(key.left, ColumnRef) and isinstance(key.right, ColumnRef) and not key.nulls_meet:
        return key.left.name, key.right.name
    return "", ""


# --- intervals


def _in_interval(left: Node, right: Node, kind: JoinKind, meeting: Meeting) -> Meeting | None:
    if kind in (JoinKind.SEMI, JoinKind.ANTI):
        return None
    equalities = [_difference("equals", *key.sides, left, right) for key in meeting.keys if not key.nulls_meet]
    found: dict[tuple[str, str], list[_Difference]] = {}
    for one in (*equalities, *(each for part in meeting.rest for each in _differences(part, left, right))):
        if one is not None:
            found.setdefault(one.columns, []).append(one)
    for columns, differences in found.items():
        lowers = [one.lower_ms for one in differences if one.lower_ms is not None]
        uppers = [one.upper_ms for one in differences if one.upper_ms is not None]
        if lowers and uppers:
            by_clock = _is_clock(left, columns[0])
            rest = tuple(part for part in meeting.rest if not _all_about(columns, part, left, right))
            return Meeting(meeting.keys, rest, Interval(*columns, max(lowers), min(uppers), by_clock))
    return None


def is_time_bound(left: Node, right: Node, part: Expression) -> bool:
    """Tells whether a condition bounds the difference of the two sides' time attributes and says nothing else."""
    differences = list(_differences(part, left, right))
    return bool(differences) and None not in differences


def _all_about(columns: tuple[str, str], part: Expression, left: Node, right: Node) -> bool:
    differences = list(_differences(part, left, right))
    return bool(differences) and all(one is not None and one.columns == columns for one in differences)


@dataclass(frozen=True, slots=True)
class _Difference:
    """A bound of the left's time less the right's, in whole milliseconds, as row times are."""

    columns: tuple[str, str]
    lower_ms: int | None = None
    upper_ms: int | None = None


def _differences(part: Expression, left: Node, right: Node) -> Iterator[_Difference | None]:
    """Yields what each comparison of a condition says; None for one that says something else."""
    match part:
        case Call("between", (value, low, high)):
            yield _difference("greater_or_equal", value, low, left, right)
            yield _difference("less_or_equal", value, high, left, right)
        case Call(function, (one, other)) if function in _MIRRORED:
            yield _difference(function, one, other, left, right)
        case _:
            yield None


def _difference(comparison: str, one: Expression, other: Expression, left: Node, right: Node) -> _Difference | None:
    first, second = _moved_time(one), _moved_time(other)
    if first is None or second is None:
        return None
    (name, plus_ms), (other_name, other_plus_ms) = first, second
    if name in right.schema and other_name in left.schema:
        return _difference(_MIRRORED[comparison], other, one, left, right)
    if name not in left.schema or other_name not in right.schema:
        return None
    both_rowtimes = left.schema[name].is_rowtime and right.schema[other_name].is_rowtime
    if not both_rowtimes and not (_is_clock(left, name) and _is_clock(right, other_name)):
        return None
    away_ms = other_plus_ms - plus_ms
    columns = (name, other_name)
    match comparison:
        case "less":
            return _Difference(columns, upper_ms=away_ms - 1)
        case "less_or_equal":
            return _Difference(columns, upper_ms=away_ms)
        case "greater":
            return _Difference(columns, lower_ms=away_ms + 1)
        case "greater_or_equal":
            return _Difference(columns, lower_ms=away_ms)
        case _:
            return _Difference(columns, away_ms, away_ms)


def _moved_time(value: Expression) -> tuple[str, int] | None:
    """Returns a column and the milliseconds that are added to it, if an expression is that."""
    match folded(value):
        case ColumnRef(name):
            return name, 0
        case Call("add", (time, Literal() as by)) | Call("add", (Literal() as by, time)):
            return _moved(time, by, 1)
        case Call("subtract", (time, Literal() as by)):
            return _moved(time, by, -1)
        case _:
            return None


def _moved(time: Expression, by: Literal, sign: int) -> tuple[str, int] | None:
    below = _moved_time(time)
    if below is None or not isinstance(by.value, datetime.timedelta) or by.value % _MILLISECOND:
        return None
    return below[0], below[1] + sign * (by.value // _MILLISECOND)


def _is_clock(node: Node, name: str) -> bool:
    return time_of(node, name) is OverTime.PROCESSING
