"""A statement's rows, on their way to the caller.

A `Result` starts its job at the first read and stops it when it is closed, collected by Python, or read to the end;
but the job of an INSERT runs from the beginning, and goes on when nobody holds its result any more.
Batches are read as they come; `.pl()`, `.arrow()` and `.rows()` read all of them and keep what they read, so they can
be called again. Invariant: the rows come in the order in which the job gave them, and an error of the job is raised
once the rows before it are read.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import polars as pl

from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.contract import CHANGE, CHANGE_MARKS
from yeoul.errors import UserError
from yeoul.jobs.job import Job, JobStatus
from yeoul.plan.changelog import changelog_of
from yeoul.plan.nodes import Field, Node, Schema
from yeoul.plan.types import STRING

if TYPE_CHECKING:
    import pyarrow as pa

    from yeoul.engine.runtime.progress import Progress
    from yeoul.jobs.buffer import BatchBuffer

__all__ = ["Listing", "Result", "Rows", "Select"]


class Rows(Protocol):
    """Where a Result's batches come from: a running SELECT, or a listing that is complete."""

    schema: Schema
    is_bounded: bool
    needs_reader: bool
    """Whether what makes the rows is of no use once nobody can read them."""

    def take(self, timeout_s: float | None) -> pl.DataFrame | None:
        """Returns the next batch, None at the end; TimeoutError when none came in time."""
        ...

    def close(self) -> None:
        """Stops what runs; idempotent."""
        ...

    @property
    def job(self) -> Job | None: ...


class Listing:
    """Rows that are known already: what SHOW, DESCRIBE, EXPLAIN and the like answer."""

    is_bounded = True
    needs_reader = True
    job = None

    def __init__(self, frame: pl.DataFrame, schema: Schema) -> None:
        self.schema = schema
        self._frame: pl.DataFrame | None = frame

    def take(self, timeout_s: float | None) -> pl.DataFrame | None:
        frame, self._frame = self._frame, None
        return frame

    def close(self) -> None:
        self._frame = None


class Select:
    """The rows of a job, through its buffer; the job starts at the first read.

    Rows that change come with the kind of change before them, in a column `op`: +I, -U, +U or -D.
    """

    needs_reader = True

    def __init__(self, job: Job, buffer: BatchBuffer, plan: Node) -> None:
        self._op = None if changelog_of(plan).is_append_only else _free_name("op", plan.schema.names)
        fields = [] if self._op is None else [Field(self._op, STRING.not_null())]
        self.schema = Schema((*fields, *plan.schema.fields))
        self.is_bounded = job.is_bounded
        self._job = job
        self._buffer = buffer
        self._closed = False

    @property
    def job(self) -> Job:
        return self._job

    def take(self, timeout_s: float | None) -> pl.DataFrame | None:
        self._job.start()
        batch = self._buffer.take(timeout_s)
        if batch is None and self._job.status is JobStatus.CANCELED and not self._closed:
            raise UserError("The query was cancelled before its last row", hint="Its session was closed, or its job.")
        return batch if batch is None or self._op is None else _with_marks(batch, self._op)

    def close(self) -> None:
        self._closed = True
        self._buffer.close()
        self._job.cancel()


class Result:
    """The rows of a query.

    Example:
        >>> import yeoul
        >>> with yeoul.sql("SELECT 1 AS a, 'x' AS b") as result:
        ...     result.rows()
        [(1, 'x')]
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._collected: pl.DataFrame | None = None
        self._was_iterated = False
        self._closers: list[Callable[[], None]] = [rows.close]
        self._finalizer = weakref.finalize(self, _let_go, rows, self._closers)

    @property
    def schema(self) -> Schema:
        """The columns: names and SQL types, in order."""
        return self._rows.schema

    @property
    def is_bounded(self) -> bool:
        """Whether the rows come to an end by themselves."""
        return self._rows.is_bounded

    @property
    def job(self) -> Job | None:
        """The job that makes the rows; None when they were known at once."""
        return self._rows.job

    def progress(self) -> Progress | None:
        """Returns how far the job is: rows in and out, watermark, lag, late, dead; None where there is no job."""
        job = self.job
        return job.progress() if job is not None else None

    def next_batch(self, timeout_s: float | None = None) -> pl.DataFrame | None:
        """Returns the next rows, waiting for them; None after the last.

        Raises:
            TimeoutError: None came within `timeout_s`.
            YeoulError: The job failed.
        """
        if not self._finalizer.alive:
            return None
        self._was_iterated = True
        try:
            batch = self._rows.take(timeout_s)
        except TimeoutError:
            raise
        except BaseException:
            self.close()
            raise
        if batch is None:
            self.close()
        return batch

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Yields batches as they come; what is read this way is not kept."""
        if self._collected is not None:
            yield self._collected
            return
        while (batch := self.next_batch()) is not None:
            yield batch

    def pl(self) -> pl.DataFrame:
        """Returns all rows as one Polars frame.

        Raises:
            UserError: The rows never end, or some were read by iteration already.
            YeoulError: The job failed.
        """
        if self._collected is None:
            self._refuse_to_collect()
            empty = pl.DataFrame(schema={field.name: polars_dtype(field.type) for field in self.schema.fields})
            batches = list(self)
            self._collected = pl.concat(batches) if batches else empty
        return self._collected

    def arrow(self) -> pa.Table:
        """Returns all rows as one Arrow table; errors as in `pl`."""
        return self.pl().to_arrow()

    def rows(self) -> list[tuple[object, ...]]:
        """Returns all rows as tuples of Python values; errors as in `pl`.

        Raises:
            UserError: A time lies before year 1 or behind year 9999, where Python has none.
        """
        frame = self.pl()
        try:
            return frame.rows()
        except (ValueError, OverflowError) as error:
            raise UserError(
                f"A time in the result is none of Python's: {error}",
                hint="CAST it to STRING, or read the columns with pl() or arrow().",
            ) from error

    def close(self) -> None:
        """Stops the job, if it still runs, and waits until it has; idempotent."""
        if self._finalizer.detach():
            _close_all(self._closers)

    def also_close(self, closer: Callable[[], None]) -> None:
        """Has `closer` called after the job has been stopped: the session that belongs to this result alone."""
        self._closers.append(closer)

    def __enter__(self) -> Result:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        columns = ", ".join(f"{field.name} {field.type}" for field in self.schema.fields)
        job = self.job
        return f"<Result {job.status.value if job is not None else 'FINISHED'} [{columns}]>"

    def _refuse_to_collect(self) -> None:
        if self.job is not None and self.job.failure is not None:
            raise self.job.failure
        if self._was_iterated:
            raise UserError(
                "Some rows of this result were read by iteration, so they cannot be collected any more",
                hint="Run the query again, or collect the batches that you iterate over.",
            )
        if not self._finalizer.alive:
            raise UserError("This result is closed", hint="Run the query again.")
        if not self.is_bounded:
            raise UserError(
                "This query never ends: its input is unbounded, so its rows cannot be collected",
                hint="Iterate over the result, add LIMIT, or bound the input ('scan.bounded.mode' = 'latest-offset').",
            )


def _with_marks(batch: pl.DataFrame, name: str) -> pl.DataFrame:
    marks = batch[CHANGE].replace_strict(range(len(CHANGE_MARKS)), CHANGE_MARKS, return_dtype=pl.String)
    return batch.select(marks.alias(name), pl.exclude(CHANGE))


def _free_name(wanted: str, taken: Sequence[str]) -> str:
    """Returns a name that no column has, longer by underscores if need be."""
    while wanted in taken:
        wanted += "_"
    return wanted


def _let_go(rows: Rows, closers: list[Callable[[], None]]) -> None:
    """What becomes of a result that nobody holds any more."""
    if rows.job is None or rows.needs_reader:
        _close_all(closers)
    else:
        rows.job.log_failure()


def _close_all(closers: list[Callable[[], None]]) -> None:
    with ExitStack() as stack:
        for closer in reversed(closers):
            stack.callback(closer)
