"""What a partition asks the disk for, off the loop: flush rounds and checkpoints.

Each is a value made on the loop and run in a thread; it touches files only, so that nothing is shared. The order inside
is what makes them true: data first, then the names of new segments, which vouch for all that lies before them; in a
checkpoint then the index entries, and last the file that vouches for everything.

Made by `writing` and `partition`; run by `flusher`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from yeoul.log.checkpoint import Checkpoint, encode_checkpoint
from yeoul.log.disk import Disk, DiskFile
from yeoul.log.index import ENTRY_BYTES
from yeoul.log.opening import CHECKPOINT_NAME
from yeoul.log.reading import Place
from yeoul.log.segment import Segment
from yeoul.log.segment_names import index_path
from yeoul.log.segments import Segments

__all__ = ["CheckpointWork", "IndexTail", "RoundWork"]


@dataclass(frozen=True, slots=True)
class RoundWork:
    """What one flush round of this partition makes durable.

    Attributes:
        files: What was written to.
        directory: Where names are to be made durable; None: nowhere.
        begun: Segments that are not confirmed yet; the files hold all that lies before them and is not durable.
        end_offset: What is acknowledged afterwards.
        place: Where that is.
    """

    files: tuple[DiskFile, ...]
    directory: Path | None
    begun: tuple[Segment, ...]
    end_offset: int
    place: Place

    def run(self, disk: Disk) -> None:
        for file in self.files:
            file.sync()
        for segment in self.begun:
            segment.confirm()
        if self.directory is not None:
            disk.sync_directory(self.directory)

    def descriptors(self) -> Sequence[int]:
        if self.directory is not None:
            return ()
        found = [file.fileno() for file in self.files]
        return () if -1 in found else found


@dataclass(frozen=True, slots=True)
class IndexTail:
    segment: Segment
    first_entry: int
    entries: bytes


@dataclass(frozen=True, slots=True)
class CheckpointWork:
    """Syncs data, confirms segments, syncs index entries, then replaces the checkpoint that vouches for all of it.

    It names files by their path, and a deleted topic's path may be taken by a new topic of that name: `cancel` sees to
    it that nothing is written there afterwards.
    """

    directory: Path
    files: tuple[DiskFile, ...]
    begun: tuple[Segment, ...]
    tails: tuple[IndexTail, ...]
    checkpoint: Checkpoint
    place: Place
    _running: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)
    _cancelled: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)

    @classmethod
    def of(cls, directory: Path, segments: Segments, checkpoint: Checkpoint) -> CheckpointWork:
        """Returns what makes a checkpoint of the segments as they stand true."""
        tails = tuple(
            IndexTail(segment, segment.persisted_entries, entries)
            for segment in segments
            if (entries := segment.pending_entries())
        )
        # Files of a round that is under way are not durable yet: sync whatever lies above the durable place.
        durable_base = segments.durable_place.segment.base_offset
        files = tuple(segment.file for segment in segments if segment.base_offset >= durable_base)
        return cls(directory, files, segments.provisional, tails, checkpoint, segments.end_place)

    def cancel(self) -> None:
        """Keeps it from running; waits for its end if it runs already."""
        self._cancelled.set()
        with self._running:
            pass

    def run(self, disk: Disk) -> None:
        with self._running:
            if not self._cancelled.is_set():
                self._write(disk)

    def _write(self, disk: Disk) -> None:
        for file in self.files:
            file.sync()
        for segment in self.begun:
            segment.confirm()
        disk.sync_directory(self.directory)
        for tail in self.tails:
            index_file = disk.open(index_path(self.directory, tail.segment.base_offset), create=True)
            index_file.write_at([tail.entries], tail.first_entry * ENTRY_BYTES)
            index_file.sync()
        disk.replace_file(self.directory / CHECKPOINT_NAME, encode_checkpoint(self.checkpoint))
