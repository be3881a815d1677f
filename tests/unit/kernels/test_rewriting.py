"""Records moved into other batches: what comes out decodes to what went in, renumbered."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.kernels.records import RecordFault
from yeoul.kernels.rewriting import MOST_ADDED_BYTES, append_records
from yeoul.wire.records import HEADER_BYTES, Record, decode_records, encode_batch

BYTES = st.none() | st.binary(max_size=200)
HEADERS = st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=10)), max_size=3).map(tuple)
ROWS = st.lists(
    st.tuples(st.integers(1, 300), st.integers(-(2**40), 2**40), BYTES, BYTES, HEADERS), min_size=1, max_size=30
)


def records_of(
    rows: list[tuple[int, int, bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]],
) -> list[Record]:
    offset = 1_000
    found = []
    for step, stamp_ms, key, value, headers in rows:
        offset += step
        found.append(Record(offset, 2**41 + stamp_ms, key, value, headers))
    return found


@settings(deadline=None)
@given(
    rows=ROWS,
    low=st.integers(0, 40),
    length=st.integers(0, 40),
    ordinal=st.integers(0, 10**6),
    shift=st.integers(-(2**40), 2**40),
)
def test_chosen_records_are_renumbered_and_shifted(
    rows: list[tuple[int, int, bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]],
    low: int,
    length: int,
    ordinal: int,
    shift: int,
) -> None:
    records = records_of(rows)
    section = np.frombuffer(encode_batch(records), np.uint8)[HEADER_BYTES:]
    first = records[min(low, len(records) - 1)].offset
    last = first + length * 50
    out = np.empty(len(section) + len(records) * MOST_ADDED_BYTES, np.uint8)
    written, offsets = append_records(section, len(records), records[0].offset, (first, last), out, ordinal, shift)
    kept = [record for record in records if first <= record.offset < last]
    assert offsets.tolist() == [record.offset for record in kept]
    base = records[0].timestamp_ms
    # As the deltas stand in a batch that begins `ordinal` records earlier, at the same base timestamp.
    header = bytearray(encode_batch([Record(0, base, None, None)])[:HEADER_BYTES])
    header[8:12] = (HEADER_BYTES - 12 + written).to_bytes(4, "big")
    header[57:61] = len(kept).to_bytes(4, "big")
    decoded = decode_records(bytes(header) + out[:written].tobytes(), verify_crc=False)
    expected = [
        record._replace(offset=ordinal + index, timestamp_ms=record.timestamp_ms + shift)
        for index, record in enumerate(kept)
    ]
    assert decoded == expected


@settings(deadline=None)
@given(data=st.binary(max_size=300), count=st.integers(-1, 60))
def test_hostile_bytes_raise_or_stay_in_bounds(data: bytes, count: int) -> None:
    section = np.frombuffer(data, np.uint8)
    out = np.zeros(len(section) + max(0, count) * MOST_ADDED_BYTES + 16, np.uint8)
    out[-16:] = 0xAB
    room = out[:-16]
    with contextlib.suppress(RecordFault):
        append_records(section, count, 0, (0, 1 << 62), room, 0, 0)
    assert (out[-16:] == 0xAB).all()


def test_too_little_room_is_refused() -> None:
    section = np.frombuffer(encode_batch([Record(0, 0, b"k", b"v")]), np.uint8)[HEADER_BYTES:]
    with pytest.raises(ValueError, match="room"):
        append_records(section, 1, 0, (0, 1), np.empty(len(section), np.uint8), 0, 0)
