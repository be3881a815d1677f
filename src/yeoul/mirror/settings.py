"""What a mirror is asked to do, as values.

Callers: the command line makes them, every other module of this room reads them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from yeoul.connectors.kafka.settings import ClientSettings
from yeoul.errors import UserError

__all__ = ["STATE_PREFIX", "MirrorSettings", "Selection"]

STATE_PREFIX = "yeoul-mirror-"
"""What the names of the mirrors' own topics begin with; they are never copied."""
_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True, slots=True)
class Selection:
    """Names chosen by patterns.

    Attributes:
        included: A name is chosen if one of these matches all of it; empty: every name.
        excluded: Unless one of these does.
    """

    included: tuple[re.Pattern[str], ...] = ()
    excluded: tuple[re.Pattern[str], ...] = ()

    @classmethod
    def of(cls, included: Sequence[str], excluded: Sequence[str] = (), option: str = "--topics") -> Selection:
        r"""Compiles patterns, regular expressions as Kafka's own tools take them.

        Raises:
            UserError: One is no regular expression.

        Example:
            >>> chosen = Selection.of(["orders.*", "users"], [r".*-test"])
            >>> [name for name in ("orders", "orders-test", "users", "users2") if name in chosen]
            ['orders', 'users']
        """
        return cls(
            tuple(_pattern(text, option) for text in included), tuple(_pattern(text, option) for text in excluded)
        )

    def __contains__(self, name: str) -> bool:
        if any(pattern.fullmatch(name) for pattern in self.excluded):
            return False
        return not self.included or any(pattern.fullmatch(name) for pattern in self.included)


def _pattern(text: str, option: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise UserError(
            f"{option}: {text!r} is no regular expression: {error}", hint="'orders.*' means all that begin so."
        ) from None


@dataclass(frozen=True, slots=True)
class MirrorSettings:
    """A mirror.

    Attributes:
        source: The cluster to read from.
        target: The cluster to write to.
        topics: Which topics; internal ones are never among them.
        groups: Which groups' offsets are translated.
        rename: What the topics' names begin with at the target.
        mirror_id: Names the transactional id and the topic that keeps the state; None: made of the source's cluster id
            and `rename`.
        once: End when all is copied that was there at the start.
        rate_bytes: The most bytes to copy a second; None: no limit.
        replication_factor: Of topics that are created; -1: the target's default.
        refresh_ms: How often topics, partitions, configs and groups are looked at again.
        commit_ms: How long a transaction stays open while little comes.
        commit_bytes: How much one transaction copies at most, give or take a fetch.
        transaction_timeout_ms: When the target gives up a transaction whose mirror is gone.
        patience_ms: How long to try to reach a cluster again that has been lost; None: for ever.
        append: Copy into topics that hold records already which no mirror of this id has put there.

    Raises:
        UserError: A value makes no sense.
    """

    source: ClientSettings
    target: ClientSettings
    topics: Selection = field(default_factory=Selection)
    groups: Selection | None = field(default_factory=Selection)
    rename: str = ""
    mirror_id: str | None = None
    once: bool = False
    rate_bytes: int | None = None
    replication_factor: int = -1
    refresh_ms: int = 5_000
    commit_ms: int = 500
    commit_bytes: int = 64 << 20
    transaction_timeout_ms: int = 60_000
    patience_ms: int | None = None
    append: bool = False

    def __post_init__(self) -> None:
        if self.mirror_id is not None and not _ID.fullmatch(self.mirror_id):
            raise UserError(
                f"--id: expected at most 100 letters, digits, '.', '_' and '-', got {self.mirror_id!r}",
            )
        if self.rename and not _ID.fullmatch(self.rename):
            raise UserError(f"--rename: expected what a topic's name may hold, got {self.rename!r}")
