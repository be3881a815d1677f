"""Topics written as tables, read back by librdkafka from a broker in its own process."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections import defaultdict
from typing import Any

import polars as pl
import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from yeoul.broker import Broker
from yeoul.errors import PeerError, UserError
from yeoul.plan import types as t
from yeoul.plan.tables import Column, ColumnKind

pytestmark = pytest.mark.conformance

COLUMNS = [Column("id", t.BIGINT), Column("name", t.STRING)]


def create(broker: Broker, topic: str, partitions: int = 2, **config: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    new = NewTopic(topic, partitions, 1, config={name.replace("_", "."): value for name, value in config.items()})
    for future in admin.create_topics([new]).values():
        future.result(10)


def options(broker: Broker, topic: str, **more: str) -> dict[str, str]:
    given = {
        "connector": "kafka",
        "topic": topic,
        "properties.bootstrap.servers": broker.bootstrap_servers,
        "format": "json",
    }
    return {**given, **{name.replace("__", ".").replace("_", "-"): value for name, value in more.items()}}


def consume(broker: Broker, topic: str, count: int, partitions: int = 2) -> list[Message]:
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": "r", "auto.offset.reset": "earliest"}
    )
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    messages: list[Message] = []
    while len(messages) < count:
        messages += consumer.consume(10_000, 0.5)
    messages += consumer.consume(10, 0.2)
    consumer.close()
    assert [one.error() for one in messages if one.error()] == []
    return messages


def frame(start: int, end: int) -> pl.DataFrame:
    return pl.DataFrame({"id": range(start, end), "name": [f"n{one}" for one in range(start, end)]})


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_rows_arrive_once_and_in_order(broker: Broker, tables: Any, codec: str) -> None:
    topic = f"out-{codec}"
    create(broker, topic)
    more = {"properties__compression__type": codec, "sink__partitioner": "round-robin"}
    sink = tables.sink(COLUMNS, options(broker, topic, **more))
    for start in range(0, 30_000, 10_000):
        sink.write(frame(start, start + 10_000))
    sink.flush()
    messages = consume(broker, topic, 30_000)
    sink.close()
    by_partition = defaultdict(list)
    for one in messages:
        by_partition[one.partition()].append(json.loads(one.value())["id"])
    assert by_partition == {0: list(range(0, 30_000, 2)), 1: list(range(1, 30_000, 2))}


def test_keys_decide_the_partition_as_in_javas_client(broker: Broker, tables: Any) -> None:
    create(broker, "keyed-out", 5)
    columns = [Column("k", t.STRING), Column("id", t.BIGINT)]
    more = {"key__format": "raw", "key__fields": "k", "value__fields_include": "EXCEPT_KEY"}
    sink = tables.sink(columns, options(broker, "keyed-out", **more))
    sink.write(pl.DataFrame({"k": [f"key-{one % 50}" for one in range(500)], "id": range(500)}))
    sink.flush()
    sink.close()
    from kafka.partitioner.default import murmur2

    messages = consume(broker, "keyed-out", 500, 5)
    assert len(messages) == 500
    assert all(one.partition() == (murmur2(one.key()) & 0x7FFFFFFF) % 5 for one in messages)
    assert sorted(json.loads(one.value())["id"] for one in messages) == list(range(500))
    assert all(list(json.loads(one.value())) == ["id"] for one in messages)


def test_timestamps_and_headers_are_written_from_metadata_columns(broker: Broker, tables: Any) -> None:
    create(broker, "meta-out", 1)
    columns = [
        Column("id", t.BIGINT),
        Column("at", t.timestamp_ltz(3), ColumnKind.METADATA, "timestamp"),
        Column("headers", t.map_of(t.STRING, t.BYTES), ColumnKind.METADATA),
    ]
    sink = tables.sink(columns, options(broker, "meta-out"))
    stamps = [dt.datetime(2024, 1, 1, 0, 0, second, tzinfo=dt.UTC) for second in (5, 1)]
    headers = [[{"key": "h", "value": b"v"}], None]
    dtype = pl.List(pl.Struct({"key": pl.String, "value": pl.Binary}))
    at = pl.Series("at", stamps, dtype=pl.Datetime("ms", "UTC"))
    sink.write(pl.DataFrame([pl.Series("id", [1, 2]), at, pl.Series("headers", headers, dtype=dtype)]))
    sink.flush()
    sink.close()
    first, second = consume(broker, "meta-out", 2, 1)
    assert [one.timestamp()[1] for one in (first, second)] == [int(stamp.timestamp() * 1_000) for stamp in stamps]
    assert (first.headers(), second.headers()) == ([("h", b"v")], None)


def test_a_topic_that_is_not_there_is_created_if_the_broker_does_so(broker: Broker, tables: Any) -> None:
    sink = tables.sink(COLUMNS, options(broker, "made-on-the-way"))
    sink.write(frame(0, 1))
    sink.flush()
    sink.close()
    assert len(consume(broker, "made-on-the-way", 1)) == 1


def test_writing_goes_on_after_the_broker_was_restarted(own_broker: Broker, tables: Any) -> None:
    create(own_broker, "again-out")
    sink = tables.sink(COLUMNS, options(own_broker, "again-out"))
    sink.write(frame(0, 1_000))
    sink.flush()
    own_broker.restart()
    sink.write(frame(1_000, 2_000))
    sink.flush()
    sink.close()
    got = [json.loads(one.value())["id"] for one in consume(own_broker, "again-out", 2_000)]
    assert sorted(got) == list(range(2_000))


def test_rows_written_while_the_broker_dies_are_stored_once(own_broker: Broker, tables: Any) -> None:
    create(own_broker, "dies-out")
    sink = tables.sink(COLUMNS, options(own_broker, "dies-out"))
    halfway = threading.Event()

    def write() -> None:
        for start in range(0, 200_000, 2_000):
            sink.write(frame(start, start + 2_000))
            if start == 60_000:
                halfway.set()
        sink.flush()

    writer = threading.Thread(target=write)
    writer.start()
    assert halfway.wait(60)
    own_broker.kill()
    own_broker.start()
    writer.join(90)
    assert not writer.is_alive()
    sink.close()
    got = [json.loads(one.value())["id"] for one in consume(own_broker, "dies-out", 200_000)]
    assert sorted(got) == list(range(200_000))


def test_rows_that_cannot_be_delivered_fail_the_flush(own_broker: Broker, tables: Any) -> None:
    create(own_broker, "lost-out")
    more = {"properties__delivery__timeout__ms": "300"}
    sink = tables.sink(COLUMNS, options(own_broker, "lost-out", **more))
    own_broker.stop()
    sink.write(frame(0, 10))
    with pytest.raises(PeerError, match=r"Topic 'lost-out', partition 0: records were not acknowledged within 0 s"):
        sink.flush()
    with pytest.raises(PeerError):
        sink.write(frame(0, 10))
    sink.close()


def test_a_record_that_is_too_large_fails_the_flush_with_a_hint(broker: Broker, tables: Any) -> None:
    create(broker, "small-out", 1, max_message_bytes="2000")
    sink = tables.sink(COLUMNS, options(broker, "small-out"))
    sink.write(pl.DataFrame({"id": [1], "name": ["x" * 5_000]}))
    with pytest.raises(PeerError, match=r"Topic 'small-out', partition 0: the broker refused records") as caught:
        sink.flush()
    assert caught.value.hint == "Raise the topic's max.message.bytes, or write smaller rows."
    sink.close()


def test_what_cannot_be_written_is_refused(broker: Broker, tables: Any) -> None:
    with pytest.raises(UserError, match=r"writing needs exactly one topic, got 2"):
        tables.sink(COLUMNS, options(broker, "a;b"))
    offset = Column("o", t.BIGINT, ColumnKind.METADATA, "offset")
    with pytest.raises(UserError, match=r"metadata column 'o' \('offset'\) cannot be written"):
        tables.sink([*COLUMNS, offset], options(broker, "a"))
    with pytest.raises(UserError, match=r"Option 'properties.acks': expected 'all', got '1'"):
        tables.sink(COLUMNS, options(broker, "a", properties__acks="1"))


def test_what_is_written_is_read_back_the_same(broker: Broker, tables: Any, read: Any) -> None:
    create(broker, "round")
    columns = [
        Column("id", t.BIGINT),
        Column("s", t.STRING),
        Column("x", t.DOUBLE),
        Column("at", t.timestamp(3)),
        Column("tags", t.array_of(t.STRING)),
    ]
    moments = [dt.datetime(2024, 1, 1, 1, 2, 3, 4_000), None, dt.datetime(1969, 1, 1)]
    rows = pl.DataFrame(
        {
            "id": [1, 2, None],
            "s": ['"\\ü\n', None, ""],
            "x": [0.1, -1e300, None],
            "at": pl.Series(moments, dtype=pl.Datetime("ms")),
            "tags": [["a"], [], None],
        }
    )
    sink = tables.sink(columns, options(broker, "round", sink__partitioner="fixed"))
    sink.write(rows)
    sink.flush()
    sink.close()
    more = {"scan__startup__mode": "earliest-offset", "scan__bounded__mode": "latest-offset"}
    assert read(tables.source(columns, options(broker, "round", **more))).equals(rows)


def test_other_producers_records_share_partitions_and_order(broker: Broker, tables: Any) -> None:
    create(broker, "shared", 1)
    sink = tables.sink(COLUMNS, options(broker, "shared"))
    other = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for start in range(0, 30, 10):
        sink.write(frame(start, start + 10))
        sink.flush()
        other.produce("shared", b'{"id": -1}')
        assert other.flush(30) == 0
    sink.close()
    ids = [json.loads(one.value())["id"] for one in consume(broker, "shared", 33, 1)]
    assert ids == [*range(10), -1, *range(10, 20), -1, *range(20, 30), -1]
