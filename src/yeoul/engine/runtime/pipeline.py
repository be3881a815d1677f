"""A plan's operators, put together: what happens to a batch, in the order of arrival. Pure: no thread, no clock.

A `Lane` prepares the batches of one scan. `Pipeline` then takes prepared batches one at a time, on one thread: it knows
the splits' watermarks, judges what could be late, feeds the `Stage`s upwards, and says in `Effects` what came out.
Equal calls in the same order always give the same effects; cutting the batches differently does not change them either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from yeoul.engine.columnwise import without
from yeoul.engine.contract import WATERMARK
from yeoul.engine.operators.changes.net import NetChanges
from yeoul.engine.operators.contract import END_OF_TIME, START_OF_TIME, Output, Sized, State, Timed
from yeoul.engine.operators.key_groups.divided import KeyGroups
from yeoul.engine.operators.rows.limit import Limit
from yeoul.engine.operators.rows.relabel import RESERVED
from yeoul.engine.operators.rows.values import Values
from yeoul.engine.operators.windows.by_clock import ByClock
from yeoul.engine.runtime.lanes import Lane, Prepared
from yeoul.engine.runtime.progress import OperatorState
from yeoul.engine.runtime.stages import Effects, Stage

__all__ = ["Pipeline"]

_WATERMARK, _PORTS = "$watermark", "$ports"
_OF_THE_STAGE = frozenset([_WATERMARK, _PORTS])
"""What a snapshot says of a stage besides its operator's own state."""


class Pipeline:
    """All lanes and stages of a plan.

    Args:
        lanes: One per scan.
        stages: Every operator with state or several inputs, inputs before the stage that reads them.
        values: VALUES, with where their rows go.
        number: Of the plan whose result a lane gives that leads into no stage.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        stages: Sequence[Stage],
        values: Sequence[tuple[Values, tuple[Stage, int] | None]] = (),
        number: int = 0,
    ) -> None:
        self.lanes, self._stages, self._values, self._number = lanes, stages, values, number
        self._timed = [(stage, stage.operator) for stage in stages if isinstance(stage.operator, Timed)]
        self._ended: set[int] = set()
        self._reported: dict[int, tuple[int, bool]] = {}

    @property
    def is_done(self) -> bool:
        """Whether every lane has ended: nothing more can come out."""
        return len(self._ended) == len(self.lanes)

    @property
    def groups(self) -> Sequence[int | None]:
        """For each lane, the number of the lanes whose event time its state depends on; None: its state does not."""
        return [0 if lane.judges else None for lane in self.lanes]

    @property
    def watermark_ms(self) -> int:
        """The watermark at the top of the plan, or of the lanes where no operator follows it."""
        tops = [stage.watermark_ms for stage in self._stages if None in stage.parents]
        lanes = [lane.assign.splits.current_ms for lane in self.lanes if lane.assign and lane.target is None]
        return min(tops + lanes, default=START_OF_TIME)

    def states(self) -> Iterator[OperatorState]:
        """Yields what each operator that remembers anything takes, inputs before those that read them."""
        for stage in self._stages:
            operator = stage.operator
            if isinstance(operator, Sized):
                spilled_bytes = operator.spilled_bytes if isinstance(operator, KeyGroups | ByClock) else 0
                yield OperatorState(stage.name, operator.size_bytes, spilled_bytes)

    def start(self) -> Effects:
        """Gives what is there without any input; to be called once, before all else (after `restore`)."""
        effects = Effects()
        for values, target in self._values:
            for batch in values.start().batches:
                self._push(target, batch, effects)
            self._report(target, END_OF_TIME, False, effects)
        for stage in self._stages:
            self._cut_if_done(stage, effects)
        return effects

    def add_split(self, lane: int, split: str) -> None:
        """Makes a split known: it holds the lane's watermark until it gives rows, is idle or is finished."""
        assign = self.lanes[lane].assign
        if assign is not None:
            assign.splits.add(split)

    def process(self, lane: int, split: str, prepared: Prepared) -> Effects:
        """Takes a split's next batch."""
        effects = Effects()
        if lane in self._ended:
            return effects
        one = self.lanes[lane]
        if one.aggregate is not None and prepared.groups is not None:
            assert one.target is not None
            stage, _ = one.target
            self._hand_on(one.aggregate.process_prepared(prepared.groups), stage, effects)
            self._catch_up(stage, effects)
        if one.assign is None:
            self._push(one.target, prepared.frame, effects)
            return effects
        bounds = one.assign.settle(split, prepared.watermark_ms)
        window, panes = one.window, prepared.panes
        if window is not None and panes is not None and window.process_prepared(panes):
            if panes.doubtful is not None:
                rows = panes.doubtful
                self._push(one.target, bounds.clamp(rows) if WATERMARK in rows.columns else rows, effects)
        elif prepared.frame.height:
            whole = prepared if prepared.is_full or window is None else one.prepare(prepared.source, full=True)
            self._push(one.target, bounds.clamp(whole.frame) if whole.is_full else whole.frame, effects)
        self._report_lane(lane, effects)
        return effects

    @property
    def wake_at_ms(self) -> int | None:
        """The time, by the clock, at which to call `wake`; None if no operator waits for a time."""
        times = [operator.wake_at_ms for _, operator in self._timed]
        return min((time for time in times if time is not None), default=None)

    def wake(self, now_ms: int) -> Effects:
        """Tells every operator that waits for one the time, inputs before those that read them."""
        effects = Effects()
        for stage, operator in self._timed:
            if stage.watermark_ms < END_OF_TIME:
                self._hand_on(operator.wake(now_ms), stage, effects)
                self._catch_up(stage, effects)
        return effects

    def end_round(self) -> Effects:
        """Gives what is kept until a round of the job is over, and what waits for spilled state."""
        effects = Effects()
        for stage in self._stages:
            if isinstance(stage.operator, KeyGroups):
                self._hand_on(stage.operator.end_round(), stage, effects)
                self._catch_up(stage, effects)
            elif isinstance(stage.operator, NetChanges):
                self._hand_on(stage.operator.drained(), stage, effects)
        return effects

    def set_idle(self, lane: int, split: str) -> Effects:
        """Stops a split from holding the watermark until its next batch."""
        return self._leave(lane, split, finished=False)

    def finish_split(self, lane: int, split: str) -> Effects:
        """Stops a split from holding the watermark for good."""
        return self._leave(lane, split, finished=True)

    def end_lane(self, lane: int) -> Effects:
        """Ends a lane: no split of it will give anything more, every window over it closes."""
        effects = Effects()
        if lane not in self._ended:
            self._ended.add(lane)
            self._report(self.lanes[lane].target, END_OF_TIME, False, effects)
        return effects

    def snapshot(self) -> Mapping[str, State]:
        """Returns the state of every part, by name; to be called between batches."""
        parts: dict[str, State] = {f"values-{index}": one.snapshot() for index, (one, _) in enumerate(self._values)}
        for index, lane in enumerate(self.lanes):
            if lane.assign is not None:
                parts[f"lane-{index}"] = lane.assign.snapshot()
        for stage in self._stages:
            ports = {} if stage.ports is None else {_PORTS: stage.ports.snapshot()}
            parts[stage.name] = {
                **stage.operator.snapshot(),
                **ports,
                _WATERMARK: pl.DataFrame({"watermark": [stage.watermark_ms]}, schema={"watermark": pl.Int64}),
            }
        parts["ended"] = {"lanes": pl.DataFrame({"lane": sorted(self._ended)}, schema={"lane": pl.Int64})}
        return parts

    def restore(self, parts: Mapping[str, State]) -> None:
        """Takes what an equal pipeline's `snapshot` gave; to be called before `start`."""
        for index, (one, _) in enumerate(self._values):
            one.restore(parts[f"values-{index}"])
        for index, lane in enumerate(self.lanes):
            if lane.assign is not None:
                lane.assign.restore(parts[f"lane-{index}"])
        for stage in self._stages:
            state = parts[stage.name]
            stage.operator.restore({name: frame for name, frame in state.items() if name not in _OF_THE_STAGE})
            stage.watermark_ms = state[_WATERMARK]["watermark"].item()
            if stage.ports is not None:
                stage.ports.restore(state[_PORTS])
        self._ended = set(parts["ended"]["lanes"]["lane"].to_list())

    def _leave(self, lane: int, split: str, finished: bool) -> Effects:
        effects = Effects()
        assign = self.lanes[lane].assign
        if assign is not None and lane not in self._ended:
            if finished:
                assign.splits.finish(split)
            else:
                assign.splits.set_idle(split)
            self._report_lane(lane, effects)
        return effects

    def _report_lane(self, lane: int, effects: Effects) -> None:
        assign = self.lanes[lane].assign
        assert assign is not None
        # Splits that are all finished are about to end: what waits for that is not late for those that are not.
        is_idle = assign.splits.all_idle and not assign.splits.all_finished
        status = (assign.splits.current_ms, is_idle)
        if self._reported.get(lane) != status and lane not in self._ended:
            self._reported[lane] = status
            self._report(self.lanes[lane].target, *status, effects)

    def _report(self, target: tuple[Stage, int] | None, watermark_ms: int, is_idle: bool, effects: Effects) -> None:
        """Tells a stage, and all above it, how far its input has come."""
        if target is None:
            return
        stage, port = target
        if stage.ports is not None:
            if watermark_ms == END_OF_TIME:
                stage.ports.finish(str(port))
            else:
                stage.ports.observe(str(port), watermark_ms)
                if is_idle:
                    stage.ports.set_idle(str(port))
            # An input that has ended says nothing about one that is only idle: the end is when all have ended.
            watermark_ms = END_OF_TIME if stage.ports.all_finished else stage.ports.current_ms
            is_idle = stage.ports.all_idle
        if watermark_ms > stage.watermark_ms:
            stage.watermark_ms = watermark_ms
            self._hand_on(stage.operator.advance(watermark_ms), stage, effects)
        stage.is_idle = is_idle
        self._report_on(stage, watermark_ms, effects)

    def _report_on(self, stage: Stage, watermark_ms: int, effects: Effects) -> None:
        """Tells who reads a stage how far what it gives has come."""
        is_idle = stage.is_idle and not stage.gives_at_end
        if isinstance(stage.operator, KeyGroups):
            watermark_ms, is_held = min(watermark_ms, stage.operator.passed_ms), stage.operator.holds
            is_idle &= not is_held
        stage.given_ms = max(stage.given_ms, watermark_ms)
        for parent in stage.parents:
            self._report(parent, stage.passed_on(watermark_ms), is_idle, effects)

    def _catch_up(self, stage: Stage, effects: Effects) -> None:
        """Tells who reads a stage of a watermark that had to wait for spilled state."""
        if isinstance(stage.operator, KeyGroups) and stage.operator.passed_ms > stage.given_ms:
            self._report_on(stage, stage.watermark_ms, effects)

    def _push(
        self, target: tuple[Stage, int] | None, batch: pl.DataFrame, effects: Effects, giver: Stage | None = None
    ) -> None:
        """Gives a batch to a stage, or as a result: of the plan that `giver` is the top of."""
        if not batch.height:
            return
        if target is None:
            effects.rows.append(without(batch, RESERVED))
            effects.outputs.append(self._number if giver is None else giver.number)
            return
        stage, port = target
        if stage.ports is not None and WATERMARK in batch.columns:
            batch = stage.ports.bounds(str(port)).clamp(batch)
        self._hand_on(stage.operator.process(port, batch), stage, effects)
        self._catch_up(stage, effects)
        self._cut_if_done(stage, effects)

    def _hand_on(self, output: Output, stage: Stage, effects: Effects) -> None:
        """Gives what a stage gave to all that read it.

        Raises:
            UserError: It keeps more than it may.
        """
        if stage.memory is not None:
            assert isinstance(stage.operator, Sized)
            stage.memory.hold_undivided(stage, stage.name, stage.operator.size_bytes)
        if output.late is not None:
            effects.late.append((stage.name, output.late))
        for parent in stage.parents:
            for batch in output.batches:
                self._push(parent, batch, effects, stage)

    def _cut_if_done(self, stage: Stage, effects: Effects) -> None:
        """Ends everything that only a LIMIT that is reached asked for."""
        if isinstance(stage.operator, Limit) and stage.operator.is_done and stage.watermark_ms < END_OF_TIME:
            ended = [
                index
                for index, lane in enumerate(self.lanes)
                if index not in self._ended and _leads_only_to(stage, lane.target)
            ]
            self._ended.update(ended)
            effects.ended += ended
            stage.watermark_ms = END_OF_TIME
            for parent in stage.parents:
                self._report(parent, END_OF_TIME, False, effects)


def _leads_only_to(stage: Stage, target: tuple[Stage, int] | None) -> bool:
    """Tells whether whatever is given to a target can go on through one stage alone."""
    if target is None:
        return False
    return target[0] is stage or all(_leads_only_to(stage, parent) for parent in target[0].parents)
