"""The options of `frame`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yeoul.connectors.options import Option, text
from yeoul.connectors.spec import ConnectorContext, ConnectorSpec

if TYPE_CHECKING:
    from yeoul.engine.contract import Source
    from yeoul.plan.nodes import Scan

__all__ = ["FRAME", "FRAME_NAME"]

FRAME_NAME: Option[str | None] = Option(
    "frame.name", text, None, "The frame's name; the table's own if absent.", is_own=True
)


def _make_source(scan: Scan, context: ConnectorContext) -> Source:
    from yeoul.connectors.frame.source import FrameSource

    return FrameSource(scan, FRAME_NAME.read(scan.options) or scan.table.name, context.frames)


FRAME = ConnectorSpec(
    name="frame",
    options=(FRAME_NAME,),
    doc="Reads a frame that was given by name, to its end.",
    make_source=_make_source,
)
