"""Cases as jobs over topics of a broker in its own process: a split is a partition."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from tests.random_queries.files import Files, format_of, record_of, text_of
from tests.random_queries.tables import SPLITS, Arrival, Table

from yeoul.broker import Broker

__all__ = ["Clients", "Topics"]

_NUMBERS = count()


class Clients:
    """What makes topics, and what writes records in small batches, to stop between them.

    Args:
        broker: Runs; the clients end with it.
    """

    def __init__(self, broker: Broker) -> None:
        self.address = broker.bootstrap_servers
        self.producer = Producer(
            {"bootstrap.servers": self.address, "batch.num.messages": 2, "linger.ms": 0, "log_level": 0}
        )
        self._admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})

    def create(self, topic: str) -> None:
        """Makes a topic with a partition for each split."""
        self._admin.create_topics([NewTopic(topic, len(SPLITS), 1)])[topic].result(10)


class Topics:
    """Where the rows of tables are: topics with names that no other case has.

    Args:
        clients: Of a broker.
        folder: For what cannot be a topic: what is looked up, and versions by a key of plain rows.
    """

    def __init__(self, clients: Clients, folder: Path) -> None:
        self._clients, self._files = clients, Files(folder)
        self._prefix = f"case{next(_NUMBERS)}"
        self._beyond: dict[str, list[int]] = {}

    def written(self, table: Table, arrivals: Sequence[Arrival]) -> str:
        """Writes a table's rows; returns what CREATE TABLE says of them."""
        if table.use in ("versions", "outside"):
            return self._files.written(table, arrivals)
        topic = f"{self._prefix}-{table.name}"
        self._clients.create(topic)
        counts = [0] * len(SPLITS)
        producer = self._clients.producer
        for one in arrivals:
            if one.table == table.name:
                key, value = _message(table, one)
                is_in_order = table.is_changing and table.time is None
                partition = 0 if is_in_order else SPLITS.index(one.split)
                producer.produce(topic, value, key=key, partition=partition)
                counts[partition] += 1
        assert producer.flush(30) == 0
        self._beyond[table.name] = counts
        common = f"'topic' = '{topic}', 'properties.bootstrap.servers' = '{self._clients.address}'"
        if table.use == "upserts":
            formats = "'connector' = 'upsert-kafka', 'key.format' = 'json', 'value.format' = 'json'"
        else:
            formats = f"'connector' = 'kafka', {format_of(table)}"
            formats += ", 'scan.startup.mode' = 'earliest-offset'"
        return f"WITH ({formats}, {common}, 'scan.bounded.mode' = 'latest-offset')"

    def first_split(self, table: Table) -> str:
        """Returns the options by which the first split of a table is read alone: where the others end."""
        _, *others = self._beyond[table.name]
        starts = ";".join(f"partition:{number},offset:{at}" for number, at in enumerate([0, *others]))
        return f"'scan.startup.mode' = 'specific-offsets', 'scan.startup.specific-offsets' = '{starts}'"


def _message(table: Table, one: Arrival) -> tuple[bytes | None, bytes | None]:
    """Returns a record's key and value; of upserts, a key that ends has no value."""
    if table.use != "upserts":
        return None, text_of(table, one).encode()
    record = record_of(table, one)
    assert table.key is not None
    row = record["before"] or record["after"]
    assert isinstance(row, dict)
    key = json.dumps({table.key.name: row[table.key.name]}, default=str).encode()
    return key, None if one.weight < 0 else json.dumps(row, default=str).encode()
