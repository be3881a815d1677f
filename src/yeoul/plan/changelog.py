"""What becomes of rows that were given out: only new ones, or changes to earlier ones, and what identifies a row.

A stream of changes is a table in motion: `changelog_of` says, for each node of a plan, which kinds of change it gives
and which columns tell one living row from every other. Between operators a change is a row with a weight, +1 or -1; the
kinds matter to people and to sinks. Source: Flink's "Dynamic Tables" page, whose short names are used here.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from yeoul.plan.encoding import Conflict, Encoding
from yeoul.plan.expressions import AggregateCall, ColumnRef, columns_of
from yeoul.plan.functions.rankings import NEIGHBOURS
from yeoul.plan.join_bounds import AsOf, Interval, SameWindow
from yeoul.plan.join_state import SideState, side_state
from yeoul.plan.nodes import (
    Aggregate,
    AssignWatermark,
    ChangelogNormalize,
    Deduplicate,
    DropUnchanged,
    Filter,
    Join,
    JoinKind,
    Limit,
    LookupJoin,
    Node,
    Over,
    Project,
    Scan,
    SetKind,
    SetOperation,
    Settle,
    SinkMaterialize,
    Sort,
    TopN,
    Union,
    Unnest,
    Values,
    WindowAggregate,
    WindowAssign,
    WindowKind,
    WindowProperty,
    WindowTopN,
    Write,
)
from yeoul.plan.ordering import FrameUnit, OverTime, Ranking

__all__ = [
    "APPEND_ONLY",
    "Change",
    "Changelog",
    "StateBound",
    "changelog_of",
    "gives_at_end",
    "is_updating",
    "side_states",
    "state_of",
    "told_after",
    "told_by_group",
]


class Change(enum.Enum):
    """A kind of change; the value is the short name that EXPLAIN shows."""

    INSERT = "I"
    UPDATE_BEFORE = "UB"
    UPDATE_AFTER = "UA"
    DELETE = "D"


APPEND_ONLY = frozenset({Change.INSERT})
_UPDATES = frozenset({Change.INSERT, Change.UPDATE_BEFORE, Change.UPDATE_AFTER})
_COMES_AND_GOES = frozenset({Change.INSERT, Change.DELETE})
_UPSERTS = frozenset({Change.INSERT, Change.UPDATE_AFTER, Change.DELETE})
_ALL = frozenset(Change)
_ONE_ROW = frozenset({frozenset[str]()})


@dataclass(frozen=True, slots=True)
class Changelog:
    """What a node gives.

    Attributes:
        changes: The kinds of change; always with INSERT.
        keys: Sets of columns, each of which identifies a living row; an empty set: there is at most one row.
    """

    changes: frozenset[Change]
    keys: frozenset[frozenset[str]] = frozenset()

    @property
    def is_append_only(self) -> bool:
        """Whether no row is ever changed or taken back."""
        return self.changes == APPEND_ONLY

    def __str__(self) -> str:
        return f"[{','.join(one.value for one in Change if one in self.changes)}]"


class StateBound(enum.Enum):
    """What bounds the memory that a node needs."""

    NONE = "none"
    BOUNDED = "bounded"
    UNBOUNDED = "unbounded"


def changelog_of(node: Node) -> Changelog:
    """Returns which changes a node gives.

    Example:
        >>> from yeoul.plan.nodes import Field, Schema
        >>> from yeoul.plan.types import INT
        >>> str(changelog_of(Values(((1,),), Schema((Field("a", INT),)))))
        '[I]'
    """
    match node:
        case Scan():
            return _scan(node)
        case ChangelogNormalize():
            return Changelog(_ALL, changelog_of(node.input).keys)
        case SinkMaterialize():
            return Changelog(_ALL, frozenset({frozenset(node.key)}))
        case Values():
            return Changelog(APPEND_ONLY, _ONE_ROW if len(node.rows) <= 1 else frozenset())
        case AssignWatermark() | Write() | Over() | DropUnchanged():
            return changelog_of(node.input)
        case Limit():
            below = changelog_of(node.input)
            return replace(below, keys=below.keys | _ONE_ROW) if node.count <= 1 else below
        case Settle() | Sort():
            return Changelog(APPEND_ONLY, changelog_of(node.input).keys)
        case Filter():
            below = changelog_of(node.input)
            return below if below.is_append_only else Changelog(_ALL, below.keys)
        case Project():
            below = changelog_of(node.input)
            return Changelog(below.changes, _projected(node, below.keys))
        case Aggregate():
            return _aggregate(node)
        case WindowAggregate():
            return _window_aggregate(node)
        case WindowAssign() | Unnest():
            return Changelog(changelog_of(node.input).changes)
        case LookupJoin():
            below, key = changelog_of(node.input), frozenset(node.table.table.primary_key)
            finds_one = bool(key) and key <= {name for _, name in node.keys}
            return Changelog(below.changes, below.keys if finds_one else frozenset())
        case Join():
            return _join(node)
        case SetOperation():
            return _set_operation(node)
        case TopN():
            return _top_n(node)
        case WindowTopN():
            keys = frozenset(node.partition)
            numbered = {keys | {node.rank}} if node.rank else {keys} if node.first == node.last else set()
            return Changelog(APPEND_ONLY, changelog_of(node.input).keys | numbered)
        case Deduplicate():
            changes = _UPDATES if node.keeps_last and node.updating else APPEND_ONLY
            return Changelog(changes, frozenset({frozenset(node.keys)}) | changelog_of(node.input).keys)
        case Union():
            return Changelog(frozenset().union(*(changelog_of(one).changes for one in node.inputs)))


def told_by_group(write: Write) -> tuple[Node, ...]:
    """Returns the nodes from a write to a table told by key down to a GROUP BY each of whose groups is one such key.

    Only projections stand between: of a group that changes the table is told once, in one batch. Empty where that is
    not so.
    """
    if write.encoding is not Encoding.UPSERT:
        return ()
    key, below, path = set(write.table.primary_key), write.input, [write, write.input]
    while isinstance(below, Project | DropUnchanged):
        if isinstance(below, Project):
            sources = {one.name: one.expression for one in below.projections}
            found = [source.name for name in key if isinstance(source := sources[name], ColumnRef)]
            if len(found) < len(key):
                return ()
            key = set(found)
        below = below.input
        path.append(below)
    is_told = isinstance(below, Aggregate) and below.updating and key == {one.name for one in below.keys}
    return tuple(path) if is_told else ()


def told_after(write: Write, readers: Mapping[int, int]) -> tuple[Node, ...]:
    """Returns the nodes of `told_by_group` if their changes need not tell what a row was: nobody else reads the groups.

    Of a group that changes the table is told what it is (UA), of one that is gone that it is gone.

    Args:
        write: The whole plan.
        readers: How many read each node, by its identity; see `readers_of`.
    """
    path = told_by_group(write)
    return path if path and readers[id(path[-1])] == 1 else ()


def _scan(node: Scan) -> Changelog:
    """A primary key is not enforced: what a table's declaration says is believed."""
    key = frozenset(node.table.primary_key)
    changes = {Encoding.APPEND: APPEND_ONLY, Encoding.UPSERT: _UPSERTS, Encoding.RETRACT: _ALL}
    known = bool(key) and key <= set(node.schema.names)
    return Changelog(changes[node.encoding], frozenset({key}) if known else frozenset())


def _aggregate(node: Aggregate) -> Changelog:
    keys = frozenset({frozenset(key.name for key in node.keys)})
    below = changelog_of(node.input)
    if not node.updating or (below.is_append_only and not node.aggregates):
        return Changelog(APPEND_ONLY, keys)
    return Changelog(_UPDATES if below.is_append_only else _ALL, keys)


def _window_aggregate(node: WindowAggregate) -> Changelog:
    """A key is there if a window is: several windows that cumulate have one start."""
    keys = frozenset({*(key.name for key in node.keys), *(name for name, _ in node.properties)})
    told = {one for _, one in node.properties}
    tells_window = bool(told - {WindowProperty.START} if node.window.kind is WindowKind.CUMULATE else told)
    changes = APPEND_ONLY if node.emission is None else _UPDATES
    return Changelog(changes, frozenset({keys}) if tells_window else frozenset())


def _top_n(node: TopN) -> Changelog:
    below = changelog_of(node.input)
    keys, partition = below.keys, frozenset(node.partition)
    numbered = node.ranking is Ranking.ROW_NUMBER
    if numbered and node.first == node.last:
        keys |= {partition}
    if numbered and node.rank is not None:
        keys |= {partition | {node.rank}}
    if not node.updating:
        return Changelog(APPEND_ONLY, keys)
    if not (below.is_append_only and numbered):
        return Changelog(_ALL, keys)
    stays = node.rank is not None or node.first == node.last
    return Changelog(_UPDATES if stays else _COMES_AND_GOES, keys)


def _join(node: Join) -> Changelog:
    left, right = changelog_of(node.left), changelog_of(node.right)
    stands = left.is_append_only and right.is_append_only and node.kind in (JoinKind.INNER, JoinKind.SEMI)
    changes = APPEND_ONLY if stands or node.bound is not None else _ALL
    given = frozenset(node.schema.names)
    if isinstance(node.bound, AsOf):
        return Changelog(APPEND_ONLY, frozenset(key for key in left.keys if key <= given))
    if not node.kind.gives_right:
        return Changelog(changes, frozenset(key for key in left.keys if key <= given))
    pairs = frozenset(one | other for one in left.keys for other in right.keys if _tell_apart(node, one, other))
    left_columns, right_columns = _compared(node)
    if not node.kind.keeps_right and any(key <= right_columns for key in right.keys):
        pairs |= left.keys
    if not node.kind.keeps_left and any(key <= left_columns for key in left.keys):
        pairs |= right.keys
    return Changelog(changes, frozenset(key for key in pairs if key <= given))


def _tell_apart(node: Join, left: frozenset[str], right: frozenset[str]) -> bool:
    """Tells whether keys of both sides together tell rows apart; in FULL a row of either side may be all NULL there."""
    if node.kind is not JoinKind.FULL:
        return True
    sides = ((node.left.schema, left), (node.right.schema, right))
    return any(not schema[name].type.nullable for schema, key in sides for name in key)


def _compared(node: Join) -> tuple[frozenset[str], frozenset[str]]:
    """Returns the columns of each side that have to equal the other's."""
    left = frozenset(key.left.name for key in node.keys if isinstance(key.left, ColumnRef))
    right = frozenset(key.right.name for key in node.keys if isinstance(key.right, ColumnRef))
    if isinstance(node.bound, SameWindow):
        return left.union(node.bound.left), right.union(node.bound.right)
    return left, right


def _set_operation(node: SetOperation) -> Changelog:
    left, right = changelog_of(node.left), changelog_of(node.right)
    keys = left.keys if node.keeps_doubles else left.keys | {frozenset(node.schema.names)}
    stands = node.kind is SetKind.INTERSECT and left.is_append_only and right.is_append_only
    return Changelog(APPEND_ONLY if stands else _ALL, keys)


def _projected(node: Project, keys: frozenset[frozenset[str]]) -> frozenset[frozenset[str]]:
    """Returns the keys that are still there, under their new names."""
    names: dict[str, str] = {}
    for one in node.projections:
        if isinstance(one.expression, ColumnRef):
            names.setdefault(one.expression.name, one.name)
    return frozenset(frozenset(names[name] for name in key) for key in keys if key <= names.keys())


def gives_at_end(node: Node) -> bool:
    """Tells whether a node's rows come when its input has ended, none before."""
    match node:
        case Aggregate() | TopN():
            return not node.updating
        case Deduplicate():
            return not node.updating and (node.keeps_last or node.time is OverTime.EVENT)
        case Over() | Sort():
            return node.time is OverTime.END
        case Settle():
            return True
        case _:
            return False


def is_updating(node: Node) -> bool:
    """Tells whether a node changes rows that it gave before."""
    return not changelog_of(node).is_append_only


def state_of(node: Node) -> tuple[StateBound, str]:
    """Returns what bounds the memory that a node itself needs, and why; inputs are left out."""
    match node:
        case Aggregate():
            return _state_of_groups(node)
        case WindowAggregate():
            return StateBound.BOUNDED, "a row for each key of each open window"
        case Join() if isinstance(node.bound, Interval):
            return StateBound.BOUNDED, "the rows of both sides, until their interval has passed"
        case Join() if isinstance(node.bound, SameWindow):
            return StateBound.BOUNDED, "the rows of both sides, of each open window"
        case Join() if isinstance(node.bound, AsOf):
            kept = "each key's last version and those that it has not passed, never dropped"
            return StateBound.UNBOUNDED, f"the rows of the left that the watermark has not passed; {kept}"
        case WindowAssign() if node.window.kind is WindowKind.SESSION:
            return StateBound.BOUNDED, "the rows of each open session"
        case Join():
            return _state_of_join(node)
        case SetOperation():
            return StateBound.UNBOUNDED, "a count for every different row of both sides, never dropped"
        case Over():
            return _state_of_over(node)
        case TopN():
            return _state_of_top_n(node)
        case WindowTopN():
            return StateBound.BOUNDED, f"at most {node.last} rows for each partition of each open window"
        case Deduplicate():
            what = "a row for each key" if node.keeps_last or node.time is OverTime.EVENT else "each key"
            if gives_at_end(node):
                return StateBound.BOUNDED, f"{what}, until the end of the input"
            return StateBound.UNBOUNDED, f"{what}, never dropped"
        case Sort() if node.time is OverTime.EVENT:
            return StateBound.BOUNDED, "rows that the watermark has not passed"
        case Sort():
            return StateBound.BOUNDED, "the rows of the input, until its end"
        case AssignWatermark():
            return StateBound.BOUNDED, "a watermark for each split"
        case ChangelogNormalize():
            return StateBound.UNBOUNDED, "a row for each key, never dropped"
        case SinkMaterialize():
            kept = "the row" if node.conflict is Conflict.NOTHING else "every row"
            return StateBound.UNBOUNDED, f"{kept} of each key of the table, never dropped"
        case Settle():
            return StateBound.BOUNDED, "the rows of the result, until the end of the input"
        case _:
            return StateBound.NONE, ""


def _state_of_groups(node: Aggregate) -> tuple[StateBound, str]:
    values = _values_kept((one.call for one in node.aggregates), takes_back=is_updating(node.input))
    kept = f"{'a row for each key' if node.keys else 'one row'}{values}"
    if not node.updating:
        return StateBound.BOUNDED, f"{kept}, dropped at the end of the input"
    if not node.keys and not values:
        return StateBound.BOUNDED, kept
    return (StateBound.BOUNDED if node.ttl_ms else StateBound.UNBOUNDED), f"{kept}, {_until(node.ttl_ms)}"


_OF_ONE_VALUE = frozenset(["min", "max", "first_value", "last_value"])
"""Aggregates to which DISTINCT makes no difference."""
_SUBTRACTED = frozenset(["count_star", "count", "sum", "sum0", "avg", "approx_percentile"])
"""Aggregates from which a value can be taken out again without the others."""
_OF_EVERY_VALUE = frozenset(["listagg", "array_agg", "collect", "percentile"])
"""Aggregates, beside those of JSON, whose answer needs every value."""


def _values_kept(calls: Iterable[AggregateCall], *, takes_back: bool) -> str:
    """Says which values aggregates keep besides their answer; nothing if none."""
    different, every = False, False
    for call in calls:
        needs_all = call.function in _OF_EVERY_VALUE or call.function.startswith("json_")
        is_distinct = call.distinct and call.function not in _OF_ONE_VALUE
        every |= call.function not in _SUBTRACTED if takes_back else needs_all and not is_distinct
        different |= is_distinct
    return ", with all its values" if every else ", and its different values" if different else ""


def side_states(node: Join) -> tuple[SideState, SideState]:
    """Returns what a join without a bound keeps of its left and of its right."""
    used = {*node.schema.names, *([] if node.condition is None else columns_of(node.condition))}
    left, right = (
        side_state(changelog.keys, is_append_only=changelog.is_append_only, compared=compared, used=used)
        for changelog, compared in zip(
            (changelog_of(node.left), changelog_of(node.right)), _compared(node), strict=True
        )
    )
    return left, right


def _state_of_join(node: Join) -> tuple[StateBound, str]:
    left, right = side_states(node)
    if node.ttl_ms == (None, None):
        kept = f"{left} of both sides" if left == right else f"{left} of the left, {right} of the right"
        return StateBound.UNBOUNDED, f"{kept}, never dropped"
    left_until, right_until = (_until(one) for one in node.ttl_ms)
    bound = StateBound.BOUNDED if all(node.ttl_ms) else StateBound.UNBOUNDED
    return bound, f"{left} of the left, {left_until}; {right} of the right, {right_until}"


def _until(ttl_ms: int | None) -> str:
    if ttl_ms is None:
        return "never dropped"
    return f"dropped when untouched for {ttl_ms} ms" if ttl_ms else "kept for ever"


def _state_of_over(node: Over) -> tuple[StateBound, str]:
    if node.time is OverTime.END:
        return StateBound.BOUNDED, "the rows of the input, until its end"
    waiting = "rows that the watermark has not passed, " if node.time is OverTime.EVENT else ""
    values = _values_kept((one.call for one in node.calls), takes_back=False) if node.frame.preceding is None else ""
    if node.frame.preceding is None and any(one.call.function in NEIGHBOURS for one in node.calls):
        return StateBound.UNBOUNDED, f"{waiting}every row, never dropped"
    if node.frame.preceding is None:
        kept = f"a row for each partition{values}"
    elif node.frame.unit is FrameUnit.RANGE:
        return StateBound.BOUNDED, f"{waiting}the rows of the last {node.frame.preceding} ms"
    else:
        kept = f"the last {node.frame.preceding} rows of each partition"
    grows = node.partition or values
    return StateBound.UNBOUNDED if grows else StateBound.BOUNDED, f"{waiting}{kept}{', never dropped' if grows else ''}"


def _state_of_top_n(node: TopN) -> tuple[StateBound, str]:
    retracts = is_updating(node.input)
    kept = "every row" if retracts else f"the first {node.last} rows of each partition"
    if not node.updating:
        return StateBound.BOUNDED, f"{kept}, until the end of the input"
    bounded = not retracts and not node.partition and node.ranking is Ranking.ROW_NUMBER
    return (StateBound.BOUNDED, kept) if bounded else (StateBound.UNBOUNDED, f"{kept}, never dropped")
