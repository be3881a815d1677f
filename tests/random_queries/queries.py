"""The grammar: rows from tables, and from rows other rows, by everything that a query can do to them.

Each production takes the rows below and draws the rest. What the engine may refuse is left to it: a refusal is an
answer, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from tests.random_queries.aggregates import Call, call, opaque_call
from tests.random_queries.dialects import IN_STREAMING, Column, Kind, Sql, both, listed, same
from tests.random_queries.drawing import Drawing
from tests.random_queries.expressions import ORDERED, Expressions, Term
from tests.random_queries.relations import From, Relation, Window
from tests.random_queries.tables import Table
from tests.random_queries.windows import WindowSpec, window_spec

__all__ = ["Grammar"]

_PLAIN = [one for one in Kind if one is not Kind.ARRAY]
_SET_OPERATORS = ["UNION ALL", "UNION ALL", "UNION", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL"]
_JOINS = ["INNER JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]


@dataclass
class Grammar:
    """Draws a query.

    Attributes:
        d: Chance.
        tables: What there is to read.
        arrives: Whether rows come in one known order.
        views: Declarations that the query needs: name and query.
    """

    d: Drawing
    tables: Sequence[Table]
    arrives: bool = True
    views: list[tuple[str, Sql]] = field(default_factory=list)

    def query(self, depth: int) -> Relation:
        """Returns rows of a query, at most so deep."""
        if depth <= 0:
            return self._read()
        made: Callable[[int], Relation] = self.d.one_of(_PRODUCTIONS)
        return made(self, depth - 1)

    def _rows(self, depth: int) -> From:
        """Returns rows for FROM; sometimes under a name of WITH or of a view."""
        rows = self.query(depth)
        if not rows.is_table and self.d.chance(6):
            name = self.d.name("v")
            self.views.append((name, rows.sql))
            rows = replace(rows, sql=same(name), is_table=True)
        return rows.named(self.d.name("x"))

    # --- one input

    def _read(self) -> Relation:
        table = self.d.one_of(self.tables)
        keys = {frozenset({table.number.name})}
        keys |= {frozenset({table.time.name})} if table.has_unique_times else set()
        return Relation(
            same(table.name),
            table.columns,
            frozenset(keys),
            table.time.name,
            is_table=True,
            arrives=self.arrives,
        )

    def _select(self, depth: int) -> Relation:
        rows = self._rows(depth)
        kept = self.d.some_of(rows.rows.columns, 1, 6)
        items = [rows.ref(one.name) for one in kept]
        made = self._computed(rows.expressions(self.d), 0 if kept else 1, 2)
        items += [both(f"{{}} AS {one.name}", sql) for one, sql in made]
        where = self._where(rows) if self.d.chance(2) else same("")
        text = both("SELECT {} FROM {}{}", listed(items), rows.sql, where)
        return rows.rows.keeping(text, [*kept, *(one for one, _ in made)])

    def _computed(self, expressions: Expressions, least: int, most: int) -> list[tuple[Column, Sql]]:
        kinds = [self.d.one_of(_PLAIN) for _ in range(self.d.number(least, most))]
        return [(Column(self.d.name(), kind), expressions.of(kind)) for kind in kinds]

    def _where(self, *rows: From) -> Sql:
        return both(" WHERE {}", rows[0].expressions(self.d, *rows[1:]).condition())

    def _distinct(self, depth: int) -> Relation:
        rows = self._rows(depth)
        kept = self.d.some_of(rows.refs(), 1, 3)
        if not kept:
            return rows.rows
        text = both("SELECT DISTINCT {} FROM {}", listed([rows.ref(one.name) for one in kept]), rows.sql)
        return Relation(text, tuple(kept), frozenset({frozenset(one.name for one in kept)}))

    def _aggregate(self, depth: int) -> Relation:
        rows = self._rows(depth)
        keys = self._keys(rows)
        where = self._where(rows) if self.d.chance(4) else same("")
        grouping = both(" GROUP BY {}", listed([sql for _, sql in keys])) if keys else same("")
        return self._grouped(rows, both("{}{}", rows.sql, where), keys, grouping)

    def _keys(self, rows: From) -> list[tuple[Column, Sql]]:
        names = [one for one in rows.refs() if one.kind is not Kind.ARRAY]
        keys = [(replace(one, name=self.d.name()), rows.ref(one.name)) for one in self.d.some_of(names, 0, 2)]
        if rows.refs() and self.d.chance(5):
            kind = self.d.one_of([Kind.INT, Kind.STRING, Kind.BOOLEAN])
            first = self.d.one_of(rows.refs())
            made = rows.expressions(self.d).of(kind, 1)
            if f"{rows.alias}.{first.name}" in made.flink:
                keys.append((Column(self.d.name(), kind), made))
        return keys

    def _grouped(
        self,
        rows: From,
        source: Sql,
        keys: list[tuple[Column, Sql]],
        grouping: Sql,
        fixed: Sequence[tuple[Column, Sql]] = (),
    ) -> Relation:
        """Returns the groups: their keys, what is fixed besides, calls, and what is computed of calls."""
        calls = [call(self.d, rows) for _ in range(self.d.number(1, 3))]
        outputs = [*keys, *fixed]
        for one in calls:
            outputs.append((Column(self.d.name("a"), one.kind), one.sql))
        over_calls = Expressions(self.d, [Term(one.sql, one.kind) for one in calls])
        if self.d.chance(4):
            kind = self.d.one_of([Kind.INT, Kind.BIGINT, Kind.BOOLEAN])
            outputs.append((Column(self.d.name("a"), kind), over_calls.of(kind, 1)))
        if self.d.chance(6) and rows.refs():
            opaque = opaque_call(self.d, rows)
            outputs.append((Column(self.d.name("a"), opaque.kind, is_opaque=True), opaque.sql))
        having = both(" HAVING {}", over_calls.condition(1)) if self.d.chance(4) else same("")
        if not grouping.flink:
            having = Sql(having.flink, f"{having.duckdb or ' HAVING TRUE'}{IN_STREAMING}")
        items = listed([both(f"{{}} AS {column.name}", sql) for column, sql in outputs])
        text = both("SELECT {} FROM {}{}{}", items, source, grouping, having)
        unique = frozenset(column.name for column, _ in [*keys, *fixed])
        return Relation(text, tuple(column for column, _ in outputs), frozenset({unique}))

    # --- windows

    def _windowed(self, rows: Relation, spec: WindowSpec, partition: list[str]) -> Sql:
        """Returns a windowing table function over rows, without an alias."""
        assert rows.time is not None
        by = f" PARTITION BY ({', '.join(partition)})" if partition else ""
        data = f"TABLE {rows.sql.flink}{by}" if rows.is_table else f"({rows.sql.flink})"
        flink = f"TABLE({spec.kind}({data}, DESCRIPTOR({rows.time}), {spec.lengths}))"
        given = rows.sql.duckdb if rows.is_table else f"({rows.sql.duckdb})"
        return Sql(flink, f"({spec.duckdb_rows(given, rows.time, partition)})")

    def _timed(self, depth: int) -> Relation:
        """Returns rows with a row time, of a table if there is nothing better."""
        rows = self.query(depth)
        return self._read() if rows.time is None else rows

    def _named_timed(self, depth: int) -> Relation:
        """Returns rows with a row time that have a name."""
        rows = self._timed(depth)
        if rows.is_table:
            return rows
        name = self.d.name("v")
        self.views.append((name, rows.sql))
        return replace(rows, sql=same(name), is_table=True)

    def _window_aggregate(self, depth: int) -> Relation:
        spec = window_spec(self.d, functions_only=True)
        return self._of_windows(self._named_timed(depth) if spec.kind == "SESSION" else self._timed(depth), spec)

    def _of_windows(self, rows: Relation, spec: WindowSpec) -> Relation:
        plain = [one for one in rows.columns if one.kind is not Kind.ARRAY and not one.is_opaque]
        chosen = self.d.some_of([one for one in plain if one.name != rows.time], 0, 2)
        partition = [one.name for one in chosen] if spec.kind == "SESSION" else []
        arrives = rows.arrives and spec.kind == "TUMBLE"  # what panes or sessions held comes together by time
        windowed = replace(rows, sql=self._windowed(rows, spec, partition), is_table=True, arrives=arrives)
        source = windowed.named(self.d.name("x"))
        keys = [(replace(one, name=self.d.name()), source.ref(one.name)) for one in chosen]
        bounds, grouping = self._bounds(source.alias)
        time = []
        if self.d.chance(2):
            moved = Sql(f"{source.alias}.window_time", f"{bounds[1][1].duckdb} - INTERVAL '1' MILLISECOND")
            time = [(Column(self.d.name("ts"), Kind.TIMESTAMP), moved)]
            grouping = Sql(f"{grouping.flink}, {source.alias}.window_time", grouping.duckdb)
        grouping = listed([grouping, *(sql for _, sql in keys)])
        made = self._grouped(source, source.sql, keys, both(" GROUP BY {}", grouping), [*bounds, *time])
        window = Window(bounds[0][0].name, bounds[1][0].name, str(spec))
        return replace(made, time=time[0][0].name if time else None, window=window)

    def _bounds(self, alias: str) -> tuple[list[tuple[Column, Sql]], Sql]:
        refs = [same(f"{alias}.window_start"), same(f"{alias}.window_end")]
        return [(Column(self.d.name("w"), Kind.TIMESTAMP), ref) for ref in refs], listed(refs)

    def _group_window(self, depth: int) -> Relation:
        """Returns an aggregate in the older spelling."""
        rows, spec = self._timed(depth), window_spec(self.d)
        plain = [one for one in rows.columns if one.kind is not Kind.ARRAY and not one.is_opaque]
        chosen = self.d.some_of([one for one in plain if one.name != rows.time], 0, 2)
        source = replace(rows, arrives=rows.arrives and spec.kind == "TUMBLE").named(self.d.name("x"))
        partition = [one.name for one in chosen]
        given = rows.sql.duckdb if rows.is_table else f"({rows.sql.duckdb})"
        duckdb = f"({spec.duckdb_rows(given, str(rows.time), partition)}) AS {source.alias}"
        keys = [(replace(one, name=self.d.name()), source.ref(one.name)) for one in chosen]
        arguments = f"{source.alias}.{rows.time}, {spec.lengths}"
        bounds = [
            (Column(self.d.name("w"), Kind.TIMESTAMP), Sql(f"{spec.kind}_{end}({arguments})", f"{source.alias}.{name}"))
            for end, name in (("START", "window_start"), ("END", "window_end"))
        ]
        time = []
        if self.d.chance(2):
            moved = f"{source.alias}.window_end - INTERVAL '1' MILLISECOND"
            time = [(Column(self.d.name("ts"), Kind.TIMESTAMP), Sql(f"{spec.kind}_ROWTIME({arguments})", moved))]
        window = Sql(f"{spec.kind}({arguments})", f"{source.alias}.window_start, {source.alias}.window_end")
        grouping = both(" GROUP BY {}", listed([window, *(sql for _, sql in keys)]))
        made = self._grouped(source, Sql(source.sql.flink, duckdb), keys, grouping, [*bounds, *time])
        return replace(made, time=time[0][0].name if time else None)

    def _window_rows(self, depth: int, spec: WindowSpec | None = None) -> Relation:
        """Returns each row with its window."""
        spec = spec or window_spec(self.d, functions_only=True)
        rows = self._named_timed(depth) if spec.kind == "SESSION" else self._timed(depth)
        plain = [one for one in rows.columns if one.kind is not Kind.ARRAY and not one.is_opaque]
        partition = [one.name for one in self.d.some_of(plain, 0, 1)] if spec.kind == "SESSION" else []
        source = replace(rows, sql=self._windowed(rows, spec, partition), is_table=True).named(self.d.name("x"))
        bounds, _ = self._bounds(source.alias)
        kept = self.d.some_of(rows.columns, 1, 4)
        items = [source.ref(one.name) for one in kept]
        items += [both(f"{{}} AS {column.name}", sql) for column, sql in bounds]
        text = both("SELECT {} FROM {}", listed(items), source.sql)
        names, ends = {one.name for one in kept}, {column.name for column, _ in bounds}
        keys = frozenset(key | ends for key in rows.keys if key <= names)
        window = Window(bounds[0][0].name, bounds[1][0].name, str(spec))
        return Relation(text, (*kept, *(column for column, _ in bounds)), keys, None, window)

    # --- two inputs

    def _join(self, depth: int) -> Relation:
        left, right = self._rows(depth), self._rows(self.d.number(0, depth))
        equal = self._equalities(left, right, 1, 2)
        more = [] if not self.d.chance(3) else [left.expressions(self.d, right).comparison()]
        kind = self.d.one_of(_JOINS)
        return self._joined(left, right, kind, [*equal, *more])

    def _equalities(self, left: From, right: From, least: int, most: int) -> list[Sql]:
        pairs = [
            (one, other)
            for one in left.refs()
            for other in right.refs()
            if one.kind is other.kind and one.kind is not Kind.ARRAY
        ]
        sign = "IS NOT DISTINCT FROM" if self.d.chance(6) else "="
        chosen = self.d.some_of(pairs, least, most)
        return [both(f"{{}} {sign} {{}}", left.ref(one.name), right.ref(other.name)) for one, other in chosen]

    def _joined(self, left: From, right: From, kind: str, conditions: list[Sql]) -> Relation:
        columns: list[Column] = []
        items: list[Sql] = []
        names: dict[str, str] = {}
        for side in (left, right):
            for one in self.d.some_of(side.rows.columns, 1, 4):
                columns.append(replace(one, name=self.d.name()))
                items.append(both(f"{{}} AS {columns[-1].name}", side.ref(one.name)))
                names[f"{side.alias}.{one.name}"] = columns[-1].name
        on = listed(conditions, " AND ") if conditions else same("TRUE")
        text = both(f"SELECT {{}} FROM {{}} {kind} {{}} ON {{}}", listed(items), left.sql, right.sql, on)
        pairs = [
            {f"{left.alias}.{name}" for name in key} | {f"{right.alias}.{name}" for name in other}
            for key in left.rows.keys
            for other in right.rows.keys
        ]
        keys = frozenset(frozenset(names[name] for name in key) for key in pairs if key <= names.keys())
        return Relation(text, tuple(columns), keys)

    def _interval_join(self, depth: int) -> Relation:
        left, right = self._timed(depth).named(self.d.name("x")), self._timed(0).named(self.d.name("x"))
        one, other = left.ref(str(left.rows.time)), right.ref(str(right.rows.time))
        low, high = self.d.number(-5, 10), self.d.number(0, 15)
        bounds = f"{{}} BETWEEN {{}} - INTERVAL '{low}' SECOND AND {{}} + INTERVAL '{high}' SECOND"
        conditions = [*self._equalities(left, right, 0, 1), both(bounds, one, other, other)]
        conditions += [left.expressions(self.d, right).comparison()] if self.d.chance(5) else []
        kind = self.d.one_of(_JOINS)
        made = self._joined(left, right, kind, conditions)
        if kind != "INNER JOIN":
            return made
        times = {f"{left.alias}.{left.rows.time} AS ": 0, f"{right.alias}.{right.rows.time} AS ": 0}
        for column in made.columns:
            if any(f"{one}{column.name}" in f"{made.sql.flink} " for one in times):
                return replace(made, time=column.name)
        return made

    def _window_join(self, depth: int) -> Relation:
        spec = window_spec(self.d, sessions=False, functions_only=True)
        sides = [
            self._of_windows(self._timed(at), spec) if self.d.chance(3) else self._window_rows(at, spec)
            for at in (depth, 0)
        ]
        left, right = (one.named(self.d.name("x")) for one in sides)
        assert left.rows.window is not None
        assert right.rows.window is not None
        conditions = [
            both("{} = {}", left.ref(left.rows.window.start), right.ref(right.rows.window.start)),
            both("{} = {}", left.ref(left.rows.window.end), right.ref(right.rows.window.end)),
            *self._equalities(left, right, 0, 1),
        ]
        conditions += [left.expressions(self.d, right).comparison()] if self.d.chance(5) else []
        if self.d.chance(4):
            return self._semi(left, right, conditions)
        return self._joined(left, right, self.d.one_of(_JOINS), conditions)

    def _semi(self, left: From, right: From, conditions: list[Sql]) -> Relation:
        negated = self.d.one_of(["", "NOT "])
        kept = self.d.some_of(left.rows.columns, 1, 5)
        items = listed([left.ref(one.name) for one in kept])
        on = listed(conditions, " AND ") if conditions else same("TRUE")
        text = f"SELECT {{}} FROM {{}} WHERE {negated}EXISTS (SELECT 1 FROM {{}} WHERE {{}})"
        return left.rows.keeping(both(text, items, left.sql, right.sql, on), kept).without_time()

    def _exists(self, depth: int) -> Relation:
        left, right = self._rows(depth), self._rows(self.d.number(0, depth))
        conditions = self._equalities(left, right, 0, 2)
        conditions += [left.expressions(self.d, right).comparison()] if self.d.chance(3) else []
        return self._semi(left, right, conditions)

    def _in(self, depth: int) -> Relation:
        left, right = self._rows(depth), self._rows(self.d.number(0, depth))
        pairs = self._equal_kinds(left, right)
        if not pairs:
            return left.rows
        one, other = self.d.one_of(pairs)
        kept = self.d.some_of(left.rows.columns, 1, 5)
        items = listed([left.ref(each.name) for each in kept])
        where = self._where(right) if self.d.chance(3) else same("")
        text = f"SELECT {{}} FROM {{}} WHERE {{}} {self.d.one_of(['', 'NOT '])}IN (SELECT {{}} FROM {{}}{{}})"
        made = both(text, items, left.sql, left.ref(one.name), right.ref(other.name), right.sql, where)
        return left.rows.keeping(made, kept).without_time()

    def _equal_kinds(self, left: From, right: From) -> list[tuple[Column, Column]]:
        every = [(one, other) for one in left.refs() for other in right.refs()]
        return [(one, other) for one, other in every if one.kind is other.kind and one.kind is not Kind.ARRAY]

    def _scalar(self, depth: int) -> Relation:
        """Returns rows with what a subquery says of each, or of all."""
        left, right = self._rows(depth), self._rows(0)
        pairs = self._equal_kinds(left, right)
        name, kind = self.d.one_of([("COUNT(*)", Kind.BIGINT), ("MAX({})", Kind.INT), ("SUM({})", Kind.BIGINT)])
        made = both(name, right.expressions(self.d).of(kind, 0))
        value = Sql(made.flink, made.duckdb if kind is not Kind.BIGINT else f"CAST({made.duckdb} AS BIGINT)")
        if pairs and self.d.chance(2):
            one, other = self.d.one_of(pairs)
            where = both(" WHERE {} = {}", right.ref(other.name), left.ref(one.name))
        else:
            where = self._where(right)
        subquery = both("(SELECT {} FROM {}{})", value, right.sql, where)
        kept = self.d.some_of(left.rows.columns, 1, 4)
        items = [left.ref(each.name) for each in kept]
        if self.d.chance(3):
            text = both("SELECT {} FROM {} WHERE {} >= {}", listed(items), left.sql, same("2"), subquery)
            return left.rows.keeping(text, kept).without_time()
        column = Column(self.d.name(), kind)
        items.append(both(f"{{}} AS {column.name}", subquery))
        text = both("SELECT {} FROM {}", listed(items), left.sql)
        return left.rows.keeping(text, [*kept, column]).without_time()

    def _set_operation(self, depth: int) -> Relation:
        left, right = self._rows(depth), self._rows(self.d.number(0, depth))
        kept = self.d.some_of([one for one in left.refs() if one.kind is not Kind.ARRAY], 1, 3)
        if not kept:
            return left.rows
        operator = self.d.one_of(
            ["UNION ALL", "UNION ALL", "UNION", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL"]
        )
        if any(one.kind is Kind.ARRAY for one in kept) and operator != "UNION ALL":
            kept = [one for one in kept if one.kind is not Kind.ARRAY] or [Column(left.refs()[0].name, Kind.ARRAY)]
        columns = [replace(one, name=self.d.name()) for one in kept]
        items = [both(f"{{}} AS {new.name}", left.ref(one.name)) for one, new in zip(kept, columns, strict=True)]
        others = [
            both(f"CAST({{}} AS {one.kind.value})", self._like(right, one), duckdb=f"CAST({{}} AS {one.kind.duckdb})")
            if one.kind in (Kind.DECIMAL, Kind.BIGINT)
            else self._like(right, one)
            for one in kept
        ]
        text = f"SELECT {{}} FROM {{}} {operator} SELECT {{}} FROM {{}}"
        unique = frozenset() if operator.endswith("ALL") else frozenset({frozenset(one.name for one in columns)})
        return Relation(both(text, listed(items), left.sql, listed(others), right.sql), tuple(columns), unique)

    def _like(self, rows: From, column: Column) -> Sql:
        return rows.expressions(self.d).of(column.kind, 0)

    # --- order

    def _top_n(self, depth: int) -> Relation:
        rows = self._rows(depth)
        ordered = [one for one in rows.refs() if one.kind in ORDERED]
        if not ordered:
            return rows.rows
        partition = self.d.some_of([one for one in rows.refs() if one.kind is not Kind.ARRAY], 0, 1)
        ranking = self.d.one_of(["ROW_NUMBER", "ROW_NUMBER", "ROW_NUMBER", "RANK", "DENSE_RANK"])
        return self._ranked(rows, partition, self.d.some_of(ordered, 1, 2), ranking)

    def _ranked(self, rows: From, partition: list[Column], order: list[Column], ranking: str) -> Relation:
        order, is_total = self._ordered_by(rows, partition, order)
        sorting = listed([self._sort_item(rows.ref(one.name)) for one in order])
        by = f"PARTITION BY {', '.join(f'{rows.alias}.{one.name}' for one in partition)} " if partition else ""
        place = Column(self.d.name("p"), Kind.BIGINT)
        is_whole = is_total or ranking != "ROW_NUMBER"
        kept = list(dict.fromkeys([*partition, *order, *(rows.rows.columns if is_whole else ())]))
        items = listed([rows.ref(one.name) for one in kept])
        numbered = both(
            f"SELECT {{}}, {ranking}() OVER ({by}ORDER BY {{}}) AS {place.name} FROM {{}}", items, sorting, rows.sql
        )
        given = [*kept, *([place] if self.d.chance(2) else [])]
        names = ", ".join(one.name for one in given)
        last = self.d.number(1, 3)
        condition = self.d.one_of([f"<= {last}", f"<= {last}", f"= {last}", f"BETWEEN 2 AND {last + 1}"])
        text = both(f"SELECT {names} FROM ({{}}) WHERE {place.name} {condition}", numbered)
        return rows.rows.keeping(text, given).without_time()

    def _ordered_by(self, rows: From, partition: list[Column], order: list[Column]) -> tuple[list[Column], bool]:
        """Returns the order, with a key behind it if there is one, and whether no two rows are equal by it."""
        by_name = {one.name: one for one in rows.refs()}
        keys = [key for key in rows.rows.keys if key <= by_name.keys()]
        fitting = [key for key in keys if all(by_name[name].kind in ORDERED for name in key)]
        if fitting:
            key = min(fitting, key=sorted)
            if not key <= {one.name for one in (*partition, *order)} and not self.d.chance(5):
                order = [*order, *(by_name[name] for name in sorted(key) if by_name[name] not in order)]
        names = {one.name for one in (*partition, *order)}
        return order, any(key <= names for key in keys)

    def _sort_item(self, value: Sql) -> Sql:
        direction, nulls = self.d.one_of([("ASC", "FIRST"), ("DESC", "LAST"), ("ASC", "LAST"), ("DESC", "FIRST")])
        is_default = (direction == "ASC") == (nulls == "FIRST")
        shown = "" if is_default and self.d.chance(2) else f" NULLS {nulls}"
        return Sql(f"{value.flink} {direction}{shown}", f"{value.duckdb} {direction} NULLS {nulls}")

    def _deduplicated(self, depth: int) -> Relation:
        rows = self._timed(depth).named(self.d.name("x"))
        time = next(one for one in rows.rows.columns if one.name == rows.rows.time)
        partition = self.d.some_of([one for one in rows.refs() if one.kind is not Kind.ARRAY], 0, 2)
        names = {time.name, *(one.name for one in partition)}
        is_total = any(key <= names for key in rows.rows.keys)
        kept = list(dict.fromkeys([*partition, time, *(rows.rows.columns if is_total else ())]))
        items = listed([rows.ref(one.name) for one in kept])
        by = f"PARTITION BY {', '.join(f'{rows.alias}.{one.name}' for one in partition)} " if partition else ""
        order, place = f"{rows.alias}.{time.name} {self.d.one_of(['ASC', 'DESC'])}", self.d.name("p")
        numbered = f"SELECT {{}}, ROW_NUMBER() OVER ({by}ORDER BY {order}) AS {place} FROM {{}}"
        columns = ", ".join(one.name for one in kept)
        text = both(f"SELECT {columns} FROM ({numbered}) WHERE {place} = 1", items, rows.sql)
        return rows.rows.keeping(text, kept).without_time()

    def _window_top_n(self, depth: int) -> Relation:
        rows = self._window_aggregate(depth) if self.d.chance(2) else self._window_rows(depth)
        source = rows.named(self.d.name("x"))
        assert rows.window is not None
        bounds = [one for one in rows.columns if one.name in (rows.window.start, rows.window.end)]
        others = [one for one in source.refs() if one not in bounds and one.kind is not Kind.ARRAY]
        ordered = [one for one in others if one.kind in ORDERED]
        if not ordered:
            return rows
        made = self._ranked(
            source, [*bounds, *self.d.some_of(others, 0, 1)], self.d.some_of(ordered, 1, 2), "ROW_NUMBER"
        )
        return replace(made, window=rows.window)

    def _limited(self, depth: int) -> Relation:
        rows = self._rows(depth)
        ordered = [one for one in rows.refs() if one.kind in ORDERED]
        if not ordered:
            return rows.rows
        order, is_total = self._ordered_by(rows, [], self.d.some_of(ordered, 1, 2))
        kept = list(rows.rows.columns) if is_total else order
        sorting = listed([self._sort_item(rows.ref(one.name)) for one in order])
        end = f"LIMIT {self.d.number(1, 5)}" + (f" OFFSET {self.d.number(1, 2)}" if self.d.chance(4) else "")
        text = f"SELECT {{}} FROM {{}} ORDER BY {{}} {end}"
        items = listed([rows.ref(one.name) for one in kept])
        made = rows.rows.keeping(both(text, items, rows.sql, sorting), kept).without_time()
        return replace(made, sql=both("SELECT * FROM ({})", made.sql))

    def _over(self, depth: int) -> Relation:
        by_time = self.d.chance(2)
        rows = self._timed(depth).named(self.d.name("x")) if by_time else self._rows(depth)
        ordered = [one for one in rows.refs() if one.kind in ORDERED]
        if not ordered:
            return rows.rows
        partition = self.d.some_of([one for one in rows.refs() if one.kind is not Kind.ARRAY], 0, 1)
        if by_time:
            order = [one for one in ordered if one.name == rows.rows.time]
            sorting, names = rows.ref(order[0].name), {order[0].name, *(one.name for one in partition)}
            is_total = any(key <= names for key in rows.rows.keys)
        else:
            order, is_total = self._ordered_by(rows, partition, self.d.some_of(ordered, 1, 2))
            sorting = listed([self._sort_item(rows.ref(one.name)) for one in order])
        by = f"PARTITION BY {', '.join(f'{rows.alias}.{one.name}' for one in partition)} " if partition else ""
        calls = self._over_calls(rows, is_total=is_total, by_time=by_time)
        kept = self.d.some_of(rows.rows.columns, 1, 4)
        items = [rows.ref(one.name) for one in kept]
        columns = list(kept)
        for one, frame in calls:
            columns.append(Column(self.d.name("o"), one.kind))
            items.append(both(f"{{}} AS {columns[-1].name}", one.over(both(f"{by}ORDER BY {{}}{frame}", sorting))))
        made = rows.rows.keeping(both("SELECT {} FROM {}", listed(items), rows.sql), columns)
        return made if by_time else made.without_time()

    def _over_calls(self, rows: From, *, is_total: bool, by_time: bool) -> list[tuple[Call, str]]:
        found = []
        for _ in range(self.d.number(1, 2)):
            frames = ["", " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"]
            if by_time:
                frames.append(f" RANGE BETWEEN INTERVAL '{self.d.number(1, 20)}' SECOND PRECEDING AND CURRENT ROW")
            if is_total:
                frames += [f" ROWS {self.d.number(0, 3)} PRECEDING", " ROWS UNBOUNDED PRECEDING"]
            frame = self.d.one_of(frames)
            if self.d.chance(3):
                names = ["RANK()", "DENSE_RANK()", *(["ROW_NUMBER()"] if is_total else [])]
                found.append((Call(same(self.d.one_of(names)), Kind.BIGINT), ""))
            elif is_total and self.d.chance(4):
                kind = self.d.one_of([Kind.INT, Kind.STRING])
                value = rows.expressions(self.d).of(kind, 0)
                found.append((Call(both(f"LAG({{}}, {self.d.number(1, 2)})", value), kind), ""))
            else:
                found.append((call(self.d, rows, over=True), frame))
        return found

    def _unnested(self, depth: int) -> Relation:
        rows = self._rows(depth)
        arrays = rows.refs(Kind.ARRAY)
        if not arrays:
            return rows.rows
        array, element = self.d.one_of(arrays), Column(self.d.name(), Kind.INT)
        kept = self.d.some_of([one for one in rows.rows.columns if one is not array], 0, 3)
        alias = self.d.name("x")
        items = listed([*(rows.ref(one.name) for one in kept), same(f"{alias}.{element.name}")])
        kind, on = self.d.one_of([("CROSS", ""), ("LEFT", " ON TRUE")])
        flink = f"{{}} {kind} JOIN UNNEST({{}}) AS {alias}({element.name}){on}"
        duckdb = f"{{}} {kind} JOIN LATERAL (SELECT unnest({{}}) AS {element.name}) AS {alias}{on}"
        source = both(flink, rows.sql, rows.ref(array.name), duckdb=duckdb)
        return Relation(both("SELECT {} FROM {}", items, source), (*kept, element))


_PRODUCTIONS: list[Callable[[Grammar, int], Relation]] = [
    Grammar._select,
    Grammar._aggregate,
    Grammar._join,
    Grammar._window_aggregate,
    Grammar._top_n,
    Grammar._set_operation,
    Grammar._group_window,
    Grammar._interval_join,
    Grammar._window_join,
    Grammar._over,
    Grammar._exists,
    Grammar._in,
    Grammar._scalar,
    Grammar._deduplicated,
    Grammar._distinct,
    Grammar._window_top_n,
    Grammar._limited,
    Grammar._window_rows,
    Grammar._unnested,
]
