"""Top-N: a condition on a rank, above the OVER that numbers the rows, becomes a node that keeps so many rows.

`SELECT ... FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) AS rn FROM t) WHERE rn <= 3`. The first row by
a time attribute is a deduplication, which remembers less.

Source: Flink's pages "Top-N" and "Deduplication".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from yeoul.errors import Span, UserError
from yeoul.plan.changelog import changelog_of
from yeoul.plan.expressions import Call, ColumnRef, Expression, Literal
from yeoul.plan.nodes import Deduplicate, Filter, Node, Over, Project, TopN, WindowProperty, WindowTopN
from yeoul.plan.ordering import Ranking
from yeoul.planner.binding.boundedness import gives_changes
from yeoul.planner.binding.context import BindContext
from yeoul.planner.binding.time_attributes import time_of
from yeoul.planner.binding.windowed_rows import windowed_rows
from yeoul.planner.folding import folded
from yeoul.planner.rewriting import conjuncts, joined, project

__all__ = ["with_top_n"]

_FLIPPED = {
    "less": "greater",
    "less_or_equal": "greater_or_equal",
    "greater": "less",
    "greater_or_equal": "less_or_equal",
    "equals": "equals",
}


@dataclass(slots=True)
class _Ranks:
    """Between which numbers a rank lies."""

    first: int = 1
    last: int | None = None

    def narrow(self, low: int | None, high: int | None) -> None:
        if low is not None:
            self.first = max(self.first, low)
        if high is not None:
            self.last = high if self.last is None else min(self.last, high)


def with_top_n(context: BindContext, rows: Filter) -> Node:
    """Returns filtered rows with a Top-N in place of the OVER below, if the filter bounds its rank.

    Raises:
        UserError: No rank lies between the bounds.
    """
    parts = [folded(part) for part in conjuncts(rows.predicate)]
    columns = [bound[0] for part in parts if (bound := _bounds(part)) is not None]
    for column in dict.fromkeys(columns):
        over = _over_of(rows.input, column)
        ranks, rest, span = _ranks(parts, column)
        if over is None or ranks.last is None:
            continue
        if ranks.last < ranks.first:
            raise UserError(f"No rank lies between {ranks.first} and {ranks.last}", hint="Ranks begin at 1", span=span)
        found = _replaced(rows.input, over, _top_n(context, over, ranks.first, ranks.last))
        return Filter(found, joined(rest)) if rest else found
    return rows


def _bounds(part: Expression) -> tuple[str, int | None, int | None] | None:
    """Returns the column that a condition bounds, and the least and greatest value that it lets through."""
    match part:
        case Call(function="between", args=(ColumnRef(name=name), Literal(value=int(low)), Literal(value=int(high)))):
            return name, low, high
        case Call(function=function, args=(ColumnRef(name=name), Literal(value=int(value)))) if function in _FLIPPED:
            return (name, *_interval(function, value))
        case Call(function=function, args=(Literal(value=int(value)), ColumnRef(name=name))) if function in _FLIPPED:
            return (name, *_interval(_FLIPPED[function], value))
        case _:
            return None


def _interval(function: str, value: int) -> tuple[int | None, int | None]:
    return {
        "less": (None, value - 1),
        "less_or_equal": (None, value),
        "greater": (value + 1, None),
        "greater_or_equal": (value, None),
        "equals": (value, value),
    }[function]


def _ranks(parts: Sequence[Expression], column: str) -> tuple[_Ranks, list[Expression], Span | None]:
    ranks, rest, span = _Ranks(), [], None
    for part in parts:
        bound = _bounds(part)
        if bound is None or bound[0] != column:
            rest.append(part)
        else:
            ranks.narrow(bound[1], bound[2])
            span = part.span
    return ranks, rest, span


def _over_of(node: Node, column: str) -> Over | None:
    """Follows a column down to the OVER whose rank it is; None if it is something else."""
    match node:
        case Over():
            (call, *more) = node.calls
            is_rank = not more and call.name == column and call.call.function in {one.value for one in Ranking}
            return node if is_rank else None
        case Filter():
            return _over_of(node.input, column)
        case Project():
            found = next(one.expression for one in node.projections if one.name == column)
            return _over_of(node.input, found.name) if isinstance(found, ColumnRef) else None
        case _:
            return None


def _replaced(node: Node, old: Over, new: Node) -> Node:
    if node is old:
        return new
    assert isinstance(node, Filter | Project)
    return replace(node, input=_replaced(node.input, old, new))


def _top_n(context: BindContext, over: Over, first: int, last: int) -> Node:
    call = over.calls[0]
    ranking = Ranking(call.call.function)
    updating = gives_changes(over.input, context.settings)
    windowed = _in_window(over, ranking, first, last)
    if windowed is not None and first != last:
        return windowed
    if ranking is not Ranking.ROW_NUMBER or first != last:
        return TopN(over.input, over.partition, over.order, ranking, first, last, call.name, over.schema, updating)
    rows: Node | None = windowed
    if rows is None and first == 1:
        rows = _deduplicated(over, updating)
    if rows is None:
        rows = TopN(over.input, over.partition, over.order, ranking, first, last, None, over.input.schema, updating)
    columns: list[tuple[str, Expression]] = [(one.name, ColumnRef(one.name, one.type)) for one in rows.schema.fields]
    return project(rows, [*columns, (call.name, Literal(first, call.call.type))])


def _in_window(over: Over, ranking: Ranking, first: int, last: int) -> WindowTopN | None:
    """Returns the Top-N of rows that are told apart by their window; None if they are not."""
    if ranking is not Ranking.ROW_NUMBER or not changelog_of(over.input).is_append_only:
        return None
    found = windowed_rows(over.input)
    if found is None:
        return None
    start, end = (found.column(value, over.partition) for value in (WindowProperty.START, WindowProperty.END))
    if start is None or end is None:
        return None
    name, schema = (None, over.input.schema) if first == last else (over.calls[0].name, over.schema)
    bounds, partition = (start, end), over.partition
    return WindowTopN(
        over.input, found.window, bounds, found.is_local, partition, over.order, first, last, name, schema
    )


def _deduplicated(over: Over, updating: bool) -> Deduplicate | None:
    """Returns the deduplication that the first rows are; None if they are not ordered by time alone."""
    if len(over.order) != 1 or not changelog_of(over.input).is_append_only:
        return None
    key = over.order[0]
    time = time_of(over.input, key.column)
    if time is None:
        return None
    return Deduplicate(over.input, over.partition, key.column, time, key.descending, updating)
