"""What the page shows, from the records alone."""

from __future__ import annotations

import json

from yeoul.demo.board import Board


def _add(board: Board, topic: str, now_ms: int = 0, *, is_live: bool = True, **row: object) -> None:
    board.add(topic, json.dumps(row).encode(), now_ms, is_live=is_live)


def test_latency_is_from_produce_to_arrival_over_the_last_seconds() -> None:
    board = Board()
    for number in range(100):
        produced = f"1970-01-01 00:01:40.{number:03d}Z"
        _add(
            board, "slow-requests", 100_200, user_id="u", action="view", page="/", latency_ms=9.0, produced_at=produced
        )
    latency = board.latency(100_200)
    assert latency is not None
    assert (latency.p50_ms, latency.p99_ms, latency.count) == (150.0, 199.0, 100)
    assert board.latency(200_000) is None


def test_records_read_again_say_nothing_about_latency() -> None:
    board = Board()
    row = {"user_id": "u", "action": "view", "page": "/", "latency_ms": 9.0, "produced_at": "1970-01-01 00:00:01Z"}
    _add(board, "slow-requests", 5_000, is_live=False, **row)
    assert board.latency(5_000) is None
    assert len(board.slow_requests) == 1


def test_only_the_newest_window_of_pages_is_ranked() -> None:
    board = Board()
    for end, page, events in (("00:05", "/a", 5), ("00:05", "/b", 9), ("00:10", "/c", 1), ("00:10", "/a", 2)):
        _add(board, "pages-by-window", window_end=f"1970-01-01 00:{end}", page=page, events=events)
    _add(board, "pages-by-window", window_end="1970-01-01 00:00:05", page="/old", events=99)
    assert board.top_pages == [("/a", 2), ("/c", 1)]


def test_action_windows_are_in_order_and_bounded() -> None:
    board = Board()
    for number in reversed(range(60)):
        end = f"1970-01-01 00:00:{number:02d}"
        _add(board, "actions-by-window", window_end=end, action="view", events=number, avg_latency_ms=None)
    ends = [end for end, _ in board.action_windows]
    assert ends == sorted(ends)
    assert len(ends) == 24
    assert ends[-1].endswith(":59")


def test_the_rate_is_between_the_last_two_reports() -> None:
    board = Board()
    empty = {"rows_out": 0, "late": 1, "dead": 2, "watermark_ms": None, "splits": []}
    assert board.rows_per_second("traffic") == 0
    _add(board, "job-progress", job="traffic", at_ms=1_000, rows_in=100, **empty)
    _add(board, "job-progress", job="traffic", at_ms=3_000, rows_in=500, **empty)
    assert board.rows_per_second("traffic") == 200
    assert (board.late, board.dead) == (1, 2)


def test_what_cannot_be_read_is_counted() -> None:
    board = Board()
    board.add("traffic", b"not json", 0)
    board.add("no-such-topic", b"{}", 0)
    assert board.unreadable == 2
