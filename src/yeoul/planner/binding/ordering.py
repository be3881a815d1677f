"""ORDER BY, LIMIT, OFFSET and FETCH of a query.

Over input that ends rows are sorted when there are no more. Over input that never ends they are sorted by the row time
as the watermark passes it, or, with a LIMIT, kept as an updating Top-N; nothing else can be answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp

from yeoul.plan import types
from yeoul.plan.changelog import changelog_of
from yeoul.plan.expressions import ColumnRef, Expression, Literal
from yeoul.plan.nodes import Filter, Limit, Node, Sort, TopN
from yeoul.plan.ordering import OverTime, Ranking, SortKey
from yeoul.planner.binding.boundedness import gives_changes
from yeoul.planner.binding.context import BindContext, Relation
from yeoul.planner.binding.expressions import ExpressionBinder
from yeoul.planner.binding.overs import sort_direction
from yeoul.planner.binding.projections import Item
from yeoul.planner.binding.time_attributes import time_of
from yeoul.planner.rewriting import project

__all__ = ["hidden_items", "ordered", "unaliased"]

_HIDDEN = "order$"


def hidden_items(context: BindContext, select: exp.Select, items: Sequence[Item]) -> list[Item]:
    """Returns what a SELECT's ORDER BY sorts by beyond its list: expressions, and columns that are not selected.

    Raises:
        UserError: There is such a thing and the SELECT is DISTINCT.
    """
    order = select.args.get("order")
    found: list[Item] = []
    by_alias = {item.name: item.node for item in items if item.column is None}
    for index, item in enumerate(order.expressions if order is not None else []):
        if _is_output(item.this, {one.name for one in items}):
            continue
        if select.args.get("distinct") is not None:
            raise context.error("ORDER BY of SELECT DISTINCT sorts by columns of the SELECT", item)
        tree = item.this.transform(lambda node: unaliased(node, by_alias))
        found.append(Item(f"{_HIDDEN}{index}", tree))
    return found


def unaliased(node: Any, by_alias: Mapping[str, exp.Expr]) -> Any:
    """Returns what an alias of the SELECT list stands for; anything else as it is."""
    is_alias = isinstance(node, exp.Column) and node.this.name in by_alias
    return by_alias[node.this.name].copy() if is_alias else node


def _is_output(node: exp.Expr, names: set[str]) -> bool:
    if isinstance(node, exp.Literal):
        return True
    return isinstance(node, exp.Column) and node.this.name in names


def ordered(context: BindContext, node: exp.Expr, rows: Node, partition: Sequence[str] = ()) -> Node:
    """Returns the rows of a query's body in order, as many as it asks for.

    Args:
        context: The catalog, the settings and the text.
        node: The query.
        rows: Its body's rows, `hidden_items` among them.
        partition: Columns that a query within another is tied by: it gives so many rows for each of their values, and
            these in no order.

    Raises:
        UserError: Rows that never end cannot be sorted so.
    """
    visible = [name for name in rows.schema.names if not name.startswith(_HIDDEN)]
    order = node.args.get("order")
    keys: list[SortKey] = []
    if order is not None:
        rows, keys = _keys(context, order, rows, visible)
    limit, offset = node.args.get("limit"), node.args.get("offset")
    count = None if limit is None else _number(context, limit, "LIMIT")
    skipped = 0 if offset is None else _number(context, offset, "OFFSET")
    if partition:
        found = _first_of_each(context, rows, tuple(keys), count, skipped, tuple(partition), offset)
    else:
        found = _arranged(context, rows, tuple(keys), count, skipped, order or offset or node)
    if len(visible) == len(found.schema.names):
        return found
    return project(found, [(name, ColumnRef(name, found.schema[name].type)) for name in visible])


def _number(context: BindContext, clause: exp.Expr, word: str) -> int:
    text = clause.args["expression"].name
    if not text.isdigit() or len(text) > 18:
        raise context.error(f"{word} expects a whole number, got {text!r}", clause)
    return int(text)


def _keys(context: BindContext, order: Any, rows: Node, visible: list[str]) -> tuple[Node, list[SortKey]]:
    keys: list[SortKey] = []
    added: list[tuple[str, Expression]] = []
    for index, item in enumerate(order.expressions):
        name = f"{_HIDDEN}{index}"
        if name not in rows.schema:
            name = _output(context, item.this, visible) or name
        if name not in rows.schema:
            added.append((name, ExpressionBinder(context, Relation(rows, "", "the query"), "ORDER BY").bind(item.this)))
        keys.append(SortKey(name, *sort_direction(item)))
    if not added:
        return rows, keys
    columns: list[tuple[str, Expression]] = [(one.name, ColumnRef(one.name, one.type)) for one in rows.schema.fields]
    return project(rows, [*columns, *added]), keys


def _output(context: BindContext, node: exp.Expr, visible: list[str]) -> str | None:
    """Returns the output column that an item of ORDER BY names, by its name or its number."""
    if isinstance(node, exp.Column) and node.this.name in visible:
        return str(node.this.name)
    if not isinstance(node, exp.Literal):
        return None
    place = int(node.this) if not node.is_string and node.this.isdigit() else 0
    if not 1 <= place <= len(visible):
        raise context.error(f"ORDER BY expects a column, or its number from 1 to {len(visible)}", node)
    return visible[place - 1]


def _arranged(
    context: BindContext, rows: Node, keys: tuple[SortKey, ...], count: int | None, offset: int, at: exp.Expr
) -> Node:
    stands = changelog_of(rows).is_append_only
    if not keys and count is None and not offset:
        return rows
    if not keys and count is not None and stands:
        return Limit(rows, count, offset)
    if not gives_changes(rows, context.settings):
        return Sort(rows, keys, OverTime.END, offset, count)
    if count is not None:
        return _top(rows, (), keys, count, offset, updating=True)
    if offset:
        raise context.error("OFFSET over input that never ends needs a LIMIT", at, hint="LIMIT 10 OFFSET 5")
    return _sorted_by_time(context, rows, keys, at)


def _first_of_each(
    context: BindContext,
    rows: Node,
    keys: tuple[SortKey, ...],
    count: int | None,
    offset: int,
    partition: tuple[str, ...],
    at: exp.Expr | None,
) -> Node:
    if count is None and offset:
        hint = "LIMIT 10 OFFSET 5"
        raise context.error("OFFSET within a subquery that names the outer query needs a LIMIT", at, hint)
    if count is None:
        return rows
    return _top(rows, partition, keys, count, offset, updating=gives_changes(rows, context.settings))


def _top(
    rows: Node, partition: tuple[str, ...], keys: tuple[SortKey, ...], count: int, offset: int, *, updating: bool
) -> Node:
    if count == 0:
        return Filter(rows, Literal(False, types.BOOLEAN.not_null()))
    first, last = offset + 1, offset + count
    return TopN(rows, partition, keys, Ranking.ROW_NUMBER, first, last, None, rows.schema, updating)


def _sorted_by_time(context: BindContext, rows: Node, keys: tuple[SortKey, ...], at: exp.Expr) -> Node:
    time = time_of(rows, keys[0].column)
    hint = "Order by the row time first, ascending, or add LIMIT n: the first n rows are kept up to date"
    if time is None or keys[0].descending:
        raise context.error(
            "Over input that never ends ORDER BY without LIMIT sorts by a time attribute first, ascending", at, hint
        )
    if not changelog_of(rows).is_append_only:
        raise context.error("ORDER BY cannot take changes without LIMIT", at, hint)
    if time is OverTime.EVENT:
        return Sort(rows, keys, OverTime.EVENT)
    if len(keys) > 1:
        raise context.error("Rows are in order of processing time as they come: nothing can be sorted behind it", at)
    return rows
