"""Rows of a query that is being put together: its text, its columns, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.random_queries.dialects import Column, Kind, Sql, both, local, same
from tests.random_queries.drawing import Drawing
from tests.random_queries.expressions import Expressions, Term
from tests.random_queries.tables import PASSED

__all__ = ["From", "Relation", "Window"]


@dataclass(frozen=True, slots=True)
class Window:
    """Columns that hold a window's bounds, and which windows they are."""

    start: str
    end: str
    spec: str


@dataclass(frozen=True, slots=True)
class Relation:
    """Rows.

    Attributes:
        sql: A query, or a table's name.
        columns: Its columns.
        keys: Sets of columns of which each tells every row from every other.
        time: The row time, if one is left.
        window: The window's bounds, if each row has some.
        is_table: Whether `sql` is a name.
        arrives: Whether its rows come in the order in which the tables' did, so that first and last mean something:
            then they have DuckDB's columns of `tables` besides.
        may_be_late: Whether operators that judge lateness have to leave some of its rows out.
        late: DuckDB's query of what is set aside, if that is known: the row's number, the bounds of the window that it
            missed, and the watermark before it came.
    """

    sql: Sql
    columns: tuple[Column, ...]
    keys: frozenset[frozenset[str]] = frozenset()
    time: str | None = None
    window: Window | None = None
    is_table: bool = False
    arrives: bool = False
    may_be_late: bool = False
    late: str | None = None

    @property
    def plain(self) -> list[Column]:
        """The columns that may be computed with and compared."""
        return [one for one in self.whole if not one.kind.is_nested]

    @property
    def whole(self) -> list[Column]:
        """The columns that rows may be grouped by, in parts or whole."""
        return [one for one in self.columns if not one.is_opaque]

    def named(self, alias: str) -> From:
        """Returns the rows as an item of FROM."""
        return From(both(f"{{}} AS {alias}" if self.is_table else f"({{}}) AS {alias}", self.sql), alias, self)

    def keeping(self, sql: Sql, columns: Sequence[Column]) -> Relation:
        """Returns rows of another text with these columns, and what is still known of them."""
        names = {one.name for one in columns}
        keys = frozenset(key for key in self.keys if key <= names)
        time = self.time if self.time in names else None
        window = self.window if self.window and {self.window.start, self.window.end} <= names else None
        return Relation(sql, tuple(columns), keys, time, window)

    def without_time(self) -> Relation:
        return replace(self, time=None, may_be_late=False)

    @property
    def duckdb_source(self) -> str:
        """What FROM takes in DuckDB."""
        return self.sql.duckdb if self.is_table else f"({self.sql.duckdb})"

    @property
    def time_column(self) -> Column:
        """The row time; there is one."""
        return next(one for one in self.columns if one.name == self.time)

    def in_time(self) -> Relation:
        """Returns the rows without those that the watermark had passed before they came."""
        if not self.may_be_late:
            return self
        duckdb = f"SELECT * FROM {self.duckdb_source} WHERE {PASSED} IS NULL OR epoch_ms({self.time}) > {PASSED}"
        flink = self.sql.flink if not self.is_table else f"SELECT * FROM {self.sql.flink}"
        return replace(self, sql=Sql(flink, duckdb), is_table=False)

    @property
    def reading(self) -> str:
        """DuckDB's text of what a clock on the wall reads at a row's time."""
        return local(str(self.time)) if self.time_column.kind is Kind.LTZ else str(self.time)


@dataclass(frozen=True, slots=True)
class From:
    """An item of FROM.

    Attributes:
        sql: Its text, with the alias.
        alias: Its name.
        rows: What it is.
    """

    sql: Sql
    alias: str
    rows: Relation

    def ref(self, name: str) -> Sql:
        return same(f"{self.alias}.{name}")

    def refs(self, kind: Kind | None = None) -> list[Column]:
        """Returns the columns that may be computed with."""
        return [one for one in self.rows.columns if not one.is_opaque and (kind is None or one.kind is kind)]

    @property
    def plain(self) -> list[Column]:
        """The columns that may be computed with and compared."""
        return self.rows.plain

    @property
    def terms(self) -> list[Term]:
        """The columns, and the parts of those that are nested."""
        return [term for one in self.refs() for term in (Term(self.ref(one.name), one.kind), *self._parts(one))]

    def _parts(self, column: Column) -> list[Term]:
        name = f"{self.alias}.{column.name}"
        match column.kind:
            case Kind.ROW:
                return [Term(same(f"{name}.f"), Kind.INT), Term(same(f"{name}.g"), Kind.STRING)]
            case Kind.ROWS:
                length = Term(Sql(f"CARDINALITY({name})", f"CAST(len({name}) AS INTEGER)"), Kind.INT)
                return [length, Term(same(f"{name}[1].f"), Kind.INT), Term(same(f"{name}[2].g"), Kind.STRING)]
            case Kind.MAP:
                length = Term(Sql(f"CARDINALITY({name})", f"CAST(cardinality({name}) AS INTEGER)"), Kind.INT)
                return [length, Term(same(f"{name}['a']"), Kind.INT), Term(same(f"{name}['zz']"), Kind.INT)]
            case Kind.DEEP:
                parts = [("d", Kind.DECIMAL), ("n.t", Kind.TIMESTAMP), ("n.x[1]", Kind.BIGINT)]
                return [Term(same(f"{name}.{part}"), kind) for part, kind in parts]
            case Kind.ARRAY:
                length = Term(Sql(f"CARDINALITY({name})", f"CAST(len({name}) AS INTEGER)"), Kind.INT)
                return [length, Term(same(f"{name}[1]"), Kind.INT), Term(same(f"{name}[3]"), Kind.INT)]
            case _:
                return []

    def expressions(self, d: Drawing, *more: From) -> Expressions:
        return Expressions(d, [*self.terms, *(term for one in more for term in one.terms)])
