from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from yeoul.errors import UserError
from yeoul.log.directory import Log
from yeoul.log.disk import RealDisk
from yeoul.log.errors import DirectoryLocked, DiskRefused, InvalidTopic, TopicExists, TopicUnknown
from yeoul.log.volatile_disk import StepWorkers

if TYPE_CHECKING:
    from conftest import Bench


def real_log(data_dir: Path) -> Log:
    workers = StepWorkers()
    return Log(
        data_dir, defer=workers.call_soon, post=workers.call_soon, on_fatal=lambda failure: None, workers=workers
    )


def test_a_second_broker_on_the_directory_is_refused(tmp_path: Path) -> None:
    log = real_log(tmp_path / "data")
    with pytest.raises(DirectoryLocked, match=r"Another broker runs on .*/data\. Stop it, or give this one"):
        real_log(tmp_path / "data")
    log.close()
    real_log(tmp_path / "data").close()


def test_a_data_directory_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskRefused, match=r"Could not use .*/file/data as the data directory: Not a directory"):
        real_log(tmp_path / "file" / "data")


def test_a_failed_start_gives_the_lock_back(tmp_path: Path) -> None:
    log = real_log(tmp_path)
    log.create_topic("t", 1)
    log.close()
    (tmp_path / "topics" / "t" / "topic.json").unlink()
    for _ in range(2):
        with pytest.raises(Exception, match=r"topic.json is missing"):
            real_log(tmp_path)


def test_cluster_id_topics_ids_and_configs_survive_a_power_cut(bench: Bench) -> None:
    topic = bench.log.create_topic("t", 3, {"retention.ms": "5000"})
    other = bench.log.create_topic("other.topic_1", 1)
    cluster_id = bench.log.cluster_id
    bench.restart()
    assert bench.log.cluster_id == cluster_id
    assert set(bench.log.topics) == {"t", "other.topic_1"}
    found = bench.log.topic("t")
    assert (found.topic_id, len(found.partitions), found.entries) == (topic.topic_id, 3, {"retention.ms": "5000"})
    assert found.config.retention_ms == 5000
    assert bench.log.topic_by_id(other.topic_id) is bench.log.topic("other.topic_1")
    assert not bench.log.was_clean


def test_a_deleted_topic_stays_deleted_and_its_name_can_be_used_again(bench: Bench) -> None:
    first = bench.topic()
    topic_id = bench.log.topic("t").topic_id
    bench.append(b"old")
    bench.log.delete_topic("t")
    assert bench.log.partition("t", 0) is None
    assert bench.log.topic_by_id(topic_id) is None
    second = bench.topic()
    assert second is not first
    bench.settle()
    assert bench.restart().end_offset == 0
    assert bench.log.topic("t").topic_id != topic_id
    assert bench.disk.list_directory(bench.log.data_dir / "topics") == ["t"]


def test_a_topic_whose_removal_was_cut_short_is_removed_at_the_next_start(bench: Bench) -> None:
    bench.topic()
    bench.append(b"old")
    bench.settle()
    bench.log.delete_topic("t")
    bench.disk = bench.disk.crash()
    assert bench.disk.list_directory(bench.log.data_dir / "topics")[0].startswith("~deleted-")
    bench.open()
    assert bench.disk.list_directory(bench.log.data_dir / "topics") == []


def test_partitions_can_be_added_but_not_taken_away(bench: Bench) -> None:
    kept = bench.topic()
    bench.append(b"a")
    bench.settle()
    topic = bench.log.add_partitions("t", 3)
    assert topic.partitions[0] is kept
    assert bench.log.partition("t", 2) is topic.partitions[2]
    with pytest.raises(InvalidTopic, match="Topic 't' has 3 partitions, expected a larger number, got 2"):
        bench.log.add_partitions("t", 2)
    bench.restart()
    assert len(bench.log.topic("t").partitions) == 3
    assert bench.values() == [b"a"]


def test_a_changed_configuration_acts_at_once_and_survives(bench: Bench) -> None:
    partition = bench.topic()
    bench.log.set_config("t", {"segment.bytes": "1024"})
    for _ in range(3):
        bench.append(b"x" * 600)
    assert partition.segment_count == 3
    bench.settle()
    bench.restart()
    assert bench.log.topic("t").config.segment_bytes == 1024


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", r"Expected a topic name, got ''"),
        ("..", r"Expected a topic name, got '\.\.'"),
        ("a/b", r"Topic name 'a/b': expected letters, digits, '\.', '_' and '-' only"),
        ("~x", r"Topic name '~x'"),
        ("ü", r"Topic name 'ü'"),
        ("x" * 250, r"Expected a topic name of at most 249 characters, got 250"),
    ],
)
def test_topic_names_are_kafkas(bench: Bench, name: str, message: str) -> None:
    with pytest.raises(InvalidTopic, match=message):
        bench.log.create_topic(name, 1)


def test_mistakes_with_topics_are_named(bench: Bench) -> None:
    bench.topic()
    with pytest.raises(TopicExists, match="Topic 't' exists already"):
        bench.topic()
    with pytest.raises(InvalidTopic, match="Expected 1 to 10000 partitions, got 0"):
        bench.log.create_topic("u", 0)
    with pytest.raises(TopicUnknown, match=r"Unknown topic 'tt'\. Did you mean 't'"):
        bench.log.topic("tt")
    with pytest.raises(UserError, match=r"Unknown topic configuration 'retention.m'\. Did you mean 'retention.ms'\?"):
        bench.log.create_topic("u", 1, {"retention.m": "1"})
    with pytest.raises(UserError, match=r"'segment.bytes': expected a whole number from 1024 to 2147483647, got '12'"):
        bench.log.create_topic("u", 1, {"segment.bytes": "12"})
    with pytest.raises(UserError, match=r"'cleanup.policy': expected one of 'delete', .* got 'shred'"):
        bench.log.create_topic("u", 1, {"cleanup.policy": "shred"})
    assert set(bench.log.topics) == {"t"}


def test_producer_ids_are_never_handed_out_twice(bench: Bench) -> None:
    seen = [bench.log.allocate_producer_id() for _ in range(1500)]
    bench.disk = bench.disk.crash()
    bench.open()
    seen += [bench.log.allocate_producer_id() for _ in range(10)]
    bench.log.close()
    bench.disk = bench.disk.crash()
    bench.open()
    seen += [bench.log.allocate_producer_id() for _ in range(10)]
    assert len(set(seen)) == len(seen)


def test_a_disk_that_is_replaced_by_files_is_locked_only_while_held(tmp_path: Path) -> None:
    disk = RealDisk()
    lock = disk.lock(tmp_path / ".lock")
    assert lock is not None
    assert disk.lock(tmp_path / ".lock") is None
    lock.release()
    again = disk.lock(tmp_path / ".lock")
    assert again is not None
    again.release()


def test_deleting_a_topic_while_its_bytes_are_being_synced_is_no_failure_of_the_disk(bench: Bench) -> None:
    bench.topic()
    bench.append(b"v")
    bench.workers.pump()
    assert bench.workers.jobs, "a flush round must be under way"
    bench.log.delete_topic("t")
    bench.settle()
    assert bench.failures == []
    bench.topic()
    bench.append(b"after")
    bench.settle()
    assert bench.values() == [b"after"]


def test_a_checkpoint_under_way_never_lands_in_a_later_topic_of_that_name(bench: Bench) -> None:
    partition = bench.topic()
    for _ in range(3):
        bench.append(b"v")
    bench.settle()
    partition._checkpoints.soon()
    bench.workers.pump()
    assert bench.workers.jobs, "a checkpoint must be under way"
    bench.log.delete_topic("t")
    bench.topic()
    bench.settle()
    bench.restart()
    assert bench.failures == []
    assert (bench.partition.start_offset, bench.partition.end_offset) == (0, 0)
