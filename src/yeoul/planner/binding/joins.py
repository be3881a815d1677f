"""Joins: two relations become one, the condition is taken apart into keys and what must hold besides.

Every column of the joined rows has a name of its own in the plan; names as written are looked up in the scopes of the
joined tables. A part of the condition that is about one side alone is asked of that side before the join, where that
means the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from yeoul.plan.expressions import ColumnRef, Expression, columns_of
from yeoul.plan.join_bounds import AsOf
from yeoul.plan.nodes import Field, Filter, Join, JoinKey, JoinKind, Node, Schema
from yeoul.planner.binding.as_of import rows_as_of
from yeoul.planner.binding.context import BindContext, Relation, Scope, unique_name
from yeoul.planner.binding.expressions import ExpressionBinder, call
from yeoul.planner.binding.hints import state_ttl_of
from yeoul.planner.binding.meetings import Meeting, bounded, is_time_bound
from yeoul.planner.dialects.flink.nodes import JoinedTables
from yeoul.planner.rewriting import cannot_fail, conjuncts, join_key, joined, project

__all__ = ["bind_join", "filtered", "meeting_rows"]


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
    as_of = node.args["expression"].args.get("when")
    ttl_ms = (state_ttl_of(context, left), state_ttl_of(context, right))
    made: Node = (
        replace(_join(left.node, right.node, kind, condition), ttl_ms=ttl_ms)
        if as_of is None
        else rows_as_of(context, as_of, left, right, kind, condition)
    )
    if not kind.gives_right:
        return Relation(made, "", left.title, left.scopes)
    if using and kind.keeps_right and isinstance(made, Join):
        return _merged(made, left, right, using)
    if using:
        hidden = frozenset(using)
        count = len(left.scopes)
        scopes = (*scopes[:count], *(_hiding(scope, hidden) for scope in scopes[count:]))
    return Relation(made, "", "the joined tables", scopes)


def _hiding(scope: Scope, names: frozenset[str]) -> Scope:
    return replace(scope, hidden=scope.hidden | names)


def _merged(made: Join, left: Relation, right: Relation, using: list[str]) -> Relation:
    """Returns a join where the left may lack, its columns of USING with the value of the side that is there."""
    outputs: list[tuple[str, Expression]] = [(one.name, ColumnRef(one.name, one.type)) for one in made.schema.fields]
    merged: dict[str, str] = {}
    for name in dict.fromkeys(using):
        sides: list[Expression] = []
        for relation in (left, right):
            field = made.schema[relation.find(name)[0]]
            sides.append(ColumnRef(field.name, field.type))
        merged[name] = unique_name(name, [output for output, _ in outputs])
        outputs.append((merged[name], call("coalesce", sides, None)))
    hidden = frozenset(using)
    scopes = (Scope("", merged), *(_hiding(scope, hidden) for scope in (*left.scopes, *right.scopes)))
    return Relation(project(made, outputs), "", "the joined tables", scopes)


def _refuse_twice(context: BindContext, node: JoinedTables, left: Relation, right: Relation) -> None:
    mine = [scope.alias for scope in left.scopes if scope.alias and not scope.is_outer]
    double = next((alias for alias in right.aliases if alias in mine), None)
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
    keys: list[JoinKey] = []
    ask_left: list[Expression] = []
    ask_right: list[Expression] = []
    rest: list[Expression] = []
    for part in parts:
        used = set(columns_of(part))
        key = join_key(part, on_left, on_right)
        if key is not None:
            keys.append(key)
        elif used and used <= on_right and not kind.keeps_right:
            ask_right.append(part)
        elif used and used <= on_left and kind in (JoinKind.INNER, JoinKind.RIGHT, JoinKind.SEMI):
            ask_left.append(part)
        else:
            rest.append(part)
    left = Filter(left, joined(ask_left)) if ask_left else left
    right = Filter(right, joined(ask_right)) if ask_right else right
    return meeting_rows(left, right, kind, Meeting(tuple(keys), tuple(rest)))


def meeting_rows(left: Node, right: Node, kind: JoinKind, meeting: Meeting) -> Join:
    """Returns the join of two inputs without a name in common, bounded in time if that is known."""
    meeting = bounded(left, right, kind, meeting)
    keeps_times = meeting.bound is not None
    fields = [_side_field(one, kind.keeps_right, keeps_times) for one in left.schema.fields]
    if kind.gives_right:
        fields += [_side_field(one, kind.keeps_left, keeps_times) for one in right.schema.fields]
    condition = joined(meeting.rest) if meeting.rest else None
    return Join(left, right, kind, meeting.keys, condition, Schema(tuple(fields)), meeting.bound)


def _side_field(field: Field, may_lack: bool, keeps_times: bool) -> Field:
    """A time attribute is an ordinary time above a regular join, whose rows come in no order, and where it may lack."""
    is_rowtime = field.is_rowtime and keeps_times and not may_lack
    type = field.type.or_null() if may_lack else field.type
    return Field(field.name, type, is_rowtime, field.is_proctime and not may_lack)


def filtered(node: Node, predicate: Expression) -> Node:
    """Returns the rows of FROM for which WHERE holds: a join takes from it what bounds it in time.

    That has to be known at binding, for it says whether the rows stand and which of their columns are row times. All
    else stays in a filter, for the rules to move.
    """
    return _absorbing(node, list(conjuncts(predicate)))


def _absorbing(node: Node, parts: list[Expression]) -> Node:
    if isinstance(node, Join) and node.kind is JoinKind.INNER and not isinstance(node.bound, AsOf):
        inner = [part for part in parts if set(columns_of(part)) <= set(node.left.schema.names)]
        left = _absorbing(node.left, inner) if isinstance(node.left, Join) and inner else node.left
        if isinstance(left, Join) and left is not node.left:
            parts = [part for part in parts if part not in inner]
            node = replace(meeting_rows(left, node.right, node.kind, _meeting(node)), ttl_ms=node.ttl_ms)
        if node.bound is None:
            node, parts = _bounded_by(node, parts)
    return Filter(node, joined(parts)) if parts else node


def _meeting(node: Join) -> Meeting:
    return Meeting(node.keys, tuple(conjuncts(node.condition)) if node.condition is not None else ())


def _bounded_by(node: Join, parts: list[Expression]) -> tuple[Join, list[Expression]]:
    """Returns a join bounded in time by parts of a filter above it, and the parts that are left."""
    before = _meeting(node)
    found = [(part, join_key(part, node.left.schema.names, node.right.schema.names)) for part in parts]
    keys = tuple(key for part, key in found if key is not None and cannot_fail(part))
    bounds = [part for part, key in found if key is None and is_time_bound(node.left, node.right, part)]
    taken = [part for part, key in found if key is not None and cannot_fail(part)] + bounds
    made = meeting_rows(node.left, node.right, node.kind, Meeting((*before.keys, *keys), (*before.rest, *bounds)))
    if made.bound is None:
        return node, parts
    return made, [part for part in parts if part not in taken]
