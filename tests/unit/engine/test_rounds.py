"""Jobs that take what has arrived at intervals: when rounds are, what one gives, and that idle ones give nothing."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import memory_source as m
import polars as pl
import pytest
from memory_source import MemorySink, MemorySource, rows, until
from test_by_clock import counted, tumble
from test_execution import running
from tests.pipeline_runs import Fed, bind_query

from yeoul.clock import SYSTEM_CLOCK, ManualClock
from yeoul.engine.runtime.rounds import Rounds
from yeoul.engine.state.memory import StateMemory
from yeoul.plan.nodes import Write
from yeoul.plan.tables import Column, TableDefinition
from yeoul.plan.trigger import parse_trigger

EVERY_5_S = parse_trigger("5 s")


@dataclass
class Arrivals:
    """What has arrived, as far as rounds ask."""

    is_caught_up: bool = True


def test_rounds_are_at_whole_intervals_from_the_start_and_the_next_is_at_once_after_a_long_one() -> None:
    clock, arrivals = ManualClock(), Arrivals(is_caught_up=False)
    rounds = Rounds(EVERY_5_S, clock)
    assert rounds.rest_s(arrivals) is None, "the first round begins with the job"
    clock.advance_ms(1_000)
    arrivals.is_caught_up = True
    assert rounds.rest_s(arrivals) == 4.0
    clock.advance_ms(4_000)
    assert rounds.rest_s(arrivals) == 0.0, "the second is due"
    arrivals.is_caught_up = False
    clock.advance_ms(2_000)
    assert rounds.rest_s(arrivals) is None, "and goes on until all is taken"
    clock.advance_ms(9_000)
    assert rounds.rest_s(arrivals) == 0.0, "two intervals later what it has changed so far is given"
    assert rounds.rest_s(arrivals) is None, "and the next round follows at once"
    arrivals.is_caught_up = True
    assert rounds.rest_s(arrivals) == 4.0, "at 16 s: whole intervals from the start are kept"


TABLE = "SET 'execution.runtime-mode' = 'streaming'; CREATE TABLE t (k STRING, n INT)"
CHANGED = [
    Fed("t", pl.DataFrame({"k": ["a", "b"], "n": [1, 5]}).cast({"n": pl.Int32})),
    Fed("t", pl.DataFrame({"k": ["a", "a"], "n": [2, 3]}).cast({"n": pl.Int32})),
    Fed("t", pl.DataFrame({"k": ["a", "b"], "n": [-6, 0]}).cast({"n": pl.Int32})),
]


@pytest.mark.parametrize(
    ("query", "first", "second"),
    [
        (
            "SELECT k, SUM(n) AS s FROM t GROUP BY k",
            [("+I", "a", 0), ("+I", "b", 5)],
            [("-U", "a", 0), ("+U", "a", 6), ("-U", "b", 5), ("+U", "b", 10)],
        ),
        ("SELECT k, SUM(n) AS s FROM t GROUP BY k HAVING SUM(n) > 5", [], [("+I", "a", 6), ("+I", "b", 10)]),
        (
            "SELECT s, COUNT(*) AS c FROM (SELECT k, SUM(n) AS s FROM t GROUP BY k) GROUP BY s",
            [("+I", 0, 1), ("+I", 5, 1)],
            [("+I", 6, 1), ("+I", 10, 1), ("-D", 0, 1), ("-D", 5, 1)],
        ),
    ],
)
def test_a_round_gives_each_row_that_it_changed_once_also_where_it_was_restored(query, first, second) -> None:
    asked = bind_query(TABLE, query)
    asked = replace(asked, settings=replace(asked.settings, trigger=EVERY_5_S))
    run = asked.fresh()
    assert [run.start(), *(run.take(step) for step in CHANGED)] == [[]] * 4, "what changes waits for the round's end"
    state, run = run.snapshot(), asked.fresh()
    run.restore(state)
    assert sorted(end_round(run)) == sorted(first)
    assert [run.take(step) for step in CHANGED[:2]] == [[]] * 2
    assert sorted(end_round(run), key=str) == sorted(second, key=str)
    assert end_round(run) == []


def end_round(run) -> list[tuple]:
    return [row for frame in run.end_round() for row in frame.rows()]


def test_idle_intervals_neither_write_nor_flush_and_stopping_gives_what_was_taken() -> None:
    source, sink = MemorySource(), MemorySink()
    given = m.ids(m.scan())
    plan = Write(given, TableDefinition("ids", tuple(Column(one.name, one.type) for one in given.schema.fields)))
    with running(plan, source, sink=sink, clock=SYSTEM_CLOCK, trigger=parse_trigger("20 ms")) as job:
        source.push("s0", rows((0, "a", 0)))
        until(lambda: sink.flushes > 0, "the first round")
        flushes = sink.flushes
        threading.Event().wait(0.2)
        assert sink.flushes == flushes
        source.push("s0", rows((1, "a", 1)))
        until(lambda: sink.flushes > flushes, "the next round with a row")
        job.execution.stop()
        job.join()
    assert sum(frame.height for frame in sink.frames) == 2


def test_windows_by_the_clock_end_within_rounds_though_nothing_comes() -> None:
    source = MemorySource()
    with running(counted(tumble(30)), source, clock=SYSTEM_CLOCK, trigger=parse_trigger("50 ms")) as job:
        source.push("s0", rows((0, "a", 1)))
        job.wait_for_rows(1)


def test_a_table_told_by_key_gets_one_record_for_each_key_that_a_round_changed() -> None:
    table = """CREATE TABLE sums (k STRING, s INT, PRIMARY KEY (k) NOT ENFORCED) WITH ('connector' = 'upsert-kafka',
      'topic' = 't', 'properties.bootstrap.servers' = 'h:9', 'key.format' = 'json', 'value.format' = 'json')"""
    asked = bind_query(f"{TABLE}; {table}", "INSERT INTO sums SELECT k, SUM(n) FROM t GROUP BY k")
    run = replace(asked, settings=replace(asked.settings, trigger=EVERY_5_S)).fresh()
    assert [run.start(), *(run.take(step) for step in CHANGED)] == [[]] * 4
    assert sorted(end_round(run)) == [("+U", "a", 0), ("+U", "b", 5)]


def test_a_round_also_gives_what_waits_for_state_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StateMemory, "most_waiting_bytes", 1 << 20)
    asked = bind_query(TABLE, "SELECT s, COUNT(*) AS c FROM (SELECT k, SUM(n) AS s FROM t GROUP BY k) GROUP BY s")
    run = replace(asked, settings=replace(asked.settings, trigger=EVERY_5_S, state_memory_bytes=1)).fresh()
    given = []
    for step in CHANGED:
        assert run.take(step) == []
        given.append(sorted(end_round(run), key=str))
    assert given == [
        [("+I", 1, 1), ("+I", 5, 1)],
        [("+I", 6, 1), ("-D", 1, 1)],
        [("+I", 0, 1), ("-D", 6, 1)],
    ]
