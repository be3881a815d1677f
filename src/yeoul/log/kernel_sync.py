"""Syncs that the kernel does by itself: handed over on the loop, told on the loop, with no thread of ours between.

Two threads that take turns at Python's lock for every sync cost a broker of small records more than the syncs. Linux'
asynchronous I/O takes an `fdatasync` in one call and says by an `eventfd` when it is done.

Owns the kernel's context. Invariants: each `begin` that was taken calls `done` once, on the loop, at the latest in
`close`; a file may be closed while its sync is under way. Where there is no such thing (another system, an old kernel,
a sandbox that forbids it) `open` returns None, and `workers` do the waiting. Called by `flusher`.

Source: linux/aio_abi.h; `man 2 io_submit` (IOCB_CMD_FDSYNC: Linux 4.18).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["KernelSync"]

_NUMBERS = {"x86_64": (206, 207, 208, 209), "aarch64": (0, 1, 4, 2)}
"""io_setup, io_destroy, io_getevents and io_submit, by machine."""
_REQUEST = struct.Struct("<QIiHhIQQqQII")
_EVENT = struct.Struct("<QQqq")
_SYNC_DATA = 3
_TELL_BY_EVENTFD = 1
_MOST_UNDER_WAY = 256


@dataclass(slots=True)
class _Syncs:
    """The files of one `begin`."""

    done: Callable[[OSError | None], None]
    missing: int
    failure: OSError | None = None


class KernelSync:
    """Syncs under way.

    Use `open`. All methods are called on the loop.
    """

    def __init__(
        self,
        system_call: Callable[..., int],
        numbers: tuple[int, int, int, int],
        context: ctypes.c_ulong,
        watch: Callable[[int, Callable[[], None]], object],
        unwatch: Callable[[int], object],
    ) -> None:
        self._call = system_call
        _, self._destroy, self._get_events, self._submit = numbers
        self._context = context
        self._told = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._requests = ctypes.create_string_buffer(_REQUEST.size)
        self._pointers = (ctypes.c_void_p * 1)(ctypes.addressof(self._requests))
        self._events = ctypes.create_string_buffer(_EVENT.size * _MOST_UNDER_WAY)
        self._at_once = (ctypes.c_long * 2)(0, 0)
        self._under_way: dict[int, _Syncs] = {}
        self._next_number = 0
        self._unwatch = unwatch
        watch(self._told, self._take_events)

    @classmethod
    def open(
        cls, watch: Callable[[int, Callable[[], None]], object], unwatch: Callable[[int], object]
    ) -> KernelSync | None:
        """Returns it, or None where the kernel has no such thing for us.

        Args:
            watch: Calls a function on the loop whenever a descriptor is readable: `loop.add_reader`.
            unwatch: Ends that: `loop.remove_reader`.
        """
        numbers = _NUMBERS.get(platform.machine())
        if sys.platform != "linux" or numbers is None or struct.calcsize("P") != 8:
            return None
        system_call = ctypes.CDLL(None, use_errno=True).syscall
        system_call.restype = ctypes.c_long
        context = ctypes.c_ulong(0)
        if system_call(numbers[0], _MOST_UNDER_WAY, ctypes.byref(context)) != 0:
            return None
        return cls(system_call, numbers, context, watch, unwatch)

    def begin(self, descriptors: Sequence[int], done: Callable[[OSError | None], None]) -> bool:
        """Makes what was written to some files durable; `done` gets the first failure, or None.

        A file that is refused when others were taken is a failure: the kernel tells of a lost write once, so that a
        second sync of those others could be told of success.

        Returns:
            Whether the kernel has taken it; otherwise nothing is called, and somebody else has to do it.
        """
        syncs = _Syncs(done, len(descriptors))
        for place, descriptor in enumerate(descriptors):
            number = self._next_number
            self._next_number += 1
            fields = (number, 0, 0, _SYNC_DATA, 0, descriptor, 0, 0, 0, 0, _TELL_BY_EVENTFD, self._told)
            _REQUEST.pack_into(self._requests, 0, *fields)
            if self._call(self._submit, self._context, 1, self._pointers) != 1:
                number = ctypes.get_errno()
                syncs.failure = OSError(number, os.strerror(number))
                syncs.missing = place
                return place > 0
            self._under_way[number] = syncs
        return True

    def close(self) -> None:
        """Waits for what is under way, tells it, and gives everything back; idempotent."""
        if self._told < 0:
            return
        while self._under_way:
            self._take(self._call(self._get_events, self._context, 1, _MOST_UNDER_WAY, self._events, None))
        self._unwatch(self._told)
        self._call(self._destroy, self._context)
        os.close(self._told)
        self._told = -1

    def _take_events(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._told)
        self._take(self._call(self._get_events, self._context, 0, _MOST_UNDER_WAY, self._events, self._at_once))

    def _take(self, count: int) -> None:
        for index in range(count):
            number, _, result, _ = _EVENT.unpack_from(self._events, index * _EVENT.size)
            syncs = self._under_way.pop(number)
            syncs.missing -= 1
            if result < 0 and syncs.failure is None:
                syncs.failure = OSError(-result, os.strerror(-result))
            if syncs.missing == 0:
                syncs.done(syncs.failure)
