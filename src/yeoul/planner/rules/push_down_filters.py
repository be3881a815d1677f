"""Filters move towards the sources, so that less is computed and kept.

A filter passes below a projection, a union, a window table function and, by its keys, an aggregate. It never passes
below AssignWatermark: the watermark follows all rows, kept or not. Nor below Limit, which counts the rows it gets. And
a condition that can fail (a division, a cast) never overtakes another: that one may be there to protect it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from yeoul.plan.expressions import ColumnRef, Expression, Literal, columns_of
from yeoul.plan.nodes import Aggregate, Filter, Node, Project, Union, WindowAggregate, WindowAssign
from yeoul.planner.rewriting import cannot_fail, conjuncts, is_repeatable, joined, replaced, with_inputs

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
        case Union():
            return True
        case WindowAssign():
            return used <= set(node.input.schema.names)
        case Aggregate() | WindowAggregate():
            repeatable = {key.name for key in node.keys if is_repeatable(key.expression)}
            return bool(used) and used <= repeatable
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
        case WindowAssign():
            return replace(node, input=_pushed(node.input, parts))
        case Aggregate() | WindowAggregate():
            keys = {key.name: key.expression for key in node.keys}
            return replace(node, input=_pushed(node.input, [replaced(part, keys) for part in parts]))
        case _:
            raise AssertionError(f"no filter passes below {type(node).__name__}")


def _renamed(union: Union, branch: Node, parts: Sequence[Expression]) -> list[Expression]:
    pairs = zip(union.schema.fields, branch.schema.fields, strict=True)
    names: dict[str, Expression] = {out.name: ColumnRef(own.name, own.type) for out, own in pairs}
    return [replaced(part, names) for part in parts]
