"""Which partition is cleaned next: the one with the largest share of dirty bytes, one at a time.

Owns the round of a broker's cleaner: look at all compacted partitions, plan, have the plan carried out elsewhere, adopt
what came of it, look again. A partition whose records are damaged is left alone until the next start; one that did not
find space is tried again later. Called by `directory.Log`, on the loop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from yeoul.errors import YeoulError
from yeoul.log.compaction.partition import Dirt
from yeoul.log.compaction.plan import CleaningPlan, CleaningResult, CleaningSettings
from yeoul.log.disk import Disk
from yeoul.log.flusher import Flusher
from yeoul.log.partition import PartitionLog

__all__ = ["CleaningDone", "Runner", "Scheduler", "WorkerRunner"]

_log = logging.getLogger("yeoul.log")

CleaningDone = Callable[[CleaningResult | BaseException], None]


class Runner(Protocol):
    """Who carries out plans: a process of its own (`child.ChildRunner`), or a thread (`WorkerRunner`)."""

    def run(self, plan: CleaningPlan, done: CleaningDone) -> None:
        """Cleans; `done` is called on the loop with the result or with what went wrong."""
        ...

    def rest(self) -> None:
        """Nothing is to be cleaned for a while: let go of what cleaning needs."""
        ...

    def close(self) -> None:
        """Stops at once; nothing is called afterwards."""
        ...


@dataclass(slots=True)
class _CleaningWork:
    plan: CleaningPlan
    result: CleaningResult | None = None

    def run(self, disk: Disk) -> None:
        from yeoul.log.compaction.cleaning import clean

        self.result = clean(disk, self.plan, lambda size_bytes: None)


class WorkerRunner:
    """Cleans in one of the flusher's threads, on whatever disk the log has."""

    def __init__(self, flusher: Flusher) -> None:
        self._flusher = flusher

    def run(self, plan: CleaningPlan, done: CleaningDone) -> None:
        work = _CleaningWork(plan)

        def finished(failure: BaseException | None) -> None:
            assert failure is not None or work.result is not None
            done(failure if failure is not None else work.result)  # type: ignore[arg-type]

        self._flusher.submit(work, finished)

    def rest(self) -> None:
        pass

    def close(self) -> None:
        pass


class Scheduler:
    """The cleaner of one log.

    Args:
        partitions: Returns all partitions that may be cleaned.
        runner: Carries out plans.
        settings: The broker's.
        has_room: Whether that many bytes more may be written to the disk.
    """

    def __init__(
        self,
        partitions: Callable[[], Iterable[PartitionLog]],
        runner: Runner,
        settings: CleaningSettings,
        has_room: Callable[[int], bool],
    ) -> None:
        self._partitions = partitions
        self._runner = runner
        self._settings = settings
        self._has_room = has_room
        self._busy = False
        self._closed = False
        self._given_up: set[PartitionLog] = set()
        self._skipped: set[PartitionLog] = set()

    def check(self) -> bool:
        """Begins to clean if something is dirty enough; returns whether a cleaning is under way."""
        self._skipped.clear()
        return self._begin()

    def close(self) -> None:
        """Stops; what was not swapped yet is removed at the next start."""
        self._closed = True
        self._runner.close()

    def _begin(self) -> bool:
        if self._busy or self._closed or not self._settings.enabled:
            return self._busy
        chosen = self._dirtiest()
        if chosen is None:
            self._runner.rest()
            return False
        partition, dirt = chosen
        self._busy = True
        plan = partition.cleaning_plan(dirt, self._settings)
        self._runner.run(plan, lambda result: self._cleaned(partition, result))
        return True

    def _dirtiest(self) -> tuple[PartitionLog, Dirt] | None:
        chosen: tuple[PartitionLog, Dirt] | None = None
        for partition in self._partitions():
            if not partition.config.compacted or partition in self._given_up or partition in self._skipped:
                continue
            dirt = partition.dirt()
            if dirt is None or not (dirt.overdue or dirt.ratio >= partition.config.min_cleanable_dirty_ratio):
                continue
            if not self._has_room(dirt.size_bytes):
                _log.warning("Not compacted for want of space: %s", _name(partition))
                continue
            if chosen is None or (dirt.overdue, dirt.ratio) > (chosen[1].overdue, chosen[1].ratio):
                chosen = partition, dirt
        return chosen

    def _cleaned(self, partition: PartitionLog, result: CleaningResult | BaseException) -> None:
        if self._closed:
            return
        if isinstance(result, BaseException):
            self._failed(partition, result)
            self._go_on()
            return

        def adopted(failure: BaseException | None) -> None:
            if failure is None:
                _tell(partition, result)
            else:
                self._failed(partition, failure)
            self._go_on()

        partition.adopt_cleaned(result, adopted)

    def _failed(self, partition: PartitionLog, failure: BaseException) -> None:
        self._skipped.add(partition)
        if partition.is_closed:
            return
        if isinstance(failure, YeoulError):
            self._given_up.add(partition)
        _log.error("Could not compact %s: %s", _name(partition), failure)

    def _go_on(self) -> None:
        self._busy = False
        self._begin()


def _name(partition: PartitionLog) -> str:
    return f"{partition.directory.parent.name}-{partition.directory.name}"


def _tell(partition: PartitionLog, result: CleaningResult) -> None:
    _log.info(
        "Compacted %s up to offset %d: %d of %d records, %d of %d bytes kept",
        _name(partition),
        result.cleaned_offset,
        result.records_kept,
        result.records_read,
        result.bytes_kept,
        result.bytes_read,
    )
