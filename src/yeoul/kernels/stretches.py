"""Stretches of rows by time: where, among rows that stand group by group in order of time, a stretch of time lies.

What frames over a time and joins over an interval ask. Times are integers of any one unit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import inlined, load_u64, store_u64

__all__ = ["reaches", "stretches"]

Ints = NDArray[np.int64]


@kernel("int64(int64, int64, int64, int64, int64, int64)")
def _reach(starts, ends, times, distance, count, reached):
    """Writes for each row the first place of its group whose time is not before the row's own and a distance.

    Both ascend within a group, so that each goes over it once.
    """
    group, place = -1, 0
    for at in range(count):
        start = load_u64(starts + at * 8)
        if start != group:
            group = place = start
        end, wanted = load_u64(ends + at * 8), load_u64(times + at * 8) + distance
        while place <= end and load_u64(times + place * 8) < wanted:
            place += 1
        store_u64(reached + at * 8, place)
    return 0


@inlined
def _first_from(times, low, high, wanted):
    """Returns the first place, from `low` and before `high`, whose time is not before a time; else `high`."""
    while low < high:
        middle = (low + high) // 2
        if load_u64(times + middle * 8) < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@kernel("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def _stretch(bounds, times, groups, lowest, highest, count, firsts, sizes):
    """Writes where each stretch begins and how many rows it has."""
    for at in range(count):
        group = load_u64(groups + at * 8)
        end = load_u64(bounds + (group + 1) * 8)
        first = _first_from(times, load_u64(bounds + group * 8), end, load_u64(lowest + at * 8))
        store_u64(firsts + at * 8, first)
        store_u64(sizes + at * 8, _first_from(times, first, end, load_u64(highest + at * 8) + 1) - first)
    return 0


def reaches(starts: Ints, ends: Ints, times: Ints, distance: int) -> Ints:
    """Returns, for each row, the first place of its group that is not before its time and a distance; else the next.

    Args:
        starts: The place of the first row of each row's group.
        ends: Of the last.
        times: Of each row, ascending within a group.
        distance: How far off; less than zero: before it.

    Example:
        >>> starts, ends, times = np.array([0, 0, 0, 3]), np.array([2, 2, 2, 3]), np.array([1, 4, 5, 5])
        >>> reaches(starts, ends, times, -1).tolist(), reaches(starts, ends, times, 1).tolist()
        ([0, 1, 1, 3], [1, 2, 3, 4])
    """
    given = [np.ascontiguousarray(array, np.int64) for array in (starts, ends, times)]
    reached = np.empty(len(given[0]), np.int64)
    _reach(*(address_of(array) for array in given), distance, len(reached), address_of(reached))
    return reached


def stretches(bounds: Ints, times: Ints, groups: NDArray[np.integer], lowest: Ints, highest: Ints) -> tuple[Ints, Ints]:
    """Returns, for each one asked, the first place of a group from one time to another, and how many there are.

    Args:
        bounds: Where each group begins, and where the last one ends.
        times: Ascending within a group.
        groups: The group that each one asks for.
        lowest: From when.
        highest: Until when, that time included.

    Example:
        >>> bounds, times = np.array([0, 3, 4]), np.array([1, 4, 5, 5])
        >>> firsts, counts = stretches(bounds, times, np.array([0, 1, 0]), np.array([2, 2, 6]), np.array([5, 4, 9]))
        >>> firsts.tolist(), counts.tolist()
        ([1, 3, 3], [2, 0, 0])
    """
    given = [np.ascontiguousarray(array, np.int64) for array in (bounds, times, groups, lowest, highest)]
    firsts, counts = np.empty(len(given[2]), np.int64), np.empty(len(given[2]), np.int64)
    _stretch(*(address_of(array) for array in given), len(firsts), address_of(firsts), address_of(counts))
    return firsts, np.maximum(counts, 0, out=counts)
