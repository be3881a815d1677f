"""How a job is run: what the session's options say, and the bounds of what it may hold."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from yeoul.clock import SYSTEM_CLOCK, Clock
from yeoul.engine.contract import CacheBounds, Lookup
from yeoul.plan.nodes import Scan
from yeoul.plan.trigger import AS_FAST_AS_POSSIBLE, Trigger

__all__ = ["LookedUp", "OpenLookup", "Settings"]


@dataclass(frozen=True, slots=True)
class LookedUp:
    """A table to be asked by key.

    Attributes:
        lookup: The table.
        bounds: How much of what it says is kept.
    """

    lookup: Lookup
    bounds: CacheBounds


OpenLookup = Callable[[Scan, Sequence[str]], LookedUp]


def _processors() -> int:
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Settings:
    """How a job is run.

    Attributes:
        parallelism: Threads of the decode pool.
        queue_bytes: How much may wait between the sources and the operators, in bytes of what was read.
        piece_bytes: How much to ask of a source at once.
        trigger: When it takes what has arrived.
        small_bytes: Up to how much waits, in all, before the pool decodes ahead and sources are read ahead.
        run_bytes: Up to how many bytes consecutive pieces of a split are joined into one batch.
        idle_timeout_ms: For tables that do not say (`table.exec.source.idle-timeout`); None or 0: never idle.
        local_time_zone: `table.local-time-zone`, an IANA name.
        clock: For idleness, CURRENT_TIMESTAMP and progress.
        flush_interval_ms: At the latest after how long what was written is flushed, while the job goes on.
        linger_ms: While more is coming, how long small batches are collected: at the sources and before the sinks.
        poll_timeout_ms: How long a source may wait for its first byte before it is asked again.
        open_lookup: Opens the table of a lookup join; None: there is none.
        state_memory_bytes: How much memory keyed state may take before it spills (`state.memory.limit`); None: all.
        spill_directory: Where it spills to (`state.spill.directory`); None: where temporary files go.
        shares_scans: Whether a table that is read more than once is read once for all (`reuse-source-enabled`).
        state_ttl_ms: How long state of a query without windows is kept untouched (`table.exec.state.ttl`); None: ever.
        forgets: Whether untouched state is forgotten; if not, neither the session's word nor a hint counts.
    """

    parallelism: int = field(default_factory=_processors)
    queue_bytes: int = 64 << 20
    piece_bytes: int = 4 << 20
    small_bytes: int = 64 << 10
    run_bytes: int = 1 << 20
    idle_timeout_ms: int | None = None
    local_time_zone: str = "UTC"
    clock: Clock = SYSTEM_CLOCK
    flush_interval_ms: int = 1_000
    linger_ms: float = 1.0
    poll_timeout_ms: int = 500
    state_ttl_ms: int | None = None
    forgets: bool = True
    open_lookup: OpenLookup | None = None
    state_memory_bytes: int | None = None
    spill_directory: str | None = None
    shares_scans: bool = True
    trigger: Trigger = AS_FAST_AS_POSSIBLE

    def ttl_of(self, hinted_ms: int | None) -> int | None:
        """Returns how long state is kept untouched: as a hint says, 0 for ever, else as the session says."""
        if not self.forgets:
            return None
        return self.state_ttl_ms if hinted_ms is None else hinted_ms or None
