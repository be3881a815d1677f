"""Sinks that settle conflicts, beyond their memory: the same rows and the same refusals, whatever watermarks wait."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.clock import ManualClock
from yeoul.engine.contract import WATERMARK, WEIGHT
from yeoul.engine.operators.changes.materialize import FirstRows, LatestRows
from yeoul.engine.operators.contract import END_OF_TIME, Operator, Output
from yeoul.engine.operators.key_groups import divided
from yeoul.engine.operators.key_groups.prepared import ConflictKeyGroups, by_key_group
from yeoul.engine.state import memory
from yeoul.engine.state.memory import StateMemory
from yeoul.errors import UserError

CLOCK = ManualClock(0)
SCHEMA = {"k": pl.String(), "own": pl.Int64(), "v": pl.Int64()}
OPERATORS = {
    "ERROR": lambda: LatestRows(SCHEMA, ["k"], "t", strict=True, clock=CLOCK),
    "DEDUPLICATE": lambda: LatestRows(SCHEMA, ["k"], "t", strict=False, clock=CLOCK),
    "NOTHING": lambda: FirstRows(SCHEMA, ["k"], ["own"], clock=CLOCK),
}
WRITES = st.tuples(st.integers(0, 12), st.integers(0, 1), st.none() | st.integers(0, 3))
STEPS = st.lists(
    st.one_of(
        st.lists(WRITES, min_size=1, max_size=12), st.sampled_from(["watermark", "watermark", "restore", "wake"])
    ),
    min_size=1,
    max_size=14,
)


def changes_of(writes, standing: dict, watermark_ms: int) -> pl.DataFrame | None:
    """Turns what rows are from now on, by key and own key, into changes of what they were."""
    rows = []
    for k, own, v in writes:
        before = standing.pop((k, own), None)
        if before is not None:
            rows.append((f"key {k}", own, before, -1))
        if v is not None:
            standing[k, own] = v
            rows.append((f"key {k}", own, v, 1))
    if not rows:
        return None
    frame = pl.DataFrame(rows, schema={**SCHEMA, WEIGHT: pl.Int64()}, orient="row")
    # A source's row says more of its time than a watermark does; that settles nothing.
    return frame.with_columns(pl.Series(WATERMARK, range(watermark_ms, watermark_ms + frame.height)))


def carried_out(table: Counter, output: Output) -> None:
    for batch in output.batches:
        for *row, weight in batch.select(*SCHEMA, WEIGHT).rows():
            table[tuple(row)] += weight


def free_run(make, steps) -> Counter | str:
    """Returns the rows that are left, or why there are none, without a limit."""
    running, table, standing, watermark_ms = make(), Counter(), {}, 0
    try:
        for step in steps:
            if step == "watermark":
                watermark_ms += 10
                carried_out(table, running.advance(watermark_ms))
            elif isinstance(step, list) and (batch := changes_of(step, standing, watermark_ms)) is not None:
                carried_out(table, running.process(0, batch))
        carried_out(table, running.advance(END_OF_TIME))
    except UserError as error:
        return error.message.partition(" for the key")[0]
    return +table


def limited_run(make, steps, limit_bytes: int, folder: str) -> Counter | str:
    """Returns the same of key groups, which wait, and are restored."""

    def fresh() -> tuple[StateMemory, Operator]:
        kept = StateMemory(limit_bytes, folder)
        return kept, by_key_group(make(), make, kept, CLOCK)

    kept, running = fresh()
    table, standing, watermark_ms = Counter(), {}, 0
    assert isinstance(running, ConflictKeyGroups)
    try:
        for step in steps:
            if step == "watermark":
                watermark_ms += 10
                carried_out(table, running.advance(watermark_ms))
            elif step == "wake":
                carried_out(table, running.wake(END_OF_TIME))
            elif step == "restore":
                state = running.snapshot()
                kept.close()
                kept, running = fresh()
                running.restore(state)
            elif (batch := changes_of(step, standing, watermark_ms)) is not None:
                carried_out(table, running.process(0, batch))
        carried_out(table, running.advance(END_OF_TIME))
    except UserError as error:
        return error.message.partition(" for the key")[0]
    finally:
        kept.close()
    return +table


@pytest.mark.parametrize("name", OPERATORS)
@given(steps=STEPS, limit=st.sampled_from([1, 5_000, 10_000_000]))
@settings(max_examples=12, deadline=None)
def test_conflicts_are_settled_between_the_same_watermarks_under_any_limit(name, steps, limit, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "_LEAST_PIECE_BYTES", 1)
        patch.setattr(divided, "_MOST_BITS", 3)
        make, folder = OPERATORS[name], str(tmp_path_factory.mktemp("spilled"))
        assert limited_run(make, steps, limit, folder) == free_run(make, steps)
