"""A plan as an indented tree, with notes below: what `EXPLAIN` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile

from yeoul.plan.explain.nodes import describe_node
from yeoul.plan.explain.notes import notes_on
from yeoul.plan.nodes import Node, inputs_of, readers_of, walk

__all__ = ["explain", "tree_lines"]


def explain(plan: Node, among: Sequence[Node] = ()) -> str:
    """Returns a plan as an indented tree, the node that gives the result on top, without a newline at the end.

    Args:
        plan: Any plan.
        among: The plans that run as one with it, itself included: what they share is told with the first of them.

    Example:
        >>> from yeoul.plan.nodes import Field, Limit, Schema, Values
        >>> from yeoul.plan.types import INT
        >>> schema = Schema((Field("a", INT),))
        >>> print(explain(Limit(Values(((1,),), schema), 10)))
        Limit(10)  -> a INT
          Values(1 row: (1))  -> a INT
    """
    notes = list(notes_on(plan))
    return "\n".join([*tree_lines(plan, describe_node, among), *([""] if notes else []), *notes])


def tree_lines(plan: Node, describe: Callable[[Node], Sequence[str]], among: Sequence[Node] = ()) -> Iterator[str]:
    """Yields a plan's lines: each node's own, then its inputs', indented; what several read is told once.

    Args:
        plan: Any plan.
        describe: Returns a node's own lines, at least one.
        among: See `explain`.
    """
    shared = [node for node, readers in readers_of(*(among or (plan,))).items() if readers > 1]
    numbers = {node: f"#{number} " for number, node in enumerate(shared, 1)}
    told = {id(node) for one in takewhile(lambda one: one is not plan, among) for node in walk(one)} & numbers.keys()

    def lines(node: Node, depth: int) -> Iterator[str]:
        pad, number = "  " * depth, numbers.get(id(node), "")
        head, *rest = describe(node)
        if id(node) in told:
            yield f"{pad}{number}(the same, computed once)"
            return
        if number:
            told.add(id(node))
        yield f"{pad}{number}{head}"
        yield from (f"{pad}    {line}" for line in rest)
        for below in inputs_of(node):
            yield from lines(below, depth + 1)

    return lines(plan, 0)
