"""Running sums of doubles, carried with twice the digits, so that the difference of two of them is a sum of its own.

A sum over any stretch of values is the running sum at its end less the one before its start. In plain doubles that
loses whatever is small beside all that came before; so each running sum is a pair, and what the first cannot hold is in
the second. Source: Knuth's two-sum, as in Hida, Li and Bailey, "Algorithms for quad-double precision" (2001).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import load_f64, store_f64

__all__ = ["range_sums"]


@kernel("int64(int64, int64, int64, int64)")
def _run(values, count, highs, lows):
    """Writes the running sums, the empty one first."""
    high, low = 0.0, 0.0
    store_f64(highs, high)
    store_f64(lows, low)
    for at in range(count):
        value = load_f64(values + at * 8)
        total = high + value
        part = total - high
        rest = (high - (total - part)) + (value - part)
        low += rest
        high = total + low
        low -= high - total
        store_f64(highs + (at + 1) * 8, high)
        store_f64(lows + (at + 1) * 8, low)
    return 0


def range_sums(values: NDArray[np.float64], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns the sum of the finite values from each start to each end, both included.

    Example:
        >>> values = np.array([1e16, 1.0, 0.25, -1e16])
        >>> range_sums(values, np.array([1, 0]), np.array([2, 3])).tolist()
        [1.25, 1.25]
    """
    values = np.ascontiguousarray(values, np.float64)
    highs, lows = np.empty(len(values) + 1), np.empty(len(values) + 1)
    _run(address_of(values), len(values), address_of(highs), address_of(lows))
    upper, lower = highs[ends + 1], highs[starts]
    high = upper - lower
    part = upper - high
    error = (upper - (high + part)) + (part - lower)
    sums: NDArray[np.float64] = high + (error + (lows[ends + 1] - lows[starts]))
    return sums
