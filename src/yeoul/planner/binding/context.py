"""What binding a statement leans on: the catalog, the settings, and where things stand in the text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sqlglot import exp

from yeoul.errors import Span, UserError, did_you_mean
from yeoul.plan.functions.python import FunctionDefinition
from yeoul.plan.nodes import Node, Schema
from yeoul.plan.tables import CATALOG, DATABASE, TableDefinition, ViewDefinition, full_name
from yeoul.planner.positions import Positions

__all__ = ["OUTER", "BindContext", "Relation", "Scope", "Tables", "unique_name"]


OUTER = "\1"
"""Marks, in front of its name, a column of the query around a subquery, until a join is made of it."""


class Tables(Protocol):
    """What the catalog offers the planner."""

    def find(self, name: str) -> TableDefinition | ViewDefinition | None:
        """Returns the table or view of that full name (case-sensitive), `<table>$late` and `<table>$dead` included."""

    def names(self) -> Iterable[str]:
        """Returns all names, for hints."""

    def databases(self) -> Iterable[str]:
        """Returns the names of the databases; asked for only where another than the default one is named."""


@dataclass(frozen=True, slots=True)
class BindContext:
    """What a statement is bound with.

    Attributes:
        tables: The catalog.
        settings: What SET has set.
        positions: Of the text that is being bound.
        views: The views that are being unfolded, outermost first.
        common_tables: What WITH has named.
        functions: The user's functions, by their names in upper case.
        state_ttls: For how many ms the state of tables in FROM is kept, where a hint says so; 0: for ever.
        database: The one in which names without a database are looked up.
        outer: What the query around a subquery has in FROM; its columns may stand in the subquery's WHERE.
    """

    tables: Tables
    settings: Mapping[str, str]
    positions: Positions
    views: tuple[str, ...] = ()
    common_tables: Mapping[str, Node] = field(default_factory=dict)
    outer: Relation | None = None
    functions: Mapping[str, FunctionDefinition] = field(default_factory=dict)
    state_ttls: Mapping[str, int] = field(default_factory=dict)
    database: str = DATABASE

    def database_of(self, node: exp.Expr) -> str:
        """Returns the database that a table's name as written lies in.

        Raises:
            UserError: It names a catalog or a database that there is not.
        """
        place = str(node.args.get("db") or "")
        return self.known_database(place, node) if place else self.database

    def known_database(self, place: str, node: exp.Expr) -> str:
        """Returns the database of `database`, or of `catalog.database`.

        Raises:
            UserError: There is no such catalog or database.
        """
        catalog, dot, name = place.rpartition(".")
        if dot and catalog != CATALOG:
            raise self.error(f"Unknown catalog {catalog!r}", node, f"There is one catalog, {CATALOG}")
        if name != DATABASE and name not in self.tables.databases():
            raise self.error(f"Unknown database {name!r}", node, did_you_mean(name, self.tables.databases()))
        return name

    def name_of(self, node: exp.Expr) -> str:
        """Returns the full name of the table that is written so; errors as in `database_of`."""
        return full_name(self.database_of(node), node.name)

    def find(self, node: exp.Expr) -> TableDefinition | ViewDefinition | None:
        """Returns the table or view that is written so, if there is one; errors as in `database_of`."""
        return self.tables.find(self.name_of(node))

    def function(self, name: str, *kinds: str) -> FunctionDefinition | None:
        """Returns the user's function of that name, in any case, if it is of one of the kinds."""
        found = self.functions.get(name.upper())
        return found if found is not None and found.kind in kinds else None

    def error(self, message: str, node: exp.Expr | None = None, hint: str = "") -> UserError:
        """Returns an error that points at a node."""
        return UserError(message, hint=hint, span=self.span(node))

    def span(self, node: exp.Expr | None) -> Span | None:
        return self.positions.of(node)


@dataclass(frozen=True, slots=True)
class Scope:
    """One table of those joined in FROM.

    Attributes:
        alias: The qualifier its columns have; empty if none.
        columns: Name as written, and the name that the column has in the joined rows.
        hidden: Names that only count with the qualifier: those of the right side of a join by USING.
        is_outer: Whether it belongs to the query around this one: names are sought there last, no star stands for it.
    """

    alias: str
    columns: Mapping[str, str]
    hidden: frozenset[str] = frozenset()
    is_outer: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """What stands in FROM: rows of a node, under an alias, or those of several joined tables.

    Attributes:
        node: Where the rows come from.
        alias: The qualifier its columns have; empty if none.
        title: How messages call it: `table 'clicks'`.
        joined: The tables that were joined, each with its own qualifier; none: `alias` is the only one.
    """

    node: Node
    alias: str
    title: str
    joined: tuple[Scope, ...] = ()

    @property
    def schema(self) -> Schema:
        return self.node.schema

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """The tables that names may belong to."""
        return self.joined or (Scope(self.alias, {name: name for name in self.schema.names}),)

    @property
    def aliases(self) -> tuple[str, ...]:
        """The qualifiers that columns may have."""
        return tuple(scope.alias for scope in self.scopes if scope.alias)

    def find(self, name: str, qualifier: str = "") -> list[str]:
        """Returns the columns of the node that a name may mean: none if it is unknown, several if it is ambiguous."""
        if qualifier:
            having = [one for one in self.scopes if one.alias == qualifier and name in one.columns]
        else:
            having = [one for one in self.scopes if name in one.columns and name not in one.hidden]
        own = [one for one in having if not one.is_outer]
        return [one.columns[name] for one in own or having]


def unique_name(wanted: str, taken: Iterable[str]) -> str:
    """Returns the wanted name, or the first of wanted0, wanted1, ... that is free.

    Example:
        >>> unique_name("a", ["a", "a0"]), unique_name("b", ["a"])
        ('a1', 'b')
    """
    used = set(taken)
    if wanted not in used:
        return wanted
    return next(name for index in range(len(used) + 1) if (name := f"{wanted}{index}") not in used)
