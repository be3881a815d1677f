"""Windowed aggregates over the same rows that differ in what they give alone become one that gives all of it.

A query that joins a window's groups with their maximum counts twice: one count gives the window's bounds, the other its
time besides, since what is made of them differs. Here each is cut from one aggregate that gives what either does; the
two are then equal, and `share_subplans` makes them one. Brought together are aggregates over equal inputs, by the same
window and the same keys, each of whose rows is given once: one that gives changes would give more of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from yeoul.plan.expressions import ColumnRef
from yeoul.plan.nodes import Aggregation, Field, Node, Schema, WindowAggregate, WindowProperty, inputs_of
from yeoul.planner.rewriting import is_repeatable_node, project, with_inputs

__all__ = ["share_windows"]


def share_windows(node: Node) -> Node:
    """Makes the windowed aggregates of a plan give what others over the same rows give, too."""
    families: list[list[WindowAggregate]] = []
    for one in _shareable(node):
        family = next((known for known in families if _go_together(known[0], one)), None)
        if family is None:
            families.append([one])
        else:
            family.append(one)
    return _widened(node, [(family[0], _all_of(family)) for family in families if len(family) > 1])


def _shareable(node: Node) -> Iterator[WindowAggregate]:
    """Yields the aggregates of a plan of which a second one gives the same, inputs before what reads them."""
    for below in inputs_of(node):
        yield from _shareable(below)
    if isinstance(node, WindowAggregate) and node.emission is None and _is_repeatable(node):
        yield node


def _is_repeatable(node: Node) -> bool:
    return is_repeatable_node(node) and all(map(_is_repeatable, inputs_of(node)))


def _go_together(one: WindowAggregate, other: WindowAggregate) -> bool:
    return (one.window, one.keys, one.input) == (other.window, other.keys, other.input)


def _all_of(family: Sequence[WindowAggregate]) -> WindowAggregate:
    """Returns an aggregate that gives what any of a family does, under names of the first that gives it."""
    first = family[0]
    aggregates: list[Aggregation] = []
    properties: list[tuple[str, WindowProperty]] = []
    fields = {one.name: first.schema[one.name] for one in first.keys}
    for member in family:
        for aggregation in member.aggregates:
            if all(known.call != aggregation.call for known in aggregates):
                name = _taken(fields, member.schema[aggregation.name])
                aggregates.append(replace(aggregation, name=name))
        for own, what in member.properties:
            if all(known is not what for _, known in properties):
                properties.append((_taken(fields, member.schema[own]), what))
    names = [*(one.name for one in first.keys), *(one.name for one in aggregates), *(name for name, _ in properties)]
    schema = Schema(tuple(fields[name] for name in names))
    return replace(first, aggregates=tuple(aggregates), properties=tuple(properties), schema=schema)


def _taken(fields: dict[str, Field], wanted: Field) -> str:
    """Takes a column into a schema, under its name or the next that is free; returns that."""
    name, number = wanted.name, 0
    while name in fields:
        name, number = f"{wanted.name}{number}", number + 1
    fields[name] = replace(wanted, name=name)
    return name


def _widened(node: Node, wholes: Iterable[tuple[WindowAggregate, WindowAggregate]]) -> Node:
    """Returns a plan whose aggregates, if they are of a family, are cut from its whole."""
    wholes = list(wholes)
    if isinstance(node, WindowAggregate):
        for first, whole in wholes:
            if node.emission is None and _go_together(first, node):
                return _cut(replace(whole, input=_widened(whole.input, wholes)), node)
    return with_inputs(node, lambda below: _widened(below, wholes))


def _cut(whole: WindowAggregate, member: WindowAggregate) -> Node:
    """Returns what a member gave, cut from the whole."""
    if whole.schema == member.schema:
        return whole
    given = [(one.name, one.name) for one in member.keys]
    for aggregation in member.aggregates:
        given.append((aggregation.name, next(one.name for one in whole.aggregates if one.call == aggregation.call)))
    for own, what in member.properties:
        given.append((own, next(name for name, known in whole.properties if known is what)))
    return project(whole, [(own, ColumnRef(name, whole.schema[name].type)) for own, name in given])
