"""The segments of one partition, in order; the last one is written to.

Owns which segment holds an offset and how much of each is committed. Every offset from the first segment on belongs to
one segment: the last one that begins at or below it. Below `sparse_below` compaction has been: there a segment may end
before the next one begins, and a read goes on in the next.

Changed on the loop only; other threads read it. Callers: `partition` and its parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from yeoul.log.disk import Disk
from yeoul.log.reading import Place
from yeoul.log.segment import Segment
from yeoul.log.segment_names import index_path

__all__ = ["Segments"]


class Segments:
    """Args:
    segments: In order, at least one.
    sparse_below: The offset below which there may be gaps.
    bounded: Whether only durable bytes may be read.

    Attributes:
        durable_place: Where the durable bytes end.
    """

    __slots__ = ("_bounded", "_held", "active", "durable_place", "sparse_below")

    def __init__(self, segments: list[Segment], sparse_below: int, *, bounded: bool) -> None:
        self._held = segments
        self._bounded = bounded
        self.active = segments[-1]
        self.durable_place = self.end_place
        self.sparse_below = sparse_below

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._held)

    def __getitem__(self, number: int) -> Segment:
        return self._held[number]

    @property
    def sealed(self) -> Sequence[Segment]:
        """All but the active one."""
        return self._held[:-1]

    @property
    def end_place(self) -> Place:
        """Where the next batch goes."""
        return Place(self.active, self.active.size_bytes)

    @property
    def provisional(self) -> tuple[Segment, ...]:
        """Those that were begun and are not confirmed yet."""
        return tuple(segment for segment in self._held if segment.is_provisional)

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self._held)

    def add(self, segment: Segment) -> None:
        """Makes a new segment the active one."""
        self._held.append(segment)
        self.active = segment

    def of(self, offset: int) -> Segment:
        """Returns the segment that an offset belongs to."""
        for segment in reversed(self._held):
            if segment.base_offset <= offset:
                return segment
        return self._held[0]

    def limit_position(self, segment: Segment) -> int:
        """Returns where the committed bytes of a segment end."""
        if not self._bounded:
            return segment.size_bytes
        durable = self.durable_place
        if segment is durable.segment:
            return durable.position
        return segment.size_bytes if segment.base_offset < durable.segment.base_offset else 0

    def after(self, segment: Segment) -> tuple[tuple[Segment, int], ...]:
        """Returns where a read goes on that finds no batch in a segment, with limits; nothing in a dense log."""
        if segment.base_offset >= self.sparse_below:
            return ()
        following: list[tuple[Segment, int]] = []
        for later in self._held:
            if later.base_offset > segment.base_offset:
                following.append((later, self.limit_position(later)))
                if later.base_offset >= self.sparse_below:
                    break
        return tuple(following)

    def drop_below(self, offset: int, disk: Disk, directory: Path) -> set[Segment]:
        """Removes the segments that lie wholly below an offset, with their files; returns them."""
        dropped: set[Segment] = set()
        while len(self._held) > 1 and self._held[1].base_offset <= offset:
            segment = self._held.pop(0)
            dropped.add(segment)
            disk.unlink(segment.path)
            disk.unlink(index_path(directory, segment.base_offset))
        return dropped

    def replace(self, old: set[Segment], new: Sequence[Segment]) -> None:
        """Puts new segments in the places of old ones."""
        kept = [segment for segment in self._held if segment not in old]
        self._held = sorted([*kept, *new], key=lambda segment: segment.base_offset)
