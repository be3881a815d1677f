"""Client quotas: how much users and client ids may send, take and ask for, and how long those wait who go beyond.

Owns the quotas (kept in the data directory) and the account of each who has one. A rate is a bucket that holds ten
seconds of it, Kafka's window; who takes more is answered at once, told how long it has to wait (`throttle_time_ms`) and
not read from until then (KIP-219). Invariants: a change is durable before it counts; without any quota nothing is
counted. The time is handed in. Callers: `connection`, Produce, Fetch, the quota handlers.
Source: https://kafka.apache.org/documentation/#design_quotas, KIP-13, KIP-55, KIP-124, KIP-546.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from yeoul.errors import EnvironmentFailure, UserError, did_you_mean

__all__ = ["CLIENT_ID", "CONSUMED", "KINDS", "PRODUCED", "REQUESTS", "USER", "Entity", "Quotas", "entity_of"]

FILE = "client-quotas.json"
USER, CLIENT_ID = "user", "client-id"
PRODUCED, CONSUMED, REQUESTS = "producer_byte_rate", "consumer_byte_rate", "request_percentage"
KINDS = (PRODUCED, CONSUMED, REQUESTS)
Entity = tuple[tuple[str, str | None], ...]
"""Pairs of `user` or `client-id` and a name, None for the default, in the order of the types."""

_VERSION = 1
_WINDOW_S = 10.0
_LONGEST_THROTTLE_MS = 30_000
_ACCOUNTS_KEPT = 10_000
# Which quota counts for a user and a client id: the first that there is. True is the name itself, False the default.
_PRECEDENCE: tuple[tuple[bool | None, bool | None], ...] = (
    (True, True),
    (True, False),
    (True, None),
    (False, True),
    (False, False),
    (False, None),
    (None, True),
    (None, False),
)


class Store(Protocol):
    """Where quotas are kept: the log's data directory."""

    def kept(self, name: str) -> bytes | None:
        """Returns what a file holds, None when there is none."""
        ...

    def keep(self, name: str, content: bytes) -> None:
        """Replaces a file; durable when the call returns."""
        ...


@dataclass(slots=True)
class _Bucket:
    """What may still be taken at `at_s`; below 0 it was taken in advance."""

    rate: float
    left: float
    at_s: float

    def take(self, amount: float, now_s: float) -> int:
        """Takes an amount; returns how many milliseconds whoever took it should wait."""
        self.left = min(self.rate * _WINDOW_S, self.left + (now_s - self.at_s) * self.rate) - amount
        self.at_s = now_s
        if self.left >= 0:
            return 0
        return min(_LONGEST_THROTTLE_MS, math.ceil(-self.left / self.rate * 1_000))


def entity_of(parts: Mapping[str, str | None]) -> Entity:
    """Returns an entity.

    Raises:
        UserError: There is no such type of entity, or none at all.

    Example:
        >>> entity_of({"user": "alice", "client-id": None})
        (('client-id', None), ('user', 'alice'))
    """
    for kind in parts:
        if kind not in (USER, CLIENT_ID):
            raise UserError(f"Quotas are for {USER!r} and {CLIENT_ID!r}, got {kind!r}")
    if not parts:
        raise UserError("Expected a user, a client id or both to set a quota for, got none")
    if "" in parts.values():
        raise UserError("Expected a name, got ''", hint="The default has no name at all")
    return tuple(sorted(parts.items()))


class Quotas:
    """The quotas of one broker, and who has used how much of them.

    Args:
        store: Where they are kept.

    Attributes:
        is_active: Whether there is any quota.

    Raises:
        EnvironmentFailure: What was kept cannot be read.

    Example:
        >>> class Memory(dict):
        ...     kept, keep = dict.get, dict.__setitem__
        >>> quotas = Quotas(Memory())
        >>> quotas.alter({entity_of({"user": "alice"}): {"producer_byte_rate": 100.0}})
        >>> quotas.charge("alice", "app", "producer_byte_rate", 1_000, 0.0)
        0
        >>> quotas.charge("alice", "app", "producer_byte_rate", 50, 0.0)
        500
        >>> quotas.charge("bob", "app", "producer_byte_rate", 1_000_000, 0.0)
        0
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held = _decode(store.kept(FILE))
        self._accounts: dict[tuple[str, str, str], _Bucket | None] = {}
        self._buckets: dict[tuple[str, Entity], _Bucket] = {}
        self.is_active = bool(self._held)

    @property
    def held(self) -> Mapping[Entity, Mapping[str, float]]:
        """The quotas by entity."""
        return self._held

    def alter(self, changes: Mapping[Entity, Mapping[str, float | None]]) -> None:
        """Sets quotas, or removes those that are None; durable when the call returns.

        Raises:
            UserError: There is no such quota, or no such rate; nothing was changed.
            LogFull, DiskRefused: They could not be kept; nothing was changed.
        """
        held = {entity: dict(values) for entity, values in self._held.items()}
        for entity, values in changes.items():
            self.check(values)
            mine = held.setdefault(entity, {})
            for kind, value in values.items():
                if value is None:
                    mine.pop(kind, None)
                else:
                    mine[kind] = value
        held = {entity: values for entity, values in held.items() if values}
        self._store.keep(FILE, _encode(held))
        self._held = held
        self._accounts.clear()
        self._buckets.clear()
        self.is_active = bool(held)

    @staticmethod
    def check(values: Mapping[str, float | None]) -> None:
        """Raises UserError unless these are quotas that can be set."""
        for kind, value in values.items():
            if kind not in KINDS:
                raise UserError(f"Unknown quota {kind!r}", hint=did_you_mean(kind, KINDS))
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise UserError(f"Quota {kind!r}: expected a number above 0, got {value!r}")

    def charge(self, user: str, client_id: str, kind: str, amount: float, now_s: float) -> int:
        """Notes what a client took; returns how many milliseconds it should wait, 0 within its quota.

        Args:
            user: The name that it logged in by.
            client_id: As it calls itself.
            kind: One of `KINDS`.
            amount: Bytes, or for `REQUESTS` seconds of the broker's time.
            now_s: The time, on a clock that never goes back.
        """
        key = (user, client_id, kind)
        try:
            bucket = self._accounts[key]
        except KeyError:
            if len(self._accounts) >= _ACCOUNTS_KEPT:
                self._accounts.clear()
            bucket = self._accounts[key] = self._account(user, client_id, kind, now_s)
        return 0 if bucket is None else bucket.take(amount, now_s)

    def _account(self, user: str, client_id: str, kind: str, now_s: float) -> _Bucket | None:
        """Returns the account that a client's use goes to: that of the quota that counts for it."""
        for named_user, named_client in _PRECEDENCE:
            entity: dict[str, str | None] = {}
            own: dict[str, str | None] = {}
            for name, word, which in ((user, USER, named_user), (client_id, CLIENT_ID, named_client)):
                if which is not None:
                    entity[word], own[word] = (name if which else None), name
            rate = self._held.get(tuple(sorted(entity.items())), {}).get(kind)
            if rate is not None:
                rate = rate / 100 if kind == REQUESTS else rate
                whose = (kind, tuple(sorted(own.items())))
                if len(self._buckets) >= _ACCOUNTS_KEPT:
                    self._buckets.clear()
                return self._buckets.setdefault(whose, _Bucket(rate, rate * _WINDOW_S, now_s))
        return None


def _encode(held: Mapping[Entity, Mapping[str, float]]) -> bytes:
    quotas = [{"entity": dict(entity), "values": dict(values)} for entity, values in held.items()]
    return json.dumps({"version": _VERSION, "quotas": quotas}, indent=1).encode() + b"\n"


def _decode(content: bytes | None) -> dict[Entity, dict[str, float]]:
    if content is None:
        return {}
    try:
        body = json.loads(content)
        if body["version"] > _VERSION:
            raise ValueError(f"version {body['version']}")
        found = {}
        for each in body["quotas"]:
            values = {str(kind): float(value) for kind, value in each["values"].items()}
            Quotas.check(values)
            found[entity_of(each["entity"])] = values
        return found
    except (ValueError, KeyError, TypeError, AttributeError, UserError) as error:
        raise EnvironmentFailure(
            f"{FILE} in the data directory does not hold quotas: {error!r}",
            hint="Mend it, or take it away: the broker then starts without quotas.",
        ) from error
