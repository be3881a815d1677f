"""The door of the JSON kernel: a buffer of records in, plain arrays out. Called by `yeoul.formats.json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.json.layout import HEADER_BYTES, SEGMENT_BYTES
from yeoul.kernels.json.leaf import leaf_reader
from yeoul.kernels.json.rows import DEAD_WORDS, LAYOUTS, measure, read_rows
from yeoul.kernels.json.schema import JsonSchema
from yeoul.kernels.json.state import (
    CALL_BAD_FIELDS,
    CALL_HARD,
    CALL_IGNORE,
    CALL_LEAF_COUNT,
    CALL_LEAVES,
    CALL_MARKED,
    CALL_NODES,
    CALL_READER,
    CALL_SIDE,
    CALL_SIDE_BASE,
    CALL_STACK,
    CALL_STYLE,
    CALL_WORDS,
    IN_SIDE_BUFFER,
    LEAF_NULLS,
    LEAF_SLOTS,
    MAX_DEPTH,
    WAITING,
)
from yeoul.kernels.machine import SLACK_BYTES

__all__ = ["JsonColumns", "Workspace", "measured", "read_json"]

LARGEST_BUFFER_BYTES: Final = (1 << 31) - 1
_MORE_SEGMENTS: Final = 62
_SLOT_TYPES: Final = {0: np.uint8, 1: np.uint8, 8: np.int64, 16: np.int64}


@dataclass(frozen=True, slots=True)
class JsonColumns:
    """What was read; leaf by leaf in the order of `JsonSchema.leaves`.

    Attributes:
        rows: How many rows were read.
        values: Per leaf, the slots: int64 of shape (rows,) or, for views and decimals, (rows, 2); uint8 for booleans.
        marks: Null marks, PRESENT, NULL or MISSING, uint8 of shape (leaves, rows); None when there is none at all.
        waiting: Whether some marks are WAITING: Python has to settle those values (`waiting_text`).
        side: The second buffer that views point into (buffer 1; the records' own is buffer 0).
        records: The record of each row, int64.
        dead: Per bad record: index, code, leaf or -1, place in the record; int64, shape (dead, 4).
        skipped: Records passed over.
        bad_fields: Fields that became null because they were bad (only when that was asked for).
    """

    rows: int
    values: list[NDArray[np.generic]]
    marks: NDArray[np.uint8] | None
    waiting: bool
    side: NDArray[np.uint8]
    records: NDArray[np.int64]
    dead: NDArray[np.int64]
    skipped: int
    bad_fields: int

    def waiting_texts(self, leaf: int, data: NDArray[np.uint8]) -> list[tuple[int, str]]:
        """Returns (row, text of the number) for each value of a leaf that Python has to settle."""
        if self.marks is None or not self.waiting:
            return []
        rows = np.flatnonzero(self.marks[leaf] == WAITING)
        slots = self.values[leaf]
        places = slots[rows] if slots.ndim == 1 else slots[rows, 0]
        found = []
        for row, place in zip(rows.tolist(), places.tolist(), strict=True):
            source = self.side if place < 0 else data
            place &= ~IN_SIDE_BUFFER
            start, length = place & 0xFFFFFFFF, place >> 32
            found.append((row, source[start : start + length].tobytes().decode("ascii")))
        return found


@dataclass(slots=True)
class Workspace:
    """The memory of one call: its table, the columns being filled, and what they lean on.

    Attributes:
        call: The call's table.
        table: The leaf table with addresses.
        values: Per leaf, room for `count` slots.
        marks: Null marks, all PRESENT.
        side: The side buffer.
        stack: For nested values.
        records: Room for the record of each row.
        dead: Room for what is wrong with each record.
    """

    call: NDArray[np.int64]
    table: NDArray[np.int64]
    values: list[NDArray[np.generic]]
    marks: NDArray[np.uint8]
    side: NDArray[np.uint8]
    stack: NDArray[np.uint8]
    records: NDArray[np.int64]
    dead: NDArray[np.int64]

    @classmethod
    def make(cls, schema: JsonSchema, count: int, side_bytes: int, *, null_bad_fields: bool, style: int) -> Workspace:
        """Returns memory for reading `count` records with a side buffer of `side_bytes` and slack."""
        leaf_count = len(schema.leaves)
        table = schema.leaf_table.copy()
        values: list[NDArray[np.generic]] = []
        marks = np.zeros((leaf_count, count), np.uint8)
        marks_at = address_of(marks)
        for index, slot_bytes in enumerate(schema.slot_bytes):
            slots = np.empty((count, 2) if slot_bytes == 16 else count, _SLOT_TYPES[slot_bytes])
            values.append(slots)
            table[index, LEAF_SLOTS] = address_of(slots)
            table[index, LEAF_NULLS] = marks_at + index * count
        side = np.empty(side_bytes + SLACK_BYTES, np.uint8)
        stack = np.empty(2 * MAX_DEPTH, np.uint8)
        call = np.zeros(CALL_WORDS, np.int64)
        call[CALL_SIDE_BASE] = call[CALL_SIDE] = address_of(side)
        call[CALL_STACK] = address_of(stack)
        call[CALL_IGNORE] = null_bad_fields
        call[CALL_STYLE] = style
        call[CALL_READER] = leaf_reader.address
        call[CALL_LEAVES] = address_of(table)
        call[CALL_LEAF_COUNT] = leaf_count
        call[CALL_NODES] = address_of(schema.nodes)
        records, dead = np.empty(count, np.int64), np.empty((count, DEAD_WORDS), np.int64)
        return cls(call, table, values, marks, side, stack, records, dead)

    def columns(self, rows: int, dead: int, skipped: int) -> JsonColumns:
        """Returns what was read."""
        call = self.call.tolist()
        # A row of a layout not met before has marks while it is read, whatever is in it.
        is_marked = call[CALL_MARKED] and np.count_nonzero(self.marks)
        return JsonColumns(
            rows=rows,
            values=[slots[:rows] for slots in self.values],
            marks=self.marks[:, :rows] if is_marked else None,
            waiting=bool(call[CALL_HARD]),
            side=self.side[: call[CALL_SIDE] - call[CALL_SIDE_BASE]].copy(),
            records=self.records[:rows],
            dead=self.dead[:dead].copy(),
            skipped=skipped,
            bad_fields=call[CALL_BAD_FIELDS],
        )


def measured(data: NDArray[np.uint8], offsets: NDArray[np.int64], lengths: NDArray[np.int64]) -> tuple[int, int]:
    """Returns (bytes of all records, the longest of those near the buffer's end).

    Raises:
        ValueError: A record lies outside the buffer, or the buffer is 2 GiB or larger.
    """
    total, longest = -1, 0
    if len(lengths) == len(offsets):
        total, longest = measure(address_of(offsets), address_of(lengths), len(offsets), len(data))
    if total < 0:
        raise ValueError("a record lies outside its buffer")
    if max(total, len(data)) > LARGEST_BUFFER_BYTES:
        raise ValueError(f"a buffer of records may have {LARGEST_BUFFER_BYTES} bytes, got {max(total, len(data))}")
    return total, longest


def read_json(
    schema: JsonSchema,
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    lengths: NDArray[np.int64],
    *,
    null_bad_fields: bool = False,
    style: int = 0,
) -> JsonColumns:
    """Reads JSON objects into columns; thread-safe, holds no lock while it reads.

    Args:
        schema: The fields to read.
        data: The buffer; views point into it, so it must never change again.
        offsets: Where each record starts.
        lengths: Its bytes; -1 for a null record, which is skipped.
        null_bad_fields: Make a field null that cannot be what its column wants, instead of the record dead.
        style: How timestamps are spelled: `temporal.SQL` or `temporal.ISO`.

    Raises:
        ValueError: A record lies outside the buffer, or the buffer is 2 GiB or larger.
    """
    data = np.ascontiguousarray(data)
    offsets, lengths = np.ascontiguousarray(offsets, np.int64), np.ascontiguousarray(lengths, np.int64)
    total, longest = measured(data, offsets, lengths)
    space = Workspace.make(schema, len(offsets), total, null_bad_fields=null_bad_fields, style=style)
    scratch = np.empty(longest + SLACK_BYTES, np.uint8)
    scratch[longest:] = 0
    capacity = 2 * len(schema.leaves) + _MORE_SEGMENTS
    layouts = np.empty(LAYOUTS * (HEADER_BYTES + capacity * SEGMENT_BYTES), np.uint8)
    rows, dead, skipped = read_rows(
        address_of(space.call),
        address_of(data),
        len(data),
        address_of(offsets),
        address_of(lengths),
        len(offsets),
        address_of(scratch),
        address_of(layouts),
        capacity,
        address_of(space.records),
        address_of(space.dead),
    )
    return space.columns(rows, dead, skipped)
