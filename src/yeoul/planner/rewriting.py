"""Pure tools over bound expressions and nodes that binding and the rules share: rebuild, substitute, split by AND."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from yeoul.plan.expressions import (
    AggregateCall,
    Call,
    Case,
    Cast,
    ColumnRef,
    Expression,
    Literal,
    children_of,
    columns_of,
)
from yeoul.plan.functions.python import is_volatile
from yeoul.plan.nodes import (
    Aggregate,
    AssignWatermark,
    Field,
    Filter,
    Join,
    JoinKey,
    LookupJoin,
    Node,
    Over,
    Project,
    Projection,
    Scan,
    Schema,
    SetOperation,
    Union,
    Unnest,
    Values,
    WindowAggregate,
)
from yeoul.plan.types import BOOLEAN
from yeoul.planner.casts import can_widen

__all__ = [
    "cannot_fail",
    "conjuncts",
    "equal_sides",
    "is_proctime",
    "is_repeatable",
    "is_repeatable_node",
    "join_key",
    "joined",
    "map_call",
    "map_children",
    "map_expressions",
    "project",
    "replaced",
    "with_inputs",
]

_UNREPEATABLE = frozenset(
    {"rand", "rand_integer", "uuid", "proctime", "current_timestamp", "localtimestamp", "current_date", "localtime"}
    | {"unix_timestamp"}
)
"""Functions that answer differently each time, so that a call must be neither doubled nor moved past a filter."""


def map_children(expression: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """Returns an expression with each direct operand changed; the same object if none did."""
    match expression:
        case Call():
            args = tuple(change(arg) for arg in expression.args)
            return expression if _same(args, expression.args) else replace(expression, args=args)
        case Cast():
            operand = change(expression.operand)
            return expression if operand is expression.operand else replace(expression, operand=operand)
        case Case():
            branches = tuple((change(condition), change(value)) for condition, value in expression.branches)
            return replace(expression, branches=branches, otherwise=change(expression.otherwise))
        case _:
            return expression


def _same(new: Sequence[Expression], old: Sequence[Expression]) -> bool:
    return all(a is b for a, b in zip(new, old, strict=True))


def map_call(call: AggregateCall, change: Callable[[Expression], Expression]) -> AggregateCall:
    """Returns an aggregate call with its arguments and its filter changed."""
    kept = None if call.filter is None else change(call.filter)
    return replace(call, args=tuple(change(arg) for arg in call.args), filter=kept)


def map_expressions(node: Node, change: Callable[[Expression], Expression]) -> Node:
    """Returns a node with every expression of its own changed; the types that they give must stay."""
    match node:
        case Project():
            return replace(node, projections=_mapped(node.projections, change))
        case Filter():
            return replace(node, predicate=change(node.predicate))
        case AssignWatermark():
            return replace(node, expression=change(node.expression))
        case Aggregate() | WindowAggregate():
            calls = tuple(replace(one, call=map_call(one.call, change)) for one in node.aggregates)
            return replace(node, keys=_mapped(node.keys, change), aggregates=calls)
        case Over():
            return replace(node, calls=tuple(replace(one, call=map_call(one.call, change)) for one in node.calls))
        case Join():
            keys = tuple(replace(key, left=change(key.left), right=change(key.right)) for key in node.keys)
            return replace(node, keys=keys, condition=None if node.condition is None else change(node.condition))
        case LookupJoin():
            asked = tuple((change(value), column) for value, column in node.keys)
            return replace(node, keys=asked, condition=None if node.condition is None else change(node.condition))
        case Unnest():
            return replace(node, collection=change(node.collection))
        case _:
            return node


def _mapped(projections: Sequence[Projection], change: Callable[[Expression], Expression]) -> tuple[Projection, ...]:
    return tuple(replace(one, expression=change(one.expression)) for one in projections)


def replaced(expression: Expression, columns: Mapping[str, Expression]) -> Expression:
    """Returns an expression with columns replaced by expressions, by name; others stay."""
    if isinstance(expression, ColumnRef):
        found = columns.get(expression.name, expression)
        if isinstance(found, ColumnRef) and expression.written and found.written != expression.written:
            return replace(found, written=expression.written)
        return found
    return map_children(expression, lambda part: replaced(part, columns))


def conjuncts(predicate: Expression) -> Iterator[Expression]:
    """Yields the parts of a predicate that AND joins, from left to right."""
    if isinstance(predicate, Call) and predicate.function == "and":
        for part in predicate.args:
            yield from conjuncts(part)
    else:
        yield predicate


def joined(parts: Sequence[Expression]) -> Expression:
    """Joins predicates by AND, in a tree of logarithmic height; at least one is needed."""
    if len(parts) == 1:
        return parts[0]
    left, right = joined(parts[: len(parts) // 2]), joined(parts[len(parts) // 2 :])
    return Call("and", (left, right), BOOLEAN.or_null(left.type.nullable or right.type.nullable), left.span)


def is_repeatable(expression: Expression) -> bool:
    """Tells whether evaluating an expression twice, or elsewhere, gives the same."""
    if isinstance(expression, Call) and (expression.function in _UNREPEATABLE or is_volatile(expression.function)):
        return False
    return all(is_repeatable(part) for part in children_of(expression))


_INFALLIBLE = frozenset(
    [
        "equals",
        "not_equals",
        "less",
        "less_or_equal",
        "greater",
        "greater_or_equal",
        "and",
        "or",
        "not",
        "is_null",
        "is_not_null",
        "is_true",
        "is_false",
        "is_not_true",
        "is_not_false",
        "is_unknown",
        "is_not_unknown",
        "in",
        "not_in",
        "between",
        "not_between",
        "like",
        "not_like",
        "is_distinct_from",
        "is_not_distinct_from",
        "concat",
        "upper",
        "lower",
        "trim",
        "char_length",
        "coalesce",
        "field",
    ]
)


def cannot_fail(expression: Expression) -> bool:
    """Tells whether an expression has a value for every row; a division or a narrowing cast may have none."""
    match expression:
        case Call(function="modulo", args=(_, Literal(value=int() as divisor))):
            known = divisor != 0
        case Call():
            known = expression.function in _INFALLIBLE
        case Cast():
            known = expression.null_on_error or can_widen(expression.operand.type, expression.type)
        case _:
            known = True
    return known and all(cannot_fail(part) for part in children_of(expression))


def join_key(part: Expression, left: Collection[str], right: Collection[str]) -> JoinKey | None:
    """Returns a condition as a key of a join: `a = b` or `a IS NOT DISTINCT FROM b`; None if it is no such."""
    if not (isinstance(part, Call) and part.function == "is_not_distinct_from"):
        sides = equal_sides(part, left, right)
        return None if sides is None else JoinKey(*sides)
    sides = equal_sides(replace(part, function="equals"), left, right)
    return None if sides is None else JoinKey(*sides, nulls_meet=all(side.type.nullable for side in sides))


def equal_sides(
    part: Expression, left: Collection[str], right: Collection[str]
) -> tuple[Expression, Expression] | None:
    """Returns what a condition wants equal on the left and on the right of a join; None if it is no such condition."""
    if not (isinstance(part, Call) and part.function == "equals"):
        return None
    one, other = part.args
    first, second = set(columns_of(one)), set(columns_of(other))
    if not (first and second):
        return None
    if first <= set(left) and second <= set(right):
        return one, other
    return (other, one) if first <= set(right) and second <= set(left) else None


def with_inputs(node: Node, change: Callable[[Node], Node]) -> Node:
    """Returns a node with each input changed, its own schema kept; the same object if none did."""
    match node:
        case Scan() | Values():
            return node
        case Union():
            inputs = tuple(change(one) for one in node.inputs)
            same = all(a is b for a, b in zip(inputs, node.inputs, strict=True))
            return node if same else replace(node, inputs=inputs)
        case Join() | SetOperation():
            left, right = change(node.left), change(node.right)
            same = left is node.left and right is node.right
            return node if same else replace(node, left=left, right=right)
        case _:
            below = change(node.input)
            return node if below is node.input else replace(node, input=below)


def is_repeatable_node(node: Node) -> bool:
    """Tells whether a node, over the same rows, gives the same each time: nothing in it is left to chance."""
    if isinstance(node, Aggregate | WindowAggregate) and any(is_volatile(one.call.function) for one in node.aggregates):
        return False
    found: list[Expression] = []

    def note(expression: Expression) -> Expression:
        found.append(expression)
        return expression

    map_expressions(node, note)
    return all(map(is_repeatable, found))


def project(source: Node, outputs: Sequence[tuple[str, Expression]]) -> Project:
    """Returns the node that computes the outputs; a plain reference to a row time, or to PROCTIME(), stays one."""
    fields = tuple(
        Field(name, value.type, _is_rowtime(source.schema, value), is_proctime(source.schema, value))
        for name, value in outputs
    )
    return Project(source, tuple(Projection(name, value) for name, value in outputs), Schema(fields))


def is_proctime(schema: Schema, expression: Expression) -> bool:
    """Tells whether an expression over columns is PROCTIME(), or one of them that is."""
    if isinstance(expression, ColumnRef) and expression.name in schema:
        return schema[expression.name].is_proctime
    return isinstance(expression, Call) and expression.function == "proctime"


def _is_rowtime(schema: Schema, expression: Expression) -> bool:
    return isinstance(expression, ColumnRef) and expression.name in schema and schema[expression.name].is_rowtime
