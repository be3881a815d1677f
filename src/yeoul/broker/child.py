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
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from yeoul.broker.config import FlushMode
from yeoul.broker.configuration.effective import Given, gather, make_config
from yeoul.broker.log_lines import LogLevel
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
        settings: More settings, under Kafka's names: `{"log.retention.ms": "60000"}`. With `listeners`, leave `host`
            and `port` alone.
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
        settings: Mapping[str, str] | None = None,
        log_level: LogLevel = "warning",
        start: bool = True,
    ) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._temporary = None if data_dir else tempfile.mkdtemp(prefix="yeoul-broker-")
        self._given = {
            "log.dirs": str(data_dir or self._temporary),
            "yeoul.flush": flush,
            "num.partitions": str(num_partitions),
            "auto.create.topics.enable": str(auto_create_topics).lower(),
            "yeoul.insecure": str(insecure).lower(),
            "yeoul.log.level": log_level,
            **(settings or {}),
        }
        if "listeners" not in self._given:
            self._given |= {"yeoul.host": host, "yeoul.port": str(port)}
        given = {name: Given(text, "Broker()") for name, text in self._given.items()}
        self.config = make_config(gather(given), Path())
        self.host, self.port = host, port
        self.addresses: dict[str, str] = {}
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
        command = [
            sys.executable,
            "-m",
            "yeoul.broker",
            "--settings-from-stdin",
            "--report-failure",
            "--end-with-stdin",
        ]
        # A session of its own: Ctrl-C in a terminal reaches the parent, which ends the broker in order.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._process.stdin is not None
        # Not as arguments: those can be read by everybody on the machine, and a setting may be a key.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(self._given) + "\n")
            self._process.stdin.flush()
        line = self._first_line()
        if not line.startswith(READY_PREFIX):
            self.kill()
            raise _failure(line)
        address, *several = line.removeprefix(READY_PREFIX).split()
        host, _, port = address.rpartition(":")
        self.host, self.port = host, int(port)
        self.addresses = dict(each.split("=", 1) for each in several) or {self.config.bound_listeners[0].name: address}
        self._keep_ports()

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

    def _keep_ports(self) -> None:
        """Makes the next start take the ports that this one got."""
        if "listeners" not in self._given:
            self._given["yeoul.port"] = str(self.port)
            return
        bound = [(each, self.addresses[each.name].rpartition(":")[2]) for each in self.config.listeners]
        self._given["listeners"] = ",".join(replace(each, port=int(port)).url for each, port in bound)

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
