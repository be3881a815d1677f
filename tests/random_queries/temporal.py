"""Productions of tables as of a time: versions by event time, and tables outside that are looked up."""

from __future__ import annotations

from dataclasses import replace

from tests.random_queries.dialects import Sql, both
from tests.random_queries.grammar import Grammar
from tests.random_queries.joining import joined
from tests.random_queries.lateness import versions
from tests.random_queries.relations import From, Relation
from tests.random_queries.tables import ARRIVAL, Table

__all__ = ["lookup_join", "temporal_join"]


def temporal_join(g: Grammar, depth: int) -> Relation:
    """Returns rows beside the version that a table, or a view of each key's last row, had at their time."""
    versioned = g.changes.versioned
    if not versioned:
        return g.query(depth)
    table = g.d.one_of(versioned)
    if g.changes.has_late_rows or table.changes_passed:
        return _of_late_rows(g, table) if g.has_clock else g.query(depth)
    meets_itself = table.use == "versions" and g.d.chance(4)
    if meets_itself:
        g.d.feature("temporal join of a table with its own versions")
    left = (g.read_table(table) if meets_itself else g.timed(depth)).named(g.d.name("x"))
    key, time = table.key, table.time
    assert key is not None
    assert time is not None
    keys = [one for one in left.plain if one.kind is key.kind]
    if not keys or left.rows.time_column.kind is not time.kind:
        return left.rows
    kind = g.d.one_of(["INNER JOIN", "LEFT JOIN"])
    is_view = table.use == "versions" and g.d.chance(2)
    g.d.feature(f"temporal {kind}{', a view of the last rows' if is_view else ''} of {table.use}")
    right = _versions(g, table, left.ref(str(left.rows.time)), as_view=is_view)
    at, seen = left.ref(str(left.rows.time)).duckdb, right.ref(time.name).duckdb
    until = f"coalesce({right.alias}.until, TIMESTAMP '9999-01-01')"
    conditions = [
        both("{} = {}", left.ref(g.d.one_of(keys).name), right.ref(key.name)),
        Sql("TRUE", f"{at} >= {seen} AND {at} < {until}"),
    ]
    conditions += [left.expressions(g.d, right).comparison()] if g.d.chance(5) else []
    made = joined(g, left, right, kind, conditions)
    sides = f"{left.alias}.{left.rows.time} AS "
    stays = made.time is not None and f"{sides}{made.time}" in made.sql.flink
    return replace(made, keys=frozenset(), time=made.time if stays else None)


def _of_late_rows(g: Grammar, table: Table) -> Relation:
    """Returns a table's rows beside versions, where rows and versions may be late."""
    chosen = g.d.one_of([one for one in g.changes.timed if one is not table])
    left, key = g.read_table(chosen).named(g.d.name("x")), table.key
    assert key is not None
    keys = [one for one in chosen.columns if one.kind is key.kind]
    if not keys or left.rows.time is None:
        return left.rows
    kind, own = g.d.one_of(["INNER JOIN", "LEFT JOIN"]), g.d.one_of(keys)
    g.d.feature(f"temporal {kind} of late {table.use}")
    alias = g.d.name("x")
    as_of = f"{table.name} FOR SYSTEM_TIME AS OF {left.alias}.{left.rows.time} AS {alias}"
    right = From(
        Sql(as_of, f"{table.ever if table.is_changing else table.name} AS {alias}"), alias, g.read_table(table)
    )
    met = versions(g.changes, chosen, chosen.columns.index(own), table)
    is_met = f"list_extract({met}, {left.alias}.{ARRIVAL} + 1) = {alias}.{ARRIVAL}"
    conditions = [Sql(f"{left.alias}.{own.name} = {alias}.{key.name}", is_met)]
    conditions += [left.expressions(g.d, right).comparison()] if g.d.chance(5) else []
    return replace(joined(g, left, right, kind, conditions).without_time(), keys=frozenset())


def _versions(g: Grammar, table: Table, at: Sql, *, as_view: bool) -> From:
    """Returns the versions of a table; in DuckDB each with the time until which it was one."""
    key, time, alias = table.key, table.time, g.d.name("x")
    assert key is not None
    assert time is not None
    if table.is_changing:
        as_of = f"{table.name} FOR SYSTEM_TIME AS OF {at.flink} AS {alias}"
        return From(
            Sql(as_of, f"(SELECT * FROM {table.ever} WHERE since IS NOT NULL) AS {alias}"), alias, g.read_table(table)
        )
    order = f"PARTITION BY {key.name} ORDER BY {time.name}, {ARRIVAL}"
    duckdb = f"(SELECT *, lead({time.name}) OVER ({order}) AS until FROM {table.name}) AS {alias}"
    name = table.name
    if as_view:
        name = g.d.name("v")
        names, place = ", ".join(one.name for one in g.read_table(table).columns), g.d.name("p")
        ranking = f"ROW_NUMBER() OVER (PARTITION BY {key.name} ORDER BY {time.name} DESC) AS {place}"
        of_all = f"SELECT *, {ranking} FROM {table.name}"
        g.views.append((name, Sql(f"SELECT {names} FROM ({of_all}) WHERE {place} = 1", "SELECT 1")))
        g.needs_views = True
    sql = Sql(f"{name} FOR SYSTEM_TIME AS OF {at.flink} AS {alias}", duckdb)
    return From(sql, alias, g.read_table(table))


def lookup_join(g: Grammar, depth: int) -> Relation:
    """Returns rows beside what a table outside says of them."""
    outside = g.changes.of("outside")
    if not outside:
        return g.query(depth)
    rows, table = g.rows(depth), g.d.one_of(outside)
    proc, left_alias, alias = g.d.name("proc"), g.d.name("x"), g.d.name("x")
    text = both(f"(SELECT *, {{}} AS {proc} FROM {{}}) AS {left_alias}", Sql("PROCTIME()", "NULL"), rows.sql)
    left = From(text, left_alias, rows.rows)
    as_of = f"{table.name} FOR SYSTEM_TIME AS OF {left_alias}.{proc} AS {alias}"
    right = From(Sql(as_of, f"{table.name} AS {alias}"), alias, g.read_table(table))
    equal = g.equal_kinds(left, right)
    if not equal:
        return rows.rows
    kind = g.d.one_of(["INNER JOIN", "LEFT JOIN"])
    g.d.feature(f"lookup {kind}")
    conditions = [both("{} = {}", left.ref(one.name), right.ref(other.name)) for one, other in g.d.some_of(equal, 1, 2)]
    conditions += [left.expressions(g.d, right).comparison()] if g.d.chance(4) else []
    hint = ""
    if g.d.chance(4):
        g.d.feature("LOOKUP hint")
        hint = f"/*+ LOOKUP('table' = '{alias}') */ "
    return joined(g, left, right, kind, conditions, hint=hint).without_time()
