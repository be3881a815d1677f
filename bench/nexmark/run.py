"""The queries timed: yeoul over a file and over a topic, and the same queries in other engines.

What is told: events a second once it runs (the whole input's time less that of a small one, so that starting, planning
and submitting are left out, for every engine alike), the time from the start of the process to the small input's last
row, CPU seconds of all its processes for a million events, and the most memory they took. yeoul runs in streaming mode,
as the others do: rows that change are given as they change.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.measure import Row
from bench.nexmark import events, programs, suite
from bench.peers import VENVS

__all__ = ["Timing", "run"]

SMALL = 5_000
TIMEOUT_S = 240.0
"""After how long a query is given up."""
_SAMPLE_S = 0.05


@dataclass(frozen=True, slots=True)
class Timing:
    """What one engine needed for one query.

    Attributes:
        rate: Events a second once it runs.
        start_s: From the start of the process to the end of the first, small run.
        cpu_s: CPU seconds for a million events, the small run's taken off.
        peak_bytes: The most memory that its processes had, together.
    """

    rate: float
    start_s: float
    cpu_s: float
    peak_bytes: int

    def __str__(self) -> str:
        return f"start {self.start_s:.1f} s, {self.cpu_s:.1f} CPU s/M, {self.peak_bytes / 2**20:.0f} MB"


def run(count: int, seed: int, names: Sequence[str], peers: Sequence[str], topic: bool) -> Iterator[Row]:
    """Yields a row for each query and engine.

    Args:
        count: How many events.
        seed: Decides them.
        names: The queries; all of the suite if empty.
        peers: Other engines: `flink`, `spark`.
        topic: Whether yeoul also reads them from a topic of a broker.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        paths = {"small": Path(folder) / "small.ndjson", "whole": Path(folder) / "whole.ndjson"}
        for which, size in (("small", SMALL), ("whole", count)):
            events.write_files(paths[which], size, seed)
        side = Path(folder) / "side.csv"
        suite.side_input().write_csv(side, include_header=False)
        inputs = {"file": {which: _file(path) for which, path in paths.items()}}
        if topic:
            inputs["topic"] = stack.enter_context(_topics(count, seed))
        for name in names or suite.NAMES:
            yield from _query(name, count, inputs, paths, side, peers)


def _query(
    name: str,
    count: int,
    inputs: Mapping[str, Mapping[str, Mapping[str, str]]],
    paths: Mapping[str, Path],
    side: Path,
    peers: Sequence[str],
) -> Iterator[Row]:
    looked_up = {"connector": "filesystem", "path": str(side), "format": "csv"}
    declared = {
        kind: {which: suite.tables(name, one, looked_up) for which, one in options.items()}
        for kind, options in inputs.items()
    }
    job = {"query": suite.query(name)}
    ours = {}
    for kind, tables in declared.items():
        ours[kind] = _time([sys.executable, "-c", programs.YEOUL, json.dumps({**job, "inputs": tables})], count)
        yield _row(f"{name} {kind}", ours[kind], None, "")
    for peer in peers:
        python = VENVS / peer / "bin" / "python"
        if peer == "flink":
            ask = [str(python), "-c", programs.FLINK, json.dumps({**job, "inputs": declared["file"]})]
        elif (spark := suite.spark_job(name)) is not None:
            ask = [
                str(python),
                "-c",
                programs.SPARK,
                json.dumps({**spark, "inputs": {k: str(v) for k, v in paths.items()}}),
            ]
        else:
            continue
        theirs = _time(ask, count) if python.exists() else "not installed: run `make bench ARGS=--peers` once"
        yield _row(f"{name} file", ours["file"], theirs, peer)


def _row(name: str, ours: Timing | str, theirs: Timing | str | None, peer: str) -> Row:
    note = f"yeoul: {ours}" if theirs is None else f"{peer}: {theirs}"
    if isinstance(ours, str):
        return Row(name, 0.0, None, "M events/s", None, "", True, note)
    if theirs is None or isinstance(theirs, str):
        return Row(name, ours.rate / 1e6, None, "M events/s", None, "", True, note)
    ratio = ours.rate / theirs.rate
    bar = "3x" if peer == "flink" else "1x"
    return Row(name, ours.rate / 1e6, theirs.rate / 1e6, "M events/s", ratio, bar, ratio >= float(bar[:-1]), note)


def _file(path: Path) -> dict[str, str]:
    return {"connector": "filesystem", "path": str(path), "format": "json"}


@contextlib.contextmanager
def _topics(count: int, seed: int) -> Iterator[dict[str, dict[str, str]]]:
    from yeoul.broker import Broker

    with Broker() as broker:
        options = {}
        for which, size in (("small", SMALL), ("whole", count)):
            events.produce(broker.bootstrap_servers, which, size, seed)
            options[which] = {
                "connector": "kafka",
                "topic": which,
                "properties.bootstrap.servers": broker.bootstrap_servers,
                "scan.startup.mode": "earliest-offset",
                "scan.bounded.mode": "latest-offset",
                "format": "json",
            }
        yield options


def _time(command: Sequence[str], count: int) -> Timing | str:
    """Runs a program; returns what it took, or why it did not run."""
    with tempfile.TemporaryFile("w+") as errors:
        environment = {
            key: value for key, value in os.environ.items() if command[0] == sys.executable or key != "PYTHONPATH"
        }
        started_s = time.monotonic()
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        meter = _Meter(running.pid)
        giving_up = threading.Timer(TIMEOUT_S, meter.kill)
        giving_up.start()
        took_s: dict[str, float] = {}
        cpu_s: dict[str, float] = {}
        start_s = 0.0
        assert running.stdout is not None
        for line in running.stdout:
            if not line.startswith("{"):
                continue
            told = json.loads(line)
            if "begin" in told:
                cpu_s[told["begin"]] = meter.cpu_s()
            else:
                took_s[told["end"]] = told["took_s"]
                cpu_s[told["end"]] = meter.cpu_s() - cpu_s[told["end"]]
                start_s = start_s or time.monotonic() - started_s
        code = running.wait()
        giving_up.cancel()
        meter.stop()
        if code or "whole" not in took_s:
            errors.seek(0)
            lines = [line for line in errors.read().splitlines() if line.strip()]
            why = [line for line in lines if "Exception" in line or "Error" in line] or lines or [f"exit code {code}"]
            return f"did not run: {why[-1].strip()[:160]}"
        steady_s = took_s["whole"] - took_s["small"]
        if steady_s < took_s["small"] / 2:
            return "no rate can be told: the whole input took hardly longer than the small one"
        per_million = (cpu_s["whole"] - cpu_s["small"]) / (count - SMALL) * 1e6
        return Timing((count - SMALL) / steady_s, start_s, per_million, meter.peak_bytes)


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
