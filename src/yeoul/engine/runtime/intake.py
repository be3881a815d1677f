"""What waits between the sources' reader threads, the decode pool and the operators: one lock, three conditions.

Readers `offer` pieces and ask for `room`; decoders `claim` runs (consecutive pieces of one split, small ones joined)
and `complete` them; the job's own thread takes the `next` step. Invariants:

- Runs of a split are taken in the order in which their pieces were polled.
- When several splits have something, the one furthest behind in event time goes first: for decoding as for taking.
- What waits is bounded in bytes, lane by lane; a single piece may exceed the bound, never two.
- A run that nobody has begun is decoded by the thread that needs it, so a lone row changes threads once only.
- A split is idle only after polls, over the whole idle time-out, that found it at its end while nothing of it waited
  here; a split that is not polled for want of room is never idle.
- A split's end is told after its last run, a lane's end after all its splits.

Nothing polls: every wait is for a condition, and whoever changes what is waited for says so.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from yeoul.clock import Clock
from yeoul.engine.contract import Fetched, Polled, Position
from yeoul.engine.operators.contract import START_OF_TIME
from yeoul.engine.runtime.pipeline import Prepared
from yeoul.engine.runtime.settings import Settings

__all__ = ["Intake", "LaneEnded", "NewSplit", "Request", "Run", "SplitFinished", "SplitIdle", "SplitQueue", "Step"]

_MOST_PIECES = 1_024


@dataclass(slots=True, eq=False)
class SplitQueue:
    """One split: what waits of it, and where it stands. Changed under the intake's lock only."""

    lane: int
    split: str
    waiting: deque[tuple[int, Fetched]] = field(default_factory=deque)
    runs: deque[Run] = field(default_factory=deque)
    queued_bytes: int = 0
    taken_ms: int = START_OF_TIME
    ahead_ms: int = START_OF_TIME
    position: Position = None
    lag: int | None = None
    at_end: bool = False
    finished: bool = False
    told_finished: bool = False
    in_hands: bool = False
    is_idle: bool = False
    quiet_since_s: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing of it waits, is decoded or is in the operators' hands."""
        return not self.waiting and not self.runs and not self.in_hands


@dataclass(slots=True, eq=False)
class Run:
    """Consecutive pieces of one split, decoded as one batch.

    Attributes:
        number: The arrival number of its first piece.
        prepared: What became of it; None until then.
        error: What went wrong instead.
    """

    queue: SplitQueue
    number: int
    pieces: list[Fetched]
    size_bytes: int
    prepared: Prepared | None = None
    error: BaseException | None = None
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class NewSplit:
    lane: int
    split: str


@dataclass(frozen=True, slots=True)
class SplitIdle:
    lane: int
    split: str


@dataclass(frozen=True, slots=True)
class SplitFinished:
    lane: int
    split: str


@dataclass(frozen=True, slots=True)
class LaneEnded:
    lane: int


Step = NewSplit | SplitIdle | SplitFinished | LaneEnded | Run


@dataclass(frozen=True, slots=True)
class Request:
    """What to poll next."""

    splits: tuple[str, ...]
    max_bytes: int


@dataclass(slots=True, eq=False)
class _LaneQueues:
    is_timed: bool
    idle_timeout_s: float | None
    wake: Callable[[], None]
    limit_bytes: int
    queues: dict[str, SplitQueue] = field(default_factory=dict)
    queued_bytes: int = 0
    asked: frozenset[str] | None = None
    ended: bool = False
    told_end: bool = False


class Intake:
    """The queues of one job.

    Args:
        settings: Bounds and the clock.
        decoders: How many threads claim runs.
    """

    def __init__(self, settings: Settings, decoders: int) -> None:
        self._settings = settings
        self._clock: Clock = settings.clock
        self._ahead = 2 * decoders + 1
        self._lanes: list[_LaneQueues] = []
        self._news: deque[Step] = deque()
        self._number = 0
        self._open_runs = 0
        self._stopped = False
        self._failure: BaseException | None = None
        self._taker_waits = False
        self._lock = threading.Lock()
        self._to_take = threading.Condition(self._lock)
        self._to_claim = threading.Condition(self._lock)
        self._to_read = threading.Condition(self._lock)

    def add_lane(self, is_timed: bool, idle_timeout_ms: int | None, wake: Callable[[], None], share: int) -> None:
        """Adds a lane; to be called before any thread is started.

        Args:
            is_timed: Whether its rows have event time.
            idle_timeout_ms: After how long at its end a split is idle; None: never.
            wake: Ends a poll that waits.
            share: How many lanes the bound in bytes is divided by.
        """
        timeout_s = None if idle_timeout_ms is None else idle_timeout_ms / 1_000
        limit = max(1, self._settings.queue_bytes // share)
        self._lanes.append(_LaneQueues(is_timed, timeout_s, wake, limit))

    # Readers

    def register(self, lane: int, splits: Iterable[str]) -> None:
        """Makes splits known; known ones are left alone."""
        with self._lock:
            queues = self._lanes[lane].queues
            for split in splits:
                if split not in queues:
                    queues[split] = SplitQueue(lane, split)
                    self._tell(NewSplit(lane, split))

    def room(self, lane: int) -> Request | None:
        """Waits until a lane may read on; None when it shall not any more."""
        one = self._lanes[lane]
        enough = min(self._settings.piece_bytes, one.limit_bytes)
        with self._lock:
            while not self._stopped and not one.ended:
                room = one.limit_bytes - one.queued_bytes
                if room >= enough or not one.queued_bytes:
                    splits = self._splits_to_read(one)
                    if splits or all(queue.finished for queue in one.queues.values()):
                        one.asked = frozenset(splits)
                        return Request(splits, max(1, min(room, self._settings.piece_bytes)))
                self._to_read.wait()
            return None

    def pause(self, lane: int, duration_s: float) -> None:
        """Waits a moment, or until the lane shall not read any more: for sources that answer at once with nothing."""
        with self._lock:
            self._to_read.wait_for(lambda: self._stopped or self._lanes[lane].ended, duration_s)

    def offer(self, lane: int, polled: Polled) -> None:
        """Takes the answer of a poll for the splits of the last `room`."""
        one = self._lanes[lane]
        with self._lock:
            asked, one.asked = one.asked or frozenset(), None
            if one.ended:
                return
            for piece in polled.pieces:
                queue = one.queues.setdefault(piece.split, SplitQueue(lane, piece.split))
                queue.waiting.append((self._number, piece))
                self._number += 1
                queue.queued_bytes += piece.size_bytes
                one.queued_bytes += piece.size_bytes
                queue.quiet_since_s, queue.is_idle = None, False
            for split, lag in polled.lag.items():
                if split in one.queues:
                    one.queues[split].lag = lag
            for split in asked | polled.finished | polled.at_end:
                if split in one.queues:
                    self._note_end(one, one.queues[split], polled)
            self._announce(len(polled.pieces))

    def end(self, lane: int) -> None:
        """Tells that a lane's reader has nothing more."""
        with self._lock:
            self._lanes[lane].ended = True
            self._wake_taker()

    def fail(self, error: BaseException) -> None:
        """Ends the job with an error from a thread."""
        with self._lock:
            self._failure = self._failure or error
            self._wake_taker()

    # Decoders

    def claim(self) -> Run | None:
        """Waits for a run to decode; None when there will be none."""
        with self._lock:
            while not self._stopped:
                if self._open_runs < self._ahead:
                    queue = self._furthest_behind(lambda queue: bool(queue.waiting), lambda queue: queue.ahead_ms)
                    if queue is not None:
                        return self._claim(queue)
                self._to_claim.wait()
            return None

    def complete(self, run: Run) -> None:
        """Gives back a claimed run, with `prepared` or `error` set."""
        with self._lock:
            run.is_open = False
            if run.prepared is not None and run.prepared.watermark_ms is not None:
                run.queue.ahead_ms = max(run.queue.ahead_ms, run.prepared.watermark_ms)
            if self._taker_waits:
                self._to_take.notify()

    # The job's own thread

    def next(self, timeout_s: float | None) -> Step | None:
        """Waits for the next step; None after the time-out or when stopped.

        A run that is still open has been claimed for the caller, who decodes it and hands it to `done` all the same.

        Raises:
            BaseException: What a thread failed with.
        """
        with self._lock:
            while True:
                if self._failure is not None:
                    raise self._failure
                if self._stopped:
                    return None
                step = self._step()
                if step is not None:
                    return step
                self._taker_waits = True
                try:
                    if not self._to_take.wait(timeout_s):
                        return None
                finally:
                    self._taker_waits = False

    def done(self, run: Run) -> None:
        """Tells that the operators have taken a run: its bytes are free."""
        with self._lock:
            queue, one = run.queue, self._lanes[run.queue.lane]
            queue.in_hands = False
            queue.queued_bytes -= run.size_bytes
            one.queued_bytes -= run.size_bytes
            if run.pieces:
                queue.position = run.pieces[-1].position_after
            if run.prepared is not None and run.prepared.watermark_ms is not None:
                queue.taken_ms = max(queue.taken_ms, run.prepared.watermark_ms)
                queue.ahead_ms = max(queue.ahead_ms, queue.taken_ms)
            self._tell_if_finished(queue)
            self._to_read.notify_all()
            left_out = one.asked is not None and queue.split not in one.asked
            wake = left_out and not queue.finished and queue.is_empty
        if wake:
            one.wake()

    def drop(self, lane: int) -> None:
        """Forgets a lane that nobody needs any more; its reader ends."""
        with self._lock:
            one = self._lanes[lane]
            one.ended = one.told_end = True
            for queue in one.queues.values():
                self._open_runs -= len(queue.runs)
                queue.waiting.clear()
                queue.runs.clear()
            self._to_read.notify_all()
        one.wake()

    def stop(self) -> None:
        """Ends all waiting, for good."""
        with self._lock:
            self._stopped = True
            self._to_take.notify_all()
            self._to_claim.notify_all()
            self._to_read.notify_all()
        for one in self._lanes:
            one.wake()

    def queues(self) -> Sequence[SplitQueue]:
        """Returns copies of all splits' standing, without what waits."""
        with self._lock:
            return [
                SplitQueue(
                    queue.lane,
                    queue.split,
                    queued_bytes=queue.queued_bytes,
                    position=queue.position,
                    lag=queue.lag,
                    at_end=queue.at_end,
                    finished=queue.finished,
                )
                for one in self._lanes
                for queue in one.queues.values()
            ]

    # Under the lock

    def _splits_to_read(self, one: _LaneQueues) -> tuple[str, ...]:
        """The splits at their end, which wait for news, and of the others those furthest behind, as many as fit."""
        piece = min(self._settings.piece_bytes, one.limit_bytes)
        open_ones = [queue for queue in one.queues.values() if not queue.finished]
        share = max(piece, one.limit_bytes // max(1, len(open_ones)))
        hungry = [queue for queue in open_ones if queue.queued_bytes < share]
        behind = sorted((queue for queue in hungry if not queue.at_end), key=lambda queue: queue.ahead_ms)
        most = max(1, one.limit_bytes // piece)
        return tuple(queue.split for queue in [*behind[:most], *(queue for queue in hungry if queue.at_end)])

    def _note_end(self, one: _LaneQueues, queue: SplitQueue, polled: Polled) -> None:
        queue.at_end = queue.split in polled.at_end
        queue.finished = queue.finished or queue.split in polled.finished
        self._tell_if_finished(queue)
        if one.idle_timeout_s is None or not queue.at_end or queue.finished or not queue.is_empty or queue.is_idle:
            return
        now_s = self._clock.monotonic_s()
        if queue.quiet_since_s is None:
            queue.quiet_since_s = now_s
        if now_s - queue.quiet_since_s >= one.idle_timeout_s:
            queue.is_idle = True
            self._tell(SplitIdle(queue.lane, queue.split))

    def _announce(self, pieces: int) -> None:
        if not pieces:
            return
        if self._taker_waits:
            self._to_take.notify()
            pieces -= 1
        if pieces:
            self._to_claim.notify(pieces)

    def _tell(self, step: Step) -> None:
        self._news.append(step)
        self._wake_taker()

    def _tell_if_finished(self, queue: SplitQueue) -> None:
        if queue.finished and not queue.told_finished and queue.is_empty:
            queue.told_finished = True
            self._tell(SplitFinished(queue.lane, queue.split))

    def _wake_taker(self) -> None:
        if self._taker_waits:
            self._to_take.notify()

    def _step(self) -> Step | None:
        while self._news:
            news = self._news.popleft()
            if not isinstance(news, SplitIdle) or self._lanes[news.lane].queues[news.split].is_idle:
                return news
        queue = self._furthest_behind(lambda one: bool(one.runs or one.waiting), lambda one: one.taken_ms)
        if queue is None:
            return self._ended_lane()
        if not queue.runs:
            run = self._claim(queue)
        elif queue.runs[0].is_open:
            return None
        else:
            run = queue.runs[0]
        queue.runs.popleft()
        queue.in_hands = True
        self._open_runs -= 1
        if any(one.waiting for lane in self._lanes for one in lane.queues.values()):
            self._to_claim.notify()
        return run

    def _ended_lane(self) -> LaneEnded | None:
        for lane, one in enumerate(self._lanes):
            if one.ended and not one.told_end and all(queue.is_empty for queue in one.queues.values()):
                one.told_end = True
                return LaneEnded(lane)
        return None

    def _claim(self, queue: SplitQueue) -> Run:
        number, first = queue.waiting.popleft()
        run = Run(queue, number, [first], first.size_bytes)
        while queue.waiting and len(run.pieces) < _MOST_PIECES:
            size_bytes = queue.waiting[0][1].size_bytes
            if run.size_bytes + size_bytes > self._settings.run_bytes:
                break
            run.pieces.append(queue.waiting.popleft()[1])
            run.size_bytes += size_bytes
        queue.runs.append(run)
        self._open_runs += 1
        return run

    def _furthest_behind(
        self, has_something: Callable[[SplitQueue], bool], reached_ms: Callable[[SplitQueue], int]
    ) -> SplitQueue | None:
        """Among splits with event time the one furthest behind, among the others the first come."""
        best: list[tuple[int, SplitQueue]] = []
        for is_timed in (True, False):
            found = [
                (reached_ms(queue) if is_timed else 0, _first_number(queue), queue)
                for one in self._lanes
                if one.is_timed is is_timed
                for queue in one.queues.values()
                if has_something(queue)
            ]
            if found:
                _, number, queue = min(found, key=lambda each: each[:2])
                best.append((number, queue))
        return min(best, key=lambda each: each[0])[1] if best else None


def _first_number(queue: SplitQueue) -> int:
    return queue.runs[0].number if queue.runs else queue.waiting[0][0]
