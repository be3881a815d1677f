"""From fingerprints to slots: an open-addressing index, the way into keyed state.

A slot is a small number that a key keeps for as long as it lives; accumulators stand by slot. The table holds one word
a place: 0 for never used, -1 for a place whose key is gone, else the upper half of the low lane as a tag, and slot + 1.
Whole fingerprints stand by slot, in `Blocks`, so a probe that misses by its tag touches nothing else. A freed slot is
given to a later key. The table grows, and forgets the places of gone keys, before seven tenths of it are taken.

With many keys every probe misses the caches, so loops ask for what they need some rows ahead: first the place in the
table, then the fingerprint that its entry points to. A key's place is the top of its low lane, which the tag holds too:
growing reads the old table from front to back, writes the new one from front to back, and looks at nothing else.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.blocks import Blocks
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import inlined, load_u32, load_u64, prefetch, shift_right, store_u8, store_u64
from yeoul.kernels.row_blocks import gather_rows, row_at

__all__ = ["KeyIndex"]

_LEAST_BITS = 10
_GONE = -1
_FILL_PERCENT = 70
_PRINT_BYTES = 16
_PRINT_BITS = 20
_AHEAD = 16
"""How many rows ahead of the probe the table is asked for; the fingerprint half as many."""


@inlined
def _entry(low, slot):
    return (shift_right(low, 32) << 32) | (slot + 1)


@inlined
def _print_at(prints, slot):
    """Returns where the fingerprint of a slot stands."""
    return row_at(prints, _PRINT_BITS, _PRINT_BYTES, slot)


@inlined
def _ask(table, shift, prints, lows, row, count):
    """Asks for the place of a row further on, and for the fingerprint of one not so far."""
    if row + _AHEAD < count:
        prefetch(table + shift_right(load_u64(lows + (row + _AHEAD) * 8), shift) * 8)
        near = load_u32(table + shift_right(load_u64(lows + (row + _AHEAD // 2) * 8), shift) * 8)
        if near != 0 and near != _GONE & 0xFFFFFFFF:
            prefetch(_print_at(prints, near - 1))


@inlined
def _find(table, shift, prints, low, high):
    """Returns the place of a key, or -1 - the place where it would go."""
    mask = shift_right(-1, shift)
    tag = shift_right(low, 32)
    place = shift_right(low, shift)
    free = -1
    while True:
        entry = load_u64(table + place * 8)
        if entry == 0:
            return -1 - (place if free < 0 else free)
        if entry == _GONE:
            if free < 0:
                free = place
        elif shift_right(entry, 32) == tag:
            at = _print_at(prints, (entry & 0xFFFFFFFF) - 1)
            if load_u64(at) == low and load_u64(at + 8) == high:
                return place
        place = (place + 1) & mask


@kernel("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def _upsert(table, shift, prints, low, high, count, slots, is_new, free, counts):
    """Writes each key's slot, giving one to new keys; `counts` is slots in use from the start, free ones, places."""
    used, free_count, places = load_u64(counts), load_u64(counts + 8), load_u64(counts + 16)
    for row in range(count):
        _ask(table, shift, prints, low, row, count)
        first, second = load_u64(low + row * 8), load_u64(high + row * 8)
        place = _find(table, shift, prints, first, second)
        if place >= 0:
            store_u64(slots + row * 8, load_u32(table + place * 8) - 1)
            store_u8(is_new + row, 0)
            continue
        place = -1 - place
        if free_count > 0:
            free_count -= 1
            slot = load_u64(free + free_count * 8)
        else:
            slot = used
            used += 1
        places += load_u64(table + place * 8) == 0
        store_u64(table + place * 8, _entry(first, slot))
        at = _print_at(prints, slot)
        store_u64(at, first)
        store_u64(at + 8, second)
        store_u64(slots + row * 8, slot)
        store_u8(is_new + row, 1)
    store_u64(counts, used)
    store_u64(counts + 8, free_count)
    store_u64(counts + 16, places)
    return 0


@kernel("int64(int64, int64, int64, int64, int64, int64, int64)")
def _look_up(table, shift, prints, low, high, count, slots):
    """Writes each key's slot, -1 where it has none; returns how many have one."""
    found = 0
    for row in range(count):
        _ask(table, shift, prints, low, row, count)
        place = _find(table, shift, prints, load_u64(low + row * 8), load_u64(high + row * 8))
        if place >= 0:
            found += 1
            store_u64(slots + row * 8, load_u32(table + place * 8) - 1)
        else:
            store_u64(slots + row * 8, -1)
    return found


@kernel("int64(int64, int64, int64, int64, int64, int64)")
def _remove(table, shift, prints, slots, count, free):
    """Takes the keys of slots out and puts the slots behind the free ones; returns how many there were."""
    removed = 0
    for row in range(count):
        slot = load_u64(slots + row * 8)
        at = _print_at(prints, slot)
        place = _find(table, shift, prints, load_u64(at), load_u64(at + 8))
        if place >= 0 and load_u32(table + place * 8) - 1 == slot:
            store_u64(table + place * 8, _GONE)
            store_u64(free + removed * 8, slot)
            removed += 1
    return removed


@kernel("int64(int64, int64, int64, int64)")
def _rebuild(old, old_places, table, shift):
    """Puts every living key of a table into a new one; returns how many there are."""
    mask = shift_right(-1, shift)
    living = 0
    for at in range(old_places):
        entry = load_u64(old + at * 8)
        if entry == 0 or entry == _GONE:
            continue
        place = shift_right(entry, shift)
        while load_u64(table + place * 8) != 0:
            place = (place + 1) & mask
        store_u64(table + place * 8, entry)
        living += 1
    return living


class KeyIndex:
    """Slots by fingerprint.

    Example:
        >>> index = KeyIndex()
        >>> slots, is_new = index.upsert(np.array([7, 8, 7]), np.array([1, 1, 1]))
        >>> slots.tolist(), is_new.tolist()
        ([0, 1, 0], [True, True, False])
        >>> index.remove(np.array([0]))
        >>> index.find(np.array([7, 8]), np.array([1, 1])).tolist(), len(index)
        ([-1, 1], 1)
    """

    def __init__(self) -> None:
        self._bits = _LEAST_BITS
        self._table = np.zeros(1 << _LEAST_BITS, np.int64)
        self._prints = Blocks(_PRINT_BYTES, _PRINT_BITS)
        self._free = np.empty(1 << _LEAST_BITS, np.int64)
        self._counts = np.zeros(3, np.int64)

    def __len__(self) -> int:
        return int(self._counts[0] - self._counts[1])

    @property
    def slot_count(self) -> int:
        """How many slots there are, free ones included: every slot is below it."""
        return int(self._counts[0])

    @property
    def size_bytes(self) -> int:
        """What the arrays take."""
        return self._table.nbytes + self._prints.size_bytes + self._free.nbytes

    def upsert(self, low: NDArray[np.int64], high: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Returns each key's slot, and whether the key was not there before; equal keys may repeat."""
        count = len(low)
        self._make_room(count)
        slots, is_new = np.empty(count, np.int64), np.empty(count, np.bool_)
        given = [np.ascontiguousarray(array, np.int64) for array in (low, high)]
        _upsert(
            *self._addresses(),
            address_of(given[0]),
            address_of(given[1]),
            count,
            address_of(slots),
            address_of(is_new),
            address_of(self._free),
            address_of(self._counts),
        )
        return slots, is_new

    def find(self, low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns each key's slot, -1 where it has none."""
        slots = np.empty(len(low), np.int64)
        given = [np.ascontiguousarray(array, np.int64) for array in (low, high)]
        _look_up(*self._addresses(), address_of(given[0]), address_of(given[1]), len(low), address_of(slots))
        return slots

    def remove(self, slots: NDArray[np.int64]) -> None:
        """Forgets the keys of slots that are in use; the slots are given to later keys."""
        slots = np.ascontiguousarray(slots, np.int64)
        behind = int(self._counts[1])
        self._free = _with_room(self._free, behind + len(slots))
        removed = _remove(*self._addresses(), address_of(slots), len(slots), address_of(self._free) + behind * 8)
        self._counts[1] += removed

    def living(self) -> NDArray[np.int64]:
        """Returns the slots in use, ascending."""
        in_use = np.ones(self.slot_count, np.bool_)
        in_use[self._free[: self._counts[1]]] = False
        return np.flatnonzero(in_use)

    def fingerprints(self, slots: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns the two lanes of slots in use."""
        low, high = np.empty(len(slots), np.int64), np.empty(len(slots), np.int64)
        fields = [(at, 8, address_of(lane), 0, 0) for at, lane in ((0, low), (8, high))]
        gather_rows(self._prints.layout, np.ascontiguousarray(slots, np.int64), np.array(fields, np.int64))
        return low, high

    def _addresses(self) -> tuple[int, int, int]:
        return address_of(self._table), 64 - self._bits, self._prints.layout[0]

    def _make_room(self, count: int) -> None:
        used, free, places = (int(each) for each in self._counts)
        needed = used + max(0, count - free)
        if needed >= 1 << 31:
            raise MemoryError("a keyed state holds fewer than 2**31 keys")
        self._prints.reserve(needed)
        if (places + count) * 100 > len(self._table) * _FILL_PERCENT:
            self._rebuild(len(self) + count)

    def _rebuild(self, keys: int) -> None:
        self._bits = _LEAST_BITS
        while keys * 100 * 4 > (1 << self._bits) * _FILL_PERCENT * 3:
            self._bits += 1
        old, self._table = self._table, np.zeros(1 << self._bits, np.int64)
        self._counts[2] = _rebuild(address_of(old), len(old), address_of(self._table), 64 - self._bits)


def _with_room(array: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Returns an array of at least `size`, half as long again if it has to grow."""
    if size <= len(array):
        return array
    grown = np.empty(max(size, len(array) * 3 // 2), np.int64)
    grown[: len(array)] = array
    return grown
