"""Which keys the events of a batch are of.

Drawn from all keys, a batch meets more different ones the more there are, and they are the groups that are to be
formed, looked up and given out; so what an event costs grows with that, however little the size of state matters. Drawn
from a choice of so many keys, made anew out of all of them for each batch, the work is the same however many there are,
and state is met all over: what an event costs more then is what the size of state costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.measure import Row

__all__ = ["by_state", "drawn"]

_FLAT = 1.5
"""How many times as much as with the least state an event may cost with the largest."""


def by_state(
    name: str, keys: Sequence[int], chosen: int, measured: Callable[[int], Mapping[str, float]]
) -> Iterator[Row]:
    """Yields what an event costs with each number of keys, batches drawing from a choice of as many.

    Args:
        name: What is measured.
        keys: How many there are, ascending.
        chosen: From how many of them batches draw.
        measured: Measures with a number of keys: `cpu_ns` an event and `peak_mb`.
    """
    least = 0.0
    for count in keys:
        one = measured(count)
        least = least or one["cpu_ns"]
        times, note = one["cpu_ns"] / least, f"{keys[0]:,} keys; {one['peak_mb']:.0f} MB in all"
        what = f"{name}, {count:,} keys, {chosen:,} of them a batch"
        yield Row(what, one["cpu_ns"], least, "CPU ns/event", 1 / times, f"{1 / _FLAT:.2g}x", times <= _FLAT, note)


def drawn(random: np.random.Generator, keys: int, count: int, chosen: int) -> NDArray[np.int64]:
    """Returns the keys of events.

    Args:
        random: Where they come from.
        keys: How many there are.
        count: How many events.
        chosen: From how many of the keys they are drawn; 0: from all.

    Example:
        >>> len(set(drawn(np.random.default_rng(1), 1_000_000, 50_000, 10).tolist()))
        10
    """
    if not chosen:
        return random.integers(0, keys, count)
    return random.choice(keys, chosen, replace=False, shuffle=False)[random.integers(0, chosen, count)]
