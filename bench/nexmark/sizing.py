"""How many events a query is timed over, so that an engine, slow or fast, runs steadily for some seconds. Pure.

An engine's first run only warms it up: code is compiled in it, and files come into the system's cache. Then a base is
run and a longer one, the whole, is held against it. Both are sizes of one ladder. They are guessed from the rate that
was seen last time; where a run shows the guess to be wrong, a larger whole (or a smaller base) follows.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["SIZES", "STEADY_S", "Steady", "next_size", "steady"]

SIZES = tuple(100_000 << step for step in range(9))
"""The ladder: 0.1 to 25.6 million events."""
STEADY_S = 4.5
"""How long the steady part is to be, some half more or less; where the ladder ends, its last is run three times."""
_MOST_RUNS, _LEAST_SHARE = 3, 0.05
Run = tuple[int, float]


@dataclass(frozen=True, slots=True)
class Steady:
    """The part of the whole run that is counted.

    Attributes:
        base: Events of the run that is taken off.
        whole: Events of the longest.
        took_s: What the whole took longer, in the median of its runs.
    """

    base: int
    whole: int
    took_s: float

    @property
    def rate(self) -> float:
        """Events a second."""
        return (self.whole - self.base) / self.took_s


def next_size(
    runs: Sequence[Run], guess: float, sizes: Sequence[int] = SIZES, steady_s: float = STEADY_S
) -> int | None:
    """Returns how many events to run next, or None if it is enough.

    Args:
        runs: Events and seconds of the runs so far, in order.
        guess: Events a second, as seen last time.
        sizes: The ladder.
        steady_s: How long the steady part is to be.
    """
    if not runs:
        return _below(sizes, _nearest(sizes, guess * steady_s * 4 / 3))
    last, last_s = runs[-1]
    if len(runs) == 1:
        return _below(sizes, last) if last_s > 2 * steady_s else last
    counted = _counted(runs)
    if len({size for size, _ in counted}) == 1:
        if last_s > steady_s and last > sizes[0]:
            return _below(sizes, last)
        return min(max(last * 4, _nearest(sizes, last / last_s * steady_s)), sizes[-1])
    so_far = steady(runs)
    spent_s = sum(took_s for _, took_s in counted)
    if so_far is not None and (so_far.took_s >= steady_s / 2 or spent_s > 6 * steady_s):
        return None
    if so_far is None or so_far.whole < sizes[-1]:
        rate = last / last_s if so_far is None else so_far.rate
        reached = max(size for size, _ in counted)
        larger = min(max(reached * 2, _nearest(sizes, rate * steady_s * 4 / 3)), sizes[-1])
        return larger if larger > reached else None
    return None if sum(size == so_far.whole for size, _ in counted) >= _MOST_RUNS else so_far.whole


def steady(runs: Sequence[Run]) -> Steady | None:
    """Returns the longest run less the longest of half its events or less; None if it took hardly longer.

    The first run does not count, nor does one before the base: code may be compiled in it still.
    """
    took: dict[int, list[float]] = {}
    for size, took_s in _counted(runs):
        took.setdefault(size, []).append(took_s)
    middle: Mapping[int, float] = {size: statistics.median(each) for size, each in took.items()}
    whole = max(middle, default=0)
    base = max((size for size in middle if size * 2 <= whole), default=0)
    longer_s = middle.get(whole, 0.0) - middle.get(base, 0.0)
    if not base or longer_s <= _LEAST_SHARE * middle[whole]:
        return None
    return Steady(base, whole, longer_s)


def _counted(runs: Sequence[Run]) -> Sequence[Run]:
    least = min((size for size, _ in runs[1:]), default=0)
    return runs[[0, *(size for size, _ in runs[1:])].index(least) :]


def _nearest(sizes: Sequence[int], wanted: float) -> int:
    return min(sizes, key=lambda size: max(size / wanted, wanted / size))


def _below(sizes: Sequence[int], whole: int) -> int:
    """The size of a quarter, or the least."""
    return max((size for size in sizes if size * 4 <= whole), default=sizes[0])
