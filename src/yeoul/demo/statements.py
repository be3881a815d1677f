"""The demo's SQL: two source tables, five questions. `sql` writes it for a broker and a moment to begin at.

A start that continues an earlier run passes the end of the last window it answered: the clicks are read again from
that moment on (an event never reaches the log before it happened), and only whole windows are answered.
"""

from __future__ import annotations

from datetime import UTC, datetime

from yeoul.demo import topics

__all__ = ["ALERT_JOBS", "JOBS", "WINDOW_JOBS", "insert", "tables"]

_KAFKA = "'connector' = 'kafka', 'properties.bootstrap.servers' = '{bootstrap}', 'format' = 'json'"
_WRITES = f"{_KAFKA}, 'properties.linger.ms' = '1'"
_READS = (
    f"{_KAFKA}, 'scan.startup.mode' = 'timestamp', 'scan.startup.timestamp-millis' = '{{since_ms}}', "
    "'scan.watermark.idle-timeout' = '3 s', 'properties.fetch.max.wait.ms' = '100', "
    "'properties.fetch.min.bytes' = '{fetch_min_bytes}'"
)
_WINDOW_FETCH_BYTES = 1 << 20

_TABLES = f"""
SET 'table.local-time-zone' = 'UTC';

CREATE TABLE clicks (
  user_id STRING,
  session_id STRING,
  action STRING,
  page STRING,
  country STRING,
  latency_ms DOUBLE,
  ts BIGINT,
  produced_at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  event_time AS TO_TIMESTAMP_LTZ(ts, 3),
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
) WITH ('topic' = '{topics.CLICKS.name}', {_READS});

CREATE TABLE host (
  host STRING,
  ts BIGINT,
  cpu_percent DOUBLE,
  memory_percent DOUBLE,
  disk_read_mb_s DOUBLE,
  disk_write_mb_s DOUBLE,
  net_in_mb_s DOUBLE,
  net_out_mb_s DOUBLE,
  event_time AS TO_TIMESTAMP_LTZ(ts, 3),
  WATERMARK FOR event_time AS event_time - INTERVAL '1' SECOND
) WITH ('topic' = '{topics.HOST.name}', {_READS});

CREATE TABLE actions_by_window (window_end TIMESTAMP(3), action STRING, events BIGINT, avg_latency_ms DOUBLE)
  WITH ('topic' = '{topics.ACTIONS_BY_WINDOW.name}', {_WRITES});
CREATE TABLE traffic (window_end TIMESTAMP(3), events BIGINT, users BIGINT, purchases BIGINT)
  WITH ('topic' = '{topics.TRAFFIC.name}', {_WRITES});
CREATE TABLE pages_by_window (window_end TIMESTAMP(3), page STRING, events BIGINT)
  WITH ('topic' = '{topics.TOP_PAGES.name}', {_WRITES});
CREATE TABLE slow_requests (user_id STRING, action STRING, page STRING, latency_ms DOUBLE, produced_at TIMESTAMP_LTZ(3))
  WITH ('topic' = '{topics.SLOW_REQUESTS.name}', {_WRITES});
CREATE TABLE host_by_window (window_end TIMESTAMP(3), host STRING, cpu_percent DOUBLE, memory_percent DOUBLE,
    disk_mb_s DOUBLE, net_mb_s DOUBLE)
  WITH ('topic' = '{topics.HOST_BY_WINDOW.name}', {_WRITES});
"""

WINDOW_JOBS = {
    "actions": """
INSERT INTO actions_by_window
SELECT window_end, action, COUNT(*), AVG(latency_ms)
FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(event_time), INTERVAL '5' SECOND))
GROUP BY window_start, window_end, action
HAVING window_start >= {since}""",
    "traffic": """
INSERT INTO traffic
SELECT window_end, COUNT(*), COUNT(DISTINCT user_id), COUNT(*) FILTER (WHERE action = 'purchase')
FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(event_time), INTERVAL '1' SECOND))
GROUP BY window_start, window_end
HAVING window_start >= {since}""",
    "pages": """
INSERT INTO pages_by_window
SELECT window_end, page, COUNT(*)
FROM TABLE(HOP(TABLE clicks, DESCRIPTOR(event_time), INTERVAL '5' SECOND, INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, page
HAVING window_start >= {since} AND COUNT(*) > 100""",
    "host": """
INSERT INTO host_by_window
SELECT window_end, host, AVG(cpu_percent), AVG(memory_percent), AVG(disk_read_mb_s + disk_write_mb_s),
  AVG(net_in_mb_s + net_out_mb_s)
FROM TABLE(TUMBLE(TABLE host, DESCRIPTOR(event_time), INTERVAL '2' SECOND))
GROUP BY window_start, window_end, host
HAVING window_start >= {since}""",
}

"""Answered when a window closes: their sources ask for larger pieces, a tenth of a second apart."""

ALERT_JOBS = {
    "slow-requests": """
INSERT INTO slow_requests
SELECT user_id, action, page, latency_ms, produced_at
FROM clicks
WHERE latency_ms > 250 AND produced_at >= TO_TIMESTAMP_LTZ({since_ms}, 3)""",
}
"""Answered at once: their sources take every record as soon as it is there."""

JOBS = WINDOW_JOBS | ALERT_JOBS


def tables(job: str, bootstrap: str, since_ms: int) -> str:
    """Returns the CREATE TABLE statements; sources begin at the records produced at `since_ms` (ms since 1970, UTC)."""
    fetch_min_bytes = _WINDOW_FETCH_BYTES if job in WINDOW_JOBS else 1
    return _TABLES.format(bootstrap=bootstrap, since_ms=since_ms, fetch_min_bytes=fetch_min_bytes)


def insert(job: str, since_ms: int) -> str:
    """Returns one job's INSERT, answering only windows that begin at `since_ms` or later.

    Example:
        >>> insert("traffic", 0).splitlines()[-1]
        "HAVING window_start >= TIMESTAMP '1970-01-01 00:00:00.000'"
    """
    moment = datetime.fromtimestamp(since_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return JOBS[job].strip().format(since=f"TIMESTAMP '{moment}'", since_ms=since_ms)
