"""The look of every page: colours, type, and the building blocks of pages. Nothing is fetched from outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from nicegui import ui

__all__ = ["PALETTE", "Table", "Tile", "apply", "header", "panel"]

PALETTE = ("#4cc9f0", "#80ed99", "#ffd166", "#f78c6b", "#c77dff", "#ff5d8f", "#8d99ae", "#48bfe3")

_CSS = """
:root { --ink: #e6edf3; --dim: #8b98a9; --ground: #0b1018; --panel: #121a26; --line: #1e2a3a; --accent: #4cc9f0;
        --warn: #ffd166; --bad: #ff5d8f; }
body { background: var(--ground); color: var(--ink); font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
.nicegui-content { padding: 18px 22px; gap: 14px; max-width: 1560px; margin: 0 auto; }
.y-head { display: flex; width: 100%; align-items: baseline; gap: 14px; }
.y-name { font-size: 26px; font-weight: 700; letter-spacing: .5px; color: var(--accent); }
.y-say { color: var(--dim); font-size: 14px; flex: 1; }
.y-live { font-size: 13px; color: var(--dim); font-variant-numeric: tabular-nums; }
.y-tiles { display: grid; width: 100%; gap: 14px; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); }
.y-tile, .y-panel { background: var(--panel); border: 1px solid var(--line); border-radius: 10px; }
.y-tile { padding: 12px 16px; }
.y-label { color: var(--dim); font-size: 12px; text-transform: uppercase; letter-spacing: .7px; }
.y-value { font-size: 28px; font-weight: 600; font-variant-numeric: tabular-nums; line-height: 1.3; }
.y-note { color: var(--dim); font-size: 12px; font-variant-numeric: tabular-nums; min-height: 17px; }
.y-grid { display: grid; width: 100%; gap: 14px; grid-template-columns: repeat(12, 1fr); }
.y-panel { padding: 12px 16px; min-width: 0; overflow-x: auto; }
.y-title { font-size: 14px; font-weight: 600; margin-bottom: 2px; }
.y-chart { width: 100%; height: 230px; }
.y-table { width: 100%; border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
.y-table th { text-align: left; color: var(--dim); font-weight: 500; padding: 5px 10px 5px 0; }
.y-table td { padding: 4px 10px 4px 0; border-top: 1px solid var(--line); max-width: 290px; overflow: hidden;
              text-overflow: ellipsis; white-space: nowrap; }
.y-table .n { text-align: right; }
.y-empty { color: var(--dim); font-size: 13px; padding: 8px 0; }
@media (max-width: 900px) { .y-panel { grid-column: span 12 !important; } }
"""


def apply() -> None:
    """Gives the page being built the common look; call it first."""
    ui.add_css(_CSS)
    ui.dark_mode(True)


def header(say: str) -> ui.label:
    """Draws the name and one sentence; returns the label at the right, for what is live."""
    with ui.element("div").classes("y-head"):
        ui.label("yeoul").classes("y-name")
        ui.label(say).classes("y-say")
        return ui.label("connecting").classes("y-live")


class Tile:
    """One large number with a label above and a note below."""

    def __init__(self, label: str) -> None:
        with ui.element("div").classes("y-tile"):
            ui.label(label).classes("y-label")
            self._value = ui.label("-").classes("y-value")
            self._note = ui.label("").classes("y-note")

    def show(self, value: str, note: str = "") -> None:
        """Replaces number and note."""
        self._value.set_text(value)
        self._note.set_text(note)


@contextmanager
def panel(title: str, span: int) -> Iterator[None]:
    """A titled box, `span` of the grid's twelve columns wide; what is built inside the block goes into it."""
    with ui.element("div").classes("y-panel").style(f"grid-column: span {span}"):
        ui.label(title).classes("y-title")
        yield


class Table:
    """A plain table; columns whose name begins with `#` hold numbers and are set to the right."""

    def __init__(self, columns: tuple[str, ...], empty: str) -> None:
        self._columns = tuple((name.lstrip("#"), name.startswith("#")) for name in columns)
        self._empty = empty
        self._body = ui.html("", sanitize=False)
        self.show([])

    def show(self, rows: Sequence[tuple[str, ...]]) -> None:
        """Replaces the rows; every cell is text and is escaped."""
        if not rows:
            self._body.set_content(f'<div class="y-empty">{_escape(self._empty)}</div>')
            return
        head = "".join(f'<th class="{"n" if number else ""}">{_escape(name)}</th>' for name, number in self._columns)
        body = "".join(
            "<tr>"
            + "".join(
                f'<td class="{"n" if number else ""}">{_escape(cell)}</td>'
                for cell, (_, number) in zip(row, self._columns, strict=True)
            )
            + "</tr>"
            for row in rows
        )
        self._body.set_content(f'<table class="y-table"><tr>{head}</tr>{body}</table>')


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
