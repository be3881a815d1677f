"""Starting a broker: what a newcomer gets wrong and is told, and how little it takes to start."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from yeoul.broker import Broker, BrokerConfig
from yeoul.broker.process import run_broker
from yeoul.broker.server import Server
from yeoul.errors import EnvironmentFailure, UserError
from yeoul.log.errors import LogStopped


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "yeoul.broker", *arguments], capture_output=True, text=True, timeout=30, check=False
    )


def test_an_address_that_others_can_reach_is_refused(tmp_path: Path) -> None:
    result = run(f"--data-dir={tmp_path}", "--host=0.0.0.0")
    assert (result.returncode, result.stderr) == (
        1,
        "error: Refused to listen on '0.0.0.0': other machines could reach it, and there is no authentication\n"
        "hint: Listen on 127.0.0.1, make peers say who they are (SASL_SSL, or SSL with ssl.client.auth=required),"
        " or pass --insecure (insecure=True) if you trust the network\n",
    )


def test_insecure_allows_it(tmp_path: Path) -> None:
    with Broker(tmp_path, host="0.0.0.0", insecure=True) as broker:
        assert broker.port > 0


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run(f"--data-dir={tmp_path}", f"--port={port}")
    assert (result.returncode, result.stderr) == (
        1,
        f"error: Cannot listen on 127.0.0.1:{port}: the port is taken\n"
        "hint: Stop what listens there, or choose another port; port 0 takes a free one\n",
    )


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run(f"--data-dir={tmp_path / 'file' / 'data'}")
    assert (result.returncode, result.stderr) == (
        1,
        f"error: Cannot use the data directory '{tmp_path / 'file' / 'data'}': Not a directory\n"
        "hint: Choose a directory that you may write to with --data-dir\n",
    )


def test_two_brokers_never_share_a_data_directory(tmp_path: Path) -> None:
    with Broker(tmp_path):
        result = run(f"--data-dir={tmp_path}")
        with pytest.raises(EnvironmentFailure, match="Another broker runs on"):
            Broker(tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: Another broker runs on {tmp_path}\nhint: ")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"port": 70_000}, "Expected a port from 0 to 65535, got 70000"),
        ({"flush": "never"}, "Expected a flush mode of 'commit', 'interval' or 'os', got 'never'"),
        ({"num_partitions": 0}, "Expected 1 to 20000 partitions, got 0"),
    ],
)
def test_settings_out_of_range_are_refused(tmp_path: Path, settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        BrokerConfig(tmp_path, **settings)  # type: ignore[arg-type]
    assert caught.value.message == message


def test_a_signal_ends_it_in_order(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    process = broker._process
    assert process is not None
    process.terminate()
    assert process.wait(20) == 0
    assert (tmp_path / "clean-shutdown").exists()
    broker.close()


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, yeoul.broker.__main__, yeoul.broker.server\n"
        "print([name for name in ('numba', 'polars', 'pyarrow', 'numpy', 'sqlglot') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_it_starts_at_once_and_is_small_when_idle(tmp_path: Path) -> None:
    """The bars are 0.5 s and 120 MB on a quiet machine; the benchmark holds them, this holds the order of magnitude."""
    started_s = time.monotonic()
    with Broker(tmp_path) as broker:
        assert time.monotonic() - started_s < 5
        assert psutil.Process(broker.pid).memory_info().rss < 120 << 20


@pytest.mark.parametrize("flush", ["commit", "interval", "os"])
def test_every_flush_mode_keeps_records_over_an_orderly_restart(tmp_path: Path, flush: str) -> None:
    with Broker(tmp_path, flush=flush) as broker:  # type: ignore[arg-type]
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
        producer.produce("t", b"kept")
        assert producer.flush(10) == 0
        broker.restart()
        consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "g"})
        consumer.assign([TopicPartition("t", 0, 0)])
        message = consumer.poll(10)
        consumer.close()
    assert message is not None
    assert message.value() == b"kept"


def test_a_disk_that_fails_ends_the_broker_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Server):
        async def listen(self) -> None:
            await super().listen()
            self.loop.call_soon(self._log._flusher.fail, OSError(5, "Input/output error"))

    monkeypatch.setattr("yeoul.broker.process.Server", Failing)
    addresses: list[tuple[str, int]] = []
    with pytest.raises(LogStopped, match="Input/output error"):
        run_broker(BrokerConfig(tmp_path), addresses.append)
    assert len(addresses) == 1
    assert not (tmp_path / "clean-shutdown").exists()


def test_no_broker_outlives_its_parent(tmp_path: Path) -> None:
    code = (
        "import os, signal\n"
        "from yeoul.broker import Broker\n"
        f"broker = Broker({str(tmp_path)!r})\n"
        "print(broker.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, timeout=30, check=False)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(parent.stdout)).wait(20)
    assert (tmp_path / "clean-shutdown").exists()
