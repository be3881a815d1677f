"""Lines of windows."""

from __future__ import annotations

from yeoul.plan.explain.expressions import explain_duration
from yeoul.plan.explain.parts import (
    columns_text,
    explain_window,
    groups_text,
    names_text,
    order_text,
)
from yeoul.plan.nodes import Emission, Window, WindowAggregate, WindowAssign, WindowKind, WindowTopN

__all__ = ["window_aggregate_lines", "window_assign_lines", "window_top_n_lines"]


def window_aggregate_lines(node: WindowAggregate) -> list[str]:
    """Returns the lines of a window aggregate."""
    lines = [f"WindowAggregate({explain_window(node.window)})", *groups_text(node, "none, one row a window")]
    if node.properties:
        lines.append("window: " + ", ".join(f"{name} = its {value.value}" for name, value in node.properties))
    if node.emission is None:
        when = f"each window once, when the {_pacer(node.window)} reaches its end; then its state is dropped"
        return [*lines, f"emits: {when}"]
    return [*lines, f"emits: {_emission(node.emission)}"]


def window_assign_lines(node: WindowAssign) -> list[str]:
    """Returns the lines of a window's table function."""
    lines = [f"WindowAssign({explain_window(node.window)})", f"columns: {columns_text(node.schema)}"]
    if node.window.kind is WindowKind.SESSION:
        lines.append(f"emits: the rows of each session, when the {_pacer(node.window)} reaches its end")
    return lines


def window_top_n_lines(node: WindowTopN) -> list[str]:
    """Returns the lines of a Top-N for each window."""
    numbers = f"{node.first} to {node.last}" if node.first < node.last else str(node.first)
    lines = [
        f"WindowTopN(ROW_NUMBER {numbers}; partition: {names_text(node.partition)}; order: {order_text(node.order)})"
    ]
    if node.rank is not None:
        lines.append(f"rank: {node.rank}")
    return [
        *lines,
        f"emits: each window once, when the {_pacer(node.window)} reaches its end; then its state is dropped",
    ]


def _emission(emission: Emission) -> str:
    parts = ["each window when the watermark reaches its end"]
    if emission.early_ms is not None:
        parts.append(f"as it stands {_delay(emission.early_ms)} before")
    if emission.late_ms is not None:
        parts.append(f"again {_delay(emission.late_ms)} for {explain_duration(emission.lateness_ms)} after")
    return ", ".join(parts)


def _delay(delay_ms: int) -> str:
    return f"at most {explain_duration(delay_ms)} after a change" if delay_ms else "at each change"


def _pacer(window: Window) -> str:
    return "clock" if window.by_clock else "watermark"
