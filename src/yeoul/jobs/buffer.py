"""The bounded queue between a running SELECT and whoever reads its rows.

One thread puts, one takes. The queue holds at most about `limit_bytes`, so a reader that pauses makes the job pause.
Abandoning it, or closing it from the reader's side, lets the job's puts return at once, their rows dropped.
"""

from __future__ import annotations

import threading
from collections import deque

import polars as pl

__all__ = ["BatchBuffer"]


class BatchBuffer:
    """Batches in order of arrival, and how the stream ended.

    Args:
        limit_bytes: How much may wait before `put` blocks; one batch is always let in.

    Example:
        >>> buffer = BatchBuffer()
        >>> buffer.put(pl.DataFrame({"n": [1, 2]}))
        >>> buffer.finish()
        >>> buffer.take().height, buffer.take()
        (2, None)
    """

    def __init__(self, limit_bytes: int = 64 << 20) -> None:
        self._limit_bytes = limit_bytes
        self._batches: deque[tuple[pl.DataFrame, int]] = deque()
        self._held_bytes = 0
        self._finished = False
        self._abandoned = False
        self._closed = False
        self._failure: BaseException | None = None
        self._changed = threading.Condition()

    def put(self, batch: pl.DataFrame) -> None:
        """Adds a batch, waiting while the queue is full; drops it when the reader has gone."""
        if not batch.height:
            return
        size_bytes = int(batch.estimated_size())
        with self._changed:
            self._changed.wait_for(lambda: self._abandoned or self._has_room(size_bytes))
            if not self._abandoned:
                self._batches.append((batch, size_bytes))
                self._held_bytes += size_bytes
                self._changed.notify_all()

    def finish(self, failure: BaseException | None = None) -> None:
        """Says that no batch follows, and why, if something went wrong."""
        with self._changed:
            self._finished = True
            self._failure = failure
            self._changed.notify_all()

    def take(self, timeout_s: float | None = None) -> pl.DataFrame | None:
        """Returns the next batch, waiting for it; None at the end or after `close`.

        Raises:
            TimeoutError: Nothing came within `timeout_s`.
            BaseException: What ended the stream, once the batches before it are taken.
        """
        with self._changed:
            if not self._changed.wait_for(self._is_ready, timeout_s):
                raise TimeoutError(f"No rows within {timeout_s} s")
            if self._batches:
                batch, size_bytes = self._batches.popleft()
                self._held_bytes -= size_bytes
                self._changed.notify_all()
                return batch
            if self._failure is not None and not self._closed:
                raise self._failure
            return None

    def abandon(self) -> None:
        """Drops what is put from now on, so that a job that is to end does not wait; what waits can still be taken."""
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()

    def close(self) -> None:
        """Lets go of all that waits; the reader has gone. Idempotent."""
        with self._changed:
            self._closed = self._abandoned = True
            self._batches.clear()
            self._held_bytes = 0
            self._changed.notify_all()

    def _has_room(self, size_bytes: int) -> bool:
        return not self._batches or self._held_bytes + size_bytes <= self._limit_bytes

    def _is_ready(self) -> bool:
        return bool(self._batches) or self._finished or self._closed
