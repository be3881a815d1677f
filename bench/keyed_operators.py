"""What an event costs the other operators that remember by key, with few keys and with many, over few events and many.

Operators are fed batches of 50,000 events of random keys after every key was seen once, and the rows that come out are
counted, so that none is missing. Windows: one that takes in everything (HOP and CUMULATE: two of one pane; SESSION: one
a key), of whose events all are measured, those in which keys are new too, since what they give out at the end is of
them as well. Join: a row for each key on both sides, an event updates one of the left. Deduplication and Top-N keep one
row of each key. Every size runs in a process of its own, with its kernels loaded; costs are CPU time, so that a busy
machine distorts them less.

With a thousand keys fifty events of a batch fall together and what is known of every key lies in the caches; with a
million, neither. So the two are told apart (see `draws`): what an event costs while batches meet as many different keys
however many there are is what the size of state costs; of that, what windows give out at the end is no part. What it
costs anybody to meet more of them is told by one `group_by` of bare Polars over the same events, all at hand, in
the same run: it is the reference of many keys. What it costs at least is told by a loop that adds to a word of each
event's key: one miss of the caches an event, and several on their way at a time.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.draws import by_state, drawn
from bench.measure import Row

if TYPE_CHECKING:
    import polars as pl

    from yeoul.engine.compile.aggregates import CompiledAggregate
    from yeoul.engine.operators.contract import Operator

BATCH = 50_000
_KEYS, _MANY = 100_000, 20_000
_BAR = 2.0
"""How many times what an event costs among few events it may cost among many; and, with many keys, how many times what
bare Polars takes to group it."""
_POLARS, _LOOP = "Polars", "a word for each key"
_WINDOWS = {"TUMBLE": 1, "HOP": 2, "CUMULATE": 2, "SESSION": 1}
"""In how many windows an event is."""
_WARM_KEYS, _WARM_EVENTS = 40_000, 200_000


def run(events: int, long: bool) -> Iterator[Row]:
    """Yields, for each operator, a row for each number of keys and each number of events.

    Args:
        events: How many events are measured with each number of keys.
        long: Whether to go to 10 M keys and 100 M events.
    """
    keys = (1_000, 1_000_000, 10_000_000) if long else (1_000, 1_000_000)
    counts = (10 * events, 50 * events) if long else (2 * events,)
    bare = {count: _measured(_POLARS, count, events) for count in keys}
    for count in keys:
        cost = _measured(_LOOP, count, events)["cpu_ns"]
        yield Row(
            f"{_LOOP}, {count:,} keys", cost, None, "CPU ns/event", None, "-", True, "added to by chance: the floor"
        )
    for name in _OPERATORS:
        for chosen, sizes in ((keys[0], keys), (_MANY, (_KEYS, *keys[1:]))):
            yield from by_state(name, sizes, chosen, partial(_measured, name, events=events, chosen=chosen))
        few = _measured(name, keys[0], events)
        yield Row(name, few["cpu_ns"], None, "CPU ns/event", None, "-", True, f"{keys[0]:,} keys, {events:,} events")
        for count in keys[1:]:
            one = _measured(name, count, events)
            times = one["cpu_ns"] / few["cpu_ns"]
            note = f"bare Polars' group_by; {times:.1f}x of {keys[0]:,} keys (it: {_growth(bare, count, keys[0]):.1f}x)"
            yield _row(f"{name}, {count:,} keys", one, bare[count], note)
        base = _measured(name, _KEYS, events // 2)
        for count in counts:
            note = f"{events // 2:,} events; {_KEYS:,} keys"
            yield _row(f"{name}, {count:,} events", _measured(name, _KEYS, count), base, note)


def _row(name: str, one: Mapping[str, float], reference: Mapping[str, float], note: str) -> Row:
    times = one["cpu_ns"] / reference["cpu_ns"]
    note = f"{note}; {one['peak_mb']:.0f} MB in all"
    return Row(
        name, one["cpu_ns"], reference["cpu_ns"], "CPU ns/event", 1 / times, f"{1 / _BAR:g}x", times <= _BAR, note
    )


def _growth(measured: Mapping[int, Mapping[str, float]], many: int, few: int) -> float:
    return measured[many]["cpu_ns"] / measured[few]["cpu_ns"]


def _measured(name: str, keys: int, events: int, chosen: int = 0) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.keyed_operators", name, str(keys), str(events), str(chosen)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


# --- the operators, and what an event is to each


def _aggregates() -> list[CompiledAggregate]:
    from yeoul.engine.compile.aggregates import compile_aggregate
    from yeoul.plan.expressions import AggregateCall, ColumnRef
    from yeoul.plan.types import BIGINT

    calls = {
        "c": AggregateCall("count_star", (), BIGINT.not_null()),
        "s": AggregateCall("sum", (ColumnRef("v", BIGINT),), BIGINT),
    }
    return [compile_aggregate(call, name) for name, call in calls.items()]


def _window(kind: str) -> Operator:
    import polars as pl

    from yeoul.engine.operators.time_axis import TimeAxis
    from yeoul.engine.operators.windows.aggregate import WindowAggregate
    from yeoul.engine.operators.windows.layout import WindowLayout
    from yeoul.plan.nodes import WindowKind

    size_ms = 1_000_000
    layout = WindowLayout(WindowKind[kind], size_ms, size_ms // _WINDOWS[kind])
    return WindowAggregate(layout, TimeAxis(None), "ts", [("k", pl.col("k"))], _aggregates(), [], ["k", "c", "s"])


def _session() -> Operator:
    import polars as pl

    from yeoul.engine.operators.time_axis import TimeAxis
    from yeoul.engine.operators.windows.sessions import SessionAggregate

    return SessionAggregate(1_000, TimeAxis(None), "ts", [("k", pl.col("k"))], _aggregates(), [], ["k", "c", "s"])


def _join() -> Operator:
    import polars as pl

    from yeoul.clock import SYSTEM_CLOCK
    from yeoul.engine.operators.joins.regular import Join
    from yeoul.engine.operators.joins.sides import JoinSide, JoinSides
    from yeoul.plan.join_state import RowsKept, SideState
    from yeoul.plan.nodes import JoinKind

    one = SideState(RowsKept.ONE_PER_KEY)
    left = JoinSide({"k": pl.String(), "v": pl.Int64()}, [pl.col("k")], one)
    right = JoinSide({"j": pl.String(), "w": pl.Int64()}, [pl.col("j")], one)
    sides = JoinSides(left, right, JoinKind.INNER, None, ["k", "v", "w"])
    return Join(sides, weighted=True, clock=SYSTEM_CLOCK)


def _deduplicate() -> Operator:
    import polars as pl

    from yeoul.clock import SYSTEM_CLOCK
    from yeoul.engine.operators.ordered.deduplicate import LastRows

    columns = {"k": pl.String(), "v": pl.Int64()}
    return LastRows(columns, ["k"], None, updating=True, clock=SYSTEM_CLOCK)


def _top_n() -> Operator:
    import polars as pl

    from yeoul.clock import SYSTEM_CLOCK
    from yeoul.engine.operators.ordered.first_places import FirstPlaces
    from yeoul.engine.operators.ordered.top_n_rows import TopNRows
    from yeoul.plan.ordering import Ranking, SortKey

    columns, order = {"k": pl.String(), "v": pl.Int64()}, (SortKey("v", descending=True),)
    return FirstPlaces(TopNRows(columns, ["k"], order, Ranking.ROW_NUMBER, 1, 1, None, True), clock=SYSTEM_CLOCK)


_OPERATORS: Mapping[str, Callable[[], Operator]] = {
    "TUMBLE": lambda: _window("TUMBLE"),
    "HOP": lambda: _window("HOP"),
    "CUMULATE": lambda: _window("CUMULATE"),
    "SESSION": _session,
    "JOIN": _join,
    "deduplication": _deduplicate,
    "Top-1": _top_n,
}


class _Events:
    """Makes events; knows which value each key has."""

    def __init__(self, name: str, keys: int) -> None:
        self._name, self._values, self._next = name, np.zeros(keys, np.int64), 0

    def first(self, ids: NDArray[np.int64]) -> list[tuple[int, pl.DataFrame]]:
        """Returns the batches, each with its port, in which keys are seen for the first time."""
        import polars as pl

        batch = self._named(ids)
        if self._name != "JOIN":
            return [(0, batch)]
        return [(0, batch), (1, batch.select(j="k", w=pl.lit(7, pl.Int64)))]

    def later(self, ids: NDArray[np.int64]) -> list[tuple[int, pl.DataFrame]]:
        """Returns the batches of events of keys that were there."""
        import polars as pl

        if self._name != "JOIN":
            return [(0, self._named(ids))]
        # Of a key that stands in a batch twice, the second event takes back what the first one brought.
        order = np.argsort(ids, kind="stable")
        old, fresh = self._values[ids], self._numbers(len(ids))
        same = ids[order][1:] == ids[order][:-1]
        old[order[1:][same]] = fresh[order[:-1][same]]
        self._values[ids] = fresh
        both = np.column_stack([old, fresh]).ravel()
        weights = pl.Series("$weight", np.tile(np.array([-1, 1]), len(ids)))
        named = pl.DataFrame({"id": np.repeat(ids, 2), "v": both})
        return [(0, named.select(pl.format("user-{}", "id").alias("k"), "v").with_columns(weights))]

    def _named(self, ids: NDArray[np.int64]) -> pl.DataFrame:
        import polars as pl

        values = self._numbers(len(ids))
        self._values[ids] = values
        rows = pl.DataFrame({"id": ids, "v": values})
        time_ = [pl.lit(5, pl.Int64).cast(pl.Datetime("ms")).alias("ts")] if self._name in _WINDOWS else []
        return rows.select(pl.format("user-{}", "id").alias("k"), "v", *time_)

    def _numbers(self, count: int) -> NDArray[np.int64]:
        self._next += count
        return np.arange(self._next - count, self._next)


def _grouped_by_polars(keys: int, events: int) -> dict[str, float]:
    """Groups every key once and events of random keys, all at hand."""
    import polars as pl

    random, made = np.random.default_rng(1), _Events(_POLARS, keys)
    ids = [random.permutation(keys), *(random.integers(0, keys, BATCH) for _ in range(events // BATCH))]
    rows = pl.concat([batch for each in ids for _, batch in made.later(each)])
    began_s = time.process_time()
    groups = rows.group_by("k", maintain_order=True).agg(pl.len(), pl.col("v").sum())
    spent_s = time.process_time() - began_s
    if groups.height != keys:
        raise AssertionError(f"{groups.height} groups instead of {keys}")
    return _result(spent_s, rows.height)


def _added_by_chance(keys: int, events: int) -> dict[str, float]:
    """Adds to a word of each event's key, every key's in a line of the caches of its own."""
    import numba

    def add_each(lines: NDArray[np.int64], ids: NDArray[np.int64]) -> None:
        for each in ids:
            lines[each, 0] += 1

    add = numba.njit()(add_each)
    lines, ids = np.full((keys, 8), 1), np.random.default_rng(1).integers(0, keys, events)
    add(lines, ids)
    began_s = time.process_time()
    add(lines, ids)
    return _result(time.process_time() - began_s, events)


def _result(spent_s: float, events: int) -> dict[str, float]:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu_ns": spent_s / events * 1e9, "peak_mb": peak_mb}


_BARE = {_POLARS: _grouped_by_polars, _LOOP: _added_by_chance}


def _measure(name: str, keys: int, events: int, chosen: int = 0) -> dict[str, float]:
    """Feeds every key once, then events of random keys; measures the latter, of a window all.

    Args:
        name: The operator.
        keys: How many there are.
        events: How many of random keys.
        chosen: From how many keys, chosen anew, each batch draws; then a window is no exception, and what is given out
            at the end is not measured. 0: from all.
    """
    from yeoul.engine.operators.contract import END_OF_TIME, Output

    operator, made = _OPERATORS[name](), _Events(name, keys)
    random, standing, spent_s = np.random.default_rng(1), 0, 0.0

    def count(output: Output) -> None:
        nonlocal standing
        for batch in output.batches:
            standing += int(batch["$weight"].sum()) if "$weight" in batch.columns else int(batch["c"].sum())

    def take(batches: list[tuple[int, pl.DataFrame]]) -> None:
        nonlocal spent_s
        for port, batch in batches:
            began_s = time.process_time()
            output = operator.process(port, batch)
            spent_s += time.process_time() - began_s
            count(output)

    everyone = random.permutation(keys)
    for start in range(0, keys, BATCH):
        take(made.first(everyone[start : start + BATCH]))
    counted = events
    if name in _WINDOWS and not chosen:
        counted += keys
    else:
        spent_s = 0.0
    for _ in range(events // BATCH):
        take(made.later(drawn(random, keys, BATCH, chosen)))
    began_s = time.process_time()
    count(operator.advance(END_OF_TIME))
    spent_s += 0.0 if chosen else time.process_time() - began_s
    expected = _WINDOWS[name] * (keys + events // BATCH * BATCH) if name in _WINDOWS else keys
    if standing != expected:
        raise AssertionError(f"{name}: {standing} rows instead of {expected}")
    return _result(spent_s, counted)


if __name__ == "__main__":
    wanted, sizes = sys.argv[1], [int(each) for each in sys.argv[2:5]]
    if wanted in _BARE:
        print(json.dumps(_BARE[wanted](*sizes[:2])))
    else:
        _measure(wanted, _WARM_KEYS, _WARM_EVENTS)
        print(json.dumps(_measure(wanted, *sizes)))
