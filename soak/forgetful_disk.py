"""Real files that hold only what was synced: what is not lives in this process, and dies with it.

SIGKILL of a process whose log writes through this disk is a power cut: bytes beyond a file's last sync are gone, and so
are names beyond a directory's last sync. Some bytes do get through early, as a page cache writes back when it likes: a
prefix of what is dirty, cut at any byte. Every sync takes a while, drawn at random, so that kills fall into it.
Callers: `launch`. The directory is an ordinary data directory at any time, for `yeoul doctor` or a real disk later.

Invariants: the real inode of a file has its durable bytes only; a real directory has its durable names only, and
exists only once its own name is durable; new names are made before old ones go, so a rename never loses both.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from yeoul.log.disk import Buffer, DiskFile, DiskLock, RealDisk

__all__ = ["ForgetfulDisk"]

_INODES = ".inodes"
_NOT_OURS = frozenset({_INODES, ".lock"})
_EARLY_WRITES = 0.1
_COLD_READS = 0.05
_LONGEST_SYNC_S = 0.02


class _File:
    """An inode: all its bytes in memory, the durable ones in a real file, which has a link of its own until the end."""

    def __init__(self, inode: Path, chance: random.Random) -> None:
        self.inode = inode
        self._real = os.open(inode, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self.data = bytearray(inode.read_bytes())
        self._dirty_from = len(self.data)
        self._chance = chance
        self._lock = threading.Lock()

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._real)
            self.inode.unlink()

    def size_bytes(self) -> int:
        return len(self.data)

    def write_at(self, buffers: Sequence[Buffer], position: int) -> None:
        content = b"".join(buffers)
        with self._lock:
            if position > len(self.data):
                self.data.extend(bytes(position - len(self.data)))
            self.data[position : position + len(content)] = content
            self._dirty_from = min(self._dirty_from, position)
            if self._chance.random() < _EARLY_WRITES:
                self._put(self._chance.randint(self._dirty_from, len(self.data)))

    def read_at(self, size_bytes: int, position: int) -> Buffer:
        return bytes(self.data[position : position + size_bytes])

    def read_cached_at(self, size_bytes: int, position: int) -> Buffer | None:
        return None if self._chance.random() < _COLD_READS else self.read_at(size_bytes, position)

    def sync(self) -> None:
        with self._lock:
            size_bytes = len(self.data)
        time.sleep(self._chance.random() ** 4 * _LONGEST_SYNC_S)
        with self._lock:
            self._put(min(size_bytes, len(self.data)))
            if os.fstat(self._real).st_size > len(self.data):
                os.ftruncate(self._real, len(self.data))

    def truncate(self, size_bytes: int) -> None:
        with self._lock:
            del self.data[size_bytes:]
            self._dirty_from = min(self._dirty_from, len(self.data))

    def _put(self, end: int) -> None:
        if end > self._dirty_from:
            os.pwrite(self._real, bytes(self.data[self._dirty_from : end]), self._dirty_from)
            self._dirty_from = end


class _Directory:
    """Names as the process sees them, as they were last synced, and as they are on the real disk."""

    def __init__(self) -> None:
        self.names: dict[str, _File | _Directory] = {}
        self.durable: dict[str, _File | _Directory] = {}
        self.linked: dict[str, _File | _Directory] = {}
        self.real: Path | None = None


class ForgetfulDisk:
    """A file system that forgets, kept under one real directory.

    Args:
        base: The data directory; nothing outside of it is touched.
        seed: For what gets through early and how long syncs take.
    """

    def __init__(self, base: Path, seed: int) -> None:
        self._base = base
        self._chance = random.Random(seed)
        self._inode_count = 0
        self._real = RealDisk()
        self._lock = threading.RLock()
        base.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(base / _INODES, ignore_errors=True)
        (base / _INODES).mkdir()
        self._root = self._load(base)

    def open(self, path: Path, *, create: bool = False) -> DiskFile:
        with self._lock:
            names = self._directory(path.parent).names
            found = names.get(path.name)
            if found is None and create:
                found = names[path.name] = self._new_file()
            if not isinstance(found, _File):
                raise FileNotFoundError(errno.ENOENT, "No such file", str(path))
            return found

    def read_file(self, path: Path) -> bytes | None:
        with self._lock:
            found = self._directory(path.parent).names.get(path.name)
            return bytes(found.data) if isinstance(found, _File) else None

    def replace_file(self, path: Path, content: bytes) -> None:
        fresh = self._new_file()
        fresh.write_at([content], 0)
        fresh.sync()
        with self._lock:
            self._directory(path.parent).names[path.name] = fresh
        self.sync_directory(path.parent)

    def lock(self, path: Path) -> DiskLock | None:
        return self._real.lock(path)

    def list_directory(self, path: Path) -> list[str]:
        with self._lock:
            return sorted(self._directory(path).names)

    def make_directory(self, path: Path) -> None:
        with self._lock:
            at = self._root
            for name in path.relative_to(self._base).parts:
                below = at.names.setdefault(name, _Directory())
                assert isinstance(below, _Directory), path
                at = below

    def sync_directory(self, path: Path) -> None:
        if self._base not in (path, *path.parents):
            return
        time.sleep(self._chance.random() ** 4 * _LONGEST_SYNC_S)
        with self._lock:
            directory = self._directory(path)
            directory.durable = dict(directory.names)
            if directory.real is not None:
                self._make_real(directory, directory.real)

    def rename(self, source: Path, target: Path) -> None:
        with self._lock:
            moved = self._directory(source.parent).names.pop(source.name)
            self._directory(target.parent).names[target.name] = moved

    def unlink(self, path: Path) -> None:
        with self._lock:
            self._directory(path.parent).names.pop(path.name, None)

    def remove_tree(self, path: Path) -> None:
        with self._lock:
            del self._directory(path.parent).names[path.name]

    def space(self, path: Path) -> tuple[int, int]:
        return self._real.space(self._base)

    def _directory(self, path: Path) -> _Directory:
        at = self._root
        for name in path.relative_to(self._base).parts:
            below = at.names.get(name)
            if not isinstance(below, _Directory):
                raise FileNotFoundError(errno.ENOENT, "No such directory", str(path))
            at = below
        return at

    def _new_inode(self) -> Path:
        with self._lock:
            self._inode_count += 1
            return self._base / _INODES / str(self._inode_count)

    def _new_file(self) -> _File:
        return _File(self._new_inode(), self._chance)

    def _load(self, path: Path) -> _Directory:
        loaded = _Directory()
        for entry in sorted(path.iterdir()):
            if entry.name in _NOT_OURS:
                continue
            if entry.is_dir():
                loaded.names[entry.name] = self._load(entry)
            else:
                inode = self._new_inode()
                os.link(entry, inode)
                loaded.names[entry.name] = _File(inode, self._chance)
        loaded.durable, loaded.linked, loaded.real = dict(loaded.names), dict(loaded.names), path
        return loaded

    def _make_real(self, directory: _Directory, path: Path) -> None:
        """Brings a real directory to what is durable: first what is new, then what is no more."""
        path.mkdir(exist_ok=True)
        directory.real = path
        before, directory.linked = directory.linked, dict(directory.durable)
        for name, node in directory.durable.items():
            if before.get(name) is node:
                continue
            if isinstance(node, _Directory):
                if isinstance(before.get(name), _Directory):
                    shutil.rmtree(path / name)
                node.linked = {}
                self._make_real(node, path / name)
            else:
                temporary = self._new_inode()
                os.link(node.inode, temporary)
                temporary.replace(path / name)
        for name, node in before.items():
            if name in directory.durable:
                continue
            if isinstance(node, _File):
                (path / name).unlink()
            else:
                if node.real == path / name:
                    node.real = None
                shutil.rmtree(path / name)
