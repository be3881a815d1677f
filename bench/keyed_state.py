"""Keyed state: what an event costs an updating GROUP BY with few keys and with many, and over few events and many.

COUNT and SUM by string keys through the operator, changes given out, in batches of 50,000 rows. Every size runs in a
process of its own, so that its memory is its own; costs are CPU time, so that a busy machine distorts them less.

What the number of keys costs is told apart (see `draws`): what the size of state costs, batches meeting as many
different keys whatever it is; what it costs a batch to meet more of them, in state of one size; and both together, keys
drawn from all.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial

from bench.draws import by_state
from bench.measure import Row

BATCH = 50_000
KEYS = (1_000, 100_000, 1_000_000, 10_000_000)
_BY_STATE = {1_000: KEYS, 20_000: KEYS[1:]}
"""From how many keys a batch draws where it is told what the size of state costs, and with how many keys."""
_MET = (1_000, 5_000, 20_000, 50_000)
"""From how many keys a batch draws where it is told what it costs to meet more of them."""
_MOST_BYTES = 2 << 30
_SPILL_LIMIT_MB = 300


def run(events: int, long: bool) -> Iterator[Row]:
    """Yields rows for each number of keys, drawn in each way, for each number of events, and one under a memory limit.

    Args:
        events: How many events are measured, after every key was seen once.
        long: Whether to go to 100 M events.
    """
    for chosen, sizes in _BY_STATE.items():
        yield from by_state("GROUP BY", sizes, chosen, partial(_measured, events=events, chosen=chosen))
    met = {chosen: _measured(KEYS[2], events, chosen) for chosen in _MET}
    for chosen, one in met.items():
        note = f"{_MET[0]:,} of them a batch"
        yield _row(f"GROUP BY, {KEYS[2]:,} keys, {chosen:,} of them a batch", one, met[_MET[0]], note)
    measured = {keys: _measured(keys, events) for keys in KEYS}
    few = measured[KEYS[0]]
    for keys, one in measured.items():
        yield _row(f"GROUP BY, {keys:,} keys", one, few, f"{KEYS[0]:,} keys; {one['peak_mb']:.0f} MB in all")
    largest = measured[KEYS[-1]]
    peak = largest["peak_mb"] * (1 << 20)
    yield Row("10 M keys: memory", peak / 1e6, None, "MB", None, "<= 2 GB", peak <= _MOST_BYTES, "the whole process")
    counts = (1_000_000, 10_000_000, 100_000_000) if long else (1_000_000, 10_000_000)
    by_events = {count: _measured(100_000, count) for count in counts}
    first = by_events[counts[0]]
    for count, one in by_events.items():
        yield _row(f"GROUP BY, {count:,} events", one, first, f"{counts[0]:,} events; 100,000 keys")
    spilled = _measured(5_000_000, events, limit_mb=_SPILL_LIMIT_MB)
    note = f"10 M keys in memory; {spilled['spilled_mb']:.0f} MB on disk, {spilled['peak_mb']:.0f} MB in all"
    yield _row(f"GROUP BY, 5,000,000 keys, limit {_SPILL_LIMIT_MB} MB", spilled, largest, note)


def _row(name: str, one: dict[str, float], reference: dict[str, float], note: str) -> Row:
    ratio = reference["cpu_ns"] / one["cpu_ns"]
    return Row(name, one["cpu_ns"], reference["cpu_ns"], "CPU ns/event", ratio, "-", True, f"{note}")


def _measured(keys: int, events: int, chosen: int = 0, limit_mb: int = 0) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.keyed_state", str(keys), str(events), str(chosen), str(limit_mb)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _measure(keys: int, events: int, chosen: int, limit_mb: int) -> dict[str, float]:
    """Feeds every key once, then events of random keys; measures the latter.

    Args:
        keys: How many there are.
        events: How many are measured.
        chosen: From how many keys, chosen anew, each batch draws; 0: from all.
        limit_mb: What state may take in memory; 0: what it wants.
    """
    import numpy as np
    import polars as pl

    from bench.draws import drawn
    from yeoul.clock import SYSTEM_CLOCK
    from yeoul.engine.compile.aggregates import compile_aggregate
    from yeoul.engine.operators.contract import END_OF_TIME, Output
    from yeoul.engine.operators.groups.group_aggregate import GroupAggregate
    from yeoul.engine.operators.key_groups.prepared import by_key_group
    from yeoul.engine.state.memory import StateMemory
    from yeoul.plan.expressions import AggregateCall, ColumnRef
    from yeoul.plan.types import BIGINT, DOUBLE

    calls = {
        "c": AggregateCall("count_star", (), BIGINT.not_null()),
        "s": AggregateCall("sum", (ColumnRef("v", DOUBLE.not_null()),), DOUBLE),
    }

    def made() -> GroupAggregate:
        aggregates = [compile_aggregate(call, name) for name, call in calls.items()]
        return GroupAggregate([("k", pl.col("k"))], aggregates, ["k", *calls], retracts=False, clock=SYSTEM_CLOCK)

    memory = StateMemory(limit_mb << 20) if limit_mb else None
    operator = made() if memory is None else by_key_group(made(), made, memory, SYSTEM_CLOCK)
    random, counted, spent_s = np.random.default_rng(1), 0, 0.0

    def take(ids: np.ndarray) -> None:
        nonlocal counted, spent_s
        named = pl.DataFrame({"v": np.ones(len(ids)), "id": ids}).select("v", k=pl.format("user-{}", "id"))
        began_s = time.process_time()
        output = operator.process(0, named)
        spent_s += time.process_time() - began_s
        count(output)

    def count(output: Output) -> None:
        nonlocal counted
        counted += sum(int((batch["c"] * batch["$weight"]).sum()) for batch in output.batches)

    everyone = random.permutation(keys)
    for start in range(0, keys, BATCH):
        take(everyone[start : start + BATCH])
    filling_s, spent_s = spent_s, 0.0
    for _ in range(events // BATCH):
        take(drawn(random, keys, BATCH, chosen))
    spilled_mb = 0.0 if memory is None else memory.spilled_bytes / (1 << 20)
    began_s = time.process_time()
    count(operator.advance(END_OF_TIME))
    spent_s += time.process_time() - began_s
    if memory is not None:
        memory.close()
    if counted != keys + events // BATCH * BATCH:
        raise AssertionError(f"{counted} rows were counted of {keys + events}")
    return {
        "cpu_ns": spent_s / events * 1e9,
        "filling_ns": filling_s / keys * 1e9,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "spilled_mb": spilled_mb,
    }


if __name__ == "__main__":
    print(json.dumps(_measure(*(int(each) for each in sys.argv[1:5]))))
