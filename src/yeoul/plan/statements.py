"""Bound statements: what a line of SQL asks for, ready to be carried out by a session."""

from __future__ import annotations

from dataclasses import dataclass

from yeoul.plan.explain import ExplainDetail
from yeoul.plan.nodes import Node, Write
from yeoul.plan.tables import TableDefinition, ViewDefinition

__all__ = [
    "Alter",
    "CreateFunction",
    "CreateTable",
    "CreateView",
    "DescribeTable",
    "Drop",
    "Explain",
    "ExplainSet",
    "Insert",
    "ResetOption",
    "Select",
    "SetOption",
    "ShowDeclaration",
    "ShowTables",
    "Statement",
    "StatementSet",
    "Use",
]


@dataclass(frozen=True, slots=True)
class CreateTable:
    """CREATE [TEMPORARY] TABLE [IF NOT EXISTS]; `filling` is the INSERT that AS SELECT means, as text."""

    definition: TableDefinition
    if_not_exists: bool = False
    temporary: bool = False
    filling: str = ""


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
class Use:
    """USE: there is one catalog with one database, so nothing changes."""

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


@dataclass(frozen=True, slots=True)
class DescribeTable:
    """DESCRIBE name: the columns of a table or view."""

    definition: TableDefinition | ViewDefinition
    plan: Node
    """A plan that reads all its columns; its schema is the answer."""


Statement = (
    CreateFunction
    | CreateTable
    | CreateView
    | Drop
    | Alter
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
)
