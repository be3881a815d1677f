"""Rows into a topic: columns to record batches, without an object a record.

Owns encoding, choosing partitions and cutting batches; `producer` sends them. Invariants: rows of one partition are
stored in the order they were written; `flush` returns when all are acknowledged by all replicas in sync, and raises if
one is lost. Batches are sent as they are written: the engine's batches are what has arrived, so waiting for more would
only add latency. librdkafka is not used: it takes a Python object a record, which measured three times the processor
time of this path, encoding not counted.
Callers: the engine's runtime.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.connectors.format_options import KEY, VALUE, encoded, make_encoder, taken_back
from yeoul.connectors.kafka.cluster import Cluster, TopicPartition
from yeoul.connectors.kafka.options import KEY_FIELDS, KEY_PREFIX, PARTITIONER, TOPIC, VALUE_FIELDS
from yeoul.connectors.kafka.partitioning import Partitioner
from yeoul.connectors.kafka.producer import BatchProducer, Section
from yeoul.connectors.kafka.settings import client_settings, producer_settings
from yeoul.connectors.spec import ConnectorContext
from yeoul.engine.columnwise import together
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.errors import UserError
from yeoul.formats.contract import Encoder, FormatColumn, RecordBuffer
from yeoul.kernels.records import encode_section
from yeoul.plan.nodes import Write
from yeoul.plan.tables import Column, ColumnKind
from yeoul.wire.records import HEADER_BYTES, Record, encode_batch

__all__ = ["KafkaSink", "cut_batches"]

_BATCH_BYTES = 512 << 10
_RECORD_OVERHEAD_BYTES = 24


def cut_batches(sizes_bytes: NDArray[np.int64], limit_bytes: int) -> list[tuple[int, int]]:
    """Cuts rows of given sizes into runs of about `limit_bytes`; a row of more than half of that stands alone.

    Example:
        >>> cut_batches(np.array([40, 40, 40, 90, 10]), 100)
        [(0, 3), (3, 4), (4, 5)]
    """
    if not len(sizes_bytes):
        return []
    if int(sizes_bytes.sum()) <= limit_bytes // 2:
        return [(0, len(sizes_bytes))]
    starts = np.cumsum(sizes_bytes) - sizes_bytes
    run = starts // limit_bytes
    large = sizes_bytes > limit_bytes // 2
    is_cut = (run[1:] != run[:-1]) | large[1:] | large[:-1]
    cuts = [0, *(np.flatnonzero(is_cut) + 1).tolist(), len(sizes_bytes)]
    return list(itertools.pairwise(cuts))


class KafkaSink:
    """A topic as something to write; see `yeoul.engine.contract.Sink`.

    Args:
        write: The table and its options.
        context: Clock, warnings.
        upserts: Whether a record is its key's row, the key made of the primary key, and a null value deletes it.

    Raises:
        UserError: There is more than one topic, or a metadata column cannot be written.
        PeerError: The cluster cannot be reached.
    """

    def __init__(self, write: Write, context: ConnectorContext, *, upserts: bool = False) -> None:
        options, columns = write.options, write.table.columns
        topics = TOPIC.read(options) or ()
        if len(topics) != 1:
            raise UserError(
                f"Table {write.table.name!r}: writing needs exactly one topic, got {len(topics)}",
                hint="Set 'topic' to one name.",
            )
        self._context = context
        physical = [column for column in columns if column.kind is ColumnKind.PHYSICAL]
        keys = write.table.primary_key if upserts else KEY_FIELDS.read(options)
        self._upserts = upserts
        in_value = [one for one in physical if VALUE_FIELDS.read(options) == "all" or one.name not in keys]
        self._values = make_encoder(options, VALUE, [_format_column(column, "") for column in in_value])
        prefix = KEY_PREFIX.read(options)
        self._key_names = {name: name.removeprefix(prefix) for name in keys}
        in_key = [column for name in keys for column in physical if column.name == name]
        self._keys: Encoder | None = (
            make_encoder(options, KEY, [_format_column(column, prefix) for column in in_key]) if keys else None
        )
        self._timestamps, self._headers = _writable_metadata(write.table.name, columns)
        settings = client_settings(options)
        cluster = Cluster(settings, context)
        try:
            leaders = cluster.leaders(topics, creating=True)
            self._partitions = sorted(leaders)
            self._partitioner = Partitioner("default" if upserts else PARTITIONER.read(options), len(leaders))
            self._producer = BatchProducer(cluster, leaders, producer_settings(settings), context)
        except BaseException:
            cluster.close()
            raise

    def write(self, frame: pl.DataFrame) -> None:
        """Sends rows; blocks while too much is not acknowledged yet.

        Raises:
            PeerError: Rows that were sent before are lost.
        """
        if frame.height == 0:
            return
        values = self._encoded(frame)
        keys = None
        if self._keys is not None:
            own = together([frame.get_column(name).alias(bare) for name, bare in self._key_names.items()])
            keys = self._keys.encode(own)
        stamps_ms = self._stamps(frame)
        headers = frame[self._headers] if self._headers else None
        self._producer.send(
            (partition, _section(values, keys, stamps_ms, headers, rows))
            for partition, rows in self._batches(values, keys)
        )

    def _encoded(self, frame: pl.DataFrame) -> RecordBuffer:
        """Returns the records' values: changes as the format has them, or null for a key that has no row any more."""
        if not self._upserts:
            return encoded(self._values, frame)
        gone, values = taken_back(frame), self._values.encode(frame)
        if gone is None or not gone.any():
            return values
        return replace(values, lengths=np.where(gone, -1, values.lengths))

    def flush(self) -> None:
        """Waits until every row is acknowledged.

        Raises:
            PeerError: Some are lost.
        """
        self._producer.flush()

    def close(self) -> None:
        """Drops what is not acknowledged; idempotent."""
        self._producer.close()

    def _batches(self, values: RecordBuffer, keys: RecordBuffer | None) -> Iterator[tuple[TopicPartition, _Rows]]:
        """Yields the rows of each batch, and where they go."""
        sizes = np.maximum(values.lengths, 0) + _RECORD_OVERHEAD_BYTES
        if keys is not None:
            sizes = sizes + np.maximum(keys.lengths, 0)
        if len(self._partitions) == 1:
            for start, end in cut_batches(sizes, _BATCH_BYTES):
                yield self._partitions[0], slice(start, end)
            return
        runs = (np.cumsum(sizes) - sizes) // _BATCH_BYTES
        assigned = self._partitioner.assign(runs, keys)
        order = np.argsort(assigned, kind="stable")
        bounds = np.searchsorted(assigned[order], np.arange(len(self._partitions) + 1))
        for index, partition in enumerate(self._partitions):
            rows = order[bounds[index] : bounds[index + 1]]
            for start, end in cut_batches(sizes[rows], _BATCH_BYTES):
                yield partition, rows[start:end]

    def _stamps(self, frame: pl.DataFrame) -> _Stamps:
        now_ms = self._context.clock.now_ms()
        if self._timestamps is None:
            return now_ms
        stamps = frame[self._timestamps].cast(pl.Datetime("ms", "UTC")).to_physical().fill_null(now_ms)
        return stamps.to_numpy().astype(np.int64)


_Rows = NDArray[np.int64] | slice
"""Some rows of a batch, in order."""
_Stamps = NDArray[np.int64] | int
"""Each record's timestamp in ms, or that of all."""


def _format_column(column: Column, prefix: str) -> FormatColumn:
    return FormatColumn(column.name.removeprefix(prefix), polars_dtype(column.type), column.type.nullable)


def _writable_metadata(table: str, columns: tuple[Column, ...]) -> tuple[str | None, str | None]:
    """Returns the columns that give the records' timestamps and headers."""
    found: dict[str, str] = {}
    for column in columns:
        if column.kind is not ColumnKind.METADATA or column.virtual:
            continue
        key = column.metadata_key or column.name
        if key not in ("timestamp", "headers"):
            raise UserError(
                f"Table {table!r}: metadata column {column.name!r} ({key!r}) cannot be written",
                hint="Declare it VIRTUAL; 'timestamp' and 'headers' can be written.",
            )
        found[key] = column.name
    return found.get("timestamp"), found.get("headers")


def _section(
    values: RecordBuffer,
    keys: RecordBuffer | None,
    stamps_ms: _Stamps,
    headers: pl.Series | None,
    rows: _Rows,
) -> Section:
    parts = _parts(values, rows)
    count = len(parts[1])
    if headers is not None:
        stamps = np.full(len(values), stamps_ms)[rows]
        body = _with_headers(values, keys, stamps, headers, np.arange(len(values))[rows])
        return Section(body, count, int(stamps[0]), int(stamps.max()))
    if isinstance(stamps_ms, int):
        base_ms, max_ms, deltas = stamps_ms, stamps_ms, None
    else:
        chosen = stamps_ms[rows]
        base_ms, max_ms = int(chosen[0]), int(chosen.max())
        deltas = chosen - base_ms
    body = encode_section(parts, None if keys is None else _parts(keys, rows), deltas)
    return Section(body, count, base_ms, max_ms)


def _parts(buffer: RecordBuffer, rows: _Rows) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    return buffer.data, buffer.offsets[rows], buffer.lengths[rows]


def _with_headers(
    values: RecordBuffer,
    keys: RecordBuffer | None,
    stamps_ms: NDArray[np.int64],
    headers: pl.Series,
    rows: NDArray[np.int64],
) -> NDArray[np.uint8]:
    """Encodes records that have headers, one by one: a table that writes headers pays for them."""
    records = [
        Record(
            offset,
            stamp_ms,
            None if keys is None else keys.record(row),
            values.record(row),
            tuple((pair["key"], pair["value"]) for pair in pairs or ()),
        )
        for offset, (row, stamp_ms, pairs) in enumerate(
            zip(rows.tolist(), stamps_ms.tolist(), headers[pl.Series(rows)].to_list(), strict=True)
        )
    ]
    return np.frombuffer(memoryview(encode_batch(records))[HEADER_BYTES:], np.uint8)
