"""A Project that passes its input on as it is goes."""

from __future__ import annotations

from yeoul.plan.expressions import ColumnRef
from yeoul.plan.nodes import Node, Project
from yeoul.planner.rewriting import with_inputs

__all__ = ["remove_projects"]


def remove_projects(node: Node) -> Node:
    """Removes the projections of a plan that change nothing."""
    node = with_inputs(node, remove_projects)
    return node.input if isinstance(node, Project) and _changes_nothing(node) else node


def _changes_nothing(node: Project) -> bool:
    if node.schema != node.input.schema:
        return False
    return all(isinstance(one.expression, ColumnRef) and one.expression.name == one.name for one in node.projections)
