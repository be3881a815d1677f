"""GROUP BY GROUPING SETS, ROLLUP and CUBE: several sets of keys in one query, over one reading of its rows.

Each row is repeated once for each set, beside the set's number; a key that a set leaves out is NULL there, and the
number is a key itself, so that such a NULL is told from one of the data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from sqlglot import exp

from yeoul.errors import Span
from yeoul.plan import types
from yeoul.plan.expressions import Call, Case, ColumnRef, Expression, Literal
from yeoul.plan.nodes import Field, Node, Schema, Unnest
from yeoul.plan.types import BIGINT, INT
from yeoul.planner.binding.context import BindContext, unique_name
from yeoul.planner.dialects.flink.nodes import GroupingSets

__all__ = ["SetsOfKeys", "is_grouping_function", "repeated", "sets_of_keys"]

_MOST_SETS = 256
_FUNCTIONS = frozenset({"GROUPING", "GROUPING_ID", "GROUP_ID"})


def is_grouping_function(name: str) -> bool:
    """Tells whether a function asks which set of keys a row belongs to."""
    return name.upper() in _FUNCTIONS


@dataclass(frozen=True, slots=True)
class SetsOfKeys:
    """The sets of one query.

    Attributes:
        sets: The keys of each, over the source.
        number: The column that holds the number of a row's set, from 0.
    """

    sets: tuple[frozenset[Expression], ...]
    number: str

    @property
    def number_ref(self) -> ColumnRef:
        return ColumnRef(self.number, INT.not_null())

    def key(self, key: Expression) -> Expression:
        """Returns a key as it is grouped by: NULL in the sets that leave it out."""
        within = [index for index, one in enumerate(self.sets) if key in one]
        if len(within) == len(self.sets) or key == self.number_ref:
            return key
        is_within = _is_one_of(self.number_ref, within)
        type = key.type.or_null()
        return Case(((is_within, key),), Literal(None, type), type)

    def answer(self, function: str, keys: Sequence[Expression], number: ColumnRef, span: Span | None) -> Expression:
        """Returns what GROUPING or GROUP_ID says, over a row's set's number."""
        values = [
            self.sets[:index].count(one) if function == "GROUP_ID" else _bits(key not in one for key in keys)
            for index, one in enumerate(self.sets)
        ]
        type = BIGINT.not_null()
        branches = tuple((_is_one_of(number, [index]), Literal(value, type)) for index, value in enumerate(values))
        return Case(branches[:-1], branches[-1][1], type, span) if len(branches) > 1 else branches[0][1]


def _bits(marks: Iterable[bool]) -> int:
    value = 0
    for mark in marks:
        value = value * 2 + mark
    return value


def _is_one_of(number: ColumnRef, wanted: Sequence[int]) -> Expression:
    items = tuple(Literal(one, INT.not_null()) for one in wanted)
    return Call("equals" if len(items) == 1 else "in", (number, *items), types.BOOLEAN.not_null())


def sets_of_keys(context: BindContext, nodes: Sequence[exp.Expr]) -> list[tuple[exp.Expr, ...]] | None:
    """Returns the sets that the elements of GROUP BY make together; None if they are plain keys.

    Raises:
        UserError: There are too many.
    """
    special = next((node for node in nodes if isinstance(node, GroupingSets)), None)
    if special is None:
        return None
    found = [tuple(key for part in parts for key in part) for parts in product(*(_sets(node) for node in nodes))]
    if len(found) > _MOST_SETS:
        raise context.error(f"GROUP BY makes {len(found)} sets of keys; at most {_MOST_SETS}", special)
    return found


def _sets(node: exp.Expr) -> list[tuple[exp.Expr, ...]]:
    if not isinstance(node, GroupingSets):
        return [tuple(node.expressions) if isinstance(node, exp.Tuple) else (node,)]
    parts = [_sets(one) for one in node.expressions]
    match node.args["kind"]:
        case "SETS":
            return [one for part in parts for one in part]
        case "ROLLUP":
            return [_union(parts[:count]) for count in range(len(parts), -1, -1)]
        case _:
            sizes = range(len(parts), -1, -1)
            return [_union(chosen) for size in sizes for chosen in combinations(parts, size)]


def _union(parts: Iterable[list[tuple[exp.Expr, ...]]]) -> tuple[exp.Expr, ...]:
    return tuple(key for part in parts for key in part[0])


def repeated(rows: Node, sets: Sequence[frozenset[Expression]]) -> tuple[Node, SetsOfKeys]:
    """Returns rows once for each set, and the sets."""
    number = unique_name("grouping$", rows.schema.names)
    items = tuple(Literal(index, INT.not_null()) for index in range(len(sets)))
    collection = Call("array", items, types.array_of(INT.not_null()).not_null())
    schema = Schema((*rows.schema.fields, Field(number, INT.not_null())))
    return Unnest(rows, collection, schema, None, False), SetsOfKeys(tuple(sets), number)
