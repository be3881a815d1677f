"""CURRENT_WATERMARK(rowtime): a column that AssignWatermark fills, carried up to where it is asked for.

What a row's watermark was is known where its table is read and nowhere else. So a bound plan is looked through for
calls, the row time of each is followed down to the AssignWatermark that it comes from, and every node between passes
the column `told` on. Whatever the query, the answer is that of the row as it came: it does not depend on which nodes
stand between, how long they hold rows, or how batches were cut. Rows that are made anew (groups, joins, unions) have no
watermark of their own there; they are refused, with the way round: to name it where the table is read.

A node keeps its schema, so that nothing around it changes. To be called once, before the rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from yeoul.errors import Span, UserError
from yeoul.plan.changelog import changelog_of
from yeoul.plan.expressions import Call, ColumnRef, Expression, children_of
from yeoul.plan.functions.watermarks import CURRENT_WATERMARK
from yeoul.plan.nodes import (
    AssignWatermark,
    ChangelogNormalize,
    Field,
    Filter,
    LookupJoin,
    Node,
    Over,
    Project,
    Projection,
    Schema,
    Unnest,
    WindowAssign,
    WindowKind,
    inputs_of,
)
from yeoul.plan.rendering import render
from yeoul.planner.binding.context import unique_name
from yeoul.planner.rewriting import map_children, map_expressions, project, with_inputs

__all__ = ["tell_watermarks"]

_HINT = "Name it where the table is read, and use the name: FROM (SELECT *, CURRENT_WATERMARK(ts) AS w FROM t)"
_APPEND_ONLY = "A row that goes would have another watermark than when it came; ask it of a table that only appends"


@dataclass(frozen=True, slots=True)
class _Told:
    """A node that tells the watermark before each row, and by which column."""

    node: Node
    column: str


def tell_watermarks(plan: Node) -> Node:
    """Returns a bound plan whose watermarks tell what its calls of CURRENT_WATERMARK ask for.

    Raises:
        UserError: A call asks for no row time, or for one behind nodes that make rows anew.
    """
    plan = with_inputs(plan, tell_watermarks)
    calls = list(_calls(plan))
    if not calls:
        return plan
    below = inputs_of(plan)
    if len(below) != 1:
        raise UserError("CURRENT_WATERMARK cannot stand in a join's condition", hint=_HINT, span=calls[0].span)
    source, names = below[0], dict[str, str]()
    for call in calls:
        told = _told(source, _row_time(source, call), call.span)
        source, names[_row_time(source, call)] = told.node, told.column
    return _kept(plan, map_expressions(_over(plan, source), lambda one: _with_columns(one, names)))


def _calls(node: Node) -> Iterator[Call]:
    """Yields the calls in a node's own expressions."""
    found: list[Call] = []

    def note(expression: Expression) -> Expression:
        if isinstance(expression, Call) and expression.function == CURRENT_WATERMARK:
            found.append(expression)
        for part in children_of(expression):
            note(part)
        return expression

    map_expressions(node, note)
    yield from found


def _row_time(node: Node, call: Call) -> str:
    """Returns the row time that a call asks about."""
    (time,) = call.args
    if not isinstance(time, ColumnRef) or time.name not in node.schema or not node.schema[time.name].is_rowtime:
        hint = "A row time is the column that its table's WATERMARK FOR ... names, as it is"
        raise UserError(f"CURRENT_WATERMARK expects a row time, got {render(time)}", hint=hint, span=call.span)
    return time.name


def _told(node: Node, time: str, span: Span | None) -> _Told:
    """Returns a node that also tells the watermark of a row time of its."""
    match node:
        case AssignWatermark() if changelog_of(node).is_append_only:
            return _assigned(node)
        case Project():
            return _projected(node, time, span)
        case WindowAssign() if time not in node.input.schema and node.window.kind is not WindowKind.SESSION:
            return _passed_on(node, node.window.time_column, span)
        case Filter() | WindowAssign() | Unnest() | LookupJoin() | Over() if time in node.input.schema:
            return _passed_on(node, time, span)
        case AssignWatermark() | ChangelogNormalize():
            raise UserError("CURRENT_WATERMARK cannot be asked of rows that change", hint=_APPEND_ONLY, span=span)
        case _:
            raise UserError("CURRENT_WATERMARK cannot be asked of rows that are made of others", hint=_HINT, span=span)


def _assigned(node: AssignWatermark) -> _Told:
    if node.told is not None:
        return _Told(node, node.told)
    told = unique_name(f"${CURRENT_WATERMARK}", node.schema.names)
    from_ms = replace(node.schema[node.column].type, precision=3).or_null()
    schema = Schema((*node.schema.fields, Field(told, from_ms)))
    return _Told(replace(node, told=told, schema=schema), told)


def _projected(node: Project, time: str, span: Span | None) -> _Told:
    value = next(one.expression for one in node.projections if one.name == time)
    assert isinstance(value, ColumnRef)  # what makes a projection a row time
    below = _told(node.input, value.name, span)
    told = next((one.name for one in node.projections if _is_column(one.expression, below.column)), None)
    if told is not None:
        return _Told(replace(node, input=below.node), told)
    told, field = unique_name(below.column, node.schema.names), below.node.schema[below.column]
    projections = (*node.projections, Projection(told, ColumnRef(field.name, field.type)))
    schema = Schema((*node.schema.fields, replace(field, name=told)))
    return _Told(replace(node, input=below.node, projections=projections, schema=schema), told)


def _is_column(expression: Expression, name: str) -> bool:
    return isinstance(expression, ColumnRef) and expression.name == name


def _passed_on(node: Filter | WindowAssign | Unnest | LookupJoin | Over, time: str, span: Span | None) -> _Told:
    below = _told(node.input, time, span)
    return _Told(_over(node, below.node), below.column)


def _over(node: Node, source: Node) -> Node:
    """Returns a node of one input over another, of more columns, which it passes on if it passes on its input's."""
    if not isinstance(node, WindowAssign | Unnest | LookupJoin | Over):
        return with_inputs(node, lambda _: source)
    own = node.schema.fields[len(node.input.schema.fields) :]
    more = [one for one in source.schema.fields if one.name not in node.input.schema]
    fields = (*node.schema.fields[: len(node.input.schema.fields)], *more, *own)
    return replace(node, input=source, schema=Schema(fields))


def _with_columns(expression: Expression, names: dict[str, str]) -> Expression:
    """Returns an expression with calls replaced by the columns that tell what they ask for."""
    if isinstance(expression, Call) and expression.function == CURRENT_WATERMARK:
        (time,) = expression.args
        assert isinstance(time, ColumnRef)
        return ColumnRef(names[time.name], expression.type, expression.span, render(expression))
    return map_children(expression, lambda part: _with_columns(part, names))


def _kept(before: Node, after: Node) -> Node:
    """Returns a node with the columns that it had."""
    if after.schema.names == before.schema.names:
        return after
    return project(after, [(one.name, ColumnRef(one.name, one.type)) for one in before.schema.fields])
