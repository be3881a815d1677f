"""LIMIT moves towards the sources: rows that it drops are not computed, and each input of a union stops by itself.

Below a projection the limit counts the same rows; one of a great many stays, for what is above a limit is no more
computed on several threads. Below UNION ALL each input gives at most as many as are wanted in all; the limit above
stays. Two limits in a row become one.
"""

from __future__ import annotations

from dataclasses import replace

from yeoul.plan.changelog import is_updating
from yeoul.plan.nodes import Limit, Node, Project, Union
from yeoul.planner.rewriting import with_inputs

__all__ = ["push_down_limits"]

_MOST = 100_000
"""Up to how many rows a limit goes below a projection."""


def push_down_limits(node: Node) -> Node:
    """Moves every limit of a plan as far down as it may go."""
    if isinstance(node, Limit):
        match node.input:
            case Limit() as below:
                return push_down_limits(_merged(node, below))
            case Project() as below if node.count + node.offset <= _MOST:
                return replace(below, input=push_down_limits(replace(node, input=below.input)))
            case Union() as below if not is_updating(below):
                return _into_union(node, below)
            case _:
                pass
    return with_inputs(node, push_down_limits)


def _merged(upper: Limit, lower: Limit) -> Limit:
    left = max(0, lower.count - upper.offset)
    return Limit(lower.input, min(upper.count, left), lower.offset + upper.offset)


def _into_union(limit: Limit, union: Union) -> Node:
    most = limit.count + limit.offset
    inputs = tuple(push_down_limits(Limit(one, most)) for one in union.inputs)
    return replace(limit, input=replace(union, inputs=inputs))
