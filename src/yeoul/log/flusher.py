"""When appended bytes become durable: flush rounds, off the event loop.

A partition that was appended to asks for a round. At the end of the loop's current tick its round starts: the kernel
syncs each of its dirty files once, or, where the kernel does not do that by itself or a file was created and its
directory has to be synced too, one of a few threads does. Back on the loop, the partition moves its durable offset and
answers who waited. Rounds of different partitions run in parallel and wait for nobody else; what is appended to a
partition during its round joins its next one.

Modes (`flush=`):
    commit: an append is acknowledged, and readable, once a round has covered it. The default.
    interval: acknowledged at once; every partition that was appended to is synced every `interval_ms`.
    os: acknowledged at once; the operating system writes when it sees fit.

A sync that fails is fatal: the kernel may have dropped the pages, so trying again could report success for bytes that
are gone. `on_fatal` is called once, on the loop, and nothing is acknowledged afterwards.

Threads touch nothing but the disk. Everything else here runs on the loop.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from yeoul.log.disk import Disk
from yeoul.log.durations import Durations
from yeoul.log.errors import LogStopped
from yeoul.log.kernel_sync import KernelSync
from yeoul.log.workers import Workers, WorkerThreads

__all__ = ["FlushMode", "FlushTarget", "FlushWork", "Flusher", "SyncWork"]


class FlushMode(Enum):
    """When an append counts as done."""

    COMMIT = "commit"
    INTERVAL = "interval"
    OS = "os"


class FlushWork(Protocol):
    """What is done to the disk in a thread."""

    def run(self, disk: Disk) -> None:
        """Raises:
        OSError: Durability is in doubt; fatal.
        """
        ...


class SyncWork(FlushWork, Protocol):
    """What one round does to the disk."""

    def descriptors(self) -> Sequence[int]:
        """Returns the files whose sync is all that there is to do; empty when there is more to it."""
        ...


class FlushTarget(Protocol):
    """What asks for rounds: a partition."""

    def start_round(self) -> SyncWork | None:
        """Called on the loop: returns what is not durable yet, or None when all is."""
        ...

    def finish_round(self, work: FlushWork) -> None:
        """Called on the loop once the work is done: what it covers is durable."""
        ...


@dataclass(slots=True)
class _Round:
    target: FlushTarget | None
    work: FlushWork
    started_s: float
    failure: BaseException | None = None
    took_s: float = 0.0
    done: Callable[[BaseException | None], None] | None = None


class Flusher:
    """The flush rounds of one log.

    Args:
        disk: Where the bytes go.
        mode: When an append counts as done.
        defer: Calls a function once the current tick of the loop has ended, on the loop: `loop.call_soon`.
        post: The same from any thread: `loop.call_soon_threadsafe`.
        on_fatal: Called on the loop with the first failure.
        workers: Where rounds run that take a thread; threads of its own unless given.
        kernel: Who does the others; None: nobody.
        interval_ms: The pause between rounds in interval mode.
    """

    def __init__(
        self,
        disk: Disk,
        mode: FlushMode,
        *,
        defer: Callable[[Callable[[], None]], object],
        post: Callable[[Callable[[], None]], object],
        on_fatal: Callable[[LogStopped], None],
        workers: Workers | None = None,
        kernel: KernelSync | None = None,
        interval_ms: int = 1_000,
    ) -> None:
        self.disk = disk
        self.mode = mode
        self.failure: LogStopped | None = None
        self.durations = Durations()
        self._defer = defer
        self._post = post
        self._on_fatal = on_fatal
        self._wanted: dict[FlushTarget, None] = {}
        self._running: set[FlushTarget] = set()
        self._forgotten: set[FlushTarget] = set()
        self._deferred = False
        self._finished: deque[_Round] = deque()
        self._wake_pending = False
        self._closing = threading.Event()
        self._workers: Workers = workers if workers is not None else WorkerThreads()
        self._kernel = kernel
        self._ticker: threading.Thread | None = None
        self._interval_s = interval_ms / 1_000

    def request(self, target: FlushTarget) -> None:
        """Asks for a round that covers everything `target` holds at the end of this tick."""
        if self.mode is FlushMode.OS:
            return
        self._wanted[target] = None
        if self.mode is FlushMode.COMMIT:
            if not self._deferred and target not in self._running:
                self._deferred = True
                self._defer(self._start_rounds)
        elif self._ticker is None:
            self._ticker = threading.Thread(target=self._tick, name="yeoul-flush-interval", daemon=True)
            self._ticker.start()

    def submit(self, work: FlushWork, done: Callable[[BaseException | None], None]) -> None:
        """Runs work that belongs to no round; `done` is called on the loop with what it raised, or None."""
        self._enqueue(_Round(None, work, time.perf_counter(), done=done))

    def forget(self, target: FlushTarget) -> None:
        """Drops a target that is being deleted; a round that is under way still ends, however it ends.

        Its directory may be gone before that round comes to it, which says nothing about the disk.
        """
        self._wanted.pop(target, None)
        if target in self._running:
            self._forgotten.add(target)

    def close(self) -> None:
        """Ends once everything under way has; starts nothing more."""
        self._closing.set()
        if self._ticker is not None:
            self._ticker.join()
        self._workers.close()
        if self._kernel is not None:
            self._kernel.close()
        self._drain()

    def _start_rounds(self) -> None:
        self._deferred = False
        if self.failure is not None or self._closing.is_set():
            return
        ready = [target for target in self._wanted if target not in self._running]
        for target in ready:
            del self._wanted[target]
            work = target.start_round()
            if work is not None:
                self._running.add(target)
                self._begin(_Round(target, work, time.perf_counter()), work.descriptors())

    def _begin(self, round_: _Round, descriptors: Sequence[int]) -> None:
        """Hands a round to the kernel, or else to a thread."""

        def done(failure: OSError | None) -> None:
            round_.failure = failure
            round_.took_s = time.perf_counter() - round_.started_s
            self._finished.append(round_)
            self._drain()

        if self._kernel is None or not descriptors or not self._kernel.begin(descriptors, done):
            self._enqueue(round_)

    def _enqueue(self, round_: _Round) -> None:
        self._workers.submit(lambda: self._run(round_))

    def _tick(self) -> None:
        while not self._closing.wait(self._interval_s):
            # The loop may be closed already, just before `close`.
            with contextlib.suppress(RuntimeError):
                self._post(self._start_rounds)

    def _run(self, round_: _Round) -> None:
        """One round, in a thread."""
        try:
            round_.work.run(self.disk)
        except BaseException as error:
            round_.failure = error
        round_.took_s = time.perf_counter() - round_.started_s
        self._finished.append(round_)
        # One wake-up serves all rounds that end before the loop comes to it.
        if not self._wake_pending:
            self._wake_pending = True
            self._wake()

    def _wake(self) -> None:
        try:
            self._post(self._drain)
        except RuntimeError:
            # The loop is closed: `close` drains.
            self._wake_pending = False

    def _drain(self) -> None:
        self._wake_pending = False
        while self._finished:
            round_ = self._finished.popleft()
            if round_.target is not None:
                self._finish(round_.target, round_)
            elif round_.done is not None:
                round_.done(round_.failure)
        if self.mode is FlushMode.COMMIT and self._wanted and not self._deferred:
            self._start_rounds()

    def _finish(self, target: FlushTarget, round_: _Round) -> None:
        self.durations.add(round_.took_s * 1_000)
        self._running.discard(target)
        if target in self._forgotten:
            self._forgotten.discard(target)
        elif round_.failure is not None:
            self.fail(round_.failure)
        elif self.failure is None:
            target.finish_round(round_.work)

    def fail(self, cause: BaseException) -> None:
        """Stops the log for good: nothing more is acknowledged."""
        if self.failure is None:
            self.failure = LogStopped(
                f"The disk failed to make appended bytes durable: {cause}",
                hint="Check the disk, then start the broker again: it recovers everything that was acknowledged.",
            )
            self.failure.__cause__ = cause
            self._on_fatal(self.failure)
