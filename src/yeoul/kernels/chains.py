"""Chains of rows: all rows of a key, found by its slot; put in and taken out anywhere in constant time.

A chain is a doubly linked list. What is known of a key, its first and its last row, stands together, and what is known
of a row, the rows beside it and its key: both in `Blocks`, so that what is met by chance costs one miss of the caches,
and nothing is copied as chains grow. Links hold a number and one, 0 for none, so that blocks begin as they are. Rows
stand in the order in which they were put in. Loops ask for what they need some rows ahead; many chains are followed
side by side, a step of each at a time, for a chain alone tells of its next row only once this one has come. Others keep
more of keys and rows behind these fields (`Timelines`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.blocks import Blocks
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import inlined, load_u32, load_u64, prefetch, store_u32, store_u64
from yeoul.kernels.row_blocks import gathered, row_at

__all__ = ["HEAD", "NEXT", "OWNER", "PREVIOUS", "TAIL", "Chains", "ask_for_link", "key_at", "link_at"]

HEAD, TAIL = 0, 4
"""Where the links to a key's first and last row stand."""
NEXT, PREVIOUS, OWNER = 0, 4, 8
"""Where the links to the rows beside a row stand, and the slot of its key."""

_KEY_BYTES, _KEY_BITS = 8, 20
_ROW_BYTES, _ROW_BITS = 16, 19
_AHEAD = 8
"""How many rows ahead something is asked for; what leads there as many rows earlier."""


@inlined
def key_at(heads, width, key):
    """Returns where a key stands."""
    return row_at(heads, _KEY_BITS, width, key)


@inlined
def link_at(links, width, row):
    """Returns where a row stands."""
    return row_at(links, _ROW_BITS, width, row)


@inlined
def ask_for_link(links, width, link):
    """Asks for the row that a link leads to."""
    if link != 0:
        prefetch(link_at(links, width, link - 1))


@kernel("int64(int64, int64, int64, int64, int64, int64, int64)")
def _append(keys, rows, count, heads, key_bytes, links, row_bytes):
    """Puts each row behind the last of its key."""
    for at in range(count):
        if at + 2 * _AHEAD < count:
            prefetch(key_at(heads, key_bytes, load_u64(keys + (at + 2 * _AHEAD) * 8)))
            prefetch(link_at(links, row_bytes, load_u64(rows + (at + 2 * _AHEAD) * 8)))
            ask_for_link(
                links, row_bytes, load_u32(key_at(heads, key_bytes, load_u64(keys + (at + _AHEAD) * 8)) + TAIL)
            )
        number, row = load_u64(keys + at * 8), load_u64(rows + at * 8)
        key, own = key_at(heads, key_bytes, number), link_at(links, row_bytes, row)
        last = load_u32(key + TAIL)
        store_u32(key + HEAD if last == 0 else link_at(links, row_bytes, last - 1) + NEXT, row + 1)
        store_u32(own + PREVIOUS, last)
        store_u32(own + NEXT, 0)
        store_u32(own + OWNER, number)
        store_u32(key + TAIL, row + 1)
    return 0


@kernel("int64(int64, int64, int64, int64, int64, int64, int64)")
def _unlink(rows, count, emptied, heads, key_bytes, links, row_bytes):
    """Takes rows out of their chains and writes the keys that have none left; returns how many these are."""
    found = 0
    for at in range(count):
        if at + 2 * _AHEAD < count:
            prefetch(link_at(links, row_bytes, load_u64(rows + (at + 2 * _AHEAD) * 8)))
            near = link_at(links, row_bytes, load_u64(rows + (at + _AHEAD) * 8))
            prefetch(key_at(heads, key_bytes, load_u32(near + OWNER)))
            ask_for_link(links, row_bytes, load_u32(near + NEXT))
            ask_for_link(links, row_bytes, load_u32(near + PREVIOUS))
        own = link_at(links, row_bytes, load_u64(rows + at * 8))
        number, after, before = load_u32(own + OWNER), load_u32(own + NEXT), load_u32(own + PREVIOUS)
        key = key_at(heads, key_bytes, number)
        store_u32(key + HEAD if before == 0 else link_at(links, row_bytes, before - 1) + NEXT, after)
        store_u32(key + TAIL if after == 0 else link_at(links, row_bytes, after - 1) + PREVIOUS, before)
        if before == 0 and after == 0:
            store_u64(emptied + found * 8, number)
            found += 1
    return found


@kernel("int64(" + ", ".join(["int64"] * 11) + ")")
def _walk(keys, count, known, heads, key_bytes, links, row_bytes, active, steps, ends, rows):
    """Moves `ends` of each key that is asked for by the number of its rows; writes these, unless `rows` is 0, there.

    Returns how many rows there are in all. `active` and `steps` are room for a word of each key.
    """
    live, found = 0, 0
    for at in range(count):
        if at + 2 * _AHEAD < count:
            further = load_u64(keys + (at + 2 * _AHEAD) * 8)
            if 0 <= further < known:
                prefetch(key_at(heads, key_bytes, further))
        key = load_u64(keys + at * 8)
        link = load_u32(key_at(heads, key_bytes, key) + HEAD) if 0 <= key < known else 0
        if link != 0:
            store_u64(active + live * 8, at)
            store_u64(steps + live * 8, link)
            live += 1
    while live > 0:
        left = 0
        for which in range(live):
            if which + 2 * _AHEAD < live:
                ask_for_link(links, row_bytes, load_u64(steps + (which + 2 * _AHEAD) * 8))
            at, link = load_u64(active + which * 8), load_u64(steps + which * 8)
            end = load_u64(ends + at * 8)
            if rows != 0:
                store_u64(rows + end * 8, link - 1)
            store_u64(ends + at * 8, end + 1)
            following = load_u32(link_at(links, row_bytes, link - 1) + NEXT)
            if following != 0:
                store_u64(active + left * 8, at)
                store_u64(steps + left * 8, following)
                left += 1
        found += live
        live = left
    return found


class Chains:
    """Rows by key, both known by slots.

    Args:
        key_bytes: What is kept of a key, in bytes; more where others keep something behind the links.
        row_bytes: What is kept of a row.

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

    def __init__(self, key_bytes: int = _KEY_BYTES, row_bytes: int = _ROW_BYTES) -> None:
        self._heads, self._links = Blocks(key_bytes, _KEY_BITS), Blocks(row_bytes, _ROW_BITS)
        self._keys = self._rows = 0

    @property
    def size_bytes(self) -> int:
        """What they take."""
        return self._heads.size_bytes + self._links.size_bytes

    def append(self, keys: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
        """Puts rows that are in no chain behind the last ones of their keys."""
        if not len(keys):
            return
        self._make_room(int(keys.max()) + 1, int(rows.max()) + 1)
        keys, rows = np.ascontiguousarray(keys, np.int64), np.ascontiguousarray(rows, np.int64)
        _append(address_of(keys), address_of(rows), len(keys), *self._addresses())

    def remove(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Takes rows, each of which stands once, out of their chains; returns the keys that have none left."""
        rows = np.ascontiguousarray(rows, np.int64)
        emptied = np.empty(len(rows), np.int64)
        return emptied[: int(_unlink(address_of(rows), len(rows), address_of(emptied), *self._addresses()))]

    def is_empty(self, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tells which keys have no row."""
        empty, known = np.ones(len(keys), np.bool_), np.flatnonzero((keys >= 0) & (keys < self._keys))
        empty[known] = gathered(self._heads, keys[known], HEAD, np.int32) == 0
        return empty

    def owners(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the keys of rows."""
        return gathered(self._links, rows, OWNER, np.int32).astype(np.int64)

    def rows_of(self, keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns the rows of keys, one key after the other.

        Args:
            keys: Slots; -1 and slots that never had a row have none.

        Returns:
            Place among `keys` and row, for each row found.
        """
        keys = np.ascontiguousarray(keys, np.int64)
        active, steps, sizes = (
            np.empty(len(keys), np.int64),
            np.empty(len(keys), np.int64),
            np.zeros(len(keys), np.int64),
        )
        asked = (address_of(keys), len(keys), self._keys, *self._addresses(), address_of(active), address_of(steps))
        rows = np.empty(int(_walk(*asked, address_of(sizes), 0)), np.int64)
        if len(rows):
            ends = np.cumsum(sizes) - sizes
            _walk(*asked, address_of(ends), address_of(rows))
        return np.repeat(np.arange(len(keys)), sizes), rows

    def _make_room(self, keys: int, rows: int) -> None:
        """Sees to it that there are as many slots of keys and of rows."""
        self._keys, self._rows = max(self._keys, keys), max(self._rows, rows)
        self._heads.reserve(self._keys)
        self._links.reserve(self._rows)

    def _addresses(self) -> tuple[int, int, int, int]:
        return self._heads.layout[0], self._heads.width, self._links.layout[0], self._links.width
