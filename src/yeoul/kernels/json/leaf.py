"""One value into one column: every kind, every coercion of Flink's JSON format, every way to fail.

`leaf_reader` reads what is not as plain as both paths hope; they call it through `read_leaf` and a pointer. A value
that cannot be what its column wants is a fault of the field (`codes.FIELD_CODES`); with `CALL_IGNORE` it becomes null
instead, once the value was proved to be JSON.

Source of the coercions: flink-formats/flink-json, JsonParserToRowDataConverters.
"""

from __future__ import annotations

import numpy as np

from yeoul.kernels.compilation import kernel
from yeoul.kernels.json.codes import BAD_BASE64, BAD_NUMBER, BAD_TEXT, LONE_SURROGATE, OUT_OF_RANGE, WRONG_TYPE
from yeoul.kernels.json.numbers import FINE, FRACTION, HARD, NEGATIVE, read_decimal, to_double, to_integer, to_unscaled
from yeoul.kernels.json.skip import NULL_WORD, TRUE, literal_end, skip_value
from yeoul.kernels.json.state import (
    BOOLEAN,
    BYTES,
    CALL_BAD_FIELDS,
    CALL_HARD,
    CALL_IGNORE,
    CALL_MARKED,
    CALL_READER,
    CALL_SIDE,
    CALL_SIDE_BASE,
    CALL_STYLE,
    CALL_VIEW_BASE,
    DATE,
    DECIMAL,
    DOUBLE,
    IN_SIDE_BUFFER,
    INTEGER,
    JSON_TEXT,
    LEAF_CUTS,
    LEAF_HIGH,
    LEAF_KIND,
    LEAF_LOW,
    LEAF_NULLS,
    LEAF_SLOT_BYTES,
    LEAF_SLOTS,
    LEAF_SPAN,
    NULL,
    PRESENT,
    ROW,
    STRING,
    TIME,
    TIMESTAMP,
    WAITING,
    fail,
    get,
    put,
    set_all_null,
)
from yeoul.kernels.json.strings import copy_string, scan_string, strip_space, write_view
from yeoul.kernels.json.temporal import read_date, read_time, read_timestamp
from yeoul.kernels.machine import call_reader, compiled, inlined, load_u8, load_u32, store_f64, store_u8, store_u64

_SIDE = 1
_BASE64 = np.full(256, 255, np.int64)
for _value, _character in enumerate(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"):
    _BASE64[_character] = _value


@kernel("int64(int64, int64, int64, int64, int64, int64)", pointed=True)
def leaf_reader(call, leaf, index, p, end, row):
    """Reads the value at p into a row of a leaf; returns the address after the value, or -1.

    A leaf of 0 reads into nothing: the value is proved to be JSON and passed over. An index of -2 or less says that the
    bytes from p to end are not JSON but the bare text of a value: `bare_text_index`.
    """
    if leaf == 0:
        return skip_value(call, p, end)
    if index <= -2:
        return _read_bare_text(call, leaf, (-2 - index) >> 1, (-2 - index) & 1, p, end, row)
    if load_u32(p) == NULL_WORD and p + 4 <= end:
        set_all_null(call, leaf, get(leaf, LEAF_SPAN) + 1, row, NULL)
        return p + 4
    kind = get(leaf, LEAF_KIND)
    store_u8(get(leaf, LEAF_NULLS) + row, PRESENT)
    slot = get(leaf, LEAF_SLOTS) + row * get(leaf, LEAF_SLOT_BYTES)
    if kind == STRING or kind == JSON_TEXT:
        q = _read_text(call, slot, kind, p, end, index)
    elif load_u8(p) == 34:
        q = _read_quoted(call, leaf, kind, slot, index, p, end, row)
    else:
        q = _read_bare(call, leaf, kind, slot, index, p, end, row)
    if q < 0 and get(call, CALL_IGNORE):
        q = skip_value(call, p, end)
        if q < 0:
            return q
        set_all_null(call, leaf, get(leaf, LEAF_SPAN) + 1, row, NULL)
        put(call, CALL_BAD_FIELDS, get(call, CALL_BAD_FIELDS) + 1)
    return q


@inlined
def bare_text_index(index, in_side):
    """Returns what to give `read_leaf` as index for bare text; `in_side` says that it stands in the side buffer."""
    return -2 - ((index << 1) | in_side)


@inlined
def read_leaf(call, leaf, index, p, end, row):
    """Calls `leaf_reader` by the pointer in the call's table."""
    return call_reader(get(call, CALL_READER), call, leaf, index, p, end, row)


@compiled
def _read_text(call, slot, kind, p, end, index):
    """Reads any value as text: a string as what it says (as JSON for JSON_TEXT), anything else as it is spelled."""
    first = load_u8(p)
    base = get(call, CALL_VIEW_BASE)
    if first == 34 and kind == STRING:
        return read_string(call, slot, p, end, index)
    q = skip_value(call, p, end)
    if q < 0:
        return -1
    if (first == 123 or first == 91) and kind == STRING:
        side = get(call, CALL_SIDE)
        length = strip_space(p, q, side) - side
        if length != q - p:
            _keep_side(call, slot, side, length)
            return q
    write_view(slot, p, q - p, base, 0)
    return q


@compiled
def read_string(call, slot, p, end, index):
    """Reads the string whose opening quote is at p into a view; returns the address after it, or -1."""
    quote, escapes = scan_string(p + 1, end, True)
    if quote < 0:
        return fail(call, -quote, escapes, -1)
    if escapes == 0:
        write_view(slot, p + 1, quote - p - 1, get(call, CALL_VIEW_BASE), 0)
        return quote + 1
    side = get(call, CALL_SIDE)
    quote, side_end = copy_string(p + 1, end, side)
    if quote < 0:
        return fail(call, -quote, side_end, -1)
    if side_end == 0:
        return fail(call, LONE_SURROGATE, p, index)
    _keep_side(call, slot, side, side_end - side)
    return quote + 1


@compiled
def _keep_side(call, slot, start, length):
    """Makes a view of what was just written at the free end of the side buffer, and keeps it unless it went inline."""
    write_view(slot, start, length, get(call, CALL_SIDE_BASE), _SIDE)
    if length > 12:
        put(call, CALL_SIDE, start + length)


@compiled
def _read_quoted(call, leaf, kind, slot, index, p, end, row):
    """Reads a string into a column of another type."""
    quote, escapes = scan_string(p + 1, end, True)
    if quote < 0:
        return fail(call, -quote, escapes, -1)
    start, stop, base, flag = p + 1, quote, get(call, CALL_VIEW_BASE), 0
    if escapes:
        start = get(call, CALL_SIDE)
        quote, stop = copy_string(p + 1, end, start)
        base, flag = get(call, CALL_SIDE_BASE), IN_SIDE_BUFFER
        if quote < 0:
            return fail(call, -quote, stop, -1)
        if stop == 0:
            return fail(call, LONE_SURROGATE, p, index)
    code = _read_words(call, leaf, kind, slot, start, stop, base, flag, row)
    return quote + 1 if code == 0 else fail(call, code, p, index)


@compiled
def _read_words(call, leaf, kind, slot, start, stop, base, flag, row):
    """Reads the text from start to stop into a column that is not text; returns 0 or a code."""
    if kind == TIMESTAMP or kind == DATE or kind == TIME:
        return 0 if _read_moment(call, leaf, kind, slot, start, stop) else BAD_TEXT
    if kind == BYTES:
        return 0 if _read_base64(call, slot, start, stop) else BAD_BASE64
    if kind == ROW or kind == JSON_TEXT:
        return WRONG_TYPE
    while start < stop and load_u8(start) <= 32:
        start += 1
    while start < stop and load_u8(stop - 1) <= 32:
        stop -= 1
    if kind == BOOLEAN:
        store_u8(slot, stop - start == 4 and (load_u32(start) | 0x20202020) == TRUE)
        return 0
    return _read_number_text(call, leaf, kind, slot, start, stop, base, flag, row)


@compiled
def _read_bare_text(call, leaf, index, in_side, start, stop, row):
    """Reads text that is a value as it stands, as in CSV; returns its end, or -1."""
    kind = get(leaf, LEAF_KIND)
    base = get(call, CALL_SIDE_BASE) if in_side else get(call, CALL_VIEW_BASE)
    slot = get(leaf, LEAF_SLOTS) + row * get(leaf, LEAF_SLOT_BYTES)
    store_u8(get(leaf, LEAF_NULLS) + row, PRESENT)
    if kind == STRING:
        write_view(slot, start, stop - start, base, _SIDE if in_side else 0)
        if in_side:
            put(call, CALL_SIDE, stop)
        return stop
    flag = IN_SIDE_BUFFER if in_side else 0
    code = _read_words(call, leaf, kind, slot, start, stop, base, flag, row)
    if code == 0:
        return stop
    if get(call, CALL_IGNORE):
        set_all_null(call, leaf, 1, row, NULL)
        put(call, CALL_BAD_FIELDS, get(call, CALL_BAD_FIELDS) + 1)
        return stop
    return fail(call, code, start, index)


@compiled
def _read_number_text(call, leaf, kind, slot, start, stop, base, flag, row):
    """Reads trimmed text into a column of numbers as Java's parsers would; returns 0 or a code."""
    if kind == DOUBLE:
        sign = load_u8(start)
        bare = start + (sign == 45 or sign == 43)
        if (stop - bare == 3 and load_u32(bare) & 0xFFFFFF == 0x4E614E) or (
            stop - bare == 8 and load_u32(bare) == 0x69666E49 and load_u32(bare + 4) == 0x7974696E
        ):
            value = np.nan if stop - bare == 3 else np.inf
            store_f64(slot, -value if sign == 45 else value)
            return 0
    q, flags, digits, exponent = read_decimal(start, stop, True)
    if q != stop or start == stop or (kind == INTEGER and flags & FRACTION):
        return BAD_TEXT
    return _store_number(call, leaf, kind, slot, start, stop, base, flag, row, flags, digits, exponent)


@compiled
def _read_bare(call, leaf, kind, slot, index, p, end, row):
    """Reads a number, true, false, an array or an object into a column that is not text."""
    byte = load_u8(p)
    if byte == 45 or (byte >= 48 and byte <= 57):
        q, flags, digits, exponent = read_decimal(p, end, False)
        if q == 0:
            return fail(call, BAD_NUMBER, p, -1)
        if kind == BOOLEAN:
            store_u8(slot, 0)
            return q
        if kind == DOUBLE or kind == DECIMAL or (kind == INTEGER and (get(leaf, LEAF_CUTS) or not flags & FRACTION)):
            base = get(call, CALL_VIEW_BASE)
            code = _store_number(call, leaf, kind, slot, p, q, base, 0, row, flags, digits, exponent)
            return q if code == 0 else fail(call, code, p, index)
    elif kind == BOOLEAN:
        q = literal_end(p, end)
        if q != 0:
            store_u8(slot, byte == 116)
            return q
    q = skip_value(call, p, end)
    return -1 if q < 0 else fail(call, WRONG_TYPE, p, index)


@compiled
def _store_number(call, leaf, kind, slot, start, stop, base, flag, row, flags, digits, exponent):
    """Stores a number that was read; returns 0 or a code."""
    state = FINE
    if kind == DOUBLE:
        value, state = to_double(flags, digits, exponent)
        store_f64(slot, value)
    elif kind == INTEGER:
        if exponent == 1 and not flags & FRACTION:
            whole, state = _nineteen_digits(flags, digits, load_u8(stop - 1) - 48, leaf)
        else:
            whole, state = to_integer(flags, digits, exponent, get(leaf, LEAF_LOW), get(leaf, LEAF_HIGH))
        store_u64(slot, whole)
    else:
        whole, state = to_unscaled(flags, digits, exponent, get(leaf, LEAF_LOW), get(leaf, LEAF_HIGH))
        store_u64(slot, whole)
        store_u64(slot + 8, whole >> 63)
        if state != FINE and state != HARD:
            store_u8(get(leaf, LEAF_NULLS) + row, NULL)
            put(call, CALL_MARKED, 1)
            return 0
    if state == HARD:
        store_u64(slot, (start - base) | ((stop - start) << 32) | flag)
        store_u8(get(leaf, LEAF_NULLS) + row, WAITING)
        put(call, CALL_MARKED, 1)
        put(call, CALL_HARD, 1)
        if flag:
            put(call, CALL_SIDE, stop)
        return 0
    return 0 if state == FINE else OUT_OF_RANGE


@compiled
def _nineteen_digits(flags, digits, last, leaf):
    """Returns an integer of 19 digits, the first 18 of which were read, as (value, FINE) or (0, OVER)."""
    over = 2
    if digits > 922337203685477580 or (digits == 922337203685477580 and last > 7 + (flags & NEGATIVE)):
        return 0, over
    value = -digits * 10 - last if flags & NEGATIVE else digits * 10 + last
    if value < get(leaf, LEAF_LOW) or value > get(leaf, LEAF_HIGH):
        return 0, over
    return value, FINE


@compiled
def _read_moment(call, leaf, kind, slot, start, stop):
    """Reads text that is a timestamp, a date or a time of day; returns whether it is one."""
    style = get(call, CALL_STYLE)
    if kind == TIMESTAMP:
        fine, value = read_timestamp(start, stop, style, get(leaf, LEAF_HIGH), get(leaf, LEAF_LOW))
        store_u64(slot, value)
        return fine == 1
    q, value = read_date(start, stop) if kind == DATE else read_time(start, stop, 0)
    store_u64(slot, value)
    return q == stop


@compiled
def _read_base64(call, slot, p, stop):
    """Decodes padded base64 into the side buffer; returns whether it was base64."""
    length = stop - p
    padding = 0
    if length > 0 and load_u8(stop - 1) == 61:
        padding = 1 + (load_u8(stop - 2) == 61)
    if length & 3:
        return False
    side = get(call, CALL_SIDE)
    out = side
    while p < stop:
        word = 0
        for index in range(4):
            digit = _BASE64[np.uint64(load_u8(p + index))]
            if digit == 255:
                if p + index < stop - padding:
                    return False
                digit = 0
            word = (word << 6) | digit
        store_u8(out, word >> 16)
        store_u8(out + 1, word >> 8)
        store_u8(out + 2, word)
        out += 3
        p += 4
    _keep_side(call, slot, side, out - side - padding)
    return True
