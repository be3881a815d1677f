"""Async functions over the rows of a batch: a loop of its own runs as many calls at once as may wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

__all__ = ["FAILURES", "Failed", "all_awaited"]

FAILURES = (Exception, SystemExit)
"""What a function may raise to fail: `exit()` in one ends no program either."""

_MOST_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Failed:
    """What stands for the result of a call that raised."""

    error: BaseException


def all_awaited(call: Callable[..., object], rows: Sequence[tuple[object, ...]]) -> list[object]:
    """Returns what the calls give, in the order of the rows; at most a hundred wait at once.

    Example:
        >>> async def doubled(x):
        ...     return 2 * x
        >>> all_awaited(doubled, [(1,), (2,)])
        [2, 4]
    """

    async def gather() -> list[object]:
        free = asyncio.Semaphore(_MOST_AT_ONCE)
        return await asyncio.gather(*(_awaited(call, row, free) for row in rows))

    return asyncio.run(gather()) if rows else []


async def _awaited(call: Callable[..., object], row: tuple[object, ...], free: asyncio.Semaphore) -> object:
    async with free:
        try:
            result: Awaitable[object] = call(*row)  # type: ignore[assignment]
            return await result
        except FAILURES as error:
            return Failed(error)
