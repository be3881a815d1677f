"""`python -m bench [--quick] [--only NAME ...]`: runs the cases, prints the table, appends it to history.ndjson."""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.table import Table

from bench import (
    broker_load,
    file_tumble,
    json_decode,
    keyed_operators,
    keyed_state,
    latency,
    over_and_joins,
    peers,
    side_by_side,
    startup,
    topic_tumble,
)
from bench.measure import Row, remember
from bench.nexmark import case as nexmark
from bench.nexmark import suite


def main() -> int:
    """Returns 0 if every bar is reached."""
    parser = argparse.ArgumentParser(description="Speed, as ratios within one run on one machine.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the events, one repeat; not remembered")
    names = ["startup", "broker", "kafka", "file", "json", "topic", "state", "over", "latency", "nexmark"]
    parser.add_argument("--only", nargs="+", choices=names, help="just these cases")
    parser.add_argument("--peers", action="store_true", help="the query in other engines instead; installs them")
    parser.add_argument("--queries", nargs="+", choices=suite.NAMES, help="of the case nexmark, just these")
    parser.add_argument("--long", action="store_true", help="of the case state, up to 100 M events")
    parser.add_argument("--engines", nargs="+", choices=nexmark.ENGINES, help="of the case nexmark, just these engines")
    parser.add_argument("--steady", type=float, default=nexmark.STEADY_S, help="of the case nexmark, seconds it runs")
    parser.add_argument("--resume", action="store_true", help="the case nexmark from where it was interrupted")
    options = parser.parse_args()
    scale, repeats = (10, 1) if options.quick else (1, 5)
    seed = time.time_ns() % 1_000_000
    cases: dict[str, Callable[[], Iterator[Row]]] = {
        "startup": lambda: startup.run(repeats),
        "broker": lambda: broker_load.run(1_000_000 // scale, repeats),
        "kafka": lambda: side_by_side.run(300 // scale, max(1, repeats // 2 + 1), 10 / scale + 4),
        "file": lambda: file_tumble.run(2_000_000 // scale, repeats, seed),
        "json": lambda: json_decode.run(1_000_000 // scale, repeats, seed),
        "state": lambda: itertools.chain(
            keyed_state.run(10_000_000 // scale, options.long), keyed_operators.run(2_000_000 // scale, options.long)
        ),
        "over": lambda: over_and_joins.run(scale),
        "topic": lambda: topic_tumble.run(2_000_000 // scale, repeats, seed),
        "latency": lambda: latency.run(30 / scale + 2),
    }
    cases["nexmark"] = lambda: nexmark.measured(options, seed)
    if options.peers and "nexmark" not in (options.only or ()):
        cases = {"peers": lambda: peers.run(2_000_000 // scale, seed)}
    console = Console(width=max(Console().width, 150))
    rows: list[Row] = []
    for name, case in cases.items():
        if options.only and name not in options.only:
            continue
        with console.status(f"{name} ..."):
            rows.extend(case())
    console.print(_table(rows))
    if not options.quick:
        remember(rows)
    return 0 if all(row.passed for row in rows) else 1


def _table(rows: list[Row]) -> Table:
    table = Table(title="medians; ratio = how many times better than the reference of the same run")
    for name in ("what", "yeoul", "reference", "unit", "ratio", "bar", "", "reference is"):
        table.add_column(name, justify="right" if name in ("yeoul", "reference", "ratio", "bar") else "left")
    for row in rows:
        reference = "" if row.reference is None else f"{row.reference:.2f}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}x"
        verdict = "[green]ok" if row.passed else "[red]missed"
        table.add_row(row.name, f"{row.ours:.2f}", reference, row.unit, ratio, row.bar, verdict, row.note)
    return table


if __name__ == "__main__":
    sys.exit(main())
