"""Rows of a query that is being put together: its text, its columns, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.random_queries.dialects import Column, Kind, Sql, both, same
from tests.random_queries.drawing import Drawing
from tests.random_queries.expressions import Expressions, Term

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
        arrives: Whether its rows come in the order in which the tables' did, so that first and last mean something.
    """

    sql: Sql
    columns: tuple[Column, ...]
    keys: frozenset[frozenset[str]] = frozenset()
    time: str | None = None
    window: Window | None = None
    is_table: bool = False
    arrives: bool = False

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
        return replace(self, time=None)


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
    def terms(self) -> list[Term]:
        return [Term(self.ref(one.name), one.kind) for one in self.refs()]

    def expressions(self, d: Drawing, *more: From) -> Expressions:
        return Expressions(d, [*self.terms, *(term for one in more for term in one.terms)])
