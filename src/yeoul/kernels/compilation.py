"""Compiled once: where machine code is kept, and that one process at a time makes it.

Every entry point of this package is a `Kernel`: it looks like a function, and on its first call it is loaded from the
cache directory, or compiled and stored there. The directory's name is a hash of all kernel sources, the versions of
Numba and llvmlite and the processor, because Numba's own cache looks at one file only and misses an edit in a callee.

Compiling takes seconds, so it is shared out: each kernel has a file lock of its own, and a process that finds one taken
goes on with the next. `prepare_all` starts a second process for the other core; processes that start at the same moment
share the work in the same way, and none compiles what another has compiled. Whoever finds that kernels have to be
compiled says so on stderr.

The cache lies in `$YEOUL_CACHE_DIR`, else `$XDG_CACHE_HOME/yeoul`, else `~/.cache/yeoul`; where none of them can be
written, in a temporary directory.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import llvmlite.binding as llvm
import numba
from numba import config as numba_config
from numba.core.caching import UserProvidedCacheLocator

__all__ = ["Kernel", "all_are_cached", "cache_directory", "kernel", "prepare_all"]

config: Any = numba_config
_SOURCES: Final = Path(__file__).parent
_SECOND: Final = "YEOUL_SECOND_COMPILER"
_SECOND_PROGRAM: Final = """
from yeoul.kernels import compilation, declare
declare()
compilation.prepare_from_the_end()
"""
_GUARD: Final = threading.RLock()
_KERNELS: Final[list[Kernel]] = []


class Locator(UserProvidedCacheLocator):
    """Lets Numba look in the cache directory wherever the sources are installed: their text is in its name."""

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        return str(Path(py_file).parent.relative_to(_SOURCES.parent))


class Kernel:
    """A compiled function: loaded or compiled on its first call, then called without further ado."""

    __slots__ = ("_compiled", "_function", "_pointed", "_signature")

    def __init__(self, function: Callable[..., Any], signature: str, *, pointed: bool) -> None:
        self._function = function
        self._signature = signature
        self._pointed = pointed
        self._compiled: Any = None

    def __call__(self, *args: int) -> Any:
        """Runs the function; the arguments are integers and addresses."""
        return (self._compiled or self.prepare())(*args)

    @property
    def address(self) -> int:
        """The address of a function that other kernels call by pointer (`pointed`)."""
        address: int = (self._compiled or self.prepare()).address
        return address

    @property
    def _mark(self) -> Path:
        """The file whose presence says that the machine code is in the cache."""
        return cache_directory() / f"{self._function.__module__}.{self._function.__qualname__}.done"

    def is_cached(self) -> bool:
        """Whether the machine code only has to be loaded."""
        return self._compiled is not None or self._mark.exists()

    def prepare(self, *, wait: bool = True) -> Any:
        """Loads the machine code or makes it.

        Args:
            wait: Whether to wait for another process that is making it.

        Returns:
            The compiled function; None if another process is making it and `wait` is false.
        """
        with _GUARD:
            if self._compiled is None and self._mark.exists():
                self._compiled = self._compile(cache_directory())
            elif self._compiled is None:
                _announce(cache_directory())
                with _alone(self._mark.with_suffix(".lock"), wait=wait) as ours:
                    if ours:
                        self._compiled = self._compile(cache_directory())
                        self._mark.touch()
            return self._compiled

    def _compile(self, directory: Path) -> Any:
        before = config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES
        config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = str(directory), f"{__name__}.{Locator.__name__}"
        try:
            if self._pointed:
                return numba.cfunc(self._signature, cache=True, error_model="numpy")(self._function)
            dispatcher = numba.njit(nogil=True, cache=True, error_model="numpy")(self._function)
            dispatcher.compile(self._signature)
            dispatcher.disable_compile()
            return dispatcher
        finally:
            config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = before


def kernel(signature: str, *, pointed: bool = False) -> Callable[[Callable[..., Any]], Kernel]:
    """Makes a function an entry point with one signature, in Numba's spelling.

    Args:
        signature: Types of result and arguments.
        pointed: Compile it for being called by address from other kernels, so that its code is not compiled into
            theirs as well: LLVM optimises a function anew in each caller, and that is most of the time it takes.
    """

    def wrap(function: Callable[..., Any]) -> Kernel:
        made = Kernel(function, signature, pointed=pointed)
        _KERNELS.append(made)
        return made

    return wrap


def all_are_cached() -> bool:
    """Tells whether no kernel that was declared so far has to be compiled."""
    return all(made.is_cached() for made in _KERNELS)


def prepare_all() -> None:
    """Loads or compiles every kernel that was declared so far; says on stderr when it has to compile."""
    with _GUARD:
        if all_are_cached():
            _share_out(_KERNELS)
            return
        _announce(cache_directory())
        with _second_process():
            _share_out(_KERNELS)


def _share_out(kernels: Sequence[Kernel]) -> None:
    """Prepares kernels, those first that no other process is at."""
    taken = [made for made in kernels if made.prepare(wait=False) is None]
    for made in taken:
        made.prepare()


@contextlib.contextmanager
def _second_process() -> Iterator[None]:
    """Lets a process of its own compile from the other end of the list meanwhile, where there is a core for it."""
    if _SECOND in os.environ or (os.cpu_count() or 1) < 2:
        yield
        return
    environment = os.environ | {_SECOND: "1", "YEOUL_CACHE_DIR": str(cache_directory().parents[1])}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    process = None
    with contextlib.suppress(OSError):
        process = subprocess.Popen(
            [sys.executable, "-c", _SECOND_PROGRAM],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    try:
        yield
    finally:
        if process is not None:
            process.wait()


def prepare_from_the_end() -> None:
    """What the second process of `prepare_all` does."""
    _share_out(_KERNELS[::-1])


@contextlib.contextmanager
def _alone(path: Path, *, wait: bool) -> Iterator[bool]:
    """Holds a file lock; gives False if it is taken and not to be waited for."""
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True


@cache
def _announce(directory: Path) -> None:
    if _SECOND in os.environ:
        return
    print(
        f"yeoul: compiling its kernels for this processor, once; up to 20 s (kept in {directory})",
        file=sys.stderr,
        flush=True,
    )


@cache
def cache_directory() -> Path:
    """Returns the directory for this very code, Numba, and processor; makes it if need be."""
    name = _fingerprint()
    for root in _roots():
        directory = root / "kernels" / name
        with contextlib.suppress(OSError):
            directory.mkdir(parents=True, exist_ok=True)
            if os.access(directory, os.W_OK):
                return directory
    return Path(tempfile.mkdtemp(prefix="yeoul-kernels-"))


def _roots() -> Iterator[Path]:
    if chosen := os.environ.get("YEOUL_CACHE_DIR"):
        yield Path(chosen)
    if chosen := os.environ.get("XDG_CACHE_HOME"):
        yield Path(chosen) / "yeoul"
    with contextlib.suppress(RuntimeError):
        yield Path.home() / ".cache" / "yeoul"


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for source in sorted(_SOURCES.rglob("*.py")):
        digest.update(str(source.relative_to(_SOURCES)).encode() + b"\0" + source.read_bytes())
    processor = f"{llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"
    digest.update(f"{sys.version_info} {numba.__version__} {llvm.llvm_version_info} {processor}".encode())
    return digest.hexdigest()[:20]
