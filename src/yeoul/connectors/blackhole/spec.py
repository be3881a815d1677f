"""The options of `blackhole`: none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yeoul.connectors.spec import ConnectorContext, ConnectorSpec, told_of_changes

if TYPE_CHECKING:
    from yeoul.engine.contract import Sink
    from yeoul.plan.nodes import Write

__all__ = ["BLACKHOLE"]


def _make_sink(write: Write, context: ConnectorContext) -> Sink:
    from yeoul.connectors.blackhole.sink import BlackholeSink

    return BlackholeSink()


BLACKHOLE = ConnectorSpec(
    name="blackhole",
    options=(),
    doc="Takes every row and keeps none.",
    make_sink=_make_sink,
    takes=told_of_changes,
)
