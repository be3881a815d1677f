"""Which faults happen when, drawn from a seed before the run begins.

A plan is a list of faults, each with the pause before it. Instants are drawn without regard to what the clients do at
that moment: a run's interleaving is the machine's, its plan is the seed's.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass

__all__ = ["Fault", "FaultKind", "draw_plan", "parse_kinds", "private_chance"]


class FaultKind(enum.StrEnum):
    """What can be done to a broker.

    Attributes:
        KILL: SIGKILL; what was written stays in the page cache.
        POWER: SIGKILL on a disk that forgets whatever was not synced. Which of the two a kill is depends on the disk
            that the process was started with, so the plan draws that with the start.
        PAUSE: SIGSTOP, and SIGCONT later.
        RESTART: SIGTERM, and a start.
        CUT: Every connection is reset.
        MUTE: Requests arrive, answers are lost, then the connections are reset.
        STALL: Nothing passes in either direction for a while, and then it does.
    """

    KILL = "kill"
    POWER = "power"
    PAUSE = "pause"
    RESTART = "restart"
    CUT = "cut"
    MUTE = "mute"
    STALL = "stall"


_WEIGHTS = {
    FaultKind.KILL: 4,
    FaultKind.POWER: 4,
    FaultKind.PAUSE: 2,
    FaultKind.RESTART: 2,
    FaultKind.CUT: 2,
    FaultKind.MUTE: 2,
    FaultKind.STALL: 1,
}
_LONGEST_S = {
    FaultKind.KILL: 1.0,
    FaultKind.POWER: 1.0,
    FaultKind.PAUSE: 4.0,
    FaultKind.RESTART: 0.5,
    FaultKind.CUT: 0.0,
    FaultKind.MUTE: 1.5,
    FaultKind.STALL: 3.0,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        after_s: The pause before it.
        kind: What happens.
        for_s: How long the broker is gone, stopped or cut off.
        again_after_s: Kill it once more that long after its process began to start again; None for once only.
        forgetful: Whether the broker that is started next runs on a disk that forgets.
    """

    after_s: float
    kind: FaultKind
    for_s: float
    again_after_s: float | None
    forgetful: bool


def parse_kinds(text: str) -> frozenset[FaultKind]:
    """Returns the kinds that a comma-separated list names; `all` and `none` are understood.

    Raises:
        ValueError: There is no such kind.

    Example:
        >>> sorted(parse_kinds("kill,cut"))
        [<FaultKind.CUT: 'cut'>, <FaultKind.KILL: 'kill'>]
    """
    if text == "all":
        return frozenset(FaultKind)
    if text == "none":
        return frozenset()
    known = [kind.value for kind in FaultKind]
    for part in text.split(","):
        if part not in known:
            raise ValueError(f"Expected faults among {', '.join(known)}, all or none, got {part!r}")
    return frozenset(FaultKind(part) for part in text.split(","))


def private_chance(seed: int, who: str) -> random.Random:
    """Returns the randomness of one actor: it does not depend on what the others draw."""
    return random.Random(f"{seed}:{who}")


def draw_plan(seed: int, duration_s: float, kinds: Collection[FaultKind], mean_pause_s: float = 4.0) -> list[Fault]:
    """Returns the faults of a run.

    Args:
        seed: The same seed gives the same plan.
        duration_s: How long there are faults.
        kinds: Which kinds.
        mean_pause_s: The pause between two of them, on average.

    Example:
        >>> draw_plan(7, 60, {FaultKind.CUT}) == draw_plan(7, 60, {FaultKind.CUT})
        True
    """
    chance = private_chance(seed, "faults")
    return list(_faults(chance, duration_s, sorted(kinds), mean_pause_s)) if kinds else []


def _faults(chance: random.Random, duration_s: float, kinds: list[FaultKind], mean_pause_s: float) -> Iterator[Fault]:
    passed_s = 0.0
    while True:
        drawn = chance.choices(kinds, [_WEIGHTS[kind] for kind in kinds])[0]
        after_s = min(chance.expovariate(1 / mean_pause_s), 3 * mean_pause_s) + 0.2
        for_s = chance.random() ** 2 * _LONGEST_S[drawn]
        again_after_s = 0.05 + chance.random() * 0.4 if chance.random() < 0.2 else None
        passed_s += after_s + for_s
        if passed_s > duration_s:
            return
        # The disk of an incarnation decides what its end means: a kill that should be a power cut needs a disk that
        # forgets from the start of that incarnation on.
        forgets = FaultKind.POWER in kinds and (FaultKind.KILL not in kinds or chance.random() < 0.6)
        yield Fault(after_s, drawn, for_s, again_after_s, forgets)
