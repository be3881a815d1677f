"""State beyond its memory: what operators give comes to the same, files come and go, and what fails says why."""

from __future__ import annotations

import errno
from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.clock import ManualClock
from yeoul.engine.compile.aggregates import compile_aggregate
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.contract import END_OF_TIME
from yeoul.engine.operators.groups.group_aggregate import GroupAggregate
from yeoul.engine.operators.groups.set_operation import SetOperation
from yeoul.engine.operators.key_groups import divided
from yeoul.engine.operators.key_groups.prepared import by_key_group
from yeoul.engine.state import memory
from yeoul.engine.state.memory import StateMemory
from yeoul.engine.state.spill_files import SpillFiles
from yeoul.errors import EnvironmentFailure
from yeoul.plan.expressions import AggregateCall, ColumnRef
from yeoul.plan.nodes import SetKind
from yeoul.plan.types import BIGINT, STRING

CLOCK = ManualClock(0)
CALLS = {
    "c": AggregateCall("count_star", (), BIGINT.not_null()),
    "s": AggregateCall("sum", (ColumnRef("v", BIGINT),), BIGINT),
    "m": AggregateCall("min", (ColumnRef("v", BIGINT),), BIGINT),
    "d": AggregateCall("count", (ColumnRef("v", BIGINT),), BIGINT.not_null(), distinct=True),
    "l": AggregateCall("last_value", (ColumnRef("t", STRING),), STRING),
}


def grouping() -> GroupAggregate:
    aggregates = [compile_aggregate(call, name) for name, call in CALLS.items()]
    return GroupAggregate([("k", pl.col("k"))], aggregates, ["k", *CALLS], retracts=False, clock=CLOCK)


def intersection() -> SetOperation:
    columns = {"k": pl.String(), "v": pl.Int64(), "t": pl.String()}
    return SetOperation(columns, SetKind.INTERSECT, keeps_doubles=True, weighted=True, clock=CLOCK)


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(memory, "_LEAST_PIECE_BYTES", 1)
    monkeypatch.setattr(divided, "_MOST_BITS", 3)


def carried_out(table: Counter, output) -> None:
    for batch in output.batches:
        for *row, weight in batch.select(pl.exclude(WEIGHT), WEIGHT).rows():
            table[tuple(row)] += weight


ROWS = st.tuples(st.integers(0, 60), st.one_of(st.none(), st.integers(-3, 3)), st.text(max_size=15), st.integers(0, 1))
STEPS = st.lists(st.one_of(st.lists(ROWS, max_size=40), st.sampled_from(["restore", "wake"])), min_size=1, max_size=10)


@pytest.mark.parametrize("make", [grouping, intersection])
@given(steps=STEPS, limits=st.lists(st.sampled_from([1, 100_000, 10_000_000]), min_size=1, max_size=3))
@settings(max_examples=12, deadline=None)
def test_what_is_given_comes_to_the_same_with_any_memory_however_restored(make, steps, limits, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "_LEAST_PIECE_BYTES", 1)
        patch.setattr(divided, "_MOST_BITS", 3)
        folder = str(tmp_path_factory.mktemp("spilled"))
        free, table, right = make(), Counter(), Counter()
        kept = StateMemory(limits[0], folder)
        limited = by_key_group(make(), make, kept, CLOCK)
        for turn, step in enumerate(steps):
            if step == "wake":
                carried_out(table, limited.wake(END_OF_TIME))
            elif step == "restore":
                state = limited.snapshot()
                again = StateMemory(limits[turn % len(limits)], folder)
                limited = by_key_group(make(), make, again, CLOCK)
                limited.restore(state)
                kept.close()
                kept = again
            else:
                for port in (0, 1) if make is intersection else (0,):
                    rows = [row[:3] for row in step if row[3] == port or make is grouping]
                    batch = pl.DataFrame(
                        [(f"key {k}", v, t) for k, v, t in rows],
                        schema={"k": pl.String, "v": pl.Int64, "t": pl.String},
                        orient="row",
                    )
                    if batch.height:
                        carried_out(right, free.process(port, batch))
                        carried_out(table, limited.process(port, batch))
        carried_out(table, limited.advance(END_OF_TIME))
        kept.close()
        assert +table == +right
        assert not any(weight < 0 for weight in table.values())


def test_memory_stays_near_its_limit_and_groups_are_divided(small_pieces, tmp_path):
    kept = StateMemory(1_000_000, str(tmp_path))
    limited = by_key_group(grouping(), grouping, kept, CLOCK)
    for start in range(0, 30_000, 5_000):
        keys = [f"a key of some length {k}" for k in range(start, start + 5_000)]
        limited.process(0, pl.DataFrame({"k": keys, "v": range(5_000), "t": keys}))
        assert kept.used_bytes <= kept.limit_bytes + 1_000_000
    assert kept.spilled_bytes > 800_000
    table = Counter()
    carried_out(table, limited.advance(END_OF_TIME))
    assert sum(frame.height for name, frame in limited.snapshot().items() if name == "groups") == 30_000
    kept.close()
    assert list(tmp_path.iterdir()) == []


def test_rows_that_wait_are_taken_in_when_their_time_has_come(tmp_path):
    clock = ManualClock(1_000)
    kept = StateMemory(1 << 20, str(tmp_path))
    limited = by_key_group(grouping(), grouping, kept, clock)
    limited.process(0, pl.DataFrame({"k": ["a"], "v": [1], "t": ["x"]}))
    kept.make_room(1 << 30)
    assert limited.process(0, pl.DataFrame({"k": ["a"], "v": [2], "t": ["y"]})).batches == ()
    due_ms = limited.wake_at_ms
    assert limited.wake(due_ms - 1).batches == ()
    table = Counter()
    carried_out(table, limited.wake(due_ms))
    assert table == {("a", 1, 1, 1, 1, "x"): -1, ("a", 2, 3, 1, 2, "y"): 1}
    assert limited.wake_at_ms is None


def test_what_a_killed_job_left_is_removed_and_what_a_living_one_has_is_not(tmp_path):
    frames = {"rows": pl.DataFrame({"k": ["a"]})}
    living, dead = SpillFiles(str(tmp_path)), SpillFiles(str(tmp_path))
    number, _ = living.write(frames)
    dead.write(frames)
    dead._lock.close()  # as the end of its process does
    assert len(list(tmp_path.iterdir())) == 2
    third = SpillFiles(str(tmp_path))
    third.write(frames)
    assert len(list(tmp_path.iterdir())) == 2
    assert living.read(number)["rows"].rows() == [("a",)]


def test_a_full_disk_is_told_with_what_to_do(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_ipc", full)
    with pytest.raises(EnvironmentFailure) as caught:
        SpillFiles(str(tmp_path)).write({"rows": pl.DataFrame({"k": ["a"]})})
    assert "could not be spilled to" in caught.value.message
    assert "No space left on device" in caught.value.message
    assert "'state.memory.limit'" in caught.value.hint


def test_a_directory_that_cannot_be_made_and_a_damaged_file_are_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EnvironmentFailure, match="could not be spilled to"):
        SpillFiles(str(tmp_path / "file")).write({"rows": pl.DataFrame({"k": ["a"]})})
    files = SpillFiles(str(tmp_path))
    number, _ = files.write({"rows": pl.DataFrame({"k": ["a"]})})
    (written,) = tmp_path.glob("*/*.arrow")
    written.write_bytes(written.read_bytes()[:40])
    with pytest.raises(EnvironmentFailure, match="cannot be read"):
        files.read(number)
