"""Fetched record batches, and the records inside them: where each key and value lies, nothing copied that need not be.

Owns what of a fetched range counts: control batches, aborted transactions, and records outside the range are left out.
Invariants: `scan_batches` touches headers only, so that the reading thread can go on at once; the rest (CRC,
decompression, finding the records) is done by `locate`, on the decode pool; uncompressed batches of one range are
never copied, all others are put into one buffer; whatever the bytes, only `PeerError` is raised.
Callers: `reader` (scan), `source` (locate), the mirror (committed batches, whole). Source: https://kafka.apache.org/documentation/#recordbatch
"""

from __future__ import annotations

import bisect
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.connectors.batches import RecordPlaces
from yeoul.connectors.kafka.cluster import TopicPartition
from yeoul.errors import PeerError
from yeoul.formats.contract import RecordBuffer
from yeoul.kernels.records import RecordColumns, RecordFault, decode_batches, decode_section
from yeoul.wire.compression import MAX_DECOMPRESSED_BYTES, Codec, decompress
from yeoul.wire.errors import ProtocolError
from yeoul.wire.records import HEADER_BYTES, LOG_APPEND_TIME, BatchHeader, check_crc, decode_records, iter_batches

__all__ = [
    "Aborted",
    "FetchedRange",
    "Located",
    "Span",
    "batch_body",
    "batch_damaged",
    "committed_spans",
    "headers_of",
    "locate",
    "scan_batches",
]

_ABORT_MARKER = 0
_CONTROL_KEY = struct.Struct(">hh")
_MOST_BYTES = (1 << 31) - 1
_NO_END = (1 << 63) - 1


class Span(NamedTuple):
    """One batch: where it is in the fetched bytes, and its header."""

    position: int
    header: BatchHeader


class Aborted(NamedTuple):
    """A transaction that was aborted: whose, and from which offset on."""

    producer_id: int
    first_offset: int


@dataclass(frozen=True, slots=True)
class FetchedRange:
    """What one answer held of one partition.

    Attributes:
        partition: Which.
        records: The bytes of whole batches, never to be written to again.
        spans: The batches in them.
        start: The offset that was asked for; records before it belong to somebody else's range.
        end: The offset to stop before; None: no end.
        next_offset: What follows.
        aborted: Transactions in it that were aborted.
    """

    partition: TopicPartition
    records: memoryview
    spans: Sequence[Span]
    start: int
    end: int | None
    next_offset: int
    aborted: tuple[Aborted, ...] = ()


@dataclass(frozen=True, slots=True)
class Located:
    """Where the records of some ranges are, range by range, in the order of the offsets.

    Attributes:
        data: The buffer that holds them.
        columns: Offsets, timestamps, and the places of keys, values and headers in `data`.
        counts: How many records there are of each batch.
        spans: The batches that were read.
        ranges: Where they come from.
        owners: For each of `spans`, the index of its range.
    """

    data: NDArray[np.uint8]
    columns: RecordColumns
    counts: Sequence[int]
    spans: Sequence[Span]
    ranges: Sequence[FetchedRange]
    owners: Sequence[int]

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def batches(self) -> NDArray[np.int64]:
        """For each record, the index of its batch among `spans`."""
        return np.repeat(np.arange(len(self.spans)), self.counts)

    @property
    def values(self) -> RecordBuffer:
        return RecordBuffer(self.data, self.columns.value_starts, self.columns.value_lengths)

    @property
    def keys(self) -> RecordBuffer:
        return RecordBuffer(self.data, self.columns.key_starts, self.columns.key_lengths)

    def places(self) -> RecordPlaces:
        """Returns where each record comes from."""
        names = tuple(one.partition.split for one in self.ranges)
        owners = np.repeat(np.array(self.owners, np.int64), self.counts) if len(names) > 1 else None
        return RecordPlaces(self.columns.offsets, names, owners)


def scan_batches(records: memoryview, start: int) -> tuple[list[Span], int, int]:
    """Returns (the whole batches that reach `start` or further, the offset after them, the bytes cut off at the end).

    Raises:
        ProtocolError: A header is impossible.
    """
    spans: list[Span] = []
    next_offset, end = start, 0
    for position, header in iter_batches(records):
        end = position + header.size_bytes
        if header.next_offset > next_offset:
            spans.append(Span(position, header))
            next_offset = header.next_offset
    return spans, next_offset, len(records) - end


def locate(ranges: Sequence[FetchedRange], check_crcs: bool) -> Located:
    """Finds the records of some ranges; those of one partition are to follow each other.

    Several ranges are copied into one buffer, which costs less than treating each by itself.

    Raises:
        PeerError: A batch is damaged; names topic, partition and offset.
    """
    found = [(index, span) for index, one in enumerate(ranges) for span in committed_spans(one, check_crcs)]
    plain = all(_is_plain(one) for one in ranges)
    data, columns, counts = _in_place(ranges, found) if plain else _unpacked(ranges, found)
    return _within(Located(data, columns, counts, [span for _, span in found], ranges, [index for index, _ in found]))


_Found = Sequence[tuple[int, Span]]
"""Batches, each with the index of its range."""
_Places = tuple[NDArray[np.uint8], RecordColumns, Sequence[int]]
"""A buffer, where records lie in it, and how many there are of each batch."""


def _is_plain(fetched: FetchedRange) -> bool:
    """Tells whether nothing of a range is compressed."""
    return not any(span.header.is_compressed for span in fetched.spans)


def batch_damaged(fetched: FetchedRange, span: Span, message: str) -> PeerError:
    """Returns the error that names a damaged batch."""
    topic, partition = fetched.partition
    return PeerError(
        f"Topic {topic!r}, partition {partition}: the record batch at offset {span.header.base_offset} is damaged: "
        f"{message}",
        hint="The log or the way to it is damaged; start behind it with scan.startup.mode = 'specific-offsets'.",
    )


def committed_spans(fetched: FetchedRange, check_crcs: bool) -> Iterator[Span]:
    """Yields the batches whose records count: neither control batches nor those of aborted transactions.

    Raises:
        PeerError: A batch is damaged; names topic, partition and offset.
    """
    waiting = sorted(fetched.aborted, key=lambda one: one.first_offset, reverse=True)
    aborted: set[int] = set()
    for span in fetched.spans:
        header = span.header
        while waiting and waiting[-1].first_offset <= header.last_offset:
            aborted.add(waiting.pop().producer_id)
        if check_crcs:
            try:
                check_crc(fetched.records, header, span.position)
            except ProtocolError as error:
                raise batch_damaged(fetched, span, error.message) from error
        if header.is_control:
            if _is_abort(fetched, span):
                aborted.discard(header.producer_id)
            continue
        if not (header.is_transactional and header.producer_id in aborted):
            yield span


def _is_abort(fetched: FetchedRange, span: Span) -> bool:
    try:
        records = decode_records(fetched.records, span.position, verify_crc=False)
        return bool(records) and _CONTROL_KEY.unpack_from(records[0].key or b"")[1] == _ABORT_MARKER
    except (ProtocolError, struct.error) as error:
        raise batch_damaged(fetched, span, f"a broken control record: {error}") from error


def _in_place(ranges: Sequence[FetchedRange], found: _Found) -> _Places:
    """Finds the records of uncompressed batches in one go: where they lie, if there is one range."""
    data, starts = _side_by_side(ranges)
    columns, table = decode_batches(data)
    if table.fault >= 0:
        owner = bisect.bisect_right(starts, table.fault) - 1
        spans = ranges[owner].spans
        at = next((span for span in spans if span.position == table.fault - starts[owner]), spans[0])
        raise batch_damaged(ranges[owner], at, "its records do not fit its header")
    if len(found) == len(table):
        return data, columns, [span.header.record_count for _, span in found]
    counts = np.diff(table.first_rows, append=len(columns))
    places = np.searchsorted(table.positions, [starts[index] + span.position for index, span in found])
    counted = np.zeros(len(table), np.bool_)
    counted[places] = True
    return data, _chosen(columns, np.repeat(counted, counts)), counts[places].tolist()


def _side_by_side(ranges: Sequence[FetchedRange]) -> tuple[NDArray[np.uint8], list[int]]:
    """Returns the whole batches of all ranges, and where those of each range start."""
    if len(ranges) == 1:
        return np.frombuffer(ranges[0].records, np.uint8), [0]
    parts: list[memoryview] = []
    starts: list[int] = []
    size_bytes = 0
    for one in ranges:
        last = one.spans[-1]
        parts.append(one.records[: last.position + last.header.size_bytes])
        starts.append(size_bytes)
        size_bytes += len(parts[-1])
    return np.frombuffer(b"".join(parts), np.uint8), starts


def _unpacked(ranges: Sequence[FetchedRange], found: _Found) -> _Places:
    """Puts the records sections of all batches, decompressed, into one buffer."""
    bodies = [batch_body(ranges[index], span) for index, span in found]
    total_bytes = sum(len(body) for body in bodies)
    if total_bytes > _MOST_BYTES:
        hint = "Lower 'properties.max.partition.fetch.bytes'."
        raise PeerError(f"One answer decompresses to {total_bytes} bytes, expected at most {_MOST_BYTES}", hint=hint)
    data = bodies[0] if len(bodies) == 1 else np.empty(total_bytes, np.uint8)
    sections: list[RecordColumns] = []
    start = 0
    for (index, span), body in zip(found, bodies, strict=True):
        if len(bodies) > 1:
            data[start : start + len(body)] = body
        sections.append(_moved(_section(ranges[index], span, body), start))
        start += len(body)
    columns = (
        RecordColumns(*(np.concatenate(parts) for parts in zip(*map(_arrays, sections), strict=True)))
        if sections
        else _NONE
    )
    return data, columns, [len(one) for one in sections]


def batch_body(fetched: FetchedRange, span: Span) -> NDArray[np.uint8]:
    """Returns a batch's records section, decompressed.

    Raises:
        PeerError: It cannot be decompressed.
    """
    header = span.header
    start = span.position + HEADER_BYTES
    section = fetched.records[start : span.position + header.size_bytes]
    try:
        if header.codec is Codec.NONE:
            return np.frombuffer(section, np.uint8)
        return np.frombuffer(decompress(header.codec, section, limit_bytes=MAX_DECOMPRESSED_BYTES), np.uint8)
    except ProtocolError as error:
        raise batch_damaged(fetched, span, error.message) from error


def _section(fetched: FetchedRange, span: Span, body: NDArray[np.uint8]) -> RecordColumns:
    header = span.header
    append_time_ms = header.max_timestamp_ms if header.timestamp_type == LOG_APPEND_TIME else -1
    try:
        return decode_section(body, header.record_count, header.base_offset, header.base_timestamp_ms, append_time_ms)
    except RecordFault as error:
        raise batch_damaged(fetched, span, "its records do not fit its header") from error


def _arrays(columns: RecordColumns) -> tuple[NDArray[np.int64], ...]:
    return tuple(getattr(columns, field.name) for field in fields(columns))


_NONE = RecordColumns(*[np.empty(0, np.int64)] * len(fields(RecordColumns)))


def _moved(columns: RecordColumns, start: int) -> RecordColumns:
    """Returns the columns with their places `start` bytes further on."""
    if start == 0:
        return columns
    return replace(
        columns,
        key_starts=columns.key_starts + start,
        value_starts=columns.value_starts + start,
        header_starts=columns.header_starts + start,
    )


def _chosen(columns: RecordColumns, kept: NDArray[np.bool_]) -> RecordColumns:
    return RecordColumns(*(array[kept] for array in _arrays(columns)))


def _within(located: Located) -> Located:
    """Leaves out the records before and behind what was asked for."""
    if not any(map(_holds_more, located.ranges)):
        return located
    batches, offsets = located.batches, located.columns.offsets
    owners = np.array(located.owners, np.int64)[batches]
    starts = np.array([one.start for one in located.ranges], np.int64)
    ends = np.array([_NO_END if one.end is None else one.end for one in located.ranges], np.int64)
    kept = (offsets >= starts[owners]) & (offsets < ends[owners])
    counts = np.bincount(batches[kept], minlength=len(located.spans))
    return replace(located, columns=_chosen(located.columns, kept), counts=counts.tolist())


def _holds_more(fetched: FetchedRange) -> bool:
    """Tells whether a range's batches hold records that are not in it."""
    if not fetched.spans:
        return False
    first, last = fetched.spans[0].header, fetched.spans[-1].header
    return first.base_offset < fetched.start or (fetched.end is not None and last.last_offset >= fetched.end)


def headers_of(located: Located, rows: NDArray[np.int64]) -> pl.Series:
    """Returns the headers of some records as MAP<STRING, BYTES>; those that have any are read one by one.

    Of headers with one name the last counts, as in Flink.
    """
    starts, counts = located.columns.header_starts, located.columns.header_counts
    held = [_read_headers(located.data, int(starts[row]), int(counts[row])) if counts[row] else [] for row in rows]
    return pl.Series(held, dtype=pl.List(pl.Struct({"key": pl.String(), "value": pl.Binary()})))


def _read_headers(data: NDArray[np.uint8], at: int, count: int) -> list[dict[str, str | bytes | None]]:
    """Reads headers whose lengths the kernel has proved."""
    found: dict[str, bytes | None] = {}
    for _ in range(count):
        name, at = _read_bytes(data, at)
        value, at = _read_bytes(data, at)
        found[(name or b"").decode("utf-8", "replace")] = value
    return [{"key": name, "value": value} for name, value in found.items()]


def _read_bytes(data: NDArray[np.uint8], at: int) -> tuple[bytes | None, int]:
    length = shift = 0
    while True:
        byte = int(data[at])
        at += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    length = (length >> 1) ^ -(length & 1)
    return (None, at) if length < 0 else (data[at : at + length].tobytes(), at + length)
