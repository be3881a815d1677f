"""A disk in memory that forgets what was not synced, for simulations and tests; and workers that run step by step.

It keeps two states: what a running process sees, and what would be left after the power went. `crash` returns the
latter as a new disk: contents as of each file's last sync, names as of each directory's last sync. Optionally each
file also keeps some of the bytes that were written beyond its durable size, and each directory some of the changes that
were made to its names since, as a real disk may; changes of one directory are kept in their order, as journals do.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from yeoul.log.disk import Buffer, DiskFile, DiskLock
from yeoul.log.workers import Job

__all__ = ["StepWorkers", "VolatileDisk"]


class _File:
    __slots__ = ("data", "durable")

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)
        self.durable = bytes(data)


_Names = dict[str, "_File | _Directory"]


class _Directory:
    """`history` holds the names as they were durable, and after each change since."""

    __slots__ = ("history", "names")

    def __init__(self, names: _Names | None = None) -> None:
        self.names: _Names = names or {}
        self.history: list[_Names] = [dict(self.names)]

    def changed(self) -> None:
        self.history.append(dict(self.names))

    def sync(self) -> None:
        self.history = [dict(self.names)]


class _OpenFile:
    """A file held open; it outlives its name."""

    def __init__(self, disk: VolatileDisk, file: _File) -> None:
        self._disk = disk
        self._file = file

    def size_bytes(self) -> int:
        return len(self._file.data)

    def write_at(self, buffers: Sequence[Buffer], position: int) -> None:
        self._disk.check_power()
        content = b"".join(buffers)
        grown = position + len(content) - len(self._file.data)
        room = self._disk.space_left_bytes
        if room is not None and grown > room:
            # A full disk takes what fits, then refuses.
            content = content[: max(0, len(content) - (grown - room))]
            self._put(content, position)
            raise OSError(errno.ENOSPC, "No space left on device")
        self._put(content, position)

    def _put(self, content: bytes, position: int) -> None:
        data = self._file.data
        before = len(data)
        if position > before:
            data.extend(bytes(position - before))
        data[position : position + len(content)] = content
        self._disk.charge(len(data) - before)

    def read_at(self, size_bytes: int, position: int) -> Buffer:
        return bytes(self._file.data[position : position + size_bytes])

    def read_cached_at(self, size_bytes: int, position: int) -> Buffer | None:
        return None if self._disk.cold else self.read_at(size_bytes, position)

    def sync(self) -> None:
        self._disk.check_sync()
        self._file.durable = bytes(self._file.data)

    def fileno(self) -> int:
        return -1

    def truncate(self, size_bytes: int) -> None:
        self._disk.check_power()
        before = len(self._file.data)
        del self._file.data[size_bytes:]
        self._disk.charge(len(self._file.data) - before)


class _Lock:
    def __init__(self, held: set[Path], path: Path) -> None:
        self._held = held
        self._path = path

    def release(self) -> None:
        self._held.discard(self._path)


class VolatileDisk:
    """A file system in memory.

    Args:
        base: A directory that is there, durably.

    Attributes:
        space_left_bytes: How much more may be written; None for no limit.
        cold: Nothing is in the page cache: `read_cached_at` has nothing.
        sync_failure: Raised by every sync, once set.
        sync_count: How many syncs of files and directories there were.
        changes_left: How many more changes and syncs are carried out before the power goes; None for no limit.
    """

    def __init__(self, base: Path = Path("/")) -> None:
        self.space_left_bytes: int | None = None
        self.cold = False
        self.sync_failure: OSError | None = None
        self.sync_count = 0
        self.changes_left: int | None = None
        self._root = _Directory()
        self._locks: set[Path] = set()
        at = self._root
        for name in base.parts:
            below = at.names[name] = _Directory()
            at.sync()
            at = below

    def crash(
        self, keep: Callable[[int], int] | None = None, keep_names: Callable[[int], int] | None = None
    ) -> VolatileDisk:
        """Returns the disk as it is found after the power went; this one stays as it is.

        Args:
            keep: Given how many bytes a file has beyond its durable size, how many of them survived; none by default.
            keep_names: Given how many changes to its names a directory has seen since its last sync, how many of them
                survived; none by default.
        """
        survivor = VolatileDisk()
        survivor._root = _survived(self._root, keep, keep_names)
        return survivor

    def end_process(self) -> None:
        """The process died, but not the system: its locks are gone, what it wrote is there and no more durable."""
        self._locks.clear()
        self.changes_left = None

    def charge(self, size_bytes: int) -> None:
        if self.space_left_bytes is not None:
            self.space_left_bytes -= size_bytes

    def check_power(self) -> None:
        if self.changes_left is not None:
            if self.changes_left <= 0:
                raise OSError(errno.EIO, "The power is gone")
            self.changes_left -= 1

    def check_sync(self) -> None:
        self.check_power()
        self.sync_count += 1
        if self.sync_failure is not None:
            raise self.sync_failure

    # -- Disk ---------------------------------------------------------------------------------------------------

    def open(self, path: Path, *, create: bool = False) -> DiskFile:
        directory = self._directory(path.parent)
        file = directory.names.get(path.name)
        if file is None and create:
            self.check_power()
            if self.space_left_bytes is not None and self.space_left_bytes <= 0:
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
            file = directory.names[path.name] = _File()
            directory.changed()
        if not isinstance(file, _File):
            raise FileNotFoundError(errno.ENOENT, "No such file", str(path))
        return _OpenFile(self, file)

    def read_file(self, path: Path) -> bytes | None:
        file = self._directory(path.parent).names.get(path.name)
        return bytes(file.data) if isinstance(file, _File) else None

    def replace_file(self, path: Path, content: bytes) -> None:
        if self.space_left_bytes is not None and self.space_left_bytes < len(content):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        self.check_sync()
        self._directory(path.parent).names[path.name] = _File(content)
        self.sync_directory(path.parent)

    def lock(self, path: Path) -> DiskLock | None:
        if path in self._locks:
            return None
        self._locks.add(path)
        return _Lock(self._locks, path)

    def list_directory(self, path: Path) -> list[str]:
        return sorted(self._directory(path).names)

    def make_directory(self, path: Path) -> None:
        self.check_power()
        at = self._root
        for name in path.parts:
            below = at.names.get(name)
            if below is None:
                below = at.names[name] = _Directory()
                at.changed()
            assert isinstance(below, _Directory), path
            at = below

    def sync_directory(self, path: Path) -> None:
        self.check_sync()
        self._directory(path).sync()

    def rename(self, source: Path, target: Path) -> None:
        self.check_power()
        if self.space_left_bytes is not None and self.space_left_bytes <= 0:
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        left, entered = self._directory(source.parent), self._directory(target.parent)
        entered.names[target.name] = left.names.pop(source.name)
        entered.changed()
        if left is not entered:
            left.changed()

    def unlink(self, path: Path) -> None:
        self.check_power()
        directory = self._directory(path.parent)
        if directory.names.pop(path.name, None) is not None:
            directory.changed()

    def remove_tree(self, path: Path) -> None:
        self.check_power()
        directory = self._directory(path.parent)
        del directory.names[path.name]
        directory.changed()

    def space(self, path: Path) -> tuple[int, int]:
        limit = 1 << 40
        return (limit if self.space_left_bytes is None else max(0, self.space_left_bytes)), limit

    def _directory(self, path: Path) -> _Directory:
        at = self._root
        for name in path.parts:
            below = at.names.get(name)
            if not isinstance(below, _Directory):
                raise FileNotFoundError(errno.ENOENT, "No such directory", str(path))
            at = below
        return at


def _survived(
    directory: _Directory, keep: Callable[[int], int] | None, keep_names: Callable[[int], int] | None
) -> _Directory:
    changes = len(directory.history) - 1
    kept_changes = keep_names(changes) if keep_names is not None and changes else 0
    names: _Names = {}
    for name, node in directory.history[kept_changes].items():
        if isinstance(node, _Directory):
            names[name] = _survived(node, keep, keep_names)
        else:
            extra = max(0, len(node.data) - len(node.durable))
            kept = keep(extra) if keep is not None and extra else 0
            size = len(node.durable)
            names[name] = _File(node.durable + bytes(node.data[size : size + kept]))
    return _Directory(names)


class StepWorkers:
    """Workers that run a job when `step` says so, and a loop's queue that runs when `pump` says so."""

    def __init__(self) -> None:
        self.jobs: deque[Job] = deque()
        self._calls: deque[Callable[[], None]] = deque()

    def call_soon(self, callback: Callable[[], None]) -> None:
        """What `Log` takes as `defer` and as `post`."""
        self._calls.append(callback)

    def submit(self, job: Job) -> None:
        self.jobs.append(job)

    def pump(self) -> None:
        """Ends the loop's tick, and the ones that follow from it, without a single job."""
        while self._calls:
            self._calls.popleft()()

    def step(self, number: int = 0) -> bool:
        """Runs one of the jobs that wait, then the loop; returns whether there was one."""
        self.pump()
        if not self.jobs:
            return False
        job = self.jobs[number % len(self.jobs)]
        self.jobs.remove(job)
        job()
        self.pump()
        return True

    def settle(self) -> None:
        """Runs everything until nothing is left to do."""
        while self.step():
            pass

    def close(self) -> None:
        while self.jobs:
            self.jobs.popleft()()
