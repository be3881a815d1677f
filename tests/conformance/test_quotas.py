"""Client quotas: set over the wire, kept over a restart, told to clients, and enforced by making them wait."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from yeoul.broker import Broker
from yeoul.wire.messages.alter_client_quotas import (
    ALTER_CLIENT_QUOTAS,
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    AlteredEntry,
    OpData,
)
from yeoul.wire.messages.describe_client_quotas import (
    DESCRIBE_CLIENT_QUOTAS,
    ComponentData,
    DescribeClientQuotasRequest,
    EntityData,
)
from yeoul.wire.messages.metadata import METADATA, MetadataRequest

from .raw_client import RawClient

pytestmark = pytest.mark.conformance


def alter(broker: Broker, entity: dict[str, str | None], **values: float | None) -> AlterClientQuotasResponse:
    parts = [EntityData(entity_type=word, entity_name=name) for word, name in entity.items()]
    ops = [OpData(key=kind, value=value or 0.0, remove=value is None) for kind, value in values.items()]
    with RawClient(broker.host, broker.port) as client:
        request = AlterClientQuotasRequest(entries=[AlteredEntry(entity=parts, ops=ops)])
        return client.ask(ALTER_CLIENT_QUOTAS, 1, request)


def described(broker: Broker, *components: ComponentData, strict: bool = False) -> list[tuple[object, object]]:
    with RawClient(broker.host, broker.port) as client:
        request = DescribeClientQuotasRequest(components=list(components), strict=strict)
        answer = client.ask(DESCRIBE_CLIENT_QUOTAS, 1, request)
    assert answer.error_code == 0
    return [
        (
            {each.entity_type: each.entity_name for each in entry.entity},
            {each.key: each.value for each in entry.values},
        )
        for entry in answer.entries or ()
    ]


def test_quotas_are_found_by_filters_and_survive_a_restart(own_broker: Broker) -> None:
    assert alter(own_broker, {"user": "alice"}, producer_byte_rate=1e6).entries[0].error_code == 0
    alter(own_broker, {"user": "alice", "client-id": "app"}, consumer_byte_rate=2e6, request_percentage=50.0)
    alter(own_broker, {"client-id": None}, producer_byte_rate=3e6)
    own_broker.restart()
    alice = ({"user": "alice"}, {"producer_byte_rate": 1e6})
    both = ({"client-id": "app", "user": "alice"}, {"consumer_byte_rate": 2e6, "request_percentage": 50.0})
    default = ({"client-id": None}, {"producer_byte_rate": 3e6})
    assert described(own_broker) == [alice, both, default]
    exact = ComponentData(entity_type="user", match_type=0, match="alice")
    assert described(own_broker, exact) == [alice, both]
    assert described(own_broker, exact, strict=True) == [alice]
    assert described(own_broker, ComponentData(entity_type="client-id", match_type=1, match=None)) == [default]
    assert described(own_broker, ComponentData(entity_type="client-id", match_type=2, match=None)) == [both, default]
    alter(own_broker, {"user": "alice"}, producer_byte_rate=None)
    assert described(own_broker) == [both, default]


@pytest.mark.parametrize(
    ("entity", "kind", "value", "message"),
    [
        ({"user": "a"}, "producer_byte_rat", 1.0, "Did you mean 'producer_byte_rate'?"),
        ({"user": "a"}, "producer_byte_rate", -1.0, "expected a number above 0, got -1.0"),
        ({"ip": "127.0.0.1"}, "connection_creation_rate", 1.0, "Unknown quota 'connection_creation_rate'"),
        ({"group": "g"}, "producer_byte_rate", 1.0, "Quotas are for 'user' and 'client-id', got 'group'"),
        ({}, "producer_byte_rate", 1.0, "Expected a user, a client id or both"),
    ],
)
def test_what_is_no_quota_is_refused(
    broker: Broker, entity: dict[str, str | None], kind: str, value: float, message: str
) -> None:
    [result] = alter(broker, entity, **{kind: value}).entries
    assert result.error_code == 42
    assert message in (result.error_message or "")
    assert described(broker) == []


def test_a_producer_beyond_its_quota_is_told_and_waits_while_others_do_not(own_broker: Broker) -> None:
    alter(own_broker, {"client-id": "greedy"}, producer_byte_rate=100_000.0)
    told: list[float] = []
    greedy = Producer(
        {
            "bootstrap.servers": own_broker.bootstrap_servers,
            "client.id": "greedy",
            "throttle_cb": lambda event: told.append(event.throttle_time),
            "linger.ms": 0,
            "enable.idempotence": True,
            "max.in.flight": 1,
        }
    )
    started_s = time.monotonic()
    for _ in range(11):
        greedy.produce("t", b"x" * 100_000)
        assert greedy.flush(20) == 0
    greedy.produce("t", b"the last")
    assert greedy.flush(20) == 0
    assert time.monotonic() - started_s >= 0.9
    assert told
    assert 0 < max(told) <= 30
    other = Producer({"bootstrap.servers": own_broker.bootstrap_servers, "client.id": "other"})
    started_s = time.monotonic()
    for _ in range(30):
        other.produce("t", b"x" * 100_000)
    assert other.flush(20) == 0
    assert time.monotonic() - started_s < 10


def test_a_consumer_beyond_its_quota_gets_everything_later(own_broker: Broker) -> None:
    servers = {"bootstrap.servers": own_broker.bootstrap_servers}
    producer = Producer(servers)
    for _ in range(12):
        producer.produce("t", b"x" * 100_000, partition=0)
        assert producer.flush(20) == 0
    alter(own_broker, {"client-id": "greedy"}, consumer_byte_rate=100_000.0)
    consumer = Consumer({**servers, "group.id": "g", "client.id": "greedy", "max.partition.fetch.bytes": 120_000})
    consumer.assign([TopicPartition("t", 0, 0)])
    started_s = time.monotonic()
    taken = 0
    while taken < 12 and time.monotonic() - started_s < 30:
        taken += len(consumer.consume(1, 1))
    took_s = time.monotonic() - started_s
    consumer.close()
    assert taken == 12
    assert took_s >= 0.9


def test_the_broker_s_time_is_shared_by_quota_too(own_broker: Broker) -> None:
    alter(own_broker, {"client-id": "raw"}, request_percentage=0.05)
    with RawClient(own_broker.host, own_broker.port) as client:
        request = MetadataRequest(topics=None)
        waits = [client.ask(METADATA, 12, request).throttle_time_ms]
        while not waits[-1] and len(waits) < 10_000:
            waits.append(client.ask(METADATA, 12, request).throttle_time_ms)
    assert waits[0] == 0
    assert waits[-1] > 0
