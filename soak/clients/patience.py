"""Giving up on calls that may never return."""

from __future__ import annotations

import threading
from collections.abc import Callable

from soak.clients.contract import Failed

__all__ = ["within"]


def within(limit_s: float, call: Callable[[], object]) -> None:
    """Makes a call in a thread, which is left to itself if it does not return in time.

    Some client libraries wait without end for what their own bookkeeping has lost. Such a producer is of no more use;
    its successor has the same transactional id, so a broker that is the one to blame is found out all the same.

    Raises:
        Failed: The call failed, or did not return.
    """
    ended: list[Failed | None] = []

    def run() -> None:
        try:
            call()
            ended.append(None)
        except Failed as failure:
            ended.append(failure)

    thread = threading.Thread(target=run, name="soak-left-behind", daemon=True)
    thread.start()
    thread.join(limit_s)
    if not ended:
        raise Failed(f"a call to the client library did not return within {limit_s:.0f} s")
    if ended[0] is not None:
        raise ended[0]
