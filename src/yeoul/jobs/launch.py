"""Turns a plan into something that runs: its sources and sink opened as objects, its execution made, nothing started.

What is wrong with a table (an unreadable file, a connector that only writes) is an error here, before anything runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from yeoul.connectors.lookups import ALL_ROWS, WholeTable, cache_bounds
from yeoul.connectors.registry import ConnectorContext, open_lookup, open_sink, open_source
from yeoul.engine.contract import CacheBounds
from yeoul.engine.runtime.execution import Execution
from yeoul.engine.runtime.progress import Progress
from yeoul.engine.runtime.settings import LookedUp, Settings
from yeoul.plan.nodes import Limit, Node, Scan, Write, walk

if TYPE_CHECKING:
    from yeoul.engine.contract import Source
    from yeoul.engine.runtime.side_streams import SideStreams
    from yeoul.jobs.buffer import BatchBuffer

__all__ = ["Launch", "launch"]


@dataclass(frozen=True, slots=True)
class Launch:
    """A plan, ready to run; what `yeoul.jobs.job.Job` runs.

    Attributes:
        execution: The engine's side.
        context: The connectors' side; its `stopping` ends waits inside `open`.
        is_bounded: Whether it ends by itself.
        let_go: Frees an `on_batch` that waits, so that the run can end.
    """

    execution: Execution
    context: ConnectorContext
    is_bounded: bool
    let_go: Callable[[], None]

    def run(self) -> None:
        self.execution.run()

    def stop(self) -> None:
        self.context.stopping.set()
        self.let_go()
        self.execution.stop()

    def progress(self) -> Progress:
        return self.execution.progress()


def launch(
    plan: Node | Sequence[Write],
    context: ConnectorContext,
    settings: Settings,
    side_streams: SideStreams,
    buffer: BatchBuffer | None = None,
) -> Launch:
    """Returns a plan as something to run.

    Args:
        plan: A query, a query under a Write, or several of these that run as one.
        context: What connectors may use; one of its own for each job.
        settings: The engine's.
        side_streams: Where late and dead rows go.
        buffer: Takes the rows of a plan that does not end in a Write.

    Raises:
        YeoulError: A table cannot be read or written.
    """
    sources: dict[int, Source] = {}
    execution = Execution(
        plan,
        lambda scan: sources[id(scan)],
        lambda write: open_sink(write, context),
        replace(settings, open_lookup=lambda scan, keys: _looked_up(scan, keys, context)),
        side_streams,
        buffer.put if buffer is not None else None,
    )
    sources.update((id(scan), open_source(scan, context)) for scan in execution.scans)
    plans = plan if isinstance(plan, Sequence) else (plan,)
    is_bounded = all(source.is_bounded for source in sources.values()) or all(
        any(isinstance(node, Limit) for node in walk(one)) for one in plans
    )
    return Launch(execution, context, is_bounded, buffer.abandon if buffer is not None else lambda: None)


def _looked_up(scan: Scan, keys: Sequence[str], context: ConnectorContext) -> LookedUp:
    lookup = open_lookup(scan, keys, context)
    if isinstance(lookup, WholeTable):
        return LookedUp(lookup, CacheBounds(max_rows=ALL_ROWS))
    return LookedUp(lookup, cache_bounds(scan.options))
