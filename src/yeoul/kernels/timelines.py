"""Timelines: the versions of each key in order of time, and which of them stood at a moment.

A timeline is a key's chain (`Chains`), oldest version first. Each version has the time from which it counts and its own
time, which are the same unless it came late: then it counts from when it came, but a version of a later time is still
newer. A version may say that there is nothing from then on. `_as_of` walks forward from where it was the last time, so
moments that are asked for in ascending order cost one step a version in all.
"""

from __future__ import annotations

import enum
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.chains import Chains
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import inlined, load_u8, load_u64, store_u8, store_u64

__all__ = ["Coming", "Timelines"]

_Item = TypeVar("_Item", bound=np.generic)
_LEAST = 1 << 10
_NEVER = 2**63 - 1
"""From when a row counts that is in no timeline; no moment that is asked for is as late."""
_HEADS, _TAILS, _NEXTS, _PREVIOUS, _OWNERS, _STARTS, _TIMES, _ENDS = range(0, 64, 8)
"""Where the address of each array stands among those that a kernel is given."""


class Coming(enum.IntEnum):
    """What a row that comes does to its key."""

    VERSION = 0
    """It is how the key stands from its time on."""
    END = 1
    """The key has no row from its time on."""
    REPLACED = 2
    """A version makes room for a newer one. Where none has this time, and it was not passed yet, the row is an END."""


@inlined
def _array(arrays, which):
    return load_u64(arrays + which)


@inlined
def _unlink(arrays, row):
    key = load_u64(_array(arrays, _OWNERS) + row * 8)
    after, before = load_u64(_array(arrays, _NEXTS) + row * 8), load_u64(_array(arrays, _PREVIOUS) + row * 8)
    if before < 0:
        store_u64(_array(arrays, _HEADS) + key * 8, after)
    else:
        store_u64(_array(arrays, _NEXTS) + before * 8, after)
    if after < 0:
        store_u64(_array(arrays, _TAILS) + key * 8, before)
    else:
        store_u64(_array(arrays, _PREVIOUS) + after * 8, before)
    store_u64(_array(arrays, _STARTS) + row * 8, _NEVER)


@inlined
def _link(arrays, key, row, before, after):
    store_u64(_array(arrays, _OWNERS) + row * 8, key)
    store_u64(_array(arrays, _PREVIOUS) + row * 8, before)
    store_u64(_array(arrays, _NEXTS) + row * 8, after)
    if before < 0:
        store_u64(_array(arrays, _HEADS) + key * 8, row)
    else:
        store_u64(_array(arrays, _NEXTS) + before * 8, row)
    if after < 0:
        store_u64(_array(arrays, _TAILS) + key * 8, row)
    else:
        store_u64(_array(arrays, _PREVIOUS) + after * 8, row)


@kernel("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def _insert(keys, rows, starts, times, comings, count, arrays, freed):
    """Puts rows into the timelines of their keys; writes the rows that are not, or no longer, in one; returns how many.

    A row is dead as it comes if a version of a later time counts already, unless that is an END that all have passed.
    """
    own_starts, own_times, own_ends = _array(arrays, _STARTS), _array(arrays, _TIMES), _array(arrays, _ENDS)
    previous, gone = _array(arrays, _PREVIOUS), 0
    for at in range(count):
        key, row = load_u64(keys + at * 8), load_u64(rows + at * 8)
        start, time, coming = load_u64(starts + at * 8), load_u64(times + at * 8), load_u8(comings + at)
        store_u64(own_starts + row * 8, _NEVER)
        after, before = -1, load_u64(_array(arrays, _TAILS) + key * 8)
        while before >= 0 and load_u64(own_starts + before * 8) > start:
            after = before
            before = load_u64(previous + before * 8)
        # Of what counts from now on only, since its time was passed, nobody knows any more whether it was there.
        is_there = before >= 0 and load_u64(own_times + before * 8) == time
        is_dead = coming == 2 and (start > time or is_there)
        if before >= 0 and load_u64(own_times + before * 8) > time:
            is_dead |= load_u8(own_ends + before) == 0 or load_u64(own_starts + before * 8) == start
        if is_dead:
            store_u64(freed + gone * 8, row)
            gone += 1
            continue
        if before >= 0 and load_u64(own_starts + before * 8) == start:
            store_u64(freed + gone * 8, before)
            gone += 1
            same = before
            before = load_u64(previous + before * 8)
            _unlink(arrays, same)
        store_u64(own_starts + row * 8, start)
        store_u64(own_times + row * 8, time)
        store_u8(own_ends + row, coming != 0)
        _link(arrays, key, row, before, after)
    return gone


@kernel("int64(int64, int64, int64, int64, int64, int64)")
def _as_of(keys, moments, count, arrays, cursors, found):
    """Writes the version that counts at each moment, -1 where there is none; returns how many there are."""
    own_starts, own_ends = _array(arrays, _STARTS), _array(arrays, _ENDS)
    nexts, hits = _array(arrays, _NEXTS), 0
    for at in range(count):
        key, moment = load_u64(keys + at * 8), load_u64(moments + at * 8)
        store_u64(found + at * 8, -1)
        if key < 0:
            continue
        row = load_u64(cursors + key * 8)
        if row >= 0 and (load_u64(_array(arrays, _OWNERS) + row * 8) != key or load_u64(own_starts + row * 8) > moment):
            row = -1
        if row < 0:
            row = load_u64(_array(arrays, _HEADS) + key * 8)
            if row < 0 or load_u64(own_starts + row * 8) > moment:
                continue
        following = load_u64(nexts + row * 8)
        while following >= 0 and load_u64(own_starts + following * 8) <= moment:
            row = following
            following = load_u64(nexts + row * 8)
        store_u64(cursors + key * 8, row)
        if load_u8(own_ends + row) == 0:
            store_u64(found + at * 8, row)
            hits += 1
    return hits


@kernel("int64(int64, int64, int64, int64, int64)")
def _cut(rows, count, moment, arrays, freed):
    """Takes out what stands before each row that counts at a moment, and the row itself if it is an END."""
    previous, gone = _array(arrays, _PREVIOUS), 0
    for at in range(count):
        row = load_u64(rows + at * 8)
        if load_u64(_array(arrays, _STARTS) + row * 8) > moment:
            continue
        before = load_u64(previous + row * 8)
        while before >= 0:
            further = load_u64(previous + before * 8)
            _unlink(arrays, before)
            store_u64(freed + gone * 8, before)
            gone += 1
            before = further
        if load_u8(_array(arrays, _ENDS) + row) != 0:
            _unlink(arrays, row)
            store_u64(freed + gone * 8, row)
            gone += 1
    return gone


class Timelines(Chains):
    """Versions by key and time, both known by slots.

    Example:
        >>> lines = Timelines()
        >>> keys, rows, times = np.array([0, 0, 1]), np.array([0, 1, 2]), np.array([10, 20, 15])
        >>> lines.insert(keys, rows, times, times, np.full(3, Coming.VERSION)).tolist()
        []
        >>> lines.as_of(np.array([0, 0, 1, 0]), np.array([9, 19, 99, 20])).tolist()
        [-1, 0, 2, 1]
        >>> lines.cut(np.array([0, 1]), 25).tolist()
        [0]
    """

    def __init__(self) -> None:
        super().__init__()
        self._starts, self._times = np.zeros(_LEAST, np.int64), np.zeros(_LEAST, np.int64)
        self._ends, self._cursors = np.zeros(_LEAST, np.uint8), np.full(_LEAST, -1, np.int64)

    @property
    def size_bytes(self) -> int:
        """What the arrays take."""
        own = (self._starts, self._times, self._ends, self._cursors)
        return super().size_bytes + sum(array.nbytes for array in own)

    def insert(
        self,
        keys: NDArray[np.int64],
        rows: NDArray[np.int64],
        starts: NDArray[np.int64],
        times: NDArray[np.int64],
        comings: NDArray[np.integer],
    ) -> NDArray[np.int64]:
        """Puts rows that are in no timeline into those of their keys, one after the other.

        Args:
            keys: The slot of each one's key.
            rows: Its own.
            starts: From when it counts.
            times: Its own time; not after that.
            comings: What it does, as `Coming`.

        Returns:
            The rows that are in no timeline any more, among them those that never came into one.
        """
        if not len(rows):
            return rows
        self.make_room(int(keys.max()) + 1, int(rows.max()) + 1)
        whole = [np.ascontiguousarray(array, np.int64) for array in (keys, rows, starts, times)]
        kinds = np.ascontiguousarray(comings, np.uint8)
        arrays, freed = self._arrays(), np.empty(len(rows), np.int64)
        given = (*(address_of(array) for array in whole), address_of(kinds), len(rows))
        return freed[: _insert(*given, address_of(arrays), address_of(freed))]

    def as_of(self, keys: NDArray[np.int64], moments: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the row that counts for each key at a moment, -1 if there is none; quick if moments ascend."""
        known = np.ascontiguousarray(np.where(keys < len(self._heads), keys, -1), np.int64)
        moments = np.ascontiguousarray(moments, np.int64)
        arrays, found = self._arrays(), np.empty(len(known), np.int64)
        asked = (address_of(known), address_of(moments), len(known))
        _as_of(*asked, address_of(arrays), address_of(self._cursors), address_of(found))
        return found

    def cut(self, rows: NDArray[np.int64], moment: int) -> NDArray[np.int64]:
        """Takes out the versions that no moment from the given one on can find, as far as the given rows follow them.

        Returns:
            The rows that were taken out.
        """
        rows = np.ascontiguousarray(rows, np.int64)
        arrays, freed = self._arrays(), np.empty(len(self._owners), np.int64)
        return freed[: _cut(address_of(rows), len(rows), moment, address_of(arrays), address_of(freed))].copy()

    def remove(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Takes rows, each of which stands once, out of their timelines; returns the keys that have none left."""
        self._starts[rows] = _NEVER
        return super().remove(rows)

    def starts(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns from when rows count."""
        return self._starts[rows]

    def times(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the rows' own times."""
        return self._times[rows]

    def are_ends(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tells which rows say that there is nothing."""
        return self._ends[rows].astype(np.bool_)

    def make_room(self, keys: int, rows: int) -> None:
        super().make_room(keys, rows)
        if len(self._cursors) < len(self._heads):
            self._cursors = _longer(self._cursors, len(self._heads), -1)
        if len(self._starts) < len(self._nexts):
            self._starts = _longer(self._starts, len(self._nexts), 0)
            self._times = _longer(self._times, len(self._nexts), 0)
            self._ends = _longer(self._ends, len(self._nexts), 0)

    def _arrays(self) -> NDArray[np.int64]:
        """Returns the addresses of the arrays, which live as long as this object does not grow."""
        own = (self._starts, self._times, self._ends)
        return np.array([*self._addresses(), *(address_of(array) for array in own)], np.int64)


def _longer(array: NDArray[_Item], size: int, filling: int) -> NDArray[_Item]:
    grown = np.full(size, filling, array.dtype)
    grown[: len(array)] = array
    return grown
