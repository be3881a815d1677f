"""Where `yeoul sql` begins: a session with its options, and the statements of -e, -f, standard input or a prompt."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from yeoul.cli.sql.prompt import ask
from yeoul.cli.sql.runner import Runner, Terminated
from yeoul.errors import EnvironmentFailure
from yeoul.jobs.session import Session

__all__ = ["run"]


def run(
    texts: Sequence[str],
    file: Path | None,
    form: str,
    state_dir: Path | None,
    catalog: Path | None = None,
    trigger: str | None = None,
    options: Mapping[str, str] | None = None,
) -> int:
    """Runs what was given on the command line, else standard input, else a prompt; returns the exit code."""
    if file is not None:
        texts = [*texts, _read(file)]
    with _ended_by_sigterm(), Session(state_directory=state_dir, catalog=catalog) as session:
        if trigger is not None:
            session.set_option("execution.trigger", trigger)
        for key, value in (options or {}).items():
            session.set_option(key, value)
        runner = Runner(session, form)
        if not texts and sys.stdin.isatty():
            return ask(runner)
        return runner.run_all(texts or [sys.stdin.read()])


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Lets SIGTERM, which is how everything but a person ends a process, do what Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _read(file: Path) -> str:
    if str(file) == "-":
        return sys.stdin.read()
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise EnvironmentFailure(
            f"Cannot read {str(file)!r}: {error.strerror}", hint="-f expects a file of SQL statements."
        ) from None
    except UnicodeDecodeError as error:
        raise EnvironmentFailure(f"Cannot read {str(file)!r}: it is not UTF-8 at byte {error.start}") from None
