"""What the supervisor decides: order of start and stop, restarts with a growing pause, patience with a bound."""

import pytest

from yeoul.supervise.decisions import Announce, Finish, Kill, Policy, Say, Spawn, Supervision, Terminate

POLICY = Policy(first_pause_s=1, longest_pause_s=4, steady_s=30, ready_timeout_s=20, stop_timeout_s=10)


@pytest.fixture
def state() -> Supervision:
    return Supervision(["broker", "web"], POLICY)


def up(state: Supervision) -> Supervision:
    state.start(0)
    state.ready("broker", "b:1", 1)
    assert state.ready("web", "http://w:2", 2) == [Announce({"broker": "b:1", "web": "http://w:2"})]
    return state


def test_a_child_is_started_once_the_one_before_it_is_ready(state: Supervision) -> None:
    assert state.start(0) == [Spawn("broker")]
    assert state.tick(1) == []
    assert state.ready("broker", "b:1", 1) == [Spawn("web")]
    assert state.is_starting


def test_everything_is_announced_once(state: Supervision) -> None:
    up(state)
    assert state.ready("web", "http://w:2", 3) == []
    assert not state.is_starting


def test_a_child_that_never_was_ready_takes_the_whole_down(state: Supervision) -> None:
    state.start(0)
    assert state.exited("broker", 1, 1) == [Say("broker did not start (exit code 1)"), Finish(1)]


def test_a_later_child_that_does_not_start_stops_the_earlier_ones(state: Supervision) -> None:
    state.start(0)
    state.ready("broker", "b:1", 1)
    assert state.exited("web", 1, 2) == [Say("web did not start (exit code 1)"), Terminate("broker")]
    assert state.exited("broker", 0, 3) == [Finish(1)]


def test_a_child_that_dies_is_started_again_after_a_pause(state: Supervision) -> None:
    up(state)
    assert state.exited("broker", -9, 5) == [Say("broker ended with signal 9; starting it again in 1 s")]
    assert state.due_s() == 6
    assert state.tick(5.9) == []
    assert state.tick(6) == [Spawn("broker")]
    assert state.ready("broker", "b:1", 7) == [Say("broker is back at b:1")]


def test_the_pause_doubles_up_to_a_bound_and_shrinks_after_a_steady_run(state: Supervision) -> None:
    up(state)
    now, pauses = 5.0, []
    for _ in range(4):
        state.exited("web", 1, now)
        pauses.append(state.due_s() - now)
        now = state.due_s()
        state.tick(now)
        now += 0.5
    assert pauses == [1, 2, 4, 4]
    state.ready("web", "http://w:2", now)
    state.exited("web", 1, now + 30)
    assert state.due_s() - (now + 30) == 1


def test_children_stop_in_reverse_order(state: Supervision) -> None:
    up(state)
    assert state.stop(5) == [Terminate("web")]
    assert state.exited("web", 0, 6) == [Terminate("broker")]
    assert state.exited("broker", 0, 7) == [Finish(0)]


def test_a_child_that_waits_for_its_restart_is_not_started_while_stopping(state: Supervision) -> None:
    up(state)
    state.exited("web", 1, 5)
    assert state.stop(5.5) == [Terminate("broker")]
    assert state.tick(100)[0] == Say("broker did not stop within 94 s; killing it")
    assert state.exited("broker", -9, 101) == [Finish(0)]


def test_patience_with_a_stop_ends_in_a_kill(state: Supervision) -> None:
    up(state)
    state.stop(5)
    assert state.due_s() == 15
    assert state.tick(15) == [Say("web did not stop within 10 s; killing it"), Kill("web")]
    assert state.tick(16) == []
    assert state.exited("web", -9, 16) == [Terminate("broker")]


def test_patience_with_a_start_ends_in_a_kill(state: Supervision) -> None:
    state.start(0)
    assert state.tick(20) == [Say("broker did not get ready within 20 s; killing it"), Kill("broker")]
    assert state.exited("broker", -9, 21) == [Say("broker did not start (signal 9)"), Finish(1)]


def test_a_second_wish_to_stop_is_a_hard_one(state: Supervision) -> None:
    up(state)
    state.stop(5)
    assert state.stop(6) == [Kill("broker"), Kill("web")]
    assert state.stop(7) == []


def test_a_stop_before_anything_is_ready(state: Supervision) -> None:
    state.start(0)
    assert state.stop(1) == [Terminate("broker")]
    assert state.ready("broker", "b:1", 1.5) == []
    assert state.exited("broker", 0, 2) == [Finish(0)]


def test_nothing_is_due_while_all_is_well(state: Supervision) -> None:
    assert up(state).due_s() == float("inf")
