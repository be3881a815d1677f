"""Chains of rows: all rows of a key, found by its slot; put in and taken out anywhere in constant time.

A chain is a doubly linked list through arrays: `heads` and `tails` by the key's slot, `nexts` and `previous` by the
row's. An empty place holds -1. Rows stand in the order in which they were put in. The arrays belong to the caller's
`Chains`; the kernels only follow them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import load_u64, store_u64

__all__ = ["Chains"]

_LEAST = 1 << 10


@kernel("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def _append(keys, rows, count, heads, tails, nexts, previous, owners):
    """Puts each row behind the last of its key."""
    for at in range(count):
        key, row = load_u64(keys + at * 8), load_u64(rows + at * 8)
        last = load_u64(tails + key * 8)
        if last < 0:
            store_u64(heads + key * 8, row)
        else:
            store_u64(nexts + last * 8, row)
        store_u64(previous + row * 8, last)
        store_u64(nexts + row * 8, -1)
        store_u64(tails + key * 8, row)
        store_u64(owners + row * 8, key)
    return 0


@kernel("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def _unlink(rows, count, emptied, heads, tails, nexts, previous, owners):
    """Takes rows out of their chains and writes the keys that have none left; returns how many these are."""
    found = 0
    for at in range(count):
        row = load_u64(rows + at * 8)
        key, after, before = load_u64(owners + row * 8), load_u64(nexts + row * 8), load_u64(previous + row * 8)
        if before < 0:
            store_u64(heads + key * 8, after)
        else:
            store_u64(nexts + before * 8, after)
        if after < 0:
            store_u64(tails + key * 8, before)
        else:
            store_u64(previous + after * 8, before)
        if before < 0 and after < 0:
            store_u64(emptied + found * 8, key)
            found += 1
    return found


@kernel("int64(int64, int64, int64, int64, int64, int64, int64)")
def _collect(keys, count, heads, nexts, places, rows, room):
    """Writes each key's rows, with the place of the key among those asked for; returns how many there are in all."""
    found = 0
    for at in range(count):
        key = load_u64(keys + at * 8)
        row = load_u64(heads + key * 8) if key >= 0 else -1
        while row >= 0:
            if found < room:
                store_u64(places + found * 8, at)
                store_u64(rows + found * 8, row)
            found += 1
            row = load_u64(nexts + row * 8)
    return found


class Chains:
    """Rows by key, both known by slots.

    Example:
        >>> chains = Chains()
        >>> chains.append(np.array([0, 1, 0]), np.array([5, 6, 7]))
        >>> places, rows = chains.rows_of(np.array([1, 0]))
        >>> places.tolist(), rows.tolist()
        ([0, 1, 1], [6, 5, 7])
        >>> chains.remove(np.array([5, 6])).tolist()
        [1]
        >>> chains.rows_of(np.array([0]))[1].tolist(), chains.is_empty(np.array([0, 1])).tolist()
        ([7], [False, True])
    """

    def __init__(self) -> None:
        self._heads, self._tails = _none(_LEAST), _none(_LEAST)
        self._nexts, self._previous, self._owners = _none(_LEAST), _none(_LEAST), _none(_LEAST)

    @property
    def size_bytes(self) -> int:
        """What the arrays take."""
        arrays = (self._heads, self._tails, self._nexts, self._previous, self._owners)
        return sum(array.nbytes for array in arrays)

    def append(self, keys: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
        """Puts rows that are in no chain behind the last ones of their keys."""
        if not len(keys):
            return
        self.make_room(int(keys.max()) + 1, int(rows.max()) + 1)
        keys, rows = np.ascontiguousarray(keys, np.int64), np.ascontiguousarray(rows, np.int64)
        _append(address_of(keys), address_of(rows), len(keys), *self._addresses())

    def make_room(self, keys: int, rows: int) -> None:
        """Sees to it that there are as many slots of keys and of rows."""
        had = len(self._heads)
        self._heads, self._tails = _longer(self._heads, keys), _longer(self._tails, keys)
        self._heads[had:] = self._tails[had:] = -1
        self._nexts, self._previous = _longer(self._nexts, rows), _longer(self._previous, rows)
        self._owners = _longer(self._owners, rows)

    def remove(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Takes rows, each of which stands once, out of their chains; returns the keys that have none left."""
        rows = np.ascontiguousarray(rows, np.int64)
        emptied = np.empty(len(rows), np.int64)
        return emptied[: int(_unlink(address_of(rows), len(rows), address_of(emptied), *self._addresses()))]

    def owners(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the keys of rows."""
        return self._owners[rows]

    def is_empty(self, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tells which keys have no row."""
        known = np.where(keys < len(self._heads), keys, -1)
        return (known < 0) | (self._heads[known] < 0)

    def rows_of(self, keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns the rows of keys, one key after the other.

        Args:
            keys: Slots; -1 and slots that never had a row have none.

        Returns:
            Place among `keys` and row, for each row found.
        """
        known = np.ascontiguousarray(np.where(keys < len(self._heads), keys, -1), np.int64)
        room = 2 * len(known)
        while True:
            places, rows = np.empty(room, np.int64), np.empty(room, np.int64)
            addresses = (address_of(self._heads), address_of(self._nexts), address_of(places), address_of(rows))
            found = int(_collect(address_of(known), len(known), *addresses, room))
            if found <= room:
                return places[:found], rows[:found]
            room = found

    def _addresses(self) -> tuple[int, int, int, int, int]:
        arrays = (self._heads, self._tails, self._nexts, self._previous, self._owners)
        first, second, third, fourth, fifth = (address_of(array) for array in arrays)
        return first, second, third, fourth, fifth


def _none(size: int) -> NDArray[np.int64]:
    return np.full(size, -1, np.int64)


def _longer(array: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    if size <= len(array):
        return array
    # Of rows to come nothing is written before they come: until then they take no memory.
    grown = np.empty(max(size, len(array) * 3 // 2), np.int64)
    grown[: len(array)] = array
    return grown
