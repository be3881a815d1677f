"""The case of the bench: which queries and engines, how far it is, what is kept of it.

`--peers`: every engine that can run a query; without: yeoul over JSON files, a Parquet file and a topic. A whole run
writes its figures into `figures/` and `docs/nexmark.md`; one that was interrupted is gone on with by `--resume`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Row
from bench.nexmark import jobs, report, suite
from bench.nexmark import run as runs
from bench.nexmark.figures import Record
from bench.nexmark.sizing import STEADY_S

__all__ = ["ENGINES", "STEADY_S", "measured"]

ENGINES = tuple(jobs.ENGINES)
_FIGURES = Path(__file__).parent / "figures"


def measured(options: argparse.Namespace, seed: int) -> Iterator[Row]:
    """Runs what the options ask for; yields the bench's lines.

    Args:
        options: Those of the bench.
        seed: Decides the events.
    """
    record = Record(_FIGURES / ("peers.ndjson" if options.peers else "inputs.ndjson"))
    queries, engines = options.queries or suite.NAMES, _engines(options)
    whole = not (options.quick or options.queries or options.engines)
    figures = record.so_far() if whole and options.resume else []
    if whole and not options.resume:
        record.begin()
    how = {"quick": options.quick, "steady_s": options.steady}
    of, begun_s, first = len(queries) * len(engines), time.monotonic(), len(figures)
    try:
        for figure in runs.run(seed, queries, engines, record.rates(), tuple(figures), **how):
            figures.append(figure)
            if whole:
                record.add(figure)
            gone_s = time.monotonic() - begun_s
            left_s = gone_s / (len(figures) - first) * (of - len(figures))
            print(f"[{len(figures)}/{of}] {figure.query} {figure.engine}: {figure}")
            print(f"    {gone_s:.0f} s gone, some {left_s:.0f} s left", flush=True)
    except KeyboardInterrupt:
        kept = f"{len(figures)} figures are kept: --resume goes on." if whole else "Nothing is kept."
        raise SystemExit(f"Interrupted. {kept}") from None
    if whole:
        record.end()
        report.write(figures, _command(), peers=options.peers)
    yield from runs.rows(figures)


def _engines(options: argparse.Namespace) -> tuple[str, ...]:
    if options.engines:
        ours = (jobs.ENGINES[name].ours.name for name in options.engines if jobs.ENGINES[name].package)
        return tuple(dict.fromkeys([*ours, *options.engines]))
    if not options.peers:
        return runs.INPUTS
    return tuple(dict.fromkeys([*(jobs.ENGINES[name].ours.name for name in runs.PEERS), *runs.PEERS]))


def _command() -> str:
    arguments = " ".join(sys.argv[1:])
    return f'make bench ARGS="{arguments}"' if arguments else "make bench"
