"""Queries run by hand: a plan's pipeline fed batch by batch, and set up again from its own snapshot in between.

What jobs do with threads and sources, tests do here step by step, so that the cuts of the input and the places of the
snapshots are the test's choice. Snapshots go through Arrow IPC, as they do on disk.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar, cast

import numpy as np
import polars as pl

from yeoul.clock import ManualClock
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.expressions import EvaluationContext, compile_expression
from yeoul.engine.contract import CHANGE, CHANGE_MARKS, WEIGHT, CacheBounds, DeadLetters, Omitted
from yeoul.engine.operators.contract import State
from yeoul.engine.runtime.build import build
from yeoul.engine.runtime.settings import LookedUp, Settings
from yeoul.engine.runtime.side_streams import late_frame
from yeoul.engine.runtime.stages import Effects
from yeoul.jobs import options
from yeoul.jobs.session import Session
from yeoul.plan.encoding import Encoding
from yeoul.plan.nodes import Node, Scan, Write
from yeoul.plan.statements import Insert, Select, StatementSet
from yeoul.plan.tables import TableDefinition
from yeoul.planner.rules import as_one
from yeoul.planner.rules.sift_scans import sifted
from yeoul.planner.sql import bind, parse

__all__ = [
    "Fed",
    "Query",
    "Run",
    "Step",
    "bind_query",
    "run_in_one_go",
    "run_restored_after_each",
    "run_restored_from_each",
    "through_ipc",
    "with_lookups",
]

SPLIT = "s"
_TELLS_TIME = re.compile(r"(\d+/)?(lane-\d+|values-\d+|ended)")
BEGINNING_MS = 1_704_067_200_000
"""When every run begins: 2024-01-01 00:00:00 UTC."""


@dataclass(frozen=True, slots=True)
class Fed:
    """One batch: rows that reach a table together; with `$weight` if the table's records are changes."""

    table: str
    rows: pl.DataFrame
    split: str = SPLIT


_N = TypeVar("_N", bound=Node)
Step = Fed | int
"""A batch, or milliseconds that pass."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A decoded batch that recovers rows from itself."""

    frame: pl.DataFrame
    whole: pl.DataFrame
    dead: DeadLetters | None = None
    omitted: Omitted | None = None

    @property
    def records(self) -> int:
        return self.frame.height

    def recover(self, rows: pl.Series) -> pl.DataFrame:
        return self.whole[rows.to_list()].with_columns(split=pl.lit(SPLIT), position=pl.lit("0"))


class Run:
    """One pipeline of a plan, fed by hand.

    Args:
        plan: The query's plan.
        settings: The engine's.
        clock: What it takes for the time.
        splits: The splits that every table has.
        output: Of which of several plans the rows are wanted.

    Attributes:
        late: The rows that came too late.
        set_aside: The same as `<table>$late` holds them.
    """

    def __init__(
        self,
        plan: Node | Sequence[Write],
        settings: Settings,
        clock: ManualClock,
        splits: Sequence[str] = (SPLIT,),
        output: int | None = None,
    ) -> None:
        self._clock, self._splits = clock, splits
        self._built = build(plan, replace(settings, clock=clock))
        self._pipeline = self._built.pipeline
        self._output = output
        self.late: list[pl.DataFrame] = []
        self.set_aside: list[pl.DataFrame] = []
        self._batches = 0

    def start(self) -> list[pl.DataFrame]:
        """Begins from nothing; returns what is there without input."""
        for lane in range(len(self._built.scans)):
            for split in self._splits:
                self._pipeline.add_split(lane, split)
        return self._rows(self._pipeline.start())

    def take(self, step: Step) -> list[pl.DataFrame]:
        """Takes a batch, or lets time pass; returns what comes out."""
        if isinstance(step, Fed):
            return self.feed(step)
        self._clock.advance_ms(step)
        return self._rows(self._pipeline.wake(self._clock.now_ms()))

    def feed(self, fed: Fed) -> list[pl.DataFrame]:
        """Hands a batch to every scan of its table; returns what comes out."""
        given = []
        for lane, scan in enumerate(self._built.scans):
            if scan.table.name == fed.table:
                columns = [pl.col(one.name).cast(polars_dtype(one.type)) for one in scan.schema.fields]
                columns += [pl.col(WEIGHT)] if scan.encoding is not Encoding.APPEND else []
                batch = self._sifted(scan, fed.rows.select(columns), fed.rows)
                prepared = self._pipeline.lanes[lane].prepare(batch)
                given += self._rows(self._pipeline.process(lane, fed.split, prepared), batch, scan.table)
        return given

    def _sifted(self, scan: Scan, rows: pl.DataFrame, whole: pl.DataFrame) -> Batch:
        """Leaves out, in every other batch, what the scan's sieve does not want: a source may, and need not."""
        self._batches += 1
        if scan.sieve is None or self._batches % 2:
            return Batch(rows, whole)
        context = EvaluationContext(self._clock)
        is_wanted = rows.select(compile_expression(scan.sieve.predicate, context)).to_series().fill_null(False)
        kept = is_wanted.arg_true()
        omitted = Omitted(rows.select(scan.sieve.times), kept.to_numpy().astype(np.int64)) if scan.sieve.times else None
        return Batch(rows[kept], whole[kept], omitted=omitted)

    @property
    def watermark_ms(self) -> int:
        """The watermark at the top of the plan."""
        return self._pipeline.watermark_ms

    @property
    def kept_rows(self) -> int:
        """How many rows the operators keep, each with what it is set up with; not how far event time has come."""
        operators = {
            name: state for name, state in self._pipeline.snapshot().items() if not _TELLS_TIME.fullmatch(name)
        }
        return sum(
            frame.height for state in operators.values() for part, frame in state.items() if not part.startswith("$")
        )

    def end_round(self) -> list[pl.DataFrame]:
        """Ends a round of a job that takes rows at intervals; returns what comes out."""
        return self._rows(self._pipeline.end_round())

    def end(self) -> list[pl.DataFrame]:
        """Ends every input; returns what comes out."""
        lanes = range(len(self._built.scans))
        ends = [(lane, split) for lane in lanes for split in self._splits]
        given = [one for end in ends for one in self._rows(self._pipeline.finish_split(*end))]
        return given + [one for lane in lanes for one in self._rows(self._pipeline.end_lane(lane))]

    def snapshot(self) -> Mapping[str, State]:
        """Returns the pipeline's state, written out and read again."""
        return {
            name: {part: through_ipc(frame) for part, frame in state.items()}
            for name, state in self._pipeline.snapshot().items()
        }

    def restore(self, parts: Mapping[str, State]) -> list[pl.DataFrame]:
        """Begins from a snapshot; returns what comes out at once."""
        self._pipeline.restore(parts)
        return self._rows(self._pipeline.start())

    def _rows(
        self, effects: Effects, batch: Batch | None = None, table: TableDefinition | None = None
    ) -> list[pl.DataFrame]:
        for operator, late in effects.late:
            if batch is not None and table is not None:
                self.set_aside.append(late_frame(table, operator, late, batch))
            known = late.frame["$row"].drop_nulls()
            self.late.append(late.frame if batch is None else batch.recover(known).drop("split", "position"))
        outputs = effects.outputs or [0] * len(effects.rows)
        wanted = [frame for frame, output in zip(effects.rows, outputs, strict=True) if self._output in (None, output)]
        return [_with_marks(frame) for frame in wanted if frame.height]


def _with_marks(frame: pl.DataFrame) -> pl.DataFrame:
    if CHANGE not in frame.columns:
        return frame
    marks = frame[CHANGE].replace_strict(range(len(CHANGE_MARKS)), CHANGE_MARKS, return_dtype=pl.String)
    return frame.select(marks.alias("op"), pl.exclude(CHANGE))


def through_ipc(frame: pl.DataFrame) -> pl.DataFrame:
    """Returns a frame of a snapshot as it is when it was written and read again."""
    written = io.BytesIO()
    frame.write_ipc(written)
    written.seek(0)
    return pl.read_ipc(written)


@dataclass(frozen=True, slots=True)
class Query:
    """A bound query or INSERTs, their tables, and the settings that the session has; the rows are those of `output`."""

    plan: Node | Sequence[Write]
    tables: Mapping[str, TableDefinition]
    settings: Settings
    splits: Sequence[str] = (SPLIT,)
    output: int | None = None

    def into(self, table: str) -> Query:
        """Returns the same INSERTs, asked for what goes to one table."""
        assert isinstance(self.plan, Sequence)
        return replace(self, output=[one.table.name for one in self.plan].index(table))

    def fresh(self, passed_ms: int = 0) -> Run:
        """Returns a new run, its clock so long after the beginning."""
        clock = ManualClock(BEGINNING_MS + passed_ms, passed_ms)
        return Run(self.plan, self.settings, clock, self.splits, self.output)


def bind_query(declarations: str, query: str) -> Query:
    """Binds a query over tables that a test will feed.

    Args:
        declarations: CREATE and SET statements; a table needs no WITH.
        query: One SELECT, INSERT or statement set.

    Raises:
        UserError: It is wrong, or not supported.
    """
    with Session() as session:
        for one in parse(declarations):
            for _ in session.execute(_with_connector(one.text)):
                pass
        (parsed,) = parse(query)
        statement = bind(parsed, session.catalog, session.settings, session.functions.definitions)
        plan: Node | Sequence[Write]
        match statement:
            case Select(query_plan):
                (plan,) = _sifted([query_plan], session.settings)
            case Insert(write):
                plan = _sifted([write], session.settings)
            case StatementSet(writes):
                plan = _sifted(writes, session.settings)
            case _:
                raise AssertionError(f"a SELECT or an INSERT is needed, got {type(statement).__name__}")
        found = {name: session.catalog.find(name) for name in session.catalog.tables()}
        tables = {name: one for name, one in found.items() if isinstance(one, TableDefinition)}
        plans = plan if isinstance(plan, Sequence) else (plan,)
        return Query(plan, tables, options.job_settings(session.settings, plans))


def _sifted(plans: Sequence[_N], settings: Mapping[str, str]) -> tuple[_N, ...]:
    """Lets scans skip rows that conditions above them drop, as those of files do."""
    return cast(tuple[_N, ...], as_one([sifted(one, lambda _: True) for one in plans], settings))


def with_lookups(query: Query, tables: Mapping[str, pl.DataFrame]) -> Query:
    """Returns a query whose lookup joins ask these tables, as they are from the beginning on."""

    def open_lookup(scan: Scan, keys: Sequence[str]) -> LookedUp:
        columns = [pl.col(one.name).cast(polars_dtype(one.type)) for one in scan.schema.fields]
        return LookedUp(_Looked(tables[scan.table.name].select(columns)), CacheBounds(max_rows=1_000))

    return replace(query, settings=replace(query.settings, open_lookup=open_lookup))


@dataclass(frozen=True, slots=True)
class _Looked:
    """A table that is looked up."""

    rows: pl.DataFrame

    def find(self, keys: pl.DataFrame) -> pl.DataFrame:
        return self.rows.join(keys, on=keys.columns, how="semi")


def _with_connector(statement: str) -> str:
    is_table = re.match(r"CREATE\s+TABLE", statement, re.IGNORECASE)
    has_options = re.search(r"\)\s*WITH\s*\(", statement, re.IGNORECASE)
    return f"{statement} WITH ('connector' = 'frame')" if is_table and not has_options else statement


def run_in_one_go(query: Query, steps: Sequence[Step]) -> list[pl.DataFrame]:
    """Runs straight through; returns the batches that came out."""
    run = query.fresh()
    given = run.start()
    for step in steps:
        given += run.take(step)
    return given + run.end()


def run_restored_after_each(query: Query, steps: Sequence[Step]) -> list[pl.DataFrame]:
    """Runs with a snapshot after every step, each time going on in a new pipeline."""
    run = query.fresh()
    given, passed_ms = run.start(), 0
    for step in steps:
        given += run.take(step)
        passed_ms += step if isinstance(step, int) else 0
        state, run = run.snapshot(), query.fresh(passed_ms)
        given += run.restore(state)
    return given + run.end()


def run_restored_from_each(query: Query, steps: Sequence[Step]) -> list[list[pl.DataFrame]]:
    """Runs once, keeping a snapshot after every step, then goes on from each; returns what each way gave in all."""
    run = query.fresh()
    given, passed_ms = run.start(), 0
    kept = []
    for step in steps:
        given += run.take(step)
        passed_ms += step if isinstance(step, int) else 0
        kept.append((list(given), run.snapshot(), passed_ms))
    ways = []
    for place, (before, state, so_far_ms) in enumerate(kept):
        again = query.fresh(so_far_ms)
        after = again.restore(state)
        for step in steps[place + 1 :]:
            after += again.take(step)
        ways.append(before + after + again.end())
    return ways
