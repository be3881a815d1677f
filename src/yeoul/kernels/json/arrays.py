"""Values inside values: where the elements of arrays and the members of objects lie, and reading each as a column's.

A text that is taken apart here has been proved to be JSON by `reader.read_json`. All texts of a column lie in one
buffer with slack behind it, so that its end needs no care.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.compilation import kernel
from yeoul.kernels.json.leaf import leaf_reader, read_leaf
from yeoul.kernels.json.reader import JsonColumns, Workspace
from yeoul.kernels.json.schema import JsonSchema
from yeoul.kernels.json.skip import NULL_WORD, skip_key, skip_space
from yeoul.kernels.json.state import (
    CALL_CODE,
    CALL_LEAVES,
    CALL_READER,
    CALL_STACK,
    CALL_VIEW_BASE,
    CALL_WORDS,
    MAX_DEPTH,
    NULL,
    get,
    put,
    set_all_null,
)
from yeoul.kernels.machine import SLACK_BYTES, compiled, load_u8, load_u32, load_u64, store_u8, store_u64

__all__ = ["ABSENT", "FITTING", "OTHER", "Members", "array_elements", "members_of", "read_values"]

FITTING, ABSENT, OTHER = 0, 1, 2
"""What a text is: of the wanted kind; null or missing; something else."""
_OPENING_ARRAY, _OPENING_OBJECT = 91, 123


@compiled
def _find_members(call, p, end, data, is_object, spans):
    """Writes key offset, key length, offset and length of each member of the valid array or object at p.

    Returns:
        How many there are.
    """
    count = 0
    closing = 125 if is_object else 93
    p = skip_space(p, end) + 1
    while p < end:
        p = skip_space(p, end)
        if load_u8(p) == closing:
            break
        if is_object:
            after = skip_key(call, p, end)
            if after < 0:
                break
            store_u64(spans + count * 32, p - data)
            store_u64(spans + count * 32 + 8, after - p)
            p = skip_space(after, end)
        start = p
        p = read_leaf(call, 0, -1, p, end, 0)
        if p < 0:
            break
        store_u64(spans + count * 32 + 16, start - data)
        store_u64(spans + count * 32 + 24, p - start)
        count += 1
        p = skip_space(p, end) + 1
        if load_u8(p - 1) == closing:
            break
    return count


@kernel("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def _find_all(call, data, offsets, lengths, count, is_object, ends, shapes, spans):
    """Finds the members of every text; writes where each text's members end, and what each text is."""
    total = 0
    for row in range(count):
        length = load_u64(lengths + row * 8)
        p = data + load_u64(offsets + row * 8)
        end = p + length
        if length >= 0:
            p = skip_space(p, end)
        if length < 0 or p >= end or load_u32(p) == NULL_WORD:
            store_u8(shapes + row, ABSENT)
        elif load_u8(p) != (_OPENING_OBJECT if is_object else _OPENING_ARRAY):
            store_u8(shapes + row, OTHER)
        else:
            store_u8(shapes + row, FITTING)
            total += _find_members(call, p, end, data, is_object, spans + total * 32)
        store_u64(ends + row * 8, total)
    return total


@kernel("int64(int64, int64, int64, int64, int64, int64)")
def _read_all(call, data, offsets, lengths, count, codes):
    """Reads every text as the value of the call's only leaf; returns how many cannot be, their codes being written."""
    leaf = get(call, CALL_LEAVES)
    put(call, CALL_VIEW_BASE, data)
    bad = 0
    for row in range(count):
        length = load_u64(lengths + row * 8)
        p = data + load_u64(offsets + row * 8)
        store_u8(codes + row, 0)
        if length <= 0:
            set_all_null(call, leaf, 1, row, NULL)
        elif read_leaf(call, leaf, 0, p, p + length, row) < 0:
            store_u8(codes + row, get(call, CALL_CODE))
            set_all_null(call, leaf, 1, row, NULL)
            bad += 1
    return bad


@dataclass(frozen=True, slots=True)
class Members:
    """The members of texts that are arrays or objects.

    Attributes:
        ends: For each text, how many members it and those before it have.
        shapes: FITTING, ABSENT or OTHER for each text.
        spans: Per member: offset and length of the key, quotes and colon included, and of the value.
    """

    ends: NDArray[np.int64]
    shapes: NDArray[np.uint8]
    spans: NDArray[np.int64]


def members_of(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], lengths: NDArray[np.int64], *, objects: bool
) -> Members:
    """Returns the elements of arrays, or the members of objects.

    Args:
        data: The texts, valid JSON, with slack behind them.
        offsets: Where each begins.
        lengths: Its bytes; -1 where there is none.
        objects: Whether objects are wanted, not arrays.

    Example:
        >>> text = np.frombuffer(b'[1, 22]null' + bytes(64), np.uint8)
        >>> found = members_of(text, np.array([0, 7]), np.array([7, 4]), objects=False)
        >>> found.ends.tolist(), found.shapes.tolist(), found.spans[:, 2:].tolist()
        ([2, 2], [0, 1], [[1, 1], [4, 2]])
    """
    count, room = len(offsets), int(np.maximum(lengths, 0).sum()) // 2 + 1
    spans = np.empty((room, 4), np.int64)
    ends, shapes = np.empty(count, np.int64), np.empty(count, np.uint8)
    stack, call = np.empty(2 * MAX_DEPTH, np.uint8), np.zeros(CALL_WORDS, np.int64)
    call[CALL_STACK] = address_of(stack)
    call[CALL_READER] = leaf_reader.address
    offsets, lengths = np.ascontiguousarray(offsets), np.ascontiguousarray(lengths)
    addresses = (address_of(one) for one in (call, data, offsets, lengths))
    total = _find_all(*addresses, count, objects, address_of(ends), address_of(shapes), address_of(spans))
    return Members(ends, shapes, spans[:total])


def read_values(
    schema: JsonSchema,
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    lengths: NDArray[np.int64],
    *,
    null_bad_fields: bool,
    style: int,
) -> tuple[JsonColumns, NDArray[np.uint8]]:
    """Reads texts as values of a schema's one field, which is no ROW.

    Returns:
        The column, and for each value 0 or the code of what is wrong with it; such a value is null.
    """
    offsets, lengths = np.ascontiguousarray(offsets), np.ascontiguousarray(lengths)
    total = int(np.maximum(lengths, 0).sum())
    space = Workspace.make(schema, len(offsets), total, null_bad_fields=null_bad_fields, style=style)
    codes = np.empty(len(offsets), np.uint8)
    addresses = (address_of(one) for one in (space.call, data, offsets, lengths))
    _read_all(*addresses, len(offsets), address_of(codes))
    return space.columns(len(offsets), 0, 0), codes


def array_elements(record: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns offsets and lengths of the elements of an array that `read_json` found to be valid JSON.

    Example:
        >>> array_elements(np.frombuffer(b'[{"a":1}, 2]', np.uint8))
        (array([ 1, 10]), array([7, 1]))
    """
    text = np.concatenate([record, np.zeros(SLACK_BYTES, np.uint8)])
    spans = members_of(text, np.array([0]), np.array([len(record)]), objects=False).spans
    return spans[:, 2].copy(), spans[:, 3].copy()
