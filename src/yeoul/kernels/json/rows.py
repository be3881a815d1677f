"""All rows of a buffer: which path each takes, what becomes of bad ones, which layouts are kept.

A handful of layouts is kept for the length of a call. While rows keep missing them, as with keys in random order,
layouts rest for a while: the general path alone is quicker than guessing in vain.
"""

from __future__ import annotations

from yeoul.kernels.compilation import kernel
from yeoul.kernels.json.codes import EMPTY, JSON_NULL
from yeoul.kernels.json.layout import HEADER_BYTES, HEADER_COUNT, SEGMENT_BYTES, read_as
from yeoul.kernels.json.row import read_row
from yeoul.kernels.json.state import (
    CALL_BAD_FIELDS,
    CALL_CODE,
    CALL_IGNORE,
    CALL_LEAF,
    CALL_MARKED,
    CALL_SIDE,
    CALL_VIEW_BASE,
    CALL_WHERE,
    clear_marks,
    get,
    put,
)
from yeoul.kernels.machine import SLACK_BYTES, inlined, load_u8, load_u64, store_u8

LAYOUTS = 4
_TOO_MANY_MISSES = 24
_LONGEST_REST = 1024
DEAD_WORDS = 4


@kernel("UniTuple(int64, 2)(int64, int64, int64, int64)")
def measure(offsets, lengths, count, size):
    """Checks that records lie inside a buffer of `size` bytes.

    Returns:
        (bytes of all records or -1 if one lies outside, the longest of those that end too near to the buffer's end)
    """
    total = 0
    longest = 0
    for index in range(count):
        length = load_u64(lengths + index * 8)
        if length <= 0:
            continue
        start = load_u64(offsets + index * 8)
        if start < 0 or length > size or start > size - length:
            return -1, 0
        total += length
        if start + length > size - SLACK_BYTES and length > longest:
            longest = length
    return total, longest


@inlined
def _try_layouts(call, layouts, stride, known, current, p, end, row):
    """Returns the layout that the row has, -1 if none that is known."""
    side = get(call, CALL_SIDE)
    bad_fields = get(call, CALL_BAD_FIELDS)
    for turn in range(known):
        which = current if turn == 0 else (turn - 1 if turn <= current else turn)
        layout = layouts + which * stride
        if get(layout, HEADER_COUNT) <= 0:
            continue
        if read_as(call, layout, p, end, row):
            return which
        put(call, CALL_SIDE, side)
        put(call, CALL_BAD_FIELDS, bad_fields)
        if get(call, CALL_MARKED):
            clear_marks(call, row)
    return -1


@kernel("UniTuple(int64, 3)(" + ", ".join(["int64"] * 11) + ")")
def read_rows(call, data, size, offsets, lengths, count, scratch, layouts, capacity, records, dead):
    """Reads all records of a buffer.

    Args:
        call: The call's table.
        data: Address of the buffer.
        size: Its bytes.
        offsets: Address of the records' offsets.
        lengths: Address of their lengths, -1 for none.
        count: How many records there are.
        scratch: Address of room for the longest record near the buffer's end, and slack.
        layouts: Address of room for LAYOUTS layouts.
        capacity: Segments that each has room for.
        records: Address of int64 words: the record of each row read.
        dead: Address of DEAD_WORDS words a record: index, code, leaf, place in the record.

    Returns:
        (rows read, dead records, records skipped)
    """
    stride = HEADER_BYTES + capacity * SEGMENT_BYTES
    known, current, next_slot = 0, 0, 0
    misses, rest, resting = 0, 16, 0
    row, dead_count, skipped = 0, 0, 0
    for index in range(count):
        length = load_u64(lengths + index * 8)
        if length < 0:
            skipped += 1
            continue
        offset = load_u64(offsets + index * 8)
        p = data + offset
        base = data
        if offset + length > size - SLACK_BYTES:
            for byte in range(length):
                store_u8(scratch + byte, load_u8(p + byte))
            base = scratch - offset
            p = scratch
        put(call, CALL_VIEW_BASE, base)
        end = p + length
        found = -1
        if resting > 0:
            resting -= 1
        else:
            found = _try_layouts(call, layouts, stride, known, current, p, end, row)
        if found >= 0:
            current = found
            misses = max(0, misses - 1)
            rest = 16 if misses == 0 else rest
        else:
            layout = 0 if resting else layouts + next_slot * stride
            side = get(call, CALL_SIDE)
            bad_fields = get(call, CALL_BAD_FIELDS)
            outcome = read_row(call, p, end, row, layout, capacity)
            if not resting:
                misses += 1
                if misses > _TOO_MANY_MISSES:
                    resting = rest
                    rest = min(rest * 2, _LONGEST_REST)
            if outcome == 2:
                current = next_slot
                known = max(known, next_slot + 1)
                next_slot = (next_slot + 1) % LAYOUTS
            elif layout:
                put(layout, HEADER_COUNT, 0)
            if outcome == 0:
                put(call, CALL_SIDE, side)
                put(call, CALL_BAD_FIELDS, bad_fields)
                clear_marks(call, row)
                code = get(call, CALL_CODE)
                if code == EMPTY or (code == JSON_NULL and get(call, CALL_IGNORE)):
                    skipped += 1
                    continue
                entry = dead + dead_count * (DEAD_WORDS * 8)
                put(entry, 0, index)
                put(entry, 1, code)
                put(entry, 2, get(call, CALL_LEAF))
                put(entry, 3, get(call, CALL_WHERE) - p)
                dead_count += 1
                continue
        put(records, row, index)
        row += 1
    return row, dead_count, skipped
