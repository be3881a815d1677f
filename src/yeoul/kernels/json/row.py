"""The general path: a row with its keys in any order, unknown ones and missing ones, any white space.

Keys are found by a hash of their length, first and last eight bytes, one table an object of the schema. Of a repeated
key the last value counts. While it reads a row it can record the row's layout for `layout.read_as`.
"""

from __future__ import annotations

import numpy as np

from yeoul.kernels.json.codes import (
    EMPTY,
    ENDS_EARLY,
    EXPECTED_COMMA,
    EXPECTED_KEY,
    JSON_NULL,
    NOT_OBJECT,
    TOP_LEVEL_ARRAY,
    TRAILING,
)
from yeoul.kernels.json.layout import HEADER_FROM, add_segments, begin_layout, end_layout, leaf_action
from yeoul.kernels.json.leaf import read_leaf
from yeoul.kernels.json.plain import OPEN_ROW, SKIP, read_plain
from yeoul.kernels.json.skip import NULL_WORD, skip_colon, skip_space
from yeoul.kernels.json.state import (
    CALL_LEAF_COUNT,
    CALL_LEAVES,
    CALL_NODES,
    CALL_SIDE,
    CALL_STACK,
    CALL_VIEW_BASE,
    LEAF_HIGH,
    LEAF_KIND,
    LEAF_LOW,
    LEAF_NULLS,
    LEAF_SLOTS,
    LEAF_SPAN,
    LEAF_WORDS,
    MAX_DEPTH,
    MISSING,
    PRESENT,
    ROW,
    fail,
    get,
    put,
    set_all_null,
)
from yeoul.kernels.json.strings import copy_string, scan_string
from yeoul.kernels.machine import (
    compiled,
    different_bytes,
    first_set,
    inlined,
    load_u8,
    load_u32,
    load_u64,
    shift_right,
    store_u8,
    string_ends,
    string_specials,
)

NODE_WORDS = 2
NODE_TABLE, NODE_BITS = range(NODE_WORDS)
KEY_WORDS = 4
KEY_ADDRESS, KEY_LENGTH, KEY_LEAF, KEY_HEAD = range(KEY_WORDS)
_HEAD_MASK = np.array([(1 << 8 * n) - 1 for n in range(8)] + [-1], np.int64)
_FACTOR = -7046029254386353131
_ROWS_STACK = MAX_DEPTH
"""Where in the call's stack the objects of the schema that are open begin; one byte for each."""


@inlined
def key_head(p, length):
    """Returns the first eight bytes of a key, zeros behind a shorter one."""
    return load_u64(p) & _HEAD_MASK[np.uint64(min(length, 8))]


@inlined
def key_hash(p, length, bits):
    """Returns the place of a key in a table of 2**bits; the key tables are built with this very function."""
    head = key_head(p, length)
    tail = load_u64(p + length - 8) if length > 8 else 0
    return shift_right((head * 31 + tail + (length << 56)) * _FACTOR, 64 - bits)


@compiled
def find_key(node, p, length):
    """Returns the leaf that a key names in an object of the schema, -1 if none."""
    bits = get(node, NODE_BITS)
    table = get(node, NODE_TABLE)
    head = key_head(p, length)
    place = key_hash(p, length, bits)
    while True:
        entry = table + place * (KEY_WORDS * 8)
        known = get(entry, KEY_LENGTH)
        if known < 0:
            return -1
        if known == length and get(entry, KEY_HEAD) == head and (length <= 8 or _same(entry, p, length)):
            return get(entry, KEY_LEAF)
        place = (place + 1) & ((1 << bits) - 1)


@compiled
def _same(entry, p, length):
    known = get(entry, KEY_ADDRESS)
    while length > 32:
        if different_bytes(known, p) != 0:
            return False
        known += 32
        p += 32
        length -= 32
    return different_bytes(known, p) & ((1 << length) - 1) == 0


@inlined
def _read_key(call, node, p, end):
    """Reads the key whose opening quote is at p; returns (address after its closing quote or -1, leaf or -1)."""
    ends = string_ends(p + 1)
    if ends != 0 and string_specials(p + 1) & (ends - 1) == 0:
        length = first_set(ends)
        return p + 2 + length, find_key(node, p + 1, length)
    return _read_odd_key(call, node, p, end)


@compiled
def _read_odd_key(call, node, p, end):
    quote, escapes = scan_string(p + 1, end, True)
    if quote < 0:
        return fail(call, -quote, escapes, -1), -1
    if escapes == 0:
        return quote + 1, find_key(node, p + 1, quote - p - 1)
    side = get(call, CALL_SIDE)
    quote, side_end = copy_string(p + 1, end, side)
    if quote < 0:
        return fail(call, -quote, side_end, -1), -1
    return quote + 1, find_key(node, side, side_end - side) if side_end else -1


@compiled
def _opening(call, p, end):
    """Returns the address of the brace that opens the row, or -1."""
    p = skip_space(p, end)
    if p >= end:
        return fail(call, EMPTY, p, -1)
    byte = load_u8(p)
    if byte == 123:
        return p
    code = TOP_LEVEL_ARRAY if byte == 91 else NOT_OBJECT
    if load_u32(p) == NULL_WORD and skip_space(p + 4, end) == end:
        code = JSON_NULL
    q = read_leaf(call, 0, -1, p, end, 0)
    if q < 0:
        return -1
    if skip_space(q, end) < end:
        return fail(call, TRAILING, q, -1)
    return fail(call, code, p, -1)


@compiled
def read_row(call, p, end, row, layout, capacity):
    """Reads the row from p to end, whatever its layout.

    Args:
        call: The call's table.
        p: The row's first byte.
        end: Its end.
        row: Where in the columns to write.
        layout: Where to record its layout; 0 for not at all.
        capacity: How many segments there is room for.

    Returns:
        0 if the row is bad (the fault is in the call's table), 1 if it was read, 2 if the layout was recorded, too.
    """
    leaves = get(call, CALL_LEAVES)
    set_all_null(call, leaves, get(call, CALL_LEAF_COUNT), row, MISSING)
    stack = get(call, CALL_STACK) + _ROWS_STACK
    nodes = get(call, CALL_NODES)
    node = nodes
    base = get(call, CALL_VIEW_BASE)
    depth = 0
    if layout:
        begin_layout(layout, capacity)
        put(layout, HEADER_FROM, p)
    p = _opening(call, p, end)
    if p < 0:
        return 0
    p += 1
    fresh = True
    while True:
        p = skip_space(p, end)
        if p >= end:
            fail(call, ENDS_EARLY, end, -1)
            return 0
        closes = fresh and load_u8(p) == 125
        if not closes:
            if load_u8(p) != 34:
                fail(call, EXPECTED_KEY, p, -1)
                return 0
            p, index = _read_key(call, node, p, end)
            if p < 0:
                return 0
            p = skip_colon(call, p, end)
            if p < 0:
                return 0
            p = skip_space(p, end)
            if p >= end:
                fail(call, ENDS_EARLY, end, -1)
                return 0
            leaf = leaves + index * (LEAF_WORDS * 8)
            if index >= 0 and get(leaf, LEAF_KIND) == ROW and load_u8(p) == 123:
                set_all_null(call, leaf, get(leaf, LEAF_SPAN) + 1, row, MISSING)
                store_u8(get(leaf, LEAF_NULLS) + row, PRESENT)
                store_u8(stack + depth, (node - nodes) // (NODE_WORDS * 8))
                depth += 1
                node = nodes + get(leaf, LEAF_LOW) * (NODE_WORDS * 8)
                p += 1
                fresh = True
                if layout:
                    add_segments(layout, get(layout, HEADER_FROM), p, OPEN_ROW, leaf, index)
                    put(layout, HEADER_FROM, p)
                continue
            start = p
            does = SKIP
            if index < 0:
                leaf = 0
            else:
                does = leaf_action(leaf)
                p = read_plain(does, get(leaf, LEAF_SLOTS), get(leaf, LEAF_LOW), get(leaf, LEAF_HIGH), base, p, row)
            if index >= 0 and p != 0:
                store_u8(get(leaf, LEAF_NULLS) + row, PRESENT)
            else:
                p = read_leaf(call, leaf, index, start, end, row)
            if p < 0:
                return 0
            if layout:
                add_segments(layout, get(layout, HEADER_FROM), start, does, leaf, index)
                put(layout, HEADER_FROM, p)
        while True:
            p = skip_space(p, end)
            if p >= end:
                fail(call, ENDS_EARLY, end, -1)
                return 0
            byte = load_u8(p)
            if byte == 44 and not closes:
                p += 1
                fresh = False
                break
            if byte != 125:
                fail(call, EXPECTED_COMMA, p, -1)
                return 0
            p += 1
            closes = False
            if depth == 0:
                if skip_space(p, end) != end:
                    fail(call, TRAILING, p, -1)
                    return 0
                if layout and end_layout(call, layout, get(layout, HEADER_FROM), end):
                    return 2
                return 1
            depth -= 1
            node = nodes + load_u8(stack + depth) * (NODE_WORDS * 8)
