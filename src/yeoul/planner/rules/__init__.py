"""Rewrites of plans, each in a file of its own, and the order in which they run.

A rule changes what a plan costs, never what it answers: same rows, same order within a split, same late rows' verdicts.
`RULES` look at one plan; running all of them over their own result changes nothing more. `SHARING` looks, after them,
at all plans that run as one, and makes one of what they compute alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from yeoul.plan.nodes import Node
from yeoul.planner.rules.fold_constants import fold_constants
from yeoul.planner.rules.infer_filters import infer_filters
from yeoul.planner.rules.merge_filters import merge_filters
from yeoul.planner.rules.merge_projects import merge_projects
from yeoul.planner.rules.narrow_comparisons import narrow_comparisons
from yeoul.planner.rules.narrow_rows import narrow_rows
from yeoul.planner.rules.propagate_empty import propagate_empty
from yeoul.planner.rules.prune_columns import prune_columns
from yeoul.planner.rules.push_down_filters import push_down_filters
from yeoul.planner.rules.push_down_limits import push_down_limits
from yeoul.planner.rules.remove_projects import remove_projects
from yeoul.planner.rules.share_aggregates import share_aggregates
from yeoul.planner.rules.share_expressions import share_expressions
from yeoul.planner.rules.share_subplans import kept_apart, share_subplans
from yeoul.planner.rules.sift_scans import sift_scans
from yeoul.planner.rules.strengthen_joins import strengthen_joins

__all__ = ["REUSE_SETTING", "RULES", "SHARING", "as_one", "kept_apart", "optimised"]

RULES = (
    fold_constants,
    push_down_limits,
    merge_projects,
    push_down_filters,
    strengthen_joins,
    push_down_filters,
    infer_filters,
    merge_filters,
    fold_constants,
    narrow_comparisons,
    propagate_empty,
    prune_columns,
    merge_projects,
    remove_projects,
    share_expressions,
    push_down_filters,
    merge_filters,
    prune_columns,
    merge_projects,
    remove_projects,
    narrow_rows,
    sift_scans,
)
"""In the order they run, again and again while they find something: what one does may be what another waits for."""
_MOST_ROUNDS = 8

SHARING = (share_aggregates, share_subplans)
"""In the order they run, once."""
REUSE_SETTING = "table.optimizer.reuse-sub-plan-enabled"


def optimised(plan: Node) -> Node:
    """Runs every rule over a plan as bound."""
    for _ in range(_MOST_ROUNDS):
        before = plan
        for rule in RULES:
            plan = rule(plan)
        if plan == before:
            break
    return plan


def as_one(plans: Sequence[Node], settings: Mapping[str, str] | None = None) -> tuple[Node, ...]:
    """Returns optimised plans as they run together: what they, or parts of one, compute alike is computed once.

    Args:
        plans: Each after `optimised`.
        settings: Of the session: `table.optimizer.reuse-sub-plan-enabled` = 'false' keeps everything apart.
    """
    if (settings or {}).get(REUSE_SETTING, "true").lower() == "false":
        return tuple(map(kept_apart, plans))
    for rule in SHARING:
        plans = rule(plans)
    return tuple(plans)
