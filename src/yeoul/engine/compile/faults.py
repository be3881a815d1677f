"""Values that cannot be computed: how they are found in a batch, and how the job learns of them.

Flink fails a job on a bad CAST or on 1/0, and so does yeoul, with the expression and the first offending value. A
`checked` expression runs a function over whole columns inside Polars; when that function raises, Polars builds a new
exception of the same class from the text of the first one, with its own trailer behind. `EvaluationError` undoes that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from yeoul.errors import Span, UserError

__all__ = ["EvaluationError", "checked", "first_true"]

_TRAILER = "\n\nThis error occurred in the following expression:"
_HINT = "\nhint: "


class EvaluationError(UserError):
    """An expression met a value that it cannot be computed for."""

    def __init__(self, message: str, *, hint: str = "", span: Span | None = None) -> None:
        text, trailer, _ = message.partition(_TRAILER)
        self._rebuilt = bool(trailer)
        text, _, written_hint = text.partition(_HINT)
        super().__init__(text, hint=hint or written_hint, span=span)

    def __str__(self) -> str:
        """The text that Polars carries over, with the hint marked; once it has done so, as any other error's."""
        return f"{self.message}{_HINT}{self.hint}" if self.hint and not self._rebuilt else super().__str__()


def checked(
    inputs: Sequence[pl.Expr], compute: Callable[..., pl.Series], dtype: pl.DataType, *, name: str | None = None
) -> pl.Expr:
    """Returns an expression that runs `compute` over whole columns; literals come as columns of length one.

    Args:
        inputs: The expressions whose columns `compute` gets, in order.
        compute: Returns a column of type `dtype`, as long as the longest input; may raise EvaluationError.
        dtype: The type that comes out.
    """

    def run(columns: Sequence[pl.Series]) -> pl.Series:
        if any(len(column) == 0 for column in columns):
            return pl.Series("", [], dtype=dtype)
        return compute(*columns)

    expression = pl.map_batches(list(inputs), run, return_dtype=dtype, is_elementwise=True)
    return expression if name is None else expression.alias(name)


def first_true(mask: pl.Series) -> int:
    """Returns the index of the first true value of a mask that has one."""
    index = mask.arg_max()
    return 0 if index is None else int(index)
