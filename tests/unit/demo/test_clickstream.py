"""The click events: shaped as declared, skewed, disordered within bounds, and rarely broken."""

from __future__ import annotations

import json
from collections import Counter

from yeoul.demo.clickstream import ACTIONS, Clickstream, traffic_factor

NOW_MS = 1_760_000_000_000


def _rows(count: int = 60_000) -> tuple[list[dict[str, object]], int]:
    stream = Clickstream(seed=3)
    rows, broken = [], 0
    for tick in range(count // 1000):
        for event in stream.events(1000, NOW_MS + tick * 50):
            try:
                row = json.loads(event.value)
                float(row["latency_ms"])
                rows.append(row | {"arrived": NOW_MS + tick * 50})
            except ValueError:
                broken += 1
    return rows, broken


def test_equal_seeds_give_equal_events() -> None:
    first, second = Clickstream(seed=5), Clickstream(seed=5)
    assert first.events(500, NOW_MS) == second.events(500, NOW_MS)
    assert first.events(500, NOW_MS + 20) == second.events(500, NOW_MS + 20)


def test_every_action_happens_and_views_lead() -> None:
    rows, _ = _rows()
    actions = Counter(row["action"] for row in rows)
    assert set(actions) == set(ACTIONS)
    assert actions.most_common(1)[0][0] == "view"


def test_users_are_skewed() -> None:
    rows, _ = _rows()
    users = Counter(row["user_id"] for row in rows)
    assert len(users) > 1_000
    busiest = sum(count for _, count in users.most_common(len(users) // 100))
    assert busiest > 5 * len(rows) / 100


def test_disorder_stays_under_five_seconds_but_for_a_few_late_rows() -> None:
    rows, _ = _rows()
    delays = [int(str(row["arrived"])) - int(str(row["ts"])) for row in rows]
    assert min(delays) >= 0
    late = [delay for delay in delays if delay >= 5_000]
    assert 0 < len(late) < len(rows) / 1_000
    assert min(late) >= 20_000


def test_a_few_messages_are_malformed() -> None:
    rows, broken = _rows()
    assert 0 < broken < len(rows) / 1_000


def test_sessions_end_and_new_ones_begin_with_a_login() -> None:
    stream = Clickstream(seed=1)
    last: dict[str, str] = {}
    logged_out_again = 0
    for tick in range(200):
        for event in stream.events(50, NOW_MS + tick):
            try:
                row = json.loads(event.value)
            except ValueError:
                continue
            session = row["session_id"]
            logged_out_again += last.get(session) == "logout" and row["action"] != "logout"
            last[session] = row["action"]
    assert logged_out_again == 0


def test_traffic_swells_around_the_rate_asked_for() -> None:
    factors = [traffic_factor(tenth / 10) for tenth in range(23 * 47 * 10)]
    assert 0.95 < sum(factors) / len(factors) < 1.05
    assert max(factors) > 2 > 1 > min(factors)
