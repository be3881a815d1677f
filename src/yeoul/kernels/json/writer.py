"""Columns to JSON records, row by row, in compiled code: the reverse of the reader, in Flink's output format.

A column is described by eight words (`COLUMN_*`). Text that needs escaping is copied 32 bytes at a time up to the next
character that has to be escaped. The writer stops at a row that might not fit, so that the caller can give it more
room; it never writes outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.compilation import kernel
from yeoul.kernels.json.numbers import POWERS
from yeoul.kernels.json.state import get
from yeoul.kernels.machine import (
    compiled,
    copy_block,
    copy_bytes,
    first_set,
    inlined,
    json_escapes,
    load_u8,
    load_u64,
    store_u8,
    store_u32,
    store_u64,
)

__all__ = ["WriterColumn", "write_json"]

TEXT, PLAIN, QUOTED, INTEGER, BOOLEAN, TIMESTAMP, DATE, TIME = range(8)
"""How a value is written: text to quote and escape; text as it is; text to quote only; an integer; true or false; a
count of 10**-digits seconds since 1970; days since 1970; seconds since midnight."""

COLUMN_WORDS = 8
COLUMN_KIND, COLUMN_DATA, COLUMN_OFFSETS, COLUMN_NULLS, COLUMN_KEY, COLUMN_KEY_BYTES, COLUMN_END, COLUMN_STYLE = range(
    8
)
_LONGEST_FIXED = 48
_STYLE_ISO, _STYLE_ZONED = 16, 32
_NULL = 0x6C6C756E
_HEX_DIGITS = np.frombuffer(b"0123456789ABCDEF", np.uint8).astype(np.int64)
_SHORT = np.zeros(32, np.int64)
for _code, _letter in ((8, "b"), (9, "t"), (10, "n"), (12, "f"), (13, "r")):
    _SHORT[_code] = ord(_letter)


@dataclass(frozen=True, slots=True)
class WriterColumn:
    """A column to write.

    Attributes:
        key: The JSON bytes in front of each value, `"name":`; empty for bare values.
        kind: One of the kinds above.
        values: uint8 bytes of all texts for text, uint8 for booleans, else int64.
        offsets: Where texts begin and end in `values`, int64, shape (rows + 1,); empty if the kind is not text.
        nulls: 1 where a value is null, uint8; empty if none is.
        digits: Of a timestamp's fraction: 3, 6 or 9.
        iso: Write a timestamp with T, its fraction in groups of three digits.
        zoned: Write a Z behind a timestamp.
    """

    key: bytes
    kind: int
    values: NDArray[np.generic]
    offsets: NDArray[np.int64]
    nulls: NDArray[np.uint8]
    digits: int = 0
    iso: bool = False
    zoned: bool = False


@inlined
def _two_digits(p, value):
    store_u8(p, 48 + value // 10)
    store_u8(p + 1, 48 + value % 10)
    return p + 2


@compiled
def _write_integer(p, value):
    if value < 0:
        if value == -9223372036854775808:
            store_u8(p, 45)
            store_u8(p + 1, 57)
            return _write_digits(p + 2, 223372036854775808, 18)
        store_u8(p, 45)
        p += 1
        value = -value
    digits = 1
    while digits < 19 and value >= POWERS[np.uint64(min(digits, 18))] and (digits < 18 or value // POWERS[18] > 0):
        digits += 1
    return _write_digits(p, value, digits)


@compiled
def _write_digits(p, value, digits):
    q = p + digits
    while q > p:
        q -= 1
        store_u8(q, 48 + value % 10)
        value //= 10
    return p + digits


@compiled
def _write_text(p, start, stop, limit):
    """Writes text with JSON's escapes; `limit` is where its buffer ends."""
    while start < stop:
        if start + 32 <= limit:
            copy_block(p, start)
            plain = min(first_set(json_escapes(start)), 32, stop - start)
        else:
            byte = load_u8(start)
            store_u8(p, byte)
            plain = 0 if byte < 32 or byte == 34 or byte == 92 else 1
        start += plain
        p += plain
        if start >= stop or plain == 32:
            continue
        byte = load_u8(start)
        if byte >= 32 and byte != 34 and byte != 92:
            continue
        start += 1
        store_u8(p, 92)
        if byte >= 32:
            store_u8(p + 1, byte)
            p += 2
        elif _SHORT[np.uint64(byte)] != 0:
            store_u8(p + 1, _SHORT[np.uint64(byte)])
            p += 2
        else:
            store_u32(p + 1, 0x30303075)
            store_u8(p + 4, 48 + (byte >> 4))
            store_u8(p + 5, _HEX_DIGITS[np.uint64(byte & 15)])
            p += 6
    return p


@compiled
def _write_date(p, days):
    days += 719468
    era = days // 146097
    of_era = days - era * 146097
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    year += era * 400 + (month <= 2)
    p = _write_digits(p, year, 4) if 0 <= year <= 9999 else _write_integer(p, year)
    store_u8(p, 45)
    p = _two_digits(p + 1, month)
    store_u8(p, 45)
    return _two_digits(p + 1, day)


@compiled
def _write_time(p, seconds):
    p = _two_digits(p, seconds // 3600)
    store_u8(p, 58)
    p = _two_digits(p + 1, seconds // 60 % 60)
    store_u8(p, 58)
    return _two_digits(p + 1, seconds % 60)


@compiled
def _write_timestamp(p, value, style):
    digits = style & 15
    unit = POWERS[np.uint64(digits)]
    seconds = value // unit
    fraction = value - seconds * unit
    days = seconds // 86400
    p = _write_date(p, days)
    store_u8(p, 84 if style & _STYLE_ISO else 32)
    p = _write_time(p + 1, seconds - days * 86400)
    step = 3 if style & _STYLE_ISO else 1
    scale = POWERS[np.uint64(step)]
    while digits > 0 and fraction % scale == 0:
        fraction //= scale
        digits -= step
    if digits > 0:
        store_u8(p, 46)
        p = _write_digits(p + 1, fraction, digits)
    if style & _STYLE_ZONED:
        store_u8(p, 90)
        p += 1
    return p


@compiled
def _write_value(p, column, kind, row):
    data = get(column, COLUMN_DATA)
    if kind <= QUOTED:
        start = data + load_u64(get(column, COLUMN_OFFSETS) + row * 8)
        stop = data + load_u64(get(column, COLUMN_OFFSETS) + row * 8 + 8)
        if kind == PLAIN:
            copy_bytes(p, start, stop - start)
            return p + stop - start
        store_u8(p, 34)
        if kind == TEXT:
            p = _write_text(p + 1, start, stop, get(column, COLUMN_END))
        else:
            copy_bytes(p + 1, start, stop - start)
            p += 1 + stop - start
        store_u8(p, 34)
        return p + 1
    if kind == BOOLEAN:
        truth = load_u8(data + row)
        store_u64(p, 0x65757274 if truth else 0x65736C6166)
        return p + (4 if truth else 5)
    value = load_u64(data + row * 8)
    if kind == INTEGER:
        return _write_integer(p, value)
    store_u8(p, 34)
    if kind == TIMESTAMP:
        p = _write_timestamp(p + 1, value, get(column, COLUMN_STYLE))
    elif kind == DATE:
        p = _write_date(p + 1, value)
    else:
        p = _write_time(p + 1, value)
    store_u8(p, 34)
    return p + 1


@compiled
def _row_bound(columns, count, row):
    bound = 64
    for index in range(count):
        column = columns + index * (COLUMN_WORDS * 8)
        bound += get(column, COLUMN_KEY_BYTES) + _LONGEST_FIXED
        kind = get(column, COLUMN_KIND)
        if kind <= QUOTED:
            offsets = get(column, COLUMN_OFFSETS) + row * 8
            bound += (load_u64(offsets + 8) - load_u64(offsets)) * (6 if kind == TEXT else 1)
    return bound


@kernel("UniTuple(int64, 2)(int64, int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def _write_rows(columns, count, row, rows, out, used, room, places, braces, skip_nulls):
    """Writes rows from `row` on; returns (the row that found no room, or `rows`; bytes used)."""
    p = out + used
    end = out + room
    while row < rows:
        if p + _row_bound(columns, count, row) > end:
            break
        if braces:
            store_u8(p, 123)
            p += 1
        written = 0
        for index in range(count):
            column = columns + index * (COLUMN_WORDS * 8)
            nulls = get(column, COLUMN_NULLS)
            null = nulls != 0 and load_u8(nulls + row) != 0
            if null and skip_nulls:
                continue
            if written:
                store_u8(p, 44)
                p += 1
            written += 1
            key_bytes = get(column, COLUMN_KEY_BYTES)
            copy_bytes(p, get(column, COLUMN_KEY), key_bytes)
            p += key_bytes
            if null:
                store_u32(p, _NULL)
                p += 4
            else:
                p = _write_value(p, column, get(column, COLUMN_KIND), row)
        if braces:
            store_u8(p, 125)
            p += 1
        row += 1
        store_u64(places + row * 8, p - out)
    return row, p - out


def write_json(
    columns: Sequence[WriterColumn], rows: int, *, braces: bool = True, skip_nulls: bool = False
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Writes rows as JSON objects, one behind the other with nothing between; holds no lock while it writes.

    Args:
        columns: The columns, in order.
        rows: How many rows they have.
        braces: Whether to write an object around a row; without, a row is its values and keys bare.
        skip_nulls: Leave null fields out instead of writing null.

    Returns:
        The bytes, and the n + 1 offsets at which rows begin and end.
    """
    words: list[int] = []
    room = 4096
    for column in columns:
        data, value_bytes, key_bytes = address_of(column.values), column.values.nbytes, len(column.key)
        offsets = address_of(column.offsets) if column.kind <= QUOTED else 0
        nulls = address_of(column.nulls) if len(column.nulls) else 0
        style = column.digits | column.iso * _STYLE_ISO | column.zoned * _STYLE_ZONED
        words += (column.kind, data, offsets, nulls, address_of(column.key), key_bytes, data + value_bytes, style)
        room += rows * (key_bytes + 24) + (value_bytes if column.kind <= QUOTED else 0)
    table = np.array(words, np.int64)
    out = np.empty(room, np.uint8)
    places = np.zeros(rows + 1, np.int64)
    row, used = 0, 0
    while True:
        row, used = _write_rows(
            address_of(table),
            len(columns),
            row,
            rows,
            address_of(out),
            used,
            len(out),
            address_of(places),
            braces,
            skip_nulls,
        )
        if row == rows:
            return out[:used], places
        larger = np.empty(len(out) * 2 + _bound(columns, row), np.uint8)
        larger[:used] = out[:used]
        out = larger


def _bound(columns: Sequence[WriterColumn], row: int) -> int:
    """Returns more bytes than the row can take."""
    texts = (int(column.offsets[row + 1] - column.offsets[row]) for column in columns if column.kind <= QUOTED)
    return 64 + sum(len(column.key) + _LONGEST_FIXED for column in columns) + 6 * sum(texts)
