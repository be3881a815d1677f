"""The fast path: a row that is laid out as an earlier one was.

A layout is a list of segments. Each holds up to 32 bytes that must stand there next (`,"action":`, whatever white space
the producer puts included), compared in one go, and what to do with the value behind them. The bytes of a layout come
from a row that the other path accepted, so where they match nothing about keys, colons and braces is left to prove;
values are proved as they are read. What a layout forgives: a value that is null or not as plain as hoped, and fields
left out between two others. Anything else is for `row.read_row`, which also records new layouts.
"""

from __future__ import annotations

from yeoul.kernels.json.leaf import read_leaf
from yeoul.kernels.json.plain import (
    END,
    GO_ON,
    LEFT_OUT,
    NULL_ROW,
    OPEN_ROW,
    READ_DOUBLE,
    READ_INTEGER,
    READ_OTHER,
    READ_STRING,
    SKIP,
    plain_string_end,
    read_plain,
)
from yeoul.kernels.json.skip import NULL_WORD
from yeoul.kernels.json.state import (
    CALL_LEAF_COUNT,
    CALL_LEAVES,
    CALL_VIEW_BASE,
    DOUBLE,
    INTEGER,
    LEAF_HIGH,
    LEAF_KIND,
    LEAF_LOW,
    LEAF_SLOT_BYTES,
    LEAF_SLOTS,
    LEAF_SPAN,
    LEAF_WORDS,
    MISSING,
    NULL,
    ROW,
    STRING,
    get,
    put,
    set_all_null,
)
from yeoul.kernels.machine import (
    compiled,
    different_bytes,
    inlined,
    load_u8,
    load_u32,
    load_u64,
    store_u64,
)

SEGMENT_BYTES = 128
LITERAL_BYTES = 32
HEADER_BYTES = 64
HEADER_COUNT, HEADER_CAPACITY, HEADER_FROM = range(3)
(
    SEGMENT_MASK,
    SEGMENT_LENGTH,
    SEGMENT_DOES,
    SEGMENT_LEAF,
    SEGMENT_INDEX,
    SEGMENT_SLOTS,
    SEGMENT_LOW,
    SEGMENT_HIGH,
    SEGMENT_OPTIONAL,
    SEGMENT_FIRST_BYTE,
) = range(4, 14)


@inlined
def _matches(segment, p):
    return different_bytes(p, segment) & get(segment, SEGMENT_MASK) == 0


@compiled
def _after_missing(call, layout, segment, p, row):
    """Finds the next segment whose bytes stand at p, when those between may be left out: nulls their columns.

    Returns:
        The segment, or 0 when the row has another layout.
    """
    last = layout + HEADER_BYTES + get(layout, HEADER_COUNT) * SEGMENT_BYTES
    first = segment
    while segment < last and get(segment, SEGMENT_OPTIONAL):
        segment += SEGMENT_BYTES
        if segment < last and _matches(segment, p):
            while first < segment:
                leaf = get(first, SEGMENT_LEAF)
                if leaf != 0:
                    set_all_null(call, leaf, get(leaf, LEAF_SPAN) + 1, row, MISSING)
                first += SEGMENT_BYTES
            return segment
    return 0


@compiled
def read_as(call, layout, p, end, row):
    """Reads the row from p to end if it has this layout.

    Returns:
        True when it had and every column was written; False leaves the row's slots and marks undefined.
    """
    base = get(call, CALL_VIEW_BASE)
    segment = layout + HEADER_BYTES
    while True:
        if not _matches(segment, p):
            segment = _after_missing(call, layout, segment, p, row)
            if segment == 0:
                return False
        p += get(segment, SEGMENT_LENGTH)
        does = get(segment, SEGMENT_DOES)
        slots = get(segment, SEGMENT_SLOTS)
        q = read_plain(does, slots, get(segment, SEGMENT_LOW), get(segment, SEGMENT_HIGH), base, p, row)
        if q != 0:
            pass
        elif does == SKIP:
            q = plain_string_end(p)
            q = q + 1 if q != 0 else read_leaf(call, 0, -1, p, end, row)
            if q < 0:
                return False
        elif does == NULL_ROW:
            if load_u32(p) != NULL_WORD:
                return False
            leaf = get(segment, SEGMENT_LEAF)
            set_all_null(call, leaf, get(leaf, LEAF_SPAN) + 1, row, NULL)
            q = p + 4
        elif does == GO_ON or does == OPEN_ROW:
            q = p
        elif does == LEFT_OUT:
            leaf = get(segment, SEGMENT_LEAF)
            set_all_null(call, leaf, get(leaf, LEAF_SPAN) + 1, row, MISSING)
            q = p
        elif does == END:
            return p == end
        if q == 0:
            if p >= end or load_u8(p) <= 32:
                return False
            q = read_leaf(call, get(segment, SEGMENT_LEAF), get(segment, SEGMENT_INDEX), p, end, row)
            if q < 0:
                return False
        p = q
        if p > end:
            return False
        segment += SEGMENT_BYTES


@compiled
def begin_layout(layout, capacity):
    """Makes a layout empty, ready to be recorded."""
    put(layout, HEADER_COUNT, 0)
    put(layout, HEADER_CAPACITY, capacity)


@compiled
def add_segments(layout, start, stop, does, leaf, index):
    """Records the bytes from start to stop and the value behind them; a layout that cannot hold them becomes void."""
    count = get(layout, HEADER_COUNT)
    if count < 0:
        return
    if leaf != 0:
        for other in range(count):
            if get(layout + HEADER_BYTES + other * SEGMENT_BYTES, SEGMENT_LEAF) == leaf:
                put(layout, HEADER_COUNT, -1)
                return
    optional = load_u8(start) == 44 and does != OPEN_ROW and stop - start <= LITERAL_BYTES and does != END
    while True:
        if count == get(layout, HEADER_CAPACITY):
            put(layout, HEADER_COUNT, -1)
            return
        length = min(stop - start, LITERAL_BYTES)
        last = start + length == stop
        segment = layout + HEADER_BYTES + count * SEGMENT_BYTES
        for word in range(4):
            store_u64(segment + word * 8, load_u64(start + word * 8))
        put(segment, SEGMENT_MASK, (1 << length) - 1)
        put(segment, SEGMENT_LENGTH, length)
        put(segment, SEGMENT_DOES, does if last else GO_ON)
        put(segment, SEGMENT_OPTIONAL, optional)
        put(segment, SEGMENT_LEAF, leaf if last else 0)
        put(segment, SEGMENT_INDEX, index)
        if leaf != 0:
            put(segment, SEGMENT_SLOTS, get(leaf, LEAF_SLOTS))
            put(segment, SEGMENT_LOW, get(leaf, LEAF_LOW))
            put(segment, SEGMENT_HIGH, get(leaf, LEAF_HIGH))
        count += 1
        start += length
        if last:
            break
    put(layout, HEADER_COUNT, count)


@compiled
def leaf_action(leaf):
    """Returns what a layout does with a value of this column."""
    kind = get(leaf, LEAF_KIND)
    if kind == STRING:
        return READ_STRING
    if kind == INTEGER and get(leaf, LEAF_SLOT_BYTES) == 8:
        return READ_INTEGER
    if kind == DOUBLE:
        return READ_DOUBLE
    return NULL_ROW if kind == ROW else READ_OTHER


@compiled
def end_layout(call, layout, start, stop):
    """Records the end of a row, and that the columns the row did not have are null; returns whether it can be used."""
    leaves = get(call, CALL_LEAVES)
    index = 0
    while index < get(call, CALL_LEAF_COUNT):
        leaf = leaves + index * (LEAF_WORDS * 8)
        does = -1
        for other in range(get(layout, HEADER_COUNT)):
            segment = layout + HEADER_BYTES + other * SEGMENT_BYTES
            if get(segment, SEGMENT_LEAF) == leaf:
                does = get(segment, SEGMENT_DOES)
        if does == -1:
            add_segments(layout, start, start, LEFT_OUT, leaf, index)
        if does == -1 or does == NULL_ROW:
            index += get(leaf, LEAF_SPAN)
        index += 1
    add_segments(layout, start, stop, END, 0, -1)
    return get(layout, HEADER_COUNT) > 0
