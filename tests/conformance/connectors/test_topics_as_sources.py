"""Topics read as tables, from a broker in its own process, written by librdkafka."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from yeoul.broker import Broker
from yeoul.errors import PeerError, UserError
from yeoul.plan import types as t
from yeoul.plan.tables import Column, ColumnKind

pytestmark = pytest.mark.conformance

COLUMNS = [
    Column("id", t.BIGINT),
    Column("name", t.STRING),
    Column("offset", t.BIGINT, ColumnKind.METADATA),
    Column("partition", t.INT, ColumnKind.METADATA),
    Column("at", t.timestamp_ltz(3), ColumnKind.METADATA, "timestamp"),
    Column("kind", t.STRING, ColumnKind.METADATA, "timestamp-type"),
    Column("headers", t.map_of(t.STRING, t.BYTES), ColumnKind.METADATA),
    Column("key", t.BYTES, ColumnKind.METADATA),
    Column("topic", t.STRING, ColumnKind.METADATA),
    Column("epoch", t.INT, ColumnKind.METADATA, "leader-epoch"),
]


BOTH = "partition:0,offset:9;partition:1,offset:9"


def create(broker: Broker, topic: str, partitions: int = 2) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    for future in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
        future.result(10)


def produce(broker: Broker, topic: str, ids: Sequence[int], codec: str = "none", **more: Any) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "compression.type": codec, "linger.ms": 5})
    for number in ids:
        value = json.dumps({"id": number, "name": f"n{number}"}).encode()
        producer.produce(topic, value, key=f"k{number}", partition=number % 2, timestamp=1_000 + number, **more)
    assert producer.flush(30) == 0


def options(broker: Broker | str, topic: str, **more: str) -> dict[str, str]:
    given = {
        "connector": "kafka",
        "topic": topic,
        "properties.bootstrap.servers": broker if isinstance(broker, str) else broker.bootstrap_servers,
        "format": "json",
        "scan.startup.mode": "earliest-offset",
        "scan.bounded.mode": "latest-offset",
    }
    return {**given, **{name.replace("__", ".").replace("_", "-"): value for name, value in more.items()}}


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_codec_gives_every_row_once_with_its_metadata(
    broker: Broker, tables: Any, poll_all: Any, codec: str
) -> None:
    topic = f"all-{codec}"
    create(broker, topic)
    produce(broker, topic, range(2_000), codec, headers=[("h", b"v")])
    batches = poll_all(tables.source(COLUMNS, options(broker, topic)).open({}))
    got = pl.concat([batch.frame for batch in batches]).sort("id")
    assert got["id"].to_list() == list(range(2_000))
    assert got["name"].to_list() == [f"n{one}" for one in range(2_000)]
    assert got["partition"].to_list() == [one % 2 for one in range(2_000)]
    assert got["offset"].to_list() == [one // 2 for one in range(2_000)]
    assert got["at"].dt.epoch("ms").to_list() == [1_000 + one for one in range(2_000)]
    assert got["key"].to_list() == [f"k{one}".encode() for one in range(2_000)]
    assert got["headers"][7].to_list() == [{"key": "h", "value": b"v"}]
    assert got["kind"].unique().to_list() == ["CreateTime"]
    assert got["topic"].unique().to_list() == [topic]
    assert sum(batch.records for batch in batches) == 2_000
    late = batches[-1].recover(pl.Series([0]))
    assert late["position"].to_list() == [str(batches[-1].frame["offset"][0])]
    assert late["split"][0] == f"{topic}-{batches[-1].frame['partition'][0]}"


def test_reading_starts_and_stops_where_the_options_say(broker: Broker, tables: Any, read: Any) -> None:
    create(broker, "where")
    produce(broker, "where", range(20))
    group = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "g", "enable.auto.commit": False})
    group.commit(offsets=[TopicPartition("where", 0, 8), TopicPartition("where", 1, 9)], asynchronous=False)
    group.close()

    def ids(**more: str) -> list[int]:
        source = tables.source(COLUMNS, options(broker, "where", **more), ["id"])
        return sorted(read(source)["id"].to_list())

    group_options = {"properties__group__id": "g", "scan__startup__mode": "group-offsets"}
    assert ids(**group_options) == [16, 18, 19]
    assert ids(scan__startup__mode="timestamp", scan__startup__timestamp_millis="1015") == [15, 16, 17, 18, 19]
    specific = {"scan__startup__mode": "specific-offsets", "scan__startup__specific_offsets": BOTH}
    assert ids(**specific) == [18, 19]
    assert ids(scan__bounded__mode="timestamp", scan__bounded__timestamp_millis="1003") == [0, 1, 2]
    ends = "partition:0,offset:1;partition:1,offset:0"
    bounded = {"scan__bounded__mode": "specific-offsets", "scan__bounded__specific_offsets": ends}
    assert ids(**bounded) == [0]
    assert ids(scan__bounded__mode="group-offsets", properties__group__id="g") == [*range(16), 17]


def test_a_group_without_offsets_needs_a_reset(broker: Broker, tables: Any, read: Any) -> None:
    create(broker, "noffsets")
    produce(broker, "noffsets", range(4))
    given = options(broker, "noffsets", properties__group__id="new", scan__startup__mode="group-offsets")
    with pytest.raises(UserError) as caught:
        tables.source(COLUMNS, given, ["id"]).open({})
    assert str(caught.value) == (
        "There is no offset to start from for partition 0 of topic 'noffsets': group 'new' has committed none. "
        "Set 'properties.auto.offset.reset' to 'earliest' or 'latest', or choose a 'scan.startup.mode'."
    )
    earliest = tables.source(COLUMNS, {**given, "properties.auto.offset.reset": "earliest"}, ["id"])
    assert sorted(read(earliest)["id"].to_list()) == [0, 1, 2, 3]


def test_a_position_is_the_next_offset(broker: Broker, tables: Any, poll_all: Any) -> None:
    create(broker, "position")
    produce(broker, "position", range(10))
    source = tables.source(COLUMNS, options(broker, "position"), ["id"])
    got = [one for batch in poll_all(source.open({"position-0": 3, "position-1": 5})) for one in batch.frame["id"]]
    assert sorted(got) == [6, 8]


def test_latest_offset_gives_what_comes_from_now_on_and_lag_goes_to_zero(
    broker: Broker, tables: Any, poll_until: Any
) -> None:
    create(broker, "latest")
    produce(broker, "latest", range(4))
    given = options(broker, "latest", scan__startup__mode="latest-offset", scan__bounded__mode="unbounded")
    source = tables.source(COLUMNS, given, ["id"])
    assert not source.is_bounded
    reader = source.open({})
    produce(broker, "latest", [4, 5])
    assert sorted(one for batch in poll_until(reader, 2) for one in batch.frame["id"]) == [4, 5]
    polled = reader.poll(reader.splits(), 1 << 20, 2.0)
    while polled.at_end != {"latest-0", "latest-1"}:
        polled = reader.poll(reader.splits(), 1 << 20, 2.0)
    assert polled.lag == {"latest-0": 0, "latest-1": 0}
    assert not polled.finished
    reader.close()
    reader.close()


def test_splits_that_are_not_asked_for_keep_their_rows(broker: Broker, tables: Any, poll_until: Any) -> None:
    create(broker, "some")
    produce(broker, "some", range(100))
    reader = tables.source(COLUMNS, options(broker, "some", scan__bounded__mode="unbounded"), ["id"]).open({})
    got: list[int] = []
    while len(got) < 50:
        got += [one for piece in reader.poll(["some-1"], 300, 0.2).pieces for one in piece.decode().frame["id"]]
    assert got == list(range(1, 100, 2))
    rest = [one for batch in poll_until(reader, 50) for one in batch.frame["id"]]
    assert rest == list(range(0, 100, 2))
    reader.close()


def test_key_columns_come_from_the_key_when_the_value_lacks_them(broker: Broker, tables: Any, read: Any) -> None:
    create(broker, "keyed", 1)
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    producer.produce("keyed", b'{"name": "a", "id": "not read"}', key=b'{"id": 1}')
    producer.produce("keyed", b'{"name": "b"}', key=b'{"id": oops}')
    producer.produce("keyed", b'{"name": "c"}')
    producer.produce("keyed", None, key=b'{"id": 4}')
    producer.produce("keyed", b'{"name": 1e', key=b'{"id": 5}')
    producer.produce("keyed", b'{"name": "f"}', key=b'{"id": 6}')
    assert producer.flush(30) == 0
    columns = [Column("k_id", t.BIGINT), Column("name", t.STRING), Column("offset", t.BIGINT, ColumnKind.METADATA)]
    given = options(
        broker,
        "keyed",
        key__format="json",
        key__fields="k_id",
        key__fields_prefix="k_",
        value__fields_include="EXCEPT_KEY",
    )
    reader = tables.source(columns, given).open({})
    batch = reader.poll(reader.splits(), 1 << 20, 10.0).pieces[0].decode()
    reader.close()
    assert batch.frame.rows() == [(1, "a", 0), (None, "c", 2), (6, "f", 5)]
    assert sorted(zip(batch.dead.frame["position"], batch.dead.frame["raw"], strict=True)) == [
        ("1", b'{"id": oops}'),
        ("4", b'{"name": 1e'),
    ]
    assert batch.recover(pl.Series([2])).select("k_id", "name", "position").rows() == [(6, "f", "5")]


def test_several_topics_and_patterns_are_read(broker: Broker, tables: Any, read: Any) -> None:
    for topic, ids in (("multi-a", [0, 1]), ("multi-b", [2, 3]), ("multi-c", [4])):
        create(broker, topic)
        produce(broker, topic, ids)
    assert sorted(read(tables.source(COLUMNS, options(broker, "multi-a;multi-c"), ["id"]))["id"].to_list()) == [0, 1, 4]
    given = options(broker, "", topic_pattern="multi-[ab]")
    del given["topic"]
    assert sorted(read(tables.source(COLUMNS, given, ["id"]))["id"].to_list()) == [0, 1, 2, 3]


def test_new_partitions_are_found_and_read_from_their_start(broker: Broker, tables: Any, poll_until: Any) -> None:
    create(broker, "grows", 1)
    interval = {"scan__topic_partition_discovery__interval": "10 ms", "scan__bounded__mode": "unbounded"}
    reader = tables.source(COLUMNS, options(broker, "grows", **interval), ["id"]).open({})
    assert reader.splits() == ("grows-0",)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    for future in admin.create_partitions([NewPartitions("grows", 2)]).values():
        future.result(10)
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    producer.produce("grows", b'{"id": 9}', partition=1)
    assert producer.flush(30) == 0
    assert [one for batch in poll_until(reader, 1) for one in batch.frame["id"]] == [9]
    assert reader.splits() == ("grows-0", "grows-1")
    reader.close()


def test_a_huge_record_is_read_although_it_exceeds_the_fetch_size(own_broker: Broker, tables: Any, read: Any) -> None:
    create(own_broker, "huge", 1)
    producer = Producer({"bootstrap.servers": own_broker.bootstrap_servers})
    name = "x" * 900_000
    producer.produce("huge", json.dumps({"id": 1, "name": name}).encode())
    producer.produce("huge", b'{"id": 2}')
    assert producer.flush(30) == 0
    small = {"properties__fetch__max__bytes": "1000", "properties__max__partition__fetch__bytes": "1000"}
    got = read(tables.source(COLUMNS, options(own_broker, "huge", **small), ["id", "name"]))
    assert got.rows() == [(1, name), (2, None)]


def test_reading_goes_on_after_the_broker_was_restarted(own_broker: Broker, tables: Any, poll_until: Any) -> None:
    create(own_broker, "again")
    produce(own_broker, "again", range(50))
    given = options(own_broker, "again", scan__bounded__mode="unbounded")
    reader = tables.source(COLUMNS, given, ["id"]).open({})
    got = [one for batch in poll_until(reader, 50) for one in batch.frame["id"]]
    own_broker.restart()
    produce(own_broker, "again", range(50, 60))
    got += [one for batch in poll_until(reader, 10) for one in batch.frame["id"]]
    assert sorted(got) == list(range(60))
    reader.close()
    said = tables.errors.getvalue().splitlines()
    assert "trying again for up to 300 s" in said[0]
    assert "Kafka answers again after" in said[-1]


def test_giving_up_is_said_with_the_reason(own_broker: Broker, tables: Any) -> None:
    create(own_broker, "gone")
    more = {"scan__bounded__mode": "unbounded", "scan__reconnect_timeout": "200 ms"}
    reader = tables.source(COLUMNS, options(own_broker, "gone", **more), ["id"]).open({})
    own_broker.stop()

    def poll_forever() -> None:
        while True:
            reader.poll(reader.splits(), 1 << 20, 0.05)

    with pytest.raises(PeerError) as caught:
        poll_forever()
    assert "gave up after 0 s" in caught.value.message
    assert caught.value.hint == "'scan.reconnect-timeout' says how long to try."
    reader.close()


def test_a_missing_topic_names_the_nearest(broker: Broker, tables: Any) -> None:
    create(broker, "clicks")
    started_s = time.monotonic()
    with pytest.raises(UserError) as caught:
        tables.source(COLUMNS, options(broker, "cliks"), ["id"]).open({})
    expected = f"Topic 'cliks' does not exist on {broker.bootstrap_servers}. Did you mean 'clicks'?"
    assert str(caught.value) == expected
    assert time.monotonic() - started_s < 20


def test_a_wrong_address_is_one_clear_error_after_a_bounded_time(tables: Any) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        given = options(address, "t", properties__default__api__timeout__ms="300")
        with pytest.raises(PeerError) as caught:
            tables.source(COLUMNS, given, ["id"]).open({})
    assert str(caught.value) == (
        f"Cannot reach Kafka at {address} ('properties.bootstrap.servers'): Cannot connect to {address}: "
        "connection refused. Is a broker running there? 'yeoul up' starts one."
    )


def test_stopping_ends_the_wait_for_a_cluster(tables: Any) -> None:
    context = tables.context()
    given = options("127.0.0.1:1", "t", properties__default__api__timeout__ms="3600000")
    source = tables.source(COLUMNS, given, ["id"])
    source._context = context
    failed: list[BaseException] = []

    def open_it() -> None:
        try:
            source.open({})
        except PeerError as error:
            failed.append(error)

    thread = threading.Thread(target=open_it)
    thread.start()
    context.stopping.set()
    thread.join(30)
    assert not thread.is_alive()
    assert failed


def test_waking_and_closing_end_a_poll_that_waits(broker: Broker, tables: Any) -> None:
    create(broker, "quiet")
    given = options(broker, "quiet", scan__bounded__mode="unbounded")
    for end in ("wake", "close"):
        reader = tables.source(COLUMNS, given, ["id"]).open({})
        thread = threading.Thread(target=reader.poll, args=(reader.splits(), 1 << 20, 3_600.0))
        thread.start()
        getattr(reader, end)()
        thread.join(30)
        assert not thread.is_alive()
        reader.close()
