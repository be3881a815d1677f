"""What a Top-N gives: entries in order, before and after a batch, and the rows that come and go between the two.

An entry is a row with how many of it there were before and are now. Entries of all partitions that a batch touches are
sorted once; ranks before and after are sums over the same order. Pure functions over arrays: no state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yeoul.engine.operators.ordered.codes import places_in_order
from yeoul.plan.ordering import Ranking

__all__ = ["Changed", "Entries", "changed", "shown", "starts_of"]

Ints = NDArray[np.int64]
_NONE = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries in order.

    Attributes:
        partition: Of each entry; equal ones side by side.
        begins: Whether an entry differs from the one before it in what it is sorted by, or is of another partition.
    """

    partition: Ints
    begins: NDArray[np.bool_]

    @staticmethod
    def of(partition: Ints, codes: Sequence[Ints]) -> Entries:
        """Marks where each new value of the order begins, told by its codes."""
        begins = starts_of(partition)
        for column in codes:
            begins[1:] |= column[1:] != column[:-1]
        return Entries(partition, begins)


def starts_of(partition: Ints) -> NDArray[np.bool_]:
    """Marks the first entry of each partition."""
    starts = np.ones(len(partition), np.bool_)
    starts[1:] = partition[1:] != partition[:-1]
    return starts


@dataclass(frozen=True, slots=True)
class Changed:
    """Rows that come or go.

    Attributes:
        entries: Which entries.
        ranks: Their ranks.
        weights: +1 or -1.
    """

    entries: Ints
    ranks: Ints
    weights: Ints


def _first_ranks(entries: Entries, counts: Ints, ranking: Ranking) -> Ints:
    """Returns the rank of each entry's first copy."""
    starts = starts_of(entries.partition)
    if ranking is Ranking.DENSE_RANK:
        group = np.cumsum(entries.begins) - 1
        there = np.zeros(group[-1] + 1 if len(group) else 0, np.int64)
        np.maximum.at(there, group, (counts > 0).astype(np.int64))
        before: Ints = (np.cumsum(there) - there)[group]
    else:
        before = np.cumsum(counts) - counts
        if ranking is Ranking.RANK:
            before = _held(before, entries.begins)
    ranks: Ints = before - _held(before, starts) + 1
    return ranks


def _held(values: Ints, begins: NDArray[np.bool_]) -> Ints:
    """Returns, for each place, the value where its run begins."""
    if not len(values):
        return values
    held: Ints = values[np.flatnonzero(begins)[np.cumsum(begins) - 1]]
    return held


def shown(entries: Entries, counts: Ints, ranking: Ranking, first: int, last: int) -> tuple[Ints, Ints]:
    """Returns, for each entry, the least rank under which it is given, and how many copies are."""
    ranks = _first_ranks(entries, counts, ranking)
    if ranking is not Ranking.ROW_NUMBER:
        return ranks, np.where((ranks >= first) & (ranks <= last), counts, 0)
    low = np.maximum(ranks, first)
    return low, np.maximum(np.minimum(ranks + counts - 1, last) - low + 1, 0)


def changed(
    entries: Entries, before: Ints, after: Ints, ranking: Ranking, first: int, last: int, *, ranked: bool
) -> Changed:
    """Returns the rows that come and go.

    Args:
        entries: In order.
        before: How many of each entry there were.
        after: How many there are.
        ranking: How they are numbered.
        first: The least rank that is given.
        last: The greatest.
        ranked: Whether the rank is given, too: then a row whose rank changes goes and comes again.

    Returns:
        By partition; with ranks by rank, what goes before what comes; without, what goes and then what comes.
    """
    old, old_copies = shown(entries, before, ranking, first, last)
    new, new_copies = shown(entries, after, ranking, first, last)
    gone, gone_ranks = _apart(old, old_copies, new, new_copies, ranking, ranked)
    come, come_ranks = _apart(new, new_copies, old, old_copies, ranking, ranked)
    which, ranks = np.concatenate([gone, come]), np.concatenate([gone_ranks, come_ranks])
    weights = np.concatenate([np.full(len(gone), -1), np.full(len(come), 1)]).astype(np.int64)
    keys = (ranks, weights, which) if ranked else (weights, ranks, which)
    order = places_in_order((entries.partition[which], *keys))
    return Changed(which[order], ranks[order], weights[order])


def _apart(
    ranks: Ints, copies: Ints, other: Ints, other_copies: Ints, ranking: Ranking, ranked: bool
) -> tuple[Ints, Ints]:
    """Returns the copies of one side that the other does not have, with their ranks."""
    candidates = np.flatnonzero((copies > other_copies) | ((copies > 0) & (ranks != other) & ranked))
    if not len(candidates):
        return _NONE, _NONE
    counts = copies[candidates]
    which = np.repeat(candidates, counts)
    copy = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    rank = ranks[which] + (copy if ranking is Ranking.ROW_NUMBER else 0)
    if not ranked:
        has = copy < other_copies[which]
    elif ranking is Ranking.ROW_NUMBER:
        has = (rank >= other[which]) & (rank < other[which] + other_copies[which])
    else:
        has = (ranks[which] == other[which]) & (copy < other_copies[which])
    return which[~has], rank[~has]
