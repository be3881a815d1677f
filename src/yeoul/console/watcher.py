"""Looks at a broker, through an ordinary Kafka client, and keeps what the overview shows.

It looks at most once a second, and only while somebody asks to: a page that nobody has open costs nothing. Works
against any Kafka. A broker that does not answer leaves the last picture standing and says so in `trouble`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from yeoul.clock import SYSTEM_CLOCK, Clock

__all__ = ["GroupPicture", "Picture", "TopicPicture", "Watcher", "rates"]

_INTERVAL_S = 1.0
_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class TopicPicture:
    """A topic at one moment: records that are kept, and records ever written (the sum of end offsets)."""

    name: str
    partitions: int
    records: int
    written: int


@dataclass(frozen=True, slots=True)
class GroupPicture:
    """A consumer group at one moment; `lag` is in records over all its committed partitions."""

    name: str
    state: str
    partitions: int
    lag: int


@dataclass(frozen=True, slots=True)
class Picture:
    """The broker at one moment; `at_s` on the monotonic clock."""

    at_s: float
    topics: tuple[TopicPicture, ...] = ()
    groups: tuple[GroupPicture, ...] = ()


def rates(before: Picture, now: Picture) -> dict[str, float]:
    """Returns each topic's records written a second between two pictures.

    Example:
        >>> earlier = Picture(1.0, (TopicPicture("clicks", 1, 10, 10),))
        >>> rates(earlier, Picture(3.0, (TopicPicture("clicks", 1, 30, 30),)))
        {'clicks': 10.0}
    """
    written = {topic.name: topic.written for topic in before.topics}
    seconds = max(now.at_s - before.at_s, 1e-3)
    return {
        topic.name: max(topic.written - written[topic.name], 0) / seconds
        for topic in now.topics
        if topic.name in written
    }


class Watcher:
    """Keeps the newest picture and the one before, on a thread of its own."""

    def __init__(self, bootstrap: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self.before = self.now = Picture(clock.monotonic_s())
        self.trouble = ""
        self._clock = clock
        self._admin = AdminClient(
            {"bootstrap.servers": bootstrap, "socket.timeout.ms": int(_TIMEOUT_S * 1000), "log_level": 0}
        )
        self._stop = threading.Event()
        self._asked = threading.Event()
        self._thread = threading.Thread(target=self._run, name="console-watcher", daemon=True)

    def start(self) -> None:
        """Begins to look; returns at once."""
        self._asked.set()
        self._thread.start()

    def ask(self) -> None:
        """Asks for one more look; from any thread, as often as one likes."""
        self._asked.set()

    def close(self) -> None:
        """Stops looking."""
        self._stop.set()
        self._asked.set()
        self._thread.join(_TIMEOUT_S)

    def _run(self) -> None:
        while self._asked.wait() and not self._stop.is_set():
            self._asked.clear()
            try:
                picture = self._look()
                self.before, self.now, self.trouble = self.now, picture, ""
            except KafkaException as failure:
                self.trouble = f"the broker does not answer: {failure.args[0].str()}"
            self._stop.wait(_INTERVAL_S)

    def _look(self) -> Picture:
        metadata = self._admin.list_topics(timeout=_TIMEOUT_S)
        partitions = [
            TopicPartition(name, number) for name, topic in metadata.topics.items() for number in topic.partitions
        ]
        ends = self._offsets(partitions, OffsetSpec.latest())
        starts = self._offsets(partitions, OffsetSpec.earliest())
        topics = tuple(
            TopicPicture(
                name,
                len(topic.partitions),
                sum(ends.get((name, number), 0) - starts.get((name, number), 0) for number in topic.partitions),
                sum(ends.get((name, number), 0) for number in topic.partitions),
            )
            for name, topic in sorted(metadata.topics.items())
        )
        return Picture(self._clock.monotonic_s(), topics, self._groups(ends))

    def _offsets(self, partitions: list[TopicPartition], which: OffsetSpec) -> dict[tuple[str, int], int]:
        if not partitions:
            return {}
        asked = self._admin.list_offsets(dict.fromkeys(partitions, which), request_timeout=_TIMEOUT_S)
        return {(one.topic, one.partition): max(answer.result().offset, 0) for one, answer in asked.items()}

    def _groups(self, ends: dict[tuple[str, int], int]) -> tuple[GroupPicture, ...]:
        listed = self._admin.list_consumer_groups(request_timeout=_TIMEOUT_S).result()
        groups = []
        for group in sorted(listed.valid, key=lambda group: str(group.group_id)):
            asked = self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group.group_id)])
            committed = next(iter(asked.values())).result().topic_partitions
            lag = sum(max(ends.get((one.topic, one.partition), 0) - max(one.offset, 0), 0) for one in committed)
            groups.append(GroupPicture(str(group.group_id), group.state.name.lower(), len(committed), lag))
        return tuple(groups)
