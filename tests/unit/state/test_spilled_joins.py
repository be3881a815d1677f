"""Joins beyond their memory: every way in which rows of a side are kept goes to disk and comes back as it was."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.engine.regular_joins import STATES, cut, expected, histories, operator, sides_left

from yeoul.clock import ManualClock
from yeoul.engine.operators.contract import END_OF_TIME, Output
from yeoul.engine.operators.joins.regular import Join
from yeoul.engine.operators.key_groups import divided
from yeoul.engine.operators.key_groups.divided import KeyGroups
from yeoul.engine.operators.key_groups.prepared import by_key_group
from yeoul.engine.state import memory
from yeoul.engine.state.memory import StateMemory
from yeoul.plan.nodes import JoinKind

CLOCK = ManualClock(0)


@pytest.mark.parametrize("kind", list(JoinKind), ids=lambda kind: kind.value)
@given(
    states=st.sampled_from(STATES),
    condition=st.booleans(),
    nulls_meet=st.booleans(),
    limits=st.lists(st.sampled_from([1, 1, 10_000_000]), min_size=3, max_size=6),
    data=st.data(),
)
@settings(max_examples=12, deadline=None)
def test_a_join_on_disk_adds_up_to_the_batch_join(kind, states, condition, nulls_meet, limits, data, tmp_path_factory):
    folder, made = str(tmp_path_factory.mktemp("spilled")), 0

    def join() -> Join:
        return operator(kind, condition=condition, states=states, clock=CLOCK, nulls_meet=nulls_meet)

    def limited() -> tuple[StateMemory, KeyGroups]:
        kept = StateMemory(limits[made % len(limits)], folder)
        return kept, by_key_group(join(), join, kept, CLOCK)

    table: Counter = Counter()

    def carried_out(output: Output) -> None:
        for batch in output.batches:
            for *values, weight in batch.rows():
                table[tuple(values)] += weight

    history = data.draw(histories(states, nulls_meet=nulls_meet))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "_LEAST_PIECE_BYTES", 1)
        patch.setattr(divided, "_MOST_BITS", 3)
        kept, running = limited()
        for port, batch in cut(data, history):
            carried_out(running.process(port, batch))
            if data.draw(st.booleans()):
                carried_out(running.wake(END_OF_TIME))
            if data.draw(st.booleans()):
                state, before = running.snapshot(), kept
                made += 1
                kept, running = limited()
                running.restore(state)
                before.close()
        carried_out(running.advance(END_OF_TIME))
        kept.close()
    assert all(weight >= 0 for weight in table.values())
    assert +table == expected(kind, sides_left(history), condition=condition, nulls_meet=nulls_meet)
