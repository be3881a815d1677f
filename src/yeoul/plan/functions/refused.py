"""Functions that Flink has and yeoul does not, each with the reason or the way round; scalar and aggregate."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["REFUSED"]

_NO_FORMAT = "Build the string with || and LPAD."
_NO_JSON_BUILD = "Write rows to a sink with format 'json', or join strings with ||."
_NO_LAMBDA = "Not in this version."
_ROW_MATH = "Not in this version; ARRAY_DISTINCT, ARRAY_UNION and ARRAY_CONCAT exist."
_BATCHWISE = "Needs every value of a window in memory; not in this version."
_RANKS = "Write ROW_NUMBER, RANK or DENSE_RANK: this one needs to know the partition's size."

REFUSED: Mapping[str, str] = {
    "PRINTF": _NO_FORMAT,
    "JSON_STRING": _NO_JSON_BUILD,
    "JSON_OBJECT": _NO_JSON_BUILD,
    "JSON_ARRAY": _NO_JSON_BUILD,
    "JSON_QUOTE": _NO_JSON_BUILD,
    "JSON_UNQUOTE": "JSON_VALUE gives strings without quotes.",
    "JSON_OBJECTAGG": _NO_JSON_BUILD,
    "JSON_ARRAYAGG": _NO_JSON_BUILD,
    "PARSE_JSON": "The VARIANT type is not in this version; keep the JSON as STRING.",
    "TRY_PARSE_JSON": "The VARIANT type is not in this version; keep the JSON as STRING.",
    "JSON": "Not in this version.",
    "ARRAY_SLICE": _ROW_MATH,
    "ARRAY_SORT": _ROW_MATH,
    "ARRAY_INTERSECT": _ROW_MATH,
    "ARRAY_EXCEPT": _ROW_MATH,
    "MAP_FROM_ARRAYS": _NO_LAMBDA,
    "MAP_FROM_ENTRIES": _NO_LAMBDA,
    "MAP_UNION": _NO_LAMBDA,
    "OBJECT_OF": "Structured types are not in this version; ROW(...) is.",
    "OBJECT_UPDATE": "Structured types are not in this version; ROW(...) is.",
    "GROUP_ID": "Grouping sets are not in this version.",
    "GROUPING": "Grouping sets are not in this version.",
    "GROUPING_ID": "Grouping sets are not in this version.",
    "CURRENT_DATABASE": "There is one database.",
    "CURRENT_WATERMARK": "See EXPLAIN and the job's progress.",
    "SOURCE_WATERMARK": "Write WATERMARK FOR ts AS ts - INTERVAL ... instead.",
    "COLLECT": "Write ARRAY_AGG instead; the MULTISET type is not in this version.",
    "PERCENTILE": _BATCHWISE,
    "PERCENT_RANK": _RANKS,
    "CUME_DIST": _RANKS,
    "NTILE": _RANKS,
    "ML_PREDICT": "Models are not in this version.",
    "ML_EVALUATE": "Models are not in this version.",
    "VECTOR_SEARCH": "Models are not in this version.",
}
