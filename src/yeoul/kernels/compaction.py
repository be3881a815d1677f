"""Log compaction: the newest offset of every key, which records to keep, and copying those.

The map is a table of slots of three words: a fingerprint of 128 bits and the offset, -1 where a slot is free. Keys
themselves are not kept: two keys with one fingerprint would be taken for the same, so the fingerprint is keyed with
secrets of the run, and nobody can write keys that collide. Whoever calls keeps the table at most three quarters full.

All records have been decoded before (`records.decode_batches`), so places are trusted here.
"""

from __future__ import annotations

import secrets
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import (
    compiled,
    copy_bytes,
    inlined,
    load_u8,
    load_u64,
    multiply_high,
    store_u8,
    store_u64,
)
from yeoul.kernels.records import RecordColumns, _read_varint, _varint_bytes, _write_varint

__all__ = ["DROP", "EXPIRED", "JUDGE", "SLOT_BYTES", "KeyTable", "filter_section"]

SLOT_BYTES: Final = 24
DROP, JUDGE, EXPIRED = range(3)
"""What is to be done with a record: leave it out; keep it if it is its key's last; the same, but for tombstones."""


@inlined
def _mix(left, right):
    return (left * right) ^ multiply_high(left, right)


@compiled
def _little_word(p, count):
    word = 0
    for byte in range(count):
        word |= load_u8(p + byte) << (8 * byte)
    return word


@compiled
def _fingerprint(p, length, secret):
    """Returns 128 bits of a key as two words."""
    k0, k1, k2, k3 = load_u64(secret), load_u64(secret + 8), load_u64(secret + 16), load_u64(secret + 24)
    first, second = k2 ^ length, k3 ^ length
    left = length
    while left >= 16:
        low, high = load_u64(p), load_u64(p + 8)
        first = _mix(low ^ k0, high ^ first)
        second = _mix(high ^ k1, low ^ second)
        p += 16
        left -= 16
    low = _little_word(p, min(left, 8))
    high = _little_word(p + 8, max(left - 8, 0))
    first = _mix(low ^ k0, high ^ first)
    second = _mix(high ^ k1, low ^ second)
    return _mix(first ^ k3, k0), _mix(second ^ k2, k1)


@compiled
def _find(table, mask, first, second):
    """Returns the address of a key's slot, or of the free one where it would be."""
    slot = first & mask
    while True:
        entry = table + slot * 24
        if load_u64(entry + 16) < 0:
            return entry
        if load_u64(entry) == first and load_u64(entry + 8) == second:
            return entry
        slot = (slot + 1) & mask


@kernel("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def _note(data, starts, lengths, offsets, actions, count, secret, table, mask):
    """Notes the offset of each key; returns how many keys are new."""
    added = 0
    for index in range(count):
        length = load_u64(lengths + index * 8)
        if length < 0 or load_u8(actions + index) == 0:
            continue
        first, second = _fingerprint(data + load_u64(starts + index * 8), length, secret)
        entry = _find(table, mask, first, second)
        held = load_u64(entry + 16)
        offset = load_u64(offsets + index * 8)
        if held < 0:
            store_u64(entry, first)
            store_u64(entry + 8, second)
            added += 1
        if offset > held:
            store_u64(entry + 16, offset)
    return added


@kernel("void(int64, int64, int64, int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def _judge(data, starts, lengths, offsets, values, actions, count, secret, table, mask, last_offset, keep):
    """Writes one byte a record: whether it stays."""
    for index in range(count):
        action = load_u8(actions + index)
        stays = 0
        if action != 0:
            offset = load_u64(offsets + index * 8)
            length = load_u64(lengths + index * 8)
            if offset > last_offset:
                stays = 1
            elif length >= 0 and (action == 1 or load_u64(values + index * 8) >= 0):
                first, second = _fingerprint(data + load_u64(starts + index * 8), length, secret)
                if offset >= load_u64(_find(table, mask, first, second) + 16):
                    stays = 1
        store_u8(keep + index, stays)


@kernel("int64(int64, int64, int64, int64, int64)")
def _filter(p, keep, count, shift, out):
    """Copies the records that stay, `shift` taken from their timestamp deltas; returns the bytes written."""
    q = out
    for index in range(count):
        body, length = _read_varint(p, p + 10)
        end = body + length
        if load_u8(keep + index) != 0:
            if shift == 0:
                copy_bytes(q, p, end - p)
                q += end - p
            else:
                rest, delta = _read_varint(body + 1, end)
                delta -= shift
                zigzag = (delta << 1) ^ (delta >> 63)
                # A delta of ten bytes has its top bit set, so counting stops early for none.
                width = 10 if zigzag < 0 else _varint_bytes(zigzag >> 1)
                q = _write_varint(q, 1 + width + end - rest)
                store_u8(q, load_u8(body))
                q = _write_varint(q + 1, delta)
                copy_bytes(q, rest, end - rest)
                q += end - rest
        p = end
    return q - out


class KeyTable:
    """The newest offset of every key, in bounded memory.

    Args:
        key_count: How many keys it must take; the memory is 32 to 64 bytes for each.
    """

    __slots__ = ("_mask", "_secret", "_slots", "capacity", "count")

    def __init__(self, key_count: int) -> None:
        slots = 1 << max(4, (key_count * 4 // 3).bit_length())
        self._slots = np.full((slots, 3), -1, np.int64)
        self._mask = slots - 1
        self._secret = np.frombuffer(secrets.token_bytes(32), np.int64)
        self.capacity = slots * 3 // 4
        self.count = 0

    @staticmethod
    def key_count_in(size_bytes: int) -> int:
        """Returns how many keys a table of at most that size takes.

        Example:
            >>> KeyTable.key_count_in(24 * 1024)
            767
        """
        slots = 1 << max(4, (size_bytes // SLOT_BYTES).bit_length() - 1)
        return slots * 3 // 4 - 1

    def note(self, data: NDArray[np.uint8], records: RecordColumns, actions: NDArray[np.uint8]) -> None:
        """Takes in the keys of the records whose action is not `DROP`; there must be room for all of them."""
        if self.count + len(records) > self.capacity:
            raise ValueError(f"{len(records)} keys beyond the {self.count} of {self.capacity}")
        held = [np.ascontiguousarray(column) for column in (records.key_starts, records.key_lengths, records.offsets)]
        self.count += _note(
            data.ctypes.data,
            *(column.ctypes.data for column in held),
            actions.ctypes.data,
            len(records),
            self._secret.ctypes.data,
            self._slots.ctypes.data,
            self._mask,
        )

    def judge(
        self, data: NDArray[np.uint8], records: RecordColumns, actions: NDArray[np.uint8], last_offset: int
    ) -> NDArray[np.uint8]:
        """Returns 1 for each record that stays; beyond `last_offset` all do whose action is not `DROP`."""
        keep = np.empty(len(records), np.uint8)
        columns = (records.key_starts, records.key_lengths, records.offsets, records.value_lengths)
        held = [np.ascontiguousarray(column) for column in columns]
        _judge(
            data.ctypes.data,
            *(column.ctypes.data for column in held),
            actions.ctypes.data,
            len(records),
            self._secret.ctypes.data,
            self._slots.ctypes.data,
            self._mask,
            last_offset,
            keep.ctypes.data,
        )
        return keep


def filter_section(section: NDArray[np.uint8], keep: NDArray[np.uint8], shift_ms: int = 0) -> NDArray[np.uint8]:
    """Returns the records of a section that stay, unchanged but for their timestamp deltas.

    Args:
        section: What stands behind a batch's header, uncompressed; decoded before, so known to be whole.
        keep: One byte a record.
        shift_ms: By how much the batch's base timestamp grows.
    """
    # A changed delta makes a record longer by up to 9 bytes, and its length by up to 4.
    out = np.empty(len(section) + 13 * len(keep), np.uint8)
    section, keep = np.ascontiguousarray(section), np.ascontiguousarray(keep)
    written = _filter(section.ctypes.data, keep.ctypes.data, len(keep), shift_ms, out.ctypes.data)
    return out[:written]
