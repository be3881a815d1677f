"""Productions of queries within queries."""

from __future__ import annotations

from dataclasses import replace

from tests.random_queries.dialects import Column, Kind, Sql, both, listed, same
from tests.random_queries.expressions import ORDERED
from tests.random_queries.grammar import Grammar
from tests.random_queries.relations import From, Relation

__all__ = ["asked", "exists", "in_", "lateral", "quantified", "scalar", "semi"]


def semi(g: Grammar, left: From, right: From, conditions: list[Sql]) -> Relation:
    negated = g.d.one_of(["", "NOT "])
    kept = g.d.some_of(left.rows.columns, 1, 5)
    items = listed([left.ref(one.name) for one in kept])
    on = listed(conditions, " AND ") if conditions else same("TRUE")
    if conditions and g.d.chance(3):
        word = "ANTI" if negated else "SEMI"
        g.d.feature(f"LEFT {word} JOIN")
        flink, duckdb = (f"SELECT {{}} FROM {{}} {one} JOIN {{}} ON {{}}" for one in (f"LEFT {word}", word))
        made = both(flink, items, left.sql, right.sql, on, duckdb=duckdb)
        return left.rows.keeping(made, kept).without_time()
    text = f"SELECT {{}} FROM {{}} WHERE {negated}EXISTS (SELECT 1 FROM {{}} WHERE {{}})"
    return left.rows.keeping(both(text, items, left.sql, right.sql, on), kept).without_time()


def exists(g: Grammar, depth: int) -> Relation:
    left = g.rows(depth)
    right = g.meeting(left, g.rows(g.d.number(0, depth)))
    conditions = g.equalities(left, right, 0, 2)
    conditions += [left.expressions(g.d, right).comparison()] if g.d.chance(3) else []
    return semi(g, left, right, conditions)


def in_(g: Grammar, depth: int) -> Relation:
    left = g.rows(depth)
    right = g.meeting(left, g.rows(g.d.number(0, depth)))
    pairs = g.equal_kinds(left, right)
    if not pairs:
        return left.rows
    one, other = g.d.one_of(pairs)
    kept = g.d.some_of(left.rows.columns, 1, 5)
    items = listed([left.ref(each.name) for each in kept])
    where = g.where(right) if g.d.chance(3) else same("")
    if g.d.chance(3):
        g.d.feature("IN, correlated")
        conditions = [*g.equalities(left, right, 1, 1)]
        conditions += [left.expressions(g.d, right).comparison()] if g.d.chance(3) else []
        where = both(" WHERE {}", listed(conditions, " AND "))
    text = f"SELECT {{}} FROM {{}} WHERE {{}} {g.d.one_of(['', 'NOT '])}IN (SELECT {{}} FROM {{}}{{}})"
    made = both(text, items, left.sql, left.ref(one.name), right.ref(other.name), right.sql, where)
    return left.rows.keeping(made, kept).without_time()


def scalar(g: Grammar, depth: int) -> Relation:
    """Returns rows with what a subquery says of each, or of all."""
    left = g.rows(depth)
    right = g.meeting(left, g.rows(0))
    pairs = g.equal_kinds(left, right)
    name, kind = g.d.one_of([("COUNT(*)", Kind.BIGINT), ("MAX({})", Kind.INT), ("SUM({})", Kind.BIGINT)])
    made = both(name, right.expressions(g.d).of(kind, 0))
    value = Sql(made.flink, made.duckdb if kind is not Kind.BIGINT else f"CAST({made.duckdb} AS BIGINT)")
    if pairs and g.d.chance(2):
        one, other = g.d.one_of(pairs)
        where = both(" WHERE {} = {}", right.ref(other.name), left.ref(one.name))
    else:
        where = g.where(right)
    subquery = both("(SELECT {} FROM {}{})", value, right.sql, where)
    kept = g.d.some_of(left.rows.columns, 1, 4)
    items = [left.ref(each.name) for each in kept]
    if g.d.chance(3):
        text = both("SELECT {} FROM {} WHERE {} >= {}", listed(items), left.sql, same("2"), subquery)
        return left.rows.keeping(text, kept).without_time()
    column = Column(g.d.name(), kind)
    items.append(both(f"{{}} AS {column.name}", subquery))
    text = both("SELECT {} FROM {}", listed(items), left.sql)
    return left.rows.keeping(text, [*kept, column]).without_time()


def quantified(g: Grammar, depth: int) -> Relation:
    """Returns rows that compare so with all or with any of a subquery."""
    left = g.rows(depth)
    right = g.meeting(left, g.rows(0))
    pairs = [(one, other) for one, other in g.equal_kinds(left, right) if one.kind in ORDERED]
    if not pairs:
        return left.rows
    (one, other), quantifier = g.d.one_of(pairs), g.d.one_of(["ALL", "ANY"])
    g.d.feature(f"{quantifier} of a subquery")
    sign = g.d.one_of(["=", "<>", "<", "<=", ">", ">="])
    kept = g.d.some_of(left.rows.columns, 1, 5)
    where = g.where(right) if g.d.chance(3) else same("")
    text = f"SELECT {{}} FROM {{}} WHERE {{}} {sign} {quantifier} (SELECT {{}} FROM {{}}{{}})"
    items = listed([left.ref(each.name) for each in kept])
    made = both(text, items, left.sql, left.ref(one.name), right.ref(other.name), right.sql, where)
    return left.rows.keeping(made, kept).without_time()


def asked(g: Grammar, depth: int) -> Relation:
    """Returns rows, each with whether a subquery has it: true, false or unknown."""
    left = g.rows(depth)
    right = g.meeting(left, g.rows(0))
    pairs = g.equal_kinds(left, right)
    if not pairs:
        return left.rows
    one, other = g.d.one_of(pairs)
    kept, column = g.d.some_of(left.rows.columns, 1, 4), Column(g.d.name(), Kind.BOOLEAN)
    if g.d.chance(2):
        g.d.feature("IN as a value")
        where = g.where(right) if g.d.chance(3) else same("")
        parts = (left.ref(one.name), right.ref(other.name), right.sql, where)
        value = both(f"{{}} {g.d.one_of(['', 'NOT '])}IN (SELECT {{}} FROM {{}}{{}})", *parts)
    else:
        g.d.feature("EXISTS as a value")
        value = both("EXISTS (SELECT 1 FROM {} WHERE {} = {})", right.sql, right.ref(other.name), left.ref(one.name))
    items = listed([*(left.ref(each.name) for each in kept), both(f"({{}}) AS {column.name}", value)])
    return left.rows.keeping(both("SELECT {} FROM {}", items, left.sql), [*kept, column]).without_time()


def lateral(g: Grammar, depth: int) -> Relation:
    """Returns rows beside those of a subquery that names them: all, the first ones, or what aggregates say of them."""
    left = g.rows(depth)
    right = g.meeting(left, g.rows(0))
    conditions = g.equalities(left, right, 1, 1)
    if not conditions:
        return left.rows
    what = g.d.one_of(["rows", "first rows", "aggregates"])
    g.d.feature(f"LATERAL: {what}")
    alias, end = g.d.name("x"), same("")
    if what == "aggregates":
        number = right.expressions(g.d).of(Kind.INT, 0)
        columns = [Column(g.d.name(), Kind.BIGINT), Column(g.d.name(), Kind.INT)]
        values = [same("COUNT(*)"), both("MAX({})", number)]
    else:
        order, is_total = g.ordered_by(right, [], g.d.some_of(g.orderable(right), 1, 1))
        if what == "first rows" and not is_total:
            return left.rows
        chosen = g.d.some_of(right.rows.columns, 1, 3)
        columns = [replace(one, name=g.d.name()) for one in chosen]
        values = [right.ref(one.name) for one in chosen]
        if what == "first rows":
            sorting = listed([g.sort_item(right.ref(one.name)) for one in order])
            end = both(f" ORDER BY {{}} LIMIT {g.d.number(1, 2)}", sorting)
    named = listed([both(f"{{}} AS {one.name}", value) for one, value in zip(columns, values, strict=True)])
    subquery = both("SELECT {} FROM {} WHERE {}{}", named, right.sql, listed(conditions, " AND "), end)
    kept = g.d.some_of(left.rows.columns, 1, 4)
    items = listed([*(left.ref(one.name) for one in kept), *(same(f"{alias}.{one.name}") for one in columns)])
    kind, on = g.d.one_of([("CROSS", ""), ("LEFT", " ON TRUE")])
    text = f"SELECT {{}} FROM {{}} {kind} JOIN LATERAL ({{}}) AS {alias}{on}"
    return Relation(both(text, items, left.sql, subquery), (*kept, *columns))
