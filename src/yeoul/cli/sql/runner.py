"""Carries out statements and shows what each gives.

Rows go to stdout, everything else to stderr. A SELECT is shown to its end; an INSERT is watched to its end if the
session waits for it, else it goes on beside what follows, and all such jobs are watched together when the statements
are done. Ctrl-C and SIGTERM end what runs, in order: what was given out is written, the exit code is 130 or 143.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from yeoul.cli.errors import tell
from yeoul.cli.rendering.progress import set_aside_line
from yeoul.cli.rendering.rows import WRITERS, RowWriter
from yeoul.cli.sql.ending import Terminated
from yeoul.cli.sql.watch import watch
from yeoul.errors import YeoulError
from yeoul.jobs.job import Job
from yeoul.jobs.result import Result
from yeoul.jobs.session import Done, Explained, Outcome, Session

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Runner"]

_GLANCE_S = 0.5


class Runner:
    """Runs texts in one session.

    Args:
        session: Where tables live.
        form: How rows are written: `table`, `json` or `csv`.
    """

    def __init__(self, session: Session, form: str) -> None:
        self.session = session
        self._form = form
        self._background: list[Job] = []

    def run_all(self, texts: Sequence[str]) -> int:
        """Runs texts one after the other, then watches the jobs that are left; returns the exit code."""
        try:
            for text in texts:
                if not self.run_one(text):
                    return 1
            if self._background:
                # What was made until now stays: the collector need not look at it again, which stops a job for 0.1 s.
                gc.freeze()
                watch(self._background)
        except KeyboardInterrupt as raised:
            return 143 if isinstance(raised, Terminated) else 130
        return 0

    def run_one(self, text: str) -> bool:
        """Runs one text's statements; an error is told with its place in the text, and stops the rest.

        Raises:
            KeyboardInterrupt: What ran has been stopped.
        """
        try:
            for outcome in self.session.execute(text):
                self._show(outcome)
        except YeoulError as error:
            tell(error, text)
            return False
        return True

    def tell_ended(self) -> None:
        """Tells of the INSERTs that ran beside what followed and have ended, and why, if they failed."""
        for job in [one for one in self._background if one.status.is_terminal]:
            self._background.remove(job)
            print(f"INSERT INTO {job.name}: {job.status.value}", file=sys.stderr)
            try:
                job.wait()
            except YeoulError as error:
                tell(error, "")

    def _show(self, outcome: Outcome) -> None:
        match outcome:
            case Done(message):
                if self._form == "table":
                    print(message, file=sys.stderr)
            case Explained(text):
                print(text)
            case Job():
                self._follow(outcome)
            case Result():
                self._copy(outcome)

    def _follow(self, job: Job) -> None:
        if self.session.waits_for(job):
            watch([job])
        else:
            self._background.append(job)
            print(f"INSERT INTO {job.name} runs on beside what follows", file=sys.stderr)

    def _copy(self, result: Result) -> None:
        writer = WRITERS[self._form](
            result.schema, sys.stdout, is_bounded=result.is_bounded, zone=self.session.local_time_zone
        )
        with result:
            try:
                for batch in self._batches(result):
                    writer.write(batch)
            except KeyboardInterrupt:
                _finish(writer, result, stopped=True)
                raise
            _finish(writer, result, stopped=False)

    def _batches(self, result: Result) -> Iterator[pl.DataFrame]:
        """Yields a result's batches; a job that runs beside it and fails ends it, too."""
        while True:
            for job in list(self._background):
                if job.status.is_terminal:
                    self._background.remove(job)
                    job.wait()
            try:
                batch = result.next_batch(_GLANCE_S if self._background else None)
            except TimeoutError:
                continue
            if batch is None:
                return
            yield batch


def _finish(writer: RowWriter, result: Result, *, stopped: bool) -> None:
    """Ends a table, and tells of the rows that are not in it."""
    writer.finish(stopped=stopped)
    progress = result.progress()
    line = set_aside_line(progress) if progress is not None else None
    if line is not None:
        print(line, file=sys.stderr)
