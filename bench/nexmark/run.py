"""The queries timed and their answers compared: yeoul over files and over a topic, and the same in other engines.

Each engine runs a query in a process of its own, over events made of one seed: first over `CHECK` of them, whose rows
have to be DuckDB's, else no figure counts; then over as many as it takes to run steadily for some seconds (`sizing`).
What is told: events a second once it runs (the time of a long run less that of one over a quarter of its events, so
that starting, planning, submitting and compiling are left out, for every engine alike), the time from the start of the
process to the last of the rows that are compared, CPU seconds of all its processes for a million events, and the most
memory they took. yeoul runs in streaming mode, as the others do: rows that change are given as they change. The rows of
timed runs go to each engine's own sink that drops them.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bench.measure import Row
from bench.nexmark import answers, events, suite
from bench.nexmark.figures import Figure
from bench.nexmark.inputs import CHECK, CHECK_RATE, Inputs
from bench.nexmark.jobs import ENGINES, Engine, input_of, job
from bench.nexmark.sizing import SIZES, STEADY_S, next_size, steady
from bench.nexmark.timing import Failed, Program, Turn

__all__ = ["INPUTS", "PEERS", "rows", "run"]

PEERS = tuple(name for name, engine in ENGINES.items() if engine.package)
INPUTS = ("yeoul", "yeoul-parquet", "yeoul-topic")
"""yeoul over each kind of input, when it runs by itself."""
TOPIC_MOST = 6_400_000
"""How many events the longest topic has: a broker keeps them twice, as text and for a while in its caches."""


def run(
    seed: int,
    queries: Sequence[str],
    engines: Sequence[str],
    guesses: Mapping[tuple[str, str], float],
    done: Sequence[Figure] = (),
    *,
    quick: bool = False,
    steady_s: float = STEADY_S,
) -> Iterator[Figure]:
    """Yields a figure for each query and engine.

    Args:
        seed: Decides the events.
        queries: Names of the suite.
        engines: Names out of `ENGINES`.
        guesses: Events a second of a query in an engine, as far as they were seen.
        done: Figures that are there: their queries and engines are left out.
        quick: At most 800,000 events.
        steady_s: How long the steady part is to be.

    Flat events are Nexmark's in another form, for engines that read no other: there yeoul, which comes last, leaves out
    what none of them can run.
    """
    sizes = SIZES[:4] if quick else SIZES
    wanted = [one for one in ENGINES.values() if one.name in engines]
    seen = {(one.query, one.engine): bool(one.rate) for one in done}
    right = {name: suite.expected(name, events.tables(CHECK, seed, CHECK_RATE)) for name in queries}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        inputs = Inputs(Path(folder), seed, sizes)
        for layout in dict.fromkeys(one.layout for one in wanted):
            among = [one for one in wanted if one.layout == layout]
            left = [(query, one) for query in queries for one in among if (query, one.name) not in seen]
            if not left:
                continue
            if layout == "topic":
                inputs.sizes = [size for size in sizes if size <= TOPIC_MOST]
                inputs.bootstrap_servers = stack.enter_context(_broker())
            inputs.prepare(layout)
            missing = {one.name: _installed(one) for one in among}
            for query, engine in left:
                peers = [one.name for one in among if one.package]
                if layout == "flat" and peers and not engine.package and not any(seen[query, one] for one in peers):
                    continue
                runner = _Runner(inputs, right[query], guesses.get((query, engine.name), engine.rate), steady_s)
                figure = runner.figure(query, engine, missing[engine.name])
                seen[query, engine.name] = bool(figure.rate)
                yield figure
            inputs.drop(layout)


def rows(figures: Sequence[Figure]) -> Iterator[Row]:
    """Yields the bench's lines: each engine beside yeoul on the same events."""
    found = {(one.query, one.engine): one for one in figures}
    for one in figures:
        engine = ENGINES[one.engine]
        ours = found.get((one.query, engine.ours.name))
        if not engine.package or ours is None:
            passed = bool(engine.package) or not one.why or one.query in suite.NOT_YET
            yield Row(f"{one.query} {one.engine}", one.rate / 1e6, None, "M events/s", None, "", passed, str(one))
            continue
        what, note = f"{one.query} {ours.engine}", f"{one.engine}: {one}"
        if one.why or ours.why:
            yield Row(what, ours.rate / 1e6, None, "M events/s", None, "", True, note)
            continue
        ratio, bar = ours.rate / one.rate, 3 if one.engine == "flink" else 1
        yield Row(what, ours.rate / 1e6, one.rate / 1e6, "M events/s", ratio, f"{bar}x", ratio >= bar, note)


@dataclass(frozen=True, slots=True)
class _Runner:
    """Runs one query in one engine: the right answer, the rate of the run before, how long the steady part is to be."""

    inputs: Inputs
    right: pl.DataFrame
    guess: float
    steady_s: float

    def figure(self, name: str, engine: Engine, missing: str) -> Figure:
        if missing:
            return Figure(name, engine.name, why=missing)
        with tempfile.TemporaryDirectory() as folder:
            answer = Path(folder) / "answer"
            asked = job(engine, name, self.inputs, answer)
            try:
                with Program(engine.program or engine.name, engine.python, asked) as program:
                    program.turn(input_of(engine, name, self.inputs, CHECK), keep=True)
                    start_s = program.age_s
                    if odd := _odd(name, answer, self.right):
                        why = f"its answer is not DuckDB's: {odd}"[:240]
                        return Figure(name, engine.name, start_s=start_s, why=why)
                    turns = list(self._turns(name, engine, program))
                    return _told(name, engine.name, turns, start_s, program.peak_bytes)
            except Failed as failed:
                return Figure(name, engine.name, why=str(failed)[:240])

    def _turns(self, name: str, engine: Engine, program: Program) -> Iterator[tuple[int, Turn]]:
        took: list[tuple[int, float]] = []
        sizes = [size for size in self.inputs.sizes if size >= engine.least]
        while size := next_size(took, self.guess, sizes, self.steady_s):
            self.inputs.read_through(engine.layout, size)
            turn = program.turn(input_of(engine, name, self.inputs, size))
            took.append((size, turn.took_s))
            yield size, turn


def _odd(name: str, answer: Path, right: pl.DataFrame) -> str:
    """What is wrong with an answer; empty if it is right."""
    try:
        odd = answers.differences(name, answers.read_answer(name, answer, right), right)
    except (pl.exceptions.PolarsError, ValueError, AssertionError) as error:
        return str(error).splitlines()[0]
    return odd[0] if odd else ""


def _told(name: str, engine: str, turns: Sequence[tuple[int, Turn]], start_s: float, peak_bytes: int) -> Figure:
    part = steady([(size, turn.took_s) for size, turn in turns])
    if part is None:
        why = "no rate can be told: the whole input took hardly longer than a quarter of it"
        return Figure(name, engine, start_s=start_s, why=why)
    whole_s, base_s = (
        statistics.median(turn.cpu_s for each, turn in turns[1:] if each == size) for size in (part.whole, part.base)
    )
    cpu_s = (whole_s - base_s) / (part.whole - part.base) * 1e6
    return Figure(name, engine, part.rate, start_s, cpu_s, peak_bytes, events=part.whole, steady_s=part.took_s)


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
def _broker() -> Iterator[str]:
    from yeoul.broker import Broker

    with Broker() as broker:
        yield broker.bootstrap_servers
