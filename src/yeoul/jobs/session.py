"""A session: statements carried out one by one against one catalog, one set of options, one place for side streams.

A later statement sees what an earlier one made. DDL acts at once; a SELECT gives a `Result` whose job starts when its
rows are read; an INSERT gives a started `Job`. Invariants: late and dead rows of every job of a session land under its
state directory, where `<table>$late` and `<table>$dead` find them; when the session closes nothing of it runs any
more, and a temporary state directory is gone.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol

import polars as pl

from yeoul.catalog.memory import Catalog
from yeoul.catalog.stored import CatalogFile
from yeoul.connectors.frame.tables import as_frame, define_table
from yeoul.connectors.registry import ConnectorContext
from yeoul.engine.runtime.progress import Progress
from yeoul.engine.runtime.side_streams import SideStreams
from yeoul.errors import UserError, did_you_mean
from yeoul.functions import PythonFunction
from yeoul.jobs import options
from yeoul.jobs.buffer import BatchBuffer
from yeoul.jobs.describe import describe_columns
from yeoul.jobs.functions import Functions
from yeoul.jobs.interrupts import leave_interrupts_to_python
from yeoul.jobs.inventory import described, shown
from yeoul.jobs.job import Job, JobStatus
from yeoul.jobs.launch import launch
from yeoul.jobs.result import Listing, Result, Select
from yeoul.plan import statements
from yeoul.plan.declarations import declaration_of
from yeoul.plan.explain import ExplainDetail, explain, explain_details
from yeoul.plan.nodes import Field, Node, Scan, Schema, Write, walk
from yeoul.plan.tables import DATABASE, TableDefinition, full_name
from yeoul.plan.types import BIGINT, STRING
from yeoul.planner.sql import Parsed, bind, parse
from yeoul.units import format_size

__all__ = ["ArrowStream", "Done", "Explained", "Frame", "Outcome", "Session"]


class ArrowStream(Protocol):
    """Anything tabular that exports the Arrow C stream: Polars, pandas, PyArrow, DuckDB relations, ...

    Source: https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html
    """

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


Frame = ArrowStream | pl.LazyFrame | Mapping[str, Sequence[object]] | Sequence[Mapping[str, object]]
"""What can be given as a table."""


@dataclass(frozen=True, slots=True)
class Done:
    """A statement that gives no rows was carried out."""

    message: str


@dataclass(frozen=True, slots=True)
class Explained:
    """The plan of EXPLAIN, as text."""

    text: str


Outcome = Done | Explained | Result | Job


class Session:
    """Where tables, options and jobs live together.

    Args:
        tables: Frames to be had as tables.
        state_directory: Where late and dead rows are kept; a temporary directory that the session removes, if None.
        catalog: The file in which tables and views that are not temporary are kept; None: they end with the session.

    Example:
        >>> with Session({"n": {"a": [1, 2, 3]}}) as session:
        ...     session.sql("CREATE VIEW odd AS SELECT a FROM n WHERE a % 2 = 1").close()
        ...     session.sql("SELECT a * 10 AS b FROM odd").rows()
        [(10,), (30,)]
    """

    def __init__(
        self,
        tables: Mapping[str, Frame] | None = None,
        *,
        state_directory: Path | None = None,
        catalog: Path | None = None,
    ) -> None:
        leave_interrupts_to_python()
        stored = CatalogFile(catalog) if catalog is not None else None
        directory = state_directory or Path(tempfile.mkdtemp(prefix="yeoul-"))
        directory.mkdir(parents=True, exist_ok=True)
        self.catalog = Catalog(directory / "side-streams", stored)
        self.settings: dict[str, str] = {}
        self.database = DATABASE
        self.functions = Functions(stored)
        self._side_streams = SideStreams(directory / "side-streams")
        self._frames: dict[str, pl.DataFrame] = {}
        self._jobs: weakref.WeakSet[Job] = weakref.WeakSet()
        self._closed = False
        self._cleanup = weakref.finalize(
            self, _close, self._jobs, self._side_streams, directory if state_directory is None else None
        )
        for name, frame in (tables or {}).items():
            self.register(name, frame)

    @property
    def local_time_zone(self) -> str:
        """The zone in which instants are shown, an IANA name."""
        return options.local_time_zone(self.settings)

    def register(self, name: str, frame: Frame) -> None:
        """Makes a frame a table, in the place of whatever had its name.

        Raises:
            UserError: It is no frame, or a column's type has no name in SQL.
        """
        name = full_name(self.database, name)
        converted = as_frame(name, frame)
        self.catalog.replace_table(replace(define_table(name, converted), database=self.database))
        self._frames[name] = converted

    def create_function(self, name: str, function: PythonFunction | str) -> None:
        """Makes a Python function known to SQL, in the place of whatever function had its name.

        Args:
            name: What SQL calls it, in any case.
            function: A function under `udf`, `udtf` or `udaf`, or `module.name` of one.

        Raises:
            UserError: The name is a built-in function's, or the function is not declared.

        Example:
            >>> from yeoul import udf
            >>> with Session({"n": {"a": [1, 2]}}) as session:
            ...     session.create_function("doubled", udf(lambda x: 2 * x, result_type="BIGINT"))
            ...     session.sql("SELECT doubled(a) AS b FROM n").rows()
            [(2,), (4,)]
        """
        self.functions.create(name, function, or_replace=True)

    def set_option(self, key: str, value: str) -> options.SessionOption:
        """Sets an option for the statements that follow, as SET does; returns what is known of it.

        Raises:
            UserError: The key is unknown or the value does not parse.

        Example:
            >>> with Session({"n": {"a": [1]}}) as session:
            ...     _ = session.set_option("execution.trigger", "available-now")
            ...     session.sql("SELECT a FROM n").rows()
            [(1,)]
        """
        option = options.check_option(key, value)
        self.settings[key] = value
        return option

    def execute(self, text: str) -> Iterator[Outcome]:
        """Carries out the statements of a text, one for each step of the iterator.

        Before it goes on from an INSERT it waits for it, if its input is bounded or `table.dml-sync` says so; other
        INSERTs run until they are cancelled, the session closes or the process ends, whether anybody holds them or not.

        Raises:
            YeoulError: A statement is wrong or failed; those before it have been carried out.
        """
        for parsed in parse(text):
            self._refuse_if_closed()
            outcome = self._carry_out(self._bound(parsed))
            yield outcome
            if isinstance(outcome, Job) and self.waits_for(outcome):
                outcome.wait()

    def sql(self, text: str, tables: Mapping[str, Frame] | None = None, /, **frames: Frame) -> Result:
        """Carries out a text and returns the rows of its last SELECT, else what its last statement has to say.

        Args:
            text: One or more statements, separated by semicolons. SELECTs before the last one are not run.
            tables: Frames to be had as tables; they stay in the session.
            frames: The same, by keyword.

        Raises:
            YeoulError: A statement is wrong or failed.
        """
        for name, frame in {**(tables or {}), **frames}.items():
            self.register(name, frame)
        query: Result | None = None
        last: Outcome = Done("OK")
        for last in self.execute(text):
            if isinstance(last, Result) and last.job is not None:
                query = last
        return query if query is not None else _as_result(last)

    def waits_for(self, job: Job) -> bool:
        """Tells whether statements after an INSERT wait for its end."""
        return options.is_sync(self.settings, is_bounded=job.is_bounded)

    def close(self) -> None:
        """Cancels what runs and lets go of the state directory, if it is a temporary one; idempotent."""
        self._closed = True
        self._cleanup()
        self.catalog.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise UserError("This session is closed", hint="Make a new one.")

    def _bound(self, parsed: Parsed) -> statements.Statement:
        return bind(parsed, self.catalog, self.settings, self.functions.definitions, self.database)

    def _carry_out(self, statement: statements.Statement) -> Outcome:
        match statement:
            case statements.Select():
                return self._select(statement)
            case statements.Insert(plan):
                return self._insert(plan, plan.table.name)
            case statements.StatementSet(plans):
                return self._insert(plans, ", ".join(plan.table.name for plan in plans))
            case statements.Explain():
                return Explained(self._explained(statement))
            case statements.ExplainSet(plans, detail):
                parts = (self._explained(statements.Explain(plan, detail), plans) for plan in plans)
                return Explained("\n\n".join(f"INSERT {at}:\n{text}" for at, text in enumerate(parts, 1)))
            case statements.CreateTable(filling=filling) if filling:
                return self._create_filled(statement)
            case statements.DescribeTable():
                return listing(describe_columns(statement))
            case statements.DescribeNamed():
                return listing(described(statement, self.catalog, self.functions))
            case statements.ShowTables():
                return listing(shown(statement, self.catalog, self.functions, self._jobs, self.database))
            case statements.ShowDeclaration(definition):
                return listing({"result": [declaration_of(definition)]})
            case statements.Use(what, name):
                self.database = name if what == "database" else self.database
                return Done(f"{name} is in use")
            case statements.StopJob(name):
                return Done(self._stopped(name))
            case statements.SetOption() | statements.ResetOption():
                return self._configure(statement)
            case _:
                return Done(self._define(statement))

    def _create_filled(self, statement: statements.CreateTable) -> Outcome:
        """Creates a table and starts the job that fills it; one that cannot be filled leaves things as they were."""
        name = statement.definition.name
        replaced = self.catalog.find(name) if statement.or_replace else None
        if isinstance(replaced, TableDefinition):
            self.catalog.alter(name, statement.definition)
        elif not self.catalog.create_table(
            statement.definition, if_not_exists=statement.if_not_exists, temporary=statement.temporary
        ):
            return Done(f"Table {name} stands already")
        try:
            (parsed,) = parse(statement.filling)
            return self._carry_out(self._bound(parsed))
        except BaseException:
            if isinstance(replaced, TableDefinition):
                self.catalog.alter(name, replaced)
            else:
                self.catalog.drop("table", name, temporary=statement.temporary)
            raise

    def _select(self, statement: statements.Select) -> Result:
        buffer = BatchBuffer()
        job = self._job(statement.plan, "SELECT", buffer)
        return Result(Select(job, buffer, statement.plan))

    def _explained(self, statement: statements.Explain, among: Sequence[Write] = ()) -> str:
        plan, detail = statement.plan, statement.detail
        if detail is None:
            return "\n".join([explain(plan, among), *options.optimiser_notes(self.settings)])
        settings = options.job_settings(self.settings, among or (plan,))
        text = explain_details(
            plan,
            detail,
            among,
            state_ttl_ms=settings.state_ttl_ms,
            forgets=settings.forgets,
            has_rounds=settings.trigger.has_rounds,
        )
        scans = [node for node in walk(plan) if isinstance(node, Scan)]
        if detail is ExplainDetail.STATE:
            return "\n".join([text, *self._states({scan.table.name for scan in scans})])
        if detail is not ExplainDetail.WATERMARK:
            return text
        return "\n".join([text, *self._watermark_holders({one.table.name for one in scans if one.table.watermark})])

    def _watermark_holders(self, tables: Set[str]) -> Iterator[str]:
        """Yields a line for each running job that reads one of the tables: what holds its watermark."""
        for job, progress in self._running(tables):
            if progress.held_by is not None:
                yield f"Job {job.name!r}, running: {progress.held_by}"

    def _states(self, tables: Set[str]) -> Iterator[str]:
        """Yields a line for each operator that remembers anything, of each running job that reads one of the tables."""
        for job, progress in self._running(tables):
            for one in progress.operators:
                spilled = f", {format_size(one.spilled_bytes)} on disk" if one.spilled_bytes else ""
                yield f"Job {job.name!r}, running: {one.name} takes {format_size(one.memory_bytes)} in memory{spilled}"

    def _running(self, tables: Set[str]) -> Iterator[tuple[Job, Progress]]:
        """Yields the running jobs that read one of the tables, by name."""
        running = [job for job in self._jobs if job.status is JobStatus.RUNNING]
        for job in sorted(running, key=lambda one: one.name):
            progress = job.progress()
            if any(one.table in tables for one in progress.splits):
                yield job, progress

    def _insert(self, plan: Write | Sequence[Write], tables: str) -> Job:
        job = self._job(plan, self.settings.get("pipeline.name", tables), None)
        job.start()
        return job

    def _job(self, plan: Node | Sequence[Write], name: str, buffer: BatchBuffer | None) -> Job:
        context = ConnectorContext(frames=self._frames, local_time_zone=self.local_time_zone)
        settings = options.job_settings(self.settings, plan if isinstance(plan, Sequence) else (plan,))
        launched = launch(plan, context, settings, self._side_streams, buffer)
        on_end = buffer.finish if buffer is not None else None
        job = Job(launched, name, is_bounded=launched.is_bounded, on_end=on_end, keeping=self)
        self._jobs.add(job)
        return job

    def _stopped(self, name: str) -> str:
        running = {job for job in self._jobs if job.status is JobStatus.RUNNING}
        named = [job for job in running if job.name == name]
        if not named:
            known = [job.name for job in running]
            raise UserError(f"No job named {name!r} runs", hint=did_you_mean(name, known) or "SHOW JOBS lists them.")
        for job in named:
            job.cancel()
        return f"Job {name} stopped" if len(named) == 1 else f"{len(named)} jobs named {name} stopped"

    def _configure(self, statement: statements.SetOption | statements.ResetOption) -> Outcome:
        match statement:
            case statements.SetOption("", ""):
                return listing({"key": list(self.settings), "value": list(self.settings.values())})
            case statements.SetOption(key, value):
                option = self.set_option(key, value)
                return Done("OK" if option.has_effect else f"OK, without effect: {option.doc}")
            case statements.ResetOption(""):
                self.settings.clear()
            case statements.ResetOption(key):
                if key not in options.OPTIONS:
                    raise UserError(f"Unknown option {key!r} in RESET", hint=did_you_mean(key, options.OPTIONS))
                self.settings.pop(key, None)
        return Done("OK")

    def _define(
        self,
        statement: statements.CreateTable
        | statements.CreateView
        | statements.CreateFunction
        | statements.Drop
        | statements.CreateDatabase
        | statements.DropDatabase
        | statements.Alter,
    ) -> str:
        match statement:
            case statements.CreateFunction(name, path, if_not_exists, or_replace, temporary):
                new = self.functions.create(
                    name, path, if_not_exists=if_not_exists, or_replace=or_replace, temporary=temporary
                )
                return f"Function {name} {'created' if new else 'stands already'}"
            case statements.Drop("function", name, if_exists):
                gone = self.functions.drop(name, if_exists=if_exists)
                return f"Function {name} {'dropped' if gone else 'was not there'}"
            case statements.CreateTable(definition, if_not_exists, temporary):
                if self._declares_frame(definition):
                    self.catalog.replace_table(definition)
                    return f"Table {definition.name} created"
                new = self.catalog.create_table(definition, if_not_exists=if_not_exists, temporary=temporary)
                return f"Table {definition.name} {'created' if new else 'stands already'}"
            case statements.CreateView(view, if_not_exists, or_replace, temporary):
                new = self.catalog.create_view(
                    view, if_not_exists=if_not_exists, or_replace=or_replace, temporary=temporary
                )
                return f"View {view.name} {'created' if new else 'stands already'}"
            case statements.CreateDatabase(name, if_not_exists, comment):
                new = self.catalog.create_database(name, comment, if_not_exists=if_not_exists)
                return f"Database {name} {'created' if new else 'stands already'}"
            case statements.DropDatabase(name, if_exists, cascade):
                gone = self.catalog.drop_database(name, if_exists=if_exists, cascade=cascade)
                return f"Database {name} {'dropped' if gone else 'was not there'}"
            case statements.Alter(name, altered):
                if altered is None:
                    return f"{name} was not there"
                self.catalog.alter(name, altered)
                return f"{name} altered"
            case statements.Drop(what, name, if_exists, temporary):
                gone = self.catalog.drop(what, name, if_exists=if_exists, temporary=temporary)
                return f"{what.capitalize()} {name} {'dropped' if gone else 'was not there'}"

    def _declares_frame(self, definition: TableDefinition) -> bool:
        """Whether this is the user's own declaration (a watermark, other types) of a frame that was handed in."""
        return definition.name in self._frames and definition.options.get("connector") == "frame"


class _Written:
    """What an INSERT has to say: how many rows it wrote, once it has ended."""

    schema = Schema((Field("rows", BIGINT.not_null()),))
    needs_reader = False

    def __init__(self, job: Job) -> None:
        self.is_bounded = job.is_bounded
        self.job = job
        self._told = False

    def take(self, timeout_s: float | None) -> pl.DataFrame | None:
        if self._told:
            return None
        if not self.job.wait(timeout_s):
            raise TimeoutError(f"The job did not end within {timeout_s} s")
        self._told = True
        return pl.DataFrame({"rows": [self.job.progress().rows_out]}, schema={"rows": pl.Int64})

    def close(self) -> None:
        self.job.cancel()


def listing(columns: Mapping[str, Sequence[str | None]]) -> Result:
    """Returns text columns that are known already as a result."""
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    return Result(Listing(frame, Schema(tuple(Field(name, STRING) for name in columns))))


def _as_result(outcome: Outcome) -> Result:
    match outcome:
        case Result():
            return outcome
        case Job():
            return Result(_Written(outcome))
        case Explained(text):
            return listing({"result": text.splitlines()})
        case Done(message):
            return listing({"result": [message]})


def _close(jobs: weakref.WeakSet[Job], side_streams: SideStreams, temporary: Path | None) -> None:
    try:
        for job in list(jobs):
            job.cancel()
    finally:
        side_streams.flush()
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
