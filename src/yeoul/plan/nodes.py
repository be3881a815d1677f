"""Logical nodes: a query as a tree of frozen values, from sources up to what the user sees.

Every node has a `schema`; the names in it are unique. Expressions refer to columns of the node's input by name. A
plan never names operators, threads or files: it says what, not how. Event time is one column of the schema marked
as row time; `AssignWatermark` says how the watermark follows from it, and every node above passes it on or loses it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from yeoul.errors import Span
from yeoul.plan.expressions import AggregateCall, Expression, LiteralValue
from yeoul.plan.join_bounds import JoinBound
from yeoul.plan.ordering import Frame, OverTime, Ranking, SortKey
from yeoul.plan.tables import TableDefinition
from yeoul.plan.types import DataType, Kind

__all__ = [
    "Aggregate",
    "Aggregation",
    "AssignWatermark",
    "Deduplicate",
    "Emission",
    "Field",
    "Filter",
    "Join",
    "JoinKind",
    "Limit",
    "LookupJoin",
    "Node",
    "Over",
    "Project",
    "Projection",
    "Scan",
    "Schema",
    "SetKind",
    "SetOperation",
    "Settle",
    "Sort",
    "TopN",
    "Union",
    "Unnest",
    "Values",
    "Window",
    "WindowAggregate",
    "WindowAssign",
    "WindowKind",
    "WindowProperty",
    "WindowTopN",
    "Write",
    "inputs_of",
    "judges_lateness",
    "walk",
]


@dataclass(frozen=True, slots=True)
class Field:
    """A named, typed column of a node's output.

    Attributes:
        name: Unique in its schema.
        type: Its logical type.
        is_rowtime: Whether it is the stream's event time.
        is_proctime: Whether it stands for the time at which a row is worked on, by the clock: PROCTIME().
    """

    name: str
    type: DataType
    is_rowtime: bool = False
    is_proctime: bool = False


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of a node's output, in order, with unique names.

    Example:
        >>> from yeoul.plan.types import INT
        >>> Schema((Field("a", INT),)).names
        ('a',)
    """

    fields: tuple[Field, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.fields)

    @property
    def rowtime(self) -> Field | None:
        """The first event-time column, if there is one."""
        return next((one for one in self.fields if one.is_rowtime), None)

    def __getitem__(self, name: str) -> Field:
        return next(one for one in self.fields if one.name == name)

    def __contains__(self, name: str) -> bool:
        return any(one.name == name for one in self.fields)


@dataclass(frozen=True, slots=True)
class Scan:
    """Reads a table's physical and metadata columns; `schema` names just those that are read (push-down).

    Attributes:
        table: The declaration.
        schema: The physical and metadata columns to produce, a subset of the declared ones.
        options: The declaration's options with the query's dynamic ones (`/*+ OPTIONS(...) */`) on top.
    """

    table: TableDefinition
    schema: Schema
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Values:
    """Literal rows: VALUES, and SELECT without FROM."""

    rows: tuple[tuple[LiteralValue, ...], ...]
    schema: Schema


@dataclass(frozen=True, slots=True)
class AssignWatermark:
    """Follows event time: the watermark is the largest value of `expression` seen, per split.

    Attributes:
        column: The row-time column, TIMESTAMP(3) or TIMESTAMP_LTZ(3).
        expression: Same type as the column, over the input's columns.
        idle_timeout_ms: After how long at its end a split stops holding the watermark; None: never.
    """

    input: Node
    column: str
    expression: Expression
    schema: Schema
    idle_timeout_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Projection:
    """One output column and the expression over the input that fills it."""

    name: str
    expression: Expression


@dataclass(frozen=True, slots=True)
class Project:
    """Computes the output columns from the input's."""

    input: Node
    projections: tuple[Projection, ...]
    schema: Schema


@dataclass(frozen=True, slots=True)
class Filter:
    """Keeps the rows for which the predicate is true (not false, not NULL)."""

    input: Node
    predicate: Expression

    @property
    def schema(self) -> Schema:
        return self.input.schema


class WindowKind(enum.Enum):
    TUMBLE = "TUMBLE"
    HOP = "HOP"
    CUMULATE = "CUMULATE"
    SESSION = "SESSION"


@dataclass(frozen=True, slots=True)
class Window:
    """Which windows a row belongs to, by its time; all in milliseconds of the time's own axis.

    TUMBLE has `slide_ms == size_ms`. HOP starts a window every `slide_ms`. CUMULATE emits at each `slide_ms` (its
    step) within `size_ms`. `offset_ms` shifts every window's start from the epoch. SESSION ends when for `size_ms`
    (its gap, also its `slide_ms`) no row came.

    Attributes:
        by_clock: Whether a row's time is when it is worked on, and a window ends by the clock; else event time.
        partition: Of a SESSION that is assigned: the columns by which sessions are told apart; one that is
            aggregated has them by the aggregate's keys.
    """

    kind: WindowKind
    time_column: str
    size_ms: int
    slide_ms: int
    offset_ms: int = 0
    by_clock: bool = False
    partition: tuple[str, ...] = ()

    def __str__(self) -> str:
        length = "gap" if self.kind is WindowKind.SESSION else "size"
        parts = [self.time_column, f"{length} {self.size_ms} ms"]
        if self.kind is WindowKind.HOP:
            parts.append(f"slide {self.slide_ms} ms")
        if self.kind is WindowKind.CUMULATE:
            parts.append(f"step {self.slide_ms} ms")
        if self.offset_ms:
            parts.append(f"offset {self.offset_ms} ms")
        return f"{self.kind.value}({', '.join(parts)})"


class WindowProperty(enum.Enum):
    """What a query can ask of a window."""

    START = "start"
    """Inclusive start, TIMESTAMP(3)."""
    END = "end"
    """Exclusive end, TIMESTAMP(3)."""
    TIME = "time"
    """End - 1 ms, a row time again: `window_time`, `TUMBLE_ROWTIME`."""


@dataclass(frozen=True, slots=True)
class Aggregation:
    """One output column and the aggregate that fills it."""

    name: str
    call: AggregateCall


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Aggregates all rows by key.

    Attributes:
        keys: Output name and expression over the input; may be empty (one row, also over no input row).
        aggregates: Output name and call, arguments over the input; may be empty (SELECT DISTINCT) if there are keys.
        schema: Keys, then aggregates.
        updating: Whether each batch gives the groups that it changes, as changes; else every group is given once, at
            the end of the input.
    """

    input: Node
    keys: tuple[Projection, ...]
    aggregates: tuple[Aggregation, ...]
    schema: Schema
    updating: bool = False


@dataclass(frozen=True, slots=True)
class Emission:
    """When a window's rows are given besides the one time when it is over; they are then given as changes.

    Attributes:
        early_ms: At most how long after a change a window is given that is not over; None: not before it is.
        late_ms: At most how long after a late row a window is given again; None: late rows do not count.
        lateness_ms: For how long after its end a window takes late rows; 0 without `late_ms`.
    """

    early_ms: int | None = None
    late_ms: int | None = None
    lateness_ms: int = 0


@dataclass(frozen=True, slots=True)
class WindowAggregate:
    """Aggregates each window's rows by key; emits a window once, when the watermark (or the clock) passes its end.

    Attributes:
        keys: Output name and expression over the input; may be empty (one row per window).
        aggregates: Output name and call, arguments over the input.
        properties: Output name and window property.
        schema: Keys, then aggregates, then properties.
        emission: How rows are given as changes before and after the window is over; None: they are given once.
    """

    input: Node
    window: Window
    keys: tuple[Projection, ...]
    aggregates: tuple[Aggregation, ...]
    properties: tuple[tuple[str, WindowProperty], ...]
    schema: Schema
    emission: Emission | None = None


@dataclass(frozen=True, slots=True)
class WindowAssign:
    """The bare table function: each row once per window it belongs to, with window_start, window_end, window_time.

    A row of a SESSION is given when its session is over.
    """

    input: Node
    window: Window
    schema: Schema


@dataclass(frozen=True, slots=True)
class Union:
    """UNION ALL: rows of every input, columns matched by position, named as in the first; watermarks by minimum."""

    inputs: tuple[Node, ...]
    schema: Schema


class SetKind(enum.Enum):
    INTERSECT = "INTERSECT"
    """Rows of the left that the right has, too."""
    EXCEPT = "EXCEPT"
    """Rows of the left that the right does not have."""


@dataclass(frozen=True, slots=True)
class SetOperation:
    """INTERSECT or EXCEPT: whole rows of the left, judged by how often they stand on each side; NULL equals NULL.

    Attributes:
        left: Its columns have the names and types of the schema.
        right: The same.
        kind: What is kept.
        keeps_doubles: Whether rows are counted (ALL); else each is given once.
        schema: Has no time attribute: the rows come in no order.
    """

    left: Node
    right: Node
    kind: SetKind
    keeps_doubles: bool
    schema: Schema


@dataclass(frozen=True, slots=True)
class Unnest:
    """Each row once for each element of a collection of it, beside what the element holds.

    Attributes:
        collection: An ARRAY or a MAP, over the input's columns.
        schema: The input's columns, then those that an element fills, then the ordinal number's.
        number: The column that counts a row's elements from 1; None: there is none.
        keeps_empty: Whether a row without elements is given once, with NULLs.
    """

    input: Node
    collection: Expression
    schema: Schema
    number: str | None
    keeps_empty: bool

    @property
    def own(self) -> tuple[str, ...]:
        """The columns that an element fills."""
        names = self.schema.names[len(self.input.schema.names) :]
        return names if self.number is None else names[:-1]

    @property
    def fields(self) -> tuple[str, ...]:
        """The element's fields that fill a column each; none: the element is the one column."""
        element = self.collection.type.element
        if self.collection.type.kind is Kind.MAP:
            return "key", "value"
        return tuple(one.name for one in element.fields) if element is not None and element.kind is Kind.ROW else ()


@dataclass(frozen=True, slots=True)
class LookupJoin:
    """Each row beside the rows of an outside table that have its key, as they are when it comes.

    Attributes:
        table: What is looked up; it is asked, never read as an input.
        keys: Values over the input, and the table's columns that have to equal them.
        columns: The table's columns that are given, in the order of the schema's last ones.
        condition: What must hold besides, over the columns of both; None: nothing.
        schema: The input's columns, then the table's, perhaps without those that nobody above needs.
        keeps_left: Whether a row without a partner is given, with NULLs.
    """

    input: Node
    table: Scan
    keys: tuple[tuple[Expression, str], ...]
    columns: tuple[str, ...]
    condition: Expression | None
    schema: Schema
    keeps_left: bool

    @property
    def own(self) -> tuple[str, ...]:
        """What the table's columns are called here."""
        return self.schema.names[len(self.schema.names) - len(self.columns) :]


class JoinKind(enum.Enum):
    INNER = "INNER"
    LEFT = "LEFT"
    RIGHT = "RIGHT"
    FULL = "FULL"
    SEMI = "SEMI"
    """Rows of the left that have a partner; the right's columns are not given."""
    ANTI = "ANTI"
    """Rows of the left that have none; the right's columns are not given."""

    @property
    def keeps_left(self) -> bool:
        """Whether a row of the left without a partner is given, with NULLs for the right's columns."""
        return self in (JoinKind.LEFT, JoinKind.FULL)

    @property
    def keeps_right(self) -> bool:
        """The same of the right."""
        return self in (JoinKind.RIGHT, JoinKind.FULL)

    @property
    def gives_right(self) -> bool:
        """Whether the right's columns are given."""
        return self not in (JoinKind.SEMI, JoinKind.ANTI)


@dataclass(frozen=True, slots=True)
class Join:
    """Rows of two inputs that belong together: as both change, or, if a bound in time is known, once and for all.

    Attributes:
        left: No two columns of the inputs have one name.
        right: The same.
        kind: What becomes of rows without a partner.
        keys: Pairs of expressions, over the left and over the right, that have to be equal; NULL equals nothing.
        condition: What must hold besides, over the columns of both; None: nothing.
        schema: The left's columns, then the right's if the kind gives them; perhaps without those that only keys,
            condition and bound need.
        bound: What bounds in time which rows can meet; None: nothing, the regular join.
    """

    left: Node
    right: Node
    kind: JoinKind
    keys: tuple[tuple[Expression, Expression], ...]
    condition: Expression | None
    schema: Schema
    bound: JoinBound | None = None


@dataclass(frozen=True, slots=True)
class Over:
    """Each row with what functions say of the rows around it: OVER (PARTITION BY ... ORDER BY ...).

    Attributes:
        partition: Columns of the input; rows of different partitions do not see each other.
        order: The order within a partition; equal rows in order of arrival.
        frame: Which rows aggregates see; `lag`, `lead` and rankings do not ask.
        calls: Output name and call: an aggregate, a ranking, `lag` or `lead`; arguments over the input.
        time: When rows are complete; None: never, the order is by no time attribute: it stands for a Top-N only.
        schema: The input's columns, then the calls.
        span: Where the query says so.
    """

    input: Node
    partition: tuple[str, ...]
    order: tuple[SortKey, ...]
    frame: Frame
    calls: tuple[Aggregation, ...]
    time: OverTime | None
    schema: Schema
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class TopN:
    """The rows of each partition whose rank lies between two numbers.

    Attributes:
        partition: Columns of the input; may be empty.
        order: What the rank goes by; may be empty: order of arrival.
        ranking: How rows are numbered.
        first: The least rank that is given, from 1 on.
        last: The greatest.
        rank: The output column of the rank; None if it is not asked for: then a row that only moves is not given anew.
        schema: The input's columns, then the rank.
        updating: Whether each batch gives the changes that it brings; else all is given once, at the end of the input.
    """

    input: Node
    partition: tuple[str, ...]
    order: tuple[SortKey, ...]
    ranking: Ranking
    first: int
    last: int
    rank: str | None
    schema: Schema
    updating: bool


@dataclass(frozen=True, slots=True)
class WindowTopN:
    """The rows of each partition of a window that ROW_NUMBER counts from one number to another, when it is over.

    Attributes:
        window: The window that the rows lie in.
        bounds: The columns that hold its start and its end.
        is_local: Whether they are readings of the session's local time.
        partition: Columns of the input, the bounds among them.
        order: What the number goes by; may be empty: order of arrival.
        first: The least number that is given, from 1 on.
        last: The greatest.
        rank: The output column of the number; None if it is not asked for.
        schema: The input's columns, then the number.
    """

    input: Node
    window: Window
    bounds: tuple[str, str]
    is_local: bool
    partition: tuple[str, ...]
    order: tuple[SortKey, ...]
    first: int
    last: int
    rank: str | None
    schema: Schema


@dataclass(frozen=True, slots=True)
class Deduplicate:
    """One row for each key: the first or the last by a time attribute.

    Attributes:
        keys: Columns of the input.
        column: The time attribute.
        time: EVENT: the first row of a key is given when the watermark passes it, a last one at once; PROCESSING: rows
            are in order as they arrive.
        keeps_last: Which row is kept; a last one takes the place of the one before.
        updating: Whether last rows are given as changes; else once, at the end of the input.
    """

    input: Node
    keys: tuple[str, ...]
    column: str
    time: OverTime
    keeps_last: bool
    updating: bool

    @property
    def schema(self) -> Schema:
        return self.input.schema


@dataclass(frozen=True, slots=True)
class Sort:
    """All rows in order.

    Attributes:
        order: What they are sorted by; equal rows stay in order of arrival.
        time: EVENT: by the row time first, as the watermark passes it; END: at the end of the input, where changes are
            settled.
        offset: How many rows are passed over; 0 but at the end of the input.
        count: How many are given then; None: all.
    """

    input: Node
    order: tuple[SortKey, ...]
    time: OverTime
    offset: int = 0
    count: int | None = None

    @property
    def schema(self) -> Schema:
        return self.input.schema


@dataclass(frozen=True, slots=True)
class Limit:
    """The first `count` rows in order of arrival, `offset` passed over; then the job is done."""

    input: Node
    count: int
    offset: int = 0

    @property
    def schema(self) -> Schema:
        return self.input.schema


@dataclass(frozen=True, slots=True)
class Settle:
    """The rows that are left, once, at the end of a bounded input whose rows change on the way."""

    input: Node

    @property
    def schema(self) -> Schema:
        return self.input.schema


@dataclass(frozen=True, slots=True)
class Write:
    """INSERT INTO: the input's columns, by position, into the table's writable ones."""

    input: Node
    table: TableDefinition
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def schema(self) -> Schema:
        return self.input.schema


Node = (
    Scan
    | Values
    | AssignWatermark
    | Project
    | Filter
    | Aggregate
    | WindowAggregate
    | WindowAssign
    | Unnest
    | LookupJoin
    | Union
    | SetOperation
    | Join
    | Over
    | TopN
    | WindowTopN
    | Deduplicate
    | Sort
    | Limit
    | Settle
    | Write
)


def inputs_of(node: Node) -> tuple[Node, ...]:
    """Returns the nodes directly below."""
    match node:
        case Scan() | Values():
            return ()
        case Union():
            return node.inputs
        case Join() | SetOperation():
            return node.left, node.right
        case _:
            return (node.input,)


def judges_lateness(node: Node) -> bool:
    """Tells whether a node sets rows aside that come after the watermark has closed their windows."""
    match node:
        case WindowAggregate() | WindowTopN():
            return not node.window.by_clock
        case WindowAssign():
            return node.window.kind is WindowKind.SESSION and not node.window.by_clock
        case _:
            return False


def walk(node: Node) -> Iterator[Node]:
    """Yields a plan's nodes, inputs before the node that reads them."""
    for below in inputs_of(node):
        yield from walk(below)
    yield node
