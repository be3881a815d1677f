"""A lookup whose database does not answer: asked again after ever longer pauses, but not for a user's mistake."""

from __future__ import annotations

import threading

import polars as pl
import pytest

from yeoul.connectors.jdbc.lookup import _DatabaseLookup
from yeoul.connectors.spec import ConnectorContext
from yeoul.errors import EnvironmentFailure, UserError

KEYS = pl.DataFrame({"id": [1]})


class Pauses(threading.Event):
    """Notes how long somebody would wait, and does not."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0.0)
        return self.is_set()


def lookup(failures: list[str], pauses: Pauses, retries: int = 3) -> _DatabaseLookup:
    def find(keys: pl.DataFrame) -> pl.DataFrame:
        if failures:
            raise RuntimeError(failures.pop(0))
        return keys

    return _DatabaseLookup(find, {"id": pl.Int64()}, retries, ConnectorContext(stopping=pauses), "users")


def test_a_database_that_comes_back_is_asked_again() -> None:
    pauses = Pauses()
    found = lookup(["refused", "refused", "refused"], pauses).find(KEYS)
    assert found.rows() == [(1,)]
    assert pauses.seconds == pytest.approx([0.1, 0.5, 2.5])


def test_one_that_does_not_ends_the_lookup_with_its_reason() -> None:
    pauses = Pauses()
    with pytest.raises(EnvironmentFailure, match="Table 'users' cannot be looked up: refused"):
        lookup(["refused"] * 2, pauses, retries=1).find(KEYS)
    assert len(pauses.seconds) == 1


def test_a_job_that_is_stopped_does_not_wait() -> None:
    pauses = Pauses()
    pauses.set()
    with pytest.raises(EnvironmentFailure):
        lookup(["refused"], pauses).find(KEYS)
    assert len(pauses.seconds) == 1


def test_a_mistake_of_the_users_is_told_at_once() -> None:
    pauses = Pauses()
    with pytest.raises(UserError, match="password authentication failed"):
        lookup(["password authentication failed for user 'ann'"], pauses).find(KEYS)
    assert pauses.seconds == []
