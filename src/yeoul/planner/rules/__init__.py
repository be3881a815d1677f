"""Rewrites of plans, each (Node) -> Node in a file of its own, and the order in which they run.

A rule changes what a plan costs, never what it answers: same rows, same order within a split, same late rows' verdicts.
"""

from __future__ import annotations

from yeoul.plan.nodes import Node
from yeoul.planner.rules.fold_constants import fold_constants
from yeoul.planner.rules.merge_filters import merge_filters
from yeoul.planner.rules.merge_projects import merge_projects
from yeoul.planner.rules.narrow_comparisons import narrow_comparisons
from yeoul.planner.rules.prune_columns import prune_columns
from yeoul.planner.rules.push_down_filters import push_down_filters
from yeoul.planner.rules.remove_projects import remove_projects

__all__ = ["RULES", "optimised"]

RULES = (
    fold_constants,
    merge_projects,
    push_down_filters,
    merge_filters,
    fold_constants,
    narrow_comparisons,
    prune_columns,
    merge_projects,
    remove_projects,
)
"""In the order they run."""


def optimised(plan: Node) -> Node:
    """Runs every rule over a plan."""
    for rule in RULES:
        plan = rule(plan)
    return plan
