"""What EXPLAIN STATE and EXPLAIN WATERMARK say of a node, held against what runs keep and how far they have come.

Of state the words are held that name an end: what keeps nothing has nothing in its snapshots; what the watermark or
the end of the input is said to drop is gone behind them. What is bounded by a time to live, by a number of rows or by
nothing cannot be told from a snapshot's length, and is left.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import replace

from tests.pipeline_runs import Query, Run
from tests.random_queries.cases import Case
from tests.random_queries.tables import EPOCH, VALUES, Arrival, Table

from yeoul.plan.changelog import StateBound, state_of
from yeoul.plan.explain import ExplainDetail, explain_details
from yeoul.plan.nodes import AssignWatermark, Limit, Node, Scan, walk

__all__ = ["broken_bounds", "broken_watermark"]

_LATER = dt.timedelta(days=30)
_BY_WATERMARK = re.compile(
    r"a row for each key of each open window|the rows of each open session|the rows of both sides, of each open window"
    r"|the rows of both sides, until their interval has passed|at most \d+ rows for each partition of each open window"
    r"|rows that the watermark has not passed(, the rows of the last \d+ ms)?"
)
_BY_END = re.compile(rf"{_BY_WATERMARK.pattern}|.*(until the|at the) end of the input|.*until its end")
_WATERMARK = re.compile(
    r"watermark: (\w+) - INTERVAL (\d+) s, the least over the splits of (\w+)( that are not idle.*)?"
)
_START = -(2**63)


def broken_bounds(case: Case, query: Query, node: Node) -> Iterator[str]:
    """Gives what is said of the state of a plan, from a node on down, and is not so."""
    parts = [one for one in walk(node) if not isinstance(one, AssignWatermark | Limit)]
    told = [state_of(one) for one in parts]
    bounded = [why for bound, why in told if bound is not StateBound.NONE]
    name = type(node).__name__
    if not bounded and (kept := max(_kept_while(case, query.fresh()))):
        yield f"{name} keeps {kept} rows, but tells of none"
    if not bounded or any(bound is StateBound.UNBOUNDED for bound, _ in told):
        return
    if all(_BY_END.fullmatch(why) for why in bounded):
        kept, least = _kept_behind_all(case, query.fresh()), _kept_behind_all(_without_rows(case), query.fresh())
        if kept > least:
            yield f"{name} keeps {kept - least} rows behind the end of the input"
    if all(_BY_WATERMARK.fullmatch(why) for why in bounded) and _is_timed(node):
        *_, kept = _kept_while(_with_later_rows(case), query.fresh())
        *_, least = _kept_while(_with_later_rows(_without_rows(case)), query.fresh())
        if kept > least:
            yield f"{name} keeps {kept - least} rows that the watermark has passed long since"


def broken_watermark(case: Case, query: Query, node: Node) -> Iterator[str]:
    """Gives where the watermark of a table is not what is said of it."""
    if not isinstance(node, AssignWatermark):
        return
    _, line, *_ = explain_details(node, ExplainDetail.WATERMARK).splitlines()
    told = _WATERMARK.fullmatch(line.strip())
    if told is None:
        yield f"the watermark is told so: {line.strip()}"
        return
    column, delay_s, name = told[1], int(told[2]), told[3]
    (table,) = (one for one in case.changes.tables if one.name == name)
    assert table.time is not None
    assert table.time.name == column
    run, marks, seen = query.fresh(), dict.fromkeys(case.changes.splits, _START), 0
    run.start()
    for step in case.steps():
        run.take(step)
        if isinstance(step, int) or step.table != name:
            continue
        newest = step.rows[column].dt.replace_time_zone(None).max()
        if newest is not None:
            assert isinstance(newest, dt.datetime)
            mark = (newest - EPOCH) // dt.timedelta(milliseconds=1) - delay_s * 1000
            marks[step.split] = max(mark, marks[step.split])
        seen += 1
        if run.watermark_ms != min(marks.values()):
            yield f"the watermark is {run.watermark_ms - min(marks.values())} ms from what is told, behind batch {seen}"
            return


def _kept_while(case: Case, run: Run) -> Iterator[int]:
    """Gives how many rows a run keeps at its beginning and behind each step."""
    run.start()
    yield run.kept_rows
    for step in case.steps():
        run.take(step)
        yield run.kept_rows


def _kept_behind_all(case: Case, run: Run) -> int:
    run.start()
    for step in case.steps():
        run.take(step)
    run.end()
    return run.kept_rows


def _without_rows(case: Case) -> Case:
    return replace(case, changes=replace(case.changes, arrivals=[]))


def _with_later_rows(case: Case) -> Case:
    """Returns a case in whose end a row comes by every split of every table with a row time, long after all others."""
    changes = case.changes
    tables = [one for one in changes.tables if one.time is not None]
    later = [_later_row(case, table, split) for table in tables for split in changes.splits]
    later[:1] = [replace(one, pause_ms=_LATER // dt.timedelta(milliseconds=1)) for one in later[:1]]
    return replace(case, changes=replace(changes, arrivals=[*changes.arrivals, *later]))


def _later_row(case: Case, table: Table, split: str) -> Arrival:
    others = [VALUES[one.kind][0] for one in table.columns[2:]]
    return Arrival(table.name, split, (1_000_000, case.changes.zone.beginning + _LATER, *others))


def _is_timed(node: Node) -> bool:
    """Tells whether watermarks tell of every table below."""
    marked = {id(scan) for one in walk(node) if isinstance(one, AssignWatermark) for scan in walk(one)}
    return all(id(one) in marked for one in walk(node) if isinstance(one, Scan))
