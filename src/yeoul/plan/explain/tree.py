"""A plan as an indented tree, with notes below: what `EXPLAIN` prints."""

from __future__ import annotations

from collections.abc import Iterator

from yeoul.plan.explain.nodes import describe_node
from yeoul.plan.explain.notes import notes_on
from yeoul.plan.nodes import Node, inputs_of

__all__ = ["explain"]


def explain(plan: Node) -> str:
    """Returns a plan as an indented tree, the node that gives the result on top, without a newline at the end.

    Example:
        >>> from yeoul.plan.nodes import Field, Limit, Schema, Values
        >>> from yeoul.plan.types import INT
        >>> schema = Schema((Field("a", INT),))
        >>> print(explain(Limit(Values(((1,),), schema), 10)))
        Limit(10)  -> a INT
          Values(1 row: (1))  -> a INT
    """
    notes = list(notes_on(plan))
    return "\n".join([*_tree(plan, 0), *([""] if notes else []), *notes])


def _tree(node: Node, depth: int) -> Iterator[str]:
    pad = "  " * depth
    head, *rest = describe_node(node)
    yield f"{pad}{head}"
    yield from (f"{pad}    {line}" for line in rest)
    for below in inputs_of(node):
        yield from _tree(below, depth + 1)
