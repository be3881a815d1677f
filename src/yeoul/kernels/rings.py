"""Rings: the rows of each key in a circle of slots of its own, put in behind and taken out in front.

What is known of a key stands together, 16 bytes: where its ring begins, where in it the oldest row is, how many rows
there are, and for how many there is room. A key's rows lie side by side, so that a key costs one miss of the caches and
its rows as many as they take lines. Room is a power of two; who has too little gets twice as much or more elsewhere,
and the old ring is given to a later key. Loops ask for keys some way ahead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.blocks import Blocks
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import inlined, load_u32, load_u64, prefetch, store_u32, store_u64
from yeoul.kernels.row_blocks import gathered, row_at, scattered

__all__ = ["Rings"]

Ints = NDArray[np.int64]
_START, _FIRST, _SIZE, _ROOM = 0, 4, 8, 12
_KEY_BYTES, _KEY_BITS = 16, 20
_LEAST_ROOM = 2
_AHEAD = 16


@inlined
def _key(heads, keys, at, count):
    """Returns where a key stands, and asks for one further on."""
    if at + _AHEAD < count:
        prefetch(row_at(heads, _KEY_BITS, _KEY_BYTES, load_u64(keys + (at + _AHEAD) * 8)))
    return row_at(heads, _KEY_BITS, _KEY_BYTES, load_u64(keys + at * 8))


@inlined
def _write(key, first, count, rows, found):
    """Writes the slots of some places of a ring, counted from the oldest row; returns how many were written in all."""
    start, mask = load_u32(key + _START), load_u32(key + _ROOM) - 1
    first += load_u32(key + _FIRST)
    for place in range(first, first + count):
        store_u64(rows + found * 8, start + (place & mask))
        found += 1
    return found


@kernel("int64(int64, int64, int64, int64, int64, int64)")
def _front(keys, counts, count, heads, takes, rows):
    """Writes the oldest rows of keys, so many of each, and takes them out or leaves them there."""
    found = 0
    for at in range(count):
        key, own = _key(heads, keys, at, count), load_u64(counts + at * 8)
        found = _write(key, 0, own, rows, found)
        if takes != 0:
            store_u32(key + _FIRST, (load_u32(key + _FIRST) + own) & (load_u32(key + _ROOM) - 1))
            store_u32(key + _SIZE, load_u32(key + _SIZE) - own)
    return found


@kernel("int64(int64, int64, int64, int64, int64)")
def _behind(keys, counts, count, heads, rows):
    """Writes the slots of rows that are put behind those of keys, so many of each; there is room."""
    found = 0
    for at in range(count):
        key, own = _key(heads, keys, at, count), load_u64(counts + at * 8)
        size = load_u32(key + _SIZE)
        found = _write(key, size, own, rows, found)
        store_u32(key + _SIZE, size + own)
    return found


class Rings:
    """Rows by key, both known by slots; each call names a key once.

    Example:
        >>> rings = Rings()
        >>> keys, counts = np.array([0, 1]), np.array([2, 1])
        >>> rings.renew(keys, counts)
        >>> rings.append(keys, counts).tolist()
        [0, 1, 2]
        >>> rings.take(np.array([0]), np.array([1])).tolist(), rings.lacks_room(keys, counts).tolist()
        ([0], [True, False])
        >>> rings.append(np.array([0]), np.array([1])).tolist(), rings.rows_of(keys, rings.sizes(keys)).tolist()
        ([0], [1, 0, 2])
    """

    def __init__(self) -> None:
        self._heads = Blocks(_KEY_BYTES, _KEY_BITS)
        self._free: dict[int, list[Ints]] = {}
        self.slot_count = 0
        """How many slots of rows there are, free ones included."""

    @property
    def size_bytes(self) -> int:
        """What they take."""
        return self._heads.size_bytes + sum(starts.nbytes for free in self._free.values() for starts in free)

    def reserve(self, keys: int) -> None:
        """Makes room for keys below a number; they have no rows."""
        self._heads.reserve(keys)

    def sizes(self, keys: Ints) -> Ints:
        """Returns how many rows keys have."""
        return gathered(self._heads, keys, _SIZE, np.uint32).astype(np.int64)

    def lacks_room(self, keys: Ints, counts: Ints) -> NDArray[np.bool_]:
        """Tells which keys have no room for so many more rows."""
        lacks: NDArray[np.bool_] = self.sizes(keys) + counts > gathered(self._heads, keys, _ROOM, np.uint32)
        return lacks

    def rows_of(self, keys: Ints, counts: Ints) -> Ints:
        """Returns the oldest rows of keys, so many of each, one key after the other."""
        return self._at_front(keys, counts, takes=False)

    def take(self, keys: Ints, counts: Ints) -> Ints:
        """Takes out the oldest rows of keys, so many of each, and returns them."""
        return self._at_front(keys, counts, takes=True)

    def append(self, keys: Ints, counts: Ints) -> Ints:
        """Puts rows behind those of keys that have room, so many of each; returns their slots."""
        rows = np.empty(int(counts.sum()), np.int64)
        keys, counts = np.ascontiguousarray(keys, np.int64), np.ascontiguousarray(counts, np.int64)
        _behind(address_of(keys), address_of(counts), len(keys), self._heads.layout[0], address_of(rows))
        return rows

    def renew(self, keys: Ints, counts: Ints) -> None:
        """Gives keys that have no rows rings with room for so many; for none, no ring."""
        old = gathered(self._heads, keys, _ROOM, np.uint32)
        starts = gathered(self._heads, keys, _START, np.uint32).astype(np.int64)
        for room in np.flatnonzero(np.bincount(_bits(old))):
            if room:
                self._free.setdefault(int(room), []).append(starts[_bits(old) == room])
        bits = np.where(counts > 0, _bits(np.maximum(counts, _LEAST_ROOM)), 0)
        for room in np.flatnonzero(np.bincount(bits)):
            asked = bits == room
            starts[asked] = self._rings(int(room), int(asked.sum())) if room else 0
        rooms = np.where(bits > 0, np.int64(1) << bits, 0)
        nothing = np.zeros(len(keys), np.uint32)
        fields = ((_START, starts.astype(np.uint32)), (_FIRST, nothing), (_SIZE, nothing))
        scattered(self._heads, keys, [*fields, (_ROOM, rooms.astype(np.uint32))])

    def _rings(self, bits: int, count: int) -> Ints:
        """Returns where free rings begin, those that were given up before others."""
        free, found, left = self._free.get(bits, []), [], count
        while free and left:
            starts = free.pop()
            if len(starts) > left:
                free.append(starts[:-left])
            found.append(starts[-left:])
            left -= len(found[-1])
        fresh = self.slot_count + (np.arange(left, dtype=np.int64) << bits)
        self.slot_count += left << bits
        if self.slot_count >= 1 << 32:
            raise MemoryError("rows by key have fewer than 2**32 slots")
        return np.concatenate([*found, fresh])

    def _at_front(self, keys: Ints, counts: Ints, *, takes: bool) -> Ints:
        rows = np.empty(int(counts.sum()), np.int64)
        keys, counts = np.ascontiguousarray(keys, np.int64), np.ascontiguousarray(counts, np.int64)
        asked = (address_of(keys), address_of(counts), len(keys))
        _front(*asked, self._heads.layout[0], int(takes), address_of(rows))
        return rows


def _bits(counts: NDArray[np.integer]) -> Ints:
    """Returns the bits of the least power of two that is not below a count; 0 for 0 and 1."""
    bits: Ints = np.frexp(np.maximum(counts.astype(np.float64) - 1, 0))[1].astype(np.int64)
    return bits
