"""Rows by fingerprint: which rows of one batch belong together, and the batch's order by that.

The table lives for one call and is small enough for the caches of one core, so a batch is grouped at the cost of
reading its fingerprints twice, whatever its keys are made of. Numbers are added up by group where they stand: nothing
has to be brought into the groups' order for that.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import (
    load_f64,
    load_u8,
    load_u32,
    load_u64,
    shift_right,
    store_f64,
    store_u8,
    store_u32,
    store_u64,
)

__all__ = [
    "Groups",
    "ends_of",
    "extremes_of",
    "group_rows",
    "in_groups",
    "one_group",
    "rows_by_group",
    "sums_of",
    "sums_of_floats",
]

_LEAST_BITS = 4


@kernel("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def _number(low, high, count, table, shift, ids, firsts, sizes):
    """Writes each row's group, in the order of first appearance, and each group's first row and size.

    Returns how many groups there are.
    """
    mask = shift_right(-1, shift)
    groups = 0
    for row in range(count):
        one, other = load_u64(low + row * 8), load_u64(high + row * 8)
        place = shift_right(one, shift)
        while True:
            group = load_u32(table + place * 4) - 1
            if group < 0:
                store_u32(table + place * 4, groups + 1)
                store_u64(firsts + groups * 8, row)
                store_u64(sizes + groups * 8, 1)
                store_u32(ids + row * 4, groups)
                groups += 1
                break
            first = load_u64(firsts + group * 8)
            if load_u64(low + first * 8) == one and load_u64(high + first * 8) == other:
                store_u32(ids + row * 4, group)
                store_u64(sizes + group * 8, load_u64(sizes + group * 8) + 1)
                break
            place = (place + 1) & mask
    return groups


@kernel("int64(int64, int64, int64, int64)")
def _order(ids, count, ends, order):
    """Writes the rows by group, each group's in their order; `ends` holds where each group begins, then where it ends.

    Returns the number of rows.
    """
    for row in range(count):
        at = ends + load_u32(ids + row * 4) * 8
        place = load_u64(at)
        store_u32(order + place * 4, row)
        store_u64(at, place + 1)
    return count


@kernel("int64(int64, int64, int64, int64)")
def _add(values, ids, count, totals):
    """Adds each row's integer to its group's total; returns the number of rows."""
    for row in range(count):
        at = totals + load_u32(ids + row * 4) * 8
        store_u64(at, load_u64(at) + load_u64(values + row * 8))
    return count


@kernel("int64(int64, int64, int64, int64)")
def _add_floats(values, ids, count, totals):
    """Adds each row's double to its group's total; returns the number of rows."""
    for row in range(count):
        at = totals + load_u32(ids + row * 4) * 8
        store_f64(at, load_f64(at) + load_f64(values + row * 8))
    return count


@kernel("int64(int64, int64, int64, int64, int64, int64, int64)")
def _find_extremes(values, nulls, ids, count, least, best, missing):
    """Writes the least or greatest value of each group and clears its mark; returns the number of rows."""
    for row in range(count):
        if nulls != 0 and load_u8(nulls + row) != 0:
            continue
        group, value = load_u32(ids + row * 4), load_u64(values + row * 8)
        so_far = load_u64(best + group * 8)
        if load_u8(missing + group) != 0 or (value < so_far if least != 0 else value > so_far):
            store_u64(best + group * 8, value)
            store_u8(missing + group, 0)
    return count


@kernel("int64(int64, int64, int64, int64, int64, int64)")
def _find_ends(nulls, ids, count, last, rows, missing):
    """Writes the first or last row of each group that has a value; returns the number of rows."""
    for row in range(count):
        if nulls != 0 and load_u8(nulls + row) != 0:
            continue
        group = load_u32(ids + row * 4)
        if last != 0 or load_u8(missing + group) != 0:
            store_u64(rows + group * 8, row)
            store_u8(missing + group, 0)
    return count


@dataclass(frozen=True)
class Groups:
    """A batch's rows by fingerprint.

    Attributes:
        firsts: The first row of each group; ascending.
        sizes: How many rows each has.
        ids: Each row's group.
    """

    firsts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    ids: NDArray[np.uint32]

    @cached_property
    def order(self) -> NDArray[np.uint32] | None:
        """The rows, group by group, each group's in their order; None if every row is a group of its own."""
        return None if len(self.firsts) == len(self.ids) else _ordered(self.ids, self.sizes)


def group_rows(low: NDArray[np.int64], high: NDArray[np.int64]) -> Groups:
    """Groups rows of equal fingerprints.

    Example:
        >>> groups = group_rows(np.array([7, 8, 7]), np.array([1, 1, 1]))
        >>> groups.firsts.tolist(), groups.sizes.tolist(), groups.order.tolist()
        ([0, 1], [2, 1], [0, 2, 1])
    """
    count = len(low)
    bits = max(_LEAST_BITS, (2 * count).bit_length())
    table, ids = _empty_table(1 << bits), np.empty(count, np.uint32)
    firsts, sizes = np.empty(count, np.int64), np.empty(count, np.int64)
    low, high = np.ascontiguousarray(low, np.int64), np.ascontiguousarray(high, np.int64)
    addresses = (address_of(table), 64 - bits, address_of(ids), address_of(firsts), address_of(sizes))
    found = int(_number(address_of(low), address_of(high), count, *addresses))
    return Groups(firsts[:found], sizes[:found], ids)


def one_group(count: int) -> Groups:
    """Returns rows, one at least, as one group."""
    return Groups(np.zeros(1, np.int64), np.array([count], np.int64), np.zeros(count, np.uint32))


def in_groups(sizes: NDArray[np.int64]) -> Groups:
    """Returns rows that stand group by group, given how many each group has, which is one at least.

    Example:
        >>> in_groups(np.array([2, 1])).ids.tolist()
        [0, 0, 1]
    """
    return Groups(np.cumsum(sizes) - sizes, sizes, np.repeat(np.arange(len(sizes), dtype=np.uint32), sizes))


def rows_by_group(ids: NDArray[np.uint32], groups: int) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Returns rows group by group, each group's in their order, and how many each group has.

    Args:
        ids: Each row's group.
        groups: How many groups there are; some may have no row.

    Example:
        >>> [each.tolist() for each in rows_by_group(np.array([2, 0, 2], np.uint32), 3)]
        [[1, 0, 2], [1, 0, 2]]
    """
    sizes = np.bincount(ids, minlength=groups)
    return _ordered(ids, sizes), sizes


def sums_of(values: NDArray[np.integer[Any] | np.bool_], groups: Groups) -> NDArray[np.int64]:
    """Returns the sum of each group's integers, which wraps around, or how many of its truths hold.

    Example:
        >>> sums_of(np.array([1, 2, 30]), group_rows(np.array([7, 8, 7]), np.array([1, 1, 1]))).tolist()
        [31, 2]
    """
    totals, words = np.zeros(len(groups.firsts), np.int64), np.ascontiguousarray(values, np.int64)
    _add(address_of(words), address_of(groups.ids), len(words), address_of(totals))
    return totals


def sums_of_floats(values: NDArray[np.float64], groups: Groups) -> NDArray[np.float64]:
    """Returns the sum of each group's numbers, added one by one in their order.

    Example:
        >>> sums_of_floats(np.array([0.5, 2.0, 1.0]), group_rows(np.array([7, 8, 7]), np.array([1, 1, 1]))).tolist()
        [1.5, 2.0]
    """
    # What -0.0 is added to stays as it is, -0.0 included.
    totals, values = np.full(len(groups.firsts), -0.0), np.ascontiguousarray(values, np.float64)
    _add_floats(address_of(values), address_of(groups.ids), len(values), address_of(totals))
    return totals


def extremes_of(
    values: NDArray[np.integer[Any]], nulls: NDArray[np.bool_] | None, groups: Groups, *, least: bool
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Returns the least or the greatest of each group's integers, and which groups have none: there it is anything.

    Example:
        >>> groups = group_rows(np.array([7, 8, 7]), np.array([1, 1, 1]))
        >>> best, missing = extremes_of(np.array([5, 0, 6]), np.array([False, True, False]), groups, least=False)
        >>> best[0], missing.tolist()
        (np.int64(6), [False, True])
    """
    best, missing = np.empty(len(groups.firsts), np.int64), np.ones(len(groups.firsts), np.bool_)
    words = np.ascontiguousarray(values, np.int64)
    marks = 0 if nulls is None else address_of(nulls)
    addresses = address_of(best), address_of(missing)
    _find_extremes(address_of(words), marks, address_of(groups.ids), len(words), int(least), *addresses)
    return best, missing


def ends_of(nulls: NDArray[np.bool_] | None, groups: Groups, *, last: bool) -> NDArray[np.int64]:
    """Returns the first or the last row of each group that is not marked; one that is where all are.

    Example:
        >>> groups = group_rows(np.array([7, 8, 7, 8]), np.array([1, 1, 1, 1]))
        >>> ends_of(np.array([True, True, False, True]), groups, last=False).tolist()
        [2, 1]
    """
    if nulls is None and not last:
        return groups.firsts
    rows, missing = groups.firsts.copy(), np.ones(len(groups.firsts), np.bool_)
    marks = 0 if nulls is None else address_of(nulls)
    _find_ends(marks, address_of(groups.ids), len(groups.ids), int(last), address_of(rows), address_of(missing))
    return rows


class _Kept(threading.local):
    """A thread's table: one made anew for each batch is memory that has to be asked for page by page each time."""

    def __init__(self) -> None:
        self.table = np.zeros(0, np.uint32)


_KEPT = _Kept()
_MOST_KEPT = 1 << 18


def _empty_table(size: int) -> NDArray[np.uint32]:
    """Returns a table of zeros, for one call at a time in each thread."""
    if size > _MOST_KEPT:
        return np.zeros(size, np.uint32)
    if size > len(_KEPT.table):
        _KEPT.table = np.zeros(size, np.uint32)
        return _KEPT.table
    table = _KEPT.table[:size]
    table.fill(0)
    return table


def _ordered(ids: NDArray[np.uint32], sizes: NDArray[np.int64]) -> NDArray[np.uint32]:
    ends, order = np.cumsum(sizes) - sizes, np.empty(len(ids), np.uint32)
    _order(address_of(ids), len(ids), address_of(ends), address_of(order))
    return order
