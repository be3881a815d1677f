"""The broker under test as a process that can be killed, stopped, continued and restarted.

Owns the process, its port (kept over restarts) and its log file. Invariant: `close` leaves no process behind, and the
broker ends with this process however it ends, as its standard input closes.
"""

from __future__ import annotations

import random
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["BrokerProcess", "StartFailed", "free_port"]

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 30.0


class StartFailed(Exception):
    """The broker did not come up: its recovery refused, or it took too long."""


def free_port() -> int:
    """Returns a port of this machine's own address that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class BrokerProcess:
    """One broker, many incarnations.

    Args:
        data_dir: Its data.
        advertised_port: What it tells clients.
        flush: When an append counts as done.
        seed: For the disk that forgets.
        log_path: Where its stderr goes.
    """

    def __init__(self, data_dir: Path, advertised_port: int, flush: str, seed: int, log_path: Path) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.log_path = log_path
        self.forgetful = False
        self.starts = 0
        self._advertised_port = advertised_port
        self._flush = flush
        self._chance = random.Random(seed)
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self, *, forgetful: bool) -> None:
        """Starts the process and returns at once."""
        self.starts += 1
        self.forgetful = forgetful
        command = [
            *(sys.executable, "-m", "soak.launch", f"--data-dir={self.data_dir}", f"--port={self.port}"),
            *(f"--advertised-port={self._advertised_port}", f"--flush={self._flush}"),
            *((f"--seed={self._chance.getrandbits(32)}", "--forgetful") if forgetful else ()),
        ]
        with self.log_path.open("ab") as log:
            log.write(f"-- start {self.starts}, forgetful={forgetful}\n".encode())
            log.flush()
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )

    def wait_ready(self) -> None:
        """Returns once clients can connect.

        Raises:
            StartFailed: It ended, or did not come up in time.
        """
        assert self._process is not None
        assert self._process.stdout is not None
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if selector.select(deadline_s - time.monotonic()) and self._process.stdout.readline().startswith("ready"):
                return
        self.kill()
        tail = self.log_path.read_text(errors="replace").splitlines()[-5:]
        raise StartFailed(f"start {self.starts} failed: " + " / ".join(tail))

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._reap()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            return self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return -1
        finally:
            self._reap()

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Ends it, whatever state it is in."""
        self.resume()
        self.kill()

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _reap(self) -> None:
        assert self._process is not None
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process = None
