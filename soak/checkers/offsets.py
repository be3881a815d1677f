"""Offsets: what a group committed stays committed; watermarks only rise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from soak.checkers.violation import Violation
from soak.history import Commit, CommittedRead, History, Outcome, Place, Watermark

__all__ = ["committed_offsets_that_go_back", "watermarks_that_go_back"]

_LATEST_S = 60.0
"""How late a request may be taken that its client has given up on."""


def committed_offsets_that_go_back(history: History) -> Iterator[Violation]:
    """A committed offset that is read was committed, and no acknowledged commit lies between that and the reading.

    One whose commit was never answered may be taken late, so it may be read at any time from then on.
    """
    commits: dict[tuple[str, Place], list[Commit]] = defaultdict(list)
    for commit in history.commits:
        commits[commit.group, commit.place].append(commit)
    for read in [*history.committed_reads, *history.group_offsets]:
        made = commits.get((read.group, read.place), [])
        settled = [each for each in made if each.outcome is Outcome.OK and each.ended_s < read.invoked_s]
        if settled and not _may_be_read(read, made, settled):
            newest = max(settled, key=lambda each: each.ended_s).offset
            what = f"offset {newest} of {read.place} was committed and acknowledged, {read.offset} was read"
            yield Violation(read.group, f"{what} at {read.ended_s:.3f} s")
    for (group, place), made in commits.items():
        yield from _commits_below_others(group, place, made)


def _may_be_read(read: CommittedRead, made: Sequence[Commit], settled: Sequence[Commit]) -> bool:
    newest_invoked_s = max(each.invoked_s for each in settled)
    return any(
        each.offset == read.offset
        and each.outcome is not Outcome.FAIL
        and each.invoked_s < read.ended_s
        and (each.outcome is Outcome.UNKNOWN or each.ended_s >= newest_invoked_s)
        for each in made
    )


def _commits_below_others(group: str, place: Place, made: Sequence[Commit]) -> Iterator[Violation]:
    """A member begins where the group stands, so an acknowledged commit is never below an earlier one."""
    unanswered = [each for each in made if each.outcome is Outcome.UNKNOWN]
    before: Commit | None = None
    for each in sorted((each for each in made if each.outcome is Outcome.OK), key=lambda each: each.invoked_s):
        if before is not None and before.ended_s < each.invoked_s and each.offset < before.offset:
            is_excused = any(
                late.offset <= each.offset and before.ended_s - _LATEST_S < late.invoked_s < each.invoked_s
                for late in unanswered
            )
            if not is_excused:
                what = f"{each.offset} of {place} was committed at {each.ended_s:.3f} s after {before.offset}"
                yield Violation(group, what)
        before = each


def watermarks_that_go_back(history: History) -> Iterator[Violation]:
    """Start, last stable offset and high watermark never fall, and lie in this order."""
    by_place: dict[Place, list[Watermark]] = defaultdict(list)
    for mark in [*history.watermarks, *history.ends]:
        by_place[mark.place].append(mark)
        if not mark.start <= mark.stable <= mark.high:
            yield Violation(str(mark.place), f"start {mark.start}, stable {mark.stable}, high {mark.high} out of order")
    for place, marks in by_place.items():
        ended = sorted(marks, key=lambda mark: mark.ended_s)
        start = stable = high = at = 0
        for mark in sorted(marks, key=lambda mark: mark.invoked_s):
            while at < len(ended) and ended[at].ended_s < mark.invoked_s:
                start, stable = max(start, ended[at].start), max(stable, ended[at].stable)
                high, at = max(high, ended[at].high), at + 1
            for name, now, before in (
                ("start", mark.start, start),
                ("last stable offset", mark.stable, stable),
                ("high watermark", mark.high, high),
            ):
                if now < before:
                    yield Violation(str(place), f"{name} fell from {before} to {now} at {mark.ended_s:.3f} s")
