"""The programs that run a query: one for yeoul, one for each other engine; each in a process of its own.

A program gets one JSON argument: `tables` (statements by input), `query`, `inputs` (small, whole). It runs the small
input twice and the whole one once, and writes a line before and after each run, so that whoever started it can take the
processes' CPU and memory at these moments. Rows go nowhere: to the engine's own sink that drops them.
"""

from __future__ import annotations

__all__ = ["FLINK", "SPARK", "YEOUL"]

_RUNS = """
import json, sys, time
job = json.loads(sys.argv[1])
def timed(run):
    for step in ("first", "small", "whole"):
        print(json.dumps({"begin": step}), flush=True)
        start = time.perf_counter()
        run(job["inputs"]["whole" if step == "whole" else "small"])
        print(json.dumps({"end": step, "took_s": time.perf_counter() - start}), flush=True)
"""

YEOUL = (
    _RUNS
    + """
from yeoul import Session
def run(declared):
    with Session() as session:
        script = "SET 'execution.runtime-mode' = 'streaming';" + declared
        for _ in session.execute(script):
            pass
        columns = [one for one in session.sql(job["query"]).schema.fields if one.name != "op"]
        written = ", ".join(f"`{one.name}` {one.type}".replace(" ROWTIME", "") for one in columns)
        session.sql(f"CREATE TABLE nowhere ({written}) WITH ('connector' = 'blackhole')").close()
        session.sql("INSERT INTO nowhere " + job["query"]).rows()
timed(run)
"""
)

FLINK = (
    _RUNS
    + """
from pyflink.table import EnvironmentSettings, Schema, TableDescriptor, TableEnvironment
OPTIONS = {
    "parallelism.default": "2", "table.exec.mini-batch.enabled": "true", "table.exec.mini-batch.allow-latency": "1 s",
    "table.exec.mini-batch.size": "5000", "table.optimizer.agg-phase-strategy": "TWO_PHASE",
    "table.optimizer.distinct-agg.split.enabled": "true", "table.local-time-zone": "UTC",
    "taskmanager.memory.process.size": "4g",
}
def run(declared):
    environment = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    for key, value in OPTIONS.items():
        environment.get_config().set(key, value)
    for statement in declared.split(";"):
        if statement.strip():
            environment.execute_sql(statement)
    table = environment.sql_query(job["query"])
    names = table.get_schema().get_field_names()
    environment.create_temporary_view("answer", table)
    described = environment.execute_sql("DESCRIBE answer").collect()
    types = {row[0]: row[1].replace("*ROWTIME*", "").replace("*PROCTIME*", "") for row in described}
    columns = ", ".join(f"`{name}` {types[name]}" for name in names)
    environment.execute_sql(f"CREATE TEMPORARY TABLE nowhere ({columns}) WITH ('connector' = 'blackhole')")
    environment.execute_sql("INSERT INTO nowhere SELECT * FROM answer").wait()
timed(run)
"""
)

SPARK = (
    _RUNS
    + """
import os, shutil, tempfile
from pyspark.sql import SparkSession
builder = SparkSession.builder.master("local[2]").config("spark.sql.shuffle.partitions", "2")
spark = builder.config("spark.ui.enabled", "false").config("spark.sql.session.timeZone", "UTC").getOrCreate()
spark.sparkContext.setLogLevel("OFF")
def run(path):
    folder = tempfile.mkdtemp()
    os.symlink(path, os.path.join(folder, "events.json"))
    read = spark.readStream.schema(job["schema"]).json(folder)
    read.selectExpr("*", "coalesce(person.dateTime, auction.dateTime, bid.dateTime) as dateTime").withWatermark(
        "dateTime", "4 seconds").createOrReplaceTempView("events")
    for name, query in job["views"].items():
        spark.sql(query).createOrReplaceTempView(name)
    writer = spark.sql(job["query"]).writeStream.format("noop").outputMode(job["mode"])
    writer.option("checkpointLocation", os.path.join(folder, "state")).trigger(availableNow=True)
    writer.start().awaitTermination()
    shutil.rmtree(folder)
timed(run)
"""
)
