"""Fields of a row that nobody reads are not decoded: a scan's ROW column shrinks to the fields that are asked for.

Followed are the filters, projections and watermarks right above a scan. A ROW column that any of them reads as a whole,
or that leaves them, keeps all of its fields. A source may give more fields than the scan's schema has: they are read by
name alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from yeoul.plan.expressions import Call, ColumnRef, Expression, Literal, children_of
from yeoul.plan.nodes import AssignWatermark, Filter, Node, Project, Scan, Schema
from yeoul.plan.types import DataType, Kind
from yeoul.planner.rewriting import map_expressions, replaced, with_inputs

__all__ = ["narrow_rows"]

_Fields = frozenset[str] | None
"""Names of fields that are read; None: the whole row is."""
_Read = Mapping[str, _Fields]
"""By column."""


def narrow_rows(node: Node) -> Node:
    """Drops the fields of rows that no expression of a plan asks for."""
    return _narrowed(node, dict.fromkeys(node.schema.names))


def _narrowed(node: Node, read: _Read) -> Node:
    """Returns a node that has at least what is read of its columns."""
    match node:
        case Scan():
            kept = (replace(one, type=_with_fields(one.type, read.get(one.name))) for one in node.schema.fields)
            return replace(node, schema=Schema(tuple(kept)))
        case Filter():
            below = _narrowed(node.input, _merged([*read.items(), *_uses(node.predicate)]))
            return _retyped(replace(node, input=below), below)
        case AssignWatermark():
            below = _narrowed(node.input, _merged([*read.items(), *_uses(node.expression), (node.column, None)]))
            return _retyped(replace(node, input=below, schema=_as_in(node.schema, below.schema)), below)
        case Project():
            uses: list[tuple[str, _Fields]] = []
            for one in node.projections:
                passed = one.expression
                uses += [(passed.name, read.get(one.name))] if isinstance(passed, ColumnRef) else _uses(passed)
            below = _narrowed(node.input, _merged(uses))
            projected = _retyped(replace(node, input=below), below)
            assert isinstance(projected, Project)
            types = {one.name: one.expression.type for one in projected.projections if _is_row(one.expression.type)}
            fields = (replace(one, type=types.get(one.name, one.type)) for one in node.schema.fields)
            return replace(projected, schema=Schema(tuple(fields)))
        case _:
            return with_inputs(node, narrow_rows)


def _uses(expression: Expression) -> Iterator[tuple[str, _Fields]]:
    """Yields the columns that an expression reads, and what of them."""
    match expression:
        case Call(function="field", args=(ColumnRef() as row, Literal(value=str() as field))):
            yield row.name, frozenset([field])
        case ColumnRef():
            yield expression.name, None
        case _:
            for part in children_of(expression):
                yield from _uses(part)


def _merged(uses: Iterable[tuple[str, _Fields]]) -> dict[str, _Fields]:
    read: dict[str, _Fields] = {}
    for name, fields in uses:
        known = read.get(name, frozenset())
        read[name] = None if known is None or fields is None else known | fields
    return read


def _with_fields(kind: DataType, fields: _Fields) -> DataType:
    if not fields or not _is_row(kind):
        return kind
    return replace(kind, fields=tuple(one for one in kind.fields if one.name in fields))


def _is_row(kind: DataType) -> bool:
    return kind.kind is Kind.ROW


def _retyped(node: Node, below: Node) -> Node:
    """Returns a node whose expressions know the rows of what is below it."""
    rows = {one.name: one.type for one in below.schema.fields if _is_row(one.type)}
    if not rows:
        return node
    columns = {name: ColumnRef(name, kind) for name, kind in rows.items()}
    return map_expressions(node, lambda expression: replaced(expression, columns))


def _as_in(schema: Schema, below: Schema) -> Schema:
    types = {one.name: one.type for one in below.fields if _is_row(one.type)}
    return Schema(tuple(replace(one, type=types.get(one.name, one.type)) for one in schema.fields))
