"""Filter over Filter becomes one, the lower predicate first."""

from __future__ import annotations

from yeoul.plan.nodes import Filter, Node
from yeoul.planner.rewriting import conjuncts, joined, with_inputs

__all__ = ["merge_filters"]


def merge_filters(node: Node) -> Node:
    """Merges adjacent filters of a plan."""
    node = with_inputs(node, merge_filters)
    if isinstance(node, Filter) and isinstance(node.input, Filter):
        return Filter(node.input.input, joined([*conjuncts(node.input.predicate), *conjuncts(node.predicate)]))
    return node
