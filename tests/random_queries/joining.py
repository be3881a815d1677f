"""Productions of two inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.random_queries.dialects import Column, Sql, both, listed, same
from tests.random_queries.grammar import Grammar
from tests.random_queries.lateness import watermarks
from tests.random_queries.relations import From, Relation, Window
from tests.random_queries.subqueries import semi
from tests.random_queries.tables import ARRIVAL
from tests.random_queries.windowing import of_windows, rows_in_windows, window_rows
from tests.random_queries.windows import WindowSpec, window_spec

__all__ = ["interval_join", "join", "joined", "window_join"]

_JOINS = ("INNER JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
_COMMA = ","
"""Joins by what WHERE says, and, if it says nothing, each row with each."""


def join(g: Grammar, depth: int) -> Relation:
    left = g.rows(depth)
    right = g.meeting(left, g.rows(g.d.number(0, depth)))
    if g.d.chance(6) and g.equal_kinds(left, right):
        return _using(g, left, right)
    is_small = left.rows.is_table and right.rows.is_table
    equal = g.equalities(left, right, 0 if is_small and g.d.chance(3) else 1, 2)
    more = [] if not g.d.chance(3) else [left.expressions(g.d, right).comparison()]
    kind = g.d.one_of((*_JOINS, _COMMA))
    g.d.feature(f"FROM {kind}" if kind == _COMMA else kind)
    if not equal:
        g.d.feature("join without an equality")
    hint = g.ttl_hint(left.alias, right.alias)
    return joined(g, left, right, kind, [*equal, *more], hint=hint).without_time()


def _using(g: Grammar, left: From, right: From) -> Relation:
    """Returns a join by columns that both sides have: where one has no match, they are the other's."""
    kind = g.d.one_of(_JOINS)
    g.d.feature(f"{kind} USING")
    pairs = g.d.some_of(g.equal_kinds(left, right), 1, 2)
    common = [replace(one, name=g.d.name("u")) for one, _ in pairs]
    items, columns, sides = [same(one.name) for one in common], list(common), list[Sql]()
    for side, equal in ((left, [one for one, _ in pairs]), (right, [other for _, other in pairs])):
        kept, alias = g.d.some_of(side.rows.columns, 1, 3), g.d.name("x")
        named = [*common, *(replace(one, name=g.d.name()) for one in kept)]
        inner = [
            both(f"{{}} AS {new.name}", side.ref(one.name)) for one, new in zip([*equal, *kept], named, strict=True)
        ]
        sides.append(both(f"(SELECT {{}} FROM {{}}) AS {alias}", listed(inner), side.sql))
        items += [same(f"{alias}.{one.name}") for one in named[len(common) :]]
        columns += named[len(common) :]
    using = f"USING ({', '.join(one.name for one in common)})"
    return Relation(both(f"SELECT {{}} FROM {{}} {kind} {{}} {using}", listed(items), *sides), tuple(columns))


def joined(
    g: Grammar,
    left: From,
    right: From,
    kind: str,
    conditions: Sequence[Sql],
    window: Window | None = None,
    hint: str = "",
) -> Relation:
    """Returns a join's rows under new names; `window`: of the left, whose bounds are kept."""
    columns: list[Column] = []
    items: list[Sql] = []
    names: dict[str, str] = {}
    bounds = {window.start, window.end} if window else set()
    for side in (left, right):
        chosen = g.d.some_of([one for one in side.rows.columns if one.name not in bounds], 0 if bounds else 1, 4)
        for one in [*chosen, *(one for one in side.rows.columns if side is left and one.name in bounds)]:
            columns.append(replace(one, name=g.d.name()))
            items.append(both(f"{{}} AS {columns[-1].name}", side.ref(one.name)))
            names[f"{side.alias}.{one.name}"] = columns[-1].name
    on = listed(list(conditions), " AND ") if conditions else same("TRUE")
    word = "WHERE" if kind == _COMMA else "ON"
    text = both(f"SELECT {hint}{{}} FROM {{}} {kind} {{}} {word} {{}}", listed(items), left.sql, right.sql, on)
    pairs = [
        {f"{left.alias}.{name}" for name in key} | {f"{right.alias}.{name}" for name in other}
        for key in left.rows.keys
        for other in right.rows.keys
    ]
    keys = frozenset(frozenset(names[name] for name in key) for key in pairs if key <= names.keys())
    times = {names.get(f"{side.alias}.{side.rows.time}") for side in (left, right) if side.rows.time} - {None}
    made = Relation(text, tuple(columns), keys, min(times, key=str) if times else None)
    if window is None:
        return made
    start, end = (names[f"{left.alias}.{bound}"] for bound in (window.start, window.end))
    return replace(made, window=Window(start, end, window.spec))


def interval_join(g: Grammar, depth: int) -> Relation:
    sides = g.two_tables() if g.changes.has_late_rows else (g.timed(depth), g.timed(0))
    if sides is None:
        return join(g, depth)
    left, right = (one.named(g.d.name("x")) for one in sides)
    if left.rows.time_column.kind is not right.rows.time_column.kind:
        return left.rows
    one, other = left.ref(str(left.rows.time)), right.ref(str(right.rows.time))
    low, high = g.d.number(-5, 10), g.d.number(0, 15)
    bounds = f"{{}} BETWEEN {{}} - INTERVAL '{low}' SECOND AND {{}} + INTERVAL '{high}' SECOND"
    conditions = [*g.equalities(left, right, 0, 1), both(bounds, one, other, other)]
    conditions += [left.expressions(g.d, right).comparison()] if g.d.chance(5) else []
    kind = g.d.one_of(_JOINS)
    g.d.feature(f"interval {kind}")
    if g.changes.has_late_rows:
        g.d.feature("interval join of late rows")
        conditions.append(_meets_what_waits(g, left, right, low, high))
    made = joined(g, left, right, kind, conditions)
    return made if kind == "INNER JOIN" and not g.changes.has_late_rows else made.without_time()


def _meets_what_waits(g: Grammar, left: From, right: From, low_s: int, high_s: int) -> Sql:
    """Returns, in DuckDB, whether of two rows the first still waited when the second came."""
    passed = watermarks(g.changes, {left.rows.sql.flink, right.rows.sql.flink})

    def waited(first: From, second: From, wait_s: int) -> str:
        at = f"list_extract({passed}, {second.alias}.{ARRIVAL} + 1)"
        return f"coalesce(epoch_ms({first.alias}.{first.rows.time}) + {wait_s * 1000} > {at}, TRUE)"

    is_first = f"{left.alias}.{ARRIVAL} < {right.alias}.{ARRIVAL}"
    return Sql("TRUE", f"CASE WHEN {is_first} THEN {waited(left, right, low_s)} ELSE {waited(right, left, high_s)} END")


def _sides(g: Grammar, depth: int, spec: WindowSpec) -> list[Relation]:
    def aggregates() -> bool:  # where late rows count for longer, an aggregate changes what it gave
        return not g.lateness_s and g.d.chance(3)

    return [of_windows(g, g.timed(at), spec) if aggregates() else window_rows(g, at, spec) for at in (depth, 0)]


def _sides_of_late_rows(g: Grammar, spec: WindowSpec) -> list[Relation]:
    """Returns two tables' rows with their windows, or aggregates; the join judges rows by the watermark of both."""
    g.d.feature("window join of late rows")
    tables = [g.read(timed=True) for _ in range(2)]
    passed = watermarks(g.changes, {one.sql.flink for one in tables})
    at = f"list_extract({passed}, {ARRIVAL} + 1)"
    return [
        of_windows(g, one, spec) if not g.lateness_s and g.d.chance(4) else rows_in_windows(g, one, spec, at)
        for one in tables
    ]


def window_join(g: Grammar, depth: int, *, is_ranked: bool = False) -> Relation:
    """Returns a join of two in the same windows; `is_ranked`: with their bounds."""
    if g.changes.has_late_rows and not g.has_clock:
        return join(g, depth)  # a job reads a table that is named twice in an order of its own for each name
    spec = window_spec(g.d, sessions=False, functions_only=True)
    sides = _sides_of_late_rows(g, spec) if g.changes.has_late_rows else _sides(g, depth, spec)
    left, right = (one.named(g.d.name("x")) for one in sides)
    assert left.rows.window is not None
    assert right.rows.window is not None
    conditions = [
        both("{} = {}", left.ref(left.rows.window.start), right.ref(right.rows.window.start)),
        both("{} = {}", left.ref(left.rows.window.end), right.ref(right.rows.window.end)),
        *g.equalities(left, right, 0, 1),
    ]
    conditions += [left.expressions(g.d, right).comparison()] if g.d.chance(5) else []
    if is_ranked:
        g.d.feature("window Top-N of a join")
        kind = g.d.one_of(["INNER JOIN", "LEFT JOIN"])
        return joined(g, left, right, kind, conditions, left.rows.window).without_time()
    if g.d.chance(4):
        g.d.feature("window join, semi and anti")
        return semi(g, left, right, conditions)
    kind = g.d.one_of(_JOINS)
    g.d.feature(f"window {kind}")
    return joined(g, left, right, kind, conditions).without_time()
