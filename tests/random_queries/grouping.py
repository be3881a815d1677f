"""Productions that group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.random_queries.aggregates import call, distinct_calls, opaque_call, sketched_call
from tests.random_queries.dialects import IN_STREAMING, Column, Kind, Sql, both, listed, same
from tests.random_queries.expressions import Expressions, Term
from tests.random_queries.grammar import Grammar
from tests.random_queries.relations import From, Relation

__all__ = ["aggregate", "grouped", "sets_of"]


def aggregate(g: Grammar, depth: int) -> Relation:
    rows = g.rows(depth)
    keys = _keys(g, rows)
    where = g.where(rows) if g.d.chance(4) else same("")
    source = both("{}{}", rows.sql, where)
    sets = sets_of(g, keys)
    if sets is not None:
        return grouped(g, rows, source, keys, both(" GROUP BY {}", sets), has_sets=True)
    grouping = both(" GROUP BY {}", listed([sql for _, sql in keys])) if keys else same("")
    return grouped(g, rows, source, keys, grouping)


def sets_of(g: Grammar, keys: list[tuple[Column, Sql]]) -> Sql | None:
    """Returns GROUPING SETS, ROLLUP or CUBE of keys; None: none were drawn."""
    if not keys or not g.d.chance(5):
        return None
    g.d.feature("GROUPING SETS, ROLLUP, CUBE")
    every = [sql for _, sql in keys]
    word = g.d.one_of(["ROLLUP", "CUBE", "GROUPING SETS"])
    if word != "GROUPING SETS":
        return both(f"{word} ({{}})", listed(every))
    sets = [both("({})", listed(g.d.some_of(every, 0, len(every)))) for _ in range(g.d.number(1, 3))]
    named = {one.flink for one in every if not any(one.flink in of.flink for of in sets)}
    sets += [both("({})", one) for one in every if one.flink in named]
    return both("GROUPING SETS ({})", listed(sets))


def _keys(g: Grammar, rows: From) -> list[tuple[Column, Sql]]:
    keys = [(replace(one, name=g.d.name()), rows.ref(one.name)) for one in g.d.some_of(rows.refs(), 0, 2)]
    if rows.refs() and g.d.chance(5):
        kind = g.d.one_of([Kind.INT, Kind.STRING, Kind.BOOLEAN])
        first = g.d.one_of(rows.refs())
        made = rows.expressions(g.d).of(kind, 1)
        if f"{rows.alias}.{first.name}" in made.flink:
            keys.append((Column(g.d.name(), kind), made))
    return keys


def grouped(
    g: Grammar,
    rows: From,
    source: Sql,
    keys: list[tuple[Column, Sql]],
    grouping: Sql,
    fixed: Sequence[tuple[Column, Sql]] = (),
    *,
    has_sets: bool = False,
) -> Relation:
    """Returns the groups: their keys, what is fixed besides, calls, and what is computed of calls."""
    if g.d.chance(5):
        g.d.feature("COUNT(DISTINCT) under several conditions")
        calls = distinct_calls(g.d, rows)
    else:
        calls = [call(g.d, rows) for _ in range(g.d.number(1, 3))]
    outputs = [*keys, *fixed]
    for one in calls:
        outputs.append((Column(g.d.name("a"), one.kind), one.sql))
    over_calls = Expressions(g.d, [Term(one.sql, one.kind) for one in calls])
    if g.d.chance(4):
        kind = g.d.one_of([Kind.INT, Kind.BIGINT, Kind.BOOLEAN])
        outputs.append((Column(g.d.name("a"), kind), over_calls.of(kind, 1)))
    if g.d.chance(6) and rows.refs():
        opaque = sketched_call(g.d, rows) if g.d.chance(2) and not g.changes.is_wide else opaque_call(g.d, rows)
        outputs.append((Column(g.d.name("a"), opaque.kind, is_opaque=True), opaque.sql))
    having = both(" HAVING {}", over_calls.condition(1)) if g.d.chance(4) else same("")
    if has_sets and keys and g.d.chance(2):
        calls_of = both("CAST(GROUPING({}) AS BIGINT)", g.d.one_of(keys)[1])
        outputs.append((Column(g.d.name("a"), Kind.BIGINT), calls_of))
    if has_sets:  # as in Flink no rows make no groups, not even of all rows
        having = Sql(having.flink, f"{having.duckdb or ' HAVING TRUE'} AND count(*) > 0")
    elif not grouping.flink:
        having = Sql(having.flink, f"{having.duckdb or ' HAVING TRUE'}{IN_STREAMING}")
    items = listed([both(f"{{}} AS {column.name}", sql) for column, sql in outputs])
    hint = "" if g.changes.forgets else g.ttl_hint(rows.alias)
    text = both(f"SELECT {hint}{{}} FROM {{}}{{}}{{}}", items, source, grouping, having)
    unique = frozenset({frozenset(column.name for column, _ in [*keys, *fixed])})
    return Relation(text, tuple(column for column, _ in outputs), frozenset() if has_sets else unique)
