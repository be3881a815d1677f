"""Python functions over columns of Polars and Arrow, which golden cases call; PyFlink knows those of pandas alone."""

from __future__ import annotations

import pyarrow.compute as pc

from yeoul import udaf, udf

__all__ = ["doubled", "inverse", "lengths", "middle"]

doubled = udf(
    lambda column: column * 2, result_type="BIGINT", input_types=["BIGINT"], func_type="polars", name="doubled"
)
lengths = udf(pc.utf8_length, result_type="INT", input_types=["STRING"], func_type="arrow", name="lengths")
middle = udaf(
    lambda column: column.median(), result_type="DOUBLE", input_types=["BIGINT"], func_type="polars", name="middle"
)


@udf(result_type="DOUBLE", input_types=["BIGINT"], func_type="polars")
def inverse(column):
    if (column == 0).any():
        raise ValueError("a zero")
    return 1 / column
