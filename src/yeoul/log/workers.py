"""The few threads that do the log's waiting for the disk.

`WorkerThreads` is the real one; `volatile_disk.StepWorkers` runs jobs when a simulation says so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol

__all__ = ["Job", "WorkerThreads", "Workers"]

Job = Callable[[], None]
"""Something to do in a thread; it must not raise."""


class Workers(Protocol):
    """Where jobs go that wait for the disk."""

    def submit(self, job: Job) -> None:
        """Runs a job soon; jobs may run at the same time and end in any order."""
        ...

    def close(self) -> None:
        """Returns when all jobs submitted so far have ended."""
        ...


class WorkerThreads:
    """Threads that are started with the first job and joined by `close`.

    Args:
        count: How many; a device takes a few syncs at once, and each thread is idle but for those.
        name: What they are called in a debugger.
    """

    def __init__(self, count: int = 4, name: str = "yeoul-disk") -> None:
        self._count = count
        self._name = name
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, job: Job) -> None:
        if not self._threads:
            self._threads = [
                threading.Thread(target=self._work, name=f"{self._name}-{number}", daemon=True)
                for number in range(self._count)
            ]
            for thread in self._threads:
                thread.start()
        self._queue.put(job)

    def close(self) -> None:
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            job()
