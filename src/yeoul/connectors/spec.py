"""What a connector says about itself: its options, its metadata, and how to open it.

Owns `ConnectorSpec` and `ConnectorContext`. Invariants: a spec is a value that costs nothing to import; the functions
in it load the connector itself when they are called. Callers: each connector's `spec` module makes one, `registry`
reads it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from yeoul.clock import SYSTEM_CLOCK, Clock
from yeoul.connectors.options import Option
from yeoul.plan.encoding import Encoding
from yeoul.plan.nodes import Scan, Write
from yeoul.plan.tables import Column
from yeoul.plan.types import DataType

if TYPE_CHECKING:
    import polars as pl

    from yeoul.engine.contract import Lookup, Sink, Source

__all__ = [
    "ConnectorContext",
    "ConnectorSpec",
    "Metadata",
    "accept_any",
    "always_ends",
    "gives_all",
    "told_by_key",
    "told_of_changes",
    "told_of_new_rows",
]


@dataclass(frozen=True, slots=True)
class ConnectorContext:
    """What a connector may use of the world around it.

    Attributes:
        clock: Wall time and elapsed time.
        frames: For the connector `frame`: tables given as frames, by name.
        output: Where `print` writes.
        error_output: Where `print` writes under `standard-error`, and where warnings go.
        local_time_zone: An IANA name; what `table.local-time-zone` says.
        stopping: Set when the job is to end; waits inside `open` watch it.
    """

    clock: Clock = SYSTEM_CLOCK
    frames: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    output: TextIO = field(default_factory=lambda: sys.stdout)
    error_output: TextIO = field(default_factory=lambda: sys.stderr)
    local_time_zone: str = "UTC"
    stopping: threading.Event = field(default_factory=threading.Event)

    def warn(self, message: str) -> None:
        """Says something that the user must not miss."""
        print(f"warning: {message}", file=self.error_output, flush=True)


@dataclass(frozen=True, slots=True)
class Metadata:
    """A metadata key of a connector: its natural type, and whether a sink takes it too."""

    type: DataType
    writable: bool = False


def accept_any(options: Mapping[str, str], columns: Sequence[Column], primary_key: Sequence[str]) -> None:
    """The check of a connector that has no rules across options."""


def always_ends(options: Mapping[str, str]) -> bool:
    """The answer of a connector that reads to an end whatever its options are."""
    return True


def gives_all(options: Mapping[str, str]) -> bool:
    """The answer of a connector that knows nothing of rows before it has read them."""
    return False


def told_of_new_rows(options: Mapping[str, str]) -> Encoding:
    """The answer of a connector that knows of new rows only, whatever its options are."""
    return Encoding.APPEND


def told_by_key(options: Mapping[str, str]) -> Encoding:
    """The answer of a connector whose records are upserts, whatever its options are."""
    return Encoding.UPSERT


def told_of_changes(options: Mapping[str, str]) -> Encoding:
    """The answer of a connector that knows of every change, whatever its options are."""
    return Encoding.RETRACT


@dataclass(frozen=True, slots=True)
class ConnectorSpec:
    """One connector.

    Attributes:
        name: As in `'connector' = '...'`.
        options: All it knows, except `connector`, the formats' own and `scan.watermark.*`.
        doc: One sentence for people.
        make_source: Opens it for reading; None: it cannot be read.
        make_sink: Opens it for writing; None: it cannot be written.
        make_lookup: Opens it to be asked by the given columns; None: only a table that ends can be, read whole.
        formats: The formats it can carry; None: any; empty: it has no format.
        format_options: Which options name a format (`format`, `key.format`, ...), and the prefix of that format's own.
        metadata: Its metadata keys.
        carries_format_metadata: Whether those of its value's format can be read, too, as `value.<key>`.
        check: Rules across options, columns and the primary key; raises UserError.
        is_bounded: Whether reading a table with these options comes to an end; what its source says, without one.
        until_now: The options that make a table end where it ends now, None for one that goes; without any it cannot.
        how_to_bound: What to do about a table whose reading does not end, for a hint.
        tells: What a record means that its source gives.
        takes: What a record means that its sink writes: APPEND: rows that stand are all it can be told of.
        leaves_out: Whether its source can leave out rows that a scan's sieve does not want.
    """

    name: str
    options: tuple[Option[Any], ...]
    doc: str
    make_source: Callable[[Scan, ConnectorContext], Source] | None = None
    make_sink: Callable[[Write, ConnectorContext], Sink] | None = None
    make_lookup: Callable[[Scan, Sequence[str], ConnectorContext], Lookup] | None = None
    formats: tuple[str, ...] | None = ()
    format_options: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Metadata] = field(default_factory=dict)
    carries_format_metadata: bool = False
    check: Callable[[Mapping[str, str], Sequence[Column], Sequence[str]], None] = accept_any
    is_bounded: Callable[[Mapping[str, str]], bool] = always_ends
    until_now: Mapping[str, str | None] = field(default_factory=dict)
    how_to_bound: str = ""
    tells: Callable[[Mapping[str, str]], Encoding] = told_of_new_rows
    takes: Callable[[Mapping[str, str]], Encoding] = told_of_new_rows
    leaves_out: Callable[[Mapping[str, str]], bool] = gives_all
