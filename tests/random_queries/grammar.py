"""What the productions of the grammar share: chance, tables, names, and what is drawn below.

Each production takes the rows below and draws the rest. What the engine may refuse is left to it: a refusal is an
answer, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from tests.random_queries.dialects import Column, Sql, both, same
from tests.random_queries.drawing import Drawing
from tests.random_queries.expressions import ORDERED
from tests.random_queries.relations import From, Relation
from tests.random_queries.tables import ARRIVAL, Changes, Table

__all__ = ["Grammar", "Production", "part_of"]

HARMLESS = "'scan.watermark.idle-timeout' = '9 d'"
"""Options that change no row."""


def part_of(table: str) -> str:
    """Returns what stands in a query for the options by which a job reads the first split of a table only."""
    return f"<the first split of {table}>"


@dataclass
class Grammar:
    """Draws a query.

    Attributes:
        d: Chance.
        changes: The tables, and what happens to them.
        productions: What there is to draw, by name.
        has_clock: Whether it is known when rows come, and that they all come by hand.
        is_streaming: Whether the query runs as if its input never ended.
        lateness_s: For how long late rows count in windows that are aggregated.
        views: Declarations that the query needs: name and query.
        needs_views: Whether these cannot be said by WITH.
        named: Rows that have such a name.
    """

    d: Drawing
    changes: Changes
    productions: Mapping[str, Production]
    has_clock: bool = True
    is_streaming: bool = False
    lateness_s: int = 0
    views: list[tuple[str, Sql]] = field(default_factory=list)
    needs_views: bool = False
    named: list[Relation] = field(default_factory=list)

    def query(self, depth: int) -> Relation:
        """Returns rows of a query, at most so deep."""
        if depth <= 0:
            return self.read()
        names = list(self.productions)
        names += ["temporal join"] * 3 if self.changes.versioned else []
        names += ["lookup join"] * 2 if self.changes.of("outside") else []
        names += ["rows set aside"] * 2 if self.changes.has_late_rows else []
        name = self.d.one_of(names)
        self.d.feature(name)
        return self.productions[name](self, depth - 1)

    def rows(self, depth: int) -> From:
        """Returns rows for FROM; sometimes under a name of WITH or of a view, or of one that was drawn before."""
        if self.named and self.d.chance(4):
            self.d.feature("a view read twice")
            return self.d.one_of(self.named).named(self.d.name("x"))
        rows = self.query(depth)
        if not rows.is_table and self.d.chance(6):
            rows = self.as_view(rows)
        return rows.named(self.d.name("x"))

    def as_view(self, rows: Relation) -> Relation:
        """Returns rows under a name of WITH or of a view."""
        name = self.d.name("v")
        self.views.append((name, rows.sql))
        self.named.append(replace(rows, sql=same(name), is_table=True))
        return self.named[-1]

    def read(self, *, timed: bool = False) -> Relation:
        """Returns a table's rows; `timed`: of one with a row time.

        Not of one whose rows are versions, if there is another: its key is declared, and no row's own.
        """
        tables = self.changes.timed if timed else [one for one in self.changes.tables if one.use != "outside"]
        tables = [one for one in tables if one.use != "versions"] or tables
        table = self.d.one_of(tables)
        if table.is_changing:
            self.d.feature(f"input: {table.use}")
        if not self.changes.has_late_rows and self.d.chance(8):
            return self._hinted(table)
        return self.read_table(table)

    def _hinted(self, table: Table) -> Relation:
        """Returns a table's rows, read as a hint says: in a job those of one split only, if they are just rows."""
        rows, where, options = self.read_table(table), "", HARMLESS
        if not self.has_clock and table.use == "rows":
            self.d.feature("OPTIONS hint: a part of a table")
            options, where = part_of(table.name), f" WHERE {ARRIVAL} IN ({self.changes.listed_first_split(table)})"
        else:
            self.d.feature("OPTIONS hint")
        hint = f"/*+ OPTIONS({options}) */"
        text = Sql(f"SELECT * FROM {table.name} {hint}", f"SELECT * FROM {table.name}{where}")
        return replace(rows, sql=text, is_table=False)

    def two_tables(self) -> tuple[Relation, Relation] | None:
        """Returns two tables with row times; None: there is but one."""
        tables = self.changes.timed
        if len(tables) < 2:
            return None
        left = self.d.one_of(tables)
        return self.read_table(left), self.read_table(self.d.one_of([one for one in tables if one is not left]))

    def read_table(self, table: Table) -> Relation:
        keys = {frozenset({table.number.name})}
        keys |= {frozenset({table.time.name})} if table.time and table.has_unique_times else set()
        keys |= {frozenset({table.key.name})} if table.key and table.use == "upserts" else set()
        time = None if table.changes_passed or table.time is None else table.time.name
        return Relation(
            same(table.name),
            (*table.columns, *(column for column, _ in table.computed)),
            frozenset(keys),
            time,
            is_table=True,
            arrives=self.changes.arrives and not table.is_changing,
            may_be_late=self.changes.has_late_rows and time is not None,
        )

    def timed(self, depth: int) -> Relation:
        """Returns rows with a row time, of a table if there is nothing better."""
        rows = self.query(depth)
        return self.read(timed=True) if rows.time is None else rows

    def named_timed(self, depth: int) -> Relation:
        """Returns rows with a row time that have a name."""
        rows = self.timed(depth)
        return rows if rows.is_table else self.as_view(rows)

    def where(self, *rows: From) -> Sql:
        return both(" WHERE {}", rows[0].expressions(self.d, *rows[1:]).condition())

    def meeting(self, left: From, right: From) -> From:
        """Returns the right side of a join, without a row time if a condition on both could drop late rows."""
        if self.changes.has_late_rows and left.rows.time and right.rows.time:
            names = [one for one in right.rows.columns if one.name != right.rows.time]
            items = ", ".join(f"{right.alias}.{one.name}" for one in names)
            return right.rows.keeping(both(f"SELECT {items} FROM {{}}", right.sql), names).named(self.d.name("x"))
        return right

    def ttl_hint(self, *aliases: str) -> str:
        """Returns what stands behind SELECT: for how long the rows of tables are kept, which is long; or nothing."""
        if not self.d.chance(5):
            return ""
        self.d.feature("STATE_TTL hint")
        chosen = self.d.some_of(aliases, 1, len(aliases))
        pairs = [f"'{alias}' = '{self.d.one_of(['9 d', '0 s'])}'" for alias in chosen]
        return f"/*+ STATE_TTL({', '.join(pairs)}) */ "

    def equalities(self, left: From, right: From, least: int, most: int) -> list[Sql]:
        sign = "IS NOT DISTINCT FROM" if self.d.chance(6) else "="
        chosen = self.d.some_of(self.equal_kinds(left, right), least, most)
        return [both(f"{{}} {sign} {{}}", left.ref(one.name), right.ref(other.name)) for one, other in chosen]

    def equal_kinds(self, left: From, right: From) -> list[tuple[Column, Column]]:
        return [(one, other) for one in left.refs() for other in right.refs(one.kind) if one.kind.is_compared]

    def orderable(self, rows: From) -> list[Column]:
        """Returns what rows may be ordered by where late rows must not be dropped by it."""
        is_judged = rows.rows.may_be_late
        return [one for one in rows.refs() if one.kind in ORDERED and not (is_judged and one.name == rows.rows.time)]

    def ordered_by(self, rows: From, partition: list[Column], order: list[Column]) -> tuple[list[Column], bool]:
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

    def sort_item(self, value: Sql) -> Sql:
        direction, nulls = self.d.one_of([("ASC", "FIRST"), ("DESC", "LAST"), ("ASC", "LAST"), ("DESC", "FIRST")])
        is_default = (direction == "ASC") == (nulls == "FIRST")
        shown = "" if is_default and self.d.chance(2) else f" NULLS {nulls}"
        return Sql(f"{value.flink} {direction}{shown}", f"{value.duckdb} {direction} NULLS {nulls}")

    def partition_by(self, rows: From, columns: Sequence[Column]) -> str:
        """Returns the text before ORDER BY."""
        return f"PARTITION BY {', '.join(f'{rows.alias}.{one.name}' for one in columns)} " if columns else ""


Production: TypeAlias = Callable[[Grammar, int], Relation]
