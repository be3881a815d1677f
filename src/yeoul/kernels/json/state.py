"""The tables that the compiled functions of this package share, laid out as int64 words in memory.

A table is a NumPy array on the Python side and an address plus a word number on the compiled side. `LEAF_*` describe
one column to read (or one ROW around columns), `CALL_*` the call under way.
"""

from __future__ import annotations

from yeoul.kernels.machine import compiled, inlined, load_u64, store_u8, store_u64

STRING, INTEGER, DOUBLE, BOOLEAN, DECIMAL, TIMESTAMP, DATE, TIME, BYTES, JSON_TEXT, ROW = range(11)
"""Kinds of leaves."""

LEAF_WORDS = 8
LEAF_KIND, LEAF_SLOTS, LEAF_NULLS, LEAF_LOW, LEAF_HIGH, LEAF_SLOT_BYTES, LEAF_SPAN, LEAF_CUTS = range(8)
"""Kind; address of the values; address of the null marks; bounds (or precision and scale; or precision and whether it
ends in Z); bytes of a slot; how many leaves lie inside this ROW; whether a fraction may be cut."""

CALL_WORDS = 16
(
    CALL_VIEW_BASE,
    CALL_SIDE_BASE,
    CALL_SIDE,
    CALL_CODE,
    CALL_WHERE,
    CALL_LEAF,
    CALL_STACK,
    CALL_IGNORE,
    CALL_STYLE,
    CALL_MARKED,
    CALL_HARD,
    CALL_BAD_FIELDS,
    CALL_LEAVES,
    CALL_LEAF_COUNT,
    CALL_NODES,
    CALL_READER,
) = range(16)
"""What view offsets count from; the side buffer and the next free byte in it; the fault found: code, address, leaf; the
stack for nested values; whether a bad field becomes null; timestamp style; whether any null mark was set; whether any
value waits for Python; fields that became null because they were bad; the tables; address of
`leaf.leaf_reader`."""

PRESENT, NULL, WAITING, MISSING = 0, 1, 2, 3
"""Null marks: a value; null; a value that Python has to settle (its slot says where the text lies); no such key."""

IN_SIDE_BUFFER = -1 << 63
MAX_DEPTH = 1000


@inlined
def get(table, word):
    """Returns a word of a table."""
    return load_u64(table + (word << 3))


@inlined
def put(table, word, value):
    """Writes a word of a table."""
    store_u64(table + (word << 3), value)


@compiled
def fail(call, code, where, leaf):
    """Notes what is wrong and returns -1."""
    put(call, CALL_CODE, code)
    put(call, CALL_WHERE, where)
    put(call, CALL_LEAF, leaf)
    return -1


@inlined
def set_null(call, leaf, row, mark):
    """Makes a leaf null in a row; its slot becomes zero, which for a view is the empty string."""
    size = get(leaf, LEAF_SLOT_BYTES)
    slot = get(leaf, LEAF_SLOTS) + row * size
    if size >= 8:
        store_u64(slot, 0)
        if size == 16:
            store_u64(slot + 8, 0)
    elif size == 1:
        store_u8(slot, 0)
    store_u8(get(leaf, LEAF_NULLS) + row, mark)
    put(call, CALL_MARKED, 1)


@compiled
def set_all_null(call, first, count, row, mark):
    """Makes `count` leaves null, from the one at address `first`; the mark says why."""
    for index in range(count):
        set_null(call, first + index * (LEAF_WORDS * 8), row, mark)


@compiled
def clear_marks(call, row):
    """Takes a row's null marks back, for another attempt at the row or for the next one."""
    leaves = get(call, CALL_LEAVES)
    for index in range(get(call, CALL_LEAF_COUNT)):
        store_u8(get(leaves + index * (LEAF_WORDS * 8), LEAF_NULLS) + row, PRESENT)
