"""Grouped queries: what is grouped (groups), expressions over it (expressions), the query as a whole (select)."""

from yeoul.planner.binding.grouping.select import bind_grouped, distinct, is_grouped

__all__ = ["bind_grouped", "distinct", "is_grouped"]
