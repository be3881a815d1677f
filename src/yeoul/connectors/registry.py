"""Every connector by name: checking a table's options, opening it to read or to write.

Owns the list of connectors and the checks they share. Invariants: importing this module loads no connector and nothing
heavy; an option that passes `check_options` parses when the table is opened. Callers: the planner (`check_options` when
a table is declared), jobs (`open_source`, `open_sink`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from yeoul.connectors.absent import why_no_connector, why_no_option
from yeoul.connectors.blackhole.spec import BLACKHOLE
from yeoul.connectors.datagen.spec import DATAGEN
from yeoul.connectors.filesystem.spec import FILESYSTEM
from yeoul.connectors.format_options import (
    check_formats,
    is_format_option,
    known_options,
    metadata_of_format,
    other_format,
)
from yeoul.connectors.frame.spec import FRAME
from yeoul.connectors.jdbc.spec import JDBC
from yeoul.connectors.kafka.spec import KAFKA
from yeoul.connectors.kafka.upsert_spec import UPSERT_KAFKA
from yeoul.connectors.lookups import WholeTable
from yeoul.connectors.options import Option, choice, parse_duration_ms, text, whole
from yeoul.connectors.print.spec import PRINT
from yeoul.connectors.side_stream.spec import SIDE_STREAM
from yeoul.connectors.spec import ConnectorContext, ConnectorSpec
from yeoul.errors import UserError, did_you_mean
from yeoul.plan.encoding import Encoding
from yeoul.plan.tables import Column, ColumnKind

if TYPE_CHECKING:
    from yeoul.engine.contract import Lookup, Sink, Source
    from yeoul.plan.nodes import Scan, Write

__all__ = [
    "CONNECTORS",
    "DECLARED",
    "SHARED_OPTIONS",
    "ConnectorContext",
    "ConnectorSpec",
    "check_options",
    "connector_of",
    "how_to_bound",
    "is_bounded",
    "leaves_out",
    "open_lookup",
    "open_sink",
    "open_source",
    "option_names",
    "taken_as",
    "told_as",
    "until_now",
]

CONNECTORS: Mapping[str, ConnectorSpec] = {
    spec.name: spec for spec in (FILESYSTEM, KAFKA, UPSERT_KAFKA, DATAGEN, PRINT, BLACKHOLE, FRAME, JDBC, SIDE_STREAM)
}

DECLARED = tuple(sorted(set(CONNECTORS) - {FRAME.name, SIDE_STREAM.name}))
"""The connectors that users name; the others are behind frames and the tables of late and dead rows."""

SHARED_OPTIONS: tuple[Option[Any], ...] = (
    Option("connector", text, "", "Which connector serves the table.", required=True),
    Option("scan.parallelism", whole(1), None, "Accepted for Flink's sake: sources run on one reading thread."),
    Option("sink.parallelism", whole(1), None, "Accepted for Flink's sake: a sink runs on one thread."),
    Option("scan.watermark.idle-timeout", parse_duration_ms, None, "After how long an idle split stops counting."),
    Option("scan.watermark.alignment.group", text, None, "Splits of tables with one name wait for each other."),
    Option(
        "scan.watermark.alignment.max-drift",
        parse_duration_ms,
        None,
        "How far a split may be ahead of the slowest of its group.",
    ),
    Option(
        "scan.watermark.alignment.update-interval",
        parse_duration_ms,
        None,
        "Accepted for Flink's sake: every batch is compared.",
    ),
    Option(
        "scan.watermark.emit.strategy",
        choice(("on-periodic", "on-event")),
        "on-periodic",
        "Accepted for Flink's sake: lateness is judged per row, so results do not depend on it.",
    ),
)
"""Options that every connector takes; `scan.watermark.*` is read by the planner."""


def connector_of(options: Mapping[str, str]) -> ConnectorSpec:
    """Returns the connector that `options` name.

    Raises:
        UserError: None is named, or there is none of that name.
    """
    name = options.get("connector")
    if name is None:
        shown = ", ".join(DECLARED)
        raise UserError("A table needs the option 'connector'", hint=f"Known: {shown}")
    if name not in CONNECTORS:
        absent = why_no_connector(name)
        if absent:
            raise UserError(f"The connector {name!r} is not in this version", hint=absent)
        raise UserError(f"Unknown connector {name!r}", hint=did_you_mean(name, DECLARED))
    return CONNECTORS[name]


def option_names(spec: ConnectorSpec) -> tuple[str, ...]:
    """Returns the names of every option of a connector, shared ones included, the formats' own left out."""
    return tuple(option.name for option in (*SHARED_OPTIONS, *spec.options)) + tuple(spec.format_options)


def check_options(options: Mapping[str, str], columns: Sequence[Column], primary_key: Sequence[str] = ()) -> None:
    """Checks a table's WITH clause against its connector, its columns and its key.

    Args:
        options: As declared, dynamic ones on top.
        columns: All declared columns.
        primary_key: The columns of the primary key.

    Raises:
        UserError: An option or a metadata key is unknown, missing, or does not parse; with the nearest known name.
    """
    spec = connector_of(options)
    for name, given in options.items():
        _check_option(spec, name, given, options)
    _check_required(spec, options)
    _check_alignment(options)
    check_formats(spec, options)
    _check_metadata(spec, options, columns)
    spec.check(options, columns, primary_key)


def is_bounded(options: Mapping[str, str]) -> bool:
    """Tells whether reading a table comes to an end.

    Args:
        options: As declared, dynamic ones on top; they pass `check_options`.

    Raises:
        UserError: They name no known connector.

    Example:
        >>> is_bounded({"connector": "datagen"}), is_bounded({"connector": "datagen", "number-of-rows": "5"})
        (False, True)
    """
    return connector_of(options).is_bounded(options)


def how_to_bound(options: Mapping[str, str]) -> str:
    """Returns what to do so that reading a table comes to an end, as part of a hint.

    Example:
        >>> how_to_bound({"connector": "kafka"})
        "give it 'scan.bounded.mode' = 'latest-offset'"
    """
    return connector_of(options).how_to_bound


def until_now(table: str, options: Mapping[str, str]) -> Mapping[str, str]:
    """Returns a table's options so that reading it ends where the table ends when it is opened.

    Raises:
        UserError: Its rows are made as they are read: there is no such end.

    Example:
        >>> until_now("t", {"connector": "kafka", "topic": "t"})["scan.bounded.mode"]
        'latest-offset'
    """
    spec = connector_of(options)
    if spec.is_bounded(options):
        return options
    if not spec.until_now:
        raise UserError(
            f"Table {table!r} has no end to stop at: connector {spec.name!r} makes rows without end",
            hint=f"{spec.how_to_bound.capitalize()}, or RESET 'execution.trigger'." if spec.how_to_bound else "",
        )
    ended = {**options, **spec.until_now}
    return {name: value for name, value in ended.items() if value is not None}


def told_as(options: Mapping[str, str]) -> Encoding:
    """Returns what a record of a table means when the table is read.

    Example:
        >>> told_as({"connector": "upsert-kafka"}).value, told_as({"connector": "datagen"}).value
        ('upsert', 'append')
    """
    return connector_of(options).tells(options)


def leaves_out(options: Mapping[str, str]) -> bool:
    """Tells whether a table's source can leave out rows that a scan's sieve does not want.

    Example:
        >>> of_files = {"connector": "filesystem", "path": "t"}
        >>> leaves_out({**of_files, "format": "parquet"}), leaves_out({**of_files, "format": "json"})
        (True, False)
    """
    return connector_of(options).leaves_out(options)


def taken_as(options: Mapping[str, str]) -> Encoding:
    """Returns what a record of a table means when the table is written.

    Example:
        >>> taken_as({"connector": "print"}).value, taken_as({"connector": "kafka", "format": "json"}).value
        ('retract', 'append')
    """
    return connector_of(options).takes(options)


def open_source(scan: Scan, context: ConnectorContext) -> Source:
    """Returns the table of a scan as something to read.

    Raises:
        UserError: Its options are wrong, or its connector only writes.
    """
    spec = connector_of(scan.options)
    if spec.make_source is None and spec.make_lookup is not None:
        raise UserError(
            f"Table {scan.table.name!r} cannot be read whole: connector {spec.name!r} looks rows up by key",
            hint="JOIN it FOR SYSTEM_TIME AS OF a.proc_time ON a.id = ...",
        )
    if spec.make_source is None:
        raise UserError(
            f"Table {scan.table.name!r} cannot be read: connector {spec.name!r} only writes",
            hint=f"Connectors that can be read: {_names(one for one in CONNECTORS.values() if one.make_source)}",
        )
    check_options(scan.options, scan.table.columns, scan.table.primary_key)
    return spec.make_source(scan, context)


def open_lookup(scan: Scan, keys: Sequence[str], context: ConnectorContext) -> Lookup:
    """Returns the table of a scan as something to ask by the given columns.

    Raises:
        UserError: Its options are wrong, or it is neither made for that nor read to an end.
    """
    spec = connector_of(scan.options)
    check_options(scan.options, scan.table.columns, scan.table.primary_key)
    if spec.make_lookup is not None:
        return spec.make_lookup(scan, keys, context)
    if spec.tells(scan.options) is not Encoding.APPEND:
        raise UserError(
            f"Table {scan.table.name!r} cannot be looked up by key: its records are changes",
            hint="JOIN it as it is: the join follows its changes",
        )
    if not spec.is_bounded(scan.options) or spec.make_source is None:
        known = _names(one for one in CONNECTORS.values() if one.make_lookup)
        raise UserError(
            f"Table {scan.table.name!r} cannot be looked up by key: connector {spec.name!r} only streams it",
            hint=f"Tables that end can be, and those of {known}",
        )
    return WholeTable(spec.make_source(scan, context), scan.schema)


def open_sink(write: Write, context: ConnectorContext) -> Sink:
    """Returns the table of a write as something to write to.

    Raises:
        UserError: Its options are wrong, or its connector only reads.
    """
    spec = connector_of(write.options)
    if spec.make_sink is None:
        raise UserError(
            f"Table {write.table.name!r} cannot be written: connector {spec.name!r} only reads",
            hint=f"Connectors that can be written: {_names(one for one in CONNECTORS.values() if one.make_sink)}",
        )
    check_options(write.options, write.table.columns, write.table.primary_key)
    return spec.make_sink(write, context)


def _names(specs: Iterable[ConnectorSpec]) -> str:
    return ", ".join(sorted(spec.name for spec in specs))


def _check_option(spec: ConnectorSpec, name: str, given: str, options: Mapping[str, str]) -> None:
    for option in (*spec.options, *SHARED_OPTIONS):
        if option.matches(name):
            option.read_text(name, given)
            return
    if not is_format_option(spec, name, options):
        known = [*option_names(spec), *known_options(spec, options)]
        hint = why_no_option(spec.name, name) or other_format(name, options) or did_you_mean(name, known)
        raise UserError(f"Unknown option {name!r} for connector {spec.name!r}", hint=hint)


def _check_required(spec: ConnectorSpec, options: Mapping[str, str]) -> None:
    for option in spec.options:
        if option.required and option.name not in options:
            raise UserError(
                f"Connector {spec.name!r} needs the option {option.name!r}",
                hint=f"Add {option.name!r} = '...' to WITH: {option.doc}",
            )


def _check_alignment(options: Mapping[str, str]) -> None:
    """Flink takes the group and the drift together only."""
    pair = ("scan.watermark.alignment.group", "scan.watermark.alignment.max-drift")
    given = [name for name in pair if name in options]
    if len(given) == 1:
        (missing,) = set(pair) - set(given)
        raise UserError(
            f"Option {given[0]!r} needs the option {missing!r}",
            hint="Watermarks are aligned within a group, up to a drift.",
        )


def _check_metadata(spec: ConnectorSpec, options: Mapping[str, str], columns: Sequence[Column]) -> None:
    known = [*spec.metadata, *(metadata_of_format(options) if spec.carries_format_metadata else ())]
    for column in columns:
        key = column.metadata_key or column.name
        if column.kind is not ColumnKind.METADATA or key in known:
            continue
        hint = did_you_mean(key, known) or "It has none."
        raise UserError(f"Unknown metadata {key!r} of connector {spec.name!r}, column {column.name!r}", hint=hint)
