from __future__ import annotations

from pathlib import Path

import pytest

from yeoul.log.directory import Log
from yeoul.log.doctor import examine, mend
from yeoul.log.errors import DirectoryLocked, LogCorrupt
from yeoul.log.partition import Fetched, PartitionLog
from yeoul.log.segment_names import segment_path
from yeoul.log.volatile_disk import StepWorkers
from yeoul.wire.records import Record, encode_batch, iter_batches, read_header


def open_log(data_dir: Path) -> Log:
    workers = StepWorkers()
    return Log(
        data_dir, defer=workers.call_soon, post=workers.call_soon, on_fatal=lambda failure: None, workers=workers
    )


def append(partition: PartitionLog, value: bytes) -> None:
    batch = encode_batch([Record(0, 5, None, value)])
    partition.append(batch, [read_header(batch)])


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A log closed in order: six records of 300 bytes in three segments."""
    log = open_log(tmp_path)
    partition = log.create_topic("t", 1, {"segment.bytes": "1024"}).partitions[0]
    for number in range(6):
        append(partition, b"%d" % number * 300)
    log.close()
    return tmp_path


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def test_a_sound_log_is_reported_as_sound_and_left_alone(data_dir: Path) -> None:
    (report,) = examine(data_dir)
    assert report.is_sound
    assert (report.topic, report.start_offset, report.end_offset, report.batch_count) == ("t", 0, 6, 6)
    assert mend(data_dir) == []
    log = open_log(data_dir)
    assert log.was_clean
    log.close()


def test_a_running_broker_keeps_the_doctor_out(data_dir: Path) -> None:
    log = open_log(data_dir)
    with pytest.raises(DirectoryLocked, match=r"A broker runs on .* Stop it first"):
        examine(data_dir)
    log.close()


def test_damage_in_an_old_segment_is_found_and_mended_up_to_it(data_dir: Path) -> None:
    directory = data_dir / "topics" / "t" / "0"
    middle = sorted(directory.glob("*.log"))[1]
    flip(middle, len(middle.read_bytes()) - 1)
    before = {path.name: path.read_bytes() for path in directory.glob("*.log")}
    (report,) = examine(data_dir)
    assert report.damage is not None
    assert (report.damage.path, report.damage.offset) == (middle, report.end_offset)
    assert "CRC-32C mismatch" in report.damage.reason
    assert not report.is_sound
    removed = mend(data_dir)
    assert b"".join(path.read_bytes() for path in sorted(removed)) == (
        before[middle.name][report.damage.position :] + before[sorted(before)[2]]
    )
    log = open_log(data_dir)
    partition = log.topic("t").partitions[0]
    assert partition.end_offset == report.end_offset
    append(partition, b"on")
    log.close()
    log = open_log(data_dir)
    assert log.topic("t").partitions[0].end_offset == report.end_offset + 1
    log.close()


def test_a_log_that_refuses_to_start_starts_after_mending(data_dir: Path) -> None:
    last = sorted((data_dir / "topics" / "t" / "0").glob("*.log"))[-1]
    with last.open("r+b") as file:
        file.truncate(last.stat().st_size - 1)
    with pytest.raises(LogCorrupt, match="yeoul doctor"):
        open_log(data_dir)
    (report,) = examine(data_dir)
    assert report.checkpoint == f"records up to offset 6 were durable, found {report.end_offset}"
    mend(data_dir)
    log = open_log(data_dir)
    partition = log.topic("t").partitions[0]
    assert partition.end_offset == report.end_offset == 5
    fetched = partition.read(4, 10_000)
    assert isinstance(fetched, Fetched)
    assert [header.base_offset for _, header in iter_batches(fetched.data)] == [4]
    log.close()


def test_a_damaged_checkpoint_is_dropped_and_nothing_else(data_dir: Path) -> None:
    flip(data_dir / "topics" / "t" / "0" / "checkpoint", 20)
    (report,) = examine(data_dir)
    assert report.damage is None
    assert "does not match its CRC-32C" in report.checkpoint
    assert mend(data_dir) == []
    log = open_log(data_dir)
    assert log.topic("t").partitions[0].end_offset == 6
    log.close()


def test_a_missing_segment_ends_the_log_before_it(data_dir: Path) -> None:
    paths = sorted((data_dir / "topics" / "t" / "0").glob("*.log"))
    paths[1].unlink()
    (report,) = examine(data_dir)
    assert report.damage is not None
    assert report.damage.reason == f"the records from offset {report.end_offset} to {int(paths[2].stem)} are missing"
    assert [path.name for path in mend(data_dir)] == [f"{paths[2].name}.removed"]
    log = open_log(data_dir)
    assert log.topic("t").partitions[0].end_offset == report.end_offset
    log.close()
    assert segment_path(data_dir / "topics" / "t" / "0", 0).exists()
