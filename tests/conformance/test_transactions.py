"""Transactions with unmodified clients: commit, abort, offsets, fencing, time-outs, and brokers that die in between."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import TopicPartition as AioPartition
from aiokafka.errors import ProducerFenced
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from kafka import KafkaConsumer, KafkaProducer
from kafka import TopicPartition as PythonPartition
from kafka.structs import OffsetAndMetadata

from yeoul.broker import Broker

pytestmark = pytest.mark.conformance


def a_name(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def transactional(broker: Broker, transactional_id: str, **settings: object) -> Producer:
    producer = Producer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "transactional.id": transactional_id,
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 100,
            "retry.backoff.ms": 20,
            "log_level": 0,
            **settings,
        }
    )
    producer.init_transactions(20)
    return producer


def write(producer: Producer, topic: str, values: list[bytes], partitions: int = 1) -> None:
    for at, value in enumerate(values):
        producer.produce(topic, value, partition=at % partitions)
    assert producer.flush(20) == 0


def transact(producer: Producer, topic: str, values: list[bytes], *, commit: bool, partitions: int = 1) -> None:
    producer.begin_transaction()
    write(producer, topic, values, partitions)
    if commit:
        producer.commit_transaction(20)
    else:
        producer.abort_transaction(20)


def end_offsets(broker: Broker, topic: str, partition: int, isolation: str) -> int:
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": a_name("ends"), "isolation.level": isolation}
    )
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
    consumer.close()
    return end


def read(broker: Broker, topic: str, isolation: str = "read_committed", partitions: int = 1) -> list[bytes | None]:
    """Everything that a consumer of librdkafka's hands over, until it has reached each partition's end."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": a_name("reader"),
            "isolation.level": isolation,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 50,
        }
    )
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    values: list[bytes | None] = []
    ended: set[int | None] = set()
    deadline_s = time.monotonic() + 30
    while len(ended) < partitions:
        assert time.monotonic() < deadline_s
        for message in consumer.consume(500, 0.2):
            if message.error() is None:
                values.append(message.value())
            else:
                ended.add(message.partition())
    consumer.close()
    return values


def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "Waited in vain"
        time.sleep(0.02)


def test_committed_records_are_read_and_aborted_ones_are_not(broker: Broker) -> None:
    topic = a_name("both")
    producer = transactional(broker, a_name("t"))
    for number in range(6):
        values = [b"%d-%d" % (number, at) for at in range(20)]
        transact(producer, topic, values, commit=number % 2 == 0, partitions=2)
    committed = {b"%d-%d" % (number, at) for number in (0, 2, 4) for at in range(20)}
    everything = {b"%d-%d" % (number, at) for number in range(6) for at in range(20)}
    assert set(read(broker, topic, partitions=2)) == committed
    assert set(read(broker, topic, "read_uncommitted", partitions=2)) == everything


def test_an_open_transaction_holds_committed_readers_back(broker: Broker) -> None:
    topic = a_name("open")
    first, second = transactional(broker, a_name("t")), transactional(broker, a_name("t"))
    first.begin_transaction()
    write(first, topic, [b"first"])
    transact(second, topic, [b"second"], commit=True)
    assert end_offsets(broker, topic, 0, "read_committed") == 0
    assert end_offsets(broker, topic, 0, "read_uncommitted") == 3
    assert read(broker, topic) == []
    first.commit_transaction(20)
    assert read(broker, topic) == [b"first", b"second"]
    assert end_offsets(broker, topic, 0, "read_committed") == 4


def test_transactions_of_many_producers_lie_among_each_other(broker: Broker) -> None:
    topic = a_name("mixed")
    producers = [transactional(broker, a_name("t")) for _ in range(4)]
    for round_number in range(5):
        for producer in producers:
            producer.begin_transaction()
        for step in range(3):
            for number, producer in enumerate(producers):
                write(producer, topic, [b"%d-%d-%d" % (round_number, number, step)])
        for number, producer in enumerate(producers):
            if (round_number + number) % 2:
                producer.abort_transaction(20)
            else:
                producer.commit_transaction(20)
    expected = [
        b"%d-%d-%d" % (round_number, number, step)
        for round_number in range(5)
        for step in range(3)
        for number in range(4)
        if (round_number + number) % 2 == 0
    ]
    assert read(broker, topic) == expected


def test_a_newer_instance_fences_the_older_one_and_settles_its_transaction(broker: Broker) -> None:
    topic, name = a_name("fenced"), a_name("t")
    zombie = transactional(broker, name)
    zombie.begin_transaction()
    write(zombie, topic, [b"lost"])
    successor = transactional(broker, name)
    transact(successor, topic, [b"kept"], commit=True)
    with pytest.raises(KafkaException) as caught:
        zombie.commit_transaction(20)
    assert caught.value.args[0].fatal()
    assert read(broker, topic) == [b"kept"]


def test_a_transaction_that_takes_too_long_is_aborted(broker: Broker) -> None:
    topic = a_name("late")
    producer = transactional(broker, a_name("t"), **{"transaction.timeout.ms": 1_000, "message.timeout.ms": 1_000})
    producer.begin_transaction()
    write(producer, topic, [b"late"])
    assert end_offsets(broker, topic, 0, "read_committed") == 0
    until(lambda: end_offsets(broker, topic, 0, "read_committed") == 2)
    assert read(broker, topic) == []
    with pytest.raises(KafkaException):
        producer.commit_transaction(20)


def test_offsets_are_committed_with_their_transaction_or_not_at_all(broker: Broker) -> None:
    topic, group = a_name("source"), a_name("group")
    transact(transactional(broker, a_name("t")), topic, [b"%d" % at for at in range(10)], commit=True)
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    seen: list[object] = []
    until(lambda: len(seen) >= 10 or bool(seen.extend(consumer.consume(10, 0.2))))
    producer = transactional(broker, a_name("t"))
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})

    def committed() -> list[int]:
        request = [ConsumerGroupTopicPartitions(group)]
        found = admin.list_consumer_group_offsets(request)[group].result(10).topic_partitions or []
        return [each.offset for each in found]

    for offset, commit, expected in ((4, False, []), (7, True, [7]), (9, False, [7])):
        producer.begin_transaction()
        producer.send_offsets_to_transaction([TopicPartition(topic, 0, offset)], consumer.consumer_group_metadata(), 20)
        write(producer, a_name("sink"), [b"x"])
        if commit:
            producer.commit_transaction(20)
        else:
            producer.abort_transaction(20)
        assert committed() == expected
    consumer.close()


def test_an_offset_in_an_open_transaction_is_unstable(broker: Broker) -> None:
    topic, group = a_name("unstable"), a_name("group")
    transact(transactional(broker, a_name("t")), topic, [b"a", b"b"], commit=True)
    reader = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": group})
    producer = transactional(broker, a_name("t"))
    producer.begin_transaction()
    producer.send_offsets_to_transaction([TopicPartition(topic, 0, 2)], reader.consumer_group_metadata(), 20)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    request = [ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0)])]
    found = admin.list_consumer_group_offsets(request, require_stable=True)[group].result(10).topic_partitions
    assert [each.error.name() for each in found if each.error] == ["UNSTABLE_OFFSET_COMMIT"]
    producer.commit_transaction(20)
    found = admin.list_consumer_group_offsets(request, require_stable=True)[group].result(10).topic_partitions
    assert [(each.error, each.offset) for each in found] == [(None, 2)]
    reader.close()


@pytest.mark.parametrize("kill", [True, False])
def test_an_open_transaction_goes_on_over_a_restart(own_broker: Broker, kill: bool) -> None:
    producer = transactional(own_broker, "t")
    transact(producer, "x", [b"aborted"], commit=False)
    producer.begin_transaction()
    write(producer, "x", [b"before"])
    if kill:
        own_broker.kill()
    else:
        own_broker.stop()
    own_broker.start()
    assert read(own_broker, "x") == []
    write(producer, "x", [b"after"])
    producer.commit_transaction(20)
    assert read(own_broker, "x") == [b"before", b"after"]
    own_broker.restart()
    assert read(own_broker, "x") == [b"before", b"after"]
    transact(producer, "x", [b"next"], commit=True)
    assert read(own_broker, "x") == [b"before", b"after", b"next"]


def test_no_transaction_is_torn_by_kills(own_broker: Broker) -> None:
    """Each transaction writes its number to both partitions: read_committed sees it in both or in none."""
    committed: list[int] = []
    producer = transactional(own_broker, "torn")
    number = 0
    for kill_at in (7, 19, 31, 43):
        while number < kill_at:
            transact(producer, "torn", [b"%d" % number] * 4, commit=number % 3 != 2, partitions=2)
            if number % 3 != 2:
                committed.append(number)
            number += 1
        producer.begin_transaction()
        for at in range(4):
            producer.produce("torn", b"%d" % number, partition=at % 2)
        producer.poll(0.002 * (kill_at % 4))
        own_broker.kill()
        own_broker.start()
        producer.commit_transaction(30)
        committed.append(number)
        number += 1
    values = [int(value or b"") for value in read(own_broker, "torn", partitions=2)]
    assert sorted(values) == sorted(committed * 4)


def test_aiokafka_commits_aborts_and_is_fenced(broker: Broker) -> None:
    topic, name, group = a_name("aio"), a_name("t"), a_name("group")

    async def go() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, transactional_id=name)
        async with producer:
            for number in range(4):
                await producer.begin_transaction()
                for at in range(5):
                    await producer.send_and_wait(topic, b"%d-%d" % (number, at), partition=0)
                if number % 2:
                    await producer.abort_transaction()
                else:
                    offsets = {AioPartition(topic, 0): number}
                    await producer.send_offsets_to_transaction(offsets, group)
                    await producer.commit_transaction()
            async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, transactional_id=name):
                await producer.begin_transaction()
                with pytest.raises(ProducerFenced):
                    await producer.send_and_wait(topic, b"zombie", partition=0)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=broker.bootstrap_servers,
            group_id=group,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            enable_auto_commit=False,
        )
        consumer.assign([AioPartition(topic, 0)])
        async with consumer:
            assert await consumer.committed(AioPartition(topic, 0)) == 2
            await consumer.seek_to_beginning()
            read = [(await asyncio.wait_for(consumer.getone(), 15)).value for _ in range(10)]
        assert read == [b"%d-%d" % (number, at) for number in (0, 2) for at in range(5)]

    asyncio.run(go())


def test_kafka_python_commits_and_aborts(broker: Broker) -> None:
    topic, group = a_name("kp"), a_name("group")
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers, transactional_id=a_name("t"))
    producer.init_transactions()
    for number in range(4):
        producer.begin_transaction()
        for at in range(5):
            producer.send(topic, b"%d-%d" % (number, at), partition=0)
        if number % 2:
            producer.flush()
            producer.abort_transaction()
        else:
            offsets = {PythonPartition(topic, 0): OffsetAndMetadata(number, "", -1)}
            producer.send_offsets_to_transaction(offsets, group)
            producer.commit_transaction()
    producer.close()
    consumer = KafkaConsumer(
        bootstrap_servers=broker.bootstrap_servers,
        group_id=group,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    consumer.assign([PythonPartition(topic, 0)])
    assert consumer.committed(PythonPartition(topic, 0)) == 2
    consumer.seek_to_beginning()
    values: list[bytes] = []
    until(lambda: len(values) >= 10 or bool(values.extend(poll(consumer))))
    consumer.close()
    assert values == [b"%d-%d" % (number, at) for number in (0, 2) for at in range(5)]


def poll(consumer: KafkaConsumer) -> list[bytes]:
    return [record.value for batch in consumer.poll(timeout_ms=200).values() for record in batch]
