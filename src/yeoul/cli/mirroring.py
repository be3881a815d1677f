"""A mirror in the terminal: the command line's words as settings, and its progress as a table, lines or JSON.

Invariants: progress goes to standard output, warnings to standard error; Ctrl-C and SIGTERM commit what was written and
end with exit code 0. Callers: the command `mirror`.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from yeoul.cli.options import client_properties
from yeoul.cli.rendering.progress import RateMeter
from yeoul.connectors.kafka.settings import ClientSettings, client_settings
from yeoul.connectors.spec import ConnectorContext
from yeoul.errors import UserError
from yeoul.mirror.mirror import Mirror
from yeoul.mirror.progress import Snapshot
from yeoul.mirror.settings import MirrorSettings, Selection
from yeoul.units import format_count, format_size, parse_duration_ms, parse_size_bytes

__all__ = ["Request", "duration_text", "json_line", "plain_line", "run", "settings_of", "table_of"]

_LINE_EVERY_S = 5.0
_MOST_ROWS = 20
_PATIENCE_ONCE_MS = 300_000
"""How long `--once`, which somebody waits for, tries to reach a cluster that it has lost."""


@dataclass(frozen=True, slots=True)
class Request:
    """The command line, as it was written."""

    source: str
    target: str
    source_config: Path | None = None
    target_config: Path | None = None
    topics: Sequence[str] = ()
    exclude: Sequence[str] = ()
    groups: Sequence[str] | None = ()
    rename: str = ""
    mirror_id: str | None = None
    once: bool = False
    rate: str | None = None
    replication_factor: int = -1
    refresh: str = "5 s"
    commit_interval: str = "500 ms"
    append: bool = False


@dataclass(slots=True)
class Rates:
    """What was copied a second, lately."""

    records: RateMeter = field(default_factory=RateMeter)
    size_bytes: RateMeter = field(default_factory=RateMeter)
    now: tuple[float, float] = (0.0, 0.0)

    def take(self, snapshot: Snapshot) -> None:
        """Takes in a snapshot."""
        self.now = (
            self.records.rate(snapshot.records, snapshot.elapsed_s),
            self.size_bytes.rate(snapshot.size_bytes, snapshot.elapsed_s),
        )

    def remaining_s(self, snapshot: Snapshot) -> float | None:
        """Returns how long the rest takes at this rate; None if nobody can say."""
        if snapshot.lag is None or (snapshot.lag and not self.now[0]):
            return None
        return snapshot.lag / self.now[0] if snapshot.lag else 0.0


def settings_of(request: Request) -> MirrorSettings:
    """Returns what a command line asks for.

    Raises:
        UserError: An address, a pattern, a size or a property makes no sense.
        EnvironmentFailure: A file cannot be read.
    """
    return MirrorSettings(
        source=_client(request.source, request.source_config, "--from"),
        target=_client(request.target, request.target_config, "--to"),
        topics=Selection.of(request.topics, request.exclude),
        groups=None if request.groups is None else Selection.of(request.groups, option="--groups"),
        rename=request.rename,
        mirror_id=request.mirror_id,
        once=request.once,
        rate_bytes=None if request.rate is None else max(1, parse_size_bytes(request.rate.removesuffix("/s"))),
        replication_factor=request.replication_factor or -1,
        refresh_ms=parse_duration_ms(request.refresh),
        commit_ms=parse_duration_ms(request.commit_interval),
        append=request.append,
        patience_ms=_PATIENCE_ONCE_MS if request.once else None,
    )


def _client(address: str, config: Path | None, option: str) -> ClientSettings:
    properties = {"client.id": "yeoul-mirror"} | client_properties(config, None)
    options = {f"properties.{name}": value for name, value in properties.items()}
    try:
        return client_settings(options | {"properties.bootstrap.servers": address})
    except UserError as error:
        message = error.message.replace("'properties.bootstrap.servers'", repr(option)).replace("'properties.", "'")
        raise UserError(message, hint=error.hint) from None


def run(request: Request, *, as_json: bool) -> None:
    """Runs a mirror, showing how far it is.

    Raises:
        YeoulError: It cannot go on.
    """
    settings = settings_of(request)
    rates = Rates()
    with _shown(rates, as_json) as (show, errors):
        mirror = Mirror(settings, ConnectorContext(error_output=errors), show)
        with _ended_by_signals(mirror):
            last = mirror.run()
        show(last)
    if not as_json:
        print(_summary(last))


@contextlib.contextmanager
def _ended_by_signals(mirror: Mirror) -> Iterator[None]:
    """Lets the mirror commit what it has written; a second signal ends the process at once."""

    def end(number: int, frame: object) -> None:
        mirror.stop()
        signal.signal(number, signal.SIG_DFL)

    former = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _shown(rates: Rates, as_json: bool) -> Iterator[tuple[Callable[[Snapshot], None], TextIO]]:
    """Yields what shows a snapshot, and where warnings go meanwhile."""
    if as_json or not sys.stdout.isatty():
        yield _lines(rates, as_json), sys.stderr
        return
    with Live(console=Console(), auto_refresh=False) as live:

        def show(snapshot: Snapshot) -> None:
            rates.take(snapshot)
            live.update(Group(table_of(snapshot), plain_line(snapshot, rates)), refresh=True)

        # Inside the block this is rich's own stream, which prints above the table.
        yield show, sys.stderr


def _lines(rates: Rates, as_json: bool) -> Callable[[Snapshot], None]:
    shown: list[Snapshot] = []

    def show(snapshot: Snapshot) -> None:
        rates.take(snapshot)
        if shown and snapshot.elapsed_s - shown[-1].elapsed_s < _LINE_EVERY_S and not as_json:
            return
        shown[:] = [snapshot]
        print(json_line(snapshot, rates) if as_json else plain_line(snapshot, rates), flush=True)

    return show


def json_line(snapshot: Snapshot, rates: Rates) -> str:
    """Returns a snapshot as one JSON object."""
    return json.dumps(
        {
            "elapsed_s": round(snapshot.elapsed_s, 3),
            "connected": snapshot.is_connected,
            "records": snapshot.records,
            "bytes": snapshot.size_bytes,
            "records_per_s": round(rates.now[0], 1),
            "bytes_per_s": round(rates.now[1]),
            "lag": snapshot.lag,
            "eta_s": None if (left_s := rates.remaining_s(snapshot)) is None else round(left_s, 1),
            "transactions": snapshot.transactions,
            "offsets_committed": snapshot.offsets,
            "topics": [
                {
                    "topic": topic.topic,
                    "target": topic.target,
                    "partitions": topic.partitions,
                    "records": topic.records,
                    "bytes": topic.size_bytes,
                    "lag": topic.lag,
                }
                for topic in snapshot.topics
            ],
        }
    )


def plain_line(snapshot: Snapshot, rates: Rates) -> str:
    """Returns a snapshot as one line for people."""
    return " | ".join(
        [
            f"{duration_text(snapshot.elapsed_s)} {'copying' if snapshot.is_connected else 'not connected'}",
            f"topics {len(snapshot.topics)}",
            f"records {format_count(snapshot.records)} ({format_count(rates.now[0])}/s)",
            f"{format_size(snapshot.size_bytes)} ({format_size(rates.now[1])}/s)",
            f"lag {_lag_text(snapshot.lag)}",
            f"ready in {duration_text(rates.remaining_s(snapshot))}",
            f"offsets committed {snapshot.offsets}",
        ]
    )


def table_of(snapshot: Snapshot) -> Table:
    """Returns a snapshot as a table, the topics that are furthest behind first."""
    table = Table(box=None, pad_edge=False)
    for name in ("topic", "to", "partitions", "records", "size", "lag"):
        table.add_column(name, justify="left" if name in ("topic", "to") else "right", overflow="fold")
    ordered = sorted(snapshot.topics, key=lambda topic: (-(topic.lag or 0), topic.topic))
    for topic in ordered[:_MOST_ROWS]:
        copied = (format_count(topic.records), format_size(topic.size_bytes), _lag_text(topic.lag))
        table.add_row(topic.topic, topic.target, str(topic.partitions), *copied)
    if len(ordered) > _MOST_ROWS:
        table.add_row(f"and {len(ordered) - _MOST_ROWS} more")
    return table


def _summary(last: Snapshot) -> str:
    seconds = duration_text(last.elapsed_s)
    return (
        f"copied {last.records} records ({format_size(last.size_bytes)}) of {len(last.topics)} topics in {seconds}, "
        f"committed {last.offsets} offsets of groups; lag {_lag_text(last.lag)}"
    )


def _lag_text(lag: int | None) -> str:
    return "?" if lag is None else format_count(lag)


def duration_text(seconds: float | None) -> str:
    """Returns a duration for people.

    Example:
        >>> duration_text(0.4), duration_text(75), duration_text(8_000), duration_text(None)
        ('0 s', '1 min 15 s', '2 h 13 min', '?')
    """
    if seconds is None:
        return "?"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3_600} h {whole % 3_600 // 60} min"
