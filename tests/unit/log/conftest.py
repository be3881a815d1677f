"""A log on a disk in memory, driven step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from yeoul.clock import ManualClock
from yeoul.log.directory import Log
from yeoul.log.errors import LogStopped
from yeoul.log.flusher import FlushMode
from yeoul.log.partition import Appended, ColdRead, Fetched, PartitionLog
from yeoul.log.volatile_disk import StepWorkers, VolatileDisk
from yeoul.wire.compression import Codec
from yeoul.wire.records import Record, decode_records, encode_batch, iter_batches, read_header

DATA = Path("/data")


class Bench:
    """One log with one topic `t`; `settle` runs flush rounds to their end."""

    def __init__(self, flush: FlushMode = FlushMode.COMMIT) -> None:
        self.disk = VolatileDisk(DATA)
        self.clock = ManualClock(1_000_000)
        self.flush = flush
        self.failures: list[LogStopped] = []
        self.open()

    def open(self) -> None:
        self.workers = StepWorkers()
        self.log = Log(
            DATA,
            defer=self.workers.call_soon,
            post=self.workers.call_soon,
            on_fatal=self.failures.append,
            flush=self.flush,
            disk=self.disk,
            workers=self.workers,
            clock=self.clock,
        )

    def topic(self, **entries: object) -> PartitionLog:
        """Makes `t` with one partition; configuration names have underscores here."""
        return self.log.create_topic("t", 1, self.config(entries)).partitions[0]

    @staticmethod
    def config(entries: Mapping[str, object]) -> dict[str, str]:
        return {name.replace("_", "."): str(value) for name, value in entries.items()}

    @property
    def partition(self) -> PartitionLog:
        partition = self.log.partition("t", 0)
        assert partition is not None
        return partition

    def append(self, *values: bytes, at_ms: int = 0, codec: Codec = Codec.NONE, step_ms: int = 0) -> Appended:
        records = [Record(number, at_ms + number * step_ms, None, value) for number, value in enumerate(values)]
        batch = encode_batch(records, codec=codec)
        return self.partition.append(batch, [read_header(batch)])

    def settle(self) -> None:
        self.workers.settle()

    def restart(self, *, kept: Callable[[int], int] | None = None, orderly: bool = False) -> PartitionLog:
        if orderly:
            self.log.close()
        self.disk = self.disk.crash(keep=kept)
        self.open()
        return self.partition

    def read(self, offset: int, max_bytes: int = 1 << 20) -> Fetched:
        fetched = self.partition.read(offset, max_bytes)
        return fetched.load() if isinstance(fetched, ColdRead) else fetched

    def values(self, max_bytes: int = 1 << 20) -> list[bytes | None]:
        """Every committed record's value."""
        offset, values = self.partition.start_offset, []
        while offset < self.partition.high_watermark:
            data = self.read(offset, max_bytes).data
            records = [r for at, _ in iter_batches(data) for r in decode_records(data, at) if r.offset >= offset]
            values += [record.value for record in records]
            offset = records[-1].offset + 1
        return values


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def os_flush_bench() -> Bench:
    return Bench(FlushMode.OS)


@pytest.fixture
def interval_flush_bench() -> Bench:
    return Bench(FlushMode.INTERVAL)
