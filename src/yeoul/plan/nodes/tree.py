"""A plan as a tree: every kind of node, and ways through it."""

from __future__ import annotations

from collections.abc import Iterator

from yeoul.plan.nodes.changes import ChangelogNormalize, DropUnchanged, SinkMaterialize
from yeoul.plan.nodes.groups import Aggregate, Settle
from yeoul.plan.nodes.joins import Join, LookupJoin
from yeoul.plan.nodes.ordered import Deduplicate, Over, Sort, TopN
from yeoul.plan.nodes.rows import Filter, Limit, Project, Unnest
from yeoul.plan.nodes.sets import SetOperation, Union
from yeoul.plan.nodes.tables import AssignWatermark, Scan, Values, Write
from yeoul.plan.nodes.windows import WindowAggregate, WindowAssign, WindowKind, WindowTopN

__all__ = ["Node", "inputs_of", "is_row_wise", "judges_lateness", "readers_of", "walk"]

Node = (
    Scan
    | Values
    | AssignWatermark
    | Project
    | Filter
    | Aggregate
    | WindowAggregate
    | WindowAssign
    | Unnest
    | LookupJoin
    | Union
    | SetOperation
    | Join
    | Over
    | TopN
    | WindowTopN
    | Deduplicate
    | Sort
    | Limit
    | Settle
    | ChangelogNormalize
    | DropUnchanged
    | SinkMaterialize
    | Write
)


def inputs_of(node: Node) -> tuple[Node, ...]:
    """Returns the nodes directly below."""
    match node:
        case Scan() | Values():
            return ()
        case Union():
            return node.inputs
        case Join() | SetOperation():
            return node.left, node.right
        case _:
            return (node.input,)


def judges_lateness(node: Node) -> bool:
    """Tells whether a node sets rows aside that come after the watermark has closed their windows."""
    match node:
        case WindowAggregate() | WindowTopN():
            return not node.window.by_clock
        case WindowAssign():
            return node.window.kind is WindowKind.SESSION and not node.window.by_clock
        case _:
            return False


def walk(node: Node) -> Iterator[Node]:
    """Yields a plan's nodes, inputs before the node that reads them."""
    for below in inputs_of(node):
        yield from walk(below)
    yield node


def is_row_wise(node: Node) -> bool:
    """Tells whether a node needs no row but the one before it: it remembers nothing and waits for nothing."""
    match node:
        case WindowAssign():
            return node.window.kind is not WindowKind.SESSION
        case _:
            return isinstance(node, Scan | Values | AssignWatermark | Project | Filter | Unnest | DropUnchanged | Write)


def readers_of(*plans: Node) -> dict[int, int]:
    """Returns, by its identity, how many read each node that is not row-wise, in all of the plans together.

    One that stands in plans twice, as one object, is computed once and read by two; what is below it is read once.
    Row-wise nodes belong to each that reads them.
    """
    counts: dict[int, int] = {}

    def count(node: Node) -> None:
        if not is_row_wise(node):
            counts[id(node)] = counts.get(id(node), 0) + 1
            if counts[id(node)] > 1:
                return
        for below in inputs_of(node):
            count(below)

    for plan in plans:
        count(plan)
    return counts
