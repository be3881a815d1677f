"""Sessions of keys: which session each row belongs to, in the order of arrival.

A session is an interval from its first time to its last time plus the gap; one that a row touches, its ends included,
takes the row in, and two that a row touches become one. A key's open sessions hang in a chain, latest start first, so
that a row that comes in order looks at one. A session is closed for a row if it ends not after what the row says has
closed: the row can neither join nor join up such a session; and a row that is in no open session, and whose own session
would be closed, is late. So it never matters where a batch was cut.

What is known of a session stands in 32 bytes, half a line of the caches, in `Blocks`: first time, last time plus
the gap, timer (for whoever gives sessions out; `UNARMED` where there is none), the session that follows in its
chain, or, marked, the one that took it in, and its key. Beside them stands the first session of each key. A place for a
session or none holds its number and one, so that blocks begin as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.blocks import Blocks
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import inlined, load_u32, load_u64, prefetch, store_u32, store_u64
from yeoul.kernels.row_blocks import gathered, row_at, scattered

__all__ = ["UNARMED", "Assigned", "SessionChains"]

UNARMED = -(2**63)
"""The timer of a session that has none."""

_LEAST = 1 << 10
_HEAD_BYTES, _HEAD_BITS = 4, 22
_BYTES, _BITS = 32, 19
_START, _END, _TIMER, _NEXT, _OWNER = 0, 8, 16, 24, 28
_TAKEN_IN = 1 << 31
"""Marks a session that another one, whose number is beside the mark, took in."""

_AHEAD = 16
"""How many rows ahead a key is asked for; its latest session half as many."""
Words = NDArray[np.int64]


@inlined
def _head_at(heads, key):
    """Returns where the first session of a key stands."""
    return row_at(heads, _HEAD_BITS, _HEAD_BYTES, key)


@inlined
def _session_at(sessions, session):
    """Returns where a session stands."""
    return row_at(sessions, _BITS, _BYTES, session)


@inlined
def _ask(keys, row, count, heads, sessions):
    """Asks for the key of a row further on, and for the latest session of one not so far."""
    if row + _AHEAD < count:
        prefetch(_head_at(heads, load_u64(keys + (row + _AHEAD) * 8)))
        latest = load_u32(_head_at(heads, load_u64(keys + (row + _AHEAD // 2) * 8)))
        if latest != 0:
            prefetch(_session_at(sessions, latest - 1))


@kernel("int64(" + ", ".join(["int64"] * 13) + ")")
def _assign(keys, times, lasts, closed, count, gap, heads, sessions, free, counts, found, made, gone):
    """Writes each row's session, -1 if it is late; `counts`: slots in use, free ones, sessions made, taken in."""
    used, free_count, made_count, gone_count = load_u64(counts), load_u64(counts + 8), 0, 0
    for row in range(count):
        _ask(keys, row, count, heads, sessions)
        key, time, limit = load_u64(keys + row * 8), load_u64(times + row * 8), load_u64(closed + row * 8)
        end, session, own = load_u64(lasts + row * 8) + gap, -1, 0
        # Where the session that is looked at hangs: at its key, or at the session before it.
        place = _head_at(heads, key)
        at = load_u32(place) - 1
        while at >= 0:
            its = _session_at(sessions, at)
            after, its_end = load_u32(its + _NEXT), load_u64(its + _END)
            if its_end <= limit:
                store_u32(place, after)
                store_u32(its + _NEXT, 0)
                at = after - 1
                continue
            its_start = load_u64(its + _START)
            if its_start > end:
                place, at = its + _NEXT, after - 1
                continue
            if its_end < time:
                break
            if session < 0:
                session, own, place = at, its, its + _NEXT
                store_u64(its + _START, min(its_start, time))
                store_u64(its + _END, max(its_end, end))
            else:
                store_u64(own + _START, min(its_start, load_u64(own + _START)))
                store_u64(own + _END, max(its_end, load_u64(own + _END)))
                store_u32(own + _NEXT, after)
                store_u32(its + _NEXT, _TAKEN_IN | session)
                store_u64(gone + gone_count * 8, at)
                gone_count += 1
            at = after - 1
        if session < 0 and end > limit:
            if free_count > 0:
                free_count -= 1
                session = load_u64(free + free_count * 8)
            else:
                session = used
                used += 1
            its = _session_at(sessions, session)
            store_u64(its + _START, time)
            store_u64(its + _END, end)
            store_u64(its + _TIMER, UNARMED)
            store_u32(its + _NEXT, at + 1)
            store_u32(its + _OWNER, key)
            store_u32(place, session + 1)
            store_u64(made + made_count * 8, session)
            made_count += 1
        store_u64(found + row * 8, session)
    store_u64(counts, used)
    store_u64(counts + 8, free_count)
    store_u64(counts + 16, made_count)
    store_u64(counts + 24, gone_count)
    return 0


@kernel("int64(int64, int64, int64)")
def _follow(found, count, sessions):
    """Puts in the place of each session, -1 left alone, the one that took it in, in the end."""
    for row in range(count):
        session = load_u64(found + row * 8)
        while session >= 0:
            following = load_u32(_session_at(sessions, session) + _NEXT)
            if following & _TAKEN_IN == 0:
                break
            session = following ^ _TAKEN_IN
        store_u64(found + row * 8, session)
    return 0


@kernel("int64(int64, int64, int64, int64, int64)")
def _prune(keys, count, closed, heads, sessions):
    """Takes the sessions that end not after `closed` out of the chains of keys."""
    for row in range(count):
        _ask(keys, row, count, heads, sessions)
        place = _head_at(heads, load_u64(keys + row * 8))
        at = load_u32(place) - 1
        while at >= 0:
            its = _session_at(sessions, at)
            after = load_u32(its + _NEXT)
            if load_u64(its + _END) <= closed:
                store_u32(place, after)
                store_u32(its + _NEXT, 0)
            else:
                place = its + _NEXT
            at = after - 1
    return 0


@dataclass(frozen=True, slots=True)
class Assigned:
    """What became of a batch's rows.

    Attributes:
        sessions: Each row's session, -1 if it is late.
        made: The sessions that were not there before; some of them may be in `absorbed`, too.
        absorbed: The sessions that others took in.
        into: Which session took each of them in, in the end.
    """

    sessions: Words
    made: Words
    absorbed: Words
    into: Words


class SessionChains:
    """The open sessions of keys; keys and sessions are known by slots.

    Args:
        gap_ms: How long nothing may come within a session.

    Example:
        >>> chains = SessionChains(10)
        >>> never = np.full(3, -(2**63))
        >>> first = chains.assign(np.array([0, 0, 1]), np.array([5, 30, 5]), never)
        >>> first.sessions.tolist(), first.absorbed.tolist()
        ([0, 1, 2], [])
        >>> joined = chains.assign(np.array([0, 0]), np.array([15, 22]), never[:2])
        >>> joined.sessions.tolist(), joined.absorbed.tolist(), joined.into.tolist()
        ([1, 1], [0], [1])
        >>> chains.starts(np.array([1])).tolist(), chains.ends(np.array([1])).tolist()
        ([5], [40])
    """

    def __init__(self, gap_ms: int) -> None:
        self.gap_ms = gap_ms
        self._heads, self._sessions = Blocks(_HEAD_BYTES, _HEAD_BITS), Blocks(_BYTES, _BITS)
        self._free, self._counts = np.empty(_LEAST, np.int64), np.zeros(4, np.int64)

    @property
    def size_bytes(self) -> int:
        """What it takes."""
        return self._heads.size_bytes + self._sessions.size_bytes + self._free.nbytes

    def assign(self, keys: Words, times: Words, closed: Words, lasts: Words | None = None) -> Assigned:
        """Puts rows into sessions, in order.

        Args:
            keys: The slot of each row's key.
            times: In ms.
            closed: The end of the last session, in ms, that can have closed before the row came.
            lasts: Where a row stands for several of its key, with no gap between them: the last of their times.
        """
        count = len(keys)
        self._make_room(int(keys.max()) + 1 if count else 0, count)
        lasts = times if lasts is None else lasts
        keys, times, lasts, closed = (np.ascontiguousarray(each, np.int64) for each in (keys, times, lasts, closed))
        found, made, gone = (np.empty(count, np.int64) for _ in range(3))
        rows = (*(address_of(each) for each in (keys, times, lasts, closed)), count, self.gap_ms)
        rest = (address_of(each) for each in (self._free, self._counts, found, made, gone))
        _assign(*rows, *self._addresses(), *rest)
        absorbed = gone[: self._counts[3]].copy()
        into = absorbed.copy()
        if len(absorbed):
            for each in (found, into):
                _follow(address_of(each), len(each), self._addresses()[1])
        return Assigned(found, made[: self._counts[2]].copy(), absorbed, into)

    def starts(self, sessions: Words) -> Words:
        """Returns the first time of sessions."""
        return self._read(sessions, _START)

    def ends(self, sessions: Words) -> Words:
        """Returns the last time of sessions, plus the gap."""
        return self._read(sessions, _END)

    def owners(self, sessions: Words) -> Words:
        """Returns the keys of sessions."""
        return gathered(self._sessions, sessions, _OWNER, np.int32).astype(np.int64)

    def timers(self, sessions: Words) -> Words:
        """Returns the timers of sessions; those of sessions that were made are `UNARMED`."""
        return self._read(sessions, _TIMER)

    def set_timers(self, sessions: Words, times: Words) -> None:
        """Sets the timers of sessions."""
        scattered(self._sessions, sessions, [(_TIMER, times)])

    def armed(self) -> Words:
        """Returns the sessions that have a timer."""
        return np.flatnonzero(self.timers(np.arange(self._counts[0])) != UNARMED)

    def prune(self, keys: Words, closed: int) -> None:
        """Takes what has closed out of the chains of keys; the sessions' slots stay taken until `release`."""
        keys = np.ascontiguousarray(keys, np.int64)
        _prune(address_of(keys), len(keys), closed, *self._addresses())

    def is_empty(self, keys: Words) -> NDArray[np.bool_]:
        """Tells which keys have no open session."""
        flags: NDArray[np.bool_] = gathered(self._heads, keys, 0, np.int32) == 0
        return flags

    def release(self, sessions: Words) -> None:
        """Gives back the slots of sessions that are in no chain, to be used by later ones."""
        free = int(self._counts[1])
        needed = free + len(sessions)
        if needed > len(self._free):
            grown = np.empty(max(needed, len(self._free) * 3 // 2), np.int64)
            grown[:free] = self._free[:free]
            self._free = grown
        self._free[free:needed] = sessions
        self._counts[1] = needed

    def restore(self, keys: Words, starts: Words, ends: Words) -> Words:
        """Takes open sessions into empty chains; returns their slots."""
        count = len(keys)
        self._make_room(int(keys.max()) + 1 if count else 0, count)
        self._counts[0] = count
        order = np.lexsort((-starts, keys))
        is_last = np.append(keys[order][1:] != keys[order][:-1], True)[:count]
        nexts = np.empty(count, np.int32)
        nexts[order] = np.where(is_last, 0, np.append(order[1:], 0)[:count] + 1)
        heads = order[np.append(True, is_last[:-1])[:count]]
        sessions = np.arange(count)
        times = [(_START, starts), (_END, ends), (_TIMER, np.full(count, UNARMED))]
        scattered(self._sessions, sessions, [*times, (_NEXT, nexts), (_OWNER, keys.astype(np.int32))])
        scattered(self._heads, keys[heads], [(0, (heads + 1).astype(np.int32))])
        return sessions

    def _read(self, sessions: Words, field: int) -> Words:
        return gathered(self._sessions, sessions, field, np.int64)

    def _addresses(self) -> tuple[int, int]:
        return self._heads.layout[0], self._sessions.layout[0]

    def _make_room(self, keys: int, rows: int) -> None:
        self._heads.reserve(keys)
        self._sessions.reserve(int(self._counts[0]) + rows)
