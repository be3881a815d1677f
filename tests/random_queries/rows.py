"""Productions that take rows one by one, or all of two queries."""

from __future__ import annotations

from dataclasses import replace

from tests.random_queries.dialects import Column, Kind, Sql, both, listed, same
from tests.random_queries.expressions import PLAIN, Expressions, literal
from tests.random_queries.grammar import Grammar
from tests.random_queries.relations import From, Relation
from tests.random_queries.tables import ARRIVAL, CAME, PASSED

__all__ = ["distinct", "limited", "select", "set_operation", "unnested", "values"]

_SET_OPERATORS = ("UNION ALL", "UNION ALL", "UNION", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL")


def select(g: Grammar, depth: int) -> Relation:
    rows = g.rows(depth)
    kept = g.d.some_of(rows.rows.columns, 1, 6)
    items = [rows.ref(one.name) for one in kept]
    made = _computed(g, rows.expressions(g.d), 0 if kept else 1, 2)
    items += [both(f"{{}} AS {one.name}", sql) for one, sql in made]
    if rows.rows.arrives:
        items.append(Sql("", ", ".join(f"{rows.alias}.{name}" for name in (ARRIVAL, CAME, PASSED))))
    where = g.where(rows) if g.d.chance(2) else same("")
    listing = Sql(", ".join(one.flink for one in items if one.flink), ", ".join(one.duckdb for one in items))
    text = both("SELECT {} FROM {}{}", listing, rows.sql, where)
    given = rows.rows.keeping(text, [*kept, *(one for one, _ in made)])
    return replace(given, arrives=rows.rows.arrives, may_be_late=rows.rows.may_be_late and given.time is not None)


def _computed(g: Grammar, expressions: Expressions, least: int, most: int) -> list[tuple[Column, Sql]]:
    kinds = [g.d.one_of([*PLAIN, *PLAIN, *Kind]) for _ in range(g.d.number(least, most))]
    return [(Column(g.d.name(), kind), expressions.of(kind)) for kind in kinds]


def distinct(g: Grammar, depth: int) -> Relation:
    rows = g.rows(depth)
    kept = g.d.some_of(rows.refs(), 1, 3)
    if not kept:
        return rows.rows
    text = both("SELECT DISTINCT {} FROM {}", listed([rows.ref(one.name) for one in kept]), rows.sql)
    return Relation(text, tuple(kept), frozenset({frozenset(one.name for one in kept)}))


def set_operation(g: Grammar, depth: int) -> Relation:
    left, right = g.rows(depth), g.rows(g.d.number(0, depth))
    operator = g.d.one_of(_SET_OPERATORS)
    kept = g.d.some_of(left.refs(), 1, 3)
    if not kept:
        return left.rows
    g.d.feature(operator)
    keeps_time = operator == "UNION ALL" and _is_time_of_both(g, left, right)
    if keeps_time:
        g.d.feature("UNION ALL of row times")
        kept = list(dict.fromkeys([left.rows.time_column, *kept]))
    columns = [replace(one, name=g.d.name()) for one in kept]
    items = [both(f"{{}} AS {new.name}", left.ref(one.name)) for one, new in zip(kept, columns, strict=True)]
    others = [
        both(f"CAST({{}} AS {one.kind.value})", _like(g, right, one), duckdb=f"CAST({{}} AS {one.kind.duckdb})")
        if one.kind in (Kind.DECIMAL, Kind.BIGINT)
        else right.ref(str(right.rows.time))
        if keeps_time and one.name == left.rows.time
        else _like(g, right, one)
        for one in kept
    ]
    text = f"SELECT {{}} FROM {{}} {operator} SELECT {{}} FROM {{}}"
    unique = frozenset() if operator.endswith("ALL") else frozenset({frozenset(one.name for one in columns)})
    time = columns[0].name if keeps_time else None
    return Relation(both(text, listed(items), left.sql, listed(others), right.sql), tuple(columns), unique, time)


def _is_time_of_both(g: Grammar, left: From, right: From) -> bool:
    """Tells whether the rows of both are in event time, none late."""
    if left.rows.time is None or right.rows.time is None or g.changes.has_late_rows:
        return False
    return left.rows.time_column.kind is right.rows.time_column.kind


def _like(g: Grammar, rows: From, column: Column) -> Sql:
    return rows.expressions(g.d).of(column.kind, 0)


def limited(g: Grammar, depth: int) -> Relation:
    rows = g.rows(depth)
    ordered = g.orderable(rows)
    if not ordered:
        return rows.rows
    order, is_total = g.ordered_by(rows, [], g.d.some_of(ordered, 1, 2))
    kept = list(rows.rows.columns) if is_total else order
    sorting = listed([g.sort_item(rows.ref(one.name)) for one in order])
    end = f"LIMIT {g.d.number(1, 5)}" + (f" OFFSET {g.d.number(1, 2)}" if g.d.chance(4) else "")
    text = f"SELECT {{}} FROM {{}} ORDER BY {{}} {end}"
    items = listed([rows.ref(one.name) for one in kept])
    made = rows.rows.keeping(both(text, items, rows.sql, sorting), kept).without_time()
    return replace(made, sql=both("SELECT * FROM ({})", made.sql))


def unnested(g: Grammar, depth: int) -> Relation:
    """Returns rows beside the elements of one of their arrays or maps."""
    rows = g.rows(depth)
    if g.d.chance(3):
        return _split(g, rows)
    nested = [*rows.refs(Kind.ARRAY), *rows.refs(Kind.ROWS), *rows.refs(Kind.MAP)]
    if not nested:
        return rows.rows
    column = g.d.one_of(nested)
    g.d.feature(f"UNNEST of {column.kind.name}")
    kinds = {Kind.ARRAY: [Kind.INT], Kind.ROWS: [Kind.INT, Kind.STRING], Kind.MAP: [Kind.STRING, Kind.INT]}
    elements = [Column(g.d.name(), kind) for kind in kinds[column.kind]]
    kept = g.d.some_of([one for one in rows.rows.columns if one is not column], 0, 3)
    alias, names = g.d.name("x"), [one.name for one in elements]
    items = listed([*(rows.ref(one.name) for one in kept), *(same(f"{alias}.{name}") for name in names)])
    kind, on = g.d.one_of([("CROSS", ""), ("LEFT", " ON TRUE")])
    is_counted = column.kind is Kind.ARRAY and g.d.chance(3)
    if is_counted:
        g.d.feature("WITH ORDINALITY")
        elements.append(Column(g.d.name(), Kind.INT))
        names.append(elements[-1].name)
        items = listed([items, same(f"{alias}.{names[-1]}")])
    ordinality = " WITH ORDINALITY" if is_counted else ""
    flink = f"{{}} {kind} JOIN UNNEST({{}}){ordinality} AS {alias}({', '.join(names)}){on}"
    each = _each_element(column.kind, f"{rows.alias}.{column.name}", names)
    duckdb = f"{{}} {kind} JOIN LATERAL ({each.replace('{', '{{').replace('}', '}}')}) AS {alias}{on}"
    source = both(flink, rows.sql, rows.ref(column.name), duckdb=duckdb)
    return Relation(both("SELECT {} FROM {}", items, source), (*kept, *elements))


def values(g: Grammar, depth: int) -> Relation:
    """Returns rows that stand in the query itself."""
    columns = [Column(g.d.name(), kind) for kind in (Kind.INT, g.d.one_of([Kind.STRING, Kind.DOUBLE, Kind.DATE]))]
    rows = []
    for _ in range(g.d.number(1, 3)):
        items = [_value(g, one.kind) for one in columns]
        rows.append(both("({})", listed(items)))
    names = ", ".join(one.name for one in columns)
    return Relation(both(f"SELECT * FROM (VALUES {{}}) AS {g.d.name('x')}({names})", listed(rows)), tuple(columns))


def _value(g: Grammar, kind: Kind) -> Sql:
    if g.d.chance(4):
        return both(f"CAST(NULL AS {kind.value})", duckdb=f"CAST(NULL AS {kind.duckdb})")
    return both(f"CAST({{}} AS {kind.value})", literal(g.d, kind), duckdb=f"CAST({{}} AS {kind.duckdb})")


def _split(g: Grammar, rows: From) -> Relation:
    """Returns rows beside what a table function gives of each."""
    g.d.feature("LATERAL TABLE")
    value, alias = rows.expressions(g.d).of(Kind.STRING, 1), g.d.name("x")
    if not any(f"{rows.alias}.{one.name}" in value.flink for one in rows.refs()):
        return rows.rows
    part = Column(g.d.name(), Kind.STRING)
    kept = g.d.some_of(rows.rows.columns, 0, 3)
    items = listed([*(rows.ref(one.name) for one in kept), same(f"{alias}.{part.name}")])
    kind, on = g.d.one_of([("CROSS", ""), ("LEFT", " ON TRUE")])
    flink = f"{{}} {kind} JOIN LATERAL TABLE(SPLIT({{}}, ' ')) AS {alias}({part.name}){on}"
    duckdb = f"{{}} {kind} JOIN LATERAL (SELECT unnest(string_split({{}}, ' ')) AS {part.name}) AS {alias}{on}"
    return Relation(both("SELECT {} FROM {}", items, both(flink, rows.sql, value, duckdb=duckdb)), (*kept, part))


def _each_element(kind: Kind, value: str, names: list[str]) -> str:
    """Returns DuckDB's query of a value's elements."""
    if kind is Kind.ARRAY:
        places = f", CAST(generate_subscripts({value}, 1) AS INTEGER) AS {names[1]}" if len(names) > 1 else ""
        return f"SELECT unnest({value}) AS {names[0]}{places}"
    elements, fields = (value, ("f", "g")) if kind is Kind.ROWS else (f"map_entries({value})", ("key", "value"))
    items = ", ".join(f"one.{field} AS {name}" for field, name in zip(fields, names, strict=True))
    return f"SELECT {items} FROM (SELECT unnest({elements}) AS one)"
