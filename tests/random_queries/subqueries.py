"""Productions of queries within queries."""

from __future__ import annotations

from tests.random_queries.dialects import Column, Kind, Sql, both, listed, same
from tests.random_queries.grammar import Grammar
from tests.random_queries.relations import From, Relation

__all__ = ["exists", "in_", "scalar", "semi"]


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
