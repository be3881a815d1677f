"""A query in Flink SQL, with its batches of changes switched on."""

from pyflink.table import EnvironmentSettings, TableEnvironment
from turns import job, take_turns

OPTIONS = {
    "table.exec.mini-batch.enabled": "true",
    "table.exec.mini-batch.allow-latency": "1 s",
    "table.exec.mini-batch.size": "5000",
    "table.optimizer.agg-phase-strategy": "TWO_PHASE",
    "table.optimizer.distinct-agg.split.enabled": "true",
    "table.local-time-zone": "UTC",
    "taskmanager.memory.process.size": "4g",
}
asked = job()


def run(declared, keep):
    environment = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    for key, value in {**OPTIONS, "parallelism.default": str(asked["cores"])}.items():
        environment.get_config().set(key, value)
    for statement in declared.split(";"):
        if statement.strip():
            environment.execute_sql(statement)
    table = environment.sql_query(asked["query"])
    if keep:
        with table.execute().collect() as rows:
            return [(str(row.get_row_kind()), list(row)) for row in rows]
    environment.create_temporary_view("answer", table)
    described = list(environment.execute_sql("DESCRIBE answer").collect())
    types = {row[0]: row[1].replace("*ROWTIME*", "").replace("*PROCTIME*", "") for row in described}
    columns = ", ".join(f"`{name}` {types[name]}" for name in table.get_schema().get_field_names())
    environment.execute_sql(f"CREATE TEMPORARY TABLE nowhere ({columns}) WITH ('connector' = 'blackhole')")
    environment.execute_sql("INSERT INTO nowhere SELECT * FROM answer").wait()


take_turns(asked, run)
