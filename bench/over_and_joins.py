"""OVER, interval joins and temporal joins: what an event costs with few keys and with many, over few events and many.

Frames in memory go through SQL in streaming mode, and the rows that come out are added up; DuckDB answers the same over
the same frames, and the sums have to agree. Events are one millisecond apart; how far a query looks back grows with the
number of keys, so that an event meets as many others whatever that is. Every size runs in a process of its own; costs
are CPU time, so that a busy machine distorts them less.

What the size of state costs is told by events that draw from a choice of keys (see `draws`), after every key was seen
once; what that cost is taken off. Where a query looks back for a time it is left out: an event would meet all those of
its own choice, with many keys and with few, and nobody else.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from bench.draws import by_state, drawn
from bench.measure import Row

_ROWS_BACK = 8
_CHOSEN, _STRETCH = 1_000, 50_000
"""From how many keys so many events after each other draw where the size of state is measured."""
_BAR = 2.0
"""How many times what an event costs at the least size it may cost at the largest."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One query: in our words, over `l` (and `r`), and in DuckDB's; `{back}` is a number of seconds."""

    query: str
    reference: str


_CASES: Mapping[str, _Case] = {
    "OVER, 8 rows": _Case(
        "SELECT SUM(v) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 7 PRECEDING AND CURRENT ROW) AS s FROM l",
        "SELECT SUM(v) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 7 PRECEDING AND CURRENT ROW) AS s FROM l",
    ),
    "OVER, a time": _Case(
        "SELECT SUM(v) OVER (PARTITION BY k ORDER BY ts "
        "RANGE BETWEEN INTERVAL '{back}' SECOND(6) PRECEDING AND CURRENT ROW) AS s FROM l",
        "SELECT SUM(v) OVER (PARTITION BY k ORDER BY ts "
        "RANGE BETWEEN INTERVAL '{back}' SECOND PRECEDING AND CURRENT ROW) AS s FROM l",
    ),
    "OVER, from the first row": _Case(
        "SELECT SUM(v) OVER (PARTITION BY k ORDER BY ts) AS s FROM l",
        "SELECT SUM(v) OVER (PARTITION BY k ORDER BY ts) AS s FROM l",
    ),
    "OVER, 8 rows, by the clock": _Case(
        "SELECT SUM(v) OVER (PARTITION BY k ORDER BY p ROWS BETWEEN 7 PRECEDING AND CURRENT ROW) AS s FROM l",
        "SELECT SUM(v) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 7 PRECEDING AND CURRENT ROW) AS s FROM l",
    ),
    "interval join": _Case(
        "SELECT l.v + r.v AS s FROM l JOIN r ON l.k = r.k AND l.ts BETWEEN r.ts AND r.ts + INTERVAL '{back}' SECOND(6)",
        "SELECT l.v + r.v AS s FROM l JOIN r ON l.k = r.k AND l.ts BETWEEN r.ts AND r.ts + INTERVAL '{back}' SECOND",
    ),
    "temporal join": _Case(
        "SELECT l.v + r.v AS s FROM l JOIN versions FOR SYSTEM_TIME AS OF l.ts AS r ON l.k = r.k",
        "SELECT l.v + r.v AS s FROM l ASOF JOIN r ON l.k = r.k AND l.ts >= r.ts",
    ),
}
_TABLES = """
SET 'execution.runtime-mode' = 'streaming';
CREATE TABLE l (k BIGINT, v BIGINT, ts TIMESTAMP(3), p AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector' = 'frame', 'frame.name' = 'lefts');
CREATE TABLE r (k BIGINT, v BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector' = 'frame', 'frame.name' = 'rights');
CREATE VIEW versions AS SELECT k, v, ts FROM
  (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) AS n FROM r) WHERE n = 1
"""


def run(scale: int) -> Iterator[Row]:
    """Yields rows for each query: by DuckDB's cost, by the number of keys, by the number of events.

    Args:
        scale: By how much less is measured.
    """
    few, many = 1_000, 1_000_000 // scale
    events, long = 2_000_000 // scale, 10_000_000 // scale
    for name, case in _CASES.items():
        base = _measured(name, few, events)
        ratio = base["reference_ns"] / base["cpu_ns"]
        yield Row(name, base["cpu_ns"], base["reference_ns"], "CPU ns/event", ratio, "-", True, "DuckDB, a batch")
        if "{back}" not in case.query:
            sizes = (many // 10, many)
            yield from by_state(name, sizes, _CHOSEN, partial(_measured, name, events=events, chosen=_CHOSEN))
        for keys, count, what in ((many, events, f"{many:,} keys"), (few, long, f"{long:,} events")):
            one = _measured(name, keys, count)
            times = one["cpu_ns"] / base["cpu_ns"]
            note = (
                f"{few:,} keys, {events:,} events; DuckDB's grew {one['reference_ns'] / base['reference_ns']:.1f}-fold"
            )
            yield Row(
                f"{name}, {what}",
                one["cpu_ns"],
                base["cpu_ns"],
                "CPU ns/event",
                1 / times,
                f"{1 / _BAR:g}x",
                times <= _BAR,
                note,
            )


def _measured(name: str, keys: int, events: int, chosen: int = 0) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.over_and_joins", name, str(keys), str(events), str(chosen)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _measure(name: str, keys: int, events: int, chosen: int) -> dict[str, float]:
    """Answers a query both ways.

    Args:
        name: Which one.
        keys: How many there are.
        events: How many are measured.
        chosen: From how many keys, chosen anew, each stretch of events draws, after every key was seen once; 0: from
            all, from the first event on.
    """
    import resource

    import duckdb
    import numpy as np
    import polars as pl

    from yeoul import Session

    random, case = np.random.default_rng(1), _CASES[name]
    sides = 2 if " r " in case.reference else 1
    back_s = keys * _ROWS_BACK / sides / 1_000

    filling = keys if chosen else 0

    def ids(count: int) -> np.ndarray:
        if not chosen:
            return random.integers(0, keys, count)
        stretches = (drawn(random, keys, _STRETCH, chosen) for _ in range(0, count, _STRETCH))
        return np.concatenate([random.permutation(keys), *stretches])[:count]

    def frame(count: int) -> pl.DataFrame:
        times = pl.Series("ts", np.arange(count) * sides).cast(pl.Datetime("ms"))
        return pl.DataFrame([pl.Series("k", ids(count)), pl.Series("v", random.integers(0, 100, count)), times])

    frames = {side: frame(filling + events // sides) for side in "lr"[:sides]}

    def ours(count: int) -> int:
        with Session() as session:
            session.register("lefts", frames["l"].head(count))
            session.register("rights", frames["r"].head(count) if "r" in frames else frame(0))
            for _ in session.execute(_TABLES):
                pass
            return int(session.sql(case.query.format(back=back_s)).pl()["s"].sum())

    def timed(count: int) -> tuple[int, float]:
        began_s = time.process_time()
        answer = ours(count)
        return answer, time.process_time() - began_s

    # A difference is only worth anything between two runs that find memory alike.
    ours(filling + events if filling else 1_000)
    filling_s = timed(filling)[1] if filling else 0.0
    answer, taken_s = timed(filling + events)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with duckdb.connect() as database:
        for side, rows in frames.items():
            database.register(side, rows.to_arrow())
        began_s = time.process_time()
        right = database.sql(f"SELECT SUM(s) FROM ({case.reference.format(back=back_s)})").fetchall()[0][0]
        reference_s = time.process_time() - began_s
    if answer != right:
        raise AssertionError(f"{name}: {answer} is not DuckDB's {right}")
    spent_s = {"cpu_ns": taken_s - filling_s, "reference_ns": reference_s}
    return {**{name: spent / events * 1e9 for name, spent in spent_s.items()}, "peak_mb": peak_mb}


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], *(int(each) for each in sys.argv[2:5]))))
