"""What SET and RESET know: the session's options, typed and checked when they are set.

The names are Flink's. An option that changes nothing here is taken and said to be without effect, so that ported
scripts run; an unknown one is refused with the nearest known name, so that a typo is never silent.

Source: https://nightlies.apache.org/flink/flink-docs-stable/docs/dev/table/config/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from yeoul.engine.runtime.settings import Settings
from yeoul.errors import UserError, did_you_mean
from yeoul.jobs.flink_options import ONE_VALUE, WITHOUT_EFFECT, why_refused
from yeoul.plan.nodes import Node
from yeoul.plan.trigger import TRIGGER_SETTING, TriggerKind, parse_trigger
from yeoul.planner.binding.boundedness import gives_changes
from yeoul.units import parse_duration_ms, parse_size_bytes

__all__ = [
    "OPTIONS",
    "SessionOption",
    "check_option",
    "engine_settings",
    "is_sync",
    "job_settings",
    "local_time_zone",
    "optimiser_notes",
]


_LEAST_MEMORY_BYTES = 1 << 20
QUEUE_SETTING = "taskmanager.memory.network.max"
LINGER_SETTING = "execution.buffer-timeout.interval"
_SMALLEST_QUEUE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class SessionOption:
    """One option.

    Attributes:
        check: Raises UserError if the text is no value of it.
        doc: One sentence for people.
        has_effect: Whether it changes anything here.
    """

    check: Callable[[str], object]
    doc: str
    has_effect: bool = True


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise UserError(f"Expected 'true' or 'false', got {text!r}")
    return text.lower() == "true"


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 1024:
        raise UserError(f"Expected a whole number from 1 to 1024, got {text!r}")
    return int(text)


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UserError(f"Expected a time zone such as 'UTC' or 'Asia/Seoul', got {text!r}") from None
    return text


def _runtime_mode(text: str) -> str:
    if text.lower() not in ("automatic", "streaming", "batch"):
        raise UserError(f"Expected 'automatic', 'streaming' or 'batch', got {text!r}")
    return text


def _phases(text: str) -> str:
    if text.upper() not in ("AUTO", "ONE_PHASE", "TWO_PHASE"):
        raise UserError(f"Expected 'AUTO', 'ONE_PHASE' or 'TWO_PHASE', got {text!r}")
    return text


def _state_policy(text: str) -> str:
    if text not in ("allow", "refuse"):
        raise UserError(f"Expected 'allow' or 'refuse', got {text!r}")
    return text


def _memory_limit(text: str) -> int:
    size_bytes = parse_size_bytes(text)
    if size_bytes < _LEAST_MEMORY_BYTES:
        raise UserError(f"Expected at least '1 MB', got {text!r}", hint="RESET it to let state take all memory.")
    return size_bytes


def _one_of(*allowed: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text.upper() not in allowed:
            raise UserError(f"Expected {', '.join(map(repr, allowed))}, got {text!r}")
        return text

    return check


def _only(allowed: str, reason: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text.lower() != allowed:
            raise UserError(f"Expected {allowed!r}, got {text!r}", hint=reason)
        return text

    return check


def _any(text: str) -> str:
    return text


OPTIONS: Mapping[str, SessionOption] = {
    "table.local-time-zone": SessionOption(_zone, "The zone in which TIMESTAMP_LTZ values are shown and read."),
    "table.exec.source.idle-timeout": SessionOption(
        parse_duration_ms, "After how long at its end a split stops holding the watermark; '0 ms': never."
    ),
    "table.dml-sync": SessionOption(_flag, "Whether INSERT is waited for; by default it is if its input is bounded."),
    "parallelism.default": SessionOption(_count, "How many threads decode a job's input."),
    "pipeline.name": SessionOption(_any, "The name of the jobs that follow."),
    "execution.runtime-mode": SessionOption(
        _runtime_mode,
        "'automatic': bounded tables give final rows; 'streaming': changes; 'batch': all are bounded.",
    ),
    QUEUE_SETTING: SessionOption(
        parse_size_bytes, "How much a job may have read and not taken yet; beyond that its sources wait."
    ),
    LINGER_SETTING: SessionOption(
        parse_duration_ms, "While more is coming, how long small batches are collected; '0 ms': not at all."
    ),
    TRIGGER_SETTING: SessionOption(
        parse_trigger,
        "When a job takes what has arrived: 'as-fast-as-possible', at intervals ('5 s'), 'available-now' or 'once'.",
    ),
    "table.exec.state.ttl": SessionOption(
        parse_duration_ms, "How long untouched state of a query without windows is kept; '0 ms': for ever."
    ),
    "state.memory.limit": SessionOption(
        _memory_limit, "How much memory a job's keyed state may take; beyond it whole key groups spill to disk."
    ),
    "state.spill.directory": SessionOption(_any, "Where state spills to; by default where temporary files go."),
    "table.exec.emit.early-fire.enabled": SessionOption(_flag, "Whether windows are given before they are over."),
    "table.exec.emit.early-fire.delay": SessionOption(
        parse_duration_ms, "At most how long after a change a window is given that is not over."
    ),
    "table.exec.emit.late-fire.enabled": SessionOption(_flag, "Whether late rows count, and windows are given again."),
    "table.exec.emit.late-fire.delay": SessionOption(
        parse_duration_ms, "At most how long after a late row a window is given again."
    ),
    "table.exec.emit.allow-lateness": SessionOption(
        parse_duration_ms, "For how long after its end a window takes late rows, with late firing."
    ),
    "table.exec.state.unbounded": SessionOption(
        _state_policy, "Whether queries whose state can only grow are allowed ('allow') or refused ('refuse')."
    ),
    "table.exec.sink.upsert-materialize": SessionOption(
        _one_of("AUTO", "NONE", "FORCE"), "Whether a table by key is given one row a key when a query gives several."
    ),
    "table.exec.sink.require-on-conflict": SessionOption(
        _flag, "Whether INSERT has to say what becomes of several rows for a key, by ON CONFLICT."
    ),
    "table.exec.sink.not-null-enforcer": SessionOption(
        _one_of("ERROR", "DROP"), "Whether a NULL for a column that is NOT NULL fails the job or leaves its row out."
    ),
    "table.exec.source.cdc-events-duplicate": SessionOption(
        _flag, "Whether changes may come twice: tables of changes with a primary key then go by it."
    ),
    "table.exec.mini-batch.enabled": SessionOption(_flag, "Batches form by themselves.", False),
    "table.exec.mini-batch.allow-latency": SessionOption(parse_duration_ms, "Batches form by themselves.", False),
    "table.optimizer.agg-phase-strategy": SessionOption(
        _phases, "Aggregation has two phases: a batch is grouped as it is decoded, then merged into state.", False
    ),
    "table.optimizer.distinct-agg.split.enabled": SessionOption(
        _flag, "Different values are gathered on every thread and merged on one: a hot key has nothing to split.", False
    ),
    "table.optimizer.distinct-agg.split.bucket-num": SessionOption(_count, "There are no buckets.", False),
    "table.optimizer.reuse-source-enabled": SessionOption(
        _flag, "Whether a table that a query reads several times is read once for all; by default it is."
    ),
    "table.optimizer.reuse-sub-plan-enabled": SessionOption(
        _flag, "Whether what a query asks for several times is computed once for all; by default it is."
    ),
    "sql-client.verbose": SessionOption(_flag, "Errors are always told whole.", False),
    **{key: SessionOption(_any, doc, False) for key, doc in WITHOUT_EFFECT.items()},
    **{key: SessionOption(_only(value, doc), doc, False) for key, (value, doc) in ONE_VALUE.items()},
}


def check_option(key: str, value: str) -> SessionOption:
    """Returns the option that SET names, its value checked.

    Raises:
        UserError: The key is unknown or the value does not parse.

    Example:
        >>> check_option("table.local-time-zon", "UTC")
        Traceback (most recent call last):
        ...
        yeoul.errors.UserError: Unknown option 'table.local-time-zon' in SET. Did you mean 'table.local-time-zone'?
    """
    option = OPTIONS.get(key)
    if option is None:
        raise UserError(f"Unknown option {key!r} in SET", hint=why_refused(key) or did_you_mean(key, OPTIONS))
    try:
        option.check(value)
    except UserError as error:
        raise UserError(f"Option {key!r}: {error.message}", hint=error.hint) from None
    return option


def local_time_zone(settings: Mapping[str, str]) -> str:
    """Returns the zone of the session, UTC unless set."""
    return settings.get("table.local-time-zone", "UTC")


def engine_settings(settings: Mapping[str, str]) -> Settings:
    """Returns how the engine is to run a job of the session."""
    threads = settings.get("parallelism.default")
    chosen = Settings() if threads is None else Settings(parallelism=_count(threads))
    if QUEUE_SETTING in settings:
        queue_bytes = max(_SMALLEST_QUEUE_BYTES, parse_size_bytes(settings[QUEUE_SETTING]))
        piece_bytes = min(chosen.piece_bytes, queue_bytes // 4)
        chosen = replace(chosen, queue_bytes=queue_bytes, piece_bytes=piece_bytes)
    if LINGER_SETTING in settings:
        chosen = replace(chosen, linger_ms=parse_duration_ms(settings[LINGER_SETTING]))
    idle_timeout_ms = parse_duration_ms(settings.get("table.exec.source.idle-timeout", "0")) or None
    ttl_ms = parse_duration_ms(settings.get("table.exec.state.ttl", "0")) or None
    zone = local_time_zone(settings)
    limit = settings.get("state.memory.limit")
    shares_scans = _flag(settings.get("table.optimizer.reuse-source-enabled", "true"))
    trigger = parse_trigger(settings.get(TRIGGER_SETTING, TriggerKind.AS_FAST_AS_POSSIBLE.value))
    return replace(
        chosen,
        idle_timeout_ms=idle_timeout_ms,
        local_time_zone=zone,
        state_ttl_ms=ttl_ms,
        state_memory_bytes=None if limit is None else _memory_limit(limit),
        spill_directory=settings.get("state.spill.directory"),
        trigger=trigger,
        shares_scans=shares_scans,
    )


def job_settings(settings: Mapping[str, str], plans: Sequence[Node]) -> Settings:
    """Returns how the engine is to run plans as one job of the session.

    Over input that ends, where only the rows that are left in the end are given, no state is forgotten, as in Flink's
    batches, whatever SET or a hint says: what an answer holds does not depend on how long it took to read.
    """
    chosen = engine_settings(settings)
    if any(gives_changes(plan, settings) for plan in plans):
        return chosen
    return replace(chosen, state_ttl_ms=None, forgets=False)


def optimiser_notes(settings: Mapping[str, str]) -> Iterator[str]:
    """Yields a line for each setting of Flink's optimiser that is taken here and changes nothing.

    Example:
        >>> next(optimiser_notes({"table.optimizer.distinct-agg.split.bucket-num": "64"}))
        "'table.optimizer.distinct-agg.split.bucket-num' = '64' changes nothing. There are no buckets."
    """
    for key, value in sorted(settings.items()):
        option = OPTIONS.get(key)
        if key.startswith("table.optimizer.") and option is not None and not option.has_effect:
            yield f"{key!r} = {value!r} changes nothing. {option.doc}"


def is_sync(settings: Mapping[str, str], *, is_bounded: bool) -> bool:
    """Tells whether an INSERT is waited for before the next statement."""
    given = settings.get("table.dml-sync")
    return is_bounded if given is None else _flag(given)
