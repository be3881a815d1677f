"""Examines a data directory whose broker refuses to start, and mends it when told to: what `yeoul doctor` does.

`examine` reads every batch of every partition and changes nothing, but that it completes the swap of a compaction which
a crash cut short, as the next start would. `mend` ends each damaged partition at its first
damaged place; what lies beyond is moved aside, never deleted, into files whose names end in `.removed`. Both need the
directory's lock, so no broker can be running on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from yeoul.log.checkpoint import decode_checkpoint
from yeoul.log.compaction.swapping import COMPACTION_NAME, CompactionRecord, complete_swap, read_record
from yeoul.log.disk import Disk, RealDisk
from yeoul.log.errors import DirectoryLocked, LogCorrupt
from yeoul.log.opening import CHECKPOINT_NAME
from yeoul.log.recovery import ScanEnd, may_follow
from yeoul.log.scanning import find_batch, scan_file
from yeoul.log.segment_names import SegmentName, index_path, segment_names

__all__ = ["Damage", "PartitionReport", "examine", "mend"]

_COPY_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Damage:
    """One damaged place.

    Attributes:
        path: The file.
        position: Where in it.
        offset: The first record that cannot be read there.
        reason: What is wrong.
        torn_tail: No durable record can lie from there on: a start would cut it off by itself.
    """

    path: Path
    position: int
    offset: int
    reason: str
    torn_tail: bool


@dataclass(frozen=True, slots=True)
class PartitionReport:
    """What one partition holds.

    Attributes:
        topic, number: Which partition.
        start_offset, end_offset: The records that are whole from the beginning on.
        batch_count: In how many batches.
        damage: The first damaged place, None when all is well.
        checkpoint: What is wrong with the checkpoint; empty when nothing is.
    """

    topic: str
    number: int
    directory: Path
    start_offset: int
    end_offset: int
    batch_count: int
    damage: Damage | None
    checkpoint: str

    @property
    def is_sound(self) -> bool:
        """Whether a broker would start on it and lose nothing."""
        return (self.damage is None or self.damage.torn_tail) and not self.checkpoint


def examine(data_dir: Path, *, disk: Disk | None = None) -> list[PartitionReport]:
    """Returns a report for each partition, after reading every batch.

    Raises:
        DirectoryLocked: A broker runs on the directory.
    """
    used: Disk = disk if disk is not None else RealDisk()
    with _locked(used, data_dir):
        return [_examine_partition(used, *where) for where in _partitions(used, data_dir)]


def mend(data_dir: Path, *, disk: Disk | None = None) -> list[Path]:
    """Makes a broker start again on each damaged partition; returns the files that hold what was moved aside.

    Raises:
        DirectoryLocked: A broker runs on the directory.
    """
    used: Disk = disk if disk is not None else RealDisk()
    removed: list[Path] = []
    with _locked(used, data_dir):
        for where in _partitions(used, data_dir):
            report = _examine_partition(used, *where)
            if not report.is_sound:
                removed += _mend_partition(used, report)
    return removed


@contextmanager
def _locked(disk: Disk, data_dir: Path) -> Iterator[None]:
    lock = disk.lock(data_dir / ".lock")
    if lock is None:
        raise DirectoryLocked(f"A broker runs on {data_dir}", hint="Stop it first.")
    try:
        yield
    finally:
        lock.release()


def _partitions(disk: Disk, data_dir: Path) -> Iterator[tuple[str, int, Path]]:
    for topic in disk.list_directory(data_dir / "topics"):
        if topic.startswith("~"):
            continue
        numbers = sorted(int(name) for name in disk.list_directory(data_dir / "topics" / topic) if name.isdigit())
        for number in numbers:
            yield topic, number, data_dir / "topics" / topic / str(number)


def _segments(disk: Disk, directory: Path) -> list[SegmentName]:
    return segment_names(disk.list_directory(directory))


def _examine_partition(disk: Disk, topic: str, number: int, directory: Path) -> PartitionReport:
    sparse_below, compaction = _compaction(disk, directory)
    segments = _segments(disk, directory)
    bases = [base for base, _ in segments]
    confirmed_offset = max((base for base, is_provisional in segments if not is_provisional), default=0)
    if compaction and bases:
        # Nothing says any more up to where compaction has been: below the newest segment gaps are believed.
        sparse_below = bases[-1]
    start_offset = end_offset = bases[0] if bases else 0
    batch_count, damage = 0, None
    for segment in segments:
        base, path = segment.base_offset, segment.path_in(directory)
        if not may_follow(base, end_offset, sparse_below):
            torn = end_offset >= confirmed_offset
            state = "were not on the disk yet when it was begun" if torn else "are missing"
            damage = Damage(path, 0, end_offset, f"the records from offset {end_offset} to {base} {state}", torn)
            break
        file = disk.open(path)
        for start, seen in scan_file(file, 0, base, sparse_below):
            batch_count += len(seen.batches)
            end_offset = seen.next_offset
            if seen.end is not ScanEnd.END:
                position = start + seen.valid_bytes
                torn = base >= confirmed_offset and find_batch(file, position, end_offset) is None
                damage = Damage(path, position, end_offset, seen.reason, torn)
        if damage is not None:
            break
    checkpoint = compaction or _checkpoint_problem(disk, directory, bases, end_offset)
    return PartitionReport(topic, number, directory, start_offset, end_offset, batch_count, damage, checkpoint)


def _compaction(disk: Disk, directory: Path) -> tuple[int, str]:
    """Returns the offset below which gaps are in order, and what is wrong with the file that says so."""
    try:
        record = read_record(disk, directory)
    except LogCorrupt as error:
        return 0, error.message
    if record.swaps:
        # The crash came in the middle of a swap: the next start completes it, and so does a look at what will be.
        complete_swap(disk, directory, record)
    return record.cleaned_offset, ""


def _mend_compaction(disk: Disk, directory: Path) -> None:
    """Writes anew, as far as the segments tell, what a damaged file said of the compaction."""
    if _compaction(disk, directory)[1]:
        segments = _segments(disk, directory)
        record = CompactionRecord(segments[-1].base_offset if segments else 0)
        disk.replace_file(directory / COMPACTION_NAME, record.encode())


def _checkpoint_problem(disk: Disk, directory: Path, bases: list[int], end_offset: int) -> str:
    content = disk.read_file(directory / CHECKPOINT_NAME)
    if content is None:
        return ""
    try:
        checkpoint = decode_checkpoint(content, str(directory / CHECKPOINT_NAME))
    except LogCorrupt as error:
        return error.message
    if bases and checkpoint.segment_base_offset not in bases:
        return f"it names the segment at offset {checkpoint.segment_base_offset}, which is missing"
    if checkpoint.recovery_offset > end_offset:
        return f"records up to offset {checkpoint.recovery_offset} were durable, found {end_offset}"
    return ""


def _mend_partition(disk: Disk, report: PartitionReport) -> list[Path]:
    """Cuts at the damage, moves aside what lies beyond, and drops the checkpoint: the next start scans everything."""
    removed: list[Path] = []
    damage = report.damage
    if damage is not None:
        for segment in _segments(disk, report.directory):
            path = segment.path_in(report.directory)
            if path == damage.path and damage.position > 0:
                removed.append(_cut(disk, path, damage.position))
            elif path >= damage.path:
                removed.append(path.with_name(f"{path.name}.removed"))
                disk.rename(path, removed[-1])
            if path >= damage.path:
                disk.unlink(index_path(report.directory, segment.base_offset))
    _mend_compaction(disk, report.directory)
    disk.unlink(report.directory / CHECKPOINT_NAME)
    disk.sync_directory(report.directory)
    return removed


def _cut(disk: Disk, path: Path, position: int) -> Path:
    file, aside = disk.open(path), path.with_name(f"{path.name}.from-{position}.removed")
    copy = disk.open(aside, create=True)
    size_bytes, at = file.size_bytes(), position
    while at < size_bytes:
        piece = file.read_at(min(_COPY_BYTES, size_bytes - at), at)
        copy.write_at([piece], at - position)
        at += len(piece)
    copy.sync()
    disk.sync_directory(path.parent)
    file.truncate(position)
    file.sync()
    return aside
