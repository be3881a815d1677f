"""Functions that Flink has and yeoul does not, each with the reason or the way round; scalar and aggregate."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["REFUSED"]


REFUSED: Mapping[str, str] = {
    "SOURCE_WATERMARK": "Write WATERMARK FOR ts AS ts - INTERVAL ... instead.",
    "ML_PREDICT": "Models are not in this version.",
    "ML_EVALUATE": "Models are not in this version.",
    "FROM_CHANGELOG": "A table function over changes: the formats debezium-json and upsert-kafka read changes.",
    "TO_CHANGELOG": "A table function over changes: a result's changes() and the retract sinks show them.",
    "VECTOR_SEARCH": "Models are not in this version.",
}
