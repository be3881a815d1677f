"""A table that stands in a plan more than once, or in several plans that run as one, is read and decoded once.

Plans that have a part in common are one `Pipeline`, any other has its own; a `SharedLane` hands a decoded batch to all
lanes that read the table, each with just the columns that it asked for; what they compute below the watermark, and the
times that the rows tell, are computed once; each goes on with its own watermark and its own filters. `PipelineSet`
looks to an execution like one pipeline; `Effects.outputs` says which plan a batch of the result
belongs to. As pure as the pipelines in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from yeoul.engine.contract import ROW, WEIGHT, DeadLetters, Omitted, SourceBatch
from yeoul.engine.operators.assign_watermark import AssignWatermark, Times
from yeoul.engine.operators.contract import State
from yeoul.engine.operators.rows.project import Project
from yeoul.engine.operators.rows.relabel import RESERVED
from yeoul.engine.runtime.lanes import Lane, Prepared
from yeoul.engine.runtime.pipeline import Pipeline
from yeoul.engine.runtime.progress import OperatorState
from yeoul.engine.runtime.stages import Effects
from yeoul.plan.encoding import Encoding
from yeoul.plan.expressions import Call
from yeoul.plan.nodes import Field, Scan, Schema, Sieve
from yeoul.plan.tables import ColumnKind
from yeoul.plan.types import BOOLEAN, DataType, Kind

__all__ = ["PipelineSet", "reads_twice", "shared"]


@dataclass(frozen=True, slots=True)
class _Branch:
    """One pipeline's lane over a shared scan, and the columns that it reads."""

    pipeline: int
    lane: int
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """A batch with some of its columns."""

    whole: SourceBatch
    frame: pl.DataFrame

    @property
    def dead(self) -> DeadLetters | None:
        return self.whole.dead

    @property
    def records(self) -> int:
        return self.whole.records

    @property
    def omitted(self) -> Omitted | None:
        return self.whole.omitted

    def recover(self, rows: pl.Series) -> pl.DataFrame:
        return self.whole.recover(rows)


@dataclass(frozen=True, slots=True)
class Timed:
    """What lanes of one table compute below their watermarks, and the times that their rows tell: once for all.

    Attributes:
        project: Computes every column that one of them asks for; None: they are there.
        names: The columns that each of them asks for.
        assign: Tells the times.
    """

    project: Project | None
    names: tuple[tuple[str, ...], ...]
    assign: AssignWatermark

    def known(self, whole: SourceBatch) -> tuple[pl.DataFrame, Times | None]:
        """Returns a batch's rows with all that is computed, and the times that they tell, if no row was left out."""
        frame = whole.frame if self.project is None else self.project.transform(whole.frame)
        return frame, None if whole.omitted is not None else self.assign.times(frame)

    def prepared(
        self,
        lanes: Sequence[Lane],
        sources: Sequence[SourceBatch],
        frame: pl.DataFrame,
        times: Times | None,
        full: Sequence[bool],
    ) -> Iterator[Prepared]:
        """Yields a batch, of which this is known, as each of the lanes prepares it."""
        reserved = [name for name in frame.columns if name in RESERVED]
        for lane, source, names, whole in zip(lanes, sources, self.names, full, strict=True):
            yield lane.prepare_timed(source, frame[[*names, *reserved]], times, full=whole)


@dataclass(frozen=True, slots=True, eq=False)
class SharedLane(Lane):
    """The way of one scan's rows into several pipelines; what a lane says of itself is said by the first of them.

    Attributes:
        branches: Where the rows go.
        lanes: The way of each.
        timed: What all of them compute below the watermark, each its share, where that is done for all at once.
        meets: Whether rows come by several ways to what judges them: then all ways are done with a row before another
            comes that is late.
    """

    branches: tuple[_Branch, ...] = ()
    lanes: tuple[Lane, ...] = ()
    timed: Timed | None = None
    meets: bool = False

    def prepare(self, source: SourceBatch, full: bool = False) -> Prepared:
        weights = [WEIGHT] if WEIGHT in source.frame.columns else []
        sources = [_Part(source, source.frame[[*branch.columns, *weights]]) for branch in self.branches]
        known = None if self.timed is None else self.timed.known(source)
        order = self.lanes[0].order(sources[0], *(known or ())) if self.meets else None
        full = full or (order is not None and bool(order.cuts()))
        whole = [full or (self.meets and lane.leads_into_timed_join) for lane in self.lanes]
        if self.timed is None or known is None:
            ways = zip(self.lanes, sources, whole, strict=True)
            parts = tuple(lane.prepare(part, each) for lane, part, each in ways)
        else:
            parts = tuple(self.timed.prepared(self.lanes, sources, *known, whole))
        first, nothing = parts[0], source.frame.clear()
        return replace(first, source=source, frame=nothing, panes=None, groups=None, parts=parts, order=order)

    @property
    def meets_in_order(self) -> bool:
        """Whether rows meet as they come: what is late may meet by one way what comes behind it by another."""
        return self.meets and any(one.leads_into_timed_join for one in self.lanes)

    def pieces(self, prepared: Prepared) -> Iterator[Sequence[Prepared]]:
        """Yields a batch, as all ways have prepared it, cut where one row has to be through before the next."""
        assign, cuts = self.lanes[0].assign, list[tuple[int, int]]()
        if prepared.order is not None and assign is not None:
            cuts = prepared.order.cuts(assign.splits.current_ms, each=self.meets_in_order)
        if not cuts:
            yield prepared.parts
            return
        starts = [0, *(row for row, _ in cuts)]
        for start, (end, mark) in zip(starts, [*cuts, (None, None)], strict=True):
            yield [_piece(part, start, end, mark) for part in prepared.parts]


class PipelineSet:
    """Pipelines that share lanes.

    Args:
        pipelines: One per plan.
        lanes: One per table read.
    """

    def __init__(self, pipelines: Sequence[Pipeline], lanes: Sequence[SharedLane]) -> None:
        self.lanes, self._pipelines = lanes, pipelines
        self._place = {(one.pipeline, one.lane): index for index, lane in enumerate(lanes) for one in lane.branches}
        self._ended: set[tuple[int, int]] = set()

    @property
    def is_done(self) -> bool:
        """Whether every lane of every pipeline has ended."""
        return all(one.is_done for one in self._pipelines)

    @property
    def groups(self) -> Sequence[int | None]:
        """For each lane, the number of the lanes whose event time its state depends on, through one plan or several."""
        numbers = list(range(len(self.lanes)))
        for pipeline in range(len(self._pipelines)):
            joined = [
                index
                for index, lane in enumerate(self.lanes)
                if any(
                    one.pipeline == pipeline and part.judges
                    for one, part in zip(lane.branches, lane.lanes, strict=True)
                )
            ]
            replaced = {numbers[index] for index in joined}
            numbers = [min(replaced) if number in replaced else number for number in numbers]
        return [number if lane.judges else None for number, lane in zip(numbers, self.lanes, strict=True)]

    @property
    def watermark_ms(self) -> int:
        """The least watermark of the pipelines."""
        return min(one.watermark_ms for one in self._pipelines)

    def states(self) -> Iterator[OperatorState]:
        """Yields what the operators of every plan take."""
        return (state for one in self._pipelines for state in one.states())

    def start(self) -> Effects:
        """Gives what is there without any input."""
        effects = Effects()
        for index, pipeline in enumerate(self._pipelines):
            self._take(effects, index, pipeline.start())
        return effects

    def add_split(self, lane: int, split: str) -> None:
        """Makes a split known to all that read it."""
        for branch in self.lanes[lane].branches:
            self._pipelines[branch.pipeline].add_split(branch.lane, split)

    def process(self, lane: int, split: str, prepared: Prepared) -> Effects:
        """Takes a split's next batch."""
        effects = Effects()
        for piece in self.lanes[lane].pieces(prepared):
            for branch, part in zip(self.lanes[lane].branches, piece, strict=True):
                self._take(effects, branch.pipeline, self._pipelines[branch.pipeline].process(branch.lane, split, part))
        return effects

    @property
    def wake_at_ms(self) -> int | None:
        """The time, by the clock, at which to call `wake`; None if no operator waits for a time."""
        times = [one.wake_at_ms for one in self._pipelines]
        return min((time for time in times if time is not None), default=None)

    def end_round(self) -> Effects:
        """Gives what is kept until a round of the job is over."""
        effects = Effects()
        for index, pipeline in enumerate(self._pipelines):
            self._take(effects, index, pipeline.end_round())
        return effects

    def wake(self, now_ms: int) -> Effects:
        """Tells every operator that waits for one the time."""
        effects = Effects()
        for index, pipeline in enumerate(self._pipelines):
            self._take(effects, index, pipeline.wake(now_ms))
        return effects

    def set_idle(self, lane: int, split: str) -> Effects:
        """Stops a split from holding watermarks until its next batch."""
        return self._each(lane, lambda pipeline, own: pipeline.set_idle(own, split))

    def finish_split(self, lane: int, split: str) -> Effects:
        """Stops a split from holding watermarks for good."""
        return self._each(lane, lambda pipeline, own: pipeline.finish_split(own, split))

    def end_lane(self, lane: int) -> Effects:
        """Ends a lane for all that read it."""
        return self._each(lane, lambda pipeline, own: pipeline.end_lane(own))

    def snapshot(self) -> Mapping[str, State]:
        """Returns the state of every part, by name."""
        parts = ((index, one.snapshot()) for index, one in enumerate(self._pipelines))
        return {f"{index}/{name}": state for index, one in parts for name, state in one.items()}

    def restore(self, parts: Mapping[str, State]) -> None:
        """Takes what an equal set's `snapshot` gave; to be called before `start`."""
        for index, one in enumerate(self._pipelines):
            prefix = f"{index}/"
            one.restore({name.removeprefix(prefix): state for name, state in parts.items() if name.startswith(prefix)})

    def _each(self, lane: int, change: Callable[[Pipeline, int], Effects]) -> Effects:
        effects = Effects()
        for branch in self.lanes[lane].branches:
            self._take(effects, branch.pipeline, change(self._pipelines[branch.pipeline], branch.lane))
        return effects

    def _take(self, effects: Effects, pipeline: int, more: Effects) -> None:
        """Adds a pipeline's effects; a lane ends when it has ended for every pipeline."""
        effects.rows += more.rows
        effects.outputs += more.outputs
        effects.late += more.late
        for lane in more.ended:
            self._ended.add((pipeline, lane))
            place = self._place[pipeline, lane]
            if all((one.pipeline, one.lane) in self._ended for one in self.lanes[place].branches):
                effects.ended.append(place)


def _piece(part: Prepared, start: int, end: int | None, watermark_ms: int | None) -> Prepared:
    """Returns the rows of a batch from one of its source up to another; what does not tell them goes first."""
    watermark_ms = part.watermark_ms if end is None else watermark_ms
    if part.panes is not None or part.groups is not None or ROW not in part.frame.columns:
        rest = replace(part, frame=part.frame.clear(), panes=None, groups=None)
        return replace(part if start == 0 else rest, watermark_ms=watermark_ms)
    row = part.frame[ROW]
    within = row >= start if end is None else (row >= start) & (row < end)
    return replace(part, frame=part.frame.filter(within), watermark_ms=watermark_ms)


_Key = tuple[str, Encoding, tuple[tuple[str, str], ...]]


def _key(scan: Scan) -> _Key:
    """Returns what two scans have in common that can be one: the table, and how it is read."""
    return scan.table.name, scan.encoding, tuple(sorted(scan.options.items()))


def reads_twice(scans: Sequence[Scan]) -> bool:
    """Tells whether some of the scans can be one."""
    return len({_key(scan) for scan in scans}) < len(scans)


def shared(
    plans: Sequence[tuple[Pipeline, Sequence[Scan]]], *, apart: bool = False
) -> tuple[PipelineSet, tuple[Scan, ...]]:
    """Returns plans as one, and what to read for them, one scan per lane.

    Two scans of a table become one if they have the same options; it reads what either does.

    Args:
        plans: The plans, compiled, with what each reads.
        apart: Whether every scan stays for itself all the same.
    """
    groups: dict[_Key | tuple[int, int], list[tuple[_Branch, Lane, Scan]]] = {}
    for index, (pipeline, scans) in enumerate(plans):
        for place, (lane, scan) in enumerate(zip(pipeline.lanes, scans, strict=True)):
            key = (index, place) if apart else _key(scan)
            groups.setdefault(key, []).append((_Branch(index, place, scan.schema.names), lane, scan))
    lanes = [_shared_lane([(branch, lane) for branch, lane, _ in group]) for group in groups.values()]
    scans = tuple(_joined_scan([scan for _, _, scan in group]) for group in groups.values())
    return PipelineSet([pipeline for pipeline, _ in plans], lanes), scans


def _shared_lane(members: Sequence[tuple[_Branch, Lane]]) -> SharedLane:
    first = members[0][1]
    return SharedLane(
        (),
        first.assign,
        (),
        None,
        any(lane.judges for _, lane in members),
        first.idle_timeout_ms,
        first.alignment,
        branches=tuple(branch for branch, _ in members),
        lanes=tuple(lane for _, lane in members),
        timed=_timed(members),
        meets=_meets(members),
    )


def _meets(members: Sequence[tuple[_Branch, Lane]]) -> bool:
    """Tells whether one plan has rows of several lanes judged."""
    judged = [branch.pipeline for branch, lane in members if lane.judges]
    return len(set(judged)) < len(judged)


def _timed(members: Sequence[tuple[_Branch, Lane]]) -> Timed | None:
    """Returns what can be done for all of several lanes at once; None if they tell times differently."""
    (_, first), *others = members
    if first.assign is None or not others:
        return None
    if not all(lane.assign is not None and lane.assign.tells_as(first.assign) for _, lane in others):
        return None
    if not any(lane.before for _, lane in members):
        return Timed(None, tuple(branch.columns for branch, _ in members), first.assign)
    projects = [lane.before[0] for _, lane in members if len(lane.before) == 1]
    known = [one for one in projects if isinstance(one, Project)]
    if len(known) < len(members):
        return None
    whole: Project | None = known[0]
    for other in known[1:]:
        whole = None if whole is None else whole.joined(other)
    return None if whole is None else Timed(whole, tuple(one.names for one in known), first.assign)


def _joined_scan(scans: Sequence[Scan]) -> Scan:
    """Returns a scan of every column that any of the scans reads, in the table's order."""
    stored = [column for column in scans[0].table.columns if column.kind is not ColumnKind.COMPUTED]
    read = {
        column.name: [scan.schema[column.name] for scan in scans if column.name in scan.schema] for column in stored
    }
    joined = (_joined_field(column.type, read[column.name]) for column in stored if read[column.name])
    return replace(scans[0], schema=Schema(tuple(joined)), sieve=_joined_sieve([scan.sieve for scan in scans]))


def _joined_sieve(sieves: Sequence[Sieve | None]) -> Sieve | None:
    """Returns a sieve that lets through what any of them does; None if one lets everything through."""
    known = [one for one in sieves if one is not None]
    if len(known) < len(sieves):
        return None
    predicates = list(dict.fromkeys(one.predicate for one in known))
    predicate = predicates[0]
    for other in predicates[1:]:
        predicate = Call("or", (predicate, other), BOOLEAN)
    return Sieve(predicate, tuple(dict.fromkeys(name for one in known for name in one.times)))


def _joined_field(declared: DataType, read: Sequence[Field]) -> Field:
    """Returns a column with every field of its rows that any of the scans reads, in the order declared."""
    if declared.kind is not Kind.ROW:
        return read[0]
    names = {part.name for one in read for part in one.type.fields}
    parts = tuple(part for part in declared.fields if part.name in names)
    return replace(read[0], type=replace(read[0].type, fields=parts))
