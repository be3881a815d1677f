"""One running plan and its life: created, running, then finished, canceled or failed.

A `Job` owns the thread that its execution runs on; whoever holds the job may wait for it, cancel it or look at its
progress from any thread. Invariants: a job runs at most once; after `cancel` returns nothing of it runs any more; what
went wrong is kept and raised to each waiter. Jobs still running when the interpreter ends are cancelled first, so
that no thread is cut off in the middle of a batch.
"""

from __future__ import annotations

import atexit
import contextlib
import enum
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from yeoul.errors import EnvironmentFailure

if TYPE_CHECKING:
    from yeoul.engine.runtime.progress import Progress

__all__ = ["Job", "JobStatus", "Runnable"]

_LOGGER = logging.getLogger(__name__)
_STOP_TIMEOUT_S = 30.0
_EXIT_TIMEOUT_S = 5.0


class JobStatus(enum.Enum):
    """Where a job is in its life; the words are Flink's."""

    CREATED = "CREATED"
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    CANCELED = "CANCELED"
    FAILED = "FAILED"

    @property
    def is_terminal(self) -> bool:
        return self not in (JobStatus.CREATED, JobStatus.RUNNING)


class Runnable(Protocol):
    """What a job runs: `yeoul.engine.runtime.execution.Execution`, or a stand-in."""

    def run(self) -> None:
        """Blocks until the inputs end or `stop`; raises what went wrong."""
        ...

    def stop(self) -> None:
        """Makes `run` return soon; from any thread."""
        ...

    def progress(self) -> Progress:
        """Returns how far it is; from any thread."""
        ...


class Job:
    """A plan that runs on its own thread.

    Args:
        runnable: What to run.
        name: For people: the table written to, or `SELECT`.
        is_bounded: Whether it ends by itself.
        on_end: Called once on the job's thread after the run, with what went wrong or None.
        keeping: What must not be collected by Python while the job runs, though nobody else may hold it.
    """

    def __init__(
        self,
        runnable: Runnable,
        name: str,
        *,
        is_bounded: bool,
        on_end: Callable[[BaseException | None], None] | None = None,
        keeping: object = None,
    ) -> None:
        self.name = name
        self.is_bounded = is_bounded
        self._runnable = runnable
        self._on_end = on_end
        self._keeping = keeping
        self._status = JobStatus.CREATED
        self._failure: BaseException | None = None
        self._canceled = False
        self._logs_failure = False
        self._lock = threading.Lock()
        self._ended = threading.Event()

    @property
    def status(self) -> JobStatus:
        return self._status

    @property
    def failure(self) -> BaseException | None:
        """What went wrong, if the job failed."""
        return self._failure

    def start(self) -> None:
        """Starts the thread; a job that was started or cancelled before is left as it is."""
        with self._lock:
            if self._status is not JobStatus.CREATED:
                return
            self._status = JobStatus.RUNNING
        with _register:
            _running.add(self)
        threading.Thread(target=self._run, name=f"yeoul-job-{self.name}", daemon=True).start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits for the end; returns whether it came within `timeout_s`.

        Raises:
            YeoulError: The job failed for a reason that can be named.
            Exception: It failed for another one.
        """
        ended = self._ended.wait(timeout_s)
        if ended and self._failure is not None:
            raise self._failure
        return ended

    def cancel(self) -> None:
        """Stops the job and returns when nothing of it runs any more; idempotent, and never raises the job's failure.

        Raises:
            EnvironmentFailure: The job does not stop.
        """
        self.stop_soon()
        if not self._ended.wait(_STOP_TIMEOUT_S):
            raise EnvironmentFailure(
                f"Job {self.name!r} did not stop within {_STOP_TIMEOUT_S:.0f} s",
                hint="What it waits for (a file system, a peer, a Python function) does not answer.",
            )

    def stop_soon(self) -> None:
        """Asks the job to end, and does not wait for it."""
        with self._lock:
            self._canceled = True
            if self._status is JobStatus.CREATED:
                self._status = JobStatus.CANCELED
                self._ended.set()
        if not self._ended.is_set():
            self._runnable.stop()

    def log_failure(self) -> None:
        """Has what went wrong, or goes wrong from now on, logged: nobody will wait for the job and hear of it."""
        with self._lock:
            self._logs_failure = True
            failure = self._failure
        self._log(failure)

    def progress(self) -> Progress:
        """Returns rows in and out, watermark, lag and the rest, as of now."""
        return self._runnable.progress()

    def _run(self) -> None:
        failure: BaseException | None = None
        try:
            self._runnable.run()
        except BaseException as raised:  # kept whole, and raised to whoever waits
            failure = raised
        finally:
            self._end(failure)

    def _end(self, failure: BaseException | None) -> None:
        with self._lock:
            self._failure = failure
            if failure is not None:
                self._status = JobStatus.FAILED
            else:
                self._status = JobStatus.CANCELED if self._canceled else JobStatus.FINISHED
            heard_of = self._failure if self._logs_failure else None
        self._log(heard_of)
        with _register:
            _running.discard(self)
        try:
            if self._on_end is not None:
                self._on_end(failure)
        finally:
            self._ended.set()

    def _log(self, failure: BaseException | None) -> None:
        if failure is not None:
            _LOGGER.error("Job %r failed: %s", self.name, failure)


_register = threading.Lock()
_running: set[Job] = set()


@atexit.register
def _cancel_all() -> None:
    with _register:
        jobs = list(_running)
    for job in jobs:
        job.stop_soon()
    for job in jobs:
        with contextlib.suppress(Exception):  # nobody is left to hear of it
            job.wait(_EXIT_TIMEOUT_S)
