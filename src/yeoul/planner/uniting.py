"""Two inputs that are the same but for the columns that they hand on, as one that hands on the columns of both.

Once columns that nobody reads are pruned, a table that is counted and one whose prices are added up look different,
though the same rows pass. Here they are the same again: scans of one table with the columns that either reads, filters
by one predicate, watermarks by one expression, projections with what either computes, once. Anything else has to be
equal as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from yeoul.plan.expressions import ColumnRef, Expression
from yeoul.plan.nodes import AssignWatermark, Field, Filter, Node, Project, Scan, Schema, Sieve
from yeoul.plan.types import DataType, Kind
from yeoul.planner.rewriting import project, replaced

__all__ = ["Columns", "United", "name_of", "united"]

Columns = Mapping[str, Expression]
"""What stands for columns, by their names."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class United:
    """One node in place of two.

    Attributes:
        node: Gives the rows of either, with the columns of both; the first's under their own names.
        first: Where the first's columns are in it; of a row column it may have more fields.
        second: Where the second's are.
    """

    node: Node
    first: Columns
    second: Columns


def united(one: Node, other: Node) -> United | None:
    """Returns one node that gives the columns of both; None if they differ in more than in their columns."""
    match one, other:
        case Scan(), Scan():
            return _scans(one, other)
        case Project(), Project():
            return _projects(one, other)
        case Project(), _:
            return _projects(one, _as_it_is(other))
        case _, Project():
            return _projects(_as_it_is(one), other)
        case Filter(), Filter():
            return _filters(one, other)
        case AssignWatermark(told=None), AssignWatermark(told=None):
            return _watermarks(one, other)
        case _:
            columns = _columns(one.schema)
            return United(one, columns, columns) if one == other else None


def name_of(value: _T, known: dict[str, _T], wanted: str) -> str:
    """Returns the name under which a value is known; one that is not takes the name that it wants, or the next free.

    Example:
        >>> known = {"n": "COUNT(*)"}
        >>> name_of("COUNT(*)", known, "m"), name_of("SUM(v)", known, "n"), known
        ('n', 'n0', {'n': 'COUNT(*)', 'n0': 'SUM(v)'})
    """
    for name, each in known.items():
        if each == value:
            return name
    name, number = wanted, 0
    while name in known:
        name, number = f"{wanted}{number}", number + 1
    known[name] = value
    return name


def _scans(one: Scan, other: Scan) -> United | None:
    if one.table != other.table:
        return None
    fields: dict[str, Field] = {}
    for column in one.table.columns:
        read = [scan.schema[column.name] for scan in (one, other) if column.name in scan.schema]
        if read:
            fields[column.name] = _with_all_fields(read, column.type)
    schema = Schema(tuple(fields.values()))
    columns = _columns(schema)
    both, same = (replace(scan, schema=schema, sieve=_sieve(scan.sieve, columns)) for scan in (one, other))
    return United(both, columns, columns) if both == same else None


def _with_all_fields(read: list[Field], declared: DataType) -> Field:
    """Returns a column that two scans read, perhaps different fields of its rows."""
    first = read[0]
    if first.type.kind is not Kind.ROW:
        return first
    names = {field.name for one in read for field in one.type.fields}
    fields = tuple(field for field in declared.fields if field.name in names)
    return replace(first, type=replace(first.type, fields=fields))


def _sieve(sieve: Sieve | None, columns: Columns) -> Sieve | None:
    return None if sieve is None else replace(sieve, predicate=replaced(sieve.predicate, columns))


def _projects(one: Project, other: Project) -> United | None:
    below = united(one.input, other.input)
    if below is None:
        return None
    outputs = {each.name: replaced(each.expression, below.first) for each in one.projections}
    first = list(outputs)
    second = {
        each.name: name_of(replaced(each.expression, below.second), outputs, each.name) for each in other.projections
    }
    node = project(below.node, list(outputs.items()))
    columns = _columns(node.schema)
    return United(node, {name: columns[name] for name in first}, {own: columns[name] for own, name in second.items()})


def _as_it_is(node: Node) -> Project:
    """Returns a projection of all columns of a node."""
    return project(node, [(one.name, ColumnRef(one.name, one.type)) for one in node.schema.fields])


def _filters(one: Filter, other: Filter) -> United | None:
    below = united(one.input, other.input)
    if below is None:
        return None
    predicate = replaced(one.predicate, below.first)
    if predicate != replaced(other.predicate, below.second):
        return None
    return replace(below, node=Filter(below.node, predicate))


def _watermarks(one: AssignWatermark, other: AssignWatermark) -> United | None:
    below = united(one.input, other.input)
    if below is None:
        return None
    both, same = (
        _watermark(node, below.node, columns) for node, columns in ((one, below.first), (other, below.second))
    )
    return replace(below, node=both) if both == same else None


def _watermark(node: AssignWatermark, source: Node, columns: Columns) -> AssignWatermark:
    """Returns a watermark over the columns of both, in place of one over its own."""
    time = columns[node.column]
    assert isinstance(time, ColumnRef)
    fields = (replace(one, is_rowtime=one.name == time.name) for one in source.schema.fields)
    return replace(
        node,
        input=source,
        column=time.name,
        expression=replaced(node.expression, columns),
        schema=Schema(tuple(fields)),
    )


def _columns(schema: Schema) -> Columns:
    return {one.name: ColumnRef(one.name, one.type) for one in schema.fields}
