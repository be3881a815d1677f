"""Offsets translate to the first copied record at or behind them, whatever lies between; stored and read back."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.connectors.kafka.cluster import TopicPartition
from yeoul.mirror.offset_map import CHUNK_RUNS, OffsetMap, Run
from yeoul.mirror.state import Copied, chunk_record, owner_record, replay, tombstone

# (source offsets skipped, target offsets skipped, records): what one run adds.
STEPS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 6)), max_size=200)
PARTITION = TopicPartition("t", 3)


def runs_of(steps: list[tuple[int, int, int]], source: int, target: int) -> list[Run]:
    runs = []
    for skipped_source, skipped_target, length in steps:
        run = Run(source + skipped_source, target + skipped_target, length)
        source, target = run.source + length, run.target + length
        runs.append(run)
    return runs


def model(runs: list[Run]) -> list[tuple[int, int]]:
    return [(run.source + index, run.target + index) for run in runs for index in range(run.length)]


@settings(deadline=None)
@given(steps=STEPS, start=st.integers(0, 50), base=st.integers(0, 50))
def test_translation_is_exact_for_every_offset(steps: list[tuple[int, int, int]], start: int, base: int) -> None:
    runs = runs_of(steps, start, base)
    offsets = OffsetMap(start, base)
    for run in runs:
        offsets.extend([run], run.source + run.length + 1)
    pairs = model(runs)
    behind = pairs[-1][1] + 1 if pairs else base
    for offset in range((pairs[-1][0] if pairs else start) + 5):
        expected = next((target for source, target in pairs if source >= offset), behind)
        assert offsets.translate(offset) == expected


@settings(deadline=None)
@given(steps=STEPS, cuts=st.lists(st.integers(1, 20), min_size=1, max_size=40), forgotten=st.integers(0, 1_500))
def test_what_is_stored_transaction_by_transaction_is_read_back(
    steps: list[tuple[int, int, int]], cuts: list[int], forgotten: int
) -> None:
    copied = Copied(OffsetMap(7, 9), b"s" * 16, b"t" * 16)
    stored = [owner_record("me", 5), chunk_record(PARTITION, copied, 0, 5)]
    runs = runs_of(steps, 7, 9)
    at = 0
    for cut in cuts:
        some = runs[at : at + cut]
        at += cut
        changed = copied.offsets.extend(some, copied.offsets.next_source + 1_000)
        stored += [chunk_record(PARTITION, copied, number, 5) for number in sorted(changed)]
    stored += [tombstone(PARTITION, number, 5) for number in copied.offsets.forget_before(forgotten)]
    compacted = {record.key: record for record in stored}
    for records in (stored, list(compacted.values())):
        kept = replay(records)
        found = kept.copied[PARTITION]
        assert kept.owner == "me"
        assert (found.source_id, found.target_id) == (b"s" * 16, b"t" * 16)
        assert found.offsets.next_source == copied.offsets.next_source
        for offset in range(forgotten, 1_500):
            assert found.offsets.translate(offset) == copied.offsets.translate(offset)


def test_runs_that_join_on_both_sides_are_one() -> None:
    offsets = OffsetMap(0, 0)
    for start in range(0, 1_000, 10):
        assert offsets.extend([Run(start, start, 10)], start + 10) == {0}
    assert len(offsets) == 1


def test_only_whole_old_chunks_are_forgotten() -> None:
    offsets = OffsetMap(0, 0)
    offsets.extend([Run(10 * index, 9 * index, 5) for index in range(3 * CHUNK_RUNS)], 10_000)
    assert offsets.forget_before(10 * CHUNK_RUNS - 10) == []
    assert offsets.forget_before(10 * CHUNK_RUNS) == [0]
    assert offsets.forget_before(10**9) == [1]
    assert offsets.translate(10 * 2 * CHUNK_RUNS + 3) == 9 * 2 * CHUNK_RUNS + 3
