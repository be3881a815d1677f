"""The yardstick query in other engines, on the same file and the same cores, each in an environment of its own.

`python -m bench --peers` makes a virtual environment for each peer once (under `bench/peers-venvs`, needs the package
registry; Flink and Spark need Java 17), writes one file of events, and runs every engine on it in a process of its
own. What a peer counts as its time: from handing the query over to having all rows, with its own job start but without
the start of the interpreter or the JVM; Spark runs twice, the second, warm run counts.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import events, tumble
from bench.measure import Row, seconds

VENVS = Path(__file__).parent / "peers-venvs"
TIMEOUT_S = 300


@dataclass(frozen=True)
class Peer:
    """An engine: its name, what pip installs for it, and a program that prints events, seconds for a file argument."""

    name: str
    requirements: tuple[str, ...]
    program: str


UBIK = Peer(
    "ubik",
    ("ubik-sql",),
    """
import os, sys, time
import ubik
path = sys.argv[1]
table = os.path.basename(path).split(".")[0]
window = "TUMBLE(epoch_ms(ts), INTERVAL 1 MINUTE)"
query = f"SELECT action, {window} AS w, count(*) AS c, avg(latency) AS m FROM {table} GROUP BY action, {window}"
for attempt in range(2):
    start = time.perf_counter()
    rows = ubik.stream(query, from_="file://" + path).arrow()
    took = time.perf_counter() - start
print(sum(rows["c"].to_pylist()), took)
""",
)
SPARK = Peer(
    "Spark",
    ("pyspark",),
    """
import os, shutil, sys, tempfile, time
from pyspark.sql import SparkSession, functions as F
folder = tempfile.mkdtemp()
os.link(sys.argv[1], os.path.join(folder, "events.json"))
builder = SparkSession.builder.master("local[2]").config("spark.sql.shuffle.partitions", "2")
spark = builder.config("spark.ui.enabled", "false").getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
for attempt in range(2):
    start = time.perf_counter()
    stream = spark.readStream.schema("user_id string, action string, ts long, page string, latency double").json(folder)
    timed = stream.withColumn("rt", F.timestamp_millis("ts")).withWatermark("rt", "5 seconds")
    counts = timed.groupBy(F.window("rt", "1 minute"), "action").agg(F.count("*").alias("c"), F.avg("latency"))
    writer = counts.writeStream.outputMode("update").format("memory").queryName(f"q{attempt}")
    writer.trigger(availableNow=True).start().awaitTermination()
    total = spark.sql(f"select sum(c) from q{attempt}").collect()[0][0]
    took = time.perf_counter() - start
print(total, took)
spark.stop()
shutil.rmtree(folder)
""",
)
FLINK = Peer(
    "Flink",
    ("apache-flink",),
    """
import sys, time
from pyflink.table import EnvironmentSettings, TableEnvironment
env = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
for key, value in {
    "parallelism.default": "2", "table.exec.mini-batch.enabled": "true", "table.exec.mini-batch.allow-latency": "1 s",
    "table.exec.mini-batch.size": "5000", "table.optimizer.agg-phase-strategy": "TWO_PHASE",
}.items():
    env.get_config().set(key, value)
env.execute_sql(f'''CREATE TABLE events (user_id STRING, action STRING, ts BIGINT, page STRING, latency DOUBLE,
    rt AS TO_TIMESTAMP_LTZ(ts, 3), WATERMARK FOR rt AS rt - INTERVAL '5' SECOND)
    WITH ('connector' = 'filesystem', 'path' = 'file://{sys.argv[1]}', 'format' = 'json')''')
start = time.perf_counter()
rows = env.execute_sql('''SELECT window_start, action, COUNT(*), AVG(latency)
    FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(rt), INTERVAL '1' MINUTE))
    GROUP BY window_start, window_end, action''').collect()
total = sum(row[2] for row in rows)
print(total, time.perf_counter() - start)
""",
)
PEERS = (UBIK, SPARK, FLINK)


def run(count: int, seed: int) -> Iterator[Row]:
    """Yields a row a peer: its rate beside ours on the same file. A peer that cannot run here is said so."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.ndjson"
        events.write(path, count, seed, "compact")
        options = {"connector": "filesystem", "path": str(path), "format": "json"}
        tumble.yeoul(options)  # warms up
        for peer in PEERS:
            ours_s, answer = seconds(lambda: tumble.yeoul(options))
            tumble.check(answer, tumble.expected(path))
            yield _row(peer, count, ours_s, _ask(peer, path))


def _row(peer: Peer, count: int, ours_s: float, output: str) -> Row:
    words = output.split()
    if len(words) < 2:
        return Row(f"{peer.name}: {output}", count / ours_s / 1e6, None, "M events/s", None, "", True, "did not run")
    counted, took_s = int(words[-2]), float(words[-1])
    note = "its rate" if counted == count else f"its rate; it counted {counted:,} of {count:,} events"
    ours, theirs = count / ours_s / 1e6, count / took_s / 1e6
    return Row(f"file -> tumble, {peer.name}", ours, theirs, "M events/s", ours / theirs, "1x", ours >= theirs, note)


def _ask(peer: Peer, path: Path) -> str:
    python = VENVS / peer.name.lower() / "bin" / "python"
    if not python.exists():
        venv.create(python.parents[1], with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet", *peer.requirements]
        if subprocess.run(install, check=False, stdout=sys.stderr).returncode:
            return "not-installed"
    try:
        done = subprocess.run(
            [str(python), "-c", peer.program, str(path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return "timed-out"
    if done.returncode:
        print(done.stderr[-2_000:], file=sys.stderr)
        return "failed"
    return done.stdout.strip().splitlines()[-1]
