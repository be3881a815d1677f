"""A clickstream worth looking at: who clicks, on what, when, and how it goes wrong.

Visitors are skewed (a few come all the time), each walks through a shop as a Markov chain over actions, traffic swells
and bursts, requests grow slow during a burst, events arrive up to five seconds out of order, a few much later than
that, and a few are not JSON at all. Everything follows from the seed and the times that are passed in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["ACTIONS", "Clickstream", "Event", "traffic_factor"]

ACTIONS = ("login", "view", "search", "click", "add_to_cart", "purchase", "logout")
_VIEW, _LOGOUT = ACTIONS.index("view"), ACTIONS.index("logout")

_NEXT_ACTION = np.array(
    [  # login view search click cart purchase logout: what follows each action, in percent
        [0, 55, 35, 8, 0, 0, 2],
        [0, 40, 15, 30, 8, 0, 7],
        [0, 45, 20, 30, 2, 0, 3],
        [0, 40, 12, 22, 18, 0, 8],
        [0, 30, 8, 10, 15, 30, 7],
        [0, 30, 10, 5, 0, 0, 55],
        [100, 0, 0, 0, 0, 0, 0],
    ]
)
_BASE_LATENCY_MS = np.array([35.0, 18.0, 60.0, 12.0, 28.0, 110.0, 9.0])
_COUNTRIES = ("KR", "US", "DE", "JP", "BR", "IN", "FR", "GB")
_COUNTRY_SHARES = np.cumsum([0.30, 0.22, 0.12, 0.11, 0.08, 0.07, 0.06, 0.04])

_USERS = 50_000
_SESSIONS = 4_000
_PAGES = 400
_LATE_SHARE = 0.0003
_MALFORMED_SHARE = 0.0002
_DISORDER_MS = 5_000

_TEMPLATE = (
    '{"user_id":"user-%d","session_id":"%x","action":"%s","page":"/p/%d","country":"%s","latency_ms":%.1f,"ts":%d}'
)


class Event(NamedTuple):
    """One message for the log."""

    key: bytes
    value: bytes


def traffic_factor(at_s: float) -> float:
    """Returns how busy the shop is at a moment, around 1: a slow swell and a burst of 3 s in every 23 s.

    Example:
        >>> 0.6 < traffic_factor(10.0) < 1.4 < traffic_factor(1.0) < 3.5
        True
    """
    swell = 1 + 0.25 * math.sin(2 * math.pi * at_s / 47)
    return 0.85 * swell * (2.2 if _in_burst(at_s) else 1.0)


def _in_burst(at_s: float) -> bool:
    return at_s % 23 < 3


def _is_last(slots: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tells for each place whether its value does not come again."""
    places = np.arange(len(slots))
    last = np.zeros(_SESSIONS, np.int64)
    last[slots] = places
    return np.asarray(last[slots] == places)


@dataclass(slots=True)
class _Sessions:
    """The visitors who are in the shop, one slot each."""

    user: NDArray[np.int64]
    number: NDArray[np.int64]
    action: NDArray[np.int64]
    country: NDArray[np.int64]


class Clickstream:
    """Makes events, batch by batch.

    Args:
        seed: Equal seeds and equal calls give equal events.

    Example:
        >>> events = Clickstream(seed=1).events(count=3, now_ms=1_760_000_000_000)
        >>> len(events), events[0].value.startswith(b'{"user_id":"user-')
        (3, True)
    """

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        weights = 1 / np.arange(1, _USERS + 1) ** 0.9
        self._user_shares = np.cumsum(weights / weights.sum())
        self._next_action = np.cumsum(_NEXT_ACTION, axis=1) / 100
        self._sessions_begun = 0
        self._sessions = _Sessions(*(np.zeros(_SESSIONS, np.int64) for _ in range(4)))
        self._begin_sessions(np.arange(_SESSIONS))
        self._sessions.action[:] = self._random.integers(0, len(ACTIONS) - 1, _SESSIONS)

    def events(self, count: int, now_ms: int) -> list[Event]:
        """Returns `count` events that reach the log at `now_ms`; their event times lie before it."""
        sessions, random = self._sessions, self._random
        slots = (random.beta(0.8, 2.0, count) * _SESSIONS).astype(np.int64)
        action = self._walk(slots)
        page = (random.pareto(1.2, count) * 8).astype(np.int64) % _PAGES
        latency_ms = _BASE_LATENCY_MS[action] * random.lognormal(0, 0.6, count)
        if _in_burst(now_ms / 1000):
            latency_ms *= 1 + 3 * random.random(count)
        columns = (sessions.user[slots], sessions.number[slots], action, page, sessions.country[slots], latency_ms)
        rows = zip(*(column.tolist() for column in (*columns, self._event_times(count, now_ms))), strict=True)
        events = [
            Event(
                b"user-%d" % user,
                (_TEMPLATE % (user, number, ACTIONS[what], where, _COUNTRIES[country], latency, ts)).encode(),
            )
            for user, number, what, where, country, latency, ts in rows
        ]
        self._begin_sessions(np.unique(slots[action == _LOGOUT]))
        for index in np.flatnonzero(random.random(count) < _MALFORMED_SHARE).tolist():
            events[index] = Event(events[index].key, self._spoilt(events[index].value))
        return events

    def _walk(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Moves each session one action on and returns the new actions."""
        chance = self._random.random(len(slots))[:, None]
        action = np.minimum((chance >= self._next_action[self._sessions.action[slots]]).sum(axis=1), _LOGOUT)
        action[(action == _LOGOUT) & ~_is_last(slots)] = _VIEW  # who clicks on within this batch has not left
        self._sessions.action[slots] = action
        return np.asarray(action)

    def _event_times(self, count: int, now_ms: int) -> NDArray[np.int64]:
        delay_ms = np.minimum(self._random.exponential(350, count), _DISORDER_MS - 1)
        late = self._random.random(count) < _LATE_SHARE
        delay_ms[late] += self._random.uniform(20_000, 60_000, int(late.sum()))
        return np.asarray(now_ms - delay_ms.astype(np.int64))

    def _begin_sessions(self, slots: NDArray[np.int64]) -> None:
        count = len(slots)
        self._sessions.user[slots] = np.searchsorted(self._user_shares, self._random.random(count))
        self._sessions.number[slots] = self._sessions_begun + np.arange(1, count + 1)
        self._sessions.action[slots] = _LOGOUT  # whoever comes next logs in first
        self._sessions.country[slots] = np.searchsorted(_COUNTRY_SHARES[:-1], self._random.random(count))
        self._sessions_begun += count

    def _spoilt(self, value: bytes) -> bytes:
        """Returns a message as real systems spoil them: cut off, half a proxy's page, a wrong type, broken text."""
        match int(self._random.integers(0, 4)):
            case 0:
                return value[: len(value) // 2]
            case 1:
                return b"<html><body>502 Bad Gateway</body></html>"
            case 2:
                return value.replace(b'"latency_ms":', b'"latency_ms":"n/a","was":')
            case _:
                return value.replace(b'"action":"', b'"action":"\xff\xfe')
