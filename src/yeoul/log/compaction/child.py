"""Cleaning in a process of its own: Numba, the key table and the processor time stay out of the broker's way.

    parent                      child (python -m yeoul.log.compaction.child)
    plan, one line of JSON  ->
                            <-  result, or {"error": ..., "corrupt": bool}, one line

Owns the child and the one thread that waits for it. The child only ever makes files that nobody reads until the parent
has swapped them in, so it may be killed at any moment; it ends with its standard input, hence with the parent, however
that ends. It runs at a lower priority and keeps to `max_bytes_per_second`. Callers: `directory.Log`; `main` in the
child.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import IO

from yeoul.errors import EnvironmentFailure
from yeoul.log.compaction.plan import CleaningPlan, CleaningResult
from yeoul.log.errors import LogCorrupt

__all__ = ["ChildRunner", "main"]

_NICENESS = 10
_SHORTEST_PAUSE_S = 0.01

CleaningDone = Callable[[CleaningResult | BaseException], None]
_Job = tuple[CleaningPlan, CleaningDone]


class ChildRunner:
    """Carries out plans in a child process that is started with the first of them.

    Args:
        post: Calls a function on the loop: `loop.call_soon_threadsafe`.
    """

    def __init__(self, post: Callable[[Callable[[], None]], object]) -> None:
        self._post = post
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._closed = False

    def run(self, plan: CleaningPlan, done: CleaningDone) -> None:
        """Cleans; `done` is called on the loop."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="yeoul-cleaner", daemon=True)
            self._thread.start()
        self._queue.put((plan, done))

    def rest(self) -> None:
        """Ends thread and child once they are idle."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread = None

    def close(self) -> None:
        """Kills the child, whatever it is doing."""
        self._closed = True
        child, thread = self._child, self._thread
        if child is not None:
            child.kill()
        self._queue.put(None)
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        child: subprocess.Popen[bytes] | None = None
        while (job := self._queue.get()) is not None:
            plan, done = job
            try:
                if child is None or child.poll() is not None:
                    child = self._child = _start()
                if self._closed:
                    break
                result: CleaningResult | BaseException = _ask(child, plan)
            except (OSError, EnvironmentFailure) as failure:
                result = failure
            if self._closed:
                break
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                self._post(lambda done=done, result=result: done(result))  # type: ignore[misc]
        if child is not None:
            _end(child, at_once=self._closed)


def _start() -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        [sys.executable, "-m", "yeoul.log.compaction.child"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def _ask(child: subprocess.Popen[bytes], plan: CleaningPlan) -> CleaningResult:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(plan.encode())
    child.stdin.flush()
    line = child.stdout.readline()
    if not line.endswith(b"\n"):
        raise EnvironmentFailure(f"The process that compacts ended with status {child.wait()}")
    answer = json.loads(line)
    if "error" not in answer:
        return CleaningResult.decode(line)
    if answer["corrupt"]:
        raise LogCorrupt(answer["error"])
    raise OSError(answer["errno"], answer["error"])


def _end(child: subprocess.Popen[bytes], *, at_once: bool) -> None:
    if at_once:
        child.kill()
    for pipe in (child.stdin, child.stdout):
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()
    child.wait()


class _Pace:
    """Waits as long as it takes to keep below a number of bytes a second."""

    def __init__(self, bytes_per_second: float) -> None:
        self._rate = bytes_per_second
        self._due_s = time.monotonic()

    def __call__(self, size_bytes: int) -> None:
        now_s = time.monotonic()
        self._due_s = max(self._due_s, now_s - _SHORTEST_PAUSE_S) + size_bytes / self._rate
        if self._due_s - now_s > _SHORTEST_PAUSE_S:
            time.sleep(self._due_s - now_s)


def main(source: IO[bytes], target: IO[bytes]) -> None:
    """Carries out plans until there are no more."""
    from yeoul.log.compaction.cleaning import clean
    from yeoul.log.disk import RealDisk

    disk = RealDisk()
    for line in source:
        plan = CleaningPlan.decode(line)
        try:
            answer = clean(disk, plan, _Pace(plan.max_bytes_per_second)).encode()
        except LogCorrupt as error:
            answer = json.dumps({"error": str(error), "corrupt": True}).encode() + b"\n"
        except OSError as error:
            failure = {"error": error.strerror or str(error), "errno": error.errno or 0, "corrupt": False}
            answer = json.dumps(failure).encode() + b"\n"
        target.write(answer)
        target.flush()


def _watch(parent_id: int) -> None:
    """Ends this process when its parent is gone: it may be in the middle of a plan and not look at its input."""
    while os.getppid() == parent_id:
        time.sleep(1.0)
    os._exit(1)


if __name__ == "__main__":
    os.nice(_NICENESS)
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()
    main(sys.stdin.buffer, sys.stdout.buffer)
