"""Compacted topics read as tables: gaps, emptied batches and markers of transactions in between."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from yeoul.broker import Broker
from yeoul.plan import types as t
from yeoul.plan.tables import Column, ColumnKind

pytestmark = pytest.mark.conformance

COLUMNS = [
    Column("id", t.BIGINT),
    Column("round", t.BIGINT),
    Column("offset", t.BIGINT, ColumnKind.METADATA),
]


@pytest.mark.parametrize("codec", ["none", "zstd"])
def test_a_compacted_topic_with_transactions_gives_the_last_row_of_each_key(
    tmp_path: Path, tables: Any, read: Any, codec: str
) -> None:
    with Broker(tmp_path / "data", settings={"log.cleaner.backoff.ms": "20"}) as broker:
        config = {"cleanup.policy": "compact", "segment.bytes": "8192", "min.cleanable.dirty.ratio": "0.01"}
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
        admin.create_topics([NewTopic("t", 1, config=config)])["t"].result(10)
        expected: dict[int, int] = {}
        producer = Producer(
            {"bootstrap.servers": broker.bootstrap_servers, "transactional.id": "x", "compression.type": codec}
        )
        producer.init_transactions(20)
        for number in range(120):
            producer.begin_transaction()
            written = {number * at % 13: number for at in range(1, 9)}
            for key, value in written.items():
                # The padding does not compress, so that segments fill up whatever the codec.
                row = {"id": key, "round": value, "pad": f"{hash((key, value)):x}" * 8}
                producer.produce("t", json.dumps(row).encode(), str(key))
            if number % 4:
                producer.commit_transaction(20)
                expected |= written
            else:
                producer.abort_transaction(20)
        options = {
            "connector": "kafka",
            "topic": "t",
            "properties.bootstrap.servers": broker.bootstrap_servers,
            "properties.isolation.level": "read_committed",
            "format": "json",
            "scan.startup.mode": "earliest-offset",
            "scan.bounded.mode": "latest-offset",
        }
        deadline_s = time.monotonic() + 60
        while len(rows := read(tables.source(COLUMNS, options)).sort("offset")) > 200:
            assert time.monotonic() < deadline_s, f"{len(rows)} rows are left"
            time.sleep(0.05)  # between two looks
        assert rows["offset"].is_sorted()
        assert rows["offset"].n_unique() == len(rows)
        assert dict(rows.select("id", "round").iter_rows()) == expected
