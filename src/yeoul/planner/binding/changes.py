"""Whether whoever reads a plan's rows can take changes: sinks, callers, and nodes that need rows to stand.

Over input that ends, rows that change on the way are settled: the reader gets, at the end, those that are left. Over
input that never ends the changes themselves are handed on, and a reader that cannot take them is an error here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlglot import exp

from yeoul.connectors.registry import how_to_bound
from yeoul.plan.changelog import StateBound, changelog_of, state_of
from yeoul.plan.nodes import (
    Aggregate,
    ChangelogNormalize,
    Deduplicate,
    Limit,
    Node,
    Over,
    Scan,
    Settle,
    SinkMaterialize,
    TopN,
    WindowAggregate,
    WindowAssign,
    WindowKind,
    Write,
    inputs_of,
    walk,
)
from yeoul.planner.binding.boundedness import MODE_SETTING, gives_changes, unbounded_table
from yeoul.planner.binding.conflicts import told_by_changes
from yeoul.planner.binding.context import BindContext
from yeoul.planner.binding.overs import no_time_attribute

__all__ = ["STATE_SETTING", "with_settled_changes"]

STATE_SETTING = "table.exec.state.unbounded"
_TAKING = "'connector' = 'upsert-kafka', 'format' = 'debezium-json', 'connector' = 'print'"
_ENDING = "Bound its tables ('scan.bounded.mode' = 'latest-offset'), or group within a window"


def with_settled_changes(context: BindContext, plan: Node, at: exp.Expr) -> Node:
    """Returns a plan whose reader can take what it gives.

    Raises:
        UserError: It gives changes that the sink, or a node, cannot take; or its state has no bound and the session
            refuses such plans.
    """
    _check_mode(context, plan, at)
    _check_inputs(context, plan, at)
    settled = _written(context, plan, at) if isinstance(plan, Write) else _settled(context, plan)
    if context.settings.get(STATE_SETTING) == "refuse":
        _refuse_unbounded(context, settled, at)
    return settled


def _check_mode(context: BindContext, plan: Node, at: exp.Expr) -> None:
    """Refuses a table that never ends where SET says that all do."""
    table = unbounded_table(plan) if context.settings.get(MODE_SETTING, "").lower() == "batch" else None
    if table is not None:
        bound = how_to_bound(table.options)
        raise context.error(
            f"Table {table.table.name!r} never ends, and {MODE_SETTING!r} is 'batch'",
            at,
            hint=f"{bound[:1].upper()}{bound[1:]}, or RESET '{MODE_SETTING}'" if bound else f"RESET '{MODE_SETTING}'",
        )


def _settled(context: BindContext, plan: Node) -> Node:
    settles = not changelog_of(plan).is_append_only and not gives_changes(plan, context.settings)
    return Settle(plan) if settles else plan


def _written(context: BindContext, plan: Write, at: exp.Expr) -> Write:
    told = told_by_changes(context, plan, at)
    if told is not None:
        return told
    if changelog_of(plan).is_append_only:
        return plan
    if not gives_changes(plan, context.settings):
        return replace(plan, input=Settle(plan.input))
    raise context.error(
        f"Table {plan.table.name!r} takes new rows only, and the query changes rows that it gave before:"
        f" {_culprit(plan)} gives {changelog_of(plan)}",
        at,
        hint=f"{_ENDING}, or write to a table that takes changes ({_TAKING})",
    )


def _check_inputs(context: BindContext, plan: Node, at: exp.Expr) -> None:
    for node in walk(plan):
        if isinstance(node, Over) and node.time is None:
            raise no_time_attribute(node.order, node.span)
        if isinstance(node, WindowAggregate | WindowAssign | Limit | Over) and not _takes_changes(node):
            below = inputs_of(node)[0]
            if not changelog_of(below).is_append_only:
                raise context.error(
                    f"{_name(node)} cannot take changes: {_culprit(below)} below it gives {changelog_of(below)}",
                    at,
                    hint="Put the window below what changes rows, or leave it out",
                )


def _takes_changes(node: Node) -> bool:
    """Whether a windowed aggregate can take a row back: it can if the row's window follows from the row alone."""
    return isinstance(node, WindowAggregate) and node.window.kind is not WindowKind.SESSION and not node.window.by_clock


def _refuse_unbounded(context: BindContext, plan: Node, at: exp.Expr) -> None:
    for node in walk(plan):
        bound, why = state_of(node)
        if bound is StateBound.UNBOUNDED and unbounded_table(node) is not None and not _has_ttl(context):
            raise context.error(
                f"The state of {_name(node)} has no bound ({why}), and {STATE_SETTING!r} is 'refuse'",
                at,
                hint="Group within a window, or set 'table.exec.state.ttl'",
            )


def _has_ttl(context: BindContext) -> bool:
    return context.settings.get("table.exec.state.ttl", "0") not in ("", "0", "0 ms", "0 s")


def _culprit(node: Node) -> str:
    """Names the lowest node that changes rows."""
    return next(_names_of_updating(node), _name(node))


def _names_of_updating(node: Node) -> Iterator[str]:
    for one in walk(node):
        below = inputs_of(one)
        if not changelog_of(one).is_append_only and all(changelog_of(each).is_append_only for each in below):
            yield _name(one)


def _name(node: Node) -> str:
    match node:
        case Aggregate():
            return "GROUP BY"
        case WindowAggregate() | WindowAssign():
            return str(node.window.kind.value)
        case Limit():
            return "LIMIT"
        case Over():
            return "OVER"
        case TopN():
            return "ORDER BY ... LIMIT" if not node.partition and node.rank is None else "Top-N"
        case Deduplicate():
            return "the deduplication"
        case Scan() | ChangelogNormalize():
            tables = [one.table.name for one in walk(node) if isinstance(one, Scan)]
            return f"table {tables[0]!r}"
        case SinkMaterialize():
            return "ON CONFLICT"
        case _:
            return type(node).__name__
