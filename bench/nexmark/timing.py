"""An engine's program started, its turns timed from outside, its processes' CPU and memory measured."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

__all__ = ["Failed", "Turns", "take_turns"]

TIMEOUT_S = 240.0
"""After how long a query is given up."""
_SAMPLE_S = 0.05
_PROGRAMS = Path(__file__).parent / "engines"


@dataclass(frozen=True, slots=True)
class Turns:
    """What an engine's turns took.

    Attributes:
        start_s: From the start of the process to the end of the first turn.
        took_s: By input, the median of its turns.
        cpu_s: By input, of all its processes, the median.
        peak_bytes: The most memory that its processes had, together.
    """

    start_s: float
    took_s: Mapping[str, float]
    cpu_s: Mapping[str, float]
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class Failed:
    """Why an engine did not run a query: the first line of its error."""

    why: str


def take_turns(engine: str, python: Path, job: Mapping[str, object]) -> Turns | Failed:
    """Runs an engine's program on a job; see `engines/turns.py`."""
    with tempfile.TemporaryDirectory() as folder:
        asked, errors = Path(folder) / "job.json", Path(folder) / "errors"
        asked.write_text(json.dumps(job))
        command = [str(python), str(_PROGRAMS / f"on_{engine}.py"), str(asked)]
        with errors.open("w") as told:
            return _Watch(command, told.fileno()).turns(errors)


@dataclass
class _Watch:
    """A running program."""

    command: Sequence[str]
    errors: int
    took_s: dict[str, list[float]] = field(default_factory=dict)
    cpu_s: dict[str, list[float]] = field(default_factory=dict)

    def turns(self, errors: Path) -> Turns | Failed:
        started_s = time.monotonic()
        keep_path = self.command[0] == sys.executable
        environment = {key: value for key, value in os.environ.items() if keep_path or key != "PYTHONPATH"}
        running = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=environment, errors="replace"
        )
        meter = _Meter(running.pid)
        giving_up = threading.Timer(TIMEOUT_S, meter.kill)
        giving_up.start()
        start_s = begun_cpu_s = 0.0
        assert running.stdout is not None
        for line in running.stdout:
            if not line.startswith('{"'):
                continue
            told = json.loads(line)
            if "begin" in told:
                begun_cpu_s = meter.cpu_s()
                continue
            self.took_s.setdefault(told["end"], []).append(told["took_s"])
            self.cpu_s.setdefault(told["end"], []).append(meter.cpu_s() - begun_cpu_s)
            start_s = start_s or time.monotonic() - started_s
        code = running.wait()
        gave_up = not giving_up.is_alive()
        giving_up.cancel()
        meter.stop()
        if gave_up:
            return Failed(f"not done within {TIMEOUT_S:.0f} s")
        if code:
            return Failed(_reason(errors.read_text(errors="replace")) or f"exit code {code}")
        took_s, cpu_s = (
            {name: statistics.median(each) for name, each in all_.items()} for all_ in (self.took_s, self.cpu_s)
        )
        return Turns(start_s, took_s, cpu_s, meter.peak_bytes)


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
