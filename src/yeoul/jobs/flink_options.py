"""Options of Flink that change nothing here, have one value here, or are refused: each with its reason.

What is without effect is so because there is nothing for it to set (no shuffles, no statistics, no generated code) and
the answers are the same. What would change answers, or what survives a failure, is refused unless it asks for what
happens anyway. Called by `options`.

Source: https://nightlies.apache.org/flink/flink-docs-stable/docs/dev/table/config/
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ONE_VALUE", "WITHOUT_EFFECT", "why_refused"]

_BATCHES = "Batches form by themselves."
_ONE_PROCESS = "A job is one process: nothing is shuffled between tasks."
_NO_STATISTICS = "Joins are taken in the order in which they are written; there are no statistics."
_NO_CODE = "No code is generated."
_CLIENT = "It is for Flink's SQL client."
_LOOKUPS = "A batch's keys are looked up at once."
_OUT_OF_MEMORY = "What does not fit into 'state.memory.limit' goes to disk, in columns."
_PYTHON = "Python functions run in this process, a batch at a time."
_MEMORY = "State lies in columns in memory; 'state.memory.limit' says when it spills to disk."

WITHOUT_EFFECT: Mapping[str, str] = {
    "table.exec.mini-batch.size": _BATCHES,
    "table.exec.deduplicate.mini-batch.compact-changes-enabled": _BATCHES,
    "table.exec.window-agg.buffer-size-limit": _BATCHES,
    "table.exec.async-lookup.buffer-capacity": _LOOKUPS,
    "table.exec.async-lookup.key-ordered-enabled": _LOOKUPS,
    "table.exec.async-lookup.output-mode": _LOOKUPS,
    "table.exec.async-lookup.timeout": _LOOKUPS,
    "table.exec.resource.default-parallelism": "'parallelism.default' says how many threads decode a job's input.",
    "table.exec.shuffle-mode": _ONE_PROCESS,
    "table.exec.sink.keyed-shuffle": _ONE_PROCESS,
    "table.exec.interval-join.min-cleanup-interval": "Rows are dropped as soon as no partner can come.",
    "table.exec.rank.topn-cache-size": _MEMORY,
    "table.exec.simplify-operator-name-enabled": _NO_CODE,
    "table.exec.uid.generation": _NO_CODE,
    "table.exec.operator-fusion-codegen.enabled": _NO_CODE,
    "table.generated-code.max-length": _NO_CODE,
    "table.exec.local-hash-agg.adaptive.enabled": "A batch is grouped as it is decoded, in any case.",
    "table.optimizer.incremental-agg-enabled": "A batch is grouped as it is decoded, in any case.",
    "table.optimizer.join-reorder-enabled": _NO_STATISTICS,
    "table.optimizer.bushy-join-reorder-threshold": _NO_STATISTICS,
    "table.optimizer.join.broadcast-threshold": _NO_STATISTICS,
    "table.optimizer.multiple-input-enabled": _ONE_PROCESS,
    "table.optimizer.runtime-filter.enabled": _NO_STATISTICS,
    "table.optimizer.dynamic-filtering.enabled": _NO_STATISTICS,
    "table.optimizer.delta-join.strategy": "A join remembers both sides.",
    "table.optimizer.union-all-as-breakpoint-enabled": _NO_CODE,
    "table.optimizer.reuse-optimize-block-with-digest-enabled": _NO_CODE,
    "table.optimizer.source.aggregate-pushdown-enabled": "A batch is grouped as it is decoded, in any case.",
    "table.optimizer.source.predicate-pushdown-enabled": "Conditions move to the tables in any case.",
    "table.optimizer.reuse-sink-enabled": _ONE_PROCESS,
    "table.optimizer.multi-join.enabled": _NO_STATISTICS,
    "table.optimizer.adaptive-broadcast-join.strategy": _NO_STATISTICS,
    "table.optimizer.skewed-join-optimization.strategy": _NO_STATISTICS,
    "table.optimizer.source.report-statistics-enabled": _NO_STATISTICS,
    "table.optimizer.cbo-memory-percent": _NO_STATISTICS,
    "table.exec.spill-compression.enabled": _OUT_OF_MEMORY,
    "table.exec.spill-compression.block-size": _OUT_OF_MEMORY,
    "table.exec.sort.default-limit": "ORDER BY without LIMIT gives all rows.",
    "table.exec.sort.max-num-file-handles": _OUT_OF_MEMORY,
    "table.exec.sort.async-merge-enabled": _OUT_OF_MEMORY,
    "table.exec.disabled-operators": _NO_STATISTICS,
    "table.exec.async-scalar.max-concurrent-operations": _PYTHON,
    "table.exec.async-scalar.timeout": _PYTHON,
    "table.exec.async-scalar.retry-strategy": _PYTHON,
    "table.exec.async-scalar.max-attempts": _PYTHON,
    "table.exec.async-scalar.retry-delay": _PYTHON,
    "table.exec.async-table.max-concurrent-operations": _PYTHON,
    "table.resources.download-dir": _PYTHON,
    "table.rtas-ctas.atomicity-enabled": "A table that cannot be filled is not made.",
    "python.fn-execution.bundle.size": _PYTHON,
    "python.fn-execution.bundle.time": _PYTHON,
    "python.fn-execution.arrow.batch.size": _PYTHON,
    "python.execution-mode": _PYTHON,
    "pipeline.auto-watermark-interval": "Every row is judged by the watermark before it, however often it is told.",
    "pipeline.object-reuse": _NO_CODE,
    "pipeline.generic-types": _NO_CODE,
    "pipeline.max-parallelism": _ONE_PROCESS,
    "pipeline.operator-chaining": _ONE_PROCESS,
    "pipeline.operator-chaining.enabled": _ONE_PROCESS,
    "pipeline.vertex-description-mode": _CLIENT,
    "state.backend": _MEMORY,
    "state.backend.type": _MEMORY,
    "state.backend.incremental": _MEMORY,
    "sql-client.execution.result-mode": "Rows are shown as --format says.",
    "sql-client.execution.max-table-result.rows": _CLIENT,
    "sql-client.display.max-column-width": _CLIENT,
    "sql-client.display.color-schema": _CLIENT,
    "sql-client.display.show-line-numbers": _CLIENT,
    "sql-client.prompt": _CLIENT,
    "table.display.max-column-width": _CLIENT,
}

ONE_VALUE: Mapping[str, tuple[str, str]] = {
    "table.sql-dialect": ("default", "Statements are read as Flink's own dialect."),
    "table.exec.legacy-cast-behaviour": ("disabled", "A cast that fails fails the job; TRY_CAST gives NULL."),
    "table.exec.sink.type-length-enforcer": ("ignore", "CAST(x AS VARCHAR(n)) cuts a text to its length."),
    "table.exec.sink.rowtime-inserter": ("enabled", "Connectors that write record times take the row time."),
    "table.optimizer.non-deterministic-update.strategy": ("ignore", "What gives another answer each time is not kept."),
    "table.dynamic-table-options.enabled": ("true", "The hint OPTIONS can be left out."),
    "table.column-expansion-strategy": ("", "* stands for all columns."),
}
"""Options that can be set to what happens anyway: that value in lower case, and why there is no other."""

_NO_CHECKPOINTS = "There are no checkpoints yet: a job that is started again begins where its options say."
_REFUSED: Mapping[str, str] = {
    "execution.checkpointing.": _NO_CHECKPOINTS,
    "execution.savepoint.": _NO_CHECKPOINTS,
    "execution.state-recovery.": _NO_CHECKPOINTS,
    "state.checkpoints.": _NO_CHECKPOINTS,
    "state.savepoints.": _NO_CHECKPOINTS,
    "restart-strategy": "A job that fails is not started again.",
    "execution.target": "Jobs run in this process.",
    "execution.attached": "'table.dml-sync' says whether INSERT is waited for.",
    "jobmanager.": "There is no cluster: a job is threads of this process.",
    "taskmanager.": "There is no cluster: a job is threads of this process.",
    "rest.": "There is no cluster: a job is threads of this process.",
    "table.planner": "There is one planner.",
    "pipeline.jars": "Code of the JVM cannot run here: CREATE FUNCTION ... LANGUAGE PYTHON.",
    "pipeline.classpaths": "Code of the JVM cannot run here: CREATE FUNCTION ... LANGUAGE PYTHON.",
    "python.": "Python functions are imported from sys.path of this process.",
    "table.catalog-": "yeoul sql --catalog FILE keeps tables, views and functions.",
}


def why_refused(key: str) -> str:
    """Returns why an option of Flink is not here; an empty text if nothing is known of it.

    Example:
        >>> why_refused("restart-strategy.type")
        'A job that fails is not started again.'
    """
    return next((reason for prefix, reason in _REFUSED.items() if key.startswith(prefix)), "")
