"""`yeoul up` and `yeoul broker` as processes: ready when they say so, stopped cleanly, restarted, never left behind."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest
from tests.unit.cli.processes import answers, listening_port, server, wait_until, yeoul


def broker_of(pid: int) -> psutil.Process:
    (found,) = [one for one in psutil.Process(pid).children() if "yeoul.broker" in one.cmdline()]
    return found


def free_up(tmp_path: Path) -> tuple[str, ...]:
    return ("up", "--data-dir", str(tmp_path / "data"), "--kafka-port", "0", "--http-port", "0")


def test_up_is_ready_when_it_says_so_and_sigterm_ends_all_of_it(tmp_path: Path) -> None:
    with server(tmp_path, *free_up(tmp_path)) as up:
        assert set(up.addresses) == {"kafka", "http"}
        assert answers(up.addresses["kafka"])
        assert answers(up.addresses["http"])
        children = psutil.Process(up.process.pid).children(recursive=True)
        assert len(children) >= 2
        up.process.terminate()
        assert up.process.wait(30) == 0
        assert not psutil.wait_procs(children, timeout=10)[1]
        assert up.said() == ""
    line = (tmp_path / "stdout").read_text()
    assert line.splitlines() == [
        f"yeoul is up: kafka {up.addresses['kafka']}, web {up.addresses['http']} (Ctrl-C stops)"
    ]


def test_a_broker_that_dies_comes_back_on_its_port_and_it_is_said_aloud(tmp_path: Path) -> None:
    with server(tmp_path, *free_up(tmp_path)) as up:
        first = broker_of(up.process.pid)
        first.kill()
        wait_until(lambda: "broker is back at" in up.said(), "the broker is back")
        assert "yeoul: broker ended with signal 9; starting it again in 0.25 s" in up.said()
        assert f"yeoul: broker is back at {up.addresses['kafka']}" in up.said()
        assert broker_of(up.process.pid).pid != first.pid
        assert answers(up.addresses["kafka"])


def test_a_killed_supervisor_leaves_nothing_behind(tmp_path: Path) -> None:
    with server(tmp_path, *free_up(tmp_path)) as up:
        children = psutil.Process(up.process.pid).children(recursive=True)
        up.process.kill()
        up.process.wait(10)
        assert not psutil.wait_procs(children, timeout=20)[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_broker_alone_is_ready_and_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    arguments = ("broker", "--data-dir", str(tmp_path / "data"), "--kafka-port", "0")
    with server(tmp_path, *arguments) as broker:
        assert answers(broker.addresses["kafka"])
        broker.process.send_signal(number)
        assert broker.process.wait(30) == 0
        assert broker.said() == ""


@pytest.mark.parametrize("command", ["up", "broker"])
def test_a_taken_port_is_one_clear_error(tmp_path: Path, command: str) -> None:
    with listening_port() as port:
        done = yeoul(command, "--data-dir", str(tmp_path / "data"), "--kafka-port", str(port))
    assert done.code == 1
    assert f"127.0.0.1:{port}" in done.err
    assert done.err.startswith("error: ")
    assert "\nhint: " in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("command", ["up", "broker"])
def test_an_address_that_others_can_reach_is_refused(tmp_path: Path, command: str) -> None:
    done = yeoul(command, "--data-dir", str(tmp_path / "data"), "--host", "0.0.0.0", "--kafka-port", "0")
    assert done.code == 1
    assert done.err.startswith("error: Refused to listen on '0.0.0.0'")
    assert "--insecure" in done.err
