"""128-bit fingerprints of rows: what keyed state knows a key by.

A fingerprint is two 64-bit lanes, each folded over the row's columns in order. It is the same on every machine and in
every process that has the same seed, so a checkpoint can hold it; `VERSION` changes with the way it is made. Equal
values are equal bits here: the caller makes -0.0 and NaN canonical, and puts the length before the bytes of a string,
so that ("a", "bc") and ("ab", "c") differ. Ten million keys meet by chance with a probability below 1e-24.

The fold is a multiplication of 64 by 64 bits whose halves are combined by exclusive or.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import inlined, load_u8, load_u32, load_u64, multiply_high, shift_right, store_u64

__all__ = ["VERSION", "add_lists", "add_views", "add_wide_words", "add_words", "seeded"]

VERSION = 1

_LOW = -0x61C8864680B583EB
_HIGH = -0x2D51BFA3C08A0F6B
_NULL = 0x5851F42D4C957F2D
_INLINE_BYTES = 12
_WORD = 2**64 - 1
_SEED_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)


@inlined
def _fold(lane, word, secret):
    """Takes a word into a lane."""
    mixed = lane ^ word
    return (mixed * secret) ^ multiply_high(mixed, secret) ^ word


@inlined
def _add(low, high, row, word):
    """Takes a word into both lanes of a row."""
    at = row * 8
    store_u64(low + at, _fold(load_u64(low + at), word, _LOW))
    store_u64(high + at, _fold(load_u64(high + at), word ^ _NULL, _HIGH))


@inlined
def _is_null(nulls, row):
    return nulls != 0 and load_u8(nulls + row) != 0


@inlined
def _add_null(low, high, row):
    at = row * 8
    store_u64(low + at, _fold(load_u64(low + at), _NULL, _HIGH))
    store_u64(high + at, _fold(load_u64(high + at), _NULL, _LOW))


@kernel("int64(int64, int64, int64, int64, int64, int64)")
def _add_words(words, width, nulls, count, low, high):
    """Takes `width` words of each row, one row after the other."""
    for row in range(count):
        if _is_null(nulls, row):
            _add_null(low, high, row)
            continue
        for word in range(width):
            _add(low, high, row, load_u64(words + (row * width + word) * 8))
    return 0


@kernel("int64(int64, int64, int64, int64, int64, int64)")
def _add_views(views, buffers, nulls, count, low, high):
    """Takes the bytes that each view shows: its length, then words of eight bytes, the last one overlapping."""
    for row in range(count):
        if _is_null(nulls, row):
            _add_null(low, high, row)
            continue
        view = views + row * 16
        size = load_u32(view)
        _add(low, high, row, size)
        if size <= _INLINE_BYTES:
            first, second = load_u64(view + 4), load_u32(view + 12)
            if size < 8:
                first &= (1 << (size * 8)) - 1
                second = 0
            else:
                second &= (1 << ((size - 8) * 8)) - 1
            _add(low, high, row, first)
            if size > 8:
                _add(low, high, row, second)
            continue
        start = load_u64(buffers + load_u32(view + 8) * 8) + load_u32(view + 12)
        at = 0
        while at + 8 < size:
            _add(low, high, row, load_u64(start + at))
            at += 8
        _add(low, high, row, load_u64(start + size - 8))
    return 0


@kernel("int64(int64, int64, int64, int64, int64, int64, int64)")
def _add_lists(offsets, inner_low, inner_high, nulls, count, low, high):
    """Takes the fingerprints of each list's elements, their number first."""
    for row in range(count):
        if _is_null(nulls, row):
            _add_null(low, high, row)
            continue
        start, end = load_u64(offsets + row * 8), load_u64(offsets + (row + 1) * 8)
        _add(low, high, row, end - start)
        for element in range(start, end):
            word = load_u64(inner_low + element * 8)
            _add(low, high, row, word ^ shift_right(load_u64(inner_high + element * 8), 1))
    return 0


def seeded(count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the two lanes of `count` rows over no column yet."""
    first, second = (np.uint64((seed + 1) * factor & _WORD).astype(np.int64) for factor in _SEED_FACTORS)
    return np.full(count, first, np.int64), np.full(count, second, np.int64)


def add_words(
    words: NDArray[np.int64], nulls: NDArray[np.uint8] | None, low: NDArray[np.int64], high: NDArray[np.int64]
) -> None:
    """Takes a column of 64-bit values into the lanes; `nulls` has a 1 where there is no value."""
    add_wide_words(words, 1, nulls, low, high)


def add_wide_words(
    words: NDArray[np.int64],
    width: int,
    nulls: NDArray[np.uint8] | None,
    low: NDArray[np.int64],
    high: NDArray[np.int64],
) -> None:
    """Takes a column of values of `width` words each."""
    words = np.ascontiguousarray(words)
    if len(words) != width * len(low) or len(high) != len(low):
        raise ValueError(f"expected {width} words for each of {len(low)} rows, got {len(words)}")
    _add_words(address_of(words), width, _address(nulls), len(low), address_of(low), address_of(high))


def add_views(
    views: int,
    buffers: NDArray[np.int64],
    nulls: NDArray[np.uint8] | None,
    low: NDArray[np.int64],
    high: NDArray[np.int64],
) -> None:
    """Takes a column of Arrow string or binary views, whose owner the caller holds.

    Args:
        views: The address of the first row's view.
        buffers: The addresses of the data buffers.
        nulls: A 1 where there is no value.
        low: The lanes.
        high: The lanes.
    """
    _add_views(views, address_of(buffers), _address(nulls), len(low), address_of(low), address_of(high))


def add_lists(
    offsets: NDArray[np.int64],
    inner: tuple[NDArray[np.int64], NDArray[np.int64]],
    nulls: NDArray[np.uint8] | None,
    low: NDArray[np.int64],
    high: NDArray[np.int64],
) -> None:
    """Takes a column of lists, given where each begins among its elements' fingerprints, and where the last ends."""
    if len(offsets) != len(low) + 1 or offsets[-1] > len(inner[0]):
        raise ValueError(f"expected {len(low) + 1} offsets, got {len(offsets)}")
    addresses = (address_of(offsets), address_of(inner[0]), address_of(inner[1]), _address(nulls))
    _add_lists(*addresses, len(low), address_of(low), address_of(high))


def _address(array: NDArray[np.uint8] | None) -> int:
    return 0 if array is None else address_of(array)
