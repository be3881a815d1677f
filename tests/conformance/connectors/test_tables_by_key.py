"""Tables of changes over a broker in its own process: SQL writes them, librdkafka and SQL read them, and back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from yeoul.broker import Broker
from yeoul.jobs.result import Result
from yeoul.jobs.session import Session

pytestmark = pytest.mark.conformance

Sql = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def sql() -> Any:
    with Session() as session:

        def run(text: str) -> list[dict[str, Any]]:
            given: list[dict[str, Any]] = []
            for outcome in session.execute(text):
                given = outcome.pl().to_dicts() if isinstance(outcome, Result) else []
            return given

        yield run


def create(broker: Broker, topic: str, partitions: int = 3, **config: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    settings = {name.replace("_", "."): value for name, value in config.items()}
    admin.create_topics([NewTopic(topic, partitions, 1, config=settings)])[topic].result(10)


def consume(broker: Broker, topic: str, partitions: int = 3) -> list[Message]:
    """Reads a topic to its end."""
    settings = {"bootstrap.servers": broker.bootstrap_servers, "group.id": "r", "enable.partition.eof": "true"}
    consumer = Consumer(settings)
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    messages: list[Message] = []
    ended: set[int | None] = set()
    while len(ended) < partitions:
        for one in consumer.consume(10_000, 0.5):
            (ended.add(one.partition()) if one.error() else messages.append(one))
    consumer.close()
    return messages


def has_gaps(messages: list[Message]) -> bool:
    """Whether records are missing below the last one of their partition."""
    ends: dict[int | None, int] = {}
    for one in messages:
        ends[one.partition()] = max(ends.get(one.partition(), 0), (one.offset() or 0) + 1)
    return len(messages) < sum(ends.values())


def upsert_table(broker: Broker, name: str, columns: str, **more: str) -> str:
    options = {
        "connector": "upsert-kafka",
        "topic": name,
        "properties.bootstrap.servers": broker.bootstrap_servers,
        "key.format": "json",
        "value.format": "json",
        "scan.bounded.mode": "latest-offset",
        **{key.replace("__", ".").replace("_", "-"): value for key, value in more.items()},
    }
    return f"CREATE TABLE {name} ({columns}) WITH ({', '.join(f'{k!r} = {v!r}' for k, v in options.items())});"


def clicks(tmp_path: Path, count: int = 20_000) -> tuple[str, pl.DataFrame]:
    """Declares files of clicks, each a batch of its own; returns all of it, too."""
    rows = pl.DataFrame({"id": range(count), "user": [f"u{one * 7919 % 613}" for one in range(count)]})
    rows = rows.with_columns(amount=pl.col("id") * 31 % 97)
    (tmp_path / "clicks").mkdir()
    for number, part in enumerate(rows.iter_slices(count // 8)):
        part.write_ndjson(tmp_path / "clicks" / f"{number}.json")
    declared = f"WITH ('connector' = 'filesystem', 'path' = '{tmp_path}/clicks', 'format' = 'json')"
    return f"CREATE TABLE clicks (id BIGINT, `user` STRING, amount BIGINT) {declared};", rows


def batch_answer(rows: pl.DataFrame, question: str) -> pl.DataFrame:
    """Returns what DuckDB says of `rows`."""
    with duckdb.connect() as base:
        base.register("rows", rows)
        return base.sql(question).pl()


def test_an_updating_group_by_is_read_back_as_the_batch_answer(broker: Broker, sql: Sql, tmp_path: Path) -> None:
    create(broker, "counts")
    declared, rows = clicks(tmp_path)
    sql(
        declared
        + upsert_table(broker, "counts", "`user` STRING, n BIGINT, s BIGINT, PRIMARY KEY (`user`) NOT ENFORCED")
    )
    sql("SET 'execution.runtime-mode' = 'streaming'; SET 'table.dml-sync' = 'true'")
    sql("INSERT INTO counts SELECT `user`, COUNT(*), SUM(amount) FROM clicks GROUP BY `user` HAVING COUNT(*) < 33")
    sql("SET 'execution.runtime-mode' = 'automatic'")
    question = 'select "user", count(*) n, sum(amount)::bigint s from rows group by 1 having n < 33'
    right = batch_answer(rows, question)
    given = pl.DataFrame(sql("SELECT * FROM counts"))
    assert given.sort("user").equals(right.sort("user"))
    told: dict[bytes | None, Any] = {}
    for one in sorted(consume(broker, "counts"), key=lambda each: (each.partition(), each.offset())):
        told[one.key()] = one.value() and json.loads(one.value())
    living = [row for row in told.values() if row is not None]
    assert pl.DataFrame(living).select(right.columns).sort("user").equals(right.sort("user"))
    assert len(told) > len(living), "a user with too many clicks is deleted by a tombstone"


def test_keys_choose_partitions_as_javas_client_does_and_have_their_own_names(broker: Broker, sql: Sql) -> None:
    create(broker, "named", 5)
    columns = "k_id BIGINT, name STRING, PRIMARY KEY (k_id) NOT ENFORCED"
    more = {"key__fields_prefix": "k_", "value__fields_include": "EXCEPT_KEY"}
    sql(upsert_table(broker, "named", columns, **more))
    sql("INSERT INTO named VALUES " + ", ".join(f"({one}, 'n{one}')" for one in range(40)))
    from kafka.partitioner.default import murmur2

    messages = consume(broker, "named", 5)
    assert {(one.key(), one.value()) for one in messages} == {
        (b'{"id":%d}' % one, b'{"name":"n%d"}' % one) for one in range(40)
    }
    assert all(one.partition() == (murmur2(one.key()) & 0x7FFFFFFF) % 5 for one in messages)
    assert sorted(row["k_id"] for row in sql("SELECT k_id FROM named WHERE name <> 'n7'")) == [
        one for one in range(40) if one != 7
    ]


def test_a_topic_of_upserts_by_others_is_a_table_with_deletes_and_its_dead_records(broker: Broker, sql: Sql) -> None:
    create(broker, "users", 1)
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for key, value in [
        (b'{"id":1}', b'{"id":1,"name":"a"}'),
        (b'{"id":2}', b'{"id":2,"name":"b"}'),
        (b'{"id":3}', None),  # of a key that is not there
        (b'{"id":1}', b'{"name":"c"}'),  # the key says which row
        (b'{"id":2}', None),
        (None, b'{"id":4,"name":"no key"}'),
        (b'{"no":5}', b'{"id":5,"name":"no id"}'),
        (b'{"id":6}', b"not json"),
        (b'{"id":7}', b'{"id":7,"name":"g"}'),
    ]:
        producer.produce("users", value, key)
    assert producer.flush(30) == 0
    sql(
        upsert_table(
            broker, "users", "id BIGINT, name STRING, `offset` BIGINT METADATA VIRTUAL, PRIMARY KEY (id) NOT ENFORCED"
        )
    )
    assert sql("SELECT id, name, `offset` FROM users ORDER BY id") == [
        {"id": 1, "name": "c", "offset": 3},
        {"id": 7, "name": "g", "offset": 8},
    ]
    assert {(row["position"], row["reason"]) for row in sql("SELECT `position`, reason FROM users$dead")} == {
        ("5", "key: expected one, got NULL"),
        ("6", "key: id must not be NULL"),
        ("7", "not JSON: expected a value (byte 0: 'not json')"),
    }
    sql("SET 'execution.runtime-mode' = 'streaming'")
    changes = [(row["op"], row["id"], row["name"]) for row in sql("SELECT * FROM users")]
    assert changes == [
        *[("+I", 1, "a"), ("+I", 2, "b"), ("-U", 1, "a"), ("+U", 1, "c"), ("-D", 2, "b"), ("+I", 7, "g")],
    ]


def test_a_compacted_topic_is_the_same_table_and_joins_as_duckdb_joins(tmp_path: Path, sql: Sql) -> None:
    with Broker(tmp_path / "data", settings={"log.cleaner.backoff.ms": "20"}) as broker:
        config = {"cleanup_policy": "compact", "segment_bytes": "16384", "min_cleanable_dirty_ratio": "0.01"}
        create(broker, "totals", 2, **config)
        create(broker, "names", 2, **config)
        declared, rows = clicks(tmp_path)
        sql(declared)
        sql(upsert_table(broker, "totals", "`user` STRING, n BIGINT, PRIMARY KEY (`user`) NOT ENFORCED"))
        sql(upsert_table(broker, "names", "id STRING, latest BIGINT, PRIMARY KEY (id) NOT ENFORCED"))
        sql("SET 'execution.runtime-mode' = 'streaming'; SET 'table.dml-sync' = 'true'")
        for part in range(5):
            sql(
                f"EXECUTE STATEMENT SET BEGIN"
                f" INSERT INTO totals SELECT `user`, COUNT(*) FROM clicks WHERE MOD(id, 5) <= {part} GROUP BY `user`;"
                f" INSERT INTO names SELECT `user`, id FROM clicks WHERE MOD(id, 3) = 0 AND MOD(id, 5) <= {part}; END"
            )
        sql("SET 'execution.runtime-mode' = 'automatic'")
        question = "SELECT t.`user`, t.n, s.latest FROM totals AS t {} JOIN names AS s ON t.`user` = s.id"
        right = batch_answer(
            rows,
            'select a."user", a.n, b.latest from (select "user", count(*) n from rows group by 1) a'
            ' left join (select "user" id, max(id) latest from rows where id % 3 = 0 group by 1) b on a."user" = b.id',
        )
        assert pl.DataFrame(sql(question.format("LEFT"))).sort("user").equals(right.sort("user"))
        deadline_s = time.monotonic() + 60
        while not has_gaps(consume(broker, "totals", 2)):
            assert time.monotonic() < deadline_s, "the topic was not compacted"
        assert pl.DataFrame(sql(question.format("LEFT"))).sort("user").equals(right.sort("user"))


def test_what_is_written_as_debezium_is_read_back_and_by_others_as_flink_writes_it(broker: Broker, sql: Sql) -> None:
    create(broker, "changes", 1)
    options = (
        f"('connector' = 'kafka', 'topic' = 'changes', 'properties.bootstrap.servers' = '{broker.bootstrap_servers}',"
        " 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset', 'format' = 'debezium-json')"
    )
    sql(f"CREATE TABLE changes (k STRING, n BIGINT) WITH {options}")
    sql("CREATE VIEW rows_in AS SELECT * FROM (VALUES ('a'), ('b'), ('a'), ('a')) AS t (k)")
    sql("SET 'execution.runtime-mode' = 'streaming'; SET 'table.dml-sync' = 'true'")
    sql("INSERT INTO changes SELECT k, n FROM (SELECT k, COUNT(*) AS n FROM rows_in GROUP BY k)")
    records = [json.loads(one.value() or b"") for one in consume(broker, "changes", 1)]
    assert all(list(one) == ["before", "after", "op"] for one in records)
    assert {"before": None, "after": {"k": "b", "n": 1}, "op": "c"} in records
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for value in [
        {"before": {"k": "b", "n": 1}, "after": {"k": "b", "n": 5}, "op": "u", "ts_ms": 1, "source": {"db": "shop"}},
        {"before": {"k": "a", "n": 3}, "after": None, "op": "d"},
        None,
    ]:
        producer.produce("changes", None if value is None else json.dumps(value).encode(), b"k")
    assert producer.flush(30) == 0
    sql("SET 'execution.runtime-mode' = 'automatic'")
    assert sql("SELECT k, n FROM changes") == [{"k": "b", "n": 5}]
    assert sql("SELECT COUNT(*) AS c, SUM(n) AS s FROM changes") == [{"c": 1, "s": 5}]


def test_metadata_of_records_is_read_and_written(broker: Broker, sql: Sql) -> None:
    create(broker, "meta", 2)
    options = (
        f"('connector' = 'kafka', 'topic' = 'meta', 'properties.bootstrap.servers' = '{broker.bootstrap_servers}',"
        " 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset', 'key.format' = 'raw',"
        " 'key.fields' = 'k', 'value.format' = 'json', 'value.fields-include' = 'EXCEPT_KEY')"
    )
    sql(
        "CREATE TABLE meta (k STRING, v INT,"
        " at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp', headers MAP<STRING, BYTES> METADATA,"
        " topic STRING METADATA VIRTUAL, part INT METADATA FROM 'partition' VIRTUAL, `offset` BIGINT METADATA VIRTUAL,"
        " kind STRING METADATA FROM 'timestamp-type' VIRTUAL, epoch INT METADATA FROM 'leader-epoch' VIRTUAL,"
        f" raw_key BYTES METADATA FROM 'key' VIRTUAL) WITH {options}"
    )
    sql(
        "INSERT INTO meta SELECT k, v, TO_TIMESTAMP_LTZ(v * 1000, 3), MAP['h', ENCODE(k, 'UTF-8')]"
        " FROM (VALUES ('a', 1), ('b', 2)) AS t (k, v)"
    )
    by_key = {one.key(): one for one in consume(broker, "meta", 2)}
    assert {
        key: (json.loads(one.value() or b""), one.headers(), one.timestamp()[1]) for key, one in by_key.items()
    } == {
        b"a": ({"v": 1}, [("h", b"a")], 1_000),
        b"b": ({"v": 2}, [("h", b"b")], 2_000),
    }
    rows = sql(
        "SELECT k, v, topic, part, `offset`, kind, epoch, raw_key, CAST(headers['h'] AS STRING) AS h"
        " FROM meta ORDER BY k"
    )
    assert [(row["k"], row["v"], row["topic"], row["kind"], row["raw_key"], row["h"]) for row in rows] == [
        ("a", 1, "meta", "CreateTime", b"a", "a"),
        ("b", 2, "meta", "CreateTime", b"b", "b"),
    ]
    assert [(row["part"], row["offset"]) for row in rows] == [
        (by_key[key].partition(), by_key[key].offset()) for key in (b"a", b"b")
    ]
    assert all(row["epoch"] is None or row["epoch"] >= 0 for row in rows)
