"""The kernel's own syncs: each is told once, on the loop, with what went wrong; and nobody needs them."""

from __future__ import annotations

import asyncio
import errno
import os
import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from yeoul.log.directory import Log
from yeoul.log.disk import RealDisk
from yeoul.log.errors import LogStopped
from yeoul.log.kernel_sync import KernelSync
from yeoul.log.workers import Job, WorkerThreads
from yeoul.wire.records import Record, encode_batch, read_header


class _CountedThreads(WorkerThreads):
    """Workers that count what is asked of them."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs = 0

    def submit(self, job: Job) -> None:
        self.jobs += 1
        super().submit(job)


def _opened(loop: asyncio.AbstractEventLoop) -> KernelSync:
    kernel = KernelSync.open(loop.add_reader, loop.remove_reader)
    if kernel is None:
        pytest.skip("this kernel has no asynchronous I/O for us")
    return kernel


def test_each_sync_is_told_once(tmp_path: Path) -> None:
    async def sync() -> list[OSError | None]:
        loop = asyncio.get_running_loop()
        kernel, told, all_told = _opened(loop), [], asyncio.Event()
        files = [RealDisk().open(tmp_path / str(number), create=True) for number in range(3)]

        def done(failure: OSError | None) -> None:
            told.append(failure)
            if len(told) == 20:
                all_told.set()

        for _ in range(20):
            for file in files:
                file.write_at([b"x"], file.size_bytes())
            assert kernel.begin([file.fileno() for file in files], done)
        await asyncio.wait_for(all_told.wait(), 30)
        kernel.close()
        return told

    assert asyncio.run(sync()) == [None] * 20


def test_what_is_under_way_ends_before_it_closes(tmp_path: Path) -> None:
    async def sync() -> list[OSError | None]:
        kernel, told = _opened(asyncio.get_running_loop()), []
        file = RealDisk().open(tmp_path / "file", create=True)
        file.write_at([bytes(1 << 20)], 0)
        assert kernel.begin([file.fileno()], told.append)
        del file  # closed, and synced all the same
        kernel.close()
        kernel.close()
        return told

    assert asyncio.run(sync()) == [None]


def test_it_refuses_what_it_cannot_sync(tmp_path: Path) -> None:
    async def sync() -> list[OSError | None]:
        kernel, told = _opened(asyncio.get_running_loop()), []
        file = RealDisk().open(tmp_path / "file", create=True)
        read_end, write_end = os.pipe()
        assert not kernel.begin([read_end, file.fileno()], told.append)
        assert told == []
        assert kernel.begin([file.fileno(), read_end], told.append)
        os.close(read_end)
        os.close(write_end)
        kernel.close()
        return told

    (failure,) = asyncio.run(sync())
    assert failure is not None
    assert failure.errno == errno.EINVAL


def test_a_machine_that_it_does_not_know_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    assert KernelSync.open(_never, _never) is None


def _never(*_: object) -> None:
    raise AssertionError("nothing is to be watched")


class _Appending:
    """A log of one partition, on the real disk and the running loop."""

    def __init__(self, directory: Path, kernel: KernelSync) -> None:
        loop = asyncio.get_running_loop()
        self.threads = _CountedThreads()
        self.stopped: asyncio.Future[LogStopped] = loop.create_future()
        self.log = Log(
            directory,
            defer=loop.call_soon,
            post=loop.call_soon_threadsafe,
            on_fatal=self.stopped.set_result,
            workers=self.threads,
            kernel=kernel,
        )
        self.partition = self.log.create_topic("t", 1).partitions[0]

    async def append(self) -> LogStopped | None:
        """Returns what the append was answered."""
        batch = encode_batch([Record(0, 0, None, b"v")])
        answer: asyncio.Future[LogStopped | None] = asyncio.get_running_loop().create_future()
        end_offset = self.partition.append(batch, [read_header(batch)]).end_offset
        assert not self.partition.when_committed(end_offset, answer.set_result)
        return await asyncio.wait_for(answer, 30)


def test_a_new_segment_takes_a_thread_and_what_follows_none(tmp_path: Path) -> None:
    async def append() -> None:
        appending = _Appending(tmp_path, _opened(asyncio.get_running_loop()))
        assert await appending.append() is None
        jobs = appending.threads.jobs
        for _ in range(3):
            assert await appending.append() is None
        assert appending.threads.jobs == jobs
        assert appending.partition.durable_offset == 4
        appending.log.close()

    asyncio.run(append())


def test_a_sync_that_fails_stops_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def append() -> LogStopped:
        loop = asyncio.get_running_loop()
        kernel = _opened(loop)
        appending = _Appending(tmp_path, kernel)
        assert await appending.append() is None

        def begin(descriptors: object, done: Callable[[OSError | None], None]) -> bool:
            loop.call_soon(done, OSError(errno.EIO, "planted"))
            return True

        monkeypatch.setattr(kernel, "begin", begin)
        refused = await appending.append()
        stopped = await asyncio.wait_for(appending.stopped, 30)
        assert refused is stopped
        appending.log.close()
        return stopped

    stopped = asyncio.run(append())
    assert isinstance(stopped.__cause__, OSError)
    assert stopped.__cause__.errno == errno.EIO
