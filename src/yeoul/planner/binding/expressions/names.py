"""Names in expressions: columns of the input, of the query around a subquery, fields of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from yeoul.errors import Span, UserError, did_you_mean
from yeoul.plan import types
from yeoul.plan.expressions import ColumnRef, Expression, Literal
from yeoul.planner.binding.context import OUTER
from yeoul.planner.binding.expressions.calls import call

if TYPE_CHECKING:
    from yeoul.planner.binding.expressions.binder import ExpressionBinder

__all__ = ["column", "dotted", "named", "near_columns"]


_REACH = "A subquery names columns of its own tables and of those around it."


def named(binder: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    return binder.column(node.this.name, span)


def dotted(binder: ExpressionBinder, node: Any, span: Span | None) -> Expression:
    """`alias.column`, `column.field`, `(expression).field`."""
    if isinstance(node.args["expression"], exp.Star):
        raise UserError(f"'.*' stands alone in a SELECT, not in {binder.place}", span=span)
    owner, name = node.this, node.args["expression"].name
    if isinstance(owner, exp.Column) and _is_alias(binder, owner.this.name):
        return binder.column(name, binder.context.span(owner), owner.this.name)
    if isinstance(owner, exp.Column) and _is_unknown(binder, owner.this.name):
        assert binder.relation is not None
        known = [*(name for scope in binder.relation.scopes for name in scope.columns), *binder.relation.aliases]
        around = "" if binder.context.outer is None else f"{_REACH} "
        raise binder.context.error(
            f"Unknown table or column {owner.this.name!r} before {('.' + name)!r}",
            owner,
            around + did_you_mean(owner.this.name, known),
        )
    row = binder.bind(owner)
    if row.type.kind is not types.Kind.ROW:
        raise UserError(f"Expected a table or a ROW before {('.' + name)!r}, got {row.type.or_null()}", span=span)
    field = Literal(name, types.STRING.not_null(), binder.context.span(node.args["expression"]))
    return call("field", (row, field), span)


def column(binder: ExpressionBinder, name: str, span: Span | None, qualifier: str = "") -> Expression:
    """Resolves a column by its name, and by its table's where that was written."""
    if _is_of_outer(binder, name, qualifier):
        return _outer_column(binder, name, span, qualifier)
    if binder.relation is None:
        raise UserError(
            f"Unknown column {name!r}: there is no table here to take it from",
            hint=f"A string stands in single quotes: '{name}'",
            span=span,
        )
    found = binder.relation.find(name, qualifier)
    if not found:
        where = f"table {qualifier!r}" if qualifier and binder.relation.joined else binder.relation.title
        raise UserError(f"Unknown column {name!r} in {where}", hint=binder.column_hint(name), span=span)
    if len(found) > 1:
        owners = [one.alias for one in binder.relation.scopes if name in one.columns and one.alias]
        hint = " or ".join(f"{owner}.{name}" for owner in owners)
        raise UserError(f"Column {name!r} is ambiguous: several tables have it", hint=f"Write {hint}", span=span)
    return ColumnRef(found[0], binder.relation.schema[found[0]].type, span, _written(name, qualifier))


def near_columns(binder: ExpressionBinder, name: str) -> str:
    assert binder.relation is not None
    return did_you_mean(name, dict.fromkeys(one for scope in binder.relation.scopes for one in scope.columns))


def _is_of_outer(binder: ExpressionBinder, name: str, qualifier: str) -> bool:
    """Whether a name means a column of the query around this one: it means none of this one's."""
    outer = binder.context.outer
    own = binder.relation is not None and bool(binder.relation.find(name, qualifier))
    return outer is not None and not own and len(outer.find(name, qualifier)) == 1


def _outer_column(binder: ExpressionBinder, name: str, span: Span | None, qualifier: str) -> Expression:
    outer = binder.context.outer
    assert outer is not None
    if binder.place != "WHERE":
        raise UserError(
            f"Column {name!r} of the outer query cannot stand in {binder.place} of a subquery",
            hint=f"Write the name of its table before it: t.{name}",
            span=span,
        )
    (found,) = outer.find(name, qualifier)
    return ColumnRef(OUTER + found, outer.schema[found].type, span, _written(name, qualifier))


def _written(name: str, qualifier: str) -> str:
    return f"{qualifier}.{name}" if qualifier else name


def _is_alias(binder: ExpressionBinder, name: str) -> bool:
    found = [one.aliases for one in (binder.relation, binder.context.outer) if one is not None]
    return any(name in aliases for aliases in found)


def _is_unknown(binder: ExpressionBinder, name: str) -> bool:
    return binder.relation is not None and not binder.relation.find(name) and not _is_of_outer(binder, name, "")
