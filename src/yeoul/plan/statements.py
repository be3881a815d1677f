"""Bound statements: what a line of SQL asks for, ready to be carried out by a session."""

from __future__ import annotations

import re
from dataclasses import dataclass

from yeoul.plan.explain import ExplainDetail
from yeoul.plan.nodes import Node, Write
from yeoul.plan.tables import DATABASE, TableDefinition, ViewDefinition

__all__ = [
    "Alter",
    "CreateDatabase",
    "CreateFunction",
    "CreateTable",
    "CreateView",
    "DescribeNamed",
    "DescribeTable",
    "Drop",
    "DropDatabase",
    "Explain",
    "ExplainSet",
    "Insert",
    "NamePattern",
    "ResetOption",
    "Select",
    "SetOption",
    "ShowDeclaration",
    "ShowTables",
    "Statement",
    "StatementSet",
    "StopJob",
    "Use",
]


@dataclass(frozen=True, slots=True)
class CreateTable:
    """CREATE [TEMPORARY] TABLE [IF NOT EXISTS]; `filling` is the INSERT that AS SELECT means, as text.

    `or_replace`: with a filling, the table takes the place of one of its name; without, as in Flink, it does not.
    """

    definition: TableDefinition
    if_not_exists: bool = False
    temporary: bool = False
    filling: str = ""
    or_replace: bool = False


@dataclass(frozen=True, slots=True)
class CreateFunction:
    """CREATE [TEMPORARY] FUNCTION [IF NOT EXISTS] name AS 'module.function' LANGUAGE PYTHON."""

    name: str
    path: str
    if_not_exists: bool = False
    or_replace: bool = False
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class CreateView:
    """CREATE [TEMPORARY] VIEW [IF NOT EXISTS]; `or_replace` for CREATE OR REPLACE VIEW."""

    definition: ViewDefinition
    if_not_exists: bool = False
    or_replace: bool = False
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """DROP [TEMPORARY] TABLE, VIEW or FUNCTION; `what` is `table`, `view` or `function`."""

    what: str
    name: str
    if_exists: bool = False
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class Alter:
    """ALTER TABLE or VIEW: what a name means from now on, under its new name; None: IF EXISTS, and it does not."""

    name: str
    definition: TableDefinition | ViewDefinition | None


@dataclass(frozen=True, slots=True)
class CreateDatabase:
    """CREATE DATABASE [IF NOT EXISTS] name [COMMENT '...']."""

    name: str
    if_not_exists: bool = False
    comment: str = ""


@dataclass(frozen=True, slots=True)
class DropDatabase:
    """DROP DATABASE [IF EXISTS] name [RESTRICT | CASCADE]: with CASCADE what it holds is forgotten, too."""

    name: str
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class StopJob:
    """STOP JOB 'name': the running jobs of that name are cancelled."""

    name: str


@dataclass(frozen=True, slots=True)
class Use:
    """USE: the database in which names are looked up; `what` is `database`, or `catalog`, which changes nothing."""

    what: str
    name: str


@dataclass(frozen=True, slots=True)
class ShowDeclaration:
    """SHOW CREATE: a table or view as the statement that makes it."""

    definition: TableDefinition | ViewDefinition


@dataclass(frozen=True, slots=True)
class Select:
    """A query whose rows go to whoever asked."""

    plan: Node


@dataclass(frozen=True, slots=True)
class Insert:
    """INSERT INTO: a query whose rows go to a table."""

    plan: Write


@dataclass(frozen=True, slots=True)
class StatementSet:
    """EXECUTE STATEMENT SET: several INSERTs that run as one job."""

    plans: tuple[Write, ...]


@dataclass(frozen=True, slots=True)
class Explain:
    """EXPLAIN of a query or an INSERT: the plan after the rules, as text; with a detail, that of each node instead."""

    plan: Node
    detail: ExplainDetail | None = None


@dataclass(frozen=True, slots=True)
class ExplainSet:
    """EXPLAIN of a statement set: the plan of each INSERT."""

    plans: tuple[Write, ...]
    detail: ExplainDetail | None = None


@dataclass(frozen=True, slots=True)
class SetOption:
    """SET 'key' = 'value'; with both empty, SET alone lists what is set."""

    key: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class ResetOption:
    """RESET 'key'; all options if the key is empty."""

    key: str = ""


@dataclass(frozen=True, slots=True)
class ShowTables:
    """SHOW; `what` is what stands behind it in lower case: `tables`, `user functions`, `current catalog`, ..."""

    what: str = "tables"
    pattern: NamePattern | None = None
    database: str = DATABASE


@dataclass(frozen=True, slots=True)
class NamePattern:
    """[NOT] LIKE or ILIKE of SHOW: `%` stands for any characters, `_` for one.

    Example:
        >>> [name for name in ("orders", "Offers") if NamePattern("o%").admits(name)]
        ['orders']
        >>> NamePattern("O_FERS", ignores_case=True).admits("Offers"), NamePattern("o%", negated=True).admits("Offers")
        (True, True)
    """

    text: str
    ignores_case: bool = False
    negated: bool = False

    def admits(self, name: str) -> bool:
        """Tells whether a name is listed."""
        wild = {"%": ".*", "_": "."}
        pattern = "".join(wild.get(one, re.escape(one)) for one in self.text)
        found = re.fullmatch(pattern, name, re.IGNORECASE | re.DOTALL if self.ignores_case else re.DOTALL)
        return (found is not None) != self.negated


@dataclass(frozen=True, slots=True)
class DescribeTable:
    """DESCRIBE name: the columns of a table or view; those whose names the pattern of SHOW COLUMNS admits."""

    definition: TableDefinition | ViewDefinition
    plan: Node
    """A plan that reads all its columns; its schema is the answer."""
    pattern: NamePattern | None = None


@dataclass(frozen=True, slots=True)
class DescribeNamed:
    """DESCRIBE FUNCTION, CATALOG or DATABASE; `kind` says which, in lower case."""

    kind: str
    name: str
    extended: bool = False


Statement = (
    CreateFunction
    | CreateTable
    | CreateView
    | Drop
    | Alter
    | CreateDatabase
    | DropDatabase
    | StopJob
    | Use
    | ShowDeclaration
    | Select
    | Insert
    | StatementSet
    | Explain
    | ExplainSet
    | SetOption
    | ResetOption
    | ShowTables
    | DescribeTable
    | DescribeNamed
)
