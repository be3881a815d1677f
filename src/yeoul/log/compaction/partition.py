"""One partition's part in its compaction: how dirty it is, what to clean, and the swap at the end.

Owns the offset below which the log is clean. Only segments that are sealed, settled (their index is on the disk), below
the segment that the checkpoint names and below the last stable offset are cleaned: nobody writes to those any more,
and no recovery reads them. Called on the loop, by `scheduling` through `PartitionLog`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from yeoul.log.compaction.plan import CleanedGroup, CleaningPlan, CleaningResult, CleaningSettings
from yeoul.log.compaction.swapping import SwapWork
from yeoul.log.config import TopicConfig
from yeoul.log.disk import Disk
from yeoul.log.errors import NO_SPACE
from yeoul.log.flusher import Flusher
from yeoul.log.producers import ProducerStates
from yeoul.log.segment import Segment
from yeoul.log.segments import Segments
from yeoul.log.transactions import PartitionTransactions

__all__ = ["Dirt", "PartitionCompaction"]

SwapCallback = Callable[[BaseException | None], None]


@dataclass(frozen=True, slots=True)
class Dirt:
    """How much a cleaning would find.

    Attributes:
        segments: Those that can be cleaned, clean ones included.
        first_dirty_offset: Where the dirty ones begin.
        end_offset: Where they end.
        ratio: The share of dirty bytes.
        overdue: Something is older than `max.compaction.lag.ms`.
    """

    segments: tuple[Segment, ...]
    first_dirty_offset: int
    end_offset: int
    ratio: float
    overdue: bool

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self.segments)


class PartitionCompaction:
    """Args:
    directory: Of the partition.
    disk: The file system.
    flusher: Runs swaps.
    segments: The partition's.
    cleaned_offset: Where the last cleaning ended.
    checkpoint_base_offset: The segment that the checkpoint on the disk names.

    Attributes:
        cleaned_offset: Below it the log is clean.
        checkpoint_base_offset: Kept up to date by the partition.
        swapping: A swap is under way: no segment may be dropped.
    """

    __slots__ = ("_directory", "_disk", "_flusher", "_segments", "checkpoint_base_offset", "cleaned_offset", "swapping")

    def __init__(
        self,
        directory: Path,
        disk: Disk,
        flusher: Flusher,
        segments: Segments,
        cleaned_offset: int,
        checkpoint_base_offset: int,
    ) -> None:
        self._directory = directory
        self._disk = disk
        self._flusher = flusher
        self._segments = segments
        self.cleaned_offset = cleaned_offset
        self.checkpoint_base_offset = checkpoint_base_offset
        self.swapping = False

    def dirt(self, config: TopicConfig, *, start_offset: int, stable_offset: int, now_ms: int) -> Dirt | None:
        """Returns what could be cleaned now, None when nothing can; may read headers."""
        if not config.compacted or self.swapping:
            return None
        first_dirty_offset = max(self.cleaned_offset, start_offset)
        cleanable: list[Segment] = []
        dirty_bytes = end_offset = 0
        oldest_ms = now_ms
        for segment, later in zip(self._segments.sealed, list(self._segments)[1:], strict=True):
            is_dirty = later.base_offset > first_dirty_offset
            if not self._is_settled(segment) or later.base_offset > stable_offset:
                break
            if is_dirty and 0 < config.min_compaction_lag_ms > now_ms - segment.newest_timestamp_ms():
                break
            cleanable.append(segment)
            end_offset = later.base_offset
            if is_dirty:
                if not dirty_bytes and config.max_compaction_lag_ms < now_ms:
                    oldest_ms = segment.oldest_timestamp_ms()
                dirty_bytes += segment.size_bytes
        if not dirty_bytes:
            return None
        ratio = dirty_bytes / sum(segment.size_bytes for segment in cleanable)
        overdue = oldest_ms >= 0 and now_ms - oldest_ms > config.max_compaction_lag_ms
        return Dirt(tuple(cleanable), first_dirty_offset, end_offset, ratio, overdue)

    def _is_settled(self, segment: Segment) -> bool:
        below_checkpoint = segment.base_offset < self.checkpoint_base_offset and not segment.is_provisional
        return below_checkpoint and not segment.pending_entries()

    def plan(
        self,
        dirt: Dirt,
        config: TopicConfig,
        settings: CleaningSettings,
        producers: ProducerStates,
        transactions: PartitionTransactions,
        now_ms: int,
    ) -> CleaningPlan:
        """Returns a cleaning as a value."""
        producer_ends, producer_epochs = producers.last_words()
        return CleaningPlan(
            directory=str(self._directory),
            segments=[(segment.base_offset, segment.size_bytes) for segment in dirt.segments],
            first_dirty_offset=dirt.first_dirty_offset,
            end_offset=dirt.end_offset,
            aborted=transactions.aborted_below(dirt.end_offset),
            producer_ends=[end for end in producer_ends if end < dirt.end_offset],
            producer_epochs=producer_epochs,
            now_ms=now_ms,
            delete_retention_ms=config.delete_retention_ms,
            segment_bytes=config.segment_bytes,
            index_interval_bytes=config.index_interval_bytes,
            key_table_bytes=settings.key_table_bytes,
            max_bytes_per_second=settings.max_bytes_per_second,
        )

    def adopt(
        self,
        result: CleaningResult,
        index_interval_bytes: int,
        swapped: Callable[[set[Segment]], None],
        done: SwapCallback,
    ) -> None:
        """Begins to put cleaned files in place.

        Args:
            result: What the cleaning made.
            index_interval_bytes: As the topic's configuration.
            swapped: Called with the segments that are gone, once others stand in their places.
            done: Called at the end with what went wrong, or None.
        """
        replaced = {base for group in result.groups for base in group.replaced}
        old = tuple(segment for segment in self._segments.sealed if segment.base_offset in replaced)
        if len(old) < len(replaced):
            # Retention or DeleteRecords dropped one meanwhile: the next cleaning begins again.
            done(None)
            return
        work = SwapWork(self._directory, old, tuple(result.groups), result.cleaned_offset)
        self.swapping = True

        def finished(failure: BaseException | None) -> None:
            self.swapping = False
            if failure is None:
                self._segments.sparse_below = self.cleaned_offset = result.cleaned_offset
                self._segments.replace(
                    set(old), [self._new_segment(each, index_interval_bytes) for each in work.groups]
                )
                swapped(set(old))
            done(failure)

        # From here on readers may meet gaps: a read that begins in an old segment finds what it always found.
        self._flusher.submit(work, finished)

    def _new_segment(self, group: CleanedGroup, index_interval_bytes: int) -> Segment:
        segment = Segment(
            self._disk,
            self._directory,
            group.base_offset,
            group.size_bytes,
            index_interval_bytes=index_interval_bytes,
        )
        segment.max_timestamp_ms = group.max_timestamp_ms
        return segment

    @staticmethod
    def is_harmless(failure: BaseException) -> bool:
        """Whether a swap failed before anything was decided: the disk had no space for the decision."""
        return isinstance(failure, OSError) and failure.errno in NO_SPACE
