"""APPROX_COUNT_DISTINCT: a HyperLogLog sketch that is merged like a set.

A value's hash chooses one of 4096 registers and a rank. Instead of registers, a group keeps the set of the (register,
rank) pairs it has seen, packed into UInt32s. Sets merge by union, as in COUNT(DISTINCT), so no code runs per group; a
group with few values costs a few numbers, one with a billion some eighty thousand. Only in the end is the highest
rank per register taken, and the count estimated from how many registers hold which rank (Ertl, "New cardinality
estimation algorithms for HyperLogLog sketches", 2017, which needs no correction for small or large counts).
Standard error: 1.04 / sqrt(4096) = 1.6 %.

The hash is our own: a sketch in a snapshot means the same whatever version of Polars reads it. Version 1: numbers and
times are their 64-bit representation (-0.0 as 0.0, every NaN as one), strings and bytes the polynomial
sum(T[b_i] * K**i) + length over their bytes, decimals and rows their text; all finished by splitmix64's mixer.
"""

from __future__ import annotations

import functools

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["estimate", "hash_values", "observations"]

_REGISTER_BITS = 12
_REGISTERS = 1 << _REGISTER_BITS
_RANK_BITS = 64 - _REGISTER_BITS
_K = 0x9E3779B97F4A7C15
_PIECE_BYTES = 1 << 18
"""Bytes hashed at a time; bounds the tables of powers."""

Words = NDArray[np.uint64]


def _mixed(words: Words) -> Words:
    """The finaliser of splitmix64: every input bit reaches every output bit."""
    mixed = words + np.uint64(_K)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


@functools.cache
def _byte_words() -> Words:
    return _mixed(np.arange(1, 257, dtype=np.uint64))


@functools.cache
def _powers(length: int) -> tuple[Words, Words]:
    """K**0, K**1, ... and their inverses modulo 2**64."""
    tables = []
    for factor in (_K, pow(_K, -1, 1 << 64)):
        powers = np.full(length + 1, factor, dtype=np.uint64)
        powers[0] = 1
        tables.append(np.cumprod(powers, dtype=np.uint64))
    return tables[0], tables[1]


def _hashed_bytes(column: pl.Series) -> Words:
    """Polynomial hashes of strings, by differences of one running sum per piece."""
    import pyarrow as pa

    array = column.fill_null(b"").to_arrow().cast(pa.large_binary())
    _, ends, data = array.buffers()
    offsets = np.frombuffer(ends, np.int64)[array.offset : array.offset + len(array) + 1]
    content = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    result = np.empty(len(array), np.uint64)
    start = 0
    while start < len(array):
        stop = int(np.searchsorted(offsets, offsets[start] + _PIECE_BYTES, side="right")) - 1
        stop = min(max(stop, start + 1), len(array))
        result[start:stop] = _hashed_piece(content, offsets[start : stop + 1])
        start = stop
    return _mixed(result)


def _hashed_piece(content: NDArray[np.uint8], offsets: NDArray[np.int64]) -> Words:
    base, size = int(offsets[0]), int(offsets[-1] - offsets[0])
    table_length = _PIECE_BYTES if size <= _PIECE_BYTES else 1 << size.bit_length()
    powers, inverses = _powers(table_length)
    sums = np.zeros(size + 1, np.uint64)
    np.cumsum(_byte_words()[content[base : base + size]] * powers[:size], dtype=np.uint64, out=sums[1:])
    local = offsets - base
    lengths = np.diff(local).astype(np.uint64)
    return np.asarray((sums[local[1:]] - sums[local[:-1]]) * inverses[local[:-1]] + lengths, np.uint64)


def hash_values(column: pl.Series) -> Words:
    """Returns one 64-bit hash a row; what NULLs hash to means nothing.

    Example:
        >>> one, other = hash_values(pl.Series(["a", "b"])), hash_values(pl.Series(["b", "a"]))
        >>> bool((one == other[::-1]).all())
        True
    """
    dtype = column.dtype
    if dtype == pl.String:
        return _hashed_bytes(column.cast(pl.Binary))
    if dtype == pl.Binary:
        return _hashed_bytes(column)
    if dtype.is_decimal():
        return _hashed_bytes(column.cast(pl.String).cast(pl.Binary))
    if dtype.is_nested():
        text = column.alias("v").to_frame().to_struct("r").struct.json_encode()
        return _hashed_bytes(text.cast(pl.Binary))
    if dtype.is_float():
        numbers = column.fill_null(0.0).cast(pl.Float64).to_numpy() + 0.0
        return _mixed(np.where(np.isnan(numbers), np.nan, numbers).view(np.uint64))
    words = column.to_physical().cast(pl.Int64).fill_null(0).to_numpy()
    return _mixed(np.ascontiguousarray(words).view(np.uint64))


def observations(column: pl.Series) -> pl.Series:
    """Returns for each value its register and rank, packed as register * 64 + rank; NULL for NULL."""
    hashes = hash_values(column)
    registers = (hashes & np.uint64(_REGISTERS - 1)).astype(np.uint32)
    rest = (hashes >> np.uint64(_REGISTER_BITS)).astype(np.float64)
    lengths = np.frexp(rest)[1]  # 52 bits fit a double's mantissa, so the exponent is the number of bits
    ranks = (_RANK_BITS + 1 - lengths).astype(np.uint32)
    packed = pl.Series(column.name, registers * np.uint32(64) + ranks, dtype=pl.UInt32)
    if column.null_count() == 0:
        return packed
    return packed.to_frame().select(pl.when(column.is_not_null()).then(pl.col(column.name))).to_series()


def estimate(sketches: pl.Series) -> pl.Series:
    """Returns the estimated number of different values of each set of observations, Int64."""
    groups = len(sketches)
    seen = pl.DataFrame({"g": pl.Series(np.arange(groups), dtype=pl.UInt32), "o": sketches}).explode("o").drop_nulls()
    highest = seen.group_by("g", (pl.col("o") // 64).alias("r")).agg((pl.col("o") % 64).max().alias("k"))
    histogram = highest.group_by("g", "k").len()
    counts = np.zeros((groups, _RANK_BITS + 2), np.float64)
    counts[histogram["g"].to_numpy(), histogram["k"].to_numpy()] = histogram["len"].to_numpy()
    counts[:, 0] = _REGISTERS - counts.sum(axis=1)
    return pl.Series(sketches.name, np.rint(_estimated(counts)).astype(np.int64), dtype=pl.Int64)


def _estimated(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ertl's improved estimator over rows of rank histograms; column k counts the registers of rank k."""
    total = _REGISTERS * _tau(1.0 - counts[:, _RANK_BITS + 1] / _REGISTERS)
    for rank in range(_RANK_BITS, 0, -1):
        total = 0.5 * (total + counts[:, rank])
    with np.errstate(divide="ignore"):
        total = total + _REGISTERS * _sigma(counts[:, 0] / _REGISTERS)
        return np.asarray(_REGISTERS * _REGISTERS / (2.0 * np.log(2.0)) / total, np.float64)


def _sigma(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """x + sum over k >= 1 of x**(2**k) * 2**(k - 1); infinite at 1."""
    full = x >= 1.0
    power, weight = np.where(full, 0.0, x), 1.0
    result = power.copy()
    for _ in range(64):
        power = power * power
        step = power * weight
        if not step.any():
            break
        result += step
        weight += weight
    return np.where(full, np.inf, result)


def _tau(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """(1 - x - sum over k >= 1 of (1 - x**(2**-k))**2 * 2**-k) / 3; zero at 0 and 1."""
    root, weight = x.copy(), 1.0
    result = 1.0 - x
    for _ in range(64):
        root = np.sqrt(root)
        weight *= 0.5
        result -= (1.0 - root) ** 2 * weight
    return np.where((x <= 0.0) | (x >= 1.0), 0.0, result / 3.0)
