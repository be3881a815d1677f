"""Joins of a plan as operators: which one its bound in time asks for, and which columns each side needs."""

from __future__ import annotations

from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.expressions import EvaluationContext, compile_expression
from yeoul.engine.operators.contract import Operator
from yeoul.engine.operators.joins.interval import IntervalJoin
from yeoul.engine.operators.joins.lookup import LookedUpValue
from yeoul.engine.operators.joins.lookup import LookupJoin as LookupOperator
from yeoul.engine.operators.joins.regular import Join as RegularJoin
from yeoul.engine.operators.joins.sides import JoinSide, JoinSides
from yeoul.engine.operators.joins.temporal import TemporalJoin
from yeoul.engine.operators.joins.window import WindowJoin
from yeoul.engine.operators.time_axis import TimeAxis
from yeoul.engine.runtime.settings import Settings
from yeoul.engine.state.memory import StateMemory
from yeoul.errors import UserError
from yeoul.plan.changelog import is_updating, side_states
from yeoul.plan.expressions import columns_of
from yeoul.plan.join_bounds import AsOf, Interval, SameWindow
from yeoul.plan.nodes import Join, LookupJoin

__all__ = ["join_operator", "lookup_operator"]


def join_operator(node: Join, context: EvaluationContext, settings: Settings, *, judged: bool) -> Operator:
    """Returns the operator of a join.

    Args:
        node: The join.
        context: What its expressions are compiled with.
        settings: The clock, the zone and the time to live.
        judged: Whether an operator above judges lateness.
    """
    sides = _sides(node, context)
    match node.bound:
        case Interval():
            return IntervalJoin(sides, node.bound, settings.clock, judged=judged)
        case SameWindow():
            axis = TimeAxis(settings.local_time_zone if node.bound.is_local else None)
            return WindowJoin(sides, node.bound, axis)
        case AsOf():
            return TemporalJoin(sides, node.bound, clock=settings.clock, ttl_ms=settings.state_ttl_ms, judged=judged)
        case None:
            left_ttl_ms, right_ttl_ms = (settings.ttl_of(one) for one in node.ttl_ms)
            ttls_ms = (left_ttl_ms, right_ttl_ms)
            return RegularJoin(sides, weighted=is_updating(node), clock=settings.clock, ttls_ms=ttls_ms)


def _sides(node: Join, context: EvaluationContext) -> JoinSides:
    used = {*node.schema.names, *([] if node.condition is None else columns_of(node.condition))}
    left, right = (
        JoinSide(
            {one.name: polars_dtype(one.type) for one in below.schema.fields if one.name in used}
            or ({} if node.keys else {one.name: polars_dtype(one.type) for one in below.schema.fields[:1]}),
            [compile_expression(key.sides[side], context) for key in node.keys],
            side_states(node)[side],
        )
        for side, below in enumerate((node.left, node.right))
    )
    condition = None if node.condition is None else compile_expression(node.condition, context)
    nulls_meet = [key.nulls_meet for key in node.keys]
    return JoinSides(left, right, node.kind, condition, node.schema.names, nulls_meet)


def lookup_operator(
    node: LookupJoin, context: EvaluationContext, settings: Settings, memory: StateMemory | None
) -> LookupOperator:
    """Returns the operator of a lookup join, its table opened.

    Raises:
        UserError, EnvironmentFailure: The table cannot be looked up.
    """
    if settings.open_lookup is None:
        raise UserError(f"Table {node.table.table.name!r} cannot be looked up here")
    found = settings.open_lookup(node.table, [column for _, column in node.keys])
    condition = node.condition
    return LookupOperator(
        found.lookup,
        {column: compile_expression(value, context) for value, column in node.keys},
        {one.name: polars_dtype(one.type) for one in node.table.schema.fields},
        [
            LookedUpValue(one.name, compile_expression(one.expression, context), polars_dtype(one.expression.type))
            for one in node.values
        ],
        None if condition is None else compile_expression(condition, context),
        keeps_left=node.keeps_left,
        output=node.schema.names,
        clock=settings.clock,
        bounds=found.bounds,
        memory=memory,
    )
