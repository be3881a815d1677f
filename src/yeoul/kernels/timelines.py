"""Timelines: the versions of each key in order of time, and which of them stood at a moment.

A timeline is a key's chain (`Chains`), oldest version first. Each version has the time from which it counts and its own
time, which are the same unless it came late: then it counts from when it came, but a version of a later time is still
newer. A version may say that there is nothing from then on. `_as_of` walks forward from where it was the last time, so
moments that are asked for in ascending order cost one step a version in all.

Behind a key's links stands the link to where that was, behind a row's whether it is an END, from when it counts and its
own time: 16 and 32 bytes, so that a key and its version cost two misses of the caches, and both are asked for ahead.
"""

from __future__ import annotations

import enum

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.chains import HEAD, NEXT, OWNER, PREVIOUS, TAIL, Chains, ask_for_link, key_at, link_at
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import inlined, load_u8, load_u32, load_u64, prefetch, store_u32, store_u64
from yeoul.kernels.row_blocks import gathered, scattered

__all__ = ["Coming", "Timelines"]

_NEVER = 2**63 - 1
"""From when a row counts that is in no timeline; no moment that is asked for is as late."""
_KEY_BYTES, _CURSOR = 16, 8
_ROW_BYTES, _IS_END, _START, _TIME = 32, 12, 16, 24
_AHEAD = 8
"""How many rows ahead a version is asked for; its key as many rows earlier."""


class Coming(enum.IntEnum):
    """What a row that comes does to its key."""

    VERSION = 0
    """It is how the key stands from its time on."""
    END = 1
    """The key has no row from its time on."""
    REPLACED = 2
    """A version makes room for a newer one. Where none has this time, and it was not passed yet, the row is an END."""


@inlined
def _key(heads, key):
    return key_at(heads, _KEY_BYTES, key)


@inlined
def _row(links, row):
    return link_at(links, _ROW_BYTES, row)


@inlined
def _ask(keys, at, count, heads, links, which):
    """Asks for a key further on, and for the row that one of its links leads to not so far."""
    if at + 2 * _AHEAD < count:
        further, near = load_u64(keys + (at + 2 * _AHEAD) * 8), load_u64(keys + (at + _AHEAD) * 8)
        if further >= 0:
            prefetch(_key(heads, further))
        if near >= 0:
            ask_for_link(links, _ROW_BYTES, load_u32(_key(heads, near) + which))


@inlined
def _unlink(heads, links, row):
    own = _row(links, row)
    key, after, before = _key(heads, load_u32(own + OWNER)), load_u32(own + NEXT), load_u32(own + PREVIOUS)
    store_u32(key + HEAD if before == 0 else _row(links, before - 1) + NEXT, after)
    store_u32(key + TAIL if after == 0 else _row(links, after - 1) + PREVIOUS, before)
    store_u64(own + _START, _NEVER)


@inlined
def _link(heads, links, key, row, before, after):
    own, its = _row(links, row), _key(heads, key)
    store_u32(own + OWNER, key)
    store_u32(own + PREVIOUS, before + 1)
    store_u32(own + NEXT, after + 1)
    store_u32(its + HEAD if before < 0 else _row(links, before) + NEXT, row + 1)
    store_u32(its + TAIL if after < 0 else _row(links, after) + PREVIOUS, row + 1)


@kernel("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def _insert(keys, rows, starts, times, comings, count, heads, links, freed):
    """Puts rows into the timelines of their keys; writes the rows that are not, or no longer, in one; returns how many.

    A row is dead as it comes if a version of a later time counts already, unless that is an END that all have passed.
    """
    gone = 0
    for at in range(count):
        _ask(keys, at, count, heads, links, TAIL)
        key, row = load_u64(keys + at * 8), load_u64(rows + at * 8)
        start, time, coming = load_u64(starts + at * 8), load_u64(times + at * 8), load_u8(comings + at)
        own = _row(links, row)
        store_u64(own + _START, _NEVER)
        after, before = -1, load_u32(_key(heads, key) + TAIL) - 1
        while before >= 0 and load_u64(_row(links, before) + _START) > start:
            after = before
            before = load_u32(_row(links, before) + PREVIOUS) - 1
        # Of what counts from now on only, since its time was passed, nobody knows any more whether it was there.
        is_there = before >= 0 and load_u64(_row(links, before) + _TIME) == time
        is_dead = coming == 2 and (start > time or is_there)
        if before >= 0 and load_u64(_row(links, before) + _TIME) > time:
            is_dead |= load_u32(_row(links, before) + _IS_END) == 0 or load_u64(_row(links, before) + _START) == start
        if is_dead:
            store_u64(freed + gone * 8, row)
            gone += 1
            continue
        if before >= 0 and load_u64(_row(links, before) + _START) == start:
            store_u64(freed + gone * 8, before)
            gone += 1
            same = before
            before = load_u32(_row(links, before) + PREVIOUS) - 1
            _unlink(heads, links, same)
        store_u64(own + _START, start)
        store_u64(own + _TIME, time)
        store_u32(own + _IS_END, coming != 0)
        _link(heads, links, key, row, before, after)
    return gone


@kernel("int64(int64, int64, int64, int64, int64, int64)")
def _as_of(keys, moments, count, heads, links, found):
    """Writes the version that counts at each moment, -1 where there is none; returns how many there are."""
    hits = 0
    for at in range(count):
        _ask(keys, at, count, heads, links, _CURSOR)
        number, moment = load_u64(keys + at * 8), load_u64(moments + at * 8)
        store_u64(found + at * 8, -1)
        if number < 0:
            continue
        key = _key(heads, number)
        row = load_u32(key + _CURSOR) - 1
        if row >= 0:
            own = _row(links, row)
            if load_u32(own + OWNER) != number or load_u64(own + _START) > moment:
                row = -1
        if row < 0:
            row = load_u32(key + HEAD) - 1
            if row < 0 or load_u64(_row(links, row) + _START) > moment:
                continue
        following = load_u32(_row(links, row) + NEXT) - 1
        while following >= 0 and load_u64(_row(links, following) + _START) <= moment:
            row = following
            following = load_u32(_row(links, row) + NEXT) - 1
        store_u32(key + _CURSOR, row + 1)
        if load_u32(_row(links, row) + _IS_END) == 0:
            store_u64(found + at * 8, row)
            hits += 1
    return hits


@kernel("int64(int64, int64, int64, int64, int64, int64)")
def _cut(rows, count, moment, heads, links, freed):
    """Takes out what stands before each row that counts at a moment, and the row itself if it is an END."""
    gone = 0
    for at in range(count):
        row = load_u64(rows + at * 8)
        own = _row(links, row)
        if load_u64(own + _START) > moment:
            continue
        before = load_u32(own + PREVIOUS) - 1
        while before >= 0:
            further = load_u32(_row(links, before) + PREVIOUS) - 1
            _unlink(heads, links, before)
            store_u64(freed + gone * 8, before)
            gone += 1
            before = further
        if load_u32(own + _IS_END) != 0:
            _unlink(heads, links, row)
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
        super().__init__(_KEY_BYTES, _ROW_BYTES)

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
        self._make_room(int(keys.max()) + 1, int(rows.max()) + 1)
        whole = [np.ascontiguousarray(array, np.int64) for array in (keys, rows, starts, times)]
        kinds = np.ascontiguousarray(comings, np.uint8)
        freed = np.empty(len(rows), np.int64)
        given = (*(address_of(array) for array in whole), address_of(kinds), len(rows))
        return freed[: _insert(*given, *self._memory(), address_of(freed))]

    def as_of(self, keys: NDArray[np.int64], moments: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the row that counts for each key at a moment, -1 if there is none; quick if moments ascend."""
        known = np.ascontiguousarray(np.where(keys < self._keys, keys, -1), np.int64)
        moments = np.ascontiguousarray(moments, np.int64)
        found = np.empty(len(known), np.int64)
        _as_of(address_of(known), address_of(moments), len(known), *self._memory(), address_of(found))
        return found

    def cut(self, rows: NDArray[np.int64], moment: int) -> NDArray[np.int64]:
        """Takes out the versions that no moment from the given one on can find, as far as the given rows follow them.

        Returns:
            The rows that were taken out.
        """
        rows = np.ascontiguousarray(rows, np.int64)
        freed = np.empty(self._rows, np.int64)
        return freed[: _cut(address_of(rows), len(rows), moment, *self._memory(), address_of(freed))].copy()

    def remove(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Takes rows, each of which stands once, out of their timelines; returns the keys that have none left."""
        scattered(self._links, rows, [(_START, np.full(len(rows), _NEVER))])
        return super().remove(rows)

    def starts(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns from when rows count."""
        return gathered(self._links, rows, _START, np.int64)

    def times(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the rows' own times."""
        return gathered(self._links, rows, _TIME, np.int64)

    def are_ends(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tells which rows say that there is nothing."""
        flags: NDArray[np.bool_] = gathered(self._links, rows, _IS_END, np.int32) != 0
        return flags

    def _memory(self) -> tuple[int, int]:
        """Returns where keys and rows stand; holds until the next `insert`."""
        return self._heads.layout[0], self._links.layout[0]
