"""The options of `side-stream`; written by the catalog, not by people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yeoul.connectors.options import Option, choice, text
from yeoul.connectors.spec import ConnectorContext, ConnectorSpec

if TYPE_CHECKING:
    from yeoul.engine.contract import Source
    from yeoul.plan.nodes import Scan

__all__ = ["KIND", "PATH", "SIDE_STREAM", "TABLE"]

PATH: Option[str] = Option("path", text, "", "The directory of the side streams.", required=True)
TABLE: Option[str] = Option("table", text, "", "The table whose rows were set aside.", required=True)
KIND: Option[str] = Option("kind", choice(("late", "dead")), "late", "Which of its rows.", required=True)


def _make_source(scan: Scan, context: ConnectorContext) -> Source:
    from yeoul.connectors.side_stream.source import SideStreamSource

    return SideStreamSource(scan, PATH.read(scan.options), TABLE.read(scan.options), KIND.read(scan.options))


SIDE_STREAM = ConnectorSpec(
    name="side-stream",
    options=(PATH, TABLE, KIND),
    doc="Reads what was set aside: late rows, dead records.",
    make_source=_make_source,
)
