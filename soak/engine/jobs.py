"""What the soak's jobs compute, and the same in DuckDB's words over the events as they were made."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["JOBS", "Answer", "statements"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One job.

    Attributes:
        columns: Of its table, as declared.
        query: What it inserts.
        oracle: The same over DuckDB's `events` (all rows that are JSON) and `timely` (those that are not late).
        until: The column by which an answer is certain once event time has passed it, in ms.
        keyed: The key by which the last row counts, where rows change; None where they stand.
    """

    columns: str
    query: str
    oracle: str
    until: str
    keyed: str | None = None


JOBS = {
    "tumbled": Answer(
        "item BIGINT, till BIGINT, n BIGINT, amount BIGINT",
        """SELECT item, CAST(EXTRACT(EPOCH FROM window_end) AS BIGINT) * 1000, COUNT(*), SUM(amount)
           FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(rt), INTERVAL '10' SECOND))
           GROUP BY item, window_start, window_end""",
        """SELECT item, (ts // 10000 + 1) * 10000 AS till, COUNT(*) AS n, SUM(amount)::BIGINT AS amount
           FROM timely GROUP BY ALL""",
        "till",
    ),
    "sessions": Answer(
        "visitor BIGINT, till BIGINT, n BIGINT",
        """SELECT visitor, CAST(EXTRACT(EPOCH FROM window_end) AS BIGINT) * 1000 + EXTRACT(MILLISECOND FROM window_end),
           COUNT(*) FROM TABLE(SESSION(TABLE events PARTITION BY visitor, DESCRIPTOR(rt), INTERVAL '5' SECOND))
           GROUP BY visitor, window_start, window_end""",
        """WITH gaps AS (SELECT "user", ts,
           COALESCE(ts - LAG(ts) OVER (PARTITION BY "user" ORDER BY ts) > 5000, TRUE) AS begins FROM timely),
           numbered AS (SELECT *, SUM(begins::INT) OVER (PARTITION BY "user" ORDER BY ts) AS number FROM gaps)
           SELECT "user" AS visitor, MAX(ts) + 5000 AS till, COUNT(*) AS n FROM numbered GROUP BY "user", number""",
        "till",
    ),
    "paid": Answer(
        "ref BIGINT, ordered BIGINT, amount BIGINT, till BIGINT",
        """SELECT o.n, o.ts, p.amount, p.ts FROM events o JOIN events p ON o.n = p.ref
           AND p.rt BETWEEN o.rt - INTERVAL '2' SECOND AND o.rt + INTERVAL '6' SECOND
           WHERE o.kind = 'order' AND p.kind = 'pay'""",
        """SELECT o.n AS ref, o.ts AS ordered, p.amount, p.ts AS till FROM timely o JOIN timely p ON o.n = p.ref
           AND p.ts BETWEEN o.ts - 2000 AND o.ts + 6000 WHERE o.kind = 'order' AND p.kind = 'pay'""",
        "till",
    ),
    "best": Answer(
        "item BIGINT, amount BIGINT, place BIGINT, till BIGINT",
        """SELECT item, amount, place, CAST(EXTRACT(EPOCH FROM window_end) AS BIGINT) * 1000 FROM (
           SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY amount DESC, n) AS place
           FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(rt), INTERVAL '10' SECOND))) WHERE place <= 5""",
        """SELECT item, amount, place, till FROM (SELECT *, (ts // 10000 + 1) * 10000 AS till,
           ROW_NUMBER() OVER (PARTITION BY ts // 10000 ORDER BY amount DESC, n) AS place FROM timely)
           WHERE place <= 5""",
        "till",
    ),
    "visitors": Answer(
        "visitor BIGINT, n BIGINT, amount BIGINT, till BIGINT",
        "SELECT visitor, COUNT(*), SUM(amount), MAX(ts) FROM events GROUP BY visitor",
        """SELECT "user" AS visitor, COUNT(*) AS n, SUM(amount)::BIGINT AS amount, MAX(ts) AS till
           FROM events GROUP BY ALL""",
        "till",
        keyed="visitor",
    ),
}


def statements(servers: str, topic: str) -> str:
    """Returns the SQL of all jobs; they run as one and share the reading."""
    kafka = f"'properties.bootstrap.servers' = '{servers}'"
    tables = [
        f"CREATE TABLE {name} ({answer.columns}) WITH ("
        + (
            "'connector' = 'print');"
            if answer.keyed
            else f"'connector' = 'kafka', 'topic' = '{name}', {kafka}, {_JSON});"
        )
        for name, answer in JOBS.items()
    ]
    inserts = [f"INSERT INTO {name} {answer.query};" for name, answer in JOBS.items()]
    return f"""
    SET 'table.exec.state.ttl' = '60 s';
    CREATE TABLE events (n BIGINT, ts BIGINT, kind STRING, `user` BIGINT, item BIGINT, ref BIGINT, amount BIGINT,
        visitor AS `user`, rt AS TO_TIMESTAMP_LTZ(ts, 3), WATERMARK FOR rt AS rt - INTERVAL '3' SECOND) WITH (
        'connector' = 'kafka', 'topic' = '{topic}', {kafka}, {_JSON}, 'scan.startup.mode' = 'earliest-offset');
    {" ".join(tables)} EXECUTE STATEMENT SET BEGIN {" ".join(inserts)} END;"""


_JSON = "'format' = 'json'"
