"""A query in Spark's Structured Streaming, over all that is there.

Spark gives a window out when a later batch finds it closed; other engines close all at the end of their input. So that
it does, too, a second file holds one event of each kind of a later time, for queries that give windows out: their own
windows stay open, so that they never show. They have keys, since Spark drops what has none before it looks at the time.
"""

import os
import shutil
import tempfile

from pyspark.sql import SparkSession
from turns import job, take_turns

KEYS = '"id":-1,"seller":-1,"auction":-1,"bidder":-1,"price":-1'
LAST = '{"event_type":%d,"%s":{' + KEYS + ',"dateTime":"2016-01-01 00:00:00.000"}}\n'
asked = job()
builder = SparkSession.builder.master(f"local[{asked['cores']}]").config("spark.sql.shuffle.partitions", asked["cores"])
builder = builder.config("spark.ui.enabled", "false").config("spark.sql.session.timeZone", "UTC")
spark = builder.config("spark.sql.streaming.metricsEnabled", "false").getOrCreate()
spark.sparkContext.setLogLevel("OFF")
side = spark.read.schema("key bigint, value string").csv(asked["side"])
side.createOrReplaceTempView("side_input")


def run(path, keep):
    folder = tempfile.mkdtemp()
    read_from = os.path.join(folder, "events")
    os.mkdir(read_from)
    for name in os.listdir(path):
        os.symlink(os.path.join(path, name), os.path.join(read_from, name))
    if asked["windowed"]:
        with open(os.path.join(read_from, "last.json"), "w") as file:
            file.writelines(LAST % one for one in enumerate(("person", "auction", "bid")))
    read = spark.readStream.schema(asked["schema"]).json(read_from)
    timed = read.selectExpr("*", "coalesce(person.dateTime, auction.dateTime, bid.dateTime) as dateTime")
    timed.withWatermark("dateTime", "4 seconds").createOrReplaceTempView("events")
    for name, query in asked["views"].items():
        spark.sql(query).createOrReplaceTempView(name)
    writer = spark.sql(asked["query"]).writeStream.outputMode(asked["mode"])
    writer = writer.format("memory").queryName("answer") if keep else writer.format("noop")
    writer = writer.option("checkpointLocation", os.path.join(folder, "state")).trigger(availableNow=True)
    writer.start().awaitTermination()
    shutil.rmtree(folder)
    if keep:
        return [("+I", list(row)) for row in spark.sql("SELECT * FROM answer").collect()]


take_turns(asked, run)
