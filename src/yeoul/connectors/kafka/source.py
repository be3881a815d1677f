"""Topics as a source: where each partition starts and ends, and what its records become."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.connectors.batches import DecodedBatch, binary_of
from yeoul.connectors.format_options import fails_on_malformed
from yeoul.connectors.kafka.cluster import Cluster, TopicPartition
from yeoul.connectors.kafka.offsets import Starting, ending_offsets, starting_offsets
from yeoul.connectors.kafka.options import (
    BOUNDED_MODE,
    DISCOVERY_INTERVAL,
    KEY_FIELDS,
    KEY_PREFIX,
    RECONNECT_TIMEOUT,
    STARTUP_MODE,
    TOPIC,
    TOPIC_PATTERN,
    VALUE_FIELDS,
)
from yeoul.connectors.kafka.pieces import FetchedRange, Located, headers_of, locate
from yeoul.connectors.kafka.reader import KafkaReader, PartitionState, ReaderSettings
from yeoul.connectors.kafka.settings import client_settings
from yeoul.connectors.records import KeyOptions, Records, RecordSource, decode_records
from yeoul.connectors.spec import ConnectorContext
from yeoul.engine.contract import Fetched, Position
from yeoul.errors import UserError
from yeoul.plan.encoding import Encoding
from yeoul.plan.nodes import Scan
from yeoul.wire.records import LOG_APPEND_TIME

__all__ = ["KafkaPiece", "KafkaSource"]


@dataclass(frozen=True, slots=True)
class KafkaPiece:
    """Fetched ranges, not yet decoded: one, or several that are decoded together."""

    source: RecordSource
    ranges: tuple[FetchedRange, ...]
    check_crcs: bool

    @property
    def split(self) -> str:
        return self.ranges[0].partition.split

    @property
    def size_bytes(self) -> int:
        return sum(len(one.records) for one in self.ranges)

    @property
    def position_after(self) -> Position:
        return self.ranges[-1].next_offset

    def joined_with(self, others: Sequence[Fetched]) -> KafkaPiece:
        """Returns all ranges as one piece."""
        ranges = [one for piece in others if isinstance(piece, KafkaPiece) for one in piece.ranges]
        return KafkaPiece(self.source, (*self.ranges, *ranges), self.check_crcs)

    def decode(self) -> DecodedBatch:
        located = locate(self.ranges, self.check_crcs)
        keys = located.keys if self.source.uses_keys or self.source.key.fields else None
        return decode_records(self.source, Records(located.places, located.values, _metadata_of(located), keys))


def _metadata_of(located: Located) -> Callable[[str, NDArray[np.int64]], pl.Series]:
    """Returns what gives a metadata key for some of the records."""

    def by_batch(values: Sequence[object], rows: NDArray[np.int64]) -> pl.Series:
        return pl.Series(values)[pl.Series(located.batches[rows])] if len(values) else pl.Series([])

    def partitions() -> Iterator[TopicPartition]:
        return (located.ranges[owner].partition for owner in located.owners)

    def metadata(key: str, rows: NDArray[np.int64]) -> pl.Series:
        match key:
            case "offset":
                return pl.Series(located.columns.offsets[rows])
            case "timestamp":
                stamps = pl.Series(located.columns.timestamps_ms[rows]).cast(pl.Datetime("ms"))
                return stamps.dt.replace_time_zone("UTC")
            case "partition":
                return by_batch([partition.partition for partition in partitions()], rows)
            case "topic":
                return by_batch([partition.topic for partition in partitions()], rows)
            case "timestamp-type":
                return by_batch([_TIMESTAMP_TYPES[one.header.timestamp_type] for one in located.spans], rows)
            case "leader-epoch":
                epochs = [one.header.leader_epoch for one in located.spans]
                return by_batch([None if epoch < 0 else epoch for epoch in epochs], rows)
            case "key":
                return binary_of(located.keys, rows)
            case _:
                return headers_of(located, rows)

    return metadata


_TIMESTAMP_TYPES = {0: "CreateTime", LOG_APPEND_TIME: "LogAppendTime"}


class KafkaSource:
    """A table over topics.

    Args:
        scan: The table, and which columns are read.
        context: Clock, warnings, sign to stop.
        upserts: Whether a record is its key's row, the key made of the primary key.
    """

    def __init__(self, scan: Scan, context: ConnectorContext, *, upserts: bool = False) -> None:
        # Only the whole of a topic is the table that its upserts make.
        options = {**scan.options, STARTUP_MODE.name: "earliest-offset"} if upserts else scan.options
        self._options = options
        self._context = context
        self._settings = client_settings(options)
        self._starting = Starting.of(scan.table.name, options, self._settings)
        fields = scan.table.primary_key if upserts else KEY_FIELDS.read(options)
        keys = KeyOptions(fields, KEY_PREFIX.read(options), VALUE_FIELDS.read(options) == "all", upserts)
        fails, needs_before = fails_on_malformed(options), scan.encoding is not Encoding.UPSERT
        self._records = RecordSource(scan.table, options, scan.schema, keys, fails=fails, needs_before=needs_before)

    @property
    def is_bounded(self) -> bool:
        return BOUNDED_MODE.read(self._options) != "unbounded"

    def open(self, positions: Mapping[str, Position]) -> KafkaReader:
        """Returns a reader of every partition there is.

        Raises:
            UserError: A topic does not exist, or there is no offset to start from.
            PeerError: The cluster cannot be reached.
        """
        cluster = Cluster(self._settings, self._context)
        try:
            return self._open(cluster, positions)
        except BaseException:
            cluster.close()
            raise

    def _open(self, cluster: Cluster, positions: Mapping[str, Position]) -> KafkaReader:
        leaders = cluster.leaders(self._topics(cluster))
        known: dict[str, int] = {split: at for split, at in positions.items() if isinstance(at, int)}
        starts = starting_offsets(cluster, leaders, self._starting, known)
        ends = ending_offsets(cluster, leaders, self._options, self._settings)
        states = [
            PartitionState(
                partition,
                known[partition.split] if partition.split in known else starts[partition],
                None if ends is None else ends[partition],
                address,
                0,
            )
            for partition, address in sorted(leaders.items())
        ]
        settings = ReaderSettings(
            make_piece=self._piece,
            topics=lambda: self._topics(cluster),
            discovery_interval_ms=0 if self.is_bounded else DISCOVERY_INTERVAL.read(self._options),
            reconnect_timeout_ms=RECONNECT_TIMEOUT.read(self._options),
        )
        return KafkaReader(cluster, states, settings, self._context)

    def _piece(self, fetched: FetchedRange) -> Fetched:
        return KafkaPiece(self._records, (fetched,), self._settings.check_crcs)

    def _topics(self, cluster: Cluster) -> Sequence[str]:
        names = TOPIC.read(self._options)
        if names is not None:
            return names
        pattern = TOPIC_PATTERN.read(self._options)
        assert pattern is not None
        found = cluster.topics(pattern)
        if not found:
            shown = ", ".join(str(address) for address in self._settings.bootstrap)
            raise UserError(
                f"Option 'topic-pattern': no topic on {shown} matches {pattern.pattern!r}",
                hint="The whole name has to match.",
            )
        return found
