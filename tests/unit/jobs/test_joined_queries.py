"""Joins bounded in time, as queries over files: the answers are DuckDB's, and what is refused says why."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import duckdb
import polars as pl
import pytest

from yeoul.jobs.result import Result
from yeoul.jobs.session import Session

DELAY_S = 30


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory):
    folder: Path = tmp_path_factory.mktemp("joined")
    draw = random.Random(7)
    with Session({}) as made:
        list(made.execute("SET 'table.local-time-zone' = 'UTC'"))
        for name in ("orders", "payments"):
            rows = [
                {
                    "id": n,
                    "k": draw.randrange(20) or None,
                    "v": draw.randrange(9),
                    "ms": 1000 * (n + draw.randrange(25)),
                }
                for n in range(600)
            ]
            (folder / f"{name}.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
            statement = (
                f"CREATE TABLE {name} (id BIGINT, k BIGINT, v BIGINT, ms BIGINT, ts AS TO_TIMESTAMP_LTZ(ms, 3),"
                f" WATERMARK FOR ts AS ts - INTERVAL '{DELAY_S}' SECOND)"
                f" WITH ('connector' = 'filesystem', 'path' = '{folder}/{name}.ndjson', 'format' = 'json')"
            )
            list(made.execute(statement))
        yield made, folder


def rows_of(session: Session, query: str) -> Counter:
    (result,) = session.execute(query)
    assert isinstance(result, Result)
    return Counter(result.rows())


def batch(folder: Path, query: str) -> Counter:
    with duckdb.connect() as connection:
        for name in ("orders", "payments"):
            connection.execute(f"create table {name} as select * from read_json('{folder}/{name}.ndjson')")
        return Counter(connection.execute(query).fetchall())


@pytest.mark.parametrize("kind", ["INNER", "LEFT", "RIGHT", "FULL"])
def test_an_interval_join_equals_the_batch_join(session, kind):
    made, folder = session
    query = "SELECT o.id, p.id FROM orders o {} JOIN payments p ON o.k = p.k AND o.v < p.v AND {}"
    got = rows_of(made, query.format(kind, "p.ts BETWEEN o.ts - INTERVAL '5' SECOND AND o.ts + INTERVAL '9' SECOND"))
    assert got == batch(folder, query.format(kind, "p.ms BETWEEN o.ms - 5000 AND o.ms + 9000"))
    assert len(got) > 100


def test_windows_over_an_interval_join_lose_no_row(session):
    made, folder = session
    got = rows_of(
        made,
        "SELECT TUMBLE_START(p.ts, INTERVAL '10' SECOND), COUNT(*) FROM orders o, payments p"
        " WHERE o.k = p.k AND o.ts <= p.ts AND o.ts > p.ts - INTERVAL '1' MINUTE"
        " GROUP BY TUMBLE(p.ts, INTERVAL '10' SECOND)",
    )
    assert got == batch(
        folder,
        "SELECT epoch_ms(p.ms // 10000 * 10000), COUNT(*) FROM orders o, payments p"
        " WHERE o.k = p.k AND o.ms <= p.ms AND o.ms > p.ms - 60000 GROUP BY 1",
    )


WINDOWED = "(SELECT * FROM TABLE(HOP(TABLE {}, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '10' SECOND)))"
HOPS = "(SELECT *, unnest([ms // 5000 * 5, ms // 5000 * 5 - 5]) AS s FROM {})"


@pytest.mark.parametrize("kind", ["INNER", "LEFT", "FULL", "LEFT SEMI", "LEFT ANTI"])
def test_a_window_join_equals_the_batch_join(session, kind):
    made, folder = session
    given = "o.id, o.v" if kind.startswith("LEFT ") else "o.id, p.id"
    got = rows_of(
        made,
        f"SELECT {given} FROM {WINDOWED.format('orders')} o {kind} JOIN {WINDOWED.format('payments')} p"
        " ON o.k = p.k AND o.window_start = p.window_start AND o.window_end = p.window_end AND o.v <= p.v",
    )
    wanted = f"SELECT {given} FROM {HOPS.format('orders')} o {kind.removeprefix('LEFT ') if ' ' in kind else kind} JOIN"
    assert got == batch(folder, f"{wanted} {HOPS.format('payments')} p ON o.k = p.k AND o.s = p.s AND o.v <= p.v")


NESTED = pl.DataFrame(
    {
        "id": [1, 2, 3, 4],
        "tags": [["a", "b"], [], None, ["c"]],
        "m": [[{"os": "x", "v": 1}], [{"os": "y", "v": 2}], [], None],
    }
)
OTHER = pl.DataFrame({"id": [3, 4, 5, None], "w": [1, 2, 3, 4]})


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT id, x FROM t CROSS JOIN UNNEST(tags) AS u(x)", [(1, "a"), (1, "b"), (4, "c")]),
        (
            "SELECT t.id, u.* FROM t LEFT JOIN UNNEST(tags) WITH ORDINALITY AS u(x, n) ON TRUE",
            [(1, "a", 1), (1, "b", 2), (2, None, None), (3, None, None), (4, "c", 1)],
        ),
        ("SELECT id, os FROM t, UNNEST(m) AS u WHERE v > 1", [(2, "y")]),
        ("SELECT COUNT(*) FROM t CROSS JOIN UNNEST(tags) AS u(x)", [(3,)]),
        ("SELECT * FROM UNNEST(ARRAY[1, 2]) AS u(x)", [(1,), (2,)]),
        ("SELECT * FROM UNNEST(MAP['a', 1]) AS u(k, v)", [("a", 1)]),
        ("SELECT id, x FROM t, LATERAL TABLE(SPLIT('p,q', ',')) AS u(x) WHERE id < 2", [(1, "p"), (1, "q")]),
        (
            "SELECT id, w FROM t FULL JOIN g USING (id)",
            [(1, None), (2, None), (3, 1), (4, 2), (5, 3), (None, 4)],
        ),
        ("SELECT * FROM (SELECT id FROM t) AS a RIGHT JOIN g USING (id)", [(3, 1), (4, 2), (5, 3), (None, 4)]),
        (
            "SELECT a.id, b.w FROM g AS a JOIN g AS b ON a.id IS NOT DISTINCT FROM b.id",
            [(3, 1), (4, 2), (5, 3), (None, 4)],
        ),
    ],
)
def test_elements_and_merged_columns(query, rows):
    with Session({"t": NESTED, "g": OTHER}) as made:
        assert rows_of(made, query) == Counter(rows)
