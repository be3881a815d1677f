"""Typed expressions over columns, in both dialects, with NULLs everywhere.

Values stay small and doubles binary fractions, so that no sum depends on its order and nothing overflows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.random_queries.dialects import Kind, Sql, both, listed, local, same
from tests.random_queries.drawing import Drawing

__all__ = ["ORDERED", "PLAIN", "Expressions", "Term", "literal"]

NUMBERS = (Kind.INT, Kind.BIGINT, Kind.DOUBLE, Kind.DECIMAL)
_TIMES = (Kind.SECONDS, Kind.MICROSECONDS, Kind.NANOSECONDS, Kind.LTZ_SECONDS, Kind.LTZ_NANOSECONDS)
_SMALL = (Kind.TINYINT, Kind.SMALLINT)
ORDERED = (
    *NUMBERS,
    Kind.STRING,
    Kind.DATE,
    Kind.TIMESTAMP,
    Kind.LTZ,
    *_SMALL,
    Kind.FLOAT,
    Kind.WIDE,
    Kind.TIME,
    *_TIMES,
)
PLAIN = tuple(one for one in Kind if not one.is_nested)
_COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
LITERALS: dict[Kind, tuple[str, ...]] = {
    Kind.INT: ("0", "1", "2", "-3", "7"),
    Kind.BIGINT: ("CAST(0 AS BIGINT)", "CAST(2 AS BIGINT)", "CAST(-5 AS BIGINT)"),
    Kind.DOUBLE: ("0.5e0", "-2.25e0", "4e0"),
    Kind.DECIMAL: ("1.50", "-0.25", "10.00"),
    Kind.STRING: ("'a'", "'Ab'", "''", "'a key longer than twelve bytes'"),
    Kind.BOOLEAN: ("TRUE", "FALSE"),
    Kind.DATE: ("DATE '2024-01-01'", "DATE '2023-12-31'"),
    Kind.TIMESTAMP: ("TIMESTAMP '2024-01-01 00:00:10.000'", "TIMESTAMP '2024-01-01 00:01:00.500'"),
}
_CAST: dict[Kind, tuple[str, ...]] = {
    Kind.TINYINT: ("1", "-3"),
    Kind.SMALLINT: ("1", "-300"),
    Kind.FLOAT: ("0.5", "-2.25"),
    Kind.WIDE: ("1.5", "-0.000000000000000001"),
    Kind.TIME: ("TIME '10:11:12'", "TIME '00:00:00'"),
    Kind.SECONDS: ("TIMESTAMP '2024-01-01 00:00:10'",),
    Kind.MICROSECONDS: ("TIMESTAMP '2024-01-01 00:00:10.000001'",),
    Kind.NANOSECONDS: ("TIMESTAMP '2024-01-01 00:00:10.000001'",),
}
_INSTANTS_MS = (1_704_067_210_000, 1_711_846_805_500, 0)


@dataclass(frozen=True, slots=True)
class Term:
    """What an expression may begin with: a column, or a call over groups."""

    sql: Sql
    kind: Kind


def literal(d: Drawing, kind: Kind) -> Sql:
    if kind.is_instant:
        instant_ms = d.one_of(_INSTANTS_MS[:1] if kind is Kind.LTZ_SECONDS else _INSTANTS_MS)
        made = Sql(f"TO_TIMESTAMP_LTZ({instant_ms}, 3)", f"make_timestamp_ms({instant_ms})")
        return made if kind is Kind.LTZ else _cast(made, kind)
    if kind in _CAST:
        text = d.one_of(_CAST[kind])
        return _cast(same(text), kind)
    if kind is Kind.BYTES:
        text = d.one_of(["61", "00ff"])
        return Sql(f"CAST(X'{text}' AS BYTES)", f"unhex('{text}')")
    return same(d.one_of(LITERALS[kind]))


def _cast(value: Sql, kind: Kind) -> Sql:
    return both(f"CAST({{}} AS {kind.value})", value, duckdb=f"CAST({{}} AS {kind.duckdb})")


class Expressions:
    """Draws expressions over terms.

    Args:
        d: Chance.
        terms: What there is.
    """

    def __init__(self, d: Drawing, terms: Sequence[Term]) -> None:
        self._d, self._terms = d, terms

    def of(self, kind: Kind, depth: int = 2) -> Sql:
        """Returns an expression of a type."""
        if kind.is_nested:
            return self._nested(kind, depth)
        if depth <= 0 or self._d.chance(3):
            return self._term(kind)
        if self._d.chance(4):
            return self._of_any_kind(kind, depth - 1)
        return _MADE[kind](self, depth - 1) if kind in _MADE else self._term(kind)

    def condition(self, depth: int = 2) -> Sql:
        return self.of(Kind.BOOLEAN, max(depth, 1))

    def comparison(self, depth: int = 1) -> Sql:
        """Returns a comparison of two of one type."""
        kind = self._comparable()
        return both(f"({{}} {self._d.one_of(_COMPARISONS)} {{}})", self.of(kind, depth), self.of(kind, depth))

    def _comparable(self) -> Kind:
        there = [kind for kind in ORDERED if any(term.kind is kind for term in self._terms)]
        return self._d.one_of(there or [Kind.INT])

    def _term(self, kind: Kind) -> Sql:
        fitting = [term.sql for term in self._terms if term.kind is kind]
        return self._d.one_of(fitting) if fitting and not self._d.chance(4) else literal(self._d, kind)

    def _nested(self, kind: Kind, depth: int) -> Sql:
        """Returns a column, or a value made of its parts."""
        fitting = [term.sql for term in self._terms if term.kind is kind]
        if fitting and not self._d.chance(3):
            return self._d.one_of(fitting)
        number, text = self.of(Kind.INT, min(depth, 1)), self.of(Kind.STRING, 0)
        row = both(f"CAST(ROW({{}}, {{}}) AS {Kind.ROW.value})", number, text, duckdb="struct_pack(f := {}, g := {})")
        match kind:
            case Kind.ROW:
                return row
            case Kind.DEEP:
                value, at, x = self.of(Kind.DECIMAL, 0), self.of(Kind.TIMESTAMP, 0), self.of(Kind.BIGINT, 0)
                flink = f"CAST(ROW({{}}, ROW(ARRAY[{{}}], {{}})) AS {kind.value})"
                return both(flink, value, x, at, duckdb="struct_pack(d := {}, n := struct_pack(x := [{}], t := {}))")
            case Kind.ROWS:
                return both("ARRAY[{}]", row, duckdb="[{}]")
            case Kind.MAP:
                return both("MAP['a', {}]", number, duckdb="MAP {{'a': {}}}")
            case _:
                return both("ARRAY[{}, {}]", number, self.of(Kind.INT, 0), duckdb="[{}, {}]")

    def _of_any_kind(self, kind: Kind, depth: int) -> Sql:
        match self._d.number(0, 3):
            case 0:
                made = (self.condition(depth), self.of(kind, depth), self.of(kind, depth))
                return both("CASE WHEN {} THEN {} ELSE {} END", *made)
            case 1:
                return both("COALESCE({}, {})", self.of(kind, depth), self.of(kind, depth))
            case 2 if kind is not Kind.BOOLEAN:
                return both("NULLIF({}, {})", self.of(kind, depth), self.of(kind, 0))
            case _:
                parts = (self.of(kind, 0), literal(self._d, kind), self.of(kind, depth))
                return both("CASE {} WHEN {} THEN {} END", *parts)

    # --- by type

    def _integer(self, kind: Kind, depth: int) -> Sql:
        d = self._d
        match d.number(0, 9):
            case 0 | 1:
                return both(f"({{}} {d.one_of('+-')} {{}})", self.of(kind, depth), self.of(kind, depth))
            case 8:
                sign, small = d.one_of("+-"), self.of(d.one_of(_SMALL), 0)
                # DuckDB takes literals for as small as they can be.
                small = both("{}", small, duckdb=f"CAST({{}} AS {kind.duckdb})")
                return both(f"({{}} {sign} {{}})", self.of(kind, depth), small)
            case 9:
                return _cast(self._difference(depth), kind)
            case 2:
                return both(f"({{}} * {d.one_of('23')})", self.of(kind, 0))
            case 3:
                return both("ABS({})", self.of(kind, depth))
            case 4:
                number = d.one_of(["2", "3", "-7"])
                return both(f"MOD({{}}, {number})", self.of(kind, depth), duckdb=f"({{}} % ({number}))")
            case 5:
                number = d.one_of(["2", "3", "-7"])
                name = f"CAST(trunc({{}} / ({number}.0::DOUBLE)) AS {kind.duckdb})"
                return both(f"({{}} / {number})", self.of(kind, depth), duckdb=name)
            case 6:
                return both(f"CAST({{}} AS {kind.value})", both("CHAR_LENGTH({})", self.of(Kind.STRING, depth)))
            case _:
                choices = [("DAY", Kind.DATE), ("MINUTE", Kind.TIMESTAMP), ("YEAR", Kind.DATE), ("HOUR", Kind.LTZ)]
                unit, given = d.one_of(choices)
                if given is Kind.LTZ:
                    value = self.of(given, 0)
                    made = Sql(f"EXTRACT({unit} FROM {value.flink})", f"EXTRACT({unit} FROM {local(value.duckdb)})")
                    return both(f"CAST({{}} AS {kind.value})", made)
                return both(f"CAST(EXTRACT({unit} FROM {{}}) AS {kind.value})", self.of(given, 0))

    def _difference(self, depth: int) -> Sql:
        """Returns how many whole units there are from one time to another."""
        kind = self._d.one_of([Kind.TIMESTAMP, Kind.LTZ, Kind.DATE])
        unit = "DAY" if kind is Kind.DATE else self._d.one_of(["SECOND", "MINUTE", "HOUR", "DAY"])
        duckdb = f"date_sub('{unit.lower()}', {{}}, {{}})"
        return both(f"TIMESTAMPDIFF({unit}, {{}}, {{}})", self.of(kind, depth), self.of(kind, 0), duckdb=duckdb)

    def _double(self, depth: int) -> Sql:
        match self._d.number(0, 3):
            case 0 | 1:
                return both(f"({{}} {self._d.one_of('+-')} {{}})", self.of(Kind.DOUBLE, depth), self.of(Kind.DOUBLE, 0))
            case 2:
                return both("CAST({} AS DOUBLE)", self.of(self._d.one_of([Kind.INT, Kind.DECIMAL]), depth))
            case _:
                return both("FLOOR({})", self.of(Kind.DOUBLE, depth))

    def _decimal(self, depth: int) -> Sql:
        sides = (self.of(Kind.DECIMAL, 0), self.of(self._d.one_of([Kind.DECIMAL, Kind.INT]), 0))
        match self._d.number(0, 2):
            case 0:
                return both(f"CAST(({{}} {self._d.one_of('+-')} {{}}) AS DECIMAL(10, 2))", *sides)
            case 1:
                return both("ABS({})", self.of(Kind.DECIMAL, depth))
            case _:
                return both("CAST({} AS DECIMAL(10, 2))", self.of(Kind.INT, depth))

    def _string(self, depth: int) -> Sql:
        d = self._d
        match d.number(0, 5):
            case 0:
                return both("({} || {})", self.of(Kind.STRING, depth), self.of(Kind.STRING, 0))
            case 1:
                return both(f"{d.one_of(['UPPER', 'LOWER', 'TRIM', 'REVERSE'])}({{}})", self.of(Kind.STRING, depth))
            case 2:
                return both(f"SUBSTRING({{}}, {d.number(1, 3)}, {d.number(0, 4)})", self.of(Kind.STRING, depth))
            case 3:
                kind = d.one_of([Kind.INT, Kind.BIGINT, Kind.DATE])
                return both("CAST({} AS STRING)", self.of(kind, depth), duckdb="CAST({} AS VARCHAR)")
            case 4:
                return both("REPLACE({}, 'a', 'xy')", self.of(Kind.STRING, depth))
            case _:
                return both("CAST({} AS STRING)", self.of(Kind.BOOLEAN, depth), duckdb="upper(CAST({} AS VARCHAR))")

    def _boolean(self, depth: int) -> Sql:
        d = self._d
        match d.number(0, 10):
            case 0 | 1 | 2:
                return self.comparison(depth)
            case 3:
                return both(f"({{}} {d.one_of(['AND', 'OR'])} {{}})", self.condition(depth), self.condition(depth))
            case 4:
                return both("(NOT {})", self.condition(depth))
            case 5:
                return both(f"({{}} IS {d.one_of(['', 'NOT '])}NULL)", self.of(self._comparable(), depth))
            case 6:
                kind = self._comparable()
                parts = (self.of(kind, depth), self.of(kind, 0))
                return both(f"({{}} IS {d.one_of(['', 'NOT '])}DISTINCT FROM {{}})", *parts)
            case 7:
                kind = self._comparable()
                value, low, high = self.of(kind, depth), self.of(kind, 0), self.of(kind, 0)
                return both(f"({{}} {d.one_of(['', 'NOT '])}BETWEEN {{}} AND {{}})", value, low, high)
            case 8:
                kind = self._comparable()
                choices = listed([self.of(kind, 0) for _ in range(d.number(1, 3))])
                return both(f"({{}} {d.one_of(['', 'NOT '])}IN ({{}}))", self.of(kind, depth), choices)
            case 9:
                pattern = d.one_of(["'a%'", "'%b'", "'_'", "'%'", "''"])
                return both(f"({{}} {d.one_of(['', 'NOT '])}LIKE {pattern})", self.of(Kind.STRING, depth))
            case _:
                test = d.one_of(["IS TRUE", "IS NOT TRUE", "IS FALSE", "IS NOT FALSE", "IS UNKNOWN", "IS NOT UNKNOWN"])
                duckdb = test.replace("UNKNOWN", "NULL")
                return both(f"({{}} {test})", self.condition(depth), duckdb=f"({{}} {duckdb})")

    def _date(self, depth: int) -> Sql:
        if self._d.chance(4):
            value = self.of(Kind.LTZ, depth)
            return Sql(f"CAST({value.flink} AS DATE)", f"CAST({local(value.duckdb)} AS DATE)")
        if self._d.chance(2):
            return both("CAST({} AS DATE)", self.of(Kind.TIMESTAMP, depth))
        length = f"INTERVAL '{self._d.number(1, 40)}' {self._d.one_of(['DAY', 'MONTH'])}"
        moved = f"({{}} {self._d.one_of('+-')} {length})"
        return both(moved, self.of(Kind.DATE, depth), duckdb=f"CAST({moved} AS DATE)")

    def _instant(self, depth: int) -> Sql:
        length = f"INTERVAL '{self._d.number(1, 90)}' {self._d.one_of(['SECOND', 'HOUR'])}"
        return both(f"({{}} {self._d.one_of('+-')} {length})", self.of(Kind.LTZ, depth))

    def _moved(self, kind: Kind) -> Sql:
        """Returns a time of a rarer precision, moved by whole units."""
        length = f"INTERVAL '{self._d.number(1, 90)}' {self._d.one_of(['SECOND', 'HOUR'])}"
        moved = f"({{}} {self._d.one_of('+-')} {length})"
        return _cast(both(moved, self._term(kind), duckdb=moved.replace("{}", "CAST({} AS TIMESTAMP)")), kind)

    def _timestamp(self, depth: int) -> Sql:
        match self._d.number(0, 6):
            case 4:
                unit = self._d.one_of(["SECOND", "HOUR", "DAY"])
                by = both(f"{{}} * INTERVAL '1' {unit}", self.of(Kind.INT, 0))
                return both(f"({{}} {self._d.one_of('+-')} {{}})", self.of(Kind.TIMESTAMP, depth), by)
            case 5:
                unit, by = self._d.one_of(["SECOND", "HOUR", "DAY"]), self.of(Kind.INT, 0)
                duckdb = f"({{}} + to_{unit.lower()}s({{}}))"
                value = self.of(Kind.TIMESTAMP, depth)
                return Sql(f"TIMESTAMPADD({unit}, {by.flink}, {value.flink})", duckdb.format(value.duckdb, by.duckdb))
            case 6:
                times = [self.of(Kind.TIMESTAMP, 0) for _ in range(3)]
                return both("({} + ({} - {}) SECOND)", *times, duckdb="({} + ({} - {}))")
            case 3:
                value = self.of(Kind.LTZ, depth)
                return Sql(f"CAST({value.flink} AS TIMESTAMP(3))", local(value.duckdb))
            case 0:
                length = f"INTERVAL '{self._d.number(1, 90)}' {self._d.one_of(['SECOND', 'HOUR'])}"
                return both(f"({{}} {self._d.one_of('+-')} {length})", self.of(Kind.TIMESTAMP, depth))
            case 1:
                unit = self._d.one_of(["MINUTE", "HOUR", "DAY"])
                duckdb = f"date_trunc('{unit.lower()}', {{}})"
                return both(f"FLOOR({{}} TO {unit})", self.of(Kind.TIMESTAMP, depth), duckdb=duckdb)
            case _:
                return both("CAST({} AS TIMESTAMP(3))", self.of(Kind.DATE, depth), duckdb="CAST({} AS TIMESTAMP)")


_MADE: dict[Kind, Callable[[Expressions, int], Sql]] = {
    Kind.INT: lambda self, depth: self._integer(Kind.INT, depth),
    Kind.BIGINT: lambda self, depth: self._integer(Kind.BIGINT, depth),
    Kind.DOUBLE: Expressions._double,
    Kind.DECIMAL: Expressions._decimal,
    Kind.STRING: Expressions._string,
    Kind.BOOLEAN: Expressions._boolean,
    Kind.DATE: Expressions._date,
    Kind.TIMESTAMP: Expressions._timestamp,
    Kind.LTZ: Expressions._instant,
    **{kind: lambda self, depth, kind=kind: self._moved(kind) for kind in _TIMES},
}
