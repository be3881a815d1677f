"""Puts cleaned files in the places of the old ones: whole or not at all, wherever a crash strikes.

The decision is one file, `compaction`, replaced as a whole: it names the swaps that are to be done and the offset below
which the log is clean. Before it is there, the cleaned files are rubbish; from then on the swap will be completed, now
or at the next start, and each step of it may be done twice. The offset in it also says up to where gaps between batches
are in order; above it, offsets are dense.

Callers: `compaction.partition`, `opening`, `doctor`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import crc32c

from yeoul.log.compaction.plan import CleanedGroup, cleaned_path
from yeoul.log.disk import Disk
from yeoul.log.errors import NO_SPACE, LogCorrupt
from yeoul.log.segment import Segment
from yeoul.log.segment_names import index_path, segment_path

__all__ = ["COMPACTION_NAME", "CompactionRecord", "SwapWork", "complete_swap", "read_record", "remove_leftovers"]

COMPACTION_NAME = "compaction"
_SUFFIX = ".cleaned"


@dataclass(frozen=True, slots=True)
class CompactionRecord:
    """What the file says.

    Attributes:
        cleaned_offset: Below it the log is clean and may have gaps.
        swaps: Base offset of each new segment, with those it replaces; empty when nothing is left to do.

    Example:
        >>> record = CompactionRecord(7, ((0, (0, 3)),))
        >>> CompactionRecord.decode(record.encode(), "compaction") == record
        True
    """

    cleaned_offset: int = 0
    swaps: tuple[tuple[int, tuple[int, ...]], ...] = ()

    def encode(self) -> bytes:
        line = json.dumps({"version": 1, "cleaned_offset": self.cleaned_offset, "swaps": self.swaps}).encode()
        return b"%08x\n%b\n" % (crc32c.crc32c(line), line)

    @classmethod
    def decode(cls, content: bytes, where: str) -> CompactionRecord:
        """Raises:
        LogCorrupt: The content is not what was written.
        """
        crc, _, line = content.rstrip(b"\n").partition(b"\n")
        if crc != b"%08x" % crc32c.crc32c(line):
            raise LogCorrupt(
                f"{where} does not match its CRC-32C: expected {crc!r}, got {crc32c.crc32c(line):08x}",
                hint="Run `yeoul doctor` on the data directory: it checks every batch.",
            )
        body = json.loads(line)
        return cls(body["cleaned_offset"], tuple((base, tuple(replaced)) for base, replaced in body["swaps"]))


def read_record(disk: Disk, directory: Path) -> CompactionRecord:
    """Returns what is known of a partition's compaction; one that was never compacted is clean up to offset 0.

    Raises:
        LogCorrupt: The file is damaged.
    """
    path = directory / COMPACTION_NAME
    content = disk.read_file(path)
    return CompactionRecord() if content is None else CompactionRecord.decode(content, str(path))


def complete_swap(disk: Disk, directory: Path, record: CompactionRecord) -> None:
    """Carries out the swaps of a record, or what is left of them."""
    if not record.swaps:
        return
    names = set(disk.list_directory(directory))
    for base, replaced in record.swaps:
        _swap(disk, directory, base, replaced, names)
    disk.sync_directory(directory)
    done = CompactionRecord(record.cleaned_offset)
    try:
        disk.replace_file(directory / COMPACTION_NAME, done.encode())
    except OSError as error:
        # The swap is done; without space to say so it is gone through once more at the next start.
        if error.errno not in NO_SPACE:
            raise


def _swap(disk: Disk, directory: Path, base: int, replaced: Sequence[int], names: set[str]) -> None:
    log, index = segment_path(directory, base), index_path(directory, base)
    for path in (log, index):
        if cleaned_path(path).name in names:
            disk.rename(cleaned_path(path), path)
    for old in replaced:
        if old != base:
            for path in (segment_path(directory, old), index_path(directory, old)):
                if path.name in names:
                    disk.unlink(path)


def remove_leftovers(disk: Disk, directory: Path) -> None:
    """Removes the files of a cleaning that did not come to its swap."""
    for name in disk.list_directory(directory):
        if name.endswith(_SUFFIX):
            disk.unlink(directory / name)


@dataclass(frozen=True, slots=True)
class SwapWork:
    """Decides a swap and carries it out; runs in a thread, while readers still use the old segments.

    Attributes:
        directory: Of the partition.
        old: The segments that are replaced.
        groups: The new ones.
        cleaned_offset: Below it the log is clean afterwards.
    """

    directory: Path
    old: tuple[Segment, ...]
    groups: tuple[CleanedGroup, ...]
    cleaned_offset: int

    def run(self, disk: Disk) -> None:
        swaps = tuple((group.base_offset, tuple(group.replaced)) for group in self.groups)
        record = CompactionRecord(self.cleaned_offset, swaps)
        for segment in self.old:
            segment.retire()
        disk.sync_directory(self.directory)
        disk.replace_file(self.directory / COMPACTION_NAME, record.encode())
        complete_swap(disk, self.directory, record)
