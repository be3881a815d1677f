"""What a mirror keeps at the target: a compacted topic of one partition, written in the mirror's own transactions.

Owns the records' form, JSON that `yeoul consume` can show:

    ["owner"]                        -> {"instance": ...}      who holds the transactional id
    ["map", topic, partition, chunk] -> {"next": ..., "runs": [...], ...}   a part of a partition's offset map

`topic` is the source's name. A run is three numbers: source offsets skipped and target offsets skipped since the run
before, and the count. The newest chunk of a partition says where the source is to be read on; ids of both topics tell
whether one of them is not the topic that it was. Callers: `session`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from yeoul.connectors.kafka.cluster import TopicPartition
from yeoul.connectors.kafka.pieces import FetchedRange, committed_spans
from yeoul.connectors.kafka.settings import ClientSettings
from yeoul.connectors.spec import ConnectorContext
from yeoul.errors import PeerError
from yeoul.mirror.client import EARLIEST, LATEST, Client
from yeoul.mirror.fetcher import Fetcher
from yeoul.mirror.offset_map import Chunk, OffsetMap, Run
from yeoul.wire.records import Record, decode_records

__all__ = ["Copied", "Kept", "chunk_record", "owner_record", "read_state", "replay", "tombstone"]

_POLL_S = 0.5


@dataclass(slots=True)
class Copied:
    """One partition that is being copied.

    Attributes:
        offsets: Its map.
        source_id: The topic's id at the source.
        target_id: The topic's id at the target.
    """

    offsets: OffsetMap
    source_id: bytes = bytes(16)
    target_id: bytes = bytes(16)


@dataclass(slots=True)
class Kept:
    """What was kept: by partition of the source; the chunks that are stored; who stored last."""

    copied: dict[TopicPartition, Copied] = field(default_factory=dict)
    chunks: dict[TopicPartition, set[int]] = field(default_factory=lambda: defaultdict(set))
    owner: str = ""


class _Stored(msgspec.Struct, omit_defaults=True):
    """The value of a chunk's record."""

    next: int
    source_id: str
    target_id: str
    origin: tuple[int, int]
    source: int = 0
    target: int = 0
    runs: list[int] = []


def owner_record(instance: str, now_ms: int) -> Record:
    """Returns the record that says which instance writes."""
    return Record(0, now_ms, _key("owner"), msgspec.json.encode({"instance": instance}))


def chunk_record(partition: TopicPartition, copied: Copied, number: int, now_ms: int) -> Record:
    """Returns the record that keeps one chunk of a partition's map."""
    chunk = copied.offsets.chunk(number)
    value = _Stored(chunk.next_source, copied.source_id.hex(), copied.target_id.hex(), chunk.origin)
    if chunk.runs:
        value.source, value.target = source, target = chunk.runs[0].source, chunk.runs[0].target
        for run in chunk.runs:
            value.runs += (run.source - source, run.target - target, run.length)
            source, target = run.source + run.length, run.target + run.length
    return Record(0, now_ms, _key("map", *partition, number), msgspec.json.encode(value))


def tombstone(partition: TopicPartition, number: int, now_ms: int) -> Record:
    """Returns the record that makes a chunk forgotten."""
    return Record(0, now_ms, _key("map", *partition, number), None)


def replay(records: Iterable[Record]) -> Kept:
    """Returns what the records of a state topic, in their order, come to.

    Raises:
        PeerError: One of them is not of a mirror's making.
    """
    kept = Kept()
    stored: dict[TopicPartition, dict[int, _Stored]] = defaultdict(dict)
    for record in records:
        try:
            match msgspec.json.decode(record.key or b""):
                case ["owner"]:
                    kept.owner = msgspec.json.decode(record.value or b"", type=dict[str, str])["instance"]
                case ["map", str(topic), int(index), int(number)] if record.value is None:
                    stored[TopicPartition(topic, index)].pop(number, None)
                case ["map", str(topic), int(index), int(number)]:
                    stored[TopicPartition(topic, index)][number] = msgspec.json.decode(
                        record.value or b"", type=_Stored
                    )
                case other:
                    raise ValueError(f"unknown key {other!r}")
        except (msgspec.DecodeError, ValueError, KeyError) as error:
            raise PeerError(
                f"The mirror's own topic holds a record at offset {record.offset} that is not the mirror's: {error}",
                hint="Give this mirror another --id, or delete the topic to have everything copied anew.",
            ) from error
    for partition, values in stored.items():
        if values:
            newest = values[max(values)]
            offsets = OffsetMap.from_chunks(_chunk(number, value) for number, value in values.items())
            ids = bytes.fromhex(newest.source_id), bytes.fromhex(newest.target_id)
            kept.copied[partition] = Copied(offsets, *ids)
            kept.chunks[partition] = set(values)
    return kept


def _chunk(number: int, value: _Stored) -> Chunk:
    runs: list[Run] = []
    source, target = value.source, value.target
    for at in range(0, len(value.runs), 3):
        skipped_source, skipped_target, count = value.runs[at : at + 3]
        run = Run(source + skipped_source, target + skipped_target, count)
        source, target = run.source + count, run.target + count
        runs.append(run)
    return Chunk(number, value.next, tuple(runs), value.origin)


def _key(*parts: str | int) -> bytes:
    return msgspec.json.encode(parts)


def read_state(client: Client, settings: ClientSettings, context: ConnectorContext, topic: str) -> Kept:
    """Reads a state topic to its end; call it only once the transactional id is taken over.

    Raises:
        PeerError: The target cannot be reached, refuses, or the topic holds something else.
    """
    partition = TopicPartition(topic, 0)
    leaders = client.view([topic]).leaders([partition])
    end = client.list_offsets(leaders, LATEST)[partition]
    fetcher = Fetcher(settings, context)
    records: list[Record] = []
    try:
        fetcher.read(partition, leaders[partition], client.list_offsets(leaders, EARLIEST)[partition])
        while fetcher.positions[partition] < end and not context.stopping.is_set():
            for fetched in fetcher.poll(_POLL_S):
                records += _records_of(fetched)
    except KeyError:
        raise PeerError(f"Topic {topic!r} went away while it was read") from None
    finally:
        fetcher.close()
    return replay(records)


def _records_of(fetched: FetchedRange) -> list[Record]:
    spans = committed_spans(fetched, check_crcs=True)
    return [
        record
        for span in spans
        for record in decode_records(fetched.records, span.position, verify_crc=False)
        if record.offset >= fetched.start
    ]
