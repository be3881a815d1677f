"""A plan as text for people: what `EXPLAIN` prints. Nothing here runs anything.

One line a node, inputs indented below; then, for each table that is read by event time, what becomes of late rows and
of rows that do not decode. `EXPLAIN CHANGELOG | STATE | WATERMARK` prints the same tree with one property a node.
"""

from __future__ import annotations

from yeoul.plan.explain.details import ExplainDetail, explain_details
from yeoul.plan.explain.expressions import explain_duration, explain_expression
from yeoul.plan.explain.parts import explain_window
from yeoul.plan.explain.tree import explain

__all__ = ["ExplainDetail", "explain", "explain_details", "explain_duration", "explain_expression", "explain_window"]
