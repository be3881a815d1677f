"""Opens a partition's files: finds where the log ends, mends a torn tail, refuses anything worse.

The decisions are `recovery`'s; this module reads the bytes they are made on and carries them out. Up to its last
segment with a final name the log is known to have been durable: what lacks there is lost, and refused. Behind it, the
log ends where the batches end; provisional segments that do not follow were never acknowledged, and go. After it, every
byte that the partition shows is durable, whatever was only in the page cache before.

Called by `partition`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from yeoul.log.checkpoint import Checkpoint, decode_checkpoint
from yeoul.log.compaction.swapping import complete_swap, read_record, remove_leftovers
from yeoul.log.config import TopicConfig
from yeoul.log.disk import Disk
from yeoul.log.errors import LogCorrupt
from yeoul.log.index import ENTRY_BYTES
from yeoul.log.producers import ProducerStates
from yeoul.log.recovery import ScanEnd, Scanned, may_follow, scan
from yeoul.log.scanning import find_batch, scan_file
from yeoul.log.segment import Segment
from yeoul.log.segment_names import SegmentName, index_path, segment_names, segment_path
from yeoul.log.transactions import PartitionTransactions
from yeoul.wire.markers import marker_commits
from yeoul.wire.records import BatchHeader

__all__ = ["CHECKPOINT_NAME", "OpenedPartition", "open_partition"]

CHECKPOINT_NAME = "checkpoint"
_log = logging.getLogger("yeoul.log")
_DOCTOR = "Run `yeoul doctor` on the data directory: it shows which records are whole and how to go on with them."


@dataclass(frozen=True, slots=True)
class OpenedPartition:
    """What was found.

    Attributes:
        segments: In order; the last one is ready for appends. Never empty.
        producers, transactions: As the log makes them at its end.
        start_offset: The first offset that may be read.
        end_offset: The offset of the next record.
        recovery_offset: Below it nothing had to be scanned.
        truncated_bytes: How long the torn tail was, dropped segments included.
        directory_dirty: There may be names that are not durable yet.
        cleaned_offset: Below it compaction has been.
        checkpoint_base_offset: The segment that the checkpoint on the disk names; -1 when there is none.
    """

    segments: list[Segment]
    producers: ProducerStates
    transactions: PartitionTransactions
    start_offset: int
    end_offset: int
    recovery_offset: int
    truncated_bytes: int
    directory_dirty: bool
    cleaned_offset: int = 0
    checkpoint_base_offset: int = -1


def open_partition(disk: Disk, directory: Path, config: TopicConfig, *, now_ms: int) -> OpenedPartition:
    """Returns a partition's state, its tail mended.

    Raises:
        LogCorrupt: Bytes below the recovery point are missing or damaged, or valid batches follow a damaged place.
    """
    return _Opening(disk, directory, config, now_ms).open()


class _Opening:
    """One start of one partition."""

    def __init__(self, disk: Disk, directory: Path, config: TopicConfig, now_ms: int) -> None:
        self.disk = disk
        self.directory = directory
        self.config = config
        self.now_ms = now_ms
        self.producers = ProducerStates()
        self.transactions = PartitionTransactions()
        self.truncated_bytes = 0
        self.changed = False
        self.confirmed_offset = 0
        self.cleaned_offset = 0

    def open(self) -> OpenedPartition:
        self._finish_compaction()
        names = segment_names(self.disk.list_directory(self.directory))
        bases = [name.base_offset for name in names]
        self.confirmed_offset = max((name.base_offset for name in names if not name.is_provisional), default=0)
        content = self.disk.read_file(self.directory / CHECKPOINT_NAME)
        where = str(self.directory / CHECKPOINT_NAME)
        checkpoint = None if content is None else decode_checkpoint(content, where)
        if not bases:
            return self._create(checkpoint)
        checkpoint_base_offset = -1 if checkpoint is None else checkpoint.segment_base_offset
        if checkpoint is None:
            checkpoint = Checkpoint(bases[0], bases[0], bases[0], 0, [])
        self._check_bases(bases, checkpoint)
        opened = self._open_segments(names, checkpoint)
        return replace(
            opened,
            directory_dirty=opened.directory_dirty or checkpoint_base_offset < 0,
            cleaned_offset=min(self.cleaned_offset, opened.end_offset),
            checkpoint_base_offset=checkpoint_base_offset,
        )

    def _finish_compaction(self) -> None:
        """Completes a swap that was decided on, and removes what was not."""
        record = read_record(self.disk, self.directory)
        complete_swap(self.disk, self.directory, record)
        remove_leftovers(self.disk, self.directory)
        self.cleaned_offset = record.cleaned_offset

    def _create(self, checkpoint: Checkpoint | None) -> OpenedPartition:
        if checkpoint is not None and checkpoint.recovery_offset > checkpoint.start_offset:
            raise LogCorrupt(
                f"{self.directory} holds no segment, expected records up to offset {checkpoint.recovery_offset}",
                hint=_DOCTOR,
            )
        base = checkpoint.start_offset if checkpoint else 0
        segment = self._segment(SegmentName(base, is_provisional=False), 0)
        segment.create()
        return OpenedPartition([segment], self.producers, self.transactions, base, base, base, 0, directory_dirty=True)

    def _check_bases(self, bases: Sequence[int], checkpoint: Checkpoint) -> None:
        if checkpoint.segment_base_offset not in bases:
            raise LogCorrupt(
                f"{segment_path(self.directory, checkpoint.segment_base_offset)} is missing; records up to offset "
                f"{checkpoint.recovery_offset} were durable",
                hint=_DOCTOR,
            )
        if bases[0] > checkpoint.start_offset:
            raise LogCorrupt(
                f"{self.directory} begins at offset {bases[0]}, expected offset {checkpoint.start_offset} or below",
                hint=_DOCTOR,
            )

    def _open_segments(self, names: Sequence[SegmentName], checkpoint: Checkpoint) -> OpenedPartition:
        older = [name for name in names if name.base_offset < checkpoint.segment_base_offset]
        held, *following = names[len(older) :]
        segments = [self._segment(name, self.disk.open(name.path_in(self.directory)).size_bytes()) for name in older]
        self.producers = ProducerStates.load(checkpoint.producers)
        self.transactions = PartitionTransactions.load(checkpoint.open_transactions, checkpoint.aborted_transactions)
        newest = self._resume(self._segment(held, checkpoint.position), checkpoint)
        next_offset = self._scan_segment(newest, checkpoint.position, checkpoint.recovery_offset)
        segments.append(newest)
        for at, name in enumerate(following):
            if not may_follow(name.base_offset, next_offset, self.cleaned_offset):
                self._drop(following[at:], next_offset)
                break
            newest = self._segment(name, 0)
            newest.file  # noqa: B018 - opens it, so that it is synced below
            next_offset = self._scan_segment(newest, 0, name.base_offset)
            segments.append(newest)
        if self.changed or any(name.is_provisional for name in names):
            self._make_durable(segments, segments[len(older) :])
        self.transactions.settle()
        return OpenedPartition(
            segments,
            self.producers,
            self.transactions,
            max(checkpoint.start_offset, names[0].base_offset),
            next_offset,
            checkpoint.recovery_offset,
            self.truncated_bytes,
            # A checkpoint has made all names durable that were there before it.
            directory_dirty=bool(following),
        )

    def _segment(self, name: SegmentName, size_bytes: int) -> Segment:
        return Segment(
            self.disk,
            self.directory,
            name.base_offset,
            size_bytes,
            index_interval_bytes=self.config.index_interval_bytes,
            is_provisional=name.is_provisional,
        )

    def _resume(self, segment: Segment, checkpoint: Checkpoint) -> Segment:
        """Returns the segment with the recovery point, ready for what follows it."""
        held_bytes = segment.file.size_bytes()
        if held_bytes < checkpoint.position:
            raise LogCorrupt(
                f"{segment.path} has {held_bytes} bytes, expected at least "
                f"{checkpoint.position}: durable records up to offset {checkpoint.recovery_offset} are missing",
                hint=_DOCTOR,
            )
        self._check_below(segment, checkpoint)
        segment.resume(segment.index, checkpoint.position)
        path = index_path(self.directory, segment.base_offset)
        if (self.disk.read_file(path) or b"")[segment.persisted_entries * ENTRY_BYTES :]:
            # Entries beyond the recovery point name batches that may not survive; they are made anew.
            self.disk.open(path).truncate(segment.persisted_entries * ENTRY_BYTES)
        return segment

    def _check_below(self, segment: Segment, checkpoint: Checkpoint) -> None:
        """Holds the last batches below the recovery point against what the checkpoint says."""
        if checkpoint.position == 0:
            return
        entry = segment.index.at_position(checkpoint.position - 1)
        data = segment.file.read_at(checkpoint.position - entry.position, entry.position)
        first_offset = segment.base_offset + entry.relative_offset
        seen = scan(data, next_offset=first_offset, sparse_below=self.cleaned_offset)
        if seen.end is ScanEnd.END and seen.next_offset == checkpoint.recovery_offset:
            return
        reason = seen.reason or f"the batches end at offset {seen.next_offset}"
        raise LogCorrupt(
            f"{segment.path} is damaged at position "
            f"{entry.position + seen.valid_bytes}, below the recovery point (offset {checkpoint.recovery_offset}): "
            f"{reason}",
            hint=_DOCTOR,
        )

    def _scan_segment(self, segment: Segment, position: int, next_offset: int) -> int:
        """Takes in the batches from `position` on; returns the offset after the last valid one."""
        for start, seen in scan_file(segment.file, position, next_offset, self.cleaned_offset):
            self.changed = True
            self._take(segment, seen, start)
            next_offset = seen.next_offset
            segment.size_bytes = start + seen.valid_bytes
            if seen.end is not ScanEnd.END:
                self._mend(segment, segment.size_bytes, next_offset, seen.reason)
        return next_offset

    def _take(self, segment: Segment, seen: Scanned, start: int) -> None:
        for position, header in seen.batches:
            segment.note(header.base_offset, header.max_timestamp_ms, start + position)
            if header.producer_id >= 0:
                self.producers.record(header, base_offset=header.base_offset, now_ms=self.now_ms)
                if header.is_transactional:
                    self._take_transactional(segment, header, start + position)

    def _take_transactional(self, segment: Segment, header: BatchHeader, position: int) -> None:
        if not header.is_control:
            self.transactions.wrote(header.producer_id, header.base_offset)
            return
        if not header.record_count:
            # Compaction has emptied it: nothing of its transaction was left.
            return
        commit = marker_commits(segment.file.read_at(header.size_bytes, position))
        if commit is not None:
            self.transactions.ended(header.producer_id, header.base_offset, commit=commit)

    def _mend(self, segment: Segment, position: int, next_offset: int, reason: str) -> None:
        """Cuts off a torn tail."""
        follower = find_batch(segment.file, position, next_offset)
        if follower is not None:
            follows = f"a valid batch follows at position {follower}"
        elif segment.base_offset < self.confirmed_offset:
            follows = f"all records up to offset {self.confirmed_offset} were durable"
        else:
            cut_bytes = segment.file.size_bytes() - position
            _log.warning(
                "%s: cut off %d bytes of an append that a crash cut short: %s", segment.path, cut_bytes, reason
            )
            self.truncated_bytes += cut_bytes
            segment.file.truncate(position)
            return
        raise LogCorrupt(
            f"{segment.path} is damaged at position {position} (offset {next_offset}): {reason}; but {follows}, so "
            "this is no append that a crash cut short",
            hint=_DOCTOR,
        )

    def _drop(self, names: Sequence[SegmentName], next_offset: int) -> None:
        """Removes segments behind a gap, provided that none of them vouches for what is missing."""
        first = names[0].path_in(self.directory)
        if next_offset < self.confirmed_offset:
            raise LogCorrupt(
                f"{first} begins at offset {names[0].base_offset}, but the segment before it ends at offset "
                f"{next_offset}: records in between are missing",
                hint=_DOCTOR,
            )
        for name in names:
            path = name.path_in(self.directory)
            size_bytes = self.disk.open(path).size_bytes()
            _log.warning(
                "%s: dropped with %d bytes: the crash came before what lies between offset %d and %d was on the disk",
                path,
                size_bytes,
                next_offset,
                name.base_offset,
            )
            self.truncated_bytes += size_bytes
            self.disk.unlink(path)
            self.disk.unlink(index_path(self.directory, name.base_offset))
        self.changed = True

    def _make_durable(self, segments: Sequence[Segment], scanned: Sequence[Segment]) -> None:
        for segment in scanned:
            segment.file.sync()
        for segment in segments:
            segment.confirm()
        self.disk.sync_directory(self.directory)
