"""Which split goes next: the one furthest behind in event time, so that the state of windows and joins stays small.

Pure decisions over the queues of an intake. Two rules:

- Of the splits that have something, the one furthest behind goes first.
- A split that is far ahead waits for one that is behind and has nothing *here* although more of it is to come: its
  rows would only lie in state until the other has caught up. A split at its end holds nobody up, since nobody knows
  when it goes on, unless the tables ask for that with `scan.watermark.alignment.*`.

How far is far, where no table says it, follows from the data: a few times what the last run of the split took it on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from yeoul.engine.runtime.queues import LaneQueues, SplitQueue

__all__ = ["first_in_line", "floors", "is_awaited", "is_held"]

_STRIDES = 4

Reached = Callable[[SplitQueue], int]
Floors = dict[int, int]


def floors(lanes: Sequence[LaneQueues], reached_ms: Reached) -> Floors:
    """Returns, for each group of lanes, how far the slowest split has come that holds the others up."""
    found: Floors = {}
    for lane in lanes:
        if lane.group is None or lane.ended:
            continue
        for queue in lane.queues.values():
            if _holds_up(lane, queue):
                found[lane.group] = min(found.get(lane.group, reached_ms(queue)), reached_ms(queue))
    return found


def _holds_up(lane: LaneQueues, queue: SplitQueue) -> bool:
    if queue.waiting or queue.runs or queue.in_hands:
        return True
    if queue.finished or queue.is_idle:
        return False
    return not queue.at_end or lane.max_drift_ms is not None


def is_held(lane: LaneQueues, queue: SplitQueue, floor_of: Floors, reached_ms: Reached) -> bool:
    """Tells whether a split has to wait for another one of its group."""
    if lane.group is None or lane.group not in floor_of:
        return False
    slack_ms = _STRIDES * queue.stride_ms if lane.max_drift_ms is None else lane.max_drift_ms
    return reached_ms(queue) > floor_of[lane.group] + slack_ms


def is_awaited(lane: LaneQueues, floor_of: Floors) -> bool:
    """Tells whether a lane has a split with nothing here that others wait for, or may soon."""
    if lane.group is None:
        return False
    floor_ms = floor_of.get(lane.group)
    return any(
        queue.taken_ms == floor_ms and queue.is_empty and _holds_up(lane, queue) for queue in lane.queues.values()
    )


def first_in_line(
    lanes: Iterable[LaneQueues], floor_of: Floors, has_something: Callable[[SplitQueue], bool], reached_ms: Reached
) -> SplitQueue | None:
    """Among splits with event time the one furthest behind, among the others the first come; of these two the first."""
    timed: tuple[int, int, SplitQueue] | None = None
    others: tuple[int, SplitQueue] | None = None
    for lane in lanes:
        for queue in lane.queues.values():
            if not has_something(queue):
                continue
            number = queue.first_number
            if not lane.is_timed:
                others = (number, queue) if others is None or number < others[0] else others
            elif (timed is None or (reached_ms(queue), number) < timed[:2]) and not is_held(
                lane, queue, floor_of, reached_ms
            ):
                timed = (reached_ms(queue), number, queue)
    if timed is None or others is None:
        return others[1] if timed is None and others is not None else timed[2] if timed is not None else None
    return timed[2] if timed[1] < others[0] else others[1]
