"""aiokafka, unmodified: every compression in both directions, groups, time look-ups."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from yeoul.broker import Broker

pytestmark = pytest.mark.conformance


def a_name(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


@pytest.mark.parametrize("compression", [None, "gzip", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("idempotent", [False, True])
def test_records_come_back_whole(broker: Broker, compression: str | None, idempotent: bool) -> None:
    async def go() -> None:
        topic = a_name("aio")
        async with AIOKafkaProducer(
            bootstrap_servers=broker.bootstrap_servers, compression_type=compression, enable_idempotence=idempotent
        ) as producer:
            for i in range(100):
                await producer.send(topic, b"v" * i, key=b"k%d" % i, headers=[("h", b"x")], partition=0, timestamp_ms=i)
            await producer.flush()
        consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest")
        consumer.assign([TopicPartition(topic, 0)])
        async with consumer:
            for i in range(100):
                record = await asyncio.wait_for(consumer.getone(), 15)
                assert (record.offset, record.timestamp, record.key, record.value) == (i, i, b"k%d" % i, b"v" * i)
                assert record.headers == (("h", b"x"),)

    asyncio.run(go())


def test_offsets_are_found_by_time(broker: Broker) -> None:
    async def go() -> None:
        topic = a_name("aio-time")
        async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers) as producer:
            for i in range(50):
                await producer.send_and_wait(topic, b"v", partition=0, timestamp_ms=1_000 * i)
        partition = TopicPartition(topic, 0)
        consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap_servers)
        consumer.assign([partition])
        async with consumer:
            found = await consumer.offsets_for_times({partition: 30_500})
            assert (found[partition].offset, found[partition].timestamp) == (31, 31_000)
            assert await consumer.offsets_for_times({partition: 10**9}) == {partition: None}
            assert await consumer.beginning_offsets([partition]) == {partition: 0}
            assert await consumer.end_offsets([partition]) == {partition: 50}

    asyncio.run(go())


def test_a_group_splits_its_partitions_and_goes_on_from_its_commits(broker: Broker) -> None:
    async def go() -> None:
        topic, group = a_name("aio-group"), a_name("group")
        async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers) as producer:
            for i in range(40):
                await producer.send_and_wait(topic, b"%d" % i, partition=i % 2)

        def member() -> AIOKafkaConsumer:
            return AIOKafkaConsumer(
                topic,
                bootstrap_servers=broker.bootstrap_servers,
                group_id=group,
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                heartbeat_interval_ms=100,
            )

        seen: set[bytes] = set()
        async with member() as first, member() as second:

            async def shared() -> None:
                while not (first.assignment() and second.assignment()) or len(seen) < 40:
                    for consumer in (first, second):
                        for batch in (await consumer.getmany(timeout_ms=50)).values():
                            seen.update(record.value for record in batch)

            await asyncio.wait_for(shared(), 30)
            assert not first.assignment() & second.assignment()
            await first.commit()
            await second.commit()
        async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers) as producer:
            await producer.send_and_wait(topic, b"after", partition=1)
        async with member() as third:
            assert (await asyncio.wait_for(third.getone(), 20)).value == b"after"

    asyncio.run(go())


def test_clients_that_stay_connected_go_on_after_a_restart(own_broker: Broker) -> None:
    async def go() -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=own_broker.bootstrap_servers, auto_offset_reset="earliest")
        producer = AIOKafkaProducer(bootstrap_servers=own_broker.bootstrap_servers, enable_idempotence=True)
        async with producer:
            await producer.send_and_wait("aio-on", b"before", partition=0)
            consumer.assign([TopicPartition("aio-on", 0)])
            async with consumer:
                assert (await asyncio.wait_for(consumer.getone(), 15)).value == b"before"
                await asyncio.to_thread(own_broker.restart)
                await asyncio.wait_for(producer.send_and_wait("aio-on", b"after", partition=0), 30)
                assert (await asyncio.wait_for(consumer.getone(), 30)).value == b"after"

    asyncio.run(go())
