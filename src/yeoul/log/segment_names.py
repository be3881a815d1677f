"""What the files of a segment are called, and what their names say.

    00000000000000000042.log        the segment from offset 42 on; everything below offset 42 is on the disk
    00000000000000000042.log.new    the same, just begun: the end of the segment before it may not be on the disk yet
    00000000000000000042.index      its sparse index

A segment loses the `.new` once a sync has covered all that lies before it. So after a power cut a named segment that
does not begin where the one before it ends means that durable records are lost, while one that is still `.new` was
never acknowledged and goes. Callers: `segment`, `opening`, `doctor`, `compaction`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

__all__ = ["SegmentName", "index_path", "provisional_path", "segment_names", "segment_path"]

_DIGITS = 20
_LOG = ".log"
_PROVISIONAL = ".log.new"


class SegmentName(NamedTuple):
    """A segment's first offset, and whether the log before it may be torn."""

    base_offset: int
    is_provisional: bool

    def path_in(self, directory: Path) -> Path:
        make = provisional_path if self.is_provisional else segment_path
        return make(directory, self.base_offset)


def segment_path(directory: Path, base_offset: int) -> Path:
    """Returns where the segment that begins at an offset lies.

    Example:
        >>> segment_path(Path("t"), 42).name
        '00000000000000000042.log'
    """
    return directory / f"{base_offset:0{_DIGITS}}{_LOG}"


def provisional_path(directory: Path, base_offset: int) -> Path:
    """Returns where it lies until everything before it is durable."""
    return directory / f"{base_offset:0{_DIGITS}}{_PROVISIONAL}"


def index_path(directory: Path, base_offset: int) -> Path:
    return directory / f"{base_offset:0{_DIGITS}}.index"


def segment_names(names: Iterable[str]) -> list[SegmentName]:
    """Returns the segments among the names of a directory, in order.

    Example:
        >>> segment_names(["00000000000000000042.log.new", "00000000000000000000.log", "checkpoint"])
        [SegmentName(base_offset=0, is_provisional=False), SegmentName(base_offset=42, is_provisional=True)]
    """
    found = [
        SegmentName(int(name[:_DIGITS]), is_provisional=name[_DIGITS:] == _PROVISIONAL)
        for name in names
        if name[:_DIGITS].isdigit() and name[_DIGITS:] in (_LOG, _PROVISIONAL)
    ]
    return sorted(found)
