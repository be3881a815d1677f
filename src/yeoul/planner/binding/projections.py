"""The SELECT list: stars unfolded, output columns named as Flink names them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from yeoul.errors import did_you_mean
from yeoul.planner.binding.context import BindContext, Relation, Scope, unique_name
from yeoul.planner.binding.expressions import ExpressionBinder

__all__ = ["Item", "is_invented", "items_of", "unnamed"]


_UNNAMED = "EXPR$"


@dataclass(frozen=True, slots=True)
class Item:
    """One output column: its name, and the expression's tree, or the column that a star stands for."""

    name: str
    node: exp.Expr
    column: str | None = None


def unnamed(index: int) -> str:
    """Returns the name of a column that the user gave none, as Flink calls it; `index` counts from 0."""
    return f"{_UNNAMED}{index}"


def is_invented(name: str) -> bool:
    """Tells whether a column's name is none that the user gave, so that messages say where it stands instead.

    Example:
        >>> is_invented(unnamed(0)), is_invented("latency")
        (True, False)
    """
    return name.startswith(_UNNAMED)


def items_of(context: BindContext, select: exp.Select, relation: Relation | None) -> list[Item]:
    """Returns the output columns of a SELECT, names made unique (`a`, `a0`, ...).

    Raises:
        UserError: A star has no table to stand for.
    """
    found: list[Item] = []
    for index, node in enumerate(select.expressions):
        for name, tree, column in _unfolded(context, node, index, relation):
            found.append(Item(unique_name(name, (one.name for one in found)), tree, column))
    return found


def _unfolded(
    context: BindContext, node: exp.Expr, index: int, relation: Relation | None
) -> Iterator[tuple[str, exp.Expr, str | None]]:
    is_qualified = isinstance(node, exp.Dot) and isinstance(node.args["expression"], exp.Star)
    if isinstance(node, exp.Star) or is_qualified:
        if relation is None:
            raise context.error("'*' needs a FROM", node, hint="SELECT * FROM a_table")
        scopes = [scope for scope in relation.scopes if not scope.is_outer]
        if is_qualified:
            wanted = node.this.this.name if isinstance(node.this, exp.Column) else ""
            scopes = [scope for scope in scopes if scope.alias and scope.alias == wanted]
        fields = _fields_of_row(context, node, relation) if is_qualified and not scopes else ()
        for field in fields:
            yield field, exp.Dot(this=node.this.copy(), expression=exp.to_identifier(field, quoted=True)), None
        if not scopes and not fields:
            raise context.error("Unknown table before '.*'", node.this, did_you_mean(node.this.name, relation.aliases))
        for scope in scopes:
            shown = scope.columns.items() if is_qualified else _unhidden(scope)
            yield from ((name, node, column) for name, column in shown)
    elif isinstance(node, exp.Alias):
        yield node.alias, node.this, None
    else:
        yield _own_name(node) or unnamed(index), node, None


def _fields_of_row(context: BindContext, node: exp.Expr, relation: Relation) -> tuple[str, ...]:
    """Returns the fields that `column.*` stands for; none if it is no ROW."""
    first = node.this
    while isinstance(first, exp.Dot):
        first = first.this
    is_known = isinstance(first, exp.Column) and (relation.find(first.this.name) or first.this.name in relation.aliases)
    if not is_known:
        return ()
    return tuple(one.name for one in ExpressionBinder(context, relation, "SELECT").bind(node.this).type.fields)


def _unhidden(scope: Scope) -> list[tuple[str, str]]:
    return [(name, column) for name, column in scope.columns.items() if name not in scope.hidden]


def _own_name(node: exp.Expr) -> str:
    if isinstance(node, exp.Column):
        return str(node.this.name)
    if isinstance(node, exp.Dot) and isinstance(node.args["expression"], exp.Identifier):
        return str(node.args["expression"].name)
    return ""
