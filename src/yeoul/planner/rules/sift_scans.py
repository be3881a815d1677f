"""What a filter right above a table asks is told to the scan, where its source can leave rows out unread.

Such are Parquet files, whose footers tell what the rows of a row group lie between. The filter stays where it is: a
source leaves out what it can. The watermark follows all rows; so the scan is
told, too, which columns event time is computed from, and a row whose time is NULL is wanted in any case, since it is
set aside as dead. Told are conditions that cannot fail, over columns that the source reads: whether a condition is
computed early must not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from yeoul.plan.encoding import Encoding
from yeoul.plan.expressions import Call, ColumnRef, Expression, columns_of
from yeoul.plan.nodes import AssignWatermark, Filter, Node, Project, Scan, Sieve
from yeoul.plan.types import BOOLEAN
from yeoul.planner.rewriting import cannot_fail, conjuncts, is_repeatable, joined, replaced, with_inputs

__all__ = ["sift_scans", "sifted"]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is known on the way down.

    Attributes:
        parts: What holds of every row that is wanted.
        times: The row time, and what its watermark is computed from; none above AssignWatermark.
    """

    parts: tuple[Expression, ...] = ()
    times: tuple[Expression, ...] = ()


def sift_scans(node: Node) -> Node:
    """Tells the scans of a plan which rows the filters right above them keep."""
    from yeoul.connectors.registry import leaves_out

    return sifted(node, lambda scan: leaves_out(scan.options))


def sifted(node: Node, leaves_out: Callable[[Scan], bool]) -> Node:
    """Tells those scans of a plan that can make use of it."""
    return _sifted(node, _Asked(), leaves_out)


def _sifted(node: Node, asked: _Asked, leaves_out: Callable[[Scan], bool]) -> Node:
    def over(asked: _Asked) -> Node:
        return with_inputs(node, lambda below: _sifted(below, asked, leaves_out))

    match node:
        case Filter() if not asked.times:
            parts = (*asked.parts, *filter(_is_movable, conjuncts(node.predicate)))
            return over(_Asked(parts))
        case AssignWatermark() if not asked.times:
            row_time = ColumnRef(node.column, node.schema[node.column].type)
            parts = tuple(part for part in asked.parts if node.told not in set(columns_of(part)))
            return over(_Asked(parts, (row_time, node.expression)))
        case Project():
            return over(_below(asked, {one.name: one.expression for one in node.projections}))
        case Scan():
            return replace(node, sieve=_sieve(node, asked) if leaves_out(node) else None)
        case _:
            return over(_Asked())


def _is_movable(part: Expression) -> bool:
    return cannot_fail(part) and is_repeatable(part)


def _below(asked: _Asked, names: Mapping[str, Expression]) -> _Asked:
    """Returns what is asked above a projection as it is to be asked below."""
    parts = tuple(filter(_is_movable, (replaced(part, names) for part in asked.parts)))
    times = tuple(replaced(one, names) for one in asked.times)
    return _Asked(parts, times) if all(map(is_repeatable, times)) else _Asked((), times)


def _sieve(scan: Scan, asked: _Asked) -> Sieve | None:
    parts = [part for part in asked.parts if any(True for _ in columns_of(part))]
    if not parts or scan.encoding is not Encoding.APPEND:
        return None
    predicate = joined(parts)
    if asked.times and asked.times[0].type.nullable:
        timeless = Call("is_null", (asked.times[0],), BOOLEAN.not_null())
        predicate = Call("or", (predicate, timeless), BOOLEAN.or_null(predicate.type.nullable))
    return Sieve(predicate, _names(scan, asked.times))


def _names(scan: Scan, expressions: Iterable[Expression]) -> tuple[str, ...]:
    used = {name for one in expressions for name in columns_of(one)}
    return tuple(name for name in scan.schema.names if name in used)
