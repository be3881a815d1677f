"""When a partition writes a checkpoint: after so much was appended, and whenever something asks for one.

One at a time runs in a thread; what is asked for meanwhile comes after it. A full disk costs a checkpoint and nothing
else: the next start scans what it would have spared, and `retry` asks again. Called by `partition`, on the loop.
"""

from __future__ import annotations

from collections.abc import Callable

from yeoul.log.disk import Disk
from yeoul.log.errors import NO_SPACE
from yeoul.log.flusher import Flusher
from yeoul.log.rounds import CheckpointWork

__all__ = ["Checkpointing"]

# How much a start after a crash may have to scan: bytes at gigabytes a second, batches at some 3 us each.
_MOST_BYTES = 64 << 20
_MOST_BATCHES = 50_000


class Checkpointing:
    """The checkpoints of one partition.

    Args:
        flusher: Runs them.
        make: Returns the next checkpoint as things stand.
        settle: Takes note of one that is durable.

    Attributes:
        running: One is under way.
    """

    __slots__ = (
        "_batches",
        "_bytes",
        "_flusher",
        "_lost",
        "_make",
        "_settle",
        "_stopped",
        "_under_way",
        "_wanted",
        "running",
    )

    def __init__(
        self, flusher: Flusher, make: Callable[[], CheckpointWork], settle: Callable[[CheckpointWork], None]
    ) -> None:
        self._flusher = flusher
        self._make = make
        self._settle = settle
        self._bytes = 0
        self._batches = 0
        self._wanted = False
        self._lost = False
        self._stopped = False
        self._under_way: CheckpointWork | None = None
        self.running = False

    def appended(self, size_bytes: int, batch_count: int) -> None:
        """Counts what a start would have to scan."""
        self._bytes += size_bytes
        self._batches += batch_count
        if self._bytes >= _MOST_BYTES or self._batches >= _MOST_BATCHES:
            self.soon()

    def soon(self) -> None:
        """Asks for a checkpoint of the state as it is now, or later."""
        self._wanted = True
        if self.running or self._stopped:
            return
        self.running, self._wanted, self._lost = True, False, False
        self._bytes = self._batches = 0
        self._under_way = work = self._make()
        self._flusher.submit(work, lambda failure: self._done(work, failure))

    def retry(self) -> None:
        """Asks again for a checkpoint that the disk had no space for."""
        if self._lost:
            self.soon()

    def now(self, disk: Disk) -> bool:
        """Writes one and waits for it; returns False when there was no space for it."""
        work = self._make()
        try:
            work.run(disk)
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            return False
        self._settle(work)
        return True

    def stop(self) -> None:
        """Begins no more, and sees to it that one under way has ended or never writes: another topic may come there."""
        self._stopped = True
        if self._under_way is not None:
            self._under_way.cancel()

    def _done(self, work: CheckpointWork, failure: BaseException | None) -> None:
        self.running, self._under_way = False, None
        if self._stopped:
            return
        if failure is None:
            self._settle(work)
            if self._wanted:
                self.soon()
        elif isinstance(failure, OSError) and failure.errno in NO_SPACE:
            self._lost = True
        else:
            self._flusher.fail(failure)
