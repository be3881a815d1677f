"""Whether the rows of a node come to an end.

Over input that ends, an aggregate without a window gives its rows at the end; over input that never does, it gives
changes as it goes.
"""

from __future__ import annotations

from collections.abc import Mapping

from yeoul.plan.changelog import is_updating
from yeoul.plan.nodes import Limit, Node, Scan, inputs_of

__all__ = ["MODE_SETTING", "computes_changes", "gives_changes", "unbounded_table"]

MODE_SETTING = "execution.runtime-mode"


def gives_changes(node: Node, settings: Mapping[str, str]) -> bool:
    """Tells whether what is computed over a node's rows is given as changes: they never end, or SET asks for it."""
    return settings.get(MODE_SETTING, "").lower() == "streaming" or unbounded_table(node) is not None


def computes_changes(node: Node, settings: Mapping[str, str]) -> bool:
    """Tells whether an aggregate over a node's rows works on changes: it gives them, or its input does."""
    return gives_changes(node, settings) or is_updating(node)


def unbounded_table(node: Node) -> Scan | None:
    """Returns a table whose reading keeps a node's rows from ever ending, None if they end; a LIMIT ends them."""
    from yeoul.connectors.registry import is_bounded

    match node:
        case Limit():
            return None
        case Scan():
            return None if is_bounded(node.options) else node
        case _:
            found = (unbounded_table(below) for below in inputs_of(node))
            return next((table for table in found if table is not None), None)
