"""Charts of the pages: thin wrappers that keep one ECharts object each and replace its data."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from yeoul.console.theme import PALETTE

__all__ = ["Bars", "Lines", "StackedBars"]

_AXIS = {"axisLine": {"lineStyle": {"color": "#1e2a3a"}}, "axisLabel": {"color": "#8b98a9", "fontSize": 11}}
_SPLIT = {"splitLine": {"lineStyle": {"color": "#1e2a3a"}}}


def _base(legend: bool) -> dict[str, object]:
    return {
        "animation": False,
        "color": list(PALETTE),
        "grid": {"left": 52, "right": 12, "top": 30 if legend else 12, "bottom": 24},
        "legend": {"show": legend, "top": 0, "textStyle": {"color": "#8b98a9", "fontSize": 11}, "itemHeight": 8},
        "tooltip": {"trigger": "axis", "backgroundColor": "#121a26", "textStyle": {"color": "#e6edf3"}},
    }


class Lines:
    """One or more lines over the same times; each series filled a little."""

    def __init__(self, names: Sequence[str], maximum: float | None = None) -> None:
        self._names = tuple(names)
        options = _base(legend=len(names) > 1) | {
            "xAxis": {"type": "category", "data": [], "boundaryGap": False, **_AXIS},
            "yAxis": {"type": "value", "max": maximum, **_AXIS, **_SPLIT},
            "series": [],
        }
        self._chart = ui.echart(options).classes("y-chart")

    def show(self, labels: list[str], values: Sequence[list[float]]) -> None:
        """Replaces the data: one list of values a series, as long as the labels."""
        self._chart.options["xAxis"]["data"] = labels
        self._chart.options["series"] = [
            {"name": name, "type": "line", "data": data, "showSymbol": False, "areaStyle": {"opacity": 0.12}}
            for name, data in zip(self._names, values, strict=True)
        ]
        self._chart.update()


class StackedBars:
    """Bars of parts, one bar a label."""

    def __init__(self) -> None:
        options = _base(legend=True) | {
            "xAxis": {"type": "category", "data": [], **_AXIS},
            "yAxis": {"type": "value", **_AXIS, **_SPLIT},
            "series": [],
        }
        self._chart = ui.echart(options).classes("y-chart")

    def show(self, labels: list[str], parts: dict[str, list[float]]) -> None:
        """Replaces the data: for each part's name its share of every bar."""
        self._chart.options["xAxis"]["data"] = labels
        self._chart.options["series"] = [
            {"name": name, "type": "bar", "stack": "all", "data": data, "barCategoryGap": "30%"}
            for name, data in parts.items()
        ]
        self._chart.update()


class Bars:
    """Horizontal bars, the first one on top."""

    def __init__(self) -> None:
        options = _base(legend=False) | {
            "xAxis": {"type": "value", **_AXIS, **_SPLIT},
            "yAxis": {"type": "category", "inverse": True, "data": [], **_AXIS},
            "series": [],
        }
        self._chart = ui.echart(options).classes("y-chart")

    def show(self, labels: list[str], values: list[float]) -> None:
        """Replaces the data."""
        self._chart.options["yAxis"]["data"] = labels
        self._chart.options["series"] = [{"type": "bar", "data": values, "itemStyle": {"borderRadius": 3}}]
        self._chart.update()
