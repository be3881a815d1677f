"""Cleans the segments of one partition: of each key the newest record stays.

Two passes. The first one reads the dirty segments and notes every key's newest offset, as many keys as fit. The second
one copies all segments, as many into one as fit, and leaves out what a newer record has replaced:

- a batch of which all stays is copied as it is; of one that changes, offsets, sequences and codec stay the same, so a
  cleaned log has gaps and nothing else about it is new;
- a tombstone that nothing newer replaced stays for `delete.retention.ms` after it was first cleaned: that moment is
  written into its batch (the delete horizon, KIP-534);
- records of aborted transactions go; a marker stays while there is data of its transaction, then until its horizon;
- the last batch of an active producer stays, without records if need be, so that sequences survive any recovery.

The new files lie beside the old ones, durable; `swapping` puts them in place. Nothing that is read is changed, so
stopping at any moment leaves files to be removed and nothing else. Callers: `scheduling` in a thread, `child`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.compaction import DROP, EXPIRED, JUDGE, KeyTable, filter_section
from yeoul.log.compaction.output import CleanedSegment
from yeoul.log.compaction.pieces import Piece, pieces
from yeoul.log.compaction.plan import CleanedGroup, CleaningPlan, CleaningResult
from yeoul.log.compaction.transactions import TransactionsSeen
from yeoul.log.disk import Disk
from yeoul.log.segment_names import segment_path
from yeoul.wire.records import DELETE_HORIZON_BIT, BatchHeader, empty_batch, read_header, rewritten_batch

__all__ = ["clean"]

_CONTROL_BIT, _APPEND_TIME_BIT = 0x20, 0x08
_AS_IT_IS, _CHANGED, _EMPTIED, _GONE = range(4)

Pace = Callable[[int], None]
"""Called with each number of bytes that were read or written; may wait."""


def clean(disk: Disk, plan: CleaningPlan, pace: Pace) -> CleaningResult:
    """Makes the cleaned files of one partition.

    Raises:
        LogCorrupt: A batch is damaged; nothing is cleaned then.
        OSError: The disk refused; what was made so far is removed at the next start or cleaning.
    """
    return _Cleaning(disk, plan, pace).run()


class _Cleaning:
    def __init__(self, disk: Disk, plan: CleaningPlan, pace: Pace) -> None:
        self.disk = disk
        self.plan = plan
        self.pace = pace
        self.directory = Path(plan.directory)
        self.records_read = self.records_kept = self.bytes_read = 0
        key_count = min(plan.end_offset - plan.first_dirty_offset, KeyTable.key_count_in(plan.key_table_bytes))
        self.keys = KeyTable(key_count)
        self.last_offset = plan.first_dirty_offset - 1
        self.producer_ends = np.array(sorted(plan.producer_ends), np.int64)
        self.producer_epochs = {tuple(each) for each in plan.producer_epochs}

    def run(self) -> CleaningResult:
        self._note_keys()
        cleaned_offset = self.last_offset + 1
        plan = self.plan
        bases = [base for base, _ in plan.segments]
        count = next((at for at, base in enumerate(bases) if base >= cleaned_offset), len(bases))
        end_offset = bases[count] if count < len(bases) else plan.end_offset
        transactions = TransactionsSeen(plan.aborted)
        made: list[CleanedGroup] = []
        bytes_kept, segments = 0, deque(zip(plan.segments[:count], [*bases[1:count], end_offset], strict=True))
        while segments:
            cleaned, changed = self._copy(segments, transactions)
            bytes_kept += cleaned.size_bytes
            if changed or len(cleaned.replaced) > 1:
                made.append(cleaned)
        return CleaningResult(cleaned_offset, made, self.records_read, self.records_kept, self.bytes_read, bytes_kept)

    def _pieces(self, segment: tuple[int, int]) -> Iterator[Piece]:
        path = segment_path(self.directory, segment[0])
        for piece in pieces(self.disk.open(path), segment[1], path):
            self.pace(int(piece.sizes.sum()))
            yield piece

    # -- the first pass -----------------------------------------------------------------------------------------

    def _note_keys(self) -> None:
        """Notes the newest offset of every key, up to `last_offset`, which is where the table is full."""
        plan = self.plan
        transactions = TransactionsSeen(plan.aborted)
        ends = [base for base, _ in plan.segments[1:]] + [plan.end_offset]
        for segment, end in zip(plan.segments, ends, strict=True):
            if end <= plan.first_dirty_offset:
                continue
            for piece in self._pieces(segment):
                if not self._note_piece(piece, transactions):
                    return
        self.last_offset = plan.end_offset - 1

    def _note_piece(self, piece: Piece, transactions: TransactionsSeen) -> bool:
        """Returns False when the table could not take all of it."""
        last_offsets = piece.last_offsets
        aborted, _ = transactions.take(*_transactional_columns(piece))
        first = int(np.searchsorted(last_offsets, self.plan.first_dirty_offset))
        if first == len(piece):
            return True
        start = int(piece.first_rows[first])
        ends = (piece.first_rows + piece.row_counts)[first:] - start
        taken = int(np.searchsorted(ends, self.keys.capacity - self.keys.count, side="right"))
        if taken == 0 and self.keys.count == 0:
            # One batch with more keys than the table was to take: it has to, or nothing would ever be cleaned.
            self.keys = KeyTable(int(ends[0]))
            taken = 1
        if taken == 0:
            return False
        batches = slice(first, first + taken)
        actions = np.where(aborted[batches], DROP, JUDGE).astype(np.uint8)
        rows = piece.rows(start, start + int(ends[taken - 1]))
        self.keys.note(piece.data, rows, np.repeat(actions, piece.row_counts[batches]))
        self.last_offset = int(last_offsets[first + taken - 1])
        return first + taken == len(piece)

    # -- the second pass ----------------------------------------------------------------------------------------

    def _copy(
        self, segments: deque[tuple[tuple[int, int], int]], transactions: TransactionsSeen
    ) -> tuple[CleanedGroup, bool]:
        """Takes as many segments, each with its end offset, as fit into one.

        Returns:
            The new segment, and whether it differs from what it was made of.
        """
        base_offset = segments[0][0][0]
        replaced: list[int] = []
        out = CleanedSegment(self.disk, self.directory, base_offset, self.plan.index_interval_bytes, self.pace)
        changed = False
        while segments:
            segment, end_offset = segments[0]
            fits = out.size_bytes + segment[1] <= self.plan.segment_bytes and end_offset - base_offset < 1 << 31
            if replaced and not fits:
                break
            segments.popleft()
            replaced.append(segment[0])
            for piece in self._pieces(segment):
                changed |= self._copy_piece(piece, transactions, out)
        out.finish()
        return CleanedGroup(base_offset, out.size_bytes, out.max_timestamp_ms, replaced), changed

    def _copy_piece(self, piece: Piece, transactions: TransactionsSeen, out: CleanedSegment) -> bool:
        aborted, idle_markers = transactions.take(*_transactional_columns(piece))
        expired = self._expired(piece)
        actions = np.where(aborted, DROP, np.where(expired, EXPIRED, JUDGE)).astype(np.uint8)
        keep = self.keys.judge(piece.data, piece.records, np.repeat(actions, piece.row_counts), self.last_offset)
        kept = _counts(keep, piece)
        tombstones = _counts(keep & (piece.records.value_lengths < 0), piece)
        fates = self._fates(piece, kept, tombstones, idle_markers, expired)
        self.records_read += int(piece.headers["record_count"].sum())
        self.bytes_read += int(piece.sizes.sum())
        self.records_kept += int(kept.sum())
        runs_from = 0
        for at in np.flatnonzero(fates != _AS_IT_IS).tolist():
            out.copy(piece, runs_from, at)
            runs_from = at + 1
            if fates[at] == _CHANGED:
                out.add(self._changed(piece, at, keep, int(tombstones[at])))
            elif fates[at] == _EMPTIED:
                out.add(empty_batch(read_header(piece.stored, int(piece.starts[at]))))
        out.copy(piece, runs_from, len(piece))
        return bool((fates != _AS_IT_IS).any())

    def _expired(self, piece: Piece) -> NDArray[np.bool_]:
        """Which batches have a delete horizon that has passed."""
        has_horizon = (piece.headers["attributes"] & DELETE_HORIZON_BIT) != 0
        passed: NDArray[np.bool_] = has_horizon & (piece.headers["base_timestamp_ms"] <= self.plan.now_ms)
        return passed

    def _fates(
        self,
        piece: Piece,
        kept: NDArray[np.int64],
        tombstones: NDArray[np.int64],
        idle_markers: NDArray[np.bool_],
        expired: NDArray[np.bool_],
    ) -> NDArray[np.int64]:
        headers = piece.headers
        attributes, counts = headers["attributes"], headers["record_count"]
        control = (attributes & _CONTROL_BIT) != 0
        lacks_horizon = (attributes & DELETE_HORIZON_BIT) == 0
        needed = self._needed_by_producers(piece, control)
        without_records = np.where(needed, _EMPTIED, _GONE)
        data = np.where(kept == 0, without_records, _CHANGED)
        data[(kept == counts) & ~((tombstones > 0) & lacks_horizon)] = _AS_IT_IS
        markers = np.full(len(piece), _AS_IT_IS)
        markers[idle_markers & lacks_horizon] = _CHANGED
        markers[idle_markers & expired] = without_records[idle_markers & expired]
        fates = np.where(control, markers, data)
        empty = counts == 0
        fates[empty] = np.where(needed, _AS_IT_IS, _GONE)[empty]
        # What was not held against newer records yet stays as it is.
        fates[(headers["base_offset"] > self.last_offset) & (fates == _CHANGED)] = _AS_IT_IS
        return fates

    def _needed_by_producers(self, piece: Piece, control: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which batches hold the last word of a producer that is still active."""
        headers = piece.headers
        needed: NDArray[np.bool_] = np.isin(piece.last_offsets, self.producer_ends) & ~control
        needed &= headers["producer_id"] >= 0
        if self.producer_epochs:
            for at in np.flatnonzero(control).tolist():
                needed[at] = (int(headers["producer_id"][at]), int(headers["producer_epoch"][at])) in (
                    self.producer_epochs
                )
        return needed

    def _changed(self, piece: Piece, at: int, keep: NDArray[np.uint8], tombstones: int) -> bytearray:
        """Returns a batch with the records that stay, and a delete horizon if it needs one."""
        header = read_header(piece.stored, int(piece.starts[at]))
        rows = slice(int(piece.first_rows[at]), int(piece.first_rows[at] + piece.row_counts[at]))
        stays = np.ones(header.record_count, np.uint8) if header.is_control else keep[rows]
        base_ms, attributes = header.base_timestamp_ms, header.attributes
        if header.delete_horizon_ms is None and (tombstones or header.is_control):
            base_ms = self.plan.now_ms + self.plan.delete_retention_ms
            attributes |= DELETE_HORIZON_BIT
        section = piece.data[int(piece.sections[at]) : int(piece.section_ends[at])]
        body = filter_section(section, stays, base_ms - header.base_timestamp_ms)
        return rewritten_batch(
            header,
            body.data,
            attributes=attributes,
            base_timestamp_ms=base_ms,
            max_timestamp_ms=_newest_ms(header, piece.records.timestamps_ms[rows], stays),
            record_count=int(stays.sum()),
        )


def _newest_ms(header: BatchHeader, timestamps_ms: NDArray[np.int64], stays: NDArray[np.uint8]) -> int:
    if header.is_control or header.attributes & _APPEND_TIME_BIT:
        return header.max_timestamp_ms
    return int(timestamps_ms[stays != 0].max())


def _counts(flags: NDArray[np.uint8], piece: Piece) -> NDArray[np.int64]:
    """Returns how many rows of each batch are flagged."""
    sums = np.concatenate((np.zeros(1, np.int64), np.cumsum(flags, dtype=np.int64)))
    counts: NDArray[np.int64] = sums[piece.first_rows + piece.row_counts] - sums[piece.first_rows]
    return counts


def _transactional_columns(piece: Piece) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    headers = piece.headers
    return (
        headers["attributes"].astype(np.int64),
        headers["producer_id"].astype(np.int64),
        headers["base_offset"].astype(np.int64),
    )
