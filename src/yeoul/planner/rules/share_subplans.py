"""Equal parts of plans become one object: what two readers need alike is computed, and remembered, once.

A WITH query or a view that is read twice is rewritten for each reader; if both need the same of it, the rules leave two
equal parts behind. Here they become one, which the engine builds once, and `EXPLAIN` shows once, with a number. What
gives another answer each time (chance, the clock, Python functions that say so) stays apart. Runs last: a rule that
changes one reader's part would undo it.

The INSERTs of a statement set run as one; what several of them need alike is shared among them in the same way.

Scans need no rule: a table is read once for all that stand in a plan, each with columns and filters of its own.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import fields, replace

from yeoul.plan.nodes import Node, Scan, inputs_of
from yeoul.plan.tables import TableDefinition
from yeoul.planner.rewriting import is_repeatable_node, with_inputs

__all__ = ["kept_apart", "share_subplans"]


def share_subplans(plans: Sequence[Node]) -> tuple[Node, ...]:
    """Makes one object of the equal parts of plans that run as one; what a plan ends with stays its own."""
    known: dict[Hashable, Node] = {}

    def shared(part: Node) -> Node:
        part = with_inputs(part, shared)
        return known.setdefault(_identity(part), part) if is_repeatable_node(part) else replace(part)

    return tuple(with_inputs(plan, shared) for plan in plans)


def kept_apart(node: Node) -> Node:
    """Returns a plan in which every part is an object of its own, for each reader."""
    return replace(with_inputs(node, kept_apart))


def _identity(node: Node) -> Hashable:
    """Returns what equal nodes over the same inputs have in common."""
    below = {id(one) for one in inputs_of(node)}
    own = (getattr(node, one.name) for one in fields(node) if one.compare)
    return type(node), *(_hashable(value, below) for value in own)


def _hashable(value: object, inputs: set[int]) -> Hashable:
    if id(value) in inputs:
        return id(value)
    match value:
        case TableDefinition():
            return value.name
        case Scan():
            return _identity(value)
        case Mapping():
            return tuple(sorted(value.items()))
        case tuple():
            return tuple(_hashable(each, inputs) for each in value)
        case _:
            assert isinstance(value, Hashable)
            return value
