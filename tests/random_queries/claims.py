"""What EXPLAIN CHANGELOG, STATE and WATERMARK say of each node of a plan, held against what the node gives and keeps.

Each node is run as a plan of its own, over what happens in a case.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import polars as pl
from tests.pipeline_runs import Query, Run
from tests.random_queries.cases import Case
from tests.random_queries.keeping import broken_bounds, broken_watermark

from yeoul.plan.changelog import Change, changelog_of
from yeoul.plan.nodes import ChangelogNormalize, Node, SinkMaterialize, Write, walk
from yeoul.plan.trigger import AS_FAST_AS_POSSIBLE

__all__ = ["broken_claims"]

_EDGES = (Write, SinkMaterialize)
"""What may fail by the rules of a sink."""
_KINDS = {"+I": Change.INSERT, "-U": Change.UPDATE_BEFORE, "+U": Change.UPDATE_AFTER, "-D": Change.DELETE}


def broken_claims(case: Case, query: Query) -> list[str]:
    """Returns what is said of a query's plan and is not so.

    Left out is what keys cannot tell: the key of a version is declared, and no row's own; one that was forgotten comes
    again.
    """
    if case.changes.of("versions") or case.changes.forgets:
        return []
    plans = query.plan if isinstance(query.plan, Sequence) else (query.plan,)
    nodes = {id(node): node for plan in plans for node in walk(plan) if not isinstance(node, _EDGES)}
    told_by_key = {
        id(one) for node in nodes.values() if isinstance(node, ChangelogNormalize) for one in walk(node.input)
    }
    return [one for place, node in nodes.items() if place not in told_by_key for one in _broken(case, query, node)]


def _broken(case: Case, query: Query, node: Node) -> Iterator[str]:
    """Gives what a node breaks of what is told of it."""
    settings = replace(query.settings, state_memory_bytes=None, trigger=AS_FAST_AS_POSSIBLE)
    query = replace(query, plan=node, output=None, settings=settings)
    yield from broken_bounds(case, query, node)
    yield from broken_watermark(case, query, node)
    yield from _broken_changelog(case, query.fresh(), node)


def _broken_changelog(case: Case, run: Run, node: Node) -> Iterator[str]:
    """Gives kinds of changes that a node does not tell, and that rows have one key."""
    told, name, kinds = changelog_of(node), type(node).__name__, set[Change]()
    living: Counter[tuple[str, ...]] = Counter()
    double: set[frozenset[str]] = set()
    for frame in _given(case, run):
        kinds |= _carried_out(frame, living)
        double |= {key for key in told.keys - double if not _tells_apart(key, node.schema.names, living)}
    if not kinds <= told.changes:
        yield f"{name} gives {sorted(one.value for one in kinds - told.changes)}, but tells {told}"
    for key in double:
        yield f"{name} gives several rows of a key of {len(key)}"


def _given(case: Case, run: Run) -> Iterator[pl.DataFrame]:
    yield from run.start()
    for step in case.steps():
        yield from run.take(step)
    yield from run.end()


def _carried_out(frame: pl.DataFrame, living: Counter[tuple[str, ...]]) -> set[Change]:
    """Carries changes out in the rows that are there; returns their kinds."""
    kinds = [_KINDS[mark] for mark in frame["op"]] if "op" in frame.columns else [Change.INSERT] * frame.height
    for kind, row in zip(kinds, frame.drop("op", strict=False).iter_rows(), strict=True):
        living[tuple(map(repr, row))] += 1 if kind in (Change.INSERT, Change.UPDATE_AFTER) else -1
    return set(kinds)


def _tells_apart(key: frozenset[str], names: Sequence[str], living: Counter[tuple[str, ...]]) -> bool:
    places = [place for place, name in enumerate(names) if name in key]
    there = +living
    return len({tuple(row[place] for place in places) for row in there}) == there.total()
