"""The jobs' answers against DuckDB's, over the same events made again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import msgspec
import polars as pl
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from soak.engine.events import Stream
from soak.engine.jobs import JOBS, Answer

__all__ = ["differences"]

_STRETCH = 250_000
_SETTLED_MS = 15_000
"""Answers that the last events could still have changed are left out of the comparison."""


def differences(stream: Stream, count: int, servers: str, printed: Path) -> Mapping[str, tuple[int, int]]:
    """Returns, for each job, how many answers were compared and how many of them differ."""
    connection = duckdb.connect()
    frames = [stream.rows(first, min(_STRETCH, count - first)) for first in range(0, count, _STRETCH)]
    made = pl.concat(frames).filter(~pl.col("broken"))
    connection.register("events", made.to_arrow())
    connection.execute("CREATE VIEW timely AS SELECT * FROM events WHERE NOT late").fetchall()
    last_ms = made.filter(~pl.col("late"))["ts"].max()
    assert isinstance(last_ms, int)
    found = {}
    for name, answer in JOBS.items():
        rows = _printed(printed, answer) if answer.keyed else _emitted(servers, name)
        before = f"WHERE {answer.until} < {last_ms - _SETTLED_MS}" if not answer.keyed else ""
        connection.register("ours", rows.to_arrow())
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE theirs AS SELECT * FROM ({answer.oracle}) {before}"
        ).fetchall()
        [(compared,)] = connection.execute("SELECT COUNT(*) FROM theirs").fetchall()
        [(differing,)] = connection.execute(
            f"""SELECT COUNT(*) FROM ((SELECT * FROM (SELECT * FROM ours {before}) EXCEPT ALL SELECT * FROM theirs)
            UNION ALL (SELECT * FROM theirs EXCEPT ALL SELECT * FROM (SELECT * FROM ours {before})))"""
        ).fetchall()
        found[name] = (compared, differing)
    return found


def _emitted(servers: str, topic: str) -> pl.DataFrame:
    names = [column.split()[0] for column in JOBS[topic].columns.split(", ")]
    values = [msgspec.json.decode(value) for value in _values(servers, topic)]
    return pl.DataFrame(values, schema=dict.fromkeys(names, pl.Int64))


def _values(servers: str, topic: str) -> Iterator[bytes]:
    """Yields every record's value of a topic of one partition."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "soak", "enable.auto.commit": False})
    end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)[1]
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    taken = 0
    while taken < end:
        for message in consumer.consume(10_000, timeout=10):
            taken += 1
            value = message.value()
            if value is not None:
                yield value
    consumer.close()


def _printed(file: Path, answer: Answer) -> pl.DataFrame:
    """Returns the last row of each key of what `print` wrote."""
    names = [column.split()[0] for column in answer.columns.split(", ")]
    pattern = re.compile(r"^(\+I|\+U)\[(.*)\]$")
    last: dict[str, list[int]] = {}
    with file.open() as lines:
        for line in lines:
            match = pattern.match(line)
            if match is not None:
                row = match[2].split(", ")
                last[row[0]] = [int(one) for one in row]
    return pl.DataFrame(list(last.values()), schema=dict.fromkeys(names, pl.Int64), orient="row")
