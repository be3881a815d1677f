"""CREATE TABLE ... LIKE: which parts of the other table are taken over, and what of them may be declared anew.

INCLUDING takes a part over and refuses a second declaration, OVERWRITING lets it win, EXCLUDING leaves the part out.
Without a word all is INCLUDING, but for options, which are OVERWRITING. Source: Flink's page on CREATE TABLE, "LIKE".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlglot import exp

from yeoul.plan.tables import ColumnKind, TableDefinition
from yeoul.planner.binding.context import BindContext
from yeoul.planner.dialects.flink.nodes import (
    ColumnElement,
    CreateTableSyntax,
    PrimaryKeyElement,
    WatermarkElement,
)

__all__ = ["LikeRules"]

_INCLUDING, _EXCLUDING, _OVERWRITING = "INCLUDING", "EXCLUDING", "OVERWRITING"
_KINDS = {ColumnKind.COMPUTED: "GENERATED", ColumnKind.METADATA: "METADATA"}


class LikeRules:
    """The rules of one statement; of one without LIKE they change nothing.

    Args:
        context: The statement's.
        syntax: The declaration.
    """

    def __init__(self, context: BindContext, syntax: CreateTableSyntax) -> None:
        self._context, self._syntax = context, syntax
        self._rules: Mapping[str, str] = syntax.args.get("like_rules") or {}

    def of(self, part: str) -> str:
        """Returns the rule for a part."""
        default = _OVERWRITING if part == "OPTIONS" else _INCLUDING
        return self._rules.get(part, self._rules.get("ALL", default))

    def taken_over(self, table: TableDefinition, elements: Sequence[exp.Expr]) -> TableDefinition:
        """Returns what is left of the other table beside the elements that are declared.

        Raises:
            UserError: A part that is included is declared anew.
        """
        declared = {one.this.name for one in elements if isinstance(one, ColumnElement)}
        columns = []
        for column in table.columns:
            rule = self.of(_KINDS[column.kind]) if column.kind in _KINDS else _INCLUDING
            if rule == _EXCLUDING or (rule == _OVERWRITING and column.name in declared):
                continue
            columns.append(column)
        has_watermark = any(isinstance(one, WatermarkElement) for one in elements)
        has_key = any(isinstance(one, PrimaryKeyElement) or one.args.get("primary_key") for one in elements)
        watermark = self._kept("WATERMARKS", table.watermark is not None, has_watermark)
        key = self._kept("CONSTRAINTS", bool(table.primary_key), has_key)
        options = {} if self.of("OPTIONS") == _EXCLUDING else table.options
        return replace(
            table,
            columns=tuple(columns),
            watermark=table.watermark if watermark else None,
            primary_key=table.primary_key if key else (),
            options=options,
        )

    def refuse_overwritten(self, table: TableDefinition, options: Mapping[str, str]) -> None:
        """Refuses an option that both tables have, if the other's are included.

        Raises:
            UserError: There is one.
        """
        both = [key for key in options if key in table.options]
        if both and self.of("OPTIONS") == _INCLUDING:
            raise self._context.error(
                f"Option {both[0]!r} is that of the other table already",
                self._syntax.this,
                hint="LIKE other (OVERWRITING OPTIONS)",
            )

    def _kept(self, part: str, is_there: bool, is_declared: bool) -> bool:
        rule = self.of(part)
        if is_there and is_declared and rule == _INCLUDING:
            other = "EXCLUDING" if part == "CONSTRAINTS" else "OVERWRITING"
            what = "PRIMARY KEY" if part == "CONSTRAINTS" else "WATERMARK"
            raise self._context.error(
                f"The other table has a {what} already", self._syntax.this, hint=f"LIKE other ({other} {part})"
            )
        return rule != _EXCLUDING and not is_declared
