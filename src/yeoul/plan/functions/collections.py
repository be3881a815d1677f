"""Functions that make arrays and maps out of arrays and maps, beside those of single elements in `structures`."""

from __future__ import annotations

from yeoul.plan.functions.coercion import common_type
from yeoul.plan.functions.signatures import (
    ANY_INTEGER,
    CONDITION,
    SORTABLE,
    Function,
    Parameter,
    Rule,
    Typing,
    takes,
)
from yeoul.plan.types import DataType, Kind, map_of

__all__ = ["COLLECTIONS"]

_ARRAY = Parameter("an array", lambda given: given if given.kind is Kind.ARRAY else None)


def _first(given: tuple[DataType, ...]) -> DataType:
    return given[0]


def _two_arrays(args: tuple[DataType, ...]) -> Typing | None:
    """Both in the type they meet in; NULL if either is."""
    if len(args) != 2 or any(each.kind not in (Kind.ARRAY, Kind.NULL) for each in args):
        return None
    meeting = common_type(args)
    if meeting is None or meeting.kind is not Kind.ARRAY:
        return None
    return tuple(meeting.or_null(each.nullable) for each in args), meeting


def _map_from_arrays(args: tuple[DataType, ...]) -> Typing | None:
    if len(args) != 2 or args[0].element is None or args[1].element is None or any(each.key for each in args):
        return None
    return args, map_of(args[0].element, args[1].element).or_null(any(each.nullable for each in args))


def _map_union(args: tuple[DataType, ...]) -> Typing | None:
    meeting = common_type(args) if args and all(each.kind in (Kind.MAP, Kind.NULL) for each in args) else None
    if meeting is None or meeting.kind is not Kind.MAP:
        return None
    return tuple(meeting.or_null(each.nullable) for each in args), meeting


def _collection(id: str, usage: str, summary: str, rule: Rule) -> Function:
    return Function(id, (id.upper(),), "collection", usage, summary, rule)


COLLECTIONS: tuple[Function, ...] = (
    _collection(
        "array_slice",
        "ARRAY_SLICE(array, start[, end])",
        "The elements from start to end, both from 1 and included; negative: from the end.",
        takes(_ARRAY, ANY_INTEGER, ANY_INTEGER, returns=_first, optional=1),
    ),
    _collection(
        "array_sort",
        "ARRAY_SORT(array[, ascending[, nulls_first]])",
        "Sorted; NULLs stand first in ascending, last in descending order if not said otherwise.",
        takes(SORTABLE, CONDITION, CONDITION, returns=_first, optional=2),
    ),
    _collection("array_except", "ARRAY_EXCEPT(a, b)", "The elements of a that are not in b, once each.", _two_arrays),
    _collection("array_intersect", "ARRAY_INTERSECT(a, b)", "The elements of both, once each.", _two_arrays),
    _collection(
        "map_from_arrays",
        "MAP_FROM_ARRAYS(keys, values)",
        "A map of the pairs; the arrays have to be equally long.",
        _map_from_arrays,
    ),
    _collection(
        "map_union",
        "MAP_UNION(map, ...)",
        "The pairs of all; of a key that occurs twice the last. NULL if any is NULL.",
        _map_union,
    ),
)
