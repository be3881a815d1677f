"""The options of `print`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yeoul.connectors.options import Option, flag
from yeoul.connectors.spec import ConnectorContext, ConnectorSpec, told_of_changes

if TYPE_CHECKING:
    from yeoul.engine.contract import Sink
    from yeoul.plan.nodes import Write

__all__ = ["IDENTIFIER", "PRINT", "STANDARD_ERROR"]

IDENTIFIER: Option[str] = Option("print-identifier", str, "", "Stands before each row, as 'ID> '.")
STANDARD_ERROR: Option[bool] = Option("standard-error", flag, False, "Whether to print to standard error.")


def _make_sink(write: Write, context: ConnectorContext) -> Sink:
    from yeoul.connectors.print.sink import PrintSink

    stream = context.error_output if STANDARD_ERROR.read(write.options) else context.output
    return PrintSink(write.table, IDENTIFIER.read(write.options), stream)


PRINT = ConnectorSpec(
    name="print",
    options=(IDENTIFIER, STANDARD_ERROR),
    doc="Shows each row in the terminal.",
    make_sink=_make_sink,
    takes=told_of_changes,
)
