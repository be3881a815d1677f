"""The disk, handed in: everything the log does to files goes through `Disk` and `DiskFile`.

Two implementations: `RealDisk` here, and `volatile_disk.VolatileDisk`, which forgets whatever was not synced.
A `DiskFile` stays readable after its path was unlinked, until the last reference is gone; that is what lets
retention drop a segment under a reader.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

__all__ = ["Buffer", "Disk", "DiskFile", "DiskLock", "RealDisk"]

Buffer = bytes | bytearray | memoryview

# Linux takes at most 1024 buffers in one call (IOV_MAX).
_BUFFERS_PER_WRITE = 1024
_NOWAIT = getattr(os, "RWF_NOWAIT", None)


class DiskFile(Protocol):
    """One open file, addressed by position; the methods may be called from any thread."""

    def size_bytes(self) -> int: ...

    def write_at(self, buffers: Sequence[Buffer], position: int) -> None:
        """Writes all buffers one after the other at `position`.

        Raises:
            OSError: Not everything was written; some of it may have been.
        """
        ...

    def read_at(self, size_bytes: int, position: int) -> Buffer:
        """Returns up to `size_bytes`, fewer only at the end of the file; may wait for the device."""
        ...

    def read_cached_at(self, size_bytes: int, position: int) -> Buffer | None:
        """Like `read_at`, but returns None instead of waiting for the device."""
        ...

    def sync(self) -> None:
        """Returns once all bytes written before the call are durable, and the size that reaches them."""
        ...

    def fileno(self) -> int:
        """Returns the system's descriptor, -1 where there is none."""
        ...

    def truncate(self, size_bytes: int) -> None: ...


class DiskLock(Protocol):
    """A held lock."""

    def release(self) -> None: ...


class Disk(Protocol):
    """A file system, as far as the log needs one."""

    def open(self, path: Path, *, create: bool = False) -> DiskFile:
        """Opens a file for reading and writing; `create` makes it when it is missing."""
        ...

    def read_file(self, path: Path) -> bytes | None:
        """Returns a whole small file, or None when there is none."""
        ...

    def replace_file(self, path: Path, content: bytes) -> None:
        """Puts a whole small file in place, durably: afterwards it has the old content or the new one, never a mix."""
        ...

    def lock(self, path: Path) -> DiskLock | None:
        """Takes an exclusive lock that dies with the process; None when somebody else holds it."""
        ...

    def list_directory(self, path: Path) -> list[str]: ...

    def make_directory(self, path: Path) -> None:
        """Makes a directory and the missing ones above it."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Makes names created, renamed or removed in a directory durable."""
        ...

    def rename(self, source: Path, target: Path) -> None: ...

    def unlink(self, path: Path) -> None:
        """Removes a file; one that is missing is no error."""
        ...

    def remove_tree(self, path: Path) -> None:
        """Removes a directory with all it holds."""
        ...

    def space(self, path: Path) -> tuple[int, int]:
        """Returns how many bytes are free for us on the file system of a path, and how many it has."""
        ...


class _RealFile:
    """A file descriptor with positions handed in; closed when the last reference goes."""

    __slots__ = ("_descriptor", "_nowait")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._nowait = _NOWAIT

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._descriptor)

    def size_bytes(self) -> int:
        return os.fstat(self._descriptor).st_size

    def write_at(self, buffers: Sequence[Buffer], position: int) -> None:
        if len(buffers) == 1:
            written, wanted = os.pwrite(self._descriptor, buffers[0], position), len(buffers[0])
        else:
            written = os.pwritev(self._descriptor, buffers[:_BUFFERS_PER_WRITE], position)
            wanted = sum(len(buffer) for buffer in buffers)
        if written < wanted:
            self._write_rest(buffers, position, written, wanted)

    def _write_rest(self, buffers: Sequence[Buffer], position: int, written: int, wanted: int) -> None:
        rest = memoryview(b"".join(buffers))
        while written < wanted:
            step = os.pwrite(self._descriptor, rest[written:], position + written)
            if step == 0:
                raise OSError(errno.EIO, "the device took no bytes and named no reason")
            written += step

    def read_at(self, size_bytes: int, position: int) -> Buffer:
        data = os.pread(self._descriptor, size_bytes, position)
        if len(data) == size_bytes or not data:
            return data
        pieces = [data]
        read = len(data)
        while read < size_bytes:
            data = os.pread(self._descriptor, size_bytes - read, position + read)
            if not data:
                break
            pieces.append(data)
            read += len(data)
        return b"".join(pieces)

    def read_cached_at(self, size_bytes: int, position: int) -> Buffer | None:
        if self._nowait is None:
            return None
        target = bytearray(size_bytes)
        try:
            read = os.preadv(self._descriptor, [target], position, self._nowait)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
            self._nowait = None
            return None
        if read == size_bytes:
            return target
        # The cache held the beginning only, or the file ends here.
        return memoryview(target)[:read] if position + read >= self.size_bytes() else None

    def sync(self) -> None:
        os.fdatasync(self._descriptor)

    def fileno(self) -> int:
        return self._descriptor

    def truncate(self, size_bytes: int) -> None:
        os.ftruncate(self._descriptor, size_bytes)


class _RealLock:
    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class RealDisk:
    """The machine's own file system."""

    def open(self, path: Path, *, create: bool = False) -> DiskFile:
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        return _RealFile(os.open(path, flags, 0o644))

    def read_file(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def replace_file(self, path: Path, content: bytes) -> None:
        temporary = path.with_name(path.name + "~")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
        self.sync_directory(path.parent)

    def lock(self, path: Path) -> DiskLock | None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        return _RealLock(descriptor)

    def list_directory(self, path: Path) -> list[str]:
        return sorted(os.listdir(path))

    def make_directory(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)

    def sync_directory(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        source.rename(target)

    def unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def remove_tree(self, path: Path) -> None:
        shutil.rmtree(path)

    def space(self, path: Path) -> tuple[int, int]:
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
