"""What is to be cleaned, and what came of it: values that can be handed to another process. Pure.

Callers: `partition` makes plans, `cleaning` carries them out, `child` sends them to a process of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["CleanedGroup", "CleaningPlan", "CleaningResult", "CleaningSettings", "cleaned_path"]


@dataclass(frozen=True, slots=True)
class CleaningSettings:
    """What a broker's cleaner is told; Kafka's `log.cleaner.*`.

    Attributes:
        enabled: Whether anything is cleaned at all (`log.cleaner.enable`).
        backoff_ms: The pause when nothing needs cleaning (`log.cleaner.backoff.ms`).
        key_table_bytes: The most memory for the keys of one pass (`log.cleaner.dedupe.buffer.size`); what does not fit
            is left for the next.
        max_bytes_per_second: Read and written together (`log.cleaner.io.max.bytes.per.second`).
    """

    enabled: bool = True
    backoff_ms: int = 15_000
    key_table_bytes: int = 128 << 20
    max_bytes_per_second: float = float(1 << 40)


@dataclass(frozen=True, slots=True)
class CleaningPlan:
    """One cleaning of one partition.

    Attributes:
        directory: Where its files are.
        segments: Base offset and size in bytes of the segments, from the first on; all are sealed and durable.
        first_dirty_offset: Records from here on have not been held against older ones.
        end_offset: Where the segments end: the base offset of the next one.
        aborted: Producer id, first offset and marker's offset of the aborted transactions.
        producer_ends: The last offset of each active producer's last batch.
        producer_epochs: Producer id and epoch of the active producers whose last word was a marker.
        now_ms: The time, for horizons.
        delete_retention_ms: How long a tombstone stays after it was first cleaned.
        segment_bytes: Small segments are joined up to this size.
        index_interval_bytes: How far apart index entries are.
        key_table_bytes: As `CleaningSettings`.
        max_bytes_per_second: As `CleaningSettings`.
    """

    directory: str
    segments: Sequence[tuple[int, int]]
    first_dirty_offset: int
    end_offset: int
    aborted: Sequence[tuple[int, int, int]]
    producer_ends: Sequence[int]
    producer_epochs: Sequence[tuple[int, int]]
    now_ms: int
    delete_retention_ms: int
    segment_bytes: int
    index_interval_bytes: int
    key_table_bytes: int
    max_bytes_per_second: float

    def encode(self) -> bytes:
        """Returns one line.

        Example:
            >>> plan = CleaningPlan("/d/t/0", [(0, 9)], 0, 5, [], [4], [], 0, 0, 1, 1, 1 << 20, 1e9)
            >>> CleaningPlan.decode(plan.encode()).end_offset
            5
        """
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> CleaningPlan:
        return cls(**json.loads(line))


@dataclass(frozen=True, slots=True)
class CleanedGroup:
    """One new segment file.

    Attributes:
        base_offset: Its base offset, the first one of those it replaces.
        size_bytes: Its size.
        max_timestamp_ms: The newest timestamp in it, -1 for none.
        replaced: The base offsets of the segments that it takes the place of.
    """

    base_offset: int
    size_bytes: int
    max_timestamp_ms: int
    replaced: Sequence[int]


@dataclass(frozen=True, slots=True)
class CleaningResult:
    """What a cleaning made, durable but for the names of the files.

    Attributes:
        cleaned_offset: Below it every key has one record; the next cleaning begins here.
        groups: The new files; segments that stay as they are are not among them.
        records_read: Records that the second pass saw.
        records_kept: Those of them that stay.
        bytes_read: What the second pass read.
        bytes_kept: What is left of that.
    """

    cleaned_offset: int
    groups: Sequence[CleanedGroup]
    records_read: int
    records_kept: int
    bytes_read: int
    bytes_kept: int

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> CleaningResult:
        body = json.loads(line)
        return cls(**{**body, "groups": [CleanedGroup(**group) for group in body["groups"]]})


def cleaned_path(path: Path) -> Path:
    """Returns where the file that is to replace another one is made.

    Example:
        >>> cleaned_path(Path("t/0/00.log")).name
        '00.log.cleaned'
    """
    return path.with_name(path.name + ".cleaned")
