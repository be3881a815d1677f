"""Whether the rows of a node come to an end, and what to say where they have to and do not.

An aggregate without a window gives its rows at the end of its input: over a table that never ends it would say nothing.
"""

from __future__ import annotations

from sqlglot import exp

from yeoul.errors import UserError
from yeoul.plan.nodes import Limit, Node, Scan, inputs_of
from yeoul.planner.binding.context import BindContext

__all__ = ["unbounded_error", "unbounded_table"]


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


def unbounded_error(context: BindContext, table: Scan, what: str, at: exp.Expr, window: str) -> UserError:
    """Returns the error for an aggregate without a window over a table that never ends.

    Args:
        context: Of the query.
        table: Which table it is.
        what: What the query wanted: "GROUP BY without a window".
        at: Where it wanted it.
        window: How to write it with a window instead.
    """
    from yeoul.connectors.registry import how_to_bound

    name = table.table.name
    return context.error(
        f"{what} needs an input that ends; table {name!r} never does, so the result would change with every row",
        at,
        hint=f"Bound {name}: {how_to_bound(table.options)}. Or {window[0].lower()}{window[1:]}",
    )
