"""Productions of what stands around a row."""

from __future__ import annotations

from dataclasses import replace

from tests.random_queries.aggregates import Call, call
from tests.random_queries.dialects import Column, Kind, Sql, both, listed, same
from tests.random_queries.grammar import Grammar
from tests.random_queries.relations import From, Relation
from tests.random_queries.tables import ARRIVAL
from tests.random_queries.windowing import by_clock

__all__ = ["clock_over", "over"]


def over(g: Grammar, depth: int) -> Relation:
    by_time = g.d.chance(2)
    rows = g.timed(depth).in_time().named(g.d.name("x")) if by_time else g.rows(depth)
    partition = g.d.some_of(rows.refs(), 0, 1)
    if by_time:
        g.d.feature("OVER by the row time")
        sorting, names = rows.ref(str(rows.rows.time)), {str(rows.rows.time), *(one.name for one in partition)}
        is_total = any(key <= names for key in rows.rows.keys)
    else:
        ordered = g.orderable(rows)
        if not ordered:
            return rows.rows
        order, is_total = g.ordered_by(rows, partition, g.d.some_of(ordered, 1, 2))
        sorting = listed([g.sort_item(rows.ref(one.name)) for one in order])
    looks_ahead = not g.is_streaming and not rows.rows.may_be_late
    calls = _calls(g, rows, is_total=is_total, by_time=by_time, looks_ahead=looks_ahead)
    made = _over(g, rows, both(f"{g.partition_by(rows, partition)}ORDER BY {{}}", sorting), calls)
    return made if by_time else made.without_time()


def clock_over(g: Grammar, depth: int) -> Relation:
    """Returns rows with what the rows before them say, in the order in which they came."""
    read = g.read()
    if not read.arrives:
        return over(g, depth)
    timed = by_clock(g, read)
    rows = (timed if g.has_clock else replace(timed, columns=read.columns)).named(g.d.name("x"))
    by = g.partition_by(rows, g.d.some_of(read.whole, 0, 1))
    order = Sql(f"{by}ORDER BY {rows.alias}.{rows.rows.time}", f"{by}ORDER BY {rows.alias}.{ARRIVAL}")
    calls = []
    for _ in range(g.d.number(1, 2)):
        frame = g.d.one_of([f" ROWS {g.d.number(0, 3)} PRECEDING", " ROWS UNBOUNDED PRECEDING"])
        calls.append((call(g.d, rows, over=True), frame))
    made = _over(g, rows, order, calls)
    columns = [one for one in made.columns if one.name != rows.rows.time]
    names = ", ".join(one.name for one in columns)
    return made.keeping(both(f"SELECT {names} FROM ({{}})", made.sql), columns).without_time()


def _over(g: Grammar, rows: From, order: Sql, calls: list[tuple[Call, str]]) -> Relation:
    kept = g.d.some_of(rows.rows.columns, 1, 4)
    items = [rows.ref(one.name) for one in kept]
    columns = list(kept)
    name = g.d.name("w") if g.d.chance(4) else None
    for one, frame in calls:
        columns.append(Column(g.d.name("o"), one.kind))
        window = both(f"({{}}{frame})", order)
        if name:
            window = replace(window, flink=f"({name}{frame})" if frame else name)
        items.append(both(f"{{}} AS {columns[-1].name}", one.over(window)))
    text = both("SELECT {} FROM {}", listed(items), rows.sql)
    if name:
        g.d.feature("OVER a window of the WINDOW clause")
        text = replace(text, flink=f"{text.flink} WINDOW {name} AS ({order.flink})")
    return rows.rows.keeping(text, columns)


def _calls(g: Grammar, rows: From, *, is_total: bool, by_time: bool, looks_ahead: bool) -> list[tuple[Call, str]]:
    """Returns calls and their frames; `looks_ahead`: over input that ends a frame may."""
    found = []
    for _ in range(g.d.number(1, 2)):
        frames = ["", " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"]
        if by_time:
            frames.append(f" RANGE BETWEEN INTERVAL '{g.d.number(1, 20)}' SECOND PRECEDING AND CURRENT ROW")
        if is_total:
            frames += [f" ROWS {g.d.number(0, 3)} PRECEDING", " ROWS UNBOUNDED PRECEDING"]
        if is_total and looks_ahead:
            frames.append(f" ROWS BETWEEN {g.d.number(0, 2)} PRECEDING AND {g.d.number(0, 2)} FOLLOWING")
        frame = g.d.one_of(frames)
        g.d.feature("OVER with ROWS" if "ROWS" in frame else "OVER with RANGE")
        if g.d.chance(3):
            found.append((_rank(g, is_total=is_total, looks_ahead=looks_ahead), ""))
        elif is_total and g.d.chance(3):
            kind, name = g.d.one_of([Kind.INT, Kind.STRING]), "LEAD" if looks_ahead and g.d.chance(2) else "LAG"
            g.d.feature(name)
            value = rows.expressions(g.d).of(kind, 0)
            found.append((Call(both(f"{name}({{}}, {g.d.number(1, 2)})", value), kind), ""))
        elif is_total and g.d.chance(5):
            kind, name = g.d.one_of([Kind.INT, Kind.STRING]), g.d.one_of(["FIRST_VALUE", "LAST_VALUE"])
            g.d.feature(f"{name} OVER")
            value = rows.expressions(g.d).of(kind, 0)
            found.append((Call(both(f"{name}({{}})", value, duckdb=f"{name}({{}} IGNORE NULLS)"), kind), frame))
        else:
            found.append((call(g.d, rows, over=True), frame))
    return found


def _rank(g: Grammar, *, is_total: bool, looks_ahead: bool) -> Call:
    names = ["RANK()", "DENSE_RANK()"]
    names += ["ROW_NUMBER()"] if is_total else []
    names += ["NTILE(2)"] if is_total and looks_ahead else []
    names += ["PERCENT_RANK()", "CUME_DIST()"] if looks_ahead else []
    name = g.d.one_of(names)
    g.d.feature(f"{name} OVER")
    return Call(same(name), Kind.DOUBLE if name in ("PERCENT_RANK()", "CUME_DIST()") else Kind.BIGINT)
