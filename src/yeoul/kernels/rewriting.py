"""Records moved into other batches: renumbered, chosen by offset, their timestamps counted from another base.

A record batch that is stored anew must have offset deltas without gaps, which compaction leaves behind, and the records
of several small batches fit into one. `append_records` copies the records of one section behind those of others: per
record the length, the timestamp delta and the offset delta are written anew, key, value and headers go over as they
are. The bytes may be hostile: every varint and length is bounded as in `records`.

Callers: the mirror.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import copy_bytes, load_u8, store_u8, store_u64
from yeoul.kernels.records import RecordFault, _read_varint, _varint_bytes, _write_varint

__all__ = ["MOST_ADDED_BYTES", "append_records"]

MOST_ADDED_BYTES = 20
"""By how much one record can grow: its length, its timestamp delta and its offset delta."""
_LEAST_RECORD_BYTES = 7


@kernel("UniTuple(int64, 2)(int64, int64, int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def _append(data, size, count, base_offset, low, high, stamp_shift, is_stamped, out, ordinal, offsets):
    """Returns (bytes written or -1, records written); notes the offsets of what was written."""
    p, end, q, kept = data, data + size, out, 0
    for _ in range(count):
        p, length = _read_varint(p, end)
        if p == 0 or length < 1 or length > end - p:
            return -1, 0
        stop = p + length
        attributes = load_u8(p)
        p, stamp = _read_varint(p + 1, stop)
        if p == 0:
            return -1, 0
        p, delta = _read_varint(p, stop)
        if p == 0:
            return -1, 0
        offset = base_offset + delta
        if low <= offset < high:
            # The head is written where a length of five bytes would leave it, and moved to where it belongs.
            body = q + 5
            store_u8(body, attributes)
            head = _write_varint(body + 1, stamp_shift if is_stamped else stamp + stamp_shift)
            head = _write_varint(head, ordinal + kept) - body
            rest = stop - p
            prefix = _varint_bytes(head + rest)
            if prefix < 5:
                for byte in range(head):
                    store_u8(q + prefix + byte, load_u8(body + byte))
            _write_varint(q, head + rest)
            q += prefix + head
            copy_bytes(q, p, rest)
            q += rest
            store_u64(offsets + kept * 8, offset)
            kept += 1
        p = stop
    return (q - out, kept) if p == end else (-1, 0)


def append_records(
    section: NDArray[np.uint8],
    count: int,
    base_offset: int,
    kept: tuple[int, int],
    out: NDArray[np.uint8],
    ordinal: int,
    stamp_shift_ms: int,
    is_stamped: bool = False,
) -> tuple[int, NDArray[np.int64]]:
    """Copies the records of a section whose offsets lie in a range; returns (bytes written, their offsets).

    Args:
        section: The records of one batch, decompressed.
        count: How many there are.
        base_offset: Of the batch.
        kept: The first offset to copy, and the one to stop before.
        out: Where to; has room for the section and `MOST_ADDED_BYTES` a record.
        ordinal: The offset delta of the first record copied.
        stamp_shift_ms: What is added to each timestamp delta.
        is_stamped: The batch has one timestamp for all: `stamp_shift_ms` becomes the delta of each record.

    Raises:
        RecordFault: The section does not hold exactly that many records.
        ValueError: There is not enough room.
    """
    if len(out) < len(section) + count * MOST_ADDED_BYTES:
        raise ValueError(f"Expected room for {len(section) + count * MOST_ADDED_BYTES} bytes, got {len(out)}")
    if not 0 <= count <= len(section) // _LEAST_RECORD_BYTES:
        raise RecordFault(0)
    section = np.ascontiguousarray(section)
    offsets = np.empty(count, np.int64)
    written, records = _append(
        section.ctypes.data,
        len(section),
        count,
        base_offset,
        *kept,
        stamp_shift_ms,
        int(is_stamped),
        out.ctypes.data,
        ordinal,
        offsets.ctypes.data,
    )
    if written < 0:
        raise RecordFault(0)
    return written, offsets[:records]
