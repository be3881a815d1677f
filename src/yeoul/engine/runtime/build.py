"""From a plan to lanes and stages: which operators, in which order, compiled once.

Projections and filters stay on a lane's stateless stretch as long as they can, so that the decode pool does them;
above the first operator that remembers something they become stages of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from yeoul.engine.compile.aggregates import compile_aggregate
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.expressions import EvaluationContext, compile_expression
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.aggregate import Aggregate as AggregateOperator
from yeoul.engine.operators.assign_watermark import AssignWatermark as WatermarkOperator
from yeoul.engine.operators.by_clock import ByClock, Windowed
from yeoul.engine.operators.contract import Operator, Stateless
from yeoul.engine.operators.emitting_windows import WINDOW_END, EmittingWindows
from yeoul.engine.operators.encode_changes import EncodeChanges
from yeoul.engine.operators.filter import Filter as FilterOperator
from yeoul.engine.operators.group_aggregate import GroupAggregate
from yeoul.engine.operators.interval_join import IntervalJoin
from yeoul.engine.operators.limit import Limit as LimitOperator
from yeoul.engine.operators.project import Project as ProjectOperator
from yeoul.engine.operators.relabel import Relabel
from yeoul.engine.operators.sessions import SessionAggregate, SessionAssign
from yeoul.engine.operators.set_operation import SetOperation as SetOperator
from yeoul.engine.operators.settle_changes import SettleChanges as SettleOperator
from yeoul.engine.operators.temporal_join import TemporalJoin
from yeoul.engine.operators.time_axis import TimeAxis
from yeoul.engine.operators.union import Union as UnionOperator
from yeoul.engine.operators.unnest import Unnest as UnnestOperator
from yeoul.engine.operators.values import Values as ValuesOperator
from yeoul.engine.operators.watermarks import WatermarkMerge
from yeoul.engine.operators.window_aggregate import WindowAggregate as WindowOperator
from yeoul.engine.operators.window_assign import WindowAssign as AssignOperator
from yeoul.engine.operators.window_join import WindowJoin
from yeoul.engine.operators.window_top_n import WindowTopN as WindowTopNOperator
from yeoul.engine.operators.windows import WindowLayout
from yeoul.engine.runtime.build_ordering import (
    deduplicate_operator,
    judges_lateness,
    over_operator,
    sort_operator,
    top_n_operator,
)
from yeoul.engine.runtime.joins import join_operator, lookup_operator
from yeoul.engine.runtime.pipeline import Lane, Pipeline, Stage
from yeoul.engine.runtime.settings import Settings
from yeoul.engine.runtime.shared_lanes import PipelineSet, shared
from yeoul.errors import UserError
from yeoul.plan.changelog import Change, changelog_of, is_updating
from yeoul.plan.expressions import ColumnRef
from yeoul.plan.join_bounds import Interval
from yeoul.plan.nodes import (
    Aggregate,
    AssignWatermark,
    Deduplicate,
    Filter,
    Join,
    Limit,
    LookupJoin,
    Node,
    Over,
    Project,
    Scan,
    Schema,
    SetOperation,
    Settle,
    Sort,
    TopN,
    Union,
    Unnest,
    Values,
    Window,
    WindowAggregate,
    WindowAssign,
    WindowKind,
    WindowProperty,
    WindowTopN,
    Write,
)
from yeoul.plan.tables import Column, ColumnKind, TableDefinition
from yeoul.plan.types import Kind

__all__ = ["Built", "build", "writable_columns"]

Target = tuple[Stage, int] | None


@dataclass(frozen=True, slots=True)
class Built:
    """A plan, ready to be fed.

    Attributes:
        pipeline: Its operators.
        scans: What to read, one per lane, in the pipeline's order.
        writes: Where the result goes, one for each of several plans; none: to the caller.
    """

    pipeline: Pipeline | PipelineSet
    scans: tuple[Scan, ...]
    writes: tuple[Write, ...]


def build(plan: Node | Sequence[Write], settings: Settings) -> Built:
    """Compiles a plan, or several that run as one.

    Raises:
        UserError: The plan has something that cannot be computed here.
    """
    if isinstance(plan, Sequence):
        pipeline, scans = shared([_built(one, settings) for one in plan])
        return Built(pipeline, scans, tuple(plan))
    return Built(*_built(plan, settings), (plan,) if isinstance(plan, Write) else ())


def _built(plan: Node, settings: Settings) -> tuple[Pipeline, tuple[Scan, ...]]:
    builder = _Builder(settings)
    builder.add(plan, None, [] if isinstance(plan, Write) else _encoder(plan))
    return Pipeline(builder.lanes, builder.stages[::-1], builder.values), tuple(builder.scans)


def writable_columns(table: TableDefinition) -> tuple[Column, ...]:
    """Returns the columns that INSERT INTO fills: physical ones and metadata that is not virtual."""
    return tuple(
        column
        for column in table.columns
        if column.kind is ColumnKind.PHYSICAL or (column.kind is ColumnKind.METADATA and not column.virtual)
    )


class _Builder:
    """Walks a plan from the top; `above` holds the stateless operators between a node and its target."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._context = EvaluationContext(settings.clock, settings.local_time_zone)
        self.lanes: list[Lane] = []
        self.scans: list[Scan] = []
        self.stages: list[Stage] = []
        self.values: list[tuple[ValuesOperator, Target]] = []

    def add(self, node: Node, target: Target, above: list[Stateless]) -> None:
        match node:
            case WindowAssign() if node.window.kind is WindowKind.SESSION:
                stage = self._stage(str(node.window), self._session_assign(node), self._staged(above, target))
                self._add_below(stage, [node.input])
            case Project() | Filter() | WindowAssign() | Unnest():
                self.add(node.input, target, [self._stateless(node), *above])
            case Write():
                self.add(node.input, target, [self._stateless(node), *_encoder(node), *above])
            case AssignWatermark():
                self._add_timed_lane(node, target, above)
            case Scan():
                self._add_lane(node, Lane([], None, above, target))
            case Values():
                self.values.append((ValuesOperator(_literal_rows(node)), self._staged(above, target)))
            case Aggregate():
                grouping = self._group_aggregate(node) if node.updating else self._aggregate(node)
                stage = self._stage("GROUP BY", grouping, self._staged(above, target))
                self._add_below(stage, [node.input])
            case Settle():
                stage = self._stage("SETTLE", SettleOperator(node.schema.names), self._staged(above, target))
                self._add_below(stage, [node.input])
            case WindowAggregate():
                stage = self._stage(str(node.window), self._window_aggregate(node), self._staged(above, target))
                self._add_below(stage, [node.input])
            case Join():
                parent = self._staged(above, target)
                operator = join_operator(node, self._context, self._settings, judged=_judges(parent))
                stage = self._stage(f"{node.kind.value} JOIN", operator, parent)
                stage.delay_ms = node.bound.delay_ms if isinstance(node.bound, Interval) else 0
                self._merge_ports(stage, 2)
                self._add_below(stage, [node.left, node.right])
            case TopN():
                stage = self._stage("TOP-N", top_n_operator(node, self._settings), self._staged(above, target))
                self._add_below(stage, [node.input])
            case Deduplicate():
                first_or_last = deduplicate_operator(node, self._settings)
                stage = self._stage("DEDUPLICATE", first_or_last, self._staged(above, target))
                self._add_below(stage, [node.input])
            case Sort():
                stage = self._stage("ORDER BY", sort_operator(node), self._staged(above, target))
                self._add_below(stage, [node.input])
            case Over():
                over = over_operator(node, self._settings, self._context)
                self._add_below(self._stage("OVER", over, self._staged(above, target)), [node.input])
            case SetOperation():
                stage = self._stage(node.kind.value, self._set_operation(node), self._staged(above, target))
                self._merge_ports(stage, 2)
                self._add_below(stage, [node.left, node.right])
            case WindowTopN():
                stage = self._stage(f"TOP {node.last}", self._window_top_n(node), self._staged(above, target))
                self._add_below(stage, [node.input])
            case LookupJoin():
                looking_up = lookup_operator(node, self._context, self._settings)
                stage = self._stage(f"LOOKUP {node.table.table.name}", looking_up, self._staged(above, target))
                self._add_below(stage, [node.input])
            case Limit():
                stage = self._stage(
                    f"LIMIT {node.count}", LimitOperator(node.count, node.offset), self._staged(above, target)
                )
                self._add_below(stage, [node.input])
            case Union():
                stage = self._stage("UNION ALL", UnionOperator(_dtypes(node.schema)), self._staged(above, target))
                self._merge_ports(stage, len(node.inputs))
                self._add_below(stage, node.inputs)

    def _merge_ports(self, stage: Stage, count: int) -> None:
        stage.ports = WatermarkMerge()
        for port in range(count):
            stage.ports.add(str(port))

    def _add_below(self, stage: Stage, inputs: Sequence[Node]) -> None:
        first = len(self.lanes)
        for port, node in enumerate(inputs):
            self.add(node, (stage, port), [])
        stage.lanes = list(range(first, len(self.lanes)))

    def _stage(self, name: str, operator: Operator, parent: Target) -> Stage:
        taken = {stage.name for stage in self.stages}
        number, unique = 1, name
        while unique in taken:
            number += 1
            unique = f"{name} #{number}"
        self.stages.append(Stage(unique, operator, parent))
        return self.stages[-1]

    def _staged(self, above: list[Stateless], target: Target) -> Target:
        for operator in reversed(above):
            target = (self._stage(type(operator).__name__, operator, target), 0)
        return target

    def _add_lane(self, scan: Scan, lane: Lane) -> None:
        self.scans.append(scan)
        self.lanes.append(lane)

    def _add_timed_lane(self, node: AssignWatermark, target: Target, above: list[Stateless]) -> None:
        below: list[Stateless] = []
        under: Node = node.input
        while isinstance(under, Project | Filter):
            below.insert(0, self._stateless(under))
            under = under.input
        if not isinstance(under, Scan):
            raise UserError(
                f"Expected the watermark for {node.column!r} straight above a table, got {type(under).__name__}"
            )
        judges = _judges(target)
        assign = WatermarkOperator(node.column, compile_expression(node.expression, self._context), judges)
        timeout_ms = node.idle_timeout_ms if node.idle_timeout_ms is not None else self._settings.idle_timeout_ms
        self._add_lane(under, Lane(below, assign, above, target, judges, timeout_ms or None))

    def _stateless(self, node: Project | Filter | WindowAssign | Unnest | Write) -> Stateless:
        match node:
            case Project():
                return ProjectOperator(
                    [(one.name, compile_expression(one.expression, self._context)) for one in node.projections]
                )
            case Filter():
                return FilterOperator(compile_expression(node.predicate, self._context))
            case Unnest():
                collection = compile_expression(node.collection, self._context)
                return UnnestOperator(
                    collection, node.own, node.fields, number=node.number, keeps_empty=node.keeps_empty
                )
            case WindowAssign():
                start, end, time = node.schema.names[-3:]
                axis = self._axis(node.input.schema, node.window)
                layout = WindowLayout.of(node.window)
                return AssignOperator(layout, axis, node.window.time_column, (start, end, time))
            case Write():
                columns = writable_columns(node.table)
                return Relabel([(column.name, polars_dtype(column.type)) for column in columns])

    def _aggregate(self, node: Aggregate) -> AggregateOperator:
        over_nothing = {
            # An aggregate that is never NULL counts or adds up from zero.
            one.name: pl.Series([None if one.call.type.nullable else 0], dtype=polars_dtype(one.call.type))
            for one in node.aggregates
        }
        return AggregateOperator(
            [(key.name, compile_expression(key.expression, self._context)) for key in node.keys],
            [compile_aggregate(one.call, one.name, self._context) for one in node.aggregates],
            pl.DataFrame(over_nothing),
            node.schema.names,
        )

    def _set_operation(self, node: SetOperation) -> SetOperator:
        return SetOperator(
            dict(_dtypes(node.schema)),
            node.kind,
            keeps_doubles=node.keeps_doubles,
            weighted=is_updating(node),
            clock=self._settings.clock,
            ttl_ms=self._settings.state_ttl_ms,
        )

    def _group_aggregate(self, node: Aggregate) -> GroupAggregate:
        retracts = is_updating(node.input)
        weight = WEIGHT if retracts else None
        return GroupAggregate(
            [(key.name, compile_expression(key.expression, self._context)) for key in node.keys],
            [compile_aggregate(one.call, one.name, self._context, weight) for one in node.aggregates],
            node.schema.names,
            retracts=retracts,
            clock=self._settings.clock,
            ttl_ms=self._settings.state_ttl_ms,
        )

    def _window_aggregate(self, node: WindowAggregate) -> Operator:
        axis, time_column = self._axis(node.input.schema, node.window), node.window.time_column
        keys = [(key.name, compile_expression(key.expression, self._context)) for key in node.keys]
        retracts = is_updating(node.input)
        weight = WEIGHT if retracts else None
        aggregates = [compile_aggregate(one.call, one.name, self._context, weight) for one in node.aggregates]
        of_rows = (axis, time_column, keys, aggregates, node.properties, node.schema.names)
        if node.window.kind is WindowKind.SESSION:
            return self._paced(node, SessionAggregate(node.window.size_ms, *of_rows))
        if node.emission is not None:
            properties = (*node.properties, (WINDOW_END, WindowProperty.END))
            names = (*node.schema.names, WINDOW_END)
            inner = WindowOperator(
                WindowLayout.of(node.window), axis, time_column, keys, aggregates, properties, names, retracts
            )
            return EmittingWindows(inner, [key.name for key in node.keys], node.emission, self._settings.clock)
        return self._paced(node, WindowOperator(WindowLayout.of(node.window), *of_rows, retracts))

    def _session_assign(self, node: WindowAssign) -> Operator:
        window, below = node.window, node.input.schema
        start, end, time = node.schema.names[-3:]
        axis, columns, names = self._axis(below, window), below.names, (start, end, time)
        operator = SessionAssign(window.size_ms, axis, window.time_column, window.partition, columns, names)
        return self._paced(node, operator)

    def _window_top_n(self, node: WindowTopN) -> Operator:
        axis = TimeAxis(self._settings.local_time_zone if node.is_local else None)
        numbers = (node.first, node.last, node.rank)
        operator = WindowTopNOperator(axis, node.bounds, node.partition, node.order, *numbers)
        return ByClock(operator, self._settings.clock, None) if node.window.by_clock else operator

    def _paced(self, node: WindowAggregate | WindowAssign, operator: Windowed) -> Operator:
        """Returns an operator that goes by event time as it is, one that goes by the clock in a frame that does."""
        if not node.window.by_clock:
            return operator
        column = node.window.time_column
        return ByClock(operator, self._settings.clock, None if _has_window_time(node.input, column) else column)

    def _axis(self, schema: Schema, window: Window) -> TimeAxis:
        is_local = schema[window.time_column].type.kind is Kind.TIMESTAMP_LTZ
        return TimeAxis(self._settings.local_time_zone if is_local else None)


def _encoder(plan: Node) -> list[Stateless]:
    """Returns what turns weights into kinds of change for whoever reads a plan's rows; nothing if rows stand."""
    changelog = changelog_of(plan)
    if changelog.is_append_only:
        return []
    keys = sorted(changelog.keys, key=len)
    updates = Change.UPDATE_AFTER in changelog.changes
    return [EncodeChanges(sorted(keys[0]) if keys else (), updates=updates)]


def _has_window_time(node: Node, column: str) -> bool:
    """Tells whether a column is the time of a window below, not that of a row."""
    match node:
        case WindowAggregate():
            return any(name == column for name, _ in node.properties)
        case WindowAssign():
            return column in node.schema.names[-3:]
        case Project():
            value = next(one.expression for one in node.projections if one.name == column)
            return isinstance(value, ColumnRef) and _has_window_time(node.input, value.name)
        case Filter():
            return _has_window_time(node.input, column)
        case _:
            return False


_JUDGING = (
    WindowOperator,
    EmittingWindows,
    SessionAggregate,
    SessionAssign,
    WindowTopNOperator,
    IntervalJoin,
    WindowJoin,
    TemporalJoin,
)


def _judges(target: Target) -> bool:
    while target is not None:
        stage, _ = target
        if isinstance(stage.operator, _JUDGING) or judges_lateness(stage.operator):
            return True
        target = stage.parent
    return False


def _dtypes(schema: Schema) -> list[tuple[str, pl.DataType]]:
    return [(one.name, polars_dtype(one.type)) for one in schema.fields]


def _literal_rows(node: Values) -> pl.DataFrame:
    if not node.schema.fields:
        return pl.DataFrame(height=len(node.rows))
    return pl.DataFrame(
        {
            one.name: pl.Series([row[index] for row in node.rows], dtype=polars_dtype(one.type))
            for index, one in enumerate(node.schema.fields)
        }
    )
