"""Functions that Flink has and yeoul does not, each with the reason or the way round; scalar and aggregate."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["REFUSED"]

_NO_VARIANT = "The VARIANT type is not in this version; keep the JSON as STRING."
_NO_BITMAP = "BITMAP_BUILD(ARRAY_AGG(x)) makes a bitmap of a group; COUNT(DISTINCT x) counts."

REFUSED: Mapping[str, str] = {
    "PARSE_JSON": _NO_VARIANT,
    "TRY_PARSE_JSON": _NO_VARIANT,
    "OBJECT_OF": "Structured types are not in this version; ROW(...) is.",
    "OBJECT_UPDATE": "Structured types are not in this version; ROW(...) is.",
    **dict.fromkeys(
        [
            "BITMAP_BUILD_AGG",
            "BITMAP_AND_AGG",
            "BITMAP_OR_AGG",
            "BITMAP_XOR_AGG",
            "BITMAP_BUILD_CARDINALITY_AGG",
            "BITMAP_AND_CARDINALITY_AGG",
            "BITMAP_OR_CARDINALITY_AGG",
            "BITMAP_XOR_CARDINALITY_AGG",
        ],
        _NO_BITMAP,
    ),
    "CURRENT_WATERMARK": "See EXPLAIN and the job's progress.",
    "SOURCE_WATERMARK": "Write WATERMARK FOR ts AS ts - INTERVAL ... instead.",
    "ML_PREDICT": "Models are not in this version.",
    "ML_EVALUATE": "Models are not in this version.",
    "VECTOR_SEARCH": "Models are not in this version.",
}
