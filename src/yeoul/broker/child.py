"""A broker in a child process, for tests, benchmarks and the demo: spawned, never forked.

    with Broker() as broker:
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers})

    async with Broker(start=False) as broker:
        ...

Owns the child and, when none is given, a temporary data directory. Invariant: leaving the
block ends the child, and so does the end of the parent, however it comes.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from yeoul.broker.config import BrokerConfig, FlushMode
from yeoul.errors import EnvironmentFailure

__all__ = ["FAILED_PREFIX", "READY_PREFIX", "Broker"]

READY_PREFIX = "yeoul broker ready at "
FAILED_PREFIX = "yeoul broker failed: "

_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 20.0


class Broker:
    """One broker in a process of its own.

    Args:
        data_dir: Where its data is; None for a temporary directory that goes with it.
        host: The address to bind.
        port: The port to bind; 0 takes a free one, and keeps it over `restart`.
        flush: When an append counts as done.
        num_partitions: Partitions of topics created without a number.
        auto_create_topics: Whether asking for an unknown topic creates it.
        insecure: Allow an address that other machines can reach.
        log_level: What it writes to stderr.
        start: Start at once, and return when clients can connect. False leaves it to `with`, `async with` or `start`;
            `async with` then waits on a thread, so that the event loop runs on meanwhile.

    Raises:
        UserError: The settings are not allowed.
        EnvironmentFailure: It did not start; the message is the child's own.
    """

    def __init__(
        self,
        data_dir: Path | str | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        flush: FlushMode = "commit",
        num_partitions: int = 1,
        auto_create_topics: bool = True,
        insecure: bool = False,
        log_level: str = "warning",
        start: bool = True,
    ) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._temporary = None if data_dir else tempfile.mkdtemp(prefix="yeoul-broker-")
        self.config = BrokerConfig(
            data_dir=Path(data_dir or self._temporary or ""),
            host=host,
            port=port,
            flush=flush,
            num_partitions=num_partitions,
            auto_create_topics=auto_create_topics,
            insecure=insecure,
        )
        self._log_level = log_level
        self.host, self.port = host, port
        if start:
            self.start()

    @property
    def bootstrap_servers(self) -> str:
        """`host:port`, as clients want it."""
        return f"{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def data_dir(self) -> Path:
        return self.config.data_dir

    def start(self) -> None:
        """Starts the child and returns once clients can connect; on the port it had before, if it ran before."""
        command = [sys.executable, "-m", "yeoul.broker", *self._arguments()]
        # A session of its own: Ctrl-C in a terminal reaches the parent, which ends the broker in order.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        line = self._first_line()
        if not line.startswith(READY_PREFIX):
            self.kill()
            raise _failure(line)
        host, _, port = line.removeprefix(READY_PREFIX).strip().rpartition(":")
        self.host, self.port = host, int(port)

    def stop(self) -> None:
        """Ends the child in order: SIGTERM, and everything is durable."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_TIMEOUT_S)
            finally:
                self.kill()

    def kill(self) -> None:
        """Ends the child at this instant: SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None

    def restart(self) -> None:
        """Ends the child in order and starts it again on the same data and port."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Ends the child and removes its temporary directory, if it has one."""
        try:
            self.stop()
        finally:
            self._remove_temporary()

    def __enter__(self) -> Self:
        self._start_once()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        import asyncio

        starting = asyncio.ensure_future(asyncio.to_thread(self._start_once))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            # The thread cannot be called back: wait for what it brings up, and take that down again.
            await asyncio.gather(starting, return_exceptions=True)
            await asyncio.to_thread(self.close)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import asyncio

        await asyncio.to_thread(self.close)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.kill()
            self._remove_temporary()

    def _start_once(self) -> None:
        if self._process is None:
            self.start()

    def _remove_temporary(self) -> None:
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _arguments(self) -> list[str]:
        config = self.config
        arguments = [
            f"--data-dir={config.data_dir}",
            f"--host={config.host}",
            f"--port={self.port}",
            f"--flush={config.flush}",
            f"--num-partitions={config.num_partitions}",
            f"--log-level={self._log_level}",
            "--report-failure",
            "--end-with-stdin",
        ]
        if not config.auto_create_topics:
            arguments.append("--no-auto-create-topics")
        if config.insecure:
            arguments.append("--insecure")
        return arguments

    def _first_line(self) -> str:
        """Returns the child's first line, or what there is of it when it ends or takes too long."""
        assert self._process is not None
        assert self._process.stdout is not None
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline_s - time.monotonic())):
                return ""
        return self._process.stdout.readline()


def _failure(line: str) -> EnvironmentFailure:
    """Returns what a child said instead of being ready."""
    if line.startswith(FAILED_PREFIX):
        message, hint = json.loads(line.removeprefix(FAILED_PREFIX))
        return EnvironmentFailure(message, hint=hint)
    return EnvironmentFailure(
        f"The broker did not start within {_START_TIMEOUT_S:.0f} s; its output was {line!r}", hint="See stderr"
    )
