"""Productions that rank: Top-N and deduplication."""

from __future__ import annotations

from dataclasses import replace

from tests.random_queries.dialects import Column, Kind, Sql, both, listed
from tests.random_queries.expressions import ORDERED
from tests.random_queries.grammar import Grammar
from tests.random_queries.joining import window_join
from tests.random_queries.relations import From, Relation
from tests.random_queries.tables import ARRIVAL
from tests.random_queries.windowing import by_clock, window_aggregate, window_rows

__all__ = ["clock_deduplicated", "deduplicated", "top_n", "window_top_n"]


def top_n(g: Grammar, depth: int) -> Relation:
    rows = g.rows(depth)
    ordered = g.orderable(rows)
    if not ordered:
        return rows.rows
    partition = g.d.some_of(rows.refs(), 0, 1)
    ranking = g.d.one_of(["ROW_NUMBER", "ROW_NUMBER", "ROW_NUMBER", "RANK", "DENSE_RANK"])
    return ranked(g, rows, partition, g.d.some_of(ordered, 1, 2), ranking)


def ranked(g: Grammar, rows: From, partition: list[Column], order: list[Column], ranking: str) -> Relation:
    order, is_total = g.ordered_by(rows, partition, order)
    sorting = listed([g.sort_item(rows.ref(one.name)) for one in order])
    by = g.partition_by(rows, partition)
    place = Column(g.d.name("p"), Kind.BIGINT)
    is_whole = is_total or ranking != "ROW_NUMBER"
    kept = list(dict.fromkeys([*partition, *order, *(rows.rows.columns if is_whole else ())]))
    items = listed([rows.ref(one.name) for one in kept])
    numbered = both(
        f"SELECT {{}}, {ranking}() OVER ({by}ORDER BY {{}}) AS {place.name} FROM {{}}", items, sorting, rows.sql
    )
    given = [*kept, *([place] if g.d.chance(2) else [])]
    names = ", ".join(one.name for one in given)
    last = g.d.number(1, 3)
    condition = g.d.one_of([f"<= {last}", f"<= {last}", f"= {last}", f"BETWEEN 2 AND {last + 1}"])
    if g.d.chance(5):
        g.d.feature("QUALIFY")
        call = both(f"{ranking}() OVER ({by}ORDER BY {{}}) {condition}", sorting)
        text = both("SELECT {} FROM {} QUALIFY {}", items, rows.sql, call)
        return rows.rows.keeping(text, kept).without_time()
    text = both(f"SELECT {names} FROM ({{}}) WHERE {place.name} {condition}", numbered)
    return rows.rows.keeping(text, given).without_time()


def deduplicated(g: Grammar, depth: int) -> Relation:
    direction = g.d.one_of(["ASC", "DESC"])
    timed = g.timed(depth)
    is_judged = direction == "ASC" and g.is_streaming  # over input that ends all rows count
    rows = (timed.in_time() if is_judged else timed).named(g.d.name("x"))
    time = rows.rows.time_column
    partition = g.d.some_of(rows.refs(), 0, 2)
    names = {time.name, *(one.name for one in partition)}
    is_total = any(key <= names for key in rows.rows.keys)
    kept = list(dict.fromkeys([*partition, time, *(rows.rows.columns if is_total else ())]))
    items = listed([rows.ref(one.name) for one in kept])
    by = g.partition_by(rows, partition)
    order, place = f"{rows.alias}.{time.name} {direction}", g.d.name("p")
    numbered = f"SELECT {{}}, ROW_NUMBER() OVER ({by}ORDER BY {order}) AS {place} FROM {{}}"
    columns = ", ".join(one.name for one in kept)
    text = both(f"SELECT {columns} FROM ({numbered}) WHERE {place} = 1", items, rows.sql)
    made = rows.rows.keeping(text, kept)
    return made if is_judged else made.without_time()


def window_top_n(g: Grammar, depth: int) -> Relation:
    joins = not g.changes.is_wide and (g.has_clock or not g.changes.has_late_rows)
    if joins and g.d.chance(4):
        rows = window_join(g, depth, is_ranked=True)
    else:
        rows = window_aggregate(g, depth) if g.d.chance(2) else window_rows(g, depth, is_ranked=True)
    source = rows.named(g.d.name("x"))
    assert rows.window is not None
    bounds = [one for one in rows.columns if one.name in (rows.window.start, rows.window.end)]
    others = [one for one in source.refs() if one not in bounds and not one.kind.is_nested]
    ordered = [one for one in others if one.kind in ORDERED]
    if not ordered:
        return rows
    times = [one for one in ordered if one.name.startswith("ts")]
    order = g.d.some_of(ordered, 1, 2)
    if times and g.d.chance(2):
        g.d.feature("window Top-N and deduplication by the row time")
        order = times[:1]
    made = ranked(g, source, [*bounds, *g.d.some_of(others, 0, 1)], order, "ROW_NUMBER")
    return replace(made, window=rows.window)


def clock_deduplicated(g: Grammar, depth: int) -> Relation:
    """Returns each key's first or last row in the order in which they came."""
    read = g.read()
    if not read.arrives:
        return deduplicated(g, depth)
    rows = by_clock(g, read).named(g.d.name("x"))
    kept = g.d.some_of(read.columns, 1, 5)
    items = listed([rows.ref(one.name) for one in kept])
    by = g.partition_by(rows, g.d.some_of(read.whole, 0, 2))
    direction, place = g.d.one_of(["ASC", "DESC"]), g.d.name("p")
    order = Sql(f"{rows.alias}.{rows.rows.time} {direction}", f"{rows.alias}.{ARRIVAL} {direction}")
    numbered = both(f"SELECT {{}}, ROW_NUMBER() OVER ({by}ORDER BY {{}}) AS {place} FROM {{}}", items, order, rows.sql)
    columns = ", ".join(one.name for one in kept)
    return read.keeping(both(f"SELECT {columns} FROM ({{}}) WHERE {place} = 1", numbered), kept).without_time()
