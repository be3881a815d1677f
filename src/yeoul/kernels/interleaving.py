"""Rows of several groups put behind other rows of the same groups: where each one stands, and where its group lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import load_u64, store_u32, store_u64

__all__ = ["Interleaved", "interleaved"]

Ints = NDArray[np.int64]


@kernel("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def _interleave(olds, news, groups, old_count, order, starts, ends, places):
    """Writes, for each row of the whole, which one it is and its group's bounds, and the place of each new one."""
    at, old, new = 0, 0, 0
    for group in range(groups):
        first, later = load_u64(olds + group * 8), load_u64(news + group * 8)
        start, end = at, at + first + later - 1
        for _ in range(first):
            store_u32(order + at * 4, old)
            store_u64(starts + at * 8, start)
            store_u64(ends + at * 8, end)
            old += 1
            at += 1
        for _ in range(later):
            store_u32(order + at * 4, old_count + new)
            store_u64(starts + at * 8, start)
            store_u64(ends + at * 8, end)
            store_u64(places + new * 8, at)
            new += 1
            at += 1
    return at


@dataclass(frozen=True, slots=True)
class Interleaved:
    """Old and new rows group by group, each group's old ones first.

    Attributes:
        order: Which row stands where, the new ones being counted behind all old ones.
        starts: For each row the place of its group's first row.
        ends: The place of the last.
        places: Where each new row stands.
    """

    order: NDArray[np.uint32]
    starts: Ints
    ends: Ints
    places: Ints


def interleaved(olds: Ints, news: Ints) -> Interleaved:
    """Returns how rows stand by how many each group has, old and new ones.

    Example:
        >>> found = interleaved(np.array([1, 0]), np.array([2, 1]))
        >>> found.order.tolist(), found.starts.tolist(), found.ends.tolist(), found.places.tolist()
        ([0, 1, 2, 3], [0, 0, 0, 3], [2, 2, 2, 3], [1, 2, 3])
    """
    olds, news = np.ascontiguousarray(olds, np.int64), np.ascontiguousarray(news, np.int64)
    old_count, new_count = int(olds.sum()), int(news.sum())
    order, places = np.empty(old_count + new_count, np.uint32), np.empty(new_count, np.int64)
    starts, ends = np.empty(len(order), np.int64), np.empty(len(order), np.int64)
    written = (address_of(order), address_of(starts), address_of(ends), address_of(places))
    _interleave(address_of(olds), address_of(news), len(olds), old_count, *written)
    return Interleaved(order, starts, ends, places)
