"""Carrying out a plan: what is done to the process and to the proxy, fault after fault.

Invariant: when `run` returns, or raises, the broker runs, is not stopped, and nothing holds its connections.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence

from soak.plan import Fault, FaultKind
from soak.proxy import Proxy
from soak.server import BrokerProcess, StartFailed

__all__ = ["FaultRunner"]


class FaultRunner:
    """Applies faults to one broker.

    Args:
        broker: It runs already.
        proxy: What clients connect to.
        stopping: Ends the plan early.
        say: Told what happens.
    """

    def __init__(
        self, broker: BrokerProcess, proxy: Proxy, stopping: threading.Event, say: Callable[[str], None]
    ) -> None:
        self._broker = broker
        self._proxy = proxy
        self._stopping = stopping
        self._say = say
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []

    def run(self, plan: Sequence[Fault]) -> None:
        """Carries the plan out.

        Raises:
            StartFailed: The broker did not come back.
        """
        for fault in plan:
            if self._stopping.wait(fault.after_s):
                break
            self._apply(fault)

    def _apply(self, fault: Fault) -> None:
        self._say(fault.kind)
        match fault.kind:
            case FaultKind.KILL | FaultKind.POWER:
                self.counts["power cut" if self._broker.forgetful else "kill"] += 1
                self._broker.kill()
                self._come_back(fault)
            case FaultKind.RESTART:
                self.counts["restart"] += 1
                code = self._broker.stop()
                if code != 0:
                    self.problems.append(f"the broker ended with {code} after SIGTERM")
                self._come_back(fault)
            case FaultKind.PAUSE:
                self.counts["pause"] += 1
                self._broker.pause()
                self._stopping.wait(fault.for_s)
                self._broker.resume()
            case FaultKind.CUT:
                self.counts["cut"] += 1
                self._proxy.cut()
            case FaultKind.MUTE | FaultKind.STALL:
                self.counts[fault.kind.value] += 1
                (self._proxy.mute if fault.kind is FaultKind.MUTE else self._proxy.stall)()
                self._stopping.wait(fault.for_s)
                self._proxy.heal()
        if not self._broker.is_running:
            raise StartFailed("the broker ended by itself")

    def _come_back(self, fault: Fault) -> None:
        self._stopping.wait(fault.for_s)
        self._broker.launch(forgetful=fault.forgetful)
        if fault.again_after_s is not None:
            self.counts["kill while starting"] += 1
            self._stopping.wait(fault.again_after_s)
            self._broker.kill()
            self._broker.launch(forgetful=fault.forgetful)
        self._broker.wait_ready()
