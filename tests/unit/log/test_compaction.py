"""What a compacted topic keeps: of each key the last record, under every codec, with transactions, across crashes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from yeoul.log.compaction.swapping import COMPACTION_NAME
from yeoul.log.errors import LogCorrupt
from yeoul.log.partition import Appended, ColdRead
from yeoul.log.segment_names import segment_path
from yeoul.wire.compression import Codec
from yeoul.wire.markers import control_record_commits
from yeoul.wire.records import BatchHeader, Record, decode_records, encode_batch, iter_batches, read_header

if TYPE_CHECKING:
    from conftest import Bench

EXAMPLES = int(os.environ.get("YEOUL_FUZZ", "60"))
DELETE_RETENTION_MS = 1_000
KEYS = st.integers(0, 6).map(lambda number: b"k%d" % number)
PAIRS = st.lists(st.tuples(KEYS, st.one_of(st.none(), st.binary(max_size=90))), min_size=1, max_size=6)
COMPACT = {"cleanup_policy": "compact", "min_cleanable_dirty_ratio": "0"}
Pair = tuple[bytes, bytes | None]


def put(
    bench: Bench,
    *pairs: Pair,
    codec: Codec = Codec.NONE,
    at_ms: int | None = None,
    producer: tuple[int, int, int] | None = None,
    transactional: bool = False,
) -> Appended:
    """Appends one batch; `producer` is id, epoch and sequence."""
    start_ms = bench.clock.now_ms() if at_ms is None else at_ms
    records = [Record(at, start_ms + at, key, value, (("h", b"x"),)) for at, (key, value) in enumerate(pairs)]
    producer_id, producer_epoch, sequence = producer or (-1, -1, -1)
    batch = encode_batch(
        records,
        codec=codec,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=sequence,
        transactional=transactional,
    )
    return bench.partition.append(batch, [read_header(batch)])


def end(bench: Bench, producer_id: int, *, commit: bool) -> None:
    bench.partition.append_marker(producer_id=producer_id, producer_epoch=0, commit=commit)


def seal(bench: Bench) -> None:
    """Rolls the active segment, so that everything before can be cleaned."""
    held = bench.partition.segment_count
    bench.settle()
    at = 0
    while bench.partition.segment_count == held:
        put(bench, (b"filler", b"%d" % at + b"f" * 2000))
        at += 1
    bench.settle()


def clean(bench: Bench) -> None:
    bench.log.clean()
    bench.settle()


def stored(bench: Bench, max_bytes: int = 1 << 20) -> list[tuple[BatchHeader, list[Record]]]:
    """Every batch, by fetching on from where the last one ended."""
    offset, found = bench.partition.start_offset, []
    while offset < bench.partition.high_watermark:
        fetched = bench.partition.read(offset, max_bytes)
        data = fetched.load().data if isinstance(fetched, ColdRead) else fetched.data
        assert len(data), f"nothing to read at {offset}"
        for position, header in iter_batches(data):
            assert header.next_offset > offset
            found.append((header, decode_records(data, position)))
            offset = header.next_offset
    return found


def records(bench: Bench) -> list[Record]:
    return [record for header, held in stored(bench) for record in held if not header.is_control]


def view(kept: Iterable[Record]) -> dict[bytes, bytes | None]:
    return {record.key or b"": record.value for record in kept if record.key != b"filler"}


@pytest.mark.parametrize("codec", list(Codec))
def test_the_last_record_of_each_key_stays_with_its_offset_timestamp_and_headers(bench: Bench, codec: Codec) -> None:
    bench.topic(segment_bytes=4096, **COMPACT)
    expected: dict[bytes, Record] = {}
    for number in range(40):
        pairs = [(b"k%d" % (number * at % 17), b"v%d-%d" % (number, at)) for at in range(1, 8)]
        base = put(bench, *pairs, codec=codec).base_offset
        for at, (key, value) in enumerate(pairs):
            expected[key] = Record(base + at, bench.clock.now_ms() + at, key, value, (("h", b"x"),))
        bench.clock.advance_ms(5)
    seal(bench)
    before = len(records(bench))
    clean(bench)
    kept = [record for record in records(bench) if record.key != b"filler"]
    assert kept == sorted(expected.values())
    assert len(kept) < before
    assert {header.codec for header, held in stored(bench) if held and held[0].key != b"filler"} == {codec}
    bench.restart()
    assert [record for record in records(bench) if record.key != b"filler"] == kept


def test_the_active_segment_is_left_alone_and_small_segments_are_joined(bench: Bench) -> None:
    partition = bench.topic(segment_bytes=1024, **COMPACT)
    for number in range(20):
        put(bench, (b"k%d" % number, b"v" * 250), (b"same", b"v" * 250))
    bench.settle()
    assert partition.segment_count == 20
    clean(bench)
    assert partition.segment_count < 14
    assert [record.key for record in records(bench)].count(b"same") <= 2
    assert partition.cleaned_offset == partition._segments.active.base_offset
    assert view(records(bench)).keys() == {b"same", *(b"k%d" % number for number in range(20))}


@pytest.mark.parametrize("max_bytes", [1, 200, 1 << 20])
def test_every_offset_in_a_gap_can_be_fetched_from(bench: Bench, max_bytes: int) -> None:
    partition = bench.topic(segment_bytes=1024, index_interval_bytes=100, **COMPACT)
    for number in range(30):
        put(bench, (b"a", b"%d" % number * 100), (b"b%d" % (number % 3), b"v"))
    seal(bench)
    clean(bench)
    offsets = [record.offset for record in records(bench)]
    assert len(offsets) < 20
    for cold in (False, True):
        bench.disk.cold = cold
        for offset in range(partition.end_offset):
            data = bench.read(offset, max_bytes).data
            first = next(
                r.offset for at, _ in iter_batches(data) for r in decode_records(data, at) if r.offset >= offset
            )
            assert first == min(each for each in offsets if each >= offset)


def test_a_tombstone_goes_after_its_delete_horizon(bench: Bench) -> None:
    bench.topic(segment_bytes=4096, delete_retention_ms=1000, **COMPACT)
    put(bench, (b"gone", b"v"), (b"kept", b"v"))
    put(bench, (b"gone", None), (b"other", b"v"))
    seal(bench)
    clean(bench)
    assert view(records(bench)) == {b"gone": None, b"kept": b"v", b"other": b"v"}
    horizons = [header.delete_horizon_ms for header, held in stored(bench) if any(r.value is None for r in held)]
    assert horizons == [bench.clock.now_ms() + 1000]
    written_ms = {record.key: record.timestamp_ms for record in records(bench)}
    assert written_ms[b"gone"] == bench.clock.now_ms()
    bench.clock.advance_ms(1001)
    seal(bench)
    clean(bench)
    assert view(records(bench)) == {b"kept": b"v", b"other": b"v"}
    assert {record.key: record.timestamp_ms for record in records(bench)}[b"other"] == written_ms[b"other"]


def test_nothing_younger_than_the_lag_or_below_the_ratio_is_cleaned_but_what_is_overdue_is(bench: Bench) -> None:
    partition = bench.topic(segment_bytes=1024, cleanup_policy="compact", min_compaction_lag_ms=1000)
    for number in range(10):
        put(bench, (b"k", b"%d" % number * 400))
    bench.settle()
    clean(bench)
    assert partition.cleaned_offset == 0
    bench.clock.advance_ms(1001)
    clean(bench)
    cleaned = partition.cleaned_offset
    assert cleaned == 8
    bench.log.set_config("t", bench.config({**COMPACT, "segment_bytes": 1024, "min_cleanable_dirty_ratio": "1"}))
    put(bench, (b"x", b"v" * 900), (b"y", b"v" * 900))
    put(bench, (b"x", b"v" * 900), (b"y", b"v" * 900))
    bench.settle()
    clean(bench)
    assert partition.cleaned_offset == cleaned
    entries = {**COMPACT, "segment_bytes": 1024, "min_cleanable_dirty_ratio": "1", "max_compaction_lag_ms": "5000"}
    bench.log.set_config("t", bench.config(entries))
    bench.clock.advance_ms(5001)
    clean(bench)
    assert partition.cleaned_offset > cleaned


def test_open_transactions_bound_the_cleaning_and_aborted_records_go(bench: Bench) -> None:
    partition = bench.topic(segment_bytes=2048, **COMPACT)
    put(bench, (b"k", b"before"))
    put(bench, (b"k", b"aborted"), producer=(7, 0, 0), transactional=True)
    seal(bench)
    clean(bench)
    assert partition.cleaned_offset <= 1
    end(bench, 7, commit=False)
    put(bench, (b"c", b"old"), (b"c", b"committed"), producer=(8, 0, 0), transactional=True)
    end(bench, 8, commit=True)
    seal(bench)
    clean(bench)
    assert view(records(bench)) == {b"k": b"before", b"c": b"committed"}
    assert not partition.transactions.aborted_below(partition.cleaned_offset)


def test_a_marker_stays_while_data_of_its_transaction_does_and_then_until_its_horizon(bench: Bench) -> None:
    bench.topic(segment_bytes=2048, delete_retention_ms=1000, **COMPACT)
    put(bench, (b"k", b"one"), producer=(7, 0, 0), transactional=True)
    end(bench, 7, commit=True)
    put(bench, (b"k", b"two"))
    put(bench, (b"z", b"z"), producer=(7, 0, 1), transactional=True)
    end(bench, 7, commit=True)

    def markers() -> list[tuple[int, bool]]:
        return [
            (header.base_offset, header.delete_horizon_ms is not None)
            for header, _ in stored(bench)
            if header.is_control
        ]

    seal(bench)
    clean(bench)
    assert markers() == [(1, False), (4, False)]
    seal(bench)
    clean(bench)
    assert markers() == [(1, True), (4, False)]
    bench.clock.advance_ms(1001)
    seal(bench)
    clean(bench)
    assert markers() == [(4, False)]
    bench.restart()
    assert markers() == [(4, False)]


def test_producers_keep_their_sequences_though_all_their_records_went(bench: Bench) -> None:
    partition = bench.topic(segment_bytes=2048, **COMPACT)
    put(bench, (b"a", b"1"), (b"b", b"1"), producer=(9, 3, 0))
    last = put(bench, (b"a", b"2"), (b"b", b"2"), producer=(9, 3, 2))
    put(bench, (b"a", b"3"), (b"b", b"3"))
    seal(bench)
    clean(bench)
    assert view(records(bench)) == {b"a": b"3", b"b": b"3"}
    empty = [header for header, held in stored(bench) if not held]
    assert [(h.producer_id, h.producer_epoch, h.base_offset, h.last_sequence) for h in empty] == [(9, 3, 2, 3)]
    bench.disk.unlink(partition.directory / "checkpoint")
    bench.disk.sync_directory(partition.directory)
    bench.restart()
    retried = put(bench, (b"a", b"2"), (b"b", b"2"), producer=(9, 3, 2))
    assert (retried.duplicate, retried.base_offset) == (True, last.base_offset)
    assert put(bench, (b"a", b"4"), producer=(9, 3, 4)).duplicate is False


def test_a_key_table_that_is_too_small_cleans_in_several_passes(bench: Bench) -> None:
    partition = bench.topic(segment_bytes=4096, **COMPACT)
    bench.log._cleaner._settings = type(bench.log._cleaner._settings)(key_table_bytes=24 * 16)
    expected = {}
    for number in range(60):
        pairs = [(b"k%d" % (number * at % 37), b"%d" % number) for at in range(1, 6)]
        put(bench, *pairs)
        expected.update(pairs)
    seal(bench)
    clean(bench)
    assert view(records(bench)) == expected
    assert partition.dirt() is None
    assert len([record for record in records(bench) if record.key != b"filler"]) == len(expected)


def test_a_damaged_batch_is_told_of_and_never_compacted(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    partition = bench.topic(segment_bytes=2048, **COMPACT)
    for number in range(5):
        put(bench, (b"k", b"%d" % number * 300))
    seal(bench)
    bench.disk.open(segment_path(partition.directory, 0)).write_at((b"?",), 100)
    clean(bench)
    assert "Could not compact t-0" in caplog.text
    assert "its CRC-32C does not match" in caplog.text
    assert partition.cleaned_offset == 0
    assert bench.log.clean() is False


def test_retention_that_drops_a_segment_meanwhile_wins(bench: Bench) -> None:
    partition = bench.topic(segment_bytes=1024, **{**COMPACT, "cleanup_policy": "compact,delete"})
    for number in range(10):
        put(bench, (b"k%d" % (number % 3), b"%d" % number * 500))
    bench.settle()
    bench.log.clean()
    partition.advance_start_offset(5)
    bench.settle()
    clean(bench)
    assert partition.start_offset == 5
    assert view(records(bench)).keys() == {b"k0", b"k1", b"k2"}
    bench.restart()
    assert view(records(bench)).keys() == {b"k0", b"k1", b"k2"}


def test_a_topic_may_be_deleted_while_it_is_cleaned(bench: Bench) -> None:
    bench.topic(segment_bytes=1024, **COMPACT)
    for number in range(10):
        put(bench, (b"k", b"%d" % number * 500))
    bench.settle()
    bench.log.clean()
    bench.log.delete_topic("t")
    bench.settle()
    assert not bench.failures
    assert not bench.log.topics


def test_a_reader_of_the_old_segments_reads_on_while_they_are_swapped(bench: Bench) -> None:
    partition = bench.topic(segment_bytes=1024, **COMPACT)
    for number in range(10):
        put(bench, (b"k", b"%d" % number * 400))
    bench.settle()
    bench.disk.cold = True
    cold = partition.read(2, 10_000)
    assert isinstance(cold, ColdRead)
    before = bytes(cold.load().data)
    clean(bench)
    assert partition.cleaned_offset > 4
    assert bytes(cold.load().data) == before


def test_a_full_disk_costs_a_cleaning_and_nothing_else(bench: Bench) -> None:
    partition = bench.topic(segment_bytes=1024, **COMPACT)
    for number in range(20):
        put(bench, (b"k%d" % (number % 4), b"%d" % number * 400))
    bench.settle()
    for room in (0, 100, 900, 3000):
        bench.disk.space_left_bytes = room
        bench.log._cleaner._has_room = lambda size_bytes: True
        clean(bench)
        assert not bench.failures
        assert view(records(bench)).keys() == {b"k0", b"k1", b"k2", b"k3"}
    bench.disk.space_left_bytes = None
    clean(bench)
    assert partition.cleaned_offset > 10


def test_a_crash_at_every_step_leaves_the_old_or_the_new(bench: Bench) -> None:
    partition = bench.topic(segment_bytes=1024, **COMPACT)
    expected: dict[bytes, bytes | None] = {}
    for number in range(16):
        pairs: list[Pair] = [(b"k%d" % (number % 5), b"%d" % number * 200), (b"n%d" % number, b"v")]
        put(bench, *pairs)
        expected.update(pairs)
    bench.settle()
    before, disk = records(bench), bench.disk
    steps: list[object] = []

    def snapshot(name: str) -> None:
        steps.extend([disk.crash(), disk.crash(keep=lambda extra: extra), disk.crash(keep=lambda extra: extra // 2)])

    names = ("open", "rename", "unlink", "sync_directory", "replace_file")
    for name in names:
        original = getattr(disk, name)

        def wrapped(*args: object, _original: object = original, _name: str = name, **kwargs: object) -> object:
            snapshot(_name)
            result = _original(*args, **kwargs)  # type: ignore[operator]
            snapshot(_name)
            return result

        setattr(disk, name, wrapped)
    clean(bench)
    after = records(bench)
    assert len(after) < len(before)
    assert len(steps) > 100
    seen = set()
    for crashed in steps:
        bench.disk = crashed  # type: ignore[assignment]
        bench.open()
        found = records(bench)
        assert found in (before, after)
        seen.add(found == after)
        directory = bench.partition.directory
        assert not [name for name in bench.disk.list_directory(directory) if name.endswith(".cleaned")]
        clean(bench)
        assert view(records(bench)) == expected
    assert seen == {True, False}
    assert partition.end_offset == bench.partition.end_offset


def test_a_gap_where_compaction_has_not_been_is_damage(bench: Bench) -> None:
    partition = bench.topic(segment_bytes=1024, **COMPACT)
    for number in range(10):
        put(bench, (b"k", b"%d" % number * 400))
    seal(bench)
    clean(bench)
    for name in (COMPACTION_NAME, "checkpoint"):
        bench.disk.unlink(partition.directory / name)
    bench.disk.sync_directory(partition.directory)
    with pytest.raises(LogCorrupt, match=r"records in between are missing|expected base offset"):
        bench.restart()


class Compaction(RuleBasedStateMachine):
    """The model: all committed records by offset, and what each open transaction wrote."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.bench = bench
        self.committed: list[tuple[int, Pair]] = []
        self.open: dict[int, list[tuple[int, Pair]]] = {}
        self.sequences: dict[int, int] = {}
        self.last: dict[int, tuple[int, int, list[Pair]]] = {}

    @initialize(segment_bytes=st.sampled_from([1024, 4096]), index_bytes=st.sampled_from([0, 300, 4096]))
    def create(self, segment_bytes: int, index_bytes: int) -> None:
        self.bench.topic(
            cleanup_policy="compact",
            min_cleanable_dirty_ratio="0",
            segment_bytes=segment_bytes,
            index_interval_bytes=index_bytes,
            delete_retention_ms=DELETE_RETENTION_MS,
        )

    @rule(pairs=PAIRS, codec=st.sampled_from(list(Codec)))
    def write(self, pairs: list[Pair], codec: Codec) -> None:
        base = put(self.bench, *pairs, codec=codec).base_offset
        self.committed += [(base + at, pair) for at, pair in enumerate(pairs)]
        self.bench.settle()

    @rule(producer=st.integers(1, 3), pairs=PAIRS)
    def write_in_transaction(self, producer: int, pairs: list[Pair]) -> None:
        sequence = self.sequences.get(producer, 0)
        base = put(self.bench, *pairs, producer=(producer, 0, sequence), transactional=True).base_offset
        self.sequences[producer] = sequence + len(pairs)
        self.last[producer] = base, sequence, pairs
        self.open.setdefault(producer, []).extend((base + at, pair) for at, pair in enumerate(pairs))
        self.bench.settle()

    @rule(producer=st.integers(1, 3), commit=st.booleans())
    def end_transaction(self, producer: int, commit: bool) -> None:
        if producer in self.open:
            end(self.bench, producer, commit=commit)
            written = self.open.pop(producer)
            self.committed += written if commit else []
            self.bench.settle()

    @rule()
    def clean(self) -> None:
        self.seal()
        clean(self.bench)

    def seal(self) -> None:
        """Rolls the active segment, so that all that is stable before it can be cleaned."""
        held = self.bench.partition.segment_count
        while self.bench.partition.segment_count == held:
            base = put(self.bench, (b"filler", b"f" * 900)).base_offset
            self.committed.append((base, (b"filler", b"f" * 900)))
            self.bench.settle()

    @rule(after_ms=st.sampled_from([1, DELETE_RETENTION_MS + 1]))
    def wait(self, after_ms: int) -> None:
        self.bench.clock.advance_ms(after_ms)

    @rule(jobs=st.integers(0, 3), survives=st.booleans(), lose_checkpoint=st.booleans())
    def power_cut_while_cleaning(self, jobs: int, survives: bool, lose_checkpoint: bool) -> None:
        self.seal()
        self.bench.log.clean()
        for _ in range(jobs):
            self.bench.workers.step()
        directory = self.bench.partition.directory
        self.bench.disk = self.bench.disk.crash(keep=(lambda extra: extra) if survives else None)
        if lose_checkpoint:
            self.bench.disk.unlink(directory / "checkpoint")
        self.bench.open()
        self.bench.settle()

    @rule(producer=st.integers(1, 3))
    def a_retry_is_answered_with_the_first_offset(self, producer: int) -> None:
        if producer in self.last:
            base, sequence, pairs = self.last[producer]
            retried = put(self.bench, *pairs, producer=(producer, 0, sequence), transactional=True)
            assert (retried.duplicate, retried.base_offset) == (True, base)

    @invariant()
    def readers_of_committed_records_see_the_model(self) -> None:
        partition = self.bench.partition
        seen: dict[int, Pair] = {}
        waiting: dict[int, list[tuple[int, Pair]]] = {}
        for header, records in stored(self.bench):
            pairs = [(record.offset, (record.key or b"", record.value)) for record in records]
            if header.is_control:
                held = waiting.pop(header.producer_id, [])
                if records and control_record_commits(records[0]):
                    seen.update(held)
            elif header.is_transactional:
                waiting.setdefault(header.producer_id, []).extend(pairs)
            else:
                seen.update(pairs)
        committed = dict(self.committed)
        assert {offset: committed.get(offset) for offset in seen} == seen, "a record that was never committed"
        clean_below = partition.cleaned_offset
        beyond = {offset: pair for offset, pair in committed.items() if offset >= clean_below}
        assert {offset: pair for offset, pair in seen.items() if offset >= clean_below} == beyond
        expected = _last_values(committed)
        found = _last_values(seen)
        gone = {key for key, value in expected.items() if value is None and key not in found}
        assert found == {key: value for key, value in expected.items() if key not in gone}
        assert partition.last_stable_offset == min(
            (offset for written in self.open.values() for offset, _ in written), default=partition.high_watermark
        )


def _last_values(records: dict[int, Pair]) -> dict[bytes, bytes | None]:
    return {key: value for _, (key, value) in sorted(records.items())}


def test_random_cleanings_keep_what_readers_of_committed_records_need(bench: Bench) -> None:
    run_state_machine_as_test(
        lambda: Compaction(type(bench)()),
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
