"""How soon things are there: `import yeoul`, a broker's first acknowledged message; what an idle broker weighs."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
from confluent_kafka import Producer

from bench.measure import Row, below
from yeoul.broker import Broker


def run(repeats: int) -> Iterator[Row]:
    """Yields the rows, medians over `repeats`."""
    yield below("import yeoul", _import_ms(repeats), 150, "ms", "over an empty interpreter")
    first_ack_s, idle_mb = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        with Broker() as broker:
            producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "linger.ms": 0})
            producer.produce("first", b"message")
            assert producer.flush(10) == 0
            first_ack_s.append(time.perf_counter() - start)
            idle_mb.append(psutil.Process(broker.pid).memory_info().rss / 1e6)
    yield below("broker start -> first acknowledged produce", statistics.median(first_ack_s), 0.5, "s")
    yield below("broker, resident memory when idle", statistics.median(idle_mb), 120, "MB")


def _import_ms(repeats: int) -> float:
    def median_s(code: str) -> float:
        times = []
        for _ in range(repeats * 3):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(time.perf_counter() - start)
        return statistics.median(times)

    return (median_s("import yeoul") - median_s("pass")) * 1000
