"""CSV records to columns: fields found by place, unquoted, and read by the very functions that read JSON's strings.

A record has exactly as many fields as the schema, a delimiter behind the last one being allowed; a quoted field may
hold delimiters and line ends, and a quote in it is written twice (RFC 4180). What stands behind an escape character is
taken as it is, also without quotes. Fields that nobody reads are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.compilation import kernel
from yeoul.kernels.json.codes import BAD_UTF8_TEXT, OPEN_QUOTE, TOO_FEW_FIELDS, TOO_MANY_FIELDS
from yeoul.kernels.json.leaf import bare_text_index, read_leaf
from yeoul.kernels.json.reader import JsonColumns, Workspace, measured
from yeoul.kernels.json.rows import DEAD_WORDS
from yeoul.kernels.json.schema import JsonSchema
from yeoul.kernels.json.state import (
    CALL_CODE,
    CALL_LEAF,
    CALL_LEAVES,
    CALL_SIDE,
    CALL_VIEW_BASE,
    CALL_WHERE,
    LEAF_KIND,
    LEAF_WORDS,
    NULL,
    STRING,
    clear_marks,
    fail,
    get,
    put,
    set_null,
)
from yeoul.kernels.machine import SLACK_BYTES, compiled, equal_bytes, first_set, inlined, load_u8, load_u64, store_u8
from yeoul.kernels.text import is_utf8

__all__ = ["CsvShape", "read_csv"]

SHAPE_FIELDS, SHAPE_LEAVES, SHAPE_DELIMITER, SHAPE_QUOTE, SHAPE_COMMENTS, SHAPE_NULL, SHAPE_NULL_BYTES = range(7)
SHAPE_ESCAPE, SHAPE_TRIMS, SHAPE_EMPTY_IS_NULL, SHAPE_TAKES_MORE, SHAPE_TAKES_FEWER, SHAPE_TAKES_LAST = range(7, 13)


@dataclass(frozen=True, slots=True)
class CsvShape:
    """How records are written.

    Attributes:
        leaves: Per field of a record, the leaf that it is read into, or -1.
        delimiter: The byte between fields, -1 for none: a record is one field.
        quote: The byte around fields, -1 for none.
        comments: Whether a record that begins with # is passed over.
        null_literal: The text that means NULL, None for none. An empty field is NULL where the column is not text.
        escape: The byte before one that stands for itself, -1 for none.
        trims: Whether spaces around fields are taken off.
        empty_is_null: Whether an empty field is NULL where the column is text, too.
        takes_more: Whether fields behind the last are passed over.
        takes_fewer: Whether fields that a record does not have are NULL.
        takes_last: Whether a delimiter may stand behind the last field.
    """

    leaves: Sequence[int]
    delimiter: int
    quote: int
    comments: bool
    null_literal: bytes | None
    escape: int = -1
    trims: bool = False
    empty_is_null: bool = False
    takes_more: bool = False
    takes_fewer: bool = False
    takes_last: bool = False


@inlined
def _escaped(byte):
    """Returns what a byte behind an escape character stands for."""
    if byte == 110:
        return 10
    if byte == 114:
        return 13
    if byte == 116:
        return 9
    return 0 if byte == 48 else byte


@inlined
def _first(p, end, byte):
    """Returns the address of the first such byte from p on, or the end; SLACK_BYTES must be readable behind it."""
    while p < end:
        found = equal_bytes(p, byte)
        if found != 0:
            return min(p + first_set(found), end)
        p += 32
    return end


@inlined
def _quoted(call, p, end, quote, escape):
    """Reads the quoted field whose opening quote is at p.

    Returns:
        (address after the closing quote or 0, start of the text, its end, 1 if it stands in the side buffer).
    """
    start = p + 1
    stop = _first(start, end, quote)
    escaped = escape >= 0 and _first(start, stop, escape) < stop
    if escaped or (stop + 1 < end and load_u8(stop + 1) == quote):
        return _unquote(call, start, end, quote, escape)
    return stop + 1 if stop < end else 0, start, stop, 0


@compiled
def _unquote(call, p, end, quote, escape):
    """Copies the quoted text at p, in which there are quotes or escape characters; returns as `_quoted` does."""
    side = get(call, CALL_SIDE)
    out = side
    while p < end:
        byte = load_u8(p)
        if byte == quote:
            if p + 1 >= end or load_u8(p + 1) != quote:
                return p + 1, side, out, 1
            p += 1
        elif byte == escape and p + 1 < end:
            p += 1
            byte = _escaped(load_u8(p))
        store_u8(out, byte)
        out += 1
        p += 1
    return 0, side, out, 1


@inlined
def _bare(call, p, end, delimiter, escape):
    """Reads the field without quotes at p; returns as `_quoted` does."""
    stop = _first(p, end, delimiter)
    if escape >= 0 and _first(p, stop, escape) < stop:
        return _unescape(call, p, end, delimiter, escape)
    return stop, p, stop, 0


@compiled
def _unescape(call, p, end, delimiter, escape):
    """Copies the field at p, in which there are escape characters; returns as `_quoted` does."""
    side = get(call, CALL_SIDE)
    out = side
    while p < end:
        byte = load_u8(p)
        if byte == delimiter:
            break
        if byte == escape and p + 1 < end:
            p += 1
            byte = _escaped(load_u8(p))
        store_u8(out, byte)
        out += 1
        p += 1
    return p, side, out, 1


@compiled
def _without_spaces(p, end, delimiter):
    """Returns the address of the first byte from p on that is no white space, or is the delimiter."""
    while p < end and load_u8(p) <= 32 and load_u8(p) != delimiter:
        p += 1
    return p


@compiled
def _field(call, shape, p, end):
    """Reads the field at p; returns as `_quoted` does."""
    delimiter = get(shape, SHAPE_DELIMITER)
    quote = get(shape, SHAPE_QUOTE)
    escape = get(shape, SHAPE_ESCAPE)
    trims = get(shape, SHAPE_TRIMS)
    if trims:
        p = _without_spaces(p, end, delimiter)
    if p < end and load_u8(p) == quote:
        p, start, stop, in_side = _quoted(call, p, end, quote, escape)
        if trims and p != 0:
            p = _without_spaces(p, end, delimiter)
        return p, start, stop, in_side
    p, start, stop, in_side = _bare(call, p, end, delimiter, escape)
    while trims and stop > start and load_u8(stop - 1) <= 32:
        stop -= 1
    return p, start, stop, in_side


@compiled
def _is_null(shape, leaf, start, stop):
    length = get(shape, SHAPE_NULL_BYTES)
    if length == stop - start:
        known = get(shape, SHAPE_NULL)
        same = True
        for index in range(length):
            same = same and load_u8(known + index) == load_u8(start + index)
        if same:
            return True
    return start == stop and (get(leaf, LEAF_KIND) != STRING or get(shape, SHAPE_EMPTY_IS_NULL) != 0)


@compiled
def _read_record(call, shape, p, end, row):
    """Reads a record into a row; returns whether it was sound, its fault in the call's table."""
    fields = get(shape, SHAPE_FIELDS)
    delimiter = get(shape, SHAPE_DELIMITER)
    leaves = get(call, CALL_LEAVES)
    first = p
    for field in range(fields):
        index = get(get(shape, SHAPE_LEAVES), field)
        leaf = leaves + index * (LEAF_WORDS * 8)
        if field > 0:
            if p >= end:
                if not get(shape, SHAPE_TAKES_FEWER):
                    fail(call, TOO_FEW_FIELDS, end, -1)
                    return False
                if index >= 0:
                    set_null(call, leaf, row, NULL)
                continue
            if load_u8(p) != delimiter:
                fail(call, OPEN_QUOTE, p, -1)
                return False
            p += 1
        p, start, stop, in_side = _field(call, shape, p, end)
        if p == 0:
            fail(call, OPEN_QUOTE, first, -1)
            return False
        if index < 0:
            continue
        if _is_null(shape, leaf, start, stop):
            set_null(call, leaf, row, NULL)
            continue
        if not is_utf8(start, stop):
            fail(call, BAD_UTF8_TEXT, start if not in_side else first, index)
            return False
        if read_leaf(call, leaf, bare_text_index(index, in_side), start, stop, row) < 0:
            put(call, CALL_WHERE, min(get(call, CALL_WHERE), p) if not in_side else first)
            return False
    if p < end and not get(shape, SHAPE_TAKES_MORE):
        if load_u8(p) != delimiter:
            fail(call, OPEN_QUOTE, p, -1)
            return False
        if p + 1 < end or not get(shape, SHAPE_TAKES_LAST):
            fail(call, TOO_MANY_FIELDS, p, -1)
            return False
    return True


@kernel("UniTuple(int64, 3)(int64, int64, int64, int64, int64, int64, int64, int64)")
def _read_records(call, shape, data, offsets, lengths, count, records, dead):
    """Reads all records; returns (rows, dead records, records skipped)."""
    row, dead_count, skipped = 0, 0, 0
    put(call, CALL_VIEW_BASE, data)
    for index in range(count):
        length = load_u64(lengths + index * 8)
        p = data + load_u64(offsets + index * 8)
        if length > 0 and load_u8(p + length - 1) == 13:
            length -= 1
        if length <= 0 or (get(shape, SHAPE_COMMENTS) and load_u8(p) == 35):
            skipped += 1
            continue
        side = get(call, CALL_SIDE)
        if _read_record(call, shape, p, p + length, row):
            put(records, row, index)
            row += 1
            continue
        put(call, CALL_SIDE, side)
        clear_marks(call, row)
        entry = dead + dead_count * (DEAD_WORDS * 8)
        put(entry, 0, index)
        put(entry, 1, get(call, CALL_CODE))
        put(entry, 2, get(call, CALL_LEAF))
        put(entry, 3, get(call, CALL_WHERE) - p)
        dead_count += 1
    return row, dead_count, skipped


def read_csv(
    schema: JsonSchema,
    shape: CsvShape,
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    lengths: NDArray[np.int64],
    *,
    null_bad_fields: bool = False,
) -> JsonColumns:
    """Reads CSV records into columns; thread-safe, holds no lock while it reads.

    Args:
        schema: The columns to read; no ROW, no arrays or maps.
        shape: How records are written.
        data: The buffer; views point into it, so it must never change again.
        offsets: Where each record starts.
        lengths: Its bytes; -1 for a null record, which is skipped.
        null_bad_fields: Make a field null that cannot be what its column wants, instead of the record dead.

    Raises:
        ValueError: A record lies outside the buffer, or the buffer is 2 GiB or larger.
    """
    offsets, lengths = np.ascontiguousarray(offsets, np.int64), np.ascontiguousarray(lengths, np.int64)
    total, _ = measured(data, offsets, lengths)
    padded = np.concatenate([data, np.zeros(SLACK_BYTES, np.uint8)])
    space = Workspace.make(schema, len(offsets), total, null_bad_fields=null_bad_fields, style=0)
    leaves = np.array(shape.leaves, np.int64)
    null = np.frombuffer((shape.null_literal or b"") + bytes(SLACK_BYTES), np.uint8)
    null_bytes = -1 if shape.null_literal is None else len(shape.null_literal)
    words = (
        len(leaves),
        address_of(leaves),
        shape.delimiter,
        shape.quote,
        shape.comments,
        address_of(null),
        null_bytes,
        shape.escape,
        shape.trims,
        shape.empty_is_null,
        shape.takes_more,
        shape.takes_fewer,
        shape.takes_last,
    )
    table = np.array(words, np.int64)
    rows, dead, skipped = _read_records(
        address_of(space.call),
        address_of(table),
        address_of(padded),
        address_of(offsets),
        address_of(lengths),
        len(offsets),
        address_of(space.records),
        address_of(space.dead),
    )
    return space.columns(rows, dead, skipped)
