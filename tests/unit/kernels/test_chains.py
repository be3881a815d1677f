"""Chains, timelines and sessions beside plain lists of the same rows: borders of blocks, slots used again, the ends."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from yeoul.kernels.chains import Chains
from yeoul.kernels.sessions import SessionChains
from yeoul.kernels.timelines import Coming, Timelines

_NONE = np.empty(0, np.int64)
_NEVER = -(2**63)
_FAR = 2**62


def test_chains_without_rows_answer() -> None:
    chains = Chains()
    chains.append(_NONE, _NONE)
    assert chains.remove(_NONE).tolist() == []
    assert chains.is_empty(np.array([0, 7, -1])).tolist() == [True] * 3
    assert [each.tolist() for each in chains.rows_of(np.array([3, -1]))] == [[], []]
    assert chains.owners(_NONE).tolist() == []


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_any_row_of_a_chain_can_go_and_come_back_behind_the_others(gone: int) -> None:
    chains = Chains()
    chains.append(np.zeros(3, np.int64), np.arange(3))
    assert chains.remove(np.array([gone])).tolist() == []
    left = [row for row in range(3) if row != gone]
    assert chains.rows_of(np.array([0]))[1].tolist() == left
    chains.append(np.array([0]), np.array([gone]))
    assert chains.rows_of(np.array([0]))[1].tolist() == [*left, gone]
    assert chains.remove(np.array([gone, *left])).tolist() == [0]


@pytest.mark.parametrize("border", [1 << 10, 1 << 18, 1 << 19, 1 << 20])
def test_chains_reach_over_the_borders_of_blocks(border: int) -> None:
    chains = Chains()
    rows = np.arange(border - 3, border + 3)
    for row in rows:
        chains.append(np.array([row % 2, border - 1 + row % 2]), np.array([row, row + 100]))
    for odd in (0, 1):
        mine = rows[rows % 2 == odd]
        assert chains.rows_of(np.array([odd]))[1].tolist() == mine.tolist()
        assert chains.rows_of(np.array([border - 1 + odd]))[1].tolist() == (mine + 100).tolist()
    assert chains.is_empty(np.array([border - 1, border, border + 1])).tolist() == [False, False, True]


@pytest.mark.parametrize("seed", range(5))
def test_chains_are_lists_of_rows(seed: int) -> None:
    random, chains = np.random.default_rng(seed), Chains()
    lists: dict[int, list[int]] = {key: [] for key in range(40)}
    free = list(range(3_000))
    for _ in range(200):
        keys = random.integers(0, 40, random.integers(0, 30))
        rows = np.array([free.pop(int(random.integers(len(free)))) for _ in keys], np.int64)
        chains.append(keys, rows)
        for key, row in zip(keys.tolist(), rows.tolist(), strict=True):
            lists[key].append(row)
        living = np.array([row for each in lists.values() for row in each], np.int64)
        gone = random.permutation(living)[: random.integers(0, 28)]
        emptied = chains.remove(gone)
        held = {key for key, each in lists.items() if each}
        for each in lists.values():
            each[:] = [row for row in each if row not in gone]
        free += gone.tolist()
        assert sorted(emptied.tolist()) == sorted(key for key in held if not lists[key])
        asked = random.integers(-1, 45, 20)
        places, found = chains.rows_of(asked)
        wanted = [(place, row) for place, key in enumerate(asked.tolist()) for row in lists.get(key, [])]
        assert list(zip(places.tolist(), found.tolist(), strict=True)) == wanted


def test_timelines_without_versions_answer() -> None:
    lines = Timelines()
    assert lines.insert(_NONE, _NONE, _NONE, _NONE, _NONE).tolist() == []
    assert lines.as_of(np.array([0, -1]), np.array([5, 5])).tolist() == [-1, -1]
    assert lines.cut(_NONE, 5).tolist() == []


@pytest.mark.parametrize("seed", range(5))
def test_timelines_are_the_last_version_not_after_a_moment(seed: int) -> None:
    """Versions that come in any order, none of them late; one of the same time takes the earlier one's place."""
    random, lines = np.random.default_rng(seed), Timelines()
    stands: dict[int, dict[int, tuple[int, bool]]] = {key: {} for key in range(6)}
    row, low = 0, -20
    for _ in range(60):
        count = int(random.integers(1, 20))
        keys, times = random.integers(0, 6, count), random.integers(low, low + 40, count)
        ends = random.random(count) < 0.2
        rows = np.arange(row, row := row + count)
        gone = set(lines.insert(keys, rows, times, times, np.where(ends, Coming.END, Coming.VERSION)).tolist())
        wanted = set()
        for key, time, number, end in zip(keys.tolist(), times.tolist(), rows.tolist(), ends.tolist(), strict=True):
            wanted |= {stands[key][time][0]} if time in stands[key] else set()
            stands[key][time] = number, end
        assert gone == wanted
        asked, moments = random.integers(0, 8, 30), np.sort(random.integers(low - 5, low + 45, 30))
        assert lines.as_of(asked, moments).tolist() == [
            _standing(stands.get(key, {}), moment) for key, moment in zip(asked.tolist(), moments.tolist(), strict=True)
        ]
        low += int(random.integers(0, 4))
        due = np.array([number for each in stands.values() for number, _ in each.values()], np.int64)
        cut = set(lines.cut(due, low).tolist())
        wanted = set()
        for each in stands.values():
            past = sorted(time for time in each if time <= low)
            for time in past if past and each[past[-1]][1] else past[:-1]:
                wanted.add(each.pop(time)[0])
        assert cut == wanted


def _standing(versions: dict[int, tuple[int, bool]], moment: int) -> int:
    past = [time for time in versions if time <= moment]
    row, is_end = versions[max(past)] if past else (-1, True)
    return -1 if is_end else row


@pytest.mark.parametrize("border", [1 << 19, 1 << 20])
def test_timelines_reach_over_the_borders_of_blocks(border: int) -> None:
    lines = Timelines()
    rows = np.arange(border - 2, border + 2)
    lines.insert(np.full(4, border), rows, rows, rows, np.zeros(4))
    assert lines.as_of(np.full(4, border), rows).tolist() == rows.tolist()
    assert sorted(lines.cut(rows, border + 1).tolist()) == rows[:-1].tolist()


def test_times_far_away_are_times_as_any() -> None:
    lines = Timelines()
    times = np.array([-_FAR, 0, _FAR])
    lines.insert(np.zeros(3, np.int64), np.arange(3), times, times, np.zeros(3))
    assert lines.as_of(np.zeros(4, np.int64), np.array([-_FAR - 1, -_FAR, _FAR - 1, _FAR])).tolist() == [-1, 0, 1, 2]
    sessions = SessionChains(10)
    taken = sessions.assign(np.zeros(4, np.int64), np.array([_FAR, -_FAR, _FAR + 10, -_FAR + 11]), np.full(4, _NEVER))
    assert taken.sessions.tolist() == [0, 1, 0, 2]
    assert sessions.ends(np.array([0, 1, 2])).tolist() == [_FAR + 20, -_FAR + 10, -_FAR + 21]


def test_sessions_of_no_row_answer() -> None:
    sessions = SessionChains(10)
    nothing = sessions.assign(_NONE, _NONE, _NONE)
    assert [each.tolist() for each in (nothing.sessions, nothing.made, nothing.absorbed)] == [[], [], []]
    assert sessions.armed().tolist() == []
    assert sessions.restore(_NONE, _NONE, _NONE).tolist() == []
    sessions.release(_NONE)
    sessions.prune(_NONE, 5)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("gap", [1, 7])
def test_sessions_are_times_with_no_gap_between_them(seed: int, gap: int) -> None:
    """With restores on the way into other slots, and with what has closed taken out."""
    random, sessions = np.random.default_rng(seed), SessionChains(gap)
    open_ones: dict[int, list[list[int]]] = {key: [] for key in range(4)}
    closed = low = -30
    for _ in range(120):
        count = int(random.integers(0, 12))
        keys, times = random.integers(0, 4, count), random.integers(low, low + 8 * gap + 9, count)
        limits = np.sort(random.integers(closed, closed + 3, count))
        taken = sessions.assign(keys, times, limits)
        late = [
            not _takes(open_ones[key], time, time + gap, limit)
            for key, time, limit in zip(keys.tolist(), times.tolist(), limits.tolist(), strict=True)
        ]
        assert (taken.sessions < 0).tolist() == late
        sessions.release(taken.absorbed)
        closed = int(limits.max(initial=closed))
        sessions.prune(np.arange(4) if count else _NONE, closed)
        for each in open_ones.values():
            each[:] = [one for one in each if one[1] > closed]
        low = closed - gap
        slots = _living(sessions, taken.sessions)
        for slot, key, time in zip(taken.sessions.tolist(), keys.tolist(), times.tolist(), strict=True):
            if slot in slots and slots[slot][2] > closed:
                assert [slots[slot][1], slots[slot][2]] in open_ones[key]
                assert slots[slot][1] <= time <= slots[slot][2] - gap
        closed += int(random.integers(0, 2))
        if random.random() < 0.2:
            rows = [(key, *one) for key, each in open_ones.items() for one in each]
            table = np.array(rows, np.int64).reshape(-1, 3)[random.permutation(len(rows))]
            sessions = SessionChains(gap)
            assert sessions.restore(table[:, 0], table[:, 1], table[:, 2]).tolist() == list(range(len(rows)))


def _takes(sessions: list[list[int]], start: int, end: int, closed: int) -> bool:
    sessions[:] = [one for one in sessions if one[1] > closed]
    touched = [one for one in sessions if one[0] <= end and start <= one[1]]
    if not touched and end <= closed:
        return False
    for one in touched:
        sessions.remove(one)
    sessions.append([min(start, *(one[0] for one in touched), start), max(end, *(one[1] for one in touched), end)])
    return True


def _living(sessions: SessionChains, slots: NDArray[np.int64]) -> dict[int, tuple[int, int, int]]:
    slots = np.unique(slots[slots >= 0])
    values = (sessions.owners(slots), sessions.starts(slots), sessions.ends(slots))
    kept = {slot: row for slot, *row in zip(slots.tolist(), *(each.tolist() for each in values), strict=True)}
    return {slot: (row[0], row[1], row[2]) for slot, row in kept.items()}


@pytest.mark.parametrize("border", [1 << 19, 1 << 22])
def test_sessions_reach_over_the_borders_of_blocks(border: int) -> None:
    sessions, keys = SessionChains(10), np.array([border - 1, border, border])
    count = min(border, 1 << 19) + 2
    many = sessions.assign(np.zeros(count, np.int64), np.arange(count) * 100, np.full(count, _NEVER))
    assert many.sessions.tolist() == list(range(count))
    taken = sessions.assign(keys, np.array([5, 5, 6]), np.full(3, _NEVER))
    assert taken.sessions.tolist() == [count, count + 1, count + 1]
    assert sessions.is_empty(np.array([border - 1, border])).tolist() == [False, False]
    again = SessionChains(10)
    slots = np.arange(count + 2)
    again.restore(sessions.owners(slots), sessions.starts(slots), sessions.ends(slots))
    joined = again.assign(np.array([0, border]), np.array([100 * (count - 1) + 3, 7]), np.full(2, _NEVER))
    assert joined.made.tolist() == []
    assert (again.starts(joined.sessions) - np.array([100 * (count - 1), 5])).tolist() == [0, 0]
