"""What waits between the sources' reader threads, the decode pool and the operators: one lock, a condition for
each thing that is waited for.

Readers `offer` pieces and ask for `room`; decoders `claim` runs (consecutive pieces of one split, small ones joined)
and `complete` them; the job's own thread takes the `next` step. Invariants:

- Runs of a split are taken in the order in which their pieces were polled.
- Small pieces of several splits are one run where rows have no event time: a topic of many partitions costs no more.
- Which split goes first, and which one waits for another, is `alignment`'s to say: for decoding as for taking.
- What waits is bounded in bytes, lane by lane; a single piece may exceed the bound, never two, except that a split
  which others wait for may always be read on.
- A batch is whatever has arrived. While little waits, nobody runs ahead: pieces wait until the operators are free and
  are then taken together, and the source is not asked again before that, nor so soon that the operators were always
  busy. Once more than `small_bytes` wait, the pool
  decodes ahead and the readers fill the queue.
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

from yeoul.clock import Clock
from yeoul.engine.contract import Polled
from yeoul.engine.operators.contract import START_OF_TIME
from yeoul.engine.runtime.alignment import first_in_line, floors, is_awaited
from yeoul.engine.runtime.queues import (
    LaneEnded,
    LaneQueues,
    NewSplit,
    Part,
    Request,
    Run,
    SplitFinished,
    SplitIdle,
    SplitQueue,
    Step,
)
from yeoul.engine.runtime.settings import Settings

__all__ = ["Intake"]

_MOST_PIECES = 1_024
_PAUSE_TO_BUSY = 2.0
_LONGEST_PAUSE_S = 0.01
_PROBE_BYTES = 256 << 10
"""How much to read of a split whose event time is not known yet, while others wait for theirs to be known."""


def _taken_ms(queue: SplitQueue) -> int:
    return queue.taken_ms


def _ahead_ms(queue: SplitQueue) -> int:
    return queue.ahead_ms


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
        self._lanes: list[LaneQueues] = []
        self._news: deque[Step] = deque()
        self._number = 0
        self._open_runs = 0
        self._waiting_bytes = 0
        self._decoded_bytes = 0
        self._busy_s = 0.0
        self._handed_out_s = 0.0
        self._is_resting = False
        self._stopped = False
        self._failure: BaseException | None = None
        self._taker_waits = False
        self._lock = threading.Lock()
        self._to_take = threading.Condition(self._lock)
        self._to_claim = threading.Condition(self._lock)
        self._to_read = threading.Condition(self._lock)
        self._to_go_on = threading.Condition(self._lock)

    def add_lane(
        self,
        is_timed: bool,
        idle_timeout_ms: int | None,
        wake: Callable[[], None],
        share: int,
        *,
        group: int | None = None,
        max_drift_ms: int | None = None,
    ) -> None:
        """Adds a lane; to be called before any thread is started.

        Args:
            is_timed: Whether its rows have event time.
            idle_timeout_ms: After how long at its end a split is idle; None: never.
            wake: Ends a poll that waits.
            share: How many lanes the bound in bytes is divided by.
            group: See `LaneQueues`.
            max_drift_ms: See `LaneQueues`.
        """
        timeout_s = None if idle_timeout_ms is None else idle_timeout_ms / 1_000
        limit = max(1, self._settings.queue_bytes // share)
        self._lanes.append(LaneQueues(is_timed, timeout_s, wake, limit, group, max_drift_ms))

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
        with self._lock:
            while not self._stopped and not one.ended:
                linger_s = one.ask_again_at_s - self._clock.monotonic_s()
                if linger_s > 0:
                    self._to_go_on.wait(linger_s)
                    continue
                request = self._request(one)
                if request is not None:
                    one.asked = frozenset(request.splits)
                    return request
                self._to_read.wait()
            return None

    def pause(self, lane: int, duration_s: float) -> None:
        """Waits a moment, or until the lane shall not read any more: for sources that answer at once with nothing."""
        with self._lock:
            self._to_go_on.wait_for(lambda: self._stopped or self._lanes[lane].ended, duration_s)

    def offer(self, lane: int, polled: Polled) -> None:
        """Takes the answer of a poll for the splits of the last `room`."""
        one = self._lanes[lane]
        with self._lock:
            asked, one.asked = one.asked or frozenset(), None
            if one.ended:
                return
            size_bytes = sum(piece.size_bytes for piece in polled.pieces)
            if 0 < size_bytes < self._settings.small_bytes:
                one.ask_again_at_s = self._clock.monotonic_s() + self._pause_s()
            for piece in polled.pieces:
                queue = one.queues.setdefault(piece.split, SplitQueue(lane, piece.split))
                queue.waiting.append((self._number, piece))
                self._number += 1
                queue.queued_bytes += piece.size_bytes
                one.queued_bytes += piece.size_bytes
                one.waiting_bytes += piece.size_bytes
                self._waiting_bytes += piece.size_bytes
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
            self._stops_holding_up(self._lanes[lane])

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
                if self._may_decode_ahead():
                    floor_of = floors(self._lanes, _ahead_ms)
                    queue = first_in_line(self._lanes, floor_of, lambda queue: bool(queue.waiting), _ahead_ms)
                    if queue is not None:
                        return self._claim(queue)
                self._to_claim.wait()
            return None

    def complete(self, run: Run) -> None:
        """Gives back a claimed run, with `prepared` or `error` set."""
        with self._lock:
            run.is_open = False
            if run.prepared is not None:
                run.decoded_bytes = int(run.prepared.frame.estimated_size())
                self._decoded_bytes += run.decoded_bytes
                if run.prepared.watermark_ms is not None:
                    queue = run.parts[0].queue
                    queue.ahead_ms = max(queue.ahead_ms, run.prepared.watermark_ms)
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
                if timeout_s == 0.0:
                    return None
                self._taker_waits = True
                try:
                    if not self._to_take.wait(timeout_s):
                        return None
                finally:
                    self._taker_waits = False

    def rest(self, duration_s: float) -> None:
        """Lets the job's thread rest; what arrives meanwhile waits, up to the bounds. Ends early with the run."""
        with self._lock:
            self._is_resting = True
            self._to_read.notify_all()
            self._taker_waits = True
            try:
                self._to_take.wait_for(lambda: self._stopped or self._failure is not None, duration_s)
            finally:
                self._taker_waits = self._is_resting = False

    @property
    def is_caught_up(self) -> bool:
        """Whether nothing waits here, and nothing was left behind at the last look at each split."""
        with self._lock:
            if self._news or any(one.ended and not one.told_end for one in self._lanes):
                return False
            queues = [queue for one in self._lanes if not one.told_end for queue in one.queues.values()]
            return all(queue.is_empty and (queue.at_end or queue.finished) for queue in queues)

    def done(self, run: Run) -> None:
        """Tells that the operators have taken a run: its bytes are free."""
        with self._lock:
            self._busy_s += self._clock.monotonic_s() - self._handed_out_s
            one = self._lanes[run.lane]
            watermark_ms = None if run.prepared is None else run.prepared.watermark_ms
            for part in run.parts:
                queue = part.queue
                queue.in_hands = False
                queue.queued_bytes -= part.size_bytes
                one.queued_bytes -= part.size_bytes
                queue.position = part.pieces[-1].position_after
                queue.take(watermark_ms)
                self._tell_if_finished(queue)
            self._to_read.notify_all()
            wake = any(self._was_left_out(one, part.queue) for part in run.parts)
        if wake:
            one.wake()

    def drop(self, lane: int) -> None:
        """Forgets a lane that nobody needs any more; its reader ends."""
        with self._lock:
            one = self._lanes[lane]
            one.ended = one.told_end = True
            self._waiting_bytes -= one.waiting_bytes
            one.waiting_bytes = 0
            runs = {id(run): run for queue in one.queues.values() for run in queue.runs}
            self._open_runs -= len(runs)
            self._decoded_bytes -= sum(run.decoded_bytes for run in runs.values())
            for queue in one.queues.values():
                queue.waiting.clear()
                queue.runs.clear()
            self._to_read.notify_all()
            self._to_go_on.notify_all()
        one.wake()

    def stop(self) -> None:
        """Ends all waiting, for good."""
        with self._lock:
            self._stopped = True
            self._to_take.notify_all()
            self._to_claim.notify_all()
            self._to_read.notify_all()
            self._to_go_on.notify_all()
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

    def _pause_s(self) -> float:
        """How long to let little come together: some times as long as the operators worked last, within bounds."""
        busy_s, self._busy_s = self._busy_s, 0.0
        linger_s = self._settings.linger_ms / 1_000
        longest_s = max(linger_s, _LONGEST_PAUSE_S) if linger_s else 0.0
        return longest_s if self._is_resting else min(max(linger_s, _PAUSE_TO_BUSY * busy_s), longest_s)

    def _may_decode_ahead(self) -> bool:
        """Whether there is enough to do that a second thread is worth its coming."""
        is_much = self._waiting_bytes >= self._settings.small_bytes
        return is_much and self._open_runs < self._ahead and self._decoded_bytes < self._settings.queue_bytes

    def _request(self, one: LaneQueues) -> Request | None:
        """What a lane may read now; None: nothing."""
        splits = self._splits_to_read(one)
        if not splits and not all(queue.finished for queue in one.queues.values()):
            return None
        piece_bytes = self._settings.piece_bytes
        room_bytes = one.limit_bytes - one.queued_bytes
        awaited = one.group is not None and is_awaited(one, floors(self._lanes, _taken_ms))
        if not awaited:
            is_full = one.queued_bytes > 0 and room_bytes < min(piece_bytes, one.limit_bytes)
            is_little = 0 < one.waiting_bytes < self._settings.small_bytes
            if is_full or (is_little and not self._is_resting):
                return None
        elif len(one.queues) > 1 and one.queues[splits[0]].taken_ms == START_OF_TIME:
            return Request(splits, min(piece_bytes, _PROBE_BYTES))
        return Request(splits, max(1, min(room_bytes, piece_bytes) if room_bytes > 0 else piece_bytes))

    def _splits_to_read(self, one: LaneQueues) -> tuple[str, ...]:
        """The splits that have more, furthest behind first, as many as fit, and those at their end, to hear of news."""
        piece = min(self._settings.piece_bytes, one.limit_bytes)
        open_ones = [queue for queue in one.queues.values() if not queue.finished]
        share = max(piece, one.limit_bytes // max(1, len(open_ones)))
        hungry = [queue for queue in open_ones if queue.queued_bytes < share]
        behind = sorted((queue for queue in hungry if not queue.at_end), key=_furthest_behind)
        most = max(1, one.limit_bytes // piece)
        return tuple(queue.split for queue in [*behind[:most], *(queue for queue in hungry if queue.at_end)])

    def _note_end(self, one: LaneQueues, queue: SplitQueue, polled: Polled) -> None:
        was_at_end, was_finished = queue.at_end, queue.finished
        queue.at_end = queue.split in polled.at_end
        queue.finished = queue.finished or queue.split in polled.finished
        if (queue.at_end and not was_at_end) or (queue.finished and not was_finished):
            self._stops_holding_up(one)
        self._tell_if_finished(queue)
        if one.idle_timeout_s is None or not queue.at_end or queue.finished or not queue.is_empty or queue.is_idle:
            return
        now_s = self._clock.monotonic_s()
        if queue.quiet_since_s is None:
            queue.quiet_since_s = now_s
        if now_s - queue.quiet_since_s >= one.idle_timeout_s:
            queue.is_idle = True
            self._stops_holding_up(one)
            self._tell(SplitIdle(queue.lane, queue.split))

    def _announce(self, pieces: int) -> None:
        if not pieces:
            return
        if self._taker_waits:
            self._to_take.notify()
            pieces -= 1
        if pieces and self._may_decode_ahead():
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

    def _stops_holding_up(self, one: LaneQueues) -> None:
        """Wakes who may go on, and who is now the one that the others of a group wait for."""
        if one.group is not None:
            self._wake_taker()
            self._to_claim.notify_all()
            self._to_read.notify_all()

    def _step(self) -> Step | None:
        while self._news:
            news = self._news.popleft()
            if not isinstance(news, SplitIdle) or self._lanes[news.lane].queues[news.split].is_idle:
                return news
        floor_of = floors(self._lanes, _taken_ms)
        queue = first_in_line(self._lanes, floor_of, lambda one: bool(one.runs or one.waiting), _taken_ms)
        if queue is None:
            return self._ended_lane()
        if not queue.runs:
            run = self._claim(queue)
        elif queue.runs[0].is_open:
            return None
        else:
            run = queue.runs[0]
        for part in run.parts:
            part.queue.runs.popleft()
            part.queue.in_hands = True
        self._handed_out_s = self._clock.monotonic_s()
        self._open_runs -= 1
        self._decoded_bytes -= run.decoded_bytes
        if self._may_decode_ahead():
            self._to_claim.notify()
        return run

    def _ended_lane(self) -> LaneEnded | None:
        for lane, one in enumerate(self._lanes):
            if one.ended and not one.told_end and all(queue.is_empty for queue in one.queues.values()):
                one.told_end = True
                return LaneEnded(lane)
        return None

    def _claim(self, queue: SplitQueue) -> Run:
        run = Run(queue.waiting[0][0], [self._begun(queue)])
        one = self._lanes[queue.lane]
        if not one.is_timed and not queue.runs:
            self._take_others(run, one)
        for part in run.parts:
            part.queue.runs.append(run)
        self._open_runs += 1
        self._waiting_bytes -= run.size_bytes
        one.waiting_bytes -= run.size_bytes
        self._to_read.notify_all()
        return run

    def _begun(self, queue: SplitQueue) -> Part:
        """Takes what waits of a split first, as much as makes one batch."""
        first = queue.waiting.popleft()[1]
        part = Part(queue, [first], first.size_bytes)
        while queue.waiting and len(part.pieces) < _MOST_PIECES:
            size_bytes = queue.waiting[0][1].size_bytes
            if part.size_bytes + size_bytes > self._settings.run_bytes:
                break
            part.pieces.append(queue.waiting.popleft()[1])
            part.size_bytes += size_bytes
        return part

    def _take_others(self, run: Run, one: LaneQueues) -> None:
        """Adds what waits of the lane's other splits while all is little: a batch costs about the same at any height.

        Only where no split has event time of its own, and nothing of theirs has been begun.
        """
        for queue in one.queues.values():
            if run.size_bytes + queue.queued_bytes >= self._settings.small_bytes:
                return
            if queue.waiting and not queue.runs and queue is not run.parts[0].queue:
                run.parts.append(self._begun(queue))

    @staticmethod
    def _was_left_out(one: LaneQueues, queue: SplitQueue) -> bool:
        """Tells whether the poll that is out leaves out a split that could be read now."""
        return one.asked is not None and queue.split not in one.asked and not queue.finished and queue.is_empty


def _furthest_behind(queue: SplitQueue) -> tuple[int, int]:
    return queue.ahead_ms, -(queue.lag or 0)
