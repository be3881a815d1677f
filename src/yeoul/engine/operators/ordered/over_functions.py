"""What the functions that only stand before OVER say of a row: its rank, its share, the rows before and after it.

Pure functions over arrays; `Over` calls them.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.operators.ordered.frames import Places, Runs, sums

__all__ = ["GROUPS", "ROWS", "counts_rows", "neighbours", "ranked", "shares"]

Ints = NDArray[np.int64]
ROWS, GROUPS = "$rows", "$groups"
"""How many rows, and groups of peers, an element stands for: rows that are remembered may be merged into one."""

_COUNTED = frozenset({"row_number", "rank", "dense_rank"})


def counts_rows(function: str) -> bool:
    """Tells whether a function is told from how many rows there were before."""
    return function in _COUNTED


def ranked(function: str, every: pl.DataFrame, runs: Runs, asked: Ints) -> pl.Series:
    """Returns how many rows, or groups of peers, there are from the partition's first row up to those asked for."""
    starts = runs.starts[asked]
    if function == "dense_rank":
        groups = every[GROUPS].to_numpy() * (runs.peer_starts == np.arange(every.height))
        return sums(pl.Series(GROUPS, groups), Places(starts, asked))
    return sums(every[ROWS], Places(starts, runs.peer_starts[asked] if function == "rank" else asked))


def shares(function: str, runs: Runs, buckets: int) -> pl.Series:
    """Returns what NTILE, PERCENT_RANK or CUME_DIST says of each row, whole partitions being there.

    Args:
        function: Its id.
        runs: How the rows stand.
        buckets: How many groups NTILE makes; the first ones are larger by one where they cannot be equal.
    """
    sizes = runs.ends - runs.starts + 1
    if function == "percent_rank":
        return pl.Series((runs.peer_starts - runs.starts) / np.maximum(sizes - 1, 1))
    if function == "cume_dist":
        return pl.Series((runs.peer_ends - runs.starts + 1) / sizes)
    place, (least, larger) = np.arange(len(sizes)) - runs.starts, np.divmod(sizes, buckets)
    in_larger = larger * (least + 1)
    after = larger + (place - in_larger) // np.maximum(least, 1)
    return pl.Series(np.where(place < in_larger, place // (least + 1), after) + 1)


def neighbours(
    function: str, offset: int | Ints, values: pl.Series, runs: Runs, asked: Ints
) -> tuple[Ints, NDArray[np.bool_]]:
    """Returns the places that LAG or LEAD looks at for the rows asked for, and where there is such a row."""
    back = function.startswith("lag")
    if not function.endswith("_ignore_nulls"):
        place = asked - offset if back else asked + offset
    else:
        known = np.flatnonzero(values.is_not_null().to_numpy())
        turn = np.searchsorted(known, asked) - offset if back else np.searchsorted(known, asked, "right") + offset - 1
        is_known = (turn >= 0) & (turn < len(known))
        place = np.full(len(asked), -1)
        place[is_known] = known[turn[is_known]]
    there = (place >= runs.starts[asked]) & (place <= runs.ends[asked])
    return np.where(there, place, 0), there
