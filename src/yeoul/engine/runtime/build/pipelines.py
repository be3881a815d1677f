"""The walk over a plan, from the top: lanes for what is read, stages for what remembers.

Projections and filters stay on a lane's stateless stretch as long as they can, so that the decode pool does them;
above the first operator that remembers something they become stages of their own. A node that stands in a plan twice,
as one object, becomes one stage: it is built when all that read it are there. A table is read once, however often it
stands in a plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.expressions import EvaluationContext, compile_expression
from yeoul.engine.operators.assign_watermark import AssignWatermark as WatermarkOperator
from yeoul.engine.operators.changes.net import NetChanges
from yeoul.engine.operators.changes.settle import SettleChanges
from yeoul.engine.operators.contract import Operator, Stateless
from yeoul.engine.operators.key_groups.prepared import by_key_group, is_undivided
from yeoul.engine.operators.rows.chain import Chain
from yeoul.engine.operators.rows.limit import Limit as LimitOperator
from yeoul.engine.operators.rows.union import Union as UnionOperator
from yeoul.engine.operators.rows.values import Values as ValuesOperator
from yeoul.engine.operators.tell_watermark import TellWatermark
from yeoul.engine.operators.watermarks import WatermarkMerge
from yeoul.engine.operators.windows.by_clock import ByClock
from yeoul.engine.runtime.build.changes import materialize_operator, normalize_operator
from yeoul.engine.runtime.build.groups import aggregate_operator, set_operator
from yeoul.engine.runtime.build.joins import join_operator, lookup_operator
from yeoul.engine.runtime.build.lateness import judges_lateness
from yeoul.engine.runtime.build.ordered import deduplicate_operator, over_operator, sort_operator, top_n_operator
from yeoul.engine.runtime.build.rows import dtypes_of, encoder_of, enforcer_of, row_operator, values_operator
from yeoul.engine.runtime.build.windows import (
    assign_operator,
    session_assign_operator,
    window_aggregate_operator,
    window_top_n_operator,
)
from yeoul.engine.runtime.lanes import Lane
from yeoul.engine.runtime.pipeline import Pipeline
from yeoul.engine.runtime.settings import Settings
from yeoul.engine.runtime.shared_lanes import PipelineSet, reads_twice, shared
from yeoul.engine.runtime.stages import Stage
from yeoul.engine.state.memory import StateMemory
from yeoul.errors import UserError
from yeoul.plan.changelog import changelog_of, gives_at_end, is_updating, told_after, told_by_group
from yeoul.plan.encoding import Encoding
from yeoul.plan.expressions import columns_of
from yeoul.plan.join_bounds import Interval
from yeoul.plan.nodes import (
    Aggregate,
    AssignWatermark,
    ChangelogNormalize,
    Deduplicate,
    DropUnchanged,
    Filter,
    Join,
    Limit,
    LookupJoin,
    Node,
    Over,
    Project,
    Scan,
    SetOperation,
    Settle,
    SinkMaterialize,
    Sort,
    TopN,
    Union,
    Unnest,
    Values,
    WindowAggregate,
    WindowAssign,
    WindowKind,
    WindowTopN,
    Write,
    inputs_of,
    readers_of,
)

__all__ = ["Built", "build"]

Target = tuple[Stage, int] | None


@dataclass(frozen=True, slots=True)
class Built:
    """A plan, ready to be fed.

    Attributes:
        pipeline: Its operators.
        scans: What to read, one per lane, in the pipeline's order.
        writes: Where the result goes, one for each of several plans; none: to the caller.
        memory: What keyed state may take, if that is limited; to be closed when the run is over.
    """

    pipeline: Pipeline | PipelineSet
    scans: tuple[Scan, ...]
    writes: tuple[Write, ...]
    memory: StateMemory | None = None


def build(plan: Node | Sequence[Write], settings: Settings) -> Built:
    """Compiles a plan, or several that run as one.

    Raises:
        UserError: The plan has something that cannot be computed here.
    """
    limit_bytes = settings.state_memory_bytes
    memory = None if limit_bytes is None else StateMemory(limit_bytes, settings.spill_directory)
    plans = plan if isinstance(plan, Sequence) else (plan,)
    writes = tuple(one for one in plans if isinstance(one, Write))
    built = [_built({place: plans[place] for place in family}, settings, memory) for family in _families(plans)]
    if isinstance(plan, Sequence) or (settings.shares_scans and reads_twice(built[0][1])):
        return Built(*shared(built, apart=not settings.shares_scans), writes, memory)
    return Built(*built[0], writes, memory)


def _families(plans: Sequence[Node]) -> list[list[int]]:
    """Returns the places of the plans, those together that have a node in common: it is to be built once."""
    families: list[tuple[set[int], list[int]]] = []
    for place, plan in enumerate(plans):
        nodes = set(readers_of(plan))
        related = [one for one in families if not nodes.isdisjoint(one[0])]
        families = [one for one in families if nodes.isdisjoint(one[0])]
        places = [other for _, places in related for other in places]
        families.append((nodes.union(*(one for one, _ in related)), [*places, place]))
    return sorted(sorted(places) for _, places in families)


def _built(
    plans: Mapping[int, Node], settings: Settings, memory: StateMemory | None
) -> tuple[Pipeline, tuple[Scan, ...]]:
    """Compiles plans, by their numbers, into one pipeline."""
    builder = _Builder(settings, readers_of(*plans.values()), memory)
    for number, plan in plans.items():
        builder.number = number
        builder.add_result(plan)
    return Pipeline(builder.lanes, builder.stages[::-1], builder.values, min(plans)), tuple(builder.scans)


class _Builder:
    """Walks a plan from the top; `above` holds the stateless operators between a node and its target."""

    def __init__(self, settings: Settings, readers: Mapping[int, int], memory: StateMemory | None) -> None:
        self._settings, self._memory = settings, memory
        self._readers = readers
        self._waiting: dict[int, list[Target]] = {}
        self._told_after: set[int] = set()
        self._context = EvaluationContext(settings.clock, settings.local_time_zone)
        self.lanes: list[Lane] = []
        self.scans: list[Scan] = []
        self.stages: list[Stage] = []
        self.values: list[tuple[ValuesOperator, Target]] = []
        self.number = 0
        """That of the plan that is being added."""

    def add_result(self, plan: Node) -> None:
        """Adds a whole plan: what becomes of its rows at the edge, and all below."""
        if isinstance(plan, Write):
            below, above = plan.input, self._written(plan)
        else:
            below, above = plan, encoder_of(plan)
        changelog = changelog_of(below)
        if self._has_rounds and not changelog.is_append_only:
            key = min(map(sorted, changelog.keys), key=len, default=[])
            self.add(below, (self._stage("ROUND", NetChanges(key), [self._staged(above, None)]), 0), [])
        else:
            self.add(below, None, above)

    @property
    def _has_rounds(self) -> bool:
        return self._settings.trigger.has_rounds

    def add(self, node: Node, target: Target, above: list[Stateless]) -> None:
        """Adds a node and all below it, to feed `target` through `above`."""
        match node:
            case Scan():
                self._add_lane(node, Lane([], None, above, target))
            case AssignWatermark():
                self._add_timed_lane(node, target, above)
            case Values():
                self.values.append((values_operator(node), self._staged(above, target)))
            case WindowAssign() if node.window.kind is not WindowKind.SESSION:
                self.add(node.input, target, [assign_operator(node, self._settings), *above])
            case Project() | Filter() | Unnest() | DropUnchanged():
                self.add(node.input, target, [row_operator(node, self._context), *above])
            case Write():
                raise AssertionError("A write is the top of a plan")
            case _:
                waiting = self._waiting.setdefault(id(node), [])
                waiting.append(self._staged(above, target))
                if len(waiting) == self._readers[id(node)]:
                    self._add_stage(node, waiting)

    def _written(self, node: Write) -> list[Stateless]:
        if self._has_rounds:  # a round's changes are netted, which takes what a row was
            return [row_operator(node, self._context), *enforcer_of(node), *encoder_of(node)]
        self._told_after.update(id(one) for one in told_after(node, self._readers))
        told_once = bool(told_by_group(node))
        return [row_operator(node, self._context), *enforcer_of(node), *encoder_of(node, told_once=told_once)]

    def _add_stage(self, node: _Remembering, parents: Sequence[Target]) -> None:
        name, operator = self._operator(node, parents)
        if self._memory is not None:
            clock = self._settings.clock
            operator = by_key_group(operator, lambda: self._operator(node, parents)[1], self._memory, clock)
        stage = self._stage(name, operator, parents)
        if is_undivided(operator):
            stage.memory = self._memory
        if isinstance(operator, ByClock):
            for above in _windows_over(stage):
                above.follow(operator)
        if isinstance(node, Join) and isinstance(node.bound, Interval):
            stage.delay_ms = node.bound.delay_ms
        stage.gives_at_end = gives_at_end(node)
        inputs = inputs_of(node)
        if isinstance(node, Join | SetOperation | Union):
            stage.ports = WatermarkMerge()
            for port in range(len(inputs)):
                stage.ports.add(str(port))
        for port, below in enumerate(inputs):
            self.add(below, (stage, port), [])

    def _operator(self, node: _Remembering, parents: Sequence[Target]) -> tuple[str, Operator]:
        """Returns what a stage is called and what it computes."""
        context, settings = self._context, self._settings
        match node:
            case Aggregate():
                return "GROUP BY", aggregate_operator(
                    node, context, settings, gives_before=id(node) not in self._told_after
                )
            case Settle():
                return "SETTLE", SettleChanges(node.schema.names)
            case WindowAggregate():
                return str(node.window), window_aggregate_operator(node, context, settings)
            case WindowAssign():
                return str(node.window), session_assign_operator(node, settings)
            case WindowTopN():
                return f"TOP {node.last}", window_top_n_operator(node, settings)
            case Join():
                return f"{node.kind.value} JOIN", join_operator(
                    node, context, settings, judged=any(map(_judges, parents))
                )
            case LookupJoin():
                return f"LOOKUP {node.table.table.name}", lookup_operator(node, context, settings, self._memory)
            case ChangelogNormalize():
                return "NORMALIZE", normalize_operator(node, settings)
            case SinkMaterialize():
                return "MATERIALIZE", materialize_operator(node, settings)
            case SetOperation():
                return node.kind.value, set_operator(node, settings)
            case Union():
                return "UNION ALL", UnionOperator(list(dtypes_of(node.schema).items()), weighted=is_updating(node))
            case Over():
                return "OVER", over_operator(node, context, settings)
            case TopN():
                return "TOP-N", top_n_operator(node, settings)
            case Deduplicate():
                return "DEDUPLICATE", deduplicate_operator(node, settings)
            case Sort():
                return "ORDER BY", sort_operator(node)
            case Limit():
                return f"LIMIT {node.count}", LimitOperator(node.count, node.offset)

    def _stage(self, name: str, operator: Operator, parents: Sequence[Target]) -> Stage:
        taken = {stage.name for stage in self.stages}
        number, unique = 1, name
        while unique in taken:
            number += 1
            unique = f"{name} #{number}"
        self.stages.append(Stage(unique, operator, tuple(parents), number=self.number))
        return self.stages[-1]

    def _staged(self, above: list[Stateless], target: Target) -> Target:
        """Returns where rows go that are to come to `target` through stateless operators."""
        if not above:
            return target
        operator = above[0] if len(above) == 1 else Chain(above)
        return self._stage(type(operator).__name__, operator, [target]), 0

    def _add_lane(self, scan: Scan, lane: Lane) -> None:
        self.scans.append(scan)
        self.lanes.append(lane)

    def _add_timed_lane(self, node: AssignWatermark, target: Target, above: list[Stateless]) -> None:
        below: list[Stateless] = []
        clock: list[Stateless] = []
        under: Node = node.input
        read = {node.column, *columns_of(node.expression)}
        while isinstance(under, Project | Filter):
            below.insert(0, row_operator(under, self._context))
            if isinstance(under, Project):
                of_time = replace(under, projections=tuple(one for one in under.projections if one.name in read))
                clock.insert(0, row_operator(of_time, self._context))
                read = {name for one in of_time.projections for name in columns_of(one.expression)}
            under = under.input
        if not isinstance(under, Scan):
            raise UserError(
                f"Expected the watermark for {node.column!r} straight above a table, got {type(under).__name__}"
            )
        if node.told is not None:
            tell = TellWatermark(node.told, polars_dtype(node.schema[node.told].type), _judges(target))
            above, target = [], self._staged([tell, *above], target)
        judges = node.told is not None or _judges(target)
        told_by_key = under.encoding is Encoding.UPSERT
        assign = WatermarkOperator(node.column, compile_expression(node.expression, self._context), judges, told_by_key)
        timeout_ms = node.idle_timeout_ms if node.idle_timeout_ms is not None else self._settings.idle_timeout_ms
        self._add_lane(under, Lane(below, assign, above, target, judges, timeout_ms or None, node.alignment, clock))


_Remembering = (
    Aggregate
    | Settle
    | ChangelogNormalize
    | SinkMaterialize
    | WindowAggregate
    | WindowAssign
    | WindowTopN
    | Join
    | LookupJoin
    | SetOperation
    | Union
    | Over
    | TopN
    | Deduplicate
    | Sort
    | Limit
)
"""Nodes whose operators keep state, or have several inputs."""


def _windows_over(stage: Stage) -> Iterator[ByClock]:
    """Yields the first windows by the clock that a stage's rows come to, on each way up."""
    for parent, _ in filter(None, stage.parents):
        if isinstance(parent.operator, ByClock):
            yield parent.operator
        else:
            yield from _windows_over(parent)


def _judges(target: Target) -> bool:
    """Tells whether an operator from here up sets late rows aside."""
    if target is None:
        return False
    stage, _ = target
    return judges_lateness(stage.operator) or any(map(_judges, stage.parents))
