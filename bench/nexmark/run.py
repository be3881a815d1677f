"""The queries timed and their answers compared: yeoul over files and over a topic, and the same in other engines.

Each engine runs a query in a process of its own, on three inputs made of one seed: `check`, of some minutes' events,
whose rows have to be DuckDB's, else no figure counts; `warm`; and `whole`. What is told: events a second once it runs
(the time of the whole input less that of the warm one, so that starting, planning, submitting and compiling are left
out, for every engine alike), the time from the start of the process to the last row of `check`, CPU seconds of all its
processes for a million events, and the most memory they took. yeoul runs in streaming mode, as the others do: rows that
change are given as they change. The rows of timed runs go to each engine's own sink that drops them.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bench.measure import Row
from bench.nexmark import answers, events, suite
from bench.nexmark.jobs import ENGINES, Engine, Inputs, job
from bench.nexmark.timing import Failed, Turns, take_turns

__all__ = ["PEERS", "Figure", "rows", "run"]

PEERS = tuple(name for name, engine in ENGINES.items() if engine.package)
CHECK, CHECK_RATE, RATE = 20_000, 500, 10_000
"""How many events are compared, how many of them (and of the others) are of one second."""
_LEAST_STEADY = 0.3
"""A rate is told if the whole input took so much longer than the warm one, as a share of the latter."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What one engine needed for one query.

    Attributes:
        query: Which.
        engine: Which.
        rate: Events a second once it runs; 0 if none is told.
        start_s: From the start of the process to the end of the first, small run.
        cpu_s: CPU seconds for a million events.
        peak_bytes: The most memory that its processes had, together.
        why: Why no figure counts; empty if it does.
    """

    query: str
    engine: str
    rate: float = 0.0
    start_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0
    why: str = ""


def run(
    count: int,
    seed: int,
    names: Sequence[str],
    engines: Sequence[str],
    *,
    topic: bool = False,
    told: Callable[[str], None] = print,
) -> Iterator[Figure]:
    """Yields a figure for each query and engine.

    Args:
        count: How many events the whole input has; the warm one a fifth of it.
        seed: Decides them.
        names: The queries; all of the suite if empty.
        engines: Names out of `ENGINES`; yeoul, on the same events, comes by itself.
        topic: Whether yeoul also reads them from a topic of a broker.
        told: Is told of each figure as it comes.
    """
    wanted = [ENGINES[name] for name in engines]
    wanted = list(dict.fromkeys([*(one.ours for one in wanted), *wanted])) or [ENGINES["yeoul"]]
    wanted.sort(key=list(ENGINES.values()).index)
    missing = {one.name: why for one in wanted if one.package and (why := _installed(one))}
    counts = {"check": CHECK, "warm": count // 5, "whole": count}
    right = events.tables(CHECK, seed, CHECK_RATE)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        inputs = Inputs(Path(folder), counts)
        inputs.write(seed, sorted({one.layout for one in wanted}), {"check": CHECK_RATE, "warm": RATE, "whole": RATE})
        topics = stack.enter_context(_topics(counts, seed)) if topic else None
        for name in names or suite.NAMES:
            expected = suite.expected(name, right)
            for engine in wanted:
                begun_s = time.monotonic()
                figure = _figure(name, engine, inputs, expected, missing.get(engine.name, ""))
                told(f"{name} {engine.name}: {_said(figure)} ({time.monotonic() - begun_s:.0f} s)")
                yield figure
            if topics is not None:
                figure = _figure(name, ENGINES["yeoul"], inputs, expected, "", topics)
                told(f"{name} topic: {_said(figure)}")
                yield figure


def rows(figures: Sequence[Figure]) -> Iterator[Row]:
    """Yields the bench's lines: each engine beside yeoul on the same events."""
    found = {(one.query, one.engine): one for one in figures}
    for one in figures:
        engine = ENGINES.get(one.engine)
        if engine is None or not engine.package:
            yield Row(f"{one.query} {one.engine}", one.rate / 1e6, None, "M events/s", None, "", True, _said(one))
            continue
        ours = found[one.query, engine.ours.name]
        what, note = f"{one.query} {ours.engine}", f"{one.engine}: {_said(one)}"
        if one.why or ours.why:
            yield Row(what, ours.rate / 1e6, None, "M events/s", None, "", True, note)
            continue
        ratio, bar = ours.rate / one.rate, 3 if one.engine == "flink" else 1
        yield Row(what, ours.rate / 1e6, one.rate / 1e6, "M events/s", ratio, f"{bar}x", ratio >= bar, note)


def _figure(
    name: str,
    engine: Engine,
    inputs: Inputs,
    expected: pl.DataFrame,
    missing: str,
    topics: Mapping[str, Mapping[str, str]] | None = None,
) -> Figure:
    shown = engine.name if topics is None else "topic"
    if missing:
        return Figure(name, shown, why=missing)
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer"
        asked = job(engine, name, inputs, answer)
        if topics is not None:
            side = {"connector": "filesystem", "path": str(inputs.side), "format": "csv"}
            asked["inputs"] = {each: suite.tables(name, options, side) for each, options in topics.items()}
        turns = take_turns(engine.program or engine.name, engine.python, asked)
        if isinstance(turns, Failed):
            return Figure(name, shown, why=turns.why)
        try:
            odd = answers.differences(name, answers.read_answer(name, answer, expected), expected)
        except (pl.exceptions.PolarsError, ValueError, AssertionError) as error:
            odd = [str(error).splitlines()[0]]
        return _told(name, shown, turns, inputs.counts, f"its answer is not DuckDB's: {odd[0]}" if odd else "")


def _told(name: str, engine: str, turns: Turns, counts: Mapping[str, int], why: str) -> Figure:
    steady_s = turns.took_s["whole"] - turns.took_s["warm"]
    if not why and steady_s < _LEAST_STEADY * turns.took_s["warm"]:
        why = "no rate can be told: the whole input took hardly longer than the warm one"
    count = counts["whole"] - counts["warm"]
    cpu_s = (turns.cpu_s["whole"] - turns.cpu_s["warm"]) / count * 1e6
    rate = 0.0 if why else count / steady_s
    return Figure(name, engine, rate, turns.start_s, cpu_s, turns.peak_bytes, why[:240])


def _said(figure: Figure) -> str:
    if figure.why:
        return figure.why
    return (
        f"{figure.rate / 1e6:.3f} M/s, start {figure.start_s:.1f} s, {figure.cpu_s:.2f} CPU s/M, "
        f"{figure.peak_bytes / 2**20:.0f} MB"
    )


def _installed(engine: Engine) -> str:
    """Makes an engine's environment if there is none; returns why it cannot."""
    if engine.python.exists():
        return ""
    venv.create(engine.python.parents[1], with_pip=True)
    install = [str(engine.python), "-m", "pip", "install", "--quiet", engine.package]
    if subprocess.run(install, check=False, stdout=sys.stderr).returncode:
        return f"pip could not install {engine.package}"
    return ""


@contextlib.contextmanager
def _topics(counts: Mapping[str, int], seed: int) -> Iterator[dict[str, dict[str, str]]]:
    from yeoul.broker import Broker

    with Broker() as broker:
        options = {}
        for which, size in counts.items():
            events.produce(broker.bootstrap_servers, which, size, seed, CHECK_RATE if which == "check" else RATE)
            options[which] = {
                "connector": "kafka",
                "topic": which,
                "properties.bootstrap.servers": broker.bootstrap_servers,
                "scan.startup.mode": "earliest-offset",
                "scan.bounded.mode": "latest-offset",
                "format": "json",
            }
        yield options
