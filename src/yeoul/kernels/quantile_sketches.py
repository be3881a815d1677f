"""Histograms of a group each, as lists of packed bins: put together, and read at a rank.

An entry is `(bin << 44) + count`, the count perhaps negative; a group's entries lie between two offsets. `united` puts
the entries of a bin together and leaves out those that cancel out; a group is then in the order of its bins. Dense
counting over the span of a group's bins: no sorting, no hashing, and a table that is clean again after each group.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import load_f64, load_u64, store_u64

__all__ = ["COUNT_BITS", "MOST", "at_rank", "united"]

COUNT_BITS = 44
MOST = 80_000
"""Bins are numbered from -MOST to MOST."""

Int64s = NDArray[np.int64]


@kernel("int64(int64, int64, int64, int64, int64, int64)")
def _unite(offsets, groups, entries, table, new_offsets, new_entries):
    """Adds each group's entries up in the table, bin by bin, and writes what is left in the order of the bins."""
    written = 0
    half = 1 << 43
    store_u64(new_offsets, 0)
    for group in range(groups):
        start, end = load_u64(offsets + group * 8), load_u64(offsets + group * 8 + 8)
        least, most = 160_000, 0
        for at in range(start, end):
            entry = load_u64(entries + at * 8)
            bin = (entry + half) >> 44
            place = bin + 80_000
            least, most = min(least, place), max(most, place)
            store_u64(table + place * 8, load_u64(table + place * 8) + entry - (bin << 44))
        for place in range(least, most + 1):
            count = load_u64(table + place * 8)
            if count != 0:
                store_u64(new_entries + written * 8, ((place - 80_000) << 44) + count)
                store_u64(table + place * 8, 0)
                written += 1
        store_u64(new_offsets + group * 8 + 8, written)
    return written


@kernel("int64(int64, int64, int64, int64, int64)")
def _rank(offsets, groups, entries, share, bins):
    """Writes the bin of the value at a share of each group's ranks; a number that is no bin for an empty one."""
    half = 1 << 43
    for group in range(groups):
        start, end = load_u64(offsets + group * 8), load_u64(offsets + group * 8 + 8)
        total = 0
        for at in range(start, end):
            entry = load_u64(entries + at * 8)
            total += entry - (((entry + half) >> 44) << 44)
        found = 1_000_000
        if total > 0:
            rank = int(load_f64(share) * (total - 1))
            seen = 0
            for at in range(start, end):
                entry = load_u64(entries + at * 8)
                bin = (entry + half) >> 44
                seen += entry - (bin << 44)
                if seen > rank:
                    found = bin
                    break
        store_u64(bins + group * 8, found)
    return 0


def united(offsets: Int64s, entries: Int64s) -> tuple[Int64s, Int64s]:
    """Returns groups with one entry for each bin, in the order of the bins.

    Args:
        offsets: Where each group begins, and where the last one ends.
        entries: Packed bins and counts.

    Example:
        >>> one, two = (3 << 44) + 1, (-2 << 44) + 5
        >>> offsets, entries = united(np.array([0, 3, 5]), np.array([one, two, one, one, one - 2]))
        >>> offsets.tolist(), [(int(each + (1 << 43)) >> 44, int(each) & 15) for each in entries]
        ([0, 2, 2], [(-2, 5), (3, 2)])
    """
    offsets, entries = np.ascontiguousarray(offsets, np.int64), np.ascontiguousarray(entries, np.int64)
    groups = len(offsets) - 1
    new_offsets, new_entries = np.empty(groups + 1, np.int64), np.empty(len(entries), np.int64)
    table = np.zeros(2 * MOST + 1, np.int64)
    written = _unite(
        address_of(offsets),
        groups,
        address_of(entries),
        address_of(table),
        address_of(new_offsets),
        address_of(new_entries),
    )
    return new_offsets, new_entries[:written]


def at_rank(offsets: Int64s, entries: Int64s, share: float) -> tuple[Int64s, NDArray[np.bool_]]:
    """Returns the bin of the value that has a share of a group's values below it, and whether the group has any.

    Args:
        offsets: As `united` gives them.
        entries: As `united` gives them.
        share: From 0, the least value, to 1, the greatest.
    """
    groups = len(offsets) - 1
    bins = np.empty(groups, np.int64)
    at = np.array([share])
    _rank(address_of(offsets), groups, address_of(entries), address_of(at), address_of(bins))
    return bins, bins <= MOST
