"""Joins: two relations become one, the condition is taken apart into keys and what must hold besides.

Every column of the joined rows has a name of its own in the plan; names as written are looked up in the scopes of the
joined tables. A part of the condition that is about one side alone is asked of that side before the join, where that
means the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from yeoul.plan.expressions import ColumnRef, Expression, columns_of
from yeoul.plan.nodes import Field, Filter, Join, JoinKind, Node, Schema
from yeoul.planner.binding.context import BindContext, Relation, Scope, unique_name
from yeoul.planner.binding.expressions import ExpressionBinder, call
from yeoul.planner.dialects.flink.nodes import JoinedTables
from yeoul.planner.rewriting import conjuncts, equal_sides, joined, project

__all__ = ["bind_join"]


def bind_join(context: BindContext, node: JoinedTables, left: Relation, right: Relation) -> Relation:
    """Returns the joined rows of two relations.

    Raises:
        UserError: Two tables have one name, or the condition does not bind.
    """
    _refuse_twice(context, node, left, right)
    right = _renamed(right, left.schema.names)
    kind = JoinKind.INNER if node.args["kind"] == "CROSS" else JoinKind[node.args["kind"]]
    scopes = (*left.scopes, *right.scopes)
    both = Relation(_pair(left.node, right.node), "", "the joined tables", scopes)
    using = _shared_names(context, node, left, right)
    condition = _on_names(context, both, left, right, using, node) if using else _on(context, both, node)
    made = _join(left.node, right.node, kind, condition)
    if not kind.gives_right:
        return Relation(made, "", left.title, left.scopes)
    if using:
        hidden = frozenset(using)
        count = len(left.scopes)
        scopes = (*scopes[:count], *(replace(scope, hidden=hidden) for scope in scopes[count:]))
    return Relation(made, "", "the joined tables", scopes)


def _refuse_twice(context: BindContext, node: JoinedTables, left: Relation, right: Relation) -> None:
    double = next((alias for alias in right.aliases if alias in left.aliases), None)
    if double is not None:
        hint = f"Give one of them another: {double} AS other"
        raise context.error(f"Two tables of the join are called {double!r}", node.args["expression"], hint)


def _renamed(right: Relation, taken: Sequence[str]) -> Relation:
    """Returns the right side with names in the plan that the left side does not have."""
    used = list(taken)
    names: dict[str, str] = {}
    for name in right.schema.names:
        names[name] = unique_name(name, used)
        used.append(names[name])
    scopes = tuple(_through(scope, names) for scope in right.scopes)
    if all(old == new for old, new in names.items()):
        return replace(right, joined=scopes)
    outputs = [(names[one.name], ColumnRef(one.name, one.type)) for one in right.schema.fields]
    return replace(right, node=project(right.node, outputs), joined=scopes)


def _through(scope: Scope, names: dict[str, str]) -> Scope:
    return replace(scope, columns={written: names[column] for written, column in scope.columns.items()})


def _pair(left: Node, right: Node) -> Join:
    """Returns every row with every row: what a condition is bound over."""
    fields = (*left.schema.fields, *right.schema.fields)
    return Join(left, right, JoinKind.INNER, (), None, Schema(fields))


def _shared_names(context: BindContext, node: JoinedTables, left: Relation, right: Relation) -> list[str]:
    """Returns the columns that USING names, or that NATURAL means."""
    if node.args.get("natural"):
        on_left = [name for scope in left.scopes for name in scope.columns]
        return [name for scope in right.scopes for name in scope.columns if name in on_left]
    return [one.name for one in node.args.get("using") or []]


def _on_names(
    context: BindContext, both: Relation, left: Relation, right: Relation, names: list[str], node: JoinedTables
) -> list[Expression]:
    parts = []
    for name in names:
        sides = []
        for relation, title in ((left, "left"), (right, "right")):
            found = relation.find(name)
            if len(found) != 1:
                what = "ambiguous on" if found else "unknown on"
                raise context.error(f"Column {name!r} of USING is {what} the {title} side of the join", node)
            field = both.schema[found[0]] if relation is left else relation.schema[found[0]]
            sides.append(ColumnRef(field.name, field.type))
        parts.append(call("equals", sides, context.span(node)))
    return parts


def _on(context: BindContext, both: Relation, node: JoinedTables) -> list[Expression]:
    condition = node.args.get("on")
    if condition is None:
        return []
    return list(conjuncts(ExpressionBinder(context, both, "ON").condition(condition)))


def _join(left: Node, right: Node, kind: JoinKind, parts: Sequence[Expression]) -> Join:
    on_left, on_right = set(left.schema.names), set(right.schema.names)
    keys: list[tuple[Expression, Expression]] = []
    ask_left: list[Expression] = []
    ask_right: list[Expression] = []
    rest: list[Expression] = []
    for part in parts:
        used = set(columns_of(part))
        pair = equal_sides(part, on_left, on_right)
        if pair is not None:
            keys.append(pair)
        elif used and used <= on_right and not kind.keeps_right:
            ask_right.append(part)
        elif used and used <= on_left and kind in (JoinKind.INNER, JoinKind.RIGHT, JoinKind.SEMI):
            ask_left.append(part)
        else:
            rest.append(part)
    left = Filter(left, joined(ask_left)) if ask_left else left
    right = Filter(right, joined(ask_right)) if ask_right else right
    fields = [_side_field(one, kind.keeps_right) for one in left.schema.fields]
    if kind.gives_right:
        fields += [_side_field(one, kind.keeps_left) for one in right.schema.fields]
    return Join(left, right, kind, tuple(keys), joined(rest) if rest else None, Schema(tuple(fields)))


def _side_field(field: Field, may_lack: bool) -> Field:
    """A time attribute is an ordinary time above a regular join: its rows come in no order."""
    return Field(field.name, field.type.or_null() if may_lack else field.type)
