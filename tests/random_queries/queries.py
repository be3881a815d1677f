"""What a query may be made of, by the names that the large runs count."""

from __future__ import annotations

from tests.random_queries import (
    grouping,
    joining,
    over,
    ranking,
    rows,
    setting_aside,
    subqueries,
    temporal,
    windowing,
)
from tests.random_queries.grammar import Production

__all__ = ["OF_MANY_KEYS", "PRODUCTIONS"]

PRODUCTIONS: dict[str, Production] = {
    "SELECT": rows.select,
    "GROUP BY": grouping.aggregate,
    "join": joining.join,
    "window aggregate": windowing.window_aggregate,
    "Top-N": ranking.top_n,
    "set operation": rows.set_operation,
    "window in GROUP BY": windowing.group_window,
    "interval join": joining.interval_join,
    "window join": joining.window_join,
    "OVER": over.over,
    "EXISTS": subqueries.exists,
    "IN": subqueries.in_,
    "scalar subquery": subqueries.scalar,
    "deduplication": ranking.deduplicated,
    "DISTINCT": rows.distinct,
    "window Top-N": ranking.window_top_n,
    "ORDER BY, LIMIT": rows.limited,
    "window rows": windowing.window_rows,
    "UNNEST": rows.unnested,
    "temporal join": temporal.temporal_join,
    "lookup join": temporal.lookup_join,
    "window by the clock": windowing.clock_window,
    "deduplication by the clock": ranking.clock_deduplicated,
    "OVER by the clock": over.clock_over,
    "VALUES": rows.values,
    "windows twice": windowing.window_over_window,
    "ALL, ANY": subqueries.quantified,
    "IN, EXISTS as values": subqueries.asked,
    "LATERAL": subqueries.lateral,
    "rows set aside": setting_aside.judged,
}
"""The first is the simplest."""

OF_MANY_KEYS = (
    "window aggregate",
    "window in GROUP BY",
    "window by the clock",
    "windows twice",
    "window Top-N",
    "GROUP BY",
    "DISTINCT",
    "deduplication",
    "Top-N",
    "OVER",
    "rows set aside",
    "SELECT",
)
"""What is asked of tables with many keys: nothing that gives pairs of their rows."""
