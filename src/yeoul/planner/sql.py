"""The planner's door: `parse` splits a text into statements, `bind` turns one into a value with its plan.

Importing this module loads sqlglot (a third of a second): callers import it when there is SQL to read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from yeoul.errors import Span, UserError
from yeoul.plan.functions.python import FunctionDefinition
from yeoul.plan.statements import Statement
from yeoul.plan.tables import DATABASE
from yeoul.plan.types import DataType
from yeoul.planner.binding.context import BindContext, Tables
from yeoul.planner.binding.statements import bind_statement
from yeoul.planner.dialects.flink.dialect import read_script, read_type_name
from yeoul.planner.positions import Positions

__all__ = ["Parsed", "Tables", "bind", "parse", "read_type"]


@dataclass(frozen=True, slots=True)
class Parsed:
    """One statement that is known to be grammatical.

    Attributes:
        text: As written, without the semicolon.
        span: Where it begins in the whole text.
    """

    text: str
    span: Span
    _tree: exp.Expr = field(repr=False, compare=False)
    _positions: Positions = field(repr=False, compare=False)


def parse(text: str) -> list[Parsed]:
    """Splits a text into statements; empty ones are left out.

    Raises:
        UserError: Some statement is not Flink SQL: where, what was expected, what was got.

    Example:
        >>> [(one.text, str(one.span)) for one in parse("SELECT 1; SHOW TABLES;")]
        [('SELECT 1', 'line 1, column 1'), ('SHOW TABLES', 'line 1, column 11')]
    """
    positions = Positions(text)
    try:
        read = list(read_script(text))
    except RecursionError:
        raise _too_deep(None) from None
    return [Parsed(text[start:end], positions.span(start), tree, positions) for tree, start, end in read]


def bind(
    parsed: Parsed,
    tables: Tables,
    settings: Mapping[str, str],
    functions: Mapping[str, FunctionDefinition] | None = None,
    database: str = DATABASE,
) -> Statement:
    """Resolves a statement against the catalog; its plan has been through the rules.

    Args:
        parsed: From `parse`.
        tables: What names refer to.
        settings: What SET has set; read are `table.exec.source.idle-timeout` and, for checks, `table.local-time-zone`.
        functions: The user's functions, by their names in upper case.
        database: The one in which names are looked up that do not say theirs.

    Raises:
        UserError: Something is unknown, does not fit, or is not supported: where, why, and what to do.
    """
    context = BindContext(tables, settings, parsed._positions, functions=functions or {}, database=database)
    try:
        return bind_statement(context, parsed._tree)
    except RecursionError:
        raise _too_deep(parsed.span) from None


def read_type(text: str) -> DataType:
    """Reads one SQL type.

    Raises:
        UserError: It is none.

    Example:
        >>> str(read_type("ROW<a INT, b ARRAY<STRING>>"))
        'ROW<a INT, b ARRAY<STRING>>'
    """
    try:
        return read_type_name(text)
    except UserError as error:
        raise UserError(f"{text!r} is no SQL type: {error.message}", hint=error.hint) from None


def _too_deep(span: Span | None) -> UserError:
    """What is left to say when the caller's own stack was deep already."""
    return UserError("The statement is nested too deep", hint="Split it over several views", span=span)
