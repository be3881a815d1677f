"""What the workloads ask of a client family.

Every call that waits takes at most a few seconds and raises `Failed` when it did not succeed; whether the request took
effect is then unknown, unless the failure says that it certainly did not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from soak.history import Place

__all__ = ["Failed", "Family", "Reader", "Seen", "Writer", "WriterSettings"]


class Failed(Exception):
    """A call to a client did not succeed.

    Attributes:
        is_certain: Whether it certainly took no effect.
        is_abortable: Whether the transaction has to be aborted and the producer is of use afterwards.
    """

    def __init__(self, message: str, *, is_certain: bool = False, is_abortable: bool = False) -> None:
        super().__init__(message)
        self.is_certain = is_certain
        self.is_abortable = is_abortable


class WriterSettings(NamedTuple):
    """How a producer is made."""

    idempotent: bool
    compression: str
    transactional_id: str | None = None
    linger_ms: int = 2
    transaction_timeout_ms: int = 12_000


class Seen(NamedTuple):
    """One record that a consumer handed over."""

    place: Place
    offset: int
    value: bytes | None


Done = Callable[[int | None, Exception | None], None]
"""Called once for a record: with its offset (None when the client does not say), or with what went wrong."""


class Writer(Protocol):
    """A producer."""

    def send(self, place: Place, value: bytes, done: Done) -> None: ...

    def flush(self, timeout_s: float) -> bool:
        """Waits for every record's answer; returns whether all came."""
        ...

    def close(self) -> None:
        """Lets go of it, without waiting for anything."""
        ...

    def begin(self) -> None: ...

    def commit(self) -> None: ...

    def abort(self) -> None: ...

    def send_offsets(self, offsets: Mapping[Place, int], group: str, reader: Reader) -> None: ...


class Reader(Protocol):
    """A consumer, either of partitions that it was given or as a member of a group."""

    def poll(self, timeout_s: float) -> Sequence[Seen]: ...

    def generation(self) -> int:
        """Counts up whenever positions may have changed: at each assignment."""
        ...

    def commit(self, offsets: Mapping[Place, int]) -> None: ...

    def committed(self, places: Sequence[Place]) -> dict[Place, int]:
        """Returns committed offsets, -1 where there is none."""
        ...

    def close(self) -> None: ...


class Family(Protocol):
    """Makes clients; each call is a new client.

    Attributes:
        name: As it stands in the history.
        compressions: What it can compress with here.
        has_transactions: Whether it can run them.
        has_groups: Whether its consumers join groups.
    """

    name: str
    compressions: Sequence[str]
    has_transactions: bool
    has_groups: bool

    def writer(self, settings: WriterSettings) -> Writer:
        """Returns a producer; a transactional one is initialised.

        Raises:
            Failed: The broker cannot be reached now.
        """
        ...

    def assigned(self, starts: Mapping[Place, int], *, committed: bool, group: str | None = None) -> Reader:
        """Returns a consumer of given partitions from given offsets; the group is for committing only."""
        ...

    def member(self, group: str, topics: Sequence[str], *, committed: bool) -> Reader:
        """Returns a consumer that joins a group and begins where the group stands, or at the start."""
        ...

    def close(self) -> None: ...
