"""Record batches to columns and back, sound and hostile."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from yeoul.kernels.records import (
    COMPRESSED,
    CONTROL,
    DECODED,
    OTHER_MAGIC,
    RecordFault,
    decode_batches,
    decode_section,
    encode_section,
)


def varint(number: int) -> bytes:
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def field(value: bytes | None) -> bytes:
    return varint(-1) if value is None else varint(len(value)) + value


def section(records: list[tuple[int, bytes | None, bytes | None, list[tuple[bytes, bytes | None]]]]) -> bytes:
    out = b""
    for index, (delta, key, value, headers) in enumerate(records):
        body = b"\0" + varint(delta) + varint(index) + field(key) + field(value) + varint(len(headers))
        body += b"".join(field(name) + field(content) for name, content in headers)
        out += varint(len(body)) + body
    return out


def batch(body: bytes, count: int, base: int = 0, attributes: int = 0, magic: int = 2) -> bytes:
    head = (base, 49 + len(body), 0, magic, 0, attributes, count - 1, 1000, 5000, 7, 0, 0, count)
    return struct.pack(">qiibIhiqqqhii", *head) + body


def buffer(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8)


values = st.none() | st.binary(max_size=200)
records = st.lists(
    st.tuples(
        st.integers(-(2**40), 2**40), values, values, st.lists(st.tuples(st.binary(max_size=4), values), max_size=2)
    ),
    max_size=20,
)


@given(st.lists(records, max_size=4))
@settings(max_examples=100, deadline=None)
def test_batches_decode_to_their_records(batches: list[list[tuple[int, bytes | None, bytes | None, list]]]) -> None:
    data, base, want = b"", 10, []
    for one in batches:
        data += batch(section(one), len(one), base)
        want += [(base + i, 1000 + r[0], r[1], r[2], len(r[3])) for i, r in enumerate(one)]
        base += max(len(one), 1)
    columns, table = decode_batches(buffer(data + b"\0\0\0\0\0\0\0\1\0\0\0\x40cut short"))
    got = []
    for i in range(len(columns)):
        texts = []
        pairs = (columns.key_starts, columns.key_lengths), (columns.value_starts, columns.value_lengths)
        for starts, lengths in pairs:
            texts.append(None if lengths[i] < 0 else data[starts[i] : starts[i] + lengths[i]])
        got.append((columns.offsets[i], columns.timestamps_ms[i], *texts, columns.header_counts[i]))
    assert got == want
    assert (len(table), table.end, table.fault) == (len(batches), len(data), -1)


@given(st.lists(st.tuples(values, values, st.integers(-(2**33), 2**33)), max_size=30), st.booleans())
@settings(max_examples=100, deadline=None)
def test_an_encoded_section_is_what_kafka_writes(
    rows: list[tuple[bytes | None, bytes | None, int]], keyed: bool
) -> None:
    def columns(parts: list[bytes | None]) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        lengths = np.array([-1 if part is None else len(part) for part in parts], np.int64)
        kept = np.maximum(lengths, 0)
        return buffer(b"".join(part or b"" for part in parts)), np.cumsum(kept) - kept, lengths

    got = encode_section(
        columns([row[1] for row in rows]),
        columns([row[0] for row in rows]) if keyed else None,
        np.array([row[2] for row in rows], np.int64),
    )
    assert got.tobytes() == section([(delta, key if keyed else None, value, []) for key, value, delta in rows])


def test_batches_without_rows_are_named() -> None:
    one = section([(0, None, b"v", [])])
    data = (
        batch(one, 1, 0)
        + batch(one, 1, 1, 32)
        + batch(b"zzz", 1, 2, 1)
        + batch(one, 1, 3, magic=1)
        + batch(one, 1, 4, 8)
    )
    columns, table = decode_batches(buffer(data))
    assert table.kinds.tolist() == [DECODED, CONTROL, COMPRESSED, OTHER_MAGIC, DECODED]
    assert columns.offsets.tolist() == [0, 4]
    assert columns.timestamps_ms.tolist() == [1000, 5000]
    assert table.first_rows.tolist() == [0, 1, 1, 1, 1]
    assert table.next_offsets.tolist() == [1, 2, 3, 4, 5]
    assert table.producer_ids.tolist() == [7] * 5


@given(records.filter(len), st.data())
@settings(max_examples=300, deadline=None)
def test_hostile_bytes_end_the_walk_and_read_nothing_outside(
    rows: list[tuple[int, bytes | None, bytes | None, list]], data: st.DataObject
) -> None:
    raw = bytearray(batch(section(rows), len(rows)) * 2)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    columns, table = decode_batches(buffer(bytes(raw)))
    assert 0 <= table.end <= len(raw)
    assert table.fault in (-1, table.end)
    for starts, lengths in ((columns.key_starts, columns.key_lengths), (columns.value_starts, columns.value_lengths)):
        assert (starts >= 0).all()
        assert (starts + np.maximum(lengths, 0) <= len(raw)).all()


@pytest.mark.parametrize("count", [-1, 0, 2, 2**31])
def test_a_section_that_lies_about_its_count_is_refused(count: int) -> None:
    data = buffer(section([(0, None, b"v", [])]))
    with pytest.raises(RecordFault):
        decode_section(data, count, 0, 0)
    assert len(decode_section(data, 1, 5, 0)) == 1


def test_a_section_for_fields_outside_their_buffer_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        encode_section((buffer(b"ab"), np.array([1]), np.array([2])))
