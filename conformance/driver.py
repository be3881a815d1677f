"""A client program that runs checks by name: one process for all of them, one verdict each.

The program reads a name a line and answers with a line `@@ ok`, `@@ skipped WHY` or `@@ failed WHY` (`?` asks for all
names). Owns the process; leaving the block ends it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

__all__ = ["Driver"]

_MARK = b"@@ "
_ANSWER_TIMEOUT_S = 90.0


class Driver:
    """One running program.

    Args:
        command: What starts it.
        folder: Where it runs.
        environment: Added to this process's own.
    """

    def __init__(self, command: Sequence[str | Path], folder: Path | None = None, **environment: str) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._unread = b""

    def names(self) -> set[str]:
        """Returns the names of all checks that the program has."""
        return set(self._ask("?").split())

    def check(self, name: str) -> None:
        """Runs a check; fails or skips the test that calls it as the program says."""
        verdict, _, why = self._ask(name).partition(" ")
        if verdict == "skipped":
            pytest.skip(why)
        if verdict != "ok":
            pytest.fail(why.replace("\\n", "\n").replace("\\\\", "\\"), pytrace=False)

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        deadline_s = time.monotonic() + _ANSWER_TIMEOUT_S
        while True:
            answer = self._next_line(deadline_s)
            if answer.startswith(_MARK):
                return answer.removeprefix(_MARK).decode().strip()

    def _next_line(self, deadline_s: float) -> bytes:
        """Returns the next line that the program printed.

        Raises:
            RuntimeError: It ended, or took too long and was ended.
        """
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(max(0.0, deadline_s - time.monotonic())):
                    self.close()
                    raise RuntimeError("The program did not answer")
                piece = self._process.stdout.read(65_536)
                if piece == b"":
                    raise RuntimeError(f"The program ended: {self._last_words()}")
                self._unread += piece or b""
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _last_words(self) -> str:
        self._errors.seek(0)
        return self._errors.read()[-3_000:].decode(errors="replace")

    def close(self) -> None:
        """Ends the program."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._errors.close()
