"""GROUP BY without windows and INTERSECT/EXCEPT as operators."""

from __future__ import annotations

import polars as pl

from yeoul.engine.compile.aggregates import compile_aggregates, compile_distinct, split_distinct
from yeoul.engine.compile.aggregates.python import python_over_nothing
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.expressions import EvaluationContext, compile_expression
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.contract import Operator
from yeoul.engine.operators.groups.aggregate import Aggregate as AggregateOperator
from yeoul.engine.operators.groups.group_aggregate import GroupAggregate
from yeoul.engine.operators.groups.set_operation import SetOperation as SetOperator
from yeoul.engine.runtime.build.rows import dtypes_of
from yeoul.engine.runtime.settings import Settings
from yeoul.plan.changelog import is_updating
from yeoul.plan.expressions import AggregateCall
from yeoul.plan.functions.aggregates import value_over_nothing
from yeoul.plan.functions.python import is_python
from yeoul.plan.nodes import Aggregate, SetOperation

__all__ = ["aggregate_operator", "set_operator"]


def aggregate_operator(
    node: Aggregate, context: EvaluationContext, settings: Settings, *, gives_before: bool
) -> Operator:
    """Returns what computes a GROUP BY: as changes, or once at the end."""
    retracts = node.updating and is_updating(node.input)
    weight = WEIGHT if retracts else None
    keys = [(key.name, compile_expression(key.expression, context)) for key in node.keys]
    if not node.updating:
        aggregates = compile_aggregates(node.aggregates, context, weight)
        return AggregateOperator(keys, aggregates, _over_nothing(node, context), node.schema.names)
    plain, sharing = split_distinct(node.aggregates, weighted=retracts)
    return GroupAggregate(
        keys,
        compile_aggregates(plain, context, weight),
        node.schema.names,
        retracts=retracts,
        clock=settings.clock,
        ttl_ms=settings.ttl_of(node.ttl_ms),
        over_nothing=_over_nothing(node, context) if node.over_nothing else None,
        distinct=compile_distinct(sharing, context, weight),
        gives_before=gives_before,
    )


def _over_nothing(node: Aggregate, context: EvaluationContext) -> pl.DataFrame:
    """Returns the row that aggregates without keys give over no rows."""
    return pl.DataFrame({one.name: _nothing(one.call, context, bool(node.keys)) for one in node.aggregates})


def _nothing(call: AggregateCall, context: EvaluationContext, is_keyed: bool) -> pl.Series:
    if is_python(call.function) and not is_keyed:
        return python_over_nothing(call, context.time_zone)
    return pl.Series([value_over_nothing(call.function, call.type)], dtype=polars_dtype(call.type))


def set_operator(node: SetOperation, settings: Settings) -> SetOperator:
    """Returns what computes INTERSECT or EXCEPT."""
    return SetOperator(
        dtypes_of(node.schema),
        node.kind,
        keeps_doubles=node.keeps_doubles,
        weighted=is_updating(node),
        clock=settings.clock,
        ttl_ms=settings.state_ttl_ms,
    )
