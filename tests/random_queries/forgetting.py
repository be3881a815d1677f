"""Queries whose state is forgotten on the way, where what is left of them is known all the same.

Between rows there is no time, or so much that `table.exec.state.ttl` is long over: a key that nothing touched for so
long begins a new life, and what its old one gave stays as it is. Where only the rows that are left in the end are
given, nothing is forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.random_queries.dialects import Column, Kind, Sql, both, listed, same
from tests.random_queries.grammar import Grammar
from tests.random_queries.relations import From, Relation
from tests.random_queries.tables import ARRIVAL, CAME
from tests.random_queries.windowing import by_clock

__all__ = ["TTL_MINUTES", "forgotten"]

TTL_MINUTES = 5
_LIFE = "life"


def _kept(g: Grammar) -> str:
    """Returns for how long state is kept, in DuckDB's words."""
    return f"INTERVAL {TTL_MINUTES} MINUTE" if g.is_streaming else "INTERVAL 9 YEAR"


def forgotten(g: Grammar) -> Relation:
    """Returns a query over tables, with one operator whose state is forgotten."""
    name, make = g.d.one_of(
        [("GROUP BY", _groups), ("COUNT(DISTINCT)", _different), ("DISTINCT", _distinct), ("join", _joined)]
        + [("first and last rows", _deduplicated)] * 2
    )
    g.d.feature(f"state forgotten: {name}")
    return make(g)


def _rows(g: Grammar) -> From:
    """Returns a table's rows, perhaps those of a WHERE: the others touch nothing."""
    rows = g.read_table(g.d.one_of([one for one in g.changes.tables if not one.is_changing]))
    if g.d.chance(3):
        source = rows.named(g.d.name("x"))
        rows = replace(rows, sql=both("SELECT * FROM {}{}", source.sql, g.where(source)), is_table=False)
    return rows.named(g.d.name("x"))


def _with_lives(g: Grammar, rows: From, *keys: Sequence[str]) -> str:
    """Returns what FROM takes in DuckDB: rows with the number of the life of one key or of several, in their order."""
    source = rows.rows.duckdb_source
    for place, names in enumerate(keys):
        by = f"PARTITION BY {', '.join(names)} ORDER BY {ARRIVAL}"
        is_new = f"CASE WHEN {CAME} - lag({CAME}) OVER ({by}) > {_kept(g)} THEN 1 ELSE 0 END"
        marked = f"SELECT *, {is_new} AS begins FROM {source}"
        lives = f"SELECT * EXCLUDE (begins), sum(begins) OVER ({by}) AS {_LIFE}{place} FROM ({marked})"
        source = f"({lives})"
    return f"{source} AS {rows.alias}"


def _grouped(rows: From, keys: Sequence[Column], calls: Sequence[tuple[Column, Sql]], duckdb: str) -> Relation:
    by = ", ".join(f"{rows.alias}.{one.name}" for one in keys)
    items = listed([*(rows.ref(one.name) for one in keys), *(both(f"{{}} AS {one.name}", sql) for one, sql in calls)])
    grouping = Sql(f" GROUP BY {by}", f" GROUP BY {by}, {_LIFE}0")
    text = both("SELECT {} FROM {}{}", items, Sql(rows.sql.flink, duckdb), grouping)
    return Relation(text, (*keys, *(one for one, _ in calls)))


def _groups(g: Grammar) -> Relation:
    rows = _rows(g)
    keys = g.d.some_of(rows.refs(), 1, 2)
    calls = [(Column(g.d.name("a"), Kind.BIGINT), same("COUNT(*)"))]
    for name in g.d.some_of(["SUM", "MIN", "MAX", "LAST_VALUE"], 0, 2):
        value = rows.expressions(g.d).of(Kind.INT, 0)
        duckdb = f"CAST({name}({{}}) AS INTEGER)"
        if name == "LAST_VALUE":
            duckdb = f"last({{}} ORDER BY {ARRIVAL}) FILTER (WHERE {value.duckdb} IS NOT NULL)"
        calls.append((Column(g.d.name("a"), Kind.INT), both(f"{name}({{}})", value, duckdb=duckdb)))
    return _grouped(rows, keys, calls, _with_lives(g, rows, [one.name for one in keys]))


def _different(g: Grammar) -> Relation:
    """Returns counts of different values; a value lives as its group does, or shorter."""
    rows = _rows(g)
    keys, value = g.d.some_of(rows.plain, 1, 1), g.d.one_of(rows.plain)
    names = [one.name for one in keys]
    one_of_them = f"CASE WHEN {rows.alias}.{value.name} IS NOT NULL THEN ({rows.alias}.{value.name}, {_LIFE}1) END"
    count = Sql(f"COUNT(DISTINCT {rows.alias}.{value.name})", f"COUNT(DISTINCT {one_of_them})")
    calls = [(Column(g.d.name("a"), Kind.BIGINT), count), (Column(g.d.name("a"), Kind.BIGINT), same("COUNT(*)"))]
    return _grouped(rows, keys, calls, _with_lives(g, rows, names, [*names, value.name]))


def _distinct(g: Grammar) -> Relation:
    rows = _rows(g)
    keys = g.d.some_of(rows.refs(), 1, 2)
    names = ", ".join(f"{rows.alias}.{one.name}" for one in keys)
    duckdb = f"SELECT {names} FROM {_with_lives(g, rows, [one.name for one in keys])} GROUP BY {names}, {_LIFE}0"
    return Relation(Sql(f"SELECT DISTINCT {names} FROM {rows.sql.flink}", duckdb), tuple(keys))


def _joined(g: Grammar) -> Relation:
    """Returns pairs of rows; each row waits for others so long, whoever came of its key since."""
    left, right = _rows(g), _rows(g)
    times = {left.rows.time, right.rows.time}  # rows at equal times are an interval join, whose state watermarks bound
    pairs = [pair for pair in g.equal_kinds(left, right) if not {one.name for one in pair} <= times]
    one, other = g.d.one_of(pairs)
    columns, items = [], []
    for side in (left, right):
        for column in g.d.some_of(side.rows.columns, 1, 3):
            columns.append(replace(column, name=g.d.name()))
            items.append(both(f"{{}} AS {columns[-1].name}", side.ref(column.name)))
    apart = f"greatest({left.alias}.{CAME}, {right.alias}.{CAME}) - least({left.alias}.{CAME}, {right.alias}.{CAME})"
    meets = Sql("", f" AND {apart} <= {_kept(g)}")
    equal = both("{} = {}{}", left.ref(one.name), right.ref(other.name), meets)
    return Relation(both("SELECT {} FROM {} JOIN {} ON {}", listed(items), left.sql, right.sql, equal), tuple(columns))


def _deduplicated(g: Grammar) -> Relation:
    """Returns the first or the last row of each life of each key, as they came."""
    read = _rows(g).rows
    rows = by_clock(g, read).named(g.d.name("x"))
    keys, direction = g.d.some_of(read.whole, 1, 2), g.d.one_of(["ASC", "DESC"])
    kept = g.d.some_of(read.columns, 1, 4)
    names, place = ", ".join(one.name for one in kept), g.d.name("p")
    by = ", ".join(f"{rows.alias}.{one.name}" for one in keys)
    items = ", ".join(f"{rows.alias}.{one.name}" for one in kept)
    flink = f"ROW_NUMBER() OVER (PARTITION BY {by} ORDER BY {rows.alias}.{rows.rows.time} {direction}) AS {place}"
    lives = _with_lives(g, rows, [one.name for one in keys])
    duckdb = f"row_number() OVER (PARTITION BY {by}, {_LIFE}0 ORDER BY {rows.alias}.{ARRIVAL} {direction}) AS {place}"
    numbered = Sql(f"SELECT {items}, {flink} FROM {rows.sql.flink}", f"SELECT {items}, {duckdb} FROM {lives}")
    return Relation(both(f"SELECT {names} FROM ({{}}) WHERE {place} = 1", numbered), tuple(kept))
