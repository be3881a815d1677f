"""A data directory: the topics of one broker, the lock that keeps it the only one, and what must outlive a restart.

    .lock              held while a broker runs on the directory
    meta.json          format version, cluster id
    producer-ids       the first producer id that was never handed out
    dynamic-settings.json and the like: what `keep` was given
    clean-shutdown     there after an orderly end only
    topics/<name>/     see `topics`; `topics/<name>/<partition>/` see `partition`

All methods are called on the broker's loop. Creating and deleting a topic wait for the disk (a few syncs, about a
millisecond); that is rare enough to be done in place.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from yeoul.clock import SYSTEM_CLOCK, Clock
from yeoul.errors import did_you_mean
from yeoul.log.compaction.child import ChildRunner
from yeoul.log.compaction.plan import CleaningSettings
from yeoul.log.compaction.scheduling import Scheduler, WorkerRunner
from yeoul.log.config import TopicConfig
from yeoul.log.disk import Disk, DiskLock, RealDisk
from yeoul.log.durations import Durations
from yeoul.log.errors import (
    NO_SPACE,
    DirectoryLocked,
    InvalidTopic,
    LogCorrupt,
    LogStopped,
    TopicExists,
    TopicUnknown,
    refused,
)
from yeoul.log.flusher import Flusher, FlushMode
from yeoul.log.kernel_sync import KernelSync
from yeoul.log.partition import PartitionLog
from yeoul.log.space import Space
from yeoul.log.topics import TOPIC_FILE, TopicRecord, check_partition_count, check_topic_name
from yeoul.log.workers import Workers

__all__ = ["Log", "Topic"]

_FORMAT_VERSION = 1
_PRODUCER_ID_BLOCK = 1_000
_TEMPORARY = "~"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it stands; replaced, not changed, when partitions or configuration change.

    Attributes:
        name: Its name.
        topic_id: Given at creation, kept over restarts, never used again.
        entries: The configuration entries that were set, without defaults.
        config: All that the log acts on, defaults included.
        partitions: By number.
    """

    name: str
    topic_id: uuid.UUID
    entries: Mapping[str, str]
    config: TopicConfig
    partitions: tuple[PartitionLog, ...]


@dataclass(frozen=True, slots=True)
class _RemoveTree:
    directory: Path

    def run(self, disk: Disk) -> None:
        disk.remove_tree(self.directory)


class Log:
    """The log of one broker.

    Args:
        data_dir: Made when it is missing.
        defer: `loop.call_soon`.
        post: `loop.call_soon_threadsafe`.
        on_fatal: Called on the loop when the disk fails to make bytes durable: stop the broker. Pending
            acknowledgements have been failed by then.
        flush: When an append counts as done.
        flush_interval_ms: For `FlushMode.INTERVAL`.
        disk: The file system; the real one unless a test says otherwise.
        workers: The threads that wait for it, likewise.
        kernel: Who syncs without a thread; None: nobody.
        clock: The time.
        cleaning: What the cleaner of compacted topics is told.
        self_cleaning: Topics that whoever writes them keeps short: the cleaner leaves them alone.
        reserve_bytes: Free space that clients may not use up.

    Raises:
        DirectoryLocked: Another broker runs on the directory.
        LogFull, DiskRefused: The directory cannot be made, read or written to.
        LogCorrupt: Recovery refused.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        defer: Callable[[Callable[[], None]], object],
        post: Callable[[Callable[[], None]], object],
        on_fatal: Callable[[LogStopped], None],
        flush: FlushMode = FlushMode.COMMIT,
        flush_interval_ms: int = 1_000,
        disk: Disk | None = None,
        workers: Workers | None = None,
        kernel: KernelSync | None = None,
        clock: Clock = SYSTEM_CLOCK,
        cleaning: CleaningSettings = CleaningSettings(),  # noqa: B008 - frozen
        self_cleaning: Container[str] = (),
        reserve_bytes: int = 64 << 20,
    ) -> None:
        self.data_dir = data_dir
        self._disk: Disk = disk if disk is not None else RealDisk()
        self._clock = clock
        self._on_fatal = on_fatal
        self._topics: dict[str, Topic] = {}
        self._names_by_id: dict[uuid.UUID, str] = {}
        self._partitions: dict[tuple[str, int], PartitionLog] = {}
        self._topic_defaults: Mapping[str, str] = {}
        self._next_producer_id = 0
        self._producer_id_limit = 0
        self._topics_dir = data_dir / "topics"
        try:
            self._disk.make_directory(self._topics_dir)
            self._lock = self._take_lock()
        except OSError as error:
            raise refused(f"use {data_dir} as the data directory", error) from error
        try:
            self.cluster_id = self._load_meta()
            self.was_clean = self._disk.read_file(data_dir / "clean-shutdown") is not None
            self._flusher = Flusher(
                self._disk,
                flush,
                defer=defer,
                post=post,
                on_fatal=self._stop,
                workers=workers,
                kernel=kernel,
                interval_ms=flush_interval_ms,
            )
            self.space = Space(self._disk, data_dir, reserve_bytes, clock.monotonic_s)
            # A disk that is handed in is in this process: so is its cleaning.
            runner = ChildRunner(post) if disk is None else WorkerRunner(self._flusher)
            self._self_cleaning = self_cleaning
            self._cleaner = Scheduler(self._cleaned_partitions, runner, cleaning, self.space.has_room)
            self._load_topics()
            self._load_producer_ids()
            self._disk.unlink(data_dir / "clean-shutdown")
            self._disk.sync_directory(data_dir)
        except OSError as error:
            self._lock.release()
            raise refused(f"open the log in {data_dir}", error) from error
        except BaseException:
            self._lock.release()
            raise

    # -- topics -------------------------------------------------------------------------------------------------

    @property
    def topics(self) -> Mapping[str, Topic]:
        """All topics by name."""
        return self._topics

    def topic(self, name: str) -> Topic:
        """Raises:
        TopicUnknown: There is none of that name.
        """
        try:
            return self._topics[name]
        except KeyError:
            raise TopicUnknown(f"Unknown topic {name!r}", hint=did_you_mean(name, self._topics)) from None

    def topic_by_id(self, topic_id: uuid.UUID) -> Topic | None:
        name = self._names_by_id.get(topic_id)
        return None if name is None else self._topics[name]

    def partition(self, topic: str, number: int) -> PartitionLog | None:
        """Returns a partition, None when the topic or the partition does not exist."""
        return self._partitions.get((topic, number))

    def create_topic(self, name: str, partition_count: int, entries: Mapping[str, str] | None = None) -> Topic:
        """Makes a topic; when the call returns it will survive a crash.

        Raises:
            InvalidTopic: Kafka would not allow the name or the number of partitions either.
            TopicExists: There is one of that name.
            yeoul.errors.UserError: A configuration entry is unknown or out of range.
            LogFull, DiskRefused: The disk would not take it.
        """
        check_topic_name(name)
        check_partition_count(partition_count)
        if name in self._topics:
            raise TopicExists(f"Topic {name!r} exists already")
        record = TopicRecord(uuid.uuid4(), partition_count, dict(entries or {}))
        TopicConfig.from_entries(record.entries)
        making = self._topics_dir / f"{_TEMPORARY}creating-{record.topic_id}"
        try:
            for number in range(partition_count):
                self._disk.make_directory(making / str(number))
            self._disk.replace_file(making / TOPIC_FILE, record.encode())
            self._disk.rename(making, self._topics_dir / name)
            self._disk.sync_directory(self._topics_dir)
            return self._open_topic(name, record)
        except OSError as error:
            raise refused(f"make topic {name!r}", error) from error

    def delete_topic(self, name: str) -> None:
        """Removes a topic with its records; when the call returns it will not come back after a crash.

        Raises:
            TopicUnknown: There is none of that name.
        """
        topic = self.topic(name)
        for number, partition in enumerate(topic.partitions):
            partition.abandon()
            del self._partitions[name, number]
        del self._topics[name], self._names_by_id[topic.topic_id]
        doomed = self._topics_dir / f"{_TEMPORARY}deleted-{topic.topic_id}"
        self._disk.rename(self._topics_dir / name, doomed)
        self._disk.sync_directory(self._topics_dir)
        # What cannot be removed now is removed at the next start.
        self._flusher.submit(_RemoveTree(doomed), lambda failure: None)

    def add_partitions(self, name: str, partition_count: int) -> Topic:
        """Grows a topic to `partition_count` partitions.

        Raises:
            TopicUnknown: There is none of that name.
            InvalidTopic: It has as many already; partitions cannot be taken away.
        """
        topic = self.topic(name)
        held = len(topic.partitions)
        if partition_count <= held:
            raise InvalidTopic(f"Topic {name!r} has {held} partitions, expected a larger number, got {partition_count}")
        check_partition_count(partition_count)
        for number in range(held, partition_count):
            self._disk.make_directory(self._topics_dir / name / str(number))
        return self._replace(topic, TopicRecord(topic.topic_id, partition_count, topic.entries))

    def set_config(self, name: str, entries: Mapping[str, str]) -> Topic:
        """Replaces a topic's own configuration entries.

        Raises:
            TopicUnknown: There is none of that name.
            yeoul.errors.UserError: An entry is unknown or out of range.
        """
        topic = self.topic(name)
        self._configure(topic, self._config_of(entries))
        return self._replace(topic, TopicRecord(topic.topic_id, len(topic.partitions), dict(entries)))

    def set_topic_defaults(self, defaults: Mapping[str, str]) -> None:
        """Changes what topics go by where their own entries say nothing; Kafka's defaults lie below. Not kept.

        Raises:
            yeoul.errors.UserError: A default is unknown or out of range; nothing was changed.
        """
        TopicConfig.from_entries(defaults)
        self._topic_defaults = dict(defaults)
        for name, topic in list(self._topics.items()):
            config = self._config_of(topic.entries)
            self._configure(topic, config)
            self._topics[name] = replace(topic, config=config)

    @property
    def topic_defaults(self) -> Mapping[str, str]:
        """As `set_topic_defaults` was told."""
        return self._topic_defaults

    @property
    def flush_durations(self) -> Durations:
        """How long the flush rounds took."""
        return self._flusher.durations

    # -- small files --------------------------------------------------------------------------------------------

    def kept(self, name: str) -> bytes | None:
        """Returns what `keep` was last given under a name, in this run or an earlier one; None when nothing was."""
        return self._disk.read_file(self.data_dir / name)

    def keep(self, name: str, content: bytes) -> None:
        """Keeps a small file in the data directory; when the call returns it will survive a crash.

        Raises:
            LogFull, DiskRefused: The disk would not take it; what was kept before still is.
        """
        try:
            self._disk.replace_file(self.data_dir / name, content)
        except OSError as error:
            raise refused(f"keep {name}", error) from error

    # -- producer ids -------------------------------------------------------------------------------------------

    def allocate_producer_id(self) -> int:
        """Returns a producer id that was never handed out before, in this run or an earlier one."""
        if self._next_producer_id >= self._producer_id_limit:
            self._producer_id_limit = self._next_producer_id + _PRODUCER_ID_BLOCK
            self._disk.replace_file(self.data_dir / "producer-ids", b"%d\n" % self._producer_id_limit)
        self._next_producer_id += 1
        return self._next_producer_id - 1

    # -- upkeep and end -----------------------------------------------------------------------------------------

    def apply_retention(self) -> int:
        """Drops the segments that no topic's retention keeps; returns how many. Call it every few minutes."""
        return sum(partition.apply_retention() for partition in list(self._partitions.values()))

    def clean(self) -> bool:
        """Begins to compact what is dirty enough, in the background; returns whether something is under way.

        Call it every `log.cleaner.backoff.ms`: it goes on by itself until nothing is left to do.
        """
        return self._cleaner.check()

    def _cleaned_partitions(self) -> Iterator[PartitionLog]:
        for (name, _), partition in list(self._partitions.items()):
            if name not in self._self_cleaning:
                yield partition

    def expire_producers(self, idle_ms: int = 86_400_000) -> int:
        """Forgets idempotent producers that have been silent for `idle_ms`; returns how many."""
        return sum(partition.expire_producers(idle_ms) for partition in self._partitions.values())

    def close(self) -> None:
        """Makes everything durable and ends in order; the next start has nothing to scan. Blocks."""
        self._cleaner.close()
        self._flusher.close()
        try:
            complete = [partition.close() for partition in self._partitions.values()]
            if all(complete) and self._flusher.failure is None:
                self._disk.replace_file(self.data_dir / "clean-shutdown", b"")
        except OSError as error:
            # Without the mark the next start looks closer; nothing else depends on it.
            if error.errno not in NO_SPACE:
                raise
        finally:
            self._lock.release()

    # -- inside -------------------------------------------------------------------------------------------------

    def _take_lock(self) -> DiskLock:
        lock = self._disk.lock(self.data_dir / ".lock")
        if lock is None:
            raise DirectoryLocked(
                f"Another broker runs on {self.data_dir}",
                hint="Stop it, or give this one a directory of its own with --data-dir.",
            )
        return lock

    def _load_meta(self) -> str:
        path = self.data_dir / "meta.json"
        content = self._disk.read_file(path)
        if content is None:
            cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            self._disk.replace_file(path, json.dumps({"version": _FORMAT_VERSION, "cluster_id": cluster_id}).encode())
            self._disk.sync_directory(self.data_dir.parent)
            return cluster_id
        try:
            meta = json.loads(content)
            version, cluster_id = int(meta["version"]), str(meta["cluster_id"])
        except (ValueError, KeyError, TypeError) as error:
            raise LogCorrupt(f"{path} is not a data directory's description: {error!r}") from error
        if version > _FORMAT_VERSION:
            raise LogCorrupt(
                f"{self.data_dir} has format {version}, expected {_FORMAT_VERSION} or below",
                hint="It was written by a newer version of yeoul: use that one.",
            )
        return cluster_id

    def _load_producer_ids(self) -> None:
        content = self._disk.read_file(self.data_dir / "producer-ids")
        self._next_producer_id = self._producer_id_limit = int(content) if content else 0

    def _load_topics(self) -> None:
        for name in self._disk.list_directory(self._topics_dir):
            path = self._topics_dir / name
            if name.startswith(_TEMPORARY):
                self._disk.remove_tree(path)
                continue
            content = self._disk.read_file(path / TOPIC_FILE)
            if content is None:
                raise LogCorrupt(f"{path / TOPIC_FILE} is missing", hint="Run `yeoul doctor` on the data directory.")
            self._open_topic(name, TopicRecord.decode(content, str(path / TOPIC_FILE)))

    def _config_of(self, entries: Mapping[str, str]) -> TopicConfig:
        return TopicConfig.from_entries({**self._topic_defaults, **entries})

    @staticmethod
    def _configure(topic: Topic, config: TopicConfig) -> None:
        for partition in topic.partitions:
            partition.config = config

    def _open_topic(self, name: str, record: TopicRecord, kept: tuple[PartitionLog, ...] = ()) -> Topic:
        config = self._config_of(record.entries)
        partitions = kept + tuple(
            PartitionLog(self._topics_dir / name / str(number), config, self._disk, self._flusher, self._clock)
            for number in range(len(kept), record.partition_count)
        )
        topic = Topic(name, record.topic_id, record.entries, config, partitions)
        self._topics[name] = topic
        self._names_by_id[topic.topic_id] = name
        self._partitions.update({(name, number): partition for number, partition in enumerate(partitions)})
        return topic

    def _replace(self, topic: Topic, record: TopicRecord) -> Topic:
        self._disk.replace_file(self._topics_dir / topic.name / TOPIC_FILE, record.encode())
        return self._open_topic(topic.name, record, topic.partitions)

    def _stop(self, failure: LogStopped) -> None:
        for partition in self._partitions.values():
            partition.stop(failure)
        self._on_fatal(failure)
