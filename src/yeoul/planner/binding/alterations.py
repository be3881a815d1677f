"""ALTER TABLE with columns, keys and watermarks: the table's own declaration, some of its elements changed, bound anew.

So whatever depends on an element that changes (a computed column, the watermark) is checked as CREATE TABLE checks it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sqlglot import exp

from yeoul.errors import UserError, did_you_mean
from yeoul.plan.declarations import declaration_of
from yeoul.plan.tables import TableDefinition
from yeoul.planner.binding.context import BindContext
from yeoul.planner.binding.tables import define_table
from yeoul.planner.dialects.flink.dialect import read_script
from yeoul.planner.dialects.flink.nodes import (
    AlterSyntax,
    ColumnElement,
    CreateTableSyntax,
    PrimaryKeyElement,
    WatermarkElement,
)

__all__ = ["altered_elements"]

_KINDS: dict[type[exp.Expr], str] = {WatermarkElement: "WATERMARK", PrimaryKeyElement: "PRIMARY KEY"}


def altered_elements(context: BindContext, table: TableDefinition, syntax: AlterSyntax) -> TableDefinition:
    """Returns a table after ADD, MODIFY, DROP or RENAME of its elements.

    Raises:
        UserError: An element is there already or is not, or what is left makes no table.
    """
    context = replace(context, database=table.database)
    created = next(iter(read_script(declaration_of(table))))[0]
    assert isinstance(created, CreateTableSyntax)
    elements: list[Any] = list(created.expressions)
    edit = next(one for key, one in _EDITS.items() if syntax.args.get(key) is not None)
    edited = edit(context, elements, syntax)
    created.set("expressions", edited)
    try:
        return replace(define_table(context, created), comment=table.comment)
    except UserError as error:  # its place is in the declaration, which nobody wrote
        message = error.message.removesuffix(f" ({error.span})")
        raise context.error(f"{table.name!r} cannot be altered so: {message}", syntax, error.hint) from None


def _name_of(element: exp.Expr) -> str:
    return _KINDS[type(element)] if type(element) in _KINDS else str(element.this.name)


def _place(context: BindContext, elements: Sequence[exp.Expr], wanted: str, node: exp.Expr) -> int:
    names = [_name_of(one) for one in elements]
    if wanted not in names:
        columns = [_name_of(one) for one in elements if isinstance(one, ColumnElement)]
        what = f"There is no {wanted}" if wanted in _KINDS.values() else f"Unknown column {wanted!r}"
        raise context.error(what, node, did_you_mean(wanted, columns) if wanted not in _KINDS.values() else "")
    return names.index(wanted)


def _added(context: BindContext, elements: list[exp.Expr], syntax: AlterSyntax) -> list[exp.Expr]:
    for element in syntax.args["add"]:
        name = _name_of(element)
        if name in (_name_of(one) for one in elements):
            there = f"{name} is there already" if type(element) in _KINDS else f"Column {name!r} is there already"
            raise context.error(there, element, "MODIFY changes it")
        elements = _inserted(context, elements, element, None)
    return elements


def _modified(context: BindContext, elements: list[exp.Expr], syntax: AlterSyntax) -> list[exp.Expr]:
    for element in syntax.args["modify"]:
        at = _place(context, elements, _name_of(element), element)
        elements = _inserted(context, [*elements[:at], *elements[at + 1 :]], element, at)
    return elements


def _inserted(context: BindContext, elements: list[exp.Expr], element: exp.Expr, place: int | None) -> list[exp.Expr]:
    """Puts an element where it says; else at a place, or behind the last of its kind."""
    position = element.args.get("position")
    if position == "FIRST":
        place = 0
    elif position is not None:
        place = _place(context, elements, position.name, position) + 1
    elif place is None:
        is_column = isinstance(element, ColumnElement)
        place = sum(isinstance(one, ColumnElement) for one in elements) if is_column else len(elements)
    return [*elements[:place], element, *elements[place:]]


def _dropped(context: BindContext, elements: list[exp.Expr], syntax: AlterSyntax) -> list[exp.Expr]:
    for dropped in syntax.args["drop"]:
        wanted = str(dropped.this) if isinstance(dropped, exp.Literal) else dropped.name
        at = _place(context, elements, wanted, dropped)
        elements = [*elements[:at], *elements[at + 1 :]]
    return elements


def _renamed(context: BindContext, elements: list[exp.Expr], syntax: AlterSyntax) -> list[exp.Expr]:
    old, new = syntax.args["rename_column"]
    renamed = elements[_place(context, elements, old.name, old)]
    for element in elements:
        uses = (
            part
            for key in ("expression", "this")
            for part in ([element.args[key]] if isinstance(element.args.get(key), exp.Expression) else [])
            for part in part.find_all(exp.Column)
        )
        if element is not renamed and any(part.this.name == old.name for part in uses):
            raise context.error(
                f"Column {old.name!r} cannot be renamed: {_name_of(element)} is computed of it",
                old,
                "MODIFY that first",
            )
        if isinstance(element, WatermarkElement) and element.this.name == old.name:
            raise context.error(f"Column {old.name!r} cannot be renamed: it has the WATERMARK", old, "DROP WATERMARK")
    assert isinstance(renamed, ColumnElement)
    if renamed.args["kind"] == "metadata" and not renamed.args.get("key"):
        renamed.set("key", old.name)
    renamed.set("this", new)
    for element in elements:
        if isinstance(element, PrimaryKeyElement):
            element.set("expressions", [new if one.name == old.name else one for one in element.expressions])
    return elements


_EDITS: dict[str, Callable[[BindContext, list[exp.Expr], AlterSyntax], list[exp.Expr]]] = {
    "add": _added,
    "modify": _modified,
    "drop": _dropped,
    "rename_column": _renamed,
}
