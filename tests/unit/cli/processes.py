"""Running the command line: in processes of its own, as a user does, or in this one, which is much quicker."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from yeoul.cli.main import main

__all__ = [
    "Finished",
    "answers",
    "command",
    "environment",
    "listening_port",
    "server",
    "wait_until",
    "yeoul",
    "yeoul_here",
]


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str


def command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "yeoul", *arguments]


def environment(**extra: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return own | {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"} | extra


def yeoul(*arguments: str, stdin: str | bytes = b"", timeout_s: float = 110, cwd: Path | None = None) -> Finished:
    """Runs one command to its end."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        command(arguments), input=data, capture_output=True, timeout=timeout_s, env=environment(), cwd=cwd, check=False
    )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


def yeoul_here(*arguments: str, stdin: str | bytes = b"") -> Finished:
    """Runs one command in this process, with streams of its own."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "utf-8"))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        code = main(arguments)
    return Finished(code, *(_text_of(stream) for stream in (out, err)))


def _text_of(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()


@dataclass(slots=True)
class Server:
    """A running `yeoul up` or `yeoul broker`."""

    process: subprocess.Popen[bytes]
    addresses: Mapping[str, str]
    errors: Path

    def said(self) -> str:
        return self.errors.read_text()


@contextmanager
def server(directory: Path, *arguments: str) -> Iterator[Server]:
    """Starts a command that writes a ready file, and ends it afterwards."""
    ready, errors, out = directory / "ready.json", directory / "stderr", directory / "stdout"
    with errors.open("wb") as stderr, out.open("wb") as stdout:
        process = subprocess.Popen(
            command([*arguments, "--ready-file", str(ready)]), stdout=stdout, stderr=stderr, env=environment()
        )
    try:
        wait_until(lambda: ready.exists() or process.poll() is not None, "the server is ready")
        assert ready.exists(), errors.read_text()
        yield Server(process, json.loads(ready.read_text()), errors)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 40) -> None:
    """Returns once a condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {timeout_s} s: {what}")
        time.sleep(0.02)


@contextmanager
def listening_port() -> Iterator[int]:
    """A port that somebody else has."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def answers(address: str) -> bool:
    """Tells whether something accepts connections at HOST:PORT."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True
