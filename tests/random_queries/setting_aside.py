"""Queries of which it is known what they set aside: `<table>$late` holds just the rows that came too late.

Straight over a table, with one operator that judges lateness: none but it leaves rows out, and nothing is between it
and them but a WHERE. Every row is either in the answer or set aside, of several windows in each either or.
"""

from __future__ import annotations

from dataclasses import replace

from tests.random_queries.aggregates import call
from tests.random_queries.dialects import Column, Kind, both, listed, same
from tests.random_queries.grammar import Grammar
from tests.random_queries.relations import Relation
from tests.random_queries.tables import PASSED
from tests.random_queries.windowing import late_in_windows, windowed
from tests.random_queries.windows import WindowSpec, window_spec

__all__ = ["judged"]

_NO_WINDOW = "CAST(NULL AS TIMESTAMP) AS window_start, CAST(NULL AS TIMESTAMP) AS window_end"


def judged(g: Grammar, depth: int) -> Relation:
    """Returns rows of a table without those that come too late, and which those are."""
    if not g.changes.has_late_rows:
        return g.query(depth)
    table = g.d.one_of([one for one in g.changes.timed if not one.is_changing])
    rows = g.read_table(table)
    what = g.d.one_of(["windows", "windows", "windows", "first rows", "OVER"] if g.is_streaming else ["windows"])
    g.d.feature(f"set aside: {what}")
    spec = window_spec(g.d, functions_only=True)
    if spec.kind != "SESSION" and g.d.chance(2):
        source = rows.named(g.d.name("x"))
        g.d.feature("set aside: behind a WHERE")
        rows = replace(rows, sql=both("SELECT * FROM {}{}", source.sql, g.where(source)), is_table=False)
    if what == "windows":
        return _aggregate(g, rows, table.number, spec)
    mark = f"make_timestamp_ms({PASSED}) AS mark"
    passed = f"{PASSED} IS NOT NULL AND epoch_ms({rows.time}) <= {PASSED}"
    late = f"SELECT {table.number.name}, {_NO_WINDOW}, {mark} FROM {rows.duckdb_source} WHERE {passed}"
    made = _first_rows(g, rows) if what == "first rows" else _numbered(g, rows)
    return replace(made, late=late)


def _aggregate(g: Grammar, rows: Relation, number: Column, spec: WindowSpec) -> Relation:
    g.d.feature(f"set aside: {spec.kind}")
    chosen = g.d.some_of([one for one in rows.whole if one.name != rows.time], 0, 2)
    partition = [one.name for one in chosen] if spec.kind == "SESSION" else []
    source = replace(rows, sql=windowed(g, rows, spec, partition, g.lateness_s), is_table=True, arrives=False)
    named = source.named(g.d.name("x"))
    bounds = [Column(g.d.name("w"), Kind.TIMESTAMP) for _ in range(2)]
    keys = [named.ref(name) for name in ("window_start", "window_end", *(one.name for one in chosen))]
    made = call(g.d, named)
    columns = (*bounds, *(replace(one, name=g.d.name()) for one in chosen), Column(g.d.name("a"), made.kind))
    items = [both(f"{{}} AS {one.name}", sql) for one, sql in zip(columns, [*keys, made.sql], strict=True)]
    text = both("SELECT {} FROM {} GROUP BY {}", listed(items), named.sql, listed(keys))
    late = f"SELECT {number.name}, window_start, window_end, make_timestamp_ms({PASSED}) AS mark"
    late = f"{late} FROM {late_in_windows(g, rows, spec, partition, g.lateness_s)}"
    return Relation(text, columns, late=late)


def _first_rows(g: Grammar, rows: Relation) -> Relation:
    """Returns the first row of each key in event time."""
    source = rows.in_time().named(g.d.name("x"))
    by = g.partition_by(source, g.d.some_of([one for one in rows.whole if one.name != rows.time], 1, 2))
    kept = [one for one in rows.columns if f"{source.alias}.{one.name}" in by] + [rows.time_column]
    names, place = ", ".join(one.name for one in kept), g.d.name("p")
    order = f"{by}ORDER BY {source.alias}.{rows.time}"
    numbered = both(f"SELECT {names}, ROW_NUMBER() OVER ({order}) AS {place} FROM {{}}", source.sql)
    return Relation(both(f"SELECT {names} FROM ({{}}) WHERE {place} = 1", numbered), tuple(kept))


def _numbered(g: Grammar, rows: Relation) -> Relation:
    """Returns each row with how many of its key there are up to its time."""
    source = rows.in_time().named(g.d.name("x"))
    by = g.partition_by(source, g.d.some_of([one for one in rows.whole if one.name != rows.time], 0, 1))
    kept, count = g.d.some_of(rows.columns, 1, 4), Column(g.d.name("o"), Kind.BIGINT)
    counted = same(f"COUNT(*) OVER ({by}ORDER BY {source.alias}.{rows.time}) AS {count.name}")
    items = listed([*(source.ref(one.name) for one in kept), counted])
    return Relation(both("SELECT {} FROM {}", items, source.sql), (*kept, count))
