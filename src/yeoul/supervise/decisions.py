"""Which child to start, restart, stop, and when: a state machine without processes or clocks.

Children depend on those before them: they are first started in order, each once the one before is ready, and stopped
in reverse. A child that ends before everything was ready once is a failed start: the whole goes down and says so. A
child that ends later is started again after a pause that doubles up to a bound, and shrinks back once it has run
steadily. `Supervision` takes events with the time in seconds and returns effects; `supervisor` carries them out.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Announce", "Effect", "Finish", "Kill", "Policy", "Say", "Spawn", "Supervision", "Terminate"]


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient the supervisor is; all in seconds."""

    first_pause_s: float = 0.25
    longest_pause_s: float = 10.0
    steady_s: float = 30.0
    ready_timeout_s: float = 60.0
    stop_timeout_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start this child."""

    name: str


@dataclass(frozen=True, slots=True)
class Terminate:
    """Ask this child to end."""

    name: str


@dataclass(frozen=True, slots=True)
class Kill:
    """End this child at once."""

    name: str


@dataclass(frozen=True, slots=True)
class Say:
    """Tell the user."""

    text: str


@dataclass(frozen=True, slots=True)
class Announce:
    """Everything is ready for the first time; here are the addresses by child."""

    addresses: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Finish:
    """All children are gone; end with this exit code."""

    code: int


Effect = Spawn | Terminate | Kill | Say | Announce | Finish


class _Phase(enum.Enum):
    IDLE = "idle"
    STARTING = "starting"
    READY = "ready"
    PAUSING = "pausing"
    STOPPING = "stopping"


@dataclass(slots=True)
class _Child:
    name: str
    phase: _Phase = _Phase.IDLE
    since_s: float = 0.0
    pause_s: float = 0.0
    address: str = ""
    is_killed: bool = False

    @property
    def runs(self) -> bool:
        return self.phase in (_Phase.STARTING, _Phase.READY, _Phase.STOPPING)


@dataclass(slots=True)
class Supervision:
    """The state of all children.

    Args:
        names: The children, each depending on those before it.
        policy: How patient to be.

    Example:
        >>> state = Supervision(["broker", "web"])
        >>> state.start(0.0)
        [Spawn(name='broker')]
        >>> state.ready("broker", "127.0.0.1:9092", 0.1)
        [Spawn(name='web')]
        >>> state.ready("web", "http://127.0.0.1:8080", 0.5)
        [Announce(addresses={'broker': '127.0.0.1:9092', 'web': 'http://127.0.0.1:8080'})]
        >>> state.exited("web", 1, 3.0)
        [Say(text='web ended with exit code 1; starting it again in 0.25 s')]
    """

    names: Sequence[str]
    policy: Policy = field(default_factory=Policy)
    _children: dict[str, _Child] = field(init=False)
    _announced: bool = field(default=False, init=False)
    _stopping: bool = field(default=False, init=False)
    _code: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._children = {name: _Child(name) for name in self.names}

    @property
    def is_starting(self) -> bool:
        """Whether some child is yet to say that it is ready."""
        return any(child.phase is _Phase.STARTING for child in self._children.values())

    def addresses(self) -> dict[str, str]:
        """Returns the address of each child that was ready once."""
        return {child.name: child.address for child in self._children.values() if child.address}

    def start(self, now_s: float) -> list[Effect]:
        """Begins with the first child."""
        return [self._spawn(self._children[self.names[0]], now_s)]

    def ready(self, name: str, address: str, now_s: float) -> list[Effect]:
        """A child answers at `address`."""
        child = self._children[name]
        if child.phase is not _Phase.STARTING:
            return []
        is_first_time = not child.address
        child.phase, child.since_s, child.address = _Phase.READY, now_s, address
        if not is_first_time:
            return [Say(f"{name} is back at {address}")]
        following = next((one for one in self._children.values() if one.phase is _Phase.IDLE), None)
        if following is not None:
            return [self._spawn(following, now_s)]
        if self._announced or any(one.phase is not _Phase.READY for one in self._children.values()):
            return []
        self._announced = True
        return [Announce(self.addresses())]

    def exited(self, name: str, code: int, now_s: float) -> list[Effect]:
        """A child's process has ended."""
        child = self._children[name]
        was, child.phase, child.is_killed = child.phase, _Phase.IDLE, False
        if self._stopping:
            return self._stop_next(now_s)
        if not self._announced:
            self._code = 1
            return [Say(f"{name} did not start ({_ending(code)})"), *self.stop(now_s)]
        ran_steadily = was is _Phase.READY and now_s - child.since_s >= self.policy.steady_s
        doubled = min(child.pause_s * 2, self.policy.longest_pause_s)
        child.pause_s = self.policy.first_pause_s if ran_steadily or not child.pause_s else doubled
        child.phase, child.since_s = _Phase.PAUSING, now_s
        return [Say(f"{name} ended with {_ending(code)}; starting it again in {child.pause_s:g} s")]

    def stop(self, now_s: float) -> list[Effect]:
        """The user wants an end; asked twice, it is a hard one."""
        if self._stopping:
            return [self._kill(child) for child in self._children.values() if child.runs and not child.is_killed]
        self._stopping = True
        for child in self._children.values():
            child.phase = _Phase.IDLE if child.phase is _Phase.PAUSING else child.phase
        return self._stop_next(now_s)

    def tick(self, now_s: float) -> list[Effect]:
        """Time has passed: pauses end, patience ends."""
        effects: list[Effect] = []
        for child in self._children.values():
            if now_s < self._due_s(child):
                continue
            if child.phase is _Phase.PAUSING:
                effects.append(self._spawn(child, now_s))
            elif not child.is_killed:
                waited_s = now_s - child.since_s
                what = "stop" if child.phase is _Phase.STOPPING else "get ready"
                effects += [Say(f"{child.name} did not {what} within {waited_s:.0f} s; killing it"), self._kill(child)]
        return effects

    def due_s(self) -> float:
        """Returns when `tick` has something to do; infinity if never."""
        return min((self._due_s(child) for child in self._children.values()), default=float("inf"))

    def _due_s(self, child: _Child) -> float:
        if child.is_killed:
            return float("inf")
        match child.phase:
            case _Phase.PAUSING:
                return child.since_s + child.pause_s
            case _Phase.STARTING:
                return child.since_s + self.policy.ready_timeout_s
            case _Phase.STOPPING:
                return child.since_s + self.policy.stop_timeout_s
            case _:
                return float("inf")

    def _spawn(self, child: _Child, now_s: float) -> Effect:
        child.phase, child.since_s, child.is_killed = _Phase.STARTING, now_s, False
        return Spawn(child.name)

    def _kill(self, child: _Child) -> Effect:
        child.is_killed = True
        return Kill(child.name)

    def _stop_next(self, now_s: float) -> list[Effect]:
        """Ends the last child that runs; those it depends on wait for it."""
        running = [child for child in self._children.values() if child.runs]
        if not running:
            return [Finish(self._code)]
        last = running[-1]
        if last.phase is _Phase.STOPPING:
            return []
        last.phase, last.since_s = _Phase.STOPPING, now_s
        return [Terminate(last.name)]


def _ending(code: int) -> str:
    """How a process ended, for people; a negative code is a signal, as in `subprocess`."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"
