"""Operators of changes at the edges: upserts that come in, keys that several rows want."""

from __future__ import annotations

from yeoul.engine.operators.changes import materialize as sink_materialize
from yeoul.engine.operators.changes.normalize import ChangelogNormalize as NormalizeOperator
from yeoul.engine.operators.contract import Operator
from yeoul.engine.runtime.build.rows import dtypes_of
from yeoul.engine.runtime.settings import Settings
from yeoul.plan.encoding import Conflict
from yeoul.plan.nodes import ChangelogNormalize, SinkMaterialize

__all__ = ["materialize_operator", "normalize_operator"]


def normalize_operator(node: ChangelogNormalize, settings: Settings) -> NormalizeOperator:
    """Returns what makes changes of upserts."""
    return NormalizeOperator(dtypes_of(node.schema), node.key, clock=settings.clock, ttl_ms=settings.state_ttl_ms)


def materialize_operator(node: SinkMaterialize, settings: Settings) -> Operator:
    """Returns what keeps one row for each key of a table."""
    columns, clock, ttl_ms = dtypes_of(node.schema), settings.clock, settings.state_ttl_ms
    if node.conflict is Conflict.NOTHING:
        return sink_materialize.FirstRows(columns, node.key, node.own, clock=clock, ttl_ms=ttl_ms)
    strict = node.conflict is Conflict.ERROR
    return sink_materialize.LatestRows(columns, node.key, node.table, strict=strict, clock=clock, ttl_ms=ttl_ms)
