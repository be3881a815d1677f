"""One partition: an ordered log of record batches, from `start_offset` up to `end_offset`.

Invariants:
- offsets ascend and never change; they are dense but where compaction has been (`segments.sparse_below`);
- under `flush=commit` nothing at or above `durable_offset` is acknowledged or readable; `high_watermark` is the
  durable offset. Under `interval` and `os` the high watermark is `end_offset`;
- an append is whole or it did not happen: a failed write is cut off again;
- a reader of committed records sees nothing at or above `last_stable_offset`, where a transaction is still open;
- a checkpoint never names bytes that were not synced before it was written.

This module holds the offsets and joins the parts: `opening` (what a start finds), `segments` (which file holds what),
`writing` (the end of the files), `partition_reads` (reading), `acknowledgements` (who waits), `checkpointing` (when the
state is saved), `compaction.partition` (cleaning), `producers` and `transactions` (what the batches say).

All methods are called on the broker's loop, except `ColdRead.load`, `find_timestamp` and `newest_timestamp`, which may
wait for the disk and may run in any thread. Called by the broker's handlers and by `directory.Log`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from yeoul.clock import Clock
from yeoul.log.acknowledgements import AckCallback, Acknowledgements
from yeoul.log.checkpoint import Checkpoint
from yeoul.log.checkpointing import Checkpointing
from yeoul.log.compaction.partition import Dirt, PartitionCompaction
from yeoul.log.compaction.plan import CleaningPlan, CleaningResult, CleaningSettings
from yeoul.log.config import TopicConfig
from yeoul.log.disk import Disk
from yeoul.log.errors import (
    InvalidBatch,
    InvalidTransactionState,
    LogStopped,
    OffsetOutOfRange,
)
from yeoul.log.flusher import Flusher, FlushMode, FlushWork, SyncWork
from yeoul.log.index import ENTRY_BYTES
from yeoul.log.opening import open_partition
from yeoul.log.partition_reads import Bounds, PartitionReads
from yeoul.log.reading import ColdRead, Fetched, Place, TimestampOffset
from yeoul.log.retention import SegmentFacts, expired_segments
from yeoul.log.rounds import CheckpointWork, RoundWork
from yeoul.log.segment import Segment
from yeoul.log.segments import Segments
from yeoul.log.writing import PartitionWriter, assign_offsets
from yeoul.wire.markers import encode_marker
from yeoul.wire.records import TRANSACTIONAL_BIT, BatchHeader, read_header

__all__ = ["Appended", "ColdRead", "Fetched", "PartitionLog", "TimestampOffset"]


@dataclass(frozen=True, slots=True)
class Appended:
    """Where an append went.

    Attributes:
        base_offset: The offset of its first record.
        end_offset: The offset after its last record: what to hand to `when_committed`.
        duplicate: The batch was in the log already and was not written again.
    """

    base_offset: int
    end_offset: int
    duplicate: bool = False


class PartitionLog:
    """One partition of one topic.

    Args:
        directory: Where its files are; it must exist. Missing segments are created, torn tails mended.
        config: The topic's configuration.
        disk: The file system.
        flusher: Whose rounds make appends durable.
        clock: For producers' expiry and retention.

    Raises:
        LogCorrupt: Recovery refused.
    """

    def __init__(self, directory: Path, config: TopicConfig, disk: Disk, flusher: Flusher, clock: Clock) -> None:
        opened = open_partition(disk, directory, config, now_ms=clock.now_ms())
        self.directory = directory
        self.config = config
        self.start_offset: int = opened.start_offset
        self.end_offset: int = opened.end_offset
        self.durable_offset: int = opened.end_offset
        self.truncated_bytes: int = opened.truncated_bytes
        self.producers = opened.producers
        self.transactions = opened.transactions
        self._disk = disk
        self._flusher = flusher
        self._clock = clock
        self._commit = flusher.mode is FlushMode.COMMIT
        self._segments = Segments(opened.segments, opened.cleaned_offset, bounded=self._commit)
        self._reads = PartitionReads(self._segments, self.transactions)
        self._waiting = Acknowledgements()
        self._checkpoints = Checkpointing(flusher, self._checkpoint_work, self._settle)
        self._compaction = PartitionCompaction(
            directory, disk, flusher, self._segments, opened.cleaned_offset, opened.checkpoint_base_offset
        )
        self._writer = PartitionWriter(
            directory, disk, flusher, self._segments, self._checkpoints.soon, directory_dirty=opened.directory_dirty
        )
        self._saved_start_offset = opened.start_offset
        self._closed = False
        if opened.end_offset > opened.recovery_offset or opened.truncated_bytes:
            self._checkpoint_now()

    # -- what it holds ------------------------------------------------------------------------------------------

    @property
    def high_watermark(self) -> int:
        """The offset below which records are acknowledged and may be read."""
        return self.durable_offset if self._commit else self.end_offset

    @property
    def last_stable_offset(self) -> int:
        """The offset below which the fate of every record is known: committed, aborted, or in no transaction."""
        high_watermark = self.high_watermark
        unstable_offset = self.transactions.first_unstable_offset(high_watermark)
        if unstable_offset is None:
            return high_watermark
        return max(self.start_offset, min(unstable_offset, high_watermark))

    @property
    def size_bytes(self) -> int:
        """The bytes of all segments, without indexes."""
        return self._segments.size_bytes

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is written: the log ends, or the topic was deleted."""
        return self._closed

    @property
    def cleaned_offset(self) -> int:
        """The offset below which compaction has been."""
        return self._compaction.cleaned_offset

    @property
    def segment_count(self) -> int:
        return len(self._segments)

    # -- appending ----------------------------------------------------------------------------------------------

    def append(self, records: bytearray | memoryview, headers: Sequence[BatchHeader]) -> Appended:
        """Writes batches at the end and asks for a flush round.

        Args:
            records: The batches, one after the other, nothing else; base offsets and leader epochs are patched in
                place, so the buffer must be writable. It is free again when the call returns.
            headers: The header of each batch in order, validated (`yeoul.wire.records.validate_produced`).

        Returns:
            The offsets. They are acknowledged once `when_committed(appended.end_offset)` says so, for a duplicate too.

        Raises:
            InvalidBatch, OutOfOrderSequence, DuplicateSequence, InvalidProducerEpoch: As `ProducerStates.check`.
            LogFull, DiskRefused: There is no space, or no new segment could be made; nothing was kept.
            LogStopped: The disk failed earlier, or now.
        """
        if self._flusher.failure is not None:
            raise self._flusher.failure
        if headers[0].producer_id >= 0:
            duplicate = self._check_producer(headers)
            if duplicate is not None:
                return duplicate
        return self._append_checked(records, headers)

    def append_as_coordinator(self, records: bytearray, header: BatchHeader, *, commit: bool | None = None) -> Appended:
        """Writes one batch that a coordinator makes in a transactional producer's name: without a sequence.

        Args:
            records: The batch.
            header: Its header.
            commit: Whether it commits or aborts the producer's transaction; None when it is no marker.

        Raises:
            InvalidProducerEpoch: A newer instance of the producer has written.
            LogFull, DiskRefused, LogStopped: As `append`.
        """
        if self._flusher.failure is not None:
            raise self._flusher.failure
        self.producers.check_epoch(header)
        return self._append_checked(records, (header,), commit)

    def append_marker(self, *, producer_id: int, producer_epoch: int, commit: bool) -> Appended:
        """Ends a producer's transaction here; its records are stable once the marker is durable.

        Raises:
            InvalidProducerEpoch: A newer instance of the producer has written.
            LogFull, DiskRefused, LogStopped: As `append`.
        """
        batch = encode_marker(
            producer_id=producer_id,
            producer_epoch=producer_epoch,
            commit=commit,
            timestamp_ms=self._clock.now_ms(),
        )
        return self.append_as_coordinator(batch, read_header(batch), commit=commit)

    def _append_checked(
        self, records: bytearray | memoryview, headers: Sequence[BatchHeader], commit: bool | None = None
    ) -> Appended:
        base_offset, size_bytes = self.end_offset, len(records)
        next_offset = assign_offsets(records, headers, base_offset)
        segment = self._writer.write(records, headers, base_offset, self.config)
        self._note(segment, headers, base_offset, commit)
        self.end_offset = next_offset
        segment.size_bytes += size_bytes
        self._flusher.request(self)
        self._checkpoints.appended(size_bytes, len(headers))
        if not self._commit:
            self._waiting.notify(next_offset)
        return Appended(base_offset, next_offset)

    def _check_producer(self, headers: Sequence[BatchHeader]) -> Appended | None:
        if len(headers) > 1:
            raise InvalidBatch(f"Expected one batch from an idempotent producer, got {len(headers)}")
        header = headers[0]
        known = self.producers.check(header)
        if known is None and not header.is_transactional and header.producer_id in self.transactions.open:
            raise InvalidTransactionState(
                f"Producer {header.producer_id} has a transaction open here: expected a transactional batch"
            )
        return None if known is None else Appended(known.base_offset, known.last_offset + 1, duplicate=True)

    def _note(self, segment: Segment, headers: Sequence[BatchHeader], offset: int, commit: bool | None) -> None:
        position = segment.size_bytes
        for header in headers:
            segment.note(offset, header.max_timestamp_ms, position)
            if header.producer_id >= 0:
                self.producers.record(header, base_offset=offset, now_ms=self._clock.now_ms())
                if header.attributes & TRANSACTIONAL_BIT:
                    self._note_transactional(header.producer_id, offset, commit)
            position += header.size_bytes
            offset += header.last_offset_delta + 1

    def _note_transactional(self, producer_id: int, offset: int, commit: bool | None) -> None:
        if commit is None:
            self.transactions.wrote(producer_id, offset)
        else:
            self.transactions.forget_endings_below(self.high_watermark)
            self.transactions.ended(producer_id, offset, commit=commit)

    # -- becoming durable ---------------------------------------------------------------------------------------

    def when_committed(self, end_offset: int, callback: AckCallback) -> bool:
        """Calls back on the loop once the high watermark has reached `end_offset`.

        Returns:
            True when it has already: the callback is not called then. Otherwise it is called exactly once, with None,
            or with the failure that stopped the log.
        """
        if end_offset <= self.high_watermark:
            return True
        self._waiting.wait(end_offset, callback)
        return False

    def add_listener(self, callback: Callable[[], None]) -> None:
        """Calls back, on the loop, whenever the high watermark has moved, until `remove_listener`."""
        self._waiting.listen(callback)

    def remove_listener(self, callback: Callable[[], None]) -> None:
        self._waiting.ignore(callback)

    def start_round(self) -> SyncWork | None:
        """For the flusher: what a round that starts now has to sync."""
        return None if self._closed else self._writer.start_round(self.end_offset)

    def finish_round(self, work: FlushWork) -> None:
        """For the flusher: the round's bytes are durable."""
        assert isinstance(work, RoundWork)
        if work.end_offset > self.durable_offset:
            self._advance(work.end_offset, work.place)

    def _advance(self, durable_offset: int, place: Place) -> None:
        self.durable_offset = durable_offset
        self._segments.durable_place = place
        if self._commit:
            self._waiting.notify(durable_offset)

    def stop(self, failure: LogStopped) -> None:
        """Fails everybody who waits for an acknowledgement."""
        self._waiting.fail(failure)

    # -- reading ------------------------------------------------------------------------------------------------

    def read(
        self, offset: int, max_bytes: int, *, whole_first_batch: bool = True, stable_only: bool = False
    ) -> Fetched | ColdRead:
        """Returns the batches from the one that holds `offset` on, as far as they are durable.

        Args:
            offset: Where to begin; the first batch may begin below it.
            max_bytes: How much to return at most, cut at whole batches (give or take an index interval).
            whole_first_batch: Return the first batch even if it is larger than `max_bytes` (KIP-74).
            stable_only: Stop at the last stable offset, and name the aborted transactions (read_committed).

        Returns:
            `Fetched`, empty where the readable records end and beyond, or `ColdRead` when the page cache lacks the
            bytes.

        Raises:
            OffsetOutOfRange: Below the start or beyond the end.
        """
        if not self.start_offset <= offset <= self.end_offset:
            raise OffsetOutOfRange(
                f"Offset {offset} of {self.directory.parent.name}-{self.directory.name}: "
                f"expected {self.start_offset} to {self.end_offset}"
            )
        high_watermark, transactions = self.high_watermark, self.transactions
        stable_offset = self.last_stable_offset if transactions.open or transactions.ending else high_watermark
        bounds = Bounds(high_watermark, self.start_offset, stable_offset)
        return self._reads.read(offset, max_bytes, bounds, whole_first_batch=whole_first_batch, stable_only=stable_only)

    def find_timestamp(self, timestamp_ms: int) -> TimestampOffset | None:
        """Returns the first committed record at or after a time; None when all are older. May wait for the disk."""
        return self._reads.find_timestamp(timestamp_ms, self.start_offset)

    def newest_timestamp(self) -> TimestampOffset | None:
        """Returns the first record with the largest timestamp; None when the log is empty. May wait for the disk."""
        return self._reads.newest_timestamp(self.start_offset)

    # -- trimming -----------------------------------------------------------------------------------------------

    def advance_start_offset(self, offset: int) -> int:
        """Makes everything below `offset` unreadable and drops whole segments below it; returns the new start.

        Raises:
            OffsetOutOfRange: Beyond the high watermark.
        """
        if offset > self.high_watermark:
            raise OffsetOutOfRange(f"Expected an offset up to {self.high_watermark}, got {offset!r}")
        if offset > self.start_offset:
            self.start_offset = offset
            self.transactions.forget_below(offset)
            self._checkpoints.soon()
        return self.start_offset

    def apply_retention(self) -> int:
        """Drops the old segments that the topic's retention no longer keeps; returns how many. May read.

        When not even the newest one is kept, and all of it is durable, it is rolled first and goes too.
        """
        self._checkpoints.retry()
        if not self.config.deletes:
            return 0
        segments = self._segments
        held = list(segments) if segments.active.size_bytes else list(segments.sealed)
        facts = [SegmentFacts(s.size_bytes, s.newest_timestamp_ms()) for s in held]
        count = expired_segments(facts, self.config, now_ms=self._clock.now_ms())
        durable_base = segments.durable_place.segment.base_offset
        if count == len(segments) and self.durable_offset == self.end_offset == self.last_stable_offset:
            self._writer.roll(self.end_offset, self.config)
        else:
            count = min(count, sum(s.base_offset < durable_base for s in segments))
        # Segments that lie below the start already only wait for the checkpoint that says so.
        going = sum(later.base_offset <= self.start_offset for later in list(segments)[1:])
        if count > going:
            self.advance_start_offset(segments[count].base_offset)
        return max(0, count - going)

    def expire_producers(self, idle_ms: int) -> int:
        """Forgets producers that have been silent for longer than `idle_ms` and have no transaction open."""
        return self.producers.expire(now_ms=self._clock.now_ms(), idle_ms=idle_ms, kept=self.transactions.open)

    def _drop_below(self, offset: int) -> None:
        """Removes the segments that lie wholly below an offset that a checkpoint names as the start."""
        self._saved_start_offset = offset
        if not self._compaction.swapping:
            self._reads.forget(self._segments.drop_below(offset, self._disk, self.directory))

    # -- compaction ---------------------------------------------------------------------------------------------

    def dirt(self) -> Dirt | None:
        """Returns what compaction could clean now, None when nothing can be; may read headers."""
        if self._closed:
            return None
        return self._compaction.dirt(
            self.config,
            start_offset=self.start_offset,
            stable_offset=self.last_stable_offset,
            now_ms=self._clock.now_ms(),
        )

    def cleaning_plan(self, dirt: Dirt, settings: CleaningSettings) -> CleaningPlan:
        """Returns the cleaning of what `dirt` found, as a value."""
        return self._compaction.plan(
            dirt, self.config, settings, self.producers, self.transactions, self._clock.now_ms()
        )

    def adopt_cleaned(self, result: CleaningResult, done: Callable[[BaseException | None], None]) -> None:
        """Puts cleaned files in place of the segments that they were made of.

        Args:
            result: What the cleaning of a plan of this partition made.
            done: Called on the loop at the end, with what went wrong, or None.
        """
        if self._closed:
            done(None)
            return

        def finished(failure: BaseException | None) -> None:
            if failure is not None and not self._closed and not self._compaction.is_harmless(failure):
                self._flusher.fail(failure)
            elif failure is None:
                self.transactions.forget_below(result.cleaned_offset)
                self._drop_below(self._saved_start_offset)
            done(failure)

        self._compaction.adopt(result, self.config.index_interval_bytes, self._reads.forget, finished)

    # -- checkpoints --------------------------------------------------------------------------------------------

    def _checkpoint_work(self) -> CheckpointWork:
        open_transactions, aborted_transactions = self.transactions.dump()
        checkpoint = Checkpoint(
            start_offset=self.start_offset,
            recovery_offset=self.end_offset,
            segment_base_offset=self._segments.active.base_offset,
            position=self._segments.active.size_bytes,
            producers=self.producers.dump(),
            open_transactions=open_transactions,
            aborted_transactions=aborted_transactions,
        )
        return CheckpointWork.of(self.directory, self._segments, checkpoint)

    def _settle(self, work: CheckpointWork) -> None:
        """Takes note of what a checkpoint has made durable."""
        for tail in work.tails:
            tail.segment.persisted_entries = tail.first_entry + len(tail.entries) // ENTRY_BYTES
        self._compaction.checkpoint_base_offset = work.checkpoint.segment_base_offset
        self._drop_below(work.checkpoint.start_offset)
        for segment in self._segments.sealed:
            if segment.index_in_memory and segment.persisted_entries == segment.entry_count():
                segment.release()
        if work.checkpoint.recovery_offset > self.durable_offset:
            self._advance(work.checkpoint.recovery_offset, work.place)

    def _checkpoint_now(self) -> bool:
        """Returns False when there was no space for it: the next start scans what it would have spared."""
        complete = self._checkpoints.now(self._disk)
        self._writer.directory_dirty = self._writer.directory_dirty and not complete
        return complete

    # -- ending -------------------------------------------------------------------------------------------------

    def close(self) -> bool:
        """Makes everything durable and writes the last checkpoint. Blocks; call it after the flusher's end.

        Returns:
            Whether the next start has nothing to scan.
        """
        closed, self._closed = self._closed, True
        self._checkpoints.stop()
        if closed or self._flusher.failure is not None:
            return False
        return self._checkpoint_now()

    def abandon(self) -> None:
        """Stops without another write: the topic is being deleted."""
        self._closed = True
        self._checkpoints.stop()
        for segment in self._segments.provisional:
            segment.retire()
        self._flusher.forget(self)
