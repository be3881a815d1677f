"""Rings: the rows of each key in a circle of slots of its own, put in behind and taken out in front.

What is known of a key stands together, 16 bytes: where its ring begins, where in it the oldest row is, how many rows
there are, and for how many there is room. A key's rows lie side by side, so that a key costs one miss of the caches and
its rows as many as they take lines. Room is a power of two; a key that has too little gets more elsewhere, and its old
ring is given to a later one. Loops ask for keys some way ahead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.blocks import Blocks
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import inlined, load_u32, load_u64, prefetch, store_u32, store_u64
from yeoul.kernels.row_blocks import row_at

__all__ = ["Appended", "Rings"]

Ints = NDArray[np.int64]
_START, _FIRST, _SIZE, _ROOM = 0, 4, 8, 12
"""`_ROOM` is the class of a ring: 0 for none, else one more than the bits of its room."""
_KEY_BYTES, _KEY_BITS = 16, 20
_CLASSES = 34
_AHEAD = 16


@inlined
def _key(heads, keys, at, count):
    """Returns where a key stands, and asks for one further on."""
    if at + _AHEAD < count:
        prefetch(row_at(heads, _KEY_BITS, _KEY_BYTES, load_u64(keys + (at + _AHEAD) * 8)))
    return row_at(heads, _KEY_BITS, _KEY_BYTES, load_u64(keys + at * 8))


@inlined
def _room(kind):
    return (1 << kind) >> 1


@inlined
def _write(key, first, count, rows, found):
    """Writes the slots of some places of a ring, counted from the oldest row; returns how many were written in all."""
    start, mask = load_u32(key + _START), _room(load_u32(key + _ROOM)) - 1
    first += load_u32(key + _FIRST)
    for place in range(first, first + count):
        store_u64(rows + found * 8, start + (place & mask))
        found += 1
    return found


@inlined
def _give_up(key, starts, kinds, freed):
    """Writes which ring a key gives up, if it has one; returns how many were in all."""
    kind = load_u32(key + _ROOM)
    if kind != 0:
        store_u64(starts + freed * 8, load_u32(key + _START))
        store_u64(kinds + freed * 8, kind)
        freed += 1
    return freed


@kernel("int64(int64, int64, int64, int64, int64)")
def _heads(keys, count, heads, copies, sizes):
    """Copies what is known of keys, so that they are met once, and writes how many rows they have; returns the sum."""
    found = 0
    for at in range(count):
        key, copy = _key(heads, keys, at, count), copies + at * _KEY_BYTES
        store_u64(copy, load_u64(key))
        store_u64(copy + 8, load_u64(key + 8))
        size = load_u32(key + _SIZE)
        store_u64(sizes + at * 8, size)
        found += size
    return found


@kernel("int64(int64, int64, int64)")
def _rows(copies, count, rows):
    """Writes the rows of keys, one key after the other."""
    found = 0
    for at in range(count):
        key = copies + at * _KEY_BYTES
        found = _write(key, 0, load_u32(key + _SIZE), rows, found)
    return found


@kernel("int64(int64, int64, int64, int64, int64)")
def _take(keys, count, heads, rows, emptied):
    """Takes out a row of a key each time that it is named; writes the keys that have none left and returns how many."""
    found = 0
    for at in range(count):
        key = _key(heads, keys, at, count)
        first, size = load_u32(key + _FIRST), load_u32(key + _SIZE) - 1
        store_u64(rows + at * 8, load_u32(key + _START) + first)
        store_u32(key + _FIRST, (first + 1) & (_room(load_u32(key + _ROOM)) - 1))
        store_u32(key + _SIZE, size)
        if size == 0:
            store_u64(emptied + found * 8, load_u64(keys + at * 8))
            found += 1
    return found


@kernel("int64(int64, int64, int64, int64)")
def _moving(keys, counts, count, heads):
    """Returns how many rows have to move for others to be put behind them."""
    moving = 0
    for at in range(count):
        key = _key(heads, keys, at, count)
        size = load_u32(key + _SIZE)
        if size + load_u64(counts + at * 8) > _room(load_u32(key + _ROOM)):
            moving += size
    return moving


@kernel("int64(" + ", ".join(["int64"] * 13) + ")")
def _append(keys, counts, count, heads, least, free, left, used, rows, moved, targets, starts, kinds):
    """Puts rows behind those of keys and writes their slots; who has no room gets another ring.

    `free` has the addresses of where free rings of each class begin, `left` how many there are, `used` the first slot
    behind all rings. Rows that have to move are written with where they go, and rings that are given up; returns how
    many these are. None of them is given to a key at once: rows are still to be read there.
    """
    found, moving, freed = 0, 0, 0
    for at in range(count):
        key, own = _key(heads, keys, at, count), load_u64(counts + at * 8)
        size, kind = load_u32(key + _SIZE), load_u32(key + _ROOM)
        if size + own > _room(kind):
            freed = _give_up(key, starts, kinds, freed)
            _write(key, 0, size, moved, moving)
            kind = least
            while _room(kind) < size + own:
                kind += 1
            spare = load_u64(left + kind * 8)
            if spare > 0:
                store_u64(left + kind * 8, spare - 1)
                start = load_u64(load_u64(free + kind * 8) + (spare - 1) * 8)
            else:
                start = load_u64(used)
                store_u64(used, start + _room(kind))
            store_u32(key + _START, start)
            store_u32(key + _FIRST, 0)
            store_u32(key + _ROOM, kind)
            moving = _write(key, 0, size, targets, moving)
        found = _write(key, size, own, rows, found)
        store_u32(key + _SIZE, size + own)
    return freed


@kernel("int64(int64, int64, int64, int64, int64)")
def _release(keys, count, heads, starts, kinds):
    """Takes the rings of keys and writes them; returns how many there are."""
    freed = 0
    for at in range(count):
        key = _key(heads, keys, at, count)
        freed = _give_up(key, starts, kinds, freed)
        store_u64(key, 0)
        store_u64(key + 8, 0)
    return freed


@dataclass(frozen=True, slots=True)
class Appended:
    """Where rows are put.

    Attributes:
        slots: Those of the new rows.
        moved: Where older rows were that have to move.
        targets: Where these go.
    """

    slots: Ints
    moved: Ints
    targets: Ints


class Rings:
    """Rows by key, both known by slots.

    Args:
        least: For how many rows there is room at least; a power of two.

    Example:
        >>> rings = Rings(2)
        >>> rings.reserve(2)
        >>> keys = np.array([0, 1])
        >>> rings.append(keys, np.array([2, 1])).slots.tolist()
        [0, 1, 2]
        >>> [each.tolist() for each in rings.take(np.array([0, 1]))]
        [[0, 2], [1]]
        >>> rings.append(np.array([0]), np.array([1])).slots.tolist()
        [0]
        >>> [each.tolist() for each in rings.rows_of(keys)]
        [[1, 0], [2, 0]]
        >>> more = rings.append(np.array([0]), np.array([1]))
        >>> more.slots.tolist(), more.moved.tolist(), more.targets.tolist()
        ([6], [1, 0], [4, 5])
    """

    def __init__(self, least: int) -> None:
        self._blocks = Blocks(_KEY_BYTES, _KEY_BITS)
        self._least = least.bit_length()
        self._free = [np.empty(0, np.int64)] * _CLASSES
        self._left, self._used = np.zeros(_CLASSES, np.int64), np.zeros(1, np.int64)

    @property
    def slot_count(self) -> int:
        """How many slots of rows there are, free ones included."""
        return int(self._used[0])

    @property
    def size_bytes(self) -> int:
        """What they take."""
        return self._blocks.size_bytes + sum(starts.nbytes for starts in self._free)

    def reserve(self, keys: int) -> None:
        """Makes room for keys below a number; they have no rows."""
        self._blocks.reserve(keys)

    def rows_of(self, keys: Ints) -> tuple[Ints, Ints]:
        """Returns the rows of keys, one key after the other, each one's oldest first, and how many each has."""
        keys = np.ascontiguousarray(keys, np.int64)
        copies, sizes = np.empty(len(keys) * _KEY_BYTES, np.uint8), np.empty(len(keys), np.int64)
        asked = (address_of(keys), len(keys), self._blocks.layout[0])
        rows = np.empty(int(_heads(*asked, address_of(copies), address_of(sizes))), np.int64)
        _rows(address_of(copies), len(keys), address_of(rows))
        return rows, sizes

    def take(self, keys: Ints) -> tuple[Ints, Ints]:
        """Takes out the oldest row of a key each time that it is named; returns them, and who has none left."""
        keys = np.ascontiguousarray(keys, np.int64)
        rows, emptied = np.empty(len(keys), np.int64), np.empty(len(keys), np.int64)
        found = _take(address_of(keys), len(keys), self._blocks.layout[0], address_of(rows), address_of(emptied))
        return rows, emptied[:found]

    def append(self, keys: Ints, counts: Ints) -> Appended:
        """Puts rows behind those of keys, each of which stands once, so many of each."""
        keys, counts = np.ascontiguousarray(keys, np.int64), np.ascontiguousarray(counts, np.int64)
        asked = (address_of(keys), address_of(counts), len(keys), self._blocks.layout[0])
        moved, rows = np.empty(int(_moving(*asked)), np.int64), np.empty(int(counts.sum()), np.int64)
        targets, starts, kinds = np.empty_like(moved), np.empty_like(keys), np.empty_like(keys)
        free = np.array([address_of(starts) for starts in self._free], np.int64)
        spare = (address_of(free), address_of(self._left), address_of(self._used))
        found = (address_of(each) for each in (rows, moved, targets, starts, kinds))
        freed = int(_append(*asked, self._least, *spare, *found))
        if self._used[0] >= 1 << 32:
            raise MemoryError("rows by key have fewer than 2**32 slots")
        self._keep_free(starts[:freed], kinds[:freed])
        return Appended(rows, moved, targets)

    def release(self, keys: Ints) -> None:
        """Takes the rings of keys, with the rows that are left."""
        keys = np.ascontiguousarray(keys, np.int64)
        starts, kinds = np.empty_like(keys), np.empty_like(keys)
        released = (address_of(keys), len(keys), self._blocks.layout[0], address_of(starts), address_of(kinds))
        freed = int(_release(*released))
        self._keep_free(starts[:freed], kinds[:freed])

    def _keep_free(self, starts: Ints, kinds: Ints) -> None:
        for kind in np.flatnonzero(np.bincount(kinds)):
            own, left = starts[kinds == kind], int(self._left[kind])
            if left + len(own) > len(self._free[kind]):
                room = max(left + len(own), len(self._free[kind]) * 2)
                self._free[kind] = np.concatenate([self._free[kind][:left], np.empty(room - left, np.int64)])
            self._free[kind][left : left + len(own)] = own
            self._left[kind] += len(own)
