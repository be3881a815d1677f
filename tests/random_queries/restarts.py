"""Jobs that are stopped between two batches and go on in a new one: the engine's own threads, readers and decoders.

What a job needs to go on is its pipeline's snapshot and the position behind the last piece of each split. Readers are
asked for a few bytes at a time, so that small files come in many pieces.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from unittest import mock

import polars as pl
from tests.pipeline_runs import through_ipc

from yeoul.engine.contract import Polled, Position, Reader, Sink, Source
from yeoul.engine.operators.contract import State
from yeoul.engine.runtime.execution import Execution
from yeoul.engine.runtime.progress import Progress
from yeoul.engine.runtime.queues import Run, Step
from yeoul.engine.runtime.settings import Settings
from yeoul.engine.runtime.side_streams import SideStreams
from yeoul.plan.nodes import Node, Scan, Write

__all__ = ["restarted_after"]

_PIECE_BYTES = 64


@contextlib.contextmanager
def restarted_after(batches: Sequence[int]) -> Iterator[None]:
    """Makes the jobs that are submitted meanwhile stop and go on after so many batches, each time counted anew."""

    def made(*arguments: object, **named: object) -> _Restarted:
        return _Restarted(batches, *arguments, **named)  # type: ignore[arg-type]

    with mock.patch("yeoul.jobs.launch.Execution", made):
        yield


class _Restarted:
    """Stands where an `Execution` does, and is several of them, one after the other."""

    def __init__(
        self,
        batches: Sequence[int],
        plan: Node | Sequence[Write],
        open_source: Callable[[Scan], Source],
        open_sink: Callable[[Write], Sink] | None,
        settings: Settings,
        side_streams: SideStreams | None,
        on_batch: Callable[[pl.DataFrame], None] | None,
    ) -> None:
        self._batches = list(batches)
        self._positions: dict[int, dict[str, Position]] = {}
        self._stopped = False

        def opened(scan: Scan) -> Source:
            lane = next(lane for lane, one in enumerate(self.scans) if one is scan)
            return _Moved(open_source(self._first.scans[lane]), self._positions.setdefault(lane, {}))

        def begun() -> _Once:
            return _Once(self._positions, plan, opened, open_sink, settings, side_streams, on_batch)

        self._begun = begun
        self._first = self._now = begun()

    @property
    def scans(self) -> tuple[Scan, ...]:
        return self._now.scans

    def run(self) -> None:
        for batches in self._batches:
            self._now.ends_after = batches
            self._now.run()
            if self._now.state is None or self._stopped:
                return
            state, self._now = self._now.state, self._begun()
            self._now.go_on_from(state)
        self._now.run()

    def stop(self) -> None:
        self._stopped = True
        self._now.stop()

    def progress(self) -> Progress:
        return self._now.progress()


class _Once(Execution):
    """An execution that stops after so many batches and keeps what the next one goes on from."""

    def __init__(self, positions: dict[int, dict[str, Position]], *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._positions = positions
        self.ends_after = 0
        self.state: Mapping[str, State] | None = None

    def go_on_from(self, state: Mapping[str, State]) -> None:
        self._pipeline.restore(state)

    def _take(self, step: Step) -> None:
        super()._take(step)
        if isinstance(step, Run):
            for part in step.parts:
                self._positions.setdefault(step.lane, {})[part.queue.split] = part.pieces[-1].position_after
            self.ends_after -= 1
            if self.ends_after == 0:
                parts = self._pipeline.snapshot()
                self.state = {
                    name: {part: through_ipc(frame) for part, frame in state.items()} for name, state in parts.items()
                }
                self.stop()


@dataclass(frozen=True, slots=True)
class _Moved:
    """A source that is opened where a job left it."""

    source: Source
    positions: Mapping[str, Position]

    @property
    def is_bounded(self) -> bool:
        return self.source.is_bounded

    def open(self, positions: Mapping[str, Position]) -> Reader:
        return _Slow(self.source.open({**self.positions, **positions}))


@dataclass(frozen=True, slots=True)
class _Slow:
    """A reader that is asked for little at a time."""

    reader: Reader

    def splits(self) -> Sequence[str]:
        return self.reader.splits()

    def poll(self, splits: Collection[str], max_bytes: int, timeout_s: float) -> Polled:
        return self.reader.poll(splits, min(max_bytes, _PIECE_BYTES), timeout_s)

    def wake(self) -> None:
        self.reader.wake()

    def close(self) -> None:
        self.reader.close()
