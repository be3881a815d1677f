"""Rewrites of plans, each (Node) -> Node in a file of its own, and the order in which they run.

A rule changes what a plan costs, never what it answers: same rows, same order within a split, same late rows' verdicts.
Running all of them over their own result changes nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from yeoul.plan.nodes import Node, Write
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
from yeoul.planner.rules.share_expressions import share_expressions
from yeoul.planner.rules.share_subplans import kept_apart, share_subplans, shared_across
from yeoul.planner.rules.share_windows import share_windows
from yeoul.planner.rules.sift_scans import sift_scans
from yeoul.planner.rules.strengthen_joins import strengthen_joins

__all__ = ["REUSE_SETTING", "RULES", "as_one", "optimised"]

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
    share_windows,
    merge_projects,
    share_subplans,
)
"""In the order they run, again and again while they find something: what one does may be what another waits for."""
_MOST_ROUNDS = 8

REUSE_SETTING = "table.optimizer.reuse-sub-plan-enabled"


def optimised(plan: Node, settings: Mapping[str, str] | None = None) -> Node:
    """Runs every rule over a plan.

    Args:
        plan: As bound.
        settings: Of the session: `table.optimizer.reuse-sub-plan-enabled` = 'false' keeps equal parts apart.
    """
    reuses = _reuses(settings)
    for _ in range(_MOST_ROUNDS):
        before = plan
        for rule in RULES:
            if reuses or rule is not share_windows:
                plan = rule(plan)
        if plan == before:
            break
    return plan if reuses else kept_apart(plan)


def as_one(plans: Sequence[Write], settings: Mapping[str, str] | None = None) -> tuple[Write, ...]:
    """Returns optimised plans as they run together: equal parts are one, unless the settings keep them apart."""
    return shared_across(plans) if _reuses(settings) else tuple(plans)


def _reuses(settings: Mapping[str, str] | None) -> bool:
    return (settings or {}).get(REUSE_SETTING, "true").lower() != "false"
