"""What can have no row becomes Values without rows, so that its tables are not read at all.

A filter that no row passes is empty, and so is LIMIT 0; then whatever gives rows only for rows: a projection, a window,
a grouping by keys, an inner join with one empty side. A union forgets its empty inputs. An aggregate without keys
stays: it has a row over nothing.
"""

from __future__ import annotations

from yeoul.plan.expressions import ColumnRef, Literal
from yeoul.plan.nodes import (
    Aggregate,
    AssignWatermark,
    Filter,
    Join,
    JoinKind,
    Limit,
    Node,
    Project,
    Scan,
    SetKind,
    SetOperation,
    Union,
    Values,
    WindowAggregate,
    Write,
    inputs_of,
)
from yeoul.planner.rewriting import conjuncts, project, with_inputs

__all__ = ["propagate_empty"]


def propagate_empty(node: Node) -> Node:
    """Replaces the parts of a plan that can have no row."""
    node = with_inputs(node, propagate_empty)
    if isinstance(node, Union):
        return _without_empty_inputs(node)
    return Values((), node.schema) if _gives_nothing(node) else node


def _gives_nothing(node: Node) -> bool:
    match node:
        case Scan() | Values() | Write():
            return False
        case Filter():
            asked = conjuncts(node.predicate)
            return any(isinstance(one, Literal) and one.value is not True for one in asked) or _is_empty(node.input)
        case Limit(count=0):
            return True
        case Aggregate() | WindowAggregate():
            return bool(node.keys) and _is_empty(node.input)
        case Join():
            return _joins_nothing(node)
        case SetOperation():
            either = node.kind is SetKind.INTERSECT and _is_empty(node.right)
            return _is_empty(node.left) or either
        case _:
            (below,) = inputs_of(node)
            return _is_empty(below)


def _is_empty(node: Node) -> bool:
    """Whether a plan has no row, its tables left unread; a watermark over nothing is nothing, too."""
    below = node.input if isinstance(node, AssignWatermark | Project) else node
    return isinstance(below, Values) and not below.rows


def _joins_nothing(join: Join) -> bool:
    left, right = _is_empty(join.left), _is_empty(join.right)
    match join.kind:
        case JoinKind.INNER | JoinKind.SEMI:
            return left or right
        case JoinKind.LEFT | JoinKind.ANTI:
            return left
        case JoinKind.RIGHT:
            return right
        case JoinKind.FULL:
            return left and right


def _without_empty_inputs(union: Union) -> Node:
    """An input that is left alone takes the union's names."""
    kept = [one for one in union.inputs if not _is_empty(one)]
    if len(kept) == len(union.inputs):
        return union
    if not kept:
        return Values((), union.schema)
    if len(kept) > 1 and kept[0] is union.inputs[0]:
        return Union(tuple(kept), union.schema)
    pairs = zip(union.schema.fields, kept[0].schema.fields, strict=True)
    first = project(kept[0], [(out.name, ColumnRef(own.name, own.type)) for out, own in pairs])
    return first if len(kept) == 1 else Union((first, *kept[1:]), union.schema)
