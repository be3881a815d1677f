"""Parts that the lines of several nodes have: columns, names, orders, windows, what is computed for each group."""

from __future__ import annotations

from yeoul.plan.explain.expressions import explain_aggregate_call, explain_duration, explain_expression
from yeoul.plan.nodes import Aggregate, Field, Projection, Schema, Window, WindowAggregate, WindowKind
from yeoul.plan.ordering import SortKey

__all__ = ["columns_text", "explain_window", "groups_text", "names_text", "order_text", "projection_text", "time_mark"]


def explain_window(window: Window) -> str:
    """Returns a window as text: its kind, its row time, its durations."""
    length = "gap" if window.kind is WindowKind.SESSION else "size"
    parts = [window.time_column, f"{length} {explain_duration(window.size_ms)}"]
    if window.kind is WindowKind.HOP:
        parts.append(f"slide {explain_duration(window.slide_ms)}")
    if window.kind is WindowKind.CUMULATE:
        parts.append(f"step {explain_duration(window.slide_ms)}")
    if window.offset_ms:
        parts.append(f"offset {explain_duration(window.offset_ms)}")
    if window.partition:
        parts.append(f"partition by {', '.join(window.partition)}")
    return f"{window.kind.value}: {', '.join(parts)}"


def columns_text(schema: Schema) -> str:
    """Returns columns with their types."""
    return ", ".join(f"{one.name} {one.type}{time_mark(one)}" for one in schema.fields)


def time_mark(field: Field) -> str:
    """Returns the word behind a column that is a time attribute; empty for others."""
    return " ROWTIME" if field.is_rowtime else " PROCTIME" if field.is_proctime else ""


def names_text(columns: tuple[str, ...]) -> str:
    """Returns names of columns, or that there are none."""
    return ", ".join(columns) or "none"


def order_text(keys: tuple[SortKey, ...]) -> str:
    """Returns what rows are ordered by."""
    return ", ".join(str(one) for one in keys) or "of arrival"


def projection_text(one: Projection) -> str:
    """Returns a column and what fills it, once if both are the same."""
    text = explain_expression(one.expression)
    return text if text == one.name else f"{one.name} = {text}"


def groups_text(node: Aggregate | WindowAggregate, without_keys: str) -> list[str]:
    """Returns the lines of keys and aggregates; `without_keys` says what no key means."""
    lines = [f"keys: {', '.join(projection_text(one) for one in node.keys) or without_keys}"]
    if node.aggregates:
        lines.append(
            "aggregates: " + ", ".join(f"{one.name} = {explain_aggregate_call(one.call)}" for one in node.aggregates)
        )
    return lines
