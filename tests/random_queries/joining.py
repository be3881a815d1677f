"""Productions of two inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.random_queries.dialects import Column, Sql, both, listed, same
from tests.random_queries.grammar import Grammar
from tests.random_queries.relations import From, Relation
from tests.random_queries.subqueries import semi
from tests.random_queries.windowing import of_windows, window_rows
from tests.random_queries.windows import window_spec

__all__ = ["interval_join", "join", "joined", "window_join"]

_JOINS = ("INNER JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")


def join(g: Grammar, depth: int) -> Relation:
    left = g.rows(depth)
    right = g.meeting(left, g.rows(g.d.number(0, depth)))
    equal = g.equalities(left, right, 1, 2)
    more = [] if not g.d.chance(3) else [left.expressions(g.d, right).comparison()]
    kind = g.d.one_of(_JOINS)
    g.d.feature(kind)
    return joined(g, left, right, kind, [*equal, *more]).without_time()


def joined(g: Grammar, left: From, right: From, kind: str, conditions: Sequence[Sql]) -> Relation:
    """Returns a join's rows under new names."""
    columns: list[Column] = []
    items: list[Sql] = []
    names: dict[str, str] = {}
    for side in (left, right):
        for one in g.d.some_of(side.rows.columns, 1, 4):
            columns.append(replace(one, name=g.d.name()))
            items.append(both(f"{{}} AS {columns[-1].name}", side.ref(one.name)))
            names[f"{side.alias}.{one.name}"] = columns[-1].name
    on = listed(list(conditions), " AND ") if conditions else same("TRUE")
    text = both(f"SELECT {{}} FROM {{}} {kind} {{}} ON {{}}", listed(items), left.sql, right.sql, on)
    pairs = [
        {f"{left.alias}.{name}" for name in key} | {f"{right.alias}.{name}" for name in other}
        for key in left.rows.keys
        for other in right.rows.keys
    ]
    keys = frozenset(frozenset(names[name] for name in key) for key in pairs if key <= names.keys())
    times = {names.get(f"{side.alias}.{side.rows.time}") for side in (left, right) if side.rows.time} - {None}
    return Relation(text, tuple(columns), keys, min(times, key=str) if times else None)


def interval_join(g: Grammar, depth: int) -> Relation:
    if g.changes.has_late_rows:  # they meet those that wait: which, is not told by the rows alone
        return join(g, depth)
    left, right = g.timed(depth).named(g.d.name("x")), g.timed(0).named(g.d.name("x"))
    if left.rows.time_column.kind is not right.rows.time_column.kind:
        return left.rows
    one, other = left.ref(str(left.rows.time)), right.ref(str(right.rows.time))
    low, high = g.d.number(-5, 10), g.d.number(0, 15)
    bounds = f"{{}} BETWEEN {{}} - INTERVAL '{low}' SECOND AND {{}} + INTERVAL '{high}' SECOND"
    conditions = [*g.equalities(left, right, 0, 1), both(bounds, one, other, other)]
    conditions += [left.expressions(g.d, right).comparison()] if g.d.chance(5) else []
    kind = g.d.one_of(_JOINS)
    g.d.feature(f"interval {kind}")
    made = joined(g, left, right, kind, conditions)
    return made if kind == "INNER JOIN" else made.without_time()


def window_join(g: Grammar, depth: int) -> Relation:
    if g.changes.has_late_rows or g.lateness_s:
        return join(g, depth)
    spec = window_spec(g.d, sessions=False, functions_only=True)
    sides = [of_windows(g, g.timed(at), spec) if g.d.chance(3) else window_rows(g, at, spec) for at in (depth, 0)]
    left, right = (one.named(g.d.name("x")) for one in sides)
    assert left.rows.window is not None
    assert right.rows.window is not None
    conditions = [
        both("{} = {}", left.ref(left.rows.window.start), right.ref(right.rows.window.start)),
        both("{} = {}", left.ref(left.rows.window.end), right.ref(right.rows.window.end)),
        *g.equalities(left, right, 0, 1),
    ]
    conditions += [left.expressions(g.d, right).comparison()] if g.d.chance(5) else []
    if g.d.chance(4):
        g.d.feature("window join, semi and anti")
        return semi(g, left, right, conditions)
    kind = g.d.one_of(_JOINS)
    g.d.feature(f"window {kind}")
    return joined(g, left, right, kind, conditions).without_time()
