"""Bound statements: what a line of SQL asks for, ready to be carried out by a session."""

from __future__ import annotations

from dataclasses import dataclass

from yeoul.plan.explain_details import ExplainDetail
from yeoul.plan.nodes import Node, Write
from yeoul.plan.tables import TableDefinition, ViewDefinition

__all__ = [
    "CreateFunction",
    "CreateTable",
    "CreateView",
    "DescribeTable",
    "Drop",
    "Explain",
    "Insert",
    "ResetOption",
    "Select",
    "SetOption",
    "ShowTables",
    "Statement",
    "StatementSet",
]


@dataclass(frozen=True, slots=True)
class CreateTable:
    """CREATE [TEMPORARY] TABLE [IF NOT EXISTS]."""

    definition: TableDefinition
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class CreateFunction:
    """CREATE [TEMPORARY] FUNCTION [IF NOT EXISTS] name AS 'module.function' LANGUAGE PYTHON."""

    name: str
    path: str
    if_not_exists: bool = False
    or_replace: bool = False


@dataclass(frozen=True, slots=True)
class CreateView:
    """CREATE [TEMPORARY] VIEW [IF NOT EXISTS]; `or_replace` for CREATE OR REPLACE VIEW."""

    definition: ViewDefinition
    if_not_exists: bool = False
    or_replace: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """DROP TABLE, DROP VIEW or DROP FUNCTION; `what` is `table`, `view` or `function`."""

    what: str
    name: str
    if_exists: bool = False


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
    """SHOW TABLES, SHOW VIEWS or SHOW FUNCTIONS; `what` is `tables`, `views` or `functions`."""

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
    | Select
    | Insert
    | StatementSet
    | Explain
    | SetOption
    | ResetOption
    | ShowTables
    | DescribeTable
)
