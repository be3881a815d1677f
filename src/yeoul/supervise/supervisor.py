"""Carries out what `decisions` says: real processes, signals, ready files.

Each child is a process group of its own, so that a Ctrl-C at the terminal reaches only us and children stop in order;
each is tied to our life by `tether`. A child says that it is ready by writing a file: `{"<key>": "<address>"}`, or the
address alone. Between events the supervisor sleeps: it is woken by signals (a child that ended is one) and by time.
"""

from __future__ import annotations

import contextlib
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from yeoul.clock import SYSTEM_CLOCK, Clock
from yeoul.supervise.decisions import (
    Announce,
    Effect,
    Finish,
    Kill,
    Policy,
    Say,
    Spawn,
    Supervision,
    Terminate,
)
from yeoul.supervise.ready import read_address

__all__ = ["ChildSpec", "Supervisor"]

_READY_CHECK_S = 0.02
_SERVES_NOTHING = "(serves nothing)"


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A child to keep running.

    Attributes:
        name: For people.
        key: Its address's name in ready files: `kafka`, `http`; empty for a child that serves nothing, which is
            ready as soon as it was started.
        command: Module and arguments, given the addresses known so far (its own too, once it was ready: a restart
            keeps its port) and where to write its ready file.
    """

    name: str
    key: str
    command: Callable[[Mapping[str, str], Path], Sequence[str]]


@dataclass(slots=True)
class Supervisor:
    """Keeps children running until it is told to stop.

    Args:
        specs: The children, each depending on those before it.
        on_ready: Called once, with the address of each child by its key.
        say: Tells the user something.
    """

    specs: Sequence[ChildSpec]
    on_ready: Callable[[Mapping[str, str]], None]
    say: Callable[[str], None] = lambda text: print(f"yeoul: {text}", file=sys.stderr, flush=True)
    policy: Policy = field(default_factory=Policy)
    clock: Clock = SYSTEM_CLOCK
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict, init=False)
    _code: int | None = field(default=None, init=False)

    def run(self) -> int:
        """Runs until SIGTERM, SIGINT or a failed start; returns the exit code, when no child is left."""
        state = Supervision([spec.name for spec in self.specs], self.policy)
        with tempfile.TemporaryDirectory(prefix="yeoul-up-") as directory, _signals() as (wake, asked):
            try:
                self._do(state, state.start(self._now_s()), Path(directory))
                while self._code is None:
                    _sleep(wake, self._pause_s(state))
                    for effects in self._events(state, asked, Path(directory)):
                        self._do(state, effects, Path(directory))
            finally:
                self._kill_rest()
        return self._code

    def _events(self, state: Supervision, asked: list[int], directory: Path) -> Iterator[list[Effect]]:
        while asked:
            asked.pop()
            yield state.stop(self._now_s())
        for name, process in list(self._processes.items()):
            code = process.poll()
            if code is not None:
                del self._processes[name]
                yield state.exited(name, code, self._now_s())
        if state.is_starting:
            for spec in self.specs:
                address = read_address(_ready_file(directory, spec), spec.key) if spec.key else _SERVES_NOTHING
                if address and spec.name in self._processes:
                    yield state.ready(spec.name, address, self._now_s())
        yield state.tick(self._now_s())

    def _do(self, state: Supervision, effects: Sequence[Effect], directory: Path) -> None:
        for effect in effects:
            match effect:
                case Spawn(name):
                    self._spawn(self._spec(name), state, directory)
                case Terminate(name):
                    self._signal(name, signal.SIGTERM)
                case Kill(name):
                    self._signal(name, signal.SIGKILL)
                case Say(text):
                    self.say(text)
                case Announce(addresses):
                    self.on_ready(self._by_key(addresses))
                case Finish(code):
                    self._code = code

    def _spawn(self, spec: ChildSpec, state: Supervision, directory: Path) -> None:
        ready_file = _ready_file(directory, spec)
        ready_file.unlink(missing_ok=True)
        command = spec.command(self._by_key(state.addresses()), ready_file)
        self._processes[spec.name] = subprocess.Popen(
            [sys.executable, "-m", "yeoul.supervise.tether", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            process_group=0,
        )

    def _signal(self, name: str, number: signal.Signals) -> None:
        process = self._processes.get(name)
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    def _kill_rest(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()

    def _by_key(self, addresses: Mapping[str, str]) -> dict[str, str]:
        specs = {self._spec(name): address for name, address in addresses.items()}
        return {spec.key: address for spec, address in specs.items() if spec.key}

    def _spec(self, name: str) -> ChildSpec:
        return next(spec for spec in self.specs if spec.name == name)

    def _pause_s(self, state: Supervision) -> float | None:
        if state.is_starting:
            return _READY_CHECK_S
        due_s = state.due_s()
        return None if due_s == float("inf") else max(0.0, due_s - self._now_s())

    def _now_s(self) -> float:
        return self.clock.monotonic_s()


def _ready_file(directory: Path, spec: ChildSpec) -> Path:
    return directory / f"{spec.name}.ready"


def _sleep(wake: socket.socket, pause_s: float | None) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(wake, selectors.EVENT_READ)
        if selector.select(pause_s):
            wake.recv(4096)


@contextlib.contextmanager
def _signals() -> Iterator[tuple[socket.socket, list[int]]]:
    """Collects SIGTERM and SIGINT in a list; any signal, SIGCHLD too, makes the socket readable."""
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            asked.append(number)

    reading, writing = socket.socketpair()
    reading.setblocking(False)
    writing.setblocking(False)
    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)}
    woken_before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    try:
        yield reading, asked
    finally:
        signal.set_wakeup_fd(woken_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        reading.close()
        writing.close()
