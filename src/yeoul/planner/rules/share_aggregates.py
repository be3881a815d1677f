"""Aggregates of the same rows that differ in what they compute of them alone become one that computes all of it.

Two INSERTs, one with COUNT(*) and one with SUM(price) of the same windows and keys, group the same rows: one aggregate
does it for both, over an input with the columns of both (`uniting`), and each reads what is its own. So do a query's
joined subqueries. Such aggregates have equal keys, windows, times to live and ways of giving rows.

An aggregate that gives changes gives one whenever any of its values changes. A reader of some of them is told what it
would be told by an aggregate of its own: updates that change nothing of what it reads are dropped.

Runs after all rules that look at one plan: pruning would undo it. Inner aggregates come before those that read them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from yeoul.plan.changelog import changelog_of, is_updating
from yeoul.plan.expressions import AggregateCall, ColumnRef, Expression
from yeoul.plan.nodes import (
    Aggregate,
    Aggregation,
    DropUnchanged,
    Node,
    Schema,
    WindowAggregate,
    WindowProperty,
    inputs_of,
    walk,
)
from yeoul.planner.rewriting import is_repeatable_node, map_expressions, project, replaced, with_inputs
from yeoul.planner.rules.merge_projects import merge_projects
from yeoul.planner.rules.remove_projects import remove_projects
from yeoul.planner.uniting import Columns, name_of, united

__all__ = ["share_aggregates"]

_Grouping = Aggregate | WindowAggregate
_Names = Mapping[str, str]
"""What a member calls its columns, and what the family's whole calls them."""


def share_aggregates(plans: Sequence[Node]) -> tuple[Node, ...]:
    """Makes one aggregate of those that group the same rows alike, in plans that run as one."""
    plans, height = tuple(plans), 1
    while any(_height(plan) >= height for plan in plans):
        cuts = _cuts([one for plan in plans for one in _groupings(plan, height)])
        plans = tuple(remove_projects(merge_projects(_with_cuts(plan, cuts))) for plan in plans)
        height += 1
    return plans


def _height(node: Node) -> int:
    """Returns how many aggregates stand one over the other."""
    return isinstance(node, _Grouping) + max(map(_height, inputs_of(node)), default=0)


def _groupings(plan: Node, height: int) -> Iterator[_Grouping]:
    """Yields the aggregates of one height of which a second one over the same rows gives the same."""
    for node in walk(plan):
        if isinstance(node, _Grouping) and _height(node) == height and all(map(is_repeatable_node, walk(node))):
            yield node


def _with_cuts(node: Node, cuts: Mapping[int, Node]) -> Node:
    return cuts.get(id(node)) or with_inputs(node, lambda below: _with_cuts(below, cuts))


@dataclass(slots=True)
class _Family:
    """Aggregates that become one: the whole, which grows, and its members with the names that it has for theirs."""

    whole: _Grouping
    members: list[tuple[_Grouping, _Names]]


def _cuts(groupings: Sequence[_Grouping]) -> dict[int, Node]:
    """Returns what stands for those aggregates that others are like, by their identity."""
    families: list[_Family] = []
    for one in groupings:
        if not any(_joins(one, family) for family in families):
            families.append(_Family(one, [(one, {name: name for name in one.schema.names})]))
    return {
        id(member): _cut(family.whole, member, names)
        for family in families
        for member, names in family.members
        if len(family.members) > 1
    }


def _joins(member: _Grouping, family: _Family) -> bool:
    """Tells whether an aggregate is like those of a family; it is of it, then."""
    met = _met(family.whole, member)
    if met is None:
        return False
    family.whole, names = met
    family.members.append((member, names))
    return True


def _met(whole: _Grouping, member: _Grouping) -> tuple[_Grouping, _Names] | None:
    """Returns an aggregate that gives what either does; None if they do not group the same rows alike."""
    inputs = united(whole.input, member.input)
    if inputs is None or changelog_of(whole).changes != changelog_of(member).changes:
        return None
    first, second = _over(whole, inputs.node, inputs.first), _over(member, inputs.node, inputs.second)
    if _without_outputs(first) != _without_outputs(second):
        return None
    keys = {one.name: one.expression for one in first.keys}
    if set(keys.values()) != {one.expression for one in second.keys}:
        return None
    given = _outputs(first)
    names = {name: name_of(value, given, name) for name, value in _outputs(second).items()}
    return _giving(first, given, second, names), names


def _over(node: _Grouping, source: Node, columns: Columns) -> _Grouping:
    """Returns an aggregate over the columns of both, in place of one over its own."""
    moved = map_expressions(replace(node, input=source), lambda expression: replaced(expression, columns))
    if isinstance(moved, WindowAggregate):
        time = columns[moved.window.time_column]
        assert isinstance(time, ColumnRef)
        return replace(moved, window=replace(moved.window, time_column=time.name))
    assert isinstance(moved, Aggregate)
    return moved


def _without_outputs(node: _Grouping) -> _Grouping:
    """Returns what is left of an aggregate without its columns: which rows it groups, when and how it gives them."""
    bare = replace(node, keys=(), aggregates=(), schema=Schema(()))
    return replace(bare, properties=()) if isinstance(bare, WindowAggregate) else bare


_Output = Expression | AggregateCall | WindowProperty


def _outputs(node: _Grouping) -> dict[str, _Output]:
    keys: dict[str, _Output] = {one.name: one.expression for one in node.keys}
    properties = node.properties if isinstance(node, WindowAggregate) else ()
    return {**keys, **{one.name: one.call for one in node.aggregates}, **dict(properties)}


def _giving(node: _Grouping, outputs: Mapping[str, _Output], other: _Grouping, names: _Names) -> _Grouping:
    """Returns an aggregate that gives all outputs; those that are not its own are the other's, under these names."""
    aggregates = [Aggregation(name, each) for name, each in outputs.items() if isinstance(each, AggregateCall)]
    properties = [(name, each) for name, each in outputs.items() if isinstance(each, WindowProperty)]
    fields = {names[one.name]: replace(one, name=names[one.name]) for one in other.schema.fields}
    fields |= {one.name: one for one in node.schema.fields}
    order = [*(one.name for one in node.keys), *(one.name for one in aggregates), *(name for name, _ in properties)]
    whole = replace(node, aggregates=tuple(aggregates), schema=Schema(tuple(fields[name] for name in order)))
    return replace(whole, properties=tuple(properties)) if isinstance(whole, WindowAggregate) else whole


def _cut(whole: _Grouping, member: _Grouping, names: _Names) -> Node:
    """Returns what a member gave, cut from the whole."""
    if whole.schema == member.schema:
        return whole
    own = [(one.name, names[one.name]) for one in member.schema.fields]
    cut = project(whole, [(name, ColumnRef(of_whole, whole.schema[of_whole].type)) for name, of_whole in own])
    reads_all = {one.name for one in whole.aggregates} <= set(names.values())
    return DropUnchanged(cut) if is_updating(whole) and not reads_all else cut
