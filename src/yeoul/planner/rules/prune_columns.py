"""Columns that nobody reads are not computed, carried or, above all, decoded: Scan's schema shrinks to what is used.

Each node is asked for the columns that are needed above it and answers with a node that has at least these, in the
order it had them. A scan of no column keeps its narrowest: rows have to be counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import replace

from yeoul.plan.expressions import AggregateCall, ColumnRef, Expression, columns_of
from yeoul.plan.nodes import (
    Aggregate,
    Aggregation,
    AssignWatermark,
    ChangelogNormalize,
    Deduplicate,
    DropUnchanged,
    Field,
    Filter,
    Join,
    Limit,
    LookupJoin,
    Node,
    Over,
    Project,
    Projection,
    Scan,
    Schema,
    SetOperation,
    Settle,
    SinkMaterialize,
    Sort,
    TopN,
    Union,
    Unnest,
    Values,
    WindowAggregate,
    WindowAssign,
    WindowTopN,
    Write,
)
from yeoul.plan.types import Kind
from yeoul.planner.rewriting import project

__all__ = ["prune_columns"]

_WIDTHS = {Kind.BOOLEAN: 1, Kind.TINYINT: 1, Kind.SMALLINT: 2, Kind.INT: 4, Kind.DATE: 4, Kind.FLOAT: 4, Kind.BIGINT: 8}
_WIDE = 9


def prune_columns(node: Node) -> Node:
    """Drops every column of a plan that neither its output nor a node in it uses."""
    return _pruned(node, frozenset(node.schema.names))


def _pruned(node: Node, needed: Set[str]) -> Node:
    match node:
        case Scan():
            return replace(node, schema=_kept(node.schema, needed))
        case Values():
            return _values(node, needed)
        case AssignWatermark():
            wanted = (needed - {node.told}) | {node.column, *columns_of(node.expression)}
            below = _pruned(node.input, wanted)
            told = node.told if node.told in needed else None
            names = below.schema.names if told is None else (*below.schema.names, told)
            return replace(node, input=below, schema=_of_names(node.schema, names), told=told)
        case Project():
            return _project(node, needed)
        case Filter():
            return replace(node, input=_pruned(node.input, needed | set(columns_of(node.predicate))))
        case Aggregate():
            return _aggregate(node, needed)
        case WindowAggregate():
            return _window_aggregate(node, needed)
        case WindowAssign():
            own = node.schema.names[len(node.input.schema.names) :]
            below = _pruned(node.input, (needed - set(own)) | {node.window.time_column, *node.window.partition})
            return replace(node, input=below, schema=_of_names(node.schema, (*below.schema.names, *own)))
        case Union():
            return _union(node, needed)
        case LookupJoin():
            return _lookup_join(node, needed)
        case Unnest():
            own = node.schema.names[len(node.input.schema.names) :]
            below = _pruned(node.input, (needed - set(own)) | set(columns_of(node.collection)))
            return replace(node, input=below, schema=_of_names(node.schema, (*below.schema.names, *own)))
        case Join():
            return _join(node, needed)
        case SetOperation():
            left, right = (_exactly(one, list(node.schema.fields)) for one in (node.left, node.right))
            return replace(node, left=left, right=right)
        case Over():
            return _over(node, needed)
        case TopN() | WindowTopN():
            return _top_n(node, needed)
        case Deduplicate():
            return replace(node, input=_pruned(node.input, {*needed, *node.keys, node.column}))
        case Sort():
            return replace(node, input=_pruned(node.input, {*needed, *(key.column for key in node.order)}))
        case Limit():
            return replace(node, input=_pruned(node.input, needed))
        case Settle() | SinkMaterialize() | DropUnchanged():
            return replace(node, input=_pruned(node.input, frozenset(node.schema.names)))
        case ChangelogNormalize():
            return replace(node, input=_pruned(node.input, {*needed, *node.key}))
        case Write():
            return replace(node, input=_pruned(node.input, frozenset(node.input.schema.names)))


def _join(node: Join, needed: Set[str]) -> Join:
    """Both sides are cut to what is used, for all of it is remembered; what only the join uses ends with it."""
    schema = _kept(node.schema, needed)
    used = {*schema.names, *(() if node.condition is None else columns_of(node.condition))}
    bounds = (frozenset[str](),) * 2 if node.bound is None else (node.bound.left_columns, node.bound.right_columns)
    sides = []
    for side, below in enumerate((node.left, node.right)):
        wanted = {*used.intersection(below.schema.names), *_used(key.sides[side] for key in node.keys), *bounds[side]}
        sides.append(_exactly(below, [one for one in below.schema.fields if one.name in wanted]))
    left, right = sides
    return replace(node, left=left, right=right, schema=schema)


def _over(node: Over, needed: Set[str]) -> Over:
    """At least one call stays: it may set rows aside as late."""
    calls = tuple(one for one in node.calls if one.name in needed) or node.calls[:1]
    used = {*node.partition, *(key.column for key in node.order), *_read((), calls)}
    below = _pruned(node.input, (needed & set(node.input.schema.names)) | used)
    names = [*below.schema.names, *(one.name for one in calls)]
    return replace(node, input=below, calls=calls, schema=_of_names(node.schema, names))


def _top_n(node: TopN | WindowTopN, needed: Set[str]) -> TopN | WindowTopN:
    rank = node.rank if node.rank in needed else None
    used = {*node.partition, *(key.column for key in node.order)}
    below = _pruned(node.input, (needed & set(node.input.schema.names)) | used)
    names = [*below.schema.names, *([rank] if rank is not None else [])]
    return replace(node, input=below, rank=rank, schema=_of_names(node.schema, names))


def _lookup_join(node: LookupJoin, needed: Set[str]) -> LookupJoin:
    """The table is asked for what is used alone."""
    used = set(needed) | (set() if node.condition is None else set(columns_of(node.condition)))
    values = tuple(one for one in node.values if one.name in used)
    wanted = used | _used(value for value, _ in node.keys)
    below = _pruned(node.input, wanted.intersection(node.input.schema.names))
    asked = {column for _, column in node.keys} | _used(one.expression for one in values)
    given = {*below.schema.names, *(one.name for one in values if one.name in needed)}
    schema = _of_names(node.schema, (name for name in node.schema.names if name in given))
    table = replace(node.table, schema=_kept(node.table.schema, asked))
    return replace(node, input=below, table=table, values=values, schema=schema)


def _kept(schema: Schema, needed: Set[str]) -> Schema:
    """Returns the needed columns of a schema, or the narrowest if there are none."""
    fields = tuple(one for one in schema.fields if one.name in needed)
    return Schema(fields or (min(schema.fields, key=_width),))


def _width(field: Field) -> int:
    return _WIDTHS.get(field.type.kind, _WIDE)


def _of_names(schema: Schema, names: Iterable[str]) -> Schema:
    return Schema(tuple(schema[name] for name in names))


def _values(node: Values, needed: Set[str]) -> Values:
    schema = _kept(node.schema, needed)
    if schema == node.schema:
        return node
    places = [node.schema.names.index(name) for name in schema.names]
    return Values(tuple(tuple(row[place] for place in places) for row in node.rows), schema)


def _project(node: Project, needed: Set[str]) -> Node:
    schema = _kept(node.schema, needed)
    projections = tuple(one for one in node.projections if one.name in schema)
    below = _pruned(node.input, _used(one.expression for one in projections))
    return Project(below, projections, schema)


def _used(expressions: Iterable[Expression]) -> frozenset[str]:
    return frozenset(name for expression in expressions for name in columns_of(expression))


def _aggregate(node: Aggregate, needed: Set[str]) -> Aggregate:
    aggregates = tuple(one for one in node.aggregates if one.name in needed)
    if not (node.keys or aggregates):
        aggregates = node.aggregates[:1]
    names = [*(one.name for one in node.keys), *(one.name for one in aggregates)]
    below = _pruned(node.input, _read(node.keys, aggregates))
    return replace(node, input=below, aggregates=aggregates, schema=_of_names(node.schema, names))


def _window_aggregate(node: WindowAggregate, needed: Set[str]) -> WindowAggregate:
    aggregates = tuple(one for one in node.aggregates if one.name in needed)
    properties = tuple(one for one in node.properties if one[0] in needed)
    if not (node.keys or aggregates or properties):
        aggregates, properties = node.aggregates, node.properties
    names = [*(one.name for one in node.keys), *(one.name for one in aggregates), *(name for name, _ in properties)]
    return replace(
        node,
        input=_pruned(node.input, _read(node.keys, aggregates) | {node.window.time_column}),
        aggregates=aggregates,
        properties=properties,
        schema=_of_names(node.schema, names),
    )


def _read(keys: Iterable[Projection], aggregates: Iterable[Aggregation]) -> frozenset[str]:
    """Returns the columns that an aggregate's keys and calls use."""
    used = [_columns_of_call(one.call) for one in aggregates]
    return _used(one.expression for one in keys).union(*used)


def _columns_of_call(call: AggregateCall) -> frozenset[str]:
    return _used((*call.args, *([call.filter] if call.filter is not None else [])))


def _union(node: Union, needed: Set[str]) -> Union:
    """Every input must keep the same places, so each is cut to just these."""
    schema = _kept(node.schema, needed)
    places = [node.schema.names.index(name) for name in schema.names]
    inputs = tuple(_exactly(one, [one.schema.fields[place] for place in places]) for one in node.inputs)
    return Union(inputs, schema)


def _exactly(node: Node, fields: list[Field]) -> Node:
    below = _pruned(node, frozenset(field.name for field in fields))
    if not fields:
        return below
    if below.schema.names == tuple(field.name for field in fields):
        return below
    return project(below, [(field.name, ColumnRef(field.name, field.type)) for field in fields])
