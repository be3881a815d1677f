"""Project over Project becomes one, unless that would compute something twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from yeoul.plan.expressions import ColumnRef, Expression, Literal, columns_of
from yeoul.plan.nodes import Node, Project
from yeoul.planner.rewriting import is_repeatable, replaced, with_inputs

__all__ = ["merge_projects"]

_MAX_MERGED_SIZE = 200
"""Columns that merged expressions may mention in all; beyond, a chain of views would grow without bound."""


def merge_projects(node: Node) -> Node:
    """Merges adjacent projections of a plan."""
    node = with_inputs(node, merge_projects)
    if not (isinstance(node, Project) and isinstance(node.input, Project)):
        return node
    below = {one.name: one.expression for one in node.input.projections}
    used = Counter(name for one in node.projections for name in columns_of(one.expression))
    if not all(_may_move(below[name], count) for name, count in used.items()):
        return node
    merged = tuple(replace(one, expression=replaced(one.expression, below)) for one in node.projections)
    return merge_projects(replace(node, input=node.input.input, projections=merged))


def _may_move(expression: Expression, uses: int) -> bool:
    if isinstance(expression, ColumnRef | Literal):
        return True
    small = sum(1 for _ in columns_of(expression)) <= _MAX_MERGED_SIZE
    return uses == 1 and small and is_repeatable(expression)
