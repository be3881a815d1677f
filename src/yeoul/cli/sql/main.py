"""Where `yeoul sql` begins: a session with its options, and the statements of -e, -f, standard input or a prompt."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from yeoul.cli.sql.ending import ended_by_interrupts, ended_by_sigterm
from yeoul.cli.sql.prompt import ask
from yeoul.cli.sql.runner import Runner
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
    is_prompt = not texts and sys.stdin.isatty()
    ended_by_ctrl_c = contextlib.nullcontext() if is_prompt else ended_by_interrupts()
    with ended_by_sigterm(), ended_by_ctrl_c, Session(state_directory=state_dir, catalog=catalog) as session:
        if trigger is not None:
            session.set_option("execution.trigger", trigger)
        for key, value in (options or {}).items():
            session.set_option(key, value)
        runner = Runner(session, form)
        if is_prompt:
            return ask(runner)
        return runner.run_all(texts or [sys.stdin.read()])


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
