"""What a projection, a filter or an aggregate's input says several times is computed once, in a projection below.

`SELECT JSON_VALUE(s, '$.a'), UPPER(JSON_VALUE(s, '$.a')) WHERE JSON_VALUE(s, '$.a') > 'b'` reads the JSON once a row.
An expression that a filter and what stands on it both need is computed below the filter, which has to compute it for
every row in any case. Left as they are:

- what is no more work than handing on a column: arithmetic and comparisons of numbers, until enough of it adds up;
- what gives another value each time: chance, the clock, Python functions that say so;
- what may fail and stands only behind conditions (CASE, COALESCE, AND, OR): it might fail where nobody asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from yeoul.plan.expressions import Call, Case, Cast, ColumnRef, Expression, Literal, children_of, columns_of
from yeoul.plan.nodes import Aggregate, Filter, Node, Project, Schema, WindowAggregate
from yeoul.plan.rendering import render
from yeoul.planner.rewriting import cannot_fail, is_repeatable, map_children, map_expressions, project, with_inputs

__all__ = ["share_expressions"]

_WORTH = 10
"""How much work has to be spared before a column is added."""
_COMPARING = frozenset(["equals", "not_equals", "less", "less_or_equal", "greater", "greater_or_equal", "between"])
_TESTING = frozenset(["is_null", "is_not_null", "is_true", "is_false", "is_not_true", "is_not_false", "is_unknown"])
_LOGIC = frozenset(["and", "or", "not", "coalesce", "ifnull", "nullif", "if", "field", "item"])
_ARITHMETIC = frozenset(["add", "subtract", "multiply", "divide", "modulo", "negate", "plus"])
_CHEAP = _COMPARING | _TESTING | _LOGIC | _ARITHMETIC
_DEFERRING = frozenset(["and", "or", "if", "coalesce", "ifnull"])


@dataclass(slots=True)
class _Uses:
    """How often an expression is said, and whether it is evaluated for every row at least once."""

    count: int = 0
    is_certain: bool = False


@dataclass(slots=True)
class _Census:
    """The uses of every expression that could be shared; what lies within a second saying of it does not count."""

    found: dict[Expression, _Uses] = field(default_factory=dict)

    def take(self, expression: Expression, certain: bool = True) -> None:
        if isinstance(expression, ColumnRef | Literal):
            return
        uses = self.found.setdefault(expression, _Uses())
        uses.count += 1
        newly_certain = certain and not uses.is_certain
        uses.is_certain = uses.is_certain or certain
        if uses.count > 1 and not newly_certain:
            return
        for part, is_certain in _parts(expression):
            if uses.count == 1:
                self.take(part, certain and is_certain)

    def shared(self) -> list[Expression]:
        """Returns what is to be computed once, parts before what they are parts of."""
        worth = [
            expression
            for expression, uses in self.found.items()
            if uses.count > 1 and _is_shareable(expression, uses) and _work(expression) * (uses.count - 1) >= _WORTH
        ]
        return sorted(worth, key=_size)


def _parts(expression: Expression) -> Iterator[tuple[Expression, bool]]:
    """Yields the operands of an expression, and whether each is evaluated whenever the expression is."""
    match expression:
        case Case():
            for index, (condition, value) in enumerate(expression.branches):
                yield condition, index == 0
                yield value, False
            yield expression.otherwise, False
        case Call(function=function) if function in _DEFERRING:
            yield from ((arg, index == 0) for index, arg in enumerate(expression.args))
        case _:
            yield from ((part, True) for part in children_of(expression))


def _is_shareable(expression: Expression, uses: _Uses) -> bool:
    if not any(True for _ in columns_of(expression)) or not is_repeatable(expression) or _has_zero(expression):
        return False
    return uses.is_certain or cannot_fail(expression)


def _has_zero(expression: Expression) -> bool:
    """Whether a floating-point zero is in it: 0.0 equals -0.0, but does not stand for it."""
    if isinstance(expression, Literal):
        return isinstance(expression.value, float) and expression.value == 0
    return any(map(_has_zero, children_of(expression)))


def _work(expression: Expression) -> int:
    """Returns how much work an expression is for each row, in comparisons of numbers."""
    match expression:
        case ColumnRef() | Literal():
            return 0
        case Call(function=function, args=args):
            light = function in _CHEAP and not any(arg.type.kind.value in ("STRING", "DECIMAL") for arg in args)
            own = 1 if light else 5 if function in _CHEAP else 10
        case Cast(operand=operand, type=type):
            own = 1 if operand.type.is_numeric and type.is_numeric else 10
        case Case():
            own = 2
    return own + sum(map(_work, children_of(expression)))


def _size(expression: Expression) -> int:
    return 1 + sum(map(_size, children_of(expression)))


_Above = Project | Aggregate | WindowAggregate


def share_expressions(node: Node) -> Node:
    """Adds to a plan the projections that compute what is said several times."""
    node = with_inputs(node, share_expressions)
    match node:
        case Filter():
            below, names = _computed(node.input, _said_again(node))
            filtered = Filter(below, _named(node.predicate, names))
            return node if not names else project(filtered, _handed_on(node.schema))
        case Project() | Aggregate() | WindowAggregate():
            above = _sharing_with_filter(node, node.input) if isinstance(node.input, Filter) else node
            below, names = _computed(above.input, _said_again(above))
            return _over(above, below, names) if names else above
        case _:
            return node


def _said_again(node: _Above | Filter) -> list[Expression]:
    census = _Census()
    for expression in _expressions(node):
        census.take(expression)
    return census.shared()


def _sharing_with_filter(node: _Above, below: Filter) -> _Above:
    """Returns a node over a filter with what both say computed below the filter."""
    by_filter, both = _Census(), _Census()
    by_filter.take(below.predicate)
    both.take(below.predicate)
    for expression in _expressions(node):
        both.take(expression, certain=False)
    shared = [one for one in both.shared() if one in by_filter.found and _goes_below(one, by_filter)]
    source, names = _computed(below.input, shared)
    return _over(node, Filter(source, _named(below.predicate, names)), names) if names else node


def _goes_below(expression: Expression, by_filter: _Census) -> bool:
    return by_filter.found[expression].is_certain or cannot_fail(expression)


def _expressions(node: _Above | Filter) -> Iterator[Expression]:
    match node:
        case Filter():
            yield node.predicate
        case Project():
            yield from (one.expression for one in node.projections)
        case Aggregate() | WindowAggregate():
            yield from (one.expression for one in node.keys)
            for one in node.aggregates:
                yield from one.call.args
                if one.call.filter is not None:
                    yield one.call.filter


Names = dict[Expression, ColumnRef]


def _computed(source: Node, shared: Sequence[Expression]) -> tuple[Node, Names]:
    """Returns a node with a column for each expression, those that others are part of in projections further down."""
    names: Names = {}
    number = 0
    waiting = list(shared)
    while waiting:
        ready = [one for one in waiting if not any(one is not other and _contains(one, other) for other in waiting)]
        outputs: list[tuple[str, Expression]] = [
            (one.name, ColumnRef(one.name, one.type)) for one in source.schema.fields
        ]
        fresh: Names = {}
        for one in ready:
            number += 1
            while f"$common{number}" in source.schema:
                number += 1
            outputs.append((f"$common{number}", _named(one, names)))
            fresh[one] = ColumnRef(f"$common{number}", one.type, written=render(one))
        source = project(source, outputs)
        names |= fresh
        waiting = [one for one in waiting if one not in fresh]
    return source, names


def _contains(whole: Expression, part: Expression) -> bool:
    return any(child == part or _contains(child, part) for child in children_of(whole))


def _named(expression: Expression, names: Names) -> Expression:
    """Returns an expression with what is computed below taken from there."""
    if expression in names:
        return names[expression]
    return map_children(expression, lambda part: _named(part, names))


def _over(node: _Above, below: Node, names: Names) -> _Above:
    changed = map_expressions(replace(node, input=below), lambda expression: _named(expression, names))
    assert isinstance(changed, _Above)
    return changed


def _handed_on(schema: Schema) -> list[tuple[str, Expression]]:
    return [(one.name, ColumnRef(one.name, one.type)) for one in schema.fields]
