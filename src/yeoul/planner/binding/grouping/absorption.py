"""A grouped query over a window table function: the function's node gives way to a window of the aggregate.

`SELECT ... FROM (SELECT ... FROM TABLE(TUMBLE(...)) WHERE ...) GROUP BY window_start, window_end` reads rows that carry
their window in columns. Those columns are followed from the query down to the table function, the function is taken
out, and what lay between is rebuilt without them; conditions on the window's own columns are handed back, to be put
above the aggregate, where they mean the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from yeoul.errors import UserError
from yeoul.plan.expressions import ColumnRef, Expression, columns_of
from yeoul.plan.nodes import (
    Field,
    Filter,
    Node,
    Project,
    Projection,
    Schema,
    Window,
    WindowAssign,
    WindowProperty,
)
from yeoul.planner.binding.context import unique_name
from yeoul.planner.binding.windows import WINDOW_COLUMNS
from yeoul.planner.rewriting import conjuncts, joined, replaced

__all__ = ["Absorbed", "absorb", "is_of_sessions", "window_columns"]


@dataclass(frozen=True, slots=True)
class Absorbed:
    """What is left of a query's input once its window table function is taken out.

    Attributes:
        node: The rows, without the window's columns.
        window: The window, over a column of `node`.
        properties: Which of the former columns were the window's.
        conditions: Predicates on the window's columns alone, by their names in `WINDOW_COLUMNS`.
        time: The row-time column as the table function read it.
        filtered_by: The columns, as they are called at the top, that conditions on the way are about.
    """

    node: Node
    window: Window
    properties: Mapping[str, WindowProperty]
    conditions: tuple[Expression, ...]
    time: Field
    filtered_by: frozenset[str] = frozenset()


def is_of_sessions(absorbed: Absorbed, keys: Sequence[Expression]) -> bool:
    """Tells whether grouping by keys is the same as telling sessions apart by them.

    It is if they are what the table function was partitioned by, and if no row was filtered out after it: that row
    may have held a session together.
    """
    partition = absorbed.window.partition
    names = [key.name if isinstance(key, ColumnRef) else None for key in keys]
    return set(names) == set(partition) and absorbed.filtered_by <= set(partition)


def window_columns(node: Node) -> Mapping[str, WindowProperty]:
    """Returns which of a node's columns are those of the window table function below it; none if there is no such."""
    match node:
        case WindowAssign():
            return WINDOW_COLUMNS
        case Filter():
            return window_columns(node.input)
        case Project():
            below = window_columns(node.input)
            found = ((one.name, one.expression) for one in node.projections)
            return {
                name: below[value.name] for name, value in found if isinstance(value, ColumnRef) and value.name in below
            }
        case _:
            return {}


def absorb(node: Node) -> Absorbed | None:
    """Takes the nearest window table function out of a chain of projections and filters; None if there is none.

    Raises:
        UserError: A condition or a column between mixes the window's columns with others.
    """
    match node:
        case WindowAssign():
            time = node.input.schema[node.window.time_column]
            return Absorbed(node.input, node.window, dict(WINDOW_COLUMNS), (), time)
        case Filter():
            below = absorb(node.input)
            return None if below is None else _through_filter(node, below)
        case Project():
            below = absorb(node.input)
            return None if below is None else _through_project(node, below)
        case _:
            return None


def _through_filter(node: Filter, below: Absorbed) -> Absorbed:
    kept: list[Expression] = []
    handed: list[Expression] = []
    names = {
        column: ColumnRef(_canonical(value), node.schema[column].type) for column, value in below.properties.items()
    }
    for part in conjuncts(node.predicate):
        used = set(columns_of(part))
        if not used & below.properties.keys():
            kept.append(part)
        elif used <= below.properties.keys():
            handed.append(replaced(part, names))
        else:
            raise UserError(
                "A condition below a windowed GROUP BY mixes the window's columns with others",
                hint="Move it to HAVING, or split it by AND",
                span=part.span,
            )
    rows = Filter(below.node, joined(kept)) if kept else below.node
    filtered_by = below.filtered_by.union(*(columns_of(part) for part in kept))
    return replace(below, node=rows, conditions=(*below.conditions, *handed), filtered_by=filtered_by)


def _through_project(node: Project, below: Absorbed) -> Absorbed:
    properties: dict[str, WindowProperty] = {}
    projections: list[Projection] = []
    fields: list[Field] = []
    time_column = None
    for projection, field in zip(node.projections, node.schema.fields, strict=True):
        match projection.expression:
            case ColumnRef(name=name) if name in below.properties:
                properties[projection.name] = below.properties[name]
                continue
            case ColumnRef(name=name) if name == below.window.time_column:
                time_column = projection.name
                field = replace(field, is_rowtime=below.time.is_rowtime, is_proctime=below.time.is_proctime)
            case expression if set(columns_of(expression)) & below.properties.keys():
                raise UserError(
                    f"Column {projection.name!r} is computed from the window's columns below a windowed GROUP BY",
                    hint="Select window_start and window_end as they are, and compute above the GROUP BY",
                    span=expression.span,
                )
        projections.append(projection)
        fields.append(field)
    if time_column is None:
        time_column = unique_name(below.window.time_column, [*properties, *(one.name for one in fields)])
        projections.append(Projection(time_column, ColumnRef(below.window.time_column, below.time.type)))
        fields.append(replace(below.time, name=time_column))
    rows = Project(below.node, tuple(projections), Schema(tuple(fields)))
    renamed = {one.expression.name: one.name for one in projections if isinstance(one.expression, ColumnRef)}
    window = replace(
        below.window,
        time_column=time_column,
        partition=tuple(renamed.get(name, "") for name in below.window.partition),
    )
    filtered_by = frozenset(renamed.get(name, "") for name in below.filtered_by)
    return replace(below, node=rows, window=window, properties=properties, filtered_by=filtered_by)


def _canonical(value: WindowProperty) -> str:
    return next(name for name, one in WINDOW_COLUMNS.items() if one is value)
