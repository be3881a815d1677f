"""Large runs: `python -m tests.random_queries.hunting --queries 20000 --seed 7 [--feature "input: upserts"]
[--jobs | --topics] [--only 17 42]`.

Every query that fails is told with its number, the first two of a kind are made small, and the run goes on. At the end
the features that were drawn are counted, by what became of their queries, and all failures are listed by kind. `--only`
draws the same queries and runs those of the given numbers.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.pipeline_runs import Query
from tests.random_queries.cases import Case, answer_of_batch, bound, drawn, given_by_stream
from tests.random_queries.claims import broken_claims
from tests.random_queries.drawing import Drawing
from tests.random_queries.files import Files, Place, answer_of_job
from tests.random_queries.topics import Clients, Topics

from yeoul.broker import Broker
from yeoul.errors import UserError
from yeoul.plan.explain import ExplainDetail, explain, explain_details

__all__ = ["BY_HAND", "Findings", "Recording", "Way", "as_jobs", "hunt", "outcome", "shrunk"]

ANSWERED, REFUSED, FAILED = "answered", "refused", "failed"
_MADE_SMALL = 2
_STATEMENT = 160


class Recording:
    """Chance that can be repeated.

    Args:
        choices: What was drawn before; when they are used up, the least.
        source: Draws, instead.
    """

    def __init__(self, choices: Sequence[int] = (), source: random.Random | None = None) -> None:
        self._choices, self._source, self.drawn = choices, source, list[int]()

    def integer(self, least: int, most: int) -> int:
        if self._source is not None:
            value = self._source.randint(least, most)
        else:
            place = len(self.drawn)
            value = least + self._choices[place] if place < len(self._choices) else least
            value = min(value, most)
        self.drawn.append(value - least)
        return value


def outcome(case: Case) -> str:
    """Returns what becomes of a case: `ANSWERED`, `REFUSED`, or how it fails."""
    try:
        query = bound(case)
        _explain(query)
    except UserError as refused:
        return f"{REFUSED}: {re.sub(r' [(]line.*|[0-9]+', '', refused.message)[:60]}"
    except Exception as failure:  # whatever it is, it is a finding
        return _told("binding", failure)
    try:
        answer = answer_of_batch(case)
    except Exception as failure:
        return _told("DuckDB", failure)
    try:
        given = given_by_stream(case, query)
    except Exception as failure:
        return _told("running", failure)
    return ANSWERED if case.accepts(given, answer, query) else "another answer"


def outcome_of_claims(case: Case) -> str:
    """Returns whether what is said of a case's plan is so."""
    try:
        broken = broken_claims(case, bound(case))
    except UserError as refused:
        return f"{REFUSED}: {refused.message[:60]}"
    except Exception as failure:
        return _told("claims", failure)
    return broken[0] if broken else ANSWERED


def _explain(query: Query) -> None:
    for plan in query.plan if isinstance(query.plan, Sequence) else [query.plan]:
        explain(plan)
        for detail in ExplainDetail:
            explain_details(plan, detail)


def _told(where: str, failure: Exception) -> str:
    return f"{where}: {type(failure).__name__}: {re.sub(r'[0-9]+', '', str(failure))[:80]}"


def outcome_of_job(case: Case, place: Callable[[Path], Place]) -> str:
    """Returns what becomes of a case as a job over files or topics, stopped and set up again on its way."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            given = answer_of_job(place(Path(folder)), case)
        except UserError as refused:
            return f"{REFUSED}: {refused.message[:60]}"
        except Exception as failure:  # whatever it is, it is a finding
            return _told("as a job", failure)
        return ANSWERED if given == answer_of_batch(case) else "another answer, as a job"


@dataclass(frozen=True, slots=True)
class Way:
    """How cases are run.

    Attributes:
        drawn: Draws one, or those of a statement set.
        outcome: Says what becomes of it.
    """

    drawn: Callable[[Drawing], list[Case]]
    outcome: Callable[[Case], str]

    def outcome_of(self, recording: Recording) -> tuple[str, Case]:
        """Returns what becomes of the queries of a statement set, or of one: the first that fails, if one does."""
        several = self.drawn(Drawing(recording.integer))
        for case in several:
            found = self.outcome(case)
            if found != ANSWERED:
                return found, case
        return ANSWERED, several[0]


BY_HAND = Way(drawn, outcome)
BY_CLAIMS = Way(drawn, outcome_of_claims)


def as_jobs(place: Callable[[Path], Place] = Files) -> Way:
    """Returns how cases are run as jobs over files, or over what is made of a folder for them."""
    return Way(lambda d: drawn(d, of_jobs=True, queries=1), lambda case: outcome_of_job(case, place))


def shrunk(way: Way, choices: list[int], wanted: str, attempts: int = 600) -> list[int]:
    """Returns fewer and lesser choices with the same outcome."""

    def still_fails(candidate: list[int]) -> list[int] | None:
        nonlocal attempts
        attempts -= 1
        recording = Recording(candidate)
        found, _ = way.outcome_of(recording)
        return recording.drawn if found == wanted and _size(recording.drawn) < _size(choices) else None

    length = len(choices)
    while length and attempts > 0:
        at = 0
        while at < len(choices) and attempts > 0:
            part = choices[at : at + length]
            candidates = [choices[:at] + choices[at + length :]]
            if any(part):
                candidates.append(choices[:at] + [0] * len(part) + choices[at + length :])
            if length == 1 and part[0] > 1:
                candidates.append([*choices[:at], part[0] // 2, *choices[at + 1 :]])
            better = next((found for one in candidates if (found := still_fails(one)) is not None), None)
            if better is None:
                at += length
            else:
                choices = better
        length //= 2
    return choices


def _size(choices: list[int]) -> tuple[int, int]:
    return len(choices), sum(choices)


def hunt(
    queries: int,
    seed: int,
    minutes: float,
    wanted: str = "",
    way: Way = BY_HAND,
    attempts: int = 600,
    only: Collection[int] = (),
) -> None:
    """Runs so many queries with a wanted feature, for so long at most, and tells what it finds, the first ones small.

    Args:
        queries: How many are drawn.
        seed: Of chance.
        minutes: After which it ends.
        wanted: What one of a query's features has in its name.
        way: How they are run.
        attempts: To make a query small that fails.
        only: The numbers of those that are run, each made small if it fails; empty: all are.
    """
    source, found_so_far, began = random.Random(seed), Findings(), time.monotonic()
    for number in range(1, queries + 1):
        recording = _with(way, wanted, source)
        if only and number not in only:
            continue
        found, case = way.outcome_of(Recording(recording.drawn))
        found_so_far.add(found, case, f"query {number} of seed {seed}")
        if _kind(found) == FAILED:
            print(f"\n=== {found} (query {number} of seed {seed})", flush=True)
            if only or len(found_so_far.failures[found]) <= _MADE_SMALL:
                _, small = way.outcome_of(Recording(shrunk(way, recording.drawn, found, attempts)))
                print(f"{small!r}\n", _difference(small), flush=True)
        if time.monotonic() - began > 60 * minutes:
            break
        if number % 200 == 0:
            print(f"--- {number} queries, {time.monotonic() - began:.0f} s, {found_so_far.summary}", flush=True)
    print("\n".join(found_so_far.report()))


class Findings:
    """What became of the queries of a run.

    Attributes:
        failures: By what failed, a line for each query, with its number and seed.
    """

    def __init__(self) -> None:
        self.failures: dict[str, list[str]] = {}
        self._refusals: dict[str, list[str]] = {}
        self._features: dict[str, Counter[str]] = {}

    def add(self, found: str, case: Case, name: str) -> None:
        """Counts a query by its features, and keeps its name and text if it failed."""
        kind = _kind(found)
        for feature in (*case.features, "= all"):
            self._features.setdefault(feature, Counter())[kind] += 1
        if kind == REFUSED:
            self._refusals.setdefault(found, []).append(name)
        elif kind == FAILED:
            self.failures.setdefault(found, []).append(f"{name}: {' '.join(case.statement.split())[:_STATEMENT]}")

    @property
    def summary(self) -> str:
        """How many queries of each kind."""
        return ", ".join(f"{count} {kind}" for kind, count in self._features["= all"].most_common())

    def report(self) -> Iterator[str]:
        """Gives the features and how often each was drawn, what was refused, and every failure."""
        width = max(map(len, self._features), default=0)
        for feature, counts in sorted(self._features.items()):
            cells = " | ".join(f"{counts[kind]:6}" for kind in (ANSWERED, REFUSED, FAILED))
            yield f"| {feature:{width}} | {cells} |"
        for refused, names in sorted(self._refusals.items(), key=lambda one: -len(one[1])):
            yield f"{len(names):6} {refused} ({names[0]})"
        for failed, lines in sorted(self.failures.items()):
            yield f"{len(lines):6} {failed}"
            yield from (f"{'':7}{line}" for line in lines)


def _kind(found: str) -> str:
    kind = found.partition(":")[0]
    return kind if kind in (ANSWERED, REFUSED) else FAILED


def _with(way: Way, wanted: str, source: random.Random) -> Recording:
    """Returns the next case of which a feature has this in its name; drawing is cheap."""
    while True:
        recording = Recording(source=source)
        several = way.drawn(Drawing(recording.integer))
        if not wanted or any(wanted in one for one in several[0].features):
            return recording


def _difference(case: Case) -> str:
    try:
        given, answer = given_by_stream(case, bound(case)), answer_of_batch(case)
    except Exception as failure:
        return f"{type(failure).__name__}: {failure}"
    if given is None:
        return "it failed, for several rows of a key"
    return f"given alone: {dict(given - answer)}\nwanted alone: {dict(answer - given)}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--feature", default="")
    parser.add_argument("--attempts", type=int, default=600, help="to make a query small that fails")
    parser.add_argument("--jobs", action="store_true", help="as jobs over files, stopped and set up again on the way")
    parser.add_argument("--claims", action="store_true", help="what EXPLAIN says of each node, not answers")
    parser.add_argument("--topics", action="store_true", help="the same over topics of a broker")
    parser.add_argument("--only", type=int, nargs="+", default=(), help="the numbers of the queries that are run")
    told = parser.parse_args()
    limits = (told.queries, told.seed, told.minutes, told.feature)
    if told.topics:
        with tempfile.TemporaryDirectory() as log, Broker(Path(log) / "broker", num_partitions=3) as broker:
            clients = Clients(broker)
            hunt(*limits, as_jobs(lambda folder: Topics(clients, folder)), told.attempts, told.only)
    else:
        way = as_jobs() if told.jobs else BY_CLAIMS if told.claims else BY_HAND
        hunt(*limits, way, told.attempts, told.only)
