"""Calls of aggregate functions, in GROUP BY and before OVER."""

from __future__ import annotations

from dataclasses import dataclass

from tests.random_queries.dialects import Kind, Sql, both
from tests.random_queries.drawing import Drawing
from tests.random_queries.expressions import NUMBERS
from tests.random_queries.relations import From
from tests.random_queries.tables import ARRIVAL

__all__ = ["Call", "call", "distinct_calls", "opaque_call", "sketched_call"]


@dataclass(frozen=True, slots=True)
class Call:
    """A call of an aggregate function.

    Attributes:
        function: The call itself.
        kind: What it gives.
        duckdb: What DuckDB has to do with its value besides, around `{}`.
    """

    function: Sql
    kind: Kind
    duckdb: str = "{}"

    @property
    def sql(self) -> Sql:
        return both("{}", self.function, duckdb=self.duckdb)

    def over(self, window: Sql) -> Sql:
        """Returns the call over a window: a name, or what it is, in parentheses."""
        return both("{}", both("{} OVER {}", self.function, window), duckdb=self.duckdb)


def call(d: Drawing, rows: From, *, over: bool = False) -> Call:
    """Returns a call whose value is one and the same, whatever the order of rows."""
    expressions = rows.expressions(d)
    kind = d.one_of([Kind.INT, Kind.INT, Kind.BIGINT, Kind.DOUBLE, Kind.DECIMAL])
    condition = None if over or not d.chance(4) else expressions.condition(1)
    distinct = "DISTINCT " if d.chance(4) else ""
    argument = expressions.of(kind, d.number(0, 1))
    match d.number(0, 7):
        case 0 | 1:
            return Call(_filtered("COUNT(*)", (), condition), Kind.BIGINT)
        case 2:
            any_kind = d.one_of([Kind.INT, Kind.STRING, Kind.TIMESTAMP, Kind.BOOLEAN])
            return Call(_filtered(f"COUNT({distinct}{{}})", (expressions.of(any_kind, 1),), condition), Kind.BIGINT)
        case 3:
            type = "DECIMAL(38, 2)" if kind is Kind.DECIMAL else kind.duckdb
            return Call(_filtered(f"SUM({distinct}{{}})", (argument,), condition), kind, f"CAST({{}} AS {type})")
        case 4 if kind is not Kind.DECIMAL:
            cut = "{}" if kind is Kind.DOUBLE else f"CAST(trunc({{}}) AS {kind.duckdb})"
            return Call(_filtered("AVG({})", (argument,), condition), kind, cut)
        case 5 if rows.rows.arrives and not over:
            return _first_or_last(d, rows, condition)
        case _:
            return _least(d, rows, condition)


def distinct_calls(d: Drawing, rows: From) -> list[Call]:
    """Returns several calls over the different values of one argument, under conditions of their own."""
    expressions, kind = rows.expressions(d), d.one_of([Kind.INT, Kind.STRING, Kind.BIGINT])
    argument = expressions.of(kind, d.number(0, 1))
    names = ["COUNT"] if kind is Kind.STRING else ["COUNT", "COUNT", "SUM"]
    found = []
    for _ in range(d.number(2, 3)):
        name, condition = d.one_of(names), expressions.condition(1) if d.chance(2) else None
        made, cast = (Kind.BIGINT, "{}") if name == "COUNT" else (kind, f"CAST({{}} AS {kind.duckdb})")
        found.append(Call(_filtered(f"{name}(DISTINCT {{}})", (argument,), condition), made, cast))
    return found


def sketched_call(d: Drawing, rows: From) -> Call:
    """Returns whether an approximation is within its bounds; in DuckDB, that it is.

    Of so few values HyperLogLog loses one at most; a percentile is within a hundredth of a value between the least and
    the greatest.
    """
    expressions = rows.expressions(d)
    condition = expressions.condition(1) if d.chance(3) else None
    duckdb = "(count(*) >= 0)"
    if d.chance(2):
        value = expressions.of(d.one_of([Kind.INT, Kind.STRING, Kind.TIMESTAMP]), 1)
        near, exact = (_filtered(name, (value,), condition).flink for name in _DIFFERENT)
        return Call(Sql(f"({near} BETWEEN {exact} - 1 AND {exact} + 1)", duckdb), Kind.BOOLEAN)
    value, share = expressions.of(d.one_of([Kind.INT, Kind.DOUBLE]), 1), d.one_of(["0.0", "0.5", "0.9", "1.0"])
    names = ("MIN({})", "MAX({})", f"APPROX_PERCENTILE({{}}, {share})")
    low, high, near = (_filtered(name, (value,), condition).flink for name in names)
    least, greatest = high if share == "1.0" else low, low if share == "0.0" else high
    within = f"{near} BETWEEN {least} - 0.01 * ABS({least}) AND {greatest} + 0.01 * ABS({greatest})"
    return Call(Sql(f"({within} OR {near} IS NULL AND {low} IS NULL)", duckdb), Kind.BOOLEAN)


_DIFFERENT = ("APPROX_COUNT_DISTINCT({})", "COUNT(DISTINCT {})")


def _least(d: Drawing, rows: From, condition: Sql | None = None) -> Call:
    kind = d.one_of([*NUMBERS, Kind.STRING, Kind.DATE, Kind.TIMESTAMP])
    argument = rows.expressions(d).of(kind, 1)
    return Call(_filtered(f"{d.one_of(['MIN', 'MAX'])}({{}})", (argument,), condition), kind)


def _first_or_last(d: Drawing, rows: From, condition: Sql | None) -> Call:
    kind, name = d.one_of([Kind.INT, Kind.STRING, Kind.DOUBLE]), d.one_of(["FIRST", "LAST"])
    value = rows.expressions(d).of(kind, 0)
    kept = both("({} IS NOT NULL{})", value, Sql("", "" if condition is None else f" AND {condition.duckdb}"))
    flink = _filtered(f"{name}_VALUE({{}})", (value,), condition).flink
    order = f"{rows.alias}.{ARRIVAL}"
    return Call(Sql(flink, f"{name.lower()}({value.duckdb} ORDER BY {order}) FILTER (WHERE {kept.duckdb})"), kind)


def opaque_call(d: Drawing, rows: From) -> Call:
    """Returns a call that is compared up to rounding or order; nothing may be computed with it."""
    expressions = rows.expressions(d)
    match d.number(0, 3):
        case 3:
            share = d.one_of(["0", "0.25", "0.5", "1"])
            value = expressions.of(d.one_of([Kind.INT, Kind.DOUBLE]), 1)
            return Call(both(f"PERCENTILE({{}}, {share})", value, duckdb=f"quantile_cont({{}}, {share})"), Kind.DOUBLE)
        case 0:
            value, distinct = expressions.of(Kind.STRING, 1), d.one_of(["", "DISTINCT "])
            joined = both(f"LISTAGG({distinct}{{}}, '|')", value, duckdb=f"string_agg({distinct}{{}}, '|')")
            return Call(joined, Kind.STRING)
        case 1:
            return Call(both("ARRAY_AGG({})", expressions.of(Kind.INT, 1), duckdb="list({})"), Kind.ARRAY)
        case _:
            name = d.one_of(["STDDEV_POP", "STDDEV_SAMP", "VAR_POP", "VAR_SAMP"])
            return Call(both(f"{name}({{}})", expressions.of(Kind.DOUBLE, 1)), Kind.DOUBLE)


def _filtered(template: str, arguments: tuple[Sql, ...], condition: Sql | None) -> Sql:
    made = both(template, *arguments)
    return made if condition is None else both("{} FILTER (WHERE {})", made, condition)
