"""Expressions over groups: SELECT, HAVING and QUALIFY of a grouped query.

They are bound over the source first, aggregates aside; then keys, aggregates and the window's properties become columns
of the aggregate's output. What is left must be made of these.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from yeoul.errors import Span, UserError, did_you_mean
from yeoul.plan.explain import explain_window
from yeoul.plan.expressions import AggregateCall, ColumnRef, Expression, Literal, columns_of
from yeoul.plan.functions import is_aggregate, resolve_grouping
from yeoul.plan.nodes import Window, WindowProperty
from yeoul.plan.rendering import render, render_aggregate
from yeoul.plan.types import BIGINT
from yeoul.planner.binding.context import BindContext, unique_name
from yeoul.planner.binding.expressions import ExpressionBinder
from yeoul.planner.binding.expressions.aggregate_calls import aggregate_call
from yeoul.planner.binding.grouping.groups import Groups
from yeoul.planner.binding.grouping.sets import is_grouping_function
from yeoul.planner.binding.overs import OverCalls
from yeoul.planner.binding.windows import WINDOW_COLUMNS, group_window, window_property
from yeoul.planner.dialects.flink.nodes import FunctionCall, OverCall
from yeoul.planner.rewriting import map_children

__all__ = ["GroupedBinder", "calls_aggregate"]

_PLACED = "\0"
_WINDOW_HINT = (
    "Group within a window: FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE))"
    " GROUP BY window_start, window_end, ..."
)


def calls_aggregate(context: BindContext, call: FunctionCall) -> bool:
    """Tells whether an aggregate function is called, built in or the user's."""
    return is_aggregate(call.this) or context.function(call.this, "aggregate") is not None


class GroupedBinder(ExpressionBinder):
    """Binds expressions over groups: first over the source, aggregates aside, then keys become the output's columns."""

    def __init__(
        self, context: BindContext, groups: Groups, output: str, place: str, overs: OverCalls | None = None
    ) -> None:
        super().__init__(context, groups.source, place, groups.subqueries)
        self._overs = overs
        self._groups = groups
        self._output = output
        self._placed: set[str] = set()

    def bind_over(self, node: exp.Expr) -> Expression:
        """Binds an expression whose columns are the aggregate's output."""
        if not (isinstance(node, FunctionCall) and calls_aggregate(self.context, node)):
            self._output = ""
        return self._over_groups(self.bind(node))

    def condition_over(self, node: exp.Expr) -> Expression:
        """Binds a condition whose columns are the aggregate's output."""
        return self._over_groups(self.condition(node))

    def _over_groups(self, expression: Expression) -> Expression:
        groups = self._groups
        if expression in groups.keys:
            type = groups.key(expression).type
            return ColumnRef(groups.keys[expression], type, expression.span, render(expression))
        if isinstance(expression, ColumnRef):
            if expression.name in self._placed:
                return replace(expression, name=expression.name[len(_PLACED) :])
            if expression.name in groups.columns:
                return groups.property_ref(groups.columns[expression.name], expression.name, expression.span)
            raise self._ungrouped(expression)
        return map_children(expression, self._over_groups)

    def _ungrouped(self, column: ColumnRef) -> UserError:
        if column.name in WINDOW_COLUMNS and column.name not in self._groups.rows.schema:
            hint = f"Add {column.name} to GROUP BY"
        else:
            hint = f"Add it to GROUP BY, or aggregate it: MAX({render(column)})"
        message = f"Column {render(column)!r} is neither in GROUP BY nor inside an aggregate"
        return UserError(message, hint=hint, span=column.span)

    def lifted(self, expression: Expression) -> Expression:
        return self._over_groups(expression)

    def placed(self, column: ColumnRef) -> ColumnRef:
        return self._place(column)

    def _place(self, column: ColumnRef) -> ColumnRef:
        """Marks a column of the output, so that it is not taken for one of the source's."""
        marked = _PLACED + column.name
        self._placed.add(marked)
        return replace(column, name=marked)

    def aggregate(self, node: FunctionCall, span: Span | None) -> Expression:
        call = self._call(node, span)
        groups = self._groups
        if call not in groups.aggregates:
            wanted = self._output or f"{call.function}${len(groups.aggregates)}"
            groups.aggregates[call] = unique_name(wanted, groups.taken())
        return self._place(ColumnRef(groups.aggregates[call], call.type, span, render_aggregate(call)))

    def over(self, node: OverCall, span: Span | None) -> Expression:
        overs = self._overs
        if overs is None:
            return super().over(node, span)

        def bind(part: exp.Expr, place: str, *, condition: bool = False) -> Expression:
            binder = GroupedBinder(self.context, self._groups, "", place)
            return binder.condition_over(part) if condition else binder.bind_over(part)

        return self._place(overs.bind(node, bind, ""))

    def _call(self, node: FunctionCall, span: Span | None) -> AggregateCall:
        def bind(part: exp.Expr, place: str, *, condition: bool = False) -> Expression:
            binder = ExpressionBinder(self.context, self.relation, place)
            return binder.condition(part) if condition else binder.bind(part)

        call = aggregate_call(node, bind, span, self.context)
        self._refuse_window_columns(call)
        return call

    def _refuse_window_columns(self, call: AggregateCall) -> None:
        for part in (*call.args, *([call.filter] if call.filter else [])):
            gone = [name for name in columns_of(part) if name not in self._groups.rows.schema]
            if gone:
                raise UserError(
                    f"An aggregate cannot take the window's column {gone[0]!r}",
                    hint="It is the same for every row of the group: use it outside the aggregate",
                    span=part.span,
                )

    def function(self, node: FunctionCall, span: Span | None) -> Expression:
        if is_grouping_function(node.this):
            return self._grouping(node, span)
        asked = window_property(node.this)
        if asked is None:
            return super().function(node, span)
        function, value = asked
        groups = self._groups
        if not groups.by_function or groups.window is None:
            hint = f"Use window_{value.value} with the table function" if groups.columns else _WINDOW_HINT
            raise UserError(f"{node.this.upper()} belongs to GROUP BY {function}(...)", hint=hint, span=span)
        window = group_window(self.context, node, groups.source)
        if window != groups.window or window.kind.value != function:
            raise UserError(
                f"{node.this.upper()} names another window than GROUP BY:"
                f" {explain_window(window)}; not {explain_window(groups.window)}",
                span=span,
            )
        return self._place(groups.property_ref(value, f"window_{value.value}", span))

    def _grouping(self, node: FunctionCall, span: Span | None) -> Expression:
        groups, name = self._groups, node.this.upper()
        keys = [ExpressionBinder(self.context, self.relation, name).bind(one) for one in node.expressions]
        resolve_grouping(name, [key.type for key in keys], span)
        strange = next((key for key in keys if key not in groups.keys), None)
        if strange is not None:
            raise UserError(f"{name} takes keys of GROUP BY", span=strange.span or span)
        if groups.sets is None:
            return Literal(0, BIGINT.not_null(), span)
        return groups.sets.answer(name, keys, self._place(groups.sets.number_ref), span)

    def column_hint(self, name: str) -> str:
        window = self._groups.window
        if name in WINDOW_COLUMNS and self._groups.by_function and window is not None:
            return f"With GROUP BY {window.kind.value}(...), ask {_asking(window, name)}"
        return did_you_mean(name, self._groups.source.schema.names)


def _asking(window: Window, column: str) -> str:
    """Returns the call that gives what a window column would."""
    wanted = {WindowProperty.START: "START", WindowProperty.END: "END", WindowProperty.TIME: "ROWTIME"}
    return f"{window.kind.value}_{wanted[WINDOW_COLUMNS[column]]}(...) with the same arguments"
