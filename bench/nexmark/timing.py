"""An engine's program started, its runs timed, its processes' CPU and memory measured from outside."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

__all__ = ["Failed", "Program", "Turn"]

TIMEOUT_S = 120.0
"""After how long a run is given up."""
_SAMPLE_S = 0.05
_PROGRAMS = Path(__file__).parent / "engines"


@dataclass(frozen=True, slots=True)
class Turn:
    """What one run took: seconds by the program's clock, and CPU seconds of all its processes."""

    took_s: float
    cpu_s: float


class Failed(Exception):
    """An engine did not run a query; its text is the line of its error that says why."""


class Program:
    """An engine's running program.

    Args:
        engine: The name of the program.
        python: The interpreter that it runs in.
        job: What it is asked for; see `engines/turns.py`.
    """

    def __init__(self, engine: str, python: Path, job: Mapping[str, object]) -> None:
        self._folder = contextlib.ExitStack()
        folder = Path(self._folder.enter_context(tempfile.TemporaryDirectory()))
        (folder / "job.json").write_text(json.dumps(job))
        self._errors = folder / "errors"
        self._started_s = time.monotonic()
        ours = python == Path(sys.executable)
        with self._errors.open("w") as told:
            self._running = subprocess.Popen(
                [str(python), str(_PROGRAMS / f"on_{engine}.py"), str(folder / "job.json")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=told,
                text=True,
                errors="replace",
                env={key: value for key, value in os.environ.items() if ours or key != "PYTHONPATH"},
            )
        self._meter = _Meter(self._running.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._meter.stop()
        if kind is None:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                self._running.communicate(timeout=10)
        self._meter.kill()
        self._running.wait()
        self._folder.close()

    @property
    def age_s(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self._started_s

    @property
    def peak_bytes(self) -> int:
        """The most memory that its processes had, together."""
        return self._meter.peak_bytes

    def turn(self, input_: str, *, keep: bool = False) -> Turn:
        """Runs the query.

        Args:
            input_: What it reads.
            keep: Whether the rows are written to the job's `answer`.

        Raises:
            Failed: It ended, or took longer than `TIMEOUT_S`.
        """
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        giving_up = threading.Timer(TIMEOUT_S, self._meter.kill)
        giving_up.start()
        before_s = self._meter.cpu_s()
        try:
            with contextlib.suppress(BrokenPipeError):
                self._running.stdin.write(json.dumps({"input": input_, "keep": keep}) + "\n")
                self._running.stdin.flush()
            for line in self._running.stdout:
                if line.startswith('{"took_s"'):
                    return Turn(json.loads(line)["took_s"], self._meter.cpu_s() - before_s)
            if not giving_up.is_alive():
                raise Failed(f"not done within {TIMEOUT_S:.0f} s")
            code = self._running.wait()
            raise Failed(_reason(self._errors.read_text(errors="replace")) or f"exit code {code}")
        finally:
            giving_up.cancel()


def _reason(errors: str) -> str:
    """Returns the line of an error's text that says what was wrong: of a chain of causes, the innermost."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    raised = [line for line in lines if "Exception:" in line or "Error:" in line or line.startswith("ubik.")]
    causes = [line for line in raised if line.startswith("Caused by:")]
    chosen = (causes or raised or lines or [""])[-1]
    return chosen.removeprefix("Caused by: ").removeprefix(": ")[:240]


class _Meter:
    """CPU and memory of a process and all below it."""

    def __init__(self, pid: int) -> None:
        self.peak_bytes = 0
        self._top = psutil.Process(pid)
        self._ended = threading.Event()
        threading.Thread(target=self._sample, daemon=True).start()

    def cpu_s(self) -> float:
        """Returns the CPU seconds so far."""
        total = 0.0
        for one in self._processes():
            with contextlib.suppress(psutil.Error):
                times = one.cpu_times()
                total += times.user + times.system
        return total

    def kill(self) -> None:
        """Ends them all."""
        for one in self._processes()[::-1]:
            with contextlib.suppress(psutil.Error):
                one.kill()

    def stop(self) -> None:
        self._ended.set()

    def _processes(self) -> list[psutil.Process]:
        try:
            return [self._top, *self._top.children(recursive=True)]
        except psutil.Error:
            return []

    def _sample(self) -> None:
        while not self._ended.wait(_SAMPLE_S):
            held = 0
            for one in self._processes():
                with contextlib.suppress(psutil.Error):
                    held += one.memory_info().rss
            self.peak_bytes = max(self.peak_bytes, held)
