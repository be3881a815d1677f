"""OVER: calls over windows of rows are taken out of a SELECT list and become nodes below its projection.

Calls with one window share a node, except rankings: each has its own, so that a condition on a rank can make a Top-N
of it (see `rankings`). Over input that never ends a window is ordered by a time attribute, as in Flink; over input
that ends, by anything: then all rows are looked at when there are no more.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from yeoul.errors import Span, UserError, did_you_mean
from yeoul.plan.changelog import changelog_of
from yeoul.plan.expressions import AggregateCall, ColumnRef, Expression, Literal, columns_of
from yeoul.plan.functions import is_aggregate, is_ranking, resolve_ranking
from yeoul.plan.functions.rankings import NEIGHBOURS, SHARES
from yeoul.plan.functions.refused import REFUSED
from yeoul.plan.nodes import Aggregation, Field, Node, Over, Schema, Settle
from yeoul.plan.ordering import Frame, FrameUnit, OverTime, SortKey
from yeoul.plan.rendering import render_aggregate
from yeoul.plan.types import INT
from yeoul.planner.binding.boundedness import gives_changes
from yeoul.planner.binding.context import BindContext, unique_name
from yeoul.planner.binding.expressions.aggregate_calls import Binds, aggregate_call
from yeoul.planner.binding.time_attributes import time_of
from yeoul.planner.casts import coerced
from yeoul.planner.dialects.flink.nodes import FunctionCall, OverCall, WindowSpec
from yeoul.planner.folding import folded
from yeoul.planner.rewriting import project

__all__ = ["OverCalls", "no_time_attribute", "refuse_without_over", "sort_direction"]

_RANKINGS = frozenset({"row_number", "rank", "dense_rank"})
_WHOLE = Frame(FrameUnit.ROWS, None, None)
_ENDLESS_HINT = "It looks at all rows of a partition: bound the input, or write ROW_NUMBER, RANK, DENSE_RANK or LAG"
_TIME_HINT = (
    "Order by the row time or by PROCTIME(), ascending; or ask for the first n: "
    "SELECT ... FROM (SELECT *, ROW_NUMBER() OVER (...) AS rn ...) WHERE rn <= n"
)


@dataclass(frozen=True, slots=True)
class _Ordered:
    """One item of a window's ORDER BY."""

    expression: Expression
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class _Window:
    """What calls have in common to share a node."""

    partition: tuple[Expression, ...]
    order: tuple[_Ordered, ...]
    frame: Frame | None
    ranking: str | None = None


def refuse_without_over(context: BindContext, qualify: exp.Expr, condition: exp.Expr) -> None:
    """Refuses a QUALIFY whose condition has no call with OVER in it.

    Raises:
        UserError: It has none.
    """
    if not any(isinstance(part, OverCall) for part in condition.walk()):
        raise context.error("QUALIFY expects a condition on a call with OVER", qualify, hint="WHERE filters rows")


def sort_direction(item: Any) -> tuple[bool, bool]:
    """Returns whether an item of ORDER BY is descending and whether its NULLs come last: by default NULL is least."""
    descending = bool(item.args.get("descending"))
    nulls_first = item.args.get("nulls_first")
    return descending, descending if nulls_first is None else not nulls_first


class OverCalls:
    """The calls over windows of one SELECT.

    Args:
        context: The catalog, the settings and the text.
        select: Where named windows are defined.
        taken: Names that the calls' columns may not have.
        ties: By what each window is partitioned besides: what a query within another is tied by.
    """

    def __init__(
        self, context: BindContext, select: exp.Select, taken: Iterable[str], ties: Sequence[Expression] = ()
    ) -> None:
        self._context, self._ties = context, ties
        self._taken, self._count = list(taken), 0
        self._named: dict[str, WindowSpec] = {}
        for spec in select.args.get("windows") or []:
            if spec.this.name in self._named:
                raise context.error(f"Window {spec.this.name!r} is defined twice", spec)
            self._named[spec.this.name] = spec
        self._calls: dict[_Window, dict[AggregateCall, str]] = {}
        self._spans: dict[_Window, Span | None] = {}

    def bind(self, node: OverCall, bind: Binds, wanted: str) -> ColumnRef:
        """Returns the column that will hold a call.

        Args:
            node: The call.
            bind: Binds its parts over the rows that `applied` will be given.
            wanted: The column's name, if there is one to prefer.

        Raises:
            UserError: The call or its window does not bind, or cannot be computed over such rows.
        """
        span = self._context.span(node)
        call = self._call(node.this, bind, span)
        if node.args.get("ignore_nulls"):
            call = _among_known(call, span)
        window = self._window(node, call, bind)
        calls = self._calls.setdefault(window, {})
        self._spans.setdefault(window, span)
        if call not in calls:
            calls[call] = unique_name(wanted or f"over${self._count}", self._taken)
            self._taken.append(calls[call])
            self._count += not wanted
        return ColumnRef(calls[call], call.type, span, f"{render_aggregate(call)} OVER (...)")

    def applied(self, rows: Node) -> Node:
        """Returns rows with a column for each call, and perhaps more.

        Raises:
            UserError: A window's rows are never complete.
        """
        if not self._calls:
            return rows
        is_bounded = not gives_changes(rows, self._context.settings)
        if not changelog_of(rows).is_append_only and is_bounded:
            rows = Settle(rows)
        names: dict[Expression, str] = {}
        rows = self._with_keys(rows, names)
        for window, calls in self._calls.items():
            rows = self._over(rows, window, calls, names, is_bounded)
        return rows

    # --- binding

    def _can_stand(self, name: str) -> bool:
        return is_aggregate(name) or is_ranking(name) or self._context.function(name, "aggregate") is not None

    def _call(self, node: Any, bind: Binds, span: Span | None) -> AggregateCall:
        if not isinstance(node, FunctionCall) or not self._can_stand(node.this):
            shown = node.this.upper() if isinstance(node, FunctionCall) else type(node).__name__
            reason = REFUSED.get(shown)
            if reason is not None:
                raise UserError(f"The function {shown} of Flink is not supported", hint=reason, span=span)
            raise UserError(
                f"OVER follows an aggregate or a ranking, {shown} is none",
                hint="SUM(x) OVER (...), ROW_NUMBER() OVER (...), LAG(x) OVER (...)",
                span=span,
            )
        if not is_ranking(node.this):
            return aggregate_call(node, bind, span, self._context)
        for key, what in (("distinct", "DISTINCT"), ("filter", "FILTER (WHERE ...)"), ("star", "*")):
            if node.args.get(key):
                raise UserError(f"{what} belongs to aggregate functions, {node.this.upper()} is none", span=span)
        args = [bind(one, f"the function {node.this.upper()}") for one in node.expressions]
        resolved = resolve_ranking(node.this, [one.type for one in args], span)
        if resolved.function in NEIGHBOURS and len(args) > 1:
            args[1] = folded(args[1])
            if not any(columns_of(args[1])):
                _whole(args[1], f"The offset of {node.this.upper()}", span)
        if resolved.function == "ntile" and _whole(args[0], "NTILE", span) == 0:
            raise UserError("NTILE expects at least one group", span=span)
        cast = tuple(coerced(one, type) for one, type in zip(args, resolved.args, strict=True))
        return AggregateCall(resolved.function, cast, resolved.type, span=span)

    def _window(self, node: OverCall, call: AggregateCall, bind: Binds) -> _Window:
        spec = self._spec(node.args["expression"], set())
        partition = (*(bind(one, "PARTITION BY") for one in spec.expressions), *self._ties)
        order = tuple(
            _Ordered(bind(one.this, "ORDER BY"), *sort_direction(one)) for one in spec.args.get("order") or []
        )
        frame = spec.args.get("frame")
        if call.function in _RANKINGS | NEIGHBOURS | SHARES:
            name = call.function.partition("_ignore")[0].upper()
            if frame is not None:
                raise self._context.error(f"{name} takes no {frame.args['kind']}: it looks at the order alone", frame)
            if not order and call.function != "row_number":
                raise self._context.error(f"{name} needs an ORDER BY in its window", node)
            shared = "shares" if call.function in SHARES else "neighbours"
            ranking = call.function if call.function in _RANKINGS else shared
            return _Window(partition, order, None, ranking)
        return _Window(partition, order, self._frame(frame, order, bind))

    def _spec(self, node: exp.Expr, seen: set[str]) -> WindowSpec:
        """Returns a window's specification, with what it takes over from a named one."""
        if isinstance(node, exp.Identifier):
            if node.name not in self._named or node.name in seen:
                hint = did_you_mean(node.name, list(self._named)) or "WINDOW w AS (PARTITION BY ...) names one"
                raise self._context.error(f"Unknown window {node.name!r}", node, hint)
            seen.add(node.name)
            return self._spec(self._named[node.name], seen)
        assert isinstance(node, WindowSpec)
        if node.args.get("base") is None:
            return node
        base = self._spec(node.args["base"], seen)
        for key, what in (("expressions", "PARTITION BY"), ("order", "ORDER BY"), ("frame", "ROWS or RANGE")):
            if node.args.get(key) and (base.args.get(key) or key == "expressions"):
                raise self._context.error(f"{what} cannot be given anew for a named window", node)
        merged = WindowSpec(
            expressions=base.expressions,
            order=base.args.get("order") or node.args.get("order"),
            frame=base.args.get("frame") or node.args.get("frame"),
        )
        merged.meta.update(node.meta)
        return merged

    def _frame(self, node: Any, order: tuple[_Ordered, ...], bind: Binds) -> Frame:
        if node is None:
            return Frame(FrameUnit.RANGE) if order else Frame(FrameUnit.ROWS, None, None)
        unit = FrameUnit[node.args["kind"]]
        low, high = node.args["low"], node.args["high"]
        if low.args.get("following") or (high.args["kind"] != "CURRENT" and not high.args.get("following")):
            raise self._context.error(
                "A frame holds the current row: from so many PRECEDING to CURRENT ROW, or to so many FOLLOWING", node
            )
        return Frame(unit, self._distance(low, unit, bind), self._distance(high, unit, bind))

    def _distance(self, bound: Any, unit: FrameUnit, bind: Binds) -> int | None:
        if bound.args["kind"] == "UNBOUNDED":
            return None
        if bound.args["kind"] == "CURRENT":
            return 0
        value, span = bind(bound.this, unit.value), self._context.span(bound)
        if unit is FrameUnit.ROWS:
            return _whole(value, "A frame of ROWS", span)
        if isinstance(value, Literal) and isinstance(value.value, datetime.timedelta):
            length_ms = value.value // datetime.timedelta(milliseconds=1)
            if length_ms >= 0:
                return length_ms
        raise UserError(
            "A frame of RANGE expects an interval of days or less", hint="RANGE INTERVAL '1' HOUR PRECEDING", span=span
        )

    # --- nodes

    def _with_keys(self, rows: Node, names: dict[Expression, str]) -> Node:
        """Computes what windows are partitioned and ordered by, where that is no column yet."""
        every = [one for window in self._calls for one in (*window.partition, *(by.expression for by in window.order))]
        added: list[tuple[str, Expression]] = []
        for expression in every:
            if isinstance(expression, ColumnRef):
                names[expression] = expression.name
            elif expression not in names:
                names[expression] = unique_name(f"by${len(added)}", [*rows.schema.names, *self._taken])
                added.append((names[expression], expression))
        if not added:
            return rows
        columns: list[tuple[str, Expression]] = [
            (one.name, ColumnRef(one.name, one.type)) for one in rows.schema.fields
        ]
        return project(rows, [*columns, *added])

    def _over(
        self,
        rows: Node,
        window: _Window,
        calls: dict[AggregateCall, str],
        names: dict[Expression, str],
        is_bounded: bool,
    ) -> Over:
        partition = tuple(dict.fromkeys(names[one] for one in window.partition))
        order = tuple(SortKey(names[one.expression], one.descending, one.nulls_last) for one in window.order)
        frame = window.frame or _frame_of(window, calls)
        span = self._spans[window]
        time = self._time(rows, order, frame)
        if time is None and is_bounded:
            time = OverTime.END
            self._check_range(rows, order, frame, span)
        if window.ranking not in _RANKINGS:
            self._check(rows, order, frame, time, calls, span)
        fields = tuple(Field(name, call.type) for call, name in calls.items())
        schema = Schema((*rows.schema.fields, *fields))
        aggregations = tuple(Aggregation(name, call) for call, name in calls.items())
        return Over(rows, partition, order, frame, aggregations, time, schema, span)

    def _time(self, rows: Node, order: tuple[SortKey, ...], frame: Frame) -> OverTime | None:
        """Returns when rows are complete as they come; None if only at the end, if ever."""
        if len(order) != 1 or order[0].descending or frame.following != 0:
            return None
        return time_of(rows, order[0].column)

    def _check(
        self,
        rows: Node,
        order: tuple[SortKey, ...],
        frame: Frame,
        time: OverTime | None,
        calls: dict[AggregateCall, str],
        span: Span | None,
    ) -> None:
        if not changelog_of(rows).is_append_only:
            raise UserError(
                "OVER cannot take changes: its rows have to stand",
                hint="Put it below what changes rows, or bound the input",
                span=span,
            )
        if time is not None:
            return
        whole = sorted({_written(call) for call in calls if _needs_whole(call)})
        if whole:
            names = ", ".join(whole)
            raise UserError(f"{names} cannot be told over input that never ends", hint=_ENDLESS_HINT, span=span)
        if any(call.function == "lead" for call in calls):
            raise UserError("LEAD looks at rows that are yet to come", hint="LAG looks at those before", span=span)
        if frame.following != 0 and order:
            raise UserError(
                "Over input that never ends a frame ends with the current row",
                hint="ROWS BETWEEN 5 PRECEDING AND CURRENT ROW",
                span=span,
            )
        raise no_time_attribute(order, span)

    def _check_range(self, rows: Node, order: tuple[SortKey, ...], frame: Frame, span: Span | None) -> None:
        """RANGE with a distance needs one column to measure it along."""
        if frame.unit is FrameUnit.ROWS or (frame.preceding in (0, None) and frame.following in (0, None)):
            return
        if len(order) != 1 or not rows.schema[order[0].column].type.is_timestamp or order[0].descending:
            raise UserError(
                "RANGE with an interval needs an ORDER BY of one timestamp, ascending",
                hint="ROWS counts rows",
                span=span,
            )


def no_time_attribute(order: tuple[SortKey, ...], span: Span | None) -> UserError:
    """Returns the error for a window whose rows are never complete."""
    got = f"got ORDER BY {', '.join(str(one) for one in order)}" if order else "there is no ORDER BY"
    return UserError(
        f"Over input that never ends OVER has to be ordered by a time attribute, ascending; {got}",
        hint=_TIME_HINT,
        span=span,
    )


def _among_known(call: AggregateCall, span: Span | None) -> AggregateCall:
    """Returns LAG or LEAD among the rows with a value."""
    if call.function not in NEIGHBOURS:
        hint = "FIRST_VALUE and LAST_VALUE leave NULLs out anyway"
        raise UserError(f"IGNORE NULLS follows LAG or LEAD, not {call.function.upper()}", hint=hint, span=span)
    return replace(call, function=f"{call.function}_ignore_nulls")


def _needs_whole(call: AggregateCall) -> bool:
    """Whether a call cannot be answered before the last row of the partition is there."""
    return call.function in SHARES or call.function.endswith("_ignore_nulls")


def _written(call: AggregateCall) -> str:
    return call.function.upper().replace("_IGNORE_", " IGNORE ")


def _frame_of(window: _Window, calls: dict[AggregateCall, str]) -> Frame:
    """Returns how far LAG and LEAD reach; a ranking looks at everything before."""
    if window.ranking in _RANKINGS:
        return Frame(FrameUnit.ROWS)
    if any(_needs_whole(call) for call in calls):
        return _WHOLE
    reaches: dict[str, int | None] = {"lag": 0, "lead": 0}
    for call in calls:
        known, reach = reaches[call.function], _reach(call)
        reaches[call.function] = None if known is None or reach is None else max(known, reach)
    return Frame(FrameUnit.ROWS, reaches["lag"], reaches["lead"])


def _reach(call: AggregateCall) -> int | None:
    """How many rows away LAG or LEAD looks; None if each row says so itself."""
    offset = call.args[1] if len(call.args) > 1 else Literal(1, INT)
    return offset.value if isinstance(offset, Literal) and isinstance(offset.value, int) else None


def _whole(value: Expression, what: str, span: Span | None) -> int:
    if isinstance(value, Literal) and isinstance(value.value, int) and value.value >= 0:
        return int(value.value)
    got = f", got {value.value!r}" if isinstance(value, Literal) and isinstance(value.value, int) else ""
    raise UserError(f"{what} expects a whole number, not negative{got}", span=span)
