"""What is asked of a join's key on one side is asked of the other side, too: rows that can find no partner stay out.

`a JOIN b ON a.id = b.id WHERE a.id > 7` reads b's rows with id > 7 alone, and remembers just these. A side whose rows
are given without a partner keeps them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from yeoul.plan.expressions import ColumnRef, Expression, columns_of
from yeoul.plan.nodes import AssignWatermark, Filter, Join, JoinKind, Node, Project
from yeoul.plan.types import Kind
from yeoul.planner.rewriting import cannot_fail, conjuncts, is_repeatable, joined, replaced, with_inputs
from yeoul.planner.rules.push_down_filters import push_down_filters
from yeoul.planner.rules.strengthen_joins import strengthen_joins

__all__ = ["infer_filters"]


def infer_filters(node: Node) -> Node:
    """Adds to every join of a plan the filters that follow from those below it; what a join above adds counts below."""
    return with_inputs(_inferred(node) if isinstance(node, Join) else node, infer_filters)


def _inferred(node: Join) -> Join:
    to_right: dict[str, Expression] = {}
    to_left: dict[str, Expression] = {}
    for key in node.keys:
        one, other = key.sides
        if isinstance(one, ColumnRef) and isinstance(other, ColumnRef) and _stand_for_each_other(one, other):
            to_right.setdefault(one.name, other)
            to_left.setdefault(other.name, one)
    right = node.right if node.kind.keeps_right else _asked(node.right, node.left, to_right)
    narrows_left = not node.kind.keeps_left and node.kind is not JoinKind.ANTI
    left = _asked(node.left, node.right, to_left) if narrows_left else node.left
    same = left is node.left and right is node.right
    return node if same else replace(node, left=left, right=right)


def _stand_for_each_other(one: ColumnRef, other: ColumnRef) -> bool:
    """Tells whether equal values are the same value: 0.0 equals -0.0 and is another text."""
    return one.type.same_as(other.type) and one.type.kind not in (Kind.FLOAT, Kind.DOUBLE)


def _asked(side: Node, other: Node, names: Mapping[str, Expression]) -> Node:
    """Returns a side with what holds of the other's keys asked of its own."""
    held = list(_known(side))
    wanted: list[Expression] = []
    for part in _known(other):
        used = set(columns_of(part))
        if used and used <= names.keys() and is_repeatable(part) and cannot_fail(part):
            own = replaced(part, names)
            if own not in held and own not in wanted:
                wanted.append(own)
    if not wanted:
        return side
    return push_down_filters(strengthen_joins(push_down_filters(Filter(side, joined(wanted)))))


def _known(node: Node) -> Iterator[Expression]:
    """Yields what holds of every row of a node, as far as filters say it that stand close below."""
    match node:
        case Filter():
            yield from conjuncts(node.predicate)
            yield from _known(node.input)
        case AssignWatermark():
            yield from _known(node.input)
        case Project():
            names: dict[str, Expression] = {}
            for one in node.projections:
                if isinstance(one.expression, ColumnRef):
                    names.setdefault(one.expression.name, ColumnRef(one.name, one.expression.type))
            for part in _known(node.input):
                if set(columns_of(part)) <= names.keys():
                    yield replaced(part, names)
        case _:
            return
