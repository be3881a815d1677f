"""CSV records to columns: fields found by place, unquoted, and read by the very functions that read JSON's strings.

A record has exactly as many fields as the schema; a quoted field may hold delimiters and line ends, and a quote in it
is written twice (RFC 4180). Fields that nobody reads are passed over.
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
from yeoul.kernels.machine import SLACK_BYTES, compiled, load_u8, load_u64, store_u8
from yeoul.kernels.text import is_utf8

__all__ = ["CsvShape", "read_csv"]

SHAPE_WORDS = 8
SHAPE_FIELDS, SHAPE_LEAVES, SHAPE_DELIMITER, SHAPE_QUOTE, SHAPE_COMMENTS, SHAPE_NULL, SHAPE_NULL_BYTES = range(7)


@dataclass(frozen=True, slots=True)
class CsvShape:
    """How records are written.

    Attributes:
        leaves: Per field of a record, the leaf that it is read into, or -1.
        delimiter: The byte between fields.
        quote: The byte around fields, -1 for none.
        comments: Whether a record that begins with # is passed over.
        null_literal: The text that means NULL, None for none. An empty field is NULL where the column is not text.
    """

    leaves: Sequence[int]
    delimiter: int
    quote: int
    comments: bool
    null_literal: bytes | None


@compiled
def _unquote(call, p, end, quote):
    """Reads the quoted field whose opening quote is at p.

    Returns:
        (address after the closing quote or 0, start of the text, its end, 1 if it stands in the side buffer).
    """
    p += 1
    start = p
    side = get(call, CALL_SIDE)
    out = side
    doubled = 0
    while p < end:
        byte = load_u8(p)
        if byte == quote:
            if p + 1 >= end or load_u8(p + 1) != quote:
                if doubled:
                    return p + 1, side, out, 1
                return p + 1, start, p, 0
            doubled = 1
            p += 1
        store_u8(out, byte)
        out += 1
        p += 1
    return 0, start, p, 0


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
    return start == stop and get(leaf, LEAF_KIND) != STRING


@compiled
def _read_record(call, shape, p, end, row):
    """Reads a record into a row; returns whether it was sound, its fault in the call's table."""
    fields = get(shape, SHAPE_FIELDS)
    delimiter = get(shape, SHAPE_DELIMITER)
    quote = get(shape, SHAPE_QUOTE)
    leaves = get(call, CALL_LEAVES)
    first = p
    for field in range(fields):
        if field > 0:
            if p >= end:
                fail(call, TOO_FEW_FIELDS, end, -1)
                return False
            if load_u8(p) != delimiter:
                fail(call, OPEN_QUOTE, p, -1)
                return False
            p += 1
        start, in_side = p, 0
        if p < end and load_u8(p) == quote:
            p, start, stop, in_side = _unquote(call, p, end, quote)
            if p == 0:
                fail(call, OPEN_QUOTE, first, -1)
                return False
        else:
            while p < end and load_u8(p) != delimiter:
                p += 1
            stop = p
        index = get(get(shape, SHAPE_LEAVES), field)
        if index < 0:
            continue
        leaf = leaves + index * (LEAF_WORDS * 8)
        if _is_null(shape, leaf, start, stop):
            set_null(call, leaf, row, NULL)
            continue
        if not is_utf8(start, stop):
            fail(call, BAD_UTF8_TEXT, start, index)
            return False
        if read_leaf(call, leaf, bare_text_index(index, in_side), start, stop, row) < 0:
            put(call, CALL_WHERE, min(get(call, CALL_WHERE), p) if not in_side else first)
            return False
    if p < end:
        fail(call, TOO_MANY_FIELDS if load_u8(p) == delimiter else OPEN_QUOTE, p, -1)
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
        0,
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
