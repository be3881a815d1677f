"""The plain values that most data consists of, read inline by both paths.

Plain is: a string of less than 32 ASCII bytes without escapes, an integer of up to 18 digits, a number of up to 7
digits on either side of the point. Whatever is not plain is left to `leaf.leaf_reader`, so nothing here reports
faults.
"""

from __future__ import annotations

import numpy as np

from yeoul.kernels.json.numbers import EXACT_DIGITS, FLOAT_POWERS, MAX_DIGITS, POWERS, digit_block
from yeoul.kernels.json.strings import write_view
from yeoul.kernels.machine import (
    first_set,
    inlined,
    load_u8,
    store_f64,
    store_u64,
    string_ends,
    string_specials,
)

GO_ON, END, READ_STRING, READ_INTEGER, READ_DOUBLE, READ_OTHER, SKIP, NULL_ROW, LEFT_OUT, OPEN_ROW = range(10)
"""What is done with the value behind a key."""


@inlined
def read_plain(does, slots, low, high, view_base, p, row):
    """Reads the value at p if it is plain.

    Args:
        does: One of the READ_* above.
        slots: Address of the column's values.
        low: Least integer.
        high: Greatest integer.
        view_base: What view offsets count from.
        p: The value's first byte.
        row: The row to write.

    Returns:
        The address after the value; 0 if it is not plain, or not for here.
    """
    if does == READ_STRING:
        q = plain_string_end(p)
        if q == 0:
            return 0
        write_view(slots + row * 16, p + 1, q - p - 1, view_base, 0)
        return q + 1
    if does == READ_INTEGER:
        return _read_integer(slots + row * 8, low, high, p)
    if does == READ_DOUBLE:
        return _read_double(slots + row * 8, p)
    return 0


@inlined
def _read_integer(slot, low, high, p):
    """Reads an integer of up to 18 digits; returns the address after it, 0 if it is anything else."""
    negative = load_u8(p) == 45
    p += negative
    start = p
    count, value = digit_block(p)
    if count == 0 or (count > 1 and load_u8(start) == 48):
        return 0
    p += count
    if count == 8:
        count, more = digit_block(p)
        if count > 0:
            value = value * POWERS[np.uint64(count)] + more
            p += count
            if count == 8:
                count, more = digit_block(p)
                if count > MAX_DIGITS - 16:
                    return 0
                if count > 0:
                    value = value * POWERS[np.uint64(count)] + more
                    p += count
    after = load_u8(p)
    if after == 46 or (after | 32) == 101:
        return 0
    value = -value if negative else value
    if value < low or value > high:
        return 0
    store_u64(slot, value)
    return p


@inlined
def _read_double(slot, p):
    """Reads a number of up to 15 digits, 7 before and 7 after the point at most; 0 if it is anything else."""
    negative = load_u8(p) == 45
    p += negative
    start = p
    count, value = digit_block(p)
    if count == 0 or count == 8 or (count > 1 and load_u8(start) == 48):
        return 0
    p += count
    places = 0
    if load_u8(p) == 46:
        places, more = digit_block(p + 1)
        if places == 0 or places + count > EXACT_DIGITS or places == 8:
            return 0
        value = value * POWERS[np.uint64(places)] + more
        p += 1 + places
    if (load_u8(p) | 32) == 101:
        return 0
    number = np.float64(value) / FLOAT_POWERS[np.uint64(places)]
    store_f64(slot, -number if negative else number)
    return p


@inlined
def plain_string_end(p):
    """Returns the closing quote of a string at p of less than 32 plain ASCII bytes, 0 for any other value."""
    if load_u8(p) != 34:
        return 0
    ends = string_ends(p + 1)
    if ends == 0 or string_specials(p + 1) & (ends - 1) != 0:
        return 0
    return p + 1 + first_set(ends)
