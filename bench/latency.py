"""Produce to emitted row, through the broker: 10,000 events a second, open loop, each judged from when it was due.

Four processes: the broker (`flush=commit`), a paced producer, the job (`yeoul sql`), and a consumer of what it emits.
The producer's schedule is fixed beforehand and every event carries the moment at which it was *due*: whoever falls
behind is charged for the wait, so that no stall is left out. Beside it, in the same run: the bare `fdatasync` of the
broker's directory, and the same flow read by a plain client without a job between (what the log alone costs).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from numpy.typing import NDArray

from bench.latency_clients import event
from bench.measure import Row
from yeoul.broker import Broker
from yeoul.connectors.registry import CONNECTORS

EVENTS_PER_S = 10_000
PARTITIONS = 2
P50_BAR_MS, P99_BAR_MS = 5.0, 20.0
_WARM_UP_S = 3.0
_TIMEOUT_S = 60.0
_SYNCS_PER_S = 100

QUERIES = {
    "filter": "INSERT INTO emitted SELECT id, due_ns, account, price * 2 FROM events WHERE kind <> 'view'",
    "group by": "INSERT INTO emitted SELECT MAX(id), MAX(due_ns), account, SUM(price) FROM events"
    " WHERE kind <> 'view' GROUP BY account",
}
_UPDATING = {"group by"}


@dataclass(frozen=True)
class Seen:
    """How long after it was due each event had come how far, in ms; and what the processes cost.

    Attributes:
        acknowledged: The producer had the broker's word for it.
        written: The job put it into the record that it emitted (its timestamp: whole milliseconds, cut off).
        emitted: The consumer had what was emitted.
        cores: Processor seconds a second, by process.
    """

    acknowledged: NDArray[np.float64]
    written: NDArray[np.float64]
    emitted: NDArray[np.float64]
    cores: Mapping[str, float]


def run(duration_s: float, lingers_ms: Sequence[int] = (0, 1)) -> Iterator[Row]:
    """Yields the rows of each query and each linger of the producer."""
    with Broker() as broker:
        before = _bare_sync_ms(broker.data_dir, duration_s / 4)
        plain = _passed_through(broker, "plain", None, duration_s, lingers_ms[0])
        seen = {
            (name, linger_ms): _passed_through(
                broker, f"{name}-{linger_ms}".replace(" ", "-"), name, duration_s, linger_ms
            )
            for name in QUERIES
            if name not in _UPDATING or "upsert-kafka" in CONNECTORS
            for linger_ms in lingers_ms
        }
        bare = np.concatenate([before, _bare_sync_ms(broker.data_dir, duration_s / 4)])
    beside = f"bare fdatasync p99 {_at(bare, 99):.2f} ms; without a job p50 {_at(plain.emitted, 50):.1f}"
    for (name, linger_ms), one in seen.items():
        yield from _rows(
            f"latency, {name}, linger {linger_ms} ms", one, f"{beside}, p99 {_at(plain.emitted, 99):.1f} ms"
        )


def _rows(name: str, seen: Seen, beside: str) -> Iterator[Row]:
    p50, p99 = _at(seen.emitted, 50), _at(seen.emitted, 99)
    stages = {"acknowledged": seen.acknowledged, "written": seen.written}
    shown = ", ".join(f"{stage} {_at(times, 50):.1f}/{_at(times, 99):.1f}" for stage, times in stages.items())
    cores = ", ".join(f"{who} {cores * 100:.0f} %" for who, cores in seen.cores.items())
    yield Row(f"{name}: p50", p50, None, "ms", None, f"<= {P50_BAR_MS:g}", p50 <= P50_BAR_MS, beside)
    yield Row(
        f"{name}: p99", p99, None, "ms", None, f"<= {P99_BAR_MS:g}", p99 <= P99_BAR_MS, f"p50/p99 of stages: {shown}"
    )
    yield Row(f"{name}: p99.9", _at(seen.emitted, 99.9), None, "ms", None, "", True, f"of a core: {cores}")


def _at(times: NDArray[np.float64], percent: float) -> float:
    return float(np.percentile(times, percent))


def _bare_sync_ms(directory: Path, duration_s: float) -> NDArray[np.float64]:
    """Appends a kilobyte and syncs it, a hundred times a second."""
    path = directory / "bare-fdatasync"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    times_ms = []
    try:
        for _ in range(max(_SYNCS_PER_S, int(duration_s * _SYNCS_PER_S))):
            os.write(descriptor, b"x" * 1_024)
            before_s = time.perf_counter()
            os.fdatasync(descriptor)
            times_ms.append((time.perf_counter() - before_s) * 1_000)
            time.sleep(1 / _SYNCS_PER_S)
    finally:
        os.close(descriptor)
        path.unlink()
    return np.array(times_ms)


def _passed_through(broker: Broker, name: str, query: str | None, duration_s: float, linger_ms: int) -> Seen:
    """Lets events flow through a query (None: straight to the consumer), and returns when they were where."""
    servers = broker.bootstrap_servers
    source, target = f"{name}-in", f"{name}-out" if query else f"{name}-in"
    admin = AdminClient({"bootstrap.servers": servers})
    topics = [NewTopic(source, PARTITIONS, 1), *([NewTopic(target, 1, 1)] if query else [])]
    for made in admin.create_topics(topics).values():
        made.result()
    count = int((duration_s + _WARM_UP_S) * EVENTS_PER_S)
    running: dict[str, subprocess.Popen[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        acks, stamps = f"{folder}/acks", f"{folder}/stamps"
        try:
            if query:
                running["job"] = _spawned("yeoul.cli", "sql", "-e", _statements(servers, source, target, query))
                _wait_for_job(servers, source, target, running["job"])
            running["consumer"] = _spawned("bench.latency_clients", "consume", servers, target, stamps)
            assert running["consumer"].stdout is not None
            assert running["consumer"].stdout.readline() == "ready\n"
            pids = {"broker": broker.pid, **{who: one.pid for who, one in running.items()}}
            before = {who: _processor_s(pid) for who, pid in pids.items()}
            started_s = time.monotonic()
            numbers = (str(count), str(EVENTS_PER_S), str(linger_ms))
            running["producer"] = _spawned("bench.latency_clients", "produce", servers, source, acks, *numbers)
            assert running["producer"].wait(count / EVENTS_PER_S + _TIMEOUT_S) == 0
            passed_s = time.monotonic() - started_s
            cores = {who: (_processor_s(pid) - before[who]) / passed_s for who, pid in pids.items()}
            time.sleep(1.0)
        finally:
            _end(running)
        acknowledged, emitted = np.load(acks), np.load(stamps)
    return Seen(
        _since_due(acknowledged, "at_ns"), _since_due(emitted, "written_ns"), _since_due(emitted, "at_ns"), cores
    )


def _since_due(stamps: NDArray[np.void], when: str) -> NDArray[np.float64]:
    warm = stamps[stamps["id"] >= _WARM_UP_S * EVENTS_PER_S]
    assert len(warm), "nothing came through"
    return (warm[when] - warm["due_ns"]) / 1e6


def _statements(servers: str, source: str, target: str, query: str) -> str:
    kafka = f"'properties.bootstrap.servers' = '{servers}'"
    keyed = "'connector' = 'upsert-kafka', 'key.format' = 'json', 'value.format' = 'json'"
    into = keyed if query in _UPDATING else "'connector' = 'kafka', 'format' = 'json'"
    key = ", PRIMARY KEY (account) NOT ENFORCED" if query in _UPDATING else ""
    return f"""
        CREATE TABLE events (id BIGINT, due_ns BIGINT, account BIGINT, kind STRING, price BIGINT) WITH (
            'connector' = 'kafka', 'topic' = '{source}', {kafka},
            'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
        CREATE TABLE emitted (id BIGINT, due_ns BIGINT, account BIGINT, price BIGINT{key}) WITH (
            'topic' = '{target}', {kafka}, {into});
        {QUERIES[query]}"""


def _wait_for_job(servers: str, source: str, target: str, job: subprocess.Popen[str]) -> None:
    """Sends an event that counts for nothing and waits until the job has emitted it: it is compiled, and reads."""
    producer = Producer({"bootstrap.servers": servers})
    producer.produce(source, event(-4, time.time_ns()), partition=0)
    assert producer.flush(30) == 0
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "bench"})
    deadline_s = time.monotonic() + _TIMEOUT_S
    while consumer.get_watermark_offsets(TopicPartition(target, 0), timeout=10)[1] == 0:
        if job.poll() is not None or time.monotonic() > deadline_s:
            raise RuntimeError(
                f"The job emits nothing: {job.stderr.read() if job.stderr and job.poll() else 'time is up'}"
            )
        time.sleep(0.05)
    consumer.close()


def _spawned(module: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def _end(running: Mapping[str, subprocess.Popen[str]]) -> None:
    for process in running.values():
        process.terminate()
    for process in running.values():
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


def _processor_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system
