"""When the watcher of the overview looks at its broker."""

from __future__ import annotations

import threading
import time

from yeoul.console.watcher import Picture, Watcher


class CountingWatcher(Watcher):
    """Looks at nothing, and counts how often."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1:1")
        self.looks = 0
        self.looked = threading.Semaphore(0)

    def _look(self) -> Picture:
        self.looks += 1
        self.looked.release()
        return Picture(time.monotonic())


def test_it_looks_once_at_the_start_and_then_only_when_asked() -> None:
    watcher = CountingWatcher()
    watcher.start()
    try:
        assert watcher.looked.acquire(timeout=20)
        assert not watcher.looked.acquire(timeout=1.5), "nobody asked"
        watcher.ask()
        watcher.ask()
        assert watcher.looked.acquire(timeout=20)
    finally:
        watcher.close()
    assert watcher.looks <= 3
