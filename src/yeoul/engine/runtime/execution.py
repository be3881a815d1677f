"""A plan being run: threads, queues and the order of things.

One reader thread a scan polls its source ahead; the decode pool turns pieces into prepared batches; the thread that
calls `run` owns the operators, the sink and the side streams and takes one step at a time. Nothing else is shared but
the intake and, under one lock, the operators' standing for `progress`.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from yeoul.engine.contract import Reader, Sink, Source
from yeoul.engine.operators.contract import START_OF_TIME
from yeoul.engine.operators.watermarks import InputState
from yeoul.engine.runtime.batches import decoded
from yeoul.engine.runtime.build import build
from yeoul.engine.runtime.intake import Intake
from yeoul.engine.runtime.outlets import Outlets
from yeoul.engine.runtime.progress import Progress, SplitProgress
from yeoul.engine.runtime.queues import LaneEnded, NewSplit, Run, SplitFinished, SplitIdle, SplitQueue, Step
from yeoul.engine.runtime.rounds import Rounds
from yeoul.engine.runtime.settings import Settings
from yeoul.engine.runtime.side_streams import DEAD, LATE, SideStreams, late_frame, timeless_frame
from yeoul.engine.runtime.stages import Effects
from yeoul.errors import YeoulError
from yeoul.plan.nodes import Node, Scan, Write

__all__ = ["Execution", "Progress", "Settings"]

_JOIN_S = 10.0
_SOON_S = 0.005
_LONGEST_WAIT_S = 3_600.0


@dataclass(slots=True)
class _Counts:
    records_in: int = 0
    rows_in: int = 0
    rows_out: int = 0
    bytes_in: int = 0
    batches: int = 0
    late: int = 0
    dead: int = 0
    latest_ms: int | None = None


@dataclass(frozen=True, slots=True)
class _Open:
    scan: Scan
    source: Source
    reader: Reader


class Execution:
    """One run of one plan.

    Args:
        plan: Bound and optimised. A plan that ends in `Write` goes to the sink, any other to `on_batch`; several that
            end in `Write` run as one and read each table once.
        open_source: Makes a scan's source.
        open_sink: Makes the sink of a `Write`.
        settings: Bounds, zone and clock.
        side_streams: Where late and dead rows are kept; None: they are counted only.
        on_batch: Takes the result's batches, on the thread of `run`; may block (back-pressure). Whoever blocks it has
            to let go for `stop` to end the run.

    Raises:
        UserError: The plan has something that cannot be computed.
    """

    def __init__(
        self,
        plan: Node | Sequence[Write],
        open_source: Callable[[Scan], Source],
        open_sink: Callable[[Write], Sink] | None = None,
        settings: Settings | None = None,
        side_streams: SideStreams | None = None,
        on_batch: Callable[[pl.DataFrame], None] | None = None,
    ) -> None:
        self._settings = settings or Settings()
        self._built = build(plan, self._settings)
        self._pipeline = self._built.pipeline
        self._open_source, self._open_sink = open_source, open_sink
        self._side_streams, self._on_batch = side_streams, on_batch
        self._intake = Intake(self._settings, self._settings.parallelism)
        self._lock = threading.Lock()
        self._counts = _Counts()
        self._inputs: list[_Open] = []
        self._sinks: list[Sink] = []
        self._rounds = Rounds(self._settings.trigger, self._settings.clock)
        self._outlets = Outlets(self._sinks, self._settings)
        self._threads: list[threading.Thread] = []
        self._status = "created"
        self._started: tuple[int, float] | None = None
        self._elapsed_s = 0.0
        self._stopping = False

    def run(self) -> None:
        """Runs until bounded inputs end, a LIMIT is reached or `stop` is called; to be called once.

        Raises:
            YeoulError: What went wrong, in whichever thread; everything is closed by then.
        """
        if self._status != "created":
            raise RuntimeError(f"An execution runs once, this one is {self._status}")
        clock = self._settings.clock
        self._started, self._status = (clock.now_ms(), clock.monotonic_s()), "running"
        try:
            if self._opened():
                self._take_steps()
                self._outlets.flush()
            self._status = "stopped" if self._stopping and not self._pipeline.is_done else "finished"
        except BaseException:
            self._status = "failed"
            raise
        finally:
            self._close()

    def stop(self) -> None:
        """Ends the run soon, from any thread; what was written is flushed, open windows are not given out."""
        self._stopping = True
        self._intake.stop()

    @property
    def scans(self) -> tuple[Scan, ...]:
        """What it reads: `open_source` is asked for each of these."""
        return self._built.scans

    def progress(self) -> Progress:
        """Returns where the run stands; from any thread."""
        waiting = {(queue.lane, queue.split): queue for queue in self._intake.queues()}
        with self._lock:
            counts, watermark_ms = self._counts, self._pipeline.watermark_ms
            splits = tuple(self._split_progress(waiting))
            return Progress(
                status=self._status,
                records_in=counts.records_in,
                rows_in=counts.rows_in,
                rows_out=counts.rows_out,
                bytes_in=counts.bytes_in,
                batches=counts.batches,
                late=counts.late,
                dead=counts.dead,
                watermark_ms=_known(watermark_ms),
                latest_ms=counts.latest_ms,
                held_by=_held_by(splits),
                splits=splits,
                started_ms=self._started[0] if self._started else None,
                elapsed_s=self._elapsed(),
                operators=tuple(self._pipeline.states()),
            )

    # The job's own thread

    def _opened(self) -> bool:
        """Opens sink and sources; False if the run was stopped meanwhile, which ends their waits with an error."""
        try:
            self._open()
        except YeoulError:
            if not self._stopping:
                raise
            return False
        return True

    def _open(self) -> None:
        for write in self._built.writes:
            if self._open_sink is None:
                raise RuntimeError("A plan that writes needs open_sink")
            self._sinks.append(self._open_sink(write))
        lanes = self._pipeline.lanes
        for scan in self._built.scans:
            source = self._open_source(scan)
            self._inputs.append(_Open(scan, source, source.open({})))
        aligned = {
            name: -1 - index for index, name in enumerate({lane.alignment[0] for lane in lanes if lane.alignment})
        }
        for lane, group, one in zip(lanes, self._pipeline.groups, self._inputs, strict=True):
            self._intake.add_lane(
                lane.assign is not None,
                lane.idle_timeout_ms,
                one.reader.wake,
                len(lanes),
                group=aligned[lane.alignment[0]] if lane.alignment else group,
                max_drift_ms=lane.alignment[1] if lane.alignment else None,
            )
        for index, one in enumerate(self._inputs):
            self._intake.register(index, one.reader.splits())
        for index, one in enumerate(self._inputs):
            self._spawn(f"yeoul-read-{one.scan.table.name}", functools.partial(self._read, index))
        if self._inputs:
            for number in range(self._settings.parallelism):
                self._spawn(f"yeoul-decode-{number}", self._decode_runs)

    def _spawn(self, name: str, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except BaseException as error:
                if not self._stopping:
                    self._intake.fail(error)

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _take_steps(self) -> None:
        self._carry_out(self._locked(self._pipeline.start), None)
        while not self._pipeline.is_done and not self._stopping:
            rest_s = self._rounds.rest_s(self._intake)
            if rest_s is not None:
                self._end_round()
                self._intake.rest(rest_s)
                continue
            step = self._next_step()
            if step is not None:
                self._take(step)
            if self._wake_in_s() == 0.0:
                self._carry_out(self._locked(lambda: self._pipeline.wake(self._settings.clock.now_ms())), None)
            self._outlets.flush_if_due()
        if self._settings.trigger.has_rounds:
            self._carry_out(self._locked(self._pipeline.end_round), None)

    def _end_round(self) -> None:
        """Gives what the clock ends and what the round has changed, and makes safe what was written, if anything."""
        if self._wake_in_s() == 0.0:
            self._carry_out(self._locked(lambda: self._pipeline.wake(self._settings.clock.now_ms())), None)
        self._carry_out(self._locked(self._pipeline.end_round), None)
        self._outlets.flush_if_written()

    def _next_step(self) -> Step | None:
        """Waits for a step, or until something else is due; before it waits it writes what is kept."""
        if self._outlets.keeps:
            step = self._intake.next(0.0)
            if step is not None:
                return step
            self._outlets.write()
        timeout_s = _sooner(self._outlets.flush_in_s(), self._wake_in_s())
        return self._intake.next(_sooner(timeout_s, self._rounds.wait_s))

    def _take(self, step: Step) -> None:
        pipeline = self._pipeline
        match step:
            case Run():
                self._take_run(step)
            case NewSplit(lane, split):
                with self._lock:
                    pipeline.add_split(lane, split)
            case SplitIdle(lane, split):
                self._carry_out(self._locked(lambda: pipeline.set_idle(lane, split)), None)
            case SplitFinished(lane, split):
                self._carry_out(self._locked(lambda: pipeline.finish_split(lane, split)), None)
            case LaneEnded(lane):
                self._carry_out(self._locked(lambda: pipeline.end_lane(lane)), None)

    def _locked(self, change: Callable[[], Effects]) -> Effects:
        with self._lock:
            return change()

    def _take_run(self, run: Run) -> None:
        if run.is_open:
            self._decode(run)
        if run.error is not None:
            raise run.error
        prepared, lane = run.prepared, run.lane
        assert prepared is not None
        with self._lock:
            counts = self._counts
            effects = self._pipeline.process(lane, run.parts[0].queue.split, prepared)
            counts.batches += 1
            counts.records_in += prepared.source.records
            counts.rows_in += prepared.source.frame.height
            counts.bytes_in += run.size_bytes
            if prepared.latest_ms is not None:
                counts.latest_ms = max(prepared.latest_ms, counts.latest_ms or START_OF_TIME)
        self._set_aside_dead(run)
        self._carry_out(effects, run)
        self._intake.done(run)

    def _carry_out(self, effects: Effects, run: Run | None) -> None:
        for lane in effects.ended:
            self._intake.drop(lane)
        for operator, late in effects.late:
            if run is not None and run.prepared is not None and self._side_streams is not None:
                table = self._built.scans[run.lane].table
                self._side_streams.append(table.name, LATE, late_frame(table, operator, late, run.prepared.source))
            self._counts.late += late.frame.height
        for rows, output in zip(effects.rows, effects.outputs, strict=True):
            if self._sinks:
                self._outlets.add(output, rows)
            elif self._on_batch is not None and not self._stopping:
                self._on_batch(rows)
            self._counts.rows_out += rows.height

    def _set_aside_dead(self, run: Run) -> None:
        assert run.prepared is not None
        prepared, lane = run.prepared, self._pipeline.lanes[run.lane]
        table = self._built.scans[run.lane].table
        dead = [] if prepared.source.dead is None else [prepared.source.dead.frame]
        if prepared.dead is not None and lane.assign is not None:
            dead.append(timeless_frame(lane.assign.column, prepared.source, prepared.dead))
        for frame in dead:
            if self._side_streams is not None:
                self._side_streams.append(table.name, DEAD, frame)
            self._counts.dead += frame.height

    def _wake_in_s(self) -> float | None:
        """How long until an operator wants to know the time."""
        wake_at_ms = self._pipeline.wake_at_ms
        if wake_at_ms is None:
            return None
        return min(_LONGEST_WAIT_S, max(0.0, (wake_at_ms - self._settings.clock.now_ms()) / 1_000))

    def _close(self) -> None:
        self._stopping = True
        self._intake.stop()
        for thread in self._threads:
            thread.join(_JOIN_S)
        for one in self._inputs:
            with contextlib.suppress(Exception):
                one.reader.close()
        with contextlib.ExitStack() as closing:
            for sink in self._sinks:
                closing.callback(sink.close)
        if self._built.memory is not None:
            self._built.memory.close()
        self._elapsed_s, self._started = self._elapsed(), self._started
        if self._side_streams is not None:
            self._side_streams.flush()

    # Reader threads and the decode pool

    def _read(self, lane: int) -> None:
        one, intake = self._inputs[lane], self._intake
        timeout_s = self._poll_timeout_s(lane)
        finished: set[str] = set()
        while True:
            splits = one.reader.splits()
            intake.register(lane, splits)
            if one.source.is_bounded and finished.issuperset(splits):
                intake.end(lane)
                return
            request = intake.room(lane)
            if request is None:
                return
            before_s = time.monotonic()
            polled = one.reader.poll(request.splits, request.max_bytes, timeout_s)
            finished |= polled.finished
            intake.offer(lane, polled)
            if not polled.pieces and not polled.finished and time.monotonic() - before_s < min(_SOON_S, timeout_s):
                intake.pause(lane, min(_SOON_S, timeout_s))

    def _poll_timeout_s(self, lane: int) -> float:
        """Short enough to notice in good time that a split stays quiet."""
        timeout_ms = float(self._settings.poll_timeout_ms)
        idle_ms = self._pipeline.lanes[lane].idle_timeout_ms
        return (timeout_ms if idle_ms is None else max(10.0, min(timeout_ms, idle_ms / 4))) / 1_000

    def _decode_runs(self) -> None:
        while (run := self._intake.claim()) is not None:
            self._decode(run)
            self._intake.complete(run)

    def _decode(self, run: Run) -> None:
        try:
            source = decoded(run.pieces)
            run.prepared = self._pipeline.lanes[run.lane].prepare(source)
        except Exception as error:
            run.error = error

    # Progress

    def _elapsed(self) -> float:
        if self._started is None or self._status not in ("running",):
            return self._elapsed_s
        return self._settings.clock.monotonic_s() - self._started[1]

    def _split_progress(self, waiting: Mapping[tuple[int, str], SplitQueue]) -> list[SplitProgress]:
        rows: list[SplitProgress] = []
        for (lane, split), queue in waiting.items():
            assign = self._pipeline.lanes[lane].assign
            inputs = {} if assign is None else assign.splits.inputs()
            value_ms, state = inputs.get(split, (START_OF_TIME, InputState.ACTIVE))
            finished = queue.finished and queue.is_empty and not queue.queued_bytes
            rows.append(
                SplitProgress(
                    table=self._built.scans[lane].table.name,
                    split=split,
                    state="finished" if finished else state.value,
                    watermark_ms=_known(value_ms),
                    lag=queue.lag,
                    queued_bytes=queue.queued_bytes,
                    position=queue.position,
                    holds_watermark=assign is not None and assign.splits.holder() == split,
                )
            )
        return rows


def _sooner(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else min(one, other)


def _known(watermark_ms: int) -> int | None:
    return None if watermark_ms == START_OF_TIME else watermark_ms


def _held_by(splits: tuple[SplitProgress, ...]) -> str | None:
    """Names the split that is furthest behind of those that hold their table's watermark."""
    holders = [one for one in splits if one.holds_watermark]
    if not holders:
        return None
    one = min(holders, key=lambda each: START_OF_TIME if each.watermark_ms is None else each.watermark_ms)
    if one.watermark_ms is None:
        return f"split {one.split!r} of {one.table!r} has given no row yet"
    return f"split {one.split!r} of {one.table!r} has come to {_time_text(one.watermark_ms)}"


def _time_text(instant_ms: int) -> str:
    try:
        return str(pl.Series([instant_ms]).cast(pl.Datetime("ms")).dt.to_string("%Y-%m-%d %H:%M:%S%.3f")[0])
    except pl.exceptions.PolarsError:
        return f"{instant_ms} ms"
