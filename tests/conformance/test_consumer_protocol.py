"""The consumer protocol (KIP-848) with librdkafka, unmodified: groups form at once, hand over, outlive the broker."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, ConsumerGroupState, ConsumerGroupType, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from yeoul.broker import Broker

PARTITIONS = 6
_numbers = itertools.count()


def make_topic(broker: Broker, name: str = "") -> str:
    name = name or f"kip848-{next(_numbers)}"
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    admin.create_topics([NewTopic(name, PARTITIONS, 1)])[name].result(10)
    return name


def produce(broker: Broker, topic: str, count: int) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for number in range(count):
        producer.produce(topic, str(number).encode(), partition=number % PARTITIONS)
    assert producer.flush(20) == 0


class Fleet:
    """Consumers of one group that are polled in turns."""

    def __init__(self, broker: Broker, group: str, topics: list[str]) -> None:
        self.broker, self.group, self.topics = broker, group, topics
        self.consumers: list[Consumer] = []
        self.seen: dict[tuple[int, int], int] = {}

    def add(self, **settings: object) -> Consumer:
        consumer = Consumer(
            {
                "bootstrap.servers": self.broker.bootstrap_servers,
                "group.id": self.group,
                "group.protocol": "consumer",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "reconnect.backoff.max.ms": 200,
                "log_level": 0,
                **settings,
            }
        )
        consumer.subscribe(self.topics)
        self.consumers.append(consumer)
        return consumer

    def poll(self) -> None:
        for consumer in self.consumers:
            for message in consumer.consume(500, 0.005):
                if message.error() is None:
                    place = (message.partition(), message.offset())
                    self.seen[place] = self.seen.get(place, 0) + 1

    def poll_until(self, condition: Callable[[], bool], timeout_s: float = 30.0) -> float:
        began_s = time.monotonic()
        while not condition():
            assert time.monotonic() - began_s < timeout_s, [self.shares(), len(self.seen)]
            self.poll()
        return time.monotonic() - began_s

    def shares(self) -> list[list[int]]:
        return [sorted(each.partition for each in consumer.assignment()) for consumer in self.consumers]

    def is_whole(self) -> bool:
        """Whether each partition is read by one, and all read about the same number."""
        shares = self.shares()
        sizes = [len(share) for share in shares]
        return sorted(itertools.chain(*shares)) == list(range(PARTITIONS)) and max(sizes) - min(sizes) <= 1

    def close(self) -> None:
        for consumer in self.consumers:
            consumer.close()


@pytest.fixture
def fleet(broker: Broker) -> Callable[..., Fleet]:
    made: list[Fleet] = []

    def make(topics: list[str] | None = None, on: Broker | None = None) -> Fleet:
        target = on or broker
        fleet = Fleet(target, f"group-{next(_numbers)}", topics or [make_topic(target)])
        made.append(fleet)
        return fleet

    yield make  # type: ignore[misc]
    for each in made:
        each.close()


def test_a_group_forms_hands_over_and_takes_back(broker: Broker, fleet: Callable[..., Fleet]) -> None:
    group = fleet()
    produce(broker, group.topics[0], 600)
    for _ in range(3):
        group.add()
    formed_s = group.poll_until(group.is_whole)
    group.poll_until(lambda: len(group.seen) == 600)
    assert formed_s < 5
    late = group.add()
    group.poll_until(group.is_whole)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    described = admin.describe_consumer_groups([group.group])[group.group].result(10)
    assert (described.state, described.type) == (ConsumerGroupState.STABLE, ConsumerGroupType.CONSUMER)
    assert sorted(len(member.assignment.topic_partitions) for member in described.members) == [1, 1, 2, 2]
    group.consumers.remove(late)
    late.close()
    group.poll_until(group.is_whole)


def test_an_expression_follows_topics_that_are_made_later(broker: Broker, fleet: Callable[..., Fleet]) -> None:
    first = make_topic(broker, "pattern-a")
    group = fleet(["^pattern-.*"])
    consumer = group.add()
    group.poll_until(lambda: {each.topic for each in consumer.assignment()} == {first})
    second = make_topic(broker, "pattern-b")
    group.poll_until(lambda: {each.topic for each in consumer.assignment()} == {first, second})


def test_a_static_member_comes_back_to_its_partitions(broker: Broker, fleet: Callable[..., Fleet]) -> None:
    group = fleet()
    stays = group.add(**{"group.instance.id": "stays"})
    goes = group.add(**{"group.instance.id": "goes"})
    group.poll_until(group.is_whole)
    held = sorted(each.partition for each in goes.assignment())
    group.consumers.remove(goes)
    goes.close()
    again = group.add(**{"group.instance.id": "goes"})
    group.poll_until(group.is_whole)
    assert sorted(each.partition for each in again.assignment()) == held
    assert len(stays.assignment()) == PARTITIONS - len(held)


@pytest.mark.parametrize("kills", [2])
def test_kills_of_the_broker_lose_no_record_no_offset_and_no_epoch(
    own_broker: Broker, fleet: Callable[..., Fleet], kills: int
) -> None:
    group = fleet(on=own_broker)
    topic = group.topics[0]
    for _ in range(2):
        group.add()
    admin = AdminClient({"bootstrap.servers": own_broker.bootstrap_servers})
    total = 0
    for _ in range(kills):
        produce(own_broker, topic, 60)
        total += 60
        group.poll_until(lambda: group.is_whole() and len(group.seen) == total)  # noqa: B023
        for consumer in group.consumers:
            assert all(each.error is None for each in consumer.commit(asynchronous=False))
        shares = group.shares()
        own_broker.kill()
        own_broker.restart()
        produce(own_broker, topic, 60)
        total += 60
        group.poll_until(lambda: len(group.seen) == total)  # noqa: B023
        assert group.shares() == shares
    assert set(group.seen.values()) == {1}
    described = admin.describe_consumer_groups([group.group])[group.group].result(20)
    assert described.state == ConsumerGroupState.STABLE
    committed = group.consumers[0].committed([TopicPartition(topic, number) for number in range(PARTITIONS)], 10)
    assert {each.offset for each in committed} == {(total - 60) // PARTITIONS}
