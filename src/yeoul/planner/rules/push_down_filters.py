"""Filters move towards the sources, so that less is computed and kept.

A filter passes below a projection, a union, both sides of INTERSECT and EXCEPT, a window table function, a sort and, by
its keys or partitions, an aggregate, OVER, a Top-N, a deduplication or upserts. It never passes below AssignWatermark:
the watermark follows all rows, kept or not. Nor below Limit, which counts the rows it gets. And a condition that can
fail (a division, a cast) never overtakes another: that one may be there to protect it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from yeoul.plan.expressions import ColumnRef, Expression, Literal, columns_of
from yeoul.plan.join_bounds import AsOf
from yeoul.plan.nodes import (
    Aggregate,
    ChangelogNormalize,
    Deduplicate,
    Filter,
    Join,
    JoinKey,
    JoinKind,
    LookupJoin,
    Node,
    Over,
    Project,
    SetOperation,
    Sort,
    TopN,
    Union,
    Unnest,
    WindowAggregate,
    WindowAssign,
    WindowKind,
    WindowTopN,
)
from yeoul.planner.rewriting import cannot_fail, conjuncts, is_repeatable, join_key, joined, replaced, with_inputs

__all__ = ["push_down_filters"]


def push_down_filters(node: Node) -> Node:
    """Moves every part of every filter of a plan as far down as it may go."""
    if isinstance(node, Filter):
        return _pushed(push_down_filters(node.input), list(conjuncts(node.predicate)))
    return with_inputs(node, push_down_filters)


def _pushed(node: Node, parts: Sequence[Expression]) -> Node:
    """Returns the rows of a node for which all parts hold."""
    movable: list[Expression] = []
    staying: list[Expression] = []
    for part in parts:
        overtakes = bool(staying) and not cannot_fail(part)
        (movable if _passes(node, part) and not overtakes else staying).append(part)
    if movable:
        node = _below(node, movable)
    if not staying:
        return node
    if isinstance(node, Filter):
        return Filter(node.input, joined([*conjuncts(node.predicate), *staying]))
    return Filter(node, joined(staying))


def _passes(node: Node, part: Expression) -> bool:
    if not is_repeatable(part):
        return False
    used = set(columns_of(part))
    match node:
        case Filter():
            return cannot_fail(part) and _passes(node.input, part)
        case Project():
            by_name = {one.name: one.expression for one in node.projections}
            return all(isinstance(by_name[name], ColumnRef | Literal) for name in used)
        case Union() | SetOperation():
            return True
        case WindowAssign() if node.window.kind is WindowKind.SESSION:
            # Any other row may join two sessions.
            return bool(used) and used <= set(node.window.partition)
        case WindowAssign() | Unnest() | LookupJoin():
            return used <= set(node.input.schema.names)
        case Join():
            return _side(node, part) is not None or _is_key(node, part)
        case Aggregate() | WindowAggregate():
            repeatable = {key.name for key in node.keys if is_repeatable(key.expression)}
            return bool(used) and used <= repeatable
        case Over() | TopN() | WindowTopN():
            return bool(used) and used <= set(node.partition)
        case Deduplicate():
            return bool(used) and used <= set(node.keys)
        case ChangelogNormalize():
            return bool(used) and used <= set(node.key)
        case Sort():
            return node.count is None and not node.offset
        case _:
            return False


def _below(node: Node, parts: Sequence[Expression]) -> Node:
    match node:
        case Filter():
            return Filter(_pushed(node.input, parts), node.predicate)
        case Project():
            by_name = {one.name: one.expression for one in node.projections}
            return replace(node, input=_pushed(node.input, [replaced(part, by_name) for part in parts]))
        case Union():
            return replace(node, inputs=tuple(_pushed(one, _renamed(node, one, parts)) for one in node.inputs))
        case SetOperation():
            return replace(node, left=_pushed(node.left, parts), right=_pushed(node.right, parts))
        case WindowAssign() | Unnest() | LookupJoin() | Over() | TopN() | WindowTopN() | Deduplicate() | Sort():
            return replace(node, input=_pushed(node.input, parts))
        case ChangelogNormalize():
            return replace(node, input=_pushed(node.input, parts))
        case Join():
            return _into_join(node, parts)
        case Aggregate() | WindowAggregate():
            keys = {key.name: key.expression for key in node.keys}
            return replace(node, input=_pushed(node.input, [replaced(part, keys) for part in parts]))
        case _:
            raise AssertionError(f"no filter passes below {type(node).__name__}")


def _side(join: Join, part: Expression) -> str | None:
    """Returns the side that a condition can be asked of alone; None if there is no such."""
    used = set(columns_of(part))
    if used and used <= set(join.left.schema.names) and not join.kind.keeps_right:
        return "left"
    if isinstance(join.bound, AsOf):
        return None  # A version that is left out would not end the one before.
    if used and used <= set(join.right.schema.names) and join.kind in (JoinKind.INNER, JoinKind.RIGHT):
        return "right"
    return None


def _is_key(join: Join, part: Expression) -> bool:
    return join.kind is JoinKind.INNER and not isinstance(join.bound, AsOf) and _key(join, part) is not None


def _key(join: Join, part: Expression) -> JoinKey | None:
    return join_key(part, join.left.schema.names, join.right.schema.names)


def _into_join(join: Join, parts: Sequence[Expression]) -> Join:
    """Asks each condition of the side that it is about; one that compares the sides becomes a key."""
    by_side: dict[str | None, list[Expression]] = {"left": [], "right": [], None: []}
    for part in parts:
        by_side[_side(join, part)].append(part)
    keys = [key for part in by_side[None] if (key := _key(join, part)) is not None]
    left = _pushed(join.left, by_side["left"]) if by_side["left"] else join.left
    right = _pushed(join.right, by_side["right"]) if by_side["right"] else join.right
    return replace(join, left=left, right=right, keys=(*join.keys, *keys))


def _renamed(union: Union, branch: Node, parts: Sequence[Expression]) -> list[Expression]:
    pairs = zip(union.schema.fields, branch.schema.fields, strict=True)
    names: dict[str, Expression] = {out.name: ColumnRef(own.name, own.type) for out, own in pairs}
    return [replaced(part, names) for part in parts]
