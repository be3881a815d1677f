"""Productions of windows."""

from __future__ import annotations

from dataclasses import replace

from tests.random_queries.dialects import Column, Kind, Sql, both, instant, listed, local, same
from tests.random_queries.grammar import Grammar
from tests.random_queries.grouping import grouped, sets_of
from tests.random_queries.lateness import sessions
from tests.random_queries.relations import Relation, Window
from tests.random_queries.tables import ARRIVAL, CAME, PASSED
from tests.random_queries.windows import WindowSpec, window_spec

__all__ = [
    "by_clock",
    "clock_window",
    "group_window",
    "late_in_windows",
    "of_windows",
    "rows_in_windows",
    "window_aggregate",
    "window_over_window",
    "window_rows",
    "windowed",
]


def window_aggregate(g: Grammar, depth: int) -> Relation:
    spec = window_spec(g.d, functions_only=True)
    return of_windows(g, _in_sessions(g, depth) if spec.kind == "SESSION" else g.timed(depth), spec)


def window_over_window(g: Grammar, depth: int) -> Relation:
    """Returns an aggregate over windows of an aggregate over windows."""
    inner = window_aggregate(g, depth)
    if inner.time is None:
        return inner
    return of_windows(g, inner, window_spec(g.d, functions_only=True, sessions=False))


def _in_sessions(g: Grammar, depth: int) -> Relation:
    """Returns rows with a name and a row time; where rows may be late those of a table, whose order is known."""
    if g.changes.has_late_rows:
        g.d.feature("SESSION of late rows")
        return g.read(timed=True)
    return g.named_timed(depth)


def of_windows(g: Grammar, rows: Relation, spec: WindowSpec) -> Relation:
    """Returns an aggregate over windows of rows."""
    g.d.feature(spec.kind)
    if rows.window is not None:
        g.d.feature("window over window")
    if spec.offset:
        g.d.feature("window with an offset")
    chosen = g.d.some_of([one for one in rows.whole if one.name != rows.time], 0, 2)
    partition = [one.name for one in chosen] if spec.kind == "SESSION" else []
    arrives = rows.arrives and spec.kind == "TUMBLE"  # what panes or sessions held comes together by time
    sql = windowed(g, rows, spec, partition, g.lateness_s)
    source = replace(rows, sql=sql, is_table=True, arrives=arrives).named(g.d.name("x"))
    keys = [(replace(one, name=g.d.name()), source.ref(one.name)) for one in chosen]
    bounds, grouping = _bounds(g, source.alias)
    time = _window_time(g, rows, f"{source.alias}.window_time", bounds[1][1].duckdb)
    if time:
        grouping = Sql(f"{grouping.flink}, {time[0][1].flink}", grouping.duckdb)
    sets = None if spec.kind == "SESSION" else sets_of(g, keys)
    grouping = listed([grouping, *([sql for _, sql in keys] if sets is None else [sets])])
    has_sets = sets is not None
    fixed = [*bounds, *time]
    made = grouped(g, source, source.sql, keys, both(" GROUP BY {}", grouping), fixed, has_sets=has_sets)
    return _with_bounds(g, made, bounds, time, str(spec))


def windowed(
    g: Grammar, rows: Relation, spec: WindowSpec, partition: list[str], lateness_s: int = 0, passed: str = PASSED
) -> Sql:
    """Returns a windowing table function over rows, without an alias."""
    by = f" PARTITION BY ({', '.join(partition)})" if partition else ""
    data = f"TABLE {rows.sql.flink}{by}" if rows.is_table else f"({rows.sql.flink})"
    flink = f"TABLE({spec.kind}({data}, DESCRIPTOR({rows.time}), {spec.lengths}))"
    return Sql(flink, _in_windows(g, rows, spec, partition, lateness_s, passed))


def _in_windows(
    g: Grammar, rows: Relation, spec: WindowSpec, partition: list[str], lateness_s: int, passed: str = PASSED
) -> str:
    """Returns what FROM takes in DuckDB: the rows in their windows, without those that came too late.

    Args:
        g: The grammar.
        rows: With a row time.
        spec: The windows.
        partition: What tells sessions apart.
        lateness_s: For how long late rows count.
        passed: DuckDB's text of the watermark before a row came, in ms.
    """
    if rows.may_be_late and spec.kind == "SESSION":
        return _in_known_sessions(g, rows, spec, partition)
    found = spec.duckdb_rows(rows.duckdb_source, rows.reading, partition)
    if not rows.may_be_late:
        return f"({found})"
    return f"(SELECT * FROM ({found}) WHERE {passed} IS NULL OR {_is_open(rows, lateness_s, passed)})"


def _is_open(rows: Relation, lateness_s: int, passed: str) -> str:
    """Returns DuckDB's text of whether a row's window still counts it."""
    mark = f"make_timestamp_ms({passed})"
    reading = local(mark) if rows.time_column.kind is Kind.LTZ else mark
    return f"epoch_ms(window_end) - 1 + {lateness_s * 1000} > epoch_ms({reading})"


def late_in_windows(g: Grammar, rows: Relation, spec: WindowSpec, partition: list[str], lateness_s: int) -> str:
    """Returns what FROM takes in DuckDB: the rows with each window for which they came too late."""
    if spec.kind == "SESSION":
        bounds, end = _known_sessions(g, rows, spec, partition), f"INTERVAL '{spec.size}' SECOND"
        own = f"{rows.reading} AS window_start, {rows.reading} + {end} AS window_end"
        return f"(SELECT *, {own} FROM {rows.duckdb_source} WHERE {bounds} IS NULL)"
    found = spec.duckdb_rows(rows.duckdb_source, rows.reading, partition)
    return f"(SELECT * FROM ({found}) WHERE {PASSED} IS NOT NULL AND NOT {_is_open(rows, lateness_s, PASSED)})"


def _known_sessions(g: Grammar, rows: Relation, spec: WindowSpec, partition: list[str]) -> str:
    """Returns DuckDB's text of the bounds of a row's session; NULL: it came too late."""
    (table,) = (one for one in g.changes.tables if one.name == rows.sql.flink)
    places = [place for place, one in enumerate(table.columns) if one.name in partition]
    return f"list_extract({sessions(g.changes, table, places, spec.size * 1000)}, {ARRIVAL} + 1)"


def _in_known_sessions(g: Grammar, rows: Relation, spec: WindowSpec, partition: list[str]) -> str:
    bounds = _known_sessions(g, rows, spec, partition)
    start, end = (f"make_timestamp_ms({bounds}[{place}])" for place in (1, 2))
    if rows.time_column.kind is Kind.LTZ:
        start, end = local(start), local(end)
    source = rows.duckdb_source
    return f"(SELECT *, {start} AS window_start, {end} AS window_end FROM {source} WHERE {bounds} IS NOT NULL)"


def _window_time(g: Grammar, rows: Relation, flink: str, window_end: str) -> list[tuple[Column, Sql]]:
    """Returns the row time of a window, or nothing."""
    kind = rows.time_column.kind
    if not g.d.chance(2) or (kind is Kind.LTZ and g.changes.zone.has_jumps):
        return []
    last = f"{window_end} - INTERVAL '1' MILLISECOND"
    return [(Column(g.d.name("ts"), kind), Sql(flink, instant(last) if kind is Kind.LTZ else last))]


def _with_bounds(
    g: Grammar, made: Relation, bounds: list[tuple[Column, Sql]], time: list[tuple[Column, Sql]], spec: str | None
) -> Relation:
    window = Window(bounds[0][0].name, bounds[1][0].name, spec) if spec else None
    return replace(made, time=time[0][0].name if time and not g.lateness_s else None, window=window)


def _bounds(g: Grammar, alias: str) -> tuple[list[tuple[Column, Sql]], Sql]:
    refs = [same(f"{alias}.window_start"), same(f"{alias}.window_end")]
    return [(Column(g.d.name("w"), Kind.TIMESTAMP), ref) for ref in refs], listed(refs)


def group_window(g: Grammar, depth: int) -> Relation:
    """Returns an aggregate in the older spelling."""
    spec = window_spec(g.d)
    rows = _in_sessions(g, depth) if spec.kind == "SESSION" and g.changes.has_late_rows else g.timed(depth)
    return in_group_by(g, rows, spec)


def in_group_by(g: Grammar, rows: Relation, spec: WindowSpec) -> Relation:
    """Returns an aggregate over windows of rows that GROUP BY names."""
    g.d.feature(f"{spec.kind} in GROUP BY")
    chosen = g.d.some_of([one for one in rows.whole if one.name != rows.time], 0, 2)
    source = replace(rows, arrives=rows.arrives and spec.kind == "TUMBLE").named(g.d.name("x"))
    duckdb = f"{_in_windows(g, rows, spec, [one.name for one in chosen], g.lateness_s)} AS {source.alias}"
    keys = [(replace(one, name=g.d.name()), source.ref(one.name)) for one in chosen]
    arguments = f"{source.alias}.{rows.time}, {spec.lengths}"
    bounds = [
        (Column(g.d.name("w"), Kind.TIMESTAMP), Sql(f"{spec.kind}_{end}({arguments})", f"{source.alias}.{name}"))
        for end, name in (("START", "window_start"), ("END", "window_end"))
    ]
    time = _window_time(g, rows, f"{spec.kind}_ROWTIME({arguments})", f"{source.alias}.window_end")
    window = Sql(f"{spec.kind}({arguments})", f"{source.alias}.window_start, {source.alias}.window_end")
    grouping = both(" GROUP BY {}", listed([window, *(sql for _, sql in keys)]))
    made = grouped(g, source, Sql(source.sql.flink, duckdb), keys, grouping, [*bounds, *time])
    return _with_bounds(g, made, bounds, time, None)


def window_rows(g: Grammar, depth: int, spec: WindowSpec | None = None, *, is_ranked: bool = False) -> Relation:
    """Returns each row with its window; `is_ranked`: what is done with them judges lateness."""
    if g.changes.has_late_rows and not is_ranked:
        return window_aggregate(g, depth)
    spec = spec or window_spec(g.d, functions_only=True, sessions=not g.changes.has_late_rows)
    return rows_in_windows(g, g.named_timed(depth) if spec.kind == "SESSION" else g.timed(depth), spec)


def rows_in_windows(g: Grammar, rows: Relation, spec: WindowSpec, passed: str = PASSED) -> Relation:
    """Returns rows with their windows; `passed`: DuckDB's text of the watermark that they are judged by."""
    g.d.feature(f"{spec.kind}, its rows")
    partition = [one.name for one in g.d.some_of(rows.whole, 0, 1)] if spec.kind == "SESSION" else []
    source = replace(rows, sql=windowed(g, rows, spec, partition, 0, passed), is_table=True).named(g.d.name("x"))
    bounds, _ = _bounds(g, source.alias)
    kept = g.d.some_of(rows.columns, 1, 4)
    items = [source.ref(one.name) for one in kept]
    items += [both(f"{{}} AS {column.name}", sql) for column, sql in bounds]
    text = both("SELECT {} FROM {}", listed(items), source.sql)
    names, ends = {one.name for one in kept}, {column.name for column, _ in bounds}
    keys = frozenset(key | ends for key in rows.keys if key <= names)
    window = Window(bounds[0][0].name, bounds[1][0].name, str(spec))
    return Relation(text, (*kept, *(column for column, _ in bounds)), keys, None, window)


def by_clock(g: Grammar, rows: Relation) -> Relation:
    """Returns rows with the time of the clock when they came, as their time."""
    proc = Column(g.d.name("proc"), Kind.LTZ)
    text = both(f"SELECT *, {{}} AS {proc.name} FROM {{}}", Sql("PROCTIME()", CAME), rows.named(g.d.name("x")).sql)
    return replace(rows, sql=text, columns=(*rows.columns, proc), time=proc.name, is_table=False, may_be_late=False)


def clock_window(g: Grammar, depth: int) -> Relation:
    """Returns an aggregate over windows on processing time."""
    rows = g.read()
    if not rows.arrives or not g.has_clock:
        return window_aggregate(g, depth)
    g.d.feature("window on PROCTIME()")
    is_grouped = g.d.chance(3)
    timed, spec = by_clock(g, rows), replace(window_spec(g.d, functions_only=not is_grouped), by_clock=True)
    g.d.feature(f"{spec.kind} on PROCTIME(){' in GROUP BY' if is_grouped else ''}")
    given = replace(timed, arrives=timed.arrives and spec.kind == "TUMBLE")
    if not is_grouped and spec.kind == "SESSION":
        given = g.as_view(given)
    made = in_group_by(g, given, spec) if is_grouped else of_windows(g, given, spec)
    return replace(made, time=None)
