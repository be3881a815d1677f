"""Cases: a query, what happens to its tables and how that reaches it; the stream's answer and the batch's."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from unittest import mock

import duckdb
import polars as pl
from tests.pipeline_runs import BEGINNING_MS, Fed, Query, Step, bind_query, with_lookups
from tests.random_queries.dialects import ZONE, Column, Kind, Sql, both
from tests.random_queries.drawing import Drawing
from tests.random_queries.forgetting import TTL_MINUTES, forgotten
from tests.random_queries.grammar import Grammar
from tests.random_queries.happenings import tables_of
from tests.random_queries.lateness import lifetimes
from tests.random_queries.queries import OF_MANY_KEYS, PRODUCTIONS
from tests.random_queries.sinks import Rows, Sink, left_of, sink_of
from tests.random_queries.tables import ARRIVAL, CAME, PASSED, Changes, Table, duckdb_frame

from yeoul.engine.contract import WEIGHT
from yeoul.errors import UserError
from yeoul.plan.changelog import changelog_of
from yeoul.plan.nodes import SinkMaterialize, inputs_of
from yeoul.planner import rules

__all__ = [
    "Case",
    "answer_of_batch",
    "bound",
    "comparable",
    "drawn",
    "given_by_stream",
    "late_rows_of_batch",
    "set_aside_of",
]

_CHANGES = "WITH ('connector' = 'filesystem', 'path' = 'changes', 'format' = 'debezium-json')"
_UPSERTS = (
    "WITH ('connector' = 'upsert-kafka', 'topic' = 't', 'properties.bootstrap.servers' = 'h:9',"
    " 'key.format' = 'json', 'value.format' = 'json', 'scan.bounded.mode' = 'latest-offset')"
)
_WITH = {"changes": _CHANGES, "upserts": _UPSERTS}
_SHOWN = 120


@dataclass(frozen=True)
class Case:
    """A query, its tables, and how their rows reach it.

    Attributes:
        settings: Of the session.
        changes: The tables and what happens to them.
        views: CREATE VIEW statements.
        query: The query.
        columns: Its columns.
        cuts: How long batches are, in turn.
        restores: Before which batches the job is set up again from a snapshot.
        memory_bytes: What state may take in memory; None: all.
        rounds: Behind which batches a round ends, if the job takes rows at intervals.
        sink: Where the query is written to; None: its rows are read.
        beside: Where other queries of its statement set are written to, and the INSERTs of all of them; or nothing.
        left_out: Rules of the planner that are not run: what they change is what a plan costs.
        features: What was drawn.
        late: DuckDB's query of what is set aside, if that is known.
    """

    settings: Mapping[str, str]
    changes: Changes
    views: list[str]
    query: Sql
    columns: tuple[Column, ...]
    cuts: list[int]
    restores: frozenset[int]
    memory_bytes: int | None
    rounds: frozenset[int]
    sink: Sink | None
    beside: tuple[tuple[Sink, str], ...]
    left_out: frozenset[str]
    features: Counter[str] = field(compare=False)
    late: str | None = None

    def __repr__(self) -> str:
        arrivals = self.changes.arrivals
        rows = "\n".join(
            f"  {one.table} {one.split} {'-' if one.weight < 0 else ''}{one.row} +{one.pause_ms} ms"
            for one in arrivals[:_SHOWN]
        )
        rows += f"\n  ... {len(arrivals)} in all" if len(arrivals) > _SHOWN else ""
        how = f"cut into {self.cuts}, restored before {sorted(self.restores)}, memory {self.memory_bytes}"
        how += f", rounds end behind {sorted(self.rounds)}" if self.rounds else ""
        how += f", without the rules {sorted(self.left_out)}" if self.left_out else ""
        query = f"{self.statement}\n-- in DuckDB:\n{self.asked_of_duckdb}"
        return f"\n{self.declarations};\n{query}\n{rows}\n{how}"

    @property
    def declarations(self) -> str:
        settings = [f"SET '{key}' = '{value}'" for key, value in self.settings.items()]
        tables = [f"{one.declaration} {_WITH.get(one.use, '')}".rstrip() for one in self.changes.tables]
        tables += [sink.declaration for sink in self.sinks]
        return ";\n".join([*settings, *tables, *self.views])

    @property
    def statement(self) -> str:
        if self.beside:
            return f"EXECUTE STATEMENT SET BEGIN {' '.join(f'{insert};' for _, insert in self.beside)} END"
        return self.query.flink if self.sink is None else self.sink.insert(self.query.flink)

    def accepts(self, given: Rows | None, answer: Rows, query: Query) -> bool:
        """Tells whether what the stream has given, or that it failed (None), is right by the batch's answer."""
        if self.sink is None:
            return given == answer
        write = query.plan[query.output or 0] if isinstance(query.plan, Sequence) else query.plan
        written = inputs_of(write)[0]
        if isinstance(written, SinkMaterialize):
            return self.sink.accepts(given, answer, stands=changelog_of(inputs_of(written)[0]).is_append_only)
        if self.sink.conflict and self.changes.of("versions"):
            # The primary key of a table of versions is a promise that its rows, taken as rows, do not keep.
            deduplicated = replace(self.sink, conflict="DEDUPLICATE").accepts(given, answer, stands=True)
            return deduplicated or replace(self.sink, conflict="").accepts(given, answer, stands=True)
        return self.sink.accepts(given, answer, stands=changelog_of(written).is_append_only)

    @property
    def sinks(self) -> list[Sink]:
        """Where all queries that run with it are written to."""
        return [sink for sink, _ in self.beside] or ([self.sink] if self.sink else [])

    @property
    def asked_of_duckdb(self) -> str:
        return self.query.asked_of_duckdb(self.settings["execution.runtime-mode"], self.changes.zone.name)

    @property
    def judged(self) -> Table:
        """The table of a case of which it is known what is set aside."""
        text = " ".join([*self.views, self.query.flink])
        (table,) = (one for one in self.changes.timed if re.search(rf"\b{one.name}\b", text))
        return table

    def steps(self) -> list[Step]:
        """Returns the rows in their order, cut where table, split or the clock changes, and besides."""
        tables = {one.name: one for one in self.changes.tables}
        arrivals = self.changes.arrivals
        steps: list[Step] = []
        at = batches = 0
        while at < len(arrivals):
            first, longest = arrivals[at], self.cuts[batches % len(self.cuts)]
            end = at + 1
            while end < min(at + longest, len(arrivals)) and not arrivals[end].pause_ms:
                if (arrivals[end].table, arrivals[end].split) != (first.table, first.split):
                    break
                end += 1
            together, at = arrivals[at:end], end
            steps += [first.pause_ms] if first.pause_ms else []
            if tables[first.table].use == "outside":
                continue
            frame = tables[first.table].frame([one.row for one in together])
            if tables[first.table].is_changing:
                frame = frame.with_columns(pl.Series(WEIGHT, [one.weight for one in together], dtype=pl.Int64))
            steps.append(Fed(first.table, frame, first.split))
            batches += 1
        return steps


def drawn(d: Drawing, *, of_jobs: bool = False, queries: int | None = None) -> list[Case]:
    """Returns cases over the same tables: one, or those of a statement set.

    Args:
        d: Chance.
        of_jobs: Whether the engine's own threads run them, by the clock on the wall.
        queries: How many; what one names, the others may read. None: that is drawn, too, and where they are written to.
    """
    is_written, queries = queries is None, queries or d.one_of([1, 1, 1, 1, 1, 1, 2, 3])
    changes = tables_of(d, of_jobs=of_jobs)
    queries = 1 if changes.is_wide or changes.forgets else queries
    settings = {"execution.runtime-mode": d.one_of(["automatic", "streaming"])}
    settings["table.local-time-zone"] = changes.zone.name
    lateness_s = 0 if of_jobs or changes.forgets else _emission(d, settings)
    is_streaming = settings["execution.runtime-mode"] == "streaming"
    productions = {name: PRODUCTIONS[name] for name in OF_MANY_KEYS} if changes.is_wide else PRODUCTIONS
    grammar = Grammar(d, changes, productions, not of_jobs, is_streaming, lateness_s)
    if changes.forgets:
        relations = [forgotten(grammar)]
    else:
        relations = [grammar.query(d.number(1, 2 if changes.is_wide else 3)) for _ in range(queries)]
    texts = [both("SELECT * FROM {}", one.sql) if one.is_table else one.sql for one in relations]
    shared = "WITH " + ", ".join(f"{name} AS ({{}})" for name, _ in grammar.views) + " " if grammar.views else ""
    wholes = [both(f"{shared}{{}}", *(view for _, view in grammar.views), text) for text in texts]
    views = []
    if grammar.views and (grammar.needs_views or queries > 1 or d.chance(2)):
        d.feature("views")
        views = [f"CREATE VIEW {name} AS {view.flink}" for name, view in grammar.views]
        wholes = [Sql(text.flink, whole.duckdb) for text, whole in zip(texts, wholes, strict=True)]
    elif grammar.views:
        d.feature("WITH")
    many = max(one.many for one in changes.tables)
    cuts = [d.number(1, 6) * many for _ in range(3)]
    restores = frozenset(d.number(0, 12) for _ in range(d.number(0, 3)))
    memory_bytes = 2_000 * many if d.chance(4) and not changes.forgets else None
    if memory_bytes:
        d.feature(f"run: spilling to disk{' with many keys' if many > 1 else ''}")
    d.feature(f"run: {settings['execution.runtime-mode']}")
    sinks: list[Sink] = []
    is_written = is_written and not any(one.late for one in relations)  # a row that a key leaves out is not set aside
    if is_written and not of_jobs and not changes.forgets and (queries > 1 or d.chance(4)):
        sinks = [sink_of(d, f"sink{place}", one, changes, may_fail=queries == 1) for place, one in enumerate(relations)]
        settings["table.exec.sink.not-null-enforcer"] = "DROP"
    beside = tuple((sink, sink.insert(whole.flink)) for sink, whole in zip(sinks, wholes, strict=False))
    if len(beside) > 1:
        d.feature("statement set")
    if changes.forgets or d.chance(5):
        d.feature("run: state TTL that runs out" if changes.forgets else "run: state TTL")
        settings["table.exec.state.ttl"] = f"{TTL_MINUTES} min"  # longer than a case takes that is not about it
    left_out = _left_out(d)
    run = (cuts, restores, memory_bytes, _rounds(d, settings, of_jobs=of_jobs, forgets=changes.forgets))
    late = relations[0].late if len(relations) == 1 else None
    if not sinks:
        return [
            Case(settings, changes, views, whole, one.columns, *run, None, (), left_out, d.features, late)
            for whole, one in zip(wholes, relations, strict=True)
        ]
    others = beside if len(beside) > 1 else ()
    return [
        Case(settings, changes, views, whole, sink.columns, *run, sink, others, left_out, d.features, late)
        for whole, sink in zip(wholes, sinks, strict=True)
    ]


def _rounds(d: Drawing, settings: dict[str, str], *, of_jobs: bool, forgets: bool) -> frozenset[int]:
    """Draws when rows are taken: as they come, at intervals, or all that is there; returns where rounds end."""
    if forgets or not d.chance(5):
        return frozenset()
    settings["execution.trigger"] = d.one_of(["available-now", "once"] if of_jobs else ["5 s"])
    d.feature(f"run: trigger {settings['execution.trigger']}")
    return frozenset() if of_jobs else frozenset(d.number(0, 12) for _ in range(d.number(0, 4)))


def _left_out(d: Drawing) -> frozenset[str]:
    """Draws which rules of the planner are not run."""
    if not d.chance(3):
        return frozenset()
    names = sorted({rule.__name__ for rule in (*rules.RULES, *rules.SHARING)})
    most = d.one_of([1, len(names) // 2, len(names)])
    d.feature({1: "plan: a rule left out", len(names): "plan: as bound"}.get(most, "plan: some rules left out"))
    return frozenset(d.some_of(names, most, most))


def _emission(d: Drawing, settings: dict[str, str]) -> int:
    """Draws early and late firing; returns for how many seconds late rows count."""
    if not d.chance(6):
        return 0
    if d.chance(2):
        d.feature("run: early firing")
        settings["table.exec.emit.early-fire.enabled"] = "true"
        settings["table.exec.emit.early-fire.delay"] = d.one_of(["0 s", "5 s"])
        if d.chance(2):
            return 0
    d.feature("run: allowed lateness")
    lateness_s = d.one_of([3, 15])
    settings["table.exec.emit.late-fire.enabled"] = "true"
    settings["table.exec.emit.late-fire.delay"] = d.one_of(["0 s", "5 s"])
    settings["table.exec.emit.allow-lateness"] = f"{lateness_s} s"
    return lateness_s


def bound(case: Case) -> Query:
    """Returns the bound query.

    Raises:
        UserError: It is refused.
    """
    kept = tuple(rule for rule in rules.RULES if rule.__name__ not in case.left_out)
    sharing = tuple(rule for rule in rules.SHARING if rule.__name__ not in case.left_out)
    with mock.patch.object(rules, "RULES", kept), mock.patch.object(rules, "SHARING", sharing):
        query = replace(bind_query(case.declarations, case.statement), splits=case.changes.splits)
    query = replace(query, settings=replace(query.settings, state_memory_bytes=case.memory_bytes))
    outside = {one.name: _rows_of(case, one) for one in case.changes.of("outside")}
    query = with_lookups(query, outside) if outside else query
    if case.sink is not None and case.beside:
        query = query.into(case.sink.name)
    query.fresh()
    return query


def _rows_of(case: Case, table: Table) -> pl.DataFrame:
    return table.frame([one.row for one in case.changes.arrivals if one.table == table.name])


def given_by_stream(case: Case, query: Query) -> Rows | None:
    """Returns the rows that are left when all changes are carried out; None: the job fails, as DO ERROR wants it."""
    try:
        return _left_by_stream(case, query)
    except UserError as failure:
        if any(one.conflict == "ERROR" for one in case.sinks) and "several rows for the key" in failure.message:
            return None
        raise


def _left_by_stream(case: Case, query: Query) -> Rows:
    run, passed_ms, late = query.fresh(), 0, list[pl.DataFrame]()
    frames = run.start()
    for place, step in enumerate(case.steps()):
        if place in case.restores:
            late += run.set_aside
            state, run = run.snapshot(), query.fresh(passed_ms)
            frames += run.restore(state)
        frames += run.take(step)
        frames += run.end_round() if place in case.rounds else []
        passed_ms += step if isinstance(step, int) else 0
    frames += [*run.end(), *run.end_round()]
    late += run.set_aside
    assert case.changes.has_late_rows or not run.late, "no row is late"
    if case.late is not None:
        set_aside, wanted = set_aside_of(case, late), late_rows_of_batch(case)
        assert set_aside == wanted, f"set aside alone: {set_aside - wanted}, late alone: {wanted - set_aside}"
    given = [one for frame in frames for one in _marked(case, frame)]
    return left_of(given) if case.sink is None else case.sink.left_of(given)


def _marked(case: Case, frame: pl.DataFrame) -> Iterator[tuple[str, tuple[object, ...]]]:
    marks = frame["op"].to_list() if "op" in frame.columns else ["+I"] * frame.height
    rows = frame.drop("op", strict=False)
    assert rows.columns == [one.name for one in case.columns]
    for mark, row in zip(marks, rows.iter_rows(), strict=True):
        yield mark, comparable(row, case.columns)


@cache
def _base() -> duckdb.DuckDBPyConnection:
    """Returns a database for all cases: to begin one takes longer than to answer a query."""
    return duckdb.connect(config={"threads": 1})


def answer_of_batch(case: Case) -> Rows:
    """Returns DuckDB's answer."""
    with _tables_in_duckdb(case) as base:
        try:
            names, rows = _asked(base, case.asked_of_duckdb)
        except duckdb.InvalidInputException:  # its optimiser stumbles over conditions that fold to a constant
            with _unoptimised(base):
                names, rows = _asked(base, case.asked_of_duckdb)
    places = [names.index(one.name) for one in case.columns]
    return Counter(comparable([row[place] for place in places], case.columns) for row in rows)


def _asked(base: duckdb.DuckDBPyConnection, query: str) -> tuple[list[str], list[tuple[object, ...]]]:
    found = base.sql(query)
    return found.columns, found.fetchall()


@contextlib.contextmanager
def _unoptimised(base: duckdb.DuckDBPyConnection) -> Iterator[None]:
    base.execute("PRAGMA disable_optimizer")
    try:
        yield
    finally:
        base.execute("PRAGMA enable_optimizer")


def late_rows_of_batch(case: Case) -> Rows:
    """Returns what DuckDB says that is set aside: number, window and watermark of each late row."""
    assert case.late is not None
    with _tables_in_duckdb(case) as base:
        return Counter(base.sql(case.late.replace(ZONE, case.changes.zone.name)).fetchall())


def set_aside_of(case: Case, frames: Sequence[pl.DataFrame]) -> Rows:
    """Returns the same of frames as `<table>$late` holds them."""
    names = [case.judged.number.name, "late_window_start", "late_window_end", "late_watermark"]
    return Counter(row for frame in frames for row in frame.select(names).iter_rows())


@contextlib.contextmanager
def _tables_in_duckdb(case: Case) -> Iterator[duckdb.DuckDBPyConnection]:
    """Gives a database with a case's tables."""
    base = _base()
    try:
        for table in case.changes.tables:
            base.register("rows", duckdb_frame(table, case.changes, BEGINNING_MS))
            columns = ", ".join(f"{_from_polars(one)} AS {one.name}" for one in table.columns)
            besides = f"{ARRIVAL}, CAST({CAME} AS TIMESTAMP) AS {CAME}, {PASSED}"
            computed = "".join(f", {sql.duckdb} AS {one.name}" for one, sql in table.computed)
            own = f"SELECT *{computed} FROM (SELECT {columns}, {besides} FROM rows)"
            base.execute(f"CREATE TABLE {table.name} AS {own.replace(ZONE, case.changes.zone.name)}")
            if table in case.changes.versioned and table.is_changing:
                base.register("rows", _ever(table, case.changes))
                times = ", ".join(f"make_timestamp_ms({name}) AS {name}" for name in ("since", "until"))
                base.execute(f"CREATE TABLE {table.ever} AS SELECT {columns}, {ARRIVAL}, {times} FROM rows")
        yield base
    finally:
        for table in case.changes.tables:
            base.execute(f"DROP TABLE IF EXISTS {table.name}; DROP TABLE IF EXISTS {table.ever}")


def _ever(table: Table, changes: Changes) -> pl.DataFrame:
    """Returns every version that a table ever had, and how long it counts if nothing is late."""
    lives = lifetimes(changes, table)
    beside = pl.DataFrame(lives, schema=dict.fromkeys((ARRIVAL, "since", "until"), pl.Int64()), orient="row")
    came = beside.filter([changes.arrivals[number].weight > 0 for number, _, _ in lives])
    return table.frame([changes.arrivals[number].row for number in came[ARRIVAL]]).hstack(came)


def _from_polars(column: Column) -> str:
    """Returns DuckDB's text of a column of a frame in DuckDB's own type."""
    if column.kind is Kind.MAP:
        return f"CASE WHEN {column.name} IS NOT NULL THEN map_from_entries({column.name}) END"
    if column.kind.is_instant:
        return f"CAST(timezone('UTC', {column.name}) AS {column.kind.duckdb})"
    return f"CAST({column.name} AS {column.kind.duckdb})"


def comparable(row: Sequence[object], columns: Sequence[Column]) -> tuple[object, ...]:
    """Returns a row in the one spelling in which rows of both sides are compared."""
    return tuple(_comparable(value, column) for value, column in zip(row, columns, strict=True))


def _comparable(value: object, column: Column) -> object:
    """One spelling; of what is opaque, what neither rounding nor order changes."""
    match value:
        case None:
            return None
        case dt.datetime() if value.tzinfo is not None:
            return value.astimezone(dt.UTC).replace(tzinfo=None)
        case dict() if column.kind is Kind.MAP:
            return frozenset(value.items())
        case dict():
            return tuple(_plain(one) for one in value.values())
        case list() if column.kind is Kind.MAP:
            return frozenset((one["key"], one["value"]) for one in value)
        case list():
            parts = [_plain(one) for one in value]
            return tuple(sorted(parts, key=repr) if column.is_opaque else parts)
        case float() if math.isnan(value):
            return "NaN"
        case str() if column.is_opaque:
            return tuple(sorted(value.split("|")))
        case float() if column.is_opaque:
            return float(f"{value:.6g}") if math.isfinite(value) and abs(value) > 1e-9 else repr(abs(value))
        case _:
            return value


def _plain(value: object) -> object:
    """Returns a part of a nested value without names, to be compared."""
    match value:
        case dict():
            return tuple(_plain(one) for one in value.values())
        case list():
            return tuple(_plain(one) for one in value)
        case _:
            return value
