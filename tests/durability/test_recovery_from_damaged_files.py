"""Real files: the log cut at every byte, bytes flipped, files lost. It keeps what is whole or says why it will not."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from yeoul.log.directory import Log
from yeoul.log.errors import LogCorrupt
from yeoul.log.partition import ColdRead, PartitionLog
from yeoul.log.segment_names import segment_path
from yeoul.log.volatile_disk import StepWorkers
from yeoul.wire.records import Record, decode_records, encode_batch, iter_batches, read_header


def open_log(data_dir: Path) -> Log:
    workers = StepWorkers()
    log = Log(data_dir, defer=workers.call_soon, post=workers.call_soon, on_fatal=lambda failure: None, workers=workers)
    log.settle = workers.settle  # type: ignore[attr-defined]
    return log


def values_of(partition: PartitionLog) -> list[bytes | None]:
    offset, values = partition.start_offset, []
    while offset < partition.high_watermark:
        fetched = partition.read(offset, 1 << 20)
        data = fetched.load().data if isinstance(fetched, ColdRead) else fetched.data
        for position, _ in iter_batches(data):
            records = decode_records(data, position)
            values += [record.value for record in records]
            offset = records[-1].offset + 1
    return values


def append(partition: PartitionLog, *values: bytes) -> int:
    batch = encode_batch([Record(number, 5, None, value) for number, value in enumerate(values)])
    partition.append(batch, [read_header(batch)])
    return len(batch)


def crashed_log(data_dir: Path, checkpoint_after: int | None) -> list[int]:
    """Leaves a log of five batches behind as kill -9 would; returns where each batch ends in its one segment."""
    log = open_log(data_dir)
    partition = log.create_topic("t", 1, {"index.interval.bytes": "100"}).partitions[0]
    ends = [0]
    for number in range(5):
        ends.append(ends[-1] + append(partition, b"a%d" % number, b"b" * 20 * number))
        log.settle()
        if checkpoint_after == number:
            partition._checkpoints.soon()
            log.settle()
    log._lock.release()
    return ends


def expected_values(batches: int) -> list[bytes]:
    return [value for number in range(batches) for value in (b"a%d" % number, b"b" * 20 * number)]


def copy_of(source: Path, target: Path) -> Path:
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(source, target)
    return segment_path(target / "topics" / "t" / "0", 0)


@pytest.mark.parametrize("checkpoint_after", [None, 1])
def test_a_log_cut_at_any_byte_keeps_every_whole_batch_and_nothing_torn(
    tmp_path: Path, checkpoint_after: int | None
) -> None:
    ends = crashed_log(tmp_path / "origin", checkpoint_after)
    durable = 0 if checkpoint_after is None else ends[checkpoint_after + 1]
    # Every byte of the last two batches, and a sample of what lies before.
    for cut in [*range(0, ends[3], 11), *ends[:4], *range(ends[3], ends[-1] + 1)]:
        segment = copy_of(tmp_path / "origin", tmp_path / "cut")
        with segment.open("r+b") as file:
            file.truncate(cut)
        if cut < durable:
            with pytest.raises(LogCorrupt, match=r"are missing\. Run `yeoul doctor`"):
                open_log(tmp_path / "cut")
            continue
        whole = sum(end <= cut for end in ends[1:])
        log = open_log(tmp_path / "cut")
        partition = log.topic("t").partitions[0]
        assert values_of(partition) == expected_values(whole)
        assert segment.stat().st_size == ends[whole]
        if cut % 9 == 0 or cut in ends:
            append(partition, b"after")
            log.close()
            log = open_log(tmp_path / "cut")
            assert values_of(log.topic("t").partitions[0]) == [*expected_values(whole), b"after"]
        log.close()


def test_a_flipped_bit_before_valid_batches_is_refused_with_the_place(tmp_path: Path) -> None:
    ends = crashed_log(tmp_path / "origin", None)
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    for position in range(ends[4]):
        # Base offset and leader epoch lie outside the CRC, yet each byte is held against something.
        segment = copy_of(tmp_path / "origin", tmp_path / "flipped")
        data = bytearray(segment.read_bytes())
        data[position] ^= 1 << chance.randrange(8)
        segment.write_bytes(data)
        batch = sum(end <= position for end in ends[1:])
        if position - ends[batch] in range(12, 16):
            continue
        with pytest.raises(LogCorrupt, match=rf"damaged at position {ends[batch]} \(offset {batch * 2}\)"):
            open_log(tmp_path / "flipped")


def test_damage_just_below_the_recovery_point_is_refused(tmp_path: Path) -> None:
    ends = crashed_log(tmp_path / "origin", 4)
    segment = copy_of(tmp_path / "origin", tmp_path / "flipped")
    data = bytearray(segment.read_bytes())
    data[ends[4] + 70] ^= 1
    segment.write_bytes(data)
    with pytest.raises(LogCorrupt, match=rf"damaged at position {ends[4]}, below the recovery point \(offset 10\)"):
        open_log(tmp_path / "flipped")


def test_a_torn_tail_of_garbage_or_zeros_is_cut_off(tmp_path: Path) -> None:
    ends = crashed_log(tmp_path / "origin", None)
    garbage = random.Random(5).randbytes(3000)
    for tail in (bytes(5000), garbage, b"\x00\x00\x00\x00\x02" * 500, b"\xff" * 61):
        segment = copy_of(tmp_path / "origin", tmp_path / "torn")
        with segment.open("ab") as file:
            file.write(tail)
        log = open_log(tmp_path / "torn")
        assert values_of(log.topic("t").partitions[0]) == expected_values(5)
        assert log.topic("t").partitions[0].truncated_bytes == len(tail)
        assert segment.stat().st_size == ends[-1]
        log.close()


def test_a_lost_or_damaged_index_is_made_anew(tmp_path: Path) -> None:
    for content in (None, b"", b"\xff" * 48, b"\x01" * 33):
        data_dir = tmp_path / f"data-{content!r:.8}"
        log = open_log(data_dir)
        partition = log.create_topic("t", 1, {"index.interval.bytes": "100", "segment.bytes": "1024"}).partitions[0]
        for number in range(20):
            append(partition, b"%03d" % number * 50)
        log.close()
        for index in (data_dir / "topics" / "t" / "0").glob("*.index"):
            if content is None:
                index.unlink()
            else:
                index.write_bytes(content)
        log = open_log(data_dir)
        assert values_of(log.topic("t").partitions[0]) == [b"%03d" % number * 50 for number in range(20)]
        log.close()


def test_a_missing_segment_in_the_middle_is_refused(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    partition = log.create_topic("t", 1, {"segment.bytes": "1024"}).partitions[0]
    for number in range(4):
        append(partition, b"%d" % number * 900)
    log.settle()  # type: ignore[attr-defined]
    log._lock.release()
    directory = tmp_path / "topics" / "t" / "0"
    (directory / "checkpoint").unlink()
    segment_path(directory, 1).unlink()
    with pytest.raises(LogCorrupt, match="begins at offset 2, but the segment before it ends at offset 1"):
        open_log(tmp_path)


def test_all_segments_lost_is_refused(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    append(log.create_topic("t", 1).partitions[0], b"v")
    log.close()
    segment_path(tmp_path / "topics" / "t" / "0", 0).unlink()
    with pytest.raises(LogCorrupt, match="holds no segment, expected records up to offset 1"):
        open_log(tmp_path)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    append(log.create_topic("t", 1).partitions[0], b"v")
    log.close()
    checkpoint = tmp_path / "topics" / "t" / "0" / "checkpoint"
    checkpoint.write_bytes(checkpoint.read_bytes().replace(b'"recovery_offset":1', b'"recovery_offset":0'))
    with pytest.raises(LogCorrupt, match="does not match its CRC-32C"):
        open_log(tmp_path)
