"""Sessions of keys: which session each row belongs to, in the order of arrival.

A session is an interval from its first time to its last time plus the gap; one that a row touches, its ends included,
takes the row in, and two that a row touches become one. A key's open sessions hang in a chain, latest start first, so
that a row that comes in order looks at one. A session is closed for a row if it ends not after what the row says has
closed: the row can neither join nor join up such a session; and a row that is in no open session, and whose own session
would be closed, is late. So it never matters where a batch was cut.

Arrays by key slot: `heads`. By session: `nexts` (-1 at the end, -2 out of its chain), `starts`, `ends`, `owners`, and
`kept`: the session itself, or the one that took it in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yeoul.kernels.addresses import address_of
from yeoul.kernels.compilation import kernel
from yeoul.kernels.machine import inlined, load_u64, prefetch, store_u64

__all__ = ["Assigned", "SessionChains"]

_LEAST = 1 << 10
_OUT = -2
_AHEAD = 16
"""How many rows ahead a key is asked for; its latest session half as many."""
Words = NDArray[np.int64]


@inlined
def _ask(keys, row, count, heads, nexts, starts, ends):
    """Asks for the key of a row further on, and for the latest session of one not so far."""
    if row + _AHEAD < count:
        prefetch(heads + load_u64(keys + (row + _AHEAD) * 8) * 8)
        latest = load_u64(heads + load_u64(keys + (row + _AHEAD // 2) * 8) * 8)
        if latest >= 0:
            prefetch(nexts + latest * 8)
            prefetch(starts + latest * 8)
            prefetch(ends + latest * 8)


@kernel("int64(" + ", ".join(["int64"] * 17) + ")")
def _assign(
    keys, times, lasts, closed, count, gap, heads, nexts, starts, ends, owners, kept, free, counts, found, made, gone
):
    """Writes each row's session, -1 if it is late; `counts`: slots in use, free ones, sessions made, taken in."""
    used, free_count, made_count, gone_count = load_u64(counts), load_u64(counts + 8), 0, 0
    for row in range(count):
        _ask(keys, row, count, heads, nexts, starts, ends)
        key, time, limit = load_u64(keys + row * 8), load_u64(times + row * 8), load_u64(closed + row * 8)
        end, session, before = load_u64(lasts + row * 8) + gap, -1, -1
        at = load_u64(heads + key * 8)
        while at >= 0:
            after, its_end = load_u64(nexts + at * 8), load_u64(ends + at * 8)
            if its_end <= limit:
                store_u64(heads + key * 8 if before < 0 else nexts + before * 8, after)
                store_u64(nexts + at * 8, -2)
                at = after
                continue
            its_start = load_u64(starts + at * 8)
            if its_start > end:
                before, at = at, after
                continue
            if its_end < time:
                break
            if session < 0:
                session, before = at, at
                store_u64(starts + at * 8, min(its_start, time))
                store_u64(ends + at * 8, max(its_end, end))
            else:
                store_u64(starts + session * 8, min(its_start, load_u64(starts + session * 8)))
                store_u64(ends + session * 8, max(its_end, load_u64(ends + session * 8)))
                store_u64(nexts + session * 8, after)
                store_u64(nexts + at * 8, -2)
                store_u64(kept + at * 8, session)
                store_u64(gone + gone_count * 8, at)
                gone_count += 1
            at = after
        if session < 0 and end > limit:
            if free_count > 0:
                free_count -= 1
                session = load_u64(free + free_count * 8)
            else:
                session = used
                used += 1
            store_u64(starts + session * 8, time)
            store_u64(ends + session * 8, end)
            store_u64(owners + session * 8, key)
            store_u64(kept + session * 8, session)
            store_u64(nexts + session * 8, at)
            store_u64(heads + key * 8 if before < 0 else nexts + before * 8, session)
            store_u64(made + made_count * 8, session)
            made_count += 1
        store_u64(found + row * 8, session)
    store_u64(counts, used)
    store_u64(counts + 8, free_count)
    store_u64(counts + 16, made_count)
    store_u64(counts + 24, gone_count)
    return 0


@kernel("int64(int64, int64, int64, int64, int64, int64)")
def _prune(keys, count, closed, heads, nexts, ends):
    """Takes the sessions that end not after `closed` out of the chains of keys."""
    for row in range(count):
        key = load_u64(keys + row * 8)
        before, at = -1, load_u64(heads + key * 8)
        while at >= 0:
            after = load_u64(nexts + at * 8)
            if load_u64(ends + at * 8) <= closed:
                store_u64(heads + key * 8 if before < 0 else nexts + before * 8, after)
                store_u64(nexts + at * 8, -2)
            else:
                before = at
            at = after
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
        self._heads, self._nexts = np.full(_LEAST, -1, np.int64), np.full(_LEAST, -1, np.int64)
        self._starts, self._ends, self._owners, self._kept, self._free = (
            np.full(_LEAST, -1, np.int64) for _ in range(5)
        )
        self._counts = np.zeros(4, np.int64)

    @property
    def size_bytes(self) -> int:
        """What the arrays take."""
        arrays = (self._heads, self._nexts, self._starts, self._ends, self._owners, self._kept, self._free)
        return sum(array.nbytes for array in arrays)

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
        state = (self._heads, self._nexts, self._starts, self._ends, self._owners, self._kept, self._free, self._counts)
        _assign(*rows, *(address_of(each) for each in (*state, found, made, gone)))
        absorbed = gone[: self._counts[3]].copy()
        return Assigned(self._kept_of(found), made[: self._counts[2]].copy(), absorbed, self._kept_of(absorbed))

    def starts(self, sessions: Words) -> Words:
        """Returns the first time of sessions."""
        return self._starts[sessions]

    def ends(self, sessions: Words) -> Words:
        """Returns the last time of sessions, plus the gap."""
        return self._ends[sessions]

    def owners(self, sessions: Words) -> Words:
        """Returns the keys of sessions."""
        return self._owners[sessions]

    def prune(self, keys: Words, closed: int) -> None:
        """Takes what has closed out of the chains of keys; the sessions' slots stay taken until `release`."""
        keys = np.ascontiguousarray(keys, np.int64)
        arrays = (self._heads, self._nexts, self._ends)
        _prune(address_of(keys), len(keys), closed, *(address_of(each) for each in arrays))

    def is_empty(self, keys: Words) -> NDArray[np.bool_]:
        """Tells which keys have no open session."""
        return self._heads[keys] < 0

    def release(self, sessions: Words) -> None:
        """Gives back the slots of sessions that are in no chain, to be used by later ones."""
        free = int(self._counts[1])
        self._free = _longer(self._free, free + len(sessions))
        self._free[free : free + len(sessions)] = sessions
        self._counts[1] += len(sessions)

    def restore(self, keys: Words, starts: Words, ends: Words) -> Words:
        """Takes open sessions into empty chains; returns their slots."""
        count = len(keys)
        self._make_room(int(keys.max()) + 1 if count else 0, count)
        sessions = np.arange(count)
        self._starts[:count], self._ends[:count], self._owners[:count] = starts, ends, keys
        self._kept[:count] = sessions
        self._counts[0] = count
        order = np.lexsort((-starts, keys))
        is_last = np.append(keys[order][1:] != keys[order][:-1], True)[:count]
        self._nexts[order] = np.where(is_last, -1, np.append(order[1:], -1)[:count])
        is_first = np.append(True, is_last[:-1])[:count]
        self._heads[keys[order][is_first]] = order[is_first]
        return sessions

    def _kept_of(self, sessions: Words) -> Words:
        """Follows who took whom in to the end; -1 stays."""
        known = np.where(sessions < 0, 0, sessions)
        while not np.array_equal(kept := self._kept[known], known):
            known = kept
        return np.where(sessions < 0, -1, known)

    def _make_room(self, keys: int, rows: int) -> None:
        self._heads = _longer(self._heads, keys)
        sessions = int(self._counts[0]) + rows
        self._nexts, self._kept = _longer(self._nexts, sessions), _longer(self._kept, sessions)
        self._starts, self._ends = _longer(self._starts, sessions), _longer(self._ends, sessions)
        self._owners = _longer(self._owners, sessions)


def _longer(array: Words, size: int) -> Words:
    if size <= len(array):
        return array
    grown = np.full(max(size, len(array) * 3 // 2), -1, np.int64)
    grown[: len(array)] = array
    return grown
