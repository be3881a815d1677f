"""What needs no rows is computed once, here, and a filter that lets every row through goes."""

from __future__ import annotations

from yeoul.plan.expressions import Literal
from yeoul.plan.nodes import Filter, Node
from yeoul.planner.folding import folded
from yeoul.planner.rewriting import map_expressions, with_inputs

__all__ = ["fold_constants"]


def fold_constants(node: Node) -> Node:
    """Folds every expression of a plan; a filter that is always true goes."""
    node = with_inputs(node, fold_constants)
    changed = map_expressions(node, folded)
    if isinstance(changed, Filter) and isinstance(changed.predicate, Literal) and changed.predicate.value is True:
        return changed.input
    return node if changed == node else changed
