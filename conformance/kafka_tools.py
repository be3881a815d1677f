"""Kafka's own command line tools, run against a broker. Caller: test_kafka_tools."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from bench.apache_kafka import class_path

from yeoul.broker import Broker

__all__ = ["Tools"]

_TIMEOUT_S = 90.0
_ADVICE = "The consumer rebalance protocol (KIP-848) is production-ready!"
_PACKAGE = "org.apache.kafka.tools."
# One JVM per command: a small heap, the quick compiler and shared classes make it start in half the time.
_JVM = ("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")
_QUIET = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-Dlog4j2.level=ERROR")


class Tools:
    """The tools, bound to a broker.

    Args:
        broker: Where they connect.
        servers: The address, where it is not the broker's first.
        settings: A properties file for them (`--command-config`).
    """

    def __init__(self, broker: Broker, servers: str = "", settings: Path | None = None) -> None:
        self.broker = broker
        self._server = ["--bootstrap-server", servers or broker.bootstrap_servers]
        if settings is not None:
            self._server += ["--command-config", str(settings)]

    def command(self, name: str, *arguments: str) -> list[str]:
        """Returns the command that starts a tool, named by its class, without the package where it is the usual one."""
        main = name if name.startswith(("kafka.", "org.")) else _PACKAGE + name
        return [*_JVM, *_QUIET, "-cp", class_path(), main, *self._server, *arguments]

    def run(self, name: str, *arguments: str, stdin: str = "") -> str:
        """Runs a tool to its end and returns what it said.

        Raises:
            AssertionError: It failed.
        """
        code, said = self.attempt(name, *arguments, stdin=stdin)
        assert code == 0, f"{name} {arguments} ended with {code}: {said}"
        return said

    def attempt(self, name: str, *arguments: str, stdin: str = "") -> tuple[int, str]:
        """Runs a tool to its end and returns its exit code and what it said."""
        done = subprocess.run(
            self.command(name, *arguments), input=stdin, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def eventually(self, wanted: str, name: str, *arguments: str) -> str:
        """Runs a tool again and again until it says something; returns all that it said then."""
        deadline_s = time.monotonic() + _TIMEOUT_S
        while wanted not in (said := self.run(name, *arguments)):
            assert time.monotonic() < deadline_s, f"{name} never said {wanted!r}: {said}"
        return said

    def topic(self, name: str, *more: str) -> str:
        """Creates a topic and returns its name."""
        self.run("TopicCommand", "--create", "--topic", name, *more)
        return name

    def produce(self, topic: str, lines: Sequence[str], *more: str) -> None:
        self.run("ConsoleProducer", "--topic", topic, *more, stdin="".join(f"{line}\n" for line in lines))

    def consume(self, topic: str, count: int, *more: str) -> list[str]:
        """Returns so many lines that the console consumer prints, from the topic's beginning unless it is told else."""
        arguments = ("--topic", topic, "--max-messages", str(count), "--timeout-ms", "20000", *more)
        command = self.command("consumer.ConsoleConsumer", *arguments)
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
        assert done.returncode == 0, done.stderr
        read = [line for line in done.stdout.splitlines() if not line.startswith(_ADVICE)]
        assert len(read) == count, f"Expected {count} lines, got {read}: {done.stderr}"
        return read
